/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - every key of both files, once: type, range, default, help.
 *
 * A setting has the name of its row in the struct's row table ("limits.wall"), which knows where
 * the value lies and how long it may be; here is what a person may write. Reader, printer and
 * documentation walk these tables; a new setting is a member, a row and a line here.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/row.h"
#include "config/yaml.h"

#include <stdbool.h>
#include <stdint.h>

enum setting_type {
	SETTING_END = 0,
	SETTING_BOOL,
	SETTING_INT,
	SETTING_DURATION, /* in milliseconds */
	SETTING_SIZE,     /* in bytes */
	SETTING_MONEY,    /* in cents */
	SETTING_NAMED,    /* a map of names to sub; the row is a ROW_LIST with a member "name" */

	/* Text from here on: what setting_text.c has a checker for. */
	SETTING_WORD,   /* a name: a-z 0-9 - _ . */
	SETTING_TEXT,   /* one line */
	SETTING_PROSE,  /* lines */
	SETTING_CHOICE, /* one of choices */
	SETTING_URL,    /* http or https; a slash at the end is dropped */
	SETTING_PATH,   /* of the server; made absolute */
	SETTING_INSIDE, /* a path below the repository */
	SETTING_ENV,    /* name of an environment variable */
	SETTING_LISTEN,
	SETTING_NET,  /* an address or a CIDR block, or unix */
	SETTING_HOST, /* "registry", a host name, or *.domain */
	SETTING_GLOB,
	SETTING_CRON,
	SETTING_ZONE,  /* a time zone's name; whether the machine knows it is seen later */
	SETTING_PRICE, /* a line of config_price_parse */
};

struct setting {
	const char *path; /* at most one dot */
	enum setting_type type;
	bool is_list; /* of texts; the row is ROW_STRS */
	bool is_required;
	int64_t min; /* of INT, DURATION, SIZE, MONEY */
	int64_t max;
	const char *def;     /* as the file would say it */
	const char *choices; /* "webhook|poll" */
	const char *refused; /* "word|why": one that people know, and is none of them */
	const struct setting *sub;
	const char *help; /* one or more sentences; Markdown */
};

/* One kind of file. */
struct settings {
	const char *file; /* "nightshift.yaml" */
	const struct setting *all;
	const struct row *rows;
};

/* Bounds that both tables speak of. */
#define SECOND       INT64_C(1000)
#define HOUR         (3600 * SECOND)
#define DAY          (24 * HOUR)
#define LIMIT_ID_MAX INT64_C(1000000000000)

/* A secret is a file or a variable; these two rows say so for each. */
#define SECRET(file, env, what)                                                                    \
	{ .path = (file), .type = SETTING_PATH, .help = (what) },                                  \
	{                                                                                          \
		.path = (env), .type = SETTING_ENV,                                                \
		.help = "The same from an environment variable of `nightshift serve`."             \
	}

extern const struct settings SERVER_SETTINGS;
extern const struct settings REPOSITORY_SETTINGS;

/* Of the server's file, below a name. */
extern const struct setting FORGE_SETTINGS[];
extern const struct setting MODEL_SETTINGS[];
extern const struct setting REGISTRY_SETTINGS[];
extern const struct setting AGENT_KIND_SETTINGS[];
extern const struct setting CHORE_SETTINGS[];

/* The row of a setting; asserts that it exists, which tests/unit/config/test_settings.c shows for
 * all. */
const struct row *setting_row(const struct row *rows, const char *path);

/* Reads the tree into obj, which is zeroed first and finished on error. Relative paths are taken
 * from folder (NULL: left alone). */
int settings_read(const struct settings *s, const struct yaml *tree, const char *folder, void *obj,
	struct err *e);

/* The object's values as such a file. */
int settings_print(const struct settings *s, const void *obj, struct buf *out);

/* Checks one text of a type and writes its normal form to out (setting_text.c). The message speaks
 * of the value only. */
int setting_text(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e);

/* The word for a type in documentation: "duration", "list of paths". */
const char *setting_type_name(const struct setting *s);

/* Numbers as people write them: 2700000 as "45m", 8388608 as "8MiB", 250 cents as "2.50". */
int setting_number_print(const struct setting *s, int64_t value, struct buf *out);
int setting_number_parse(const struct setting *s, const char *value, int64_t *out, struct err *e);

#endif
