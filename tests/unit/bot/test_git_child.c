/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child that opens objects, alone: what it is given is all it can reach, and what it is given
 * cannot hurt more than it.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "bot/git_child.h"
#include "tests/unit/repo/scene.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

/* Returns the exit code. */
static int
run_bytes(const void *data, size_t len, int fd, struct buf *out)
{
	static const char *const argv[] = { "/proc/self/exe", "--role", GIT_CHILD_ROLE, NULL };
	auto_fd int in = -1;
	auto_fd int pidfd = -1;
	struct err e = { 0 };
	char bytes[4096];
	int ends[2];
	int status;
	pid_t pid;

	assert_int_equal(fs_memfd("job", data, len, &in, &e), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct spawn s = { .argv = argv,
		.stdio = { in, ends[1], -1 },
		.fds = { fd },
		.n_fds = fd >= 0 ? 1 : 0,
		.die_with_parent = true };
	assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), 0);
	(void)close(ends[1]);
	for (ssize_t n; (n = read(ends[0], bytes, sizeof(bytes))) > 0;)
		assert_int_equal(buf_add(out, bytes, (size_t)n), 0);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
run_job(const struct git_job *job, int fd, struct git_done *done)
{
	auto_buf struct buf packed = BUF_INIT(MIB(1));
	auto_buf struct buf out = BUF_INIT(MIB(4));
	const char *settings;
	size_t settings_len;
	struct err e = { 0 };

	assert_int_equal(row_pack(GIT_JOB_ROWS, job, &packed, &e), 0);
	assert_int_equal(run_bytes(packed.data, packed.len, fd, &out), EX_OK);
	assert_int_equal(
		git_done_read(buf_str(&out), out.len, done, &settings, &settings_len, &e), 0);
}

/* A harvest as the courier orders it. */
static struct git_job
harvest_job(struct scene *s)
{
	struct repo_harvest h = scene_harvest(s);

	return (struct git_job){
		.kind = GIT_JOB_HARVEST,
		.mirror = mem_str(s->mirror),
		.objects = mem_str(h.objects),
		.sha = mem_str(s->base),
		.dir = mem_fmt("%s/state/quarantine/1", s->dir),
		.quarantine = mem_str(h.quarantine),
		.delta_dir = mem_str(h.delta_dir),
		.message = mem_str("Mend the widget"),
		.author = mem_str("nightshift"),
		.email = mem_str("bot@example.com"),
		.date_s = 1795338000,
	};
}

static int
agent_bundle(struct scene *s)
{
	free(scene_checkout(s));
	scene_write(s->work, "src/widget.c", "int widget = 1;\n");
	scene_git(s->work, "commit -q -a -m agent", NULL);
	return scene_bundle(s, s->work, "HEAD");
}

static void
a_harvest_works_within_its_directory(void **state)
{
	struct scene *s = *state;
	auto_fd int fd = agent_bundle(s);
	struct git_job job = harvest_job(s);
	struct git_done done = { 0 };

	run_job(&job, fd, &done);
	if (done.code < 0)
		fail_msg("%s", done.text);
	assert_true(repo_sha_ok(done.sha));
	assert_int_equal(done.files, 1);
	row_finish(GIT_JOB_ROWS, &job);
	row_finish(GIT_DONE_ROWS, &done);
}

/* The walls are the kernel's, not ours: a job that leads elsewhere ends there. */
static void
it_writes_nowhere_else(void **state)
{
	struct scene *s = *state;
	auto_fd int fd = agent_bundle(s);
	struct git_job job = harvest_job(s);
	struct git_done done = { 0 };

	mem_set(&job.delta_dir, s->work);
	run_job(&job, fd, &done);
	assert_int_equal(done.code, ERR_SYSTEM); /* the kernel said no */
	assert_null(done.sha);
	assert_true(scene_exists(s->work, "README.md"));
	row_finish(GIT_DONE_ROWS, &done);
	auto_free char *elsewhere = mem_fmt("%s/elsewhere.git", s->dir);
	mem_set(&job.quarantine, elsewhere);
	run_job(&job, fd, &done);
	assert_int_equal(done.code, ERR_SYSTEM);
	assert_false(scene_exists(s->dir, "elsewhere.git"));
	row_finish(GIT_JOB_ROWS, &job);
	row_finish(GIT_DONE_ROWS, &done);
}

/* An alternates file is a path that somebody wrote: what it leads to is not open. */
static void
it_reads_nowhere_else(void **state)
{
	struct scene *s = *state;
	auto_fd int fd = agent_bundle(s);
	struct git_job job = harvest_job(s);
	struct git_done done = { 0 };
	auto_free char *hidden = mem_fmt("%s/.git/objects", s->work);
	auto_free char *line = mem_fmt("%s\n", hidden);
	auto_free char *objects = mem_fmt("%s/other", s->dir);

	/* The base commit can be found only behind it. */
	scene_write(objects, "info/alternates", line);
	mem_set(&job.objects, objects);
	mem_set(&job.mirror, objects);
	run_job(&job, fd, &done);
	assert_true(done.code < 0);
	assert_null(done.sha);
	row_finish(GIT_DONE_ROWS, &done);
	/* The control: had it been named, it would have been. */
	mem_set(&job.mirror, s->work);
	run_job(&job, fd, &done);
	if (done.code < 0)
		fail_msg("%s", done.text);
	row_finish(GIT_JOB_ROWS, &job);
	row_finish(GIT_DONE_ROWS, &done);
}

static void
a_checkout_and_its_settings(void **state)
{
	struct scene *s = *state;
	struct git_job job = {
		.kind = GIT_JOB_CHECKOUT,
		.mirror = mem_str(s->mirror),
		.trees = mem_str(s->trees),
		.sha = mem_str(s->base),
		.settings_sha = mem_str(s->base),
	};
	struct git_done done = { 0 };

	run_job(&job, -1, &done);
	if (done.code < 0)
		fail_msg("%s", done.text);
	assert_true(repo_checkout_ready(s->trees, s->base));
	row_finish(GIT_DONE_ROWS, &done);
	mem_set(&job.sha, "0123456789abcdef0123456789abcdef01234567");
	run_job(&job, -1, &done);
	assert_int_equal(done.code, ERR_MISSING);
	row_finish(GIT_JOB_ROWS, &job);
	row_finish(GIT_DONE_ROWS, &done);
}

static void
rubbish_is_an_error_and_no_more(void **state)
{
	static const char *const texts[] = { "", "x", "\xff\xff\xff\xff\xff\xff\xff\xff" };
	struct git_job job = { .kind = GIT_JOB_COUNT };
	struct git_done done = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_buf struct buf out = BUF_INIT(MIB(1));
		const char *settings;
		size_t len;

		assert_int_equal(run_bytes(texts[i], strlen(texts[i]), -1, &out), EX_OK);
		assert_int_equal(
			git_done_read(buf_str(&out), out.len, &done, &settings, &len, NULL), 0);
		assert_int_equal(done.code, ERR_PROTOCOL);
		row_finish(GIT_DONE_ROWS, &done);
	}
	run_job(&job, -1, &done);
	assert_int_equal(done.code, ERR_INVALID);
	row_finish(GIT_DONE_ROWS, &done);
}

static void
half_a_result_is_none(void **state)
{
	static const char bytes[] = "\x10\0\0\0short";
	struct git_done done = { 0 };
	const char *settings;
	size_t len;

	(void)state;
	for (size_t n = 0; n < sizeof(bytes) - 1; n++)
		assert_int_equal(
			git_done_read(bytes, n, &done, &settings, &len, NULL), ERR_PROTOCOL);
}

/* In its walls as elsewhere: what is old goes with all that is below it, what is young stays. */
static void
room_is_made_within_the_mirrors(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 1600000000 },
		{ .tv_sec = 1600000000 } };
	struct scene *s = *state;
	struct git_job job = {
		.kind = GIT_JOB_FIT,
		.dir = mem_fmt("%s/state/mirrors", s->dir),
		.mirror_bytes_max = INT64_MAX,
	};
	struct git_done done = { 0 };

	auto_free char *first = scene_checkout(s);
	auto_free char *boot = mem_fmt("%s/%s/boot", s->trees, s->base);
	scene_write(s->work, "more", "x");
	scene_commit(s, "more", s->base);
	scene_mirror(s);
	auto_free char *second = scene_checkout(s);
	assert_int_equal(utimensat(AT_FDCWD, boot, old, 0), 0);
	run_job(&job, -1, &done);
	if (done.code < 0)
		fail_msg("%s", done.text);
	assert_int_equal(done.files, 1);
	assert_int_equal(access(first, F_OK), -1);
	assert_int_equal(access(second, F_OK), 0);
	row_finish(GIT_DONE_ROWS, &done);
	row_finish(GIT_JOB_ROWS, &job);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_harvest_works_within_its_directory),
		TEST(it_writes_nowhere_else),
		TEST(it_reads_nowhere_else),
		TEST(a_checkout_and_its_settings),
		TEST(room_is_made_within_the_mirrors),
		cmocka_unit_test(rubbish_is_an_error_and_no_more),
		cmocka_unit_test(half_a_result_is_none),
	};

	/* The child is this program again. */
	if (argc == 3 && str_eq(argv[2], GIT_CHILD_ROLE))
		_exit(git_child_main());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
