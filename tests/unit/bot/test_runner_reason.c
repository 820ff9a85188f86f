/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each end of a box as it is told.
 */
#include "bot/runner_reason.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char DISK[] = "its disk of 8 GiB was full";
static char ABSENT[] = "exec codex: No such file or directory";

static const struct {
	struct wire_step_done done;
	const char *end;
	const char *loss;
} ROWS[] = {
	{ { .ended_by = BOX_END_ITSELF, .exit_code = 3 }, "ended with exit code 3", NULL },
	{ { .ended_by = BOX_END_ITSELF, .exit_code = 2, .procs_met = 512 },
		"ended with exit code 2 and had met its limit of 512 processes", NULL },
	{ { .ended_by = BOX_END_WALL, .limit = 2700000 }, "was stopped after 45m", NULL },
	{ { .ended_by = BOX_END_WALL, .limit = 90000 }, "was stopped after 90s", NULL },
	{ { .ended_by = BOX_END_IDLE, .limit = 600000 },
		"was stopped after 10m without output, network traffic or work", NULL },
	{ { .ended_by = BOX_END_MEMORY, .limit = MIB(8192), .exit_code = 137 },
		"was stopped because it needed more than its 8GiB of memory", NULL },
	{ { .ended_by = BOX_END_MEMORY, .limit = MIB(8192), .procs_met = 16 },
		"was stopped because it needed more than its 8GiB of memory and had met its limit "
		"of 16 processes",
		NULL },
	{ { .ended_by = BOX_END_OUTPUT, .limit = MIB(1500) },
		"was stopped because it printed more than 1500MiB", NULL },
	{ { .ended_by = BOX_END_DISK, .text = DISK, .exit_code = 1 },
		"ended because its disk of 8 GiB was full", NULL },
	{ { .ended_by = BOX_END_BUDGET, .exit_code = 143 },
		"was stopped because it may not ask the model any more", NULL },
	{ { .ended_by = BOX_END_START, .stage = BOX_STAGE_EXEC, .text = ABSENT },
		"cannot be started: exec codex: No such file or directory",
		"the box could not be built (stage 54): exec codex: No such file or directory" },
	{ { .ended_by = BOX_END_INFRA, .text = DISK }, NULL,
		"the box was lost: its disk of 8 GiB was full" },
	{ { .ended_by = BOX_END_STOP }, NULL, "the box was lost: stop" },
	{ { .ended_by = BOX_END_COUNT, .exit_code = 9 }, "ended with exit code 9",
		"the box was lost: unknown" },
	{ { .ended_by = -1, .exit_code = 9 }, "ended with exit code 9", NULL },
};

static void
each_end_has_its_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		auto_buf struct buf end = BUF_INIT(KIB(1));
		auto_buf struct buf loss = BUF_INIT(KIB(1));

		reason_of_end(&ROWS[i].done, &end);
		reason_of_loss(&ROWS[i].done, &loss);
		if (ROWS[i].end)
			assert_string_equal(buf_str(&end), ROWS[i].end);
		if (ROWS[i].loss)
			assert_string_equal(buf_str(&loss), ROWS[i].loss);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_end_has_its_sentence) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
