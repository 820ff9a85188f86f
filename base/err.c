/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - see err.h.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct {
	int code;
	int exit;
	const char *name;
} CODES[] = {
	{ ERR_INVALID, EX_DATAERR, "invalid" },
	{ ERR_MISSING, EX_NOINPUT, "missing" },
	{ ERR_CONFLICT, EX_CANTCREAT, "conflict" },
	{ ERR_DENIED, EX_NOPERM, "denied" },
	{ ERR_LIMIT, EX_UNAVAILABLE, "limit" },
	{ ERR_TIMEOUT, EX_TEMPFAIL, "timeout" },
	{ ERR_BUSY, EX_TEMPFAIL, "busy" },
	{ ERR_PROTOCOL, EX_PROTOCOL, "protocol" },
	{ ERR_SYSTEM, EX_OSERR, "system" },
};

#define N_CODES (sizeof(CODES) / sizeof(CODES[0]))

/* Errors quote input, and an error is one line. */
static void
flatten(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	}
}

static __attribute__((format(printf, 4, 0))) void
fill(struct err *e, int code, int sys, const char *fmt, va_list ap)
{
	e->code = code;
	e->sys = sys;
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	flatten(e->text);
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	fill(e, code, 0, fmt, ap);
	va_end(ap);
	return code;
}

static int
code_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
		return ERR_MISSING;
	case EEXIST:
		return ERR_CONFLICT;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ENOSPC:
	case EMFILE:
	case ENFILE:
		return ERR_LIMIT;
	case EAGAIN:
	case EBUSY:
		return ERR_BUSY;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	default:
		return ERR_SYSTEM;
	}
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	int code = code_of_errno(sys);
	const char *why = strerrordesc_np(sys);
	size_t len;
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	fill(e, code, sys, fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	if (why)
		(void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", why);
	else
		(void)snprintf(e->text + len, sizeof(e->text) - len, ": error %d", sys);
	return code;
}

int
err_wrap(struct err *e, int rc, const char *fmt, ...)
{
	char was[ERR_TEXT_BYTES_MAX];
	size_t len;
	va_list ap;

	if (!e)
		return rc;
	memcpy(was, e->text, sizeof(was));
	was[sizeof(was) - 1] = '\0';
	va_start(ap, fmt);
	fill(e, e->code ? e->code : rc, e->sys, fmt, ap);
	va_end(ap);
	len = strlen(e->text);
	(void)snprintf(e->text + len, sizeof(e->text) - len, ": %s", was);
	return rc;
}

const char *
err_name(int code)
{
	if (code == 0)
		return "ok";
	for (size_t i = 0; i < N_CODES; i++) {
		if (CODES[i].code == code)
			return CODES[i].name;
	}
	return "unknown";
}

int
err_exit(int code)
{
	if (code == 0)
		return EX_OK;
	for (size_t i = 0; i < N_CODES; i++) {
		if (CODES[i].code == code)
			return CODES[i].exit;
	}
	return EX_SOFTWARE;
}

bool
err_is_transient(int code)
{
	return code == ERR_TIMEOUT || code == ERR_BUSY;
}
