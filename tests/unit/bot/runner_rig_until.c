/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_rig_until - what a test of the runner waits for; see runner_rig.h.
 */
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void
runner_rig_until_done(struct runner_rig *r)
{
	int before = r->n_done;
	int more = 0;

	for (int i = 0; i < 12000 && r->n_done == before; i++)
		role_case_wait(&r->c);
	more = r->n_done - before;
	role_case_until(&r->c, &more);
}

void
runner_rig_until_tail(struct runner_rig *r, const char *word)
{
	int found = 0;

	for (int i = 0; i < 12000 && !found; i++) {
		role_case_wait(&r->c);
		found = r->tail && strstr(r->tail, word);
	}
	role_case_until(&r->c, &found);
}

bool
runner_rig_was_told(const struct runner_rig *r, const char *what)
{
	bool found = false;

	for (size_t i = 0; i < r->told.n; i++)
		found |= str_eq(r->told.v[i], what);
	return found;
}

void
runner_rig_until_told(struct runner_rig *r, const char *what)
{
	int found = 0;

	for (int i = 0; i < 12000 && !found; i++) {
		role_case_wait(&r->c);
		found = runner_rig_was_told(r, what);
	}
	if (!found)
		fail_msg("the queue was never told \"%s\"", what);
}

void
runner_rig_until_free(struct runner_rig *r, int64_t n)
{
	for (int i = 0; i < 12000 && r->claim.free_slots != n; i++)
		role_case_wait(&r->c);
	assert_int_equal(r->claim.free_slots, n);
}

void
runner_rig_until_alive(struct runner_rig *r, size_t n)
{
	int found = 0;
	int before = r->n_claims;

	for (int i = 0; i < 12000 && !found; i++) {
		role_case_wait(&r->c);
		found = r->n_claims > before && r->claim.alive.n == n;
	}
	role_case_until(&r->c, &found);
}
