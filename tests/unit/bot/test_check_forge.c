/* SPDX-License-Identifier: Apache-2.0 */
/* check_forge - what forges say of the bot, played by a scripted server in a child. */
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/base/http_server.h"
#include "tests/unit/bot/check_case.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct line {
	const char *to; /* "GET /user" */
	const char *reply;
};

static const struct line *script;

#define OK   "HTTP/1.1 200 OK\r\n"
#define JSON "Content-Type: application/json\r\n"

/* Rows for the same request answer one after the other, the last one always. */
static const struct line *
line_for(const char *raw)
{
	static uint64_t used;
	const struct line *found = NULL;

	for (size_t i = 0; script[i].to; i++) {
		size_t n = strlen(script[i].to);

		if (strncmp(raw, script[i].to, n) != 0 || (raw[n] != ' ' && raw[n] != '?'))
			continue;
		found = &script[i];
		if (used & 1ULL << i)
			continue;
		used |= 1ULL << i;
		break;
	}
	return found;
}

static enum http_server_next
answer(void *ctx, const char *raw, struct buf *out)
{
	const struct line *l = line_for(raw);
	const char *body;

	(void)ctx;
	if (!l) {
		(void)buf_adds(out, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
				    "Connection: close\r\n\r\n");
		return SERVER_CLOSE;
	}
	body = strstr(l->reply, "\n\n") + 2;
	(void)buf_add(out, l->reply, (size_t)(body - l->reply) - 1);
	(void)buf_addf(
		out, JSON "Content-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(body), body);
	return SERVER_CLOSE;
}

/* Asks the forge that the rows play; yaml has %d where its port belongs. */
static void
ask(const struct line *rows, const char *yaml, struct check_report *r)
{
	auto_config struct config c = { 0 };
	auto_buf struct buf text = BUF_INIT(4096);
	struct http_server *server;
	struct loop *loop = NULL;
	pid_t pid;

	script = rows;
	assert_int_equal(loop_create(&loop, NULL), 0);
	server = http_server_create(loop, answer, NULL);
	for (const char *p = yaml; *p; p++) {
		if (*p == '#')
			(void)buf_addf(&text, "http://127.0.0.1:%d", http_server_port(server));
		else
			(void)buf_addc(&text, *p);
	}
	scratch_put("t", "0123456789abcdef0123456789abcdef\n", 0600);
	check_case_parse(buf_str(&text), &c);
	pid = fork();
	if (pid == 0) {
		(void)loop_run(loop, NULL);
		_exit(0);
	}
	check_forges(r, &c);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	http_server_destroy(server);
	loop_destroy(loop);
}

#define GITHUB                                                                                     \
	"intake: poll\nforges: { gh: { kind: github, url: \"#\", api_url: \"#\", token_file: t, "  \
	"repos: [acme/widget, \"acme/*\", \"!acme/x\"] } }\n"
#define GITEA "intake: poll\nforges: { tea: { kind: gitea, url: \"#\", token_file: t } }\n"

static void
a_good_token_is_known_by_name(void **state)
{
	static const struct line rows[] = {
		{ "GET /user",
			OK "X-OAuth-Scopes: repo, workflow\r\n\n{\"login\":\"bot\",\"id\":7}" },
		{ "GET /repos/acme/widget/collaborators/bot/permission",
			OK "\n{\"permission\":\"write\",\"role_name\":\"write\",\"user\":{"
			   "\"login\":\"bot\",\"id\":7}}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	ask(rows, GITHUB, &r);
	check_case_has(&r, "forges.gh", "ok", "knows the bot as bot");
	check_case_has(&r, "forges.gh.permissions", "ok", "the token may do what the bot does");
	check_case_has(&r, "forges.gh.repos", "ok", "acme/widget");
	assert_int_equal(r.exit_code, EX_OK);
	assert_int_equal(r.items.n, 3);
	check_report_finish(&r);
}

#define GITLAB                                                                                     \
	"public_url: http://127.0.0.1\nforges: { gl: { kind: gitlab, url: \"#\", api_url: \"#\", " \
	"token_file: t, webhook_secret_file: t, repos: [acme/tools/widget] } }\n"
#define GITLAB_ME                                                                                  \
	{                                                                                          \
		"GET /user", OK "\n{\"username\":\"project_6_bot_0a1b\",\"id\":7,\"bot\":true}"    \
	}
#define GITLAB_MEMBER(level)                                                                       \
	{                                                                                          \
		"GET /projects/acme%2Ftools%2Fwidget/members/all/7",                               \
			OK "\n{\"id\":7,\"username\":\"project_6_bot_0a1b\",\"state\":\"active\"," \
			   "\"access_level\":" level "}"                                           \
	}
#define HOOK_ASKED "GET /projects/acme%2Ftools%2Fwidget/hooks?page=1&per_page=100"
#define HOOK(more)                                                                                 \
	"\n[{\"id\":1,\"url\":\"http://127.0.0.1/hook/gl\",\"issues_events\":true,"                \
	"\"merge_requests_events\":true," more "}]"

static void
a_gitlab_token_and_its_hook(void **state)
{
	static const struct line rows[] = {
		GITLAB_ME,
		{ "GET /personal_access_tokens/self", OK "\n{\"scopes\":[\"api\"]}" },
		GITLAB_MEMBER("40"),
		{ "GET /users/7", OK "\n{\"id\":7,\"bot\":true}" },
		{ HOOK_ASKED, OK HOOK("\"note_events\":true,\"alert_status\":\"executable\"") },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	ask(rows, GITLAB, &r);
	check_case_has(&r, "forges.gl", "ok", "project_6_bot_0a1b");
	check_case_has(&r, "forges.gl.permissions", "ok", "the token may do what the bot does");
	check_case_has(&r, "forges.gl.repos", "ok", "acme/tools/widget");
	check_case_has(&r, "forges.gl.hook", "ok", "it leads here");
	assert_int_equal(r.exit_code, EX_OK);
	check_report_finish(&r);
}

static void
a_gitlab_hook_in_trouble(void **state)
{
	static const struct {
		const char *reply, *want;
	} ROWS[] = {
		{ OK HOOK("\"note_events\":true,\"alert_status\":\"disabled\""),
			"GitLab has switched it off" },
		{ OK HOOK("\"note_events\":false"), "does not tell of comments" },
		{ OK "\n[]", "none leads to http://127.0.0.1/hook/gl" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct line rows[] = {
			GITLAB_ME,
			{ "GET /personal_access_tokens/self", OK "\n{\"scopes\":[\"api\"]}" },
			GITLAB_MEMBER("40"),
			{ "GET /users/7", OK "\n{\"id\":7}" },
			{ HOOK_ASKED, ROWS[i].reply },
			{ NULL, NULL },
		};
		struct check_report r = { 0 };

		ask(rows, GITLAB, &r);
		check_case_has(&r, "forges.gl.hook", "warning", ROWS[i].want);
		assert_int_equal(r.exit_code, EX_OK);
		check_report_finish(&r);
	}
}

static void
a_weak_gitlab_token_is_told(void **state)
{
	static const struct line rows[] = {
		GITLAB_ME,
		{ "GET /personal_access_tokens/self", OK "\n{\"scopes\":[\"read_api\"]}" },
		GITLAB_MEMBER("20"),
		{ HOOK_ASKED, "HTTP/1.1 403 Forbidden\r\n\n{\"message\":\"403 Forbidden\"}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	ask(rows, GITLAB, &r);
	check_case_has(&r, "forges.gl.permissions", "failure", "lacks the scope api");
	check_case_has(&r, "forges.gl.repos", "failure", "may not push");
	assert_int_equal(r.exit_code, EX_NOPERM);
	check_report_finish(&r);
}

static void
a_weak_token_is_told(void **state)
{
	static const struct line rows[] = {
		{ "GET /user", OK "X-OAuth-Scopes: read:user, "
				  "workflow\r\n\n{\"login\":\"bot\",\"id\":7}" },
		{ "GET /repos/acme/widget/collaborators/bot/permission",
			OK "\n{\"permission\":\"read\",\"role_name\":\"read\",\"user\":{\"login\":"
			   "\"bot\",\"id\":7}}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	ask(rows, GITHUB, &r);
	check_case_has(&r, "forges.gh.permissions", "failure", "lacks scope repo");
	check_case_has(&r, "forges.gh.repos", "failure", "may not push");
	assert_int_equal(r.exit_code, EX_NOPERM);
	check_report_finish(&r);
}

static void
a_refused_token_is_told(void **state)
{
	static const struct line rows[] = {
		{ "GET /api/v1/user",
			"HTTP/1.1 401 Unauthorized\r\n\n{\"message\":\"user does not exist\"}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };
	const struct check_item *i;

	(void)state;
	ask(rows, GITEA, &r);
	assert_int_equal(r.items.n, 1);
	i = r.items.v;
	assert_string_equal(i->state, "failure");
	assert_non_null(strstr(i->mend, "make a new token"));
	assert_int_equal(r.exit_code, EX_NOPERM);
	check_report_finish(&r);
}

static void
another_program_is_no_forge(void **state)
{
	static const struct line rows[] = {
		{ NULL, NULL },
	};
	struct check_report r = { 0 };
	const struct check_item *i;

	(void)state;
	ask(rows, GITEA, &r);
	i = r.items.v;
	assert_string_equal(i->state, "failure");
	assert_non_null(strstr(i->mend, "compare kind, url and api_url"));
	assert_int_equal(r.exit_code, EX_UNAVAILABLE);
	check_report_finish(&r);
}

static void
a_hostile_name_does_not_move_the_cursor(void **state)
{
	static const struct line rows[] = {
		{ "GET /api/v1/user", OK "\n{\"login\":\"bot\\u001b[2J\\n\",\"id\":7}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	ask(rows, GITEA, &r);
	for (size_t i = 0; i < r.items.n; i++) {
		const struct check_item *items = r.items.v;

		assert_null(strpbrk(items[i].text, "\x1b\n"));
	}
	check_report_finish(&r);
}

#define APP                                                                                        \
	"public_url: http://127.0.0.1\nforges: { gh: { kind: github, url: \"#\", api_url: \"#\", " \
	"app_id: 5, app_key_file: key, webhook_secret_file: t, repos: [acme/widget] } }\n"

static void
an_apps_rights_and_events_are_compared(void **state)
{
	static const struct line rows[] = {
		{ "GET /app", OK "Date: Sun, 22 Nov 2020 09:19:17 "
				 "GMT\r\n\n{\"id\":5,\"slug\":\"ns\",\"permissions\":{\"checks\":"
				 "\"write\",\"contents\":\"read\",\"issues\":\"write\","
				 "\"metadata\":\"read\"},\"events\":"
				 "[\"issues\"]}" },
		{ "GET /users/ns%5Bbot%5D",
			OK "\n{\"login\":\"ns[bot]\",\"id\":9,\"type\":\"Bot\"}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	scratch_put("key", SCRATCH_RSA_KEY, 0600);
	ask(rows, APP, &r);
	check_case_has(&r, "forges.gh", "ok", "ns[bot]");
	check_case_has(
		&r, "forges.gh.permissions", "failure", "contents: write, pull_requests: write");
	check_case_has(&r, "forges.gh.permissions", "warning", "issue_comment, pull_request");
	check_case_has(&r, "forges.gh.repos", "failure", "acme/widget: the bot does not see it");
	check_case_has(&r, "forges.gh", "warning", "s behind this machine's");
	assert_int_equal(r.exit_code, EX_NOPERM);
	check_report_finish(&r);
}

#define BAD_TIME                                                                                   \
	"HTTP/1.1 401 Unauthorized\r\nDate: Sun, 22 Nov 2020 09:19:17 GMT\r\n\n{\"message\":"      \
	"\"'Expiration time' claim ('exp') is too far in the future\"}"

/* A JWT is signed anew for the forge's clock, as the bot does it; and that is said. */
static void
a_wrong_clock_is_lived_with(void **state)
{
	static const struct line rows[] = {
		{ "GET /app", BAD_TIME },
		{ "GET /app", OK "\n{\"id\":5,\"slug\":\"ns\"}" },
		{ "GET /users/ns%5Bbot%5D", OK "\n{\"login\":\"ns[bot]\",\"id\":9}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	scratch_put("key", SCRATCH_RSA_KEY, 0600);
	ask(rows, APP, &r);
	check_case_has(&r, "forges.gh", "ok", "ns[bot]");
	check_case_has(&r, "forges.gh", "warning", "s behind this machine's");
	check_report_finish(&r);
}

static void
a_wrong_clock_is_not_a_wrong_key(void **state)
{
	static const struct line rows[] = {
		{ "GET /app", BAD_TIME },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };
	const struct check_item *i;

	(void)state;
	scratch_put("key", SCRATCH_RSA_KEY, 0600);
	ask(rows, APP, &r);
	i = r.items.v;
	assert_string_equal(i->state, "failure");
	assert_string_equal(i->mend, "set this machine's clock (NTP)");
	check_report_finish(&r);
}

static void
an_app_that_may_all_is_well(void **state)
{
	static const struct line rows[] = {
		{ "GET /app", OK "\n{\"id\":5,\"slug\":\"ns\",\"permissions\":{\"checks\":"
				 "\"write\",\"contents\":\"write\","
				 "\"issues\":\"write\",\"metadata\":\"read\",\"pull_requests\":"
				 "\"write\"},\"events\":[\"issues\","
				 "\"issue_comment\",\"pull_request\"]}" },
		{ "GET /users/ns%5Bbot%5D",
			OK "\n{\"login\":\"ns[bot]\",\"id\":9,\"type\":\"Bot\"}" },
		{ "GET /repos/acme/widget/installation", OK "\n{\"id\":77}" },
		{ NULL, NULL },
	};
	struct check_report r = { 0 };

	(void)state;
	scratch_put("key", SCRATCH_RSA_KEY, 0600);
	ask(rows, APP, &r);
	check_case_has(&r, "forges.gh.permissions", "ok", "may do what the bot does");
	check_case_has(&r, "forges.gh.repos", "ok", "acme/widget");
	assert_int_equal(r.exit_code, EX_OK);
	check_report_finish(&r);
}

static void
nobody_there_is_told(void **state)
{
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };

	(void)state;
	scratch_put("t", "0123456789abcdef0123456789abcdef\n", 0600);
	check_case_parse("intake: poll\nforges: { tea: { kind: gitea, url: \"http://127.0.0.1:1\", "
			 "token_file: t } }\n",
		&c);
	check_forges(&r, &c);
	check_case_has(&r, "forges.tea", "failure", "http://127.0.0.1:1");
	assert_int_equal(r.exit_code, EX_UNAVAILABLE);
	check_report_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(a_good_token_is_known_by_name),
		SCRATCH_TEST(a_gitlab_token_and_its_hook),
		SCRATCH_TEST(a_gitlab_hook_in_trouble),
		SCRATCH_TEST(a_weak_gitlab_token_is_told),
		SCRATCH_TEST(a_weak_token_is_told),
		SCRATCH_TEST(a_refused_token_is_told),
		SCRATCH_TEST(another_program_is_no_forge),
		SCRATCH_TEST(a_hostile_name_does_not_move_the_cursor),
		SCRATCH_TEST(an_apps_rights_and_events_are_compared),
		SCRATCH_TEST(an_app_that_may_all_is_well),
		SCRATCH_TEST(a_wrong_clock_is_lived_with),
		SCRATCH_TEST(a_wrong_clock_is_not_a_wrong_key),
		SCRATCH_TEST(nobody_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
