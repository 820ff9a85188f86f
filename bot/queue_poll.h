/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_poll - what the files of looking share.
 *
 *	queue_poll     one look at a repository, stage by stage; watermarks
 *	queue_places   which repositories are looked at
 *	queue_found    what was found becomes a delivery of our own
 *	queue_live     the issues that tasks are at work at
 *	queue_log      what a forge failed to deliver
 */
#ifndef BOT_QUEUE_POLL_H
#define BOT_QUEUE_POLL_H

#include "bot/queue.h"

#define POLL_FACT_TRIES 4
#define POLL_OVERLAP_MS 60000 /* forges' clocks and lists are late */
#define POLL_FIRST_MS   200
#define POLL_SOON_MS    1000
#define POLL_RARELY_MS  (60 * 60 * 1000)
#define POLL_LOG_MS     (72 * 3600 * INT64_C(1000)) /* so long GitHub keeps deliveries */
#define POLL_REPOS_MAX  200

enum poll_stage {
	POLL_LABELS,   /* open issues with the trigger label that changed since the last look */
	POLL_COMMENTS, /* comments since then */
	POLL_LIVE,     /* issues at which tasks are at work: is the label still there? */
	POLL_ORPHANS,  /* issues that say so, and no task is: once after each start */
	POLL_STAGE_COUNT,
};

/* A repository that is looked at. */
struct queue_poll {
	struct queue *q;
	struct queue_poll *next;
	char *forge;
	char *repo;
	int64_t repo_id;
	int64_t installation_id;
	char *default_branch;
	bool has_chores;  /* those of the configuration were looked up */
	bool is_searched; /* for orphans */
	bool is_quiet;    /* it has had no task, and nobody has named it */
	struct loop_timer *timer;
	enum poll_stage stage;
	size_t n_open;      /* questions of this stage */
	int64_t live_after; /* up to which task those at work were looked at; 0: all */
	int64_t newest_ms;  /* of what was found; the next watermark */
	bool is_ordered;    /* oldest first: a list that was cut goes on at its last */
	bool is_cut;        /* there is more than one answer holds */
	bool has_failed;
};

/* ---- queue_poll.c ---- */
struct queue_poll *queue_poll_add(struct queue *q, const struct store_repo *repo, int64_t first_ms);
/* A question of this stage was answered. */
void queue_poll_one_less(struct queue_poll *p);
/* Its comments count from now on, also those before the first look. */
void queue_poll_mark_now(struct queue_poll *p);
/* A question about an issue of the repository. */
void queue_poll_ask(
	struct queue_poll *p, const struct forge_op *what, queue_fact_cb *cb, void *ctx);
int64_t queue_poll_every_ms(const struct queue *q);
/* False: another node looks at forges and at the clock. */
bool queue_poll_is_ours(const struct queue *q);
/* A watermark of that name; 0 = none. */
int64_t queue_mark_get(struct queue *q, const char *key);
void queue_mark_set(struct queue *q, const char *key, int64_t ms);

/* ---- queue_found.c ---- */
/* An item of a list, on its way to becoming an event. */
void queue_found_item(struct queue_poll *p, const struct forge_item *i);
/* Stores an event; the guid says what makes it the same one again. */
void queue_found_store(struct queue_poll *p, const struct forge_event *ev, const char *guid);

/* ---- queue_live.c ---- */
void queue_live_look(struct queue_poll *p);
/* True if a task is at work at that issue. */
bool queue_live_has(const struct queue_poll *p, int64_t number);

/* ---- queue_log.c ---- */
/* repo NULL: the log of an App; else of the hook in that repository. */
void queue_log_add(struct queue *q, const char *forge, const struct queue_poll *place);
void queue_log_finish(struct queue *q);

#endif
