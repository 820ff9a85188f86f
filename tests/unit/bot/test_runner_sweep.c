/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of runner_sweep: what cannot be removed now is removed later.
 */
#include "bot/runner.h"

#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOK_MS   20
#define LOOKS_MAX 3000

struct wait {
	struct runner *r;
	int looks;
};

static void
look(void *ctx)
{
	struct wait *w = ctx;

	if (!w->r->sweeps || ++w->looks == LOOKS_MAX)
		loop_stop(w->r->role->loop);
	else
		loop_timer_add(w->r->role->loop, LOOK_MS, look, w);
}

static void
no_descriptor_is_no_reason_to_forget(void **state)
{
	struct role_ctx role = { 0 };
	struct runner r = { .role = &role };
	struct wait w = { .r = &r };
	struct rlimit before, none;
	auto_free char *path = mem_fmt("%s/0.7.1", scratch_dir);
	auto_free char *file = mem_fmt("%s/task.cast", path);

	(void)state;
	assert_int_equal(loop_create(&role.loop, NULL), 0);
	assert_int_equal(fs_mkdirs(path, 0700, NULL), 0);
	assert_int_equal(fs_write_whole(file, "x", 1, 0600, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	sweep_rest(&r, mem_str(path), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_non_null(r.sweeps);

	loop_timer_add(role.loop, 0, look, &w);
	assert_int_equal(loop_run(role.loop, NULL), 0);
	assert_null(r.sweeps);
	assert_int_equal(access(path, F_OK), -1);
	loop_destroy(role.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(no_descriptor_is_no_reason_to_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
