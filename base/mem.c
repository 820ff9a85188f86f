/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem - see mem.h.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No stdio here: it may want memory. */
static _Noreturn void
die(void)
{
	static const char text[] = "out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1); /* nobody is left to tell */
	abort();
}

void *
mem_zero(size_t size)
{
	return mem_array(1, size);
}

void *
mem_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1); /* calloc(0) may return NULL */

	if (!p)
		die();
	return p;
}

void *
mem_grow(void *take_p, size_t n, size_t size)
{
	void *p = reallocarray(take_p, n ? n : 1, size ? size : 1);

	if (!p)
		die();
	return p;
}

void *
mem_dup(const void *p, size_t size)
{
	void *out = mem_grow(NULL, size, 1);

	if (size)
		memcpy(out, p, size);
	return out;
}

char *
mem_str(const char *s)
{
	return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *
mem_strn(const char *s, size_t n)
{
	char *out;
	size_t len;

	if (!s)
		return NULL;
	len = strnlen(s, n);
	out = mem_grow(NULL, len + 1, 1);
	memcpy(out, s, len);
	out[len] = '\0';
	return out;
}

char *
mem_fmt(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	if (n < 0)
		die();
	return out;
}

void
mem_set(char **p, const char *s)
{
	char *copy = mem_str(s);

	free(*p);
	*p = copy;
}

void
mem_wipe(void *p, size_t size)
{
	if (p && size)
		explicit_bzero(p, size);
}
