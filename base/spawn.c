/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn - fork and exec, said as data.
 *
 * Between fork and exec the child makes system calls and nothing else: the parent may have threads
 * (curl's resolver), whose locks the child would inherit. What fails is written to a close-on-exec
 * pipe as {step, errno}; end of file on it means that exec worked.
 */
#include "base/spawn.h"

#include "base/clean.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXEC_WAIT_MS_MAX 30000
#define FD_HIGH          64 /* parking place while the low numbers are filled */

enum step {
	STEP_SESSION,
	STEP_STDIO,
	STEP_FDS,
	STEP_CLOSE,
	STEP_LIMITS,
	STEP_USER,
	STEP_DEATH_SIGNAL,
	STEP_CWD,
	STEP_EXEC,
	STEP_COUNT,
};

static const char *const step_names[STEP_COUNT] = {
	[STEP_SESSION] = "new session",
	[STEP_STDIO] = "standard descriptors",
	[STEP_FDS] = "descriptors",
	[STEP_CLOSE] = "closing descriptors",
	[STEP_LIMITS] = "resource limits",
	[STEP_USER] = "user and group",
	[STEP_DEATH_SIGNAL] = "death signal",
	[STEP_CWD] = "working directory",
	[STEP_EXEC] = "exec",
};

struct failure {
	int step;
	int sys;
};

static void
signals_default(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &dfl, NULL); /* KILL, STOP and the two of the C library refuse */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
park(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
}

/* Every source is copied up first, so that filling a low number never overwrites a source that is
 * still needed. */
static int
place_fds(const struct spawn *s, int *exec_fd, int *step)
{
	int parked[3 + SPAWN_FDS_MAX];
	int n = 3 + (int)s->n_fds;

	*step = STEP_STDIO;
	for (int i = 0; i < n; i++) {
		int from = i < 3 ? s->stdio[i] : s->fds[i - 3];

		if (i == 3)
			*step = STEP_FDS;
		if (i < 3 && from < 0)
			from = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
		if (from < 0 || (parked[i] = park(from)) < 0)
			return -1;
	}
	if (s->exec_fd > 0 && (*exec_fd = park(s->exec_fd)) < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (dup3(parked[i], i, 0) < 0)
			return -1;
	}
	*step = STEP_CLOSE;
	return (int)syscall(SYS_close_range, n, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* A limit that we are under already and may not raise is a limit too. */
static int
limit(int what, int64_t max)
{
	/* At the hard one the kernel kills without a word that it was for the time; so a second
	 * before. */
	const rlim_t hard = (rlim_t)max + (what == RLIMIT_CPU ? 1 : 0);
	const struct rlimit wish = { .rlim_cur = (rlim_t)max, .rlim_max = hard };
	struct rlimit r;

	if (max == 0 || setrlimit((__rlimit_resource_t)what, &wish) == 0)
		return 0;
	if (errno != EPERM || getrlimit((__rlimit_resource_t)what, &r) < 0)
		return -1;
	r.rlim_cur = r.rlim_max;
	return r.rlim_max < wish.rlim_max ? setrlimit((__rlimit_resource_t)what, &r) : -1;
}

static int
apply_limits(const struct spawn *s)
{
	if (limit(RLIMIT_CPU, s->cpu_s_max) < 0 || limit(RLIMIT_DATA, s->data_bytes_max) < 0)
		return -1;
	return limit(RLIMIT_FSIZE, s->file_bytes_max) < 0 ? -1 : limit(RLIMIT_NOFILE, s->files_max);
}

/* The system calls themselves: the C library's wrappers signal other threads, which the child does
 * not have. */
static int
become_user(const struct spawn *s)
{
	if (s->uid == 0 || (s->uid == getuid() && s->uid == geteuid() && getuid() != 0))
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) < 0)
		return -1;
	if (syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0)
		return -1;
	return (int)syscall(SYS_setresuid, s->uid, s->uid, s->uid);
}

static int
child_steps(const struct spawn *s, pid_t parent, int *step)
{
	static const char *const no_env[] = { NULL };
	const char *const *envp = s->envp ? s->envp : no_env;
	int exec_fd = -1;

	*step = STEP_SESSION;
	if (s->new_session && setsid() < 0)
		return -1;
	if (place_fds(s, &exec_fd, step) < 0)
		return -1;
	*step = STEP_LIMITS;
	if (apply_limits(s) < 0)
		return -1;
	*step = STEP_USER;
	if (become_user(s) < 0)
		return -1;
	/* After the change of user, which clears it; then the question whether the parent died
	 * before it was set. */
	*step = STEP_DEATH_SIGNAL;
	if (s->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -1;
	if (s->die_with_parent && getppid() != parent)
		_exit(127);
	*step = STEP_CWD;
	if (chdir(s->cwd ? s->cwd : "/") < 0)
		return -1;
	*step = STEP_EXEC;
	if (exec_fd >= 0)
		return (int)syscall(SYS_execveat, exec_fd, "", s->argv, envp, AT_EMPTY_PATH);
	return (int)syscall(SYS_execve, s->argv[0], s->argv, envp);
}

static _Noreturn void
child(const struct spawn *s, pid_t parent, int report)
{
	struct failure f = { 0 };
	int parked = park(report);

	signals_default();
	if (parked >= 0 && child_steps(s, parent, &f.step) < 0) {
		f.sys = errno;
		(void)!write(parked, &f, sizeof(f));
	}
	_exit(127);
}

/* 0: exec worked. Bounded, because a step may hang on a dead network file system. */
static int
wait_exec(int report, const char *name, struct err *e)
{
	struct pollfd p = { .fd = report, .events = POLLIN };
	struct failure f;
	ssize_t n = -1;
	int ready;

	do
		ready = poll(&p, 1, EXEC_WAIT_MS_MAX);
	while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return err_set(e, ERR_TIMEOUT, "%s: no exec after %d ms", name, EXEC_WAIT_MS_MAX);
	do
		n = read(report, &f, sizeof(f));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(f) || f.step < 0 || f.step >= STEP_COUNT)
		return err_set(e, ERR_SYSTEM, "%s: ended before exec", name);
	errno = f.sys;
	return err_sys(e, "%s: %s", name, step_names[f.step]);
}

int
spawn_start(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e)
{
	int ends[2];
	pid_t parent = getpid();

	assert(s->argv && s->argv[0] && s->n_fds <= SPAWN_FDS_MAX);
	assert(s->uid == 0 || s->gid != 0); /* a user of its own in root's group is a mistake */
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_fd int rd = ends[0];
	auto_fd int wr = ends[1];
	pid_t p = fork();
	if (p < 0)
		return err_sys(e, "fork");
	if (p == 0)
		child(s, parent, wr);
	(void)close(steal_fd(&wr));
	/* The child is not reaped before we do it, so its number is still its own. */
	auto_fd int fd = pidfd_open(p, 0);
	int rc = fd < 0 ? err_sys(e, "pidfd_open") : wait_exec(rd, s->argv[0], e);
	if (rc < 0) {
		(void)kill(p, SIGKILL);
		while (waitpid(p, NULL, 0) < 0 && errno == EINTR)
			continue;
		return rc;
	}
	*pid = p;
	*pidfd = steal_fd(&fd);
	return 0;
}
