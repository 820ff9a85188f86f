/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_postgres - what only a server on the other side of a wire can do to a store: go away,
 * come back, and take the answer to a COMMIT with it.
 *
 * Between the driver and the server stands a relay of ours, which can cut the wire before or after
 * a COMMIT has gone through.
 */
#include "postgres_rig.h"

#include "base/clean.h"
#include "base/mem.h"
#include "store/store.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cmocka.h>

#define KILLS 25

/* ---- the relay ---- */

enum cut { CUT_NEVER, CUT_BEFORE, CUT_AFTER, CUT_ALWAYS };

static struct {
	int listen_fd;
	int wake[2];
	pthread_t thread;
	_Atomic(enum cut) cut;
	char dir[64];
	char url[160];
} relay;

static int
unix_socket(const char *dir, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(a->sun_path, sizeof(a->sun_path), "%s/.s.PGSQL.5432", dir);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Whoever should get it may be gone. */
static bool
give(int to, const char *bytes, ssize_t n)
{
	return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool
pass(int from, int to)
{
	char bytes[65536];

	return give(to, bytes, read(from, bytes, sizeof(bytes)));
}

/* What the driver says; false: the wire is cut. */
static bool
pass_up(int client, int server)
{
	char bytes[65536];
	ssize_t n = read(client, bytes, sizeof(bytes));
	bool is_commit = n > 0 && memmem(bytes, (size_t)n, "COMMIT", 6);

	if (n <= 0)
		return false;
	if (is_commit && relay.cut == CUT_BEFORE) {
		relay.cut = CUT_NEVER;
		return false;
	}
	if (!give(server, bytes, n))
		return false;
	if (is_commit && relay.cut == CUT_AFTER) {
		struct pollfd answer = { .fd = server, .events = POLLIN };

		relay.cut = CUT_NEVER;
		(void)poll(&answer, 1, 60000); /* it has answered: it is done */
		return false;
	}
	return true;
}

static void
serve(int client)
{
	struct sockaddr_un a;
	auto_fd int server = unix_socket(postgres_rig_dir(), &a);

	if (relay.cut == CUT_ALWAYS || connect(server, (struct sockaddr *)&a, sizeof(a)) < 0)
		return;
	for (;;) {
		struct pollfd fds[3] = { { client, POLLIN, 0 }, { server, POLLIN, 0 },
			{ relay.wake[0], POLLIN, 0 } };

		if (poll(fds, 3, -1) < 0 || fds[2].revents)
			return;
		if (fds[1].revents && !pass(server, client))
			return;
		if (fds[0].revents && !pass_up(client, server))
			return;
	}
}

/* One connection at a time: the driver has one. */
static void *
relay_main(void *ctx)
{
	(void)ctx;
	for (;;) {
		struct pollfd fds[2] = { { relay.listen_fd, POLLIN, 0 },
			{ relay.wake[0], POLLIN, 0 } };

		if (poll(fds, 2, -1) < 0 || fds[1].revents)
			return NULL;
		auto_fd int client = accept4(relay.listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0)
			serve(client);
	}
}

static void
relay_start(void)
{
	struct sockaddr_un a;

	(void)snprintf(relay.dir, sizeof(relay.dir), "/tmp/ns-relay-XXXXXX");
	assert_non_null(mkdtemp(relay.dir));
	relay.listen_fd = unix_socket(relay.dir, &a);
	assert_int_equal(bind(relay.listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(relay.listen_fd, 8), 0);
	assert_int_equal(pipe2(relay.wake, O_CLOEXEC), 0);
	(void)snprintf(
		relay.url, sizeof(relay.url), "postgres:///postgres?host=%s&user=test", relay.dir);
	relay.cut = CUT_NEVER;
	assert_int_equal(pthread_create(&relay.thread, NULL, relay_main, NULL), 0);
}

static void
relay_stop(void)
{
	auto_free char *path = mem_fmt("%s/.s.PGSQL.5432", relay.dir);

	assert_int_equal(write(relay.wake[1], "x", 1), 1);
	assert_int_equal(pthread_join(relay.thread, NULL), 0);
	(void)close(relay.wake[0]);
	(void)close(relay.wake[1]);
	(void)close(relay.listen_fd);
	(void)unlink(path);
	(void)rmdir(relay.dir);
}

/* ---- the store ---- */

static int
setup(void **state)
{
	(void)state;
	postgres_rig_empty();
	relay_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	relay_stop();
	return 0;
}

static int
try_open(bool is_reader, struct store **out, struct err *e)
{
	const struct store_conf c = {
		.url = relay.url, .is_durable = true, .is_reader = is_reader
	};

	return STORE_POSTGRES.open(&c, out, e);
}

static struct store *
open_store(void)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (try_open(false, &s, &e) < 0)
		fail_msg("open: %s", e.text);
	return s;
}

static int
add(struct store *s, const char *guid, struct err *e)
{
	char forge[] = "gh", event[] = "x";
	auto_free char *copy = mem_str(guid);
	const struct delivery d = { .forge = forge, .guid = copy, .event = event };
	int64_t id;

	return s->driver->delivery_add(s, &d, "{}", 2, &id, e);
}

static int
add_one(struct store *s, const char *guid, struct err *e)
{
	int rc = s->driver->begin(s, e);

	if (rc == 0)
		rc = add(s, guid, e);
	if (rc < 0) {
		s->driver->rollback(s);
		return rc;
	}
	return s->driver->commit(s, e);
}

static void
must_add(struct store *s, const char *guid)
{
	struct err e = { 0 };

	if (add_one(s, guid, &e) < 0)
		fail_msg("%s: %s", guid, e.text);
}

/* As a sender does who was told 503: again, a little later. */
static void
until_added(struct store *s, const char *guid)
{
	struct err e = { 0 };

	for (int i = 0; i < 1200; i++) {
		if (add_one(s, guid, &e) == 0)
			return;
		(void)poll(NULL, 0, 50);
	}
	fail_msg("%s: %s", guid, e.text);
}

static long long
deliveries(void)
{
	return postgres_rig_number("SELECT count(*) FROM delivery");
}

/* ---- tests ---- */

static void
one_queue_has_it(void **state)
{
	struct store *s = open_store(), *other = NULL;
	struct store_conf direct = { .url = postgres_rig_url() };
	struct store_tally t;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(STORE_POSTGRES.open(&direct, &other, &e), ERR_BUSY);
	assert_non_null(strstr(e.text, "another nightshift"));
	must_add(s, "a");
	/* Who only reads may look. */
	direct.is_reader = true;
	assert_int_equal(STORE_POSTGRES.open(&direct, &other, &e), 0);
	assert_int_equal(other->driver->tally(other, &t, NULL), 0);
	assert_int_equal(t.received, 1);
	assert_int_equal(store_tally_check(&t, NULL), 0);
	assert_int_equal(other->driver->kv_put(other, "k", "v", NULL), ERR_DENIED);
	other->driver->close(other);
	s->driver->close(s);
	assert_int_equal(postgres_rig_number("SELECT count(*) FROM store_node"), 0);
	s = open_store();
	s->driver->close(s);
}

static void
a_lost_answer_to_a_commit_is_looked_up(void **state)
{
	struct store *s = open_store();
	struct err e = { 0 };

	(void)state;
	relay.cut = CUT_AFTER;
	assert_int_equal(add_one(s, "came through", &e), 0);
	assert_int_equal(deliveries(), 1);
	relay.cut = CUT_BEFORE;
	assert_int_equal(add_one(s, "did not", &e), ERR_SYSTEM);
	assert_non_null(strstr(e.text, "lost before it"));
	assert_int_equal(deliveries(), 1);
	must_add(s, "goes on");
	assert_int_equal(deliveries(), 2);
	s->driver->close(s);
}

static void
every_answer_is_true(void **state)
{
	struct store *s = open_store();
	unsigned seed = 20261122;
	long long told = 0;

	(void)state;
	for (int i = 0; i < KILLS; i++) {
		auto_free char *guid = mem_fmt("g-%d", i);

		seed = seed * 1103515245u + 12345u;
		relay.cut = (seed >> 16) % 3;
		if (add_one(s, guid, NULL) == 0)
			told++;
		assert_int_equal(deliveries(), told);
	}
	assert_true(told > 5 && told < KILLS);
	s->driver->close(s);
}

static void
a_server_that_is_away_is_refused_at_once_and_found_again(void **state)
{
	struct store *s = open_store();
	struct err e = { 0 };

	(void)state;
	must_add(s, "a");
	relay.cut = CUT_ALWAYS;
	postgres_rig_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
			 "application_name = 'nightshift'");
	assert_true(add_one(s, "b", &e) < 0);
	assert_int_equal(add_one(s, "c", &e), ERR_BUSY);
	relay.cut = CUT_NEVER;
	until_added(s, "d");
	assert_int_equal(deliveries(), 2);
	s->driver->close(s);
}

static void
a_crash_of_the_server_loses_nothing_acknowledged(void **state)
{
	struct store *s = open_store();

	(void)state;
	for (int i = 0; i < 3; i++) {
		auto_free char *before = mem_fmt("before-%d", i);
		auto_free char *after = mem_fmt("after-%d", i);

		must_add(s, before);
		postgres_rig_crash();
		postgres_rig_again();
		until_added(s, after);
		assert_int_equal(deliveries(), 2 * i + 2);
	}
	s->driver->close(s);
}

static void
a_transaction_that_lost_its_connection_is_over(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_int_equal(s->driver->begin(s, NULL), 0);
	assert_int_equal(add(s, "a", NULL), 0);
	postgres_rig_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
			 "application_name = 'nightshift'");
	assert_true(add(s, "b", NULL) < 0);
	assert_true(add(s, "c", NULL) < 0); /* not alone, on a new connection */
	assert_true(s->driver->commit(s, NULL) < 0);
	assert_int_equal(deliveries(), 0);
	must_add(s, "d");
	s->driver->close(s);
}

static void
what_is_not_utf8_is_kept_as_far_as_it_is(void **state)
{
	struct store *s = open_store();
	auto_buf struct buf out = BUF_INIT(100);

	(void)state;
	assert_int_equal(s->driver->kv_put(s, "tail",
				 "a\xff"
				 "b",
				 NULL),
		0);
	assert_int_equal(s->driver->kv_get(s, "tail", &out, NULL), 0);
	assert_string_equal(buf_str(&out), "a\xef\xbf\xbd"
					   "b");
	s->driver->close(s);
}

static void
other_schemas_are_refused(void **state)
{
	struct store *s = NULL;
	struct err e = { 0 };

	(void)state;
	postgres_rig_sql("CREATE TABLE theirs (x int)");
	assert_int_equal(try_open(false, &s, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "some other program"));
	postgres_rig_sql("DROP TABLE theirs");
	s = open_store();
	s->driver->close(s);
	postgres_rig_sql("UPDATE nightshift_schema SET version = version + 1");
	s = open_store(); /* the program before the newest schema can go on */
	s->driver->close(s);
	postgres_rig_sql("UPDATE nightshift_schema SET version = version + 1");
	assert_int_equal(try_open(false, &s, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "newer nightshift"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_queue_has_it),
		T(a_lost_answer_to_a_commit_is_looked_up),
		T(every_answer_is_true),
		T(a_server_that_is_away_is_refused_at_once_and_found_again),
		T(a_crash_of_the_server_loses_nothing_acknowledged),
		T(a_transaction_that_lost_its_connection_is_over),
		T(what_is_not_utf8_is_kept_as_far_as_it_is),
		T(other_schemas_are_refused),
	};

	return cmocka_run_group_tests(tests, postgres_rig_group_setup, postgres_rig_group_teardown);
}
