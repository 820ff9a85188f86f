/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_migrate - a schema is whole or absent at every moment, and the program before it can go on.
 */
#include "store_case.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/sql.gen.h"

#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#define STATEMENTS_MAX   400
#define FIRST_UNDER_RULE 3 /* the files before it came out together */

/* ---- kill at each statement ---- */

static int kill_at; /* 1: before the first one */

static int
on_statement(unsigned what, void *ctx, void *p, void *x)
{
	(void)what;
	(void)ctx;
	(void)p;
	(void)x;
	if (--kill_at == 0)
		(void)kill(getpid(), SIGKILL);
	return 0;
}

static int
watch(sqlite3 *db, char **text, const void *api)
{
	(void)text;
	(void)api;
	return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

/* True: it was killed. */
static bool
open_and_kill(const struct store_case *c, int n)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		kill_at = n;
		(void)sqlite3_auto_extension((void (*)(void))watch);
		struct store *s = NULL;
		const struct store_conf conf = { .dir = c->dir };

		_exit(STORE_SQLITE.open(&conf, &s, NULL) < 0 ? 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* A file as the program of that schema left it, with somebody's rows. */
static void
make_old(const struct store_case *c, int version)
{
	auto_free char *end =
		mem_fmt("PRAGMA application_id = 0x6e736866; PRAGMA user_version = %d; "
			"PRAGMA journal_mode = WAL",
			version);

	assert_int_equal(fs_remove_tree(c->dir, NULL), 0);
	assert_int_equal(mkdir(c->dir, 0700), 0);
	if (version == 0)
		return;
	for (int i = 0; i < version; i++)
		store_case_sql(c, sql_files[i].text);
	store_case_sql(c, end);
	store_case_sql(c, "INSERT INTO delivery (forge, guid, event, received_ms, size, body) "
			  "VALUES ('gh', 'g', 'issues', 1, 1, x'00')");
}

static int64_t
tables(const struct store_case *c)
{
	return store_case_number(c, "SELECT count(*) FROM sqlite_schema");
}

static void
killed_at_each_statement_a_schema_is_whole(void **state)
{
	const struct store_case *c = *state;
	int64_t of_version[sql_files_count + 1];
	int kills = 0;

	of_version[0] = 0;
	for (int v = 1; v <= sql_files_count; v++) {
		make_old(c, v);
		of_version[v] = tables(c);
	}
	for (int from = 0; from < sql_files_count; from++) {
		int n = 1;

		for (;; n++) {
			make_old(c, from);
			bool was_killed = open_and_kill(c, n);

			assert_true(n < STATEMENTS_MAX);
			if (access(c->file, F_OK) < 0)
				continue;
			int64_t version = store_case_number(c, "PRAGMA user_version");
			assert_in_range(version, from, sql_files_count);
			assert_int_equal(tables(c), of_version[version]);
			if (from > 0)
				assert_int_equal(
					store_case_number(c, "SELECT count(*) FROM delivery"), 1);
			STORE_SQLITE.close(store_case_open(c, NULL));
			assert_int_equal(
				store_case_number(c, "PRAGMA user_version"), sql_files_count);
			if (!was_killed)
				break;
			kills++;
		}
	}
	assert_true(kills > 20);
}

static void
garble(const struct store_case *c, int64_t page)
{
	int64_t size = store_case_number(c, "PRAGMA page_size");
	auto_fd int fd = open(c->file, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "\xff\xee\xdd\xcc\xbb\xaa", 6, (page - 1) * size), 6);
}

/* Damage that no migration would stumble over. */
static void
what_is_damaged_is_not_migrated(void **state)
{
	const struct store_case *c = *state;
	const struct store_conf conf = { .dir = c->dir };
	const int before = sql_files_count - 1;
	struct store *s = NULL;
	struct err e = { 0 };

	make_old(c, before);
	STORE_SQLITE.close(store_case_open(c, NULL));
	make_old(c, before);
	garble(c, store_case_number(
			  c, "SELECT rootpage FROM sqlite_schema WHERE name = 'delivery_guid'"));
	assert_int_equal(STORE_SQLITE.open(&conf, &s, &e), ERR_INVALID);
	assert_null(s);
	assert_non_null(strstr(e.text, "damaged"));
	assert_int_equal(store_case_number(c, "PRAGMA user_version"), before);
}

/* ---- N-1 ---- */

/* Words of a statement up to its name, in upper case and without comments. */
static void
begin_of(const char *p, size_t len, char out[64])
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < 63; i++) {
		if (p[i] == '-' && i + 1 < len && p[i + 1] == '-') {
			while (i < len && p[i] != '\n')
				i++;
			continue;
		}
		if (isspace((unsigned char)p[i]) && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = isspace((unsigned char)p[i]) ? ' ' : (char)toupper((unsigned char)p[i]);
	}
	out[n] = '\0';
}

static void
keeps_the_rule(const char *file, const char *p, size_t len)
{
	static const char *const adds[] = { "CREATE TABLE ", "CREATE INDEX ", "INSERT INTO ",
		"ALTER TABLE ", NULL };
	auto_free char *text = mem_strn(p, len);
	char begin[64];

	begin_of(p, len, begin);
	if (!*begin)
		return;
	for (const char *const *a = adds; *a; a++) {
		if (!str_starts(begin, *a))
			continue;
		if (str_starts(begin, "ALTER TABLE ") &&
			(!strstr(text, " ADD COLUMN ") ||
				(strstr(text, "NOT NULL") && !strstr(text, "DEFAULT"))))
			break;
		return;
	}
	fail_msg("%s: \"%s\" is not an addition that the program before it can live with", file,
		begin);
}

static void
a_schema_only_adds_to_the_one_before(void **state)
{
	(void)state;
	for (int i = FIRST_UNDER_RULE - 1; i < sql_files_count; i++) {
		const char *p = sql_files[i].text;

		/* None of our statements has a semicolon inside. */
		while (*p) {
			size_t len = strcspn(p, ";");

			keeps_the_rule(sql_files[i].name, p, len);
			p += len + (p[len] == ';');
		}
	}
}

/* As the next version of this program could leave it: what the rule allows, everywhere. */
static void
add_what_the_rule_allows(const struct store_case *c)
{
	static const char *const names[] = { "delivery", "label", "task", "prompt", "trigger_seen",
		"attempt", "step", "transcript", "effect", "kv", "tally" };
	auto_free char *version = mem_fmt("PRAGMA user_version = %d", sql_files_count + 1);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_free char *a = mem_fmt("ALTER TABLE %s ADD COLUMN later TEXT", names[i]);
		auto_free char *b = mem_fmt(
			"ALTER TABLE %s ADD COLUMN later_ms INTEGER NOT NULL DEFAULT 7", names[i]);

		store_case_sql(c, a);
		store_case_sql(c, b);
	}
	store_case_sql(c, "CREATE TABLE later (x); CREATE INDEX i ON task (later)");
	store_case_sql(c, version);
}

static void
use_everything(struct store *s)
{
	const struct store_driver *db = s->driver;
	const struct task_claim claim = { .now_ms = 9, .running_max = 9, .lane_max = 9 };
	const struct label_key label = { "gh", 7, 1, "agent" };
	char x[] = "x", op[] = "{}";
	struct effect f = { .purpose = x, .lane = x, .scope = x, .op = op, .digest = x };
	struct task_step step = { x, 1, 1, 2, 0, NULL };
	const struct transcript transcript = { x, x };
	struct attempt end = { .task = 0, .number = 1, .outcome = OUTCOME_GREEN, .ended_ms = 3 };
	struct store_tally tally;
	struct task t;
	int64_t id = store_case_delivery(s, "new"), generation, n;

	assert_int_equal(db->delivery_end(s, id, DELIVERY_HANDLED, NULL, NULL), 0);
	assert_int_equal(db->label_set(s, &label, true, &generation, NULL), 0);
	end.task = store_case_task(s, "new", 1);
	assert_int_equal(db->task_claim(s, &claim, &t, NULL), 0);
	assert_int_equal(db->step_put(s, t.id, &step, NULL), 0);
	assert_int_equal(db->transcript_put(s, t.id, 1, &transcript, NULL), 0);
	assert_int_equal(db->attempt_end(s, &end, NULL), 0);
	t.state = TASK_SUCCEEDED;
	assert_int_equal(db->task_save(s, &t, NULL), 0);
	task_finish(&t);
	assert_int_equal(db->effect_add(s, &f, NULL), 0);
	assert_int_equal(db->effect_save(s, &f, NULL), 0);
	assert_int_equal(db->effect_resume(s, 1, &n, NULL), 0);
	assert_int_equal(db->kv_put(s, "k", "v", NULL), 0);
	assert_int_equal(db->tally(s, &tally, NULL), 0);
	assert_int_equal(store_tally_check(&tally, NULL), 0);
}

static void
the_program_before_can_go_on(void **state)
{
	const struct store_case *c = *state;

	STORE_SQLITE.close(store_case_open(c, NULL));
	add_what_the_rule_allows(c);
	struct store *s = store_case_open(c, NULL);
	use_everything(s);
	s->driver->close(s);
	/* It stays what the newer one made it. */
	assert_int_equal(store_case_number(c, "PRAGMA user_version"), sql_files_count + 1);
	assert_int_equal(store_case_number(c, "SELECT later_ms FROM task"), 7);

	auto_free char *version = mem_fmt("PRAGMA user_version = %d", sql_files_count + 2);
	store_case_sql(c, version);
	store_case_refused(c, ERR_INVALID, "written by a newer nightshift");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_CASE(killed_at_each_statement_a_schema_is_whole),
		STORE_CASE(what_is_damaged_is_not_migrated),
		STORE_CASE(a_schema_only_adds_to_the_one_before),
		STORE_CASE(the_program_before_can_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
