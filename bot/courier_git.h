/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_git - the git side of the courier: one struct work a message, from question to answer.
 *
 * A work goes through steps, each a callback: a token, a request, a child. What touches one mirror
 * or one task's quarantine does so in a lane, one work at a time, in the order they came; whoever
 * waited looks again first, so twenty tasks of one repository cause one fetch and one checkout.
 */
#ifndef BOT_COURIER_GIT_H
#define BOT_COURIER_GIT_H

#include "bot/courier.h"
#include "bot/git_child.h"
#include "repo/repo.h"

struct work;

/* ---- Children (courier_git_child.c) ---- */

/* How one ended. e.code is 0 only for exit 0; out and text (the end of standard error) may be
 * stolen. */
struct child_end {
	struct err e;
	int exit_code;
	bool was_killed; /* by a limit: memory, CPU, file size */
	struct buf out;
	struct buf text;
};
typedef void child_cb(void *ctx, struct child_end *end);

/* A command or a job. Slow ones (a fetch, a checkout) leave one place free for the others. */
struct child_order {
	bool is_slow;
	struct repo_command command; /* argv.n > 0 */
	struct git_job job;
	int fd; /* descriptor 3 of a job, or -1; taken */
};

struct children;
struct children *children_create(struct loop *l, const char *exe, size_t running_max);

/* Kills what runs; nobody is called back. */
void children_destroy(struct children *c);

/* Runs it when there is room; cb comes exactly once, never before this returns. */
void children_add(struct children *c, struct child_order *take_order, child_cb *cb, void *ctx);

/* ---- Works (courier_git.c) ---- */

typedef void work_step(struct work *w);
typedef void work_told(struct work *w, int rc, const struct forge_answer *a, const struct err *e);

struct work {
	struct courier_git *git;
	struct work *next;
	const struct work_type *type;
	struct msg_link *link; /* who asked, and the id of the question */
	uint64_t id;
	int64_t task; /* for logs; repo is borrowed from ask */
	const char *repo;

	char *lane; /* NULL: in none */
	bool has_lane;
	int64_t turn;         /* in the lane */
	work_step *then;      /* when the lane is free, or the credentials are there */
	bool waits_for_token; /* or for what the API says */
	work_told *told;
	/* Instead of work_fail, if there is no token; or NULL. */
	void (*on_no_token)(struct work *w, const struct err *e);
	child_cb *on_child;
	struct http_call *call;
	struct msg_link *keeper; /* and the call to it */
	uint64_t sign_id;

	struct courier_forge *forge;
	char *token; /* wiped */
	char *url;

	union {
		struct wire_prepare prepare;
		struct wire_harvest harvest;
		struct wire_push push;
	} ask;

	/* The work's own. */
	struct repo_remote remote;
	struct git_done done;    /* of the last job */
	struct git_done numbers; /* of the harvest, while the seal is made */
	struct wire_logs logs;
	char *ref;            /* to push */
	char *sha;            /* to push, or the base */
	struct work *refs_of; /* the work that asks for our commit ids, too */
	bool refs_wait;       /* somebody asks for them already, since before we came */
	int bundle_fd;
	int lock_fd;
	bool has_fetched;
	bool has_retried;
	struct extra *extra; /* under way */
	char *extra_name;    /* the layer over the checkout, or NULL */
	char *notes;         /* of a layer */
};

struct work_type {
	enum wire_type asks;
	const char *name;
	const struct row *rows; /* of ask */
	void (*start)(struct work *w, const struct msg *m);
	/* Answers with the error and nothing else. */
	void (*refuse)(struct work *w, const struct err *e);
};

extern const struct work_type WORK_HARVEST;
extern const struct work_type WORK_PREPARE;
extern const struct work_type WORK_PUSH;
extern const struct work_type WORK_PUSH_LOGS;

/* Of all that are under way, in the order they came; and ->next. */
struct work *work_first(const struct work *w);

/* Takes it out of its lane and frees it. */
void work_end(struct work *w);

/* Logs, refuses, ends. */
void work_fail(struct work *w, const struct err *e);

/* Waits for the lane, then goes on. lane is taken. */
void work_enter(struct work *w, char *take_lane, work_step *then);

/* Fills in forge, url and token; then goes on. A second call for the same work says that the forge
 * refused the first token. */
struct work_repo {
	const char *forge;
	int64_t installation_id;
	int64_t repo_id;
	const char *repo;
};
void work_credentials(struct work *w, const struct work_repo *r, work_step *then);

/* Asks the forge's API about the repository, with the same credentials. */
void work_ask(struct work *w, const struct work_repo *r, work_told *then);

/* Before credentials for another repository: the token at hand was not refused. */
void work_drop_token(struct work *w);

/* The token for a git command, and as the value of an Authorization header (wipe and free it). */
int work_auth(const struct work *w, struct repo_command *c, struct err *e);
char *work_basic_auth(const struct work *w);

void work_child(struct work *w, struct child_order *take_order, child_cb *cb);

/* What a command's end means: 0, or the error that its words tell. */
int work_command_result(struct child_end *end, struct err *e);

/* The result of a job, or the error of either the job or the child. Fills w->done. */
int work_job_result(struct work *w, struct child_end *end, const char **settings,
	size_t *settings_len, struct err *e);

void work_answer(
	struct work *w, enum wire_type type, const void *obj, const void *blob, size_t blob_len);

const struct config *work_config(const struct work *w);
struct courier *work_courier(const struct work *w);

/* ---- Extras of a checkout (courier_git_extra.c) ---- */

struct settings_entry;

/* True if nothing has to be made: the settings or the commit want none, or the layer is there,
 * whose name and notes the work has then. */
bool extra_ready(struct work *w, const struct settings_entry *settings);

/* What the settings do not want though the commit has it, as notes; NULL: nothing. The caller's. */
char *extra_unwanted(const struct work *w, const struct settings_entry *settings);

/* In the lane, with the checkout there and its submodules in w->done: fetches what is wanted, makes
 * the layer, goes on. */
void extra_begin(struct work *w, const struct settings_entry *settings, work_step *then);
void extra_destroy(struct extra *x);

/* Objects of Git LFS (courier_git_lfs.c). Takes the list (struct repo_lfs) and fetches them into
 * the directory. done: e is not NULL if it did not work this time; else lost says how many could
 * not be had, and why (the first). */
struct lfs;
struct lfs_end {
	const struct err *e;
	size_t lost;
	const char *why;
};
typedef void lfs_done(struct work *w, const struct lfs_end *end);
struct lfs *lfs_begin(
	struct work *w, struct row_list *take_objects, const char *dir, lfs_done *done);
void lfs_destroy(struct lfs *l);
struct lfs *extra_lfs(const struct work *w); /* of the work that has one under way */

/* Room on the disk (courier_git_room.c). */
struct room;
struct room *room_create(struct courier *c, struct children *children);
void room_destroy(struct room *r); /* after the children */
void room_changed(struct room *r); /* there is more than before: soon it is seen to */
struct room *work_room(const struct work *w);

/* What was read of .agent.yml, by commit (courier_git_cache.c): NULL if unknown. */
struct settings_cache;
struct settings_entry {
	char *key;  /* "<forge>/<repo id>/<sha>" */
	char *text; /* the file's error or NULL */
	struct buf packed;
	bool submodules, lfs; /* of these */
};
struct settings_cache *settings_cache_create(void);
void settings_cache_destroy(struct settings_cache *c);
const struct settings_entry *settings_cache_get(struct settings_cache *c, const char *key);
void settings_cache_put(struct settings_cache *c, const char *key, const char *text,
	const void *packed, size_t len);
struct settings_cache *work_settings(const struct work *w);

#endif
