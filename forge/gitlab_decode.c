/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gitlab_decode - which of GitLab's events mean something to us.
 *
 * One "update" may be several things at once: labels, text, commits. Lists from before and after
 * tell which labels came and went. What not everybody may read (confidential issues, internal
 * notes) means nothing here: whatever we did about it, everybody could read.
 */
#include "forge/gitlab.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/markdown.h"
#include "forge/shapes.h"

#include <string.h>

#define EV_I(m, name)      ROW_I(struct forge_event, m, name)
#define EV_S(m, name, max) ROW_S(struct forge_event, m, name, max)

#define COMMON                                                                                     \
	EV_I(repo_id, "project.id"), EV_S(repo, "project.path_with_namespace", LIMIT_NAME_BYTES),  \
		EV_S(default_branch, "project.default_branch", LIMIT_NAME_BYTES),                  \
		EV_S(actor, "user.username", LIMIT_NAME_BYTES), EV_I(actor_id, "user.id")

/* The issue or merge request that the payload is about. */
#define THREAD(at)                                                                                 \
	EV_I(number, at ".iid"), EV_I(issue_id, at ".id"),                                         \
		EV_S(title, at ".title", LIMIT_TITLE_BYTES),                                       \
		EV_S(body, at ".description", LIMIT_BODY_BYTES), EV_I(author_id, at ".author_id")

#define MERGE_REQUEST(at)                                                                          \
	EV_S(head_ref, at ".source_branch", LIMIT_NAME_BYTES),                                     \
		EV_S(head_sha, at ".last_commit.id", LIMIT_NAME_BYTES),                            \
		EV_I(head_repo_id, at ".source_project_id"),                                       \
		EV_S(base_ref, at ".target_branch", LIMIT_NAME_BYTES)

#define NOTE                                                                                       \
	EV_I(comment_id, "object_attributes.id"),                                                  \
		EV_S(comment_body, "object_attributes.note", LIMIT_BODY_BYTES)

static const struct row ISSUE_ROWS[] = { COMMON, THREAD("object_attributes"), ROW_DONE };
static const struct row MERGE_REQUEST_ROWS[] = { COMMON, THREAD("object_attributes"),
	MERGE_REQUEST("object_attributes"), ROW_DONE };
static const struct row ISSUE_NOTE_ROWS[] = { COMMON, THREAD("issue"), NOTE, ROW_DONE };
static const struct row MERGE_REQUEST_NOTE_ROWS[] = { COMMON, THREAD("merge_request"),
	MERGE_REQUEST("merge_request"), NOTE, ROW_DONE };

/* What a payload is about, by object_kind and, of a note, by what it hangs on. */
static const struct subject {
	const char *kind;
	const char *on; /* type of what the note hangs on; NULL: not a note */
	const struct row *rows;
	const char *at; /* where the issue or merge request is */
	bool is_pull;
} SUBJECTS[] = {
	{ "issue", NULL, ISSUE_ROWS, "object_attributes", false },
	{ "merge_request", NULL, MERGE_REQUEST_ROWS, "object_attributes", true },
	{ "note", "Issue", ISSUE_NOTE_ROWS, "issue", false },
	{ "note", "MergeRequest", MERGE_REQUEST_NOTE_ROWS, "merge_request", true },
	{ "note", "WorkItem", ISSUE_NOTE_ROWS, "issue", false },
	{ "work_item", NULL, ISSUE_ROWS, "object_attributes", false },
};

/* Values of the event header, without which nothing is parsed: 25 MB of a push are not worth a
 * second. What is confidential has a header of its own, and is left out already here. */
static const char *const EVENTS[] = { "Issue Hook", "Merge Request Hook", "Note Hook",
	"Work Item Hook" };

static bool
is_known(const char *event)
{
	for (size_t i = 0; i < sizeof(EVENTS) / sizeof(EVENTS[0]); i++) {
		if (str_eq(event, EVENTS[i]))
			return true;
	}
	return false;
}

static const struct subject *
subject_of(const struct json *j)
{
	const char *kind = json_str(j, "object_kind");
	const char *on = json_str(j, "object_attributes.noteable_type");

	for (size_t i = 0; i < sizeof(SUBJECTS) / sizeof(SUBJECTS[0]); i++) {
		const struct subject *s = &SUBJECTS[i];

		if (str_eq(s->kind, kind) && (!s->on || str_eq(s->on, on)))
			return s;
	}
	return NULL;
}

/* The project may be closed to the world, but not every member reads what is marked so. */
static bool
is_for_few(const struct json *j, const struct subject *s)
{
	const struct json *thread = json_get(j, s->at);

	return json_bool(thread, "confidential") ||
	       json_bool(j, "object_attributes.confidential") ||
	       json_bool(j, "object_attributes.internal") ||
	       str_eq(json_str(j, "event_type"), "confidential_note") ||
	       str_eq(json_str(j, "event_type"), "confidential_issue");
}

static void
titles(const struct json *list, struct strs *out)
{
	for (size_t i = 0; i < json_len(list, NULL) && out->n < LIMIT_LABELS; i++) {
		auto_free char *cut =
			dialect_cut(json_str(json_at(list, NULL, i), "title"), LIMIT_NAME_BYTES);

		if (cut)
			strs_add(out, cut);
	}
}

static bool
read_titles(const struct json *list, struct strs *out)
{
	titles(list, out);
	return list && json_len(list, NULL) == out->n;
}

/* Labels of a new one are all new: there was nothing before. */
static void
labels(const struct json *j, struct forge_event *ev)
{
	const struct json *current = json_get(j, "changes.labels.current");

	if (!current)
		current = json_get(j, "labels");
	ev->labels_known = read_titles(current, &ev->labels);
	ev->labels_differ = read_titles(json_get(j, "changes.labels.previous"), &ev->labels_were);
}

static enum forge_event_kind
update_kind(const struct json *j, struct forge_event *ev)
{
	bool is_edited = json_get(j, "changes.title") || json_get(j, "changes.description");

	if (json_get(j, "changes.labels")) {
		labels(j, ev);
		ev->is_edited = is_edited;
		return EVENT_LABELS;
	}
	if (!str_is_empty(json_str(j, "object_attributes.oldrev")))
		return EVENT_PULL_PUSHED;
	return is_edited ? EVENT_ISSUE_EDITED : EVENT_NONE;
}

static enum forge_event_kind
thread_kind(const struct json *j, const char *action, struct forge_event *ev)
{
	if (str_eq(action, "update"))
		return update_kind(j, ev);
	if (str_eq(action, "open")) {
		labels(j, ev);
		return EVENT_LABELS;
	}
	return str_eq(action, "close") || str_eq(action, "merge") ? EVENT_CLOSED : EVENT_NONE;
}

/* Commands are read from the whole text or not at all, never from a cut one. Before 16.11 there is
 * no action, and only new notes are told. */
static enum forge_event_kind
note_kind(const struct json *j, const char *action, struct forge_event *ev)
{
	const char *body = json_str(j, "object_attributes.note");

	if (json_bool(j, "object_attributes.system"))
		return EVENT_NONE;
	if (action && !str_eq(action, "create"))
		return EVENT_COMMENT_EDITED;
	if (body)
		markdown_commands(body, &ev->commands);
	return EVENT_COMMENT;
}

static char *
full_name(const struct forge_delivery *d, const char *kind, const char *action)
{
	auto_free char *name = NULL;

	if (str_is_empty(kind))
		return dialect_cut(str_is_empty(d->event) ? "unnamed" : d->event, LIMIT_NAME_BYTES);
	name = action ? mem_fmt("%s.%s", kind, action) : mem_str(kind);
	return dialect_cut(name, LIMIT_NAME_BYTES);
}

static void
read_subject(const struct json *j, const struct subject *s, struct forge_event *ev)
{
	const char *action = json_str(j, "object_attributes.action");
	const char *state = json_str(json_get(j, s->at), "state");

	json_decode(j, s->rows, ev);
	ev->kind = s->on ? note_kind(j, action, ev) : thread_kind(j, action, ev);
	ev->is_pull = s->is_pull;
	ev->number = s->is_pull ? -ev->number : ev->number;
	ev->is_closed =
		str_eq(state, "closed") || str_eq(state, "merged") || ev->kind == EVENT_CLOSED;
	ev->actor_is_bot = gitlab_is_machine(ev->actor);
	ev->updated_ms = shape_time(j, "object_attributes.updated_at");
}

/* An event about an issue that does not say which one is of no use. */
static bool
is_whole(const struct subject *s, const struct forge_event *ev)
{
	return ev->kind != EVENT_NONE && ev->repo_id > 0 && ev->number != 0 &&
	       forge_repo_ok(FORGE_GITLAB, ev->repo) && (!s->on || ev->comment_id > 0);
}

int
gitlab_decode(const struct forge_delivery *d, const char *body, size_t len, struct forge_event *out,
	struct err *e)
{
	auto_json struct json *j = NULL;
	const struct subject *s;
	int rc;

	*out = (struct forge_event){ .kind = EVENT_NONE };
	if (!is_known(d->event)) {
		out->name = full_name(d, NULL, NULL);
		return 0;
	}
	rc = json_parse(body, len, &JSON_LIMITS_DELIVERY, &j, e);
	if (rc < 0)
		return err_wrap(e, rc, "delivery %s", d->event);
	s = subject_of(j);
	if (s && !is_for_few(j, s)) {
		read_subject(j, s, out);
		if (!is_whole(s, out))
			forge_event_finish(out); /* zeroed: EVENT_NONE */
	}
	out->name =
		full_name(d, json_str(j, "object_kind"), json_str(j, "object_attributes.action"));
	return 0;
}
