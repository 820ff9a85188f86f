/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine - a role gives up what it does not need, for good.
 *
 * Order: no core files and not dumpable, descriptor limit, Landlock for files, no_new_privs,
 * capabilities, uid and gid, seccomp last. What the kernel does not have (Landlock, user ids when
 * not started as root) is reported in struct confine_done, never silently lost; what it has and
 * refuses is an error.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum confine_net {
	CONFINE_NET_NONE,  /* socket() only AF_UNIX, no connect, bind, listen */
	CONFINE_NET_SERVE, /* accept on what is already open; no connect */
	CONFINE_NET_OUT,   /* connect to anywhere */
	CONFINE_NET_ALL,
};

struct confine {
	uid_t uid; /* 0 = keep */
	gid_t gid;
	enum confine_net net;
	bool may_exec;  /* false: execve is refused */
	bool may_mount; /* true only for the runner and shims: mount, namespaces, setuid and
			   capabilities stay */
	bool files_all; /* true: no Landlock */
	const char *const
		*read_paths; /* NULL-terminated, absent ones are passed over; NULL = none */
	const char *const *write_paths;
	int64_t files_max; /* RLIMIT_NOFILE, lowered only; 0 = keep */
};

struct confine_done {
	bool uid;
	bool files;
	bool syscalls;
};

int confine_apply(const struct confine *c, struct confine_done *done, struct err *e);

#endif
