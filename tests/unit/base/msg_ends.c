/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends of a link on one loop, for the tests of base/msg.
 */
#include "tests/unit/base/msg_ends.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

const struct row note_rows[] = {
	ROW_I(struct note, number, "number"),
	ROW_S(struct note, text, "text", 100),
	ROW_DONE,
};

#define BOTH (1u << A | 1u << B)
#define NOTE note_rows, sizeof(struct note)
const struct msg_rule note_rules[] = {
	{ ASK, "ASK", 1u << A, 1u << B, NOTE, 0, 0 },
	{ ANSWER, "ANSWER", 1u << B, 1u << A, NOTE, 0, 0 },
	{ TELL, "TELL", BOTH, BOTH, NOTE, 0, 0 },
	{ BLOB, "BLOB", BOTH, BOTH, NOTE, MIB(20), 0 },
	{ HANDLE, "HANDLE", BOTH, BOTH, NULL, 0, 0, 2 },
	{ SECRET, "SECRET", 1u << A, 1u << B, NULL, 0, 0, 0 },
};
const size_t NOTE_RULES_COUNT = sizeof(note_rules) / sizeof(note_rules[0]);

void
ends_word(char *to, size_t size, const char *text)
{
	size_t len = strlen(to);

	(void)snprintf(to + len, size - len, "%s ", text);
}

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct end *end = ctx;
	const struct note *note = m->obj;
	struct err e = { 0 };

	ends_word(end->seen, sizeof(end->seen), note ? note->text : "-");
	if (m->type == BLOB) {
		free(end->blob);
		end->blob = mem_dup(m->blob, m->blob_len);
		end->blob_len = m->blob_len;
	}
	for (size_t i = 0; i < m->n_fds; i++)
		end->fds[i] = steal_fd(&m->fds[i]);
	if (m->type == ASK) {
		struct note answer = { .number = note->number + 1, .text = note->text };

		end->asked_id = m->id;
		assert_int_not_equal(m->id, 0);
		if (end->answer_not-- <= 0)
			assert_int_equal(
				msg_reply(link, m->id,
					&(struct msg_out){ .type = ANSWER, .obj = &answer }, &e),
				0);
	}
	if (++end->n == end->stop_after)
		loop_stop(end->f->l);
}

static void
on_gone(void *ctx)
{
	struct end *end = ctx;

	end->gone++;
	loop_stop(end->f->l);
}

static void
too_long(void *ctx)
{
	(void)ctx;
	fail_msg("the loop did not stop by itself");
}

void
ends_run(struct fixture *f)
{
	struct loop_timer *guard = loop_timer_add(f->l, 60000, too_long, NULL);
	struct err e = { 0 };

	assert_int_equal(loop_run(f->l, &e), 0);
	loop_timer_remove(guard);
}

static void
stop(void *ctx)
{
	loop_stop(ctx);
}

/* Each timer of 0 is another round. */
void
ends_settle(struct fixture *f)
{
	for (int i = 0; i < 10; i++) {
		loop_timer_add(f->l, 0, stop, f->l);
		ends_run(f);
	}
}

void
ends_make(struct fixture *f, struct end *end, unsigned self)
{
	struct msg_link_spec spec = {
		.rules = note_rules,
		.n_rules = NOTE_RULES_COUNT,
		.self = self,
		.peer = self == A ? B : A,
		.on_msg = on_msg,
		.on_gone = on_gone,
		.ctx = end,
	};

	end->f = f;
	end->fds[0] = end->fds[1] = -1;
	end->link = msg_link_create(f->l, &spec);
}

void
ends_connect(struct fixture *f)
{
	int fds[2];

	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(f->a.link, fds[0], NULL), 0);
	assert_int_equal(msg_link_attach(f->b.link, fds[1], NULL), 0);
}

int
ends_setup(void **state)
{
	struct fixture *f = mem_zero(sizeof(*f));

	assert_int_equal(loop_create(&f->l, NULL), 0);
	ends_make(f, &f->a, A);
	ends_make(f, &f->b, B);
	*state = f;
	return 0;
}

int
ends_teardown(void **state)
{
	struct fixture *f = *state;

	msg_link_destroy(f->a.link);
	msg_link_destroy(f->b.link);
	loop_destroy(f->l);
	free(f->a.blob);
	free(f->b.blob);
	free(f);
	return 0;
}
