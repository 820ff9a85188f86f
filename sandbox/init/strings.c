/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strings - what PID 1 needs of <string.h>, and two of its own. Short strings, seldom: nothing here
 * is clever.
 */
#include "sandbox/init/init.h"

void *
memcpy(void *restrict to, const void *restrict from, size_t n)
{
	const char *f = from;
	char *t = to;

	while (n-- > 0)
		*t++ = *f++;
	return to;
}

void *
memset(void *to, int byte, size_t n)
{
	char *t = to;

	while (n-- > 0)
		*t++ = (char)byte;
	return to;
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

size_t
strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

size_t
strlen(const char *s)
{
	return strnlen(s, (size_t)-1);
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

int
strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

char *
strchr(const char *s, int byte)
{
	for (;; s++) {
		if (*s == (char)byte)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

size_t
strcspn(const char *s, const char *stops)
{
	for (size_t n = 0;; n++) {
		const char *stop = stops;

		while (*stop && *stop != s[n])
			stop++;
		if (*stop || !s[n])
			return n;
	}
}

char *
strsep(char **rest, const char *stops)
{
	char *word = *rest;

	if (!word)
		return NULL;
	char *end = word + strcspn(word, stops);
	*rest = *end ? end + 1 : NULL;
	*end = '\0';
	return word;
}

/* ---- ours ---- */

size_t
init_join(char *out, size_t size, size_t at, const char *s, size_t len)
{
	if (len > size - 1 - at)
		len = size - 1 - at;
	memcpy(out + at, s, len);
	out[at + len] = '\0';
	return at + len;
}

unsigned
init_number(const char *digits, unsigned base)
{
	unsigned n = 0;

	for (; *digits >= '0' && *digits < (char)('0' + base); digits++)
		n = n * base + (unsigned)(*digits - '0');
	return n;
}
