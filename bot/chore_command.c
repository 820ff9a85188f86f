/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chore_command - `nightshift chore next`.
 *
 * Told from the configuration alone, before the delay that each repository has of its own: a person
 * wants to know what a schedule means before the bot is trusted with it.
 */
#include "bot/chore_command.h"

#include "base/clock.h"
#include "base/cron.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "bot/command.h"
#include "config/config.h"

#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>

#define TIMES_MAX   100
#define TIMES       "3"
#define HOUR        3600
#define LOCAL_BYTES 32

struct due {
	char *name;
	char *at;    /* RFC 3339, UTC */
	char *local; /* what the place's clocks show */
	char *zone;
};

struct dues {
	struct row_list list; /* struct due */
};

static const struct row DUE_ROWS[] = {
	ROW_S(struct due, name, "name", LIMIT_NAME_BYTES),
	ROW_S(struct due, at, "at", LOCAL_BYTES),
	ROW_S(struct due, local, "local", LOCAL_BYTES),
	ROW_S(struct due, zone, "zone", LIMIT_NAME_BYTES),
	ROW_DONE,
};

static const struct row DUES_ROWS[] = {
	ROW_L(struct dues, list, "chores", CONFIG_NAMES_MAX *TIMES_MAX, DUE_ROWS, struct due),
	ROW_DONE,
};

struct options {
	const char *file;
	const char *times;
	bool json;
};

static bool
parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	*o = (struct options){ .file = "nightshift.yaml", .times = TIMES };
	while ((opt = getopt_long(argc, argv, "c:n:", options, NULL)) != -1) {
		if (opt == '?')
			return false;
		if (opt == 'c')
			o->file = optarg;
		if (opt == 'n')
			o->times = optarg;
		o->json |= opt == 'j';
	}
	return optind == argc - 1 && str_eq(argv[optind], "next");
}

/* "2026-03-29 03:30 +02:00" */
static char *
local_time(const struct zone *z, int64_t at_ms)
{
	int32_t offset = zone_offset(z, at_ms / 1000);
	char text[32];

	str_time_print(at_ms + offset * INT64_C(1000), text);
	return mem_fmt("%.10s %.5s %c%02d:%02d", text, text + 11, offset < 0 ? '-' : '+',
		abs(offset) / HOUR, abs(offset) % HOUR / 60);
}

static int
add(struct dues *out, const struct config_chore *chore, int64_t times, struct err *e)
{
	auto_zone struct zone *z = NULL;
	int64_t at = clock_wall_ms();
	struct cron cron;
	int rc = cron_parse(chore->schedule, &cron, e);

	if (rc == 0)
		rc = zone_open(chore->zone, &z, e);
	for (; rc == 0 && times > 0; times--) {
		struct due *d = row_list_add(&out->list, sizeof(*d));
		char text[32];

		at = cron_next(&cron, z, at);
		str_time_print(at, text);
		d->name = mem_str(chore->name);
		d->at = mem_str(text);
		d->local = local_time(z, at);
		d->zone = mem_str(chore->zone);
	}
	return rc;
}

static int
tell(const struct dues *dues, bool is_json, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_BLOB_BYTES);
	const struct due *v = dues->list.v;
	int rc = is_json ? json_encode(DUES_ROWS, dues, &out, e) : 0;

	for (size_t i = 0; !is_json && i < dues->list.n; i++)
		(void)printf("%-16s %s  %s %s\n", v[i].name, v[i].at, v[i].local, v[i].zone);
	if (is_json && rc == 0)
		(void)printf("%s\n", buf_str(&out));
	return rc;
}

int
chore_main(int argc, char **argv)
{
	auto_config struct config c = { 0 };
	const struct config_chore *v;
	struct dues dues = { 0 };
	struct options o;
	struct err e = { 0 };
	int64_t times = 0;
	int rc;

	if (!parse(argc, argv, &o))
		return command_usage("chore next [-c FILE] [-n TIMES] [--json]");
	rc = str_i64(o.times, 1, TIMES_MAX, &times, &e);
	if (rc == 0)
		rc = config_load(o.file, &c, &e);
	v = c.chores.v;
	for (size_t i = 0; rc == 0 && i < c.chores.n; i++)
		rc = add(&dues, &v[i], times, &e);
	if (rc == 0)
		rc = tell(&dues, o.json, &e);
	if (rc < 0)
		(void)fprintf(stderr, "nightshift: %s\n", e.text);
	row_finish(DUES_ROWS, &dues);
	return rc < 0 ? err_exit(rc) : EX_OK;
}
