/* SPDX-License-Identifier: Apache-2.0 */
/* test_upkeep - backups, going back to one, and whether everything is still there. */
#include "store_case.h"

#include "base/fs.h"
#include "base/mem.h"
#include "store/tables.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

#define T0    INT64_C(1795300000000) /* 2026-11-21T22:26:40Z */
#define DAY   (24 * 3600 * INT64_C(1000))
#define KILLS 40

static char *
back_up(const struct store_case *c, int64_t now_ms)
{
	const struct upkeep u = store_case_upkeep(c);
	struct backup b = { 0 };
	struct err e = { 0 };

	if (upkeep_backup(&u, now_ms, &b, &e) < 0)
		fail_msg("backup: %s", e.text);
	assert_int_equal(b.made_ms, now_ms);
	assert_true(b.bytes > 0);
	return b.path;
}

static size_t
names_in(const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	const struct dirent *ent;
	size_t n = 0;

	assert_non_null(d);
	while ((ent = readdir(d)))
		n += ent->d_name[0] != '.';
	return n;
}

/* ---- backups ---- */

static void
a_backup_is_whole_private_and_of_one_moment(void **state)
{
	const struct store_case *c = *state;
	struct store *s = store_case_open(c, NULL);
	struct store_case copy = *c;
	struct stat st;

	(void)store_case_delivery(s, "a");
	assert_int_equal(s->driver->begin(s, NULL), 0);
	(void)store_case_delivery(s, "b");
	auto_free char *path = back_up(c, T0);
	assert_int_equal(s->driver->commit(s, NULL), 0);

	assert_true(str_ends(path, "/backups/nightshift-20261121T222640Z.db"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(c->backups, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(names_in(c->backups), 1);
	copy.file = path;
	assert_int_equal(store_case_number(&copy, "SELECT count(*) FROM delivery"), 1);
	assert_int_equal(upkeep_check_backup(path, NULL), 0);
	s->driver->close(s);
}

static void
a_backup_of_nothing_is_refused(void **state)
{
	const struct store_case *c = *state;
	const struct upkeep u = store_case_upkeep(c);
	struct backup b = { 0 };

	assert_int_equal(upkeep_backup(&u, T0, &b, NULL), ERR_MISSING);
	assert_int_equal(names_in(c->backups), 0);
}

static void
what_is_to_stop_leaves_nothing_behind(void **state)
{
	const struct store_case *c = *state;
	atomic_bool stop = true;
	struct upkeep u = store_case_upkeep(c);
	struct backup b = { 0 };
	struct store *s = store_case_open(c, NULL);

	for (int i = 0; i < 500; i++)
		(void)store_case_delivery(s, NULL);
	u.stop = &stop;
	assert_int_equal(upkeep_backup(&u, T0, &b, NULL), ERR_BUSY);
	assert_int_equal(names_in(c->backups), 0);
	s->driver->close(s);
}

static void
backups_are_listed_newest_first(void **state)
{
	const struct store_case *c = *state;
	struct row_list list = { 0 };
	auto_free char *stranger = mem_fmt("%s/nightshift-of-mine.db", c->backups);

	assert_int_equal(upkeep_list(c->backups, &list, NULL), ERR_MISSING);
	STORE_SQLITE.close(store_case_open(c, NULL));
	auto_free char *a = back_up(c, T0 + 7200000);
	auto_free char *b = back_up(c, T0);
	assert_int_equal(fs_write_atomic(stranger, "x", 1, 0600, NULL), 0);
	assert_int_equal(upkeep_list(c->backups, &list, NULL), 0);
	assert_int_equal(list.n, 2);
	const struct backup *v = list.v;
	assert_string_equal(v[0].path, a);
	assert_string_equal(v[1].path, b);
	assert_int_equal(v[1].made_ms, T0);
	backup_list_finish(&list);
}

static void
the_newest_stay_and_one_of_each_day(void **state)
{
	/* Hours before now; three a day. */
	static const struct {
		int64_t hours;
		bool stays;
	} rows[] = { { 1, true }, { 2, true }, { 3, false }, { 22, true }, { 30, false },
		{ 40, false }, { 46, true }, { 50, false }, { 95, false } };
	const struct backup_keep keep = { .newest = 2, .days = 3 };
	int64_t now = T0 / DAY * DAY + DAY - 1000, made[9];

	(void)state;
	for (size_t i = 0; i < 9; i++)
		made[i] = now - rows[i].hours * 3600000;
	/* 1 to 23 hours ago was today: its newest is among the newest two. */
	for (size_t i = 0; i < 9; i++) {
		bool stays = rows[i].stays && rows[i].hours != 22 && rows[i].hours != 46;

		if (rows[i].hours == 30 || rows[i].hours == 50)
			stays = true; /* the newest of yesterday and of the day before */
		if (backup_is_kept(&keep, made, i, now) != stays)
			fail_msg("%lld hours old", (long long)rows[i].hours);
	}
}

static void
old_backups_go(void **state)
{
	const struct store_case *c = *state;
	const struct upkeep u = store_case_upkeep(c);
	const struct backup_keep keep = { .newest = 1, .days = 2 };
	int64_t n = 0;

	STORE_SQLITE.close(store_case_open(c, NULL));
	for (int i = 0; i < 4; i++)
		free(back_up(c, T0 - i * DAY));
	assert_int_equal(upkeep_prune(&u, &keep, T0, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(names_in(c->backups), 2);
}

static void
one_backup(const struct store_case *c)
{
	const struct upkeep u = store_case_upkeep(c);
	struct backup b = { 0 };

	(void)upkeep_backup(&u, T0, &b, NULL);
	backup_finish(&b);
}

static void
a_killed_backup_is_none(void **state)
{
	const struct store_case *c = *state;
	struct store *s = store_case_open(c, NULL);
	int whole = 0;

	for (int i = 0; i < 2000; i++)
		(void)store_case_delivery(s, NULL);
	for (int i = 0; i < KILLS; i++) {
		struct row_list list = { 0 };

		store_case_kill(one_backup, c, i * 500L);
		if (upkeep_list(c->backups, &list, NULL) < 0)
			continue;
		for (size_t k = 0; k < list.n; k++) {
			const struct backup *b = (struct backup *)list.v + k;

			assert_int_equal(upkeep_check_backup(b->path, NULL), 0);
			assert_int_equal(unlink(b->path), 0);
			whole++;
		}
		backup_list_finish(&list);
	}
	/* What the killed ones left is in nobody's way. */
	one_backup(c);
	assert_int_equal(names_in(c->backups), 1);
	assert_true(whole < KILLS);
	s->driver->close(s);
}

/* ---- restore ---- */

static void
a_store_goes_back_to_a_backup(void **state)
{
	const struct store_case *c = *state;
	const struct upkeep u = store_case_upkeep(c);
	struct store *s = store_case_open(c, NULL);
	char x[] = "x", op[] = "{}";
	struct effect f = { .task = 0,
		.purpose = x,
		.lane = x,
		.scope = x,
		.op = op,
		.digest = x,
		.created_ms = 9 };
	struct store_case old = *c;
	char *aside = NULL;

	int64_t kept = store_case_task(s, "kept", 1);
	assert_int_equal(s->driver->effect_add(s, &f, NULL), 0);
	auto_free char *path = back_up(c, T0);
	(void)store_case_task(s, "lost", 2);
	assert_int_equal(upkeep_restore(&u, path, &aside, NULL), ERR_BUSY);
	s->driver->close(s);

	assert_int_equal(upkeep_restore(&u, path, &aside, NULL), 0);
	assert_non_null(aside);
	auto_free char *old_file = mem_fmt("%s/nightshift.db", aside);
	old.file = old_file;
	assert_int_equal(store_case_number(&old, "SELECT count(*) FROM task"), 2);
	free(aside);

	s = store_case_open(c, NULL);
	assert_int_equal(store_case_number(c, "SELECT count(*) FROM task"), 1);
	/* The courier looks before it creates. */
	assert_int_equal(s->driver->effect_get(s, f.id, &f, NULL), 0);
	assert_true(f.was_unknown);
	assert_int_equal(f.unknown_ms, 9);
	effect_finish(&f);
	/* Whatever the lost task is called on the forge, no other is. */
	assert_true(store_case_task(s, "new", 3) > kept + 1000);
	s->driver->close(s);
}

static void
what_is_no_backup_is_not_restored(void **state)
{
	const struct store_case *c = *state;
	const struct upkeep u = store_case_upkeep(c);
	auto_free char *text = mem_fmt("%s/text", c->root);
	auto_free char *other = mem_fmt("%s/other", c->root);
	struct store_case theirs = *c;
	char *aside = NULL;

	STORE_SQLITE.close(store_case_open(c, NULL));
	assert_int_equal(fs_write_atomic(text, "not a database at all, really", 29, 0600, NULL), 0);
	assert_int_equal(upkeep_restore(&u, text, &aside, NULL), ERR_INVALID);
	theirs.file = other;
	store_case_sql(&theirs, "CREATE TABLE theirs (x)");
	assert_int_equal(upkeep_restore(&u, other, &aside, NULL), ERR_INVALID);
	assert_int_equal(upkeep_restore(&u, "/nowhere", &aside, NULL), ERR_MISSING);
	assert_null(aside);
	STORE_SQLITE.close(store_case_open(c, NULL));
}

static void
one_restore(const struct store_case *c)
{
	const struct upkeep u = store_case_upkeep(c);
	struct row_list list = { 0 };
	char *aside = NULL;

	if (upkeep_list(c->backups, &list, NULL) == 0)
		(void)upkeep_restore(&u, ((struct backup *)list.v)[0].path, &aside, NULL);
}

static void
a_killed_restore_has_happened_or_not(void **state)
{
	const struct store_case *c = *state;
	struct store *s = store_case_open(c, NULL);
	int before = 0, after = 0;

	(void)store_case_delivery(s, "in the backup");
	free(back_up(c, T0));
	(void)store_case_delivery(s, "not in the backup");
	s->driver->close(s);
	for (int i = 0; i < KILLS; i++) {
		store_case_kill(one_restore, c, i * 400L);
		s = store_case_open(c, NULL);
		int64_t n = store_case_number(c, "SELECT count(*) FROM delivery");
		s->driver->close(s);
		assert_true(n == 1 || n == 2);
		before += n == 2;
		after += n == 1;
		if (n == 1) {
			s = store_case_open(c, NULL);
			(void)store_case_delivery(s, NULL);
			s->driver->close(s);
		}
	}
	assert_true(before > 0);
	assert_int_equal(before + after, KILLS);
}

static void
a_store_that_is_gone_is_not_begun_anew(void **state)
{
	const struct store_case *c = *state;

	STORE_SQLITE.close(store_case_open(c, NULL));
	free(back_up(c, T0));
	assert_int_equal(unlink(c->file), 0);
	store_case_refused(c, ERR_INVALID, "the database is gone");
	assert_int_not_equal(access(c->file, F_OK), 0);
}

/* ---- counting ---- */

static void
adds_up(const struct store_case *c, const char *problem)
{
	const struct upkeep u = store_case_upkeep(c);
	struct store_tally t;
	struct err e = { 0 };

	assert_int_equal(upkeep_tally(&u, &t, NULL), 0);
	int rc = store_tally_check(&t, &e);
	if (!problem && rc < 0)
		fail_msg("%s", e.text);
	if (problem && (rc != ERR_INVALID || !strstr(e.text, problem)))
		fail_msg("\"%s\" does not say \"%s\"", e.text, problem);
}

static void
nothing_vanishes_unseen(void **state)
{
	const struct store_case *c = *state;
	struct store *s = store_case_open(c, NULL);
	char forge[] = "gh", guid[] = "a", event[] = "x";
	const struct delivery again = { .forge = forge, .guid = guid, .event = event };
	int64_t id = store_case_delivery(s, "a"), dup;

	assert_int_equal(s->driver->delivery_add(s, &again, "", 0, &dup, NULL), ERR_CONFLICT);
	assert_int_equal(s->driver->delivery_end(s, id, DELIVERY_IGNORED, "a ping", NULL), 0);
	(void)store_case_delivery(s, "b");
	int64_t task = store_case_task(s, "t", 1);
	assert_int_equal(s->driver->begin(s, NULL), 0);
	(void)store_case_delivery(s, "undone");
	s->driver->rollback(s);
	adds_up(c, NULL);
	assert_int_equal(store_case_number(c, "SELECT n FROM tally WHERE name = 'received'"), 3);

	store_case_sql(c, "UPDATE delivery SET reason = '' WHERE guid = 'a'");
	adds_up(c, "1 deliveries were ignored without a reason");
	store_case_sql(c, "UPDATE delivery SET reason = 'a ping' WHERE guid = 'a'");
	store_case_sql(c, "UPDATE task SET state = 2");
	adds_up(c, "1 tasks have no trigger, or are at work in no attempt");
	store_case_sql(c, "UPDATE task SET state = 77");
	adds_up(c, "1 tasks were accepted, 0 are there");
	store_case_sql(c, "UPDATE task SET state = 0");
	store_case_sql(c, "DELETE FROM delivery WHERE guid = 'b'");
	adds_up(c, "3 deliveries were received, 2 are accounted for");
	assert_true(task > 0);
	s->driver->close(s);
}

static void
every_table_is_known(void **state)
{
	const struct store_case *c = *state;

	STORE_SQLITE.close(store_case_open(c, NULL));
	for (size_t i = 0; i < STORE_TABLES_COUNT; i++) {
		auto_free char *sql =
			mem_fmt("SELECT count(*) FROM (SELECT * FROM %s ORDER BY %s, %s)",
				STORE_TABLES[i].name, STORE_TABLES[i].up, STORE_TABLES[i].down);

		(void)store_case_number(c, sql);
	}
	assert_int_equal(store_case_number(c, "SELECT count(*) FROM sqlite_schema WHERE type = "
					      "'table' AND name NOT LIKE 'sqlite_%'"),
		STORE_TABLES_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_CASE(a_backup_is_whole_private_and_of_one_moment),
		STORE_CASE(a_backup_of_nothing_is_refused),
		STORE_CASE(what_is_to_stop_leaves_nothing_behind),
		STORE_CASE(backups_are_listed_newest_first),
		cmocka_unit_test(the_newest_stay_and_one_of_each_day),
		STORE_CASE(old_backups_go),
		STORE_CASE(a_killed_backup_is_none),
		STORE_CASE(a_store_goes_back_to_a_backup),
		STORE_CASE(what_is_no_backup_is_not_restored),
		STORE_CASE(a_killed_restore_has_happened_or_not),
		STORE_CASE(a_store_that_is_gone_is_not_begun_anew),
		STORE_CASE(nothing_vanishes_unseen),
		STORE_CASE(every_table_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
