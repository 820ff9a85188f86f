/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers - what the bot does about an event. Pure: no I/O, no clock, no randomness.
 *
 * handlers_decide takes an event, the facts known so far and what the store knows, and returns
 * intents. If a fact is missing the only intents are INTENT_FACT: fetch them (each answer, also a
 * failed one, becomes a struct fact) and decide again. Otherwise apply all intents in one
 * transaction with marking the delivery handled.
 */
#ifndef HANDLERS_HANDLERS_H
#define HANDLERS_HANDLERS_H

#include "forge/forge.h"
#include "store/task.h"

/* ---- What goes in ---- */

/* From the configuration; borrowed. */
struct handler_conf {
	const char *label;        /* "agent"; state labels are label:running and so on */
	const char *bot_user;     /* our own login on this forge, or NULL if not known yet */
	int64_t bot_user_id;      /* 0 if not known yet */
	const char *public_url;   /* no slash at the end, or NULL */
	const struct strs *repos; /* globs of repositories we serve; empty = all */
	const struct forge_caps *caps;
	const struct forge_conf *forge;
	const char *const *agents; /* names that --agent may give, NULL-terminated */
	bool logs_to_git; /* push transcripts to refs/agent-logs/<task> where nothing can be
			     attached */
};

/* An answer to an INTENT_FACT: code is 0 or the ERR_ code after retries. OP_COMMENT_LAST is
 * answered only if its mark is ours and its task, answer.number, is not in the store, or was put
 * there without having been done (then without a body): else ERR_MISSING. */
struct fact {
	int64_t kind; /* enum forge_op_kind */
	char *user;   /* OP_PERMISSION: of whom */
	int64_t code;
	struct forge_answer answer;
};

struct facts {
	struct fact *v;
	size_t n;
};
void facts_finish(struct facts *f);

/* What the store knows of the event's issue or pull request; borrowed, any may be NULL. */
struct handler_world {
	const struct task *live; /* not final */
	const struct task *last; /* newest final one */
	int64_t generation;      /* of the trigger label here; 0 = never seen */
	bool label_is_on; /* the generation has not ended: a person or, by the queue when a task is
			     claimed, we end it */
	bool running_is_on; /* the purpose "running" of live is done: our state label is there */
	int64_t place;      /* of live in the queue, up to TASK_PLACE_MAX; 0 = it has begun */
	int64_t now_ms;     /* wall time */
	int64_t since_ms;   /* what happened before that may have been answered by a store that is
			       lost; 0: nothing is */
};

struct handler_in {
	const struct handler_conf *conf;
	const char *forge; /* configured name */
	const struct forge_event *event;
	const struct facts *facts;
	const struct handler_world *world;
};

/* ---- What comes out ---- */

enum intent_kind {
	INTENT_FACT,       /* op: fetch it and decide again */
	INTENT_IGNORE,     /* text: why; nothing else happens for this part of the event */
	INTENT_GENERATION, /* on: a generation of the trigger label starts (if none is on) or ends
			    */
	INTENT_TASK,   /* task (without page, marker), key: trigger key, UNIQUE; a second one is a
			  duplicate. task.id: 0, or it gets at least that number */
	INTENT_STOP,   /* id: task; text: by whom; reason: for people */
	INTENT_EFFECT, /* op, key: UNIQUE over all effects; op.marker, if set, is a marker's name */
	INTENT_KIND_COUNT,
};

struct intent {
	enum intent_kind kind;
	char *key;
	char *text;
	char *reason;
	int64_t id;
	bool on;
	struct task task;
	struct forge_op op;
};

struct intents {
	struct intent *v;
	size_t n;
};
void intents_finish(struct intents *i);
/* True if there is at least one INTENT_FACT. */
bool intents_want_facts(const struct intents *i);

/* Appends intents for the event; at least one, an INTENT_IGNORE if nothing is to be done. */
void handlers_decide(const struct handler_in *in, struct intents *out);

/* ---- What a task wants of the forge ---- */

/* An effect that should exist. The queue compares with the outbox: a purpose that is not there is
 * added; one that is there with mode EFFECT_LATEST and another op is sent again (newest wins,
 * unsent ones are replaced); anything else is left alone. */
/* Gitea takes .log and .txt by default, but not .cast ("attachment.ALLOWED_TYPES" of its
 * configuration cheat sheet). */
#define ATTACH_CAST ".cast.log"
#define ATTACH_TEXT ".txt"

enum effect_mode { EFFECT_ONCE, EFFECT_LATEST };
enum effect_do {
	EFFECT_OP,   /* forge operation */
	EFFECT_PUSH, /* op.ref = branch, op.sha = commit, op.base = expected old commit or NULL */
	EFFECT_PUSH_LOGS, /* transcript to refs/agent-logs/<task> */
	EFFECT_ATTACH,    /* op.name ends in ATTACH_CAST or ATTACH_TEXT: the transcript */
};
struct effect_plan {
	const char *purpose; /* literal, unique per task: "sticky", "push", "pull", ... */
	enum effect_do what;
	enum effect_mode mode;
	bool is_urgent;     /* a state change: not held back by coalescing, though by rate limits */
	bool must;          /* the task is not published before this is done */
	struct forge_op op; /* marker: name of the marker that starts the body, e.g. "task=17" */
};
struct effect_plans {
	struct effect_plan *v;
	size_t n;
};
void effect_plans_finish(struct effect_plans *p);

struct effects_in {
	const struct handler_conf *conf;
	const struct task *task;
	const struct task_step *steps;
	size_t n_steps;
	int64_t place;  /* in the queue, up to TASK_PLACE_MAX; 0 = begun */
	int64_t now_ms; /* wall time; only whole minutes of it are shown, so that nothing is edited
			   for a second's sake */
	bool pushed;    /* the purpose "push" is done */
	bool push_refused; /* it is dead: somebody else's commits are there, or the forge refused */
	bool logs_done;    /* "logs" is done or dead, or there is nothing to push */
	bool attach_refused; /* an attachment is dead: the forge is old, or takes none */
};

/* Everything that should have happened on the forge for the task as it stands, in the order in
 * which it should be done. */
void effects_plan(const struct effects_in *in, struct effect_plans *out);

/* True if the outcome leaves work worth a branch. */
bool outcome_has_work(const struct task *t);

/* Final state that a published task gets: succeeded, failed, stopped, or waiting for a human. */
enum task_event publish_event(const struct task *t);

/* ---- Texts ---- */

/* SHA-256, hex, over what the requester saw: title, body, comment. out has 65 bytes. */
void input_hash(const char *title, const char *body, const char *comment, char out[65]);

/* Commit message without trailers; trailers. conf of the commit comes from the caller. */
void commit_message(const struct task *t, struct buf *out);

#endif
