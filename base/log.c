/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - see log.h.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* PIPE_BUF: up to here a write to a pipe is one piece, so lines of several roles never mix. */
#define LINE_BYTES_MAX 4096
#define CUT_MARK       "...\"" /* a line that was too long: the end, and the quote it may be in */

struct line {
	char text[LINE_BYTES_MAX];
	size_t len;
	bool in_quotes; /* of the value that is being written */
	bool is_cut;
};

static const char *const LEVELS[] = { "debug", "info", "warn", "error" };

static const char *log_role = "main";
static enum log_level log_min = LOG_LEVEL_INFO;

void
log_init(const char *role, enum log_level min)
{
	log_role = role;
	log_min = min;
}

/* ---- Bytes ---- */

/* All or nothing, so that no escape is cut in two; room for the mark and the newline stays. */
static void
add(struct line *l, const char *s, size_t n)
{
	if (l->is_cut || n > sizeof(l->text) - sizeof(CUT_MARK) - l->len) {
		l->is_cut = true;
		return;
	}
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void
adds(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static __attribute__((format(printf, 2, 3))) void
addf(struct line *l, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	adds(l, text);
}

/* How many bytes at s are one character that may stand as it is; 0: it is to be escaped. A newline
 * or an escape sequence in a value must not forge a line or repaint the reader's terminal; C1
 * controls are two bytes in UTF-8 (0xc2 0x80-0x9f). What is not UTF-8 is no text for a journal. */
static size_t
plain(const char *s, const char *end)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c < ' ' || c == 0x7f || c == '"' || c == '\\')
		return 0;
	if (c == 0xc2 && end - s > 1 && (unsigned char)s[1] < 0xa0)
		return 0;
	return (size_t)(end - s) >= n && str_utf8_ok(s, n) ? n : 0;
}

static void
add_escaped(struct line *l, const char *s, size_t len)
{
	for (const char *end = s + len; s < end;) {
		size_t n = plain(s, end);

		if (n)
			add(l, s, n);
		else if (*s == '"' || *s == '\\')
			addf(l, "\\%c", *s);
		else if (*s == '\n')
			adds(l, "\\n");
		else
			addf(l, "\\x%02x", (unsigned char)*s);
		s += n ? n : 1;
	}
}

/* As logfmt has it: a value that is empty, or has a space, a quote or a byte to escape, is quoted.
 */
static bool
needs_quotes(const char *s, size_t len)
{
	for (const char *end = s + len; s < end;) {
		size_t n = *s == ' ' || *s == '=' ? 0 : plain(s, end);

		if (n == 0)
			return true;
		s += n;
	}
	return len == 0;
}

/* A string at a place where the format has a value: after '=' it brings its own quotes. */
static void
add_value(struct line *l, const char *s, size_t len, bool is_whole)
{
	bool quotes = is_whole && !l->in_quotes && needs_quotes(s, len);

	if (quotes)
		adds(l, "\"");
	l->in_quotes |= quotes;
	add_escaped(l, s, len);
	if (quotes && !l->is_cut) {
		l->in_quotes = false;
		adds(l, "\"");
	}
}

/* ---- The format ---- */

/* One conversion. What lines are made of is few: %s with a precision, and whole numbers. */
struct conversion {
	int64_t precision; /* -1: none */
	size_t length;     /* how many l, of a number */
	char type;
};

static const char *
conversion_read(const char *p, va_list *ap, struct conversion *c)
{
	*c = (struct conversion){ .precision = -1 };
	if (*p == '.' && p[1] == '*') {
		c->precision = va_arg(*ap, int);
		p += 2;
	} else if (*p == '.') {
		char *end;

		c->precision = strtol(p + 1, &end, 10);
		p = end;
	}
	for (; *p == 'l'; p++)
		c->length++;
	c->type = *p;
	return *p ? p + 1 : p;
}

static void
add_string(struct line *l, const struct conversion *c, const char *s, bool is_whole)
{
	size_t len;

	if (!s)
		s = "(null)";
	len = c->precision < 0 ? strlen(s) : strnlen(s, (size_t)c->precision);
	add_value(l, s, len, is_whole);
}

static void
add_number(struct line *l, const struct conversion *c, va_list *ap)
{
	if (c->type == 'u' && c->length)
		addf(l, "%lu", va_arg(*ap, unsigned long));
	else if (c->type == 'u')
		addf(l, "%u", va_arg(*ap, unsigned));
	else if (c->length > 1)
		addf(l, "%lld", va_arg(*ap, long long));
	else if (c->length)
		addf(l, "%ld", va_arg(*ap, long));
	else
		addf(l, "%d", va_arg(*ap, int));
}

/* printf for lines: literals as they are, values so that none of them can look like another. */
static void
add_format(struct line *l, const char *fmt, va_list *ap)
{
	for (const char *p = fmt; *p && !l->is_cut;) {
		size_t n = strcspn(p, "%");
		struct conversion c;
		bool is_after;

		add(l, p, n);
		for (size_t i = 0; i < n && !l->is_cut; i++)
			l->in_quotes ^= p[i] == '"';
		p += n;
		if (!*p)
			return;
		is_after = p > fmt && p[-1] == '=';
		p = conversion_read(p + 1, ap, &c);
		assert(c.type && strchr("sdu", c.type));
		if (c.type == 's')
			add_string(
				l, &c, va_arg(*ap, const char *), is_after && (!*p || *p == ' '));
		else
			add_number(l, &c, ap);
	}
}

/* ---- The line ---- */

static void
start(struct line *l, enum log_level level, const struct log_ctx *ctx, const char *event)
{
	int64_t now = clock_wall_ms();
	char time[32];

	str_time_print(now, time);
	time[strlen(time) - 1] = '\0'; /* the Z: milliseconds come before it */
	addf(l, "%s.%03dZ %s %s ", time, (int)(now % 1000), LEVELS[level], log_role);
	adds(l, event);
	if (!ctx)
		return;
	if (ctx->delivery)
		addf(l, " delivery=%" PRId64, ctx->delivery);
	if (ctx->task)
		addf(l, " task=%" PRId64, ctx->task);
	if (ctx->attempt)
		addf(l, " attempt=%" PRId64, ctx->attempt);
	if (ctx->repo && ctx->repo[0]) {
		adds(l, " repo=");
		add_value(l, ctx->repo, strlen(ctx->repo), true);
	}
}

static void
finish(struct line *l)
{
	int saved = errno;
	ssize_t n;

	if (l->is_cut) {
		memcpy(l->text + l->len, CUT_MARK, sizeof(CUT_MARK) - 1);
		l->len += sizeof(CUT_MARK) - 1 - !l->in_quotes;
	}
	l->text[l->len++] = '\n';
	do {
		n = write(STDERR_FILENO, l->text, l->len);
	} while (n < 0 && errno == EINTR);
	errno = saved; /* a log line between a call and its err_sys changes nothing */
}

void
log_write(enum log_level level, const struct log_ctx *ctx, const char *event, const char *fmt, ...)
{
	struct line l = { .len = 0 };
	size_t head;
	va_list ap;

	if (level < log_min)
		return;
	start(&l, level, ctx, event);
	adds(&l, " ");
	head = l.len;
	va_start(ap, fmt);
	add_format(&l, fmt, &ap);
	va_end(ap);
	if (l.len == head)
		l.len--;
	finish(&l);
}

void
log_err(enum log_level level, const struct log_ctx *ctx, const char *event, const struct err *e)
{
	if (e->sys)
		log_write(level, ctx, event, "error=%s code=%s errno=%d", e->text,
			err_name(e->code), e->sys);
	else
		log_write(level, ctx, event, "error=%s code=%s", e->text, err_name(e->code));
}
