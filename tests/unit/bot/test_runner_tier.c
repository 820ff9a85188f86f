/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sandbox.tier_min says holds: a runner that cannot build such a box does not start, and there
 * is no way to have one without a box.
 */
#include "config/config.h"
#include "tests/unit/bot/role_case.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define FORGE                                                                                      \
	"forges: { f: { kind: gitea, url: http://127.0.0.1:9, token_file: t, "                     \
	"webhook_secret_file: h } }\n"

/* As a container that forbids namespaces. */
static int
no_namespaces(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static void
without_a_box_nothing_starts(void **state)
{
	struct role_case c;

	(void)state;
	role_case_init(&c, ROLE_RUNNER);
	c.before = no_namespaces;
	assert_int_not_equal(role_case_refuses(&c, FORGE, ROLE_QUEUE), 0);
	role_case_finish(&c);
}

static void
a_lesser_box_is_none(void **state)
{
	struct role_case c;

	(void)state;
	role_case_init(&c, ROLE_RUNNER);
	assert_int_not_equal(
		role_case_refuses(&c, FORGE "sandbox: { tier_min: vm }\n", ROLE_QUEUE), 0);
	role_case_finish(&c);
}

static void
none_is_no_tier(void **state)
{
	static const struct {
		const char *word;
		const char *why;
	} rows[] = {
		{ "none", "none of userns, slots, vm" },
		{ "landlock", "none of userns, slots, vm: that is no box" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		auto_config struct config c = { 0 };
		char text[512];
		struct err e = { 0 };

		(void)snprintf(text, sizeof(text),
			"intake: poll\n" FORGE "sandbox: { tier_min: \"%s\" }\n", rows[i].word);
		assert_true(config_parse(text, strlen(text), "n.yaml", &c, &e) < 0);
		assert_non_null(strstr(e.text, "tier_min"));
		assert_non_null(strstr(e.text, rows[i].why));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_box_nothing_starts),
		cmocka_unit_test(a_lesser_box_is_none),
		cmocka_unit_test(none_is_no_tier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
