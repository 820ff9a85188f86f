/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a confined process tries, for the tests of base/confine.
 */
#ifndef TESTS_UNIT_BASE_CONFINE_ATTEMPTS_H
#define TESTS_UNIT_BASE_CONFINE_ATTEMPTS_H

#include <netinet/in.h>

extern struct confine_world {
	struct sockaddr_in server; /* where listener listens */
	int listener;
	int early_fd; /* a socket that was open before: it must not help */
	char readable[64];
	char writable[64];
} confine_world;

/* 0 or errno. */
typedef int attempt(void);

attempt try_connect;
attempt try_connect_early;
attempt try_send_to;
attempt try_listen;
attempt try_netlink;
attempt try_accept;
attempt try_unix_pair;
attempt try_exec;
attempt try_open_outside;
attempt try_read_readable;
attempt try_write_readable;
attempt try_write_writable;
attempt try_ptrace;
attempt try_read_memory;
attempt try_new_user_namespace;
attempt try_clone_namespace;
attempt try_clone3;
attempt try_setns;
attempt try_mount;
attempt try_keyring;
attempt try_io_uring;
attempt try_bpf;
attempt try_thread;

#endif
