/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penalty - see penalty.h.
 *
 * A debt in milliseconds: each refusal adds PENALTY_EACH_MS, time takes it away. Of an IPv6 address
 * the first 64 bits count, for the others are the client's to choose.
 */
#include "web/penalty.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define PLACES  1024 /* a power of two */
#define WAYS    4
#define DEBT_MS (PENALTY_BURST * PENALTY_EACH_MS)

struct debtor {
	uint64_t who;     /* 0: nobody */
	int64_t until_ms; /* when the debt is gone */
};

struct penalty {
	uint64_t key;
	struct debtor v[PLACES][WAYS];
};

struct penalty *
penalty_create(void)
{
	struct penalty *p = mem_zero(sizeof(*p));

	crypto_random(&p->key, sizeof(p->key));
	return p;
}

void
penalty_destroy(struct penalty *p)
{
	free(p);
}

/* FNV-1a under a key of this process, so that nobody chooses whose place he takes. */
static uint64_t
hash(uint64_t key, const void *data, size_t len)
{
	const unsigned char *v = data;
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ key;

	for (size_t i = 0; i < len; i++)
		h = (h ^ v[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= key | 1;
	h ^= h >> 29;
	return h ? h : 1;
}

static uint64_t
who_is(const struct penalty *p, const char *client)
{
	struct in6_addr in6;

	if (inet_pton(AF_INET6, client, &in6) == 1)
		return hash(p->key, &in6, sizeof(in6) / 2);
	return hash(p->key, client, strlen(client));
}

static const struct debtor *
find(const struct penalty *p, uint64_t who)
{
	const struct debtor *place = p->v[who % PLACES];

	for (int i = 0; i < WAYS; i++) {
		if (place[i].who == who)
			return &place[i];
	}
	return NULL;
}

/* Its own entry, or that of whoever owes least. */
static struct debtor *
take(struct penalty *p, uint64_t who)
{
	struct debtor *place = p->v[who % PLACES], *least = place;

	for (int i = 0; i < WAYS; i++) {
		if (place[i].who == who)
			return &place[i];
		if (place[i].until_ms < least->until_ms)
			least = &place[i];
	}
	*least = (struct debtor){ .who = who };
	return least;
}

bool
penalty_note(struct penalty *p, const char *client, int64_t now_ms)
{
	struct debtor *d = take(p, who_is(p, client));
	bool was_over = d->until_ms - now_ms > DEBT_MS;

	if (was_over)
		return false; /* who goes on is not punished for longer */
	if (d->until_ms < now_ms)
		d->until_ms = now_ms;
	d->until_ms += PENALTY_EACH_MS;
	return d->until_ms - now_ms > DEBT_MS;
}

int
penalty_wait_s(const struct penalty *p, const char *client, int64_t now_ms)
{
	const struct debtor *d = find(p, who_is(p, client));
	int64_t over_ms = d ? d->until_ms - now_ms - DEBT_MS : 0;

	return over_ms > 0 ? (int)((over_ms + 999) / 1000) : 0;
}
