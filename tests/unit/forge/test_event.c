/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event says of a label.
 */
#include "forge/forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char agent[] = "agent", bug[] = "bug";
static char *only_agent[] = { agent }, *only_bug[] = { bug };

static const struct {
	const char *name;
	struct forge_event ev;
	enum forge_label_state want;
} CASES[] = {
	{ "another event", { .kind = EVENT_CLOSED, .label = agent, .label_added = true },
		LABEL_UNCHANGED },
	{ "the label was added", { .kind = EVENT_LABELS, .label = agent, .label_added = true },
		LABEL_ON },
	{ "the label was removed", { .kind = EVENT_LABELS, .label = agent }, LABEL_OFF },
	{ "another label was added", { .kind = EVENT_LABELS, .label = bug, .label_added = true },
		LABEL_UNCHANGED },
	{ "another label was added, and the list has ours",
		{ .kind = EVENT_LABELS,
			.label = bug,
			.label_added = true,
			.labels_known = true,
			.labels = { only_agent, 1 } },
		LABEL_UNCHANGED },
	{ "the list has it",
		{ .kind = EVENT_LABELS, .labels_known = true, .labels = { only_agent, 1 } },
		LABEL_ON },
	{ "the list has it not",
		{ .kind = EVENT_LABELS, .labels_known = true, .labels = { only_bug, 1 } },
		LABEL_OFF },
	{ "the list is empty", { .kind = EVENT_LABELS, .labels_known = true }, LABEL_OFF },
	{ "it came: not in the list before",
		{ .kind = EVENT_LABELS,
			.labels_known = true,
			.labels = { only_agent, 1 },
			.labels_differ = true,
			.labels_were = { only_bug, 1 } },
		LABEL_ON },
	{ "it went: in the list before",
		{ .kind = EVENT_LABELS,
			.labels_known = true,
			.labels = { only_bug, 1 },
			.labels_differ = true,
			.labels_were = { only_agent, 1 } },
		LABEL_OFF },
	{ "it stayed",
		{ .kind = EVENT_LABELS,
			.labels_known = true,
			.labels = { only_agent, 1 },
			.labels_differ = true,
			.labels_were = { only_agent, 1 } },
		LABEL_UNCHANGED },
	{ "it never was",
		{ .kind = EVENT_LABELS,
			.labels_known = true,
			.labels_differ = true,
			.labels_were = { only_bug, 1 } },
		LABEL_UNCHANGED },
	{ "the list before is not whole",
		{ .kind = EVENT_LABELS, .labels_known = true, .labels_were = { only_agent, 1 } },
		LABEL_OFF },
	{ "nobody knows", { .kind = EVENT_LABELS }, LABEL_UNCHANGED },
};

static void
labels_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		if (forge_event_label(&CASES[i].ev, "agent") != CASES[i].want)
			fail_msg("%s", CASES[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_by_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
