/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strike_regs - the part that knows how a processor passes a call's number and answer.
 *
 * A call that is not to be made becomes getpid: a number that does not exist would be looked at by
 * the process's own filter, which ends it.
 */
#include "tests/fault/strike.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

int
strike_call(pid_t tid, int *call)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0)
		return -1;
	*call = info.op == PTRACE_SYSCALL_INFO_ENTRY ? (int)info.entry.nr : -1;
	return 0;
}

#if defined(__aarch64__)

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

int
strike_prevent(pid_t tid)
{
	int none = SYS_getpid;
	struct iovec v = { &none, sizeof(none) };

	return ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &v) < 0 ? -1 : 0;
}

int
strike_answer(pid_t tid, int error)
{
	struct user_regs_struct regs;
	struct iovec v = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v) < 0)
		return -1;
	regs.regs[0] = (unsigned long long)-(long long)error;
	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v) < 0 ? -1 : 0;
}

#else

int
strike_prevent(pid_t tid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -1;
	regs.orig_rax = SYS_getpid;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0 ? -1 : 0;
}

int
strike_answer(pid_t tid, int error)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -1;
	regs.rax = (unsigned long long)-(long long)error;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0 ? -1 : 0;
}

#endif
