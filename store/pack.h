/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack - zstd around what is large in the store: delivery bodies and transcripts.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "base/buf.h"
#include "base/err.h"

struct pack; /* working memory, used again for every call */

struct pack *pack_create(void);
void pack_destroy(struct pack *p);

/* What matters more, while somebody waits for the one and the disk for the other. */
enum pack_way { PACK_QUICK, PACK_SMALL };

/* Overwrites out. */
int pack_squeeze(struct pack *p, enum pack_way way, const void *data, size_t len, struct buf *out,
	struct err *e);

/* Appends exactly size bytes to out; ERR_INVALID if data is not a frame of that size. */
int pack_expand(
	struct pack *p, const void *data, size_t len, size_t size, struct buf *out, struct err *e);

#endif
