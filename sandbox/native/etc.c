/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etc - what programs expect below /etc, made up; and the files that the spec places.
 *
 * Nothing of the host's configuration is shown but what is the same on every machine of its kind:
 * certificates, alternatives, the linker's cache, the time zone. No /etc/profile: shells then keep
 * the PATH they were given.
 */
#include "sandbox/native/native.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES_MAX 32768
#define JAVA_MAX       16
#define COUNT(v)       (sizeof(v) / sizeof((v)[0]))

static const struct {
	const char *path;
	const char *text;
} MADE_UP[] = {
	{ "/etc/group", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n" },
	{ "/etc/host.conf", "multi on\n" },
	{ "/etc/hostname", "box\n" },
	{ "/etc/hosts", "127.0.0.1 localhost box\n::1 localhost\n" },
	{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
				"services: files\nprotocols: files\n" },
	{ "/etc/passwd", "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
			 "agent:x:1000:1000:agent:/home/agent:/bin/bash\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "/etc/resolv.conf", "" },
	{ "/etc/shells", "/bin/sh\n/bin/bash\n" },
};

/* Copied where the host has them: small files, and a mount is dearer than a few pages. */
static const char *const COPIED[] = { "debian_version", "localtime", "magic", "os-release",
	"protocols", "services", "timezone" };

/* Bound read-only where the host has them. */
static const char *const SHOWN[] = { "alternatives", "fonts", "ld.so.cache", "mime.types", "pki",
	"ssl" };

/* What there is to copy and to show, of the machine: to find out takes longer than to make all of
 * /etc, and it is the same for all boxes. */
static struct {
	bool is_known;
	struct buf copied[COUNT(COPIED)]; /* NULL: absent, or not as small as it should be */
	struct strs java;
} host;

/* A JDK's configuration lies in /etc, under the JDK's own name. */
static void
list_java(int take_fd, struct strs *out)
{
	auto_fd int fd = take_fd;
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (d)
		(void)steal_fd(&fd);
	while (d && out->n < JAVA_MAX && (de = readdir(d))) {
		if (str_starts(de->d_name, "java-"))
			strs_add(out, de->d_name);
	}
}

void
native_etc_look(void)
{
	if (host.is_known)
		return;
	host.is_known = true;
	for (size_t i = 0; i < COUNT(COPIED); i++) {
		char path[300];

		(void)snprintf(path, sizeof(path), "/etc/%s", COPIED[i]);
		buf_init(&host.copied[i], COPY_BYTES_MAX);
		if (fs_read(path, &host.copied[i], NULL) < 0)
			buf_finish(&host.copied[i]);
	}
	list_java(open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &host.java);
}

static int
copy(struct native *n, size_t which, struct err *e)
{
	auto_buf struct buf data = BUF_INIT(COPY_BYTES_MAX);
	const struct buf *b = &host.copied[which];
	char path[300];

	(void)snprintf(path, sizeof(path), "/etc/%s", COPIED[which]);
	if (n->rootfs_fd >= 0) {
		b = &data;
		/* Programs cope. */
		if (native_rootfs_read(n, path, &data, NULL) < 0)
			return 0;
	}
	return b->data ? native_write(n, path, 0444, b->data, b->len, e) : 0;
}

static int
show(struct native *n, const char *name, struct err *e)
{
	auto_fd int fd = -1;
	bool is_dir = false;
	struct stat st;
	char path[300];
	int rc;

	(void)snprintf(path, sizeof(path), "/etc/%s", name);
	if (n->rootfs_fd >= 0) {
		rc = native_rootfs_copy(n, path, &is_dir, &fd, NULL);
	} else {
		rc = stat(path, &st);
		is_dir = rc == 0 && S_ISDIR(st.st_mode);
		if (rc == 0)
			rc = native_mount_copy(AT_FDCWD, path, NATIVE_RO | NATIVE_EXEC, &fd, NULL);
	}
	/* Absent; or a directory of it holds a mount of its own that we may not take apart: then it
	 * is not shown. */
	return rc < 0 ? 0 : native_mount_put(n, fd, path, is_dir, e);
}

static int
show_java(struct native *n, struct err *e)
{
	auto_strs struct strs found = { 0 };
	const struct strs *names = &host.java;
	int rc = 0;

	if (n->rootfs_fd >= 0) {
		list_java(native_rootfs_dir(n, "etc"), &found);
		names = &found;
	}
	for (size_t i = 0; rc == 0 && i < names->n; i++)
		rc = show(n, names->v[i], e);
	return rc;
}

int
native_etc(struct native *n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT(MADE_UP); i++)
		rc = native_write(
			n, MADE_UP[i].path, 0644, MADE_UP[i].text, strlen(MADE_UP[i].text), e);
	for (size_t i = 0; rc == 0 && i < COUNT(COPIED); i++)
		rc = copy(n, i, e);
	for (size_t i = 0; rc == 0 && i < COUNT(SHOWN); i++)
		rc = show(n, SHOWN[i], e);
	return rc < 0 ? rc : show_java(n, e);
}

/* Those of the root. Where the box may write there may be something already, written by its like:
 * PID 1 goes there, with no more rights than the box (init/files.c). */
int
native_files(struct native *n, struct err *e)
{
	const struct box_file *f = n->spec->files.v;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n->spec->files.n; i++) {
		if (!native_is_writable(n->spec, f[i].path))
			rc = native_write(
				n, f[i].path, (mode_t)f[i].mode, f[i].text, strlen(f[i].text), e);
	}
	return rc;
}
