/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_hook - webhooks: some are lost, some come twice or fifty times, some come late or under two
 * names, and none is repeated because it was refused.
 */
#include "tests/sim/forge.h"

#include "base/mem.h"

#include <inttypes.h>

struct flight {
	char *guid;
	char *event;
	struct buf body;
};

static void
on_flight(void *ctx)
{
	struct flight *f = ctx;

	web_receive(f->guid, f->event, &f->body);
	free(f->guid);
	free(f->event);
	buf_finish(&f->body);
	free(f);
}

static void
fly(const char *guid, const char *event, const struct buf *body, int64_t delay_ms)
{
	struct flight *f = mem_zero(sizeof(*f));

	f->guid = mem_str(guid);
	f->event = mem_str(event);
	buf_init(&f->body, body->len + 1);
	(void)buf_add(&f->body, body->data, body->len);
	(void)loop_timer_add(sim_loop(), delay_ms, on_flight, f);
}

static void
tell(const char *event, const struct buf *body)
{
	auto_free char *guid = mem_fmt("g%" PRId64, ++PLACE.last_id);
	auto_free char *other = mem_fmt("h%" PRId64, PLACE.last_id);
	int64_t copies = 1;

	if (fault_of(250)) {
		sim_note("  hook %s %s is lost", event, guid);
		web_refuses(guid, event, body);
		return;
	}
	if (fault_of(150))
		copies = chance_of(100) ? 50 : 2;
	for (int64_t i = 0; i < copies; i++)
		fly(guid, event, body, chance_delay(1500, chance_of(100) ? HOUR / 2 : MINUTE));
	if (fault_of(100)) /* a second hook for the same things */
		fly(other, event, body, chance_delay(1500, MINUTE));
}

static void
show_place(struct buf *out, size_t repo, int64_t user_id)
{
	(void)buf_addf(out,
		",\"repository\":{\"id\":%" PRId64
		",\"full_name\":\"%s\",\"default_branch\":\"main\"},\"installation\":{\"id\":%d},"
		"\"sender\":",
		repo_id(repo), repo_name(repo), INSTALLATION);
	show_user(out, user_id);
	(void)buf_addc(out, '}');
}

void
hook_issue(size_t issue, const char *action, const char *label, int64_t user_id)
{
	const struct place_issue *i = &PLACE.issues[issue];
	auto_buf struct buf out = BUF_INIT(1 << 20);

	(void)buf_addf(&out, "{\"action\":\"%s\",\"issue\":", action);
	show_issue(&out, i);
	if (label) {
		(void)buf_adds(&out, ",\"label\":{\"name\":");
		show_str(&out, label);
		(void)buf_addc(&out, '}');
	}
	show_place(&out, i->repo, user_id);
	tell("issues", &out);
}

void
hook_comment(size_t comment, const char *action, int64_t user_id)
{
	const struct place_comment *c = &PLACE.comments[comment];
	const struct place_issue *i = &PLACE.issues[c->issue];
	auto_buf struct buf out = BUF_INIT(1 << 20);

	(void)buf_addf(&out, "{\"action\":\"%s\",\"issue\":", action);
	show_issue(&out, i);
	(void)buf_adds(&out, ",\"comment\":");
	show_comment(&out, c);
	show_place(&out, i->repo, user_id);
	tell("issue_comment", &out);
}
