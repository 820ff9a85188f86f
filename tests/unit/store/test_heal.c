/* SPDX-License-Identifier: Apache-2.0 */
/* test_heal - damage is found, nothing readable is lost, and nothing begins anew unasked. */
#include "store_case.h"

#include "base/fs.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#define PAGE   4096
#define BEFORE 60 /* deliveries before the backup */
#define AFTER  30
#define TASKS  20
#define T0     INT64_C(1795300000000)

static void
back_up(const struct store_case *c)
{
	const struct upkeep u = store_case_upkeep(c);
	struct backup b = { 0 };

	assert_int_equal(upkeep_backup(&u, T0, &b, NULL), 0);
	backup_finish(&b);
}

static void
add_many(struct store *s, int from, int to)
{
	for (int i = from; i < to; i++) {
		auto_free char *guid = mem_fmt("a-rather-long-guid-to-fill-a-few-pages-%d", i);

		(void)store_case_delivery(s, guid);
	}
}

static void
add_tasks(struct store *s, int from, int to)
{
	for (int i = from; i < to; i++) {
		auto_free char *trigger = mem_fmt("trigger-%d", i);

		(void)store_case_task(s, trigger, i);
	}
}

static void
add_before(const struct store_case *c, bool with_backup)
{
	struct store *s = store_case_open(c, NULL);

	add_many(s, 0, BEFORE);
	add_tasks(s, 0, TASKS);
	if (with_backup)
		back_up(c);
	add_many(s, BEFORE, BEFORE + AFTER);
	s->driver->close(s);
}

static void
garble(const char *path, off_t at)
{
	static const char junk[] =
		"\xff\xee\xdd\xcc\xbb\xaa\x99\x88\xff\xee\xdd\xcc\xbb\xaa\x99\x88";
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, 16, at), 16);
}

static void
copy_file(const char *from, const char *to)
{
	auto_buf struct buf b = BUF_INIT(16 * 1024 * 1024);

	assert_int_equal(fs_read(from, &b, NULL), 0);
	assert_int_equal(fs_write_atomic(to, b.data, b.len, 0600, NULL), 0);
}

static void
the_mark_tells_how_it_ended(void **state)
{
	const struct store_case *c = *state;
	auto_free char *path = mem_fmt("%s/lock", c->dir);
	auto_buf struct buf mark = BUF_INIT(64);
	struct store *s = store_case_open(c, NULL);

	assert_int_equal(fs_read(path, &mark, NULL), 0);
	assert_string_equal(buf_str(&mark), "open");
	s->driver->close(s);
	buf_reset(&mark);
	assert_int_equal(fs_read(path, &mark, NULL), 0);
	assert_int_equal(mark.len, 0);
	s = store_case_open(c, NULL);
	s->driver->suspect(s);
	s->driver->close(s);
	assert_int_equal(fs_read(path, &mark, NULL), 0);
	assert_string_equal(buf_str(&mark), "damaged");
	/* It was for nothing. */
	const char *told;
	s = store_case_open(c, &told);
	assert_null(told);
	s->driver->close(s);
}

/* What the quick check passes over (an index that names other rows than there are) the nightly one
 * finds, which ends in a start that looks at everything. */
static struct store *
open_and_look(const struct store_case *c, const char **told)
{
	const struct upkeep u = store_case_upkeep(c);
	struct store *s = store_case_open(c, told);
	struct err e = { 0 };

	if (upkeep_check(&u, true, &e) == 0)
		return s;
	assert_null(*told);
	s->driver->suspect(s);
	s->driver->close(s);
	s = store_case_open(c, told);
	if (!*told || upkeep_check(&u, true, &e) < 0)
		fail_msg("not healed of: %s", e.text);
	return s;
}

/* Each page in turn, its head and its middle: whatever it holds, the store opens, has at least what
 * the backup had, and does not contradict itself. */
static void
each_page_may_be_damaged(void **state)
{
	const struct store_case *c = *state;
	auto_free char *good = mem_fmt("%s/good", c->root);
	struct stat st;
	int healed = 0;

	add_before(c, true);
	copy_file(c->file, good);
	assert_int_equal(stat(good, &st), 0);
	for (off_t at = 0; at < st.st_size; at += PAGE / 2) {
		const char *told = NULL;

		copy_file(good, c->file);
		garble(c->file, at);
		store_case_mark(c, "open");
		struct store *s = open_and_look(c, &told);

		healed += told != NULL;
		if (told && (!strstr(told, "healed with") || !strstr(told, "/aside-")))
			fail_msg("%s", told);
		assert_true(store_case_number(c, "SELECT count(*) FROM delivery") >= BEFORE);
		assert_int_equal(store_case_number(c, "SELECT count(*) FROM task"), TASKS);
		assert_int_equal(store_case_number(c, "SELECT count(*) FROM trigger_seen"), TASKS);
		add_many(s, BEFORE + AFTER, BEFORE + AFTER + 5);
		s->driver->close(s);
	}
	assert_true(healed > st.st_size / PAGE / 2);
}

static void
without_a_backup_what_can_be_read_is_kept(void **state)
{
	const struct store_case *c = *state;
	const char *told = NULL;

	add_before(c, false);
	/* A leaf of the deliveries: SQLite's own table of pages knows one. */
	int64_t page = store_case_number(c,
		"SELECT pageno FROM dbstat WHERE name = 'delivery' AND pagetype = 'leaf' LIMIT 1 "
		"OFFSET 1");
	garble(c->file, (page - 1) * PAGE);
	store_case_mark(c, "open");
	struct store *s = store_case_open(c, &told);
	assert_non_null(told);
	assert_non_null(strstr(told, "no backup"));
	int64_t n = store_case_number(c, "SELECT count(*) FROM delivery");
	assert_true(n > 0 && n < BEFORE + AFTER);
	assert_int_equal(store_case_number(c, "SELECT count(*) FROM task"), TASKS);
	s->driver->close(s);
}

static void
what_cannot_be_read_at_all_is_not_begun_anew(void **state)
{
	const struct store_case *c = *state;
	auto_buf struct buf b = BUF_INIT(1024);

	add_before(c, false);
	assert_int_equal(fs_write_atomic(c->file, "no more", 7, 0600, NULL), 0);
	store_case_refused(c, ERR_INVALID, "nothing in it can be read");
	assert_int_equal(fs_read(c->file, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "no more");
}

static void
a_damaged_backup_is_passed_over(void **state)
{
	const struct store_case *c = *state;
	const struct upkeep u = store_case_upkeep(c);
	struct store *s = store_case_open(c, NULL);
	struct backup b = { 0 };
	const char *told = NULL;

	add_many(s, 0, BEFORE);
	back_up(c);
	assert_int_equal(upkeep_backup(&u, T0 + 5000, &b, NULL), 0);
	s->driver->close(s);
	garble(b.path, 0);
	backup_finish(&b);
	garble(c->file, 0);
	store_case_mark(c, "open");
	s = store_case_open(c, &told);
	assert_non_null(strstr(told, "nightshift-20261121T222640Z.db"));
	assert_int_equal(store_case_number(c, "SELECT count(*) FROM delivery"), BEFORE);
	s->driver->close(s);
}

/* The task that a delivery made is lost with its page: the delivery is decided again. */
static void
a_lost_task_is_made_again_by_its_delivery(void **state)
{
	const struct store_case *c = *state;
	struct store *s = store_case_open(c, NULL);
	struct delivery d;
	const char *told = NULL;

	int64_t id = store_case_delivery(s, "its cause");
	back_up(c);
	(void)store_case_task(s, "trigger", 1);
	assert_int_equal(s->driver->delivery_end(s, id, DELIVERY_HANDLED, NULL, NULL), 0);
	s->driver->close(s);
	store_case_sql(c, "UPDATE trigger_seen SET delivery = 1; PRAGMA journal_mode = DELETE");
	garble(c->file, (store_case_number(c, "SELECT rootpage FROM sqlite_schema WHERE name = "
					      "'task'") -
				1) *
				PAGE);
	store_case_mark(c, "open");
	s = store_case_open(c, &told);
	assert_non_null(told);
	assert_int_equal(s->driver->delivery_next(s, 0, &d, NULL), 0);
	assert_int_equal(d.id, id);
	delivery_finish(&d);
	assert_int_equal(store_case_number(c, "SELECT count(*) FROM trigger_seen"), 0);
	s->driver->close(s);
}

static void
open_and_heal(const struct store_case *c)
{
	STORE_SQLITE.close(store_case_open(c, NULL));
}

static void
a_killed_healing_is_healed(void **state)
{
	const struct store_case *c = *state;
	auto_free char *good = mem_fmt("%s/good", c->root);

	add_before(c, true);
	copy_file(c->file, good);
	for (int i = 0; i < 40; i++) {
		copy_file(good, c->file);
		garble(c->file, PAGE * 2);
		store_case_mark(c, "open");
		store_case_kill(open_and_heal, c, i * 500L);
		struct store *s = store_case_open(c, NULL);
		assert_true(store_case_number(c, "SELECT count(*) FROM delivery") >= BEFORE);
		assert_int_equal(store_case_number(c, "SELECT count(*) FROM task"), TASKS);
		s->driver->close(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_CASE(the_mark_tells_how_it_ended),
		STORE_CASE(each_page_may_be_damaged),
		STORE_CASE(without_a_backup_what_can_be_read_is_kept),
		STORE_CASE(what_cannot_be_read_at_all_is_not_begun_anew),
		STORE_CASE(a_damaged_backup_is_passed_over),
		STORE_CASE(a_lost_task_is_made_again_by_its_delivery),
		STORE_CASE(a_killed_healing_is_healed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
