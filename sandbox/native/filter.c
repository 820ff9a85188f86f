/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - the rules of rules.c as a program for the kernel, compiled once, before the clone.
 *
 * What is newer than the list is answered "not implemented", which programs expect of old kernels.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* native_rule_cb: what this architecture does not have resolves to an error or to a negative
 * number, and is passed over. */
static int
add_rule(void *ctx, const char *name, int sys, unsigned n, const struct scmp_arg_cmp *args)
{
	int call = seccomp_syscall_resolve_name(name);
	int rc;

	if (call < 0)
		return 0;
	rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((unsigned)sys), call, n, args);
	return rc == -EEXIST ? 0 : rc; /* said already */
}

static int
add_rules(scmp_filter_ctx f)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	return rc == 0 ? native_rules(add_rule, f) : rc;
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
