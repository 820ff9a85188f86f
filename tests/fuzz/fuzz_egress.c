/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a box sends out, and what a provider sends back: the first bytes of a tunnel, names, bodies,
 * queries, and answers that are metered. A name that was read is one that may be said.
 */
#include "tests/fuzz/fuzz.h"

#include "base/limits.h"
#include "sandbox/egress.h"
#include "sandbox/egress_hello.h"
#include "sandbox/egress_usage.h"

#include <string.h>

static void
names(const uint8_t *data, size_t size)
{
	char host[EGRESS_HOST_BYTES], again[EGRESS_HOST_BYTES];

	if (egress_hello_read(data, size, host, NULL) == 1 ||
		egress_authority_parse((const char *)data, size, host, NULL) == 0) {
		assert(egress_host_parse(host, strlen(host), again, NULL) == 0);
		assert(strcmp(host, again) == 0);
	}
}

/* In one piece or in two, it took the same. */
static void
answers(enum egress_api api, const char *text, size_t size)
{
	struct egress_meter one, two;
	struct egress_usage a, b;

	egress_meter_init(&one, api, size);
	egress_meter_init(&two, api, size);
	egress_meter_feed(&one, text, size);
	egress_meter_feed(&two, text, size / 2);
	egress_meter_feed(&two, text + size / 2, size - size / 2);
	egress_meter_read(&one, &a);
	egress_meter_read(&two, &b);
	assert(a.in >= 0 && a.cached >= 0 && a.written >= 0 && a.out >= 0);
	assert(memcmp(&a, &b, sizeof(a)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct egress_body body = { 0 };
	struct buf query = BUF_INIT(LIMIT_HEAD_BYTES);

	names(data, size);
	for (int api = 0; api < EGRESS_API_COUNT; api++)
		answers((enum egress_api)api, text, size);
	(void)egress_body_check(text, size, &body, NULL);
	strs_finish(&body.models);
	egress_query(text, size < LIMIT_HEAD_BYTES ? size : LIMIT_HEAD_BYTES, &query);
	buf_finish(&query);
	return 0;
}
