/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ns - the seven namespaces, six of them in one clone3, and who is who in the user namespace.
 *
 * The network may have been made ahead. Only we can enter it, and not without leaving ours, so the
 * child is born in it and we come back.
 *
 * Started as root, each box gets a host uid of its own: 1000 inside is 100000 + slot outside.
 * Otherwise 1000 inside is our own uid, which is all that an unprivileged process may map.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* When the machine has no memory left, boxes go before anything else. Said by somebody with
 * CAP_SYS_RESOURCE, the box cannot take it back. */
#define OOM_FIRST "1000"

static const char *const NAMES[INIT_NS_COUNT] = { "user", "mnt", "pid", "net", "ipc", "uts",
	"cgroup" };

/* Root over the uids of the boxes, not root of some container's small world. */
bool
native_has_slots(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	unsigned need = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SYS_ADMIN | 1u << CAP_CHOWN;
	auto_buf struct buf map = BUF_INIT(4096);
	bool found = false;

	if (geteuid() != 0 || syscall(SYS_capget, &head, data) < 0)
		return false;
	if ((data[0].effective & need) != need)
		return false;
	if (fs_read("/proc/self/uid_map", &map, NULL) < 0)
		return false;
	/* Lines of "inside outside count". */
	for (char *p = map.data; *p;) {
		unsigned long first = strtoul(p, &p, 10);
		(void)strtoul(p, &p, 10);
		unsigned long count = strtoul(p, &p, 10);

		found |= first <= BOX_HOST_UID && first + count >= BOX_HOST_UID + BOX_SLOTS_MAX;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return found;
}

uid_t
box_owner(int64_t slot)
{
	return native_has_slots() ? (uid_t)(BOX_HOST_UID + slot) : geteuid();
}

static pid_t
clone_now(uint64_t namespaces, int cgroup_fd, int *pidfd)
{
	struct clone_args a = {
		.flags = namespaces | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	if (cgroup_fd >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (unsigned)cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

pid_t
native_clone(uint64_t namespaces, int cgroup_fd, int net_fd, int *pidfd)
{
	if (net_fd < 0)
		return clone_now(namespaces, cgroup_fd, pidfd);
	auto_fd int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ours < 0 || setns(net_fd, CLONE_NEWNET) < 0)
		return -1;
	pid_t pid = clone_now(namespaces, cgroup_fd, pidfd);
	int why = errno;
	/* Where we came from is open still, and so is our right to it. */
	if (pid != 0 && setns(ours, CLONE_NEWNET) < 0)
		abort();
	errno = why;
	return pid;
}

int
native_unshare_cgroup(struct err *e)
{
	return unshare(CLONE_NEWCGROUP) < 0 ? err_sys(e, "cgroup namespace") : 0;
}

static int
put(const char *path, const char *text, struct err *e)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_sys(e, "write %s", path);
	return 0;
}

static int
put_map(const char *path, unsigned inside, unsigned outside, struct err *e)
{
	char map[64];

	(void)snprintf(map, sizeof(map), "%u %u 1\n", inside, outside);
	return put(path, map, e);
}

/* setgroups stays allowed in here: the child needs it to drop root's groups, and loses the
 * capability afterwards. */
int
native_write_maps(const struct native *n, pid_t pid, struct err *e)
{
	char path[64];
	int rc;

	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	rc = put_map(path, BOX_UID, n->uid, e);
	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	(void)put(path, OOM_FIRST, NULL);
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	return put_map(path, BOX_UID, n->gid, e);
}

/* By the child itself. It must be dumpable for that, or its own files in /proc belong to somebody
 * else; the ids were read before the clone, inside they are 65534. */
int
native_map_self(const struct native *n, unsigned inside, struct err *e)
{
	int rc;

	if (prctl(PR_SET_DUMPABLE, 1) < 0)
		return err_sys(e, "PR_SET_DUMPABLE");
	(void)put("/proc/self/oom_score_adj", OOM_FIRST, NULL);
	rc = put("/proc/self/setgroups", "deny", e);
	if (rc == 0)
		rc = put_map("/proc/self/uid_map", inside, n->uid, e);
	if (rc == 0)
		rc = put_map("/proc/self/gid_map", inside, n->gid, e);
	return rc;
}

void
native_namespaces(uint64_t out[INIT_NS_COUNT])
{
	for (int i = 0; i < INIT_NS_COUNT; i++) {
		char path[64];
		struct stat st;

		(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", NAMES[i]);
		out[i] = stat(path, &st) == 0 ? st.st_ino : 0;
	}
}
