/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sticky - the one comment of a task, edited as it goes on.
 *
 * Running times are left out: each would be an edit, and edits are counted by the forge.
 */
#include "handlers/text.h"

#include "base/limits.h"
#include "forge/markdown.h"

#include <inttypes.h>
#include <string.h>

static const char *const STATE_MARKS[TASK_STATE_COUNT] = {
	[TASK_QUEUED] = "🕒",
	[TASK_PREPARING] = "⏳",
	[TASK_RUNNING] = "⏳",
	[TASK_GATING] = "⏳",
	[TASK_PUBLISHING] = "⏳",
	[TASK_WAITING] = "✋",
	[TASK_SUCCEEDED] = "✅",
	[TASK_FAILED] = "❌",
	[TASK_STOPPED] = "⏹️",
	[TASK_QUARANTINED] = "❌",
};

#define HEADLINE_END "**: "

static const char *
headline_name(int64_t state)
{
	return state == TASK_WAITING ? "waits for a human" : task_state_name(state);
}

int64_t
text_sticky_end(const char *body)
{
	const char *said = body ? strstr(body, HEADLINE_END) : NULL;

	for (int64_t i = TASK_WAITING; said && i < TASK_STATE_COUNT; i++) {
		if (str_starts(said + strlen(HEADLINE_END), headline_name(i)))
			return i;
	}
	return -1;
}

static void
add_headline(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;

	(void)buf_addf(out, "%s **Task %" PRId64 HEADLINE_END, STATE_MARKS[t->state], t->id);
	if (t->state == TASK_QUEUED && in->place > 0)
		text_place(in->place, out);
	else
		(void)buf_adds(out, headline_name(t->state));
	if (t->attempt > 1)
		(void)buf_addf(out, ", attempt %" PRId64, t->attempt);
	text_page_link(in->conf, t, out);
	(void)buf_adds(out, "\n");
}

/* That the tests passed, or that there are none, is said with the tests. */
static void
add_reason(const struct task *t, struct buf *out)
{
	if (str_is_empty(t->reason) || t->outcome == OUTCOME_GREEN ||
		t->outcome == OUTCOME_UNTESTED)
		return;
	(void)buf_addc(out, '\n');
	markdown_inline(out, t->reason, LIMIT_SUMMARY_BYTES);
	(void)buf_addc(out, '\n');
}

static void
add_result(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;
	auto_buf struct buf branch = BUF_INIT(LIMIT_NAME_BYTES);

	if (t->pull_number > 0) {
		(void)buf_adds(out, "\nPull request: ");
		forge_reference(
			in->conf->caps->pulls_apart ? -t->pull_number : t->pull_number, out);
		(void)buf_addc(out, '\n');
	}
	if (!in->pushed)
		return;
	text_branch(t, &branch);
	if (t->is_pull && (t->outcome == OUTCOME_GREEN || t->outcome == OUTCOME_UNTESTED))
		(void)buf_addf(out, "\nPushed to this pull request's branch: %s\n", t->head_sha);
	else if (t->pull_number == 0)
		(void)buf_addf(
			out, "\nThe work so far is kept on the branch `%s`.\n", buf_str(&branch));
}

static void
add_steps(const struct effects_in *in, struct buf *out)
{
	if (in->n_steps == 0)
		return;
	(void)buf_adds(out, "\n| step | time | result |\n| --- | --- | --- |\n");
	for (size_t i = 0; i < in->n_steps; i++) {
		const struct task_step *s = &in->steps[i];

		(void)buf_adds(out, "| ");
		markdown_inline(out, s->name ? s->name : "", LIMIT_NAME_BYTES);
		if (s->ended_ms == 0)
			(void)buf_adds(out, " | | running |\n");
		else if (s->exit_code > 0)
			(void)buf_addf(out, " | %.1f s | exit code %" PRId64 " |\n",
				(double)(s->ended_ms - s->started_ms) / 1000.0, s->exit_code);
		else
			(void)buf_addf(out, " | %.1f s | done |\n",
				(double)(s->ended_ms - s->started_ms) / 1000.0);
	}
}

void
text_sticky(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;
	bool is_over = task_state_is_final(t->state) || t->state == TASK_WAITING;

	add_headline(in, out);
	add_reason(t, out);
	add_result(in, out);
	if (t->outcome == OUTCOME_GREEN || t->outcome == OUTCOME_RED ||
		t->outcome == OUTCOME_UNTESTED) {
		(void)buf_adds(out, "\nTests: ");
		text_gate(t, out);
		(void)buf_adds(out, ".\n");
	}
	add_steps(in, out);
	if (in->attach_refused && !str_is_empty(t->log_ref_sha)) {
		(void)buf_addc(out, '\n');
		text_log_links(in, out);
	}
	text_tail(t, out);
	if (is_over)
		(void)buf_addf(out,
			"\nOnce more: a comment with `/agent retry`, or the label `%s` again.\n",
			in->conf->label);
	else
		(void)buf_adds(out, "\nTo end it: a comment with `/agent stop`.\n");
}
