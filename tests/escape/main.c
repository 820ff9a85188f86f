/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - tries every row and says what came of it.
 *
 *	escape_attempts box|box-with-root|control PID PORT CANARY DIR
 *	escape_attempts prey CANARY
 *
 * One line a row: "number name outcome wanted control". The outcome is `through`, the name of an
 * errno, or that of the signal that ended the try; of a control also `there` or `answered`. Each is
 *a process of its own, so that none spoils another. The prey is a process to be attacked: it holds
 *the canary and waits.
 */
#include "escape.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define ANSWERED EXFULL /* no call that we try answers that on its own */
#define THERE    200    /* no errno */

struct world world;

static const char *const CONTROLS[] = {
	[CONTROL_PLAIN] = "plain",
	[CONTROL_OWN] = "own",
	[CONTROL_ROOT] = "root",
	[CONTROL_ARGS] = "args",
	[CONTROL_CALL] = "call",
};

static const struct attempt *const TABLES[] = { ESCAPE_CALLS, ESCAPE_FILES, ESCAPE_NET,
	ESCAPE_PROCS };

int
outcome(long rc)
{
	return rc < 0 ? errno : 0;
}

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(ENOTRECOVERABLE);
	(void)close(fd);
}

/* Root, but only of what was made this moment. */
static void
own_namespaces(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		_exit(ENOTRECOVERABLE);
	put("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1\n", uid);
	put("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof(map), "0 %u 1\n", gid);
	put("/proc/self/gid_map", map);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(ENOTRECOVERABLE);
}

/* From now on one system call gets an answer that nothing else gives. */
static void
answer_call(long call)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ANSWERED),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(f) / sizeof(f[0]), .filter = f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		_exit(ENOTRECOVERABLE);
}

/* Not everybody can do what is root's, and in a container not even root: that it is there can be
 * seen. */
static int
is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? errno : THERE;
}

/* The kernel has asked who we are and has gone on to what we want. */
static bool
is_let_in(const struct attempt *a, bool as_own_root)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (as_own_root)
			own_namespaces();
		_exit(a->run(a));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (!WIFEXITED(status))
		return false;
	switch (WEXITSTATUS(status)) {
	case EPERM:
	case EACCES:
	case ENOSYS:
	case EPROTONOSUPPORT: /* a part of the kernel that is not there */
	case ENOTRECOVERABLE: /* no namespaces of our own */
		return false;
	default:
		return true;
	}
}

static int
run_answered(const struct attempt *a)
{
	answer_call(a->call);
	return a->run(a) == ANSWERED ? ANSWERED : ENOTRECOVERABLE;
}

static int
run_control(const struct attempt *a)
{
	int rc;

	switch (a->control) {
	case CONTROL_OWN:
		own_namespaces();
		return a->run(a);
	case CONTROL_ROOT:
		rc = a->run(a);
		return rc == 0 ? 0 : is_there(a->path);
	case CONTROL_ARGS:
		return is_let_in(a, false) || is_let_in(a, true) ? 0 : run_answered(a);
	case CONTROL_CALL:
		return run_answered(a);
	case CONTROL_PLAIN:
	default:
		return a->run(a);
	}
}

static void
try(const struct attempt *a)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(world.is_box ? a->run(a) : run_control(a));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	int code = WEXITSTATUS(status);
	const char *what = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status))
			   : code == 0         ? "through"
			   : code == THERE     ? "there"
			   : code == ANSWERED  ? "answered"
					       : strerrorname_np(code);
	const char *other = strchr(a->box, ';');
	const char *wanted = other && world.has_root ? other + 1 : a->box;
	(void)printf("%d %s %s %.*s %s\n", a->number, a->name, what ? what : "?",
		(int)strcspn(wanted, ";"), wanted, CONTROLS[a->control]);
	(void)fflush(stdout);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "prey") == 0) {
		(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		for (;;)
			(void)pause();
	}
	if (argc != 6)
		return 2;
	world.has_root = strcmp(argv[1], "box-with-root") == 0;
	world.is_box = world.has_root || strcmp(argv[1], "box") == 0;
	world.host_pid = (pid_t)strtol(argv[2], NULL, 10);
	world.target = world.is_box ? 1 : world.host_pid;
	world.host_port = (int)strtol(argv[3], NULL, 10);
	world.canary = argv[4];
	world.dir = argv[5];
	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	for (size_t i = 0; i < sizeof(TABLES) / sizeof(TABLES[0]); i++) {
		for (const struct attempt *a = TABLES[i]; a->number; a++)
			try(a);
	}
	(void)puts("end");
	return 0;
}
