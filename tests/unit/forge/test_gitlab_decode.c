/* SPDX-License-Identifier: Apache-2.0 */
/* GitLab's deliveries by their shapes: what each means, and what must mean nothing. */
#include "forge/forge.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#define WHERE                                                                                      \
	"\"project\":{\"id\":6,\"path_with_namespace\":\"acme/tools/widget\",\"default_branch\":"  \
	"\"main\"}"
#define BY(name)    "\"user\":{\"id\":3,\"username\":\"" name "\"}"
#define ALICE       BY("alice")
#define LABEL(name) "{\"id\":1,\"title\":\"" name "\"}"
#define CHANGED(before, after)                                                                     \
	"\"changes\":{\"labels\":{\"previous\":[" before "],\"current\":[" after "]}}"
#define ISSUE(more)                                                                                \
	"{\"object_kind\":\"issue\"," WHERE "," ALICE                                              \
	",\"object_attributes\":{\"id\":30,\"iid\":3,\"title\":\"T\",\"description\":\"B\","       \
	"\"author_id\":4,\"state\":\"opened\",\"updated_at\":\"2026-11-22 09:19:17 UTC\"," more
#define MR(more)                                                                                   \
	"{\"object_kind\":\"merge_request\"," WHERE "," ALICE                                      \
	",\"object_attributes\":{\"id\":80,\"iid\":3,\"title\":\"T\",\"author_id\":4,"             \
	"\"state\":\"opened\",\"source_branch\":\"x\",\"target_branch\":\"main\","                 \
	"\"source_project_id\":9,\"last_commit\":{\"id\":\"abc\"}," more
#define NOTE(on, more)                                                                             \
	"{\"object_kind\":\"note\",\"event_type\":\"note\"," WHERE "," ALICE                       \
	",\"object_attributes\":{\"id\":70,\"noteable_type\":\"" on                                \
	"\",\"system\":false,\"internal\":false," more
#define ON_ISSUE "\"issue\":{\"id\":30,\"iid\":3,\"author_id\":4,\"state\":\"opened\"}}"
#define ON_MR                                                                                      \
	"\"merge_request\":{\"id\":80,\"iid\":3,\"author_id\":4,\"state\":\"opened\","             \
	"\"source_branch\":\"x\",\"last_commit\":{\"id\":\"abc\"},\"source_project_id\":6}}"
#define FIX "\"note\":\"/agent fix\""

static const struct {
	const char *name;
	const char *event;
	const char *json;
	const char *want;
} ROWS[] = {
	{ "the label came", "Issue Hook",
		ISSUE("\"action\":\"update\"},")
			CHANGED(LABEL("bug"), LABEL("bug") "," LABEL("agent")) "}",
		"labels on #3 by=3 author=4" },
	{ "the label went", "Issue Hook",
		ISSUE("\"action\":\"update\"},") CHANGED(LABEL("agent"), "") "}",
		"labels off #3 by=3 author=4" },
	{ "another label came where ours is", "Issue Hook",
		ISSUE("\"action\":\"update\"},")
			CHANGED(LABEL("agent"), LABEL("agent") "," LABEL("bug")) "}",
		"labels #3 by=3 author=4" },
	{ "the text was edited with another label", "Issue Hook",
		ISSUE("\"action\":\"update\"},") "\"changes\":{\"description\":{\"previous\":\"a\","
						 "\"current\":\"b\"},\"labels\":{"
						 "\"previous\":[],\"current\":[" LABEL(
							 "bug") "]}}}",
		"labels edited #3 by=3 author=4" },
	{ "opened with the label", "Issue Hook",
		ISSUE("\"action\":\"open\"},") "\"labels\":[" LABEL("agent") "],\"changes\":{}}",
		"labels on #3 by=3 author=4" },
	{ "opened without", "Issue Hook", ISSUE("\"action\":\"open\"},") "\"labels\":[]}",
		"labels off #3 by=3 author=4" },
	{ "an empty update", "Issue Hook", ISSUE("\"action\":\"update\"},") "\"changes\":{}}",
		"none" },
	{ "edited", "Issue Hook",
		ISSUE("\"action\":\"update\"},") "\"changes\":{\"title\":{\"previous\":\"a\","
						 "\"current\":\"b\"}}}",
		"issue_edited #3 by=3 author=4" },
	{ "closed", "Issue Hook", ISSUE("\"action\":\"close\"}}"),
		"closed #3 closed by=3 author=4" },
	{ "opened again", "Issue Hook", ISSUE("\"action\":\"reopen\"}}"), "none" },
	{ "a work item that is a task", "Issue Hook",
		"{\"object_kind\":\"work_item\"," WHERE "," ALICE
		",\"object_attributes\":{\"id\":30,\"iid\":3,\"type\":\"Task\",\"author_id\":4,"
		"\"action\":\"update\"}," CHANGED("", LABEL("agent")) "}",
		"labels on #3 by=3 author=4" },
	{ "a confidential issue by its mark", "Issue Hook",
		ISSUE("\"confidential\":true,\"action\":\"update\"},")
			CHANGED("", LABEL("agent")) "}",
		"none" },
	{ "a confidential issue by its header", "Confidential Issue Hook",
		ISSUE("\"action\":\"update\"},") CHANGED("", LABEL("agent")) "}", "none" },
	{ "the label on a merge request of a fork", "Merge Request Hook",
		MR("\"action\":\"update\"},") CHANGED("", LABEL("agent")) "}",
		"labels on #-3 pull by=3 author=4 head=9:x:abc" },
	{ "new commits", "Merge Request Hook",
		MR("\"action\":\"update\",\"oldrev\":\"aaa\"},") "\"changes\":{}}",
		"pull_pushed #-3 pull by=3 author=4 head=9:x:abc" },
	{ "merged", "Merge Request Hook", MR("\"action\":\"merge\"}}"),
		"closed #-3 pull closed by=3 author=4 head=9:x:abc" },
	{ "approved", "Merge Request Hook", MR("\"action\":\"approved\"}}"), "none" },
	{ "a command on an issue", "Note Hook",
		NOTE("Issue", FIX ",\"action\":\"create\"},") ON_ISSUE,
		"comment #3 by=3 author=4 note=70 [fix]" },
	{ "before 16.11 there was no action", "Note Hook", NOTE("Issue", FIX "},") ON_ISSUE,
		"comment #3 by=3 author=4 note=70 [fix]" },
	{ "a command on a merge request", "Note Hook",
		NOTE("MergeRequest", FIX ",\"action\":\"create\"},") ON_MR,
		"comment #-3 pull by=3 author=4 note=70 head=6:x:abc [fix]" },
	{ "on a line of it", "Note Hook",
		NOTE("MergeRequest", FIX ",\"type\":\"DiffNote\",\"position\":{\"new_line\":3},"
					 "\"discussion_id\":\"d\",\"action\":\"create\"},") ON_MR,
		"comment #-3 pull by=3 author=4 note=70 head=6:x:abc [fix]" },
	{ "an edited note commands nothing", "Note Hook",
		NOTE("Issue", FIX ",\"action\":\"update\"},") ON_ISSUE,
		"comment_edited #3 by=3 author=4 note=70" },
	{ "an internal note by its mark", "Note Hook",
		"{\"object_kind\":\"note\"," WHERE "," ALICE
		",\"object_attributes\":{\"id\":70,\"noteable_type\":\"Issue\",\"internal\":"
		"true," FIX ",\"action\":\"create\"}," ON_ISSUE,
		"none" },
	{ "an internal note by its old mark", "Note Hook",
		NOTE("Issue", FIX ",\"confidential\":true,\"action\":\"create\"},") ON_ISSUE,
		"none" },
	{ "an internal note by its type", "Note Hook",
		"{\"object_kind\":\"note\",\"event_type\":\"confidential_note\"," WHERE "," ALICE
		",\"object_attributes\":{\"id\":70,\"noteable_type\":\"Issue\"," FIX "}," ON_ISSUE,
		"none" },
	{ "an internal note by its header", "Confidential Note Hook",
		NOTE("Issue", FIX ",\"action\":\"create\"},") ON_ISSUE, "none" },
	{ "an open note on a confidential issue", "Note Hook",
		NOTE("Issue", FIX ",\"action\":\"create\"},") "\"issue\":{\"id\":30,\"iid\":3,"
							      "\"confidential\":true}}",
		"none" },
	{ "what the server wrote itself", "Note Hook",
		"{\"object_kind\":\"note\"," WHERE "," ALICE
		",\"object_attributes\":{\"id\":70,\"noteable_type\":\"Issue\",\"system\":true," FIX
		",\"action\":\"create\"}," ON_ISSUE,
		"none" },
	{ "a note on a commit", "Note Hook", NOTE("Commit", FIX ",\"action\":\"create\"}}"),
		"none" },
	{ "by a machine of a project", "Note Hook",
		"{\"object_kind\":\"note\"," WHERE
		"," BY("project_6_bot_0a1b") ",\"object_attributes\":{\"id\":70,\"noteable_type\":"
					     "\"Issue\"," FIX "}," ON_ISSUE,
		"comment #3 by=3 bot author=4 note=70 [fix]" },
	{ "by a service account", "Note Hook",
		"{\"object_kind\":\"note\"," WHERE
		"," BY("service_account_group_7_0a1b") ",\"object_attributes\":{\"id\":70,"
						       "\"noteable_type\":\"Issue\"," FIX
						       "}," ON_ISSUE,
		"comment #3 by=3 bot author=4 note=70 [fix]" },
	{ "by somebody who likes projects", "Note Hook",
		"{\"object_kind\":\"note\"," WHERE
		"," BY("project_x_bot") ",\"object_attributes\":{\"id\":70,\"noteable_type\":"
					"\"Issue\"," FIX "}," ON_ISSUE,
		"comment #3 by=3 author=4 note=70 [fix]" },
	{ "a project's name that leads elsewhere", "Note Hook",
		"{\"object_kind\":\"note\",\"project\":{\"id\":6,\"path_with_namespace\":"
		"\"acme/../x\"}," ALICE
		",\"object_attributes\":{\"id\":70,\"noteable_type\":\"Issue\"," FIX "}," ON_ISSUE,
		"none" },
	{ "no number", "Issue Hook",
		"{\"object_kind\":\"issue\"," WHERE "," ALICE
		",\"object_attributes\":{\"action\":\"open\"}}",
		"none" },
	{ "everything is of another type", "Issue Hook",
		"{\"object_kind\":[],\"object_attributes\":7,\"project\":\"x\",\"user\":[]}",
		"none" },
	{ "a kind that its header does not say", "Issue Hook",
		"{\"object_kind\":\"push\"," WHERE "}", "none" },
	{ "a push is not even parsed", "Push Hook", "{\"a", "none" },
	{ "no header", "", "{\"a", "none" },
};

static const char *const KINDS[EVENT_KIND_COUNT] = {
	[EVENT_NONE] = "none",
	[EVENT_LABELS] = "labels",
	[EVENT_COMMENT] = "comment",
	[EVENT_COMMENT_EDITED] = "comment_edited",
	[EVENT_ISSUE_EDITED] = "issue_edited",
	[EVENT_CLOSED] = "closed",
	[EVENT_PULL_PUSHED] = "pull_pushed",
};

static void
describe(const struct forge_event *ev, struct buf *out)
{
	static const char *const LABELS[] = { "", " on", " off" };
	const struct forge_command *c = ev->commands.v;

	(void)buf_addf(out, "%s%s%s", KINDS[ev->kind], LABELS[forge_event_label(ev, "agent")],
		ev->is_edited ? " edited" : "");
	if (!ev->kind)
		return;
	assert_int_equal(ev->repo_id, 6);
	assert_string_equal(ev->repo, "acme/tools/widget");
	(void)buf_addf(out, " #%" PRId64 "%s%s", ev->number, ev->is_pull ? " pull" : "",
		ev->is_closed ? " closed" : "");
	(void)buf_addf(out, " by=%" PRId64 "%s author=%" PRId64, ev->actor_id,
		ev->actor_is_bot ? " bot" : "", ev->author_id);
	if (ev->comment_id)
		(void)buf_addf(out, " note=%" PRId64, ev->comment_id);
	if (ev->head_ref)
		(void)buf_addf(out, " head=%" PRId64 ":%s:%s", ev->head_repo_id, ev->head_ref,
			ev->head_sha);
	for (size_t i = 0; i < ev->commands.n; i++)
		(void)buf_addf(out, " [%s]", c[i].verb);
}

static void
events_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		auto_free char *event = mem_str(ROWS[i].event);
		const struct forge_delivery d = { .event = event };
		auto_buf struct buf got = BUF_INIT(KIB(4));
		struct forge_event ev;
		struct err e = { 0 };

		if (forge_driver_get(FORGE_GITLAB)
				->decode(&d, ROWS[i].json, strlen(ROWS[i].json), &ev, &e) < 0)
			fail_msg("%s: %s", ROWS[i].name, e.text);
		describe(&ev, &got);
		if (strcmp(buf_str(&got), ROWS[i].want) != 0)
			fail_msg("%s: %s", ROWS[i].name, buf_str(&got));
		forge_event_finish(&ev);
	}
}

static void
what_is_no_json_is_an_error(void **state)
{
	static char event[] = "Issue Hook";
	const struct forge_delivery d = { .event = event };
	struct forge_event ev;

	(void)state;
	assert_int_equal(
		forge_driver_get(FORGE_GITLAB)->decode(&d, "{\"a", 3, &ev, NULL), ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_by_row),
		cmocka_unit_test(what_is_no_json_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
