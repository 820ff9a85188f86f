/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack - zstd around what is large in the store.
 *
 * The acknowledgement of a delivery waits for it, so that one is packed in half the time of level 1
 * for half as many bytes again. The size before packing is stored beside, so nothing is allocated
 * on the frame's word.
 */
#include "store/pack.h"

#include "base/limits.h"
#include "base/mem.h"

#include <assert.h>
#include <zstd.h>

static const int LEVELS[] = { [PACK_QUICK] = -5, [PACK_SMALL] = 1 };

struct pack {
	ZSTD_CCtx *squeeze;
	ZSTD_DCtx *expand;
};

struct pack *
pack_create(void)
{
	struct pack *p = mem_zero(sizeof(*p));

	p->squeeze = ZSTD_createCCtx();
	p->expand = ZSTD_createDCtx();
	assert(p->squeeze && p->expand);
	return p;
}

void
pack_destroy(struct pack *p)
{
	if (!p)
		return;
	(void)ZSTD_freeCCtx(p->squeeze);
	(void)ZSTD_freeDCtx(p->expand);
	free(p);
}

int
pack_squeeze(struct pack *p, enum pack_way way, const void *data, size_t len, struct buf *out,
	struct err *e)
{
	size_t room = ZSTD_compressBound(len);
	auto_free char *to = mem_grow(NULL, room, 1);
	size_t n = ZSTD_compressCCtx(p->squeeze, to, room, len > 0 ? data : "", len, LEVELS[way]);

	if (ZSTD_isError(n))
		return err_set(e, ERR_SYSTEM, "compress: %s", ZSTD_getErrorName(n));
	buf_reset(out);
	if (buf_add(out, to, n) < 0)
		return err_set(e, ERR_LIMIT, "compressed bytes over %zu", out->limit);
	return 0;
}

int
pack_expand(
	struct pack *p, const void *data, size_t len, size_t size, struct buf *out, struct err *e)
{
	if (size > LIMIT_DELIVERY_BYTES || size > out->limit)
		return err_set(e, ERR_LIMIT, "%zu packed bytes are over the limit", size);

	auto_free char *to = mem_array(size + 1, 1);
	size_t n = ZSTD_decompressDCtx(p->expand, to, size, data, len);
	if (ZSTD_isError(n))
		return err_set(e, ERR_INVALID, "expand: %s", ZSTD_getErrorName(n));
	if (n != size)
		return err_set(e, ERR_INVALID, "expand: %zu bytes instead of %zu", n, size);
	if (buf_add(out, to, n) < 0)
		return err_set(e, ERR_LIMIT, "expanded bytes over %zu", out->limit);
	return 0;
}
