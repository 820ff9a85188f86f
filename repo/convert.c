/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert - see convert.h. First $Id$, then line ends, then the encoding: git's order.
 */
#include "repo/convert.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

const char CONVERT_TRUE[] = "[true]";
const char CONVERT_FALSE[] = "[false]";

static bool
is_set(const char *value)
{
	return value == CONVERT_TRUE;
}

/* ---- $Id$ ---- */

/* Bytes of a keyword behind its '$': "Id$", or "Id:...$" as git expands it; 0: none. */
static size_t
keyword_len(const char *p, size_t len)
{
	const char *end;
	const char *space;

	if (len < 3 || memcmp(p, "Id", 2) != 0)
		return 0;
	if (p[2] == '$')
		return 3;
	if (p[2] != ':' || !(end = memchr(p + 3, '$', len - 3)))
		return 0;
	if (memchr(p + 3, '\n', (size_t)(end - p) - 3))
		return 0;
	/* A space in the middle: another system's, which stays. */
	space = end - p > 4 ? memchr(p + 4, ' ', (size_t)(end - p) - 4) : NULL;
	if (space && space < end - 1)
		return 0;
	return (size_t)(end - p) + 1;
}

static bool
expand(const char *id, const char *data, size_t len, struct buf *out)
{
	const char *end = data + len;
	const char *dollar;
	bool is_changed = false;

	while ((dollar = memchr(data, '$', (size_t)(end - data)))) {
		(void)buf_add(out, data, (size_t)(dollar + 1 - data));
		data = dollar + 1;
		size_t n = keyword_len(data, (size_t)(end - data));
		if (n == 0)
			continue;
		(void)buf_addf(out, "Id: %s $", id);
		data += n;
		is_changed = true;
	}
	(void)buf_add(out, data, (size_t)(end - data));
	return is_changed;
}

/* ---- Line ends ---- */

enum ends {
	ENDS_KEEP,
	ENDS_CRLF,
	ENDS_AUTO_CRLF, /* if it is text */
};

/* Another word is as good as none. */
static bool
is_word(const char *text)
{
	return is_set(text) || text == CONVERT_FALSE || str_eq(text, "auto") ||
	       str_eq(text, "input");
}

static enum ends
ends_of(const struct convert *c)
{
	const char *text = is_word(c->text) ? c->text : is_word(c->crlf) ? c->crlf : NULL;

	if (text == CONVERT_FALSE || !str_eq(c->eol, "crlf"))
		return ENDS_KEEP;
	return str_eq(text, "auto") ? ENDS_AUTO_CRLF : ENDS_CRLF;
}

struct stats {
	size_t nul, lone_cr, lone_lf, crlf, printable, other;
};

static void
count_control(struct stats *s, char c)
{
	if (c == '\0')
		s->nul++;
	if (c == '\b' || c == '\t' || c == '\033' || c == '\014')
		s->printable++;
	else
		s->other++;
}

static struct stats
count(const char *data, size_t len)
{
	struct stats s = { 0 };

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '\r' && i + 1 < len && data[i + 1] == '\n') {
			s.crlf++;
			i++;
		} else if (c == '\r') {
			s.lone_cr++;
		} else if (c == '\n') {
			s.lone_lf++;
		} else if (c < ' ' || c == 127) {
			count_control(&s, (char)c);
		} else {
			s.printable++;
		}
	}
	/* The end-of-file of an old system. */
	if (len > 0 && data[len - 1] == '\032')
		s.other--;
	return s;
}

static bool
wants_crlf(enum ends ends, const char *data, size_t len)
{
	if (ends == ENDS_KEEP)
		return false;
	struct stats s = count(data, len);
	if (s.lone_lf == 0)
		return false;
	if (ends == ENDS_CRLF)
		return true;
	return s.lone_cr == 0 && s.crlf == 0 && s.nul == 0 && s.printable / 128 >= s.other;
}

static void
add_crs(const char *data, size_t len, struct buf *out)
{
	const char *end = data + len;
	char before = '\0';

	while (data < end) {
		const char *lf = memchr(data, '\n', (size_t)(end - data));
		size_t n = lf ? (size_t)(lf - data) : (size_t)(end - data);

		(void)buf_add(out, data, n);
		before = n > 0 ? data[n - 1] : before;
		if (lf)
			(void)buf_add(out, before == '\r' ? "\n" : "\r\n", before == '\r' ? 1 : 2);
		before = '\n';
		data += n + (lf ? 1 : 0);
	}
}

/* ---- All three ---- */

enum convert_end
convert_to_file(
	const struct convert *c, const char *id, const char *data, size_t len, struct buf *out)
{
	auto_buf struct buf expanded = BUF_INIT(out->limit);
	auto_buf struct buf ended = BUF_INIT(out->limit);
	bool has_name = c->encoding && c->encoding != CONVERT_TRUE && c->encoding != CONVERT_FALSE;
	bool is_changed = false;

	if (is_set(c->ident) && expand(id, data, len, &expanded)) {
		is_changed = true;
		data = buf_str(&expanded);
		len = expanded.len;
	}
	if (wants_crlf(ends_of(c), data, len)) {
		is_changed = true;
		add_crs(data, len, &ended);
		data = buf_str(&ended);
		len = ended.len;
	}
	if (has_name && convert_encode(c->encoding, data, len, out))
		return CONVERT_DONE;
	buf_reset(out);
	if (is_changed)
		(void)buf_add(out, data, len);
	if (has_name && !convert_is_known(c->encoding))
		return CONVERT_UNKNOWN;
	return is_changed ? CONVERT_DONE : CONVERT_SAME;
}
