/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_door - the door of a directory, and which shim is behind it.
 *
 * A runner makes the door before it starts the shim, so that it can be gone to at once, and may be
 * killed at any moment in between. Until the shim listens itself, it is that runner that a peer
 * sees at the other end: dead, not yet reaped, or its number is somebody else's by now. So who is
 * there is a shim only if it says so by its name, and nobody else is ever sent a signal.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define BEGIN_MS_MAX 3000 /* from exec to the first thing it does */

int
door_open(const char *dir, int *door, int *link, struct err *e)
{
	auto_fd int at = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int fd = -1;
	pid_t self;

	if (at < 0)
		return err_sys(e, "open %s", dir);
	int rc = msg_listen(at, SHIM_DOOR, &fd, e);
	if (rc == 0)
		rc = msg_connect(at, SHIM_DOOR, link, &self, e);
	if (rc == 0)
		*door = steal_fd(&fd);
	return rc;
}

static bool
is_shim(pid_t pid)
{
	auto_free char *path = mem_fmt("/proc/%d/comm", (int)pid);
	auto_buf struct buf name = BUF_INIT(64);

	return fs_read(path, &name, NULL) == 0 && str_eq(buf_str(&name), SHIM_NAME "\n");
}

/* Behind a connection that still stands its process cannot be another one meanwhile. BUSY: a shim
 * has the door, and is about to listen; there is no pidfd then. */
static int
look_behind(const char *dir, struct shim_ends *out, struct err *e)
{
	auto_fd int at = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int link = -1;
	auto_fd int pidfd = -1;
	struct pollfd p = { .events = POLLRDHUP };

	if (at < 0)
		return err_sys(e, "open %s", dir);
	int rc = msg_connect(at, SHIM_DOOR, &link, &out->pid, e);
	if (rc < 0)
		return rc;
	pidfd = pidfd_open(out->pid, 0);
	bool has_begun = pidfd >= 0 && is_shim(out->pid);
	p.fd = link;
	if (poll(&p, 1, 0) < 0 || (p.revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return err_set(e, ERR_MISSING, "its shim has just ended");
	out->link = steal_fd(&link);
	if (!has_begun)
		return err_set(e, ERR_BUSY, "its shim has not begun");
	out->pidfd = steal_fd(&pidfd);
	return 0;
}

/* The last thing that it finds at its door when it begins: a word, and nobody. */
static void
leave_word(struct loop *l, int take_link)
{
	const struct msg_link_spec spec = { .rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_RUNNER,
		.peer = ROLE_SHIM };
	struct msg_link *link = msg_link_create(l, &spec);
	struct err e = { 0 };
	int rc = msg_send(link, &(struct msg_out){ .type = WIRE_SHIM_STOP }, &e);

	if (rc == 0)
		rc = msg_link_attach(link, take_link, &e);
	else
		(void)close(take_link);
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, NULL, "shim.stop_unsent", &e);
	msg_link_destroy(link);
}

int
door_find(struct loop *l, const char *dir, struct shim_ends *out, struct err *e)
{
	int rc = look_behind(dir, out, e);

	for (int ms = 5; rc == ERR_BUSY && ms < BEGIN_MS_MAX; ms *= 2) {
		(void)close(steal_fd(&out->link));
		(void)poll(NULL, 0, ms);
		rc = look_behind(dir, out, e);
	}
	if (rc == ERR_BUSY)
		leave_word(l, steal_fd(&out->link));
	return rc;
}

bool
shim_dismiss(struct loop *l, const char *dir)
{
	struct shim_ends ends = { .pidfd = -1, .link = -1 };
	int rc = door_find(l, dir, &ends, NULL);

	if (rc < 0)
		return rc == ERR_BUSY;
	(void)pidfd_send_signal(ends.pidfd, SIGTERM, NULL, 0); /* gone already: fine */
	(void)close(ends.pidfd);
	(void)close(ends.link);
	return true;
}
