/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capped - a file of lines with a ceiling: its first lines go to the disk at once, of the rest the
 * newest are kept in memory until the end.
 */
#ifndef SANDBOX_CAPPED_H
#define SANDBOX_CAPPED_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct capped {
	int fd;
	int64_t head_left;
	struct buf tail;   /* whole lines */
	uint64_t left_out; /* bytes between the two */
	bool is_head_full;
	int sys; /* errno of the first failed write */
};

/* Takes fd. A quarter of bytes_max is for the head. */
void capped_init(struct capped *c, int take_fd, int64_t bytes_max);

/* One or more whole lines. */
void capped_add(struct capped *c, const char *lines, size_t len);

/* Writes `mark` if something was left out, then the newest lines; closes. */
int capped_finish(struct capped *c, const char *mark, struct err *e);

#endif
