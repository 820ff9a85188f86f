/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt - a small terminal: turns what a program writes to one into the lines a person would have
 * read.
 *
 * It knows what logs use: carriage return, backspace, tab, moving, erasing, inserting and deleting
 * in a screen of BOX_ROWS lines. Titles, clipboards, links, colours and everything else that
 * travels in escape sequences is swallowed. A line is final when it scrolls off the top. Lines are
 * not wrapped.
 */
#ifndef SANDBOX_VT_H
#define SANDBOX_VT_H

#include "base/buf.h"

#include <stddef.h>

#define VT_COLUMNS_MAX 4096 /* of a line; what follows is dropped */

struct vt;

/* A final line, UTF-8 with its '\n', no other control character. */
typedef void vt_line_cb(void *ctx, const char *line, size_t len);

struct vt *vt_create(size_t rows, vt_line_cb *cb, void *ctx);
void vt_destroy(struct vt *t);
void vt_feed(struct vt *t, const char *data, size_t len);

/* Adds the lines still on the screen, without the empty ones at its end. */
void vt_screen(const struct vt *t, struct buf *out);

/* Makes everything on the screen final. */
void vt_flush(struct vt *t);

#endif
