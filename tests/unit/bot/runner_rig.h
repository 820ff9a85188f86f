/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_rig - a real runner with real boxes; the test plays queue, courier, gateway and keeper.
 */
#ifndef TESTS_UNIT_BOT_RUNNER_RIG_H
#define TESTS_UNIT_BOT_RUNNER_RIG_H

#include "bot/wire.h"
#include "tests/unit/bot/role_case.h"

#define RUNNER_RIG_SECRET "correct-horse-battery-staple" /* the keeper's only one */

struct runner_rig {
	struct role_case c;
	struct msg_link *queue, *courier, *gateway, *keeper;
	char *yaml;
	char *checkout; /* a frozen tree with a .git, as the courier makes it */
	char base_sha[41];

	/* What the queue says of the next task. NULL: nothing, no branch, "mend it". */
	const char *branch;
	const char *pull_ref; /* it belongs to a pull request from this branch */
	const char *prompt;

	/* What the keeper lets be found in transcripts, and how often it was asked. */
	const char *secret;
	int n_redacts;

	/* What the courier says. */
	struct agent_settings settings;
	int64_t prepare_code;
	bool is_dumb;        /* PREPARE is not answered */
	uint64_t unanswered; /* the last one that was not */
	struct wire_harvested harvested;
	uint16_t mute; /* a HARVEST or BOX_CLOSE is not answered */
	int n_muted;
	int n_prepares;
	struct wire_harvest asked; /* the last HARVEST */
	char *bundle;              /* file it came in */

	/* What the gateway heard. */
	bool gateway_is_dumb;
	char *usage, *spent; /* what it says at the end; literals, not written to */
	int n_opens, n_closes;
	struct wire_box opened;
	int listen_fd;
	int life_fd; /* what says that it still serves the box */

	/* What the queue heard. */
	int n_claims;
	bool had_slots;          /* this runner, in one of its claims */
	struct wire_claim claim; /* the last one; owned */
	int n_done;
	struct wire_done done; /* owned */
	char *text, *cast;     /* logs; owned */
	struct strs steps;     /* "name exit_code" of steps that ended */
	struct strs states;
	struct strs told; /* "task state", "task step" and "task step exit_code", as they came */
	char *tail;
	bool takes_nothing; /* DONE is not answered */
};

/* agent: a shell script that is the agent. more: further lines of configuration, or "". */
void runner_rig_init(struct runner_rig *r, const char *agent, const char *more);
/* The same as a kind of the table, whose program the script then is. */
void runner_rig_init_kind(
	struct runner_rig *r, const char *kind, const char *agent, const char *more);
void runner_rig_finish(struct runner_rig *r);

/* Starts the role and plays its peers; of runner_rig_init the last part. */
void runner_rig_begin(struct runner_rig *r);

/* runner_rig_again.c: ends the runner with the signal, and everything that the test plays; in
 * between work is done by nobody but shims. Then another one, with or without all peers. */
void runner_rig_kill(struct runner_rig *r, int signo);
void runner_rig_again(struct runner_rig *r, int signo);

/* The shims under way, killed with SIGKILL; how many there were. */
size_t runner_rig_kill_shims(struct runner_rig *r);

/* Where task and fence in this slot live. The caller's to free. */
char *runner_rig_dir(const struct runner_rig *r, int slot, int64_t task, int64_t fence);

/* The process of that name, but not this one, that has that directory locked or waits for it; 0:
 * none. */
pid_t runner_rig_find(const char *dir, const char *name, pid_t but);

/* Until no attempt lives and nothing of one is left on the disk. */
void runner_rig_until_clean(struct runner_rig *r);

/* Ends those that are left: shims outlive their runner, none outlives its test. */
void runner_rig_end_shims(struct runner_rig *r);

/* Another queue, keeper or gateway takes over the place of the old one. */
void runner_rig_new_queue(struct runner_rig *r);
void runner_rig_new_keeper(struct runner_rig *r);
void runner_rig_new_gateway(struct runner_rig *r);

void runner_rig_start(struct runner_rig *r, int64_t task, int64_t fence);
void runner_rig_stop(struct runner_rig *r, int64_t task, int64_t fence);

/* Answers the PREPARE that was not answered. */
void runner_rig_answer(struct runner_rig *r);

/* Until the next DONE. */
void runner_rig_until_done(struct runner_rig *r);

/* Until the tail has the word. */
void runner_rig_until_tail(struct runner_rig *r, const char *word);

/* Whether the queue was told so, and until it is; see told. */
bool runner_rig_was_told(const struct runner_rig *r, const char *what);
void runner_rig_until_told(struct runner_rig *r, const char *what);

/* Until a CLAIM says that n attempts live. */
void runner_rig_until_alive(struct runner_rig *r, size_t n);

/* Until so many slots are free: that of an attempt comes back when its shim has ended. */
void runner_rig_until_free(struct runner_rig *r, int64_t n);

/* What git says of the bundle's commit: output of `git <words>` in a clone that has it as
 * FETCH_HEAD. The caller's to free. */
char *runner_rig_git(const struct runner_rig *r, const char *words);

/* A layer with one file, as if harvested; harvested is set to a change with it. */
void runner_rig_harvest_file(struct runner_rig *r, const char *name, const char *text);

#endif
