/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem - allocation that does not fail.
 *
 * Out of memory aborts the role; the master restarts it. Sizes are checked against a limit of
 * base/limits.h before they are asked for, so running out is the machine's fault, not the input's.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* All return memory that the caller frees with free(3); none returns NULL. mem_zero is for one
 * zeroed object, mem_array for n zeroed objects (overflow aborts), mem_grow keeps the old contents
 * and does not zero the rest. */
void *mem_zero(size_t size);
void *mem_array(size_t n, size_t size);
void *mem_grow(void *take_p, size_t n, size_t size);
void *mem_dup(const void *p, size_t size);

/* NULL in, NULL out. */
char *mem_str(const char *s);
char *mem_strn(const char *s, size_t n);
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Replaces the owned string *p by a copy of s (which may be NULL or point into *p). */
void mem_set(char **p, const char *s);

/* Overwrites memory that held a secret; the compiler cannot remove it. */
void mem_wipe(void *p, size_t size);

#endif
