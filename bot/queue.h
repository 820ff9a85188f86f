/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue - what the files of the queue role share.
 *
 * Everything that must survive is in the store; what is in memory can be asked again. A round of
 *the loop is one transaction: whatever was written in it is committed at its end, and only then is
 * anything said to anybody. So a peer that heard of something finds it again after any crash.
 *
 *	queue_intake    DELIVERY -> inbox -> STORED
 *	queue_decode    inbox -> decoder -> event
 *	queue_case      event -> facts -> handlers -> intents
 *	queue_lost      what a store that is lost has done
 *	queue_trial     what ends the queue each time is put aside
 *	queue_apply     intents -> store, in one transaction
 *	queue_dispatch  CLAIM -> claim -> START; leases; STOP
 *	queue_task      what happens to a task: progress, end, loss, stop, publication
 *	queue_plan      what should exist on the forge -> outbox
 *	queue_outbox    outbox -> courier -> answers
 *	queue_pick      whose turn it is in the outbox
 *	queue_push      authority, asked again before the push
 *	queue_nodes     other queues on the same store
 *	queue_poll      what nobody told us, looked for on a timer; its parts are in queue_poll.h
 *	queue_chore     chores that are due
 *	queue_query     pages
 *	queue_care      backups, checks, old rows
 *	queue_clock     what waits when the clock is set
 */
#ifndef BOT_QUEUE_H
#define BOT_QUEUE_H

#include "base/clock.h"
#include "bot/courier_budget.h"
#include "bot/roles.h"
#include "handlers/handlers.h"
#include "store/store.h"

#define QUEUE_LABEL   "agent"
#define QUEUE_EDIT_MS 10000 /* a comment is edited at most that often */

/* Work that a commit may have made possible; looked at when the round is over. */
enum queue_wake {
	WAKE_DECODE = 1,
	WAKE_CASES = 2,
	WAKE_DISPATCH = 4,
	WAKE_OUTBOX = 8,
};

struct queue_care;
struct queue_case;
struct queue_chore;
struct queue_fact;
struct queue_flight;
struct queue_listing;
struct queue_log;
struct queue_nodes;
struct queue_poll;
struct queue;

/* Called when the round is over; committed says whether the round's writes are on the disk. */
typedef void queue_after_cb(struct queue *q, void *ctx, bool committed);

/* A forge as the handlers see it; rebuilt when the configuration changes. */
struct queue_forge {
	char *name;
	struct forge_conf conf;
	struct handler_conf handlers;
	const char **agents; /* NULL-terminated, borrowed names */
	char *bot_user;
	int64_t bot_user_id;
	bool is_known; /* the forge has said who we are there, or that it will not say */
	bool is_asking;
};

/* An attempt that a runner should be working at. */
struct queue_held {
	int64_t task;
	int64_t fence;
	int64_t lease_ms;  /* end, boot clock */
	int64_t stored_ms; /* the same as it stands in the store */
	bool is_committed; /* the claim is on the disk */
	bool was_started;  /* START was said since the last CLAIM without it */
	bool was_seen;     /* the runner has said that it has it */
	bool has_begun;    /* its first box runs */
	bool stop_wanted;
};

/* What was written to a forge lately, through one installation. */
struct queue_bucket {
	char *scope;
	struct budget spent;
};

/* A marker's text, asked of the keeper once. */
struct queue_marker {
	char *name;
	char *text; /* NULL: not answered yet */
	struct queue_asking *asking;
};

struct queue {
	struct role_ctx *role;
	struct store *store;
	const struct store_driver *db;
	char *store_password; /* NULL: none */
	int64_t started_ms;   /* wall clock */
	int64_t speed;        /* 1; tests let the waits pass faster */
	bool is_stopping;

	/* The round. */
	bool is_open; /* a transaction is open */
	bool is_intake_only;
	bool is_busy; /* something was committed since the last tick */
	struct loop_timer *round_timer;
	unsigned wake;
	struct {
		queue_after_cb *cb;
		void *ctx;
	} * after;
	size_t n_after;
	size_t after_cap;

	struct queue_forge *forges;
	size_t n_forges;

	int trial_fd;    /* 0: there is no file */
	unsigned trials; /* one in another */

	/* The decoder works at one delivery at a time, so that a strike has one cause. */
	uint64_t decode_call;
	int64_t decode_id;
	int64_t decode_after;
	bool decode_is_cut; /* it did not answer; the master replaces it */

	struct queue_case *cases; /* oldest first */
	size_t n_cases;
	struct queue_fact *facts;

	struct queue_held *held;
	size_t n_held;
	int64_t free_slots; /* as of the last CLAIM, less what was started since */
	int64_t held_slots; /* the same: nobody gets them, because boxes do not end */
	bool is_disk_low;   /* the same: nobody gets any, because the disk is nearly full */
	int64_t claimed_ms; /* when that came, boot clock */
	int64_t quiet_ms;   /* since when effects let starts pass, boot clock; 0: they do not */

	struct queue_flight *flights;
	size_t n_flights;
	char *pick_after; /* the scope that was the last to get a turn; NULL: all got theirs */
	struct loop_timer *outbox_timer;
	struct queue_bucket *buckets;
	size_t n_buckets;
	struct queue_marker *markers;
	size_t n_markers;

	struct store_node node;    /* as of the last beat; alone: leads */
	struct queue_nodes *nodes; /* NULL: alone */

	struct queue_poll *polls;
	struct queue_listing *listings;
	struct queue_log *logs;
	struct queue_chore *chores;
	struct loop_timer *chore_timer;
	struct loop_timer *tick_timer;
	int64_t ticks;
	int64_t swept_work;   /* up to which task those at work were looked at */
	int64_t swept_queued; /* the same of those that wait */

	struct queue_care *care;        /* under way, or NULL */
	int64_t care_at_ms;             /* the next one, wall clock; 0: not known yet */
	int64_t checked_ms;             /* when every page was last looked at */
	int64_t clock_offset_ms;        /* wall minus boot clock, as all that waits knows it */
	int64_t keep_until_ms;          /* wall clock; until then nothing is old */
	char boot[CLOCK_BOOT_ID_BYTES]; /* "": not known */
	bool clock_is_theirs;           /* the times in the store are not ours to move */
	struct store_tally tally;       /* as of tally_ms */
	int64_t tally_ms;               /* 0: not yet */
};

/* ---- queue.c ---- */
struct queue_forge *queue_forge_find(struct queue *q, const char *name);
/* A wait of ms, as this queue's clock goes. */
int64_t queue_wait_ms(const struct queue *q, int64_t ms);
/* For tests: every wait that begins from now on takes 1/speed of its time. */
void queue_hasten(struct queue *q, int64_t speed);
/* The role cannot go on; it ends and is started again. */
void queue_fatal(struct queue *q, const char *event, const struct err *e);

/* ---- queue_round.c ---- */
/* Opens the round's transaction if it is not open. On error the role is ending. */
int queue_begin(struct queue *q);
/* The same for what is answered with "no" when the disk is full, instead of ending the role. */
int queue_begin_intake(struct queue *q, struct err *e);
void queue_after(struct queue *q, queue_after_cb *cb, void *ctx);
void queue_wake(struct queue *q, unsigned wake);
void queue_round_finish(struct queue *q);

/* ---- queue_each.c ---- */
/* t is without its prompt. What is not 0 ends the walk. */
typedef int queue_each_cb(struct queue *q, struct task *t, void *ctx, struct err *e);
int queue_each_task(
	struct queue *q, const struct task_filter *f, queue_each_cb *cb, void *ctx, struct err *e);
/* take_list is emptied. */
int queue_each_of(
	struct queue *q, struct row_list *take_list, queue_each_cb *cb, void *ctx, struct err *e);

/* ---- queue_intake.c ---- */
void queue_delivery(struct queue *q, struct msg *m);
/* Stores a delivery; ERR_CONFLICT: it is here already. */
int queue_intake_add(struct queue *q, const struct forge_delivery *d, const char *body, size_t len,
	int64_t *id, struct err *e);

/* ---- queue_decode.c ---- */
void queue_decode_pump(struct queue *q);
void queue_decode_gone(struct queue *q); /* the decoder died */

/* ---- queue_case.c ---- */
/* take_ev is emptied. */
void queue_case_add(struct queue *q, const struct delivery *d, struct forge_event *take_ev);
bool queue_case_has_room(const struct queue *q);
void queue_case_pump(struct queue *q);
void queue_case_finish(struct queue *q);

/* ---- queue_world.c: what the store knows of an issue ---- */
struct queue_world {
	struct task live;
	struct task last;
	struct handler_world view; /* points into this struct */
};
int queue_world_load(struct queue *q, const struct forge_event *ev, const char *forge,
	struct queue_world *out, struct err *e);
void queue_world_finish(struct queue_world *w);

/* ---- queue_lost.c ---- */
/* Makes of an answer to OP_COMMENT_LAST what the handlers are to see. False: the keeper has yet to
 * say whether the mark is ours, and WAKE_CASES follows. */
bool queue_lost_judge(
	struct queue *q, const struct forge_event *ev, const char *forge, struct fact *f);

/* ---- queue_trial.c ---- */
/* Around whatever could end this process; what: "delivery" or "task". where: its place on the
 * forge, or NULL. One within another is the outer one's. */
void queue_trial_begin(struct queue *q, const char *what, int64_t id, const struct forge_op *where);
void queue_trial_end(struct queue *q);
/* Counts a strike for what the last process was at when it ended. */
int queue_trial_start(struct queue *q, struct err *e);
void queue_trial_finish(struct queue *q);
/* Nothing more is to be thought about t. */
bool queue_trial_is_aside(struct queue *q, const struct task *t);

/* ---- queue_apply.c ---- */
/* All intents and the delivery's end, or nothing. */
int queue_apply(struct queue *q, const struct delivery *d, const struct handler_in *in,
	struct intents *intents, struct err *e);

/* ---- queue_fact.c ---- */
/* f is the callback's to take from. Comes once, after as many repetitions as it takes; f is NULL
 * when the role ends before. */
typedef void queue_fact_cb(struct queue *q, void *ctx, struct fact *f);
void queue_fact_ask(
	struct queue *q, const struct forge_op *op, int64_t tries, queue_fact_cb *cb, void *ctx);
void queue_fact_finish(struct queue *q);
/* True for codes after which the same question may get another answer. */
bool queue_is_transient(int64_t code);
int64_t queue_backoff_ms(const struct queue *q, int64_t tries);

/* ---- queue_dispatch.c ---- */
int queue_dispatch_load(struct queue *q, struct err *e);
void queue_claim(struct queue *q, const struct wire_claim *c);
void queue_dispatch_pump(struct queue *q);
void queue_dispatch_tick(struct queue *q);
void queue_dispatch_begun(struct queue *q, int64_t task);
/* True for a moment while attempts are about to begin: what is told to a forge can wait so long. */
bool queue_dispatch_goes_first(struct queue *q);
void queue_dispatch_forget(struct queue *q, int64_t task);
void queue_dispatch_stop(struct queue *q, int64_t task);
void queue_dispatch_finish(struct queue *q);

/* ---- queue_task.c ---- */
void queue_progress(struct queue *q, const struct wire_progress *p);
void queue_done(struct queue *q, struct msg *m);
/* The attempt is gone without a word. */
int queue_task_lost(struct queue *q, int64_t task, const char *why, struct err *e);
int queue_task_stop(
	struct queue *q, int64_t task, const char *by, const char *reason, struct err *e);
/* Its node is gone, and with it everything of the task that is not in the store. */
int queue_task_orphaned(struct queue *q, int64_t task, struct err *e);
/* Moves t by the event; changed_ms is set. */
int queue_task_event(struct queue *q, struct task *t, enum task_event ev, struct err *e);

/* ---- queue_publish.c ---- */
/* Plans what the forge should show of t, ends its publication if everything it waits for is done,
 * and saves t. */
int queue_settle(struct queue *q, struct task *t, struct err *e);
/* The same for a task by number. */
int queue_settle_id(struct queue *q, int64_t task, struct err *e);
/* The task has been in publication for too long: what it waits for is given up. */
int queue_publish_late(struct queue *q, int64_t task, struct err *e);

/* ---- queue_plan.c ---- */
struct queue_plan_result {
	bool must_wait; /* something that publication waits for is not done */
	char *refused;  /* a push or pull request that will never be; owned */
};
int queue_plan(struct queue *q, const struct task *t, struct queue_plan_result *out, struct err *e);
/* One effect of no task. ERR_CONFLICT: it was wanted before. */
int queue_plan_one(struct queue *q, const char *key, const struct forge_op *op, struct err *e);
/* op as it is kept in the outbox, and back. */
int queue_op_write(const struct forge_op *op, struct buf *out, struct err *e);
int queue_op_read(const char *text, struct forge_op *out, struct err *e);

/* ---- queue_outbox.c ---- */
void queue_outbox_pump(struct queue *q);
void queue_outbox_gone(struct queue *q); /* the courier died: outcomes are unknown */
void queue_outbox_finish(struct queue *q);

/* ---- queue_pick.c ---- */
/* Effects that may go out now, at most max. */
int queue_pick(struct queue *q, int64_t now_ms, int64_t *ids, size_t max, size_t *n, struct err *e);

/* ---- queue_answer.c ---- */
struct queue_answer {
	int64_t code;
	const char *text;
	int64_t retry_after_ms;
	const struct forge_answer *answer; /* NULL: none */
};
/* What became of an effect that was under way. */
int queue_answered(struct queue *q, int64_t effect, const struct queue_answer *a, struct err *e);

/* ---- queue_push.c ---- */
/* Asks whether the task may still be pushed; cb with code 0, ERR_DENIED and the reason, or a
 * transient code. */
typedef void queue_push_cb(struct queue *q, int64_t effect, int64_t code, const char *text);
/* The task's text was changed by somebody who may. */
int queue_push_note_edit(struct queue *q, int64_t task, struct err *e);
/* The work of t was lost with its node, which may have pushed it or still do. */
int queue_push_note_late(struct queue *q, const struct task *t, struct err *e);
/* f, a push, met another commit on its branch. 1: it may be the one of a node that is gone, and f
 * is to take its place; 0: it is not ours. */
int queue_push_late(struct queue *q, struct effect *f, struct err *e);
void queue_push_check(struct queue *q, const struct task *t, int64_t effect, queue_push_cb *cb);

/* ---- queue_bucket.c ---- */
/* For what there is room in a scope; a third is kept for what is more than progress. */
enum queue_room { ROOM_NONE, ROOM_RESULTS, ROOM_ALL };
/* Times of the boot clock. */
enum queue_room queue_bucket_room(struct queue *q, const char *scope, int64_t now_ms);
/* True: a write may go out now, and is counted. */
bool queue_bucket_take(struct queue *q, const char *scope, bool is_result, int64_t now_ms);
/* The forge asked for peace until then, boot clock. In a round's transaction. */
void queue_bucket_close(struct queue *q, const char *scope, int64_t until_ms);
/* A new courier is told which forges asked for it. */
void queue_bucket_peace(struct queue *q);
void queue_bucket_finish(struct queue *q);

/* ---- queue_marker.c ---- */
/* The text of a marker, or NULL: it was asked for, and a wake follows. */
const char *queue_marker(struct queue *q, const char *name);
void queue_marker_finish(struct queue *q);

/* ---- queue_query.c ---- */
void queue_query(struct queue *q, struct msg *m);

/* ---- queue_care.c ---- */
/* Once a minute, in the round's transaction. */
int queue_care_sweep(struct queue *q, struct err *e);
void queue_care_finish(struct queue *q);

/* ---- queue_nodes.c ---- */
int queue_nodes_start(struct queue *q, struct err *e);
/* The courier is new. */
void queue_nodes_greet(struct queue *q);
void queue_nodes_finish(struct queue *q);

/* ---- queue_clock ---- */

int queue_clock_start(struct queue *q, struct err *e);
/* Was the clock set? Before anything that waits is looked at; and in a transaction, before anything
 * is written in it. */
void queue_clock_look(struct queue *q);
int queue_clock_follow(struct queue *q, struct err *e);
int queue_clock_note(struct queue *q, struct err *e);

/* ---- queue_places.c ---- */
int queue_poll_start(struct queue *q, struct err *e);
/* The configuration was changed: forges and repositories that are new are looked at. */
void queue_poll_follow(struct queue *q);
/* The repository of a new task; looked at from now on. */
void queue_poll_learn(struct queue *q, const struct task *t);
void queue_poll_finish(struct queue *q);

/* ---- queue_chore.c ---- */
/* At the start, and when the configuration was changed. */
void queue_chore_load(struct queue *q);
/* A task of a chore was made: the next time begins where it ended. */
int queue_chore_learn(struct queue *q, const struct task *t, struct err *e);
void queue_chore_finish(struct queue *q);

#endif
