/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - the host's files and devices, what is read-only, and more room than was given.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TIB       (1L << 40)
#define FILES     5000
#define PIECES    6
#define PIECE     (6L << 20)
#define TERMINALS 100

static int
open_path(const struct attempt *a)
{
	return outcome(open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

/* Of the host, below its directory that only the test knows. */
static int
open_host(const struct attempt *a)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", world.dir, a->path);
	return outcome(open(path, O_RDONLY | O_CLOEXEC));
}

static int
create_in(const char *dir)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/escape-%d", dir, getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	(void)unlink(path);
	return 0;
}

static int
create(const struct attempt *a)
{
	return create_in(a->path);
}

static int
create_tool(const struct attempt *a)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", world.dir, a->path);
	return create_in(path);
}

static int
make_node(const struct attempt *a)
{
	char path[64];
	int rc;

	(void)snprintf(path, sizeof(path), "/tmp/escape-node-%d", getpid());
	rc = outcome(mknod(path, (mode_t)a->arg | 0600, a->arg == S_IFBLK ? makedev(254, 0) : 0));
	(void)unlink(path);
	return rc;
}

/* Nodes that were bound one by one, and terminals, are what they are for; a cover of a file in
 * /proc is a node, and one of a directory there is empty and stays so. */
static bool
is_harmless(const char *root, const char *at, const char *options, const char *option)
{
	if (strncmp(at, "/proc/", 6) == 0 &&
		(strcmp(root, "/null") == 0 || strncmp(options, "ro,", 3) == 0))
		return true;
	return strcmp(option, "nodev") == 0 && strncmp(at, "/dev/", 5) == 0 &&
	       strcmp(at, "/dev/shm") != 0;
}

/* Any mount on which a set-uid program would count, or one on which a device would. */
static int
find_mount(const struct attempt *a)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[8192];
	bool found = false;

	while (f && fgets(line, sizeof(line), f)) {
		const char *words[6]; /* id, parent, device, root, where, options */
		char *rest = line;

		for (int i = 0; i < 6; i++)
			words[i] = strsep(&rest, " ");
		if (!words[5])
			return ENOTRECOVERABLE;
		if (world.is_box && is_harmless(words[3], words[4], words[5], a->path))
			continue;
		found |= strstr(words[5], a->path) == NULL;
	}
	return found ? 0 : ENOENT;
}

static int
link_foreign(const struct attempt *a)
{
	char from[256] = "/usr/bin/env", to[256] = "/tmp/escape-link";

	(void)a;
	if (!world.is_box) {
		(void)snprintf(from, sizeof(from), "%s/secret", world.dir);
		(void)snprintf(to, sizeof(to), "%s/link", world.dir);
	}
	int rc = outcome(link(from, to));
	(void)unlink(to);
	return rc;
}

/* ---- room ---- */

static int
sparse(const struct attempt *a)
{
	char path[64];
	int fd, rc;

	(void)snprintf(path, sizeof(path), "%s/escape-sparse-%d", a->path, getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	rc = fd < 0 ? errno : outcome(ftruncate(fd, 8 * TIB));
	(void)unlink(path);
	return rc;
}

static int
many_files(const struct attempt *a)
{
	char dir[64], path[128];
	int rc, n = 0;

	(void)snprintf(dir, sizeof(dir), "%s/escape-files-%d", a->path, getpid());
	rc = outcome(mkdir(dir, 0700));
	for (; rc == 0 && n < FILES; n++) {
		(void)snprintf(path, sizeof(path), "%s/%d", dir, n);
		rc = outcome(mknod(path, S_IFREG | 0600, 0));
	}
	while (n-- > 0) {
		(void)snprintf(path, sizeof(path), "%s/%d", dir, n);
		(void)unlink(path);
	}
	(void)rmdir(dir);
	return rc;
}

static int
fill(const struct attempt *a)
{
	char path[128];
	int rc = 0, n = 0;

	for (; rc == 0 && n < PIECES; n++) {
		(void)snprintf(
			path, sizeof(path), "%s/escape-piece-%d-%d", a->path, (int)getpid(), n);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		rc = fd < 0 ? errno : outcome(fallocate(fd, 0, 0, PIECE));
		(void)close(fd);
	}
	while (n-- > 0) {
		(void)snprintf(
			path, sizeof(path), "%s/escape-piece-%d-%d", a->path, (int)getpid(), n);
		(void)unlink(path);
	}
	return rc;
}

static int
many_terminals(const struct attempt *a)
{
	int rc = 0;

	(void)a;
	for (int i = 0; rc == 0 && i < TERMINALS; i++)
		rc = outcome(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	return rc;
}

#define ABSENT(n, path)                                                                            \
	{                                                                                          \
		n, "open:" path, open_path, "ENOENT|EACCES", CONTROL_ROOT, 0, path, 0              \
	}
#define CREATE(path)                                                                               \
	{                                                                                          \
		27, "create:" path, create, "EROFS", CONTROL_ROOT, 0, path, 0                      \
	}

const struct attempt ESCAPE_FILES[] = {
	{ 12, "mount_with_setuid", find_mount, "ENOENT", CONTROL_PLAIN, 0, "nosuid", 0 },
	{ 18, "mount_with_devices", find_mount, "ENOENT", CONTROL_PLAIN, 0, "nodev", 0 },
	{ 18, "node_block", make_node, "EPERM|EACCES", CONTROL_ARGS, SYS_mknodat, NULL, S_IFBLK },
	/* One that anybody may make; in the box only Landlock is against it. */
	{ 18, "node_whiteout", make_node, "EACCES", CONTROL_PLAIN, 0, NULL, S_IFCHR },
	ABSENT(18, "/dev/mem"),
	ABSENT(18, "/dev/kmsg"),
	ABSENT(18, "/dev/kvm"),
	ABSENT(18, "/dev/vda"),
	ABSENT(18, "/dev/fuse"),
	ABSENT(18, "/dev/net/tun"),
	{ 26, "secret_of_host", open_host, "ENOENT", CONTROL_PLAIN, 0, "secret", 0 },
	{ 71, "workspace_of_other", open_host, "ENOENT", CONTROL_PLAIN, 0, "boxes/other", 0 },
	ABSENT(26, "/etc/shadow"),
	ABSENT(26, "/root"),
	ABSENT(26, "/var/lib"),
	ABSENT(26, "/sys/kernel"),
	ABSENT(32, "/run/docker.sock"),
	ABSENT(32, "/run/dbus/system_bus_socket"),
	CREATE("/"),
	CREATE("/usr"),
	CREATE("/usr/bin"),
	CREATE("/usr/local/bin"),
	CREATE("/etc"),
	CREATE("/dev"),
	CREATE("/run"),
	CREATE("/home"),
	{ 27, "create_tool", create_tool, "EROFS", CONTROL_PLAIN, 0, "tools", 0 },
	{ 48, "hard_link", link_foreign, "EXDEV", CONTROL_PLAIN, 0, NULL, 0 },
	{ 50, "sparse_tmp", sparse, "EFBIG", CONTROL_PLAIN, 0, "/tmp", 0 },
	{ 50, "files_tmp", many_files, "ENOSPC", CONTROL_PLAIN, 0, "/tmp", 0 },
	{ 50, "files_shm", many_files, "ENOSPC", CONTROL_PLAIN, 0, "/dev/shm", 0 },
	{ 51, "fill_tmp", fill, "ENOSPC", CONTROL_PLAIN, 0, "/tmp", 0 },
	{ 51, "fill_var_tmp", fill, "ENOSPC", CONTROL_PLAIN, 0, "/var/tmp", 0 },
	{ 51, "terminals", many_terminals, "ENOSPC", CONTROL_PLAIN, 0, NULL, 0 },
	{ 0 },
};
