/* SPDX-License-Identifier: Apache-2.0 */
/* What neither forge's examples have: comments on pull requests, forks that are gone, odd text. */
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

#define REPO         "\"repository\":{\"id\":7,\"full_name\":\"acme/widget\"}"
#define SENDER(type) "\"sender\":{\"login\":\"alice\",\"id\":5" type "},\"installation\":{\"id\":9}"
#define BY           SENDER("")
#define ISSUE        "\"issue\":{\"number\":3,\"id\":30,\"user\":{\"login\":\"bob\",\"id\":6}"
#define PULL         "\"pull_request\":{\"number\":3,\"id\":30,\"user\":null"
#define TEXT(s)      "\"comment\":{\"id\":70,\"body\":\"" s "\"}"

static const struct {
	const char *name;
	enum forge_kind kind;
	const char *event;
	const char *json;
	const char *want;
} ROWS[] = {
	{ "a comment on a pull request", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE
		",\"pull_request\":{\"url\":\"u\"}}," TEXT("/agent fix") "," REPO "," BY "}",
		"kind=3 repo=7 #3 pull by=5 author=6 app=9 comment=70 [fix]" },
	{ "a comment on an issue whose pull_request is null", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE
		",\"pull_request\":null}," TEXT("/agent fix it") "," REPO "," BY "}",
		"kind=3 repo=7 #3 by=5 author=6 app=9 comment=70 [fix it]" },
	{ "line ends of a web form", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE
		"}," TEXT("hello\\r\\n/agent fix the bug\\r\\nbye") "," REPO "," BY "}",
		"kind=3 repo=7 #3 by=5 author=6 app=9 comment=70 [fix the bug]" },
	{ "a NUL in the text", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE "}," TEXT("a\\u0000b\\n/agent fix") "," REPO "," BY
										     "}",
		"kind=3 repo=7 #3 by=5 author=6 app=9 comment=70 [fix]" },
	{ "half a character in the text", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE "}," TEXT("\\ud83d\\n/agent fix") "," REPO "," BY
										   "}",
		"kind=3 repo=7 #3 by=5 author=6 app=9 comment=70 [fix]" },
	{ "an edited comment commands nothing", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"edited\"," ISSUE "}," TEXT("/agent fix") "," REPO "," BY "}",
		"kind=4 repo=7 #3 by=5 author=6 app=9 comment=70" },
	{ "a comment without its number", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE "},\"comment\":{\"body\":\"/agent fix\"}," REPO
		"," BY "}",
		"kind=0" },
	{ "a bot", FORGE_GITHUB, "issue_comment",
		"{\"action\":\"created\"," ISSUE "}," TEXT("x") "," REPO
								"," SENDER(",\"type\":\"Bot\"") "}",
		"kind=3 repo=7 #3 by=5 bot author=6 app=9 comment=70" },
	{ "a fork that is gone", FORGE_GITHUB, "pull_request",
		"{\"action\":\"synchronize\"," PULL
		",\"head\":{\"ref\":\"x\",\"sha\":\"abc\",\"repo\":null},\"base\":{\"ref\":"
		"\"main\"}}," REPO "," BY "}",
		"kind=7 repo=7 #3 pull by=5 author=0 app=9 head=0:x:abc" },
	{ "a fork", FORGE_GITHUB, "pull_request",
		"{\"action\":\"synchronize\"," PULL
		",\"head\":{\"ref\":\"x\",\"sha\":\"abc\",\"repo\":{\"id\":8}}}," REPO "," BY "}",
		"kind=7 repo=7 #3 pull by=5 author=0 app=9 head=8:x:abc" },
	{ "merged", FORGE_GITHUB, "pull_request",
		"{\"action\":\"closed\"," PULL ",\"merged\":true,\"state\":\"closed\"}," REPO "," BY
		"}",
		"kind=6 repo=7 #3 pull closed by=5 author=0 app=9" },
	{ "a label that is not named", FORGE_GITHUB, "issues",
		"{\"action\":\"labeled\"," ISSUE "}," REPO "," BY "}",
		"kind=2 repo=7 #3 by=5 author=6 app=9" },
	{ "a number that is none of ours", FORGE_GITHUB, "issues",
		"{\"action\":\"labeled\",\"issue\":{\"number\":99999999999999999999}," REPO "," BY
		"}",
		"kind=0" },
	{ "a repository's name that leads elsewhere", FORGE_GITHUB, "issues",
		"{\"action\":\"labeled\"," ISSUE "},\"repository\":{\"id\":7,\"full_name\":"
		"\"../../x\"}," BY "}",
		"kind=0" },
	{ "no repository", FORGE_GITHUB, "issues", "{\"action\":\"labeled\"," ISSUE "}," BY "}",
		"kind=0" },
	{ "everything is of another type", FORGE_GITHUB, "issues",
		"{\"action\":[],\"issue\":7,\"repository\":\"x\",\"sender\":[],\"label\":true}",
		"kind=0" },
	{ "an action nobody knows", FORGE_GITHUB, "issues", "{\"action\":\"sublimated\"}",
		"kind=0" },
	{ "an event nobody knows is not even parsed", FORGE_GITHUB, "sublimation", "{\"a",
		"kind=0" },
	{ "Gitea: a comment on a pull request", FORGE_GITEA, "issue_comment",
		"{\"action\":\"created\",\"is_pull\":true," ISSUE
		",\"pull_request\":null}," TEXT("/agent fix") "," REPO "," BY "}",
		"kind=3 repo=7 #3 pull by=5 author=6 app=9 comment=70 [fix]" },
	{ "Forgejo: the same", FORGE_FORGEJO, "issue_comment",
		"{\"action\":\"created\",\"is_pull\":true," ISSUE
		"}," TEXT("/agent fix") "," REPO "," BY "}",
		"kind=3 repo=7 #3 pull by=5 author=6 app=9 comment=70 [fix]" },
};

static void
describe(const struct forge_event *ev, struct buf *out)
{
	const struct forge_command *c = ev->commands.v;

	(void)buf_addf(out, "kind=%" PRId64, ev->kind);
	if (!ev->kind)
		return;
	(void)buf_addf(out, " repo=%" PRId64 " #%" PRId64, ev->repo_id, ev->number);
	(void)buf_addf(out, "%s%s", ev->is_pull ? " pull" : "", ev->is_closed ? " closed" : "");
	(void)buf_addf(out, " by=%" PRId64 "%s author=%" PRId64 " app=%" PRId64, ev->actor_id,
		ev->actor_is_bot ? " bot" : "", ev->author_id, ev->installation_id);
	if (ev->comment_id)
		(void)buf_addf(out, " comment=%" PRId64, ev->comment_id);
	if (ev->head_ref)
		(void)buf_addf(out, " head=%" PRId64 ":%s:%s", ev->head_repo_id, ev->head_ref,
			ev->head_sha);
	for (size_t i = 0; i < ev->commands.n; i++)
		(void)buf_addf(out, " [%s%s%s]", c[i].verb, c[i].args[0] ? " " : "", c[i].args);
}

static void
events_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		auto_free char *event = mem_str(ROWS[i].event);
		const struct forge_delivery d = { .event = event, .event_type = event };
		auto_buf struct buf got = BUF_INIT(KIB(4));
		struct forge_event ev;
		struct err e = { 0 };

		if (forge_driver_get(ROWS[i].kind)
				->decode(&d, ROWS[i].json, strlen(ROWS[i].json), &ev, &e) < 0)
			fail_msg("%s: %s", ROWS[i].name, e.text);
		describe(&ev, &got);
		if (strcmp(buf_str(&got), ROWS[i].want) != 0)
			fail_msg("%s: %s", ROWS[i].name, buf_str(&got));
		forge_event_finish(&ev);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_by_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
