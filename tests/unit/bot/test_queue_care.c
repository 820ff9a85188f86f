/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_care - backups are made beside the work, damage ends in healing, old rows go. */
#include "queue_rig.h"

#include "base/mem.h"
#include "store/upkeep.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
#define HOUR INT64_C(3600000)
#define PAGE 4096

static int
setup(void **state)
{
	int rc = rig_setup(state);

	((struct rig *)*state)->config.backup_every_ms = HOUR;
	return rc;
}

static size_t
backups(struct rig *r)
{
	auto_free char *dir = mem_fmt("%s/backups", r->dir);
	struct row_list list = { 0 };

	if (upkeep_list(dir, &list, NULL) < 0)
		return 0;
	size_t n = list.n;
	backup_list_finish(&list);
	return n;
}

static bool
has_counted(struct rig *r)
{
	return r->q->tally_ms > 0;
}

static bool
has_numbers(struct rig *r)
{
	return r->page_blob != NULL;
}

static void
a_backup_is_made_while_tasks_run(void **state)
{
	struct rig *r = *state;

	rig_label(r, "g-1", 1);
	rig_until(r, rig_is_quiet);
	rig_until(r, has_counted);
	assert_int_equal(backups(r), 1);
	assert_int_equal(store_tally_check(&r->q->tally, NULL), 0);
	assert_true(r->q->tally.received >= 1);
	assert_int_equal(r->q->tally.accepted, 1);
	assert_true(r->q->checked_ms > 0);

	rig_query(r, QUERY_METRICS, "");
	rig_until(r, has_numbers);
	assert_non_null(strstr(r->page_blob, "\nnightshift_store_adds_up 1\n"));
	assert_non_null(strstr(r->page_blob, "\nnightshift_store_accepted 1\n"));

	/* A start does not make another before its time. */
	rig_restart(r);
	rig_run(r, 1500);
	assert_int_equal(r->q->tally_ms, 0);
	assert_int_equal(backups(r), 1);
}

static void
it_ends_with_the_role(void **state)
{
	struct rig *r = *state;
	struct err e = { 0 };

	assert_int_equal(r->q->db->begin(r->q->store, NULL), 0);
	assert_int_equal(queue_care_sweep(r->q, &e), 0);
	assert_int_equal(r->q->db->commit(r->q->store, NULL), 0);
	assert_non_null(r->q->care);
	rig_restart(r);
	assert_null(r->q->care);
}

static bool
is_ending(struct rig *r)
{
	return r->q->is_stopping;
}

/* An index that says other than its table: nothing that works on the rows would see it. */
static void
garble_index(struct rig *r)
{
	auto_free char *path = mem_fmt("%s/store/nightshift.db", r->dir);
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	char page[PAGE];

	assert_true(fd >= 0);
	for (off_t at = 0; pread(fd, page, PAGE, at) == PAGE; at += PAGE) {
		char *found = memmem(page, PAGE, "g-1", 3);

		/* 10: a leaf of an index (sqlite.org/fileformat.html). */
		if (page[0] != 10 || !found)
			continue;
		found[0] = 'h';
		assert_int_equal(pwrite(fd, page, PAGE, at), PAGE);
		return;
	}
	fail_msg("no index has the delivery");
}

static void
damage_is_found_and_healed_by_the_next_start(void **state)
{
	struct rig *r = *state;
	struct delivery d;
	int64_t n = 0;

	rig_label(r, "g-1", 1);
	rig_until(r, rig_is_quiet);
	rig_until(r, has_counted);
	rig_restart(r); /* the log is in the file now */
	garble_index(r);
	rig_restart(r); /* nor does it sit in a cache */
	r->q->care_at_ms = 1;
	rig_until(r, is_ending);
	rig_restart(r);
	assert_false(r->q->is_stopping);
	assert_int_equal(r->q->db->delivery_get(r->q->store, 1, &d, NULL), 0);
	assert_string_equal(d.guid, "g-1");
	delivery_finish(&d);
	assert_int_equal(r->q->db->task_count(r->q->store, TASKS_FINAL, &n, NULL), 0);
	assert_int_equal(n, 1);
	/* It works, and the healed one is counted like any other. */
	rig_label(r, "g-2", 2);
	rig_until(r, rig_is_quiet);
	r->q->care_at_ms = 1;
	rig_until(r, has_counted);
	assert_int_equal(store_tally_check(&r->q->tally, NULL), 0);
	assert_int_equal(r->q->tally.accepted, 2);
}

static bool
is_pruned(struct rig *r)
{
	struct delivery d;

	if (r->q->db->delivery_get(r->q->store, 1, &d, NULL) == ERR_MISSING)
		return true;
	delivery_finish(&d);
	return false;
}

static void
old_rows_go_and_are_accounted_for(void **state)
{
	struct rig *r = *state;
	struct store_tally t;

	rig_label(r, "g-1", 1);
	rig_until(r, rig_is_quiet);
	r->config.keep_deliveries_ms = -HOUR;
	rig_until(r, is_pruned);
	assert_int_equal(r->q->db->tally(r->q->store, &t, NULL), 0);
	assert_true(t.pruned > 0);
	assert_int_equal(store_tally_check(&t, NULL), 0);
	/* The label on the issue is the same one: nothing is done twice. */
	rig_label(r, "g-1-again", 1);
	rig_until(r, rig_is_quiet);
	assert_int_equal(r->starts, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_backup_is_made_while_tasks_run),
		T(it_ends_with_the_role),
		T(damage_is_found_and_healed_by_the_next_start),
		T(old_rows_go_and_are_accounted_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
