/* SPDX-License-Identifier: Apache-2.0 */
/* fs - careful reading, writing, opening and removing. */
#include "base/fs.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void
reads_whole_files_up_to_the_limit(void **state)
{
	auto_buf struct buf b = BUF_INIT(8);
	struct err e;

	(void)state;
	scratch_put("file", "12345678", 0644);
	assert_int_equal(fs_read("file", &b, &e), 0);
	assert_string_equal(buf_str(&b), "12345678");
	buf_reset(&b);
	scratch_put("file", "123456789", 0644);
	assert_int_equal(fs_read("file", &b, &e), ERR_LIMIT);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	assert_int_equal(fs_read("nothing", &b, &e), ERR_MISSING);
	assert_int_equal(fs_read(".", &b, &e), ERR_INVALID);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(fs_read("fifo", &b, &e), ERR_INVALID);
}

static void
secrets_are_for_the_owner_alone(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
		int code;
	} rows[] = {
		{ "owner reads and writes", 0600, 0 },
		{ "owner reads", 0400, 0 },
		{ "group reads", 0640, ERR_DENIED },
		{ "others read", 0604, ERR_DENIED },
		{ "group writes", 0620, ERR_DENIED },
		{ "others run", 0601, ERR_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_buf struct buf b = BUF_INIT(100);
		struct err e = { 0 };

		scratch_put("secret", "hunter2hunter2\n", rows[i].mode);
		if (fs_read_secret("secret", &b, &e) != rows[i].code)
			fail_msg("%s: %s", rows[i].name, e.text);
		if (rows[i].code == 0) {
			assert_string_equal(buf_str(&b), "hunter2hunter2");
		} else {
			assert_int_equal(b.len, 0);
			assert_non_null(strstr(e.text, "chmod 600 secret"));
		}
	}
}

static void
secrets_lose_one_newline_only(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);

	(void)state;
	scratch_put("secret", "a\r\n", 0600);
	assert_int_equal(fs_read_secret("secret", &b, NULL), 0);
	assert_string_equal(buf_str(&b), "a");
	buf_reset(&b);
	scratch_put("secret", "a\n\n", 0600);
	assert_int_equal(fs_read_secret("secret", &b, NULL), 0);
	assert_string_equal(buf_str(&b), "a\n");
}

static void
a_secret_of_another_user_is_refused(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	struct err e;

	(void)state;
	scratch_put("secret", "x", 0600);
	if (chown("secret", 4242, 4242) < 0)
		return; /* only root can give files away, and only root could read it */
	assert_int_equal(fs_read_secret("secret", &b, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "uid 4242"));
}

static void
writing_replaces_in_one_step(void **state)
{
	struct stat before, after;

	(void)state;
	scratch_put("file", "old", 0644);
	assert_int_equal(stat("file", &before), 0);
	scratch_put("file", "new", 0600);
	assert_int_equal(stat("file", &after), 0);
	assert_true(before.st_ino != after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0600);
	assert_int_equal(fs_write_atomic("no/such/dir/file", "x", 1, 0600, NULL), ERR_MISSING);
}

static void
mkdirs_makes_what_is_missing(void **state)
{
	struct err e;
	struct stat st;

	(void)state;
	assert_int_equal(mkdir("a", 0750), 0);
	assert_int_equal(fs_mkdirs("a/b/c", 0700, &e), 0);
	assert_int_equal(fs_mkdirs("a/b/c", 0700, &e), 0);
	assert_int_equal(fs_mkdirs("a/b/d/", 0700, &e), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	scratch_put("a/file", "", 0600);
	assert_int_equal(fs_mkdirs("a/file/x", 0700, &e), ERR_CONFLICT);
}

static void
open_beneath_refuses_every_way_out(void **state)
{
	static const struct {
		const char *name;
		const char *path;
		int flags;
		int code;
	} rows[] = {
		{ "a plain file", "in/file", O_RDONLY, 0 },
		{ "a new file", "in/new", O_WRONLY | O_CREAT | O_EXCL, 0 },
		{ "a link to a file below", "in/link", O_RDONLY, ERR_DENIED },
		{ "a link to a file outside", "in/out", O_RDONLY, ERR_DENIED },
		{ "a directory that is a link", "in/dirlink/file", O_RDONLY, ERR_DENIED },
		{ "dot dot that stays inside", "in/../in/file", O_RDONLY, ERR_DENIED },
		{ "dot dot at the end", "in/..", O_RDONLY, ERR_DENIED },
		{ "an absolute path", "/etc/passwd", O_RDONLY, ERR_DENIED },
		{ "a fifo for reading", "in/fifo", O_RDONLY, ERR_DENIED },
		{ "a fifo for writing", "in/fifo", O_WRONLY, ERR_DENIED },
		{ "a directory", "in", O_RDONLY, ERR_DENIED },
		{ "nothing there", "in/nothing", O_RDONLY, ERR_MISSING },
	};
	auto_fd int at = -1;

	(void)state;
	assert_int_equal(mkdir("in", 0700), 0);
	scratch_put("in/file", "x", 0600);
	assert_int_equal(symlink("file", "in/link"), 0);
	assert_int_equal(symlink("/etc/passwd", "in/out"), 0);
	assert_int_equal(symlink(".", "in/dirlink"), 0);
	assert_int_equal(mkfifo("in/fifo", 0600), 0);
	at = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(at >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_fd int fd = -1;
		struct err e = { 0 };

		if (fs_open_beneath(at, rows[i].path, rows[i].flags, &fd, &e) != rows[i].code)
			fail_msg("%s: %s", rows[i].name, e.text);
		assert_int_equal(fd >= 0, rows[i].code == 0);
		if (fd >= 0)
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
}

static void
open_beneath_stays_out_of_proc(void **state)
{
	auto_fd int at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	(void)state;
	assert_int_equal(fs_open_beneath(at, "proc/self/status", O_RDONLY, &fd, NULL), ERR_DENIED);
}

static void
memfds_are_sealed(void **state)
{
	auto_fd int fd = -1;
	char text[4] = "";

	(void)state;
	assert_int_equal(fs_memfd("test", "abc", 3, &fd, NULL), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
}

static void
removes_trees_of_all_kinds(void **state)
{
	(void)state;
	assert_int_equal(fs_remove_tree("nothing", NULL), 0);
	assert_int_equal(fs_remove_tree("nothing/at/all", NULL), 0);
	scratch_put("kept", "x", 0600);
	assert_int_equal(symlink("kept", "link"), 0);
	assert_int_equal(fs_remove_tree("link", NULL), 0);
	assert_int_equal(access("kept", F_OK), 0);
	assert_int_equal(fs_mkdirs("t/a/b", 0700, NULL), 0);
	assert_int_equal(symlink("../../kept", "t/a/link"), 0);
	assert_int_equal(symlink("..", "t/up"), 0);
	assert_int_equal(mkfifo("t/a/b/fifo", 0600), 0);
	for (int i = 0; i < 300; i++) {
		auto_free char *path = mem_fmt("t/a/%d/x", i);

		assert_int_equal(fs_mkdirs(path, 0700, NULL), 0);
	}
	assert_int_equal(fs_remove_tree("t/", NULL), 0);
	assert_int_equal(access("t", F_OK), -1);
	assert_int_equal(access("kept", F_OK), 0);
	assert_int_equal(fs_remove_tree("kept", NULL), 0);
	assert_int_equal(access("kept", F_OK), -1);
}

static void
refuses_to_remove_what_has_no_name(void **state)
{
	static const char *const paths[] = { "/", "", ".", "..", "a/..", "///" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(fs_remove_tree(paths[i], NULL), ERR_INVALID);
}

/* Far beyond PATH_MAX and the limit of open files. */
static void
removes_5000_levels(void **state)
{
	char name[] = "a-directory-name-of-some-length";

	(void)state;
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(mkdir(name, 0700), 0);
		assert_int_equal(chdir(name), 0);
	}
	assert_int_equal(chdir(scratch_dir), 0);
	assert_int_equal(fs_remove_tree(name, NULL), 0);
	assert_int_equal(access(name, F_OK), -1);
}

/* Run as an ordinary user, for whom modes are a wall. Exits 0 if all is well. */
static int
child_removes_forbidden(void)
{
	if (geteuid() == 0 && (setgid(4242) < 0 || setuid(4242) < 0))
		return 2;
	if (fs_mkdirs("t/a/b/c", 0700, NULL) < 0)
		return 3;
	if (chmod("t/a/b", 0) < 0 || chmod("t/a", 0500) < 0)
		return 4;
	return fs_remove_tree("t", NULL) == 0 && access("t", F_OK) < 0 ? 0 : 5;
}

static void
removes_directories_that_forbid_it(void **state)
{
	pid_t pid;
	int status = -1;

	(void)state;
	assert_int_equal(chmod(".", 0777), 0);
	pid = fork();
	if (pid == 0)
		_exit(child_removes_forbidden());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* In a mount namespace of its own: 0 if the mount and what it shows survived. */
static int
child_meets_mount(void)
{
	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) < 0)
		return 2;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 3;
	if (mount("shown", "t/mount", NULL, MS_BIND, NULL) < 0)
		return 4;
	if (fs_remove_tree("t", NULL) != ERR_BUSY)
		return 5;
	if (fs_remove_tree("t/mount", NULL) >= 0)
		return 6;
	return access("shown/kept", F_OK) == 0 ? 0 : 7;
}

static void
removing_stops_at_a_mount(void **state)
{
	pid_t pid;
	int status = -1;

	(void)state;
	assert_int_equal(fs_mkdirs("t/mount", 0700, NULL), 0);
	assert_int_equal(fs_mkdirs("shown", 0700, NULL), 0);
	scratch_put("shown/kept", "x", 0600);
	pid = fork();
	if (pid == 0)
		_exit(child_meets_mount());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(reads_whole_files_up_to_the_limit),
		SCRATCH_TEST(secrets_are_for_the_owner_alone),
		SCRATCH_TEST(secrets_lose_one_newline_only),
		SCRATCH_TEST(a_secret_of_another_user_is_refused),
		SCRATCH_TEST(writing_replaces_in_one_step),
		SCRATCH_TEST(mkdirs_makes_what_is_missing),
		SCRATCH_TEST(open_beneath_refuses_every_way_out),
		SCRATCH_TEST(open_beneath_stays_out_of_proc),
		SCRATCH_TEST(memfds_are_sealed),
		SCRATCH_TEST(removes_trees_of_all_kinds),
		SCRATCH_TEST(refuses_to_remove_what_has_no_name),
		SCRATCH_TEST(removes_5000_levels),
		SCRATCH_TEST(removes_directories_that_forbid_it),
		SCRATCH_TEST(removing_stops_at_a_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
