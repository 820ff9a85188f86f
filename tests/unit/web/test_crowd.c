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
#include "web/penalty.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CROWD (3 * ROOM)

/* ---- the clock, in the place of base/clock ---- */

static _Atomic int64_t *stands_at; /* 0: it goes; shared with the server, which is our child */

static int64_t
read_ms(clockid_t id)
{
	struct timespec t = { 0 };

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t
clock_boot_ms(void)
{
	int64_t at = stands_at ? atomic_load(stands_at) : 0;

	return at ? at : read_ms(CLOCK_BOOTTIME);
}

/* ---- the crowd ---- */

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

/* Four large ones, of which two have room. True: the first was there in time for its answer. */
static bool
crowd_of_large_ones(const char *head, const char *body, size_t len)
{
	auto_buf struct buf first = BUF_INIT(ANSWER_BYTES_MAX);
	auto_buf struct buf last = BUF_INIT(ANSWER_BYTES_MAX);
	int fds[4];

	for (int i = 0; i < 4; i++) {
		fds[i] = server_rig_dial();
		server_rig_put(fds[i], head, strlen(head));
		server_rig_put(fds[i], body, len - 1);
		assert_served();
	}
	server_rig_put(fds[0], "x", 1);
	server_rig_get(fds[0], &first);
	server_rig_put(fds[3], "x", 1);
	server_rig_get(fds[3], &last);
	assert_int_equal(server_rig_status_of(&last), 202);
	for (int i = 0; i < 4; i++)
		(void)close(fds[i]);
	if (first.len == 0)
		return false;
	assert_int_equal(server_rig_status_of(&first), 503);
	assert_non_null(strstr(buf_str(&first), "Retry-After: "));
	return true;
}

/* Who has to go is told so if the rest of its body comes within two seconds: what a busy machine
 * may not do at once.
 */
static void
large_bodies_make_room(void **state)
{
	const size_t len = LIMIT_DELIVERY_BYTES;
	auto_free char *body = mem_zero(len);
	auto_free char *head = mem_fmt(POST_GH GOOD "Content-Length: %zu\r\n\r\n", len);
	bool is_told = false;

	(void)state;
	for (int i = 0; i < 10 && !is_told; i++)
		is_told = crowd_of_large_ones(head, body, len);
	assert_true(is_told);
}

/* Who is refused too often is not listened to any more; who has a key is, from the same address.
 * The server's clock stands still meanwhile, so that no share comes back. */
static void
an_unsigned_flood_is_told_to_come_later(void **state)
{
	static const char unsigned_one[] = POST_GH "Content-Length: 2\r\n\r\n{}";
	static const char head[] = POST_GH "Content-Length: 20000000\r\n\r\n";
	static const char forged[] =
		POST_GH "X-Hub-Signature-256: bad\r\nContent-Length: 2\r\n\r\n{}";
	int status = 401;

	(void)state;
	atomic_store(stands_at, clock_boot_ms());
	for (int i = 0; status == 401 && i < 2 * PENALTY_BURST; i++) {
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
	atomic_store(stands_at, 0);
	assert_served();
}

static int
start(void **state)
{
	stands_at = mmap(NULL, sizeof(*stands_at), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return stands_at == MAP_FAILED ? -1 : server_rig_start(state);
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

	return cmocka_run_group_tests(tests, start, server_rig_stop);
}
