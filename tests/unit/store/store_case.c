/* SPDX-License-Identifier: Apache-2.0 */
/* store_case - see store_case.h. */
#include "store_case.h"

#include "base/fs.h"
#include "base/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

static char healed[1024];

int
store_case_setup(void **state)
{
	struct store_case *c = mem_zero(sizeof(*c));

	(void)snprintf(c->root, sizeof(c->root), "/tmp/ns-store-XXXXXX");
	assert_non_null(mkdtemp(c->root));
	c->dir = mem_fmt("%s/store", c->root);
	c->backups = mem_fmt("%s/backups", c->root);
	c->file = mem_fmt("%s/nightshift.db", c->dir);
	*state = c;
	return 0;
}

int
store_case_teardown(void **state)
{
	struct store_case *c = *state;

	(void)fs_remove_tree(c->root, NULL);
	free(c->dir);
	free(c->backups);
	free(c->file);
	free(c);
	return 0;
}

struct upkeep
store_case_upkeep(const struct store_case *c)
{
	return (struct upkeep){ .dir = c->dir, .backups = c->backups };
}

static void
on_heal(const char *text)
{
	(void)snprintf(healed, sizeof(healed), "%s", text);
}

static int
try_open(const struct store_case *c, struct store **out, struct err *e)
{
	const struct store_conf conf = { .dir = c->dir, .backups = c->backups, .on_heal = on_heal };

	healed[0] = '\0';
	return STORE_SQLITE.open(&conf, out, e);
}

struct store *
store_case_open(const struct store_case *c, const char **told)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (try_open(c, &s, &e) < 0)
		fail_msg("open: %s", e.text);
	if (told)
		*told = *healed ? healed : NULL;
	return s;
}

void
store_case_refused(const struct store_case *c, int code, const char *part)
{
	struct store *s = NULL;
	struct err e = { 0 };

	assert_int_equal(try_open(c, &s, &e), code);
	assert_null(s);
	if (!strstr(e.text, part))
		fail_msg("\"%s\" does not say \"%s\"", e.text, part);
}

int64_t
store_case_delivery(struct store *s, const char *guid)
{
	char forge[] = "gh", event[] = "issues";
	auto_free char *copy = mem_str(guid);
	const struct delivery d = { .forge = forge, .guid = copy, .event = event };
	int64_t id = 0;

	assert_int_equal(s->driver->delivery_add(s, &d, "{}", 2, &id, NULL), 0);
	return id;
}

int64_t
store_case_task(struct store *s, const char *trigger, int64_t number)
{
	struct task t = { .repo_id = 7, .number = number, .gate_exit = -1 };
	bool was_seen;
	struct err e = { 0 };

	t.page = mem_fmt("page-of-%s", trigger);
	t.forge = mem_str("gh");
	t.repo = mem_str("acme/web");
	t.prompt = mem_str("Do it");
	if (s->driver->task_add(s, trigger, 0, &t, &was_seen, &e) < 0)
		fail_msg("task_add: %s", e.text);
	int64_t id = t.id;
	task_finish(&t);
	return id;
}

void
store_case_sql(const struct store_case *c, const char *sql)
{
	sqlite3 *db = NULL;
	char *text = NULL;

	assert_int_equal(sqlite3_open(c->file, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int64_t
store_case_number(const struct store_case *c, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;

	assert_int_equal(sqlite3_open(c->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

void
store_case_mark(const struct store_case *c, const char *mark)
{
	auto_free char *path = mem_fmt("%s/lock", c->dir);

	assert_int_equal(fs_write_atomic(path, mark, strlen(mark), 0600, NULL), 0);
}

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

void
store_case_kill(void (*fn)(const struct store_case *c), const struct store_case *c, long us)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fn(c);
		_exit(0);
	}
	spin(us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
