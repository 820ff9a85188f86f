/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract of a box, as root and as an unprivileged user: it does what it is for.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static void
exit_codes_come_through(void **state)
{
	static const struct {
		const char *command;
		int code;
	} rows[] = { { "exit 0", 0 }, { "exit 3", 3 }, { "kill -9 $$", 137 },
		{ "kill -TERM $$", 143 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_box_spec struct box_spec s;
		auto_box_run struct box_run run;

		box_rig_spec(*state, &s, "sh", "-c", rows[i].command, NULL);
		box_rig_run(&s, &run);
		assert_int_equal(run.exit_code, rows[i].code);
		assert_int_equal(run.report, 0);
	}
}

static void
it_has_a_terminal_of_its_own(void **state)
{
	box_rig_expect(*state,
		"test -t 0 || echo file; test -t 1 && test -t 2 && tty <&1; stty size <&1",
		"file\n/dev/pts/0\n40 120\n");
	/* Job control works, so it is the controlling one. */
	box_rig_expect(*state, "echo yes >/dev/tty", "yes\n");
}

static void
standard_input_and_output_may_be_files(void **state)
{
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;
	struct err e = { 0 };
	auto_fd int in = -1;
	auto_free char *path = box_rig_path(*state, "out");
	auto_fd int out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[64] = "";

	assert_int_equal(fs_memfd("in", "prompt\n", 7, &in, NULL), 0);
	box_rig_spec(*state, &s, "sh", "-c", "cat; echo to the terminal >&2", NULL);
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_int_equal(box_start(&s, &(struct box_io){ in, out, -1 }, &b, &e), 0);
	assert_int_equal(box_go(&b, NULL), 0);
	box_rig_wait_for(b.pty_fd, "to the terminal");
	assert_int_equal(box_rig_reap(&b), 0);
	box_finish(&b);
	assert_int_equal(pread(out, text, sizeof(text) - 1, 0), 7);
	assert_string_equal(text, "prompt\n");
}

static void
nothing_runs_before_go(void **state)
{
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;
	struct err e = { 0 };

	box_rig_spec(*state, &s, "echo", "running", NULL);
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_int_equal(box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e), 0);
	struct pollfd p[2] = { { .fd = b.pty_fd, .events = POLLIN },
		{ .fd = b.pidfd, .events = POLLIN } };
	assert_int_equal(poll(p, 2, 50), 0);
	assert_int_equal(box_report(&b, &e), ERR_BUSY);
	assert_int_equal(box_go(&b, NULL), 0);
	box_rig_wait_for(b.pty_fd, "running");
	assert_int_equal(box_rig_reap(&b), 0);
	box_finish(&b);
}

static void
ping_through(const struct box_rig *r, int net_fd)
{
	auto_box_spec struct box_spec s;
	struct box_io io = BOX_IO_INIT;
	struct box b = BOX_INIT;
	struct err e = { 0 };
	char text[64] = "";

	box_rig_spec(r, &s, "inside", "get", "ping", NULL);
	s.net = true;
	io.net_fd = net_fd;
	assert_int_equal(box_spec_check(&s, NULL), 0);
	assert_int_equal(box_start(&s, &io, &b, &e), 0);
	assert_int_equal(box_go(&b, NULL), 0);
	struct pollfd p = { .fd = b.listen_fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 60000), 1);
	auto_fd int conn = accept4(b.listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(conn >= 0);
	assert_int_equal(read(conn, text, sizeof(text)), 4);
	assert_string_equal(text, "ping");
	assert_int_equal(write(conn, "pong", 4), 4);
	box_rig_wait_for(b.pty_fd, "pong");
	assert_int_equal(box_rig_reap(&b), 0);
	box_finish(&b);
}

static void
the_listener_is_accepted_on_from_outside(void **state)
{
	ping_through(*state, -1);
}

static ino_t
net_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* As the rig makes one for each of root's boxes, and the runner does: not ours, not another's, and
 * nothing was ever said in it. */
static void
assert_new_net(const struct box_rig *r, ino_t ours, ino_t others)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(
		r, &s, "sh", "-c", "stat -Lc %i /proc/self/ns/net; tail -n +3 /proc/net/dev", NULL);
	box_rig_run(&s, &run);
	ino_t its = strtoul(buf_str(&run.out), NULL, 10);
	assert_true(its != 0 && its != ours && its != others);
	const char *dev = strchr(buf_str(&run.out), '\n') + 1;
	assert_true(str_starts(dev + strspn(dev, " "), "lo:       0       0    0"));
	assert_string_equal(strchr(dev, '\n'), "\n");
}

static void
root_may_make_networks_ahead(void **state)
{
	const struct box_rig *r = *state;
	ino_t ours = net_of("/proc/self/ns/net");
	auto_fd int net = -1;
	struct err e = { 0 };
	struct stat st;

	assert_int_equal(sandbox_net_make(&net, &e), r->is_root ? 0 : ERR_DENIED);
	assert_int_equal(net_of("/proc/self/ns/net"), ours);
	if (!r->is_root)
		return;
	assert_int_equal(fstat(net, &st), 0);
	ping_through(r, net);
	assert_int_equal(net_of("/proc/self/ns/net"), ours);
	assert_new_net(r, ours, st.st_ino);
}

static void
tools_and_files_are_placed(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(*state, &s, "sh", "-c",
		"cat ~/.config/agent/settings; stat -c '%a %U' ~/.config/agent/settings "
		"/etc/agent.json;"
		"test -w $(command -v inside) || echo sealed; touch ~/ok && echo home",
		NULL);
	strs_add(&s.env, "HOME=/home/agent");
	strs_add(&s.tools, "/nonexistent/tools");
	box_spec_file(&s, BOX_HOME "/.config/agent/settings", 0600, "hello\n");
	box_spec_file(&s, "/etc/agent.json", 0444, "{}");
	box_rig_run(&s, &run);
	assert_string_equal(buf_str(&run.out), "hello\n600 agent\n444 agent\nsealed\nhome\n");
}

static void
common_programs_work(void **state)
{
	box_rig_expect(*state,
		"id -un; getent hosts localhost | cut -c1-3; echo $((6 * 7)) | tee /tmp/x; nproc "
		">/dev/null;"
		"git --version | cut -c1-11; date >/dev/null && echo date",
		"agent\n::1\n42\ngit version\ndate\n");
}

/* ---- layers ---- */

static void
build_lower(const struct box_rig *r, const char *name)
{
	auto_free char *dir = mem_fmt("%s/dir/sub", name);
	auto_free char *edit = mem_fmt("%s/edit", name);
	auto_free char *gone = mem_fmt("%s/gone", name);
	auto_free char *deep = mem_fmt("%s/dir/sub/deep", name);
	auto_free char *link = mem_fmt("%s/%s/link", r->dir, name);

	box_rig_mkdir(r, dir);
	box_rig_write(r, edit, "old\n");
	box_rig_write(r, gone, "gone\n");
	box_rig_write(r, deep, "deep\n");
	assert_int_equal(symlink("edit", link), 0);
}

static char *
read_file(const struct box_rig *r, const char *name)
{
	auto_free char *path = box_rig_path(r, name);
	struct buf text = BUF_INIT(4096);

	if (fs_read(path, &text, NULL) < 0)
		return mem_str("(absent)");
	(void)buf_adds(&text, "");
	return buf_steal(&text);
}

static void
assert_file(const struct box_rig *r, const char *name, const char *text)
{
	auto_free char *is = read_file(r, name);

	assert_string_equal(is, text);
}

static void
files_of_another_owner_can_be_changed(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *low = box_rig_path(r, "copy-low");
	auto_free char *up = box_rig_path(r, "copy-up");
	auto_free char *gone = box_rig_path(r, "copy-up/data/gone");
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;
	struct stat st;

	build_lower(r, "copy-low");
	int64_t owner = box_rig_give(r, "copy-low");
	box_rig_mkdir(r, "copy-up");
	box_rig_spec(r, &s, "sh", "-ec",
		"stat -c %U edit dir link | sort -u; echo new >>edit; rm gone; mv dir moved;"
		"cat moved/sub/deep; chmod 700 edit; ln edit hard; touch -d 2001-01-01 "
		"moved/sub/deep; "
		"rm -r moved/sub; mkdir moved/sub; ls -1A . moved/sub; sync -f .; echo ok",
		NULL);
	box_spec_layer(&s, BOX_WORKSPACE, up, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, low, owner, false);
	box_rig_run(&s, &run);
	assert_string_equal(
		buf_str(&run.out), "agent\ndeep\n.:\nedit\nhard\nlink\nmoved\n\nmoved/sub:\nok\n");
	assert_int_equal(run.exit_code, 0);
	/* Below, nothing has changed; above lies what was written, as the header says. */
	assert_file(r, "copy-low/edit", "old\n");
	assert_file(r, "copy-low/gone", "gone\n");
	assert_file(r, "copy-low/dir/sub/deep", "deep\n");
	assert_file(r, "copy-up/data/edit", "old\nnew\n");
	assert_int_equal(lstat(gone, &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
}

static void
what_was_written_can_be_a_layer(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *low = box_rig_path(r, "base-low");
	auto_free char *setup = box_rig_path(r, "setup-up");
	auto_free char *data = box_rig_path(r, "setup-up/data");
	auto_free char *up = box_rig_path(r, "agent-up");
	int64_t owner;
	struct stat st;

	build_lower(r, "base-low");
	owner = box_rig_give(r, "base-low");
	box_rig_mkdir(r, "setup-up");
	box_rig_mkdir(r, "agent-up");
	/* The same writable layer in two boxes, one after the other. */
	for (int i = 0; i < 2; i++) {
		auto_box_spec struct box_spec s;
		auto_box_run struct box_run run;

		box_rig_spec(
			r, &s, "sh", "-ec", "echo $0 >>made; rm -rf gone", i ? "two" : "one", NULL);
		box_spec_layer(&s, BOX_WORKSPACE, setup, 0, true);
		box_spec_layer(&s, BOX_WORKSPACE, low, owner, false);
		box_rig_run(&s, &run);
		assert_string_equal(buf_str(&run.out), "");
		assert_int_equal(run.exit_code, 0);
	}
	assert_file(r, "setup-up/data/made", "one\ntwo\n");
	assert_int_equal(stat(data, &st), 0);
	/* Another slot, so another uid outside. */
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;
	box_rig_spec(r, &s, "sh", "-ec",
		"cat made edit; test ! -e gone; echo three >>made; rm edit; ls -1", NULL);
	s.slot = 7;
	box_spec_layer(&s, BOX_WORKSPACE, up, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, data, st.st_uid, false);
	box_spec_layer(&s, BOX_WORKSPACE, low, owner, false);
	box_rig_run(&s, &run);
	assert_string_equal(buf_str(&run.out), "one\ntwo\nold\ndir\nlink\nmade\n");
	assert_file(r, "setup-up/data/made", "one\ntwo\n");
	if (r->is_root) {
		auto_free char *made = box_rig_path(r, "agent-up/data/made");

		assert_int_equal(stat(made, &st), 0);
		assert_int_equal(st.st_uid, BOX_HOST_UID + 7);
	}
}

static void
trees_without_a_writable_layer_are_read_only(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *a = box_rig_path(r, "ro-a");
	auto_free char *b = box_rig_path(r, "ro-b");

	box_rig_mkdir(r, "ro-a");
	box_rig_mkdir(r, "ro-b");
	box_rig_write(r, "ro-a/x", "a\n");
	box_rig_write(r, "ro-b/x", "b\n");
	box_rig_write(r, "ro-b/y", "b\n");
	for (int both = 0; both < 2; both++) {
		auto_box_spec struct box_spec s;
		auto_box_run struct box_run run;

		box_rig_spec(r, &s, "sh", "-c",
			"cat /data/x; ls /data | wc -l; touch /data/z || echo no", NULL);
		box_spec_layer(&s, "/data", a, (int64_t)geteuid(), false);
		if (both)
			box_spec_layer(&s, "/data", b, (int64_t)geteuid(), false);
		box_rig_run(&s, &run);
		assert_string_equal(buf_str(&run.out),
			both ? "a\n2\ntouch: cannot touch '/data/z': Read-only file system\nno\n"
			     : "a\n1\ntouch: cannot touch '/data/z': Read-only file system\nno\n");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_come_through),
		cmocka_unit_test(it_has_a_terminal_of_its_own),
		cmocka_unit_test(standard_input_and_output_may_be_files),
		cmocka_unit_test(nothing_runs_before_go),
		cmocka_unit_test(the_listener_is_accepted_on_from_outside),
		cmocka_unit_test(root_may_make_networks_ahead),
		cmocka_unit_test(tools_and_files_are_placed),
		cmocka_unit_test(common_programs_work),
		cmocka_unit_test(files_of_another_owner_can_be_changed),
		cmocka_unit_test(what_was_written_can_be_a_layer),
		cmocka_unit_test(trees_without_a_writable_layer_are_read_only),
	};

	return box_rig_main(tests, sizeof(tests) / sizeof(tests[0]));
}
