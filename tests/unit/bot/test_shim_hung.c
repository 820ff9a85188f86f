/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim of a box whose gateway hangs: it holds its pipe open and says nothing more. A program of
 * its own, because it takes as long as that may last.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/msg.h"
#include "base/str.h"
#include "tests/unit/bot/shim_rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define SILENCE_MS 30000

/* Each of its words is a new beginning. */
static void
a_gateway_that_hangs_ends_the_box(void **state)
{
	struct shim_rig *c = *state;
	auto_box_spec struct box_spec s;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	auto_fd int theirs = ends[0];
	auto_fd int ours = ends[1];
	shim_rig_shell(&s, "agent", "echo up; sleep 3600");
	s.net = true;
	shim_rig_send(c, &s);
	shim_rig_until(c, &c->n_listens, 1);
	struct msg_out go = { .type = WIRE_STEP_GO, .fds = &theirs, .n_fds = 1 };
	assert_int_equal(write(ours, "", 1), 1);
	assert_int_equal(msg_send(c->link, &go, NULL), 0);
	shim_rig_until_tail(c, "up");
	shim_rig_wait(c, 2 * WIRE_PULSE_MS);
	int64_t since_ms = clock_boot_ms();
	assert_int_equal(write(ours, "", 1), 1);
	shim_rig_until(c, &c->n_done, 1);
	assert_true(clock_boot_ms() - since_ms >= SILENCE_MS);
	assert_int_equal(c->done.ended_by, BOX_END_INFRA);
	assert_string_equal(c->done.text, "the gateway hangs");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SHIM_TEST(a_gateway_that_hangs_ends_the_box),
	};

	if (argc == 3 && str_eq(argv[2], "shim"))
		return shim_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
