/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt - a terminal without a window: turns what a program writes to one into the lines a person
 * would have read.
 *
 * The terminal is libvterm's; this keeps what it draws. Titles, clipboards, links, colours and
 * modes leave no trace. A line is final when it scrolls off the top, and what a program clears away
 * is final too. A terminal so wide that lines are hardly ever wrapped: a log is read in an editor.
 */
#ifndef SANDBOX_VT_H
#define SANDBOX_VT_H

#include "base/buf.h"

#include <stddef.h>

#define VT_COLUMNS_MAX 4096 /* of a line; what follows goes to the next */

struct vt;

/* A final line, UTF-8 with its '\n', no other control character, nothing invisible. */
typedef void vt_line_cb(void *ctx, const char *line, size_t len);

struct vt *vt_create(size_t rows, vt_line_cb *cb, void *ctx);
void vt_destroy(struct vt *t);
void vt_feed(struct vt *t, const char *data, size_t len);

/* Adds the lines still on the screen, without the empty ones at its end. */
void vt_screen(const struct vt *t, struct buf *out);

/* Makes everything on the screen final. */
void vt_flush(struct vt *t);

#endif
