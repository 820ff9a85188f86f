/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge - see forge.h: the state, and what people and git do to it.
 */
#include "tests/sim/forge.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct place PLACE;

struct person PEOPLE[WHO_COUNT];

static const struct person AS_BORN[WHO_COUNT] = {
	[WHO_WRITER] = { "writer", 5, "write", "write" },
	[WHO_OTHER] = { "other", 8, "admin", "admin" },
	[WHO_TRIAGER] = { "triager", 7, "read", "triage" },
	[WHO_STRANGER] = { "stranger", 6, "read", "read" },
	[WHO_LEAVER] = { "leaver", 11, "write", "write" },
};

const char *
repo_name(size_t repo)
{
	static const char *const NAMES[PLACE_REPOS] = { "acme/one", "acme/two" };

	return NAMES[repo];
}

int64_t
repo_id(size_t repo)
{
	return 77 + (int64_t)repo;
}

int64_t
place_now_ms(void)
{
	return INT64_C(1790000000000) + SIM.now_ms;
}

const char *
login_of(int64_t user_id)
{
	for (size_t i = 0; i < WHO_COUNT; i++) {
		if (PEOPLE[i].id == user_id)
			return PEOPLE[i].login;
	}
	return BOT_LOGIN;
}

void
place_wipe(void)
{
	for (size_t i = 0; i < PLACE.n_issues; i++)
		strs_finish(&PLACE.issues[i].labels);
	for (size_t i = 0; i < PLACE.n_comments; i++)
		free(PLACE.comments[i].body);
	for (size_t i = 0; i < PLACE.n_pulls; i++) {
		free(PLACE.pulls[i].title);
		free(PLACE.pulls[i].body);
	}
	for (size_t i = 0; i < PLACE.n_failures; i++) {
		free(PLACE.failures[i].guid);
		free(PLACE.failures[i].event);
		free(PLACE.failures[i].body);
	}
	PLACE = (struct place){ .last_id = 1000 };
	memcpy(PEOPLE, AS_BORN, sizeof(PEOPLE));
}

/* ---- issues ---- */

size_t
place_open_issue(size_t repo, int64_t author_id)
{
	struct place_issue *i = &PLACE.issues[PLACE.n_issues];

	assert(PLACE.n_issues < PLACE_ISSUES);
	*i = (struct place_issue){
		.id = ++PLACE.last_id,
		.number = ++PLACE.last_number,
		.repo = repo,
		.author_id = author_id,
		.updated_ms = place_now_ms(),
	};
	(void)snprintf(i->title, sizeof(i->title), "Trouble %lld", (long long)i->number);
	(void)snprintf(i->body, sizeof(i->body), "It happens on input %lld.", (long long)i->id);
	return PLACE.n_issues++;
}

bool
place_has_label(size_t issue, const char *label)
{
	return strs_has(&PLACE.issues[issue].labels, label);
}

void
place_label(size_t issue, const char *label, int64_t user_id)
{
	struct place_issue *i = &PLACE.issues[issue];
	struct place_event *e = &PLACE.events[PLACE.n_events];

	if (place_has_label(issue, label))
		return;
	assert(PLACE.n_events < PLACE_EVENTS);
	PLACE.n_events++;
	strs_add(&i->labels, label);
	i->updated_ms = place_now_ms();
	*e = (struct place_event){
		.id = ++PLACE.last_id, .issue = issue, .user_id = user_id, .at_ms = place_now_ms()
	};
	(void)snprintf(e->label, sizeof(e->label), "%s", label);
	hook_issue(issue, "labeled", label, user_id);
}

void
place_unlabel(size_t issue, const char *label, int64_t user_id)
{
	struct place_issue *i = &PLACE.issues[issue];
	struct strs kept = { 0 };

	if (!place_has_label(issue, label))
		return;
	for (size_t k = 0; k < i->labels.n; k++) {
		if (!str_eq(i->labels.v[k], label))
			strs_add(&kept, i->labels.v[k]);
	}
	strs_finish(&i->labels);
	i->labels = kept;
	i->updated_ms = place_now_ms();
	hook_issue(issue, "unlabeled", label, user_id);
}

int64_t
place_comment(size_t issue, const char *body, int64_t user_id)
{
	struct place_comment *c = &PLACE.comments[PLACE.n_comments];

	assert(PLACE.n_comments < PLACE_COMMENTS);
	*c = (struct place_comment){
		.id = ++PLACE.last_id,
		.issue = issue,
		.user_id = user_id,
		.body = mem_str(body),
		.created_ms = place_now_ms(),
		.updated_ms = place_now_ms(),
	};
	PLACE.issues[issue].updated_ms = place_now_ms();
	hook_comment(PLACE.n_comments++, "created", user_id);
	return c->id;
}

void
place_edit_body(size_t issue, int64_t user_id)
{
	struct place_issue *i = &PLACE.issues[issue];

	(void)snprintf(
		i->body, sizeof(i->body), "Something else, said at %lld.", (long long)SIM.now_ms);
	i->updated_ms = place_now_ms();
	hook_issue(issue, "edited", NULL, user_id);
}

void
place_close(size_t issue, int64_t user_id)
{
	PLACE.issues[issue].is_closed = true;
	PLACE.issues[issue].updated_ms = place_now_ms();
	hook_issue(issue, "closed", NULL, user_id);
}

/* ---- git ---- */

int
place_push(size_t repo, const char *name, const char *old, const char *sha)
{
	struct place_ref *r = NULL;

	for (size_t i = 0; i < PLACE.n_refs; i++) {
		if (PLACE.refs[i].repo == repo && str_eq(PLACE.refs[i].name, name))
			r = &PLACE.refs[i];
	}
	if (r && str_eq(r->sha, sha))
		return 0;
	if (r ? !old || !str_eq(r->sha, old) : old != NULL)
		return ERR_CONFLICT;
	if (!r) {
		assert(PLACE.n_refs < PLACE_REFS);
		r = &PLACE.refs[PLACE.n_refs++];
		r->repo = repo;
		(void)snprintf(r->name, sizeof(r->name), "%s", name);
	}
	(void)snprintf(r->sha, sizeof(r->sha), "%s", sha);
	r->at_ms = SIM.now_ms;
	sim_note("  git %s %s is %s", repo_name(repo), name, sha);
	return 0;
}
