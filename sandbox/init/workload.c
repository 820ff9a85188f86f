/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload - PID 1's child on its way to exec: session, terminal, limits, directory, Landlock,
 * self-check.
 */
#include "sandbox/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

static const int RLIMITS[INIT_LIMIT_COUNT] = {
	[INIT_LIMIT_CORE] = RLIMIT_CORE,
	[INIT_LIMIT_CPU] = RLIMIT_CPU,
	[INIT_LIMIT_DATA] = RLIMIT_DATA,
	[INIT_LIMIT_FILES] = RLIMIT_NOFILE,
	[INIT_LIMIT_FILE_BYTES] = RLIMIT_FSIZE,
	[INIT_LIMIT_LOCKED] = RLIMIT_MEMLOCK,
	[INIT_LIMIT_PROCS] = RLIMIT_NPROC,
};

/* Lowers only: raising a hard limit is not ours to do. */
static void
lower_limits(const struct init_plan *p)
{
	for (int i = 0; i < INIT_LIMIT_COUNT; i++) {
		struct rlimit r;

		if (p->limits[i] == UINT64_MAX)
			continue;
		if (getrlimit((__rlimit_resource_t)RLIMITS[i], &r) < 0)
			init_fail(INIT_STAGE_LIMITS, errno, "getrlimit", "");
		if (r.rlim_max > p->limits[i])
			r.rlim_max = p->limits[i];
		r.rlim_cur = r.rlim_max;
		if (setrlimit((__rlimit_resource_t)RLIMITS[i], &r) < 0)
			init_fail(INIT_STAGE_LIMITS, errno, "setrlimit", "");
	}
}

static void
take_terminal(void)
{
	sigset_t none;

	if (setsid() < 0)
		init_fail(INIT_STAGE_SESSION, errno, "setsid", "");
	if (ioctl(INIT_FD_TTY, TIOCSCTTY, 0) < 0)
		init_fail(INIT_STAGE_SESSION, errno, "controlling terminal", "");
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)close(INIT_FD_TTY);
	/* The report stays until exec closes it: that is how the starter learns that exec worked.
	 */
	if (syscall(SYS_close_range, INIT_FD_REPORT, INIT_FD_REPORT, CLOSE_RANGE_CLOEXEC) < 0 ||
		syscall(SYS_close_range, INIT_FD_REPORT + 1, ~0U, 0) < 0)
		init_fail(INIT_STAGE_SESSION, errno, "close_range", "");
}

static const char *
find_env(char **envp, const char *name)
{
	size_t len = strlen(name);

	for (; *envp; envp++) {
		if (memcmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	}
	return NULL;
}

/* execvpe over the box's own PATH. EACCES wins over ENOENT, as shells have it. */
static int
exec_in_path(char **argv, char **envp)
{
	const char *path = find_env(envp, "PATH");
	char full[PATH_MAX];
	int why = ENOENT;

	if (strchr(argv[0], '/')) {
		(void)execve(argv[0], argv, envp);
		return errno;
	}
	for (path = path ? path : PATH_DEFAULT; *path;) {
		size_t len = strcspn(path, ":");
		size_t at = init_join(full, sizeof(full), 0, path, len);

		at = init_join(full, sizeof(full), at, "/", 1);
		at = init_join(full, sizeof(full), at, argv[0], strlen(argv[0]));
		if (at < sizeof(full) - 1) { /* all of it */
			(void)execve(full, argv, envp);
			if (errno != ENOENT && errno != ENOTDIR)
				why = errno;
		}
		path += len;
		path += *path == ':';
	}
	return why;
}

_Noreturn void
init_exec(const struct init_plan *p, char **argv, char **envp)
{
	const char *cwd = (const char *)p + p->cwd;
	int why;

	take_terminal();
	lower_limits(p);
	/* Who started us may have been nicer still, and back may nobody go. */
	if ((int)p->nice > getpriority(PRIO_PROCESS, 0) &&
		setpriority(PRIO_PROCESS, 0, (int)p->nice) < 0)
		init_fail(INIT_STAGE_LIMITS, errno, "setpriority", "");
	if (chdir(cwd) < 0)
		init_fail(INIT_STAGE_CWD, errno, "working directory ", cwd);
	init_landlock(p);
	init_check_workload(p);
	why = exec_in_path(argv, envp);
	init_fail(INIT_STAGE_EXEC, why, "exec ", argv[0]);
}
