/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_case - a courier's API side between a scripted forge and a scripted keeper, on one loop.
 */
#ifndef TESTS_UNIT_BOT_FORGE_CASE_H
#define TESTS_UNIT_BOT_FORGE_CASE_H

#include "bot/courier_ensure.h"

/* What the forge answers to a request whose "METHOD /path" starts with `to`: the first row that is
 * not used up. reply is "201 {json}", with headers between if any: "429 retry-after: 7\r\n {}";
 * "drop" closes the connection without a word; "hold" never answers. */
struct forge_line {
	const char *to;
	const char *reply;
	int times; /* 0: always */
};

/* A forge that plays a script. */
struct forge_script {
	struct http_server *server;
	struct forge_line lines[16];
	struct strs requests; /* "METHOD /path auth etag body" as they came */
};

/* script ends with a zeroed row. */
void forge_script_init(struct forge_script *s, struct loop *l, const struct forge_line *script);
void forge_script_finish(struct forge_script *s);
char *forge_script_url(const struct forge_script *s); /* the caller's */

struct forge_case {
	struct loop *loop;
	struct role_ctx role;
	struct courier courier;
	struct courier_forge *forge;
	struct msg_link *keeper; /* the keeper's end */
	struct forge_script script;
	int keeper_asked;
	int64_t signed_skew_ms; /* of the last JWT */
	bool keeper_refuses;
	/* of the last answer */
	int answers;
	int rc;
	struct forge_answer answer;
	struct err e;
};

/* A GitHub App (app true) or a Gitea token. script ends with a zeroed row. */
void forge_case_init(struct forge_case *f, bool app, const struct forge_line *script);
void forge_case_finish(struct forge_case *f);

/* Takes the answer into the case and stops the loop. */
courier_call_cb forge_case_answered;

/* Runs until n answers came; fails the test after 20 s. */
void forge_case_run(struct forge_case *f, int n);

/* Requests so far that start with `to`. */
size_t forge_case_count(const struct forge_case *f, const char *to);

#endif
