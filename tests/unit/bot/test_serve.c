/* SPDX-License-Identifier: Apache-2.0 */
/* serve - which lists of roles are started and which are refused. */
#include "bot/serve.h"

#include "base/str.h"
#include "bot/role.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define B(r) ROLE_BIT(ROLE_##r)

static void
lists_of_roles(void **state)
{
	static const struct {
		const char *list;
		unsigned want; /* 0: refused */
		const char *why;
	} rows[] = {
		{ "keeper", B(KEEPER), NULL },
		{ "queue,courier,decoder,keeper", B(QUEUE) | B(COURIER) | B(DECODER) | B(KEEPER),
			NULL },
		{ "web,queue,courier,decoder,keeper",
			B(WEB) | B(QUEUE) | B(COURIER) | B(DECODER) | B(KEEPER), NULL },
		{ "runner,gateway,queue,courier,decoder,keeper,",
			B(RUNNER) | B(GATEWAY) | B(QUEUE) | B(COURIER) | B(DECODER) | B(KEEPER),
			NULL },
		{ "web,queue", 0, "queue needs decoder beside it" },
		{ "web", 0, "web needs queue beside it" },
		{ "decoder", 0, "decoder needs queue beside it" },
		{ "courier,queue,decoder", 0, "courier needs keeper beside it" },
		{ "gateway,keeper", 0, "gateway needs runner beside it" },
		{ "", 0, "needs names of roles" },
		{ ",", 0, "there is no role \"\"" },
		{ "keeper,,web", 0, "there is no role \"\"" },
		{ "Keeper", 0, "there is no role \"Keeper\"" },
		{ "keeper, web", 0, "there is no role \" web\"" },
		{ "master", 0, "there is no role \"master\"" },
		{ "shim", 0, "there is no role \"shim\"" },
		{ "wbe", 0, "there is no role \"wbe\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned only = 77;
		struct err e = { 0 };
		int rc = serve_roles(rows[i].list, &only, &e);

		if (rc != (rows[i].want ? 0 : ERR_INVALID))
			fail_msg("\"%s\": %d %s", rows[i].list, rc, e.text);
		assert_int_equal(only, rows[i].want ? rows[i].want : 77);
		if (rows[i].why && !strstr(e.text, rows[i].why))
			fail_msg("\"%s\": %s", rows[i].list, e.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
