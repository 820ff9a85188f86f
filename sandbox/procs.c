/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procs - see procs.h.
 *
 * What is read here, hostile processes influence: their names, their numbers, how long it takes. So
 * every count has a ceiling, and what cannot be read is taken as what is known otherwise.
 */
#include "sandbox/procs.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_BYTES 2048
#define PROCS_MAX  32768 /* looked at in one go */
#define FILES_MAX  4096  /* without a name, told from each other */
#define OPEN_MAX   32768 /* descriptors looked at in one go */

int
procs_open(pid_t init, int *out_fd, struct err *e)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/root/proc", init);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	*out_fd = fd;
	return 0;
}

/* Up to len - 1 bytes; 0: gone. */
static size_t
read_small(int dir, const char *path, char *out, size_t len)
{
	auto_fd int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, len - 1);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static DIR *
open_dir(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		clean_fd(&fd);
	return d;
}

typedef void each_fn(int proc_fd, const char *pid, void *ctx);

static void
each(int proc_fd, each_fn *fn, void *ctx)
{
	auto_dir DIR *d = open_dir(proc_fd, ".");
	const struct dirent *de;

	if (!d)
		return;
	for (int n = 0; n < PROCS_MAX && (de = readdir(d));) {
		if (de->d_name[0] < '0' || de->d_name[0] > '9')
			continue;
		n++;
		fn(proc_fd, de->d_name, ctx);
	}
}

/* ---- the cheap count ---- */

/* Fields of proc_pid_stat(5), counted from 1; the second is the name, which may hold anything but
 * ends at the last ")". */
enum {
	FIELD_UTIME = 14,
	FIELD_CSTIME = 17,
	FIELD_THREADS = 20,
	FIELD_STARTED = 22,
	FIELD_RSS = 24
};

static void
count_one(int proc_fd, const char *pid, void *ctx)
{
	struct procs *sum = ctx;
	char path[64], text[STAT_BYTES];
	int64_t ticks = 0;

	(void)snprintf(path, sizeof(path), "%.20s/stat", pid);
	if (read_small(proc_fd, path, text, sizeof(text)) == 0)
		return;
	char *p = strrchr(text, ')');
	if (!p)
		return;
	p++;
	for (int field = 3; *p && field <= FIELD_RSS; field++) {
		p += strspn(p, " ");
		int64_t value = strtoll(p, NULL, 10);

		if (field >= FIELD_UTIME && field <= FIELD_CSTIME)
			ticks += value;
		else if (field == FIELD_THREADS)
			sum->threads += value;
		else if (field == FIELD_RSS)
			sum->rss_max += value * sysconf(_SC_PAGESIZE);
		p += strcspn(p, " ");
	}
	sum->cpu_us += ticks * (1000000 / sysconf(_SC_CLK_TCK));
}

void
procs_count(int proc_fd, struct procs *out)
{
	*out = (struct procs){ 0 };
	each(proc_fd, count_one, out);
}

uint64_t
procs_started(pid_t pid)
{
	char path[64], text[STAT_BYTES];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(AT_FDCWD, path, text, sizeof(text)) == 0 || !(p = strrchr(text, ')')))
		return 0;
	if (str_starts(p, ") Z") || str_starts(p, ") X"))
		return 0;
	for (int field = 2; field < FIELD_STARTED && p; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p, NULL, 10) : 0;
}

/* ---- memory ---- */

struct memory {
	int64_t bytes;
	dev_t nameless; /* the kernel's own tmpfs, of memfds and their like */
	int n_open;
	size_t n_files;
	ino_t files[FILES_MAX];
};

static int64_t
kilobytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? KIB(strtoll(at + strlen(name), NULL, 10)) : 0;
}

static bool
is_new(struct memory *m, ino_t file)
{
	for (size_t i = 0; i < m->n_files; i++) {
		if (m->files[i] == file)
			return false;
	}
	if (m->n_files < FILES_MAX)
		m->files[m->n_files++] = file;
	return true;
}

/* A file without a name is memory that nobody need have mapped. */
static void
add_files(int proc_fd, const char *pid, void *ctx)
{
	struct memory *m = ctx;
	char path[64];
	const struct dirent *de;

	(void)snprintf(path, sizeof(path), "%.20s/fd", pid);
	auto_dir DIR *d = open_dir(proc_fd, path);
	while (d && m->n_open < OPEN_MAX && (de = readdir(d))) {
		struct stat st;

		m->n_open++;
		if (fstatat(dirfd(d), de->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
			st.st_dev == m->nameless && is_new(m, st.st_ino))
			m->bytes += (int64_t)st.st_blocks * 512;
	}
}

static void
add_pages(int proc_fd, const char *pid, void *ctx)
{
	struct memory *m = ctx;
	char path[64], text[STAT_BYTES];

	(void)snprintf(path, sizeof(path), "%.20s/smaps_rollup", pid);
	if (read_small(proc_fd, path, text, sizeof(text)) > 0)
		m->bytes += kilobytes(text, "\nPss_Anon:") + kilobytes(text, "\nPss_Shmem:") +
			    kilobytes(text, "\nSwapPss:");
}

/* All of memory that the box has mounted. */
static int64_t
tmp_bytes(pid_t init)
{
	static const char *const places[] = { "tmp", "var/tmp", "dev/shm", &BOX_HOME[1],
		&BOX_WORKSPACE[1] };
	enum { N = sizeof(places) / sizeof(places[0]) };
	dev_t seen[N] = { 0 };
	size_t n_seen = 0;
	int64_t bytes = 0;

	for (size_t i = 0; i < N; i++) {
		char path[64];
		struct statfs fs;
		struct stat st;
		bool is_seen = false;

		(void)snprintf(path, sizeof(path), "/proc/%d/root/%s", init, places[i]);
		auto_fd int fd = open(path, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC ||
			fstat(fd, &st) < 0)
			continue;
		for (size_t k = 0; k < n_seen; k++)
			is_seen |= seen[k] == st.st_dev;
		if (!is_seen)
			bytes += (int64_t)(fs.f_blocks - fs.f_bfree) * fs.f_bsize;
		seen[n_seen++] = st.st_dev;
	}
	return bytes;
}

static dev_t
nameless_device(void)
{
	auto_fd int fd = memfd_create("which", MFD_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_dev : 0;
}

/* Of System V, which lives on without anybody who has it open: only who stands in the box's IPC
 * namespace is told, and from a namespace of users there is no way back. */
static int64_t
sysv_bytes(pid_t init)
{
	auto_fd int box = pidfd_open(init, 0);
	struct shm_info info = { 0 };
	int64_t bytes = 0;
	int ends[2];

	if (box < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	pid_t pid = fork();
	if (pid == 0) {
		if (setns(box, CLONE_NEWUSER | CLONE_NEWIPC) == 0 &&
			shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info) >= 0)
			bytes = (int64_t)(info.shm_rss + info.shm_swp) * sysconf(_SC_PAGESIZE);
		_exit(write(ends[1], &bytes, sizeof(bytes)) != sizeof(bytes));
	}
	(void)close(ends[1]);
	if (pid > 0) {
		if (read(ends[0], &bytes, sizeof(bytes)) != sizeof(bytes))
			bytes = 0;
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	(void)close(ends[0]);
	return bytes;
}

/* Besides what processes have mapped. */
static int64_t
files_bytes(int proc_fd, pid_t init)
{
	auto_free struct memory *m = mem_zero(sizeof(*m));

	m->nameless = nameless_device();
	each(proc_fd, add_files, m);
	return m->bytes + tmp_bytes(init) + sysv_bytes(init);
}

int64_t
procs_memory(int proc_fd, pid_t init)
{
	struct memory pages = { 0 };

	each(proc_fd, add_pages, &pages);
	return pages.bytes + files_bytes(proc_fd, init);
}

int64_t
procs_memory_max(int proc_fd, pid_t init)
{
	struct procs p;

	procs_count(proc_fd, &p);
	return p.rss_max + files_bytes(proc_fd, init);
}

/* ---- the loopback ---- */

int64_t
procs_net_bytes(pid_t init)
{
	char path[64], text[STAT_BYTES];

	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", init);
	if (read_small(AT_FDCWD, path, text, sizeof(text)) == 0)
		return 0;
	const char *lo = strstr(text, "lo:");
	return lo ? strtoll(lo + strlen("lo:"), NULL, 10) : 0;
}
