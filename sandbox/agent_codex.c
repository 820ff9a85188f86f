/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_codex - what `codex exec --json` says, as a terminal would have shown it.
 *
 * Event names are those of codex-rs/exec (0.169). Unknown ones are passed over: there are new ones
 * every month.
 */
#include "sandbox/agent.h"

#include "base/clean.h"
#include "base/limits.h"

#include <inttypes.h>
#include <string.h>

#define BOLD 1
#define DIM  2
#define RED  31

static void
show_command(const struct json *item, struct buf *show)
{
	int64_t code = json_i64(item, "exit_code");
	auto_buf struct buf line = BUF_INIT(KIB(64));

	(void)buf_addf(&line, "$ %s", json_str(item, "command") ? json_str(item, "command") : "");
	agent_show(show, BOLD, buf_str(&line));
	agent_show(show, 0, json_str(item, "aggregated_output"));
	if (code != 0) {
		buf_reset(&line);
		(void)buf_addf(&line, "[exit code %" PRId64 "]", code);
		agent_show(show, RED, buf_str(&line));
	}
}

static void
show_changes(const struct json *item, struct buf *show)
{
	for (size_t i = 0; i < json_len(item, "changes"); i++) {
		const struct json *change = json_at(item, "changes", i);
		const char *kind = json_str(change, "kind");
		const char *path = json_str(change, "path");
		auto_buf struct buf line = BUF_INIT(KIB(8));

		(void)buf_addf(&line, "%s %s", kind ? kind : "change", path ? path : "?");
		agent_show(show, BOLD, buf_str(&line));
	}
}

static void
show_item(struct agent_reader *r, const struct json *item, struct buf *show)
{
	const char *type = json_str(item, "type");

	if (!type)
		return;
	if (strcmp(type, "command_execution") == 0) {
		show_command(item, show);
	} else if (strcmp(type, "file_change") == 0) {
		show_changes(item, show);
	} else if (strcmp(type, "agent_message") == 0) {
		agent_show(show, 0, json_str(item, "text"));
		agent_set_summary(r, json_str(item, "text"));
	} else if (strcmp(type, "reasoning") == 0) {
		agent_show(show, DIM, json_str(item, "text"));
	} else if (strcmp(type, "error") == 0) {
		agent_show(show, RED, json_str(item, "message"));
	}
}

static void
show_usage(const struct json *event, struct buf *show)
{
	auto_buf struct buf line = BUF_INIT(KIB(1));

	(void)buf_addf(&line, "[tokens: %" PRId64 " in, %" PRId64 " out]",
		json_i64(event, "usage.input_tokens"), json_i64(event, "usage.output_tokens"));
	agent_show(show, DIM, buf_str(&line));
}

void
agent_codex_event(struct agent_reader *r, const struct json *event, struct buf *show)
{
	const char *type = json_str(event, "type");

	if (!type)
		return;
	if (strcmp(type, "item.completed") == 0) {
		show_item(r, json_get(event, "item"), show);
	} else if (strcmp(type, "turn.completed") == 0) {
		show_usage(event, show);
	} else if (strcmp(type, "turn.failed") == 0) {
		agent_show(show, RED, json_str(event, "error.message"));
		agent_set_error(r, json_str(event, "error.message"));
	} else if (strcmp(type, "error") == 0) {
		agent_show(show, RED, json_str(event, "message"));
		agent_set_error(r, json_str(event, "message"));
	}
}
