/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tier - names of tiers, and the one line about the sandbox that a pull request shows.
 */
#include "sandbox/sandbox.h"

#include <string.h>

static const struct {
	const char *name;
	const char *text;
} TIERS[TIER_COUNT] = {
	[TIER_NONE] = { "none", "no box can be built" },
	[TIER_LANDLOCK] = { "landlock",
		"Landlock and a syscall filter, but no namespaces: no box can be built" },
	[TIER_USERNS] = { "userns", "seven namespaces of its own, syscall filter" },
	[TIER_SLOTS] = { "slots",
		"seven namespaces of its own, a host uid of its own, syscall filter" },
	[TIER_VM] = { "vm", "a kernel of its own" },
};

const char *
sandbox_tier_name(int64_t tier)
{
	return tier >= 0 && tier < TIER_COUNT ? TIERS[tier].name : "unknown";
}

int
sandbox_tier_parse(const char *name)
{
	for (int i = 0; name && i < TIER_COUNT; i++) {
		if (strcmp(TIERS[i].name, name) == 0)
			return i;
	}
	return -1;
}

void
sandbox_describe(const struct sandbox_probe *p, struct buf *out)
{
	(void)buf_addf(out, "%s: %s", sandbox_tier_name(p->tier), TIERS[p->tier].text);
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->v[i].name, "limits") == 0)
			(void)buf_addf(out, "; %s", p->v[i].text);
		if (strcmp(p->v[i].name, "disk") == 0)
			(void)buf_adds(
				out, p->v[i].ok ? "; a disk for each attempt" : "; disk watched");
	}
}

void
sandbox_tiers(const struct sandbox_probe *p, struct buf *out)
{
	for (int i = TIER_LANDLOCK; i < TIER_COUNT; i++)
		(void)buf_addf(out, "%sT%d %s: %s%s", i == TIER_LANDLOCK ? "" : ", ", i,
			TIERS[i].name, i <= (int)p->tier ? "yes" : "no",
			i < TIER_LEAST ? " (no box, so nothing runs in it)" : "");
}

void
sandbox_probe_finish(struct sandbox_probe *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].text);
	*p = (struct sandbox_probe){ 0 };
}
