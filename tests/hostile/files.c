/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - more room than there is, names that hurt, and things that are no files.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DISK_FILES 64 /* of 64 MB: 4 GB */
#define TINY       30000
#define DEEP       1000 /* more than any change may have, less than git can name */

static void
disk(void)
{
	static char data[1 << 20];
	char path[64];
	size_t n = 0;

	memset(data, 'x', sizeof(data));
	for (int i = 0; i < DISK_FILES; i++) {
		(void)snprintf(path, sizeof(path), "full-%d", i);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		for (int k = 0; k < 64 && write(fd, data, sizeof(data)) > 0; k++)
			n++;
		(void)close(fd);
	}
	say("%zu MB on the disk, then %s", n, strerrorname_np(errno));
	/* Whoever is not stopped leaves as little as an honest one. */
	for (int i = 0; i < DISK_FILES; i++) {
		(void)snprintf(path, sizeof(path), "full-%d", i);
		(void)unlink(path);
	}
}

static void
inodes(void)
{
	char path[64];
	int n = 0;

	(void)mkdir("tiny", 0755);
	for (; n < TINY; n++) {
		(void)snprintf(path, sizeof(path), "tiny/%d", n);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			break;
		(void)close(fd);
	}
	say("%d files", n);
}

static void
sparse(void)
{
	int fd = open("sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int rc;

	ignore(SIGXFSZ);
	rc = ftruncate(fd, (off_t)8 << 40);
	say("8 TiB: %s", rc < 0 ? strerrorname_np(errno) : "there");
	for (off_t size = (off_t)1 << 40; rc < 0 && size > 0; size /= 2)
		rc = ftruncate(fd, size);
	(void)close(fd);
}

static void
deep(void)
{
	int n = 0;

	while (n < DEEP && mkdir("d", 0755) == 0 && chdir("d") == 0)
		n++;
	put("leaf", "deep\n");
	(void)chdir("/workspace");
	say("%d levels", n);
}

static void
names(void)
{
	static const char *const odd[] = { "case", "CASE", "Case", "new\nline", "tab\ttab",
		"\x1b[31m", "-rf", "--help", "con", "aux.txt", "nul", "trailing.", "trailing ",
		"back\\slash", "a:b", "\xff\xfe", "e\xcc\x81", "\xc3\xa9",
		("\xe2\x80\xae" /* a hexadecimal escape takes what it can get */
		 "cod.exe"),
		"$(touch x)", "`touch x`", "; rm -rf x", "'\"", "*" };
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	put(name, "long\n");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		put(odd[i], "odd\n");
	say("odd names");
}

static void
hard_links(void)
{
	char path[64];
	int n = 0;

	(void)mkdir("links", 0755);
	put("links/first", "x\n");
	for (; n < 2000; n++) {
		(void)snprintf(path, sizeof(path), "links/%d", n);
		if (link("links/first", path) < 0)
			break;
	}
	say("%d links; to a system file: %s", n,
		link("/usr/bin/env", "links/env") < 0 ? strerrorname_np(errno) : "there");
}

/* In the place of files that somebody might read. */
static void
no_files(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)bind(fd, (const struct sockaddr *)&a, sizeof(a));
	(void)mkfifo("report.xml", 0666);
	(void)mkfifo("NOTES.md", 0666);
	(void)mkfifo("/tmp/report.xml", 0666);
	(void)mkfifo("/home/agent/.gitconfig", 0666);
	say("a device: %s", mknod("device", S_IFCHR | 0666, makedev(1, 3)) < 0
				    ? strerrorname_np(errno)
				    : "there");
}

/* The same for a file that is tracked: who reads it waits for ever. */
static void
fifo(void)
{
	(void)unlink("README.md");
	(void)mkfifo("README.md", 0666);
	say("README.md is a pipe");
}

static void
leave_links(void)
{
	(void)symlink("/etc/shadow", "shadow");
	(void)symlink("/proc/1/environ", "environ");
	(void)symlink("../../../../../../etc/passwd", "up");
	(void)symlink("/", "root");
	say("links that lead out");
}

/* A directory and a link change places, for as long as anybody looks. */
static void
swap_links(void)
{
	(void)mkdir("swap", 0755);
	put("swap/file", "x\n");
	(void)symlink("/etc", "swapped");
	if (fork() == 0) {
		(void)setsid();
		for (;;)
			(void)renameat2(AT_FDCWD, "swap", AT_FDCWD, "swapped", 2 /* EXCHANGE */);
	}
	wait_ms(100);
	say("links change places");
}

static void
no_way_in(void)
{
	(void)mkdir("closed", 0755);
	put("closed/file", "x\n");
	(void)chmod("closed", 0);
	(void)chmod("README.md", 0);
	(void)mkdir("/home/agent/closed", 0755);
	put("/home/agent/closed/file", "x\n");
	(void)chmod("/home/agent/closed", 0);
	say("closed to everybody");
}

/* What overlays write into their layers to mean something. */
static void
overlay_words(void)
{
	static const char *const words[] = { "user.overlay.redirect", "user.overlay.opaque",
		"user.overlay.metacopy", "user.overlay.origin", "trusted.overlay.redirect" };
	int n = 0;

	(void)mkdir("marked", 0755);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		n += setxattr("marked", words[i], "/../../../etc", 13, 0) == 0;
		n += setxattr("README.md", words[i], "y", 1, 0) == 0;
	}
	say("%d marks", n);
}

static void
set_uid(void)
{
	put("suid", "#!/bin/sh\nid\n");
	(void)chmod("suid", 06755);
	(void)chmod("add.sh", 06755);
	(void)chmod(".", 07777);
	say("set-uid files");
}

const struct attack ATTACKS_FILES[] = {
	{ "disk", disk, "done|disk" },
	{ "inodes", inodes, "done|refused|disk" },
	{ "sparse", sparse, "refused|disk" },
	{ "deep", deep, "refused" },
	{ "names", names, "refused" },
	{ "hard-links", hard_links, "done" },
	{ "no-files", no_files, "done" },
	{ "fifo", fifo, "refused" },
	{ "leave-links", leave_links, "refused" },
	{ "swap-links", swap_links, "done|refused" },
	{ "no-way-in", no_way_in, "refused" },
	{ "overlay-words", overlay_words, "done" },
	{ "set-uid", set_uid, "done" },
	{ 0 },
};
