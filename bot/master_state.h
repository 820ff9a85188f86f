/* SPDX-License-Identifier: Apache-2.0 */
/*
 * master_state - what master.c and master_roles.c share.
 */
#ifndef BOT_MASTER_STATE_H
#define BOT_MASTER_STATE_H

#include "base/loop.h"
#include "base/msg.h"
#include "bot/listen.h"
#include "bot/role.h"
#include "config/config.h"

struct master;

/* A role as its parent sees it. */
struct crew {
	struct master *m;
	const struct role_spec *spec; /* NULL: not started here */
	pid_t pid;                    /* 0: not running */
	int pidfd;                    /* to kill by; the watch owns it */
	struct loop_child *watch;
	struct msg_link *link;
	struct loop_timer *timer; /* running: READY and then BEATs must come; ended: start again */
	int turns;                /* of the timer in this life, since READY or a BEAT */
	int64_t started_ms;
	int64_t delay_ms; /* waited before this life */
	bool is_ready;
	bool ends_by_request; /* we told it to: no backoff */
};

struct master {
	struct loop *loop;
	const char *config_path;
	unsigned only; /* roles to start */
	struct config config;
	struct listen listen;
	int exe_fd;
	int lock_fd;
	int notify_fd;
	bool is_stopping;
	struct loop_timer *rest; /* until the roles behind web are told to stop */
	bool has_moved;          /* into a control group below the one that we were started in */
	bool was_ready;
	int exit_code;
	int64_t turn; /* counts pairs of sockets handed out */
	int64_t turns[ROLE_COUNT][ROLE_COUNT];
	struct crew crew[ROLE_COUNT];
};

/* master_roles.c */
int crew_start(struct crew *c, struct err *e);
void crew_signal(const struct crew *c, int signo);
void crew_finish(struct crew *c);
int crew_send_config(const struct crew *c, const struct config *config, struct err *e);

/* master.c: told by the crew */
void master_on_ready(struct master *m, enum role role, const char *address);
/* Before a restart is thought of: the bot may be stopping, or begin to. */
void master_on_end(struct master *m, struct loop_exit how);

/* master_dirs.c: makes state_dir and what is below it, and takes the lock that keeps a second
 * master out (ERR_BUSY). */
int master_dirs(const struct config *c, int *lock_fd, struct err *e);

#endif
