/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend - git http-backend behind a small HTTP server of a process of its own, on a port of the
 * kernel's choice. It serves <root>/<name>.git to who sends the right credentials, with objects of
 * Git LFS from <root>/lfs, and can misbehave.
 */
#ifndef TESTS_UNIT_REPO_BACKEND_H
#define TESTS_UNIT_REPO_BACKEND_H

#include <stdint.h>
#include <sys/types.h>

struct backend_shared {       /* between the test and the server */
	char userinfo[256];   /* "user:token" that is let in */
	int64_t stall_after;  /* bytes of an answer to a fetch's last request; then nothing more. 0:
				 never */
	char redirect[256];   /* every answer is 302 to this, if not empty */
	char lfs_places[256]; /* where objects of Git LFS are said to be; empty: here */
	int64_t is_busy;      /* 503 to everything of LFS */
	int64_t requests;
	int64_t refused;
	int64_t is_stalled;
	int64_t fetches; /* of packs */
};

struct backend {
	pid_t pid;
	char url[64]; /* http://127.0.0.1:port */
	struct backend_shared *shared;
};

void backend_start(struct backend *b, const char *root, const char *userinfo);
void backend_stop(struct backend *b);

#endif
