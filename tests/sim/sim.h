/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim - the core of the bot in one thread, in a world that is made up.
 *
 * What is real: the roles queue, courier and decoder with everything below them (handlers, store
 * and its SQLite, forge drivers, base/msg over its sockets). What is made up is linked in the place
 * of the real thing, whose header it keeps:
 *
 *	loop.c     base/loop, base/clock: one clock for all; nobody waits, time is moved on
 *	chance.c   crypto_random, base/buggify: one seed
 *	log.c      base/log: the trace
 *	http.c     base/http: requests go to forge.c, with faults
 *	disk.c     SQLite's file system: in memory, loses and tears what was not synced
 *	git.c      bot/courier_git: pushes go to forge.c
 *	roles.c    bot/role, bot/master: starts, kills and connects roles
 *	web.c keeper.c runner.c   the other roles, as the core knows them
 *	forge*.c   a forge (GitHub's dialect) that remembers everything that was done to it
 *	people.c   those who ask, stop, edit, revoke
 *	chaos.c    what befalls processes and machine
 *	truth.c    what must hold in the end
 *
 * Everything random comes from one generator and everything happens in one order, so a seed and a
 * commit are one history: `script/sim SEED=17` plays it again, and its trace is the same bytes.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/buf.h"
#include "base/http.h"
#include "bot/roles.h"

#include <stdbool.h>
#include <stdint.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define SWEEPS_MS (5 * MINUTE) /* two looks at what nobody told us */

#define SIM_FORGE "gh"

/* ---- the world ---- */

struct sim {
	uint64_t seed;
	int64_t now_ms;    /* true time */
	int64_t booted_ms; /* when the machine was started last */
	int64_t wall_ms;   /* wall clock minus true time; jumps */
	bool is_calm;      /* faults are over */
	bool is_loud;      /* the trace is printed */
	uint64_t trace;    /* its hash */
	int64_t n_rounds, n_deaths;
	size_t n_violations;
	struct config config;
	char dir[64];
};
extern struct sim SIM;

/* One line of the history. */
void sim_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A promise was broken. */
void sim_violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- chance.c ---- */

void chance_seed(uint64_t seed);
uint64_t chance_u64(void);
int64_t chance_in(int64_t least, int64_t most);
bool chance_of(int per_mille); /* at all times */
bool fault_of(int per_mille);  /* only while faults are on */
/* Most waits are short, some are not. */
int64_t chance_delay(int64_t usual_ms, int64_t most_ms);
/* Of all runs: which points there are, how often each was passed, and fired. */
void buggify_report(void);

/* ---- loop.c ---- */

/* Lets time pass until then, or until somebody broke something. */
void sim_run(int64_t until_ms);
/* After the round of a loop: what happened in it that only the world may see to. */
void sim_after_round(struct loop *l);
bool loop_is_stopped(const struct loop *l);
/* The process does not get the processor for so long. */
void loop_stall(struct loop *l, int64_t ms);
/* Of one that is dead: nothing that is said from now on is sent. */
void loop_silence(struct loop *l);

/* ---- roles.c ---- */

struct actor {
	/* First: what a role sees. */
	struct role_ctx ctx;
	enum role role;
	bool is_up;
	bool must_die;    /* at the end of this round, as by kill -9 */
	int64_t began_ms; /* its life */
	int64_t delay_ms; /* that it waited for it, as bot/restart.h says */
	struct loop_timer *restart;
};

void roles_start(void);
void roles_finish(void);
struct actor *actor_of(enum role role);
struct actor *actor_of_loop(const struct loop *l);
/* Takes effect when its round is over; nothing that it does from now on reaches the world. */
void actor_kill(enum role role);
void power_cut(void);            /* all at once, and what was not synced is gone */
void actor_term(enum role role); /* as by SIGTERM */
bool roles_are_all_up(void);
/* The loop of those who never die: forge, people. */
struct loop *sim_loop(void);

extern const struct role_spec SIM_WEB, SIM_KEEPER, SIM_RUNNER;

/* ---- disk.c ---- */

void disk_create(void);
void disk_wipe(void); /* a new world */
/* What the queue does from now on reaches no disk, until disk_revive. */
void disk_unplug(void);
bool disk_is_unplugged(void);
void disk_revive(void);
void disk_lose_unsynced(void); /* as a power cut does */
void disk_fill(bool is_full);

/* ---- http.c ---- */

void http_wipe(const struct loop *l); /* calls of a role that died */

/* ---- web.c ---- */

/* A webhook arrives. body is copied. */
void web_receive(const char *guid, const char *event, const struct buf *body);
/* It was not taken (forge_app.c). */
void web_refuses(const char *guid, const char *event, const struct buf *body);
size_t web_acked(const char *const **guids);
void web_wipe(void);

/* ---- runner.c ---- */

void machine_wipe(void);
void machine_lose_boxes(void); /* the host went down */
int64_t machine_attempts(int64_t task);

/* ---- people.c ---- */

void people_start(void);
bool people_are_done(void);
void people_check(void);
void people_wipe(void);

/* ---- chaos.c ---- */

void chaos_start(void);

/* ---- truth.c ---- */

bool truth_is_quiet(void);
void truth_check(void);

#endif
