/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check - the subcommand, its report, and the secrets.
 */
#include "bot/check.h"

#include "base/crypto.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "bot/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#define REPORT_BYTES_MAX (1024 * 1024)
#define SECRET_BYTES_MAX (64 * 1024)

static const struct row ITEM_ROWS[] = {
	ROW_S(struct check_item, name, "name", 256),
	ROW_S(struct check_item, state, "state", 16),
	ROW_S(struct check_item, text, "text", 4096),
	ROW_S(struct check_item, mend, "mend", 4096),
	ROW_DONE,
};

const struct row CHECK_ROWS[] = {
	ROW_B(struct check_report, ok, "ok"),
	ROW_L(struct check_report, items, "checks", 1000, ITEM_ROWS, struct check_item),
	ROW_DONE,
};

/* ---- The report ---- */

/* Some of it was said by forges: nothing of that may move the reader's cursor. */
static void
flatten(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	}
}

static void
print_item(FILE *out, const struct check_item *i)
{
	const char *mark = str_eq(i->state, "ok")        ? "ok  "
			   : str_eq(i->state, "warning") ? "warn"
							 : "FAIL";

	(void)fprintf(out, "%s  %-28s %s\n", mark, i->name, i->text);
	if (i->mend)
		(void)fprintf(out, "      %-28s mend: %s\n", "", i->mend);
	(void)fflush(out); /* the next item may take seconds */
}

static __attribute__((format(printf, 5, 0))) void
add(struct check_report *r, const char *state, const char *name, const char *mend, const char *fmt,
	va_list ap)
{
	struct check_item *i = row_list_add(&r->items, sizeof(*i));
	auto_buf struct buf text = BUF_INIT(4096);

	(void)buf_addv(&text, fmt, ap);
	i->state = mem_str(state);
	i->name = mem_str(name);
	i->text = buf_steal(&text);
	i->mend = mem_str(mend);
	flatten(i->text);
	if (i->mend)
		flatten(i->mend);
	if (r->out)
		print_item(r->out, i);
}

void
check_ok(struct check_report *r, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, "ok", name, NULL, fmt, ap);
	va_end(ap);
}

void
check_warn(struct check_report *r, const char *name, const char *mend, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, "warning", name, mend, fmt, ap);
	va_end(ap);
}

void
check_fail(struct check_report *r, const char *name, int exit_code, const char *mend,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(r, "failure", name, mend, fmt, ap);
	va_end(ap);
	if (r->exit_code == EX_OK)
		r->exit_code = exit_code;
}

void
check_report_finish(struct check_report *r)
{
	row_finish(CHECK_ROWS, r);
}

static int
print(int rc, const struct buf *text)
{
	if (rc < 0 || fputs(buf_str(text), stdout) < 0 || fflush(stdout) != 0)
		return EX_IOERR;
	return EX_OK;
}

static int
print_json(const struct check_report *r)
{
	auto_buf struct buf out = BUF_INIT(REPORT_BYTES_MAX);
	int rc = json_encode(CHECK_ROWS, r, &out, NULL);

	(void)buf_addc(&out, '\n');
	rc = print(rc, &out);
	return rc == EX_OK ? r->exit_code : rc;
}

static size_t
count(const struct check_report *r, const char *state)
{
	const struct check_item *items = r->items.v;
	size_t n = 0;

	for (size_t i = 0; i < r->items.n; i++)
		n += str_eq(items[i].state, state);
	return n;
}

int
check_report_end(struct check_report *r, bool as_json)
{
	int code = r->exit_code;

	r->ok = count(r, "failure") == 0;
	if (as_json)
		code = print_json(r);
	else
		(void)printf("%zu ok, %zu warnings, %zu failures\n", count(r, "ok"),
			count(r, "warning"), count(r, "failure"));
	check_report_finish(r);
	return code;
}

/* ---- Secrets ---- */

static void
clean_secret(struct buf *b)
{
	mem_wipe(b->data, b->cap);
	buf_finish(b);
}

/* A key that parses only when the first commit is to be signed is found too late. */
static int
check_key(const struct config_secret *s, const struct buf *value, struct err *e)
{
	struct crypto_key *k = NULL;
	int rc;

	if (!str_ends(s->what, ".app_key") && !str_ends(s->what, ".sign_key"))
		return 0;
	rc = crypto_key_read(buf_str(value), value->len, &k, e);
	crypto_key_destroy(k);
	return rc;
}

static int
check_secret(void *arg, const struct config_secret *s)
{
	auto_cleanup(clean_secret) struct buf value = BUF_INIT(SECRET_BYTES_MAX);
	struct check_report *r = arg;
	struct err e = { 0 };
	int rc = config_secret_read(s->file, s->env, &value, &e);

	if (rc == 0)
		rc = check_key(s, &value, &e);
	if (rc == 0)
		check_ok(r, s->what, "%s", s->file ? s->file : s->env);
	else
		check_fail(r, s->what, EX_CONFIG, NULL, "%s", e.text);
	return 0; /* the others are asked too */
}

void
check_secrets(struct check_report *r, const struct config *c)
{
	(void)config_secrets_each(c, check_secret, r);
}

/* ---- The subcommand ---- */

struct options {
	const char *file;
	bool print_config;
	bool print_docs;
	bool json;
	bool offline;
};

static bool
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "offline", no_argument, NULL, 'o' },
		{ "print-config", no_argument, NULL, 'p' },
		{ "print-docs", no_argument, NULL, 'd' },
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
		o->offline |= opt == 'o';
		o->print_config |= opt == 'p';
		o->print_docs |= opt == 'd';
	}
	return optind == argc;
}

static void
check_all(struct check_report *r, const struct config *c, const struct options *o)
{
	check_ok(r, "configuration", "%s", o->file);
	check_secrets(r, c);
	check_machine(r, c);
	check_hooks(r, c);
	if (o->offline)
		check_warn(r, "forges", NULL, "not asked: --offline");
	else
		check_forges(r, c);
}

int
check_main(int argc, char **argv)
{
	auto_buf struct buf text = BUF_INIT(REPORT_BYTES_MAX);
	auto_config struct config c = { 0 };
	struct check_report r = { 0 };
	struct options o;
	struct err e = { 0 };
	int rc;

	if (!parse_options(argc, argv, &o))
		return command_usage(
			"check takes -c FILE, --print-config, --print-docs, --json and --offline");
	if (o.print_docs)
		return print(config_docs(&text), &text);
	r.out = o.json ? NULL : stdout;
	rc = config_load(o.file, &c, &e);
	if (rc < 0 && o.print_config)
		(void)fprintf(stderr, "nightshift: %s\n", e.text);
	if (rc < 0 && o.print_config)
		return rc == ERR_MISSING ? EX_NOINPUT : EX_CONFIG;
	if (o.print_config)
		return print(config_print(&c, &text), &text);
	if (rc < 0)
		check_fail(&r, "configuration", rc == ERR_MISSING ? EX_NOINPUT : EX_CONFIG,
			rc == ERR_MISSING ? "write one, see docs/CONFIG.md; or name it with -c FILE"
					  : NULL,
			"%s", e.text);
	else
		check_all(&r, &c, &o);
	return check_report_end(&r, o.json);
}
