/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers - from an event to its handler.
 */
#include "handlers/handlers.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "handlers/events.h"
#include "handlers/intents.h"
#include "handlers/policy.h"

#include <string.h>

static on_event *const HANDLERS[EVENT_KIND_COUNT] = {
	[EVENT_LABELS] = on_labels,
	[EVENT_COMMENT] = on_comment,
	[EVENT_COMMENT_EDITED] = on_edited,
	[EVENT_ISSUE_EDITED] = on_edited,
	[EVENT_CLOSED] = on_closed,
	[EVENT_CHORE] = on_chore,
	[EVENT_ORPHAN] = on_orphan,
};

void
handlers_decide(const struct handler_in *in, struct intents *out)
{
	const struct forge_event *ev = in->event;
	on_event *handler = NULL;

	if (ev->kind >= 0 && ev->kind < EVENT_KIND_COUNT)
		handler = HANDLERS[ev->kind];
	if (!handler || (ev->number == 0 && ev->kind != EVENT_CHORE) || ev->repo_id <= 0 ||
		str_is_empty(ev->repo)) {
		intent_ignore(out, "nothing to do for %s", ev->name ? ev->name : "this event");
		return;
	}
	if (!policy_serves(in->conf, ev->repo)) {
		intent_ignore(
			out, "%s is not among the repositories of this forge's `repos`", ev->repo);
		return;
	}
	handler(in, out);
	if (out->n == 0)
		intent_ignore(out, "nothing to do for %s", ev->name ? ev->name : "this event");
}

/* Lengths go in as well, so that text cannot be moved from one part to the next without changing
 * the hash. */
void
input_hash(const char *title, const char *body, const char *comment, char out[65])
{
	auto_buf struct buf all = BUF_INIT(4 * LIMIT_BODY_BYTES);
	const char *const parts[] = { title, body, comment };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *text = parts[i] ? parts[i] : "";

		(void)buf_addf(&all, "%zu:", strlen(text));
		(void)buf_adds(&all, text);
	}
	crypto_sha256_hex(all.data, all.len, out);
}
