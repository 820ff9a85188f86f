/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A box whose programs come from a directory: it sees those and not the machine's, and a tree that
 * was packed to get out with gets nowhere. As root and as an unprivileged user.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A small system from this machine's own programs: what debootstrap would make, in a moment. */
static const char MAKE[] =
	"set -eu\n"
	"mkdir -p usr/bin usr/sbin usr/lib usr/share etc/ssl/certs etc/java-9 opt/made dev proc "
	"sys\n"
	"for d in bin sbin lib lib32 lib64 libx32; do\n"
	"  if test -L /$d; then ln -s usr/$d $d; mkdir -p usr/$d; fi\n"
	"done\n"
	"libs() {\n"
	"  ldd $1 | grep -o '/[^ ]*' | while read lib; do\n"
	"    mkdir -p .$(dirname $lib); cp -L $lib .$lib\n"
	"  done\n"
	"}\n"
	"for p in sh cat env id ls stat touch test; do\n"
	"  from=$(command -v $p || true); case $from in /*) ;; *) from=/usr/bin/$p ;; esac\n"
	"  cp -L $from usr/bin/$p\n"
	"  libs $from\n"
	"done\n"
	"libs $inside\n" /* it is shown at its own place */
	"echo tree >usr/share/marker; echo NAME=tree >usr/lib/os-release\n"
	"ln -s ../usr/lib/os-release etc/os-release; echo cert >etc/ssl/certs/c; echo j "
	">etc/java-9/j\n"
	"echo root:hostile >etc/passwd; echo tool >opt/made/tool\n";

static void
shell(const struct box_rig *r, const char *dir, const char *script)
{
	auto_free char *cwd = box_rig_path(r, dir);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(cwd) == 0)
			(void)execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("in %s: %s", cwd, script);
}

/* The tree, and what was done to it. */
static char *
make_tree(const struct box_rig *r, const char *change)
{
	auto_free char *tree = box_rig_path(r, "tree");
	auto_free char *script = mem_fmt("inside=%s\n%s", r->inside, MAKE);

	assert_int_equal(fs_remove_tree(tree, NULL), 0);
	box_rig_mkdir(r, "tree");
	shell(r, "tree", script);
	shell(r, "tree", change);
	return steal_ptr(&tree);
}

static void
run(const struct box_rig *r, const char *tree, const char *command, struct box_run *out)
{
	auto_box_spec struct box_spec s;

	box_rig_spec(r, &s, "sh", "-c", command, NULL);
	s.rootfs = mem_str(tree);
	box_rig_run(&s, out);
}

static void
expect(const struct box_rig *r, const char *tree, const char *command, const char *out)
{
	auto_box_run struct box_run got;

	run(r, tree, command, &got);
	assert_string_equal(buf_str(&got.out), out);
}

static void
programs_come_from_the_tree(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *tree = make_tree(r, "chmod u+s usr/bin/id");

	expect(r, tree,
		"cat /usr/share/marker /opt/made/tool /etc/os-release /etc/ssl/certs/c "
		"/etc/java-9/j; ls /usr/share; command -v git; id -u",
		"tree\ntool\nNAME=tree\ncert\nj\nmarker\n1000\n");
	/* Our own users and hosts, not the tree's; tools where they were. */
	auto_free char *tools =
		mem_fmt("cat /etc/passwd | { read a; echo $a; }; cat /etc/hosts; test -x %s && "
			"echo there",
			r->inside);
	expect(r, tree, tools,
		"root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
		"127.0.0.1 localhost box\n::1 localhost\nthere\n");
}

static void
the_tree_is_read_only(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *tree =
		make_tree(r, "chmod 777 usr usr/share usr/share/marker opt opt/made");
	auto_box_run struct box_run got;

	run(r, tree,
		"for f in / /usr /usr/share /usr/share/marker /opt/made /etc/ssl/certs; do test -w "
		"$f && echo $f; done; touch /usr/x /opt/made/x; echo x >/usr/share/marker; cat "
		"/usr/share/marker",
		&got);
	assert_non_null(strstr(got.out.data, "Read-only file system"));
	assert_true(str_ends(got.out.data, "\ntree\n"));
	assert_null(strstr(got.out.data, "\n/"));
	shell(r, "tree", "test ! -e usr/x && test ! -e opt/made/x && touch usr/x");
}

/* Each would put something of ours, or show something of the host's, where it does not belong. */
static void
what_is_no_root_is_refused(void **state)
{
	static const struct {
		const char *change;
		const char *why;
	} rows[] = {
		{ "rmdir dev; ln -s /etc dev", "/dev is a link" },
		{ "rmdir proc; ln -s /tmp proc", "/proc is a link" },
		{ "rmdir sys; ln -s . sys", "/sys is a link" },
		{ "mv etc e; ln -s e etc", "/etc is a link" },
		{ "mv usr u; ln -s u usr", "/usr is a link" },
		{ "mv usr u; ln -s /usr usr", "/usr is a link" },
		{ "mv usr u; touch usr", "/usr is a file" },
		{ "mv usr u", "/usr" },
		{ "rm -rf bin; ln -s /etc bin", "/bin is a link to /etc" },
		{ "rm -rf bin; ln -s ../../../../etc bin", "/bin is a link to ../" },
		{ "rm -rf bin; ln -s usr/../../../etc bin", "/bin is a link to usr/../" },
		{ "rm -rf sbin; ln -s /proc/self/root/etc sbin", "/sbin is a link to /proc" },
		{ "rm -rf lib32; ln -s /workspace lib32", "/lib32 is a link to /workspace" },
		{ "rm -rf lib32; mkfifo lib32", "lib32 is no file" },
		{ "rm -rf lib32; touch lib32", "/lib32 is not a directory" },
	};
	const struct box_rig *r = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_free char *tree = make_tree(r, rows[i].change);
		auto_box_spec struct box_spec s;
		struct box b = BOX_INIT;
		struct err e = { 0 };

		box_rig_spec(r, &s, "sh", NULL);
		s.rootfs = mem_str(tree);
		assert_int_equal(box_spec_check(&s, &e), 0);
		if (box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e) == 0)
			fail_msg("%s: was taken", rows[i].change);
		assert_int_equal(b.stage, BOX_STAGE_ROOT);
		if (!strstr(e.text, rows[i].why))
			fail_msg("%s: %s", rows[i].change, e.text);
		box_finish(&b);
	}
}

/* What is taken out of the tree's /etc is the tree's own, whatever its links say; what is no file
 * hangs nobody. Outside, the same links lead to the secret. */
static void
its_etc_shows_nothing_of_the_host(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *secret = box_rig_path(r, "secret");
	auto_free char *change =
		mem_fmt("rm -r etc/os-release etc/ssl etc/java-9\n"
			"ln -s %s etc/os-release; ln -s %s etc/ssl\n"
			"ln -s /proc/self/environ etc/services\n"
			"ln -s ../../../../../../..%s etc/protocols\n"
			"mkfifo etc/localtime etc/ld.so.cache; ln -s /root etc/java-1\n"
			"ln -s / etc/pki; ln -s loop etc/loop; ln -s loop etc/magic\n"
			"test \"$(cat etc/os-release)\" = canary\n"
			"test \"$(cat etc/ssl/secret)\" = canary",
			secret, r->dir, secret);
	auto_box_run struct box_run got;

	box_rig_write(r, "secret", "canary\n");
	auto_free char *tree = make_tree(r, change);
	run(r, tree,
		"cat /etc/os-release /etc/services /etc/protocols /etc/localtime /etc/magic "
		"/etc/ssl/* /etc/pki/* /etc/java-1/* 2>/dev/null; ls -1 /etc",
		&got);
	assert_null(strstr(got.out.data, "canary"));
	assert_string_equal(got.out.data,
		"group\nhost.conf\nhostname\nhosts\nnsswitch.conf\npasswd\nresolv.conf\nshells\n");
}

/* The tree's own /dev is not asked what covers /proc. */
static void
masks_are_ours(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *tree = make_tree(
		r, "ln -s /proc/sysrq-trigger dev/null; ln -s /etc/passwd dev/tty; echo x >proc/x");
	auto_free char *command = mem_fmt("%s size /proc/kallsyms /proc/kcore /proc/keys; "
					  "stat -c %%t:%%T /dev/null /dev/tty; test -e /proc/x || "
					  "echo ours; test -w /proc/sysrq-trigger || echo closed",
		r->inside);
	auto_box_run struct box_run got;

	run(r, tree, command, &got);
	assert_null(strstr(got.out.data, "kallsyms 1"));
	assert_non_null(strstr(got.out.data, "/proc/kallsyms 0\n"));
	assert_non_null(strstr(got.out.data, "/proc/kcore 0\n"));
	assert_non_null(strstr(got.out.data, "\n1:3\n5:0\nours\n"));
}

static void
there_is_no_room_for_tools_in_it(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *tree = make_tree(r, "true");
	auto_box_spec struct box_spec s;
	struct err e = { 0 };

	box_rig_spec(r, &s, "sh", NULL);
	s.rootfs = mem_str(tree);
	strs_add(&s.tools, "/usr/local/lib/agents");
	assert_int_equal(box_spec_check(&s, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "/opt"));
	mem_set(&s.rootfs, "tree/../x");
	assert_int_equal(box_spec_check(&s, &e), ERR_INVALID);
}

static void
a_tree_that_is_not_there_is_said(void **state)
{
	auto_box_spec struct box_spec s;
	struct box b = BOX_INIT;
	struct err e = { 0 };

	box_rig_spec(*state, &s, "sh", NULL);
	s.rootfs = mem_str("/nowhere");
	assert_int_equal(box_spec_check(&s, &e), 0);
	assert_true(box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e) < 0);
	assert_non_null(strstr(e.text, "rootfs"));
	box_finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_come_from_the_tree),
		cmocka_unit_test(the_tree_is_read_only),
		cmocka_unit_test(what_is_no_root_is_refused),
		cmocka_unit_test(its_etc_shows_nothing_of_the_host),
		cmocka_unit_test(masks_are_ours),
		cmocka_unit_test(there_is_no_room_for_tools_in_it),
		cmocka_unit_test(a_tree_that_is_not_there_is_said),
	};

	/* Each makes a system first, and what differs between runtimes is not that. */
	return box_rig_main_by(tests, sizeof(tests) / sizeof(tests[0]),
		(const char *const[]){ "native", "crun, as root", NULL });
}
