/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real role in a process of its own, confined as in life; the test plays its master and its
 * peers.
 */
#ifndef TESTS_UNIT_BOT_ROLE_CASE_H
#define TESTS_UNIT_BOT_ROLE_CASE_H

#include "base/loop.h"
#include "base/msg.h"
#include "bot/role.h"
#include "config/config.h"

struct role_case {
	struct loop *loop;
	const char *name;
	enum role role;
	pid_t pid;
	struct msg_link *master;
	struct msg_link *peer; /* the one that the test plays besides */
	bool is_ready;
	int gone; /* the role closed the link to the peer */
	int cut;  /* complaints of the role about a peer, and the last one */
	int64_t cut_role;
	int64_t cut_turn;
	int (*before)(void); /* what the role's process does first, or NULL */
	char dir[32];        /* for the test's files; state_dir is dir/state */

	/* the last answer */
	int n_answers;
	uint16_t type;
	struct wire_verdict verdict; /* owned text */
	struct wire_usage usage;     /* owned texts */
	char *said_spent;            /* of the last BOX_SPENT: its usage; owned */
	char *blob;                  /* owned, NUL-terminated */
	size_t blob_len;
	int fd; /* owned, or -1 */
};

/* Makes the directory; the role is started by role_case_start. */
void role_case_init(struct role_case *c, enum role role);

/* Starts it with the configuration and waits until it is ready. peer: whom the test plays;
 * ROLE_COUNT: nobody yet. */
void role_case_start(struct role_case *c, const char *yaml, enum role peer);

/* The same for one that refuses to start; returns its exit code. */
int role_case_refuses(struct role_case *c, const char *yaml, enum role peer);

/* Plays one more peer; what the role says to it comes to on_msg. The caller destroys the link. */
struct msg_link *role_case_add_peer(struct role_case *c, enum role peer, msg_cb *on_msg, void *ctx);

/* Ends it with SIGTERM; returns its exit code. */
int role_case_stop(struct role_case *c);
void role_case_finish(struct role_case *c);

/* Asks as the peer and waits for the answer. */
void role_case_ask(struct role_case *c, const struct msg_out *out);
void role_case_ask_name(struct role_case *c, uint16_t type, const char *name);

/* Runs the loop until *flag is not 0; fails after 20 s. */
void role_case_until(struct role_case *c, const int *flag);

/* Runs the loop for a few milliseconds. */
void role_case_wait(struct role_case *c);

/* Writes a file of mode 0600 into dir; returns its path, valid until the next call. */
const char *role_case_file(struct role_case *c, const char *name, const char *text);

#endif
