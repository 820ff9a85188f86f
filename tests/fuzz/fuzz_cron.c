/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schedule of a repository's .agent.yml. One that is accepted has a next time, and another after
 * that, each on a minute, wherever clocks are changed.
 */
#include "tests/fuzz/fuzz.h"

#include "base/cron.h"
#include "base/mem.h"

#define SUMMER 1774742399000 /* a second before clocks are put forward in Berlin */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct zone *zone;
	char *text = mem_strn((const char *)data, size);
	int64_t at = SUMMER;
	struct cron c;
	struct err e = { 0 };

	if (!zone && zone_open("Europe/Berlin", &zone, &e) < 0)
		assert(!"tzdata");
	if (cron_parse(text, &c, &e) < 0)
		assert(e.text[0] != '\0');
	else
		for (int i = 0; i < 2; i++) {
			int64_t next = cron_next(&c, zone, at);

			assert(next > at && next % 60000 == 0);
			at = next;
		}
	free(text);
	return 0;
}
