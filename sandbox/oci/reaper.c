/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reaper - a process between us and the runtime, to whom its orphans fall.
 *
 * A runtime that detaches forks more than once, and leaves the box's process behind without a
 * parent, sometimes others of its own too. Only who has no other children can tell which are which
 * and wait for them all. Once the box's process is the only one left it ends, and that one falls to
 * us. It ends with us, and everything below it then has nobody to wait for and ends as well.
 */
#include "sandbox/oci/oci.h"

#include "base/clean.h"
#include "base/fs.h"
#include "sandbox/cgroup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN "/proc/thread-self/children"

/* Until it ends or we are no longer wanted. */
static int
wait_for_runtime(pid_t pid, int pidfd, int word)
{
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = word, .events = POLLIN } };
	int status = 0;

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		continue;
	if (!(p[0].revents & POLLIN))
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/* Some child that is not the box; 0: there is none. A kernel that cannot say leaves us a dead one
 * at worst. */
static pid_t
other_child(pid_t box)
{
	auto_buf struct buf text = BUF_INIT(65536);

	if (fs_read(CHILDREN, &text, NULL) < 0)
		return 0;
	for (char *p = text.data, *end; text.len > 0; p = end) {
		pid_t pid = (pid_t)strtol(p, &end, 10);

		if (pid != box)
			return pid; /* 0 at the end */
	}
	return 0;
}

_Noreturn void
oci_reaper(struct oci *o, int word)
{
	struct native *n = &o->n;
	uint64_t namespaces = CLONE_NEWNS | (n->has_slots ? 0 : CLONE_NEWUSER);
	struct err e = { 0 };
	int pidfd = -1;
	pid_t box = 0;

	(void)prctl(PR_SET_NAME, "reaper");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		_exit(125);
	pid_t pid = native_clone(namespaces, cgroup_fd(n->cgroup), n->net_fd, &pidfd);
	if (pid == 0) {
		(void)close(word);
		oci_stage(o);
	}
	if (pid < 0) {
		(void)err_sys(&e, "clone");
		native_tell(n, BOX_STAGE_CLONE, &e);
		_exit(125);
	}
	(void)close(n->child_report);
	int status = wait_for_runtime(pid, pidfd, word);
	(void)!send(word, &status, sizeof(status), MSG_NOSIGNAL);
	bool is_wanted = recv(word, &box, sizeof(box), 0) == (ssize_t)sizeof(box);
	/* Whoever was below one that ends comes up to us next. */
	while ((pid = other_child(is_wanted ? box : 0)) > 0) {
		if (!is_wanted)
			(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	_exit(0);
}
