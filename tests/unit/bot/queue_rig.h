/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_rig - the real queue role, and at the other ends of its links peers of our own making.
 *
 * The courier remembers what it did to its forge (comments by marker, pull requests by branch), as
 * a forge would, so that "exactly one" can be asked for. The decoder's bytes are row-packed events,
 * made by the test. Waits of the queue pass a hundred times faster.
 */
#ifndef TESTS_UNIT_BOT_QUEUE_RIG_H
#define TESTS_UNIT_BOT_QUEUE_RIG_H

#include "bot/queue.h"

#define RIG_REPO   77
#define RIG_THINGS 64

/* A comment or pull request on the forge. */
struct rig_thing {
	char *name; /* marker, branch */
	char *body;
	int64_t number; /* of the issue */
	int64_t id;
	int64_t edits;
};

struct rig {
	struct loop *loop;
	char dir[64];
	struct config config;
	struct config_forge forge_conf;
	struct config_agent agent_conf;
	/* role_cut_peer looks behind the context, where the program keeps its peers. */
	struct {
		struct role_ctx r;
		char room[16384];
	} ctx;
	struct queue *q;
	struct msg_link *peers[ROLE_COUNT]; /* the other ends */

	/* What the forge says. */
	int64_t permission;
	int64_t author_permission; /* of "stranger" */
	char *title;
	char *body;
	bool label_is_there;
	int64_t label_event;
	int64_t label_code;         /* of the question who set it; not 0: no answer */
	char *comment;              /* of OP_COMMENT; NULL: it is gone */
	char *new_body;             /* what the body is from the end of the attempt on */
	int64_t new_permission;     /* of "writer" from then on; -1: the same */
	struct forge_item items[2]; /* of labels, of comments; number 0: none */
	struct forge_item orphan;   /* an issue with the label agent:running; number 0: none */
	int64_t last_ms;            /* when our comments were made, says OP_COMMENT_LAST */
	bool pull_is_closed;
	int64_t fact_code; /* not 0: the answer to every question */

	/* What happened to the forge. */
	struct rig_thing comments[RIG_THINGS];
	size_t n_comments;
	struct rig_thing pulls[RIG_THINGS];
	size_t n_pulls;
	char log[8192]; /* "push label+running pull ..." in the order of doing */
	int pushes;
	int64_t push_code;
	int64_t fail_kind; /* effects of this kind fail with fail_code, fail_times times */
	int64_t fail_code;
	int fail_times;
	int64_t die_after_kind; /* the courier does it and dies before it answers, once */

	/* The runner. */
	int64_t slots;
	bool is_silent;  /* sends no CLAIM */
	bool forgets;    /* takes START and does nothing */
	int64_t outcome; /* of what it runs */
	struct wire_alive alive[8];
	size_t n_alive;
	struct wire_alive begun[RIG_THINGS];
	size_t n_begun;
	int starts;
	int stops;
	int taken;
	int64_t last_fence;
	struct loop_timer *runner_timer;

	/* The decoder. */
	bool decoder_dies;
	int decodes;

	/* The web. */
	int stored;
	int duplicates;
	int refused;
	struct wire_page page;
	char *page_blob;
	int cuts;
};

int rig_setup(void **state);
int rig_teardown(void **state);
/* In a directory that is there; is removed by teardown. */
int rig_setup_in(void **state, const char *dir);

/* Ends the queue role and starts another over the same store. */
void rig_restart(struct rig *r);
/* The same, and the store and its backups are gone. */
void rig_lose_store(struct rig *r);
/* A new end for a peer, as after its restart. */
void rig_reconnect(struct rig *r, enum role peer);
/* The peer's socket closes and nothing comes in its place. */
void rig_disconnect(struct rig *r, enum role peer);

/* Runs the loop until it holds; fails the test after a minute. */
typedef bool rig_condition(struct rig *r);
void rig_until(struct rig *r, rig_condition *holds);
/* Runs the loop for so many turns, at least a millisecond apart. */
void rig_run(struct rig *r, int64_t ms);

/* An event of the issue by "writer" (id 5), to be filled further and delivered. */
struct forge_event rig_event(int64_t kind, int64_t number);
void rig_deliver(struct rig *r, const char *guid, struct forge_event *take_ev);
/* The label appears on the issue. */
void rig_label(struct rig *r, const char *guid, int64_t number);
/* "/agent <verb>" by writer. */
void rig_command(
	struct rig *r, const char *guid, int64_t number, int64_t comment, const char *verb);
void rig_query(struct rig *r, int64_t kind, const char *page);

/* Of the newest task; -1 if there is none. */
int64_t rig_state(struct rig *r);
/* The newest task, fails without one; the caller finishes it. */
struct task rig_task(struct rig *r);
/* How often the word is in the log. */
int rig_count(const struct rig *r, const char *word);
int64_t rig_delivery_state(struct rig *r, int64_t id);

bool rig_is_over(struct rig *r);
bool rig_is_quiet(struct rig *r); /* over, and nothing is left in the outbox */

/* queue_rig_clock.c: from here on time passes as it says. */
void rig_clock_start(void);
void rig_clock_stall(int64_t ms); /* a standstill counts as no more; 10 ms where nothing is said */
/* So many times faster, until the end of the case: for waits in which nothing happens. */
void rig_clock_hasten(int64_t times);
/* Somebody sets it. */
void rig_clock_set(int64_t by_ms);

/* queue_rig_peers.c */
void rig_peers_create(struct rig *r);

/* queue_rig_courier.c */
msg_cb rig_on_courier;
void rig_note(struct rig *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
