/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - see log.h.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* PIPE_BUF: up to here a write to a pipe is one piece, so lines of several roles never mix. */
#define LINE_BYTES_MAX 4096

struct line {
	char text[LINE_BYTES_MAX];
	size_t len;
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

/* The last byte stays free for the newline. */
static __attribute__((format(printf, 2, 0))) void
add_v(struct line *l, const char *fmt, va_list ap)
{
	size_t room = sizeof(l->text) - 1 - l->len;
	int n = vsnprintf(l->text + l->len, room, fmt, ap);

	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static __attribute__((format(printf, 2, 3))) void
add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_v(l, fmt, ap);
	va_end(ap);
}

/* A newline or an escape sequence in a value must not forge a line or repaint the reader's
 * terminal. C1 controls are two bytes in UTF-8 (0xc2 0x80-0x9f). */
static void
add_clean(struct line *l, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	for (; *s && l->len + 8 < sizeof(l->text); s++) {
		unsigned char c = (unsigned char)*s;
		bool is_c1 = c == 0xc2 && ((unsigned char)s[1] & 0xe0) == 0x80;

		if (c == '\n') {
			l->text[l->len++] = '\\';
			l->text[l->len++] = 'n';
		} else if (c < ' ' || c == 0x7f || is_c1) {
			if (is_c1)
				c = (unsigned char)*++s;
			l->text[l->len++] = '\\';
			l->text[l->len++] = 'x';
			l->text[l->len++] = hex[c >> 4];
			l->text[l->len++] = hex[c & 15];
		} else {
			l->text[l->len++] = (char)c;
		}
	}
}

static void
start(struct line *l, enum log_level level, const struct log_ctx *ctx, const char *event)
{
	int64_t now = clock_wall_ms();
	char time[32];

	str_time_print(now, time);
	time[strlen(time) - 1] = '\0'; /* the Z: milliseconds come before it */
	add(l, "%s.%03dZ %s %s %s", time, (int)(now % 1000), LEVELS[level], log_role, event);
	if (!ctx)
		return;
	if (ctx->delivery)
		add(l, " delivery=%" PRId64, ctx->delivery);
	if (ctx->task)
		add(l, " task=%" PRId64, ctx->task);
	if (ctx->attempt)
		add(l, " attempt=%" PRId64, ctx->attempt);
	if (ctx->repo && ctx->repo[0]) {
		add(l, " repo=");
		add_clean(l, ctx->repo);
	}
}

static void
finish(struct line *l)
{
	int saved = errno;
	ssize_t n;

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
	struct line values = { .len = 0 };
	va_list ap;

	if (level < log_min)
		return;
	start(&l, level, ctx, event);
	va_start(ap, fmt);
	add_v(&values, fmt, ap);
	va_end(ap);
	if (values.len) {
		add(&l, " ");
		add_clean(&l, values.text);
	}
	finish(&l);
}

void
log_err(enum log_level level, const struct log_ctx *ctx, const char *event, const struct err *e)
{
	char text[2 * ERR_TEXT_BYTES_MAX];
	size_t n = 0;

	for (const char *s = e->text; *s && n + 2 < sizeof(text); s++) {
		if (*s == '"' || *s == '\\')
			text[n++] = '\\';
		text[n++] = *s;
	}
	text[n] = '\0';
	if (e->sys)
		log_write(level, ctx, event, "error=\"%s\" code=%s errno=%d", text,
			err_name(e->code), e->sys);
	else
		log_write(level, ctx, event, "error=\"%s\" code=%s", text, err_name(e->code));
}
