/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row - see row.h.
 *
 * A list's elements are flat: a sub table holds no ROW_LIST. So each operation is one loop over
 * rows with one loop over elements inside, and nothing here recurses.
 */
#include "base/row.h"

#include "base/mem.h"

#include <string.h>

#define ABSENT UINT32_C(0xffffffff)

static void *
member(void *obj, const struct row *r)
{
	return (char *)obj + r->offset;
}

static const void *
member_const(const void *obj, const struct row *r)
{
	return (const char *)obj + r->offset;
}

static void
finish_flat(const struct row *r, void *obj)
{
	void *m = member(obj, r);

	switch (r->type) {
	case ROW_BOOL:
		*(bool *)m = false;
		return;
	case ROW_I64:
		*(int64_t *)m = 0;
		return;
	case ROW_STR:
		free(*(char **)m);
		*(char **)m = NULL;
		return;
	case ROW_STRS:
		strs_finish(m);
		return;
	case ROW_END:
	case ROW_LIST:
		return;
	}
}

static void
finish_list(const struct row *r, struct row_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		for (const struct row *s = r->sub; s->type != ROW_END; s++)
			finish_flat(s, (char *)list->v + i * r->sub_size);
	}
	free(list->v);
	*list = (struct row_list){ 0 };
}

void
row_finish(const struct row *rows, void *obj)
{
	if (!obj)
		return;
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		if (r->type == ROW_LIST)
			finish_list(r, member(obj, r));
		else
			finish_flat(r, obj);
	}
}

static void
copy_flat(const struct row *r, void *to, const void *from)
{
	void *m = member(to, r);
	const void *f = member_const(from, r);

	switch (r->type) {
	case ROW_BOOL:
		*(bool *)m = *(const bool *)f;
		return;
	case ROW_I64:
		*(int64_t *)m = *(const int64_t *)f;
		return;
	case ROW_STR:
		*(char **)m = mem_str(*(char *const *)f);
		return;
	case ROW_STRS:
		*(struct strs *)m = (struct strs){ 0 };
		strs_copy(m, f);
		return;
	case ROW_END:
	case ROW_LIST:
		return;
	}
}

static void
copy_list(const struct row *r, struct row_list *to, const struct row_list *from)
{
	*to = (struct row_list){ 0 };
	if (from->n == 0)
		return;
	to->v = mem_array(from->n, r->sub_size);
	to->n = from->n;
	for (size_t i = 0; i < from->n; i++) {
		size_t at = i * r->sub_size;

		for (const struct row *s = r->sub; s->type != ROW_END; s++)
			copy_flat(s, (char *)to->v + at, (const char *)from->v + at);
	}
}

void
row_copy(const struct row *rows, void *to, const void *from)
{
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		if (r->type == ROW_LIST)
			copy_list(r, member(to, r), member_const(from, r));
		else
			copy_flat(r, to, from);
	}
}

/* Like FNV-1a, over what the wire depends on: two tables that would misread each other differ here.
 */
static uint32_t
hash_u64(uint32_t h, uint64_t v)
{
	h = (h ^ (uint32_t)v) * UINT32_C(16777619);
	return (h ^ (uint32_t)(v >> 32)) * UINT32_C(16777619);
}

static uint32_t
hash_row(uint32_t h, const struct row *r)
{
	h = hash_u64(hash_u64(hash_u64(h, r->type), r->max), r->n_max);
	for (const char *s = r->name; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT32_C(16777619);
	return h;
}

uint32_t
row_fingerprint(const struct row *rows)
{
	uint32_t h = UINT32_C(2166136261);

	for (const struct row *r = rows; r->type != ROW_END; r++) {
		h = hash_row(h, r);
		if (r->type != ROW_LIST)
			continue;
		for (const struct row *s = r->sub; s->type != ROW_END; s++)
			h = hash_row(h, s);
	}
	return h;
}

/* The adders below do not look at the result: row_pack asks is_full once at the end. */
static void
put_uint(struct buf *out, uint64_t v, size_t bytes)
{
	char le[8];

	for (size_t i = 0; i < bytes; i++)
		le[i] = (char)(uint8_t)(v >> (8 * i));
	(void)buf_add(out, le, bytes);
}

static int
put_str(const struct row *r, const char *s, struct buf *out, struct err *e)
{
	size_t len = s ? strlen(s) : 0;

	if (!s) {
		put_uint(out, ABSENT, 4);
		return 0;
	}
	if (len > r->max || len >= ABSENT)
		return err_set(e, ERR_LIMIT, "%s: %zu bytes of at most %zu", r->name, len, r->max);
	put_uint(out, len, 4);
	(void)buf_add(out, s, len);
	return 0;
}

static int
put_count(const struct row *r, size_t n, struct buf *out, struct err *e)
{
	if (n > r->n_max || n >= ABSENT)
		return err_set(
			e, ERR_LIMIT, "%s: %zu elements of at most %zu", r->name, n, r->n_max);
	put_uint(out, n, 4);
	return 0;
}

static int
pack_flat(const struct row *r, const void *obj, struct buf *out, struct err *e)
{
	const void *m = member_const(obj, r);
	const struct strs *list = m;
	int rc;

	switch (r->type) {
	case ROW_BOOL:
		put_uint(out, *(const bool *)m, 1);
		return 0;
	case ROW_I64:
		put_uint(out, (uint64_t) * (const int64_t *)m, 8);
		return 0;
	case ROW_STR:
		return put_str(r, *(char *const *)m, out, e);
	case ROW_STRS:
		rc = put_count(r, list->n, out, e);
		for (size_t i = 0; i < list->n && rc == 0; i++)
			rc = put_str(r, list->v[i], out, e);
		return rc;
	case ROW_END:
	case ROW_LIST:
		break;
	}
	return err_set(e, ERR_INVALID, "%s: a list in a list", r->name);
}

static int
pack_list(const struct row *r, const struct row_list *list, struct buf *out, struct err *e)
{
	int rc = put_count(r, list->n, out, e);

	for (size_t i = 0; i < list->n && rc == 0; i++) {
		const char *obj = (const char *)list->v + i * r->sub_size;

		for (const struct row *s = r->sub; s->type != ROW_END && rc == 0; s++)
			rc = pack_flat(s, obj, out, e);
	}
	return rc;
}

int
row_pack(const struct row *rows, const void *obj, struct buf *out, struct err *e)
{
	size_t start = out->len;
	int rc = 0;

	put_uint(out, row_fingerprint(rows), 4);
	for (const struct row *r = rows; r->type != ROW_END && rc == 0; r++) {
		if (r->type == ROW_LIST)
			rc = pack_list(r, member_const(obj, r), out, e);
		else
			rc = pack_flat(r, obj, out, e);
	}
	if (rc == 0 && out->is_full)
		rc = err_set(e, ERR_LIMIT, "message of more than %zu bytes", out->limit);
	if (rc < 0)
		buf_cut(out, start);
	return rc;
}

struct reader {
	const unsigned char *p;
	size_t left;
};

static int
bad(const struct row *r, const char *what, struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "%s: %s", r ? r->name : "message", what);
}

static bool
get_uint(struct reader *in, size_t bytes, uint64_t *out)
{
	uint64_t v = 0;

	if (in->left < bytes)
		return false;
	for (size_t i = bytes; i-- > 0;)
		v = v << 8 | in->p[i];
	in->p += bytes;
	in->left -= bytes;
	*out = v;
	return true;
}

/* *out is NULL for an absent string; may_be_absent is false inside ROW_STRS. */
static int
get_str(struct reader *in, const struct row *r, bool may_be_absent, char **out, struct err *e)
{
	uint64_t len;

	if (!get_uint(in, 4, &len))
		return bad(r, "cut off", e);
	if (len == ABSENT && may_be_absent) {
		*out = NULL;
		return 0;
	}
	if (len > r->max)
		return bad(r, "too long", e);
	if (len > in->left)
		return bad(r, "cut off", e);
	if (memchr(in->p, '\0', len))
		return bad(r, "NUL in a string", e);
	*out = mem_strn((const char *)in->p, len);
	in->p += len;
	in->left -= len;
	return 0;
}

/* An element takes at least a byte, so a count over what is left is a lie, and costs no memory. */
static int
get_count(struct reader *in, const struct row *r, size_t *n, struct err *e)
{
	uint64_t v;

	if (!get_uint(in, 4, &v))
		return bad(r, "cut off", e);
	if (v > r->n_max)
		return bad(r, "too many elements", e);
	if (v > in->left)
		return bad(r, "cut off", e);
	*n = v;
	return 0;
}

static int
get_strs(struct reader *in, const struct row *r, struct strs *out, struct err *e)
{
	size_t n = 0;
	int rc = get_count(in, r, &n, e);

	if (rc < 0 || n == 0)
		return rc;
	out->v = mem_array(n, sizeof(*out->v));
	while (out->n < n) {
		rc = get_str(in, r, false, &out->v[out->n], e);
		if (rc < 0)
			return rc;
		out->n++;
	}
	return 0;
}

static int
unpack_flat(struct reader *in, const struct row *r, void *obj, struct err *e)
{
	void *m = member(obj, r);
	uint64_t v;

	switch (r->type) {
	case ROW_BOOL:
		if (!get_uint(in, 1, &v))
			return bad(r, "cut off", e);
		if (v > 1)
			return bad(r, "neither true nor false", e);
		*(bool *)m = v == 1;
		return 0;
	case ROW_I64:
		if (!get_uint(in, 8, &v))
			return bad(r, "cut off", e);
		*(int64_t *)m = (int64_t)v;
		return 0;
	case ROW_STR:
		return get_str(in, r, true, m, e);
	case ROW_STRS:
		return get_strs(in, r, m, e);
	case ROW_END:
	case ROW_LIST:
		break;
	}
	return bad(r, "a list in a list", e);
}

static int
unpack_list(struct reader *in, const struct row *r, struct row_list *list, struct err *e)
{
	size_t n = 0;
	int rc = get_count(in, r, &n, e);

	if (rc < 0 || n == 0)
		return rc;
	list->v = mem_array(n, r->sub_size);
	list->n = n;
	for (size_t i = 0; i < n; i++) {
		char *obj = (char *)list->v + i * r->sub_size;

		for (const struct row *s = r->sub; s->type != ROW_END; s++) {
			rc = unpack_flat(in, s, obj, e);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

void
row_zero(const struct row *rows, void *obj)
{
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		if (r->type == ROW_LIST)
			*(struct row_list *)member(obj, r) = (struct row_list){ 0 };
		else if (r->type == ROW_STRS)
			*(struct strs *)member(obj, r) = (struct strs){ 0 };
		else if (r->type == ROW_STR)
			*(char **)member(obj, r) = NULL;
		else
			finish_flat(r, obj);
	}
}

int
row_unpack(const struct row *rows, void *obj, const void *data, size_t len, struct err *e)
{
	struct reader in = { data, len };
	uint64_t print;
	int rc = 0;

	row_zero(rows, obj);
	if (!get_uint(&in, 4, &print))
		return bad(NULL, "cut off", e);
	if (print != row_fingerprint(rows))
		return bad(NULL, "bytes of another table", e);
	for (const struct row *r = rows; r->type != ROW_END && rc == 0; r++) {
		if (r->type == ROW_LIST)
			rc = unpack_list(&in, r, member(obj, r), e);
		else
			rc = unpack_flat(&in, r, obj, e);
	}
	if (rc == 0 && in.left)
		rc = bad(NULL, "bytes left over", e);
	if (rc < 0)
		row_finish(rows, obj);
	return rc;
}

void *
row_list_add(struct row_list *list, size_t sub_size)
{
	char *v = mem_grow(list->v, list->n + 1, sub_size);
	void *last = v + list->n * sub_size;

	memset(last, 0, sub_size);
	list->v = v;
	list->n++;
	return last;
}
