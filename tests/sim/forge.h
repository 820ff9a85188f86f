/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge - the forge of the simulation: its state, what people do in it, what requests do to it.
 *
 * It speaks GitHub's dialect to the real driver. It never forgets: what was made twice stays there
 * twice, for truth.c to find.
 */
#ifndef TESTS_SIM_FORGE_H
#define TESTS_SIM_FORGE_H

#include "tests/sim/sim.h"

#include "base/json.h"

#define PLACE_REPOS    2
#define PLACE_ISSUES   16
#define PLACE_COMMENTS 400
#define PLACE_EVENTS   400
#define PLACE_PULLS    64
#define PLACE_REFS     128
#define PLACE_CHECKS   64
#define PLACE_TOKENS   128
#define PLACE_FAILURES 1000
#define BOT_ID         900
#define BOT_LOGIN      "nightshift[bot]"
#define INSTALLATION   9

struct person {
	const char *login;
	int64_t id;
	const char *permission; /* of GitHub's API */
	const char *role;
};
enum who { WHO_WRITER, WHO_OTHER, WHO_TRIAGER, WHO_STRANGER, WHO_LEAVER, WHO_COUNT };
extern struct person PEOPLE[WHO_COUNT];

struct place_issue {
	int64_t id, number;
	size_t repo;
	char title[64];
	char body[64];
	int64_t author_id;
	bool is_closed;
	struct strs labels;
	int64_t updated_ms;
};

struct place_comment {
	int64_t id;
	size_t issue;
	int64_t user_id;
	char *body;
	int64_t created_ms, updated_ms;
	bool is_gone;
};

/* A labelling. */
struct place_event {
	int64_t id;
	size_t issue;
	char label[32];
	int64_t user_id;
	int64_t at_ms;
};

struct place_pull {
	int64_t number;
	size_t repo;
	char head[128];
	char base[64];
	char *title, *body;
	int64_t at_ms;
};

struct place_ref {
	size_t repo;
	char name[128];
	char sha[48];
	int64_t at_ms; /* of its last move, boot clock */
};

struct place_check {
	int64_t id;
	char sha[48];
	char external_id[64];
	int64_t at_ms;
};

/* A webhook that was not taken; kept in a log for three days. */
struct place_failure {
	int64_t id;
	char *guid;
	char *event;
	char *body;
	int64_t at_ms;
};

struct place {
	struct place_issue issues[PLACE_ISSUES];
	size_t n_issues;
	struct place_comment comments[PLACE_COMMENTS];
	size_t n_comments;
	struct place_event events[PLACE_EVENTS];
	size_t n_events;
	struct place_pull pulls[PLACE_PULLS];
	size_t n_pulls;
	struct place_ref refs[PLACE_REFS];
	size_t n_refs;
	struct place_check checks[PLACE_CHECKS];
	size_t n_checks;
	struct place_failure failures[PLACE_FAILURES];
	size_t n_failures;
	struct {
		char text[48];
		int64_t ends_ms;
	} tokens[PLACE_TOKENS];
	size_t n_tokens;
	int64_t last_id;
	int64_t last_number;
	int64_t banned_until_ms; /* who calls before that was told not to */
	int64_t n_writes, n_reads, n_in_ban;
};
extern struct place PLACE;

const char *repo_name(size_t repo);
int64_t repo_id(size_t repo);
int64_t place_now_ms(void); /* the forge's clock */
const char *login_of(int64_t user_id);

/* What people (and the bot) do; each tells the hook. */
size_t place_open_issue(size_t repo, int64_t author_id);
void place_label(size_t issue, const char *label, int64_t user_id);
void place_unlabel(size_t issue, const char *label, int64_t user_id);
int64_t place_comment(size_t issue, const char *body, int64_t user_id);
void place_edit_body(size_t issue, int64_t user_id);
void place_close(size_t issue, int64_t user_id);
bool place_has_label(size_t issue, const char *label);
void place_wipe(void);

/* Moves a branch as git would with that lease; NULL: it must not be there. 0 or an ERR_ code. */
int place_push(size_t repo, const char *name, const char *old, const char *sha);

/* A request; status and body of its answer. */
struct place_request {
	char *method;
	char *url;
	char *auth;
	char *body;
};
struct place_reply {
	int status;
	struct buf body;
};
void place_serve(const struct place_request *q, struct place_reply *r);

/* forge_json.c */
void show_issue(struct buf *out, const struct place_issue *i);
void show_comment(struct buf *out, const struct place_comment *c);
void show_pull(struct buf *out, const struct place_pull *p);
void show_event(struct buf *out, const struct place_event *e);
void show_user(struct buf *out, int64_t user_id);
void show_str(struct buf *out, const char *s);
void show_time(struct buf *out, int64_t ms);

/* forge_hook.c: tells the bot, sooner or later, once or more often, or not at all. */
void hook_issue(size_t issue, const char *action, const char *label, int64_t user_id);
void hook_comment(size_t comment, const char *action, int64_t user_id);

/* forge_app.c: tokens, and what was not taken, as GitHub tells it to an App. */
void token_make(struct buf *out);
bool token_is_known(const char *auth);
void log_list(struct buf *out);
bool log_show(struct buf *out, int64_t id);

#endif
