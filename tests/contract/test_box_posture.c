/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a box stands: what is mounted in it and how, how much each place takes, what its /proc shows,
 * and who it says it is. Looked at from the inside, as root and as an unprivileged user.
 */
#include "box_rig.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* One option of a mount: "ro" of "ro,nosuid". */
static bool
has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = options; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, name, n) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

static bool
is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++) {
		if (str_eq(word, *list))
			return true;
	}
	return false;
}

/* "where options", a line each. */
static void
read_mounts(const struct box_rig *r, struct box_run *run)
{
	auto_box_spec struct box_spec s;
	auto_free char *work = box_rig_path(r, "work");
	auto_free char *base = box_rig_path(r, "base");

	box_rig_mkdir(r, "work");
	box_rig_mkdir(r, "base");
	box_rig_spec(r, &s, "sh", "-c",
		"while read a b c d where options rest; do echo $where $options; done "
		"</proc/self/mountinfo",
		NULL);
	box_spec_layer(&s, BOX_WORKSPACE, work, 0, true);
	box_spec_layer(&s, BOX_WORKSPACE, base, box_rig_give(r, "base"), false);
	box_rig_run(&s, run);
}

static void
every_mount_is_as_closed_as_it_can_be(void **state)
{
	static const char *const writable[] = { "/dev/pts", "/dev/shm", "/home/agent", "/proc",
		"/tmp", "/var/tmp", "/workspace", NULL };
	static const char *const devices[] = { "/dev/full", "/dev/null", "/dev/pts", "/dev/random",
		"/dev/tty", "/dev/urandom", "/dev/zero", NULL };
	const struct box_rig *r = *state;
	auto_box_run struct box_run run;
	int n = 0;

	read_mounts(r, &run);
	for (char *line = run.out.data, *end; *line; line = end + 1, n++) {
		char *options = strchr(line, ' ');

		end = strchr(line, '\n');
		*end = *options++ = '\0';
		bool is_mask = str_starts(line, "/proc/");
		bool is_device = is_one_of(line, devices) || is_mask;

		/* A runtime covers /proc with nodes and empty directories, as it likes. */
		if (!has_option(options, "nosuid") && !(r->runtime && is_mask))
			fail_msg("%s may hold set-id programs: %s", line, options);
		if (!has_option(options, "nodev") && !is_device)
			fail_msg("%s may hold devices: %s", line, options);
		if (!has_option(options, "ro") && !is_one_of(line, writable) && !is_device)
			fail_msg("%s may be written to: %s", line, options);
		if (str_eq(line, "/proc") && !has_option(options, "noexec"))
			fail_msg("/proc: %s", options);
		if (str_eq(line, "/dev/shm") && !has_option(options, "noexec"))
			fail_msg("/dev/shm: %s", options);
	}
	assert_true(n > 15);
}

/* Bytes and names: whatever is memory of the machine has an end. */
static void
every_place_in_memory_has_an_end(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;
	int n = 0;

	box_rig_spec(*state, &s, "sh", "-c",
		"for d in / /tmp /var/tmp /dev/shm /home/agent /workspace; do stat -f -c '%n %T %b "
		"%S "
		"%c' $d; done",
		NULL);
	s.tmp_bytes_max = 50 << 20;
	s.tmp_inodes_max = 1000;
	box_rig_run(&s, &run);
	for (char *line = run.out.data, *end; *line; line = end + 1, n++) {
		char *type = strchr(line, ' ') + 1;
		char *rest = strchr(type, ' ') + 1;

		end = strchr(line, '\n');
		assert_true(str_starts(type, "tmpfs "));
		long long blocks = strtoll(rest, &rest, 10);
		long long size = strtoll(rest, &rest, 10);
		long long names = strtoll(rest, &rest, 10);
		if (blocks <= 0 || blocks * size > 256 << 20 || names <= 0 || names > 65536)
			fail_msg("%.*s", (int)(end - line), line);
	}
	assert_int_equal(n, 6);
	/* And it is the end. */
	box_rig_expect(*state,
		"cd /dev/shm; i=0; while { true >$i; } 2>/dev/null; do i=$((i+1)); done; test $i "
		"-lt 5000 "
		"&& test $i -gt 1000 && echo full",
		"full\n");
	box_rig_expect(*state,
		"cd /workspace; i=0; while { true >$i; } 2>/dev/null; do i=$((i+1)); done; test $i "
		"-lt "
		"70000 "
		"&& test $i -gt 1000 && echo full",
		"full\n");
}

/* What is readable of /proc besides processes, and says something. The rest is covered, empty, or
 * not there: a new kernel's new file is looked at by whoever sees this fail. */
static void
proc_shows_what_programs_need(void **state)
{
	static const char *const shown[] = { "buddyinfo", "cgroups", "cpuinfo", "crypto", "dma",
		"execdomains", "fb", "filesystems", "loadavg", "mdstat", "meminfo", "misc",
		"mounts", "stat", "uptime", "version", "vmstat", NULL };
	auto_box_run struct box_run run;
	auto_box_spec struct box_spec s;

	box_rig_spec(*state, &s, "sh", "-c",
		"cd /proc; for f in *; do test -f $f && head -c1 $f 2>/dev/null | grep -q . && "
		"echo "
		"$f; done; for d in *; do test -d $d && test -r $d && ls $d 2>/dev/null | grep -q "
		". && "
		"echo $d/; done",
		NULL);
	box_rig_run(&s, &run);
	for (char *line = run.out.data, *end; *line; line = end + 1) {
		static const char *const dirs[] = { "net/", "pressure/", "self/", "sys/",
			"sysvipc/", "thread-self/", NULL };
		end = strchr(line, '\n');
		*end = '\0';
		if (strspn(line, "0123456789/") == strlen(line))
			continue;
		if (!is_one_of(line, shown) && !is_one_of(line, dirs))
			fail_msg("/proc/%s is shown", line);
	}
}

static void
it_is_called_box_and_locks_little(void **state)
{
	box_rig_expect(*state, "uname -n; cat /etc/hostname; cat /proc/sys/kernel/hostname",
		"box\nbox\nbox\n");
	box_rig_expect(*state,
		"grep 'locked memory' /proc/self/limits | { read a b c soft hard d; test $hard -le "
		"8388608 && echo $soft $hard; }",
		"8388608 8388608\n");
	box_rig_expect(*state,
		"cat /proc/sys/user/max_user_namespaces; (echo 9 "
		">/proc/sys/user/max_user_namespaces) 2>&1 | sed 's/.*: //'",
		"0\nRead-only file system\n");
	box_rig_expect(
		*state, "cd /proc/sys && find . -type f -writable 2>/dev/null | wc -l", "0\n");
}

/* What was a layer's directory a moment ago. Outside, the link leads to the secret. */
static void
a_layer_is_not_behind_a_link(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *real = box_rig_path(r, "real");
	auto_free char *link = box_rig_path(r, "link");
	auto_free char *through = box_rig_path(r, "link/secret");

	box_rig_mkdir(r, "real");
	box_rig_write(r, "real/secret", "x");
	(void)unlink(link);
	assert_int_equal(symlink(real, link), 0);
	assert_int_equal(access(through, R_OK), 0);
	for (int is_writable = 0; is_writable < 2; is_writable++) {
		auto_box_spec struct box_spec s;
		struct box b = BOX_INIT;
		struct err e = { 0 };

		box_rig_spec(r, &s, "sh", NULL);
		box_spec_layer(&s, BOX_WORKSPACE, link, (int64_t)geteuid(), is_writable);
		if (is_writable)
			box_spec_layer(&s, BOX_WORKSPACE, real, (int64_t)geteuid(), false);
		assert_int_equal(box_spec_check(&s, &e), 0);
		assert_true(box_start(&s, &(struct box_io)BOX_IO_INIT, &b, &e) < 0);
		box_finish(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mount_is_as_closed_as_it_can_be),
		cmocka_unit_test(every_place_in_memory_has_an_end),
		cmocka_unit_test(proc_shows_what_programs_need),
		cmocka_unit_test(it_is_called_box_and_locks_little),
		cmocka_unit_test(a_layer_is_not_behind_a_link),
	};

	return box_rig_main(tests, sizeof(tests) / sizeof(tests[0]));
}
