/* SPDX-License-Identifier: Apache-2.0 */
/*
 * markdown_text - safe text in what we write: fences that hold, lines in which nothing acts, and
 * text without what people do not see.
 */
#include "forge/markdown.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

#define ZERO_WIDTH_SPACE "\xe2\x80\x8b"
#define ELLIPSIS         "\xe2\x80\xa6"
#define FENCE_MIN        3

/* Code points that are not seen, or that turn what follows: an instruction hidden in them reaches
 * the agent and no reader. Emoji lose their variation, which is the price. */
static const struct {
	uint32_t from;
	uint32_t to;
} INVISIBLE[] = {
	{ 0x0000, 0x0008 }, /* controls but tab and newline */
	{ 0x000b, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad }, /* soft hyphen */
	{ 0x034f, 0x034f },                                         /* combining grapheme joiner */
	{ 0x061c, 0x061c },                                         /* Arabic letter mark */
	{ 0x115f, 0x1160 },                                         /* Hangul fillers */
	{ 0x17b4, 0x17b5 },                                         /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian variation selectors */
	{ 0x200b, 0x200f },   /* zero width, marks */
	{ 0x2028, 0x202e },   /* line separators, embeddings, overrides */
	{ 0x2060, 0x206f },   /* joiners, isolates, invisible operators */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
	{ 0xfff0, 0xfffb },   /* specials, interlinear annotations */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical format controls */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors supplement */
};

static bool
is_invisible(uint32_t cp)
{
	for (size_t i = 0; i < sizeof(INVISIBLE) / sizeof(INVISIBLE[0]); i++) {
		if (cp >= INVISIBLE[i].from && cp <= INVISIBLE[i].to)
			return true;
	}
	return false;
}

/* One code point of valid UTF-8. */
static size_t
decode(const char *s, size_t len, uint32_t *cp)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	static const unsigned char FIRST_BITS[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

	if (n > len)
		n = 1;
	*cp = u[0] & FIRST_BITS[n];
	for (size_t i = 1; i < n; i++)
		*cp = *cp << 6 | (u[i] & 0x3fU);
	return n;
}

/* Appends len bytes without what is not seen; line ends become "\n". Returns how much was removed.
 */
static size_t
add_visible(struct buf *out, const char *text, size_t len)
{
	auto_buf struct buf clean = BUF_INIT(3 * len + 1);
	size_t removed = 0, n;
	uint32_t cp;

	(void)str_utf8_clean(&clean, text, len);
	for (size_t i = 0; i < clean.len; i += n) {
		const char *s = clean.data + i;

		n = decode(s, clean.len - i, &cp);
		if (cp == '\r') {
			if (i + 1 == clean.len || s[1] != '\n')
				(void)buf_addc(out, '\n');
		} else if (is_invisible(cp)) {
			removed++;
		} else {
			(void)buf_add(out, s, n);
		}
	}
	return removed;
}

void
markdown_visible(struct buf *out, const char *text, size_t len, size_t *removed)
{
	const char *end = text + len;
	size_t n = 0;

	while (text < end) {
		const char *from = memmem(text, (size_t)(end - text), "<!--", 4);
		const char *to;

		n += add_visible(out, text, (size_t)((from ? from : end) - text));
		if (!from)
			break;
		n++;
		to = memmem(from + 4, (size_t)(end - from - 4), "-->", 3);
		text = to ? to + 3 : end; /* one that does not end hides the rest */
	}
	if (removed)
		*removed = n;
}

static size_t
longest_run(const char *s, size_t len, char c)
{
	size_t run = 0, longest = 0;

	for (size_t i = 0; i < len; i++) {
		run = s[i] == c ? run + 1 : 0;
		if (run > longest)
			longest = run;
	}
	return longest;
}

/* The last max bytes of s, from the start of a line or at least of a character. */
static const char *
tail_of(const char *s, size_t len, size_t max)
{
	const char *from = len > max ? s + len - max : s;
	const char *newline;

	if (from == s || from[-1] == '\n')
		return from;
	newline = strchr(from, '\n');
	if (newline && newline[1])
		return newline + 1;
	while (((unsigned char)*from & 0xc0) == 0x80)
		from++;
	return from;
}

void
markdown_fence(struct buf *out, const char *text, size_t len, size_t max)
{
	auto_buf struct buf clean = BUF_INIT(3 * len + 1);
	const char *tail;
	size_t n, ticks, tildes, fence;
	char c;

	(void)add_visible(&clean, text, len);
	while (clean.len && clean.data[clean.len - 1] == '\n')
		clean.data[--clean.len] = '\0';
	tail = tail_of(buf_str(&clean), clean.len, max);
	n = strlen(tail);
	ticks = longest_run(tail, n, '`');
	tildes = longest_run(tail, n, '~');
	c = tildes < ticks && ticks >= FENCE_MIN ? '~' : '`';
	fence = (c == '`' ? ticks : tildes) + 1;
	if (fence < FENCE_MIN)
		fence = FENCE_MIN;
	if (out->len && out->data[out->len - 1] != '\n')
		(void)buf_addc(out, '\n');
	for (size_t i = 0; i < fence; i++)
		(void)buf_addc(out, c);
	(void)buf_addf(out, "\n%s%s", tail, n ? "\n" : "");
	for (size_t i = 0; i < fence; i++)
		(void)buf_addc(out, c);
	(void)buf_addc(out, '\n');
}

/* ---- One line in which nothing acts ---- */

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* Length of a run of 7 to 64 hex digits that stands alone and holds a digit: a forge makes a link
 * of what may be a commit. */
static size_t
commit_len(const char *text, const char *s)
{
	size_t n = strspn(s, "0123456789abcdefABCDEF");

	if (n < 7 || n > 64 || (s > text && is_word(s[-1])) || is_word(s[n]))
		return 0;
	return strcspn(s, "0123456789") < n ? n : 0;
}

/* True if a zero width space has to follow s[0], so that no reference, mention or link is seen. */
static bool
acts_with_next(const char *text, const char *s)
{
	switch (s[0]) {
	case '@':
	case '#':
		return true;
	case '!':
		return isdigit((unsigned char)s[1]);
	case ':':
		return s[1] == '/';
	case '-': /* GH-17, and trackers' ABC-17 */
		return s > text && isalpha((unsigned char)s[-1]) && isdigit((unsigned char)s[1]);
	case '.': /* www.example.com */
		return s - text >= 3 && strncasecmp(s - 3, "www", 3) == 0;
	default:
		return false;
	}
}

/* What Markdown would read as a mark: always, or (second string) as the first thing of a line. */
static bool
needs_escape(const char *text, const char *s)
{
	size_t digits = strspn(text, "0123456789");

	if (strchr("\\`*_[]<>#!|~&$()/", *s))
		return true;
	if (s == text)
		return strchr("-+=:", *s);
	return digits && s == text + digits && *s == '.';
}

/* The visible text of at most max bytes, as one line without space at its ends. True: it was cut.
 */
static bool
one_line(struct buf *out, const char *text, size_t max)
{
	auto_buf struct buf clean = BUF_INIT(3 * strlen(text) + 1);
	size_t len = str_utf8_cut(text, strlen(text), max);

	(void)add_visible(&clean, text, len);
	(void)buf_adds(out, buf_str(&clean) + strspn(buf_str(&clean), " \t\n"));
	while (out->len && strchr(" \t\n", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
	for (size_t i = 0; i < out->len; i++)
		out->data[i] = strchr("\t\n", out->data[i]) ? ' ' : out->data[i];
	return len < strlen(text);
}

static void
add_inert(struct buf *out, const char *line, bool escape)
{
	size_t commit = 0;

	for (const char *s = line; *s; s++) {
		if (!commit)
			commit = commit_len(line, s);
		if (commit && commit-- % 4 == 0) /* no piece of it is long enough */
			(void)buf_adds(out, ZERO_WIDTH_SPACE);
		if (escape && needs_escape(line, s))
			(void)buf_addc(out, '\\');
		(void)buf_addc(out, *s);
		if (acts_with_next(line, s))
			(void)buf_adds(out, ZERO_WIDTH_SPACE);
	}
}

void
markdown_inline(struct buf *out, const char *text, size_t max)
{
	auto_buf struct buf line = BUF_INIT(3 * strlen(text) + 1);
	bool is_cut = one_line(&line, text, max);

	add_inert(out, buf_str(&line), true);
	if (is_cut)
		(void)buf_adds(out, ELLIPSIS);
}

void
markdown_plain(struct buf *out, const char *text, size_t max)
{
	auto_buf struct buf line = BUF_INIT(3 * strlen(text) + 1);
	bool is_cut = one_line(&line, text, max);

	add_inert(out, buf_str(&line), false);
	if (is_cut)
		(void)buf_adds(out, ELLIPSIS);
}

void
markdown_code(struct buf *out, const char *text, size_t max)
{
	auto_buf struct buf line = BUF_INIT(3 * strlen(text) + 1);
	bool is_cut = one_line(&line, text, max);
	size_t ticks = longest_run(buf_str(&line), line.len, '`');
	/* A span that begins or ends with a backtick needs a space there, which is not shown. */
	const char *space = ticks ? " " : "";

	if (line.len == 0)
		return;
	for (size_t i = 0; i <= ticks; i++)
		(void)buf_addc(out, '`');
	(void)buf_addf(out, "%s%s%s%s", space, buf_str(&line), is_cut ? ELLIPSIS : "", space);
	for (size_t i = 0; i <= ticks; i++)
		(void)buf_addc(out, '`');
}
