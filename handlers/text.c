/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text - the sentences that the comment and the pull request share.
 */
#include "handlers/text.h"

#include "base/limits.h"
#include "forge/markdown.h"
#include "store/usage.h"

#include <inttypes.h>
#include <string.h>

#define SLUG_BYTES_MAX  40
#define TITLE_BYTES_MAX 200
#define GATE_BY         "nightshift itself in a clean box after the agent had ended"

void
text_place(int64_t place, struct buf *out)
{
	if (place < TASK_PLACE_MAX)
		(void)buf_addf(out, "queued, place %" PRId64, place);
	else
		(void)buf_addf(out, "queued, place %d or later", TASK_PLACE_MAX);
}

void
text_page_link(const struct handler_conf *conf, const struct task *t, struct buf *out)
{
	if (!str_is_empty(conf->public_url) && !str_is_empty(t->page))
		(void)buf_addf(out, " · [task page](%s/t/%s)", conf->public_url, t->page);
}

void
text_branch(const struct task *t, struct buf *out)
{
	/* Unproven work never goes to a person's branch. */
	if (t->is_pull && (t->outcome == OUTCOME_GREEN || t->outcome == OUTCOME_UNTESTED)) {
		(void)buf_adds(out, t->base_ref);
		return;
	}
	(void)buf_addf(out, "agent/%" PRId64 "-", t->id);
	str_slug(out, t->title ? t->title : "", SLUG_BYTES_MAX);
}

static const char *
gate_mark(const struct task *t)
{
	if (t->gate_exit < 0)
		return "⚪ not run: ";
	return t->gate_exit == 0 ? "✅ passed: " : "❌ failed: ";
}

void
text_gate_title(const struct task *t, struct buf *out)
{
	if (str_is_empty(t->gate_command)) {
		(void)buf_adds(out, "⚪ not tested");
		return;
	}
	(void)buf_adds(out, gate_mark(t));
	markdown_plain(out, t->gate_command, LIMIT_NAME_BYTES);
	if (t->gate_exit > 0)
		(void)buf_addf(out, " (exit code %" PRId64 ")", t->gate_exit);
}

void
text_gate(const struct task *t, struct buf *out)
{
	if (str_is_empty(t->gate_command)) {
		(void)buf_adds(
			out, "⚪ not tested: `.agent.yml` names no test command (`gate.test`)");
		return;
	}
	(void)buf_adds(out, gate_mark(t));
	markdown_code(out, t->gate_command, LIMIT_NAME_BYTES);
	if (t->gate_exit > 0)
		(void)buf_addf(out, " (exit code %" PRId64 ")", t->gate_exit);
	if (t->gate_exit >= 0)
		(void)buf_adds(out, ", run by " GATE_BY);
}

void
text_gate_log(const struct task *t, struct buf *out)
{
	if (t->gate_exit >= 0)
		(void)buf_adds(out, "Run by " GATE_BY ".\n");
	text_tail(t, out);
}

void
text_tail(const struct task *t, struct buf *out)
{
	if (str_is_empty(t->tail))
		return;
	(void)buf_adds(out, "\n<details><summary>Last lines of the terminal</summary>\n\n");
	markdown_fence(out, t->tail, strlen(t->tail), LIMIT_TAIL_BYTES);
	(void)buf_adds(out, "\n</details>\n");
}

/* A forge closes issues for words in a title too, and its author may be anybody. */
void
text_pull_title(const struct task *t, struct buf *out)
{
	size_t before = out->len;

	markdown_plain(out, t->title ? t->title : "", TITLE_BYTES_MAX);
	if (out->len == before)
		(void)buf_addf(out, "Task %" PRId64, t->id);
	if (t->number == 0)
		return;
	(void)buf_adds(out, " (");
	forge_reference(t->number, out);
	(void)buf_addc(out, ')');
}

void
text_log_links(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;
	static const char *const files[] = { "task.cast", "task.txt" };
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);

	if (str_is_empty(t->log_ref_sha))
		return;
	(void)buf_adds(out, "Terminal log:");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		buf_reset(&url);
		if (forge_blob_url(
			    in->conf->forge, t->repo, t->log_ref_sha, files[i], &url, NULL) == 0)
			(void)buf_addf(out, " [%s](%s)", files[i], buf_str(&url));
	}
	(void)buf_addf(
		out, " (commit %s on `refs/agent-logs/%" PRId64 "`)\n", t->log_ref_sha, t->id);
}

/* Said before anything can be attached: whether the forge takes it is known later, and told in the
 * comment. */
static void
add_logs(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;

	if (in->conf->caps->has_attachments) {
		(void)buf_addf(out,
			"- Terminal log: `task-%" PRId64 "%s` (asciicast) and `task-%" PRId64
			"%s`, attached if the forge takes them, and on the task page\n",
			t->id, ATTACH_CAST, t->id, ATTACH_TEXT);
		return;
	}
	if (!str_is_empty(t->log_ref_sha))
		(void)buf_adds(out, "- ");
	text_log_links(in, out);
}

static void
add_summary(const struct task *t, struct buf *out)
{
	(void)buf_adds(out, "### Summary\n\n");
	if (str_is_empty(t->summary)) {
		(void)buf_adds(out, "The agent gave none.");
	} else {
		(void)buf_adds(out, "In the agent's own words:\n\n");
		markdown_fence(out, t->summary, strlen(t->summary), LIMIT_SUMMARY_BYTES);
	}
	(void)buf_addf(out, "\n%" PRId64 " %s changed, +%" PRId64 " −%" PRId64 ".\n", t->files,
		t->files == 1 ? "file" : "files", t->insertions, t->deletions);
}

static void
add_list(const char *what, const char *text, struct buf *out)
{
	if (str_is_empty(text))
		return;
	(void)buf_addf(out, "- %s:\n\n", what);
	markdown_fence(out, text, strlen(text), LIMIT_SUMMARY_BYTES);
	(void)buf_addc(out, '\n');
}

static void
add_usage(const struct task *t, struct buf *out)
{
	struct row_list list = { 0 };
	const struct usage *u;

	usage_parse(t->usage, &list);
	u = list.v;
	for (size_t i = 0; i < list.n; i++) {
		(void)buf_adds(out, "- Model ");
		markdown_code(out, u[i].model, USAGE_MODEL_BYTES_MAX);
		(void)buf_adds(out, ": ");
		usage_say(&u[i], out);
		(void)buf_addc(out, '\n');
	}
	usage_finish(&list);
}

void
text_pull_body(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;

	if (t->verb == VERB_CHORE) {
		(void)buf_adds(out, "The chore ");
		markdown_code(out, t->actor, LIMIT_NAME_BYTES);
		(void)buf_adds(out,
			", done again and again; while this is open, the next time adds "
			"to it.\n\n");
	} else if (!t->is_pull)
		(void)buf_addf(out, "Closes #%" PRId64 "\n\n", t->number);
	add_summary(t, out);
	(void)buf_adds(out, "\n### Tests\n\n");
	text_gate(t, out);
	(void)buf_addf(out, ".\n\n### How it was made\n\n- Sandbox tier: `%s`\n",
		t->tier ? t->tier : "unknown");
	add_usage(t, out);
	add_list("Refused network access", t->blocked, out);
	add_list("Left alone", t->notes, out);
	add_logs(in, out);
	(void)buf_addf(out, "- Task %" PRId64, t->id);
	text_page_link(in->conf, t, out);
	(void)buf_adds(out, "\n");
	text_tail(t, out);
}
