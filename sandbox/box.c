/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box - a running box, whoever started it: go, report, terminate, kill, finish.
 */
#include "sandbox/sandbox.h"

#include "base/clean.h"
#include "sandbox/cgroup.h"
#include "sandbox/init/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const END_NAMES[BOX_END_COUNT] = {
	[BOX_END_ITSELF] = "itself",
	[BOX_END_WALL] = "wall",
	[BOX_END_IDLE] = "idle",
	[BOX_END_STOP] = "stop",
	[BOX_END_START] = "start",
	[BOX_END_INFRA] = "infra",
	[BOX_END_MEMORY] = "memory",
	[BOX_END_DISK] = "disk",
	[BOX_END_OUTPUT] = "output",
	[BOX_END_BUDGET] = "budget",
};

const char *
box_end_name(int64_t end)
{
	return end >= 0 && end < BOX_END_COUNT ? END_NAMES[end] : "unknown";
}

int
box_start(const struct box_spec *s, const struct box_io *io, struct box *b, struct err *e)
{
	return (s->runtime ? &SANDBOX_OCI : &SANDBOX_NATIVE)->start(s, io, b, e);
}

int
box_go(struct box *b, struct err *e)
{
	if (send(b->report_fd, "g", 1, MSG_NOSIGNAL) == 1)
		return 0;
	return err_sys(e, "let the box go");
}

int
box_report(struct box *b, struct err *e)
{
	struct init_report r = { 0 };
	ssize_t n;

	/* A box that ended without reading our word resets the connection, before what it said. */
	do
		n = recv(b->report_fd, &r, sizeof(r), MSG_DONTWAIT);
	while (n < 0 && errno == ECONNRESET);
	if (n == 0)
		return 0;
	if (n < 0)
		return errno == EAGAIN ? err_set(e, ERR_BUSY, "nothing yet")
				       : err_sys(e, "report of the box");
	if (n != (ssize_t)sizeof(r))
		return err_set(e, ERR_PROTOCOL, "report of %zd bytes", n);
	r.text[sizeof(r.text) - 1] = '\0';
	b->stage = (enum box_stage)r.stage;
	errno = r.sys;
	return r.sys ? err_sys(e, "%s", r.text) : err_set(e, ERR_SYSTEM, "%s", r.text);
}

void
box_terminate(const struct box *b)
{
	if (b->pidfd >= 0)
		(void)pidfd_send_signal(b->pidfd, SIGTERM, NULL, 0); /* gone already: fine */
}

/* The cgroup first, it is faster under a fork storm; PID 1 always, for it takes everything in its
 * pid namespace with it. */
void
box_kill(const struct box *b)
{
	if (b->cgroup)
		cgroup_kill(b->cgroup);
	if (b->pidfd >= 0)
		(void)pidfd_send_signal(b->pidfd, SIGKILL, NULL, 0);
}

void
box_thaw(const struct box *b)
{
	cgroup_thaw(cgroup_world(), cgroup_name(b->cgroup));
	box_kill(b);
}

void
box_finish(struct box *b)
{
	cgroup_destroy(b->cgroup);
	clean_fd(&b->pidfd);
	clean_fd(&b->pty_fd);
	clean_fd(&b->listen_fd);
	clean_fd(&b->report_fd);
	enum box_stage stage = b->stage;
	*b = (struct box)BOX_INIT;
	b->stage = stage; /* the story outlives the box */
}

bool
sandbox_sweep(int wait_ms)
{
	return cgroup_sweep(cgroup_world(), wait_ms);
}
