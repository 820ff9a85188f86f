/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procs - other processes, what /proc tells about them and the machine, and more than one's share.
 */
#include "escape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS 300
#define BIG   (1L << 29)

/* ---- others ---- */

static int
signal_host(const struct attempt *a)
{
	(void)a;
	return outcome(kill(world.host_pid, 0));
}

static int
trace_host(const struct attempt *a)
{
	(void)a;
	return outcome(ptrace(PTRACE_SEIZE, world.host_pid, 0, 0));
}

static int
hold_host(const struct attempt *a)
{
	(void)a;
	return outcome(syscall(SYS_pidfd_open, world.host_pid, 0));
}

static int
see_host(const struct attempt *a)
{
	char path[64];
	struct stat st;

	(void)a;
	(void)snprintf(path, sizeof(path), "/proc/%d", world.host_pid);
	return outcome(stat(path, &st));
}

static int
see_many(const struct attempt *a)
{
	DIR *d = opendir("/proc");
	const struct dirent *de;
	int n = 0;

	(void)a;
	while (d && (de = readdir(d)))
		n += de->d_name[0] >= '1' && de->d_name[0] <= '9';
	return n > 5 ? 0 : ENOENT; /* PID 1, the program and this try */
}

static int
trace_init(const struct attempt *a)
{
	(void)a;
	return outcome(ptrace(PTRACE_SEIZE, world.target, 0, 0));
}

static int
open_init(const struct attempt *a)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", world.target, a->path);
	return outcome(open(path, (int)a->arg | O_CLOEXEC));
}

/* Nobody outside is killed for this: there it is a child of our own. */
static int
kill_init(const struct attempt *a)
{
	pid_t pid = 1;
	int status;

	if (!world.is_box && (pid = fork()) == 0) {
		for (;;)
			(void)pause();
	}
	if (kill(pid, (int)a->arg) < 0)
		return errno;
	if (world.is_box)
		return EBUSY; /* PID 1's end would have been ours */
	if (waitpid(pid, &status, WUNTRACED) != pid)
		return ENOTRECOVERABLE;
	(void)kill(pid, SIGKILL);
	return 0;
}

static bool
file_holds(const char *path, const char *word)
{
	static char data[1 << 18];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));

	if (fd >= 0)
		(void)close(fd);
	return n > 0 && memmem(data, (size_t)n, word, strlen(word));
}

static void
spell_canary(char *out, size_t size)
{
	size_t len = strlen(world.canary);

	for (size_t i = 0; i < len && i + 1 < size; i++)
		out[i] = world.canary[len - 1 - i];
}

/* In the environment or command line of anybody whom we can see. */
static int
find_canary(const struct attempt *a)
{
	char word[128] = "";
	char path[300];
	DIR *d = opendir("/proc");
	const struct dirent *de;

	spell_canary(word, sizeof(word));
	while (d && (de = readdir(d))) {
		(void)snprintf(path, sizeof(path), "/proc/%s/%s", de->d_name, a->path);
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9' && file_holds(path, word))
			return 0;
	}
	return ENOENT;
}

static int
find_in_environment(const struct attempt *a)
{
	char word[128] = "";

	(void)a;
	spell_canary(word, sizeof(word));
	for (char **p = environ; *p; p++) {
		if (strstr(*p, word))
			return 0;
	}
	return ENOENT;
}

/* Out here one more is left open on purpose. */
static int
find_descriptor(const struct attempt *a)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *de;

	(void)a;
	while (d && (de = readdir(d))) {
		long fd = strtol(de->d_name, NULL, 10);

		if (fd > 2 && fd != dirfd(d))
			return 0;
	}
	return ENOENT;
}

/* A working directory outside the root shows as a path that cannot be reached. */
static int
stand_outside(const struct attempt *a)
{
	char path[4096] = "";

	(void)a;
	if (!world.is_box && (chdir("/usr") < 0 || chroot("/tmp") < 0))
		return ENOTRECOVERABLE;
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return errno;
	return path[0] == '/' ? ENOENT : 0;
}

/* ---- the machine ---- */

/* A cover is a device that swallows everything; what is written there reaches nobody. */
static int
open_to_write(const struct attempt *a)
{
	struct stat st;
	int fd = open(a->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno;
	return S_ISCHR(st.st_mode) ? ENODATA : 0;
}

static int
read_some(const struct attempt *a)
{
	char byte[8];
	int fd = open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno;
	ssize_t n = read(fd, byte, sizeof(byte));
	return n < 0 && errno != EAGAIN ? errno : n == 0 ? ENODATA : 0;
}

static int
may_make_namespaces(const struct attempt *a)
{
	char text[32] = "";
	int fd = open(a->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return ENOTRECOVERABLE;
	return strtol(text, NULL, 10) > 0 ? 0 : EPERM;
}

/* ---- more than one's share ---- */

static int
fork_many(const struct attempt *a)
{
	int rc = 0;
	pid_t all[FORKS];
	int n = 0;

	(void)a;
	for (; n < FORKS && rc == 0; n++) {
		all[n] = fork();
		if (all[n] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				(void)pause();
		}
		rc = all[n] < 0 ? errno : 0;
	}
	while (n-- > 0) {
		if (all[n] > 0 && kill(all[n], SIGKILL) == 0)
			(void)waitpid(all[n], NULL, 0);
	}
	return rc;
}

static void *
wait_here(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return NULL;
}

static int
start_threads(const struct attempt *a)
{
	pthread_attr_t small;
	pthread_t t;
	int rc = 0;

	(void)a;
	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, 65536);
	for (int n = 0; n < FORKS && rc == 0; n++)
		rc = pthread_create(&t, &small, wait_here, NULL);
	return rc;
}

static int
take_memory(const struct attempt *a)
{
	void *p = mmap(NULL, BIG, PROT_READ | PROT_WRITE, (int)a->arg | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
raise_priority(const struct attempt *a)
{
	(void)a;
	return outcome(setpriority(PRIO_PROCESS, 0, -20));
}

static int
become_realtime(const struct attempt *a)
{
	struct sched_param p = { .sched_priority = 1 };

	(void)a;
	return outcome(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p));
}

static int
raise_limit(const struct attempt *a)
{
	struct rlimit r;

	/* The C library's function would be the very call that the control answers. */
	if (syscall(SYS_getrlimit, (int)a->arg, &r) < 0)
		return ENOTRECOVERABLE;
	r.rlim_max = r.rlim_max == RLIM_INFINITY ? r.rlim_max : r.rlim_max + 1;
	return outcome(syscall(SYS_prlimit64, 0, (int)a->arg, &r, NULL));
}

static int
outlive_others(const struct attempt *a)
{
	int fd = open(a->path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? errno : outcome(write(fd, "-500", 4));
}

#define INIT(n, name, path, flags)                                                                 \
	{                                                                                          \
		n, name, open_init, "EACCES", CONTROL_PLAIN, 0, path, flags                        \
	}
#define WRITE(path)                                                                                \
	{                                                                                          \
		20, "write:" path, open_to_write, "EROFS|EACCES|ENOENT|ENODATA", CONTROL_ROOT, 0,  \
			path, 0                                                                    \
	}
#define READ(path)                                                                                 \
	{                                                                                          \
		21, "read:" path, read_some, "ENOENT|EACCES|ENODATA", CONTROL_ROOT, 0, path, 0     \
	}

const struct attempt ESCAPE_PROCS[] = {
	{ 1, "signal_host", signal_host, "ESRCH", CONTROL_PLAIN, 0, NULL, 0 },
	{ 1, "trace_host", trace_host, "ESRCH", CONTROL_PLAIN, 0, NULL, 0 },
	{ 1, "pidfd_of_host", hold_host, "ESRCH", CONTROL_PLAIN, 0, NULL, 0 },
	{ 75, "see_host", see_host, "ENOENT", CONTROL_PLAIN, 0, NULL, 0 },
	{ 75, "see_many", see_many, "ENOENT", CONTROL_PLAIN, 0, NULL, 0 },
	{ 2, "trace_init", trace_init, "EPERM", CONTROL_PLAIN, 0, NULL, 0 },
	INIT(3, "init_environ", "environ", O_RDONLY),
	INIT(3, "init_mem", "mem", O_RDWR),
	INIT(3, "init_maps", "maps", O_RDONLY),
	INIT(3, "init_exe", "exe", O_RDONLY),
	INIT(3, "init_fd", "fd", O_RDONLY),
	INIT(3, "init_auxv", "auxv", O_RDONLY),
	INIT(6, "init_root", "root", O_RDONLY),
	INIT(6, "init_root_file", "root/etc/passwd", O_RDONLY),
	INIT(6, "init_cwd", "cwd", O_RDONLY),
	INIT(10, "init_ns_mnt", "ns/mnt", O_RDONLY),
	INIT(10, "init_ns_user", "ns/user", O_RDONLY),
	{ 3, "canary_environ", find_canary, "ENOENT", CONTROL_PLAIN, 0, "environ", 0 },
	{ 3, "canary_cmdline", find_canary, "ENOENT", CONTROL_PLAIN, 0, "cmdline", 0 },
	{ 4, "own_environment", find_in_environment, "ENOENT", CONTROL_PLAIN, 0, NULL, 0 },
	{ 5, "descriptors", find_descriptor, "ENOENT", CONTROL_PLAIN, 0, NULL, 0 },
	{ 24, "cwd_outside", stand_outside, "ENOENT", CONTROL_OWN, 0, NULL, 0 },
	{ 55, "kill_init", kill_init, "EBUSY", CONTROL_PLAIN, 0, NULL, SIGKILL },
	{ 55, "stop_init", kill_init, "EBUSY", CONTROL_PLAIN, 0, NULL, SIGSTOP },

	WRITE("/proc/sys/kernel/core_pattern"),
	WRITE("/proc/sys/kernel/modprobe"),
	WRITE("/proc/sys/kernel/hostname"),
	WRITE("/proc/sys/vm/drop_caches"),
	WRITE("/proc/sys/user/max_user_namespaces"),
	WRITE("/proc/sysrq-trigger"),
	{ 20, "user_namespaces_allowed", may_make_namespaces, "EPERM", CONTROL_PLAIN, 0,
		"/proc/sys/user/max_user_namespaces", 0 },
	READ("/proc/kcore"),
	READ("/proc/keys"),
	READ("/proc/key-users"),
	READ("/proc/timer_list"),
	READ("/proc/kallsyms"),
	READ("/proc/cmdline"),
	READ("/proc/config.gz"),
	READ("/proc/iomem"),
	READ("/proc/ioports"),
	READ("/proc/interrupts"),
	READ("/proc/softirqs"),
	READ("/proc/kmsg"),
	READ("/proc/kpagecount"),
	READ("/proc/modules"),
	READ("/proc/slabinfo"),
	READ("/proc/vmallocinfo"),
	READ("/proc/zoneinfo"),
	READ("/proc/pagetypeinfo"),
	READ("/proc/diskstats"),
	READ("/proc/partitions"),
	READ("/proc/swaps"),
	READ("/proc/locks"),
	READ("/proc/sched_debug"),
	READ("/proc/schedstat"),
	READ("/proc/bus/pci/devices"),
	READ("/proc/scsi/scsi"),
	READ("/proc/tty/drivers"),
	READ("/sys/kernel/mm/transparent_hugepage/enabled"),
	READ("/sys/class/net/lo/address"),

	{ 52, "forks", fork_many, "EAGAIN", CONTROL_PLAIN, 0, NULL, 0 },
	{ 52, "threads", start_threads, "EAGAIN", CONTROL_PLAIN, 0, NULL, 0 },
	{ 53, "memory", take_memory, "ENOMEM", CONTROL_PLAIN, 0, NULL, MAP_PRIVATE },
	{ 54, "priority", raise_priority, "EPERM|EACCES", CONTROL_ARGS, SYS_setpriority, NULL, 0 },
	{ 54, "realtime", become_realtime, "EPERM", CONTROL_ARGS, SYS_sched_setscheduler, NULL, 0 },
	{ 54, "limit_files", raise_limit, "EPERM", CONTROL_ARGS, SYS_prlimit64, NULL,
		RLIMIT_NOFILE },
	{ 54, "limit_procs", raise_limit, "EPERM", CONTROL_ARGS, SYS_prlimit64, NULL,
		RLIMIT_NPROC },
	{ 54, "limit_data", raise_limit, "EPERM", CONTROL_ARGS, SYS_prlimit64, NULL, RLIMIT_DATA },
	{ 54, "oom_score", outlive_others, "EACCES", CONTROL_ARGS, SYS_write,
		"/proc/self/oom_score_adj", 0 },
	{ 0 },
};
