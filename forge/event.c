/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event - what a delivery meant, forge-neutral: its rows, its end, and the one question everybody
 * asks of it.
 */
#include "forge/forge.h"

#include "base/limits.h"

const struct row FORGE_COMMAND_ROWS[] = {
	ROW_S(struct forge_command, verb, "verb", LIMIT_NAME_BYTES),
	ROW_S(struct forge_command, args, "args", LIMIT_BODY_BYTES),
	ROW_DONE,
};

const struct row FORGE_EVENT_ROWS[] = {
	ROW_I(struct forge_event, kind, "kind"),
	ROW_S(struct forge_event, name, "name", LIMIT_NAME_BYTES),
	ROW_I(struct forge_event, repo_id, "repo_id"),
	ROW_S(struct forge_event, repo, "repo", LIMIT_NAME_BYTES),
	ROW_S(struct forge_event, default_branch, "default_branch", LIMIT_NAME_BYTES),
	ROW_I(struct forge_event, installation_id, "installation_id"),
	ROW_I(struct forge_event, number, "number"),
	ROW_I(struct forge_event, issue_id, "issue_id"),
	ROW_B(struct forge_event, is_pull, "is_pull"),
	ROW_B(struct forge_event, is_closed, "is_closed"),
	ROW_S(struct forge_event, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_event, body, "body", LIMIT_BODY_BYTES),
	ROW_S(struct forge_event, author, "author", LIMIT_NAME_BYTES),
	ROW_I(struct forge_event, author_id, "author_id"),
	ROW_S(struct forge_event, actor, "actor", LIMIT_NAME_BYTES),
	ROW_I(struct forge_event, actor_id, "actor_id"),
	ROW_B(struct forge_event, actor_is_bot, "actor_is_bot"),
	ROW_S(struct forge_event, label, "label", LIMIT_NAME_BYTES),
	ROW_B(struct forge_event, label_added, "label_added"),
	ROW_B(struct forge_event, labels_known, "labels_known"),
	ROW_SS(struct forge_event, labels, "labels", LIMIT_NAME_BYTES, LIMIT_LABELS),
	ROW_I(struct forge_event, comment_id, "comment_id"),
	ROW_S(struct forge_event, comment_body, "comment_body", LIMIT_BODY_BYTES),
	ROW_L(struct forge_event, commands, "commands", LIMIT_COMMANDS, FORGE_COMMAND_ROWS,
		struct forge_command),
	ROW_S(struct forge_event, head_ref, "head_ref", LIMIT_NAME_BYTES),
	ROW_S(struct forge_event, head_sha, "head_sha", LIMIT_NAME_BYTES),
	ROW_I(struct forge_event, head_repo_id, "head_repo_id"),
	ROW_S(struct forge_event, base_ref, "base_ref", LIMIT_NAME_BYTES),
	ROW_I(struct forge_event, updated_ms, "updated_ms"),
	ROW_B(struct forge_event, labels_differ, "labels_differ"),
	ROW_SS(struct forge_event, labels_were, "labels_were", LIMIT_NAME_BYTES, LIMIT_LABELS),
	ROW_B(struct forge_event, is_edited, "is_edited"),
	ROW_DONE,
};

const struct row FORGE_DELIVERY_ROWS[] = {
	ROW_S(struct forge_delivery, forge, "forge", LIMIT_NAME_BYTES),
	ROW_S(struct forge_delivery, guid, "guid", LIMIT_NAME_BYTES),
	ROW_S(struct forge_delivery, event, "event", LIMIT_NAME_BYTES),
	ROW_S(struct forge_delivery, event_type, "event_type", LIMIT_NAME_BYTES),
	ROW_S(struct forge_delivery, content_type, "content_type", LIMIT_NAME_BYTES),
	ROW_I(struct forge_delivery, received_ms, "received_ms"),
	ROW_DONE,
};

void
forge_event_finish(struct forge_event *ev)
{
	row_finish(FORGE_EVENT_ROWS, ev);
}

enum forge_label_state
forge_event_label(const struct forge_event *ev, const char *label)
{
	if (ev->kind != EVENT_LABELS)
		return LABEL_UNCHANGED;
	if (ev->label) {
		if (!str_eq(ev->label, label))
			return LABEL_UNCHANGED;
		return ev->label_added ? LABEL_ON : LABEL_OFF;
	}
	bool is_there = strs_has(&ev->labels, label);

	if (!ev->labels_known)
		return LABEL_UNCHANGED;
	if (ev->labels_differ && strs_has(&ev->labels_were, label) == is_there)
		return LABEL_UNCHANGED;
	return is_there ? LABEL_ON : LABEL_OFF;
}
