/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_wire - the protocol table is complete, unambiguous and no wider than the links that exist.
 */
#include "bot/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

static void
every_type_has_one_rule(void **state)
{
	(void)state;
	for (uint16_t type = 1; type < WIRE_TYPE_COUNT; type++) {
		int rules = 0;

		for (size_t i = 0; i < WIRE_RULES_COUNT; i++)
			rules += WIRE_RULES[i].type == type;
		if (rules != 1)
			fail_msg("type %u has %d rules", type, rules);
	}
}

static bool
are_linked(unsigned a, unsigned b)
{
	if (a == ROLE_MASTER || b == ROLE_MASTER)
		return true;
	/* The runner starts its shims itself. */
	if ((a == ROLE_RUNNER && b == ROLE_SHIM) || (a == ROLE_SHIM && b == ROLE_RUNNER))
		return true;
	for (size_t i = 0; i < WIRE_PAIRS_COUNT; i++) {
		if ((WIRE_PAIRS[i].a == a && WIRE_PAIRS[i].b == b) ||
			(WIRE_PAIRS[i].a == b && WIRE_PAIRS[i].b == a))
			return true;
	}
	return false;
}

/* A rule from one role to one role needs a link between them; a rule nobody can use is a mistake.
 */
static void
every_rule_runs_over_a_link(void **state)
{
	(void)state;
	for (size_t i = 0; i < WIRE_RULES_COUNT; i++) {
		const struct msg_rule *r = &WIRE_RULES[i];
		bool usable = false;

		for (unsigned from = 0; from < ROLE_COUNT; from++) {
			for (unsigned to = 0; to < ROLE_COUNT; to++) {
				if (from != to && (r->from & ROLE_BIT(from)) &&
					(r->to & ROLE_BIT(to)))
					usable = usable || are_linked(from, to);
			}
		}
		if (!usable)
			fail_msg("%s", r->name);
	}
}

/* The design in one test: who may hear a secret, and that the role facing the internet hears none.
 */
static void
secrets_go_only_to_those_who_need_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < WIRE_RULES_COUNT; i++) {
		const struct msg_rule *r = &WIRE_RULES[i];

		if (r->from & ROLE_BIT(ROLE_KEEPER) &&
			r->to & (ROLE_BIT(ROLE_WEB) | ROLE_BIT(ROLE_RUNNER) |
					ROLE_BIT(ROLE_DECODER)))
			assert_true(r->type == WIRE_VERIFIED || r->type == WIRE_REDACTIONS);
		if (r->type == WIRE_SECRET)
			assert_false(r->to & (ROLE_BIT(ROLE_SHIM) | ROLE_BIT(ROLE_MASTER)));
	}
}

static void
a_task_survives_the_way(void **state)
{
	struct wire_start out = { .marker = mem_str("abcd1234") }, in;
	auto_buf struct buf packed = BUF_INIT(MIB(1));
	struct task *t = row_list_add(&out.task, sizeof(*t));

	(void)state;
	t->id = 17;
	t->repo = mem_str("acme/widget");
	t->prompt = mem_str("mend it");
	t->gate_exit = -1;
	assert_int_equal(row_pack(WIRE_START_ROWS, &out, &packed, NULL), 0);
	assert_int_equal(row_unpack(WIRE_START_ROWS, &in, packed.data, packed.len, NULL), 0);
	assert_int_equal(in.task.n, 1);
	t = in.task.v;
	assert_int_equal(t->id, 17);
	assert_int_equal(t->gate_exit, -1);
	assert_string_equal(t->prompt, "mend it");
	assert_null(t->branch);
	row_finish(WIRE_START_ROWS, &out);
	row_finish(WIRE_START_ROWS, &in);
}

static void
role_names_read_back(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ROLE_COUNT; r++)
		assert_int_equal(role_parse(role_name(r)), (int)r);
	assert_int_equal(role_parse("webb"), -1);
	assert_string_equal(role_name(ROLE_COUNT), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_one_rule),
		cmocka_unit_test(every_rule_runs_over_a_link),
		cmocka_unit_test(secrets_go_only_to_those_who_need_them),
		cmocka_unit_test(a_task_survives_the_way),
		cmocka_unit_test(role_names_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
