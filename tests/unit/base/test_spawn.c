/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/spawn. The child is this program again: `test_base_spawn --report` writes what
 * it sees of itself to descriptor 3.
 */
#include "base/spawn.h"

#include "base/buf.h"
#include "base/clean.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

/* ---- the child ---- */

static void
report_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *de;

	(void)dprintf(3, "fds");
	while (d && (de = readdir(d))) {
		if (de->d_name[0] != '.' && strtol(de->d_name, NULL, 10) != dirfd(d))
			(void)dprintf(3, " %s", de->d_name);
	}
	(void)dprintf(3, "\n");
	(void)closedir(d);
}

static int
report(void)
{
	char cwd[256] = { 0 };
	struct rlimit files = { 0 };
	struct sigaction pipe_action = { 0 };
	sigset_t blocked;
	int death = -1;

	report_fds();
	for (char **v = environ; *v; v++)
		(void)dprintf(3, "env %s\n", *v);
	(void)dprintf(3, "cwd %s\n", getcwd(cwd, sizeof(cwd)));
	(void)getrlimit(RLIMIT_NOFILE, &files);
	(void)dprintf(3, "files %ld\n", (long)files.rlim_max);
	(void)prctl(PR_GET_PDEATHSIG, &death);
	(void)dprintf(3, "death %d\n", death);
	(void)dprintf(3, "session %s\n", getsid(0) == getpid() ? "own" : "shared");
	(void)dprintf(3, "user %u %u\n", (unsigned)getuid(), (unsigned)getgid());
	(void)sigaction(SIGPIPE, NULL, &pipe_action);
	(void)sigprocmask(SIG_BLOCK, NULL, &blocked);
	(void)dprintf(3, "sigpipe %s, usr1 %s\n",
		pipe_action.sa_handler == SIG_DFL ? "default" : "changed",
		sigismember(&blocked, SIGUSR1) ? "blocked" : "open");
	return 5;
}

/* ---- the tests ---- */

static void
read_all(int fd, struct buf *out)
{
	char chunk[512];
	ssize_t n;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		assert_int_equal(poll(&p, 1, 60000), 1);
		n = read(fd, chunk, sizeof(chunk));
		assert_true(n >= 0);
		if (n == 0)
			return;
		assert_int_equal(buf_add(out, chunk, (size_t)n), 0);
	}
}

static int
wait_code(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs the child with s, fills out with its report. */
static void
run_report(struct spawn *s, struct buf *out)
{
	static const char *const argv[] = { "/proc/self/exe", "--report", NULL };
	struct err e = { 0 };
	pid_t pid;
	int pidfd;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	s->argv = argv;
	s->fds[0] = ends[1];
	s->n_fds = 1;
	if (spawn_start(s, &pid, &pidfd, &e) < 0)
		fail_msg("%s", e.text);
	(void)close(ends[1]);
	read_all(ends[0], out);
	(void)close(ends[0]);
	(void)close(pidfd);
	assert_int_equal(wait_code(pid), 5);
}

static void
the_child_sees_only_what_is_named(void **state)
{
	auto_buf struct buf out = BUF_INIT(KIB(64));
	struct spawn s = SPAWN_INIT;
	int stray = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t usr1;

	(void)state;
	assert_int_equal(fcntl(stray, F_SETFD, 0), 0); /* as a careless library would leave it */
	assert_int_equal(setenv("SECRET", "hunter2", 1), 0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, NULL);
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	(void)sigaction(SIGPIPE, &ignore, NULL);

	run_report(&s, &out);
	assert_non_null(strstr(out.data, "fds 0 1 2 3\n"));
	assert_null(strstr(out.data, "env "));
	assert_non_null(strstr(out.data, "cwd /\n"));
	assert_non_null(strstr(out.data, "death 0\n"));
	assert_non_null(strstr(out.data, "session shared\n"));
	assert_non_null(strstr(out.data, "sigpipe default, usr1 open\n"));
	(void)close(stray);
}

static void
the_child_gets_what_is_named(void **state)
{
	static const char *const envp[] = { "A=1", "B=two", NULL };
	auto_buf struct buf out = BUF_INIT(KIB(64));
	struct spawn s = SPAWN_INIT;

	(void)state;
	s.envp = envp;
	s.cwd = "/usr";
	s.new_session = true;
	s.die_with_parent = true;
	s.files_max = 50;
	run_report(&s, &out);
	assert_non_null(strstr(out.data, "env A=1\nenv B=two\n"));
	assert_non_null(strstr(out.data, "cwd /usr\n"));
	assert_non_null(strstr(out.data, "files 50\n"));
	assert_non_null(strstr(out.data, "death 9\n"));
	assert_non_null(strstr(out.data, "session own\n"));
}

/* Whoever may not raise a limit lives under it, instead of not starting anything. */
static void
a_lower_limit_stays(void **state)
{
	auto_buf struct buf out = BUF_INIT(KIB(64));
	const struct rlimit low = { .rlim_cur = 200, .rlim_max = 200 };
	struct spawn s = SPAWN_INIT;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		auto_fd int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

		if (exe < 0 || setrlimit(RLIMIT_NOFILE, &low) < 0 ||
			(getuid() == 0 && setuid(54321) < 0))
			_exit(1);
		s.exec_fd = exe;
		s.files_max = 300;
		run_report(&s, &out);
		_exit(strstr(out.data, "files 200\n") ? 0 : 2);
	}
	assert_int_equal(wait_code(pid), 0);
}

/* As root the child becomes somebody else and still has its death signal; as somebody else asking
 * for that is an error. */
static void
the_user_changes_or_it_is_an_error(void **state)
{
	static const char *const argv[] = { "/proc/self/exe", "--report", NULL };
	auto_buf struct buf out = BUF_INIT(KIB(64));
	struct spawn s = SPAWN_INIT;
	struct err e = { 0 };
	pid_t pid;
	int pidfd;

	(void)state;
	s.uid = 54321;
	s.gid = 54322;
	s.die_with_parent = true;
	/* The test program may lie where only root looks: it is handed over as an open file. */
	auto_fd int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	s.exec_fd = exe;
	if (getuid() == 0) {
		run_report(&s, &out);
		assert_non_null(strstr(out.data, "user 54321 54322\n"));
		assert_non_null(strstr(out.data, "death 9\n"));
	} else {
		s.argv = argv;
		assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), ERR_DENIED);
		assert_non_null(strstr(e.text, "user and group"));
	}
}

static void
descriptors_may_be_swapped(void **state)
{
	static const char *const argv[] = { "/bin/cat", "/proc/self/fd/3", NULL };
	auto_buf struct buf out = BUF_INIT(KIB(4));
	struct spawn s = SPAWN_INIT;
	struct err e = { 0 };
	pid_t pid;
	int pidfd;
	int a[2];
	int b[2];

	(void)state;
	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	s.argv = argv;
	s.stdio[1] = b[1];
	s.fds[0] = a[0];
	s.n_fds = 1;
	if (spawn_start(&s, &pid, &pidfd, &e) < 0)
		fail_msg("%s", e.text);
	(void)close(b[1]);
	(void)close(a[0]);
	assert_int_equal(write(a[1], "through", 7), 7);
	(void)close(a[1]);
	read_all(b[0], &out);
	(void)close(b[0]);
	(void)close(pidfd);
	assert_int_equal(wait_code(pid), 0);
	assert_string_equal(buf_str(&out), "through");
}

static void
what_fails_before_exec_is_the_callers_error(void **state)
{
	static const char *const missing[] = { "/nowhere/at/all", NULL };
	static const char *const present[] = { "/bin/true", NULL };
	struct spawn s = SPAWN_INIT;
	struct err e = { 0 };
	pid_t pid = -1;
	int pidfd = -1;

	(void)state;
	s.argv = missing;
	assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), ERR_MISSING);
	assert_non_null(strstr(e.text, "/nowhere/at/all: exec"));
	assert_int_equal(pid, -1);
	assert_int_equal(pidfd, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
	assert_int_equal(errno, ECHILD);

	s.argv = present;
	s.cwd = "/nowhere";
	assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), ERR_MISSING);
	assert_non_null(strstr(e.text, "working directory"));
	s.cwd = NULL;
	s.fds[0] = 9999;
	s.n_fds = 1;
	assert_int_equal(spawn_start(&s, &pid, &pidfd, &e), ERR_SYSTEM);
	assert_non_null(strstr(e.text, "descriptors"));
}

/* A middle process starts `cat` on our pipe with die_with_parent and is killed: end of file tells
 * that cat went with it. */
static void
a_child_dies_with_its_parent(void **state)
{
	int up[2];
	int down[2];
	char c;

	(void)state;
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	pid_t middle = fork();
	assert_true(middle >= 0);
	if (middle == 0) {
		static const char *const argv[] = { "/bin/cat", NULL };
		struct spawn s = SPAWN_INIT;
		pid_t pid;
		int pidfd;

		s.argv = argv;
		s.stdio[0] = down[0];
		s.stdio[1] = up[1];
		s.die_with_parent = true;
		if (spawn_start(&s, &pid, &pidfd, NULL) < 0)
			_exit(1);
		(void)close(up[1]);
		(void)pause();
		_exit(0);
	}
	(void)close(up[1]);
	assert_int_equal(write(down[1], "x", 1), 1);
	assert_int_equal(read(up[0], &c, 1), 1); /* cat runs */
	assert_int_equal(kill(middle, SIGKILL), 0);
	struct pollfd p = { .fd = up[0], .events = POLLIN };
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(read(up[0], &c, 1), 0);
	(void)wait_code(middle);
	(void)close(up[0]);
	(void)close(down[0]);
	(void)close(down[1]);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_child_sees_only_what_is_named),
		cmocka_unit_test(the_child_gets_what_is_named),
		cmocka_unit_test(a_lower_limit_stays),
		cmocka_unit_test(the_user_changes_or_it_is_an_error),
		cmocka_unit_test(descriptors_may_be_swapped),
		cmocka_unit_test(what_fails_before_exec_is_the_callers_error),
		cmocka_unit_test(a_child_dies_with_its_parent),
	};

	if (argc == 2 && strcmp(argv[1], "--report") == 0)
		return report();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
