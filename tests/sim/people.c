/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people - what is asked for on the forge, by those who may and by those who may not, and what must
 * have come of it.
 */
#include "tests/sim/forge.h"
#include "tests/sim/rows.h"

#include <inttypes.h>

#define ISSUES_LEAST 2
#define ISSUES_MOST  9
#define AWHILE_MS    (3 * MINUTE) /* a push that was allowed may take so long */

enum script {
	SCRIPT_LABEL,
	SCRIPT_COMMAND,
	SCRIPT_STRANGER, /* commands, and may not */
	SCRIPT_TRIAGER,  /* labels, and may not order */
	SCRIPT_STOP,
	SCRIPT_CLOSE,
	SCRIPT_EDIT,  /* a stranger changes the text */
	SCRIPT_LEAVE, /* who asked may not write any more */
	SCRIPT_AGAIN, /* labelled once more when it is over */
	SCRIPT_BOTH,  /* a label and a command at once */
	SCRIPT_COUNT,
};

struct story {
	enum script script;
	size_t issue;
	int64_t second_ms; /* when the last thing was done */
	bool is_over;
};

static struct story stories[ISSUES_MOST];
static size_t n_stories;
static bool has_left;

void
people_wipe(void)
{
	n_stories = 0;
	has_left = false;
}

/* Of what was done last nobody may have told: it is found by looking. */
bool
people_are_done(void)
{
	for (size_t i = 0; i < n_stories; i++) {
		if (!stories[i].is_over || SIM.now_ms - stories[i].second_ms < SWEEPS_MS)
			return false;
	}
	return true;
}

static void
leave(void)
{
	PEOPLE[WHO_LEAVER].permission = PEOPLE[WHO_LEAVER].role = "read";
	has_left = true;
}

/* Nobody labels again before he sees that it is over. */
static bool
looks_over(size_t issue)
{
	return !place_has_label(issue, "agent") && !place_has_label(issue, "agent:running") &&
	       (place_has_label(issue, "agent:done") || place_has_label(issue, "agent:failed") ||
		       place_has_label(issue, "agent:needs-human"));
}

static void
second(void *ctx)
{
	struct story *s = ctx;

	if (s->script == SCRIPT_AGAIN && !looks_over(s->issue)) {
		(void)loop_timer_add(sim_loop(), MINUTE, second, s);
		return;
	}
	s->is_over = true;
	s->second_ms = SIM.now_ms;
	sim_note("second thing of story %d on #%" PRId64, (int)s->script,
		PLACE.issues[s->issue].number);
	if (s->script == SCRIPT_STOP)
		(void)place_comment(s->issue, "/agent stop", PEOPLE[WHO_OTHER].id);
	else if (s->script == SCRIPT_CLOSE)
		place_close(s->issue, PEOPLE[WHO_WRITER].id);
	else if (s->script == SCRIPT_EDIT)
		place_edit_body(s->issue, PEOPLE[WHO_STRANGER].id);
	else if (s->script == SCRIPT_LEAVE)
		leave();
	else if (s->script == SCRIPT_AGAIN)
		place_label(s->issue, "agent", PEOPLE[WHO_WRITER].id);
	else if (s->script == SCRIPT_BOTH)
		(void)place_comment(s->issue, "/agent fix", PEOPLE[WHO_OTHER].id);
}

static void
first(void *ctx)
{
	struct story *s = ctx;
	static const enum who WHO[SCRIPT_COUNT] = {
		[SCRIPT_STRANGER] = WHO_STRANGER,
		[SCRIPT_TRIAGER] = WHO_TRIAGER,
		[SCRIPT_LEAVE] = WHO_LEAVER,
	};
	int64_t user = PEOPLE[WHO[s->script]].id;

	s->issue = place_open_issue((size_t)chance_in(0, PLACE_REPOS - 1), PEOPLE[WHO_STRANGER].id);
	if (s->script == SCRIPT_LEAVE && has_left)
		s->script = SCRIPT_STRANGER;
	sim_note("story %d on #%" PRId64, (int)s->script, PLACE.issues[s->issue].number);
	s->second_ms = SIM.now_ms;
	if (s->script == SCRIPT_COMMAND || s->script == SCRIPT_STRANGER ||
		(s->script == SCRIPT_STOP && chance_of(500)))
		(void)place_comment(s->issue, "/agent fix", user);
	else
		place_label(s->issue, "agent", user);
	if (s->script < SCRIPT_STOP)
		s->is_over = true;
	else
		(void)loop_timer_add(sim_loop(),
			s->script == SCRIPT_BOTH ? chance_in(0, 3000)
						 : chance_in(SECOND, 5 * MINUTE),
			second, s);
}

void
people_start(void)
{
	n_stories = (size_t)chance_in(ISSUES_LEAST, ISSUES_MOST);
	for (size_t i = 0; i < n_stories; i++) {
		stories[i] =
			(struct story){ .script = (enum script)chance_in(0, SCRIPT_COUNT - 1) };
		(void)loop_timer_add(sim_loop(), chance_in(0, 10 * MINUTE), first, &stories[i]);
	}
}

/* ---- what must have come of it ---- */

static const int64_t TASKS[SCRIPT_COUNT][2] = {
	[SCRIPT_LABEL] = { 1, 1 },
	[SCRIPT_COMMAND] = { 1, 1 },
	[SCRIPT_STRANGER] = { 0, 0 },
	[SCRIPT_TRIAGER] = { 0, 0 },
	[SCRIPT_STOP] = { 1, 1 },
	[SCRIPT_CLOSE] = { 0, 1 },
	[SCRIPT_EDIT] = { 1, 1 },
	[SCRIPT_LEAVE] = { 0, 1 },
	[SCRIPT_AGAIN] = { 2, 2 },
	[SCRIPT_BOTH] = { 1, 2 },
};

/* What is found by looking is authorised as it was found: the forge does not tell when a text was
 * changed. So this holds for those of which a webhook told. */
static bool
was_told_of(const char *branch, int64_t number)
{
	return rows_count("SELECT count(*) FROM task t JOIN trigger_seen s ON s.task = t.id"
			  " JOIN delivery d ON d.id = s.delivery WHERE t.branch = '%s'"
			  " AND t.number = %lld AND d.event <> 'nightshift.poll'",
		       branch, (long long)number) > 0;
}

static void
check_story(const struct story *s)
{
	const struct place_issue *i = &PLACE.issues[s->issue];
	int64_t n = rows_count("SELECT count(*) FROM task WHERE repo_id = %lld AND number = %lld",
		(long long)repo_id(i->repo), (long long)i->number);
	int64_t late_ms = s->second_ms + AWHILE_MS;

	if (n < TASKS[s->script][0] || n > TASKS[s->script][1])
		sim_violation("I2: story %d on #%" PRId64 " has %" PRId64 " tasks", (int)s->script,
			i->number, n);
	if (n == TASKS[s->script][1] && s->script != SCRIPT_BOTH && n > 0 &&
		place_has_label(s->issue, "agent") && !i->is_closed)
		sim_violation("I3: #%" PRId64 " still has its trigger label", i->number);
	if (s->script != SCRIPT_EDIT && s->script != SCRIPT_LEAVE)
		return;
	for (size_t k = 0; k < PLACE.n_refs; k++) {
		const struct place_ref *r = &PLACE.refs[k];

		if (r->repo == i->repo && r->at_ms > late_ms && was_told_of(r->name, i->number))
			sim_violation("I4: %s was pushed long after it was forbidden", r->name);
	}
}

void
people_check(void)
{
	for (size_t i = 0; i < n_stories; i++)
		check_story(&stories[i]);
}
