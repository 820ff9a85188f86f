/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of bot/listen: addresses, unix sockets left behind, and what systemd hands over.
 */
#include "bot/listen.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_port_is_chosen_and_told(void **state)
{
	struct listen l;
	struct listen second;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(listen_open("127.0.0.1:0", &l, &e), 0);
	assert_int_equal(l.n, 1);
	assert_true(str_starts(l.address, "127.0.0.1:"));
	assert_string_not_equal(l.address, "127.0.0.1:0");
	assert_true(fcntl(l.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(l.fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(listen_open(l.address, &second, &e), ERR_CONFLICT);
	assert_non_null(strstr(e.text, "another program listens there"));
	listen_close(&l);
}

/* Unless another program was quicker. */
static void
a_port_is_free_again_at_once(void **state)
{
	struct listen l;
	int rc = ERR_CONFLICT;

	(void)state;
	for (int i = 0; i < 5 && rc == ERR_CONFLICT; i++) {
		char address[160];

		assert_int_equal(listen_open("127.0.0.1:0", &l, NULL), 0);
		(void)snprintf(address, sizeof(address), "%s", l.address);
		listen_close(&l);
		rc = listen_open(address, &l, NULL);
	}
	assert_int_equal(rc, 0);
	listen_close(&l);
}

static void
a_unix_socket_replaces_a_dead_one_only(void **state)
{
	auto_free char *text = mem_fmt("unix:%s/web.sock", scratch_dir);
	auto_free char *file = mem_fmt("%s/file", scratch_dir);
	auto_free char *on_file = mem_fmt("unix:%s", file);
	struct listen l;
	struct listen second;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(listen_open(text, &l, &e), 0);
	assert_string_equal(l.address, text);
	assert_int_equal(listen_open(text, &second, &e), ERR_CONFLICT);
	listen_close(&l); /* as a crash would: the file stays */
	assert_int_equal(listen_open(text, &l, &e), 0);
	listen_close(&l);

	assert_int_equal(fs_write_atomic(file, "x", 1, 0600, NULL), 0);
	assert_int_equal(listen_open(on_file, &l, &e), ERR_CONFLICT);
	assert_int_equal(access(file, F_OK), 0);
}

static void
nonsense_is_refused(void **state)
{
	static const char *const texts[] = { "", "nowhere", "127.0.0.1", "127.0.0.1:99999",
		"example.com:80", "unix:" };
	struct listen l;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(listen_open(texts[i], &l, NULL) < 0);
}

/* In a child, because descriptor 3 must be the socket. */
static int
as_systemd(const char *pid, const char *count)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct sockaddr_in a = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		struct listen l = { .n = 0 };
		char own[16];
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		(void)snprintf(own, sizeof(own), "%d", (int)getpid());
		(void)setenv("LISTEN_PID", pid ? pid : own, 1);
		(void)setenv("LISTEN_FDS", count, 1);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
			_exit(100);
		if (fd != 3 && dup3(fd, 3, 0) < 0)
			_exit(101);
		int rc = listen_open("systemd", &l, NULL);
		if (rc == 0 && (l.n != 1 || l.fds[0] != 3 || !(fcntl(3, F_GETFD) & FD_CLOEXEC)))
			_exit(102);
		_exit(-rc);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 103;
}

static void
systemd_hands_over_sockets(void **state)
{
	(void)state;
	assert_int_equal(as_systemd(NULL, "1"), 0);
	assert_int_equal(as_systemd("1", "1"), -ERR_MISSING); /* meant for somebody else */
	assert_int_equal(as_systemd(NULL, "0"), -ERR_INVALID);
	assert_int_equal(as_systemd(NULL, "99"), -ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_chosen_and_told),
		cmocka_unit_test(a_port_is_free_again_at_once),
		SCRATCH_TEST(a_unix_socket_replaces_a_dead_one_only),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(systemd_hands_over_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
