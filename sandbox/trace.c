/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace - which box runs, in a file, for whoever has to see to its end when its starter could not.
 *
 * With the box's first process everything in it is gone, for the kernel lets that one end last. A
 * number may be another process's by then, so the time of its start belongs to it.
 */
#include "sandbox/sandbox.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"
#include "sandbox/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define TRACE_BYTES_MAX 4096

int
box_trace_leave(const struct box *b, const char *path, struct err *e)
{
	const char *group = cgroup_name(b->cgroup);
	auto_free char *text =
		mem_fmt("%d %" PRIu64 " %s", b->pid, procs_started(b->pid), group ? group : "");
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_sys(e, "write %s", path);
	return 0;
}

int
box_trace_end(const char *path, int wait_ms, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TRACE_BYTES_MAX);
	char *p;

	if (fs_read(path, &text, NULL) < 0)
		return 0;
	pid_t pid = (pid_t)strtol(buf_str(&text), &p, 10);
	uint64_t when = strtoull(p, &p, 10);
	auto_fd int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (pidfd < 0 || when == 0 || procs_started(pid) != when) {
		(void)unlink(path);
		return 0;
	}
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	cgroup_thaw(cgroup_world(), p + strspn(p, " "));
	if (poll(&end, 1, wait_ms) != 1)
		return err_set(e, ERR_BUSY, "process %d does not end", (int)pid);
	(void)unlink(path);
	return 0;
}
