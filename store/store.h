/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - what must survive, and what each function of a driver promises.
 *
 * inbox (delivery) -> trigger -> task -> attempt -> effect. The semantic keys that make "once" true
 * are unique in the store itself, not in the caller's head: a delivery's id of its forge (only a
 * short cut), a trigger's key, one live task of an issue, one effect of a purpose.
 *
 * One driver is one const struct; drivers do not call each other, and everybody else sees only this
 * header. Functions return 0 or an ERR_ code. Where nothing else is said: ERR_MISSING is "no such
 * row", ERR_CONFLICT is "a key is taken" or "somebody else was first", ERR_LIMIT is a full disk,
 * ERR_SYSTEM is the disk or the database itself. Structs that come out are overwritten, not
 * finished, and are the caller's to finish. Times are wall milliseconds.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "store/tally.h"
#include "store/task.h"

/* A transcript's or a delivery's bytes on disk are compressed; these are ceilings of the plain
 * ones. */
#define STORE_KV_BYTES_MAX 65536

struct store_driver;

/* What every driver's own struct begins with. */
struct store {
	const struct store_driver *driver;
};

struct store_conf {
	/* SQLite: created if absent (0700); the database and its lock lie in it. */
	const char *dir;
	/* PostgreSQL: as libpq takes it ("postgres://user@host/database"), and a password or
	 * NULL. */
	const char *url;
	const char *password;
	/* PostgreSQL: who we are among the nodes that may have it open, 32 hex digits; NULL: nobody
	 * else may. And how long we may be silent before the others think that we are gone. */
	const char *node;
	int64_t lease_ms;
	bool is_durable; /* false: no fsync. For tests that show what the fsync is for */
	/* Where store/upkeep.h keeps backups, or NULL: a damaged store is then refused, not
	 * healed. */
	const char *backups;
	/* PostgreSQL: beside the one who has it open; only reads, and brings no schema up. */
	bool is_reader;
	void (*on_heal)(const char *text); /* what was lost and where the rest is; or NULL */
};

/* What may go. */
struct store_keep {
	int64_t deliveries_ms;  /* ended ones that came before this time */
	int64_t transcripts_ms; /* of tasks that were over before this time */
	int64_t max;            /* of each, in one call */
};

enum delivery_state { DELIVERY_NEW, DELIVERY_HANDLED, DELIVERY_IGNORED, DELIVERY_QUARANTINED };

struct delivery {
	int64_t id;
	char *forge;
	char *guid; /* NULL: the forge gave none */
	char *event;
	char *event_type;
	char *content_type;
	int64_t received_ms;
	int64_t state; /* enum delivery_state */
	char *reason;  /* of ignored and quarantined */
	int64_t strikes;
};
extern const struct row DELIVERY_ROWS[];
void delivery_finish(struct delivery *d);

/* A label of one issue. A generation starts when the label appears and ends when it goes. */
struct label_key {
	const char *forge;
	int64_t repo_id;
	int64_t number;
	const char *label;
};

struct attempt {
	int64_t task;
	int64_t number;
	int64_t fence;
	int64_t started_ms;
	int64_t ended_ms; /* 0 = under way */
	int64_t outcome;
	char *reason;
};
extern const struct row ATTEMPT_ROWS[];
void attempt_finish(struct attempt *a);

/* Pending: to be sent when not_before_ms has come. Sent: somebody may be performing it now. */
enum effect_state { EFFECT_PENDING, EFFECT_SENT, EFFECT_DONE, EFFECT_DEAD };

struct effect {
	int64_t id;
	int64_t task;   /* 0: of no task */
	char *purpose;  /* unique in its task */
	char *lane;     /* those of one task with the same lane are done strictly in order of id */
	char *scope;    /* whose rate limit it counts against; "": nobody's */
	int64_t what;   /* the caller's kind of effect */
	bool is_latest; /* a newer op replaces this one; else it happens once */
	bool is_urgent;
	bool must;     /* the task is not published before this is done or dead */
	char *op;      /* what to do, in the caller's words */
	char *digest;  /* of op, to see that nothing changed */
	char *next_op; /* came while op was under way: what to do after it */
	char *next_digest;
	int64_t state; /* enum effect_state */
	int64_t tries;
	int64_t not_before_ms;
	bool was_unknown; /* a try ended without an answer: look before creating */
	int64_t unknown_ms;
	int64_t code; /* of the last try */
	char *text;
	char *answer; /* of the last one that was done */
	int64_t created_ms;
	int64_t done_ms;   /* the last time it was done; 0 = never */
	int64_t edited_ms; /* the same, but not the first time */
};
extern const struct row EFFECT_ROWS[];
void effect_finish(struct effect *f);

struct effect_ask {
	const char *scope;
	int64_t now_ms;
	bool is_spare; /* leave the rest alone: what is neither urgent nor happens once */
};

/* A repository that has had a task, under its newest name. */
struct store_repo {
	char *forge;
	char *repo;
	int64_t repo_id;
	int64_t installation_id;
};
extern const struct row STORE_REPO_ROWS[];

struct transcript {
	char *cast;
	char *text;
};

/* A task is a node's from its claim until it is queued again or the node is gone; one that is no
 * node's is the leader's. Where there is one node only, everything is its. */
enum store_whose { WHOSE_ANY, WHOSE_OWN, WHOSE_MINE /* the leader's, too, if we lead */ };

/* Which tasks: state bits (1 << state), newest first or oldest first, at most limit. */
struct task_filter {
	uint32_t states;
	enum store_whose whose;
	const char *forge; /* NULL = any; else the repository or issue below */
	int64_t repo_id;
	int64_t number;   /* 0 = all of the repository */
	int64_t after_id; /* ids above (below if newest_first); 0 = from the start */
	bool newest_first;
	int64_t limit;
};
#define TASK_BIT(state) (1u << (state))
#define TASKS_RUNNER    (TASK_BIT(TASK_PREPARING) | TASK_BIT(TASK_RUNNING) | TASK_BIT(TASK_GATING))
/* At work: no second one may fix the same issue. */
#define TASKS_LIVE (TASKS_RUNNER | TASK_BIT(TASK_QUEUED) | TASK_BIT(TASK_PUBLISHING))
#define TASKS_FINAL                                                                                \
	(TASK_BIT(TASK_SUCCEEDED) | TASK_BIT(TASK_FAILED) | TASK_BIT(TASK_STOPPED) |               \
		TASK_BIT(TASK_QUARANTINED))
/* Nothing happens any more unless a person says so. */
#define TASKS_OVER (TASKS_FINAL | TASK_BIT(TASK_WAITING))

struct task_claim {
	int64_t now_ms;
	int64_t lease_ms;    /* end of the lease, boot clock */
	int64_t running_max; /* of all of this node */
	int64_t lane_max;    /* of one repository */
};

/* How we stand with the others. */
struct store_node {
	bool leads;      /* one does: it does what is nobody's, as long as its connection lasts */
	bool has_silent; /* somebody is gone, and it is time for bury */
	int64_t n_nodes; /* that live, ourselves included */
	int64_t lease_ends_ms; /* until then nobody can think that we are gone; boot clock */
};

/* What a store does besides that several nodes have open at once. Everything that a node writes it
 * writes in a transaction that holds the node's own row; it is given up by taking this row out. So
 * what was begun by one who was given up is never committed, by whichever way he comes back.
 *
 * No clock of one machine is compared with that of another: who is gone is who did not change his
 * row for its lease, by the looker's own clock, and a lease counts from before it was asked
 * for. */
struct store_shared {
	/* Outside of a transaction, every few seconds: shows that we live, and looks at the others.
	 * ERR_DENIED: we were given up; what this process knows is not true any more. */
	int (*beat)(struct store *s, struct store_node *out, struct err *e);
	/* In a transaction: the next node that is gone is taken out, and what it was sending is to
	 * be sent again, with an unknown outcome. *name: its, owned. *tasks: struct task without
	 * prompt of all that it had at work; they are no node's now. ERR_MISSING: nobody is gone,
	 * or somebody else was faster. */
	int (*bury)(struct store *s, char **name, struct row_list *tasks, struct err *e);
	/* True once after others have committed something that we may be waiting for. Asked as
	 * often as one likes; fd is readable when it is time. */
	bool (*heard)(struct store *s);
	/* Of the connection; -1: there is none. Another turn is another connection. */
	int (*fd)(struct store *s, uint64_t *turn);
};

struct store_driver {
	const char *name;
	const struct store_shared *shared; /* NULL: one node only */

	/* Opens or creates, migrates to the newest schema, checks what was not closed properly.
	 * ERR_BUSY: another process has it open. ERR_INVALID: not ours, written by a program that
	 * is newer by more than one schema, or damaged beyond what backups can mend; the text says
	 * which. Never empty where there was something: a store that is gone is refused as long as
	 * there are backups of it. What was created is on the disk, directory entry included, when
	 * this returns. */
	int (*open)(const struct store_conf *c, struct store **out, struct err *e);
	/* NULL is fine. An open transaction is rolled back. */
	void (*close)(struct store *s);

	/* A transaction. When commit has returned 0 everything in it survives the loss of power.
	 * After any other return nothing of it may be acknowledged, and the transaction is over;
	 * after ERR_SYSTEM the store must be closed and opened anew, since a kernel forgets what a
	 * failed fsync did not write. */
	int (*begin)(struct store *s, struct err *e);
	int (*commit)(struct store *s, struct err *e);
	void (*rollback)(struct store *s);

	/* To be called outside of a transaction while nobody waits: what would otherwise be done by
	 * a commit, much later. */
	void (*rest)(struct store *s);

	/* Something looked wrong: the next open checks everything, and heals. */
	void (*suspect)(struct store *s);

	/* A part of the open transaction that can be undone alone. Not nested. */
	int (*part_begin)(struct store *s, struct err *e);
	int (*part_keep)(struct store *s, struct err *e);
	void (*part_undo)(struct store *s);

	/* ---- inbox ---- */

	/* ERR_CONFLICT if the forge's id is here already; *id is that one then. d->id and state are
	 * not read. */
	int (*delivery_add)(struct store *s, const struct delivery *d, const void *body, size_t len,
		int64_t *id, struct err *e);
	/* The new delivery with the smallest id above after. */
	int (*delivery_next)(struct store *s, int64_t after, struct delivery *out, struct err *e);
	int (*delivery_get)(struct store *s, int64_t id, struct delivery *out, struct err *e);
	int (*delivery_body)(struct store *s, int64_t id, struct buf *out, struct err *e);
	/* True if the forge's delivery of that id is here. */
	int (*delivery_has)(
		struct store *s, const char *forge, const char *guid, bool *out, struct err *e);
	/* Only a new one ends: ERR_CONFLICT otherwise. */
	int (*delivery_end)(struct store *s, int64_t id, enum delivery_state state,
		const char *reason, struct err *e);
	int (*delivery_strike)(struct store *s, int64_t id, int64_t *strikes, struct err *e);

	/* ---- labels ---- */

	/* on starts a generation if none is on, else ends the one that is on. *generation is the
	 * current or last one, 0 if there was none. */
	int (*label_set)(struct store *s, const struct label_key *k, bool on, int64_t *generation,
		struct err *e);
	/* No row: generation 0, off; not an error. */
	int (*label_get)(struct store *s, const struct label_key *k, int64_t *generation,
		bool *is_on, struct err *e);

	/* ---- trigger and task ---- */

	/* Both rows or none. Sets t->id, to that number or one above it. ERR_CONFLICT: the trigger
	 * was seen before (*was_seen), or the issue has a live task that excludes this one (verb
	 * fix). */
	int (*task_add)(struct store *s, const char *trigger, int64_t delivery, struct task *t,
		bool *was_seen, struct err *e);
	/* In a transaction nobody else changes what this, effect_get, effect_find and effect_list
	 * gave until its end. Whoever wants a task and its effects asks for the task first. */
	int (*task_get)(struct store *s, int64_t id, struct task *out, struct err *e);
	int (*task_get_page)(struct store *s, const char *page, struct task *out, struct err *e);
	/* struct task each, without prompt. */
	int (*task_list)(
		struct store *s, const struct task_filter *f, struct row_list *out, struct err *e);
	/* Saves what can change. ERR_CONFLICT if the stored fence is another: t was claimed since
	 * it was read. */
	int (*task_save)(struct store *s, const struct task *t, struct err *e);
	/* A queued task is not claimed before that time. */
	int (*task_hold)(struct store *s, int64_t id, int64_t not_before_ms, struct err *e);
	/* How many queued tasks are older than this one, plus one; TASK_PLACE_MAX also stands for
	 * any more. 0: it is not queued. */
	int (*task_place)(struct store *s, int64_t id, int64_t *place, struct err *e);
	/* struct store_repo each, those with the newest tasks first. */
	int (*repo_list)(struct store *s, int64_t limit, struct row_list *out, struct err *e);
	int (*task_count)(struct store *s, uint32_t states, int64_t *count, struct err *e);

	/* Takes the oldest queued task of the repository with the fewest running ones, lane and cap
	 * permitting: preparing, attempt and fence one higher, an attempt row. ERR_MISSING: none
	 * may start now. */
	int (*task_claim)(
		struct store *s, const struct task_claim *c, struct task *out, struct err *e);
	/* ERR_CONFLICT if the fence is not the current one or no runner may hold the task now. */
	int (*task_renew)(
		struct store *s, int64_t id, int64_t fence, int64_t lease_ms, struct err *e);

	int (*attempt_end)(struct store *s, const struct attempt *a, struct err *e);
	int (*attempt_list)(struct store *s, int64_t task, struct row_list *out, struct err *e);
	/* A step is known by task, attempt and name: the second time updates it. */
	int (*step_put)(struct store *s, int64_t task, const struct task_step *step, struct err *e);
	int (*step_list)(struct store *s, int64_t task, struct row_list *out, struct err *e);

	int (*transcript_put)(struct store *s, int64_t task, int64_t attempt,
		const struct transcript *t, struct err *e);
	/* Of the newest attempt that has one. cast or text may be NULL: not wanted. */
	int (*transcript_get)(
		struct store *s, int64_t task, struct buf *cast, struct buf *text, struct err *e);

	/* ---- outbox ---- */

	/* Sets f->id. ERR_CONFLICT: the purpose is taken. */
	int (*effect_add)(struct store *s, struct effect *f, struct err *e);
	int (*effect_get)(struct store *s, int64_t id, struct effect *out, struct err *e);
	/* Of which task it is, and nothing else. */
	int (*effect_task)(struct store *s, int64_t id, int64_t *task, struct err *e);
	int (*effect_find)(struct store *s, int64_t task, const char *purpose, struct effect *out,
		struct err *e);
	int (*effect_save)(struct store *s, const struct effect *f, struct err *e);
	int (*effect_list)(struct store *s, int64_t task, struct row_list *out, struct err *e);
	/* It was never there; its purpose is free. */
	int (*effect_drop)(struct store *s, int64_t id, struct err *e);
	/* Of what is mine and of that scope: ids of effects that are due and first in their lane;
	 * none of a task that has one under way, and one of each task. Urgent ones first, then what
	 * happens once, then the rest; of those alike the one that could have gone for longest. At
	 * most max; *n says how many. Costs the same however many others wait. */
	int (*effect_due)(struct store *s, const struct effect_ask *ask, int64_t *ids, size_t max,
		size_t *n, struct err *e);
	/* The next scope after that name that has something pending, owned. ERR_MISSING: none. */
	int (*effect_scope)(struct store *s, const char *after, char **scope, struct err *e);
	/* When the next pending one of mine is due; ERR_MISSING if none is pending. */
	int (*effect_next_ms)(struct store *s, int64_t *at_ms, struct err *e);
	/* After a start: whatever we had under way is pending again with an unknown outcome. */
	int (*effect_resume)(struct store *s, int64_t now_ms, int64_t *n, struct err *e);

	/* The clock was set: every time at which something may go on, or is late, moves along. */
	int (*waits_move)(struct store *s, int64_t by_ms, struct err *e);

	/* ---- upkeep ---- */

	/* Reads whole tables: not while somebody waits. */
	int (*tally)(struct store *s, struct store_tally *out, struct err *e);
	/* Takes out what may go, the oldest first; *n says how many rows. What has no reason to be
	 * over stays. */
	int (*prune)(struct store *s, const struct store_keep *k, int64_t *n, struct err *e);

	/* ---- small things ---- */

	int (*kv_get)(struct store *s, const char *key, struct buf *out, struct err *e);
	int (*kv_put)(struct store *s, const char *key, const char *value, struct err *e);
};

extern const struct store_driver STORE_POSTGRES;
extern const struct store_driver STORE_SQLITE;

#endif
