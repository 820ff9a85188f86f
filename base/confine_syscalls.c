/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine_syscalls - the seccomp filter of a role: allow by default, refuse what no role needs and
 * what this one does not.
 *
 * A deny list, because an allow list breaks with each update of libc, curl or SQLite, and a role
 * that dies of a new libc is a worse bot than one that could call sysinfo(2). The weight is on
 * other walls: user, capabilities, Landlock, empty environment. Refusals are EPERM, so that a
 * library which tries something and copes goes on; clone3 is ENOSYS, because its flags are behind a
 * pointer that a filter cannot read and libc then falls back to clone, whose flags we can see.
 */
#include "base/confine_syscalls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "name the audit architecture of this machine"
#endif

#define X32_BIT     0x40000000U
#define PROGRAM_MAX 256
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
		CLONE_NEWCGROUP)

#ifndef __NR_quotactl_fd
#define __NR_quotactl_fd 443
#endif

/* When a call is refused. */
enum {
	ALWAYS = 1,
	NO_MOUNT = 2,   /* unless may_mount */
	NO_EXEC = 4,    /* unless may_exec */
	NO_OUT = 8,     /* CONFINE_NET_NONE and _SERVE */
	NO_LISTEN = 16, /* all but CONFINE_NET_ALL */
	NO_ACCEPT = 32, /* CONFINE_NET_NONE */
};

struct denied {
	int nr;
	unsigned when;
};

static const struct denied denied[] = {
	/* looking into and changing other processes; ptrace is a debugger's in the box, which the
	   runner's filter must not forbid */
	{ __NR_kcmp, NO_MOUNT },
	{ __NR_pidfd_getfd, ALWAYS },
	{ __NR_process_madvise, ALWAYS },
	{ __NR_process_vm_readv, NO_MOUNT },
	{ __NR_process_vm_writev, NO_MOUNT },
	{ __NR_ptrace, NO_MOUNT },
	/* large parts of the kernel that we do without */
	{ __NR_add_key, ALWAYS },
	{ __NR_bpf, ALWAYS },
	{ __NR_fanotify_init, ALWAYS },
	{ __NR_io_uring_enter, ALWAYS },
	{ __NR_io_uring_register, ALWAYS },
	{ __NR_io_uring_setup, ALWAYS },
	{ __NR_keyctl, ALWAYS },
	{ __NR_lookup_dcookie, ALWAYS },
	{ __NR_move_pages, ALWAYS },
	{ __NR_name_to_handle_at, ALWAYS },
	{ __NR_open_by_handle_at, ALWAYS },
	{ __NR_perf_event_open, ALWAYS },
	{ __NR_request_key, ALWAYS },
	{ __NR_userfaultfd, ALWAYS },
	/* the machine */
	{ __NR_acct, ALWAYS },
	{ __NR_adjtimex, ALWAYS },
	{ __NR_clock_adjtime, ALWAYS },
	{ __NR_clock_settime, ALWAYS },
	{ __NR_delete_module, ALWAYS },
	{ __NR_finit_module, ALWAYS },
	{ __NR_init_module, ALWAYS },
	{ __NR_kexec_file_load, ALWAYS },
	{ __NR_kexec_load, ALWAYS },
	{ __NR_quotactl, ALWAYS },
	{ __NR_quotactl_fd, ALWAYS },
	{ __NR_reboot, ALWAYS },
	{ __NR_settimeofday, ALWAYS },
	{ __NR_swapoff, ALWAYS },
	{ __NR_swapon, ALWAYS },
	{ __NR_syslog, ALWAYS },
	{ __NR_vhangup, ALWAYS },
#if defined(__x86_64__)
	{ __NR_ioperm, ALWAYS },
	{ __NR_iopl, ALWAYS },
	{ __NR_modify_ldt, ALWAYS },
	{ __NR_uselib, ALWAYS },
#endif
	/* mounts, namespaces, roots */
	{ __NR_chroot, NO_MOUNT },
	{ __NR_fsconfig, NO_MOUNT },
	{ __NR_fsmount, NO_MOUNT },
	{ __NR_fsopen, NO_MOUNT },
	{ __NR_fspick, NO_MOUNT },
	{ __NR_mount, NO_MOUNT },
	{ __NR_mount_setattr, NO_MOUNT },
	{ __NR_move_mount, NO_MOUNT },
	{ __NR_open_tree, NO_MOUNT },
	{ __NR_personality, NO_MOUNT },
	{ __NR_pivot_root, NO_MOUNT },
	{ __NR_setdomainname, NO_MOUNT },
	{ __NR_sethostname, NO_MOUNT },
	{ __NR_setns, NO_MOUNT },
	{ __NR_umount2, NO_MOUNT },
	{ __NR_unshare, NO_MOUNT },
	/* programs */
	{ __NR_execve, NO_EXEC },
	{ __NR_execveat, NO_EXEC },
	/* network */
	{ __NR_accept, NO_ACCEPT },
	{ __NR_accept4, NO_ACCEPT },
	{ __NR_bind, NO_OUT },
	{ __NR_connect, NO_OUT },
	{ __NR_listen, NO_LISTEN },
};

struct program {
	struct sock_filter v[PROGRAM_MAX];
	unsigned short n;
};

static void
add(struct program *p, struct sock_filter f)
{
	/* The table is ours and of known length: running out is a mistake found by the first start.
	 */
	if (p->n == PROGRAM_MAX)
		__builtin_trap();
	p->v[p->n++] = f;
}

#define STMT(p, code, k)         add((p), (struct sock_filter)BPF_STMT((code), (k)))
#define JUMP(p, code, k, jt, jf) add((p), (struct sock_filter)BPF_JUMP((code), (k), (jt), (jf)))
#define LOAD(p, member)                                                                            \
	STMT((p), BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, member))
#define REFUSE(p, number) STMT((p), BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))

static unsigned
refused_when(const struct confine *c)
{
	unsigned when = ALWAYS;

	if (!c->may_mount)
		when |= NO_MOUNT;
	if (!c->may_exec)
		when |= NO_EXEC;
	if (c->net == CONFINE_NET_NONE || c->net == CONFINE_NET_SERVE)
		when |= NO_OUT;
	if (c->net != CONFINE_NET_ALL)
		when |= NO_LISTEN;
	if (c->net == CONFINE_NET_NONE)
		when |= NO_ACCEPT;
	return when;
}

/* Another architecture numbers its calls otherwise; the x32 numbers are a second door to the same
 * calls. */
static void
check_arch(struct program *p)
{
	LOAD(p, arch);
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	STMT(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	LOAD(p, nr);
	JUMP(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	STMT(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
}

static void
deny_table(struct program *p, unsigned when)
{
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		if (!(denied[i].when & when))
			continue;
		JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)denied[i].nr, 0, 1);
		REFUSE(p, EPERM);
	}
}

/* The family is the low half of the first argument on both little-endian machines. */
static void
deny_families(struct program *p, enum confine_net net)
{
	static const unsigned out[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	size_t n = net == CONFINE_NET_OUT ? sizeof(out) / sizeof(out[0]) : 1;

	if (net == CONFINE_NET_ALL)
		return;
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, (unsigned char)(2 * n + 2));
	LOAD(p, args[0]);
	for (size_t i = 0; i < n; i++) {
		JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, out[i], 0, 1);
		STMT(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	REFUSE(p, EPERM);
}

/* sendto(2) with an address is a connect of its own; send(3) is the same call without one. */
static void
deny_addressed_send(struct program *p)
{
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_sendto, 0, 6);
	LOAD(p, args[4]);
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
	STMT(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args[4]) + 4);
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
	STMT(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	REFUSE(p, EPERM);
}

static void
deny_namespaces(struct program *p)
{
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1);
	REFUSE(p, ENOSYS);
	JUMP(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3);
	LOAD(p, args[0]);
	JUMP(p, BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
	REFUSE(p, EPERM);
}

int
confine_syscalls(const struct confine *c, struct err *e)
{
	struct program p = { .n = 0 };
	struct sock_fprog prog = { .filter = p.v };

	check_arch(&p);
	deny_table(&p, refused_when(c));
	deny_families(&p, c->net);
	if (c->net == CONFINE_NET_NONE || c->net == CONFINE_NET_SERVE)
		deny_addressed_send(&p);
	if (!c->may_mount)
		deny_namespaces(&p);
	STMT(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = p.n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return err_sys(e, "seccomp");
	return 0;
}
