/* SPDX-License-Identifier: Apache-2.0 */
/*
 * truth - what must hold when faults have stopped and everything has come to rest.
 *
 * The numbers are those of the project's invariants: I1 what was acknowledged is stored, I2 one
 * trigger one task, I3 one pull request, one progress comment, and the end is told, I4 nothing by
 * who may not, I5 at most three attempts, I6 one live box, I10 nothing vanishes, I11 the file is
 * whole, I12 it ends.
 */
#include "tests/sim/forge.h"
#include "tests/sim/rows.h"

#include "bot/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
truth_is_quiet(void)
{
	struct queue *q = actor_of(ROLE_QUEUE)->ctx.own;

	if (!roles_are_all_up() || !people_are_done() || q->n_flights > 0 || q->n_cases > 0 ||
		q->is_open)
		return false;
	return rows_count("SELECT count(*) FROM task WHERE state < 5") == 0 &&
	       rows_count("SELECT count(*) FROM delivery WHERE state = 0") == 0 &&
	       rows_count("SELECT count(*) FROM effect WHERE state < 2") == 0;
}

/* ---- I3 ---- */

static int64_t
comments_with(const char *start, const struct place_comment **last)
{
	int64_t n = 0;

	for (size_t i = 0; i < PLACE.n_comments; i++) {
		const struct place_comment *c = &PLACE.comments[i];

		if (c->is_gone || c->user_id != BOT_ID || !str_starts(c->body, start))
			continue;
		*last = c;
		n++;
	}
	return n;
}

static void
check_sticky(const char *id, const char *state)
{
	char marker[64], headline[128];
	const struct place_comment *c = NULL;

	(void)snprintf(marker, sizeof(marker), "<!-- nightshift:task=%s:", id);
	(void)snprintf(headline, sizeof(headline), "**Task %s**: %s", id,
		str_eq(state, "waiting") ? "waits for a human" : state);
	int64_t n = comments_with(marker, &c);
	if (n != 1)
		sim_violation("I3: task %s has %" PRId64 " progress comments", id, n);
	else if (!strstr(c->body, headline))
		sim_violation("I3: the comment of task %s does not say \"%s\": %.200s", id,
			headline, c->body);
}

static void
check_pulls(const char *id, const char *branch, const char *state, const char *number)
{
	int64_t n = 0, shown = 0;

	for (size_t i = 0; i < PLACE.n_pulls; i++) {
		if (str_eq(PLACE.pulls[i].head, branch)) {
			n++;
			shown = PLACE.pulls[i].number;
		}
	}
	if (n > 1)
		sim_violation("I3: task %s has %" PRId64 " pull requests", id, n);
	else if (n == 0 && str_eq(state, "succeeded"))
		sim_violation("I3: task %s succeeded without a pull request", id);
	else if (n == 1 && shown != strtoll(number, NULL, 10))
		sim_violation("I3: task %s has pull request %" PRId64 " and knows of %s", id, shown,
			number);
}

/* id, state, branch, attempt, pull_number, number, repo_id */
static void
check_task(void *ctx, const char *const *row)
{
	const char *state = task_state_name(strtoll(row[1], NULL, 10));

	(void)ctx;
	check_sticky(row[0], state);
	check_pulls(row[0], row[2], state, row[4]);
	/* A forge that was away is nobody's attempt. */
	int64_t tries = strtoll(row[3], NULL, 10) -
			rows_count("SELECT count(*) FROM attempt WHERE task = %s AND outcome = %d",
				row[0], OUTCOME_AWAY);
	int64_t agents = machine_attempts(strtoll(row[0], NULL, 10));
	if (tries > 3 || agents > 3)
		sim_violation("I5: task %s has had %" PRId64 " attempts, %" PRId64 " agents",
			row[0], tries, agents);
	for (size_t i = 0; i < PLACE.n_issues; i++) {
		const struct place_issue *x = &PLACE.issues[i];

		if (x->number == strtoll(row[5], NULL, 10) && place_has_label(i, "agent:running"))
			sim_violation("I3: #%s is still labelled as running", row[5]);
	}
}

/* ---- what is on the forge and should not be ---- */

static void
check_pull_of(const struct place_pull *p)
{
	if (rows_count("SELECT count(*) FROM task WHERE branch = '%s'", p->head) != 1)
		sim_violation("I4: pull request #%" PRId64 " is of no task", p->number);
}

/* Replies have markers of their own; none is said twice. */
static void
check_twins(void)
{
	for (size_t i = 0; i < PLACE.n_comments; i++) {
		const struct place_comment *a = &PLACE.comments[i];
		char marker[128];
		const struct place_comment *last = NULL;

		if (a->is_gone || !str_starts(a->body, "<!-- nightshift:reply="))
			continue;
		(void)snprintf(
			marker, sizeof(marker), "%.*s", (int)strcspn(a->body, "\n"), a->body);
		if (comments_with(marker, &last) > 1 && last != a) {
			sim_violation("I3: said twice: %s", marker);
			return;
		}
	}
	for (size_t i = 0; i < PLACE.n_checks; i++) {
		for (size_t k = i + 1; k < PLACE.n_checks; k++) {
			if (str_eq(PLACE.checks[i].external_id, PLACE.checks[k].external_id))
				sim_violation(
					"I3: two check runs of %s", PLACE.checks[i].external_id);
		}
	}
}

/* task, purpose, code, text, tries */
static void
check_dead(void *ctx, const char *const *row)
{
	int64_t code = strtoll(row[2], NULL, 10);
	bool is_handing_over = str_eq(row[1], "push") || str_eq(row[1], "pull");

	(void)ctx;
	if (code == ERR_MISSING || (is_handing_over && code == ERR_DENIED) ||
		str_eq(row[3], "stopped"))
		return;
	sim_violation("I3: effect %s of task %s was given up after %s tries: %s", row[1], row[0],
		row[4], row[3]);
}

static void
check_acked(void)
{
	const char *const *guids;
	size_t n = web_acked(&guids);

	for (size_t i = 0; i < n; i++) {
		if (rows_count("SELECT count(*) FROM delivery WHERE guid = '%s'", guids[i]) != 1)
			sim_violation("I1: delivery %s was acknowledged and is not here", guids[i]);
	}
}

/* id, reason, forge */
static void
check_quarantine(void *ctx, const char *const *row)
{
	(void)ctx;
	sim_violation("I10: delivery %s was put aside: %s", row[0], row[1]);
}

static void
check_whole(void *ctx, const char *const *row)
{
	(void)ctx;
	if (!str_eq(row[0], "ok"))
		sim_violation("I11: %s", row[0]);
}

void
truth_check(void)
{
	const struct queue *q = actor_of(ROLE_QUEUE)->ctx.own;
	struct store_tally tally = { 0 };
	struct err e = { 0 };

	check_acked();
	people_check();
	rows_each("SELECT id, state, branch, attempt, pull_number, number, repo_id FROM task",
		check_task, NULL);
	for (size_t i = 0; i < PLACE.n_pulls; i++)
		check_pull_of(&PLACE.pulls[i]);
	check_twins();
	rows_each("SELECT task, purpose, code, text, tries FROM effect WHERE state = 3", check_dead,
		NULL);
	rows_each("SELECT id, reason FROM delivery WHERE state = 3 AND strikes < 3",
		check_quarantine, NULL);
	rows_each("PRAGMA integrity_check", check_whole, NULL);
	if (q->db->tally(q->store, &tally, &e) < 0 || store_tally_check(&tally, &e) < 0)
		sim_violation("I10: %s", e.text);
}
