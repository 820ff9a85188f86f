/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn - fork and exec, said as data.
 *
 * The child gets the named descriptors and nothing else, the environment given and nothing else,
 * the limits given, and default signal handling. A failure before exec comes back as the error of
 * spawn_start, not as exit code 127.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 8

struct spawn {
	const char *const *argv; /* argv[0] is the path; NULL-terminated */
	const char *const *envp; /* NULL = empty */
	const char *cwd;         /* NULL = / */
	int exec_fd;             /* >0: fexecve of this descriptor, argv[0] is only the name */
	int stdio[3]; /* descriptors for 0, 1, 2; -1 = /dev/null. A zeroed struct is wrong: use
			 SPAWN_INIT */
	int fds[SPAWN_FDS_MAX]; /* become 3, 4, 5, ... */
	size_t n_fds;
	bool new_session;     /* setsid */
	bool die_with_parent; /* PR_SET_PDEATHSIG KILL (set after the uid change) */
	uid_t uid;            /* 0 = keep; also sets gid and drops supplementary groups */
	gid_t gid;
	int64_t cpu_s_max; /* rlimits; 0 = keep */
	int64_t data_bytes_max;
	int64_t file_bytes_max;
	int64_t files_max;
};

#define SPAWN_INIT                                                                                 \
	{                                                                                          \
		.stdio = { -1, -1, 2 }                                                             \
	}

/* Starts it. *pidfd is the caller's to close (or to give to loop_child_add). */
int spawn_start(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e);

#endif
