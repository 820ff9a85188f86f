/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_copy - from a file to a server and back, nothing is lost and nothing changes. */
#include "postgres_rig.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/copy.h"
#include "store/tables.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <cmocka.h>

#define DELIVERIES 300

struct places {
	char root[64];
	char *a, *b; /* stores of SQLite */
};

static int
setup(void **state)
{
	struct places *p = mem_zero(sizeof(*p));

	(void)snprintf(p->root, sizeof(p->root), "/tmp/ns-copy-XXXXXX");
	assert_non_null(mkdtemp(p->root));
	p->a = mem_fmt("%s/a", p->root);
	p->b = mem_fmt("%s/b", p->root);
	postgres_rig_empty();
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct places *p = *state;

	(void)fs_remove_tree(p->root, NULL);
	free(p->a);
	free(p->b);
	free(p);
	return 0;
}

/* dir NULL: the server's. */
static struct store *
open_store(const char *dir)
{
	const struct store_conf c = { .dir = dir, .url = postgres_rig_url() };
	struct store *s = NULL;
	struct err e = { 0 };

	if ((dir ? &STORE_SQLITE : &STORE_POSTGRES)->open(&c, &s, &e) < 0)
		fail_msg("open: %s", e.text);
	return s;
}

static int64_t
add_task(struct store *s, const char *trigger, int64_t number)
{
	struct task t = { .repo_id = INT64_MAX, .number = number, .gate_exit = -1 };
	bool was_seen;

	t.page = mem_fmt("page-%s", trigger);
	t.forge = mem_str("gh");
	t.repo = mem_str("acme/\"quoted\" \xc3\xbc");
	t.prompt = mem_str("line\nline\ttab");
	assert_int_equal(s->driver->task_add(s, trigger, 1, &t, &was_seen, NULL), 0);
	int64_t id = t.id;
	task_finish(&t);
	return id;
}

static void
fill(struct store *s)
{
	const struct store_driver *db = s->driver;
	const struct task_claim claim = { .now_ms = 9, .running_max = 9, .lane_max = 9 };
	const struct label_key label = { "gh", 7, 1, "agent" };
	char forge[] = "gh", event[] = "x", x[] = "x", op[] = "{}";
	struct effect f = {
		.purpose = x, .lane = x, .scope = x, .op = op, .digest = x, .is_urgent = true
	};
	struct task_step step = { x, 1, 1, 2, -1, NULL };
	const struct transcript transcript = { x, NULL };
	int64_t id, generation;
	struct task t;

	assert_int_equal(db->begin(s, NULL), 0);
	for (int i = 0; i < DELIVERIES; i++) {
		auto_free char *guid = i % 3 ? mem_fmt("g-%d", i) : NULL;
		const struct delivery d = { .forge = forge, .guid = guid, .event = event };

		assert_int_equal(db->delivery_add(s, &d, "a\0\xff", 3, &id, NULL), 0);
	}
	assert_int_equal(db->label_set(s, &label, true, &generation, NULL), 0);
	(void)add_task(s, "one", 1);
	(void)add_task(s, "two", 2);
	assert_int_equal(db->task_claim(s, &claim, &t, NULL), 0);
	assert_int_equal(db->step_put(s, t.id, &step, NULL), 0);
	assert_int_equal(db->transcript_put(s, t.id, 1, &transcript, NULL), 0);
	task_finish(&t);
	assert_int_equal(db->effect_add(s, &f, NULL), 0);
	assert_int_equal(db->kv_put(s, "k", "", NULL), 0);
	assert_int_equal(db->commit(s, NULL), 0);
}

/* All rows of all tables as text. */
static char *
dump(const char *dir)
{
	auto_buf struct buf out = BUF_INIT(1 << 22);
	auto_free char *file = mem_fmt("%s/nightshift.db", dir);
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	for (size_t i = 0; i < STORE_TABLES_COUNT; i++) {
		auto_free char *sql = mem_fmt(
			"SELECT * FROM %s ORDER BY %s", STORE_TABLES[i].name, STORE_TABLES[i].up);
		sqlite3_stmt *st = NULL;

		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
		(void)buf_addf(&out, "%s\n", STORE_TABLES[i].name);
		while (sqlite3_step(st) == SQLITE_ROW) {
			for (int k = 0; k < sqlite3_column_count(st); k++) {
				const void *data = sqlite3_column_blob(st, k);
				size_t len = (size_t)sqlite3_column_bytes(st, k);

				(void)buf_addf(&out, "%d:", sqlite3_column_type(st, k));
				(void)str_hex(&out, data ? data : "", len);
				(void)buf_addc(&out, ' ');
			}
			(void)buf_addc(&out, '\n');
		}
		assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return buf_steal(&out);
}

static int64_t
copy(const char *from, const char *to)
{
	struct store *a = open_store(from), *b = open_store(to);
	struct err e = { 0 };
	int64_t n = 0;

	if (store_copy(a, b, &n, &e) < 0)
		fail_msg("copy: %s", e.text);
	a->driver->close(a);
	b->driver->close(b);
	return n;
}

static void
there_and_back_nothing_changes(void **state)
{
	const struct places *p = *state;
	struct store *s = open_store(p->a);
	struct store_tally t;

	fill(s);
	s->driver->close(s);
	int64_t n = copy(p->a, NULL);
	assert_true(n > DELIVERIES + 10);
	assert_int_equal(copy(NULL, p->b), n);
	auto_free char *before = dump(p->a);
	auto_free char *after = dump(p->b);
	assert_string_equal(before, after);

	/* The server goes on with the next number, and so does the file. */
	s = open_store(NULL);
	assert_int_equal(add_task(s, "three", 3), 3);
	assert_int_equal(s->driver->tally(s, &t, NULL), 0);
	assert_int_equal(store_tally_check(&t, NULL), 0);
	assert_int_equal(t.received, DELIVERIES);
	s->driver->close(s);
	s = open_store(p->b);
	assert_int_equal(add_task(s, "three", 3), 3);
	s->driver->close(s);
}

static void
what_is_there_is_not_mixed_with_it(void **state)
{
	const struct places *p = *state;
	struct store *a = open_store(p->a), *b = open_store(NULL);
	struct err e = { 0 };
	int64_t n = 0;

	fill(a);
	(void)add_task(b, "mine", 1);
	assert_int_equal(store_copy(a, b, &n, &e), ERR_CONFLICT);
	assert_int_equal(n, 0);
	assert_int_equal(b->driver->task_count(b, TASKS_LIVE, &n, NULL), 0);
	assert_int_equal(n, 1);
	a->driver->close(a);
	b->driver->close(b);
}

/* The server dies in the middle: nothing of it is there, and the second try is whole. */
static void
a_copy_is_whole_or_absent(void **state)
{
	const struct places *p = *state;
	struct store *a = open_store(p->a), *b = open_store(NULL);
	int64_t n = 0;

	fill(a);
	postgres_rig_sql("CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
			 "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
			 "CREATE TRIGGER die AFTER INSERT ON attempt EXECUTE FUNCTION die()");
	assert_true(store_copy(a, b, &n, NULL) < 0);
	assert_int_equal(postgres_rig_number("SELECT count(*) FROM delivery"), 0);
	postgres_rig_sql("DROP TRIGGER die ON attempt");
	b->driver->close(b);
	b = open_store(NULL);
	assert_int_equal(store_copy(a, b, &n, NULL), 0);
	assert_int_equal(postgres_rig_number("SELECT count(*) FROM delivery"), DELIVERIES);
	a->driver->close(a);
	b->driver->close(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(there_and_back_nothing_changes),
		T(what_is_there_is_not_mixed_with_it),
		T(a_copy_is_whole_or_absent),
	};

	return cmocka_run_group_tests(tests, postgres_rig_group_setup, postgres_rig_group_teardown);
}
