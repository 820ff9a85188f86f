/* SPDX-License-Identifier: Apache-2.0 */
/* check_case - see check_case.h. */
#include "tests/unit/bot/check_case.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

char check_case_dir[64];

int
check_case_setup(void **state)
{
	(void)state;
	(void)snprintf(check_case_dir, sizeof(check_case_dir), "/tmp/ns-test-check-XXXXXX");
	return mkdtemp(check_case_dir) ? chdir(check_case_dir) : -1;
}

int
check_case_teardown(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return fs_remove_tree(check_case_dir, NULL);
}

void
check_case_put(const char *path, const char *text, mode_t mode)
{
	assert_int_equal(fs_write_atomic(path, text, strlen(text), mode, NULL), 0);
}

void
check_case_parse(const char *text, struct config *c)
{
	auto_free char *name = mem_fmt("%s/nightshift.yaml", check_case_dir);
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
