/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert - what git makes of a blob when it writes a file: line ends, $Id$, encodings. Pure.
 *
 * A gate must see the bytes that everybody else's checkout has. These are the rules of convert.c in
 * git for a machine whose own line end is LF and whose configuration says nothing.
 */
#ifndef REPO_CONVERT_H
#define REPO_CONVERT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* The attributes of a path, as git_attr_get gives them: NULL for unspecified, CONVERT_TRUE and
 * CONVERT_FALSE for set and unset, else the value. */
extern const char CONVERT_TRUE[];
extern const char CONVERT_FALSE[];

struct convert {
	const char *text;
	const char *crlf; /* the old name of text */
	const char *eol;
	const char *ident;
	const char *encoding; /* working-tree-encoding */
};

enum convert_end {
	CONVERT_SAME,    /* the blob's bytes; out is empty */
	CONVERT_DONE,    /* out has the file's */
	CONVERT_UNKNOWN, /* the same or done, but for an encoding that is not ours to write */
};

/* id: of the blob, in hex. out's limit must do for the result: four times the bytes and 64 for each
 * '$'. */
enum convert_end convert_to_file(
	const struct convert *c, const char *id, const char *data, size_t len, struct buf *out);

/* False: not a name that is known, or not text in UTF-8 (git leaves such a file alone). */
bool convert_encode(const char *encoding, const char *data, size_t len, struct buf *out);
bool convert_is_known(const char *encoding);

#endif
