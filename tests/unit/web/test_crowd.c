/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_crowd - more come than there is room for, over real sockets: whoever is quick is served.
 */
#include "server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

#define CROWD (3 * ROOM)

static void
assert_served(void)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	auto_fd int fd = server_rig_dial();
	static const char text[] = POST_GH GOOD "Content-Length: 2\r\n\r\n{}";

	server_rig_put(fd, text, sizeof(text) - 1);
	server_rig_get(fd, &answer);
	assert_int_equal(server_rig_status_of(&answer), 202);
}

static void
assert_sent_away(int fd, int status)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);

	server_rig_get(fd, &answer);
	assert_int_equal(server_rig_status_of(&answer), status);
	assert_non_null(strstr(buf_str(&answer), "Retry-After: "));
}

/* A crowd says the beginning of something and no more. */
static void
crowd(int *fds, const char *text)
{
	for (int i = 0; i < CROWD; i++) {
		fds[i] = server_rig_dial();
		server_rig_put(fds[i], text, strlen(text));
		if (i % ROOM == ROOM - 1)
			assert_served();
	}
}

static void
disperse(int *fds)
{
	for (int i = 0; i < CROWD; i++)
		(void)close(fds[i]);
}

static void
who_begins_a_head_and_stops_makes_room(void **state)
{
	int fds[CROWD];

	(void)state;
	crowd(fds, "POST /hook/gh HTTP/1.1\r\nHost: ");
	assert_sent_away(fds[0], 503);
	assert_served();
	disperse(fds);
}

static void
who_begins_a_body_and_stops_makes_room(void **state)
{
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	int fds[CROWD];

	(void)state;
	crowd(fds, POST_GH GOOD "Content-Length: 99\r\n\r\n{");
	server_rig_get(fds[0], &answer);
	assert_int_equal(answer.len, 0); /* cut off */
	assert_served();
	disperse(fds);
}

static void
large_bodies_make_room(void **state)
{
	const size_t len = LIMIT_DELIVERY_BYTES;
	auto_free char *body = mem_zero(len);
	auto_free char *head = mem_fmt(POST_GH GOOD "Content-Length: %zu\r\n\r\n", len);
	int fds[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		fds[i] = server_rig_dial();
		server_rig_put(fds[i], head, strlen(head));
		server_rig_put(fds[i], body, len - 1);
		assert_served();
	}
	server_rig_put(fds[0], "x", 1);
	assert_sent_away(fds[0], 503);
	auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
	server_rig_put(fds[3], "x", 1);
	server_rig_get(fds[3], &answer);
	assert_int_equal(server_rig_status_of(&answer), 202);
	for (int i = 0; i < 4; i++)
		(void)close(fds[i]);
}

/* Who is refused too often is not listened to any more; who has a key is, from the same address. */
static void
an_unsigned_flood_is_told_to_come_later(void **state)
{
	static const char unsigned_one[] = POST_GH "Content-Length: 2\r\n\r\n{}";
	static const char head[] = POST_GH "Content-Length: 20000000\r\n\r\n";
	static const char forged[] =
		POST_GH "X-Hub-Signature-256: bad\r\nContent-Length: 2\r\n\r\n{}";
	int64_t until_ms = clock_boot_ms() + WAIT_S * 1000;
	int status = 401;

	(void)state;
	while (status == 401 && clock_boot_ms() < until_ms) {
		auto_buf struct buf answer = BUF_INIT(ANSWER_BYTES_MAX);
		auto_fd int fd = server_rig_dial();

		server_rig_put(fd, unsigned_one, sizeof(unsigned_one) - 1);
		server_rig_get(fd, &answer);
		status = server_rig_status_of(&answer);
	}
	assert_int_equal(status, 429);
	auto_fd int large = server_rig_dial();
	server_rig_put(large, head, sizeof(head) - 1);
	assert_sent_away(large, 429);
	auto_fd int liar = server_rig_dial();
	server_rig_put(liar, forged, sizeof(forged) - 1);
	assert_sent_away(liar, 429);
	assert_served();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_begins_a_head_and_stops_makes_room),
		cmocka_unit_test(who_begins_a_body_and_stops_makes_room),
		cmocka_unit_test(large_bodies_make_room),
		cmocka_unit_test(an_unsigned_flood_is_told_to_come_later),
	};

	return cmocka_run_group_tests(tests, server_rig_start, server_rig_stop);
}
