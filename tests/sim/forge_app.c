/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_app - what GitHub has for Apps: tokens of an hour, and a log of deliveries. It repeats none
 * by itself, but tells which failed.
 */
#include "tests/sim/forge.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_LIFE_MS HOUR

/* ---- tokens ---- */

void
token_make(struct buf *out)
{
	size_t at = PLACE.n_tokens < PLACE_TOKENS ? PLACE.n_tokens++ : 0;

	(void)snprintf(PLACE.tokens[at].text, sizeof(PLACE.tokens[at].text), "ghs_%" PRId64,
		++PLACE.last_id);
	PLACE.tokens[at].ends_ms = place_now_ms() + TOKEN_LIFE_MS;
	(void)buf_addf(out, "{\"token\":\"%s\",\"expires_at\":", PLACE.tokens[at].text);
	show_time(out, PLACE.tokens[at].ends_ms);
	(void)buf_addc(out, '}');
}

bool
token_is_known(const char *auth)
{
	for (size_t i = 0; auth && i < PLACE.n_tokens; i++) {
		if (str_ends(auth, PLACE.tokens[i].text) &&
			PLACE.tokens[i].ends_ms > place_now_ms())
			return true;
	}
	return false;
}

/* ---- the log ---- */

void
web_refuses(const char *guid, const char *event, const struct buf *body)
{
	struct place_failure *f = &PLACE.failures[PLACE.n_failures];

	if (PLACE.n_failures == PLACE_FAILURES)
		return;
	PLACE.n_failures++;
	*f = (struct place_failure){
		.id = ++PLACE.last_id,
		.guid = mem_str(guid),
		.event = mem_str(event),
		.body = mem_strn(body->data, body->len),
		.at_ms = place_now_ms(),
	};
}

/* Its action is the first member of each payload of ours. */
static void
show_head(struct buf *out, const struct place_failure *f)
{
	const char *action = strchr(f->body, ':') + 2;

	(void)buf_addf(out,
		"\"id\":%" PRId64 ",\"guid\":\"%s\",\"event\":\"%s\",\"action\":\"%.*s\","
		"\"status_code\":502,\"delivered_at\":",
		f->id, f->guid, f->event, (int)strcspn(action, "\""), action);
	show_time(out, f->at_ms);
}

/* The newest first, a page of a hundred and no second one. */
void
log_list(struct buf *out)
{
	size_t n = PLACE.n_failures;

	(void)buf_addc(out, '[');
	for (size_t i = n; i > 0 && n - i < 100; i--) {
		(void)buf_adds(out, i < n ? ",{" : "{");
		show_head(out, &PLACE.failures[i - 1]);
		(void)buf_addc(out, '}');
	}
	(void)buf_addc(out, ']');
}

bool
log_show(struct buf *out, int64_t id)
{
	for (size_t i = 0; i < PLACE.n_failures; i++) {
		if (PLACE.failures[i].id != id)
			continue;
		(void)buf_addc(out, '{');
		show_head(out, &PLACE.failures[i]);
		(void)buf_addf(out, ",\"request\":{\"payload\":%s}}", PLACE.failures[i].body);
		return true;
	}
	return false;
}
