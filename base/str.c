/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str - lists of strings, comparing, patterns, nearest words. Numbers are in str_parse.c, encodings
 * in str_code.c.
 */
#include "base/str.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* A pattern is a setting that a person wrote; a longer one matches nothing. */
#define GLOB_BYTES_MAX 1024

/* Words compared by str_nearest: keys and commands. */
#define WORD_BYTES_MAX 64

void
strs_add(struct strs *s, const char *text)
{
	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = mem_str(text ? text : "");
}

void
strs_addf(struct strs *s, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	va_start(ap, fmt);
	(void)buf_addv(&b, fmt, ap); /* the limit is out of reach */
	va_end(ap);
	text = buf_steal(&b);
	strs_add(s, text);
}

void
strs_finish(struct strs *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct strs){ 0 };
}

bool
strs_has(const struct strs *s, const char *text)
{
	for (size_t i = 0; i < s->n; i++) {
		if (str_eq(s->v[i], text))
			return true;
	}
	return false;
}

void
strs_copy(struct strs *to, const struct strs *from)
{
	strs_finish(to);
	for (size_t i = 0; i < from->n; i++)
		strs_add(to, from->v[i]);
}

bool
str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
str_starts(const char *s, const char *prefix)
{
	return s && prefix && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t len, n;

	if (!s || !suffix)
		return false;
	len = strlen(s);
	n = strlen(suffix);
	return n <= len && memcmp(s + len - n, suffix, n) == 0;
}

bool
str_is_empty(const char *s)
{
	return !s || !*s;
}

/*
 * The glob as a nondeterministic automaton: on[i] says that the text so far matches pattern[0..i).
 * One pass over the pattern for each byte of text, whatever the stars: no pattern makes it slow.
 */
struct glob {
	const char *pattern;
	size_t len;
	bool on[GLOB_BYTES_MAX + 1];
};

static bool
is_double_star(const struct glob *g, size_t i)
{
	return g->pattern[i] == '*' && g->pattern[i + 1] == '*';
}

/* Stars may match nothing; a "**" with its slash matches no directory at all where a name starts.
 */
static void
glob_skip(struct glob *g, bool at_name)
{
	for (size_t i = 0; i < g->len; i++) {
		if (!g->on[i] || g->pattern[i] != '*')
			continue;
		if (!is_double_star(g, i)) {
			g->on[i + 1] = true;
			continue;
		}
		g->on[i + 2] = true;
		if (at_name && g->pattern[i + 2] == '/' && (i == 0 || g->pattern[i - 1] == '/'))
			g->on[i + 3] = true;
	}
}

static void
glob_step(struct glob *g, char c)
{
	/* From the end: what is switched on for the next byte must not be seen in this pass. */
	for (size_t i = g->len; i-- > 0;) {
		bool was = g->on[i];
		char p = g->pattern[i];

		g->on[i] = false;
		if (!was)
			continue;
		if (p == '*') {
			g->on[i] = is_double_star(g, i) || c != '/';
		} else if (p == c || (p == '?' && c != '/')) {
			g->on[i + 1] = true;
		}
	}
}

bool
str_glob(const char *pattern, const char *s)
{
	struct glob g = { .pattern = pattern, .len = strlen(pattern) };
	bool at_name = true;

	if (g.len > GLOB_BYTES_MAX)
		return false;
	g.on[0] = true;
	for (; *s; s++) {
		glob_skip(&g, at_name);
		g.on[g.len] = false; /* bytes are left: a complete match here is none */
		glob_step(&g, *s);
		at_name = *s == '/';
	}
	glob_skip(&g, at_name);
	return g.on[g.len];
}

bool
str_glob_list(const struct strs *patterns, const char *s)
{
	bool is_in = false;

	for (size_t i = 0; i < patterns->n; i++) {
		const char *p = patterns->v[i];
		bool takes_out = *p == '!';

		if (str_glob(takes_out ? p + 1 : p, s))
			is_in = !takes_out;
	}
	return is_in;
}

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein, one row at a time. Both are at most WORD_BYTES_MAX long. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[WORD_BYTES_MAX + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[n];
}

const char *
str_nearest(const char *s, const char *const *list, size_t n)
{
	const char *best = NULL;
	size_t best_distance = 2 + strlen(s) / 3;

	if (strlen(s) > WORD_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (strlen(list[i]) > WORD_BYTES_MAX)
			continue;
		d = distance(s, list[i]);
		if (d < best_distance) {
			best = list[i];
			best_distance = d;
		}
	}
	return best;
}

/* c in lower case if a slug may hold it, else 0. */
static char
slug_char(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '\0';
}

void
str_slug(struct buf *out, const char *s, size_t max)
{
	size_t start = out->len;
	bool gap = false;

	for (; s && *s; s++) {
		char c = slug_char(*s);
		bool dash = gap && out->len > start;

		gap = c == '\0';
		if (gap)
			continue;
		if (out->len - start + 1 + dash > max)
			break;
		if (dash)
			(void)buf_addc(out, '-');
		if (buf_addc(out, c) < 0)
			return; /* is_full tells the caller */
	}
	if (out->len == start)
		(void)buf_add(out, "task", max < 4 ? max : 4);
}
