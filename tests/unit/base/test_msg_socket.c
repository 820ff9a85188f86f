/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/msg: doors, and the last words of who comes through them.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/base/msg_ends.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)

/* A directory whose path is longer than a socket's may be. */
static int
open_far_away(char dir[40])
{
	auto_buf struct buf path = BUF_INIT(4096);
	struct err e = { 0 };

	(void)snprintf(dir, 40, "/tmp/msg-door-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)buf_adds(&path, dir);
	for (int i = 0; i < 20; i++)
		(void)buf_adds(&path, "/some-directory");
	if (fs_mkdirs(buf_str(&path), 0700, &e) < 0)
		fail_msg("%s", e.text);
	return open(path.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void
say(struct end *from, const char *text)
{
	char copy[64];
	struct note note = { .text = copy };

	(void)snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(
		msg_send(from->link, &(struct msg_out){ .type = TELL, .obj = &note }, NULL), 0);
}

static void
a_door_can_be_found_again(void **state)
{
	struct fixture *f = *state;
	char top[40];
	auto_fd int dir = open_far_away(top);
	auto_fd int door = -1;
	int fd = -1;
	pid_t pid = 0;
	struct stat st;

	assert_int_equal(msg_connect(dir, "door", &fd, &pid, NULL), ERR_MISSING);
	assert_int_equal(msg_listen(dir, "door", &door, NULL), 0);
	assert_int_equal(fstatat(dir, "door", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(msg_accept(door, &fd, NULL), ERR_BUSY);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(msg_connect(dir, "door", &fd, &pid, NULL), 0);
		assert_int_equal(pid, getpid());
		assert_int_equal(msg_link_attach(f->a.link, fd, NULL), 0);
		assert_int_equal(msg_accept(door, &fd, NULL), 0);
		assert_int_equal(msg_link_attach(f->b.link, fd, NULL), 0);
		say(&f->a, "hello");
		ends_settle(f);
	}
	assert_string_equal(f->b.seen, "hello hello ");
	/* Nobody listens any more; what is left of the old one is in nobody's way. */
	(void)close(steal_fd(&door));
	assert_int_equal(msg_connect(dir, "door", &fd, &pid, NULL), ERR_MISSING);
	assert_int_equal(msg_listen(dir, "door", &door, NULL), 0);
	assert_int_equal(fs_remove_tree(top, NULL), 0);
}

/* Who inherited a door says so, and is seen behind it. */
static void
it_is_known_who_listens(void **state)
{
	char top[40];
	auto_fd int dir = open_far_away(top);
	auto_fd int door = -1;
	int ready[2];
	int fd = -1;
	pid_t pid = 0;
	char byte;

	(void)state;
	assert_int_equal(msg_listen(dir, "door", &door, NULL), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t heir = fork();
	if (heir == 0) {
		if (msg_listen_here(door, NULL) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(msg_connect(dir, "door", &fd, &pid, NULL), 0);
	assert_int_equal(pid, heir);
	(void)close(fd);
	assert_int_equal(kill(heir, SIGKILL), 0);
	assert_int_equal(waitpid(heir, NULL, 0), heir);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_int_equal(fs_remove_tree(top, NULL), 0);
}

/* One who ends without having read what he was told: the kernel says so before it gives out what he
 * said himself. */
static void
last_words_are_heard(void **state)
{
	struct fixture *f = *state;

	ends_connect(f);
	say(&f->b, "unheard");
	say(&f->a, "farewell");
	msg_link_destroy(f->a.link);
	ends_run(f);
	assert_string_equal(f->b.seen, "farewell ");
	assert_int_equal(f->b.gone, 1);
	assert_false(msg_link_was_cut(f->b.link));
	ends_make(f, &f->a, A);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_door_can_be_found_again),
		T(it_is_known_who_listens),
		T(last_words_are_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
