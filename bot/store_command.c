/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_command - `nightshift store check|backup|restore`.
 *
 * The first two only read and work beside a running nightshift. Going back to a backup needs it
 * stopped, and says so.
 */
#include "bot/store_command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bot/command.h"
#include "bot/role.h"
#include "store/store.h"
#include "store/upkeep.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>

#define LATE 2 /* a backup is late when it is older than so many times its interval */

struct options {
	const char *file;
	const char *what;
	const char *path; /* of a backup, or where to copy from; or NULL */
	const char *to;
	bool json;
	bool is_quick;
};

/* ---- check ---- */

static void
check_pages(struct check_report *r, const struct upkeep *u, bool is_quick)
{
	struct err e = { 0 };
	int rc = upkeep_check(u, !is_quick, &e);

	if (rc == 0)
		check_ok(r, "store.pages",
			is_quick ? "every page is in its place"
				 : "pages, indexes and references agree");
	else if (rc == ERR_INVALID)
		check_fail(r, "store.pages", EX_DATAERR,
			"restart nightshift: it heals the store from its backups when it starts, "
			"and keeps the damaged file",
			"%s", e.text);
	else
		check_fail(r, "store.pages", err_exit(rc), NULL, "%s", e.text);
}

static void
tell_tally(struct check_report *r, int rc, const struct store_tally *tally, struct err *e)
{
	const struct store_tally t = *tally;

	if (rc == 0)
		rc = store_tally_check(tally, e);
	if (rc < 0) {
		check_fail(r, "store.tally", rc == ERR_INVALID ? EX_DATAERR : err_exit(rc), NULL,
			"%s", e->text);
		return;
	}
	check_ok(r, "store.deliveries",
		"%" PRId64 " received = %" PRId64 " duplicates + %" PRId64 " new + %" PRId64
		" handled + %" PRId64 " ignored + %" PRId64 " put aside + %" PRId64 " pruned",
		t.received, t.duplicates, t.fresh, t.handled, t.ignored, t.quarantined, t.pruned);
	check_ok(r, "store.tasks",
		"%" PRId64 " accepted = %" PRId64 " final + %" PRId64 " waiting + %" PRId64 " live",
		t.accepted, t.final, t.waiting, t.live);
}

static void
check_tally(struct check_report *r, const struct upkeep *u)
{
	struct store_tally t = { 0 };
	struct err e = { 0 };

	tell_tally(r, upkeep_tally(u, &t, &e), &t, &e);
}

static void
check_newest(struct check_report *r, const struct config *c, const struct backup *b, size_t n)
{
	int64_t age_ms = clock_wall_ms() - b->made_ms;
	struct err e = { 0 };

	if (upkeep_check_backup(b->path, &e) < 0)
		check_fail(r, "store.backups", EX_DATAERR,
			"remove it and run \"nightshift store backup\"", "%s", e.text);
	else if (c->backup_every_ms > 0 && age_ms > LATE * c->backup_every_ms)
		check_warn(r, "store.backups", "run \"nightshift store backup\"",
			"the newest of %zu is %" PRId64 " minutes old: %s", n, age_ms / 60000,
			b->path);
	else
		check_ok(r, "store.backups", "%zu, the newest is good: %s", n, b->path);
}

static void
check_backups(struct check_report *r, const struct config *c, const struct upkeep *u)
{
	struct row_list list = { 0 };
	struct err e = { 0 };
	int rc = upkeep_list(u->backups, &list, &e);

	if (rc < 0 && rc != ERR_MISSING)
		check_fail(r, "store.backups", err_exit(rc), NULL, "%s", e.text);
	else if (list.n == 0)
		check_warn(r, "store.backups",
			c->backup_every_ms > 0 ? "run \"nightshift store backup\", or wait"
					       : "set backup.every, or copy the files otherwise",
			"none in %s", u->backups);
	else
		check_newest(r, c, list.v, list.n);
	backup_list_finish(&list);
}

/* Its pages and its backups are the server's own business. */
static void
check_remote(struct check_report *r, const struct config *c)
{
	char *password = NULL;
	struct store *s = NULL;
	struct store_tally t;
	struct err e = { 0 };
	int rc = store_password(c, &password, &e);

	if (rc == 0) {
		const struct store_conf conf = {
			.url = c->store, .password = password, .is_reader = true
		};

		rc = STORE_POSTGRES.open(&conf, &s, &e);
	}
	store_password_finish(password);
	if (rc < 0 || !s) {
		check_fail(r, "store", err_exit(rc), NULL, "%s", e.text);
		return;
	}
	check_ok(r, "store", "%s answers", c->store);
	rc = s->driver->tally(s, &t, &e);
	s->driver->close(s);
	tell_tally(r, rc, &t, &e);
}

void
store_check(struct check_report *r, const struct config *c, bool is_quick)
{
	if (config_store_is_remote(c)) {
		check_remote(r, c);
		return;
	}

	auto_free char *dir = role_path(c, "store");
	auto_free char *backups = role_path(c, "backups");
	auto_free char *file = mem_fmt("%s/nightshift.db", dir);
	const struct upkeep u = { .dir = dir, .backups = backups };
	struct stat st;

	if (stat(file, &st) < 0) {
		check_fail(r, "store", EX_NOINPUT,
			errno == ENOENT ? "start nightshift, which makes it; or take one back with "
					  "\"nightshift store restore\""
					: NULL,
			"%s: %s", file, strerror(errno));
	} else {
		check_ok(r, "store", "%s, %" PRId64 " KiB", file, (int64_t)st.st_size / 1024);
		check_pages(r, &u, is_quick);
		check_tally(r, &u);
	}
	check_backups(r, c, &u);
}

static int
run_check(const struct config *c, const struct options *o)
{
	struct check_report r = { .out = o->json ? NULL : stdout };

	store_check(&r, c, o->is_quick);
	return check_report_end(&r, o->json);
}

/* ---- backup, restore ---- */

int
store_failed(int rc, const struct err *e)
{
	(void)fprintf(stderr, "nightshift: %s\n", e->text);
	return rc == ERR_INVALID ? EX_DATAERR : err_exit(rc);
}

static int
of_the_server(void)
{
	(void)fprintf(stderr, "nightshift: the store is on a PostgreSQL server, and so are its "
			      "backups: see pg_dump and continuous archiving there\n");
	return EX_UNAVAILABLE;
}

static int
run_backup(const struct config *c, const struct options *o)
{
	if (config_store_is_remote(c))
		return of_the_server();

	auto_free char *dir = role_path(c, "store");
	auto_free char *backups = role_path(c, "backups");
	const struct upkeep u = { .dir = dir, .backups = backups };
	struct backup b = { 0 };
	struct err e = { 0 };
	int rc = upkeep_backup(&u, clock_wall_ms(), &b, &e);

	(void)o;
	if (rc < 0)
		return store_failed(rc, &e);
	(void)printf("%s (%" PRId64 " KiB)\n", b.path, b.bytes / 1024);
	backup_finish(&b);
	return EX_OK;
}

/* Even when its queue is away, a master would start another in the middle. */
int
store_lock_state(const struct config *c, int *out_fd, struct err *e)
{
	auto_free char *path = role_path(c, "lock");
	auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? err_set(e, ERR_BUSY, "nightshift is running in %s: stop it first",
					 c->state_dir)
			       : err_sys(e, "lock %s", path);
	*out_fd = steal_fd(&fd);
	return 0;
}

/* The caller's to free; ERR_MISSING: there is none that is good. */
static int
newest(const char *backups, char **out, struct err *e)
{
	struct row_list list = { 0 };
	int rc = upkeep_list(backups, &list, e);
	const struct backup *v = list.v;

	*out = NULL;
	for (size_t i = 0; rc == 0 && i < list.n && !*out; i++) {
		if (upkeep_check_backup(v[i].path, e) == 0)
			*out = mem_str(v[i].path);
		else
			(void)fprintf(stderr, "nightshift: passed over: %s\n", e ? e->text : "");
	}
	backup_list_finish(&list);
	if (rc == 0 && !*out)
		return err_set(e, ERR_MISSING, "no good backup in %s: name a file", backups);
	return rc;
}

static int
run_restore(const struct config *c, const struct options *o)
{
	if (config_store_is_remote(c))
		return of_the_server();

	auto_free char *dir = role_path(c, "store");
	auto_free char *backups = role_path(c, "backups");
	auto_free char *path = mem_str(o->path);
	auto_free char *aside = NULL;
	auto_fd int lock = -1;
	const struct upkeep u = { .dir = dir, .backups = backups };
	struct err e = { 0 };
	int rc = store_lock_state(c, &lock, &e);

	if (rc == 0 && !path)
		rc = newest(backups, &path, &e);
	if (rc == 0)
		rc = upkeep_restore(&u, path, &aside, &e);
	if (rc < 0)
		return store_failed(rc, &e);
	(void)printf("the store is that of %s again\n", path);
	if (aside)
		(void)printf("what was there is in %s\n", aside);
	(void)printf("now start nightshift: it looks before it repeats what may have been done "
		     "since, and asks the forges what it missed\n");
	return EX_OK;
}

static int
run_copy(const struct config *c, const struct options *o)
{
	return store_copy_run(c, o->path, o->to);
}

/* ---- the subcommand ---- */

/* Alphabetical. */
static const struct {
	const char *name;
	int (*run)(const struct config *c, const struct options *o);
	int paths_min;
	int paths_max;
} DEEDS[] = {
	{ "backup", run_backup, 0, 0 },
	{ "check", run_check, 0, 0 },
	{ "copy", run_copy, 2, 2 },
	{ "restore", run_restore, 0, 1 },
};
#define COUNT (sizeof(DEEDS) / sizeof(DEEDS[0]))

static bool
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "quick", no_argument, NULL, 'q' },
		{ 0 },
	};
	int opt;

	*o = (struct options){ .file = "nightshift.yaml" };
	while ((opt = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (opt == '?')
			return false;
		if (opt == 'c')
			o->file = optarg;
		o->json |= opt == 'j';
		o->is_quick |= opt == 'q';
	}
	o->what = optind < argc ? argv[optind] : NULL;
	o->path = optind + 1 < argc ? argv[optind + 1] : NULL;
	o->to = optind + 2 < argc ? argv[optind + 2] : NULL;
	return o->what && optind + 3 >= argc;
}

int
store_main(int argc, char **argv)
{
	static const char usage[] = "store takes check [--quick] [--json], backup, restore [FILE], "
				    "or copy FROM TO; and -c FILE";
	auto_config struct config c = { 0 };
	struct options o;
	struct err e = { 0 };
	size_t i = 0;

	if (!parse_options(argc, argv, &o))
		return command_usage("%s", usage);
	while (i < COUNT && !str_eq(DEEDS[i].name, o.what))
		i++;
	int paths = (o.path != NULL) + (o.to != NULL);
	if (i == COUNT || paths < DEEDS[i].paths_min || paths > DEEDS[i].paths_max)
		return command_usage("%s", usage);
	int rc = config_load(o.file, &c, &e);
	if (rc < 0) {
		(void)fprintf(stderr, "nightshift: %s\n", e.text);
		return rc == ERR_MISSING ? EX_NOINPUT : EX_CONFIG;
	}
	return DEEDS[i].run(&c, &o);
}
