/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_count - counts what trees hold, in a child (disk.h).
 */
#include "sandbox/disk.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_FD 3

/* Without rights over others' files, but in a namespace of our own we are root over our own, also
 * over directories that a box has closed. */
static void
see_all(void)
{
	const char *const files[] = { "setgroups", "uid_map", "gid_map" };
	char text[3][40] = { "deny" };

	(void)snprintf(text[1], sizeof(text[1]), "0 %u 1", geteuid());
	(void)snprintf(text[2], sizeof(text[2]), "0 %u 1", getegid());
	(void)prctl(PR_SET_DUMPABLE, 1); /* or our own files in /proc are not ours */
	if (geteuid() == 0 || unshare(CLONE_NEWUSER) < 0)
		return;
	for (int i = 0; i < 3; i++) {
		auto_free char *path = mem_fmt("/proc/self/%s", files[i]);
		auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

		(void)!write(fd, text[i], strlen(text[i]));
	}
}

static _Noreturn void
count(const struct strs *paths, int64_t names_max, int out)
{
	struct disk_counted c = { 0 };

	(void)prctl(PR_SET_NAME, "count");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpriority(PRIO_PROCESS, 0, 19);
	/* Nobody may take us for our parent because we still hold its sockets. */
	if ((out != ANSWER_FD && dup3(out, ANSWER_FD, O_CLOEXEC) < 0) ||
		close_range(ANSWER_FD + 1, ~0U, 0) < 0)
		_exit(1);
	see_all();
	for (size_t i = 0; i < paths->n && c.rc == 0; i++) {
		struct fs_size size = { 0 };
		int rc = fs_measure(paths->v[i], names_max - c.names, &size, NULL);

		c.bytes += size.bytes;
		c.names += size.entries;
		c.rc = rc == ERR_MISSING ? 0 : rc;
	}
	(void)!write(ANSWER_FD, &c, sizeof(c));
	_exit(0);
}

int
disk_count_start(const struct strs *paths, int64_t names_max, struct disk_count *out, struct err *e)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_fd int near = ends[0];
	auto_fd int far = ends[1];
	pid = fork();
	if (pid == 0)
		count(paths, names_max, far);
	if (pid < 0)
		return err_sys(e, "fork");
	*out = (struct disk_count){
		.pid = pid, .pidfd = pidfd_open(pid, 0), .answer_fd = steal_fd(&near)
	};
	return 0;
}

int
disk_count(const struct strs *paths, int64_t names_max, struct disk_counted *out, struct err *e)
{
	struct disk_count c;
	int rc = disk_count_start(paths, names_max, &c, e);

	if (rc < 0)
		return rc;
	auto_fd int answer = c.answer_fd;
	(void)close(c.pidfd);
	ssize_t n = read(answer, out, sizeof(*out));
	while (waitpid(c.pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (n != (ssize_t)sizeof(*out))
		return err_set(e, ERR_SYSTEM, "nobody counted what is on the disk");
	return out->rc < 0 ? err_set(e, out->rc, "what is on the disk cannot be counted") : 0;
}
