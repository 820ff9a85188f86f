/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - the system calls that a box may not make, as a list.
 *
 * A list of what is denied, not of what is allowed: agents run compilers, browsers and debuggers,
 * and an allow list would be wrong every week. The groups follow systemd's
 * (src/shared/seccomp-util.c). Compiled in filter.c, written down for a runtime in oci/seccomp.c.
 */
#include "sandbox/native/native.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

/* Where the rules go. */
struct sink {
	native_rule_cb *cb;
	void *ctx;
};

static int
deny(const struct sink *s, const char *call, unsigned n, const struct scmp_arg_cmp *args)
{
	return s->cb(s->ctx, call, EPERM, n, args);
}

/* AF_UNIX, AF_INET, AF_INET6, and of AF_NETLINK only routes, which getaddrinfo and `ip` ask. */
static int
deny_sockets(const struct sink *s)
{
	int rc = 0;

	for (unsigned family = 0; rc == 0 && family <= AF_NETLINK; family++) {
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			family == AF_NETLINK)
			continue;
		rc = deny(s, "socket", 1, &SCMP_A0(SCMP_CMP_EQ, family));
	}
	if (rc == 0)
		rc = deny(s, "socket", 1, &SCMP_A0(SCMP_CMP_GT, AF_NETLINK));
	if (rc == 0)
		rc = deny(s, "socket", 2,
			(const struct scmp_arg_cmp[]){
				SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_NE, 0) });
	for (size_t i = 0; rc == 0 && i < sizeof(PROTOCOLS) / sizeof(PROTOCOLS[0]); i++)
		rc = deny(s, "socket", 1, &SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffffU, PROTOCOLS[i]));
	/* Other families have pairs too (TIPC). */
	if (rc == 0)
		rc = deny(s, "socketpair", 1, &SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	return rc;
}

int
native_rules(native_rule_cb *cb, void *ctx)
{
	const struct sink s = { cb, ctx };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(DENIED) / sizeof(DENIED[0]); i++)
		rc = deny(&s, DENIED[i], 0, NULL);
	for (size_t i = 0; rc == 0 && i < sizeof(CLONE_FLAGS) / sizeof(CLONE_FLAGS[0]); i++)
		rc = deny(&s, "clone", 1,
			&SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_FLAGS[i], CLONE_FLAGS[i]));
	for (size_t i = 0; rc == 0 && i < sizeof(IOCTLS) / sizeof(IOCTLS[0]); i++)
		rc = deny(&s, "ioctl", 1, &SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, IOCTLS[i]));
	if (rc == 0)
		rc = deny_sockets(&s);
	/* Its flags lie in memory, where a filter cannot look; the C library falls back to clone.
	 */
	return rc == 0 ? cb(ctx, "clone3", ENOSYS, 0, NULL) : rc;
}
