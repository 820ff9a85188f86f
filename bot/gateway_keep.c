/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_keep - a box's request to a registry between the cache and the registry.
 */
#include "bot/gateway_keep.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/gateway_conn.h"

#include <string.h>

#define PIECE_BYTES KIB(16) /* as curl's */
#define SLOW_MS     10000

/* One fetch that others wait for. */
struct flight {
	struct flight *next;
	struct gateway *g;
	char key[CACHE_KEY_BYTES];
	struct gateway_conn *waiters;
	struct loop_timer *timer;
	bool is_slow; /* nobody waits any more */
};

static struct flight *
flight_find(struct gateway *g, const char *key)
{
	struct flight *f = *gateway_flights(g);

	while (f && !str_eq(f->key, key))
		f = f->next;
	return f;
}

/* They look again: the answer is there, or one of them fetches it. */
static void
release_waiters(struct flight *f)
{
	struct gateway_conn *c = f->waiters;

	f->waiters = NULL;
	while (c) {
		struct gateway_conn *next = c->keeping.next_waiter;

		c->keeping.flight = NULL;
		c->keeping.next_waiter = NULL;
		conn_send_upstream(c);
		c = next;
	}
}

static void
on_slow(void *ctx)
{
	struct flight *f = ctx;

	f->timer = NULL;
	f->is_slow = true;
	release_waiters(f);
}

static void
flight_begin(struct gateway_conn *c)
{
	struct flight *f = mem_zero(sizeof(*f));
	struct gateway *g = c->box->g;

	f->g = g;
	memcpy(f->key, c->keeping.key, sizeof(f->key));
	f->timer = loop_timer_add(gateway_loop(g), SLOW_MS, on_slow, f);
	f->next = *gateway_flights(g);
	*gateway_flights(g) = f;
	c->keeping.flight = f;
	c->keeping.is_fetching = true;
}

static void
flight_end(struct flight *f)
{
	struct flight **at = gateway_flights(f->g);

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	loop_timer_remove(f->timer);
	release_waiters(f);
	free(f);
}

static void
wait_for(struct gateway_conn *c, struct flight *f)
{
	c->keeping.flight = f;
	c->keeping.next_waiter = f->waiters;
	f->waiters = c;
}

static void
stop_waiting(struct gateway_conn *c)
{
	struct gateway_conn **at = &c->keeping.flight->waiters;

	while (*at != c)
		at = &(*at)->keeping.next_waiter;
	*at = c->keeping.next_waiter;
	c->keeping.flight = NULL;
}

/* ---- what is there ---- */

static void
serve(struct gateway_conn *c)
{
	conn_up_head(c, cache_reader_head(c->keeping.reader));
	keep_resume(c);
}

void
keep_resume(struct gateway_conn *c)
{
	char piece[PIECE_BYTES];

	while (c->keeping.reader) {
		if (!conn_has_room(c)) {
			c->is_paused = true;
			return;
		}
		int64_t n = cache_read(c->keeping.reader, piece, sizeof(piece));

		if (n > 0) {
			(void)conn_up_data(c, piece, (size_t)n);
			continue;
		}
		cache_reader_destroy(steal_ptr(&c->keeping.reader));
		conn_up_end(c, n == 0);
	}
}

static void
set_key(struct gateway_conn *c)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_HEAD_BYTES);

	(void)buf_adds(&text, c->route.url);
	for (size_t i = 0; i < c->route.headers.n; i++)
		(void)buf_addf(&text, "\n%s", c->route.headers.v[i]);
	cache_key(buf_str(&text), c->keeping.key);
}

bool
keep_begin(struct gateway_conn *c)
{
	struct cache *cache = gateway_cache(c->box->g);
	struct flight *f;

	if (!cache || c->route.keep_ms == 0 || !str_eq(c->route.method, "GET"))
		return false;
	set_key(c);
	c->keeping.reader = cache_open(cache, c->keeping.key, c->route.keep_ms);
	if (c->keeping.reader) {
		serve(c);
		return true;
	}
	f = flight_find(c->box->g, c->keeping.key);
	if (f && !f->is_slow)
		wait_for(c, f);
	else if (!f && !c->box->is_guest)
		flight_begin(c);
	return f && !f->is_slow;
}

/* ---- what is fetched ---- */

void
keep_head(struct gateway_conn *c, const struct http_reply *head)
{
	if (c->keeping.is_fetching)
		c->keeping.writer = cache_write(gateway_cache(c->box->g), c->keeping.key, head);
}

void
keep_data(struct gateway_conn *c, const char *data, size_t len)
{
	if (c->keeping.writer)
		cache_writer_add(c->keeping.writer, data, len);
}

void
keep_done(struct gateway_conn *c, bool is_whole)
{
	struct gateway_keeping *k = &c->keeping;

	cache_writer_end(steal_ptr(&k->writer), is_whole);
	cache_reader_destroy(steal_ptr(&k->reader));
	if (k->flight && !k->is_fetching) {
		stop_waiting(c);
	} else if (k->flight) {
		k->is_fetching = false;
		flight_end(steal_ptr(&k->flight));
	}
}
