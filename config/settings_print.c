/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_print - a struct as the file that would give it.
 */
#include "config/settings.h"

#include "base/json.h"
#include "base/str.h"

#include <string.h>

struct printer {
	const struct settings *s;
	const void *obj;
	struct buf *out;
	char section[64]; /* whose heading is written */
};

static const void *
member(const void *obj, const struct row *row)
{
	return (const char *)obj + row->offset;
}

/* True if YAML would read the bare word as this very text. */
static bool
is_bare(const char *s)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+";
	size_t len = strlen(s);

	return len && strspn(s, safe) == len && !strchr("-:@.+", s[0]) && s[len - 1] != ':' &&
	       !str_eq(s, "null");
}

/* A JSON string is a double-quoted YAML scalar. */
static void
print_text(struct buf *out, const char *s)
{
	if (is_bare(s))
		(void)buf_adds(out, s);
	else
		(void)json_quote(out, s, strlen(s));
}

static bool
is_set(const struct row *row, const void *m)
{
	const struct strs *list = m;

	if (row->type == ROW_STR)
		return *(char *const *)m != NULL;
	return row->type != ROW_STRS || list->n > 0;
}

static void
print_value(const struct setting *s, const struct row *row, const void *m, struct buf *out)
{
	const struct strs *list = m;

	if (row->type == ROW_BOOL) {
		(void)buf_adds(out, *(const bool *)m ? "true" : "false");
	} else if (row->type == ROW_I64) {
		(void)setting_number_print(s, *(const int64_t *)m, out);
	} else if (row->type == ROW_STR) {
		print_text(out, *(char *const *)m);
	} else {
		(void)buf_addc(out, '[');
		for (size_t i = 0; i < list->n; i++) {
			(void)buf_adds(out, i ? ", " : "");
			print_text(out, list->v[i]);
		}
		(void)buf_addc(out, ']');
	}
}

/* Zero below the minimum means that nobody said anything. */
static bool
is_unsaid(const struct setting *s, const struct row *row, const void *m)
{
	return row->type == ROW_I64 && *(const int64_t *)m == 0 && s->min > 0;
}

static void
print_leaf(const struct printer *p, const struct setting *s, const struct row *rows,
	const void *obj, const char *indent)
{
	const struct row *row = setting_row(rows, s->path);
	const void *m = member(obj, row);
	const char *dot = strchr(s->path, '.');

	if (!is_set(row, m) || is_unsaid(s, row, m))
		return;
	(void)buf_addf(p->out, "%s%s: ", indent, dot ? dot + 1 : s->path);
	print_value(s, row, m, p->out);
	(void)buf_addc(p->out, '\n');
}

static void
print_named(const struct printer *p, const struct setting *s)
{
	const struct row *row = setting_row(p->s->rows, s->path);
	const struct row_list *list = member(p->obj, row);

	if (list->n == 0)
		return;
	(void)buf_addf(p->out, "%s:\n", s->path);
	for (size_t i = 0; i < list->n; i++) {
		const void *obj = (const char *)list->v + i * row->sub_size;
		const void *name = member(obj, setting_row(row->sub, "name"));

		(void)buf_adds(p->out, "  ");
		print_text(p->out, *(char *const *)name);
		(void)buf_adds(p->out, ":\n");
		for (const struct setting *sub = s->sub; sub->type != SETTING_END; sub++)
			print_leaf(p, sub, row->sub, obj, "    ");
	}
}

/* Writes "limits:" before the first setting of the section that has a value. */
static void
open_section(struct printer *p, const struct setting *s)
{
	const struct row *row = setting_row(p->s->rows, s->path);
	const void *m = member(p->obj, row);
	size_t len = strcspn(s->path, ".");

	if (s->path[len] == '\0' || !is_set(row, m) || is_unsaid(s, row, m) ||
		len >= sizeof(p->section))
		return;
	if (strncmp(p->section, s->path, len) == 0 && p->section[len] == '\0')
		return;
	memcpy(p->section, s->path, len);
	p->section[len] = '\0';
	(void)buf_addf(p->out, "%s:\n", p->section);
}

int
settings_print(const struct settings *s, const void *obj, struct buf *out)
{
	struct printer p = { .s = s, .obj = obj, .out = out };

	for (const struct setting *one = s->all; one->type != SETTING_END; one++) {
		if (one->type == SETTING_NAMED) {
			print_named(&p, one);
			continue;
		}
		open_section(&p, one);
		print_leaf(&p, one, s->rows, obj, strchr(one->path, '.') ? "  " : "");
	}
	return out->is_full ? ERR_LIMIT : 0;
}
