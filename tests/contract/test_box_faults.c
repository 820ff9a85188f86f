/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every stage of a start fails once, as root and as an unprivileged user: it is said which stage it
 * was and what the kernel said, and nothing is left. Then the starter is killed at each stage: no
 * process of its box outlives it.
 *
 * The kernel refuses by order: a filter of the starter, which its box inherits, answers one system
 * call that this stage is the first to make. In the second half it holds the caller there instead.
 */
#include "fault_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS    120000 /* a machine may have much else to do */
#define ALL        0xffffffffU
#define TREE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
#define BOXES      8 /* children that a starter may have at once */
#define MOUNT      "let the bot mount in namespaces of its own"

#define FOR_BOTH(mend)                                                                             \
	{                                                                                          \
		mend, mend                                                                         \
	}

static const struct fault FAULTS[] = {
	{ { BOX_STAGE_LAYERS, BOX_STAGE_SOURCES }, SYS_open_tree, 2, AT_RECURSIVE,
		{ AT_RECURSIVE, AT_RECURSIVE }, EIO, FAULT_PLAIN, "open_tree /",
		{ "idmapped mounts", MOUNT }, 0 },
	{ { BOX_STAGE_LAYERS, BOX_STAGE_SOURCES }, SYS_mount_setattr, 0, 0, { 0 }, EPERM,
		FAULT_PLAIN, "mount_setattr: ", { "CAP_SYS_PTRACE", MOUNT }, 0 },
	{ { BOX_STAGE_CGROUP, BOX_STAGE_CGROUP }, SYS_socketpair, 0, 0, { 0 }, EMFILE, FAULT_PLAIN,
		"socketpair: ", NO_MEND, 0 },
	{ { BOX_STAGE_FILTER, BOX_STAGE_FILTER }, SYS_memfd_create, 0, 0, { 0 }, ENFILE,
		FAULT_PLAIN, "memfd_create: ", NO_MEND, 0 },
	{ { BOX_STAGE_CLONE, BOX_STAGE_CLONE }, SYS_clone3, 0, 0, { 0 }, ENOSPC, FAULT_PLAIN,
		"clone with namespaces: ", FOR_BOTH("user.max_user_namespaces"), 0 },
	/* By its length: a whole map from outside, "deny" from inside. */
	{ { BOX_STAGE_ID_MAP, BOX_STAGE_IDENTITY }, SYS_write, 2, ALL, { 14, 4 }, EPERM,
		FAULT_PLAIN, "write /proc/", { NULL, MOUNT }, 0 },
	{ { BOX_STAGE_GO, BOX_STAGE_GO }, SYS_recvmsg, 0, 0, { 0 }, EIO, FAULT_PLAIN,
		"the box ended while it was built", NO_MEND, 0 },
	{ { BOX_STAGE_JOIN, BOX_STAGE_JOIN }, SYS_unshare, 0, ALL,
		{ CLONE_NEWCGROUP, CLONE_NEWCGROUP }, EPERM, FAULT_PLAIN,
		"cgroup namespace: ", NO_MEND, 0 },
	{ { BOX_STAGE_IDENTITY, BOX_STAGE_IDENTITY }, SYS_setresuid, 0, 0, { 0 }, EPERM,
		FAULT_PLAIN, "become uid 1000: ", FOR_BOTH(MOUNT), 0 },
	{ { BOX_STAGE_SOURCES, BOX_STAGE_SOURCES }, SYS_mount, 3, MS_PRIVATE,
		{ MS_PRIVATE, MS_PRIVATE }, EACCES, FAULT_PLAIN,
		"make / private: ", FOR_BOTH(MOUNT), 0 },
	{ { BOX_STAGE_ROOT, BOX_STAGE_ROOT }, SYS_fsopen, 0, 0, { 0 }, EPERM, FAULT_PLAIN,
		"fsopen tmpfs: ", FOR_BOTH(MOUNT), 0 },
	{ { BOX_STAGE_ETC, BOX_STAGE_ETC }, SYS_openat2, 0, 0, { 0 }, ENOSYS, FAULT_PLAIN,
		"create /etc/", FOR_BOTH("use Linux 6.1 or newer"), 0 },
	{ { BOX_STAGE_DEV, BOX_STAGE_DEV }, SYS_open_tree, 2, ALL, { TREE_FLAGS, TREE_FLAGS },
		ENOMEM, FAULT_PLAIN, "open_tree /dev/full: ", FOR_BOTH(MOUNT), 0 },
	{ { BOX_STAGE_PROC, BOX_STAGE_PROC }, SYS_open_tree, 2, AT_EMPTY_PATH,
		{ AT_EMPTY_PATH, AT_EMPTY_PATH }, ENOMEM, FAULT_PLAIN,
		"open_tree /dev/null: ", NO_MEND, 0 },
	{ { BOX_STAGE_TREES, BOX_STAGE_TREES }, SYS_fchdir, 0, 0, { 0 }, EIO, FAULT_LAYERS,
		"overlay on /workspace: ", FOR_BOTH("an overlay's upper layer"), 0 },
	{ { BOX_STAGE_FILES, BOX_STAGE_FILES }, FAULT_NO_CALL, 0, 0, { 0 }, ENOTDIR, FAULT_FILE,
		"create /etc/passwd/below in the box: ", NO_MEND, 0 },
	{ { BOX_STAGE_PIVOT, BOX_STAGE_PIVOT }, SYS_pivot_root, 0, 0, { 0 }, EPERM, FAULT_PLAIN,
		"pivot_root: ", NO_MEND, 0 },
	{ { BOX_STAGE_NET, BOX_STAGE_NET }, SYS_bind, 0, 0, { 0 }, EADDRINUSE, FAULT_NET,
		"listen on 127.0.0.1: ", NO_MEND, 0 },
	{ { BOX_STAGE_PTY, BOX_STAGE_PTY }, SYS_ioctl, 1, ALL, { TIOCSPTLCK, TIOCSPTLCK }, EIO,
		FAULT_PLAIN, "unlock the terminal: ", NO_MEND, 0 },
	{ { BOX_STAGE_LOCKS, BOX_STAGE_LOCKS }, SYS_capset, 0, 0, { 0 }, EPERM, FAULT_PLAIN,
		"capset: ", NO_MEND, 0 },
	{ { BOX_STAGE_INIT, BOX_STAGE_INIT }, SYS_execveat, 0, 0, { 0 }, EACCES, FAULT_PLAIN,
		"exec init: ", FOR_BOTH("vm.memfd_noexec"), 0 },
	{ { BOX_STAGE_PLAN, BOX_STAGE_PLAN }, SYS_mmap, 4, ALL, { 4, 4 }, ENODEV, FAULT_PLAIN,
		"map the plan: ", NO_MEND, 0 },
	/* A further namespace that can be made. */
	{ { BOX_STAGE_POSTURE, BOX_STAGE_POSTURE }, SYS_unshare, 0, 0, { 0 }, 0, FAULT_PLAIN,
		"not a namespace of its own: cgroup", NO_MEND, 0 },
	{ { BOX_STAGE_SECCOMP, BOX_STAGE_SECCOMP }, SYS_seccomp, 0, 0, { 0 }, EINVAL, FAULT_PLAIN,
		"load the filter: ", NO_MEND, 0 },
	{ { BOX_STAGE_FORK, BOX_STAGE_FORK }, SYS_signalfd4, 0, 0, { 0 }, EMFILE, FAULT_PLAIN,
		"signalfd: ", NO_MEND, 0 },
	{ { BOX_STAGE_SESSION, BOX_STAGE_SESSION }, SYS_setsid, 0, 0, { 0 }, EPERM, FAULT_PLAIN,
		"setsid: ", NO_MEND, 0 },
	{ { BOX_STAGE_LIMITS, BOX_STAGE_LIMITS }, SYS_prlimit64, 0, 0, { 0 }, EPERM, FAULT_PLAIN,
		"getrlimit: ", NO_MEND, 0 },
	{ { BOX_STAGE_CWD, BOX_STAGE_CWD }, FAULT_NO_CALL, 0, 0, { 0 }, ENOENT, FAULT_CWD,
		"working directory /nowhere: ", NO_MEND, 0 },
	/* No filter, although it was loaded. */
	{ { BOX_STAGE_SELF_CHECK, BOX_STAGE_SELF_CHECK }, SYS_prctl, 0, ALL,
		{ PR_GET_SECCOMP, PR_GET_SECCOMP }, 0, FAULT_PLAIN, "no syscall filter", NO_MEND,
		0 },
	{ { BOX_STAGE_LANDLOCK, BOX_STAGE_LANDLOCK }, SYS_landlock_restrict_self, 0, 0, { 0 },
		E2BIG, FAULT_PLAIN, "Landlock: ", NO_MEND, 0 },
	{ { BOX_STAGE_EXEC, BOX_STAGE_EXEC }, SYS_execve, 0, 0, { 0 }, E2BIG, FAULT_PLAIN,
		"exec true: ", NO_MEND, 0 },
};
#define N_FAULTS (sizeof(FAULTS) / sizeof(FAULTS[0]))

static void
make_layers(const struct box_rig *r)
{
	box_rig_mkdir(r, "low");
	box_rig_mkdir(r, "up");
}

static void
it_fails_at(const struct box_rig *r, const struct fault *f)
{
	struct fault_start s = fault_begin(r, f, NULL);

	fault_end(r, f, &s);
}

static void
each_stage_says_what_failed_and_leaves_nothing(void **state)
{
	make_layers(*state);
	for (size_t i = 0; i < N_FAULTS; i++)
		it_fails_at(*state, &FAULTS[i]);
}

/* Of those after the check of the spec, which asks no kernel. */
static void
no_stage_is_left_out(void **state)
{
	const struct box_rig *r = *state;
	static const enum box_stage all[] = { BOX_STAGE_LAYERS, BOX_STAGE_CGROUP, BOX_STAGE_FILTER,
		BOX_STAGE_CLONE, BOX_STAGE_ID_MAP, BOX_STAGE_GO, BOX_STAGE_JOIN, BOX_STAGE_IDENTITY,
		BOX_STAGE_SOURCES, BOX_STAGE_ROOT, BOX_STAGE_ETC, BOX_STAGE_DEV, BOX_STAGE_PROC,
		BOX_STAGE_TREES, BOX_STAGE_FILES, BOX_STAGE_PIVOT, BOX_STAGE_NET, BOX_STAGE_PTY,
		BOX_STAGE_LOCKS, BOX_STAGE_INIT, BOX_STAGE_PLAN, BOX_STAGE_POSTURE,
		BOX_STAGE_SECCOMP, BOX_STAGE_FORK, BOX_STAGE_SESSION, BOX_STAGE_LIMITS,
		BOX_STAGE_CWD, BOX_STAGE_SELF_CHECK, BOX_STAGE_EXEC, BOX_STAGE_LANDLOCK };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		/* Unprivileged, the box writes its maps itself; there a layer fails at its mount.
		 */
		bool found =
			!r->is_root && (all[i] == BOX_STAGE_ID_MAP || all[i] == BOX_STAGE_LAYERS);

		for (size_t k = 0; k < N_FAULTS; k++)
			found |= FAULTS[k].stage[r->is_root ? 0 : 1] == all[i];
		if (!found)
			fail_msg("stage %d never fails", (int)all[i]);
	}
}

/* ---- the starter is killed ---- */

/* Handles of the starter's children, and of who is held, unless that is the starter. */
static size_t
hold_all(pid_t starter, pid_t held, struct pollfd *v)
{
	auto_free char *path = mem_fmt("/proc/%d/task/%d/children", starter, starter);
	auto_buf struct buf text = BUF_INIT(4096);
	size_t n = 0;

	assert_int_equal(fs_read(path, &text, NULL), 0);
	char *rest = text.data;
	for (long pid; text.len > 0 && (pid = strtol(rest, &rest, 10)) > 0;) {
		assert_true(n + 1 < BOXES);
		v[n++] = (struct pollfd){ .fd = pidfd_open((pid_t)pid, 0), .events = POLLIN };
	}
	if (held != starter)
		v[n++] = (struct pollfd){ .fd = pidfd_open(held, 0), .events = POLLIN };
	return n;
}

static void
it_dies_at(const struct box_rig *r, const struct fault *f)
{
	struct seccomp_notif call = { 0 };
	struct pollfd boxes[BOXES];

	auto_fd int listener = -1;
	struct fault_start s = fault_begin(r, f, &listener);
	assert_true(fault_next(listener, WAIT_MS, &call));
	size_t n = hold_all(s.pid, (pid_t)call.pid, boxes);
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	assert_int_equal(waitpid(s.pid, NULL, 0), s.pid);
	(void)close(s.told);
	/* Who is held there goes on, if nothing else ends it: its call was not made. */
	(void)close(steal_fd(&listener));
	for (size_t i = 0; i < n; i++) {
		assert_true(boxes[i].fd >= 0);
		if (poll(&boxes[i], 1, WAIT_MS) != 1)
			fail_msg("stage %d: a box outlives its starter",
				(int)f->stage[r->is_root ? 0 : 1]);
		(void)close(boxes[i].fd);
	}
	assert_true(sandbox_sweep(60000));
	assert_int_equal(fault_cgroups(s.pid), 0);
}

static void
a_starter_that_is_killed_takes_its_box_along(void **state)
{
	make_layers(*state);
	for (size_t i = 0; i < N_FAULTS; i++) {
		if (FAULTS[i].call != FAULT_NO_CALL)
			it_dies_at(*state, &FAULTS[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stage_says_what_failed_and_leaves_nothing),
		cmocka_unit_test(no_stage_is_left_out),
		cmocka_unit_test(a_starter_that_is_killed_takes_its_box_along),
	};

	return box_rig_main_native(tests, sizeof(tests) / sizeof(tests[0]));
}
