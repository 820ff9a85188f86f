/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery's body, of both dialects and several events (the size chooses, so that the golden
 * files are seeds as they are). Whatever comes out can travel: it packs and unpacks.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/limits.h"
#include "forge/forge.h"

#include <string.h>

static const char *const EVENTS[] = { "issues", "issue_comment", "pull_request", "issue_label",
	"pull_request_comment", "push", "installation" };
#define EVENTS_COUNT (sizeof(EVENTS) / sizeof(EVENTS[0]))

static void
travels(const struct forge_event *ev)
{
	struct buf packed = BUF_INIT(LIMIT_DELIVERY_BYTES);
	struct forge_event copy = { 0 };

	if (row_pack(FORGE_EVENT_ROWS, ev, &packed, NULL) == 0) {
		int rc = row_unpack(FORGE_EVENT_ROWS, &copy, packed.data, packed.len, NULL);
		assert(rc == 0);
		row_finish(FORGE_EVENT_ROWS, &copy);
	}
	buf_finish(&packed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct forge_delivery d = {
		.forge = (char *)(uintptr_t) "f",
		.guid = (char *)(uintptr_t) "g",
		.event = (char *)(uintptr_t)EVENTS[size / 2 % EVENTS_COUNT],
		.content_type = (char *)(uintptr_t) "application/json",
	};
	struct forge_event ev = { 0 };
	const char *body = (const char *)data;
	const char *head_end = memmem(data, size, "\r\n\r\n", 4); /* a recorded request */
	int rc;

	if (size > 4 && memcmp(data, "POST", 4) == 0 && head_end) {
		size -= (size_t)(head_end + 4 - body);
		body = head_end + 4;
	}
	rc = forge_driver_get((enum forge_kind)(size % FORGE_KIND_COUNT))
		     ->decode(&d, body, size, &ev, NULL);
	if (rc == 0) {
		assert(ev.kind >= 0 && ev.kind < EVENT_KIND_COUNT);
		travels(&ev);
		forge_event_finish(&ev);
	}
	return 0;
}
