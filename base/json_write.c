/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_write - JSON out of rows, without a tree in between.
 *
 * Dotted names become nested objects: the writer holds the path of the object that is open and, for
 * each member, closes and opens what differs.
 */
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct writer {
	struct buf *out;
	const char *open; /* name whose parent objects are open */
	size_t open_len;  /* bytes of it up to its last dot, 0 for the root */
	bool needs_comma;
};

int
json_quote(struct buf *out, const char *s, size_t len)
{
	auto_buf struct buf clean = BUF_INIT(3 * len);

	if (str_utf8_clean(&clean, s, len) < 0)
		return ERR_LIMIT;
	(void)buf_addc(out, '"');
	for (size_t i = 0; i < clean.len; i++) {
		unsigned char c = (unsigned char)clean.data[i];

		if (c == '"' || c == '\\')
			(void)buf_add(out, (char[]){ '\\', (char)c }, 2);
		else if (c == '\n')
			(void)buf_adds(out, "\\n");
		else if (c < ' ' || c == 0x7f)
			(void)buf_addf(out, "\\u%04x", c);
		else
			(void)buf_addc(out, (char)c);
	}
	return buf_addc(out, '"');
}

/* Bytes of the common parent objects of both names, counted up to a dot. */
static size_t
common_parents(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t common = 0;

	for (size_t i = 0; i <= a_len && i <= b_len; i++) {
		bool a_ends = i == a_len || a[i] == '.';
		bool b_ends = i == b_len || b[i] == '.';

		if (a_ends && b_ends)
			common = i;
		if (i == a_len || i == b_len || a[i] != b[i])
			break;
	}
	return common;
}

static size_t
parents_len(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? (size_t)(dot - name) : 0;
}

static void
close_to(struct writer *w, size_t len)
{
	while (w->open_len > len) {
		(void)buf_addc(w->out, '}');
		do {
			w->open_len--;
		} while (w->open_len > len && w->open[w->open_len] != '.');
		w->needs_comma = true;
	}
}

static void
key(struct writer *w, const char *s, size_t len)
{
	if (w->needs_comma)
		(void)buf_addc(w->out, ',');
	(void)json_quote(w->out, s, len);
	(void)buf_addc(w->out, ':');
}

/* Writes everything up to the member's colon. */
static void
member_start(struct writer *w, const char *name)
{
	size_t len = parents_len(name);
	size_t at = common_parents(w->open, w->open_len, name, len);

	close_to(w, at);
	while (at < len) {
		const char *from = name + at + (at > 0);
		size_t n = strcspn(from, ".");

		key(w, from, n);
		(void)buf_addc(w->out, '{');
		w->needs_comma = false;
		at = (size_t)(from - name) + n;
	}
	w->open = name;
	w->open_len = len;
	key(w, name + len + (len > 0), strlen(name) - len - (len > 0));
	w->needs_comma = true;
}

static void
write_strs(struct buf *out, const struct strs *list)
{
	(void)buf_addc(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		if (i)
			(void)buf_addc(out, ',');
		(void)json_quote(out, list->v[i], strlen(list->v[i]));
	}
	(void)buf_addc(out, ']');
}

static void
write_flat(struct writer *w, const struct row *r, const void *obj)
{
	const void *m = (const char *)obj + r->offset;
	const struct strs *list = m;
	const char *s;

	switch (r->type) {
	case ROW_BOOL:
		member_start(w, r->name);
		(void)buf_adds(w->out, *(const bool *)m ? "true" : "false");
		return;
	case ROW_I64:
		member_start(w, r->name);
		(void)buf_addf(w->out, "%" PRId64, *(const int64_t *)m);
		return;
	case ROW_STR:
		s = *(char *const *)m;
		if (!s)
			return;
		member_start(w, r->name);
		(void)json_quote(w->out, s, strlen(s));
		return;
	case ROW_STRS:
		if (list->n == 0)
			return;
		member_start(w, r->name);
		write_strs(w->out, list);
		return;
	case ROW_END:
	case ROW_LIST:
		return;
	}
}

static void
write_list(struct writer *w, const struct row *r, const void *obj)
{
	const void *m = (const char *)obj + r->offset;
	const struct row_list *list = m;

	if (list->n == 0)
		return;
	member_start(w, r->name);
	(void)buf_addc(w->out, '[');
	for (size_t i = 0; i < list->n; i++) {
		struct writer inner = { w->out, "", 0, false };

		(void)buf_adds(w->out, i ? ",{" : "{");
		for (const struct row *s = r->sub; s->type != ROW_END; s++)
			write_flat(&inner, s, (const char *)list->v + i * r->sub_size);
		close_to(&inner, 0);
		(void)buf_addc(w->out, '}');
	}
	(void)buf_addc(w->out, ']');
}

int
json_encode(const struct row *rows, const void *obj, struct buf *out, struct err *e)
{
	struct writer w = { out, "", 0, false };
	size_t start = out->len;

	(void)buf_addc(out, '{');
	for (const struct row *r = rows; r->type != ROW_END; r++) {
		if (r->type == ROW_LIST)
			write_list(&w, r, obj);
		else
			write_flat(&w, r, obj);
	}
	close_to(&w, 0);
	(void)buf_addc(out, '}');
	if (!out->is_full)
		return 0;
	buf_cut(out, start);
	return err_set(e, ERR_LIMIT, "JSON of more than %zu bytes", out->limit);
}
