/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user - the box's user namespace, made by us and joined by the runtime.
 *
 * A runtime could make it from the maps in its file. But no runtime sets the one limit that matters
 * here: that no further user namespace can be made in this one, filter or not.
 */
#include "sandbox/oci/oci.h"

#include "base/clean.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int
put(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Sets the limit, says so, and keeps the namespace alive until it is bound, or until whoever wants
 * it is gone. */
_Noreturn static void
hold(int word)
{
	char byte;

	if (put("/proc/sys/user/max_user_namespaces", "0\n") < 0) {
		(void)!send(word, &errno, sizeof(errno), MSG_NOSIGNAL);
		_exit(1);
	}
	(void)!send(word, &(int){ 0 }, sizeof(int), MSG_NOSIGNAL);
	(void)!recv(word, &byte, 1, 0);
	_exit(0);
}

static int
write_maps(const struct native *n, pid_t pid, bool has_root, struct err *e)
{
	static const char *const files[] = { "uid_map", "gid_map" };
	/* Unprivileged we are 0 on the stage, and have no other. */
	const unsigned to[] = { n->has_slots ? n->uid : 0, n->has_slots ? n->gid : 0 };

	for (int i = 0; i < 2; i++) {
		auto_free char *path = mem_fmt("/proc/%d/%s", pid, files[i]);
		auto_free char *root = has_root ? mem_fmt("0 %u 1\n", oci_root_uid(n)) : NULL;
		auto_free char *map = mem_fmt("%s%d %u 1\n", root ? root : "", BOX_UID, to[i]);

		if (put(path, map) < 0)
			return err_sys(e, "write %s", path);
	}
	return 0;
}

static int
bind_namespace(const struct native *n, pid_t pid, int word, struct err *e)
{
	auto_free char *from = mem_fmt("/proc/%d/ns/user", pid);
	auto_free char *to = mem_fmt("%s/" OCI_USER, n->stage_path);
	int why = 0;

	if (recv(word, &why, sizeof(why), 0) != (ssize_t)sizeof(why))
		return err_set(e, ERR_SYSTEM, "the new user namespace is gone");
	if (why) {
		errno = why;
		return err_sys(e, "max_user_namespaces");
	}
	auto_fd int file =
		openat(n->stage_fd, OCI_USER, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (file < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "bind the user namespace");
	return 0;
}

int
oci_user(struct native *n, struct err *e)
{
	int ends[2];
	int rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, "socketpair");
	auto_fd int ours = ends[0];
	auto_fd int theirs = ends[1];
	int pidfd = -1;
	pid_t pid = native_clone(CLONE_NEWUSER, -1, -1, &pidfd);
	if (pid == 0) {
		(void)close(ours);
		hold(theirs);
	}
	if (pid < 0)
		return err_sys(e, "user namespace of the box");
	(void)close(steal_fd(&theirs));
	rc = write_maps(n, pid, oci_of(n)->runtime->needs_root, e);
	if (rc == 0)
		rc = bind_namespace(n, pid, ours, e);
	(void)close(pidfd);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return rc;
}
