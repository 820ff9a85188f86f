/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner - the parts of the role that lets attempts happen.
 *
 * An attempt is a line of phases, each an errand (a call to the courier) or a box (a step of its
 * shim). runner_attempt.c knows the order, runner_spec.c what is in each box, runner_shim.c how to
 * talk to a shim, runner_layer.c which setup was done before, runner_agent.c the agent's own turn,
 * runner_session.c what it remembers, runner_turn.c who goes first, runner_end.c how it is told.
 *
 * A runner may end at any moment, and the boxes go on: runner_state.c writes down what is known of
 * an attempt whenever that decides what comes next, and before anybody is asked to do it;
 * runner_adopt.c goes on there. Errands are asked for again, a box is known by its number.
 *
 * Attempts, boxes and layers live in <state_dir>/boxes:
 *
 *	run/<slot>.<task>.<fence>/   one attempt: its shim's directory, with the state
 *	layers/<key>/{ws,home}/      what a setup wrote, read-only and shared (layer_store.h)
 *	sessions/<key>/{tar,about}   what an agent knows of a branch
 *	gone.<n>/                    being removed
 */
#ifndef BOT_RUNNER_H
#define BOT_RUNNER_H

#include "base/spawn.h"
#include "base/crypto.h"
#include "bot/layer_store.h"
#include "bot/role.h"
#include "bot/runner_reason.h"
#include "sandbox/sandbox.h"

struct agent_row;

/* What is made ahead. */
enum pool_kind {
	POOL_NETS,  /* of boxes; without one they make their own */
	POOL_DISKS, /* of attempts; without one their shims do */
	POOL_COUNT,
};

/* A commit's key, so that its lock files are read once: a frozen checkout never changes. */
#define LAYERS_KNOWN 64
struct layer_known {
	char of[2 * CRYPTO_SHA256_BYTES + 1]; /* the commit, and all else but the files */
	char key[2 * CRYPTO_SHA256_BYTES + 1];
};

struct runner {
	struct role_ctx *role;
	struct sandbox_probe probe;
	char *tier; /* one line for the pull request */
	char *dir;  /* <state_dir>/boxes */
	char *layers_dir;
	struct layer_known known[LAYERS_KNOWN]; /* keys of late, a ring */
	size_t known_next;
	int shim_fd;  /* the shim's program; 0: not yet made */
	int disk_fd;  /* an empty disk for each attempt to copy; -1: this machine cannot */
	int table_fd; /* redactions, for shims; no attempt starts before it is there */
	struct attempt *attempts;
	bool slots[BOX_SLOTS_MAX]; /* taken */
	bool is_disk_low;          /* so none is given */
	struct loop_timer *claim;
	struct loop_timer *turn; /* somebody waits with the end of an attempt */
	struct sweep *sweeps;
	struct loop_timer *groups;      /* of boxes that ended late, to be removed */
	struct pool *pools[POOL_COUNT]; /* NULL: there is none */
	bool is_asking;                 /* the keeper, for the redactions */
	int64_t serial;                 /* for gone.<n> */
};

enum phase {
	PHASE_PREPARE,
	PHASE_SETUP,
	PHASE_RESUME, /* box: an earlier session into the agent's home */
	PHASE_AGENT,
	PHASE_SESSION, /* box: its session out of it */
	PHASE_PACK,    /* box: the changes become a bundle */
	PHASE_HARVEST, /* courier: the bundle becomes a commit */
	PHASE_GATE,
	PHASE_END,
	PHASE_COUNT,
};

/* What the agent remembers: of a follow-up's branch from the beginning, later its own. */
struct session {
	char *id;        /* NULL: it has not said one, or cannot go on with one */
	bool is_sought;  /* whether there is an earlier one is known */
	bool is_resumed; /* the agent was told to go on with it */
	bool is_refused; /* and did not: this is a fresh one */
	bool is_packed;  /* session.tar is there */
	int64_t read;    /* tokens of the whole session */
	int64_t written;
};

struct attempt {
	struct runner *r;
	struct attempt *next;
	struct task task;
	int64_t slot;
	char *dir;
	int64_t phase; /* enum phase */
	bool is_stopping;
	bool has_begun; /* its first box runs, or never will */
	bool waits;     /* its agent has ended; starts go first */

	/* From the courier. */
	struct wire_prepared base;
	struct agent_settings settings;
	struct wire_harvested harvest;
	int checkout_lock; /* held as long as boxes look at the tree */
	uint64_t call;     /* under way */
	enum role call_to;

	/* The shim. */
	struct msg_link *link;
	struct loop_child *child;
	int child_pidfd; /* a dup, to kill with; -1 */
	bool is_adopted; /* it was an earlier runner's */
	bool is_joining; /* and has not yet said where it stands */
	int64_t serial;  /* of the last box that it was given */
	bool is_in_step;
	int listen_fd; /* of the box under way, for gateways to come; -1 */
	bool models, registries;
	bool has_gateway; /* it has counted something for us: ask at the end */
	uint64_t open_call;
	char *spent; /* why the gateway asks no model any more, or NULL */
	struct loop_timer *patience;

	/* The setup layer. */
	int64_t setup_next;
	bool on_head;    /* the setup is done again, on what was harvested, for the tests */
	char *layer;     /* directory with ws and home, or NULL */
	char *layer_key; /* NULL: there is none to look for */
	char *layer_new; /* its own setup writes there, to be kept if all goes well; or NULL */
	int layer_lock;
	struct loop_timer *layer_wait; /* another attempt makes it */
	int64_t layer_until_ms;        /* and is not waited for any longer than that; 0: not yet */

	/* What will be told. */
	struct task_step step; /* under way; name is a literal */
	bool is_step_said;     /* of the agent and the setup: the queue knows that it runs */
	int64_t agent_exit;
	int64_t agent_end;  /* enum box_end */
	char *agent_how;    /* of runner_reason.h */
	bool agent_is_done; /* by its own account */
	char *agent_text;
	struct session session;
	char *quiet_tail; /* last words of a box that is not in the transcript */
	struct wire_done done;
	bool is_told;        /* DONE was taken */
	bool has_transcript; /* the shim has ended or closed its link */
	bool shim_cleaned;   /* it ended well: what is left is small */
	bool is_asked;       /* DONE was said */
	bool is_held;        /* it is over for long, but its shim has not ended */
};

/* A shim, as whoever started or found it has it. */
struct shim_ends {
	pid_t pid;
	int pidfd;
	int link; /* connected with it */
};

/* ---- runner.c ---- */

struct log_ctx runner_log(const struct attempt *a);
void runner_claim_soon(struct runner *r);
void runner_forget(struct attempt *a); /* off the list, its slot free, freed */

/* ---- runner_attempt.c ---- */

void attempt_start(struct runner *r, struct task *take_task);
/* On the list, in this slot; nothing has happened yet. */
struct attempt *attempt_new(struct runner *r, int64_t slot, struct task *take_task);
void attempt_stop(struct attempt *a);
void attempt_step_done(struct attempt *a, const struct wire_step_done *d);
void attempt_tail(struct attempt *a, const char *tail, size_t len);

/* The next box; runner_courier.c for the two errands between them. */
void attempt_begin_prepare(struct attempt *a);
void attempt_begin_setup(struct attempt *a);
void attempt_begin_agent(struct attempt *a);
void attempt_begin_pack(struct attempt *a);
void attempt_begin_harvest(struct attempt *a);
void attempt_begin_gate(struct attempt *a);

/* The box of this phase; the same once more, because its order may not have arrived. */
int attempt_run_box(struct attempt *a, enum phase phase, struct err *e);
int attempt_repeat_box(struct attempt *a, struct err *e);

/* Fills in whose it is, and says it. */
void attempt_progress(struct attempt *a, struct wire_progress *p);

/* The courier keeps the base checkout as it is. */
int attempt_hold_checkout(struct attempt *a, struct err *e);

/* A step row for the queue: begins, ends. One that is due is said when its box goes. */
void attempt_step_begin(struct attempt *a, const char *name);
void attempt_step_due(struct attempt *a, const char *name);
void attempt_has_gone(struct attempt *a);
void attempt_step_end(struct attempt *a, int64_t exit_code, const char *note);

/* Ends it with this outcome; reason is one sentence for people. */
void attempt_end(struct attempt *a, enum task_outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void attempt_refuse(struct attempt *a, const char *why); /* what the agent left */

/* ---- runner_agent.c ---- */

void attempt_after_agent(struct attempt *a); /* what it remembers, then the pack */
void attempt_resume_ended(struct attempt *a, const struct wire_step_done *d);
void attempt_agent_ended(struct attempt *a, const struct wire_step_done *d);
void attempt_session_ended(struct attempt *a, const struct wire_step_done *d);

/* The agent that the task asks for, or the repository, or the configuration; NULL: there is none of
 * that name. */
const struct config_agent *attempt_agent(const struct attempt *a);
const struct agent_row *attempt_agent_row(const struct attempt *a);

/* ---- runner_session.c ---- */

/* Looks for one that this agent left on the branch of this task, fills in what is known of it and
 * opens it. False: there is none, or it is too old. */
bool session_find(struct attempt *a, int *tar_fd);

/* What the agent has just left belongs to the branch from now on. Best effort. */
void session_keep(struct attempt *a);

/* The stored one is of no use. */
void session_drop(struct attempt *a);

/* What the pack says before the name of a file that it leaves out, alone on a line. */
#define PACK_LEFT "left alone: "

/* ---- runner_spec.c: what is in each box. ERR_INVALID: the agent cannot be run so. ---- */

int spec_setup(struct attempt *a, struct box_spec *s, struct err *e);
int spec_resume(struct attempt *a, struct box_spec *s, struct err *e);
int spec_agent(struct attempt *a, struct box_spec *s, struct err *e);
int spec_session(struct attempt *a, struct box_spec *s, struct err *e);
const char *spec_agent_name(const struct attempt *a);
extern const char RUNNER_PACK[]; /* runner_pack.c */
int spec_pack(struct attempt *a, struct box_spec *s, struct err *e);
int spec_gate(struct attempt *a, struct box_spec *s, struct err *e);

/* dir/name; the caller's to free. */
char *attempt_path(const struct attempt *a, const char *name);

/* The same on the disk of what its boxes write, where only its shim finds it. */
char *attempt_disk_path(const struct attempt *a, const char *name);

/* ---- runner_layer_key.c ---- */

/* What its setup depends on, as a name; the caller's. */
char *layer_key(const struct attempt *a, struct err *e);

/* ---- runner_layer.c ---- */

/* Goes on with the agent if somebody has kept what the setup would write; with the setup, if not;
 * or waits for the one who is at it. */
void layer_begin(struct attempt *a);

/* Where the setup writes; the caller's. What may be kept for others lies beside the attempt's disk.
 */
char *layer_setup_dir(const struct attempt *a);

/* The setup went well: from now on everybody may use what it wrote. Best effort. bytes: how much
 * that is; negative: nobody knows. */
void layer_keep(struct attempt *a, int64_t bytes);

/* The attempt ends: nobody waits for it any more, nor it for anybody. */
void layer_leave(struct attempt *a);

/* Its box is gone, too: so is what nobody will use. */
void layer_forget(struct attempt *a);

/* Holds the layer of an attempt again. */
int layer_hold(struct attempt *a, struct err *e);

/* True if what the setup wrote may not fit what was harvested: a file of setup_key has changed, or
 * none is named. */
bool layer_is_stale(const struct attempt *a);

/* What an earlier life left in the store. */
void layer_sweep(struct runner *r);

/* ---- runner_shim.c ---- */

/* The shim's program as what else it can be. */
int shim_spawn_as(struct runner *r, struct spawn *sp, pid_t *pid, int *pidfd, struct err *e);
int shim_start(struct attempt *a, struct err *e);

/* Goes to the shim that is there already; adopt_go_on follows. ERR_MISSING: it lives no more. */
int shim_join(struct attempt *a, struct err *e);

/* Takes the descriptors (-1 = none). The end comes as attempt_step_done. */
int shim_run(struct attempt *a, const struct box_spec *s, int take_stdin, int take_stdout,
	struct err *e);
void shim_stop_step(struct attempt *a);
void shim_step_spent(struct attempt *a); /* its agent's budget is used up */

/* The gateway is gone, or another one is there: it needs the listener again. */
void shim_gateway_changed(struct attempt *a);

/* Lets it complete the transcript and clean up; attempt_transcript_ready follows, then
 * attempt_shim_gone. */
void shim_end(struct attempt *a);
void shim_forget(struct attempt *a);

/* ---- runner_door.c ---- */

/* The door of a shim to come, and a link with it. */
int door_open(const char *dir, int *door, int *link, struct err *e);

/* The shim behind the door in that directory. ERR_MISSING: none lives. ERR_BUSY: one was started
 * and has not begun for long; it will end when it begins. */
int door_find(struct loop *l, const char *dir, struct shim_ends *out, struct err *e);

/* Ends whatever shim is in that directory, of any version, begun or not. False: there was none. */
bool shim_dismiss(struct loop *l, const char *dir);

/* ---- runner_pool.c ---- */

void pools_start(struct runner *r);
int pool_take(struct runner *r, enum pool_kind kind); /* the caller's to close; -1: none */

/* ---- runner_state.c ---- */

/* Written down: from now on another runner would go on here. Best effort: what was written before
 * leads to the same end, or to another attempt. */
void state_save(const struct attempt *a);

/* Into a new attempt. ERR_PROTOCOL: another version's. */
int state_load(struct attempt *a, struct err *e);

/* ---- runner_adopt.c ---- */

/* Attempts that an earlier runner left: those that live go on, of the others it is told. */
void adopt_all(struct runner *r);

/* The shim of one has said where it stands. */
void adopt_go_on(struct attempt *a, const struct wire_shim_state *s);

/* ---- runner_turn.c ---- */

/* Goes on with attempt_after_agent, at once or when no other attempt is about to begin. */
void turn_wait(struct attempt *a);
/* Its first box runs, or it will never have one. */
void turn_begun(struct attempt *a);

/* ---- runner_end.c ---- */

/* From attempt_end on: the gateway's account, the transcript, DONE, then nothing is left of it. */
void attempt_wind_up(struct attempt *a);
/* The gateway need not serve it any more; nobody waits for the answer. */
void attempt_close_gateway(struct runner *r, int64_t task, int64_t fence);
void attempt_usage(struct attempt *a, const struct wire_usage *u);
void attempt_transcript_ready(struct attempt *a);
void attempt_shim_gone(struct attempt *a);

/* ---- runner_mend.c ---- */

/* The transcript of one whose shim was killed. Best effort. */
void attempt_mend(struct attempt *a);

/* ---- runner_sweep.c: directories that may be large go in a process of their own ---- */

/* Takes path, which lies in run/ or is a gone.<n>. slot >= 0 is taken until nothing is left. */
void sweep_dir(struct runner *r, char *take_path, int64_t slot);
/* The same when only files are left: at once, or as soon as it can be. */
void sweep_rest(struct runner *r, char *take_path, int64_t slot);
void sweep_all(struct runner *r); /* what an earlier life left, but for attempts */

#endif
