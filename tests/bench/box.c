/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box - how long until the first instruction: a box of ours, bubblewrap, and a bare exec, in turns.
 *
 *	bench_box STAMP DIR PARALLEL ROUNDS
 *
 * STAMP (agent/stamp.c) says when it began. One line a start: "<variant> <milliseconds>". Ours has
 *what a task's box has: seven namespaces, cgroup, overlay on a disk, terminal, listener, filter,
 *self-check; bubblewrap has what it can do of that.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *stamp;
static const char *dir;

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Reads to the end; when the program says it began. */
static double
read_stamp(int fd)
{
	char text[256];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	const char *at = strstr(text, "stamp=");
	if (!at) {
		(void)fprintf(stderr, "no stamp: %s\n", text);
		exit(1);
	}
	return strtod(at + strlen("stamp="), NULL) * 1e3;
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
		exit(1);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	double began = now_ms();
	if (posix_spawn(&pid, argv[0], &actions, NULL, argv, (char *[]){ NULL }) != 0) {
		(void)fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		exit(1);
	}
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

static double
run_box(int worker)
{
	auto_box_spec struct box_spec s = { 0 };
	auto_free char *tools = mem_strn(stamp, (size_t)(strrchr(stamp, '/') - stamp));
	auto_free char *lower = mem_fmt("%s/lower", dir);
	auto_free char *upper = mem_fmt("%s/upper-%d", dir, getpid()); /* an attempt's is new */
	struct box b = BOX_INIT;
	struct err e = { 0 };

	s.name = mem_str("bench");
	s.slot = worker;
	s.net = true;
	strs_add(&s.argv, stamp);
	strs_add(&s.env, "PATH=/usr/bin:/bin");
	strs_add(&s.tools, tools);
	(void)mkdir(upper, 0700);
	box_spec_layer(&s, BOX_WORKSPACE, upper, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, lower, (int64_t)geteuid(), false);
	double began = now_ms();
	if (box_spec_check(&s, &e) < 0 || box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e) < 0 ||
		box_go(&b, &e) < 0) {
		(void)fprintf(stderr, "box, stage %d: %s\n", (int)b.stage, e.text);
		exit(1);
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
} VARIANTS[] = {
	{ "floor", run_floor },
	{ "box", run_box },
	{ "bwrap", run_bwrap },
};

int
main(int argc, char **argv)
{
	if (argc != 5)
		return 64;
	stamp = argv[1];
	dir = argv[2];
	long parallel = strtol(argv[3], NULL, 10);
	long rounds = strtol(argv[4], NULL, 10);
	auto_free char *lower = mem_fmt("%s/lower", dir);
	if (fs_mkdirs(lower, 0755, NULL) < 0 || chdir(dir) < 0)
		return 1;
	sandbox_warm(); /* as a shim does */
	for (long round = 0; round < rounds; round++) {
		for (size_t i = 0; i < sizeof(VARIANTS) / sizeof(VARIANTS[0]); i++) {
			for (int worker = 0; worker < parallel; worker++) {
				if (fork() != 0)
					continue;
				double took = VARIANTS[i].run(worker);
				(void)printf("%s %.3f\n", VARIANTS[i].name, took);
				exit(0);
			}
			int status;
			while (wait(&status) > 0) {
				if (status != 0)
					return 1;
			}
		}
	}
	return 0;
}
