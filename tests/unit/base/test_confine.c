/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/confine. Each attempt runs twice in a forked child: free, where it must
 * succeed (or the test would prove nothing), and confined, where it must fail. As root the confined
 * child has another user too.
 */
#include "base/confine.h"

#include "base/clean.h"
#include "base/fs.h"

#include "tests/unit/base/confine_attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OTHER_UID    54321
#define NO_ANSWER    250
#define NOT_CONFINED 251

static char dir[] = "/tmp/confine-XXXXXX";
static const char *read_paths[] = { confine_world.readable, "/no/such/path", NULL };
static const char *write_paths[] = { confine_world.writable, NULL };

/* ---- the child ---- */

static int
run_child(const struct confine *c, attempt *try)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = { 0 };

		if (c && confine_apply(c, NULL, &e) < 0) {
			(void)fprintf(stderr, "confine: %s\n", e.text);
			_exit(NOT_CONFINED);
		}
		_exit(try());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : NO_ANSWER;
}

static struct confine
usual(void)
{
	struct confine c = {
		.uid = getuid() == 0 ? OTHER_UID : 0,
		.gid = OTHER_UID,
		.read_paths = read_paths,
		.write_paths = write_paths,
		.files_max = 100,
	};

	return c;
}

enum { ANYBODY, ROOT, LUCK }; /* who can do it unconfined: LUCK hangs on the machine's settings */

static const struct {
	const char *name;
	attempt *try;
	enum confine_net net;
	int free_for;
	int want;
} rows[] = {
	{ "no network: connect", try_connect, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "no network: connect an older socket", try_connect_early, CONFINE_NET_NONE, ANYBODY,
		EPERM },
	{ "no network: send to an address", try_send_to, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "no network: listen", try_listen, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "no network: accept", try_accept, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "no network: netlink", try_netlink, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "no network: a pair of our own works", try_unix_pair, CONFINE_NET_NONE, ANYBODY, 0 },
	{ "server: accept works", try_accept, CONFINE_NET_SERVE, ANYBODY, 0 },
	{ "server: connect", try_connect, CONFINE_NET_SERVE, ANYBODY, EPERM },
	{ "server: connect an older socket", try_connect_early, CONFINE_NET_SERVE, ANYBODY, EPERM },
	{ "server: listen elsewhere", try_listen, CONFINE_NET_SERVE, ANYBODY, EPERM },
	{ "client: connect works", try_connect, CONFINE_NET_OUT, ANYBODY, 0 },
	{ "client: accept on a listener that was handed over works", try_accept, CONFINE_NET_OUT,
		ANYBODY, 0 },
	{ "client: listen", try_listen, CONFINE_NET_OUT, ANYBODY, EPERM },
	{ "client: a thread resolves a name", try_thread, CONFINE_NET_OUT, ANYBODY, 0 },
	{ "all of the network: listen works", try_listen, CONFINE_NET_ALL, ANYBODY, 0 },
	{ "exec", try_exec, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "open outside", try_open_outside, CONFINE_NET_NONE, ANYBODY, EACCES },
	{ "read what may be read works", try_read_readable, CONFINE_NET_NONE, ANYBODY, 0 },
	{ "write what may be read", try_write_readable, CONFINE_NET_NONE, ANYBODY, EACCES },
	{ "write what may be written works", try_write_writable, CONFINE_NET_NONE, ANYBODY, 0 },
	{ "ptrace", try_ptrace, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "read memory of a process", try_read_memory, CONFINE_NET_NONE, ANYBODY, EPERM },
	{ "user namespace by unshare", try_new_user_namespace, CONFINE_NET_NONE, LUCK, EPERM },
	{ "user namespace by clone", try_clone_namespace, CONFINE_NET_NONE, LUCK, EPERM },
	{ "user namespace by clone3", try_clone3, CONFINE_NET_NONE, LUCK, ENOSYS },
	{ "setns", try_setns, CONFINE_NET_NONE, ROOT, EPERM },
	{ "mount", try_mount, CONFINE_NET_NONE, ROOT, EPERM },
	{ "keyring", try_keyring, CONFINE_NET_NONE, LUCK, EPERM },
	{ "io_uring", try_io_uring, CONFINE_NET_NONE, LUCK, EPERM },
	{ "bpf", try_bpf, CONFINE_NET_NONE, ROOT, EPERM },
};

static void
what_is_given_up_is_gone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct confine c = usual();

		print_message("  %s\n", rows[i].name);
		if (rows[i].free_for == ANYBODY || (rows[i].free_for == ROOT && getuid() == 0))
			assert_int_equal(run_child(NULL, rows[i].try), 0);
		c.net = rows[i].net;
		assert_int_equal(run_child(&c, rows[i].try), rows[i].want);
	}
}

static void
what_is_asked_for_stays(void **state)
{
	struct confine c = usual();

	(void)state;
	c.may_exec = true;
	c.files_all = true;
	assert_int_equal(run_child(&c, try_exec), 0);
	assert_int_equal(run_child(&c, try_open_outside), 0);
	assert_int_equal(run_child(&c, try_ptrace), EPERM);

	struct confine runner = {
		.may_mount = true, .may_exec = true, .files_all = true, .net = CONFINE_NET_ALL
	};
	if (getuid() == 0)
		assert_int_equal(run_child(&runner, try_mount), 0);
	assert_int_equal(run_child(&runner, try_ptrace), 0);
	assert_int_equal(run_child(&runner, try_listen), 0);
	assert_int_equal(run_child(&runner, try_keyring), EPERM);
}

/* ---- the state of the process afterwards ---- */

static int
check_state(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	struct rlimit core;
	struct rlimit files;
	int death = 0;

	if (prctl(PR_GET_DUMPABLE) != 0)
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (syscall(SYS_capget, &header, caps) < 0 || caps[0].effective || caps[0].permitted ||
		caps[0].inheritable || caps[1].effective || caps[1].permitted)
		return 3;
	(void)getrlimit(RLIMIT_CORE, &core);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	if (core.rlim_max != 0 || files.rlim_max > 100)
		return 4;
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGKILL)
		return 5;
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 0 && getuid() == OTHER_UID)
		return 6;
	return 0;
}

static int
check_user(void)
{
	gid_t groups[8];

	if (getuid() != OTHER_UID || geteuid() != OTHER_UID || getgid() != OTHER_UID)
		return 1;
	if (getgroups(8, groups) != 0)
		return 2;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		return 3;
	return 0;
}

static void
the_process_has_lost_its_powers(void **state)
{
	struct confine c = usual();

	(void)state;
	/* Inherited by no fork, so set in the child: a role gets it from spawn before it confines
	 * itself. */
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(confine_apply(&c, NULL, NULL) < 0 ? NOT_CONFINED : check_state());
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (getuid() == 0)
		assert_int_equal(run_child(&c, check_user), 0);
}

static int
report_done(void)
{
	struct confine c = usual();
	struct confine_done done = { 0 };

	if (confine_apply(&c, &done, NULL) < 0)
		return NOT_CONFINED;
	return done.uid | done.files << 1 | done.syscalls << 2;
}

static void
what_was_done_is_told(void **state)
{
	int done = run_child(NULL, report_done);

	(void)state;
	assert_int_equal(done & 1, getuid() == 0);
	assert_int_equal(done & 4, 4);
	/* Bit 2 is Landlock: present here, or `open outside` above would have failed. */
	assert_int_equal(done & 2, 2);
}

static void
a_user_in_roots_group_is_refused(void **state)
{
	struct confine c = { .uid = OTHER_UID, .gid = 0 };

	(void)state;
	if (getuid() == 0)
		assert_int_equal(run_child(&c, try_unix_pair), NOT_CONFINED);
}

/* ---- a world to try things in ---- */

static int
setup(void **state)
{
	struct confine_world *w = &confine_world;
	socklen_t len = sizeof(w->server);

	(void)state;
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	w->early_fd = socket(
		AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* may be connected again and again */
	w->server = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(w->listener, (struct sockaddr *)&w->server, sizeof(w->server)) < 0 ||
		listen(w->listener, 64) < 0)
		return -1;
	if (getsockname(w->listener, (struct sockaddr *)&w->server, &len) < 0 || !mkdtemp(dir))
		return -1;
	(void)snprintf(w->readable, sizeof(w->readable), "%s/r", dir);
	(void)snprintf(w->writable, sizeof(w->writable), "%s/w", dir);
	auto_fd int fd = open(w->readable, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, "x", 1) != 1 || mkdir(w->writable, 0777) < 0)
		return -1;
	(void)fchmod(fd, 0666);
	return chmod(w->writable, 0777) | chmod(dir, 0755);
}

static int
teardown(void **state)
{
	(void)state;
	(void)close(confine_world.listener);
	(void)close(confine_world.early_fd);
	return fs_remove_tree(dir, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_up_is_gone),
		cmocka_unit_test(what_is_asked_for_stays),
		cmocka_unit_test(the_process_has_lost_its_powers),
		cmocka_unit_test(what_was_done_is_told),
		cmocka_unit_test(a_user_in_roots_group_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
