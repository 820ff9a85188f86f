/* SPDX-License-Identifier: Apache-2.0 */
/* check_case - see check_case.h. */
#include "tests/unit/bot/check_case.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

void
check_case_parse(const char *text, struct config *c)
{
	auto_free char *name = mem_fmt("%s/nightshift.yaml", scratch_dir);
	struct err e = { 0 };

	if (config_parse(text, strlen(text), name, c, &e) < 0)
		fail_msg("%s", e.text);
}

const struct check_item *
check_case_find(const struct check_report *r, const char *name, const char *text)
{
	const struct check_item *items = r->items.v;

	for (size_t i = 0; i < r->items.n; i++) {
		if (str_eq(items[i].name, name) && strstr(items[i].text, text))
			return &items[i];
	}
	return NULL;
}

void
check_case_has(const struct check_report *r, const char *name, const char *state, const char *text)
{
	const struct check_item *i = check_case_find(r, name, text);

	if (!i || !str_eq(i->state, state)) {
		const struct check_item *items = r->items.v;

		for (size_t k = 0; k < r->items.n; k++)
			print_message("%s %s: %s\n", items[k].state, items[k].name, items[k].text);
		fail_msg("no %s %s: %s", state, name, text);
	}
}
