/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start - the outside of a start with a runtime: its stage, its end, and the box that it leaves.
 *
 * The box's process is the runtime's child, the runtime the reaper's, the reaper ours. They end one
 * after the other, and then the kernel gives their orphan to us, because for this long we are the
 * one who takes orphans. Who the box's process is, the kernel says with its first word.
 */
#include "sandbox/oci/oci.h"

#include "base/clean.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNTIME_MS_MAX 10000 /* to end, after the box said that it is there */
#define ERRORS_MAX     4096

/* The process that has the runtime as its child. */
struct reaper {
	pid_t pid;
	int pidfd;
	int word; /* it says how the runtime ended, and hears who the box is; closed: give up */
	bool has_said;
	int status; /* of the runtime, once that was said */
};

static int
run(struct oci *o, struct reaper *r, struct err *e)
{
	int ends[2];

	o->n.stage = BOX_STAGE_CLONE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, "socketpair");
	r->word = ends[0];
	auto_fd int theirs = ends[1];
	r->pid = native_clone(0, -1, -1, &r->pidfd);
	if (r->pid == 0) {
		(void)close(steal_fd(&o->n.report));
		(void)close(r->word);
		oci_reaper(o, steal_fd(&theirs));
	}
	if (r->pid < 0) {
		(void)close(r->word);
		return err_sys(e, "clone");
	}
	(void)close(steal_fd(&o->n.child_report));
	return 0;
}

static bool
is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ready;

	do
		ready = poll(&p, 1, RUNTIME_MS_MAX);
	while (ready < 0 && errno == EINTR);
	return ready > 0;
}

static int
wait_for_runtime(struct reaper *r, struct err *e)
{
	if (r->has_said)
		return 0;
	if (!is_ready(r->word))
		return err_set(e, ERR_TIMEOUT, "the runtime did not end within %d s",
			RUNTIME_MS_MAX / 1000);
	if (recv(r->word, &r->status, sizeof(r->status), 0) != (ssize_t)sizeof(r->status))
		return err_set(e, ERR_SYSTEM, "the runtime's parent is gone");
	r->has_said = true;
	return 0;
}

/* The runtime has failed, and nobody below it has said a word yet. Whom it left behind may keep the
 * socket open for ever. */
static bool
has_failed_silently(const struct native *n, struct reaper *r)
{
	struct pollfd p[] = { { .fd = n->report, .events = POLLIN },
		{ .fd = r->word, .events = POLLIN } };

	while (poll(p, 2, NATIVE_BUILD_MS_MAX) < 0 && errno == EINTR)
		continue;
	return !p[0].revents && p[1].revents && (wait_for_runtime(r, NULL) < 0 || r->status != 0);
}

/* It has nothing left to wait for, or what it waits for cannot be killed. */
static void
reap(struct reaper *r)
{
	(void)close(r->word);
	if (!is_ready(r->pidfd))
		(void)pidfd_send_signal(r->pidfd, SIGKILL, NULL, 0);
	while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	(void)close(r->pidfd);
}

/* The last line of what it wrote; there is often something about logs before. */
static int
runtime_error(struct oci *o, const struct reaper *r, struct err *e)
{
	char text[ERRORS_MAX + 1] = "";
	ssize_t len = pread(o->n.stderr_fd, text, ERRORS_MAX, 0);
	const char *line = text;
	int status = r->status;

	o->n.stage = BOX_STAGE_RUNTIME;
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = '\0';
	if (strrchr(text, '\n'))
		line = strrchr(text, '\n') + 1;
	if (*line)
		return err_set(e, ERR_SYSTEM, "%s: %s", o->runtime->name, line);
	return err_set(e, ERR_SYSTEM, "%s ended with %s %d", o->runtime->name,
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* The reaper has ended: the box's process is ours now, or it was somebody else's. */
static int
adopt(const struct native *n, struct box *b, struct err *e)
{
	siginfo_t how;

	if (n->sender <= 0)
		return err_set(e, ERR_PROTOCOL, "the box did not say who it is");
	auto_fd int pidfd = pidfd_open(n->sender, 0);
	if (pidfd < 0)
		return err_sys(e, "hold the box's process");
	if (waitid(P_PIDFD, (id_t)pidfd, &how, WEXITED | WNOHANG | WNOWAIT) < 0)
		return err_sys(e, "the box's process is not our child");
	b->pid = n->sender;
	b->pidfd = steal_fd(&pidfd);
	return 0;
}

static int
build(struct oci *o, struct box *b, struct reaper *r, struct err *e)
{
	struct native *n = &o->n;
	int rc;

	n->stage = BOX_STAGE_GO;
	if (has_failed_silently(n, r))
		return runtime_error(o, r, e);
	rc = native_hello(n, b, e);
	if (rc == ERR_TIMEOUT || (rc < 0 && n->stage != BOX_STAGE_GO))
		return rc;
	/* Whose last word was nothing has left it to the runtime to say why. */
	int ended = wait_for_runtime(r, rc == 0 ? e : NULL);
	if (ended == 0 && r->status != 0)
		return runtime_error(o, r, e);
	if (ended == 0 && rc < 0) {
		n->stage = BOX_STAGE_RUNTIME;
		return err_set(e, ERR_SYSTEM, "%s has made no box", o->runtime->name);
	}
	if (rc < 0 || ended < 0)
		return rc < 0 ? rc : ended;
	(void)!send(r->word, &n->sender, sizeof(n->sender), MSG_NOSIGNAL);
	return 0;
}

static int
prepare(struct oci *o, struct err *e)
{
	struct native *n = &o->n;
	int rc;

	n->stage = BOX_STAGE_RUNTIME;
	rc = oci_runtime_find(n->spec->runtime, n->has_slots, &o->runtime, &o->program_fd, e);
	if (rc == 0)
		rc = native_prepare(n, e);
	if (rc < 0)
		return rc;
	n->stage = BOX_STAGE_RUNTIME;
	n->stderr_fd = memfd_create("errors", MFD_CLOEXEC);
	if (n->stderr_fd < 0)
		return err_sys(e, "memfd");
	if (setsockopt(n->report, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) < 0)
		return err_sys(e, "SO_PASSCRED");
	return 0;
}

static void
oci_finish(struct oci *o)
{
	clean_fd(&o->n.stderr_fd);
	clean_fd(&o->program_fd);
	native_finish(&o->n);
}

static int
start(struct oci *o, struct box *b, struct err *e)
{
	struct reaper r = { .pidfd = -1, .word = -1 };
	int rc = prepare(o, e);

	if (rc == 0)
		rc = run(o, &r, e);
	if (rc < 0)
		return rc;
	b->cgroup = steal_ptr(&o->n.cgroup);
	rc = build(o, b, &r, e);
	if (rc < 0) {
		/* A box that waits for its word ends at the end of file. */
		(void)close(steal_fd(&o->n.report));
		box_kill(b);
	}
	reap(&r);
	if (rc == 0)
		rc = adopt(&o->n, b, e);
	if (rc < 0)
		box_finish(b);
	return rc;
}

static int
oci_start(const struct box_spec *s, const struct box_io *io, struct box *b, struct err *e)
{
	auto_cleanup(oci_finish) struct oci o = { .program_fd = -1 };
	int was_reaper = 0;
	int rc;

	native_begin(&o.n, s, io);
	(void)prctl(PR_GET_CHILD_SUBREAPER, &was_reaper);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, "subreaper");
	rc = start(&o, b, e);
	(void)prctl(PR_SET_CHILD_SUBREAPER, was_reaper);
	b->stage = rc < 0 ? o.n.stage : BOX_STAGE_NONE;
	if (rc == 0) {
		(void)setsockopt(o.n.report, SOL_SOCKET, SO_PASSCRED, &(int){ 0 }, sizeof(int));
		b->report_fd = steal_fd(&o.n.report);
	}
	return rc;
}

const struct sandbox_driver SANDBOX_OCI = {
	.name = "oci",
	.start = oci_start,
};
