/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_json - how things look in GitHub's API and webhooks: the members that somebody may read.
 */
#include "tests/sim/forge.h"

#include <inttypes.h>
#include <string.h>

void
show_str(struct buf *out, const char *s)
{
	(void)json_quote(out, s ? s : "", s ? strlen(s) : 0);
}

void
show_time(struct buf *out, int64_t ms)
{
	char text[32];

	str_time_print(ms, text);
	show_str(out, text);
}

void
show_user(struct buf *out, int64_t user_id)
{
	(void)buf_addf(out, "{\"id\":%" PRId64 ",\"type\":\"%s\",\"login\":", user_id,
		user_id == BOT_ID ? "Bot" : "User");
	show_str(out, login_of(user_id));
	(void)buf_addc(out, '}');
}

void
show_issue(struct buf *out, const struct place_issue *i)
{
	(void)buf_addf(out,
		"{\"id\":%" PRId64 ",\"number\":%" PRId64 ",\"state\":\"%s\",\"title\":", i->id,
		i->number, i->is_closed ? "closed" : "open");
	show_str(out, i->title);
	(void)buf_adds(out, ",\"body\":");
	show_str(out, i->body);
	(void)buf_adds(out, ",\"user\":");
	show_user(out, i->author_id);
	(void)buf_adds(out, ",\"labels\":[");
	for (size_t k = 0; k < i->labels.n; k++) {
		(void)buf_adds(out, k > 0 ? ",{\"name\":" : "{\"name\":");
		show_str(out, i->labels.v[k]);
		(void)buf_addc(out, '}');
	}
	(void)buf_adds(out, "],\"updated_at\":");
	show_time(out, i->updated_ms);
	(void)buf_addf(out, ",\"html_url\":\"https://forge.example/%s/issues/%" PRId64 "\"}",
		repo_name(i->repo), i->number);
}

void
show_comment(struct buf *out, const struct place_comment *c)
{
	const struct place_issue *i = &PLACE.issues[c->issue];

	(void)buf_addf(out, "{\"id\":%" PRId64 ",\"body\":", c->id);
	show_str(out, c->body);
	(void)buf_adds(out, ",\"user\":");
	show_user(out, c->user_id);
	(void)buf_adds(out, ",\"created_at\":");
	show_time(out, c->created_ms);
	(void)buf_adds(out, ",\"updated_at\":");
	show_time(out, c->updated_ms);
	(void)buf_addf(out,
		",\"issue_url\":\"https://api.forge.example/repos/%s/issues/%" PRId64 "\"",
		repo_name(i->repo), i->number);
	(void)buf_addf(out,
		",\"html_url\":\"https://forge.example/%s/issues/%" PRId64 "#issuecomment-%" PRId64
		"\"}",
		repo_name(i->repo), i->number, c->id);
}

void
show_pull(struct buf *out, const struct place_pull *p)
{
	(void)buf_addf(out,
		"{\"id\":%" PRId64 ",\"number\":%" PRId64 ",\"state\":\"open\",\"title\":",
		p->number + 5000, p->number);
	show_str(out, p->title);
	(void)buf_adds(out, ",\"body\":");
	show_str(out, p->body);
	(void)buf_adds(out, ",\"user\":");
	show_user(out, BOT_ID);
	(void)buf_addf(out,
		",\"labels\":[],\"head\":{\"ref\":\"%s\",\"sha\":\"%s\",\"repo\":{\"id\":%" PRId64
		"}},\"base\":{\"ref\":\"%s\",\"repo\":{\"id\":%" PRId64 "}},\"updated_at\":",
		p->head, "1111111111111111111111111111111111111111", repo_id(p->repo), p->base,
		repo_id(p->repo));
	show_time(out, p->at_ms);
	(void)buf_addf(out, ",\"html_url\":\"https://forge.example/%s/pull/%" PRId64 "\"}",
		repo_name(p->repo), p->number);
}

void
show_event(struct buf *out, const struct place_event *e)
{
	(void)buf_addf(
		out, "{\"id\":%" PRId64 ",\"event\":\"labeled\",\"label\":{\"name\":", e->id);
	show_str(out, e->label);
	(void)buf_adds(out, "},\"actor\":");
	show_user(out, e->user_id);
	(void)buf_adds(out, ",\"created_at\":");
	show_time(out, e->at_ms);
	(void)buf_addc(out, '}');
}
