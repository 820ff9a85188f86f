/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box_workspace - how long until a program in a box has read a file of its workspace.
 *
 *	bench_box_workspace make MIRROR TREES SHA
 *	bench_box_workspace use TREES SHA STAMP FILE DIR PARALLEL ROUNDS
 *
 * `make` is what is done once for a commit: the frozen checkout. `use` is what each attempt does:
 * it finds the checkout, holds it, and starts a box on an overlay of it, in turns with the same box
 * that has no workspace. STAMP (agent/stamp.c) says when it has read of FILE. One line a start:
 * "<ready or bare> <milliseconds>".
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "repo/repo.h"
#include "sandbox/sandbox.h"
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARALLEL_MAX 256

struct use {
	const char *trees, *sha, *stamp, *file, *dir;
	int parallel;
	int nets[PARALLEL_MAX];
};

static _Noreturn void
fail(const char *why)
{
	(void)fprintf(stderr, "bench_box_workspace: %s\n", why);
	exit(1);
}

static double
read_stamp(int fd)
{
	double ms = bench_stamp(fd);

	if (ms < 0)
		fail("no stamp");
	return ms;
}

/* What the courier and the runner do when the commit is known. */
static void
add_workspace(const struct use *u, struct box_spec *s, int *lock)
{
	auto_free char *upper = mem_fmt("%s/run/%d", u->dir, getpid());
	auto_free char *tree = repo_checkout_path(u->trees, u->sha);

	if (!repo_checkout_ready(u->trees, u->sha))
		fail("the checkout is not ready");
	*lock = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0 || flock(*lock, LOCK_SH | LOCK_NB) < 0 || mkdir(upper, 0700) < 0)
		fail(tree);
	box_spec_layer(s, BOX_WORKSPACE, upper, 0, true);
	box_spec_layer(s, BOX_WORKSPACE, tree, (int64_t)geteuid(), false);
	strs_add(&s->argv, u->file);
}

static double
start(const struct use *u, int worker, bool has_workspace)
{
	auto_box_spec struct box_spec s = { 0 };
	auto_free char *tools = mem_strn(u->stamp, (size_t)(strrchr(u->stamp, '/') - u->stamp));
	struct box_io io = BOX_IO_INIT;
	struct box b = BOX_INIT;
	struct err e = { 0 };
	int lock = -1;

	s.name = mem_str("bench");
	s.slot = worker;
	s.net = true;
	io.net_fd = u->nets[worker];
	strs_add(&s.argv, u->stamp);
	strs_add(&s.env, "PATH=/usr/bin:/bin");
	strs_add(&s.tools, tools);
	double began = bench_ms(CLOCK_REALTIME);
	if (has_workspace)
		add_workspace(u, &s, &lock);
	if (box_spec_check(&s, &e) < 0 || box_start(&s, &io, &b, &e) < 0 || box_go(&b, &e) < 0)
		fail(e.text);
	double first = read_stamp(b.pty_fd);
	while (waitpid(b.pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	box_finish(&b);
	clean_fd(&lock);
	return first - began;
}

static void
make_nets(struct use *u)
{
	for (int i = 0; i < u->parallel; i++) {
		u->nets[i] = -1;
		if (geteuid() == 0 && sandbox_net_make(&u->nets[i], NULL) < 0)
			fail("network");
	}
}

static int
run_round(struct use *u, bool has_workspace)
{
	int bad = 0;
	int status;

	make_nets(u);
	(void)fflush(stdout);
	for (int worker = 0; worker < u->parallel; worker++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid > 0)
			continue;
		double took = start(u, worker, has_workspace);
		(void)printf("%s %.3f\n", has_workspace ? "ready" : "bare", took);
		exit(0);
	}
	while (wait(&status) > 0)
		bad |= status;
	for (int i = 0; i < u->parallel; i++)
		clean_fd(&u->nets[i]);
	return bad;
}

/* As the runner has it: directories that have nothing to do with each other, away after use. */
static void
renew_run(const char *dir)
{
	auto_free char *run = mem_fmt("%s/run", dir);
	int flags = 0;

	if (fs_remove_tree(run, NULL) < 0 || fs_mkdirs(run, 0700, NULL) < 0)
		fail(run);
	auto_fd int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_TOPDIR_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

static int
use(char **argv)
{
	struct use u = { .trees = argv[0],
		.sha = argv[1],
		.stamp = argv[2],
		.file = argv[3],
		.dir = argv[4],
		.parallel = (int)strtol(argv[5], NULL, 10) };

	if (u.parallel < 1 || u.parallel > PARALLEL_MAX)
		return 64;
	sandbox_warm(); /* as a shim does */
	for (long round = strtol(argv[6], NULL, 10); round > 0; round--) {
		renew_run(u.dir);
		if (run_round(&u, false) != 0 || run_round(&u, true) != 0)
			return 1;
	}
	return 0;
}

static int
make(char **argv)
{
	const struct repo_checkout c = { .mirror = argv[0], .trees = argv[1], .sha = argv[2] };
	struct err e = { 0 };

	if (fs_mkdirs(c.trees, 0755, &e) < 0 || repo_checkout_make(&c, &e) < 0)
		fail(e.text);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && str_eq(argv[1], "make"))
		return make(argv + 2);
	if (argc == 9 && str_eq(argv[1], "use"))
		return use(argv + 2);
	return 64;
}
