/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene - see scene.h.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/spawn.h"

#include <errno.h>
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

#define OUT_MAX  MIB(16)
#define ARGS_MAX 32
#define WAIT_MS  60000

static const char *const ENV[] = {
	"GIT_AUTHOR_DATE=2026-11-22T09:00:00Z",
	"GIT_AUTHOR_EMAIL=person@example.com",
	"GIT_AUTHOR_NAME=person",
	"GIT_COMMITTER_DATE=2026-11-22T09:00:00Z",
	"GIT_COMMITTER_EMAIL=person@example.com",
	"GIT_COMMITTER_NAME=person",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_CONFIG_NOSYSTEM=1",
	"HOME=/nonexistent",
	"LC_ALL=C",
	"PATH=/usr/local/bin:/usr/bin:/bin",
	NULL,
};

int
scene_run(const char *dir, const char *const *argv, const char *const *env, const void *in,
	size_t in_len, struct buf *out)
{
	struct err e = { 0 };
	auto_fd int in_fd = -1;
	auto_fd int pidfd = -1;
	int ends[2];
	pid_t pid;
	char data[4096];
	ssize_t n;
	int status;

	assert_int_equal(fs_memfd("in", in ? in : "", in_len, &in_fd, &e), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct spawn s = {
		.argv = argv,
		.envp = env ? env : ENV,
		.cwd = dir,
		.stdio = { in_fd, ends[1], -1 },
		.new_session = true,
		.die_with_parent = true,
	};
	assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), 0);
	(void)close(ends[1]);
	for (;;) {
		struct pollfd p = { ends[0], POLLIN, 0 };

		if (poll(&p, 1, WAIT_MS) <= 0) {
			(void)kill(-pid, SIGKILL);
			fail_msg("%s: too slow", argv[0]);
		}
		n = read(ends[0], data, sizeof(data));
		if (n <= 0)
			break;
		if (out)
			assert_int_equal(buf_add(out, data, (size_t)n), 0);
	}
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (out && out->len > 0 && out->data[out->len - 1] == '\n')
		buf_cut(out, out->len - 1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void
scene_git_in(const char *dir, const char *args, const void *in, size_t in_len, struct buf *out)
{
	const char *argv[ARGS_MAX] = { "/usr/bin/git" };
	auto_free char *words = mem_str(args);
	char *rest = words;
	size_t n = 1;

	while (rest && n + 1 < ARGS_MAX)
		argv[n++] = strsep(&rest, " ");
	assert_null(rest);
	if (scene_run(dir, argv, NULL, in, in_len, out) != 0)
		fail_msg("git %s", args);
}

void
scene_git(const char *dir, const char *args, struct buf *out)
{
	scene_git_in(dir, args, NULL, 0, out);
}

void
scene_write(const char *dir, const char *name, const char *text)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_free char *parent = mem_strn(path, (size_t)(strrchr(path, '/') - path));
	struct err e = { 0 };

	assert_int_equal(fs_mkdirs(parent, 0755, &e), 0);
	(void)unlink(path);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

char *
scene_read(const char *dir, const char *name)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_buf struct buf b = BUF_INIT(OUT_MAX);

	if (fs_read(path, &b, NULL) < 0)
		return NULL;
	return mem_str(buf_str(&b));
}

bool
scene_exists(const char *dir, const char *name)
{
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

void
scene_commit(struct scene *s, const char *message, char sha[REPO_SHA_LEN + 1])
{
	auto_buf struct buf out = BUF_INIT(OUT_MAX);

	scene_git(s->work, "add -A", NULL);
	scene_git_in(s->work, "commit -q --allow-empty -F -", message, strlen(message), NULL);
	scene_git(s->work, "rev-parse HEAD", &out);
	assert_int_equal(out.len, REPO_SHA_LEN);
	memcpy(sha, out.data, REPO_SHA_LEN + 1);
}

void
scene_mirror(struct scene *s)
{
	auto_free char *ref = repo_mirror_ref("main");
	auto_free char *args = mem_fmt("push -q %s +main:%s", s->mirror, ref);
	struct err e = { 0 };

	assert_int_equal(repo_mirror_create(s->mirror, &e), 0);
	scene_git(s->work, args, NULL);
}

int
scene_file(struct scene *s, const void *data, size_t len)
{
	struct err e = { 0 };
	int fd = -1;

	(void)s;
	assert_int_equal(fs_memfd("bundle", data, len, &fd, &e), 0);
	return fd;
}

int
scene_bundle(struct scene *s, const char *dir, const char *rev)
{
	auto_buf struct buf again = BUF_INIT(OUT_MAX);
	auto_free char *path = mem_fmt("%s/bundle", s->dir);
	auto_free char *to_file = mem_fmt("bundle create -q %s %s ^%s", path, rev, s->base);
	struct err e = { 0 };
	scene_git(dir, to_file, NULL);
	assert_int_equal(fs_read(path, &again, &e), 0);
	return scene_file(s, again.data, again.len);
}

char *
scene_checkout(struct scene *s)
{
	struct repo_checkout c = { .mirror = s->mirror, .trees = s->trees, .sha = s->base };
	struct err e = { 0 };

	if (repo_checkout_make(&c, &e) < 0)
		fail_msg("%s", e.text);
	return repo_checkout_path(s->trees, s->base);
}

char *
scene_overlay(struct scene *s, const char *checkout, const char *layer)
{
	auto_free char *box = mem_fmt("%s/box", s->dir);
	auto_free char *from = mem_fmt("%s/.", layer);
	const char *base[] = { "/bin/cp", "-a", checkout, box, NULL };
	const char *over[] = { "/bin/cp", "-a", "--remove-destination", from, box, NULL };

	assert_int_equal(fs_remove_tree(box, NULL), 0);
	assert_int_equal(scene_run("/", base, NULL, NULL, 0, NULL), 0);
	assert_int_equal(scene_run("/", over, NULL, NULL, 0, NULL), 0);
	return steal_ptr(&box);
}

void
scene_assert_git(const char *dir, const char *args, const char *want)
{
	auto_buf struct buf out = BUF_INIT(KIB(64));

	scene_git(dir, args, &out);
	if (strcmp(buf_str(&out), want) != 0)
		fail_msg("git %s: %s", args, buf_str(&out));
}

struct repo_harvest
scene_harvest(struct scene *s)
{
	static char quarantine[128];
	static char objects[256];
	static char delta[128];

	(void)snprintf(quarantine, sizeof(quarantine), "%s/state/quarantine/1/repo.git", s->dir);
	(void)snprintf(delta, sizeof(delta), "%s/state/quarantine/1/delta.1", s->dir);
	(void)snprintf(objects, sizeof(objects), "%s/%s/tree/.git/objects", s->trees, s->base);
	return (struct repo_harvest){
		.quarantine = quarantine,
		.objects = objects,
		.mirror = s->mirror,
		.base_sha = s->base,
		.message = "Mend the widget",
		.trailers = "Co-authored-by: asker <asker@example.com>",
		.author = { "nightshift", "bot@example.com", 1795338000 },
		.delta_dir = delta,
	};
}

char *
scene_agent(struct scene *s)
{
	auto_free char *dir = scene_checkout(s);
	char *copy = mem_fmt("%s/agent", s->dir);
	const char *cp[] = { "/bin/cp", "-a", dir, copy, NULL };

	assert_int_equal(scene_run("/", cp, NULL, NULL, 0, NULL), 0);
	return copy;
}

void
scene_agent_commit(const char *dir)
{
	scene_git(dir, "add -A", NULL);
	scene_git(dir, "commit -q --allow-empty -m agent", NULL);
}

int
scene_take(struct scene *s, const char *dir, struct repo_harvested *out, struct err *e)
{
	struct repo_harvest h = scene_harvest(s);
	auto_fd int fd = scene_bundle(s, dir, "HEAD");

	return repo_harvest(&h, fd, out, e);
}

int
scene_setup(void **state)
{
	struct scene *s = mem_zero(sizeof(*s));

	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/nightshift-repo-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	auto_free char *state_dir = mem_fmt("%s/state", s->dir);
	s->mirror = repo_mirror_path(state_dir, "gh", 7);
	s->trees = repo_trees_path(state_dir, "gh", 7);
	s->work = mem_fmt("%s/work", s->dir);
	scene_git(s->dir, "init -q -b main work", NULL);
	scene_write(s->work, "README.md", "# widget\n");
	scene_write(s->work, "src/widget.c", "int widget;\nint gadget;\n");
	scene_write(s->work, "src/deep/er/file.txt", "deep\n");
	scene_write(s->work, "run.sh", "#!/bin/sh\n");
	auto_free char *script = mem_fmt("%s/run.sh", s->work);
	auto_free char *link = mem_fmt("%s/link", s->work);
	assert_int_equal(chmod(script, 0755), 0);
	assert_int_equal(symlink("src/widget.c", link), 0);
	scene_commit(s, "first", s->base);
	scene_mirror(s);
	*state = s;
	return 0;
}

int
scene_teardown(void **state)
{
	struct scene *s = *state;

	assert_int_equal(fs_remove_tree(s->dir, NULL), 0);
	free(s->mirror);
	free(s->trees);
	free(s->work);
	free(s);
	return 0;
}

int
scene_raw_bundle(struct scene *s, const char *objects, const char *tip)
{
	auto_free char *head = mem_fmt("# v2 git bundle\n-%s\n%s refs/heads/x\n\n", s->base, tip);
	auto_free char *path = mem_fmt("%s/raw", s->dir);
	auto_free char *args = mem_fmt("pack-objects -q %s", path);
	auto_buf struct buf name = BUF_INIT(KIB(1));
	auto_buf struct buf bundle = BUF_INIT(OUT_MAX);
	auto_buf struct buf pack = BUF_INIT(OUT_MAX);
	struct err e = { 0 };

	scene_git_in(s->work, args, objects, strlen(objects), &name);
	auto_free char *file = mem_fmt("%s-%s.pack", path, buf_str(&name));
	assert_int_equal(fs_read(file, &pack, &e), 0);
	(void)buf_adds(&bundle, head);
	assert_int_equal(buf_add(&bundle, pack.data, pack.len), 0);
	return scene_file(s, bundle.data, bundle.len);
}
