/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that dies between two steps leaves nothing that stands in the way of whoever does the
 * same again, or that nobody ever removes: each step is tried.
 */
#include "tests/unit/repo/killer.h"
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define EVERY 3 /* step, of what has many */

struct job {
	struct scene *s;
	char *sha; /* what the last run made */
	int bundle;
	struct err e;
};

/* By its name below the state directory. */
static bool
is_there(const struct job *j, const char *name)
{
	auto_free char *path = mem_fmt("%s/state/%s", j->s->dir, name);

	return access(path, F_OK) == 0;
}

static void
must(killer_work *work, struct job *j)
{
	if (work(j) < 0)
		fail_msg("%s", j->e.text);
}

static void
grow_old(const char *path)
{
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ---- harvest, and the commit of a log ---- */

static int
harvest(void *arg)
{
	struct job *j = arg;
	struct repo_harvest h = scene_harvest(j->s);
	struct repo_harvested got = { 0 };
	int rc = repo_harvest(&h, j->bundle, &got, &j->e);

	mem_set(&j->sha, got.sha);
	repo_harvested_finish(&got);
	return rc;
}

static int
commit_logs(void *arg)
{
	struct job *j = arg;
	struct repo_harvest h = scene_harvest(j->s);
	const struct repo_logs l = { h.quarantine, "{\"version\": 2}\n", "hello\n",
		{ "nightshift", "bot@example.com", 1795338000 } };

	mem_set(&j->sha, NULL);
	return repo_logs_commit(&l, &j->sha, &j->e);
}

static void
the_same_again_works(struct job *j, killer_work *work)
{
	auto_free char *quarantine = mem_fmt("%s/state/quarantine", j->s->dir);
	auto_free char *want = NULL;

	for (int n = 1;; n += EVERY) {
		bool was_killed = killer_strike(work, j, n);

		must(work, j);
		if (!want)
			want = mem_str(j->sha);
		assert_string_equal(j->sha, want);
		assert_int_equal(fs_remove_tree(quarantine, NULL), 0);
		if (!was_killed)
			return;
	}
}

static struct job
make_job(struct scene *s)
{
	auto_free char *dir = scene_agent(s);

	scene_write(dir, "src/widget.c", "int widget = 1;\n");
	scene_agent_commit(dir);
	return (struct job){ .s = s, .bundle = scene_bundle(s, dir, "HEAD") };
}

static void
finish_job(struct job *j)
{
	(void)close(j->bundle);
	free(j->sha);
}

static void
a_harvest_may_be_killed_at_each_step(void **state)
{
	struct job j = make_job(*state);

	the_same_again_works(&j, harvest);
	the_same_again_works(&j, commit_logs);
	finish_job(&j);
}

/* ---- quarantines ---- */

static int
sweep(void *arg)
{
	struct job *j = arg;
	auto_free char *dir = mem_fmt("%s/state/quarantine", j->s->dir);

	return repo_quarantine_sweep(dir, 3600000, &j->e);
}

/* A person comes back to a task after a week. */
static void
a_killed_sweep_leaves_a_quarantine_whole_or_none(void **state)
{
	struct job j = make_job(*state);
	auto_free char *task = mem_fmt("%s/state/quarantine/1", j.s->dir);
	bool was_killed = true;

	for (int n = 1; was_killed; n++) {
		must(harvest, &j);
		grow_old(task);
		was_killed = killer_strike(sweep, &j, n);
		must(harvest, &j);
		must(sweep, &j);
		assert_true(is_there(&j, "quarantine/1/repo.git/refs/accepted"));
		assert_false(is_there(&j, "quarantine/gone.1"));
	}
	finish_job(&j);
}

/* ---- checkouts ---- */

static int
check_out(void *arg)
{
	struct job *j = arg;
	const struct repo_checkout c = { j->s->mirror, j->s->trees, j->s->base };

	return repo_checkout_make(&c, &j->e);
}

/* One of before the last start of the machine; the branch goes on, and nobody asks for it again. */
static void
a_checkout_is_never_half_removed(void **state)
{
	static const char *const names[] = { "boot", "size", "tree/file" };
	struct job j = { .s = *state, .bundle = -1 };
	auto_free char *dir = mem_fmt("%s/%s", j.s->trees, j.s->base);

	for (int n = 1; n < 12; n++) {
		for (int i = 0; i < 3; i++)
			scene_write(dir, names[i], "of another start");
		assert_true(killer_strike(check_out, &j, n));
		bool is_gone = !scene_exists(j.s->trees, j.s->base);
		for (int i = 0; i < 3; i++)
			assert_true(scene_exists(dir, names[i]) != is_gone);
		assert_true(repo_checkout_evict(j.s->trees, 0, 0, &j.e) >= 0);
		assert_int_equal(rmdir(j.s->trees), 0);
	}
}

/* ---- mirrors ---- */

static int
fit(void *arg)
{
	struct job *j = arg;
	auto_free char *dir = mem_fmt("%s/state/mirrors", j->s->dir);
	int rc = repo_checkouts_fit(dir, 0, 0, &j->e);

	return rc < 0 ? rc : repo_mirrors_fit(dir, 0, 0, &j->e);
}

static void
a_mirror_that_was_half_removed_goes_with_the_next(void **state)
{
	static const char *const parts[] = { "git", "lfs", "modules", "trees", NULL };
	struct job j = { .s = *state, .bundle = -1 };
	auto_free char *forge = mem_fmt("%s/state/mirrors/gh", j.s->dir);
	bool was_killed = true;

	for (int n = 1; was_killed; n++) {
		scene_write(forge, "9.git/lock", "");
		scene_write(forge, "9.lfs/aa/object", "x");
		scene_write(forge, "9.modules/ff.git/HEAD", "x");
		scene_write(forge, "9.trees/tmp.x/tree/file", "x");
		was_killed = killer_strike(fit, &j, n);
		must(fit, &j);
		for (size_t i = 0; parts[i]; i++) {
			auto_free char *name = mem_fmt("mirrors/gh/9.%s", parts[i]);
			auto_free char *old = mem_fmt("mirrors/gh/old.9.%s", parts[i]);

			if (is_there(&j, name) || is_there(&j, old))
				fail_msg("killed at %d: %s", n, name);
		}
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_harvest_may_be_killed_at_each_step),
		TEST(a_killed_sweep_leaves_a_quarantine_whole_or_none),
		TEST(a_checkout_is_never_half_removed),
		TEST(a_mirror_that_was_half_removed_goes_with_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
