/* SPDX-License-Identifier: Apache-2.0 */
/* mem - allocation, strings, and the end when there is none. */
#include "base/mem.h"

#include "base/clean.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void
zeroed_objects_are_zero(void **state)
{
	auto_free unsigned char *p = mem_array(16, 4);
	auto_free void *nothing = mem_array(0, 8);

	(void)state;
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(p[i], 0);
	assert_non_null(nothing);
}

static void
growing_keeps_the_contents(void **state)
{
	int *p = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		p = mem_grow(p, (size_t)i + 1, sizeof(*p));
		p[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(p[i], i);
	free(p);
}

static void
copies_strings(void **state)
{
	auto_free char *a = mem_str("abc");
	auto_free char *b = mem_strn("abcdef", 3);
	auto_free char *c = mem_strn("ab", 3);
	auto_free char *d = mem_fmt("%s-%d", "x", 7);
	auto_free void *e = mem_dup("a\0b", 3);
	auto_free void *f = mem_dup(NULL, 0);

	(void)state;
	assert_string_equal(a, "abc");
	assert_string_equal(b, "abc");
	assert_string_equal(c, "ab");
	assert_string_equal(d, "x-7");
	assert_memory_equal(e, "a\0b", 3);
	assert_non_null(f);
	assert_null(mem_str(NULL));
	assert_null(mem_strn(NULL, 3));
}

static void
setting_may_point_into_the_old_value(void **state)
{
	char *p = NULL;

	(void)state;
	mem_set(&p, "owner/name");
	mem_set(&p, p + 6);
	assert_string_equal(p, "name");
	mem_set(&p, NULL);
	assert_null(p);
}

static void
wiping_leaves_zeros(void **state)
{
	char secret[] = "hunter2";

	(void)state;
	mem_wipe(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
	mem_wipe(NULL, 0);
}

/* The signal that ended a child which asked for n objects of size bytes. */
static int
signal_of_asking(size_t n, size_t size)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };
	const struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		void *volatile p;

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(null, STDERR_FILENO);
		(void)sigaction(SIGABRT, &plain, NULL); /* cmocka catches it */
		p = mem_grow(NULL, n, size);
		_exit(p != NULL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
overflow_and_no_memory_abort(void **state)
{
	(void)state;
	assert_int_equal(signal_of_asking(SIZE_MAX / 2, 4), SIGABRT);
	assert_int_equal(signal_of_asking(SIZE_MAX / 4, 2), SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_objects_are_zero),
		cmocka_unit_test(growing_keeps_the_contents),
		cmocka_unit_test(copies_strings),
		cmocka_unit_test(setting_may_point_into_the_old_value),
		cmocka_unit_test(wiping_leaves_zeros),
		cmocka_unit_test(overflow_and_no_memory_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
