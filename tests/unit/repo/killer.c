/* SPDX-License-Identifier: Apache-2.0 */
/*
 * killer - see killer.h.
 */
#include "tests/unit/repo/killer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STOPPED_BY_CALL (SIGTRAP | 0x80)

/* Each of them, however the C library spells it; reading is none. */
static bool
is_change(const struct __ptrace_syscall_info *i)
{
	static const long calls[] = { SYS_ftruncate, SYS_linkat, SYS_mkdirat, SYS_mknodat,
		SYS_pwrite64, SYS_renameat2, SYS_symlinkat, SYS_unlinkat, SYS_write,
#ifdef SYS_rename
		SYS_link, SYS_mkdir, SYS_mknod, SYS_rename, SYS_rmdir, SYS_symlink, SYS_unlink,
#endif
#ifdef SYS_renameat
		SYS_renameat
#endif
	};

	if (i->op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	if (i->entry.nr == SYS_openat)
		return (i->entry.args[2] & (O_CREAT | O_TRUNC)) != 0;
	for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
		if ((long)i->entry.nr == calls[k])
			return true;
	}
	return false;
}

static bool
is_at_change(pid_t pid)
{
	struct __ptrace_syscall_info i = { 0 };

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), &i) > 0 && is_change(&i);
}

static bool
go_on(pid_t pid, int signo)
{
	return ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signo) == 0;
}

static void
begin(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	assert_true(go_on(pid, 0));
}

bool
killer_strike(killer_work *work, void *arg, int n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(work(arg) < 0);
	}
	begin(pid);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		bool is_call = WSTOPSIG(status) == STOPPED_BY_CALL;

		if (is_call && is_at_change(pid) && --n == 0)
			(void)kill(pid, SIGKILL);
		else
			assert_true(go_on(pid, is_call ? 0 : WSTOPSIG(status)));
	}
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}
