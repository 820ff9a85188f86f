/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What remotes and git say, and what it means: ls-refs, push answers, errors; and what git is told.
 */
#include "repo/repo.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define A   "0123456789abcdef0123456789abcdef01234567"
#define B   "1123456789abcdef0123456789abcdef01234567"
#define REF "refs/heads/agent/1-x"

/* ---- ls-refs ---- */

static void
pkt(struct buf *b, const char *line)
{
	(void)buf_addf(b, "%04zx%s", strlen(line) + 4, line);
}

static void
the_request_is_as_git_sends_it(void **state)
{
	auto_buf struct buf b = BUF_INIT(KIB(4));
	struct err e = { 0 };

	(void)state;
	assert_int_equal(repo_lsrefs_body("main", &b, &e), 0);
	assert_string_equal(buf_str(&b),
		"0014command=ls-refs\n0015agent=nightshift\n0001000csymrefs\n0014ref-prefix HEAD\n"
		"001fref-prefix refs/heads/main\n0000");
	assert_int_equal(repo_lsrefs_body("a b", &b, &e), ERR_INVALID);
}

static void
an_answer_is_read(void **state)
{
	auto_buf struct buf b = BUF_INIT(KIB(4));
	struct repo_remote r = { 0 };
	struct err e = { 0 };

	(void)state;
	pkt(&b, A " HEAD symref-target:refs/heads/trunk\n");
	pkt(&b, B " refs/heads/x\n");
	pkt(&b, A " refs/heads/x/y\n");
	(void)buf_adds(&b, "0000");
	assert_int_equal(repo_lsrefs_read(b.data, b.len, "x", &r, &e), 0);
	assert_string_equal(r.default_branch, "trunk");
	assert_string_equal(r.default_sha, A);
	assert_string_equal(r.branch_sha, B);
	repo_remote_finish(&r);
	assert_int_equal(repo_lsrefs_read(b.data, b.len, "z", &r, &e), 0);
	assert_null(r.branch_sha);
	repo_remote_finish(&r);
	/* Cut anywhere it is no answer. */
	for (size_t len = 0; len < b.len; len++) {
		auto_free char *cut = mem_dup(b.data, len ? len : 1);
		assert_true(repo_lsrefs_read(cut, len, "x", &r, &e) < 0);
	}
}

static void
other_answers_are_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "", ERR_PROTOCOL },
		{ "0000", ERR_MISSING },
		{ "<html>hello</html>", ERR_PROTOCOL },
		{ "001e# service=git-upload-pack\n0000", ERR_PROTOCOL },
		{ "fffg" A " HEAD\n0000", ERR_PROTOCOL },
		{ "00010000", ERR_PROTOCOL },
		{ "0003x0000", ERR_PROTOCOL },
		{ "ffff" A " HEAD\n0000", ERR_PROTOCOL },
		{ "0032" A " HEAD\n0000", ERR_PROTOCOL }, /* HEAD names no branch */
		{ "0010ERR no way\n\n0000", ERR_DENIED },
		{ "001aunborn HEAD symref-t\n.0000", ERR_MISSING }, /* an empty repository */
		{ "0009short0000", ERR_PROTOCOL },
	};
	struct repo_remote r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		int rc = repo_lsrefs_read(rows[i].text, strlen(rows[i].text), "x", &r, &e);

		if (rc != rows[i].code)
			fail_msg("%s: %d %s", rows[i].text, rc, e.text);
	}
}

/* ---- git push --porcelain (texts as git 2.39 and the forges print them) ---- */

static void
push_answers(void **state)
{
	static const struct {
		int exit_code;
		const char *out;
		const char *err;
		int code;
	} rows[] = {
		{ 0, "To http://h/r.git\n*\t" A ":" REF "\t[new branch]\nDone\n", "", 0 },
		{ 0, "To http://h/r.git\n \t" A ":" REF "\t0123456..1123456\nDone\n", "", 0 },
		{ 0,
			"To http://h/r.git\n+\t" A ":" REF
			"\t0123456...1123456 (forced update)\nDone\n",
			"", 0 },
		{ 0, "To http://h/r.git\n=\t" A ":" REF "\t[up to date]\nDone\n", "", 0 },
		{ 0, "Done\n", "", ERR_PROTOCOL },
		{ 0, "*\t" A ":refs/heads/other\t[new branch]\n", "", ERR_PROTOCOL },
		{ 1, "*\t" A ":" REF "\t[new branch]\n", "", ERR_PROTOCOL },
		{ 1, "!\t" A ":" REF "\t[rejected] (stale info)\nDone\n", "error: failed to push",
			ERR_CONFLICT },
		{ 1, "!\t" A ":" REF "\t[rejected] (fetch first)\n", "", ERR_CONFLICT },
		{ 1, "!\t" A ":" REF "\t[rejected] (non-fast-forward)\n", "", ERR_CONFLICT },
		{ 1,
			"!\t" A ":" REF
			"\t[remote rejected] (refusing to allow a GitHub App to create or update "
			"workflow `.github/workflows/ci.yml` without `workflows` permission)\n",
			"", ERR_DENIED },
		{ 1, "!\t" A ":" REF "\t[remote rejected] (protected branch hook declined)\n",
			"remote: error: GH006: Protected branch update failed\n", ERR_DENIED },
		{ 1,
			"!\t" A ":" REF
			"\t[remote rejected] (push declined due to repository rule violations)\n",
			"remote: error: GH013: Repository rule violations found\n", ERR_DENIED },
		{ 1, "!\t" A ":" REF "\t[remote rejected] (pre-receive hook declined)\n", "",
			ERR_DENIED },
		{ 1,
			"!\t" A ":" REF
			"\t[remote rejected] (cannot lock ref 'x': is at y but expected z)\n",
			"", ERR_BUSY },
		{ 1, "!\t" A ":" REF "\t[remote rejected] (Internal Server Error)\n", "",
			ERR_BUSY },
		{ 1, "!\t" A ":" REF "\t[remote rejected] (something new)\n", "", ERR_DENIED },
		{ 128, "", "fatal: unable to access 'http://h/': Failed to connect to h port 1\n",
			ERR_BUSY },
		{ 128, "", "fatal: Authentication failed for 'http://h/'\n", ERR_DENIED },
		{ 128, "",
			"remote: Repository not found.\nfatal: repository 'http://h/' not found\n",
			ERR_MISSING },
		{ 1, "error: RPC failed; HTTP 502\n",
			"error: RPC failed; HTTP 502 curl 22 The requested URL "
			"returned error: 502\n",
			ERR_BUSY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };
		int rc = repo_push_read(rows[i].exit_code, rows[i].out, rows[i].err, REF, &e);

		if (rc != rows[i].code)
			fail_msg("%s%s: %d %s", rows[i].out, rows[i].err, rc, e.text);
		assert_true(rc == 0 || e.text[0] != '\0');
	}
}

static void
errors_of_git(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "", ERR_SYSTEM },
		{ "fatal: something\n", ERR_SYSTEM },
		{ "fatal: could not read Username for 'http://h': terminal prompts disabled\n",
			ERR_DENIED },
		{ "fatal: unable to access 'http://h/': The requested URL returned error: 403\n",
			ERR_DENIED },
		{ "fatal: unable to access 'http://h/': The requested URL returned error: 302\n",
			ERR_DENIED },
		{ "fatal: unable to access 'http://h/': The requested URL returned error: 429\n",
			ERR_BUSY },
		{ "fatal: unable to access 'http://h/': Could not resolve host: h\n", ERR_BUSY },
		{ "fatal: couldn't find remote ref refs/heads/x\n", ERR_MISSING },
		{ "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early "
		  "EOF\n",
			ERR_BUSY },
		{ "fatal: write error: No space left on device\n", ERR_LIMIT },
		{ "error: object " A
		  ": hasDotgit: contains '.git'\nfatal: fsck error in packed object\n",
			ERR_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };

		/* What the door said is asked about; what was said behind it stands. */
		if (strstr(rows[i].text, "returned error: 40") &&
			repo_command_is_door(rows[i].text) != (rows[i].code == ERR_DENIED))
			fail_msg("%s: the door", rows[i].text);
		if (repo_command_why(rows[i].text, &e) != rows[i].code)
			fail_msg("%s: %d %s", rows[i].text, e.code, e.text);
		assert_null(strchr(e.text, '\n'));
	}
}

/* ---- What git is told ---- */

static bool
has(const struct strs *s, const char *text)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strstr(s->v[i], text))
			return true;
	}
	return false;
}

static void
a_token_is_bound_to_the_forge(void **state)
{
	struct repo_command c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(repo_command_init(&c, &e), 0);
	assert_int_equal(repo_command_auth(&c, "https://h:8443/a/b.git", "u:secret", &e), 0);
	assert_true(has(&c.env, "=http.https://h:8443/.extraHeader"));
	assert_true(has(&c.env, "=Authorization: Basic dTpzZWNyZXQ="));
	assert_false(has(&c.argv, "secret"));
	assert_false(has(&c.argv, "dTpzZWNyZXQ"));
	assert_int_equal(repo_command_auth(&c, "git@h:a/b.git", "u:s", &e), ERR_INVALID);
	assert_int_equal(repo_command_auth(&c, "ext::sh -c id", "u:s", &e), ERR_INVALID);
	assert_int_equal(repo_command_auth(&c, "file:///etc", "u:s", &e), ERR_INVALID);
	assert_int_equal(repo_command_auth(&c, "https://u:p@h/a", "u:s", &e), ERR_INVALID);
	assert_int_equal(repo_command_auth(&c, "https://h", "u:s", &e), ERR_INVALID);
	repo_command_finish(&c);
}

static void
nothing_of_ours_is_inherited(void **state)
{
	struct repo_command c = { 0 };
	auto_buf struct buf out = BUF_INIT(KIB(64));
	struct err e = { 0 };

	(void)state;
	/* What a git of a careless bot would obey. */
	assert_int_equal(setenv("GIT_DIR", "/nonexistent", 1), 0);
	assert_int_equal(setenv("GIT_TRACE", "1", 1), 0);
	assert_int_equal(setenv("GIT_CONFIG_PARAMETERS", "'core.pager'='touch /tmp/x'", 1), 0);
	assert_int_equal(setenv("https_proxy", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(repo_command_init(&c, &e), 0);
	repo_command_arg(&c, "config");
	repo_command_arg(&c, "--list");
	repo_command_arg(&c, "--show-origin");
	if (repo_command_run(&c, NULL, &out, &e) < 0)
		fail_msg("%s", e.text);
	assert_non_null(strstr(buf_str(&out), "core.hookspath=/dev/null"));
	assert_non_null(strstr(buf_str(&out), "protocol.allow=never"));
	assert_non_null(strstr(buf_str(&out), "http.followredirects=false"));
	assert_null(strstr(buf_str(&out), "file:"));
	assert_null(strstr(buf_str(&out), "core.pager"));
	assert_false(has(&c.env, "proxy"));
	repo_command_finish(&c);
}

static void
what_runs_too_long_is_ended(void **state)
{
	struct repo_command c = { 0 };
	struct err e = { 0 };
	auto_buf struct buf out = BUF_INIT(100);

	(void)state;
	assert_int_equal(repo_command_init(&c, &e), 0);
	/* An alias of the test's own, because git itself never hangs without a network. */
	repo_command_config(&c, "alias.hang", "!exec /bin/sleep 1000");
	repo_command_config(&c, "alias.talk", "!yes");
	repo_command_arg(&c, "hang");
	c.wall_ms = 100;
	assert_int_equal(repo_command_run(&c, NULL, NULL, &e), ERR_TIMEOUT);
	free(c.argv.v[1]);
	c.argv.v[1] = mem_str("talk");
	c.wall_ms = 60000;
	assert_int_equal(repo_command_run(&c, NULL, &out, &e), ERR_LIMIT);
	repo_command_finish(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_as_git_sends_it),
		cmocka_unit_test(an_answer_is_read),
		cmocka_unit_test(other_answers_are_refused),
		cmocka_unit_test(push_answers),
		cmocka_unit_test(errors_of_git),
		cmocka_unit_test(a_token_is_bound_to_the_forge),
		cmocka_unit_test(nothing_of_ours_is_inherited),
		cmocka_unit_test(what_runs_too_long_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
