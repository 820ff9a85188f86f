/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template - HTML in which nothing that was not ours can act.
 *
 * A page is built from literals and values; values are always escaped. There is no way to add
 * unescaped text that is not a literal.
 */
#ifndef WEB_TEMPLATE_H
#define WEB_TEMPLATE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* html must be a string literal: the compiler refuses anything else. */
#define html_add(out, html) ((void)buf_adds((out), "" html))

void html_text(struct buf *out, const char *text); /* NULL adds nothing */
void html_bytes(struct buf *out, const char *text, size_t len);
void html_number(struct buf *out, int64_t n);

/* <a href> for an http or https address; anything else becomes plain text. */
void html_link(struct buf *out, const char *url, const char *text);

#endif
