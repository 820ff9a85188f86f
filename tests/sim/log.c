/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - what everybody says is the trace: hashed, and printed if somebody wants to read it.
 */
#include "tests/sim/sim.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void
take(const char *line)
{
	uint64_t h = SIM.trace;

	for (const char *p = line; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211U;
	SIM.trace = (h ^ (uint64_t)SIM.now_ms) * 1099511628211U;
	if (SIM.is_loud)
		(void)printf("%10" PRId64 " %s\n", SIM.now_ms, line);
}

void
sim_note(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	take(line);
}

void
sim_violation(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	SIM.n_violations++;
	(void)printf(
		"VIOLATION seed=%" PRIu64 " at_ms=%" PRId64 " %s\n", SIM.seed, SIM.now_ms, line);
	take(line);
}

void
log_init(const char *role, enum log_level min)
{
	(void)role;
	(void)min;
}

void
log_write(enum log_level level, const struct log_ctx *ctx, const char *event, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	if (level == LOG_LEVEL_DEBUG)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_note("    %s delivery=%" PRId64 " task=%" PRId64 " %s", event, ctx ? ctx->delivery : 0,
		ctx ? ctx->task : 0, text);
}

void
log_err(enum log_level level, const struct log_ctx *ctx, const char *event, const struct err *e)
{
	log_write(level, ctx, event, "code=%s error=\"%s\"", err_name(e->code), e->text);
}
