/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways out of a box, all of them tried: outside first, where each must work, then in a box,
 * where none may. As root and as an unprivileged user.
 *
 * The rows are in tests/escape; a row without a control fails here, and so does a number whose row
 * is gone. tests/lint/check-escape compares them with the list.
 */
#include "box_rig.h"

#include "base/clean.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CANARY   "canary-71c0de"
#define CANARY_R "ed0c17-yranac"
#define ROWS_MAX 400

/* What of the list is about the box, and can be tried by a program in it. */
static const int NUMBERS[] = { 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21,
	24, 26, 27, 28, 29, 30, 32, 48, 50, 51, 52, 53, 54, 55, 71, 75 };

struct outside {
	pid_t prey;
	int tcp;
	int path;
	int abstract;
	char pid[16];
	char port[16];
};

/* ---- what is there to be attacked ---- */

static void
start_prey(const struct box_rig *r, struct outside *o)
{
	auto_free char *program = box_rig_path(r, "tools/escape");
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o->prey = fork();
	assert_true(o->prey >= 0);
	if (o->prey == 0) {
		uid_t uid = r->is_root ? BOX_HOST_UID : geteuid();

		(void)setenv("NIGHTSHIFT_CANARY", CANARY, 1);
		if (r->is_root && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(1);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execl(program, program, "prey", CANARY, NULL);
		_exit(1);
	}
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* exec closed the other end */
	(void)close(ends[0]);
	(void)snprintf(o->pid, sizeof(o->pid), "%d", o->prey);
}

static int
listen_local(const char *path, bool is_abstract)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(u.sun_path + is_abstract, sizeof(u.sun_path) - 1, "%s", path);
	socklen_t len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path)) + (socklen_t)(n + is_abstract);

	assert_int_equal(bind(fd, (const struct sockaddr *)&u, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void
outside_start(const struct box_rig *r, struct outside *o)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	auto_free char *path = box_rig_path(r, "socket");

	start_prey(r, o);
	o->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(o->tcp, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(o->tcp, 8), 0);
	assert_int_equal(getsockname(o->tcp, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(o->port, sizeof(o->port), "%d", ntohs(a.sin_port));
	o->path = listen_local(path, false);
	o->abstract = listen_local(path, true);
	box_rig_write(r, "secret", "x");
	box_rig_mkdir(r, "boxes");
	box_rig_write(r, "boxes/other", "x");
}

static void
outside_finish(struct outside *o)
{
	(void)kill(o->prey, SIGKILL);
	(void)waitpid(o->prey, NULL, 0);
	(void)close(o->tcp);
	(void)close(o->path);
	(void)close(o->abstract);
}

/* ---- what came of it ---- */

struct result {
	const char *number;
	const char *name;
	const char *outcome;
	const char *wanted;
	const char *control;
};

/* Cuts the text up. */
static size_t
parse(char *text, struct result *v)
{
	size_t n = 0;
	char *line;

	while ((line = strsep(&text, "\n")) && strcmp(line, "end") != 0) {
		assert_true(n < ROWS_MAX);
		v[n] = (struct result){ 0 };
		v[n].number = strsep(&line, " ");
		v[n].name = strsep(&line, " ");
		v[n].outcome = strsep(&line, " ");
		v[n].wanted = strsep(&line, " ");
		v[n].control = line;
		if (!line)
			fail_msg("not a row: %s %s", v[n].number, v[n].name ? v[n].name : "");
		n++;
	}
	assert_non_null(line); /* it came to its end */
	return n;
}

/* One of the words between the bars. */
static bool
is_wanted(const struct result *r)
{
	size_t len = strlen(r->outcome);

	for (const char *p = r->wanted; *p; p += strcspn(p, "|"), p += *p == '|') {
		if (strcspn(p, "|") == len && strncmp(p, r->outcome, len) == 0)
			return true;
	}
	return false;
}

/* It is shown that the call is made, and not what the kernel says to it. */
static bool
is_answered(const struct result *outside)
{
	return strcmp(outside->outcome, "answered") == 0 &&
	       (strcmp(outside->control, "call") == 0 || strcmp(outside->control, "args") == 0);
}

/* Through. Of what is root's it is enough that it is there, and what this machine does not have at
 * all must not be in the box either. */
static bool
is_control(const struct result *outside, const struct result *box)
{
	if (strcmp(outside->outcome, "through") == 0 || is_answered(outside))
		return true;
	if (strcmp(outside->control, "root") != 0)
		return false;
	return strcmp(outside->outcome, "there") == 0 ||
	       (strcmp(outside->outcome, "ENOENT") == 0 && strcmp(box->outcome, "ENOENT") == 0);
}

static size_t
compare(const struct result *outside, const struct result *box, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		assert_string_equal(outside[i].name, box[i].name);
		if (!is_control(&outside[i], &box[i])) {
			print_error("%s %s: its control (%s) came to %s\n", outside[i].number,
				outside[i].name, outside[i].control, outside[i].outcome);
			bad++;
		}
		if (!is_wanted(&box[i])) {
			print_error("%s %s: %s in the box, not %s\n", box[i].number, box[i].name,
				box[i].outcome, box[i].wanted);
			bad++;
		}
	}
	return bad;
}

static size_t
count_answered(const struct result *outside, size_t n)
{
	size_t answered = 0;

	for (size_t i = 0; i < n; i++)
		answered += is_answered(&outside[i]);
	return answered;
}

static void
assert_all_numbers(const struct result *v, size_t n)
{
	for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
		bool found = false;

		for (size_t k = 0; k < n; k++)
			found |= strtol(v[k].number, NULL, 10) == NUMBERS[i];
		if (!found)
			fail_msg("no row tries number %d", NUMBERS[i]);
	}
}

static char *
run_outside(const struct box_rig *r, const struct outside *o)
{
	auto_free char *program = box_rig_path(r, "tools/escape");
	const char *const words[] = { "control", o->pid, o->port, CANARY_R, r->dir, NULL };
	struct box_rig as = *r;

	as.inside = program;
	return box_rig_outside(&as, words);
}

static void
run_inside(const struct box_rig *r, const struct outside *o, struct box_run *run)
{
	auto_box_spec struct box_spec s;

	box_rig_spec(r, &s, "escape", r->has_root ? "box-with-root" : "box", o->pid, o->port,
		CANARY_R, r->dir, NULL);
	s.procs_max = 64;
	s.files_max = 1024;
	s.tmp_bytes_max = 32 << 20;
	s.tmp_inodes_max = 4000;
	s.file_bytes_max = 16 << 20;
	s.data_bytes_max = 256 << 20;
	s.net = true;
	box_rig_run(&s, run);
}

static void
no_way_leads_out(void **state)
{
	static struct result outside[ROWS_MAX], box[ROWS_MAX];
	const struct box_rig *r = *state;
	auto_box_run struct box_run run;
	struct outside o;

	outside_start(r, &o);
	/* What must not get into the box: a variable and a descriptor. */
	assert_int_equal(setenv("NIGHTSHIFT_CANARY", CANARY, 1), 0);
	auto_fd int leak = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fcntl(leak, F_SETFD, 0), 0);
	auto_free char *control = run_outside(r, &o);
	run_inside(r, &o, &run);
	assert_int_equal(unsetenv("NIGHTSHIFT_CANARY"), 0);
	outside_finish(&o);
	size_t n = parse(control, outside);
	assert_int_equal(parse(run.out.data, box), n);
	assert_all_numbers(box, n);
	assert_int_equal(compare(outside, box, n), 0);
	print_message("%zu ways tried, each with its control; of %zu only that the call is made\n",
		n, count_answered(outside, n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_way_leads_out),
	};

	return box_rig_main(tests, sizeof(tests) / sizeof(tests[0]));
}
