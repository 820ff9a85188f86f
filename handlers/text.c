/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text - the sentences that the comment and the pull request share.
 */
#include "handlers/text.h"

#include "base/limits.h"
#include "forge/markdown.h"

#include <inttypes.h>
#include <string.h>

#define SLUG_BYTES_MAX  40
#define TITLE_BYTES_MAX 200

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

void
text_gate(const struct task *t, struct buf *out)
{
	if (str_is_empty(t->gate_command)) {
		(void)buf_adds(
			out, "⚪ not tested: `.agent.yml` names no test command (`gate.test`)");
		return;
	}
	if (t->gate_exit < 0)
		(void)buf_adds(out, "⚪ not run: ");
	else
		(void)buf_adds(out, t->gate_exit == 0 ? "✅ passed: " : "❌ failed: ");
	markdown_inline(out, t->gate_command, LIMIT_NAME_BYTES);
	if (t->gate_exit > 0)
		(void)buf_addf(out, " (exit code %" PRId64 ")", t->gate_exit);
	if (t->gate_exit >= 0)
		(void)buf_adds(out,
			", run by nightshift itself after the agent had ended, in a clean box");
}

void
text_pull_title(const struct task *t, struct buf *out)
{
	auto_buf struct buf plain = BUF_INIT(LIMIT_TITLE_BYTES);
	size_t removed = 0;

	if (t->title)
		markdown_visible(&plain, t->title, strlen(t->title), &removed);
	for (size_t i = 0; i < plain.len; i++) {
		if ((unsigned char)plain.data[i] < ' ')
			plain.data[i] = ' ';
	}
	(void)str_utf8_clean(
		out, buf_str(&plain), str_utf8_cut(buf_str(&plain), plain.len, TITLE_BYTES_MAX));
	if (plain.len == 0)
		(void)buf_addf(out, "Task %" PRId64, t->id);
	(void)buf_addf(out, " (#%" PRId64 ")", t->number);
}

static void
add_logs(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;
	static const char *const files[] = { "task.cast", "task.txt" };
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);

	if (in->conf->caps->has_attachments) {
		(void)buf_adds(out,
			"- Terminal log: attached (`.cast.log` is an asciicast recording, "
			"`.txt` plain text)\n");
		return;
	}
	if (str_is_empty(t->log_ref_sha))
		return;
	(void)buf_adds(out, "- Terminal log:");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		buf_reset(&url);
		if (forge_blob_url(
			    in->conf->forge, t->repo, t->log_ref_sha, files[i], &url, NULL) == 0)
			(void)buf_addf(out, " [%s](%s)", files[i], buf_str(&url));
	}
	(void)buf_addf(
		out, " (commit %s on `refs/agent-logs/%" PRId64 "`)\n", t->log_ref_sha, t->id);
}

static void
add_tail(const struct task *t, struct buf *out)
{
	if (str_is_empty(t->tail))
		return;
	(void)buf_adds(out, "\n<details><summary>Last lines of the terminal</summary>\n\n");
	markdown_fence(out, t->tail, strlen(t->tail), LIMIT_TAIL_BYTES);
	(void)buf_adds(out, "\n</details>\n");
}

void
text_pull_body(const struct effects_in *in, struct buf *out)
{
	const struct task *t = in->task;

	if (!str_is_empty(t->summary)) {
		(void)buf_adds(out, "### Summary, in the agent's words\n\n");
		markdown_fence(out, t->summary, strlen(t->summary), LIMIT_SUMMARY_BYTES);
		(void)buf_addc(out, '\n');
	}
	(void)buf_adds(out, "### Tests\n\n");
	text_gate(t, out);
	(void)buf_addf(out,
		"\n\n### How it was made\n\n- %" PRId64 " %s changed, +%" PRId64 " −%" PRId64 "\n",
		t->files, t->files == 1 ? "file" : "files", t->insertions, t->deletions);
	(void)buf_addf(out, "- Sandbox tier: `%s`\n", t->tier ? t->tier : "unknown");
	if (!str_is_empty(t->blocked)) {
		(void)buf_adds(out, "- Refused network access:\n\n");
		markdown_fence(out, t->blocked, strlen(t->blocked), LIMIT_SUMMARY_BYTES);
		(void)buf_addc(out, '\n');
	}
	if (!str_is_empty(t->notes)) {
		(void)buf_adds(out, "- Left alone:\n\n");
		markdown_fence(out, t->notes, strlen(t->notes), LIMIT_SUMMARY_BYTES);
		(void)buf_addc(out, '\n');
	}
	add_logs(in, out);
	(void)buf_addf(out, "- Task %" PRId64, t->id);
	text_page_link(in->conf, t, out);
	(void)buf_adds(out, "\n");
	add_tail(t, out);
	if (!t->is_pull)
		(void)buf_addf(out, "\nCloses #%" PRId64 "\n", t->number);
}
