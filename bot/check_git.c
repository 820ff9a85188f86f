/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_git - whether there is a git, and one that hostile repositories do not harm.
 */
#include "bot/check.h"

#include "base/mem.h"
#include "base/spawn.h"
#include "base/str.h"
#include "repo/repo.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define GIT_MS_MAX 5000
#define GIT_SAYS   "git version "

/* First version of each series with the repairs of May 2024 (CVE-2024-32002, -32004, -32465: code
 * of a repository runs while it is cloned). Series after the last row have them. */
static const long FIXED[][2] = { { 39, 4 }, { 40, 2 }, { 41, 1 }, { 42, 2 }, { 43, 4 }, { 44, 1 },
	{ 45, 1 } };

#define N_FIXED (sizeof(FIXED) / sizeof(FIXED[0]))

/* The number at *p, and *p behind it and a dot; -1 if there is none. */
static long
next_number(const char **p)
{
	char *end = NULL;
	long n = **p >= '0' && **p <= '9' ? strtol(*p, &end, 10) : -1;

	if (end)
		*p = end + (*end == '.');
	return n;
}

const char *
check_git_version(const char *version)
{
	static const char old[] = "cloning a hostile repository may run its code (CVE-2024-32002)";
	long major = next_number(&version);
	long minor = next_number(&version);
	long patch = next_number(&version);

	if (major < 0 || minor < 0)
		return "its version cannot be read";
	if (major != 2)
		return major > 2 ? NULL : old;
	for (size_t i = 0; i < N_FIXED; i++) {
		if (minor == FIXED[i][0])
			return patch >= FIXED[i][1] ? NULL : old;
	}
	return minor > FIXED[N_FIXED - 1][0] ? NULL : old;
}

/* Waits for the end of a child, at most GIT_MS_MAX. */
static int
wait_for(pid_t pid, int pidfd, struct err *e)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	siginfo_t how = { 0 };

	while (poll(&pfd, 1, GIT_MS_MAX) < 0 && errno == EINTR)
		continue;
	if (!(pfd.revents & POLLIN))
		(void)kill(pid, SIGKILL); /* our child, not reaped: the number is its own */
	while (waitid(P_PID, (id_t)pid, &how, WEXITED) < 0 && errno == EINTR)
		continue;
	if (how.si_code != CLD_EXITED || how.si_status != 0)
		return err_set(e, ERR_SYSTEM, "git --version ended with %d", how.si_status);
	return 0;
}

/* Starts it as the courier would; what it says is in out. A memfd holds it, so that nobody has to
 * read while it runs. */
static int
ask_git(struct repo_command *c, struct buf *out, struct err *e)
{
	auto_fd int said = memfd_create("git", MFD_CLOEXEC);
	auto_fd int pidfd = -1;
	const char *const argv[] = { c->argv.v[0], "--version", NULL };
	struct spawn s = SPAWN_INIT;
	char text[256];
	pid_t pid;
	ssize_t n;
	int rc;

	if (said < 0)
		return err_sys(e, "memfd_create");
	s.argv = argv;
	s.stdio[1] = said;
	s.stdio[2] = -1;
	s.file_bytes_max = sizeof(text);
	rc = spawn_start(&s, &pid, &pidfd, e);
	if (rc == 0)
		rc = wait_for(pid, pidfd, e);
	if (rc < 0)
		return rc;
	n = pread(said, text, sizeof(text), 0);
	return n < 0 ? err_sys(e, "read what git said") : buf_add(out, text, (size_t)n);
}

void
check_git(struct check_report *r)
{
	static const char mend[] = "install git 2.39.4 or a later one with the repairs of May 2024";
	auto_cleanup(repo_command_finish) struct repo_command c = { 0 };
	auto_buf struct buf said = BUF_INIT(256);
	const char *version, *wrong;
	struct err e = { 0 };
	int rc = repo_command_init(&c, &e);

	if (rc == 0)
		rc = ask_git(&c, &said, &e);
	if (rc < 0) {
		check_fail(r, "git", EX_UNAVAILABLE, mend, "%s", e.text);
		return;
	}
	if (said.len && said.data[said.len - 1] == '\n')
		buf_cut(&said, said.len - 1);
	version = str_starts(buf_str(&said), GIT_SAYS) ? buf_str(&said) + strlen(GIT_SAYS) : "";
	wrong = check_git_version(version);
	if (wrong)
		check_fail(
			r, "git", EX_UNAVAILABLE, mend, "%s %s: %s", c.argv.v[0], version, wrong);
	else
		check_ok(r, "git", "%s %s", c.argv.v[0], version);
}
