/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chance - everything random comes from here, and from one seed.
 */
#include "tests/sim/sim.h"

#include "base/buggify.h"
#include "base/crypto.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PLACES_MAX 256
#define ON_MILLE   250 /* a point is on in so many of a thousand runs, and fires then ... */

static uint64_t state;

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t
chance_u64(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

int64_t
chance_in(int64_t least, int64_t most)
{
	return least + (int64_t)(chance_u64() % (uint64_t)(most - least + 1));
}

bool
chance_of(int per_mille)
{
	return chance_u64() % 1000 < (uint64_t)per_mille;
}

bool
fault_of(int per_mille)
{
	return !SIM.is_calm && chance_of(per_mille);
}

int64_t
chance_delay(int64_t usual_ms, int64_t most_ms)
{
	return fault_of(50) ? chance_in(0, most_ms) : chance_in(0, usual_ms);
}

/* In the place of base/crypto's, by the linker's --wrap. */
void __wrap_crypto_random(void *out, size_t len);
void
__wrap_crypto_random(void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)chance_u64();
}

/* ---- base/buggify ---- */

/* All places of the program, from the linker. */
extern const char *const __start_buggify_at[], *const __stop_buggify_at[];

static struct point {
	const char *name;
	int per_mille;         /* ... so often: 0 in most runs */
	int64_t passed, fired; /* of all runs of this process */
} points[PLACES_MAX];
static size_t n_points;
static struct point *point_at[PLACES_MAX]; /* the point of each place: it may have several */

static uint64_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037U ^ SIM.seed * 0x9e3779b97f4a7c15U;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211U;
	return h ^ (h >> 29);
}

static int
mood_of(const char *point)
{
	static const int OFTEN[] = { 5, 20, 80, 300 };
	uint64_t h = hash(point);

	return h % 1000 < ON_MILLE ? OFTEN[h / 1000 % 4] : 0;
}

static struct point *
find(const char *name)
{
	for (size_t i = 0; i < n_points; i++) {
		if (strcmp(points[i].name, name) == 0)
			return &points[i];
	}
	points[n_points].name = name;
	return &points[n_points++];
}

static void
find_all(void)
{
	size_t n = (size_t)(__stop_buggify_at - __start_buggify_at);

	assert(n <= PLACES_MAX);
	for (size_t i = 0; i < n; i++)
		point_at[i] = find(__start_buggify_at[i]);
}

bool
buggify(const char *const *place)
{
	struct point *p = point_at[place - __start_buggify_at];

	p->passed++;
	if (p->per_mille == 0 || SIM.is_calm || disk_is_unplugged() || !chance_of(p->per_mille))
		return false;
	p->fired++;
	sim_note("buggify %s", p->name);
	return true;
}

void
chance_seed(uint64_t seed)
{
	if (n_points == 0)
		find_all();
	state = seed * 0xd1342543de82ef95U + 1;
	for (size_t i = 0; i < n_points; i++)
		points[i].per_mille = mood_of(points[i].name);
}

void
buggify_report(void)
{
	for (size_t i = 0; i < n_points; i++)
		(void)printf("point %-24s passed %8lld fired %8lld\n", points[i].name,
			(long long)points[i].passed, (long long)points[i].fired);
}
