/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - PID 1 of a box: waits for the word to go, starts the workload, reaps, ends with it.
 *
 * A program of its own, exec'ed from a sealed memfd with no argument and no environment, because
 * PID 1 can be looked at from inside: a forked copy of the bot would show the bot's memory. When it
 * ends, the kernel ends everything else in the box.
 */
#include "sandbox/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *argv[INIT_STRINGS + 1];
static char *envp[INIT_STRINGS + 1];

_Noreturn void
init_fail(int stage, int sys, const char *what, const char *more)
{
	struct init_report r = { .stage = stage, .sys = sys };

	size_t at = init_join(r.text, sizeof(r.text), 0, what, strlen(what));
	(void)init_join(r.text, sizeof(r.text), at, more, strlen(more));
	(void)!send(INIT_FD_REPORT, &r, sizeof(r), MSG_NOSIGNAL);
	_exit(125);
}

/* The box dies with its starter: until it may go at the end of file, from then on by signal. Not
 * earlier, because who made us need not be who started us: an OCI runtime ends once the box is
 * built, and we pass to the starter. */
static void
bind_to_starter(void)
{
	struct pollfd p = { .fd = INIT_FD_REPORT, .events = POLLIN };

	if (init_prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		init_fail(INIT_STAGE_FORK, errno, "death signal", "");
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		_exit(125);
}

static const struct init_plan *
map_plan(void)
{
	struct stat st;
	const struct init_plan *p;

	if (fstat(INIT_FD_PLAN, &st) < 0 || st.st_size < (off_t)sizeof(*p))
		init_fail(INIT_STAGE_PLAN, errno, "plan", "");
	/* Private and writable: argv and envp point into it, and exec wants char *. */
	p = init_map(INIT_FD_PLAN, (size_t)st.st_size);
	if (p == MAP_FAILED)
		init_fail(INIT_STAGE_PLAN, errno, "map the plan", "");
	if (p->magic != INIT_MAGIC || p->size != st.st_size)
		init_fail(INIT_STAGE_PLAN, 0, "the plan is not one", "");
	(void)close(INIT_FD_PLAN);
	return p;
}

/* n strings from offset on, bounds checked although we wrote them ourselves: it costs nothing. */
static void
list_strings(const struct init_plan *p, uint32_t offset, uint32_t n, char **out)
{
	char *s = (char *)(uintptr_t)p + offset;
	const char *end = (const char *)p + p->size;

	if (n > INIT_STRINGS || offset > p->size)
		init_fail(INIT_STAGE_PLAN, E2BIG, "strings of the plan", "");
	for (uint32_t i = 0; i < n; i++) {
		size_t len = strnlen(s, (size_t)(end - s));

		if (s + len >= end)
			init_fail(INIT_STAGE_PLAN, 0, "strings of the plan", "");
		out[i] = s;
		s += len + 1;
	}
	out[n] = NULL;
}

static void
wait_for_go(void)
{
	char go;
	ssize_t n;

	do
		n = recv(INIT_FD_REPORT, &go, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(125);
}

static void
load_filter(const struct init_plan *p)
{
	struct sock_fprog prog = { .len = (unsigned short)p->n_filter };

	if (p->n_filter == 0 || p->n_filter > USHRT_MAX || p->filter % 8 != 0 ||
		p->filter + p->n_filter * sizeof(struct sock_filter) > p->size)
		init_fail(INIT_STAGE_SECCOMP, 0, "no filter", "");
	prog.filter = (struct sock_filter *)((uintptr_t)p + p->filter);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		init_fail(INIT_STAGE_SECCOMP, errno, "load the filter", "");
}

static int
exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps whoever ends; returns when the workload did. */
static int
reap(pid_t workload, int *code)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return 0;
		if (pid == workload) {
			*code = exit_code(status);
			return 1;
		}
	}
}

static int
supervise(pid_t workload, int signals)
{
	struct signalfd_siginfo info;
	int code = 125;

	for (;;) {
		ssize_t n = read(signals, &info, sizeof(info));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(info))
			return 125;
		/* The workload leads its session; what it started there hears TERM too. */
		if (info.ssi_signo == SIGTERM)
			(void)kill(-workload, SIGTERM);
		else if (reap(workload, &code))
			return code;
	}
}

static int
run_workload(void *ctx)
{
	init_exec(ctx, argv, envp);
}

/* It borrows our memory until exec, while we wait: to copy that takes longer than all that is done
 * in between. */
static pid_t
start_workload(const struct init_plan *p)
{
	static _Alignas(16) char stack[1 << 16];

	return clone(run_workload, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
		(void *)(uintptr_t)p);
}

/* PID 1 keeps nothing that the workload talks through: the terminal must end when the workload's
 * side of it is closed. */
static void
let_go_of_descriptors(int signals)
{
	if (dup3(signals, 0, 0) < 0)
		_exit(125);
	(void)syscall(SYS_close_range, 1, ~0U, 0);
}

int
main(void)
{
	const struct init_plan *p;
	sigset_t set;
	int signals;
	pid_t pid;

	(void)init_prctl(PR_SET_DUMPABLE, 0);
	p = map_plan();
	list_strings(p, p->argv, p->n_argv, argv);
	list_strings(p, p->env, p->n_env, envp);
	init_files(p);
	init_doors(p);
	init_check_posture(p);
	load_filter(p);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		init_fail(INIT_STAGE_FORK, errno, "signals", "");
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		init_fail(INIT_STAGE_FORK, errno, "signalfd", "");
	wait_for_go();
	bind_to_starter();
	pid = start_workload(p);
	if (pid < 0)
		init_fail(INIT_STAGE_FORK, errno, "fork", "");
	let_go_of_descriptors(signals);
	return supervise(pid, 0);
}
