/* SPDX-License-Identifier: Apache-2.0 */
/*
 * courier_ensure - see courier_ensure.h.
 */
#include "bot/courier_ensure.h"

#include "base/buggify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define SETTLE_MS    10000 /* a list may be that stale (measured by others on GitHub) */
#define LATE_MS      1000  /* an edit that was given up may still come, and not after the next */
#define MARKER_START "<!-- nightshift:"
#define NO_OP        (-1)

/* What is looked for before it is made, and what makes a found one right. */
static const struct recipe {
	enum forge_op_kind create;
	int find;
	int edit;
} RECIPES[] = {
	{ OP_ATTACH, NO_OP, NO_OP }, /* the driver looks by itself */
	{ OP_COMMENT_CREATE, OP_COMMENT_FIND, OP_COMMENT_EDIT },
	{ OP_PULL_CREATE, OP_PULL_FIND, NO_OP }, /* people may have edited it since */
	{ OP_STATUS_CREATE, OP_STATUS_FIND, OP_STATUS_EDIT },
};

struct ensure {
	struct courier *c;
	struct courier_forge *forge;
	struct forge_op op;
	struct buf bytes;
	const struct recipe *recipe; /* NULL: repeating it is harmless */
	int64_t id;
	int64_t unknown_ms;
	bool is_started;
	bool has_waited;  /* for an earlier try to be seen */
	bool was_refused; /* "it exists already": look once more */
	struct forge_answer found;
	courier_call_cb *cb;
	void *ctx;
	struct ensure *next;
};

static const struct recipe *
recipe_of(int64_t kind)
{
	for (size_t i = 0; i < sizeof(RECIPES) / sizeof(RECIPES[0]); i++) {
		if ((int64_t)RECIPES[i].create == kind)
			return &RECIPES[i];
	}
	return NULL;
}

/* ---- Who waits for whom ---- */

/* The same effect sent again, by a queue that was restarted; two labels that may both have to be
 * made in one repository, which Gitea would make twice; or two files that are linked in one text,
 * as GitLab has it. */
static bool
must_wait(const struct ensure *later, const struct ensure *earlier)
{
	if (later->id && later->id == earlier->id)
		return true;
	if (later->op.kind != earlier->op.kind || later->forge != earlier->forge)
		return false;
	return (later->op.kind == OP_LABEL_ADD || later->op.kind == OP_ATTACH) &&
	       str_eq(later->op.repo, earlier->op.repo);
}

static bool
is_held(const struct ensure *n)
{
	for (const struct ensure *o = n->c->ensures; o && o != n; o = o->next) {
		if (must_wait(n, o))
			return true;
	}
	return false;
}

static void start(struct ensure *n);

/* Starts whoever waits for nobody any more. A start may end at once and change the list. */
static void
start_free(struct courier *c)
{
	struct ensure *n = c->ensures;

	while (n) {
		if (n->is_started || is_held(n)) {
			n = n->next;
			continue;
		}
		n->is_started = true;
		start(n);
		n = c->ensures;
	}
}

/* ---- What ended just now ---- */

#define ENDED_MAX                                                                                  \
	(sizeof(((struct courier *)NULL)->ended) / sizeof(((struct courier *)NULL)->ended[0]))

static void
note_end(struct courier *c, int64_t id)
{
	size_t at = c->n_ended++ % ENDED_MAX;

	c->ended[at].id = id;
	c->ended[at].ended_ms = clock_wall_ms();
}

/* A queue that was started again, or did not wait, asks for what has been done a moment ago. It
 * will be looked for, in a list that may not show it yet. */
static void
remember_end(struct ensure *n)
{
	const struct courier *c = n->c;

	for (size_t i = 0; n->id && i < ENDED_MAX; i++) {
		if (c->ended[i].id == n->id && c->ended[i].ended_ms > n->unknown_ms)
			n->unknown_ms = c->ended[i].ended_ms;
	}
}

static void
finish(struct ensure *n, int rc, struct forge_answer *a, const struct err *e)
{
	struct courier *c = n->c;
	struct ensure **at = &c->ensures;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	note_end(c, n->id);
	n->cb(n->ctx, rc, a, e);
	forge_answer_finish(&n->found);
	forge_op_finish(&n->op);
	buf_finish(&n->bytes);
	free(n);
	start_free(c);
}

/* ---- The steps ---- */

static void look(void *ctx);

/* Runs op (of another kind than n's, or n's own) with n's forge and bytes. */
static void
run(struct ensure *n, const struct forge_op *op, courier_call_cb *cb)
{
	const struct courier_work work = {
		.forge = n->forge,
		.op = op,
		.bytes = n->bytes.data,
		.n_bytes = n->bytes.len,
	};

	courier_call(n->c, &work, cb, n);
}

static void
on_created(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct ensure *n = ctx;

	if (rc == ERR_CONFLICT && n->recipe && n->recipe->find != NO_OP && !n->was_refused) {
		n->was_refused = true;
		look(n);
		return;
	}
	finish(n, rc, a, e);
}

static void
create(struct ensure *n)
{
	run(n, &n->op, on_created);
}

/* The answer is the thing that was found, whoever made it right. */
static void
on_edited(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct ensure *n = ctx;

	finish(n, rc, rc < 0 ? a : &n->found, e);
}

static void
adopt(struct ensure *n, struct forge_answer *a)
{
	struct forge_op edit = n->op; /* borrows */

	n->found = *a;
	*a = (struct forge_answer){ 0 };
	if (n->recipe->edit == NO_OP ||
		(n->op.kind == OP_COMMENT_CREATE && str_eq(n->found.body, n->op.body))) {
		finish(n, 0, &n->found, NULL);
		return;
	}
	edit.kind = n->recipe->edit;
	edit.id = n->found.id;
	run(n, &edit, on_edited);
}

/* Nothing there: make it, unless an earlier try may still be on its way into the list. */
static void
not_found(struct ensure *n, struct forge_answer *a, const struct err *e)
{
	int64_t settled = n->unknown_ms + SETTLE_MS - clock_wall_ms();

	if (n->was_refused) { /* it exists, and is not ours to see */
		struct err why;

		finish(n, err_set(&why, ERR_CONFLICT, "it exists already, but %s", e->text), a,
			&why);
	} else if ((n->unknown_ms || BUGGIFY("ensure.wait")) && !n->has_waited) {
		n->has_waited = true;
		if (settled > SETTLE_MS) /* somebody set the clock back */
			settled = SETTLE_MS;
		(void)loop_timer_add(n->c->role->loop, settled > 0 ? settled : 0, look, n);
	} else {
		create(n);
	}
}

static void
on_looked(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct ensure *n = ctx;

	if (rc == 0 && BUGGIFY("ensure.look_again"))
		look(n);
	else if (rc == 0)
		adopt(n, a);
	else if (rc == ERR_MISSING)
		not_found(n, a, e);
	else
		finish(n, rc, a, e);
}

/* A comment's marker is its first line. */
static char *
marker_of(const struct forge_op *op)
{
	const char *body = op->body ? op->body : "";

	if (op->marker && str_starts(op->marker, "<!--"))
		return mem_str(op->marker);
	return str_starts(body, MARKER_START) ? mem_strn(body, strcspn(body, "\r\n")) : NULL;
}

static void
look(void *ctx)
{
	struct ensure *n = ctx;
	struct forge_op find = n->op; /* borrows */
	auto_free char *marker = NULL;
	const struct courier_work work = { .forge = n->forge, .op = &find };

	find.kind = n->recipe->find;
	find.body = NULL;
	if (find.kind == OP_COMMENT_FIND) {
		marker = marker_of(&n->op);
		find.marker = marker;
	}
	if (find.kind == OP_COMMENT_FIND && !marker)
		create(n); /* nothing to know it by */
	else
		courier_fact(n->c, &work, on_looked, n);
}

static void
create_later(void *ctx)
{
	create(ctx);
}

static void
start(struct ensure *n)
{
	remember_end(n);
	int64_t settled = n->unknown_ms + SETTLE_MS - clock_wall_ms();

	int64_t late = n->unknown_ms + LATE_MS - clock_wall_ms();

	if (!n->recipe && n->unknown_ms && late > 0 && late <= LATE_MS)
		(void)loop_timer_add(n->c->role->loop, late, create_later, n);
	else if (n->recipe && n->recipe->find != NO_OP)
		look(n);
	else if (n->recipe && n->unknown_ms && settled > 0 && settled <= SETTLE_MS)
		(void)loop_timer_add(n->c->role->loop, settled, create_later, n);
	else
		create(n);
}

void
courier_ensure(
	struct courier *c, const struct courier_effect *effect, courier_call_cb *cb, void *ctx)
{
	struct ensure *n = mem_zero(sizeof(*n));
	struct ensure **at = &c->ensures;

	n->c = c;
	n->forge = effect->work.forge;
	row_copy(FORGE_OP_ROWS, &n->op, effect->work.op);
	buf_init(&n->bytes, effect->work.n_bytes);
	(void)buf_add(&n->bytes, effect->work.bytes, effect->work.n_bytes);
	n->recipe = recipe_of(n->op.kind);
	n->id = effect->id;
	n->unknown_ms = effect->unknown_ms;
	n->cb = cb;
	n->ctx = ctx;
	while (*at)
		at = &(*at)->next;
	*at = n;
	start_free(c);
}

/* ---- Reads ---- */

struct fact {
	struct courier *c;
	struct courier_forge *forge;
	struct forge_op op;
	courier_call_cb *cb;
	void *ctx;
};

static void
fact_finish(struct fact *f, int rc, struct forge_answer *a, const struct err *e)
{
	f->cb(f->ctx, rc, a, e);
	forge_op_finish(&f->op);
	free(f);
}

static void
on_fact(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	fact_finish(ctx, rc, a, e);
}

static void
ask(struct fact *f)
{
	const struct courier_work work = { .forge = f->forge, .op = &f->op };

	courier_call(f->c, &work, on_fact, f);
}

static void
on_whoami(void *ctx, int rc, struct forge_answer *a, const struct err *e)
{
	struct fact *f = ctx;

	if (rc == 0) {
		mem_set(&f->forge->bot_user, a->user);
		f->forge->bot_user_id = a->user_id;
	}
	if (rc < 0 || f->op.kind == OP_WHOAMI) {
		fact_finish(f, rc, a, e);
		return;
	}
	mem_set(&f->op.user, a->user);
	f->op.user_id = a->user_id;
	ask(f);
}

/* Looks for what we wrote, and so has to know who we are. */
static bool
op_is_of_own(int64_t kind)
{
	return kind == OP_COMMENT_FIND || kind == OP_COMMENT_LAST;
}

void
courier_fact(struct courier *c, const struct courier_work *work, courier_call_cb *cb, void *ctx)
{
	struct fact *f = mem_zero(sizeof(*f));
	struct courier_forge *forge = work->forge;
	struct forge_op whoami = { .kind = OP_WHOAMI, .id = forge->app_id };
	const struct courier_work who = { .forge = forge, .op = &whoami };

	f->c = c;
	f->forge = forge;
	row_copy(FORGE_OP_ROWS, &f->op, work->op);
	f->cb = cb;
	f->ctx = ctx;
	bool is_own = op_is_of_own(f->op.kind);
	if (f->op.kind == OP_REPOS)
		f->op.id = forge->app_id;
	if (is_own) {
		mem_set(&f->op.user, forge->bot_user);
		f->op.user_id = forge->bot_user_id;
	}
	if (f->op.kind == OP_WHOAMI || (is_own && !forge->bot_user))
		courier_call(c, &who, on_whoami, f);
	else
		ask(f);
}
