/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the row tables of what store.h adds to the nouns of task.h. Names are column names.
 */
#include "store/store.h"

#include "base/limits.h"

#define D(member)       ROW_I(struct delivery, member, #member)
#define DS(member)      ROW_S(struct delivery, member, #member, LIMIT_NAME_BYTES)
#define A(member)       ROW_I(struct attempt, member, #member)
#define F(member)       ROW_I(struct effect, member, #member)
#define FB(member)      ROW_B(struct effect, member, #member)
#define FS(member, max) ROW_S(struct effect, member, #member, max)

const struct row DELIVERY_ROWS[] = {
	D(id),
	DS(forge),
	DS(guid),
	DS(event),
	DS(event_type),
	DS(content_type),
	D(received_ms),
	D(state),
	ROW_S(struct delivery, reason, "reason", LIMIT_SUMMARY_BYTES),
	D(strikes),
	ROW_DONE,
};

const struct row ATTEMPT_ROWS[] = {
	A(task),
	A(number),
	A(fence),
	A(started_ms),
	A(ended_ms),
	A(outcome),
	ROW_S(struct attempt, reason, "reason", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

const struct row EFFECT_ROWS[] = {
	F(id),
	F(task),
	FS(purpose, LIMIT_URL_BYTES),
	FS(lane, LIMIT_URL_BYTES),
	FS(scope, LIMIT_NAME_BYTES),
	F(what),
	FB(is_latest),
	FB(is_urgent),
	FB(must),
	FS(op, LIMIT_BLOB_BYTES),
	FS(digest, 64),
	FS(next_op, LIMIT_BLOB_BYTES),
	FS(next_digest, 64),
	F(state),
	F(tries),
	F(not_before_ms),
	FB(was_unknown),
	F(unknown_ms),
	F(code),
	FS(text, LIMIT_SUMMARY_BYTES),
	FS(answer, LIMIT_BLOB_BYTES),
	F(created_ms),
	F(done_ms),
	F(edited_ms),
	ROW_DONE,
};

const struct row STORE_REPO_ROWS[] = {
	ROW_S(struct store_repo, forge, "forge", LIMIT_NAME_BYTES),
	ROW_S(struct store_repo, repo, "repo", LIMIT_NAME_BYTES),
	ROW_I(struct store_repo, repo_id, "repo_id"),
	ROW_I(struct store_repo, installation_id, "installation_id"),
	ROW_DONE,
};

void
delivery_finish(struct delivery *d)
{
	row_finish(DELIVERY_ROWS, d);
}

void
attempt_finish(struct attempt *a)
{
	row_finish(ATTEMPT_ROWS, a);
}

void
effect_finish(struct effect *f)
{
	row_finish(EFFECT_ROWS, f);
}
