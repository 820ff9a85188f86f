/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real git against a real http-backend: who gets in, where the token is, what a kill leaves, what a
 * push may do.
 */
#include "tests/unit/repo/backend.h"
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "ghs_0123456789abcdefTOKEN"
#define USER  "x-access-token:" TOKEN

struct remote {
	struct scene *s;
	struct backend b;
	char *bare;
	char *url;
};

static int
setup(void **state)
{
	struct remote *r = mem_zero(sizeof(*r));
	void *scene;
	struct err e = { 0 };

	assert_int_equal(scene_setup(&scene), 0);
	r->s = scene;
	r->bare = mem_fmt("%s/forge/acme/widget.git", r->s->dir);
	auto_free char *root = mem_fmt("%s/forge", r->s->dir);
	auto_free char *parent = mem_fmt("%s/acme", root);
	auto_free char *clone = mem_fmt("clone -q --bare %s %s", r->s->work, r->bare);
	assert_int_equal(fs_mkdirs(parent, 0755, &e), 0);
	scene_git(r->s->dir, clone, NULL);
	assert_int_equal(fs_remove_tree(r->s->mirror, &e), 0);
	backend_start(&r->b, root, USER);
	r->url = mem_fmt("%s/acme/widget.git", r->b.url);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct remote *r = *state;
	void *scene = r->s;

	backend_stop(&r->b);
	free(r->bare);
	free(r->url);
	free(r);
	return scene_teardown(&scene);
}

static void
make_fetch(struct remote *r, struct repo_command *c, const char *userinfo)
{
	const char *const branches[2] = { "main", NULL };
	struct err e = { 0 };

	assert_int_equal(repo_mirror_create(r->s->mirror, &e), 0);
	assert_int_equal(repo_mirror_fetch(c, r->s->mirror, r->url, branches, &e), 0);
	assert_int_equal(repo_command_auth(c, r->url, userinfo, &e), 0);
}

static int
fetch(struct remote *r, const char *userinfo, struct err *e)
{
	auto_repo_command struct repo_command c = { 0 };

	make_fetch(r, &c, userinfo);
	return repo_command_run(&c, NULL, NULL, e);
}

static void
assert_fetched(struct remote *r)
{
	auto_free char *dir = scene_checkout(r->s);
	auto_free char *text = scene_read(dir, "README.md");

	assert_string_equal(text, "# widget\n");
}

/* No file below dir holds the text. */
static void
assert_in_no_file(const char *dir, const char *text)
{
	const char *argv[] = { "/bin/grep", "-rqaF", text, dir, NULL };
	auto_free char *dotted = mem_fmt("%s/positive-control", dir);

	assert_int_equal(scene_run("/", argv, NULL, NULL, 0, NULL), 1);
	scene_write(dir, "positive-control", text);
	assert_int_equal(scene_run("/", argv, NULL, NULL, 0, NULL), 0);
	assert_int_equal(unlink(dotted), 0);
}

static void
the_right_token_fetches(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };

	if (fetch(r, USER, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(r->b.shared->refused, 0);
	assert_fetched(r);
	auto_buf struct buf base64 = BUF_INIT(KIB(1));
	(void)str_base64(&base64, USER, strlen(USER));
	assert_in_no_file(r->s->mirror, TOKEN);
	assert_in_no_file(r->s->mirror, buf_str(&base64));
}

static void
a_wrong_token_is_denied(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };

	assert_int_equal(fetch(r, "x-access-token:wrong", &e), ERR_DENIED);
	assert_true(r->b.shared->refused > 0);
	assert_null(strstr(e.text, "wrong"));
}

static void
other_answers_have_their_codes(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };
	auto_free char *gone = mem_fmt("%s.gone", r->bare);

	assert_int_equal(rename(r->bare, gone), 0);
	assert_int_equal(fetch(r, USER, &e), ERR_MISSING);
	assert_int_equal(rename(gone, r->bare), 0);
	scene_git(r->bare, "branch -m main other", NULL);
	assert_int_equal(fetch(r, USER, &e), ERR_MISSING);
	/* A port where nobody listens. */
	free(r->url);
	r->url = mem_str("http://127.0.0.1:1/acme/widget.git");
	assert_int_equal(fetch(r, USER, &e), ERR_BUSY);
}

static void
a_redirect_is_not_followed(void **state)
{
	struct remote *r = *state;
	struct backend other;
	auto_free char *root = mem_fmt("%s/forge", r->s->dir);
	struct err e = { 0 };

	backend_start(&other, root, USER);
	(void)snprintf(r->b.shared->redirect, sizeof(r->b.shared->redirect), "%s", other.url);
	assert_true(fetch(r, USER, &e) < 0);
	assert_int_equal(other.shared->requests, 0);
	backend_stop(&other);
}

static void
hostile_objects_of_the_forge_are_refused(void **state)
{
	struct remote *r = *state;
	auto_buf struct buf id = BUF_INIT(KIB(1));
	struct err e = { 0 };

	scene_git_in(r->bare, "hash-object -w --stdin", "[core]\n", 7, &id);
	auto_free char *config = mem_fmt("100644 blob %s\tconfig\n", buf_str(&id));
	buf_reset(&id);
	scene_git_in(r->bare, "mktree", config, strlen(config), &id);
	auto_free char *git = mem_fmt("040000 tree %s\t.git\n", buf_str(&id));
	buf_reset(&id);
	scene_git_in(r->bare, "mktree", git, strlen(git), &id);
	auto_free char *commit = mem_fmt("commit-tree -m x %s", buf_str(&id));
	buf_reset(&id);
	scene_git(r->bare, commit, &id);
	auto_free char *update = mem_fmt("update-ref refs/heads/main %s", buf_str(&id));
	scene_git(r->bare, update, NULL);
	assert_int_equal(fetch(r, USER, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "hasDotgit"));
}

/* ---- While it runs ---- */

struct running {
	struct repo_command c;
	pid_t pid;
	int pidfd;
};

static void
start_stalled(struct remote *r, struct running *run)
{
	const int stdio[3] = { -1, -1, -1 };
	struct err e = { 0 };
	int64_t deadline = clock_boot_ms() + 60000;

	r->b.shared->stall_after = 600;
	*run = (struct running){ .pidfd = -1 };
	make_fetch(r, &run->c, USER);
	assert_int_equal(repo_command_start(&run->c, stdio, &run->pid, &run->pidfd, &e), 0);
	while (!__atomic_load_n(&r->b.shared->is_stalled, __ATOMIC_SEQ_CST)) {
		struct pollfd p = { run->pidfd, POLLIN, 0 };

		assert_int_equal(poll(&p, 1, 5), 0); /* it has not ended */
		assert_true(clock_boot_ms() < deadline);
	}
}

static void
stop_stalled(struct running *run)
{
	assert_int_equal(kill(-run->pid, SIGKILL), 0);
	assert_int_equal(waitpid(run->pid, NULL, 0), run->pid);
	(void)close(run->pidfd);
	repo_command_finish(&run->c);
}

/* Counts processes of the session, and those of them whose arguments hold the text. */
static void
look_at_arguments(pid_t session, const char *text, int *all, int *found)
{
	auto_dir DIR *d = opendir("/proc");
	struct dirent *entry;

	*all = *found = 0;
	while ((entry = readdir(d))) {
		int64_t pid;
		auto_buf struct buf args = BUF_INIT(KIB(64));
		auto_free char *path = mem_fmt("/proc/%s/cmdline", entry->d_name);

		if (str_i64(entry->d_name, 1, INT32_MAX, &pid, NULL) < 0 ||
			getsid((pid_t)pid) != session || fs_read(path, &args, NULL) < 0)
			continue;
		++*all;
		*found += memmem(buf_str(&args), args.len, text, strlen(text)) ? 1 : 0;
	}
}

static void
the_token_is_in_no_argument(void **state)
{
	struct remote *r = *state;
	struct running run;
	int all;
	int found;

	start_stalled(r, &run);
	look_at_arguments(run.pid, TOKEN, &all, &found);
	assert_true(all >= 2); /* git and its helper for http, at least */
	assert_int_equal(found, 0);
	look_at_arguments(run.pid, "acme/widget.git", &all, &found);
	assert_true(found >= 1); /* the control: what is there is seen */
	stop_stalled(&run);
}

static void
a_killed_fetch_leaves_a_usable_mirror(void **state)
{
	struct remote *r = *state;
	struct running run;
	struct err e = { 0 };

	start_stalled(r, &run);
	stop_stalled(&run);
	r->b.shared->stall_after = 0;
	/* What a kill at a worse moment leaves. */
	auto_free char *ref = repo_mirror_ref("main");
	auto_free char *lock = mem_fmt("%s.lock", ref);
	scene_write(r->s->mirror, lock, "");
	scene_write(r->s->mirror, "packed-refs.lock", "");
	scene_write(r->s->mirror, "objects/pack/tmp_pack_x", "PACK");
	assert_true(fetch(r, USER, &e) < 0);
	assert_int_equal(repo_mirror_sweep(r->s->mirror, &e), 0);
	assert_false(scene_exists(r->s->mirror, "objects/pack/tmp_pack_x"));
	if (fetch(r, USER, &e) < 0)
		fail_msg("%s", e.text);
	assert_fetched(r);
	scene_git(r->s->mirror, "fsck --strict", NULL);
}

static void
a_mirror_is_one_works_at_a_time(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };
	int first = -1;
	int second = -1;

	assert_int_equal(repo_mirror_create(r->s->mirror, &e), 0);
	assert_int_equal(repo_mirror_lock(r->s->mirror, &first, &e), 0);
	assert_int_equal(repo_mirror_lock(r->s->mirror, &second, &e), ERR_BUSY);
	(void)close(first);
	assert_int_equal(repo_mirror_lock(r->s->mirror, &second, &e), 0);
	(void)close(second);
}

/* ---- Push ---- */

static char *
our_commit(struct remote *r, const char *text)
{
	struct repo_harvest h = scene_harvest(r->s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	free(scene_checkout(r->s));
	scene_write(r->s->work, "src/widget.c", text);
	scene_git(r->s->work, "commit -q -a -m agent", NULL);
	auto_fd int fd = scene_bundle(r->s, r->s->work, "HEAD");
	if (repo_harvest(&h, fd, &got, &e) < 0)
		fail_msg("%s", e.text);
	char *sha = mem_str(got.sha);
	repo_harvested_finish(&got);
	return sha;
}

static int
push(struct remote *r, const char *sha, const char *old_sha, struct err *e)
{
	auto_repo_command struct repo_command c = { 0 };
	auto_buf struct buf out = BUF_INIT(KIB(64));
	struct repo_harvest h = scene_harvest(r->s);
	struct repo_push p = { h.quarantine, r->url, "refs/heads/agent/1-mend", sha, old_sha,
		false };
	auto_free char *log = mem_fmt("%s/push.err", r->s->dir);
	auto_fd int err_fd = open(log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ends[2];
	pid_t pid;
	int pidfd = -1;
	int status;
	char data[4096];
	int rc = repo_push(&c, &p, e);

	if (rc < 0)
		return rc;
	assert_int_equal(repo_command_auth(&c, r->url, USER, e), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const int stdio[3] = { -1, ends[1], err_fd };
	assert_int_equal(repo_command_start(&c, stdio, &pid, &pidfd, e), 0);
	(void)close(ends[1]);
	for (ssize_t n; (n = read(ends[0], data, sizeof(data))) > 0;)
		(void)buf_add(&out, data, (size_t)n);
	(void)close(ends[0]);
	(void)close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	auto_free char *text = scene_read(r->s->dir, "push.err");
	return repo_push_read(WEXITSTATUS(status), buf_str(&out), text, p.ref, e);
}

static void
assert_remote_is(struct remote *r, const char *sha)
{
	auto_buf struct buf out = BUF_INIT(KIB(1));

	scene_git(r->bare, "rev-parse refs/heads/agent/1-mend", &out);
	assert_string_equal(buf_str(&out), sha);
}

static void
a_push_is_made_once_and_may_be_repeated(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };

	assert_int_equal(fetch(r, USER, &e), 0);
	auto_free char *sha = our_commit(r, "int widget = 1;\n");
	if (push(r, sha, NULL, &e) < 0)
		fail_msg("%s", e.text);
	assert_remote_is(r, sha);
	assert_int_equal(push(r, sha, NULL, &e), 0);
	auto_free char *second = our_commit(r, "int widget = 2;\n");
	assert_int_equal(push(r, second, NULL, &e), ERR_CONFLICT);
	assert_int_equal(push(r, second, sha, &e), 0);
	assert_remote_is(r, second);
	assert_int_equal(push(r, second, sha, &e), 0);
}

static void
somebody_elses_push_is_not_overwritten(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };

	assert_int_equal(fetch(r, USER, &e), 0);
	auto_free char *sha = our_commit(r, "int widget = 1;\n");
	assert_int_equal(push(r, sha, NULL, &e), 0);
	auto_free char *theirs = mem_fmt("update-ref refs/heads/agent/1-mend %s", r->s->base);
	scene_git(r->bare, theirs, NULL);
	auto_free char *second = our_commit(r, "int widget = 2;\n");
	assert_int_equal(push(r, second, sha, &e), ERR_CONFLICT);
	assert_remote_is(r, r->s->base);
}

static void
only_commits_of_ours_are_pushed(void **state)
{
	struct remote *r = *state;
	struct err e = { 0 };
	auto_buf struct buf theirs = BUF_INIT(KIB(1));

	assert_int_equal(fetch(r, USER, &e), 0);
	auto_free char *sha = our_commit(r, "int widget = 1;\n");
	scene_git(r->s->work, "rev-parse HEAD", &theirs); /* the agent's, also in the quarantine */
	assert_int_equal(push(r, buf_str(&theirs), NULL, &e), ERR_DENIED);
	assert_int_equal(push(r, "--all", NULL, &e), ERR_DENIED);
	assert_int_equal(push(r, sha, "not-a-sha", &e), ERR_INVALID);
}

static void
a_refusal_of_the_forge_is_told(void **state)
{
	struct remote *r = *state;
	auto_free char *hook = mem_fmt("%s/hooks/pre-receive", r->bare);
	struct err e = { 0 };

	assert_int_equal(fetch(r, USER, &e), 0);
	auto_free char *sha = our_commit(r, "int widget = 1;\n");
	scene_write(
		r->bare, "hooks/pre-receive", "#!/bin/sh\necho no workflows here >&2\nexit 1\n");
	assert_int_equal(chmod(hook, 0755), 0);
	assert_int_equal(push(r, sha, NULL, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "pre-receive hook declined"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_right_token_fetches),
		TEST(a_wrong_token_is_denied),
		TEST(other_answers_have_their_codes),
		TEST(a_redirect_is_not_followed),
		TEST(hostile_objects_of_the_forge_are_refused),
		TEST(the_token_is_in_no_argument),
		TEST(a_killed_fetch_leaves_a_usable_mirror),
		TEST(a_mirror_is_one_works_at_a_time),
		TEST(a_push_is_made_once_and_may_be_repeated),
		TEST(somebody_elses_push_is_not_overwritten),
		TEST(only_commits_of_ours_are_pushed),
		TEST(a_refusal_of_the_forge_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
