/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_role - the queue as a process, confined, with a disk that must not forget: what was
 * acknowledged is there after kill -9.
 */
#include "base/mem.h"
#include "forge/forge.h"
#include "tests/unit/bot/role_case.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#define ROUNDS   12
#define TOGETHER 16

static const char CONFIG[] = "forges:\n"
			     "  gh:\n    kind: github\n    url: http://127.0.0.1:1\n"
			     "    token_env: NS_TEST_TOKEN\n"
			     "    webhook_secret_env: NS_TEST_HOOK\n";

struct delivered {
	struct role_case *c;
	bool is_answered;
	bool is_stored;
	bool is_duplicate;
	int *n_answered;
};

static int
setup(void **state)
{
	struct role_case *c = mem_zero(sizeof(*c));

	assert_int_equal(setenv("NS_TEST_TOKEN", "token-of-a-variable", 1), 0);
	assert_int_equal(setenv("NS_TEST_HOOK", "secret-of-a-variable", 1), 0);
	role_case_init(c, ROLE_QUEUE);
	role_case_start(c, CONFIG, ROLE_WEB);
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct role_case *c = *state;

	role_case_finish(c);
	free(c);
	return 0;
}

static void
on_stored(void *ctx, struct msg *m, const struct err *e)
{
	struct delivered *d = ctx;
	const struct wire_stored *s = m ? m->obj : NULL;

	(void)e;
	assert_non_null(s);
	d->is_answered = true;
	d->is_stored = s->ok;
	d->is_duplicate = s->is_duplicate;
	++*d->n_answered;
	loop_stop(d->c->loop);
}

static uint64_t
deliver(struct delivered *d, int number)
{
	char forge[] = "gh", event[] = "issues", guid[32], body[3000];
	const struct forge_delivery head = { .forge = forge, .guid = guid, .event = event };

	(void)snprintf(guid, sizeof(guid), "g-%d", number);
	memset(body, 'x', sizeof(body));
	return msg_call(d->c->peer,
		&(struct msg_out){ .type = WIRE_DELIVERY,
			.obj = &head,
			.blob = body,
			.blob_len = sizeof(body) },
		0, on_stored, d);
}

/* The role dies; its links and their calls with it. */
static void
kill_and_restart(struct role_case *c)
{
	assert_int_equal(kill(c->pid, SIGKILL), 0);
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
	c->pid = 0;
	msg_link_destroy(c->peer);
	msg_link_destroy(c->master);
	c->peer = c->master = NULL;
	c->is_ready = false;
	role_case_start(c, CONFIG, ROLE_WEB);
}

static void
acknowledged_deliveries_survive_kill_9(void **state)
{
	struct role_case *c = *state;
	int acked = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct delivered d[TOGETHER] = { 0 };
		int n = 0, first = round * TOGETHER;

		for (int i = 0; i < TOGETHER; i++) {
			d[i].c = c;
			d[i].n_answered = &n;
			(void)deliver(&d[i], first + i);
		}
		/* In the middle: some are acknowledged, some are not. */
		role_case_until(c, &n);
		while (n < 1 + round % TOGETHER)
			role_case_wait(c);
		kill_and_restart(c);
		for (int i = 0; i < TOGETHER; i++) {
			struct delivered again = { .c = c };
			int done = 0;

			again.n_answered = &done;
			(void)deliver(&again, first + i);
			role_case_until(c, &done);
			assert_true(again.is_stored);
			if (d[i].is_answered && d[i].is_stored) {
				acked++;
				assert_true(again.is_duplicate);
			}
		}
	}
	assert_true(acked >= ROUNDS);
}

static void
a_stop_is_quick_and_clean(void **state)
{
	struct role_case *c = *state;
	struct delivered d = { .c = c };
	int n = 0;

	d.n_answered = &n;
	(void)deliver(&d, 1);
	role_case_until(c, &n);
	assert_true(d.is_stored);
	assert_int_equal(role_case_stop(c), 0);
	auto_free char *wal = mem_fmt("%s/state/store/nightshift.db-wal", c->dir);
	assert_int_equal(access(wal, F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			acknowledged_deliveries_survive_kill_9, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stop_is_quick_and_clean, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
