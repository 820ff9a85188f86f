/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite - the store in one file: transactions, and the driver's table.
 */
#include "store/sqlite.h"

/* A checkpoint is two more fsyncs before the next answer, so it is done at rest; see also
 * sqlite_open.c. */
#define LOG_PAGES_REST 1000

static int
sqlite_begin(struct store *st, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "BEGIN IMMEDIATE", "");

	return rc < 0 ? rc : 0;
}

static void
sqlite_rollback(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	/* SQLite may have rolled back by itself after an I/O error. */
	if (!sqlite3_get_autocommit(s->db))
		(void)sqlite_run(s, NULL, "ROLLBACK", "");
}

static int
sqlite_commit(struct store *st, struct err *e)
{
	struct sqlite *s = sqlite_of(st);

	if (sqlite3_get_autocommit(s->db))
		return err_set(e, ERR_SYSTEM, "commit: the transaction was rolled back before");

	int rc = sqlite_run(s, e, "COMMIT", "");
	if (rc < 0) {
		sqlite_rollback(st);
		return rc;
	}
	return 0;
}

static void
sqlite_rest(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	if (s->log_pages >= LOG_PAGES_REST && sqlite3_get_autocommit(s->db))
		sqlite_checkpoint(s);
}

static int
sqlite_part_begin(struct store *st, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "SAVEPOINT part", "");

	return rc < 0 ? rc : 0;
}

static int
sqlite_part_keep(struct store *st, struct err *e)
{
	int rc = sqlite_run(sqlite_of(st), e, "RELEASE part", "");

	return rc < 0 ? rc : 0;
}

static void
sqlite_part_undo(struct store *st)
{
	struct sqlite *s = sqlite_of(st);

	if (sqlite3_get_autocommit(s->db))
		return;
	(void)sqlite_run(s, NULL, "ROLLBACK TO part", "");
	(void)sqlite_run(s, NULL, "RELEASE part", "");
}

const struct store_driver STORE_SQLITE = {
	.name = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.rest = sqlite_rest,
	.suspect = sqlite_suspect,
	.part_begin = sqlite_part_begin,
	.part_keep = sqlite_part_keep,
	.part_undo = sqlite_part_undo,
	.delivery_add = sqlite_delivery_add,
	.delivery_next = sqlite_delivery_next,
	.delivery_get = sqlite_delivery_get,
	.delivery_body = sqlite_delivery_body,
	.delivery_end = sqlite_delivery_end,
	.delivery_strike = sqlite_delivery_strike,
	.label_set = sqlite_label_set,
	.label_get = sqlite_label_get,
	.task_add = sqlite_task_add,
	.task_get = sqlite_task_get,
	.task_get_page = sqlite_task_get_page,
	.task_list = sqlite_task_list,
	.task_save = sqlite_task_save,
	.task_hold = sqlite_task_hold,
	.task_place = sqlite_task_place,
	.task_count = sqlite_task_count,
	.repo_list = sqlite_repo_list,
	.task_claim = sqlite_task_claim,
	.task_renew = sqlite_task_renew,
	.attempt_end = sqlite_attempt_end,
	.attempt_list = sqlite_attempt_list,
	.step_put = sqlite_step_put,
	.step_list = sqlite_step_list,
	.transcript_put = sqlite_transcript_put,
	.transcript_get = sqlite_transcript_get,
	.effect_add = sqlite_effect_add,
	.effect_get = sqlite_effect_get,
	.effect_find = sqlite_effect_find,
	.effect_save = sqlite_effect_save,
	.effect_list = sqlite_effect_list,
	.effect_due = sqlite_effect_due,
	.effect_next_ms = sqlite_effect_next_ms,
	.effect_resume = sqlite_effect_resume,
	.tally = sqlite_tally,
	.prune = sqlite_prune,
	.kv_get = sqlite_kv_get,
	.kv_put = sqlite_kv_put,
};
