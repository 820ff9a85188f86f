/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitmodules - see gitmodules.h. The grammar is that of config.c in git: what git reads otherwise
 * would be another submodule in the box than for everybody else.
 */
#include "repo/gitmodules.h"

#include "base/limits.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

#define BOM        "\xef\xbb\xbf"
#define VALUE_MAX  LIMIT_URL_BYTES
#define HEADER_MAX LIMIT_NAME_BYTES

struct text {
	const char *v;
	size_t len;
	size_t at;
	int line;
	int start; /* line of what is being read */
	struct row_list *out;
	bool is_ours; /* in a [submodule "name"] section */
	char *name;   /* its name */
};

/* The text ends with a newline, whether it has one or not; CRLF is one. */
static int
next(struct text *t)
{
	if (t->at >= t->len)
		return '\n';
	if (t->v[t->at] == '\r' && t->at + 1 < t->len && t->v[t->at + 1] == '\n')
		t->at++;
	if (t->v[t->at] == '\n')
		t->line++;
	return (unsigned char)t->v[t->at++];
}

static int
broken(const struct text *t, struct err *e)
{
	return err_set(e, ERR_INVALID, ".gitmodules:%d: git would not read this", t->start);
}

static void
skip_line(struct text *t)
{
	while (next(t) != '\n') {
	}
}

/* ---- [section] and [section "name"] ---- */

static int
read_quoted(struct text *t, struct buf *name)
{
	for (int c = next(t); c != '"'; c = next(t)) {
		if (c == '\\')
			c = next(t);
		if (c == '\n' || buf_addc(name, (char)c) < 0)
			return -1;
	}
	return next(t) == ']' ? 0 : -1;
}

static int
read_header(struct text *t, struct err *e)
{
	auto_buf struct buf section = BUF_INIT(HEADER_MAX);
	auto_buf struct buf name = BUF_INIT(HEADER_MAX);
	bool has_name = false;
	int c;

	for (c = next(t); isalnum(c) || c == '-' || c == '.'; c = next(t))
		(void)buf_addc(&section, (char)tolower(c));
	while (c == ' ' || c == '\t')
		c = next(t);
	if (c == '"') {
		has_name = true;
		if (read_quoted(t, &name) < 0)
			return broken(t, e);
	} else if (c != ']') {
		return broken(t, e);
	}
	t->is_ours = has_name && strcmp(buf_str(&section), "submodule") == 0;
	mem_set(&t->name, buf_str(&name));
	return section.is_full ? broken(t, e) : 0;
}

/* ---- key = value ---- */

static int
read_escape(struct text *t, struct buf *value)
{
	int c = next(t);

	switch (c) {
	case '\n':
		return 0; /* goes on in the next line */
	case 't':
		return buf_addc(value, '\t');
	case 'b':
		return buf_addc(value, '\b');
	case 'n':
		return buf_addc(value, '\n');
	case '\\':
	case '"':
		return buf_addc(value, (char)c);
	default:
		return -1;
	}
}

/* Spaces between words are kept as spaces, those at the end are dropped. */
static int
read_value(struct text *t, struct buf *value)
{
	bool is_quoted = false;
	size_t spaces = 0;

	for (int c = next(t); c != '\n' || is_quoted; c = next(t)) {
		int rc = 0;

		if (c == '\n')
			return -1;
		if (isspace(c) && !is_quoted) {
			spaces += value->len > 0;
			continue;
		}
		if (!is_quoted && (c == '#' || c == ';')) {
			skip_line(t);
			return 0;
		}
		for (; spaces > 0; spaces--)
			rc |= buf_addc(value, ' ');
		if (c == '\\')
			rc |= read_escape(t, value);
		else if (c == '"')
			is_quoted = !is_quoted;
		else
			rc |= buf_addc(value, (char)c);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static struct repo_module *
section_of(struct text *t)
{
	struct repo_module *v = t->out->v;

	for (size_t i = 0; i < t->out->n; i++) {
		if (str_eq(v[i].name, t->name))
			return &v[i];
	}
	if (t->out->n == LIMIT_MODULES)
		return NULL;
	struct repo_module *m = row_list_add(t->out, sizeof(*m));
	m->name = mem_str(t->name);
	return m;
}

static int
take(struct text *t, const char *key, const char *value, struct err *e)
{
	bool is_path = strcmp(key, "path") == 0;

	if (!t->is_ours || (!is_path && strcmp(key, "url") != 0))
		return 0;
	struct repo_module *m = section_of(t);
	if (!m)
		return err_set(e, ERR_LIMIT, ".gitmodules names over %d submodules", LIMIT_MODULES);
	mem_set(is_path ? &m->path : &m->url, value);
	return 0;
}

static int
read_key(struct text *t, struct err *e)
{
	auto_buf struct buf key = BUF_INIT(HEADER_MAX);
	auto_buf struct buf value = BUF_INIT(VALUE_MAX);
	int c;

	for (c = next(t); isalnum(c) || c == '-'; c = next(t))
		(void)buf_addc(&key, (char)tolower(c));
	while (c == ' ' || c == '\t')
		c = next(t);
	if (key.is_full || (c != '=' && c != '\n'))
		return broken(t, e);
	if (c == '=' && read_value(t, &value) < 0)
		return broken(t, e);
	return take(t, buf_str(&key), buf_str(&value), e);
}

int
gitmodules_parse(const char *text, size_t len, struct row_list *out, struct err *e)
{
	struct text t = { .v = text, .len = len, .line = 1, .start = 1, .out = out };
	int rc = 0;

	if (len >= strlen(BOM) && memcmp(text, BOM, strlen(BOM)) == 0)
		t.at = strlen(BOM);
	if (memchr(text, '\0', len))
		return broken(&t, e);
	while (t.at < len && rc == 0) {
		t.start = t.line;
		int c = next(&t);

		if (isspace(c))
			continue;
		if (c == '#' || c == ';') {
			skip_line(&t);
		} else if (c == '[') {
			rc = read_header(&t, e);
		} else if (isalpha(c)) {
			t.at--;
			rc = read_key(&t, e);
		} else {
			rc = broken(&t, e);
		}
	}
	free(t.name);
	return rc;
}
