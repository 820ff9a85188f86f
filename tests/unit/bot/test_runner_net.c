/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the networks that the runner has made ahead, seen as the machine shows them: as
 * descriptors of the runner.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/bot/runner_rig.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define AHEAD 6 /* two boxes and four to spare */
#define TELL  "#!/bin/sh\nreadlink /proc/self/ns/net\necho told\nsleep 60\n"

/* "net:[...]" of each that the runner holds. */
static void
nets_of(const struct runner_rig *r, struct strs *out)
{
	auto_free char *dir = mem_fmt("/proc/%d/fd", r->c.pid);
	auto_dir DIR *d = opendir(dir);
	const struct dirent *de;

	assert_non_null(d);
	while ((de = readdir(d))) {
		auto_free char *path = mem_fmt("%s/%s", dir, de->d_name);
		char target[64] = "";

		if (readlink(path, target, sizeof(target) - 1) > 0 && str_starts(target, "net:["))
			strs_add(out, target);
	}
}

/* Until there are n, all different, and none is the runner's own or ours. */
static void
until_nets(struct runner_rig *r, size_t n, struct strs *nets)
{
	auto_free char *link = mem_fmt("/proc/%d/ns/net", r->c.pid);
	char own[64] = "", ours[64] = "";

	assert_true(readlink(link, own, sizeof(own) - 1) > 0);
	assert_true(readlink("/proc/self/ns/net", ours, sizeof(ours) - 1) > 0);
	for (int i = 0; i < 12000 && (i == 0 || nets->n != n); i++) {
		role_case_wait(&r->c);
		strs_finish(nets);
		nets_of(r, nets);
	}
	assert_int_equal(nets->n, n);
	assert_false(strs_has(nets, own) || strs_has(nets, ours));
	for (size_t i = 0; i + 1 < n; i++) {
		for (size_t k = i + 1; k < n; k++)
			assert_string_not_equal(nets->v[i], nets->v[k]);
	}
}

/* The network that the agent says it is in. */
static char *
net_of_agent(struct runner_rig *r, int64_t task)
{
	runner_rig_start(r, task, 1);
	runner_rig_until_tail(r, "told");
	const char *at = strstr(r->tail, "net:[");

	assert_non_null(at);
	return mem_strn(at, strcspn(at, "\n"));
}

static void
end_task(struct runner_rig *r, int64_t task)
{
	runner_rig_stop(r, task, 1);
	runner_rig_until_done(r);
	runner_rig_until_alive(r, 0);
}

static pid_t
maker_of(const struct runner_rig *r)
{
	auto_free char *path = mem_fmt("/proc/%d/task/%d/children", r->c.pid, r->c.pid);
	auto_buf struct buf text = BUF_INIT(64);

	assert_int_equal(fs_read(path, &text, NULL), 0);
	return (pid_t)strtol(buf_str(&text), NULL, 10); /* no attempt lives: it is the only one */
}

static void
each_box_has_one_that_was_ready_and_nobody_has_it_again(void **state)
{
	auto_strs struct strs before = { 0 };
	auto_strs struct strs after = { 0 };
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, TELL, "");
	until_nets(&r, AHEAD, &before);
	auto_free char *first = net_of_agent(&r, 1);
	assert_true(strs_has(&before, first));
	end_task(&r, 1);
	until_nets(&r, AHEAD, &after);
	assert_false(strs_has(&after, first));
	free(steal_ptr(&r.tail));
	auto_free char *second = net_of_agent(&r, 2);
	assert_string_not_equal(first, second);
	end_task(&r, 2);
	runner_rig_finish(&r);
}

/* Those that are there are used up; then there is another maker. */
static void
a_maker_may_die(void **state)
{
	auto_strs struct strs nets = { 0 };
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, TELL, "");
	until_nets(&r, AHEAD, &nets);
	assert_int_equal(kill(maker_of(&r), SIGKILL), 0);
	auto_free char *net = net_of_agent(&r, 1);
	assert_true(strs_has(&nets, net));
	end_task(&r, 1);
	until_nets(&r, AHEAD, &nets);
	assert_false(strs_has(&nets, net));
	runner_rig_finish(&r);
}

/* Killed, it takes its maker along, and with both their descriptors go the networks. */
static void
nothing_is_left_of_a_killed_runner(void **state)
{
	auto_strs struct strs nets = { 0 };
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, TELL, "");
	until_nets(&r, AHEAD, &nets);
	auto_fd int maker = pidfd_open(maker_of(&r), 0);
	struct pollfd p = { .fd = maker, .events = POLLIN };
	assert_true(maker >= 0);
	assert_int_equal(kill(r.c.pid, SIGKILL), 0);
	assert_int_equal(waitpid(r.c.pid, NULL, 0), r.c.pid);
	r.c.pid = 0;
	assert_int_equal(poll(&p, 1, 60000), 1);
	runner_rig_finish(&r);
}

/* Nobody else's runner has them made ahead. */
int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_box_has_one_that_was_ready_and_nobody_has_it_again),
		cmocka_unit_test(a_maker_may_die),
		cmocka_unit_test(nothing_is_left_of_a_killed_runner),
	};

	if (geteuid() != 0) {
		print_error("not tried; run this as root\n");
		return 1;
	}
	return _cmocka_run_group_tests(
		"networks made ahead", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
