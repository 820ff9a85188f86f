/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier - the role that speaks to the forges: operations over their API, and git.
 *
 * It holds tokens, for minutes, each narrowed to one repository, and nothing that outlives them:
 * the App's key and personal tokens stay with the keeper. Two halves share one process: the API
 * side (courier_auth, courier_call, courier_ensure) and the git side (courier_git), which starts
 * killable children.
 */
#ifndef BOT_COURIER_H
#define BOT_COURIER_H

#include "base/http.h"
#include "bot/role.h"
#include "forge/forge.h"

struct courier_auth;
struct courier_budgets;
struct courier_git;
struct ensure;
struct etags;

/* One configured forge. Lives as long as the courier, also when a reload removed it: calls under
 * way hold it. */
struct courier_forge {
	struct forge_conf conf; /* owned strings */
	const struct forge_driver *driver;
	int64_t app_id; /* GitHub App; 0: a personal token */
	bool is_configured;
	bool has_clock;          /* a refusal told us the time there */
	int64_t clock_offset_ms; /* its clock minus our boot clock, for ours may be set meanwhile */
	int64_t peace_until_ms;  /* it asked for it, for nobody knows which installation */
	char *bot_user;          /* who we are there, once known */
	int64_t bot_user_id;
	struct courier_forge *next;
};

struct courier {
	struct role_ctx *role;
	struct http *http;
	struct courier_forge *forges;
	struct courier_auth *auth;
	struct courier_budgets *budgets;
	struct courier_git *git; /* courier_git.c's own */
	struct etags *etags;
	struct ensure *ensures; /* effects under way, oldest first */
	/* Effects that ended lately, for a queue that did not hear of it: more than there may be
	 * writes in the time for which a list can be behind. */
	struct {
		int64_t id;
		int64_t ended_ms; /* wall clock */
	} ended[32];
	size_t n_ended;
	size_t calls_open;     /* operations under way */
	int64_t lease_ends_ms; /* boot clock; 0: nobody else could act in our place */
	struct loop_timer *lease_timer;
	int64_t stop_until_ms;
};

/* NULL: no such forge is configured. */
struct courier_forge *courier_forge_find(struct courier *c, const char *name);

/* Nothing may be changed at a forge any more: another node may be doing it. */
bool courier_lease_is_over(const struct courier *c);

/* ---- Credentials (courier_auth.c) ---- */

/* What a credential is for; all borrowed. installation_id 0: it is looked up by repo. Without repo
 * and repo_id there is no narrowing, which an App refuses. */
struct courier_need {
	struct courier_forge *forge;
	enum forge_auth kind;
	int64_t installation_id;
	int64_t repo_id;
	const char *repo;
};

/* token is NULL if there is none: e says why (ERR_BUSY: later; ERR_DENIED: not at all). It is
 * borrowed for the call; age_ms is how long ago the forge made it. */
typedef void courier_token_cb(void *ctx, const char *token, int64_t age_ms, const struct err *e);

/* cb comes exactly once, perhaps before this returns. One request for many askers: tokens are
 * cached and renewed five minutes before their end. For git: kind FORGE_AUTH_TOKEN, then
 * forge->driver->git_userinfo. */
void courier_token(
	struct courier *c, const struct courier_need *need, courier_token_cb *cb, void *ctx);

/* The installation that the last token for this need came from; 0 where there are none. */
int64_t courier_token_installation(struct courier *c, const struct courier_need *need);

/* The forge refused this token: the next courier_token asks for another. */
void courier_token_refused(struct courier *c, const struct courier_need *need, const char *token);

/* Another keeper may know other secrets: what the last one gave is forgotten. */
void courier_keeper_changed(struct courier *c);

/* The forge refused a JWT for its times, when its clock showed there_ms: the next one is signed for
 * that clock. */
void courier_clock_refused(struct courier_forge *f, int64_t there_ms);

void courier_auth_destroy(struct courier *c);

/* ---- The git side (courier_git.c): PREPARE, HARVEST, PUSH, PUSH_LOGS ---- */

int courier_git_start(struct courier *c, struct err *e);

/* True if the message was one of its own. It answers by itself. */
bool courier_git_msg(struct courier *c, enum role from, struct msg *m);

/* Ends the children. */
void courier_git_stop(struct courier *c);

#endif
