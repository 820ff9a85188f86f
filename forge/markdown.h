/* SPDX-License-Identifier: Apache-2.0 */
/*
 * markdown - commands in what people wrote, and safe text in what we write.
 *
 * The one door to cmark-gfm.
 */
#ifndef FORGE_MARKDOWN_H
#define FORGE_MARKDOWN_H

#include "base/row.h"

/* Appends a struct forge_command for each "/agent ..." line that is the first thing in a line of a
 * paragraph: never in code, quotes, HTML, link text, details, tables or when it was escaped
 * ("\/agent", entities). At most LIMIT_COMMANDS. Bodies without the bytes "/agent" or over
 * LIMIT_BODY_BYTES are not parsed. CRLF and NUL are harmless. */
void markdown_commands(const char *body, struct row_list *out);

/* Appends text in a code fence that it cannot break out of; at most max bytes of it, from its end,
 * cut at a line. */
void markdown_fence(struct buf *out, const char *text, size_t len, size_t max);

/* Appends one line of text so that nothing in it acts: no mention, no issue reference, no closing
 * keyword, no HTML, no image, no link. */
void markdown_inline(struct buf *out, const char *text, size_t max);

/* Appends one line as a code span that it cannot break out of, for commands and names. */
void markdown_code(struct buf *out, const char *text, size_t max);

/* Appends one line for places that show it as it is but still look for mentions, references and
 * links in it: titles, subjects of commits. */
void markdown_plain(struct buf *out, const char *text, size_t max);

/* Removes what people do not see: HTML comments, invisible and bidirectional code points, tag
 * block, variation selectors. Appends the rest; *removed counts what was taken out. */
void markdown_visible(struct buf *out, const char *text, size_t len, size_t *removed);

#endif
