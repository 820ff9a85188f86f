/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task - the tables of a task's life. Pure.
 *
 * A stop does not move a task that a runner holds: the box must be gone first, and it is the runner
 * who says so. So TASK_EV_STOP keeps those states and ends only the ones the queue itself holds.
 */
#include "store/task.h"

#include "base/limits.h"

#define MINUTES(n) ((int64_t)(n)*60 * 1000)
#define HOURS(n)   MINUTES((int64_t)(n)*60)

/* The numbers are stored: new ones go to the end. The indexes of store/sql know that 0 is queued, 1
 * to 3 belong to a runner, and 6 and above are final. */
_Static_assert(TASK_QUEUED == 0 && TASK_PREPARING == 1 && TASK_GATING == 3, "stored numbers");
_Static_assert(TASK_WAITING == 5 && TASK_SUCCEEDED == 6, "stored numbers");
_Static_assert(VERB_FIX == 0, "stored numbers");

enum {
	NO = -1,
	QUEU = TASK_QUEUED,
	PREP = TASK_PREPARING,
	RUNN = TASK_RUNNING,
	GATE = TASK_GATING,
	PUBL = TASK_PUBLISHING,
	WAIT = TASK_WAITING,
	GOOD = TASK_SUCCEEDED,
	FAIL = TASK_FAILED,
	STOP = TASK_STOPPED,
	QUAR = TASK_QUARANTINED,
};

/* The deadlines are the queue's last resort: the runner's own limits (wall, gate) are far below.
 * Columns are the events in their order: claimed, prepared, harvesting, publish, published,
 * published as failed, needs human, stop, lost, retry, poison. */
/* clang-format off */
const struct task_state_row TASK_STATES[TASK_STATE_COUNT] = {
	[TASK_QUEUED] = { "queued", OWNER_QUEUE, 0, false,
		{ PREP, NO,   NO,   PUBL, NO,   NO,   WAIT, STOP, NO,   NO,   QUAR } },
	[TASK_PREPARING] = { "preparing", OWNER_RUNNER, HOURS(1), false,
		{ NO,   RUNN, GATE, PUBL, NO,   NO,   NO,   PREP, QUEU, NO,   QUAR } },
	[TASK_RUNNING] = { "running", OWNER_RUNNER, HOURS(25), false,
		{ NO,   RUNN, GATE, PUBL, NO,   NO,   NO,   RUNN, QUEU, NO,   QUAR } },
	[TASK_GATING] = { "gating", OWNER_RUNNER, HOURS(5), false,
		{ NO,   NO,   GATE, PUBL, NO,   NO,   NO,   GATE, QUEU, NO,   QUAR } },
	[TASK_PUBLISHING] = { "publishing", OWNER_QUEUE, HOURS(48), false,
		{ NO,   NO,   NO,   NO,   GOOD, FAIL, WAIT, STOP, QUEU, NO,   QUAR } },
	[TASK_WAITING] = { "waiting", OWNER_HUMAN, 0, false,
		{ NO,   NO,   NO,   PUBL, NO,   NO,   NO,   STOP, NO,   QUEU, NO   } },
	[TASK_SUCCEEDED] = { "succeeded", OWNER_NOBODY, 0, true,
		{ NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO   } },
	[TASK_FAILED] = { "failed", OWNER_NOBODY, 0, true,
		{ NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   QUEU, NO   } },
	[TASK_STOPPED] = { "stopped", OWNER_NOBODY, 0, true,
		{ NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   QUEU, NO   } },
	[TASK_QUARANTINED] = { "quarantined", OWNER_NOBODY, 0, true,
		{ NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO,   QUEU, NO   } },
};
/* clang-format on */

static const char *const EVENT_NAMES[TASK_EV_COUNT] = {
	[TASK_EV_CLAIMED] = "claimed",
	[TASK_EV_PREPARED] = "prepared",
	[TASK_EV_HARVESTING] = "harvesting",
	[TASK_EV_PUBLISH] = "publish",
	[TASK_EV_PUBLISHED_OK] = "published",
	[TASK_EV_PUBLISHED_FAILED] = "published as failed",
	[TASK_EV_NEEDS_HUMAN] = "needs a human",
	[TASK_EV_STOP] = "stop",
	[TASK_EV_LOST] = "lost",
	[TASK_EV_RETRY] = "retry",
	[TASK_EV_POISON] = "poison",
};

static const char *const OUTCOME_NAMES[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = "none",
	[OUTCOME_GREEN] = "green",
	[OUTCOME_RED] = "red",
	[OUTCOME_UNTESTED] = "untested",
	[OUTCOME_EMPTY] = "empty",
	[OUTCOME_SETUP] = "setup",
	[OUTCOME_AGENT] = "agent",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_STOPPED] = "stopped",
	[OUTCOME_INFRA] = "infra",
	[OUTCOME_AWAY] = "away",
};

#define T(member)      ROW_I(struct task, member, #member)
#define B(member)      ROW_B(struct task, member, #member)
#define S(member, max) ROW_S(struct task, member, #member, max)

/* The names are the column names of the store, too. */
const struct row TASK_ROWS[] = {
	T(id),
	S(page, 32),
	S(forge, LIMIT_NAME_BYTES),
	T(installation_id),
	T(repo_id),
	S(repo, LIMIT_NAME_BYTES),
	T(number),
	B(is_pull),
	T(verb),
	S(instruction, LIMIT_SUMMARY_BYTES),
	S(title, LIMIT_TITLE_BYTES),
	S(prompt, LIMIT_PROMPT_BYTES),
	S(input_hash, 64),
	S(actor, LIMIT_NAME_BYTES),
	T(actor_id),
	T(comment_id),
	S(agent, LIMIT_NAME_BYTES),
	S(base_ref, LIMIT_NAME_BYTES),
	S(branch, LIMIT_NAME_BYTES),
	S(base_sha, 64),
	S(head_sha, 64),
	T(state),
	T(outcome),
	S(reason, LIMIT_SUMMARY_BYTES),
	T(attempt),
	T(fence),
	T(lease_ms),
	B(stop_wanted),
	S(stop_by, LIMIT_NAME_BYTES),
	T(created_ms),
	T(changed_ms),
	T(pull_number),
	S(pull_url, LIMIT_URL_BYTES),
	T(sticky_id),
	T(check_id),
	T(files),
	T(insertions),
	T(deletions),
	S(gate_command, LIMIT_PATH_BYTES),
	T(gate_exit),
	S(summary, LIMIT_SUMMARY_BYTES),
	S(tail, LIMIT_TAIL_BYTES),
	S(tier, LIMIT_NAME_BYTES),
	S(blocked, LIMIT_SUMMARY_BYTES),
	S(notes, LIMIT_SUMMARY_BYTES),
	S(usage, LIMIT_SUMMARY_BYTES),
	S(log_ref_sha, 64),
	ROW_DONE,
};

const struct row TASK_STEP_ROWS[] = {
	ROW_S(struct task_step, name, "name", LIMIT_NAME_BYTES),
	ROW_I(struct task_step, attempt, "attempt"),
	ROW_I(struct task_step, started_ms, "started_ms"),
	ROW_I(struct task_step, ended_ms, "ended_ms"),
	ROW_I(struct task_step, exit_code, "exit_code"),
	ROW_S(struct task_step, note, "note", LIMIT_SUMMARY_BYTES),
	ROW_DONE,
};

static bool
is_state(int64_t state)
{
	return state >= 0 && state < TASK_STATE_COUNT;
}

const char *
task_state_name(int64_t state)
{
	return is_state(state) ? TASK_STATES[state].name : "unknown";
}

bool
task_state_is_final(int64_t state)
{
	return is_state(state) && TASK_STATES[state].is_final;
}

int
task_state_next(int64_t state, enum task_event ev, int64_t *next, struct err *e)
{
	if (!is_state(state))
		return err_set(
			e, ERR_INVALID, "no task state has the number %lld", (long long)state);

	if (TASK_STATES[state].next[ev] == NO)
		return err_set(e, ERR_CONFLICT, "a %s task cannot take \"%s\"",
			TASK_STATES[state].name, EVENT_NAMES[ev]);
	*next = (uint8_t)TASK_STATES[state].next[ev];
	return 0;
}

const char *
task_outcome_name(int64_t outcome)
{
	return outcome >= 0 && outcome < OUTCOME_COUNT ? OUTCOME_NAMES[outcome] : "unknown";
}

bool
task_is_found(const struct task *t)
{
	return t->attempt > 0 && t->fence == 0;
}

void
task_finish(struct task *t)
{
	row_finish(TASK_ROWS, t);
}
