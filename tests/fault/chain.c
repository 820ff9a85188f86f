/* SPDX-License-Identifier: Apache-2.0 */
/* chain - see chain.h. */
#include "tests/fault/chain.h"
#include "tests/fault/disk.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/sqlite.h"
#include "store/upkeep.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define TXS_MAX   10
#define T0        1767225600000
#define BACKUP_MS 3600000

static bool was_healed;

static void
on_heal(const char *text)
{
	(void)text;
	was_healed = true;
}

static char *
below(const struct chain *c, const char *name)
{
	return mem_fmt("%s/%s", c->root, name);
}

static char *
next_root(const struct chain *c, const char *what)
{
	char *path = mem_fmt("%s/%s-%d", c->dir, what, c->lives);
	int rc = fs_mkdirs(path, 0700, NULL);

	assert(rc == 0);
	return path;
}

void
chain_init(struct chain *c, uint64_t seed)
{
	*c = (struct chain){ .is_durable = true, .dice = { seed } };
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/ns-power-XXXXXX");
	const char *made = mkdtemp(c->dir);
	assert(made);
	c->root = next_root(c, "life");
}

void
chain_finish(struct chain *c)
{
	(void)fs_remove_tree(c->dir, NULL);
	free(c->root);
	free(c->txs);
	*c = (struct chain){ 0 };
}

static int
open_store(const struct chain *c, struct store **out, struct err *e)
{
	auto_free char *dir = below(c, "store");
	auto_free char *backups = below(c, "backups");
	const struct store_conf conf = {
		.dir = dir, .backups = backups, .is_durable = c->is_durable, .on_heal = on_heal
	};

	return STORE_SQLITE.open(&conf, out, e);
}

/* ---- a life ---- */

static int
back_up(const struct chain *c, struct err *e)
{
	auto_free char *dir = below(c, "store");
	auto_free char *backups = below(c, "backups");
	const struct upkeep u = { .dir = dir, .backups = backups };
	struct backup b = { 0 };
	int rc = upkeep_backup(&u, T0 + c->lives * (int64_t)BACKUP_MS, &b, e);

	backup_finish(&b);
	return rc;
}

static int
work(struct chain *c, struct store **s, struct err *e)
{
	int n = (int)dice_below(&c->dice, TXS_MAX + 1), rc = 0;
	bool is_big = dice_hits(&c->dice, 25);

	for (int i = 0; i < n && rc == 0; i++) {
		rc = chain_write(c, *s, is_big, e);
		if (rc == 0)
			disk_promise(c->n_txs);
		if (rc == 0 && dice_hits(&c->dice, 30))
			(*s)->driver->rest(*s);
		if (rc == 0 && dice_hits(&c->dice, 5))
			rc = back_up(c, e);
		if (rc == 0 && dice_hits(&c->dice, 10)) {
			STORE_SQLITE.close(*s);
			*s = NULL;
			rc = open_store(c, s, e);
		}
	}
	if (rc == 0 && dice_hits(&c->dice, 25)) {
		STORE_SQLITE.close(*s);
		*s = NULL;
	}
	return rc;
}

/* An index that is no index any more: every row is still to be read, so nothing may be lost. There
 * may be a log beside it, and the page may be in there only. */
static int
damage(struct chain *c, struct err *e)
{
	auto_free char *file = below(c, "store/" SQLITE_FILE);
	auto_free char *lock = below(c, "store/lock");
	struct sqlite *db = NULL;
	struct stat st;
	int64_t page = 0, page_bytes = 0;
	int rc = sqlite_file_open(file, false, &db, e);

	if (rc < 0)
		return rc;
	rc = sql_int(&db->sql, e, &page,
		"SELECT rootpage FROM sqlite_schema WHERE name = 'delivery_guid'", "");
	if (rc == 0)
		rc = sql_int(&db->sql, e, &page_bytes, "PRAGMA page_size", "");
	sqlite_close(&db->sql.base);
	if (rc < 0)
		return rc;
	auto_fd int fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", file);
	if (st.st_size < page * page_bytes)
		return 0;
	if (pwrite(fd, "no such thing", 13, (page - 1) * page_bytes) != 13)
		return err_sys(e, "write %s", file);
	c->was_damaged = true;
	return fs_write_atomic(lock, "damaged", 7, 0600, e);
}

/* ---- its end ---- */

static int
judge_backups(const struct chain *c, struct err *e)
{
	auto_free char *backups = below(c, "backups");
	struct row_list list = { 0 };
	int rc = upkeep_list(backups, &list, e);

	if (rc == ERR_MISSING)
		rc = 0;
	for (size_t i = 0; i < list.n && rc == 0; i++)
		rc = upkeep_check_backup(((struct backup *)list.v)[i].path, e);
	backup_list_finish(&list);
	return rc;
}

static int
judge(struct chain *c, int64_t promised, struct err *e)
{
	auto_free char *dir = below(c, "store");
	const struct upkeep u = { .dir = dir };
	struct store *s = NULL;
	int64_t last = 0;

	was_healed = false;
	int rc = open_store(c, &s, e);
	if (rc < 0)
		return err_wrap(e, rc, "it does not open");
	if (was_healed && !c->was_damaged)
		rc = err_set(e, ERR_INVALID, "it was damaged");
	if (rc == 0)
		rc = chain_judge(c, s, &last, e);
	if (rc == 0 && last < promised)
		rc = err_set(e, ERR_INVALID,
			"transaction %" PRId64 " was promised, and %" PRId64 " is the last",
			promised, last);
	if (rc == 0)
		rc = upkeep_check(&u, true, e);
	if (rc == 0)
		rc = judge_backups(c, e);
	STORE_SQLITE.close(s);
	c->n_txs = last;
	c->was_damaged = was_healed; /* the next life begins with what the judge began with */
	return rc;
}

/* The judge opens the store, which changes it; so it gets what the next life does not. */
static int
cut(struct chain *c, size_t opened, int64_t promised_before, struct err *e)
{
	/* Opening is short, and where recovery and healing are. */
	size_t lines = dice_hits(&c->dice, 40) ? opened : disk_lines();
	const struct disk_cut how = { .line = dice_below(&c->dice, lines + 1),
		.is_liar = c->is_liar };
	int64_t promised = disk_promised(how.line);
	struct dice same = c->dice;

	c->lives++;
	free(c->root);
	c->root = next_root(c, "judged");
	disk_make(&how, &same, c->root);
	int rc = judge(c, promised > 0 ? promised : promised_before, e);
	free(c->root);
	c->root = next_root(c, "life");
	disk_make(&how, &c->dice, c->root);
	return rc;
}

int
chain_live(struct chain *c, struct err *e)
{
	int64_t promised_before = c->n_txs;
	struct store *s = NULL;
	int rc = 0;

	if (c->n_txs > 0 && dice_hits(&c->dice, 15))
		rc = damage(c, e);
	if (rc < 0)
		return rc;
	disk_watch(c->root);
	rc = open_store(c, &s, e);
	size_t opened = disk_lines();
	if (rc == 0)
		rc = work(c, &s, e);
	disk_unwatch();
	STORE_SQLITE.close(s);
	if (rc == 0)
		rc = cut(c, opened, promised_before, e);
	disk_forget();
	return rc;
}
