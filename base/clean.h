/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clean - locals that own free themselves.
 *
 * auto_free, auto_fd and friends mark a local that owns; it is initialised on its line and one
 * leaves by return. steal_ptr and steal_fd hand ownership on.
 */
#ifndef BASE_CLEAN_H
#define BASE_CLEAN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_cleanup(fn) __attribute__((cleanup(fn)))

static inline void
clean_free(void *p)
{
	free(*(void **)p);
}

static inline void
clean_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void
clean_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void
clean_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define auto_free auto_cleanup(clean_free)
#define auto_fd   auto_cleanup(clean_fd)
#define auto_file auto_cleanup(clean_file)
#define auto_dir  auto_cleanup(clean_dir)

static inline int
steal_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

#define steal_ptr(p)                                                                               \
	__extension__({                                                                            \
		__typeof__(*(p)) *steal_from = (p);                                                \
		__typeof__(*(p)) steal_out = *steal_from;                                          \
		*steal_from = NULL;                                                                \
		steal_out;                                                                         \
	})

#endif
