/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role - what every role shares: its link to the master, its links to the others, what it gives up,
 * its loop, its end.
 *
 * A role is one const struct role_spec and a file of functions. `nightshift --role NAME` runs it:
 *
 *	descriptor 3 is the link to the master; CONFIG comes first
 *	prepare()  with the privileges it was started with: opens what only they can open
 *	           then it gives up everything that its row does not ask for
 *	start()    then READY goes to the master, unless the role says it itself
 *	on_msg()   whatever a peer says that is not the answer to a call
 *	stop()     SIGTERM, or the master is gone; the role ends when it calls role_done, or after 8
 *s
 *
 * A role that ends is started again by the master, so everything it needs to go on is on disk or
 *with its peers, who ask again what was not answered.
 */
#ifndef BOT_ROLE_H
#define BOT_ROLE_H

#include "base/confine.h"
#include "base/loop.h"
#include "base/msg.h"
#include "bot/wire.h"
#include "config/config.h"

struct role_ctx {
	struct loop *loop;
	const struct config *config; /* replaced on reload: keep no pointers into it */
	const struct role_spec *spec;
	struct msg_link
		*links[ROLE_COUNT]; /* as WIRE_PAIRS says, NULL otherwise; the master's too */
	char *exe;                  /* path of this program, for spawn */
	void *own;                  /* the role's */
};

/* Functions may be NULL unless they say otherwise. Paths are below state_dir. */
struct role_spec {
	enum role role;
	enum confine_net net;
	bool may_exec;  /* its read_paths get the system's programs and libraries */
	bool may_mount; /* keeps root */
	bool files_all;
	bool has_store;            /* goes out to it, if it is on a server */
	bool resolves;             /* reads what host names and TLS need below /etc */
	bool has_zones;            /* reads the system's time zones */
	const char *const *reads;  /* NULL-terminated; NULL: none */
	const char *const *writes; /* the master makes them, owned by the role's user, mode 0700 */
	bool keeps_secret_env; /* gets the variables that the configuration names: keeper only */
	int64_t files_max;     /* descriptors; 0: 1024 */
	bool says_ready;       /* calls role_ready itself, when it can answer */

	int (*prepare)(struct role_ctx *r, struct err *e);
	int (*start)(struct role_ctx *r, struct err *e);                   /* mandatory */
	void (*on_msg)(struct role_ctx *r, enum role from, struct msg *m); /* mandatory */
	void (*on_peer)(struct role_ctx *r, enum role peer, bool is_up);
	void (*on_config)(struct role_ctx *r); /* after a reload */
	void (*stop)(struct role_ctx *r);
};

/* Rows by enum role; NULL: the master itself, and the shim, which has a parent of another kind. */
extern const struct role_spec *const ROLES[ROLE_COUNT];

/* Runs the role to its end; returns the exit code. */
int role_main(const char *name);

void role_ready(struct role_ctx *r, const char *address);
void role_done(struct role_ctx *r);

/* The peer misbehaves or hangs: the master kills it and starts another. Calls are asked again. */
void role_cut_peer(struct role_ctx *r, enum role peer);

/* The link to a peer; asserts that WIRE_PAIRS has it. */
struct msg_link *role_link(struct role_ctx *r, enum role peer);

/* state_dir/name; the caller's to free. */
char *role_path(const struct config *c, const char *name);

/* Whom the role becomes when the bot is started as root: the configured user, or a number of its
 * own, so that one role cannot touch another. 0, 0: stays who it is. */
struct role_user {
	uid_t uid;
	gid_t gid;
};
int role_user(
	const struct role_spec *spec, const struct config *c, struct role_user *out, struct err *e);

#endif
