/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_auth - tokens: from the keeper, or from the forge for a JWT that the keeper signed.
 *
 * An installation token is narrowed to one repository and lives an hour; it is asked for once,
 * however many wait for it, and not used in its last five minutes. Nothing here is written
 * anywhere, and what is dropped is wiped.
 */
#include "bot/courier.h"
#include "bot/courier_call.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define RENEW_BEFORE_MS (5 * 60 * 1000)
#define JWT_LIFE_MS     (4 * 60 * 1000) /* the keeper signs for nine minutes; clocks differ */
#define KEEPER_MS_MAX   10000
#define ENTRIES_MAX     512

struct waiter {
	courier_token_cb *cb;
	void *ctx;
	struct waiter *next;
};

/* One credential, had or being fetched. */
struct entry {
	struct courier *c;
	struct courier_forge *forge;
	enum forge_auth kind;
	int64_t repo_id;
	char *repo;
	int64_t installation_id; /* as it was asked for last; 0: not known */
	bool is_found;           /* or as it was looked up, because that one was 0 or gone */
	char *token;             /* NULL: none */
	int64_t made_ms;         /* boot clock */
	int64_t ends_ms;         /* boot clock, 0: never */
	struct waiter *waiters;  /* somebody waits: it is being fetched */
	struct waiter **last;    /* where the next one is put */
	struct entry *next;
};

struct courier_auth {
	struct entry *entries;
	size_t n;
};

static void
entry_wipe(struct entry *t)
{
	if (t->token)
		mem_wipe(t->token, strlen(t->token));
	free(steal_ptr(&t->token));
}

static bool
is_narrowed(const struct courier_need *need)
{
	return need->kind == FORGE_AUTH_TOKEN && need->forge->app_id;
}

/* A repository is in one installation at most, so it is the key; the installation may be known or
 * not. Without a repository the token is for looking which there are. */
static bool
is_same(const struct entry *t, const struct courier_need *need)
{
	if (t->forge != need->forge || t->kind != need->kind)
		return false;
	if (!is_narrowed(need))
		return true;
	if (!need->repo_id && !need->repo)
		return !t->repo_id && !t->repo && t->installation_id == need->installation_id;
	return t->repo_id == need->repo_id && (need->repo_id || str_eq(t->repo, need->repo));
}

static bool
is_usable(const struct entry *t, int64_t now)
{
	return t->token && !BUGGIFY("auth.expired") &&
	       (t->ends_ms == 0 || t->ends_ms - now > RENEW_BEFORE_MS);
}

/* Drops what nobody waits for and nobody can use, or all that nobody waits for. */
static void
sweep(struct courier_auth *auth, bool all)
{
	int64_t now = clock_boot_ms();
	struct entry **at = &auth->entries;

	while (*at) {
		struct entry *t = *at;

		if (t->waiters || (!all && is_usable(t, now))) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		auth->n--;
		entry_wipe(t);
		free(t->repo);
		free(t);
	}
}

static struct entry *
entry_get(struct courier *c, const struct courier_need *need)
{
	struct entry *t;

	if (!c->auth)
		c->auth = mem_zero(sizeof(*c->auth));
	for (t = c->auth->entries; t; t = t->next) {
		if (!is_same(t, need))
			continue;
		if (!t->installation_id)
			t->installation_id = need->installation_id;
		return t;
	}
	sweep(c->auth, c->auth->n >= ENTRIES_MAX);
	t = mem_zero(sizeof(*t));
	t->c = c;
	t->forge = need->forge;
	t->kind = need->kind;
	t->installation_id = need->installation_id;
	t->repo_id = need->repo_id;
	t->repo = mem_str(need->repo);
	t->next = c->auth->entries;
	c->auth->entries = t;
	c->auth->n++;
	return t;
}

/* Tells everybody. They may ask again at once, so the list is taken off first. */
static void
answer(struct entry *t, const struct err *e)
{
	struct waiter *w = steal_ptr(&t->waiters);
	auto_free char *token = mem_str(t->token); /* an answer may drop the entry's */
	int64_t age = clock_boot_ms() - t->made_ms;

	while (w) {
		struct waiter *next = w->next;

		w->cb(w->ctx, token, age, e);
		free(w);
		w = next;
	}
	if (token)
		mem_wipe(token, strlen(token));
}

static void
take(struct entry *t, const char *token, size_t len, int64_t life_ms)
{
	entry_wipe(t);
	t->token = mem_strn(token, len);
	t->made_ms = clock_boot_ms();
	if (life_ms && BUGGIFY("auth.short"))
		life_ms = RENEW_BEFORE_MS + 1000;
	t->ends_ms = life_ms ? t->made_ms + life_ms : 0;
	answer(t, NULL);
}

/* ---- From the keeper ---- */

static void
on_secret(void *ctx, struct msg *m, const struct err *e)
{
	struct entry *t = ctx;
	const struct wire_verdict *v = m ? m->obj : NULL;
	struct err why;

	if (!v) {
		(void)err_set(&why, ERR_BUSY, "the keeper: %s", e->text);
		answer(t, &why);
	} else if (!v->ok || m->blob_len == 0) {
		(void)err_set(&why, v->code ? (int)v->code : ERR_DENIED, "the keeper: %s",
			v->text ? v->text : "no secret");
		answer(t, &why);
	} else {
		take(t, m->blob, m->blob_len,
			t->kind == FORGE_AUTH_JWT ? JWT_LIFE_MS + RENEW_BEFORE_MS : 0);
	}
}

/* How much its clock is ahead of ours now. */
static int64_t
skew_ms(const struct courier_forge *f)
{
	return f->has_clock ? clock_boot_ms() + f->clock_offset_ms - clock_wall_ms() : 0;
}

static void
ask_keeper(struct entry *t)
{
	auto_free char *name = mem_str(t->forge->conf.name);
	const struct wire_name who = { .name = name };
	const struct wire_sign sign = { .forge = name, .skew_ms = skew_ms(t->forge) };
	bool is_jwt = t->kind == FORGE_AUTH_JWT;
	const struct msg_out out = {
		.type = is_jwt ? WIRE_SIGN_JWT : WIRE_TOKEN,
		.obj = is_jwt ? (const void *)&sign : &who,
	};

	(void)msg_call(role_link(t->c->role, ROLE_KEEPER), &out, KEEPER_MS_MAX, on_secret, t);
}

/* ---- From the forge ---- */

static void ask_forge(struct entry *t);

static void
on_installation(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct entry *t = ctx;

	if (rc < 0) {
		answer(t, e);
		return;
	}
	t->installation_id = a->id;
	t->is_found = true;
	ask_forge(t);
}

static void
find_installation(struct entry *t)
{
	const struct forge_op op = { .kind = OP_INSTALLATION, .repo = t->repo };
	const struct courier_work work = { .forge = t->forge, .op = &op };

	courier_call(t->c, &work, on_installation, t);
}

static void
on_made(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct entry *t = ctx;

	if (rc == 0) {
		int64_t there_ms = clock_wall_ms() + skew_ms(t->forge);

		take(t, a->token, strlen(a->token), a->token_expires_ms - there_ms);
		return;
	}
	/* A repository that moved has another installation. */
	if (rc == ERR_MISSING && t->repo && !t->is_found)
		find_installation(t);
	else
		answer(t, e);
}

static void
ask_forge(struct entry *t)
{
	const struct forge_op op = {
		.kind = OP_TOKEN,
		.installation_id = t->installation_id,
		.repo_id = t->repo_id,
		.repo = t->repo,
	};
	const struct courier_work work = { .forge = t->forge, .op = &op };

	courier_call(t->c, &work, on_made, t);
}

/* ---- The door ---- */

void
courier_token(struct courier *c, const struct courier_need *need, courier_token_cb *cb, void *ctx)
{
	struct entry *t = entry_get(c, need);
	bool is_first = !t->waiters;
	struct waiter *w;

	if (is_usable(t, clock_boot_ms())) {
		cb(ctx, t->token, clock_boot_ms() - t->made_ms, NULL);
		return;
	}
	w = mem_zero(sizeof(*w));
	w->cb = cb;
	w->ctx = ctx;
	if (is_first)
		t->last = &t->waiters;
	*t->last = w;
	t->last = &w->next;
	if (!is_first)
		return;
	t->is_found = false;
	if (!is_narrowed(need))
		ask_keeper(t);
	else if (t->installation_id)
		ask_forge(t);
	else
		find_installation(t);
}

int64_t
courier_token_installation(struct courier *c, const struct courier_need *need)
{
	return is_narrowed(need) ? entry_get(c, need)->installation_id : 0;
}

void
courier_token_refused(struct courier *c, const struct courier_need *need, const char *token)
{
	struct entry *t = entry_get(c, need);

	if (t->token && strcmp(t->token, token) == 0)
		entry_wipe(t);
}

void
courier_keeper_changed(struct courier *c)
{
	for (struct entry *t = c->auth ? c->auth->entries : NULL; t; t = t->next) {
		if (t->kind == FORGE_AUTH_JWT || !t->forge->app_id)
			entry_wipe(t);
	}
}

void
courier_clock_refused(struct courier_forge *f, int64_t there_ms)
{
	f->has_clock = true;
	f->clock_offset_ms = there_ms - clock_boot_ms();
	log_warn(NULL, "courier.clock_differs",
		"forge=%s skew_s=%lld hint=\"set this machine's clock (NTP)\"", f->conf.name,
		(long long)skew_ms(f) / 1000);
}

void
courier_auth_destroy(struct courier *c)
{
	if (!c->auth)
		return;
	for (struct entry *t = c->auth->entries; t; t = t->next) {
		while (t->waiters) {
			struct waiter *next = t->waiters->next;

			free(t->waiters);
			t->waiters = next;
		}
	}
	sweep(c->auth, true);
	free(steal_ptr(&c->auth));
}
