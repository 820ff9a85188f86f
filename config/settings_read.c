/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_read - a tree of YAML against a table of settings, into a struct.
 *
 * The shape is fixed: keys at the top, sections one level down ("limits.wall"), named maps with
 * keys inside. So there is a function for each level and no recursion.
 */
#include "config/settings.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define WORDS_MAX 64 /* keys of one level, for "did you mean" */

struct reader {
	const struct yaml *tree;
	const char *folder;
	struct err *e;
};

/* Where the values of one level go. */
struct target {
	const struct setting *settings;
	const struct row *rows;
	void *obj;
	const char *place; /* "forges.gh." in messages */
};

static void *
member(void *obj, const struct row *row)
{
	return (char *)obj + row->offset;
}

/* Puts "file:line:column: place.key: " before what the checker said. */
static int
bad_value(const struct reader *r, const struct target *t, const struct setting *s,
	const struct yaml_node *at, int rc)
{
	char said[ERR_TEXT_BYTES_MAX] = "";

	if (r->e)
		memcpy(said, r->e->text, sizeof(said));
	(void)yaml_err(r->tree, at, r->e, "%s%s: %s", t->place, s->path, said);
	return rc;
}

static int
read_bool(const struct reader *r, const char *value, bool *out)
{
	if (!str_eq(value, "true") && !str_eq(value, "false"))
		return err_set(r->e, ERR_INVALID, "\"%.40s\" is neither true nor false", value);
	*out = str_eq(value, "true");
	return 0;
}

/* One text, as itself or as a member of a list. */
static int
read_text(const struct reader *r, const struct setting *s, const struct row *row, const char *value,
	void *m)
{
	auto_buf struct buf out = BUF_INIT(row->max);
	int rc = setting_text(s, r->folder, value, &out, r->e);

	if (rc < 0)
		return rc;
	if (row->type == ROW_STRS)
		strs_add(m, buf_str(&out));
	else
		mem_set(m, buf_str(&out));
	return 0;
}

/* A scalar that is not a list's. */
static int
read_value(
	const struct reader *r, const struct target *t, const struct setting *s, const char *value)
{
	const struct row *row = setting_row(t->rows, s->path);
	void *m = member(t->obj, row);

	if (s->type == SETTING_BOOL)
		return read_bool(r, value, m);
	if (s->type < SETTING_NAMED)
		return setting_number_parse(s, value, m, r->e);
	return read_text(r, s, row, value, m);
}

static bool
says_nothing(const struct yaml_node *n)
{
	return yaml_is_nothing(n) || (n->type == YAML_SCALAR && n->is_plain &&
					     (str_eq(n->value, "~") || str_eq(n->value, "null")));
}

static int
read_list(const struct reader *r, const struct target *t, const struct setting *s,
	const struct yaml_node *n)
{
	const struct row *row = setting_row(t->rows, s->path);
	struct strs *list = member(t->obj, row);

	for (const struct yaml_node *item = yaml_first(r->tree, n); item;
		item = yaml_next(r->tree, item)) {
		int rc;

		if (item->type != YAML_SCALAR || says_nothing(item))
			rc = err_set(r->e, ERR_INVALID, "a list of plain values is meant");
		else if (list->n == row->n_max)
			rc = err_set(r->e, ERR_LIMIT, "more than %zu values", row->n_max);
		else
			rc = read_text(r, s, row, item->value, list);
		if (rc < 0)
			return bad_value(r, t, s, item, rc);
	}
	return 0;
}

static int
read_leaf(const struct reader *r, const struct target *t, const struct setting *s,
	const struct yaml_node *n)
{
	int rc;

	if (s->is_list && n->type == YAML_LIST)
		return read_list(r, t, s, n);
	if (s->is_list && says_nothing(n))
		return 0;
	if (n->type != YAML_SCALAR)
		rc = err_set(r->e, ERR_INVALID, "a %s is meant", setting_type_name(s));
	else if (says_nothing(n))
		rc = err_set(r->e, ERR_INVALID, "has no value; leave the line out for the default");
	else
		rc = read_value(r, t, s, n->value);
	return rc < 0 ? bad_value(r, t, s, n, rc) : 0;
}

/* The key is unknown. words are those that could stand there. */
static int
unknown_key(const struct reader *r, const struct target *t, const struct yaml_node *n,
	const char *const *words, size_t n_words)
{
	const char *nearest = str_nearest(n->key, words, n_words);

	if (nearest)
		return yaml_err(r->tree, n, r->e, "unknown key \"%s%.40s\"; did you mean \"%s%s\"?",
			t->place, n->key, t->place, nearest);
	return yaml_err(r->tree, n, r->e, "unknown key \"%s%.40s\"", t->place, n->key);
}

/* Finds "prefix.key" (prefix may be ""). */
static const struct setting *
find(const struct setting *s, const char *prefix, const char *key)
{
	size_t len = strlen(prefix);

	for (; s->type != SETTING_END; s++) {
		const char *rest = s->path;

		if (len && (!str_starts(rest, prefix) || rest[len] != '.'))
			continue;
		rest += len + (len > 0);
		if (str_eq(rest, key))
			return s;
	}
	return NULL;
}

/* The words that may stand below prefix: last parts of paths; at the top, first parts too. */
static size_t
words_below(const struct setting *s, const char *prefix, struct strs *out)
{
	size_t len = strlen(prefix);

	for (; s->type != SETTING_END && out->n < WORDS_MAX; s++) {
		const char *dot = strchr(s->path, '.');
		bool is_inside = len && dot && str_starts(s->path, prefix) && s->path[len] == '.';

		if (is_inside)
			strs_add(out, s->path + len + 1);
		else if (!len)
			strs_addf(out, "%.*s", dot ? (int)(dot - s->path) : (int)strlen(s->path),
				s->path);
	}
	return out->n;
}

static int
unknown(const struct reader *r, const struct target *t, const char *prefix,
	const struct yaml_node *n)
{
	auto_strs struct strs words = { 0 };
	size_t n_words = words_below(t->settings, prefix, &words);

	return unknown_key(r, t, n, (const char *const *)words.v, n_words);
}

static int
set_defaults(const struct reader *r, const struct target *t)
{
	for (const struct setting *s = t->settings; s->type != SETTING_END; s++) {
		int rc = s->def ? read_value(r, t, s, s->def) : 0;

		if (rc < 0)
			return err_wrap(r->e, rc, "default of %s", s->path);
	}
	return 0;
}

static int
check_required(const struct reader *r, const struct target *t, const struct yaml_node *map)
{
	for (const struct setting *s = t->settings; s->type != SETTING_END; s++) {
		if (s->is_required && !yaml_child(r->tree, map, s->path))
			return yaml_err(r->tree, map, r->e, "%s%s is missing: %s", t->place,
				s->path, s->help);
	}
	return 0;
}

/* "npm: https://host" is short for "npm: { url: https://host }": the one key that must be there. */
static bool
has_short_form(const struct setting *sub, const struct yaml_node *n)
{
	return sub[0].is_required && sub[0].type == SETTING_URL && n->type == YAML_SCALAR &&
	       !says_nothing(n);
}

/* One of the names: "gh: { kind: github, ... }". */
static int
read_named_one(const struct reader *r, const struct setting *s, const struct row *row,
	const struct yaml_node *map, void *obj)
{
	auto_free char *place = mem_fmt("%s.%s.", s->path, map->key);
	const struct target t = { s->sub, row->sub, obj, place };
	int rc;

	mem_set(member(obj, setting_row(row->sub, "name")), map->key);
	rc = set_defaults(r, &t);
	if (rc == 0 && has_short_form(s->sub, map))
		return read_leaf(r, &t, s->sub, map);
	if (map->type != YAML_MAP && !says_nothing(map))
		return yaml_err(
			r->tree, map, r->e, "%s.%s: keys and values are meant", s->path, map->key);
	for (const struct yaml_node *n = yaml_first(r->tree, map); n && rc == 0;
		n = yaml_next(r->tree, n)) {
		const struct setting *sub = find(s->sub, "", n->key);

		rc = sub ? read_leaf(r, &t, sub, n) : unknown(r, &t, "", n);
	}
	return rc < 0 ? rc : check_required(r, &t, map);
}

static int
read_named(const struct reader *r, const struct target *t, const struct setting *s,
	const struct yaml_node *n)
{
	static const struct setting name = { .path = "name", .type = SETTING_WORD };
	const struct row *row = setting_row(t->rows, s->path);
	struct row_list *list = member(t->obj, row);

	if (says_nothing(n))
		return 0;
	if (n->type != YAML_MAP)
		return yaml_err(
			r->tree, n, r->e, "%s: names with keys below them are meant", s->path);
	for (const struct yaml_node *one = yaml_first(r->tree, n); one;
		one = yaml_next(r->tree, one)) {
		auto_buf struct buf word = BUF_INIT(64);
		int rc = setting_text(&name, NULL, one->key, &word, r->e);

		if (rc < 0)
			return bad_value(r, t, s, one, rc);
		if (list->n == row->n_max)
			return yaml_err(
				r->tree, one, r->e, "%s: more than %zu", s->path, row->n_max);
		rc = read_named_one(r, s, row, one, row_list_add(list, row->sub_size));
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A section: the keys below "limits". */
static int
read_section(const struct reader *r, const struct target *top, const struct yaml_node *section)
{
	auto_free char *place = mem_fmt("%s.", section->key);
	struct target in = *top;

	if (says_nothing(section))
		return 0;
	if (section->type != YAML_MAP)
		return yaml_err(
			r->tree, section, r->e, "%s: keys and values are meant", section->key);
	for (const struct yaml_node *n = yaml_first(r->tree, section); n;
		n = yaml_next(r->tree, n)) {
		const struct setting *s = find(top->settings, section->key, n->key);
		int rc;

		in.place = s ? "" : place; /* a setting's path names its section already */
		rc = s ? read_leaf(r, &in, s, n) : unknown(r, &in, section->key, n);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool
is_section(const struct setting *s, const char *key)
{
	size_t len = strlen(key);

	for (; s->type != SETTING_END; s++) {
		if (str_starts(s->path, key) && s->path[len] == '.')
			return true;
	}
	return false;
}

static int
read_top(const struct reader *r, const struct target *t, const struct yaml_node *root)
{
	int rc = set_defaults(r, t);

	if (rc == 0 && root->type != YAML_MAP)
		return yaml_err(r->tree, root, r->e, "keys and values are meant");
	for (const struct yaml_node *n = yaml_first(r->tree, root); n && rc == 0;
		n = yaml_next(r->tree, n)) {
		const struct setting *s = find(t->settings, "", n->key);

		if (s && s->type == SETTING_NAMED)
			rc = read_named(r, t, s, n);
		else if (s)
			rc = read_leaf(r, t, s, n);
		else if (is_section(t->settings, n->key))
			rc = read_section(r, t, n);
		else
			rc = unknown(r, t, "", n);
	}
	return rc;
}

int
settings_read(const struct settings *s, const struct yaml *tree, const char *folder, void *obj,
	struct err *e)
{
	struct err own; /* texts are built from earlier ones, so there must be some */
	const struct reader r = { tree, folder, e ? e : &own };
	const struct target t = { s->all, s->rows, obj, "" };
	int rc;

	row_zero(s->rows, obj);
	rc = read_top(&r, &t, yaml_root(tree));
	if (rc < 0)
		row_finish(s->rows, obj);
	return rc;
}
