/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box_start - how long until the first instruction: a box of ours beside bubblewrap, crun and a
 * bare exec, in turns.
 *
 *	bench_box_start STAMP DIR BUNDLE PARALLEL ROUNDS VARIANT...
 *
 * STAMP (agent/stamp.c) says when it began. One line a start: "<variant> <milliseconds>", or
 * "<variant> failed: <why>"; and "<variant>.cpu <milliseconds>" of processors from its first
 * process to its last. Ours has what a task's box has: seven namespaces, cgroup, overlay on a
 * disk, terminal, listener, filter, self-check; the others have what they can do of that. `box` is
 * born into a network that was made ahead, as root's runner does it, `own` makes it with itself.
 * BUNDLE is crun's, made by who calls.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sandbox.h"
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARALLEL_MAX 256

static const char *stamp;
static const char *dir;
static const char *bundle;
static int nets[PARALLEL_MAX]; /* of the boxes of this round; -1 = none */
static const char *variant;    /* under way in this process */

static _Noreturn void
fail(const char *why)
{
	(void)printf("%s failed: %s\n", variant, why);
	exit(0);
}

static double
read_stamp(int fd)
{
	double ms = bench_stamp(fd);

	if (ms < 0)
		fail("no stamp");
	return ms;
}

static void
reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static double
spawn(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("pipe");
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	double began = bench_ms(CLOCK_REALTIME);
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, (char *[]){ NULL }) != 0)
		fail(argv[0]);
	(void)close(ends[1]);
	double first = read_stamp(ends[0]);
	(void)close(ends[0]);
	reap(pid);
	(void)posix_spawn_file_actions_destroy(&actions);
	return first - began;
}

static double
run_floor(int worker)
{
	(void)worker;
	return spawn((char *[]){ mem_str(stamp), NULL });
}

static double
run_bwrap(int worker)
{
	static const char *const words[] = { "/usr/bin/bwrap", "--unshare-all", "--unshare-user",
		"--disable-userns", "--die-with-parent", "--new-session", "--clearenv",
		"--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "box",
		"--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib",
		"/lib", "--symlink", "usr/lib64", "/lib64", "--ro-bind", "/etc/ssl", "/etc/ssl",
		"--ro-bind", "/etc/alternatives", "/etc/alternatives", "--proc", "/proc", "--dev",
		"/dev", "--tmpfs", "/tmp", "--tmpfs", "/home/agent", "--tmpfs", "/workspace",
		"--ro-bind" };
	enum { N = sizeof(words) / sizeof(words[0]) };
	char *argv[N + 6];

	(void)worker;
	for (size_t i = 0; i < N; i++)
		argv[i] = mem_str(words[i]);
	argv[N] = mem_str(stamp);
	argv[N + 1] = mem_str("/stamp");
	argv[N + 2] = mem_str("--chdir");
	argv[N + 3] = mem_str("/workspace");
	argv[N + 4] = mem_str("/stamp");
	argv[N + 5] = NULL;
	return spawn(argv);
}

/* Debian 12's crun wants the old groups or the new ones, not both: it is shown the old. */
static double
run_crun(int worker)
{
	char *argv[] = { mem_str("/usr/bin/crun"), mem_str("--cgroup-manager=disabled"),
		mem_str("run"), mem_str("--bundle"), mem_str(bundle),
		mem_fmt("bench-%d-%d", getpid(), worker), NULL };

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail("mount namespace");
	(void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
	return spawn(argv);
}

static double
run_box(int worker)
{
	auto_box_spec struct box_spec s = { 0 };
	auto_free char *tools = mem_strn(stamp, (size_t)(strrchr(stamp, '/') - stamp));
	auto_free char *lower = mem_fmt("%s/lower", dir);
	auto_free char *upper = mem_fmt("%s/run/%d", dir, getpid()); /* an attempt's is new */
	struct box_io io = BOX_IO_INIT;
	struct box b = BOX_INIT;
	struct err e = { 0 };

	s.name = mem_str("bench");
	s.slot = worker;
	s.net = true;
	io.net_fd = nets[worker];
	strs_add(&s.argv, stamp);
	strs_add(&s.env, "PATH=/usr/bin:/bin");
	strs_add(&s.tools, tools);
	(void)mkdir(upper, 0700);
	box_spec_layer(&s, BOX_WORKSPACE, upper, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, lower, (int64_t)geteuid(), false);
	double began = bench_ms(CLOCK_REALTIME);
	if (box_spec_check(&s, &e) < 0 || box_start(&s, &io, &b, &e) < 0 || box_go(&b, &e) < 0) {
		auto_free char *why = mem_fmt("stage %d: %s", (int)b.stage, e.text);

		fail(why);
	}
	double first = read_stamp(b.pty_fd);
	reap(b.pid);
	box_finish(&b);
	(void)fs_remove_tree(upper, NULL);
	return first - began;
}

static const struct {
	const char *name;
	double (*run)(int worker);
	bool has_net; /* one that was made ahead */
} VARIANTS[] = {
	{ "floor", run_floor, false },
	{ "box", run_box, true },
	{ "own", run_box, false },
	{ "bwrap", run_bwrap, false },
	{ "crun", run_crun, false },
};

/* What the runner does while nobody waits. */
static void
make_nets(int parallel, bool wanted)
{
	struct err e = { 0 };

	for (int i = 0; i < parallel; i++) {
		nets[i] = -1;
		if (wanted && geteuid() == 0 && sandbox_net_make(&nets[i], &e) < 0) {
			(void)fprintf(stderr, "%s\n", e.text);
			exit(1);
		}
	}
}

static double
cpu_ms(const struct rusage *r)
{
	return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1e3 +
	       (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec) / 1e3;
}

static void
run_round(size_t which, int parallel)
{
	make_nets(parallel, VARIANTS[which].has_net);
	variant = VARIANTS[which].name;
	for (int worker = 0; worker < parallel; worker++) {
		pid_t pid = fork();

		if (pid < 0)
			exit(1);
		if (pid > 0)
			continue;
		double took = VARIANTS[which].run(worker);
		(void)printf("%s %.3f\n", variant, took);
		exit(0);
	}
	struct rusage used;
	/* Of everything that it started: what was started has been waited for. */
	while (wait4(-1, NULL, 0, &used) > 0)
		(void)printf("%s.cpu %.3f\n", variant, cpu_ms(&used));
	(void)fflush(stdout); /* before the next fork */
	for (int i = 0; i < parallel; i++)
		clean_fd(&nets[i]);
}

static bool
is_wanted(char **names, const char *name)
{
	while (*names && !str_eq(*names, name))
		names++;
	return *names != NULL;
}

/* As the runner has it: directories that have nothing to do with each other. */
static int
make_run(void)
{
	auto_free char *run = mem_fmt("%s/run", dir);
	int flags = 0;

	if (fs_mkdirs(run, 0700, NULL) < 0)
		return -1;
	auto_fd int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_TOPDIR_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 7)
		return 64;
	stamp = argv[1];
	dir = argv[2];
	bundle = argv[3];
	int parallel = (int)strtol(argv[4], NULL, 10);
	long rounds = strtol(argv[5], NULL, 10);
	auto_free char *lower = mem_fmt("%s/lower", dir);
	if (parallel < 1 || parallel > PARALLEL_MAX || fs_mkdirs(lower, 0755, NULL) < 0 ||
		make_run() < 0 || chdir(dir) < 0)
		return 1;
	sandbox_warm(); /* as a shim does */
	for (long round = 0; round < rounds; round++) {
		for (size_t i = 0; i < sizeof(VARIANTS) / sizeof(VARIANTS[0]); i++) {
			if (is_wanted(argv + 6, VARIANTS[i].name))
				run_round(i, parallel);
		}
	}
	return 0;
}
