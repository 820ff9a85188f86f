/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory - of each kind that the kernel gives out, in one process and in many.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE  MIB(16)
#define PIECES 200 /* 3.2 GB */

static int
touch(size_t size, int flags, int fd)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		return errno;
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 'x';
	return 0;
}

static void
take(const char *what, int (*piece)(int i))
{
	int rc = 0;
	int n = 0;

	while (n < PIECES && (rc = piece(n)) == 0)
		n++;
	say("%d MB of %s, then %s", (int)(PIECE >> 20) * n, what,
		rc ? strerrorname_np(rc) : "no refusal");
}

static int
heap_piece(int i)
{
	(void)i;
	return touch(PIECE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void
heap(void)
{
	take("heap", heap_piece);
}

/* What each process may have, many times. */
static void
heaps(void)
{
	for (int i = 0; i < 16; i++) {
		if (fork() == 0) {
			for (int k = 0; k < 12; k++)
				(void)heap_piece(k);
			wait_ms(5000);
			_exit(0);
		}
	}
	wait_all();
	say("16 heaps of 192 MB");
}

static int
shared_piece(int i)
{
	(void)i;
	return touch(PIECE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static void
shared(void)
{
	take("shared memory", shared_piece);
}

static int
memfd_piece(int i)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	(void)i;
	if (fd < 0 || ftruncate(fd, (off_t)PIECE) < 0)
		return errno;
	return touch(PIECE, MAP_SHARED, fd);
}

static void
memfds(void)
{
	take("memfd", memfd_piece);
}

static int
sysv_piece(int i)
{
	int id = shmget(IPC_PRIVATE, PIECE, IPC_CREAT | 0600);
	char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	(void)i;
	if (p == (void *)-1)
		return errno;
	memset(p, 'x', PIECE);
	(void)shmdt(p);
	return 0;
}

static void
sysv(void)
{
	take("System V memory", sysv_piece);
}

static const char *const TMPFS[] = { "/dev/shm", "/tmp", "/var/tmp", "/home/agent" };

static int
tmpfs_piece(int i)
{
	static char data[65536];
	static size_t at;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/%d", TMPFS[at], i);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (size_t k = 0; fd >= 0 && k < PIECE / sizeof(data); k++) {
		if (write(fd, data, sizeof(data)) < 0)
			break;
	}
	(void)close(fd);
	at = (at + 1) % 4;
	return 0;
}

static void
tmpfs(void)
{
	take("temporary files", tmpfs_piece);
}

/* The kernel's own: what lies in pipes and sockets belongs to nobody's heap. */
static int
pipe_piece(int i)
{
	static char data[1 << 20];
	int ends[2];

	(void)i;
	for (int k = 0; k < 16; k++) {
		if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
			return errno;
		(void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
		(void)!write(ends[1], data, sizeof(data));
	}
	return 0;
}

static void
pipes(void)
{
	take("pipes", pipe_piece);
}

static int
socket_piece(int i)
{
	static char data[1 << 17];
	int ends[2];

	(void)i;
	for (int k = 0; k < 64; k++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
			return errno;
		while (write(ends[0], data, sizeof(data)) > 0)
			continue;
		while (write(ends[1], data, sizeof(data)) > 0)
			continue;
	}
	return 0;
}

static void
sockets(void)
{
	take("socket buffers", socket_piece);
}

/* Pages of files: the kernel may drop them again, so this one is never at fault. */
static void
page_cache(void)
{
	static char data[1 << 20];
	int fd = open("/workspace/.hostile-cache", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	for (int i = 0; i < 256 && write(fd, data, sizeof(data)) > 0; i++)
		continue;
	for (int round = 0; round < 4; round++) {
		(void)lseek(fd, 0, SEEK_SET);
		while (read(fd, data, sizeof(data)) > 0)
			continue;
	}
	(void)unlink("/workspace/.hostile-cache");
	(void)close(fd);
	say("256 MB of a file, four times");
}

const struct attack ATTACKS_MEMORY[] = {
	{ "heap", heap, "memory|watched:done" },
	{ "heaps", heaps, "memory" },
	{ "shared", shared, "memory" },
	{ "memfds", memfds, "memory" },
	{ "sysv", sysv, "memory|watched:done" },
	{ "tmpfs", tmpfs, "done|memory" },
	{ "pipes", pipes, "done|memory" },
	{ "sockets", sockets, "memory|watched:done" },
	{ "page-cache", page_cache, "done|disk" },
	{ 0 },
};
