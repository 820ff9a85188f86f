/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strike - `fault_strike --pid P [--child ROLE] [--at N [--ever]] [CALL[=ERROR]...]`.
 *
 * Says "ready" when it follows, "struck CALL" when it did it, "counted N" at SIGTERM, "gone" when
 * whom it followed has ended. Its own end lets everybody go on. strace can do this as well, but
 * counts each kind of call for itself, and follows by names.
 */
#include "tests/fault/strike.h"

#include "base/clean.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define THREADS_MAX    256
#define FOLLOW_THREADS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE)
#define FOLLOW_CHILDREN                                                                            \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |  \
		PTRACE_O_TRACEEXEC)

enum role { PARENT, NEWBORN, TARGET };

struct thread {
	pid_t tid;
	enum role role;
	bool is_inside;  /* of a call: the next stop is its end */
	bool is_changed; /* and its answer is ours */
};

static struct {
	struct strike wish;
	struct thread threads[THREADS_MAX];
	size_t n;
	pid_t target; /* 0: not born yet */
	volatile int64_t counted;
	int struck; /* the call; -1: not yet */
	int error;  /* with which it was */
	bool is_over;
} it = { .struck = -1 };

static void
on_term(int signo)
{
	(void)signo;
	(void)dprintf(STDOUT_FILENO, "counted %" PRId64 "\n", it.counted);
	_exit(0);
}

/* ---- threads ---- */

static struct thread *
thread_add(pid_t tid, enum role role)
{
	assert(it.n < THREADS_MAX);
	it.threads[it.n] = (struct thread){ .tid = tid, .role = role };
	return &it.threads[it.n++];
}

static struct thread *
thread_find(pid_t tid)
{
	for (size_t i = 0; i < it.n; i++) {
		if (it.threads[i].tid == tid)
			return &it.threads[i];
	}
	return NULL;
}

static void
thread_forget(const struct thread *t)
{
	it.threads[t - it.threads] = it.threads[--it.n];
}

static int
group_of(pid_t tid)
{
	char path[64], line[256];
	int group = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	auto_file FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Tgid:", 5) == 0)
			group = (int)strtol(line + 5, NULL, 10);
	}
	return group;
}

static bool
plays(pid_t pid, const char *role)
{
	char path[64], words[4096];

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	auto_file FILE *f = fopen(path, "re");
	size_t n = f ? fread(words, 1, sizeof(words) - 1, f) : 0;
	words[n] = '\0';
	for (const char *w = words; w < words + n; w += strlen(w) + 1) {
		const char *next = w + strlen(w) + 1;

		if (strcmp(w, "--role") == 0 && next < words + n && strcmp(next, role) == 0)
			return true;
	}
	return false;
}

/* Threads may come while the list is read: it is read until it has nothing new. */
static int
follow_all(pid_t pid, enum role role, int options)
{
	char path[64];
	bool has_new = true;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	while (has_new) {
		auto_dir DIR *d = opendir(path);
		const struct dirent *ent;

		has_new = false;
		while (d && (ent = readdir(d))) {
			pid_t tid = (pid_t)strtol(ent->d_name, NULL, 10);

			if (tid <= 0 || thread_find(tid) ||
				ptrace(PTRACE_SEIZE, tid, NULL, options) < 0)
				continue;
			(void)thread_add(tid, role);
			has_new = true;
			if (role == TARGET) /* it shows its calls from its next stop on */
				(void)ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		}
	}
	return it.n > 0 ? 0 : -1;
}

/* ---- calls ---- */

/* -1: it does not count. */
static int
place_of(int call)
{
	for (size_t i = 0; i < it.wish.n_calls; i++) {
		if (it.wish.calls[i].call == call)
			return (int)i;
	}
	return -1;
}

static void
strike(struct thread *t, int call)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
	int place = place_of(call);

	if (it.struck < 0)
		(void)dprintf(STDOUT_FILENO, "struck %s\n", name ? name : "?");
	free(name);
	it.struck = call;
	it.error = place < 0 ? 0 : it.wish.calls[place].error;
	if (it.error == 0)
		(void)kill(it.target, SIGKILL);
	else
		t->is_changed = strike_prevent(t->tid) == 0;
}

static void
on_call(struct thread *t)
{
	int call = -1;

	if (strike_call(t->tid, &call) < 0)
		return;
	if (call < 0) {
		if (t->is_changed)
			(void)strike_answer(t->tid, it.error);
		t->is_changed = false;
		return;
	}
	if (it.struck >= 0) {
		if (it.wish.is_ever && call == it.struck)
			strike(t, call);
		return;
	}
	if (it.wish.n_calls > 0 && place_of(call) < 0)
		return;
	it.counted++;
	if (it.wish.at > 0 && it.counted == it.wish.at)
		strike(t, call);
}

/* ---- stops ---- */

static void
go_on(const struct thread *t, int signo)
{
	bool is_watched = t->role == TARGET && (it.struck < 0 || it.wish.is_ever || t->is_changed);

	(void)ptrace(is_watched ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, NULL, signo);
}

static void
let_go(const struct thread *t)
{
	(void)ptrace(PTRACE_DETACH, t->tid, NULL, NULL);
	thread_forget(t);
}

static void
choose(struct thread *t)
{
	if (it.target || !plays(t->tid, it.wish.child)) {
		let_go(t);
		return;
	}
	(void)ptrace(PTRACE_SETOPTIONS, t->tid, NULL, FOLLOW_THREADS);
	t->role = TARGET;
	it.target = t->tid;
	go_on(t, 0);
}

/* Somebody whom we did not follow before: a thread of the target's, or a child. */
static struct thread *
meet(pid_t tid)
{
	bool is_ours = it.target && group_of(tid) == it.target;
	struct thread *t = thread_add(tid, is_ours ? TARGET : NEWBORN);

	if (is_ours || (it.wish.child && !it.target))
		return t;
	let_go(t);
	return NULL;
}

static void
on_stop(pid_t tid, int status)
{
	struct thread *t = thread_find(tid);
	int signo = WSTOPSIG(status), event = status >> 16;

	if (!t && !(t = meet(tid)))
		return;
	if (signo == (SIGTRAP | 0x80)) {
		on_call(t);
		go_on(t, 0);
	} else if (event == PTRACE_EVENT_EXEC && t->role == NEWBORN) {
		choose(t);
	} else if (event == PTRACE_EVENT_STOP && signo != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL);
	} else {
		go_on(t, event ? 0 : signo);
	}
}

static void
on_end(pid_t tid, int status)
{
	const struct thread *t = thread_find(tid);

	if (t)
		thread_forget(t);
	if (tid != it.target && !(it.target == 0 && tid == it.wish.pid))
		return;
	(void)dprintf(STDOUT_FILENO, "gone code=%d signal=%d\ncounted %" PRId64 "\n",
		WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0, it.counted);
	it.is_over = true;
}

/* ---- the command line ---- */

static int
number(const char *text, int64_t *out)
{
	char *end = NULL;

	if (!text)
		return -1;
	*out = strtoll(text, &end, 10);
	return *text && !*end && *out >= 0 ? 0 : -1;
}

static int
option(char **argv, int *i)
{
	struct strike *w = &it.wish;
	const char *word = argv[*i], *value = argv[*i + 1];
	int64_t n = 0;

	if (strcmp(word, "--ever") == 0) {
		w->is_ever = true;
		return 0;
	}
	(*i)++;
	if (strcmp(word, "--child") == 0) {
		w->child = value;
		return value ? 0 : -1;
	}
	if (number(value, &n) < 0)
		return -1;
	if (strcmp(word, "--pid") == 0)
		w->pid = (pid_t)n;
	else if (strcmp(word, "--at") == 0)
		w->at = n;
	else
		return -1;
	return 0;
}

static int
call_add(const char *word)
{
	struct strike *w = &it.wish;
	const char *equals = strchr(word, '=');
	auto_free char *name = equals ? strndup(word, (size_t)(equals - word)) : strdup(word);
	int call = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;
	int64_t error = 0;

	if (call == __NR_SCMP_ERROR || w->n_calls == STRIKE_CALLS_MAX)
		return -1;
	if (equals && number(equals + 1, &error) < 0)
		return -1;
	if (call < 0) /* this processor has no such call */
		return 0;
	w->calls[w->n_calls].call = call;
	w->calls[w->n_calls++].error = (int)error;
	return 0;
}

static int
args_read(char **argv)
{
	for (int i = 1; argv[i]; i++) {
		bool is_option = strncmp(argv[i], "--", 2) == 0;

		if ((is_option ? option(argv, &i) : call_add(argv[i])) < 0)
			return -1;
	}
	return it.wish.pid > 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
	const struct sigaction term = { .sa_handler = on_term };
	int status;

	(void)argc;
	if (args_read(argv) < 0) {
		(void)fprintf(stderr,
			"usage: fault_strike --pid P [--child ROLE] [--at N [--error CODE "
			"[--ever]]] [CALL...]\n");
		return 64;
	}
	(void)sigaction(SIGTERM, &term, NULL);
	it.target = it.wish.child ? 0 : it.wish.pid;
	if (follow_all(it.wish.pid, it.wish.child ? PARENT : TARGET,
		    it.wish.child ? FOLLOW_CHILDREN : FOLLOW_THREADS) < 0) {
		(void)fprintf(stderr,
			"fault_strike: process %d may not be followed, which takes root: %s\n",
			(int)it.wish.pid, strerror(errno));
		return 77;
	}
	(void)dprintf(STDOUT_FILENO, "ready\n");
	while (!it.is_over) {
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (WIFSTOPPED(status))
			on_stop(tid, status);
		else
			on_end(tid, status);
	}
	return 0;
}
