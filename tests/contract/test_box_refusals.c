/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PID 1 finds about itself, and its workload: each thing that should hold is made not to hold,
 * as root and as an unprivileged user, and the start ends with that thing's name.
 *
 * A call that says that it did what it did not do leaves the real state behind where that is
 * possible; where the kernel would put it right by itself, the answer to the question is another.
 */
#include "fault_rig.h"

#include "base/clean.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 120000 /* a machine may have much else to do */
#define ALL     0xffffffffU
#define POSTURE                                                                                    \
	{                                                                                          \
		BOX_STAGE_POSTURE, BOX_STAGE_POSTURE                                               \
	}
#define WORKLOAD                                                                                   \
	{                                                                                          \
		BOX_STAGE_SELF_CHECK, BOX_STAGE_SELF_CHECK                                         \
	}
#define CALL(nr)                                                                                   \
	nr, 0, 0,                                                                                  \
	{                                                                                          \
		0                                                                                  \
	}
#define ARG(nr, n, is)                                                                             \
	nr, n, ALL,                                                                                \
	{                                                                                          \
		is, is                                                                             \
	}

/* Done, says the kernel. */
static const struct fault UNDONE[] = {
	{ POSTURE, ARG(SYS_prctl, 0, PR_CAPBSET_DROP), 0, FAULT_PLAIN,
		"the bounding set is not empty", NO_MEND, 0 },
	{ POSTURE, ARG(SYS_prctl, 0, PR_GET_NO_NEW_PRIVS), 0, FAULT_PLAIN,
		"no_new_privs is not set", NO_MEND, 0 },
	{ POSTURE, ARG(SYS_prctl, 0, PR_SET_DUMPABLE), 0, FAULT_PLAIN, "PID 1 is dumpable", NO_MEND,
		0 },
	{ POSTURE, CALL(SYS_capget), EIO, FAULT_PLAIN, "capget", NO_MEND, 0 },
	{ POSTURE, ARG(SYS_unshare, 0, CLONE_NEWUSER), 0, FAULT_PLAIN,
		"a further user namespace can be made", NO_MEND, 0 },
	{ POSTURE, ARG(SYS_unshare, 0, CLONE_NEWCGROUP), 0, FAULT_PLAIN,
		"not a namespace of its own: cgroup", NO_MEND, 0 },
	{ POSTURE, CALL(SYS_mount_setattr), 0, FAULT_PLAIN, "the root is writable", NO_MEND, 0 },
	{ WORKLOAD, CALL(SYS_getgid), 0, FAULT_PLAIN, "not the box's group", NO_MEND, 0 },
	{ WORKLOAD, ARG(SYS_prctl, 0, PR_GET_SECCOMP), 0, FAULT_PLAIN, "no syscall filter", NO_MEND,
		0 },
	{ WORKLOAD, ARG(SYS_close_range, 0, 4), 0, FAULT_PLAIN, "a descriptor is open: ", NO_MEND,
		0 },
};
#define N_UNDONE (sizeof(UNDONE) / sizeof(UNDONE[0]))

/* ---- answers of ours ---- */

struct question {
	const struct seccomp_notif *call;
	pid_t starter;
	int listener;
};

/* What PID 1 asks, and is told. */
struct lie {
	struct fault fault;
	bool (*tell)(const struct lie *l, const struct question *q); /* false: it is not that */
	unsigned at;      /* which of the numbers is not as it should be */
	const char *path; /* of the file that the question is about */
	const char *text; /* of that file */
};

/* By call and not through /proc, where the memory of who cannot be looked at is root's. */
static ssize_t
reach(const struct question *q, int arg, void *data, size_t len, bool is_write)
{
	struct iovec here = { data, len };
	struct iovec there = { (void *)(uintptr_t)q->call->data.args[arg], len };
	pid_t pid = (pid_t)q->call->pid;

	return is_write ? process_vm_writev(pid, &here, 1, &there, 1, 0)
			: process_vm_readv(pid, &here, 1, &there, 1, 0);
}

static void
put(const struct question *q, int arg, void *data, size_t len)
{
	assert_int_equal(reach(q, arg, data, len, true), len);
}

static bool
is_about(const struct question *q, int arg, const char *path)
{
	char asked[64] = "";

	(void)reach(q, arg, asked, strlen(path) + 1, false);
	return str_eq(asked, path);
}

static bool
is_nobody(const struct lie *l, const struct question *q)
{
	(void)l;
	(void)q;
	return true;
}

/* Effective, permitted, inheritable; and the same of the upper half. */
static bool
has_a_capability(const struct lie *l, const struct question *q)
{
	uint32_t sets[6] = { 0 };

	sets[l->at] = 1U << 5;
	put(q, 1, sets, sizeof(sets));
	return true;
}

static bool
is_somebody_else(const struct lie *l, const struct question *q)
{
	for (unsigned i = 0; i < 3; i++) {
		uid_t uid = BOX_UID + (i == l->at);

		put(q, (int)i, &uid, sizeof(uid));
	}
	return true;
}

/* That of its starter. */
static bool
is_in_that_namespace(const struct lie *l, const struct question *q)
{
	auto_free char *mine = mem_fmt("/proc/%d%s", q->starter, l->path + strlen("/proc/self"));
	struct stat st;

	if (!is_about(q, 1, l->path))
		return false;
	assert_int_equal(stat(mine, &st), 0);
	put(q, 2, &st, sizeof(st));
	return true;
}

static bool
is_an_open_file(const struct lie *l, const struct question *q)
{
	struct stat st = { .st_mode = S_IFREG | 0666 };

	if (!is_about(q, 1, l->path))
		return false;
	put(q, 2, &st, sizeof(st));
	return true;
}

static bool
may_be_written_to(const struct lie *l, const struct question *q)
{
	return q->call->data.nr == SYS_faccessat ? is_about(q, 1, l->path) : is_an_open_file(l, q);
}

static bool
is_writable(const struct lie *l, const struct question *q)
{
	struct statfs fs = { 0 };

	if (!is_about(q, 0, l->path))
		return false;
	put(q, 1, &fs, sizeof(fs));
	return true;
}

/* Who was stopped meanwhile asks again. */
static void
assert_answered(int rc)
{
	assert_true(rc >= 0 || errno == ENOENT);
}

/* Another file is opened. */
static bool
reads_this(const struct lie *l, const struct question *q)
{
	auto_fd int file = memfd_create("list", MFD_CLOEXEC);
	struct seccomp_notif_addfd add = {
		.id = q->call->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)file
	};

	if (!is_about(q, 1, l->path))
		return false;
	assert_int_equal(pwrite(file, l->text, strlen(l->text), 0), strlen(l->text));
	assert_answered(ioctl(q->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	return true;
}

#define CAPABILITY(n)                                                                              \
	{                                                                                          \
		{ POSTURE, CALL(SYS_capget), 0, FAULT_PLAIN, "capabilities are left", NO_MEND,     \
			0 },                                                                       \
			has_a_capability, n, NULL, NULL                                            \
	}
#define USER(n)                                                                                    \
	{                                                                                          \
		{ WORKLOAD, CALL(SYS_getresuid), 0, FAULT_PLAIN, "not the box's user", NO_MEND,    \
			0 },                                                                       \
			is_somebody_else, n, NULL, NULL                                            \
	}
#define NAMESPACE(name)                                                                            \
	{                                                                                          \
		{ POSTURE, CALL(SYS_newfstatat), 0, FAULT_PLAIN,                                   \
			"not a namespace of its own: " name, NO_MEND, 0 },                         \
			is_in_that_namespace, 0, "/proc/self/ns/" name, NULL                       \
	}
#define MOUNTS(list, what)                                                                         \
	{                                                                                          \
		{ POSTURE, CALL(SYS_openat), 0, FAULT_PLAIN, what, NO_MEND, 0 }, reads_this, 0,    \
			"/proc/self/mountinfo", list                                               \
	}

static const struct lie LIES[] = {
	{ { POSTURE, CALL(SYS_getpid), 0, FAULT_PLAIN, "not PID 1", NO_MEND, 0 }, is_nobody, 0,
		NULL, NULL },
	CAPABILITY(0),
	CAPABILITY(1),
	CAPABILITY(2),
	CAPABILITY(3),
	CAPABILITY(4),
	CAPABILITY(5),
	NAMESPACE("user"),
	NAMESPACE("mnt"),
	NAMESPACE("pid"),
	NAMESPACE("net"),
	NAMESPACE("ipc"),
	NAMESPACE("uts"),
	NAMESPACE("cgroup"),
	{ { POSTURE, CALL(SYS_newfstatat), 0, FAULT_PLAIN, "/proc is not masked", NO_MEND, 0 },
		is_an_open_file, 0, "/proc/kallsyms", NULL },
	{ { POSTURE, CALL(SYS_newfstatat), 0, FAULT_PLAIN, "/proc/sysrq-trigger is writable",
		  NO_MEND, SYS_faccessat },
		may_be_written_to, 0, "/proc/sysrq-trigger", NULL },
	{ { POSTURE, CALL(SYS_statfs), 0, FAULT_PLAIN, "the root is writable", NO_MEND, 0 },
		is_writable, 0, "/", NULL },
	{ { POSTURE, CALL(SYS_statfs), 0, FAULT_PLAIN, "/proc/sys is writable", NO_MEND, 0 },
		is_writable, 0, "/proc/sys", NULL },
	MOUNTS("1 2 0:3 / /usr rw,nosuid,nodev - ext4 x rw\n", "a mount may be written to: /usr"),
	MOUNTS("1 2 0:3 / / ro,nosuid,nodev - ext4 x rw\n1 2 0:3 / /usr ro,nodev - ext4 x rw\n",
		"a mount with devices or set-id: /usr"),
	MOUNTS("1 2 0:3 / /tmp rw,nosuid - tmpfs x rw\n", "a mount with devices or set-id: /tmp"),
	MOUNTS("1 2 0:3 /\n", "a line of the list of mounts"),
	MOUNTS("", "the list of mounts"),
	USER(0),
	USER(1),
	USER(2),
};
#define N_LIES (sizeof(LIES) / sizeof(LIES[0]))

static void
answer_one(const struct lie *l, const struct fault_start *s, int listener)
{
	struct seccomp_notif call = { 0 };
	struct seccomp_notif_resp truth = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	struct seccomp_notif_resp lie = { 0 };
	struct question q = { &call, s->pid, listener };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
		assert_true(errno == ENOENT || errno == EINTR); /* it ended meanwhile */
		return;
	}
	truth.id = lie.id = call.id;
	/* The starter asks the same questions. */
	if ((pid_t)call.pid == s->pid || !l->tell(l, &q))
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &truth);
	else if (l->tell != reads_this) /* which has answered */
		assert_answered(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &lie));
}

static void
it_does_not_believe(const struct box_rig *r, const struct lie *l)
{
	auto_fd int listener = -1;
	struct fault_start s = fault_begin(r, &l->fault, &listener);
	struct pollfd p[] = { { .fd = listener, .events = POLLIN },
		{ .fd = s.told, .events = POLLIN } };

	do {
		assert_true(poll(p, 2, WAIT_MS) > 0);
		if (p[0].revents & POLLIN)
			answer_one(l, &s, listener);
	} while (!p[1].revents);
	fault_end(r, &l->fault, &s);
}

static void
what_was_not_done_is_seen(void **state)
{
	for (size_t i = 0; i < N_UNDONE; i++) {
		struct fault_start s = fault_begin(*state, &UNDONE[i], NULL);

		fault_end(*state, &UNDONE[i], &s);
	}
}

static void
what_does_not_hold_is_refused(void **state)
{
	for (size_t i = 0; i < N_LIES; i++)
		it_does_not_believe(*state, &LIES[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_done_is_seen),
		cmocka_unit_test(what_does_not_hold_is_refused),
	};

	return box_rig_main_native(tests, sizeof(tests) / sizeof(tests[0]));
}
