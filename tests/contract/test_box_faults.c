/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every stage of a start fails once, as root and as an unprivileged user: it is said which stage it
 * was and what the kernel said, and nothing is left. Then the starter is killed at each stage: no
 * process of its box outlives it.
 *
 * The kernel refuses by order: a filter of the starter, which its box inherits, answers one system
 * call that this stage is the first to make. In the second half it holds the caller there instead.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS    20000
#define ALL        0xffffffffU
#define NO_CALL    (-1)
#define TREE_FLAGS (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
#define BOXES      8 /* children that a starter may have at once */

enum detail {
	DETAIL_NONE,
	DETAIL_NET,
	DETAIL_LAYERS,
	DETAIL_FILE, /* below a file */
	DETAIL_CWD,  /* not there */
};

/* By who started it: root, and somebody without rights. */
struct fault {
	enum box_stage stage[2];
	long call;
	unsigned arg;
	unsigned mask; /* 0: whatever the arguments are */
	unsigned value[2];
	int sys; /* 0: the call says that it did what it did not do */
	enum detail detail;
};

static const struct fault FAULTS[] = {
	{ { BOX_STAGE_LAYERS, BOX_STAGE_SOURCES }, SYS_open_tree, 2, AT_RECURSIVE,
		{ AT_RECURSIVE, AT_RECURSIVE }, EIO, DETAIL_NONE },
	{ { BOX_STAGE_CGROUP, BOX_STAGE_CGROUP }, SYS_socketpair, 0, 0, { 0 }, EMFILE,
		DETAIL_NONE },
	{ { BOX_STAGE_FILTER, BOX_STAGE_FILTER }, SYS_memfd_create, 0, 0, { 0 }, ENFILE,
		DETAIL_NONE },
	{ { BOX_STAGE_CLONE, BOX_STAGE_CLONE }, SYS_clone3, 0, 0, { 0 }, ENOSPC, DETAIL_NONE },
	/* By its length: a whole map from outside, "deny" from inside. */
	{ { BOX_STAGE_ID_MAP, BOX_STAGE_IDENTITY }, SYS_write, 2, ALL, { 14, 4 }, EPERM,
		DETAIL_NONE },
	{ { BOX_STAGE_GO, BOX_STAGE_GO }, SYS_recvmsg, 0, 0, { 0 }, EIO, DETAIL_NONE },
	{ { BOX_STAGE_JOIN, BOX_STAGE_JOIN }, SYS_unshare, 0, ALL,
		{ CLONE_NEWCGROUP, CLONE_NEWCGROUP }, EPERM, DETAIL_NONE },
	{ { BOX_STAGE_IDENTITY, BOX_STAGE_IDENTITY }, SYS_setresuid, 0, 0, { 0 }, EPERM,
		DETAIL_NONE },
	{ { BOX_STAGE_SOURCES, BOX_STAGE_SOURCES }, SYS_mount, 3, MS_PRIVATE,
		{ MS_PRIVATE, MS_PRIVATE }, EACCES, DETAIL_NONE },
	{ { BOX_STAGE_ROOT, BOX_STAGE_ROOT }, SYS_fsopen, 0, 0, { 0 }, EPERM, DETAIL_NONE },
	{ { BOX_STAGE_ETC, BOX_STAGE_ETC }, SYS_openat2, 0, 0, { 0 }, ENOSYS, DETAIL_NONE },
	{ { BOX_STAGE_DEV, BOX_STAGE_DEV }, SYS_open_tree, 2, ALL, { TREE_FLAGS, TREE_FLAGS },
		ENOMEM, DETAIL_NONE },
	{ { BOX_STAGE_PROC, BOX_STAGE_PROC }, SYS_open_tree, 2, AT_EMPTY_PATH,
		{ AT_EMPTY_PATH, AT_EMPTY_PATH }, ENOMEM, DETAIL_NONE },
	{ { BOX_STAGE_TREES, BOX_STAGE_TREES }, SYS_fchdir, 0, 0, { 0 }, EIO, DETAIL_LAYERS },
	{ { BOX_STAGE_FILES, BOX_STAGE_FILES }, NO_CALL, 0, 0, { 0 }, ENOTDIR, DETAIL_FILE },
	{ { BOX_STAGE_PIVOT, BOX_STAGE_PIVOT }, SYS_pivot_root, 0, 0, { 0 }, EPERM, DETAIL_NONE },
	{ { BOX_STAGE_NET, BOX_STAGE_NET }, SYS_bind, 0, 0, { 0 }, EADDRINUSE, DETAIL_NET },
	{ { BOX_STAGE_PTY, BOX_STAGE_PTY }, SYS_ioctl, 1, ALL, { TIOCSPTLCK, TIOCSPTLCK }, EIO,
		DETAIL_NONE },
	{ { BOX_STAGE_LOCKS, BOX_STAGE_LOCKS }, SYS_capset, 0, 0, { 0 }, EPERM, DETAIL_NONE },
	{ { BOX_STAGE_INIT, BOX_STAGE_INIT }, SYS_execveat, 0, 0, { 0 }, EACCES, DETAIL_NONE },
	{ { BOX_STAGE_PLAN, BOX_STAGE_PLAN }, SYS_mmap, 4, ALL, { 4, 4 }, ENODEV, DETAIL_NONE },
	/* A further namespace that can be made. */
	{ { BOX_STAGE_POSTURE, BOX_STAGE_POSTURE }, SYS_unshare, 0, 0, { 0 }, 0, DETAIL_NONE },
	{ { BOX_STAGE_SECCOMP, BOX_STAGE_SECCOMP }, SYS_seccomp, 0, 0, { 0 }, EINVAL, DETAIL_NONE },
	{ { BOX_STAGE_FORK, BOX_STAGE_FORK }, SYS_signalfd4, 0, 0, { 0 }, EMFILE, DETAIL_NONE },
	{ { BOX_STAGE_SESSION, BOX_STAGE_SESSION }, SYS_setsid, 0, 0, { 0 }, EPERM, DETAIL_NONE },
	{ { BOX_STAGE_LIMITS, BOX_STAGE_LIMITS }, SYS_prlimit64, 0, 0, { 0 }, EPERM, DETAIL_NONE },
	{ { BOX_STAGE_CWD, BOX_STAGE_CWD }, NO_CALL, 0, 0, { 0 }, ENOENT, DETAIL_CWD },
	/* No filter, although it was loaded. */
	{ { BOX_STAGE_SELF_CHECK, BOX_STAGE_SELF_CHECK }, SYS_prctl, 0, ALL,
		{ PR_GET_SECCOMP, PR_GET_SECCOMP }, 0, DETAIL_NONE },
	{ { BOX_STAGE_LANDLOCK, BOX_STAGE_LANDLOCK }, SYS_landlock_restrict_self, 0, 0, { 0 },
		E2BIG, DETAIL_NONE },
	{ { BOX_STAGE_EXEC, BOX_STAGE_EXEC }, SYS_execve, 0, 0, { 0 }, E2BIG, DETAIL_NONE },
};
#define N_FAULTS (sizeof(FAULTS) / sizeof(FAULTS[0]))

/* What a starter says of one start. */
struct told {
	int rc;
	enum box_stage stage;
	int sys;
	int fds; /* more than before */
	int mounts;
	bool has_children;
	char text[ERR_TEXT_BYTES_MAX];
};

/* ---- the filter ---- */

/* -> the listener, with SECCOMP_RET_USER_NOTIF. */
static int
answer(const struct fault *f, bool is_root, unsigned action)
{
	unsigned value = f->value[is_root ? 0 : 1];
	unsigned args = offsetof(struct seccomp_data, args) + 8 * f->arg;
	struct sock_filter v[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)f->call, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, args),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, f->mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(v) / sizeof(v[0]), .filter = v };
	unsigned flags = action == SECCOMP_RET_USER_NOTIF ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(90);
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (fd < 0)
		_exit(91);
	return fd;
}

/* ---- the starter, a process of its own ---- */

static void
describe(const struct box_rig *r, const struct fault *f, struct box_spec *s)
{
	auto_free char *low = box_rig_path(r, "low");
	auto_free char *up = box_rig_path(r, "up");

	box_rig_spec(r, s, "true", NULL);
	s->net = f->detail == DETAIL_NET;
	if (f->detail == DETAIL_FILE)
		box_spec_file(s, "/etc/passwd/below", 0644, "x");
	if (f->detail == DETAIL_CWD)
		s->cwd = mem_str("/nowhere");
	if (f->detail == DETAIL_LAYERS) {
		int64_t owner = r->is_root ? BOX_HOST_UID : (int64_t)geteuid();

		box_spec_layer(s, BOX_WORKSPACE, up, 0, true);
		box_spec_layer(s, BOX_WORKSPACE, low, owner, false);
	}
	if (box_spec_check(s, NULL) < 0)
		_exit(92);
}

static int
entries(const char *path)
{
	auto_dir DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	return n;
}

/* Root's box could leave a mount behind where its starter lives; so that this is not where others
 * mount, too, the starter has a place of its own. Nobody else may mount at all. */
static void
live_alone(const struct box_rig *r)
{
	if (r->is_root &&
		(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		_exit(96);
}

static int
mounts(const struct box_rig *r)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);
	int n = 0;

	if (!r->is_root)
		return 0;
	if (fs_read("/proc/self/mountinfo", &text, NULL) < 0)
		_exit(93);
	for (size_t i = 0; i < text.len; i++)
		n += text.data[i] == '\n';
	return n;
}

/* From the start to the end, however far it comes. */
static int
whole_life(const struct box_spec *s, struct box *b, struct err *e)
{
	int rc = box_start(s, &(struct box_io)BOX_IO_INIT, b, e);

	if (rc < 0)
		return rc;
	(void)box_go(b, NULL); /* PID 1 may be gone, and has said why */
	struct pollfd p = { .fd = b->pidfd, .events = POLLIN };
	if (poll(&p, 1, WAIT_MS) != 1 || waitpid(b->pid, NULL, 0) != b->pid)
		_exit(94);
	return box_report(b, e);
}

_Noreturn static void
start_with(const struct box_rig *r, const struct fault *f, int out)
{
	auto_box_spec struct box_spec s;
	struct told told = { 0 };
	struct box b = BOX_INIT;
	struct err e = { 0 };

	describe(r, f, &s);
	live_alone(r);
	sandbox_warm();
	told.fds = -entries("/proc/self/fd");
	told.mounts = -mounts(r);
	if (f->call != NO_CALL)
		(void)answer(f, r->is_root, SECCOMP_RET_ERRNO | (unsigned)f->sys);
	told.rc = whole_life(&s, &b, &e);
	told.stage = b.stage;
	told.sys = e.sys;
	(void)snprintf(told.text, sizeof(told.text), "%s", e.text);
	box_finish(&b);
	told.has_children = waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
	told.fds += entries("/proc/self/fd");
	told.mounts += mounts(r);
	_exit(write(out, &told, sizeof(told)) == sizeof(told) ? 0 : 95);
}

static size_t
cgroups_of(pid_t pid)
{
	auto_free char *pattern = mem_fmt("/sys/fs/cgroup{,/*,/*/*,/*/*/*}/nightshift-%d-*", pid);
	glob_t g = { 0 };
	size_t n = glob(pattern, GLOB_BRACE | GLOB_NOSORT, NULL, &g) == 0 ? g.gl_pathc : 0;

	globfree(&g);
	return n;
}

static void
it_fails_at(const struct box_rig *r, const struct fault *f)
{
	int who = r->is_root ? 0 : 1;
	struct told t = { 0 };
	int status = 0;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		start_with(r, f, ends[1]);
	(void)close(ends[1]);
	ssize_t got = read(ends[0], &t, sizeof(t));
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0 || got != (ssize_t)sizeof(t))
		fail_msg("stage %d: the starter ended with %d", (int)f->stage[who], status);
	/* What the kernel keeps from us cannot be told. */
	int sys = f->stage[who] == BOX_STAGE_GO ? 0 : f->sys;
	if (t.rc >= 0 || t.stage != f->stage[who] || t.sys != sys || !t.text[0])
		fail_msg("stage %d, errno %d, not stage %d, errno %d: \"%s\"", (int)t.stage, t.sys,
			(int)f->stage[who], sys, t.text);
	if (t.fds || t.mounts || t.has_children || cgroups_of(pid) > 0)
		fail_msg("stage %d leaves %d descriptors, %d mounts, %s, %zu cgroups", (int)t.stage,
			t.fds, t.mounts, t.has_children ? "a child" : "no child", cgroups_of(pid));
}

static void
make_layers(const struct box_rig *r)
{
	box_rig_mkdir(r, "low");
	box_rig_mkdir(r, "up");
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

static void
send_fd(int socket, int fd)
{
	char byte = 'x';
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	if (sendmsg(socket, &m, MSG_NOSIGNAL) != 1)
		_exit(96);
}

static int
receive_fd(int socket)
{
	char byte;
	int fd = -1;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	assert_int_equal(recvmsg(socket, &m, MSG_CMSG_CLOEXEC), 1);
	assert_int_equal(control.head.cmsg_type, SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

_Noreturn static void
start_to_be_held(const struct box_rig *r, const struct fault *f, int out)
{
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;

	describe(r, f, &s);
	sandbox_warm();
	int listener = answer(f, r->is_root, SECCOMP_RET_USER_NOTIF);
	send_fd(out, listener);
	(void)close(listener);
	(void)close(out);
	(void)whole_life(&s, &b, NULL);
	_exit(0);
}

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
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		start_to_be_held(r, f, ends[1]);
	(void)close(ends[1]);
	auto_fd int listener = receive_fd(ends[0]);
	(void)close(ends[0]);
	struct pollfd p = { .fd = listener, .events = POLLIN };
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
	size_t n = hold_all(pid, (pid_t)call.pid, boxes);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* Who is held there goes on, if nothing else ends it: its call was not made. */
	(void)close(steal_fd(&listener));
	for (size_t i = 0; i < n; i++) {
		assert_true(boxes[i].fd >= 0);
		if (poll(&boxes[i], 1, WAIT_MS) != 1)
			fail_msg("stage %d: a box outlives its starter",
				(int)f->stage[r->is_root ? 0 : 1]);
		(void)close(boxes[i].fd);
	}
	assert_true(sandbox_sweep(10000));
	assert_int_equal(cgroups_of(pid), 0);
}

static void
a_starter_that_is_killed_takes_its_box_along(void **state)
{
	make_layers(*state);
	for (size_t i = 0; i < N_FAULTS; i++) {
		if (FAULTS[i].call != NO_CALL)
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
