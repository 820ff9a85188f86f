/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walls of a box, as root and as an unprivileged user.
 *
 * Each is tried from the inside by a program that would like to be through it; where the same try
 * can be made outside, it is, and succeeds there.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static void
the_environment_is_what_was_given(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;
	auto_buf struct buf want = BUF_INIT(4096);

	box_rig_spec(*state, &s, "inside", "env", NULL);
	strs_add(&s.env, "EMPTY=");
	strs_add(&s.env, "TWO=a b");
	for (size_t i = 0; i < s.env.n; i++)
		(void)buf_addf(&want, "%s\n", s.env.v[i]);
	box_rig_run(&s, &run);
	assert_string_equal(buf_str(&run.out), buf_str(&want));
}

/* Our environment holds a secret; the program finds it outside and nowhere in the box. */
static void
our_memory_does_not_show(void **state)
{
	static const char secret[] = "canary-5f3a9c";
	const char *const words[] = { "canary", "c9a3f5-yranac", NULL };
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	assert_int_equal(setenv("NIGHTSHIFT_TEST_SECRET", secret, 1), 0);
	auto_free char *outside = box_rig_outside(*state, words);
	assert_non_null(strstr(outside, "found "));
	assert_null(strstr(outside, "found 0\n"));
	box_rig_spec(*state, &s, "inside", words[0], words[1], NULL);
	box_rig_run(&s, &run);
	assert_string_equal(buf_str(&run.out), "processes 2\nfound 0\n");
	assert_int_equal(unsetenv("NIGHTSHIFT_TEST_SECRET"), 0);
}

static void
three_descriptors_and_no_more(void **state)
{
	auto_fd int leak = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	assert_true(leak >= 0);
	assert_int_equal(fcntl(leak, F_SETFD, 0), 0); /* on purpose */
	box_rig_expect(*state, "inside fds", "0\n1\n2\n");
}

static void
it_is_nobody(void **state)
{
	box_rig_expect(*state,
		"id -u; id -g; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -d '\\t "
		"'",
		"1000\n1000\nCapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:"
		"0000000000000000\n"
		"CapBnd:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n");
}

static void
the_system_is_read_only(void **state)
{
	box_rig_expect(*state,
		"for f in / /usr /usr/bin /etc /dev /run /bin/sh /etc/passwd; do"
		" test -w $f && echo $f; done; touch /x /usr/x /etc/x 2>&1 | sed 's/.*: //' | sort "
		"-u",
		"Read-only file system\n");
}

static void
the_host_is_not_there(void **state)
{
	const struct box_rig *r = *state;
	auto_free char *secret = box_rig_path(r, "secret");
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;
	const char *const words[] = { "open", secret, "/etc/passwd", NULL };

	box_rig_write(r, "secret", "x");
	auto_free char *outside = box_rig_outside(r, words);
	assert_non_null(strstr(outside, "secret 0\n"));
	box_rig_spec(r, &s, "inside", "open", secret, "/etc/shadow", "/root", "/var/lib/dpkg",
		"/sys", "/home/agent/..//../root", "/proc/1/root", "/proc/1/cwd", "/proc/1/environ",
		"/proc/1/mem", "/proc/1/exe", "/proc/1/fd", "/proc/1/maps", "/proc/1/ns/mnt",
		"/dev/kvm", "/dev/mem", "/dev/fuse", "/.layers", "/run/dbus", NULL);
	box_rig_run(&s, &run);
	for (const char *line = run.out.data; *line; line = strchr(line, '\n') + 1) {
		size_t len = strcspn(line, "\n");
		bool is_refused =
			memmem(line, len, " ENOENT", 7) || memmem(line, len, " EACCES", 7);

		if (!is_refused)
			print_error("%.*s\n", (int)len, line);
		assert_true(is_refused);
	}
}

static void
proc_tells_nothing_of_the_machine(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(*state, &s, "inside", "size", "/proc/kcore", "/proc/kallsyms", "/proc/cmdline",
		"/proc/keys", "/proc/timer_list", "/proc/config.gz", "/proc/iomem",
		"/proc/diskstats", "/proc/interrupts", NULL);
	box_rig_run(&s, &run);
	for (const char *line = run.out.data; *line; line = strchr(line, '\n') + 1)
		assert_memory_equal(strchr(line, ' '), " 0\n", 3);
	box_rig_expect(*state,
		"for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger "
		"/proc/sys/user/max_user_namespaces; do"
		" (echo x >$f) 2>/dev/null && cat $f; done; cat "
		"/proc/sys/user/max_user_namespaces; ls /proc/bus /proc/fs",
		"0\n/proc/bus:\n\n/proc/fs:\n");
}

static void
there_is_no_network(void **state)
{
	auto_fd int host = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_fd int abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	auto_free char *name = mem_fmt("nightshift-test-%d", getpid());

	assert_int_equal(bind(host, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(host, 8), 0);
	assert_int_equal(getsockname(host, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(u.sun_path + 1, sizeof(u.sun_path) - 1, "%s", name);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	assert_int_equal(bind(abstract, (const struct sockaddr *)&u, len), 0);
	assert_int_equal(listen(abstract, 8), 0);
	auto_free char *port = mem_fmt("%d", ntohs(a.sin_port));
	const char *const words[] = { "net", port, name, NULL };
	auto_free char *outside = box_rig_outside(*state, words);
	assert_non_null(strstr(outside, "host 0\n"));
	assert_non_null(strstr(outside, "abstract 0\n"));
	for (int net = 0; net < 2; net++) {
		auto_box_spec struct box_spec s;
		auto_box_run struct box_run run;

		box_rig_spec(*state, &s, "inside", words[0], words[1], words[2], NULL);
		s.net = net;
		box_rig_run(&s, &run);
		assert_string_equal(buf_str(&run.out),
			net ? "internet ENETUNREACH\nmetadata ENETUNREACH\nresolver "
			      "ENETUNREACH\nhost ECONNREFUSED\n"
			      "gateway 0\ninternet6 ENETUNREACH\nabstract ECONNREFUSED\n"
			    : "internet ENETUNREACH\nmetadata ENETUNREACH\nresolver "
			      "ENETUNREACH\nhost ECONNREFUSED\n"
			      "gateway ECONNREFUSED\ninternet6 ENETUNREACH\nabstract "
			      "ECONNREFUSED\n");
	}
}

static void
calls_are_refused(void **state)
{
	/* Those that an ordinary program may make outside, and so prove the filter. */
	const char *const controls[] = { "calls", "unshare_user", "clone_user", "handle",
		"io_uring", "keyctl", "vm_read", "socket_netfilter", "socket_route", "socket_unix",
		NULL };
	/* setuid is refused by the id map: in there is no 0, or it is another's. */
	static const char expected[] =
		"bpf EPERM\nchroot EPERM\nclone3 ENOSYS\nclone_user EPERM\nfsopen EPERM\n"
		"handle EPERM\nio_uring EPERM\nkeyctl EPERM\nkill_init 0\nmknod EACCES\nmount "
		"EPERM\n"
		"new_call ENOSYS\nnice EPERM\nperf EPERM\nptrace_init EPERM\nsetns EPERM\n"
		"setuid %s\ntiocsti EPERM\ntiocsti_high EPERM\numount EPERM\n"
		"unshare_user EPERM\nuserfaultfd EPERM\nvm_read EPERM\n"
		"socket_alg EPERM\nsocket_netfilter EPERM\nsocket_packet EPERM\nsocket_raw EPERM\n"
		"socket_route 0\nsocket_unix 0\nsocket_vsock EPERM\n";
	auto_free char *outside = box_rig_outside(*state, controls);
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	for (const char *line = outside; *line; line = strchr(line, '\n') + 1)
		assert_memory_equal(strchr(line, ' '), " 0\n", 3);
	box_rig_spec(*state, &s, "inside", "calls", NULL);
	box_rig_run(&s, &run);
	auto_free char *want =
		mem_fmt(expected, ((const struct box_rig *)*state)->has_root ? "EPERM" : "EINVAL");
	assert_string_equal(buf_str(&run.out), want);
	assert_int_equal(run.exit_code, 0);
}

static void
limits_hold(void **state)
{
	auto_box_spec struct box_spec s;
	auto_box_run struct box_run run;

	box_rig_spec(*state, &s, "sh", "-c",
		"ulimit -n; ulimit -c; head -c 3000000 /dev/zero 2>&1 >/tmp/a | sed 's/.*: //';"
		"stat -c %s /tmp/a; for i in 1 2 3 4 5 6; do head -c 900000 /dev/zero >/tmp/$i; "
		"done 2>&1 | sed 's/.*: //' | sort -u;"
		"(for i in $(seq 60); do sleep 20 >/dev/null 2>&1 & done) 2>&1 | sed 's/.*: //' | "
		"sort -u",
		NULL);
	s.files_max = 64;
	s.file_bytes_max = 1000000;
	s.tmp_bytes_max = 4000000;
	s.procs_max = 40;
	box_rig_run(&s, &run);
	assert_non_null(strstr(run.out.data, "64\n0\n"));
	assert_non_null(strstr(run.out.data, "1000000\n"));
	assert_non_null(strstr(run.out.data, "No space left on device\n"));
	assert_non_null(strstr(run.out.data, "Cannot fork\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_is_what_was_given),
		cmocka_unit_test(our_memory_does_not_show),
		cmocka_unit_test(three_descriptors_and_no_more),
		cmocka_unit_test(it_is_nobody),
		cmocka_unit_test(the_system_is_read_only),
		cmocka_unit_test(the_host_is_not_there),
		cmocka_unit_test(proc_tells_nothing_of_the_machine),
		cmocka_unit_test(there_is_no_network),
		cmocka_unit_test(calls_are_refused),
		cmocka_unit_test(limits_hold),
	};

	return box_rig_main(tests, sizeof(tests) / sizeof(tests[0]));
}
