/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child - the order of steps inside, from the clone to PID 1's exec.
 *
 * A table, because the order is the design: each step may rely on all before it, and the number of
 * the one that failed is what a person gets to see.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FD_HIGH 64 /* descriptors are parked above this while the low numbers are filled */

static const struct native_step STEPS[] = {
	{ BOX_STAGE_JOIN, native_join },
	{ BOX_STAGE_IDENTITY, native_identity },
	{ BOX_STAGE_SOURCES, native_sources },
	{ BOX_STAGE_ROOT, native_root },
	{ BOX_STAGE_ETC, native_etc },
	{ BOX_STAGE_DEV, native_dev },
	{ BOX_STAGE_PROC, native_proc },
	{ BOX_STAGE_TREES, native_trees },
	{ BOX_STAGE_FILES, native_files },
	{ BOX_STAGE_PIVOT, native_pivot },
	{ BOX_STAGE_NET, native_net },
	{ BOX_STAGE_LOCKS, native_locks },
	{ BOX_STAGE_INIT, native_exec },
};

/* First, so that everything that the box takes counts. From then on it sees its groups as roots. */
int
native_join(struct native *n, struct err *e)
{
	int rc = cgroup_enter(n->cgroup, true, e);

	return rc < 0 ? rc : native_unshare_cgroup(e);
}

/* One byte from outside: the maps are written. */
int
native_wait(const struct native *n, struct err *e)
{
	char byte;
	ssize_t got;

	do
		got = recv(n->child_report, &byte, 1, 0);
	while (got < 0 && errno == EINTR);
	return got == 1 ? 0 : err_set(e, ERR_SYSTEM, "the starter is gone");
}

int
native_identity(struct native *n, struct err *e)
{
	struct pollfd p = { .fd = n->child_report, .events = POLLIN };
	int rc = n->has_slots ? 0 : native_map_self(n, BOX_UID, e);

	if (rc == 0)
		rc = native_wait(n, e);
	if (rc < 0)
		return rc;
	(void)umask(0); /* modes are meant as they are written, up to the last lock */
	(void)prctl(PR_SET_KEEPCAPS, 1);
	if (n->has_slots && setgroups(0, NULL) < 0)
		return err_sys(e, "setgroups");
	if (setresgid(BOX_UID, BOX_UID, BOX_UID) < 0 || setresuid(BOX_UID, BOX_UID, BOX_UID) < 0)
		return err_sys(e, "become uid %d", BOX_UID);
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "PR_SET_DUMPABLE");
	/* Only now: the change of uid would have cleared it. The starter may have died before; its
	 * end of the socket knows. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "death signal");
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		return err_set(e, ERR_SYSTEM, "the starter is gone");
	return 0;
}

/* Fills descriptors 0 to 4 from parked copies, so that no source is overwritten before it was used.
 */
static int
place_fds(const struct native *n, int program, int *out_program, struct err *e)
{
	const int from[] = { n->stdin_fd, n->stdout_fd, n->stderr_fd, n->child_report, n->plan_fd };
	enum { N = sizeof(from) / sizeof(from[0]) };
	int parked[N];

	for (int i = 0; i < N; i++) {
		int fd = from[i];

		if (fd < 0)
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		parked[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
		if (parked[i] < 0)
			return err_sys(e, "park descriptors");
	}
	*out_program = fcntl(program, F_DUPFD_CLOEXEC, FD_HIGH);
	if (*out_program < 0)
		return err_sys(e, "park descriptors");
	for (int i = 0; i < N; i++) {
		if (dup3(parked[i], i, 0) < 0)
			return err_sys(e, "place descriptors");
	}
	if (syscall(SYS_close_range, N, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(e, "close_range");
	return 0;
}

int
native_become(struct native *n, int program, const char *const *argv, struct err *e)
{
	char *const envp[] = { NULL };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int fd = -1;
	int rc = place_fds(n, program, &fd, e);

	if (rc < 0)
		return rc;
	n->child_report = INIT_FD_REPORT;
	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	return err_sys(e, "exec %s", argv[0]);
}

int
native_exec(struct native *n, struct err *e)
{
	return native_become(n, n->init_fd, (const char *const[]){ "init", NULL }, e);
}

_Noreturn void
native_run(struct native *n, const struct native_step *steps, size_t count)
{
	struct err e = { 0 };

	(void)prctl(PR_SET_NAME, "box");
	for (size_t i = 0; i < count; i++) {
		if (steps[i].run(n, &e) == 0)
			continue;
		native_tell(n, steps[i].stage, &e);
		break;
	}
	_exit(125);
}

_Noreturn void
native_child(struct native *n)
{
	native_run(n, STEPS, sizeof(STEPS) / sizeof(STEPS[0]));
}
