/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - the system calls that a box may not make.
 *
 * A list of what is denied, not of what is allowed: agents run compilers, browsers and debuggers,
 * and an allow list would be wrong every week. What is newer than this list is answered "not
 * implemented", which programs expect of old kernels. The groups follow systemd's
 * (src/shared/seccomp-util.c). Compiled once, before the clone.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* The first number that no one here has read the manual of: statmount. Numbers from 424 on are the
 * same on every architecture. */
#define FIRST_UNKNOWN_CALL 457
#define X32_BIT            0x40000000U

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "name this architecture's AUDIT_ARCH"
#endif

/* By name, because the set differs between architectures: what this one does not have resolves to
 * an error and is passed over. */
static const char *const DENIED[] = {
	/* mounts and roots */
	"chroot",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"mount",
	"mount_setattr",
	"move_mount",
	"open_tree",
	"pivot_root",
	"umount",
	"umount2",
	/* namespaces */
	"setns",
	"unshare",
	/* keys: shared with everything of the same uid outside */
	"add_key",
	"keyctl",
	"request_key",
	/* kernel programs, and interfaces with a long history of holes */
	"bpf",
	"fanotify_init",
	"fanotify_mark",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"perf_event_open",
	"userfaultfd",
	/* other processes' memory and files by the back door; ptrace stays, for debuggers */
	"kcmp",
	"mbind",
	"migrate_pages",
	"move_pages",
	"pidfd_getfd",
	"process_madvise",
	"process_vm_readv",
	"process_vm_writev",
	/* files by handle go past every mount */
	"name_to_handle_at",
	"open_by_handle_at",
	/* the machine's: modules, reboot, swap, clock, raw I/O, quotas, accounting, the log */
	"acct",
	"adjtimex",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"finit_module",
	"get_kernel_syms",
	"init_module",
	"ioperm",
	"iopl",
	"kexec_file_load",
	"kexec_load",
	"nfsservctl",
	"pciconfig_iobase",
	"pciconfig_read",
	"pciconfig_write",
	"query_module",
	"quotactl",
	"quotactl_fd",
	"reboot",
	"settimeofday",
	"stime",
	"swapoff",
	"swapon",
	"syslog",
	"vhangup",
	/* obsolete */
	"_sysctl",
	"afs_syscall",
	"bdflush",
	"break",
	"ftime",
	"getpmsg",
	"gtty",
	"idle",
	"lock",
	"lookup_dcookie",
	"modify_ldt",
	"mpx",
	"prof",
	"profil",
	"putpmsg",
	"remap_file_pages",
	"security",
	"sgetmask",
	"ssetmask",
	"stty",
	"sysfs",
	"tuxcall",
	"ulimit",
	"uselib",
	"ustat",
	"vm86",
	"vm86old",
	"vserver",
};

static const unsigned long CLONE_FLAGS[] = { CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET,
	CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS };

/* Typing into the terminal's input, the console's own bag of tricks, and line disciplines, which
 * load modules that nobody has looked at for years. The kernel reads 32 bits of the request, so do
 * we. */
static const unsigned long IOCTLS[] = { TIOCSTI, TIOCLINUX, TIOCSETD };

/* Protocols of the allowed families that would load a module for whoever asks. */
static const unsigned PROTOCOLS[] = { 33 /* DCCP */, 115 /* L2TP */, 132 /* SCTP */,
	136 /* UDP-Lite */ };

static int
deny(scmp_filter_ctx f, int call, unsigned n, const struct scmp_arg_cmp *args)
{
	int rc = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EPERM), call, n, args);

	/* EDOM: not on this architecture. EEXIST: said already. */
	return rc == -EDOM || rc == -EEXIST ? 0 : rc;
}

/* AF_UNIX, AF_INET, AF_INET6, and of AF_NETLINK only routes, which getaddrinfo and `ip` ask. */
static int
deny_sockets(scmp_filter_ctx f)
{
	int rc = 0;

	for (unsigned family = 0; rc == 0 && family <= AF_NETLINK; family++) {
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			family == AF_NETLINK)
			continue;
		rc = deny(f, SCMP_SYS(socket), 1, &SCMP_A0(SCMP_CMP_EQ, family));
	}
	if (rc == 0)
		rc = deny(f, SCMP_SYS(socket), 1, &SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	if (rc == 0)
		rc = deny(f, SCMP_SYS(socket), 2,
			(const struct scmp_arg_cmp[]){
				SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, 0) });
	for (size_t i = 0; rc == 0 && i < sizeof(PROTOCOLS) / sizeof(PROTOCOLS[0]); i++)
		rc = deny(f, SCMP_SYS(socket), 1,
			&SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffffU, PROTOCOLS[i]));
	/* Other families have pairs too (TIPC). */
	if (rc == 0)
		rc = deny(f, SCMP_SYS(socketpair), 1, &SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	return rc;
}

static int
add_rules(scmp_filter_ctx f)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; rc == 0 && i < sizeof(DENIED) / sizeof(DENIED[0]); i++) {
		int call = seccomp_syscall_resolve_name(DENIED[i]);

		/* Negative pseudo numbers are calls of other architectures. */
		if (call >= 0)
			rc = deny(f, call, 0, NULL);
	}
	for (size_t i = 0; rc == 0 && i < sizeof(CLONE_FLAGS) / sizeof(CLONE_FLAGS[0]); i++)
		rc = deny(f, SCMP_SYS(clone), 1,
			&SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_FLAGS[i], CLONE_FLAGS[i]));
	for (size_t i = 0; rc == 0 && i < sizeof(IOCTLS) / sizeof(IOCTLS[0]); i++)
		rc = deny(f, SCMP_SYS(ioctl), 1,
			&SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, IOCTLS[i]));
	if (rc == 0)
		rc = deny_sockets(f);
	/* Its flags lie in memory, where a filter cannot look; the C library falls back to clone.
	 */
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return rc;
}

/* In front of libseccomp's program, which cannot compare call numbers: "of this architecture and
 * newer than our list: ENOSYS". Jumps are relative, so that programs can be put one behind another.
 */
static const struct sock_filter FRONT[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 0, 4),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_UNKNOWN_CALL, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
};

static int export(scmp_filter_ctx f, struct sock_filter **out, size_t *out_n, struct err *e)
{
	auto_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return err_sys(e, "memfd");
	rc = seccomp_export_bpf(f, fd);
	if (rc < 0 || fstat(fd, &st) < 0)
		return err_set(e, ERR_SYSTEM, "export the syscall filter: %d", rc);
	size_t n = (size_t)st.st_size / sizeof(FRONT[0]);
	struct sock_filter *program =
		mem_array(n + sizeof(FRONT) / sizeof(FRONT[0]), sizeof(FRONT[0]));
	memcpy(program, FRONT, sizeof(FRONT));
	if (pread(fd, (char *)program + sizeof(FRONT), (size_t)st.st_size, 0) != st.st_size) {
		free(program);
		return err_sys(e, "read the syscall filter");
	}
	*out = program;
	*out_n = n + sizeof(FRONT) / sizeof(FRONT[0]);
	return 0;
}

int
native_filter(const void **program, size_t *n_instructions, struct err *e)
{
	static struct sock_filter *cached;
	static size_t n_cached;

	if (!cached) {
		scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
		int rc = f ? add_rules(f) : -ENOMEM;

		rc = rc < 0 ? err_set(e, ERR_SYSTEM, "syscall filter: error %d", -rc)
			    : export(f, &cached, &n_cached, e);
		seccomp_release(f);
		if (rc < 0)
			return rc;
	}
	*program = cached;
	*n_instructions = n_cached;
	return 0;
}
