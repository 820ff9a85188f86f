/* SPDX-License-Identifier: Apache-2.0 */
/* test_sqlite - the file itself: who may open it, what is refused, what kill -9 leaves behind. */
#include "store/store.h"

#include "base/fs.h"
#include "base/mem.h"
#include "store/sql.gen.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

#define KILLS 50

struct rig {
	char dir[64];
	char *file;
};

static int
setup(void **state)
{
	struct rig *r = mem_zero(sizeof(*r));

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/ns-sqlite-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	r->file = mem_fmt("%s/nightshift.db", r->dir);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	(void)fs_remove_tree(r->dir, NULL);
	free(r->file);
	free(r);
	return 0;
}

static int
open_at(const char *dir, bool is_durable, struct store **out, struct err *e)
{
	const struct store_conf conf = { .dir = dir, .is_durable = is_durable };

	return STORE_SQLITE.open(&conf, out, e);
}

static void
make_one(const struct rig *r)
{
	struct store *s = NULL;

	assert_int_equal(open_at(r->dir, false, &s, NULL), 0);
	STORE_SQLITE.close(s);
}

/* Somebody else's hands on the file. */
static void
by_hand(const struct rig *r, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(r->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
refuses_with(const struct rig *r, int code, const char *part)
{
	struct store *s = NULL;
	struct err e = { 0 };

	assert_int_equal(open_at(r->dir, false, &s, &e), code);
	assert_null(s);
	if (!strstr(e.text, part))
		fail_msg("\"%s\" does not say \"%s\"", e.text, part);
}

static void
only_we_may_read_it(void **state)
{
	const struct rig *r = *state;
	auto_free char *sub = mem_fmt("%s/deep/store", r->dir);
	auto_free char *file = mem_fmt("%s/nightshift.db", sub);
	struct store *s = NULL;
	struct stat st;

	assert_int_equal(open_at(sub, true, &s, NULL), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(sub, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	STORE_SQLITE.close(s);
	STORE_SQLITE.close(NULL);
}

static void
a_second_writer_is_refused(void **state)
{
	const struct rig *r = *state;
	struct store *s = NULL;

	assert_int_equal(open_at(r->dir, false, &s, NULL), 0);
	refuses_with(r, ERR_BUSY, "another process has this store open");
	STORE_SQLITE.close(s);
	make_one(r);
}

static void
a_newer_schema_is_refused_and_left_alone(void **state)
{
	const struct rig *r = *state;

	make_one(r);
	by_hand(r, "PRAGMA user_version = 9000");
	refuses_with(r, ERR_INVALID, "written by a newer nightshift: schema 9000");
	by_hand(r, "SELECT count(*) FROM task");
}

static void
another_programs_file_is_refused(void **state)
{
	const struct rig *r = *state;

	by_hand(r, "CREATE TABLE theirs (x)");
	refuses_with(r, ERR_INVALID, "some other program's database");
}

static void
what_is_no_database_is_refused(void **state)
{
	const struct rig *r = *state;
	static const char text[] = "This is not a database. This is not a database. Not at all.";

	assert_int_equal(fs_write_atomic(r->file, text, sizeof(text), 0600, NULL), 0);
	refuses_with(r, ERR_INVALID, "the store is damaged");
}

static void
a_damaged_page_is_found_at_start(void **state)
{
	const struct rig *r = *state;
	struct stat st;

	make_one(r);
	assert_int_equal(stat(r->file, &st), 0);
	auto_fd int fd = open(r->file, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	/* Pages of 4096 bytes; the first says what the others are, so the damage is behind it. */
	for (off_t at = 4096; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, at), 8);
	refuses_with(r, ERR_INVALID, "damaged");
}

/* ---- kill -9 ---- */

/* A moment that no event marks: it is to fall into the middle of something. */
static void
spin(long us)
{
	struct timespec from, now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &from), 0);
	do {
		assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	} while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < us);
}

static void
child_writes(const char *dir, int fd)
{
	struct store *s = NULL;
	char forge[] = "gh", event[] = "issues";
	struct delivery d = { .forge = forge, .event = event, .received_ms = 1 };
	char body[3000];

	if (open_at(dir, true, &s, NULL) < 0)
		_exit(3);
	memset(body, 'x', sizeof(body));
	for (;;) {
		int64_t ids[4];

		if (STORE_SQLITE.begin(s, NULL) < 0)
			_exit(4);
		for (int i = 0; i < 4; i++) {
			if (STORE_SQLITE.delivery_add(s, &d, body, sizeof(body), &ids[i], NULL) < 0)
				_exit(5);
		}
		if (STORE_SQLITE.commit(s, NULL) < 0)
			_exit(6);
		if (write(fd, ids, sizeof(ids)) != sizeof(ids))
			_exit(7);
	}
}

/* Starts a writer, kills it after us microseconds of its first acknowledgement; returns the largest
 * acknowledged id. */
static int64_t
write_and_kill(const char *dir, long us)
{
	int fds[2];
	int64_t last = 0, ids[4];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_writes(dir, fds[1]);
	(void)close(fds[1]);
	if (read(fds[0], ids, sizeof(ids)) == sizeof(ids))
		last = ids[3];
	spin(us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	/* What it had told before it died counts, too. */
	while (read(fds[0], ids, sizeof(ids)) == sizeof(ids))
		last = ids[3];
	(void)close(fds[0]);

	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return last;
}

static void
nothing_acknowledged_is_lost_by_kill_9(void **state)
{
	const struct rig *r = *state;
	unsigned seed = 20261122;
	int64_t acked = 0;

	for (int i = 0; i < KILLS; i++) {
		seed = seed * 1103515245u + 12345u;
		int64_t last = write_and_kill(r->dir, (long)(seed >> 16) % 9000);

		assert_true(last > acked);
		acked = last;

		/* Opening checks the file; ids are given in order, so all up to the last must be
		 * there. */
		struct store *s = NULL;
		struct delivery d = { 0 };
		struct err e = { 0 };

		if (open_at(r->dir, false, &s, &e) < 0)
			fail_msg("kill %d: %s", i, e.text);
		assert_int_equal(STORE_SQLITE.delivery_get(s, acked, &d, NULL), 0);
		delivery_finish(&d);
		STORE_SQLITE.close(s);
	}

	struct store *s = NULL;
	assert_int_equal(open_at(r->dir, false, &s, NULL), 0);
	for (int64_t id = 1; id <= acked; id++) {
		struct delivery d = { 0 };

		assert_int_equal(STORE_SQLITE.delivery_get(s, id, &d, NULL), 0);
		delivery_finish(&d);
	}
	STORE_SQLITE.close(s);
}

/* What somebody sees who looks at the file after a crash. */
static int64_t
number_of(const struct rig *r, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;

	assert_int_equal(sqlite3_open(r->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

/* A file as each older version of this program left it, with somebody's rows. */
static void
an_older_schema_is_brought_up_with_its_rows(void **state)
{
	const struct rig *r = *state;

	make_one(r);
	auto_free char *id = mem_fmt(
		"PRAGMA application_id = %lld", (long long)number_of(r, "PRAGMA application_id"));
	for (int old = 1; old < sql_files_count; old++) {
		auto_free char *version = mem_fmt("PRAGMA user_version = %d", old);

		assert_int_equal(fs_remove_tree(r->dir, NULL), 0);
		assert_int_equal(mkdir(r->dir, 0700), 0);
		for (int i = 0; i < old; i++)
			by_hand(r, sql_files[i].text);
		by_hand(r, version);
		by_hand(r, id);
		by_hand(r, "INSERT INTO delivery (forge, guid, event, received_ms, size, body) "
			   "VALUES ('gh', 'g', 'issues', 1, 1, x'00')");
		by_hand(r, "INSERT INTO kv VALUES ('k', 'v')");
		make_one(r);
		assert_int_equal(number_of(r, "PRAGMA user_version"), sql_files_count);
		assert_int_equal(number_of(r, "SELECT count(*) FROM delivery WHERE guid = 'g'"), 1);
		assert_int_equal(number_of(r, "SELECT count(*) FROM kv WHERE value = 'v'"), 1);
	}
}

static void
fill(struct store *s, int64_t n, char tag)
{
	static char body[200000];
	char guid[32];
	char forge[] = "gh", event[] = "issues";
	const struct delivery d = { .forge = forge, .guid = guid, .event = event };
	int64_t id;

	/* Bytes that zstd finds nothing in: what is committed has a known size. */
	uint32_t x = (uint32_t)tag;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
	for (int64_t i = 0; i < n; i++) {
		(void)snprintf(guid, sizeof(guid), "%c%lld", tag, (long long)i);
		assert_int_equal(STORE_SQLITE.begin(s, NULL), 0);
		assert_int_equal(
			STORE_SQLITE.delivery_add(s, &d, body, sizeof(body), &id, NULL), 0);
		assert_int_equal(STORE_SQLITE.commit(s, NULL), 0);
	}
}

static off_t
size_of_file(const struct rig *r)
{
	struct stat st;

	assert_int_equal(stat(r->file, &st), 0);
	return st.st_size;
}

static void
the_log_is_written_back_at_rest(void **state)
{
	const struct rig *r = *state;
	struct store *s = NULL;

	assert_int_equal(open_at(r->dir, false, &s, NULL), 0);
	STORE_SQLITE.rest(s);
	off_t empty = size_of_file(r);
	fill(s, 10, 'a');
	STORE_SQLITE.rest(s); /* too little to be worth it */
	assert_int_equal(size_of_file(r), empty);
	fill(s, 20, 'b');
	assert_int_equal(size_of_file(r), empty); /* not while somebody waits */
	assert_int_equal(STORE_SQLITE.begin(s, NULL), 0);
	STORE_SQLITE.rest(s);
	assert_int_equal(size_of_file(r), empty); /* nor in a transaction */
	STORE_SQLITE.rollback(s);
	STORE_SQLITE.rest(s);
	assert_true(size_of_file(r) > 30 * 200000);
	STORE_SQLITE.close(s);
}

static void
the_log_does_not_grow_for_ever(void **state)
{
	const struct rig *r = *state;
	struct store *s = NULL;

	assert_int_equal(open_at(r->dir, false, &s, NULL), 0);
	off_t empty = size_of_file(r);
	fill(s, 290, 'a');
	assert_int_equal(size_of_file(r), empty);
	fill(s, 60, 'b'); /* 64 MiB are passed */
	assert_true(size_of_file(r) > 290 * 200000);
	STORE_SQLITE.close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_we_may_read_it, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_writer_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_newer_schema_is_refused_and_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(another_programs_file_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_database_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_page_is_found_at_start, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_older_schema_is_brought_up_with_its_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(
			nothing_acknowledged_is_lost_by_kill_9, setup, teardown),
		cmocka_unit_test_setup_teardown(the_log_is_written_back_at_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(the_log_does_not_grow_for_ever, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
