/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of base/msg: two links on one loop as they should be used, restarts included.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include "tests/unit/base/msg_ends.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
tell(struct end *from, const char *text)
{
	char copy[64];
	struct note note = { .text = copy };
	struct err e = { 0 };

	(void)snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(
		msg_send(from->link, &(struct msg_out){ .type = TELL, .obj = &note }, &e), 0);
}

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct fixture *f = ctx;
	const struct note *note = m ? m->obj : NULL;

	ends_word(f->answers, sizeof(f->answers), note ? note->text : err_name(e->code));
	if (++f->n_answers == f->stop_after_answers)
		loop_stop(f->l);
}

static uint64_t
ask(struct fixture *f, const char *text, int64_t timeout_ms)
{
	char copy[64];
	struct note note = { .number = 1, .text = copy };

	(void)snprintf(copy, sizeof(copy), "%s", text);
	return msg_call(f->a.link, &(struct msg_out){ .type = ASK, .obj = &note }, timeout_ms,
		on_answer, f);
}

/* ---- the way it should go ---- */

static void
messages_arrive_in_order_and_calls_are_answered(void **state)
{
	struct fixture *f = *state;

	ends_connect(f);
	tell(&f->a, "one");
	ask(f, "two", 0);
	tell(&f->b, "three");
	f->stop_after_answers = 1;
	ends_run(f);
	assert_string_equal(f->b.seen, "one two ");
	assert_string_equal(f->a.seen, "three ");
	assert_string_equal(f->answers, "two ");
}

static void
what_is_said_before_the_peer_is_there_waits(void **state)
{
	struct fixture *f = *state;

	assert_false(msg_link_is_up(f->a.link));
	tell(&f->a, "early");
	ask(f, "question", 0);
	ends_connect(f);
	f->stop_after_answers = 1;
	ends_run(f);
	assert_string_equal(f->answers, "question ");
	ends_settle(f);
	assert_string_equal(f->b.seen, "question early ");
}

static void
unanswered_calls_are_asked_again_after_a_restart(void **state)
{
	struct fixture *f = *state;

	ends_connect(f);
	f->b.answer_not = 2;
	ask(f, "first", 0);
	ask(f, "second", 0);
	ends_settle(f);
	assert_string_equal(f->b.seen, "first second ");

	/* The peer dies; a successor without memory takes its place. */
	msg_link_destroy(f->b.link);
	ends_run(f);
	assert_int_equal(f->a.gone, 1);
	assert_false(msg_link_is_up(f->a.link));
	f->b.seen[0] = '\0';
	ends_make(f, &f->b, B);
	ends_connect(f);
	f->stop_after_answers = 2;
	ends_run(f);
	assert_string_equal(f->b.seen, "first second ");
	assert_string_equal(f->answers, "first second ");
}

static void
a_call_is_answered_once_even_if_asked_twice(void **state)
{
	struct fixture *f = *state;
	struct note note = { .text = NULL };
	uint64_t old_id;

	ends_connect(f);
	f->b.answer_not = 1;
	ask(f, "x", 0);
	ends_settle(f);
	old_id = f->b.asked_id;
	ends_connect(f); /* both live on, only the sockets are new: asked again */
	ends_settle(f);
	assert_string_equal(f->answers, "x ");
	/* The answer to the first asking comes late and finds nobody. */
	assert_int_equal(msg_reply(f->b.link, old_id,
				 &(struct msg_out){ .type = ANSWER, .obj = &note }, NULL),
		0);
	ends_settle(f);
	assert_string_equal(f->answers, "x ");
	/* A new end says that the old one is gone, whichever is seen first. */
	assert_int_equal(f->a.gone, 1);
}

static void
a_call_without_an_answer_times_out(void **state)
{
	struct fixture *f = *state;

	ends_connect(f);
	f->b.answer_not = 1;
	ask(f, "x", 10);
	f->stop_after_answers = 1;
	ends_run(f);
	assert_string_equal(f->answers, "timeout ");
}

static void
a_cancelled_call_is_silent(void **state)
{
	struct fixture *f = *state;

	ends_connect(f);
	msg_call_cancel(f->a.link, ask(f, "x", 10));
	msg_call_cancel(f->a.link, 12345); /* not a call */
	ask(f, "y", 0);
	f->stop_after_answers = 1;
	ends_run(f);
	assert_string_equal(f->answers, "y ");
}

static void
send_blob(struct fixture *f, size_t len)
{
	auto_free char *bytes = mem_zero(len);
	char text[] = "blob";
	struct note note = { .text = text };
	struct msg_out out = { .type = BLOB, .obj = &note, .blob = bytes, .blob_len = len };

	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 31 + len);
	f->b.stop_after = f->b.n + 1;
	assert_int_equal(msg_send(f->a.link, &out, NULL), 0);
	ends_run(f);
	assert_int_equal(f->b.blob_len, len);
	assert_memory_equal(f->b.blob, bytes, len);
}

static void
blobs_of_every_size_arrive_whole(void **state)
{
	struct fixture *f = *state;

	ends_connect(f);
	send_blob(f, 1);
	send_blob(f, 1000);
	send_blob(f, MSG_INLINE_BYTES_MAX - 100);
	send_blob(f, MSG_INLINE_BYTES_MAX);
	send_blob(f, MSG_INLINE_BYTES_MAX + 1);
	send_blob(f, MIB(20));
}

static void
a_blob_over_the_rule_is_the_senders_error(void **state)
{
	struct fixture *f = *state;
	auto_free char *bytes = mem_zero(MIB(20) + 1);
	char text[] = "x";
	struct note note = { .text = text };
	struct msg_out out = { .type = BLOB, .obj = &note, .blob = bytes, .blob_len = MIB(20) + 1 };
	struct err e = { 0 };

	assert_int_equal(msg_send(f->a.link, &out, &e), ERR_LIMIT);
	assert_non_null(strstr(e.text, "BLOB"));
}

static void
descriptors_travel_and_belong_to_the_receiver(void **state)
{
	struct fixture *f = *state;
	auto_fd int fd = -1;
	char c = 0;

	ends_connect(f);
	assert_int_equal(fs_memfd("x", "hello", 5, &fd, NULL), 0);
	int two[2] = { fd, fd };
	assert_int_equal(msg_send(f->a.link,
				 &(struct msg_out){ .type = HANDLE, .fds = two, .n_fds = 2 }, NULL),
		0);
	f->b.stop_after = 1;
	ends_run(f);
	assert_int_equal(pread(f->b.fds[1], &c, 1, 4), 1);
	assert_int_equal(c, 'o');
	assert_true(fcntl(f->b.fds[0], F_GETFD) & FD_CLOEXEC);
	(void)close(f->b.fds[0]);
	(void)close(f->b.fds[1]);
}

static void
a_slow_peer_fills_the_queue_and_then_it_is_busy(void **state)
{
	struct fixture *f = *state;
	auto_free char *bytes = mem_zero(MIB(20));
	char text[] = "big";
	struct note note = { .text = text };
	struct msg_out out = { .type = BLOB, .obj = &note, .blob = bytes, .blob_len = MIB(20) };
	struct err e = { 0 };

	/* Nobody is there: three fit under 64 MiB, the fourth does not, and small ones still do. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(msg_send(f->a.link, &out, &e), 0);
	assert_int_equal(msg_send(f->a.link, &out, &e), ERR_BUSY);
	tell(&f->a, "small");
	ends_connect(f);
	f->b.stop_after = 4;
	ends_run(f);
	assert_string_equal(f->b.seen, "big big big small ");
	assert_int_equal(msg_send(f->a.link, &out, &e), 0);
}

/* A socket buffer holds some hundred small frames; all of them must come through nevertheless, in
 * order. */
static void
a_full_socket_loses_nothing(void **state)
{
	struct fixture *f = *state;
	char text[16];

	ends_connect(f);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		tell(&f->a, i == 4999 ? "last" : "");
	}
	f->b.stop_after = 5000;
	ends_run(f);
	assert_int_equal(f->b.n, 5000);
	assert_string_equal(f->b.seen + strlen(f->b.seen) - 1, " ");
}

static void
a_socket_of_another_kind_is_refused(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(msg_link_attach(f->a.link, fds[0], NULL), ERR_INVALID);
	assert_false(msg_link_is_up(f->a.link));
	(void)close(fds[1]);
}

/* ---- callbacks that pull the ground away ---- */

static void
destroy_in_callback(void *ctx, struct msg_link *link, struct msg *m)
{
	struct end *end = ctx;

	(void)m;
	msg_link_destroy(link);
	end->link = NULL;
	loop_stop(end->f->l);
}

static void
a_link_may_be_destroyed_by_its_own_callback(void **state)
{
	struct fixture *f = *state;
	struct msg_link_spec spec = {
		.rules = note_rules,
		.n_rules = NOTE_RULES_COUNT,
		.self = B,
		.peer = A,
		.on_msg = destroy_in_callback,
		.ctx = &f->b,
	};

	msg_link_destroy(f->b.link);
	f->b.link = msg_link_create(f->l, &spec);
	ends_connect(f);
	tell(&f->a, "one");
	tell(&f->a, "two");
	ends_run(f);
	assert_null(f->b.link);
	if (!f->a.gone)
		ends_run(f);
	assert_int_equal(f->a.gone, 1);
}

static void
blob_call(struct fixture *f, const char *text, size_t len, uint64_t *id)
{
	char none[] = "blob";
	struct note note = { .text = none };
	const struct msg_out out = {
		.type = BLOB, .obj = &note, .blob = text, .blob_len = len, .blob_stays = true
	};

	*id = msg_call(f->a.link, &out, 0, on_answer, f);
}

static void
a_blob_that_stays_is_sent_as_often_as_it_takes(void **state)
{
	static const size_t sizes[] = { 1, 12000, KIB(64), KIB(64) + 1 };
	struct fixture *f = *state;
	uint64_t id;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		auto_free char *bytes = mem_array(sizes[i], 1);

		memset(bytes, 'a' + (int)i, sizes[i]);
		blob_call(f, bytes, sizes[i], &id);
		for (int times = 0; times < 2; times++) {
			free(f->b.blob);
			f->b.blob = NULL;
			ends_connect(f); /* whoever comes is asked what was not answered */
			ends_settle(f);
			assert_int_equal(f->b.blob_len, sizes[i]);
			assert_memory_equal(f->b.blob, bytes, sizes[i]);
		}
		msg_call_cancel(f->a.link, id);
	}
	f->b.seen[0] = '\0';
	ends_connect(f);
	ends_settle(f);
	assert_string_equal(f->b.seen, ""); /* the bytes are gone, and nothing points to them */
}

static void
tell_many(void *ctx)
{
	struct fixture *f = ctx;
	char text[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		tell(&f->a, text);
	}
}

static void
what_a_round_says_arrives_in_order(void **state)
{
	struct fixture *f = *state;
	char expected[sizeof(f->b.seen)] = "";
	char text[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		ends_word(expected, sizeof(expected), text);
	}
	ends_connect(f);
	loop_timer_add(f->l, 0, tell_many, f);
	f->b.stop_after = 100;
	ends_run(f);
	assert_string_equal(f->b.seen, expected);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ends_setup, ends_teardown)
	const struct CMUnitTest tests[] = {
		T(messages_arrive_in_order_and_calls_are_answered),
		T(what_is_said_before_the_peer_is_there_waits),
		T(unanswered_calls_are_asked_again_after_a_restart),
		T(a_call_is_answered_once_even_if_asked_twice),
		T(a_call_without_an_answer_times_out),
		T(a_cancelled_call_is_silent),
		T(blobs_of_every_size_arrive_whole),
		T(a_blob_over_the_rule_is_the_senders_error),
		T(descriptors_travel_and_belong_to_the_receiver),
		T(a_slow_peer_fills_the_queue_and_then_it_is_busy),
		T(a_full_socket_loses_nothing),
		T(a_socket_of_another_kind_is_refused),
		T(a_link_may_be_destroyed_by_its_own_callback),
		T(a_blob_that_stays_is_sent_as_often_as_it_takes),
		T(what_a_round_says_arrives_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
