/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - see json.h. A struct json is a json_t under a name that keeps jansson inside this file.
 */
#include "base/json.h"

#include "base/json_mend.h"
#include "base/limits.h"
#include "base/mem.h"

#include <jansson.h>
#include <string.h>

/* jansson has macros of these names. */
#undef json_is_object
#undef json_is_null

const struct json_limits JSON_LIMITS_DELIVERY = { LIMIT_DELIVERY_BYTES, 400000, 64 };
const struct json_limits JSON_LIMITS_REPLY = { MIB(8), 200000, 64 };

/* One key of a dotted path. */
#define KEY_BYTES_MAX 128

/* jansson aborts nothing when memory is out, it returns NULL: let it use our allocator, which does
 * not. */
static void *
allocate(size_t size)
{
	return mem_grow(NULL, size, 1);
}

/* jansson quotes the text near the fault; that may be a token. The rest of its message is its own
 * words. */
static int
bad_syntax(const json_error_t *why, struct err *e)
{
	const char *near = strstr(why->text, " near '");
	int len = near ? (int)(near - why->text) : (int)strlen(why->text);

	return err_set(e, ERR_INVALID, "JSON: line %d, column %d: %.*s", why->line, why->column,
		len, why->text);
}

int
json_parse(const char *data, size_t len, const struct json_limits *limits, struct json **out,
	struct err *e)
{
	/* Each bad byte grows to three; numbers get two quotes. Beyond the limit and a bit it is no
	 * honest text. */
	auto_buf struct buf mended = BUF_INIT(limits->bytes_max + limits->bytes_max / 2 + 1024);
	json_error_t why;
	json_t *j;
	int rc;

	json_set_alloc_funcs(allocate, free);
	rc = json_mend(data, len, limits, &mended, e);
	if (rc < 0)
		return rc;
	j = json_loadb(buf_str(&mended), mended.len, JSON_DECODE_ANY, &why);
	if (!j)
		return bad_syntax(&why, e);
	*out = (struct json *)j;
	return 0;
}

void
json_destroy(struct json *j)
{
	json_decref((json_t *)j);
}

/* Takes the key before the next dot out of *path; false if it is too long to be one of ours. */
static bool
next_key(const char **path, char key[KEY_BYTES_MAX])
{
	size_t n = strcspn(*path, ".");

	if (n >= KEY_BYTES_MAX)
		return false;
	memcpy(key, *path, n);
	key[n] = '\0';
	*path += n;
	if (**path == '.')
		(*path)++;
	return true;
}

static const json_t *
find(const struct json *from, const char *path)
{
	const json_t *j = (const json_t *)from;
	char key[KEY_BYTES_MAX];

	while (j && path && *path) {
		if (!next_key(&path, key))
			return NULL;
		j = json_object_get(j, key); /* NULL for anything but an object */
	}
	return j;
}

const struct json *
json_get(const struct json *j, const char *path)
{
	return (const struct json *)find(j, path);
}

const char *
json_str(const struct json *j, const char *path)
{
	return json_string_value(find(j, path));
}

int64_t
json_i64(const struct json *j, const char *path)
{
	const json_t *v = find(j, path);
	int64_t n = 0;

	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_string(v))
		(void)str_i64(
			json_string_value(v), INT64_MIN, INT64_MAX, &n, NULL); /* else it stays 0 */
	return n;
}

bool
json_bool(const struct json *j, const char *path)
{
	return json_is_true(find(j, path));
}

bool
json_is_null(const struct json *j, const char *path)
{
	const json_t *v = find(j, path);

	return !v || json_typeof(v) == JSON_NULL;
}

bool
json_is_object(const struct json *j, const char *path)
{
	const json_t *v = find(j, path);

	return v && json_typeof(v) == JSON_OBJECT;
}

size_t
json_len(const struct json *j, const char *path)
{
	return json_array_size(find(j, path)); /* 0 for anything but an array */
}

const struct json *
json_at(const struct json *j, const char *path, size_t i)
{
	return (const struct json *)json_array_get(find(j, path), i);
}

/* A copy of at most max bytes that ends with a whole character. The text is valid UTF-8: json_parse
 * saw to it. */
static char *
cut_copy(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len > max) {
		len = max;
		while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
	}
	return mem_strn(s, len);
}

static void
decode_strs(const struct json *list, const struct row *r, struct strs *out)
{
	size_t n = json_len(list, NULL);

	for (size_t i = 0; i < n && out->n < r->n_max; i++) {
		const char *s = json_str(json_at(list, NULL, i), NULL);
		auto_free char *copy = s ? cut_copy(s, r->max) : NULL;

		if (copy)
			strs_add(out, copy);
	}
}

static void
decode_flat(const struct json *j, const struct row *r, void *obj)
{
	void *m = (char *)obj + r->offset;
	const char *s;

	switch (r->type) {
	case ROW_BOOL:
		*(bool *)m = json_bool(j, r->name);
		return;
	case ROW_I64:
		*(int64_t *)m = json_i64(j, r->name);
		return;
	case ROW_STR:
		s = json_str(j, r->name);
		*(char **)m = s ? cut_copy(s, r->max) : NULL;
		return;
	case ROW_STRS:
		*(struct strs *)m = (struct strs){ 0 };
		decode_strs(json_get(j, r->name), r, m);
		return;
	case ROW_END:
	case ROW_LIST:
		return;
	}
}

static void
decode_list(const struct json *list, const struct row *r, struct row_list *out)
{
	size_t n = json_len(list, NULL);

	*out = (struct row_list){ 0 };
	for (size_t i = 0; i < n && i < r->n_max; i++) {
		void *obj = row_list_add(out, r->sub_size);

		for (const struct row *s = r->sub; s->type != ROW_END; s++)
			decode_flat(json_at(list, NULL, i), s, obj);
	}
}

void
json_decode(const struct json *j, const struct row *rows, void *obj)
{
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		if (r->type == ROW_LIST)
			decode_list(json_get(j, r->name), r,
				(struct row_list *)(void *)((char *)obj + r->offset));
		else
			decode_flat(j, r, obj);
	}
}

static int
print_bytes(const char *data, size_t len, void *out)
{
	return buf_add(out, data, len);
}

int
json_print(const struct json *j, const char *path, struct buf *out)
{
	const json_t *v = find(j, path);

	if (!v)
		return ERR_MISSING;
	return json_dump_callback(v, print_bytes, out, JSON_COMPACT | JSON_ENCODE_ANY) < 0
		       ? ERR_LIMIT
		       : 0;
}
