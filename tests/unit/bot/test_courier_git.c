/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The git side of the courier: from a branch on the forge to a checkout, from a bundle to a push,
 * and what a stop or a kill leaves.
 */
#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/git_child.h"
#include "tests/unit/bot/git_rig.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Tests ---- */

static void
from_the_forge_to_the_forge(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_string_equal(r->prepared.base_sha, r->s->base);
	assert_string_equal(r->prepared.default_branch, "main");
	assert_string_equal(r->prepared.base_ref, "main");
	assert_null(r->prepared.settings_text);
	struct stat st;
	assert_int_equal(stat(r->prepared.checkout_dir, &st), 0);
	assert_int_equal(r->prepared.owner_uid, st.st_uid);
	git_rig_harvest(r, "src/widget.c", "int widget = 1;\n");
	git_rig_assert_code(r->harvested.code, r->harvested.text, 0);
	assert_int_equal(r->harvested.files, 1);
	assert_true(scene_exists(r->harvested.delta_dir, "src/widget.c"));
	auto_free char *sha = mem_str(r->harvested.head_sha);
	git_rig_push(r, "agent/1-mend", sha, NULL);
	git_rig_assert_code(r->pushed.code, r->pushed.text, 0);
	assert_string_equal(r->pushed.sha, sha);
	git_rig_assert_ref(r, "refs/heads/agent/1-mend", sha);
	git_rig_push(r, "agent/1-mend", sha, NULL); /* asked again after a lost answer */
	git_rig_assert_code(r->pushed.code, r->pushed.text, 0);
	git_rig_push(r, "main", sha, r->s->base);
	git_rig_assert_code(r->pushed.code, r->pushed.text, ERR_DENIED);
	git_rig_push(r, "agent/1-mend", r->s->base, sha);
	git_rig_assert_code(r->pushed.code, r->pushed.text, ERR_DENIED);
	git_rig_assert_ref(r, "refs/heads/agent/1-mend", sha);
	git_rig_end(r);
}

static void
no_change_has_no_commit(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	git_rig_harvest(r, "README.md", "# widget\n");
	git_rig_assert_code(r->harvested.code, r->harvested.text, 0);
	assert_null(r->harvested.head_sha);
	assert_null(r->harvested.delta_dir);
	git_rig_end(r);
}

static void
a_warm_start_asks_once_and_fetches_nothing(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	int64_t requests = r->b.shared->requests;
	git_rig_prepare(r, "main");
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_int_equal(r->b.shared->fetches, 1);
	assert_int_equal(r->b.shared->requests, requests + 1);
	git_rig_end(r);
}

static void
twenty_at_once_are_one_fetch(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	for (int i = 1; i <= 20; i++)
		git_rig_ask_prepare(r, i, NULL);
	git_rig_until(r, 20);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_int_equal(r->b.shared->fetches, 1);
	/* The first asks alone, one asks for all that came meanwhile; the fetch takes three. */
	assert_int_equal(r->b.shared->requests, 2 + 3);
	git_rig_end(r);
}

static void
another_branch_is_its_own_base(void **state)
{
	struct git_rig *r = *state;
	char sha[REPO_SHA_LEN + 1];

	scene_git(r->s->work, "checkout -q -b release/1.0", NULL);
	scene_write(r->s->work, "VERSION", "1.0\n");
	scene_commit(r->s, "release", sha);
	auto_free char *args = mem_fmt("push -q %s release/1.0", r->bare);
	scene_git(r->s->work, args, NULL);
	git_rig_start(r, "");
	git_rig_prepare(r, "release/1.0");
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_string_equal(r->prepared.base_sha, sha);
	assert_string_equal(r->prepared.base_ref, "release/1.0");
	assert_string_equal(r->prepared.default_branch, "main");
	git_rig_prepare(r, "no-such-branch");
	git_rig_assert_code(r->prepared.code, r->prepared.text, ERR_MISSING);
	git_rig_prepare(r, "--upload-pack=touch");
	git_rig_assert_code(r->prepared.code, r->prepared.text, ERR_INVALID);
	git_rig_end(r);
}

static void
settings_are_the_default_branchs(void **state)
{
	struct git_rig *r = *state;
	char sha[REPO_SHA_LEN + 1];

	scene_write(r->s->work, ".agent.yml", "gate:\n  test: make check\n");
	scene_commit(r->s, "settings", sha);
	scene_git(r->s->work, "checkout -q -b fork", NULL);
	scene_write(r->s->work, ".agent.yml", "gate:\n  test: curl evil\n");
	scene_commit(r->s, "evil", sha);
	auto_free char *args = mem_fmt("push -q %s main fork", r->bare);
	scene_git(r->s->work, args, NULL);
	git_rig_start(r, "");
	git_rig_prepare(r, "fork");
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_string_equal(r->prepared.base_sha, sha);
	assert_string_equal(r->settings.gate_test, "make check");
	scene_git(r->s->work, "checkout -q main", NULL);
	scene_write(r->s->work, ".agent.yml", "gate:\n  tset: make check\n");
	scene_commit(r->s, "broken", sha);
	auto_free char *again = mem_fmt("push -q %s main", r->bare);
	scene_git(r->s->work, again, NULL);
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	assert_non_null(r->prepared.settings_text);
	assert_non_null(strstr(r->prepared.settings_text, ".agent.yml:2:"));
	assert_null(r->settings.gate_test);
	git_rig_end(r);
}

static void
wrong_tokens_and_closed_doors(void **state)
{
	struct git_rig *r = *state;

	r->token = "wrong-0123456789abcdef";
	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, ERR_DENIED);
	r->token = RIG_TOKEN;
	auto_free char *gone = mem_fmt("%s.gone", r->bare);
	assert_int_equal(rename(r->bare, gone), 0);
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, ERR_MISSING);
	assert_int_equal(rename(gone, r->bare), 0);
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	git_rig_end(r);
}

static void
a_signed_commit_is_the_one_that_is_pushed(void **state)
{
	struct git_rig *r = *state;
	auto_buf struct buf out = BUF_INIT(KIB(8));

	git_rig_start(r, "commit:\n  sign_key_file: /nonexistent/key\n");
	git_rig_prepare(r, NULL);
	git_rig_harvest(r, "src/widget.c", "int widget = 1;\n");
	git_rig_assert_code(r->harvested.code, r->harvested.text, 0);
	assert_int_equal(r->harvested.files, 1);
	git_rig_push(r, "agent/1-mend", r->harvested.head_sha, NULL);
	git_rig_assert_code(r->pushed.code, r->pushed.text, 0);
	scene_git(r->bare, "cat-file commit agent/1-mend", &out);
	assert_non_null(strstr(buf_str(&out), "gpgsig -----BEGIN SSH SIGNATURE-----"));
	git_rig_end(r);
}

static void
refused_harvests_are_denied(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	git_rig_harvest(r, ".github/workflows/ci.yml", "on: push\n");
	git_rig_assert_code(r->harvested.code, r->harvested.text, ERR_DENIED);
	assert_string_equal(r->harvested.text, ".github/workflows/ci.yml: protected path");
	auto_fd int fd = scene_file(r->s, "# v2 git bundle\nrubbish", 23);
	git_rig_harvest_fd(r, fd);
	git_rig_assert_code(r->harvested.code, r->harvested.text, ERR_DENIED);
	assert_null(r->harvested.head_sha);
	git_rig_end(r);
}

static void
logs_get_a_ref_of_their_own(void **state)
{
	struct git_rig *r = *state;
	auto_buf struct buf out = BUF_INIT(KIB(8));
	auto_free char *first = NULL;

	git_rig_start(r, "");
	git_rig_push_logs(
		r, "{\"version\": 2, \"timestamp\": 1795338000}\n[0.1, \"o\", \"hi\"]\n", "hi\n");
	git_rig_assert_code(r->pushed.code, r->pushed.text, 0);
	git_rig_assert_ref(r, "refs/agent-logs/1", r->pushed.sha);
	first = mem_str(r->pushed.sha);
	scene_git(r->bare, "log -1 --format=%ct refs/agent-logs/1", &out);
	scene_git(r->bare, "show refs/agent-logs/1:task.txt", &out);
	assert_string_equal(buf_str(&out), "1795338000hi");
	/* The log of a second attempt takes the place of the first. */
	git_rig_push_logs(r, "{\"version\": 2}\n", "again\n");
	git_rig_assert_code(r->pushed.code, r->pushed.text, 0);
	assert_string_not_equal(r->pushed.sha, first);
	git_rig_assert_ref(r, "refs/agent-logs/1", r->pushed.sha);
	git_rig_end(r);
}

static void
a_dry_run_pushes_nothing(void **state)
{
	struct git_rig *r = *state;
	auto_buf struct buf out = BUF_INIT(KIB(8));

	git_rig_start(r, "dry_run: true\n");
	git_rig_prepare(r, NULL);
	git_rig_harvest(r, "src/widget.c", "int widget = 1;\n");
	git_rig_push(r, "agent/1-mend", r->harvested.head_sha, NULL);
	git_rig_assert_code(r->pushed.code, r->pushed.text, 0);
	scene_git(r->bare, "for-each-ref refs/heads/agent", &out);
	assert_string_equal(buf_str(&out), "");
	git_rig_end(r);
}

/* ---- Ends ---- */

/* Processes with the text in their arguments: git names the mirror, its helper for http the
 * address. signo goes to each; 0: none does. */
static int
signal_gits(const char *text, int signo)
{
	auto_dir DIR *d = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(d))) {
		auto_buf struct buf args = BUF_INIT(KIB(64));
		auto_free char *path = mem_fmt("/proc/%s/cmdline", entry->d_name);

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
			fs_read(path, &args, NULL) < 0)
			continue;
		if (!memmem(buf_str(&args), args.len, text, strlen(text)))
			continue;
		(void)kill((pid_t)strtol(entry->d_name, NULL, 10), signo);
		n++;
	}
	return n;
}

static int
count_gits(const char *text)
{
	return signal_gits(text, 0);
}

static void
stall(struct git_rig *r)
{
	int64_t deadline = clock_boot_ms() + RIG_WAIT_MS;

	r->b.shared->stall_after = 600;
	git_rig_ask_prepare(r, 1, NULL);
	while (!__atomic_load_n(&r->b.shared->is_stalled, __ATOMIC_SEQ_CST)) {
		assert_true(clock_boot_ms() < deadline);
		role_case_wait(&r->c);
	}
	assert_true(count_gits(r->c.dir) > 0);
	assert_true(count_gits(r->b.url) > 0);
	r->b.shared->stall_after = 0;
}

static void
assert_no_gits(const char *text)
{
	for (int64_t deadline = clock_boot_ms() + RIG_WAIT_MS; count_gits(text) > 0;)
		assert_true(clock_boot_ms() < deadline);
}

static void
no_child_outlives_a_stopped_courier(void **state)
{
	struct git_rig *r = *state;
	int64_t start_ms;

	git_rig_start(r, "");
	stall(r);
	start_ms = clock_boot_ms();
	git_rig_end(r);
	assert_true(clock_boot_ms() - start_ms < RIG_WAIT_MS);
	assert_no_gits(r->c.dir);
	assert_no_gits(r->b.url);
}

static void
a_killed_git_may_be_asked_for_again(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	r->answers = 0;
	stall(r);
	assert_true(signal_gits(r->c.dir, SIGKILL) > 0);
	git_rig_until(r, 1);
	git_rig_assert_code(r->prepared.code, r->prepared.text, ERR_TIMEOUT);
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	git_rig_end(r);
}

static void
a_killed_courier_leaves_a_mirror_that_works(void **state)
{
	struct git_rig *r = *state;

	git_rig_start(r, "");
	stall(r);
	assert_int_equal(kill(r->c.pid, SIGKILL), 0);
	assert_int_equal(waitpid(r->c.pid, NULL, 0), r->c.pid);
	assert_no_gits(r->c.dir); /* those that touch the mirror */
	git_rig_forget(r);
	git_rig_start(r, "");
	git_rig_prepare(r, NULL);
	git_rig_assert_code(r->prepared.code, r->prepared.text, 0);
	git_rig_end(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, git_rig_setup, git_rig_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(from_the_forge_to_the_forge),
		TEST(no_change_has_no_commit),
		TEST(a_warm_start_asks_once_and_fetches_nothing),
		TEST(twenty_at_once_are_one_fetch),
		TEST(another_branch_is_its_own_base),
		TEST(settings_are_the_default_branchs),
		TEST(wrong_tokens_and_closed_doors),
		TEST(a_signed_commit_is_the_one_that_is_pushed),
		TEST(refused_harvests_are_denied),
		TEST(logs_get_a_ref_of_their_own),
		TEST(a_dry_run_pushes_nothing),
		TEST(no_child_outlives_a_stopped_courier),
		TEST(a_killed_git_may_be_asked_for_again),
		TEST(a_killed_courier_leaves_a_mirror_that_works),
	};

	/* The role starts its own program again, which is this one. */
	if (argc == 3 && str_eq(argv[2], GIT_CHILD_ROLE))
		_exit(git_child_main());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
