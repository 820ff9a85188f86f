/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_queue_fact - who asks for a person's permission at the same time as others is told with
 * them, and nobody is told what was asked before he came.
 */
#include "queue_rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f)      cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
#define HELD      32
#define TRIES     3
#define REPEAT_MS 500
#define MOMENT_MS 30 /* three seconds of the queue: whatever it would say is said by then */

/* A courier that answers these two questions when the test says so. */
static struct {
	uint64_t ids[HELD];
	char *users[HELD];
	size_t n;
} asked;

/* One who asks. */
struct asker {
	int n_told;
	bool is_cut; /* the role ended before */
	int64_t code;
	int64_t permission;
};

static void
on_courier(void *ctx, struct msg_link *link, struct msg *m)
{
	const struct forge_op *op = m->obj;

	if (m->type != WIRE_FACT || (op->kind != OP_PERMISSION && op->kind != OP_ISSUE)) {
		rig_on_courier(ctx, link, m);
		return;
	}
	assert_true(asked.n < HELD);
	mem_set(&asked.users[asked.n], op->user);
	asked.ids[asked.n++] = m->id;
}

static int
setup(void **state)
{
	int rc = rig_setup(state);
	struct rig *r = *state;
	const struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_COURIER,
		.peer = ROLE_QUEUE,
		.on_msg = on_courier,
		.ctx = r,
	};

	for (size_t i = 0; i < HELD; i++)
		mem_set(&asked.users[i], NULL);
	asked.n = 0;
	msg_link_destroy(r->peers[ROLE_COURIER]);
	r->peers[ROLE_COURIER] = msg_link_create(r->loop, &spec);
	rig_reconnect(r, ROLE_COURIER);
	return rc;
}

static void
say_in(struct rig *r, size_t i, int64_t code, int64_t permission, int64_t retry_after_ms)
{
	char text[] = "scripted";
	struct forge_answer a = { .user = asked.users[i], .user_id = 5, .permission = permission };
	const struct wire_answer w = {
		.code = code, .text = text, .retry_after_ms = retry_after_ms, .answer = { &a, 1 }
	};

	assert_true(i < asked.n);
	assert_int_equal(msg_reply(r->peers[ROLE_COURIER], asked.ids[i],
				 &(struct msg_out){ .type = WIRE_ANSWER, .obj = &w }, NULL),
		0);
}

static void
say(struct rig *r, size_t i, int64_t code, int64_t permission)
{
	say_in(r, i, code, permission, 0);
}

static void
on_fact(struct queue *q, void *ctx, struct fact *f)
{
	struct asker *who = ctx;

	(void)q;
	who->n_told++;
	who->is_cut = !f;
	if (!f)
		return;
	who->code = f->code;
	who->permission = f->answer.permission;
	assert_int_equal(f->kind, OP_PERMISSION);
	assert_string_equal(f->user, "writer");
}

static char forge[] = "gh", repo[] = "acme/widget", writer[] = "writer";

static struct forge_op
permission_op(void)
{
	return (struct forge_op){
		.kind = OP_PERMISSION,
		.forge = forge,
		.installation_id = 9,
		.repo_id = RIG_REPO,
		.repo = repo,
		.user = writer,
		.user_id = 5,
	};
}

static void
ask_patiently(struct rig *r, struct asker *who, int64_t tries)
{
	const struct forge_op op = permission_op();

	queue_fact_ask(r->q, &op, tries, on_fact, who);
}

static void
ask(struct rig *r, struct asker *who)
{
	ask_patiently(r, who, TRIES);
}

static void
assert_told(const struct asker *v, size_t n, int64_t code, int64_t permission)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(v[i].n_told, 1);
		assert_false(v[i].is_cut);
		assert_int_equal(v[i].code, code);
		if (code == 0)
			assert_int_equal(v[i].permission, permission);
	}
}

static void
assert_untold(const struct asker *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(v[i].n_told, 0);
}

/* Until that many were sent, and a moment longer, so that one too many is seen. */
static size_t awaited;

static bool
are_asked(struct rig *r)
{
	(void)r;
	return asked.n >= awaited;
}

static void
until_asked(struct rig *r, size_t n)
{
	awaited = n;
	rig_until(r, are_asked);
	rig_run(r, MOMENT_MS);
	assert_int_equal(asked.n, n);
}

/* Until all of them were told, and a moment longer, so that twice is seen. */
static struct {
	const struct asker *v;
	size_t n;
} listening;

static bool
are_told(struct rig *r)
{
	bool all = true;

	(void)r;
	for (size_t i = 0; i < listening.n; i++)
		all &= listening.v[i].n_told > 0;
	return all;
}

static void
until_told(struct rig *r, const struct asker *v, size_t n)
{
	listening.v = v;
	listening.n = n;
	rig_until(r, are_told);
	rig_run(r, MOMENT_MS);
}

/* ---- the same question ---- */

/* The right changes between the two requests: the first one's answer is for him alone who had asked
 * when it was sent. */
static void
equal_questions_share_a_request(void **state)
{
	struct rig *r = *state;
	struct asker v[20] = { 0 };

	for (size_t i = 0; i < 20; i++)
		ask(r, &v[i]);
	until_asked(r, 1);
	assert_untold(v, 20);
	say(r, 0, 0, PERMISSION_WRITE);
	until_asked(r, 2);
	assert_told(v, 1, 0, PERMISSION_WRITE);
	assert_untold(v + 1, 19);
	say(r, 1, 0, PERMISSION_READ);
	until_told(r, v, 20);
	assert_told(v, 1, 0, PERMISSION_WRITE);
	assert_told(v + 1, 19, 0, PERMISSION_READ);
	assert_int_equal(asked.n, 2);
	assert_null(r->q->facts);
}

/* A shared request is no more his who comes during it than a single one is. */
static void
who_comes_during_a_request_shares_the_next(void **state)
{
	struct rig *r = *state;
	struct asker v[6] = { 0 };

	ask(r, &v[0]);
	until_asked(r, 1);
	ask(r, &v[1]);
	ask(r, &v[2]);
	say(r, 0, 0, PERMISSION_ADMIN);
	until_asked(r, 2);
	ask(r, &v[3]);
	ask(r, &v[4]);
	ask(r, &v[5]);
	rig_run(r, MOMENT_MS);
	assert_int_equal(asked.n, 2);
	say(r, 1, 0, PERMISSION_WRITE);
	until_asked(r, 3);
	assert_told(v, 1, 0, PERMISSION_ADMIN);
	assert_told(v + 1, 2, 0, PERMISSION_WRITE);
	assert_untold(v + 3, 3);
	say(r, 2, 0, PERMISSION_NONE);
	until_told(r, v + 3, 3);
	assert_told(v + 3, 3, 0, PERMISSION_NONE);
	assert_int_equal(asked.n, 3);
	/* None is under way, and nothing that was said is kept. */
	struct asker late = { 0 };
	ask(r, &late);
	until_asked(r, 4);
	assert_untold(&late, 1);
	say(r, 3, 0, PERMISSION_READ);
	until_told(r, &late, 1);
	assert_told(&late, 1, 0, PERMISSION_READ);
}

static void
a_refusal_is_for_all_that_asked(void **state)
{
	struct rig *r = *state;
	struct asker v[4] = { 0 };

	for (size_t i = 0; i < 4; i++)
		ask(r, &v[i]);
	until_asked(r, 1);
	say(r, 0, ERR_MISSING, 0);
	until_asked(r, 2);
	assert_told(v, 1, ERR_MISSING, 0);
	assert_untold(v + 1, 3);
	say(r, 1, ERR_DENIED, 0);
	until_told(r, v + 1, 3);
	assert_told(v + 1, 3, ERR_DENIED, 0);
	assert_int_equal(asked.n, 2);
}

/* It is sent after they came: those from before the first try's end, and those from the wait. */
static void
a_repetition_is_for_those_who_came_before_it(void **state)
{
	struct rig *r = *state;
	struct asker v[4] = { 0 };

	queue_hasten(r->q, 1);
	ask(r, &v[0]);
	until_asked(r, 1);
	ask(r, &v[1]);
	say_in(r, 0, ERR_BUSY, 0, REPEAT_MS);
	rig_run(r, MOMENT_MS);
	ask(r, &v[2]);
	rig_run(r, MOMENT_MS);
	assert_int_equal(asked.n, 1);
	until_asked(r, 2);
	assert_untold(v, 4);
	ask(r, &v[3]);
	say(r, 1, 0, PERMISSION_WRITE);
	until_asked(r, 3);
	assert_told(v, 3, 0, PERMISSION_WRITE);
	assert_untold(v + 3, 1);
	say(r, 2, 0, PERMISSION_READ);
	until_told(r, v + 3, 1);
	assert_told(v + 3, 1, 0, PERMISSION_READ);
	assert_int_equal(asked.n, 3);
}

/* A push is asked for again later, a label is refused for good: each is asked for as often as it
 * says, whomever it goes with. */
static void
one_with_patience_does_not_give_up_with_another(void **state)
{
	struct rig *r = *state;
	struct asker v[4] = { 0 };

	ask(r, &v[0]);
	until_asked(r, 1);
	ask_patiently(r, &v[1], 40);
	ask_patiently(r, &v[2], 1);
	ask_patiently(r, &v[3], 1); /* the youngest leads */
	say(r, 0, 0, PERMISSION_READ);
	until_asked(r, 2);
	say(r, 1, ERR_BUSY, 0);
	until_told(r, v + 2, 2);
	assert_told(v + 2, 2, ERR_BUSY, 0);
	assert_untold(v + 1, 1);
	until_asked(r, 3);
	say(r, 2, 0, PERMISSION_WRITE);
	until_told(r, v + 1, 1);
	assert_told(v + 1, 1, 0, PERMISSION_WRITE);
}

/* ---- other questions ---- */

static void
other_questions_do_not_wait(void **state)
{
	static char other_forge[] = "other", other_repo[] = "acme/gadget", other[] = "stranger";
	struct rig *r = *state;
	struct asker v[8] = { 0 };
	struct forge_op ops[8];

	for (size_t i = 0; i < 8; i++)
		ops[i] = permission_op();
	ops[1].forge = other_forge;
	ops[2].installation_id = 10;
	ops[3].repo_id = RIG_REPO + 1;
	ops[4].repo = other_repo;
	ops[5].user = other;
	ops[6].kind = ops[7].kind = OP_ISSUE; /* twice: only permissions are shared */
	for (size_t i = 0; i < 8; i++)
		queue_fact_ask(r->q, &ops[i], TRIES, on_fact, &v[i]);
	until_asked(r, 8);
	assert_untold(v, 8);
	/* Each gets its own answer. */
	for (size_t i = 0; i < 5; i++)
		say(r, i, 0, (int64_t)(i % 2 ? PERMISSION_READ : PERMISSION_WRITE));
	until_told(r, v, 5);
	for (size_t i = 0; i < 5; i++)
		assert_told(v + i, 1, 0, (int64_t)(i % 2 ? PERMISSION_READ : PERMISSION_WRITE));
	assert_untold(v + 5, 3);
	assert_int_equal(asked.n, 8);
	queue_fact_finish(r->q);
}

/* ---- ends ---- */

/* The one under way is sent to the next courier again; it is still nobody else's. */
static void
a_courier_may_be_another_one(void **state)
{
	struct rig *r = *state;
	struct asker v[3] = { 0 };

	for (size_t i = 0; i < 3; i++)
		ask(r, &v[i]);
	until_asked(r, 1);
	rig_reconnect(r, ROLE_COURIER);
	until_asked(r, 2);
	assert_untold(v, 3);
	say(r, 1, 0, PERMISSION_WRITE);
	until_asked(r, 3);
	assert_told(v, 1, 0, PERMISSION_WRITE);
	assert_untold(v + 1, 2);
	say(r, 2, 0, PERMISSION_READ);
	until_told(r, v + 1, 2);
	assert_told(v + 1, 2, 0, PERMISSION_READ);
}

/* One under way, one that goes with it, one that waits: each hears once that there will be no
 * answer. */
static void
the_end_of_the_role_is_told_to_all(void **state)
{
	struct rig *r = *state;
	struct asker v[4] = { 0 };

	for (size_t i = 0; i < 3; i++)
		ask(r, &v[i]);
	until_asked(r, 1);
	say(r, 0, 0, PERMISSION_WRITE);
	until_asked(r, 2);
	ask(r, &v[3]);
	rig_restart(r);
	assert_told(v, 1, 0, PERMISSION_WRITE);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(v[i].n_told, 1);
		assert_true(v[i].is_cut);
	}
}

/* ---- as the role uses it ---- */

static size_t
writers(void)
{
	size_t n = 0;

	for (size_t i = 0; i < asked.n; i++)
		n += asked.users[i] && str_eq(asked.users[i], "writer");
	return n;
}

static bool
five_have_come(struct rig *r)
{
	return r->q->n_cases == 5 && writers() > 0;
}

static bool
has_asked_twice(struct rig *r)
{
	(void)r;
	return writers() > 1;
}

static void
labels_of_one_moment_ask_twice(void **state)
{
	struct rig *r = *state;

	for (int64_t number = 1; number <= 5; number++) {
		auto_free char *guid = mem_fmt("g%d", (int)number);

		rig_label(r, guid, number);
	}
	rig_until(r, five_have_come);
	rig_run(r, MOMENT_MS);
	assert_int_equal(writers(), 1);
	for (size_t i = 0, n = asked.n; i < n; i++)
		say(r, i, 0, PERMISSION_WRITE);
	rig_until(r, has_asked_twice);
	rig_run(r, MOMENT_MS);
	assert_int_equal(writers(), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(equal_questions_share_a_request),
		T(who_comes_during_a_request_shares_the_next),
		T(a_refusal_is_for_all_that_asked),
		T(a_repetition_is_for_those_who_came_before_it),
		T(one_with_patience_does_not_give_up_with_another),
		T(other_questions_do_not_wait),
		T(a_courier_may_be_another_one),
		T(the_end_of_the_role_is_told_to_all),
		T(labels_of_one_moment_ask_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
