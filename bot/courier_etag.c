/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_etag - see courier_etag.h: a few small answers, those that were asked for last.
 */
#include "bot/courier_etag.h"

#include "base/buggify.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define ENTRIES        128
#define BODY_BYTES_MAX KIB(64)

struct entry {
	const void *forge;
	int64_t scope;
	char *url; /* NULL: the entry is free */
	char *etag;
	struct strs headers;
	struct buf body;
	uint64_t used; /* when it was asked for, by the count */
	uint64_t made; /* when it was answered */
};

struct etags {
	struct entry v[ENTRIES];
	uint64_t count;
};

static void
entry_finish(struct entry *t)
{
	free(steal_ptr(&t->url));
	free(steal_ptr(&t->etag));
	strs_finish(&t->headers);
	buf_finish(&t->body);
}

static struct entry *
find(struct etags *all, const struct etag_key *key)
{
	for (size_t i = 0; all && i < ENTRIES; i++) {
		struct entry *t = &all->v[i];

		if (t->url && !BUGGIFY("etag.forget") && t->forge == key->forge &&
			t->scope == key->scope && strcmp(t->url, key->url) == 0)
			return t;
	}
	return NULL;
}

void
etags_destroy(struct etags *all)
{
	for (size_t i = 0; all && i < ENTRIES; i++)
		entry_finish(&all->v[i]);
	free(all);
}

uint64_t
etag_ask(struct etags *all, const struct etag_key *key, struct http_request *q)
{
	struct entry *t = find(all, key);

	if (!t)
		return 0;
	t->used = ++all->count;
	strs_addf(&q->headers, "If-None-Match: %s", t->etag);
	return t->made;
}

/* A free one, or the one that nobody has asked for the longest. */
static struct entry *
oldest(struct etags *all)
{
	struct entry *found = &all->v[0];

	for (size_t i = 1; i < ENTRIES; i++) {
		if (all->v[i].used < found->used)
			found = &all->v[i];
	}
	return found;
}

static void
keep(struct etags *all, const struct etag_key *key, const struct http_reply *r, const char *etag)
{
	struct entry *old = find(all, key);
	struct entry *t = old ? old : oldest(all);

	entry_finish(t);
	t->used = t->made = ++all->count;
	t->forge = key->forge;
	t->scope = key->scope;
	t->url = mem_str(key->url);
	t->etag = mem_str(etag);
	strs_copy(&t->headers, &r->headers);
	buf_init(&t->body, BODY_BYTES_MAX);
	(void)buf_add(&t->body, buf_str(&r->body), r->body.len);
}

void
etag_answer(struct etags **all, const struct etag_key *key, struct http_reply *r)
{
	const char *etag = http_reply_header(r, "etag");
	const struct entry *t = r->status == 304 ? find(*all, key) : NULL;

	if (t && t->made == key->asked) {
		r->status = 200;
		strs_copy(&r->headers, &t->headers);
		buf_finish(&r->body);
		buf_init(&r->body, BODY_BYTES_MAX);
		(void)buf_add(&r->body, buf_str(&t->body), t->body.len);
	} else if (r->status == 200 && etag && r->body.len <= BODY_BYTES_MAX) {
		if (!*all)
			*all = mem_zero(sizeof(**all));
		keep(*all, key, r, etag);
	}
}

void
etag_forget(struct etags *all, const struct etag_key *key)
{
	struct entry *t = find(all, key);

	if (!t)
		return;
	entry_finish(t);
	*t = (struct entry){ 0 };
}
