/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line an event on standard error.
 *
 * "2026-11-22T09:19:17.123Z info web hook.accepted delivery=17 repo=acme/widget bytes=12034". The
 * context carries who it is about; the event name is a literal that grep finds once. Values
 * are written as logfmt has it: one that is empty or has spaces, quotes or control characters is
 * put in quotes, with those escaped, so that none can forge another or a line. A line is one
 * write(2) of at most 4 KiB; the end of a longer one is "...". error = a person should look; warn =
 * we coped; info = a fact of the day; debug = off by default.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* All members may be empty; strings are borrowed for the call. */
struct log_ctx {
	int64_t delivery;
	int64_t task;
	int64_t attempt;
	const char *repo;
};

/* Formats are "key=%s key=%d": of conversions only %s, %.*s, %d, %u and their l and ll. Text around
 * a value ("key=\"%s of %s\"") brings its own quotes. */

/* role is kept by reference: give a literal. */
void log_init(const char *role, enum log_level min);

void log_write(enum log_level level, const struct log_ctx *ctx, const char *event, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

#define log_debug(ctx, ...) log_write(LOG_LEVEL_DEBUG, (ctx), __VA_ARGS__)
#define log_info(ctx, ...)  log_write(LOG_LEVEL_INFO, (ctx), __VA_ARGS__)
#define log_warn(ctx, ...)  log_write(LOG_LEVEL_WARN, (ctx), __VA_ARGS__)
#define log_error(ctx, ...) log_write(LOG_LEVEL_ERROR, (ctx), __VA_ARGS__)

/* Logs e as error="..." code=... with the given level. */
void log_err(
	enum log_level level, const struct log_ctx *ctx, const char *event, const struct err *e);

#endif
