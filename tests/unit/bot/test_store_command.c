/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_command - what `nightshift store` says and does, and when it refuses. */
#include "tests/unit/bot/check_case.h"

#include "base/fs.h"
#include "base/mem.h"
#include "bot/store_command.h"
#include "store/store.h"
#include "store/upkeep.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sysexits.h>
#include <cmocka.h>

static const char YAML[] = "state_dir: state\n"
			   "public_url: http://127.0.0.1:1\n"
			   "forges:\n"
			   "  gt: { kind: gitea, url: \"http://127.0.0.1:9\", token_file: t, "
			   "webhook_secret_file: t }\n";

static struct store *
open_store(void)
{
	const struct store_conf conf = { .dir = "state/store" };
	struct store *s = NULL;
	struct err e = { 0 };

	assert_int_equal(fs_mkdirs("state", 0700, NULL), 0);
	scratch_put("nightshift.yaml", YAML, 0600);
	if (STORE_SQLITE.open(&conf, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static int
run(const char *what, const char *arg)
{
	char *argv[] = { mem_str("store"), mem_str(what), mem_str(arg), NULL };

	optind = 0; /* getopt begins anew */
	int rc = store_main(arg ? 3 : 2, argv);
	free(argv[0]);
	free(argv[1]);
	free(argv[2]);
	return rc;
}

static struct check_report
check(void)
{
	struct check_report r = { 0 };
	auto_config struct config c = { 0 };

	check_case_parse(YAML, &c);
	store_check(&r, &c, false);
	return r;
}

static void
no_store_is_said(void **state)
{
	struct check_report r = check();

	(void)state;
	check_case_has(&r, "store", "failure", "No such file");
	assert_int_equal(r.exit_code, EX_NOINPUT);
	check_report_finish(&r);
	scratch_put("nightshift.yaml", YAML, 0600);
	assert_int_equal(run("backup", NULL), EX_NOINPUT);
	assert_int_equal(run("restore", NULL), EX_NOINPUT);
	assert_int_equal(run("delete", NULL), EX_USAGE);
	assert_int_equal(run("check", "file"), EX_USAGE);
}

static void
a_running_one_is_checked_and_copied_but_not_replaced(void **state)
{
	struct store *s = open_store();

	(void)state;
	struct check_report r = check();
	check_case_has(&r, "store.pages", "ok", "agree");
	check_case_has(&r, "store.deliveries", "ok", "0 received");
	check_case_has(&r, "store.backups", "warning", "none");
	assert_int_equal(r.exit_code, EX_OK);
	check_report_finish(&r);
	assert_int_equal(run("backup", NULL), EX_OK);
	assert_int_equal(run("check", "--json"), EX_OK);
	assert_int_equal(run("restore", NULL), EX_TEMPFAIL);
	s->driver->close(s);

	/* Between two queues of a running master. */
	int fd = open("state/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(run("restore", NULL), EX_TEMPFAIL);
	assert_int_equal(close(fd), 0);
	assert_int_equal(run("restore", NULL), EX_OK);
}

static void
damage_is_said_with_what_to_do(void **state)
{
	(void)state;
	STORE_SQLITE.close(open_store());
	assert_int_equal(run("backup", NULL), EX_OK);
	int fd = open("state/store/nightshift.db", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 4096), 8);
	assert_int_equal(close(fd), 0);
	struct check_report r = check();
	check_case_has(&r, "store.pages", "failure", "damaged");
	check_case_has(&r, "store.backups", "ok", "the newest is good");
	assert_int_equal(r.exit_code, EX_DATAERR);
	check_report_finish(&r);
	/* The start that follows was told of it. */
	auto_buf struct buf mark = BUF_INIT(64);
	assert_int_equal(fs_read("state/store/lock", &mark, NULL), 0);
	assert_string_equal(buf_str(&mark), "damaged");
}

static void
a_damaged_backup_is_said(void **state)
{
	struct row_list list = { 0 };

	(void)state;
	STORE_SQLITE.close(open_store());
	assert_int_equal(run("backup", NULL), EX_OK);
	assert_int_equal(upkeep_list("state/backups", &list, NULL), 0);
	assert_int_equal(truncate(((struct backup *)list.v)[0].path, 5000), 0);
	backup_list_finish(&list);
	struct check_report r = check();
	check_case_has(&r, "store.backups", "failure", "damaged");
	check_report_finish(&r);
	assert_int_equal(run("restore", NULL), EX_NOINPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(no_store_is_said),
		SCRATCH_TEST(a_running_one_is_checked_and_copied_but_not_replaced),
		SCRATCH_TEST(damage_is_said_with_what_to_do),
		SCRATCH_TEST(a_damaged_backup_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
