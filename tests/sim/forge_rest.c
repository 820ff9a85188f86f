/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_rest - requests: what GitHub would do and say.
 *
 * Lists may be behind by a few seconds, as GitHub's are; a single thing is always as it is.
 */
#include "tests/sim/forge.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STALE_MS  9000
#define PARTS_MAX 10

/* A request on its way through the routes. */
struct visit {
	const struct place_request *q;
	struct place_reply *r;
	char *path; /* cut at each '/' */
	const char *parts[PARTS_MAX];
	size_t n;
	const char *query;
	struct json *body;
	size_t repo;
	int64_t stale_ms; /* how far the lists of this visit are behind */
};

static void
say(struct visit *v, int status, const char *text)
{
	v->r->status = status;
	(void)buf_addf(&v->r->body, "{\"message\":\"%s\"}", text);
}

/* ---- reading the request ---- */

static int64_t
number_of(const char *s)
{
	int64_t n = 0;

	return str_i64(s, 0, INT64_MAX, &n, NULL) == 0 ? n : -1;
}

static char *
query_of(const struct visit *v, const char *name)
{
	auto_buf struct buf out = BUF_INIT(1024);
	size_t len = strlen(name);

	for (const char *p = v->query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL) {
		if (strncmp(p, name, len) != 0 || p[len] != '=')
			continue;
		if (str_unpercent(&out, p + len + 1, strcspn(p + len + 1, "&"), NULL) == 0)
			return buf_steal(&out);
	}
	return NULL;
}

static int64_t
since_of(const struct visit *v)
{
	auto_free char *text = query_of(v, "since");
	int64_t ms = 0;

	return text && str_time(text, &ms, NULL) == 0 ? ms : 0;
}

static struct place_issue *
issue_of(struct visit *v, size_t *index)
{
	int64_t number = v->n > 4 ? number_of(v->parts[4]) : -1;

	for (size_t i = 0; i < PLACE.n_issues; i++) {
		if (PLACE.issues[i].repo == v->repo && PLACE.issues[i].number == number) {
			*index = i;
			return &PLACE.issues[i];
		}
	}
	say(v, 404, "Not Found");
	return NULL;
}

static struct place_comment *
comment_of(struct visit *v, const char *id)
{
	for (size_t i = 0; i < PLACE.n_comments; i++) {
		struct place_comment *c = &PLACE.comments[i];

		if (c->id == number_of(id) && !c->is_gone && PLACE.issues[c->issue].repo == v->repo)
			return c;
	}
	say(v, 404, "Not Found");
	return NULL;
}

static bool
is_listed(const struct visit *v, int64_t made_ms)
{
	return made_ms <= place_now_ms() - v->stale_ms;
}

static void
item(struct visit *v)
{
	if (v->r->body.len > 1)
		(void)buf_addc(&v->r->body, ',');
}

/* ---- lists ---- */

static void
list_comments(struct visit *v, bool all, size_t issue)
{
	int64_t since = since_of(v);

	(void)buf_addc(&v->r->body, '[');
	for (size_t i = 0; i < PLACE.n_comments; i++) {
		const struct place_comment *c = &PLACE.comments[i];

		if (c->is_gone || PLACE.issues[c->issue].repo != v->repo ||
			(!all && c->issue != issue) || c->updated_ms < since ||
			!is_listed(v, c->created_ms))
			continue;
		item(v);
		show_comment(&v->r->body, c);
	}
	(void)buf_addc(&v->r->body, ']');
}

static void
list_issues(struct visit *v)
{
	auto_free char *label = query_of(v, "labels");
	int64_t since = since_of(v);

	(void)buf_addc(&v->r->body, '[');
	for (size_t i = 0; i < PLACE.n_issues; i++) {
		const struct place_issue *x = &PLACE.issues[i];

		if (x->repo != v->repo || x->is_closed || x->updated_ms < since ||
			(label && !place_has_label(i, label)) || !is_listed(v, x->updated_ms))
			continue;
		item(v);
		show_issue(&v->r->body, x);
	}
	(void)buf_addc(&v->r->body, ']');
}

static void
list_events(struct visit *v, size_t issue)
{
	(void)buf_addc(&v->r->body, '[');
	for (size_t i = 0; i < PLACE.n_events; i++) {
		if (PLACE.events[i].issue != issue)
			continue;
		item(v);
		show_event(&v->r->body, &PLACE.events[i]);
	}
	(void)buf_addc(&v->r->body, ']');
}

static void
list_pulls(struct visit *v)
{
	auto_free char *head = query_of(v, "head");
	const char *ref = head && strchr(head, ':') ? strchr(head, ':') + 1 : head;

	(void)buf_addc(&v->r->body, '[');
	for (size_t i = 0; i < PLACE.n_pulls; i++) {
		const struct place_pull *p = &PLACE.pulls[i];

		if (p->repo != v->repo || (ref && !str_eq(p->head, ref)) || !is_listed(v, p->at_ms))
			continue;
		item(v);
		show_pull(&v->r->body, p);
	}
	(void)buf_addc(&v->r->body, ']');
}

static void
list_checks(struct visit *v, const char *sha)
{
	bool is_first = true;

	(void)buf_adds(&v->r->body, "{\"check_runs\":[");
	for (size_t i = 0; i < PLACE.n_checks; i++) {
		const struct place_check *c = &PLACE.checks[i];

		if (!str_eq(c->sha, sha) || !is_listed(v, c->at_ms))
			continue;
		(void)buf_addf(&v->r->body, "%s{\"id\":%" PRId64 ",\"external_id\":\"%s\"}",
			is_first ? "" : ",", c->id, c->external_id);
		is_first = false;
	}
	(void)buf_adds(&v->r->body, "]}");
}

/* ---- writes ---- */

static void
make_comment(struct visit *v, size_t issue)
{
	int64_t id = place_comment(issue, json_str(v->body, "body"), BOT_ID);

	v->r->status = 201;
	show_comment(&v->r->body, &PLACE.comments[PLACE.n_comments - 1]);
	sim_note("  comment %" PRId64 " on #%" PRId64 ": %.60s", id, PLACE.issues[issue].number,
		PLACE.comments[PLACE.n_comments - 1].body);
}

static void
edit_comment(struct visit *v, struct place_comment *c)
{
	free(c->body);
	c->body = mem_str(json_str(v->body, "body"));
	c->updated_ms = place_now_ms();
	show_comment(&v->r->body, c);
	hook_comment((size_t)(c - PLACE.comments), "edited", BOT_ID);
}

static void
make_pull(struct visit *v)
{
	const char *head = json_str(v->body, "head");
	struct place_pull *p = &PLACE.pulls[PLACE.n_pulls];
	bool has_ref = false;

	for (size_t i = 0; i < PLACE.n_refs; i++)
		has_ref |= PLACE.refs[i].repo == v->repo && str_eq(PLACE.refs[i].name, head);
	for (size_t i = 0; i < PLACE.n_pulls; i++) {
		if (PLACE.pulls[i].repo == v->repo && str_eq(PLACE.pulls[i].head, head)) {
			say(v, 422, "A pull request already exists");
			return;
		}
	}
	if (!has_ref) {
		say(v, 422, "head is invalid");
		return;
	}
	*p = (struct place_pull){ .number = ++PLACE.last_number, .repo = v->repo };
	(void)snprintf(p->head, sizeof(p->head), "%s", head);
	(void)snprintf(p->base, sizeof(p->base), "%s", json_str(v->body, "base"));
	p->title = mem_str(json_str(v->body, "title"));
	p->body = mem_str(json_str(v->body, "body"));
	p->at_ms = place_now_ms();
	PLACE.n_pulls++;
	v->r->status = 201;
	show_pull(&v->r->body, p);
	sim_note("  pull #%" PRId64 " from %s", p->number, p->head);
}

static void
make_check(struct visit *v)
{
	struct place_check *c = &PLACE.checks[PLACE.n_checks++];

	*c = (struct place_check){ .id = ++PLACE.last_id, .at_ms = place_now_ms() };
	(void)snprintf(c->sha, sizeof(c->sha), "%s", json_str(v->body, "head_sha"));
	(void)snprintf(c->external_id, sizeof(c->external_id), "%s",
		json_str(v->body, "external_id") ? json_str(v->body, "external_id") : "");
	v->r->status = 201;
	(void)buf_addf(&v->r->body, "{\"id\":%" PRId64 "}", c->id);
}

/* ---- routes below /repos/OWNER/NAME ---- */

static void
on_permission(struct visit *v)
{
	for (size_t i = 0; i < WHO_COUNT; i++) {
		const struct person *p = &PEOPLE[i];

		if (!str_eq(p->login, v->parts[4]))
			continue;
		(void)buf_addf(&v->r->body,
			"{\"permission\":\"%s\",\"role_name\":\"%s\",\"user\":{\"id\":%" PRId64
			"}}",
			p->permission, p->role, p->id);
		return;
	}
	say(v, 404, "Not Found");
}

static void
on_labels(struct visit *v, size_t issue)
{
	const char *label = json_str(json_at(v->body, "labels", 0), NULL);
	auto_buf struct buf name = BUF_INIT(256);

	if (str_eq(v->q->method, "POST") && label) {
		place_label(issue, label, BOT_ID);
		(void)buf_adds(&v->r->body, "[]");
	} else if (v->n > 6 && str_unpercent(&name, v->parts[6], strlen(v->parts[6]), NULL) == 0 &&
		   place_has_label(issue, buf_str(&name))) {
		place_unlabel(issue, buf_str(&name), BOT_ID);
		(void)buf_adds(&v->r->body, "[]");
	} else {
		say(v, 404, "Label does not exist");
	}
}

static void
on_one_comment(struct visit *v)
{
	struct place_comment *c = comment_of(v, v->parts[5]);

	if (!c)
		return;
	if (v->n > 6) {
		v->r->status = 201;
		(void)buf_adds(&v->r->body, "{\"id\":1}");
	} else if (str_eq(v->q->method, "PATCH")) {
		edit_comment(v, c);
	} else if (str_eq(v->q->method, "DELETE")) {
		c->is_gone = true;
		v->r->status = 204;
	} else {
		show_comment(&v->r->body, c);
	}
}

static void
on_issue(struct visit *v)
{
	const char *what = v->n > 5 ? v->parts[5] : "";
	bool is_post = str_eq(v->q->method, "POST");
	size_t index = 0;
	const struct place_issue *i = issue_of(v, &index);

	if (!i)
		return;
	if (!*what)
		show_issue(&v->r->body, i);
	else if (str_eq(what, "events"))
		list_events(v, index);
	else if (str_eq(what, "comments") && is_post)
		make_comment(v, index);
	else if (str_eq(what, "comments"))
		list_comments(v, false, index);
	else if (str_eq(what, "labels"))
		on_labels(v, index);
	else
		(void)buf_adds(&v->r->body, "{\"id\":1}");
}

static void
on_issues(struct visit *v)
{
	if (v->n == 4)
		list_issues(v);
	else if (str_eq(v->parts[4], "comments") && v->n == 5)
		list_comments(v, true, 0);
	else if (str_eq(v->parts[4], "comments"))
		on_one_comment(v);
	else
		on_issue(v);
}

static void
on_pulls(struct visit *v)
{
	if (str_eq(v->q->method, "POST"))
		make_pull(v);
	else
		list_pulls(v);
}

static void
on_checks(struct visit *v)
{
	if (str_eq(v->q->method, "POST"))
		make_check(v);
	else
		(void)buf_addf(&v->r->body, "{\"id\":%s}", v->n > 4 ? v->parts[4] : "1");
}

static void
on_repo(struct visit *v)
{
	const char *what = v->n > 3 ? v->parts[3] : "";

	if (!*what)
		(void)buf_addf(&v->r->body,
			"{\"id\":%" PRId64 ",\"full_name\":\"%s\",\"default_branch\":\"main\"}",
			repo_id(v->repo), repo_name(v->repo));
	else if (str_eq(what, "installation"))
		(void)buf_addf(&v->r->body, "{\"id\":%d}", INSTALLATION);
	else if (str_eq(what, "collaborators") && v->n == 6)
		on_permission(v);
	else if (str_eq(what, "issues"))
		on_issues(v);
	else if (str_eq(what, "pulls"))
		on_pulls(v);
	else if (str_eq(what, "check-runs"))
		on_checks(v);
	else if (str_eq(what, "commits") && v->n > 5)
		list_checks(v, v->parts[4]);
	else
		say(v, 404, "Not Found");
}

/* ---- the door ---- */

static void
on_app(struct visit *v)
{
	bool is_hook = v->n > 2 && str_eq(v->parts[1], "hook");

	if (v->n == 1)
		(void)buf_adds(&v->r->body, "{\"slug\":\"nightshift\"}");
	else if (is_hook && v->n == 3)
		log_list(&v->r->body);
	else if (is_hook && !log_show(&v->r->body, number_of(v->parts[3])))
		say(v, 404, "Not Found");
	else if (!is_hook && v->n == 4)
		token_make(&v->r->body);
	else if (!is_hook)
		say(v, 404, "Not Found");
}

static void
route(struct visit *v)
{
	const char *first = v->n > 0 ? v->parts[0] : "";

	if (str_eq(first, "app")) {
		on_app(v);
	} else if (str_eq(first, "users")) {
		(void)buf_addf(&v->r->body, "{\"id\":%d}", BOT_ID);
	} else if (str_eq(first, "repos") && v->n >= 3) {
		bool is_apps = v->n > 3 && str_eq(v->parts[3], "installation");
		auto_free char *name = mem_fmt("%s/%s", v->parts[1], v->parts[2]);

		while (v->repo < PLACE_REPOS && !str_eq(repo_name(v->repo), name))
			v->repo++;
		if (v->repo == PLACE_REPOS)
			say(v, 404, "Not Found");
		else if (!is_apps && !token_is_known(v->q->auth))
			say(v, 401, "Bad credentials");
		else
			on_repo(v);
	} else {
		say(v, 404, "Not Found");
	}
}

void
place_serve(const struct place_request *q, struct place_reply *r)
{
	const char *path = strstr(q->url, "://");
	struct visit v = { .q = q, .r = r, .stale_ms = fault_of(700) ? chance_in(0, STALE_MS) : 0 };
	char *save;

	path = path ? strchr(path + 3, '/') : NULL;
	v.path = mem_str(path ? path + 1 : "");
	save = strchr(v.path, '?');
	if (save) {
		*save = '\0';
		v.query = save + 1;
	}
	for (char *p = v.path; p && *p && v.n < PARTS_MAX;) {
		char *slash = strchr(p, '/');

		v.parts[v.n++] = p;
		if (slash)
			*slash = '\0';
		p = slash ? slash + 1 : NULL;
	}
	if (q->body)
		(void)json_parse(q->body, strlen(q->body), &JSON_LIMITS_REPLY, &v.body, NULL);
	r->status = 200;
	route(&v);
	json_destroy(v.body);
	free(v.path);
}
