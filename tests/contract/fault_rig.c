/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_rig - see fault_rig.h.
 */
#include "fault_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/native/native.h"

#include <errno.h>
#include <glob.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 120000 /* a machine may have much else to do */

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
	unsigned also = f->also ? (unsigned)f->also : ~0U; /* no call has that number */
	unsigned args = offsetof(struct seccomp_data, args) + 8 * f->arg;
	struct sock_filter v[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, also, 4, 0),
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

/* ---- the starter, a process of its own ---- */

static void
describe(const struct box_rig *r, const struct fault *f, struct box_spec *s)
{
	auto_free char *low = box_rig_path(r, "low");
	auto_free char *up = box_rig_path(r, "up");

	box_rig_spec(r, s, "true", NULL);
	s->net = f->detail == FAULT_NET;
	if (f->detail == FAULT_FILE)
		box_spec_file(s, "/etc/passwd/below", 0644, "x");
	if (f->detail == FAULT_CWD)
		s->cwd = mem_str("/nowhere");
	if (f->detail == FAULT_LAYERS) {
		int64_t owner = r->is_root ? BOX_HOST_UID : (int64_t)geteuid();

		box_spec_layer(s, BOX_WORKSPACE, up, 0, true);
		box_spec_layer(s, BOX_WORKSPACE, low, owner, false);
	}
	if (box_spec_check(s, NULL) < 0)
		_exit(92);
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
start_with(const struct box_rig *r, const struct fault *f, int out, bool is_held)
{
	auto_box_spec struct box_spec s;
	struct told told = { 0 };
	struct box b = BOX_INIT;
	struct err e = { 0 };

	describe(r, f, &s);
	live_alone(r);
	sandbox_warm();
	told.fds = -box_rig_fds();
	told.mounts = -mounts(r);
	if (is_held) {
		int listener = answer(f, r->is_root, SECCOMP_RET_USER_NOTIF);

		send_fd(out, listener);
		(void)close(listener);
	} else if (f->call != FAULT_NO_CALL)
		(void)answer(f, r->is_root, SECCOMP_RET_ERRNO | (unsigned)f->sys);
	told.rc = whole_life(&s, &b, &e);
	told.stage = b.stage;
	told.sys = e.sys;
	(void)snprintf(told.text, sizeof(told.text), "%s", e.text);
	box_finish(&b);
	told.has_children = waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
	told.fds += box_rig_fds();
	told.mounts += mounts(r);
	_exit(send(out, &told, sizeof(told), MSG_NOSIGNAL) == sizeof(told) ? 0 : 95);
}

struct fault_start
fault_begin(const struct box_rig *r, const struct fault *f, int *listener)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	struct fault_start s = { .pid = fork(), .told = ends[0] };
	assert_true(s.pid >= 0);
	if (s.pid == 0)
		start_with(r, f, ends[1], listener != NULL);
	(void)close(ends[1]);
	if (listener)
		*listener = receive_fd(s.told);
	return s;
}

bool
fault_next(int listener, int wait_ms, struct seccomp_notif *call)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int rc;

	do {
		*call = (struct seccomp_notif){ 0 };
		if (poll(&p, 1, wait_ms) != 1 || !(p.revents & POLLIN))
			return false;
		rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call);
	} while (rc < 0 && (errno == ENOENT || errno == EINTR));
	return rc == 0;
}

/* ---- what came of it ---- */

size_t
fault_cgroups(pid_t pid)
{
	auto_free char *pattern = mem_fmt("/sys/fs/cgroup{,/*,/*/*,/*/*/*}/nightshift-%d-*", pid);
	glob_t g = { 0 };
	size_t n = glob(pattern, GLOB_BRACE | GLOB_NOSORT, NULL, &g) == 0 ? g.gl_pathc : 0;

	globfree(&g);
	return n;
}

/* Whole words: what comes in front is of which layer, say. */
static bool
is_told(const char *text, const char *wanted)
{
	const char *at = strstr(text, wanted);

	return at && (at == text || (at - text > 2 && strncmp(at - 2, ": ", 2) == 0));
}

static void
assert_mend(const char *wanted, const struct told *t)
{
	const char *mend = native_mend(t->stage, t->sys);

	if (wanted ? !mend || !strstr(mend, wanted) : mend != NULL)
		fail_msg("stage %d, errno %d: \"%s\" is to be mended by \"%s\", not \"%s\"",
			(int)t->stage, t->sys, t->text, mend ? mend : "", wanted ? wanted : "");
}

void
fault_end(const struct box_rig *r, const struct fault *f, struct fault_start *s)
{
	int who = r->is_root ? 0 : 1;
	enum box_stage stage = f->stage[who];
	struct told t = { 0 };
	int status = 0;

	ssize_t got = recv(s->told, &t, sizeof(t), 0);
	(void)close(s->told);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	if (status != 0 || got != (ssize_t)sizeof(t))
		fail_msg("stage %d: the starter ended with %d", (int)stage, status);
	/* What the kernel keeps from us cannot be told. */
	int sys = stage == BOX_STAGE_GO ? 0 : f->sys;
	if (t.rc >= 0 || t.stage != stage || t.sys != sys || !is_told(t.text, f->text))
		fail_msg("stage %d, errno %d: \"%s\", not stage %d, errno %d: \"%s\"", (int)t.stage,
			t.sys, t.text, (int)stage, sys, f->text);
	assert_mend(f->mend[who], &t);
	/* Fewer mounts are fine: our copy of somebody's goes when he removes what his lay on. */
	if (t.fds || t.mounts > 0 || t.has_children || fault_cgroups(s->pid) > 0)
		fail_msg("stage %d leaves %d descriptors, %d mounts, %s, %zu cgroups", (int)t.stage,
			t.fds, t.mounts, t.has_children ? "a child" : "no child",
			fault_cgroups(s->pid));
}
