/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello - what the starter hears from inside while a box is built: that it is, with the outer ends
 * of its terminal and its listener, or which stage failed and why.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* What the errno means is left to the reader: PID 1 does not know it either. */
void
native_tell(const struct native *n, enum box_stage stage, const struct err *e)
{
	struct init_report r = { .stage = (int32_t)stage, .sys = e->sys };
	const char *why = e->sys ? strerrordesc_np(e->sys) : NULL;
	size_t len = strlen(e->text);

	if (why && str_ends(e->text, why))
		len -= strlen(why) + strlen(": ");
	(void)snprintf(r.text, sizeof(r.text), "%.*s", (int)len, e->text);
	(void)!send(n->child_report, &r, sizeof(r), MSG_NOSIGNAL);
}

static int
wait_for_word(const struct native *n, struct err *e)
{
	struct pollfd p = { .fd = n->report, .events = POLLIN };
	int ready;

	do
		ready = poll(&p, 1, NATIVE_BUILD_MS_MAX);
	while (ready < 0 && errno == EINTR);
	return ready != 0 ? 0
			  : err_set(e, ERR_TIMEOUT, "the box was not built within %d s",
				    NATIVE_BUILD_MS_MAX / 1000);
}

/* Descriptors, and who sent them where that was asked for (SO_PASSCRED). */
static void
take_control(struct msghdr *m, struct native *n, struct box *b)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			int fds[2] = { -1, -1 };

			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
			b->pty_fd = fds[0];
			b->listen_fd = fds[1];
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred who;

			memcpy(&who, CMSG_DATA(c), sizeof(who));
			n->sender = who.pid;
		}
	}
}

int
native_hello(struct native *n, struct box *b, struct err *e)
{
	struct init_report r = { 0 };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	struct iovec iov = { &r, sizeof(r) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	int rc = wait_for_word(n, e);
	ssize_t got;

	if (rc < 0)
		return rc;
	/* A box that ended without reading our byte resets the connection, before what it said. */
	do
		got = recvmsg(n->report, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && (errno == EINTR || errno == ECONNRESET));
	if (got != (ssize_t)sizeof(r))
		return err_set(e, ERR_SYSTEM, "the box ended while it was built");
	take_control(&m, n, b);
	r.text[sizeof(r.text) - 1] = '\0';
	if (r.stage != 0) {
		n->stage = (enum box_stage)r.stage;
		errno = r.sys;
		return r.sys ? err_sys(e, "%s", r.text) : err_set(e, ERR_SYSTEM, "%s", r.text);
	}
	return b->pty_fd >= 0 ? 0 : err_set(e, ERR_PROTOCOL, "the box sent no terminal");
}
