/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_rig - the courier, running and confined, between a real http-backend and a test that plays
 * runner, queue and keeper.
 */
#ifndef TESTS_UNIT_BOT_GIT_RIG_H
#define TESTS_UNIT_BOT_GIT_RIG_H

#include "tests/unit/bot/role_case.h"
#include "tests/unit/repo/backend.h"
#include "tests/unit/repo/scene.h"

#define RIG_TOKEN   "token-0123456789abcdef"
#define RIG_WAIT_MS 60000

struct git_rig {
	struct role_case c; /* its peer is the runner */
	struct scene *s;    /* a person's repository */
	struct backend b;
	char *bare;
	struct msg_link *queue;
	struct msg_link *keeper;
	const char *token; /* what the keeper gives */
	int answers;
	struct wire_prepared prepared; /* the last answers */
	struct wire_harvested harvested;
	struct wire_pushed pushed;
	struct agent_settings settings;
};

/* cmocka setup and teardown; *state is a struct git_rig. */
int git_rig_setup(void **state);
int git_rig_teardown(void **state);

/* `more` is added to the configuration. */
void git_rig_start(struct git_rig *r, const char *more);
void git_rig_end(struct git_rig *r);

/* After a kill of the role: the old links go. */
void git_rig_forget(struct git_rig *r);

void git_rig_until(struct git_rig *r, int answers);

/* Asks, and does not wait. */
void git_rig_ask_prepare(struct git_rig *r, int64_t task, const char *branch);

/* Each asks as task 1 and waits for the answer. */
void git_rig_prepare(struct git_rig *r, const char *branch);
void git_rig_harvest_fd(struct git_rig *r, int fd);
void git_rig_push(struct git_rig *r, const char *branch, const char *sha, const char *old_sha);
void git_rig_push_logs(struct git_rig *r, const char *cast, const char *text);

/* As the boxes do: a copy of the checkout, a file written, a commit, a bundle, HARVEST. */
void git_rig_harvest(struct git_rig *r, const char *name, const char *text);

void git_rig_assert_ref(struct git_rig *r, const char *ref, const char *sha);
void git_rig_assert_code(int64_t code, const char *text, int64_t wanted);

#endif
