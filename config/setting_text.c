/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting_text - one checker for each type of text, in a table.
 *
 * A value that passes here is used later without another look: a commit's author, a line in a
 * generated file, a pattern. So no checker lets a control character through, and only prose has
 * lines.
 */
#include "config/settings.h"

#include "base/cron.h"
#include "base/mem.h"
#include "base/str.h"
#include "config/config.h"

#include <string.h>

typedef int (*checker)(const struct setting *s, const char *folder, const char *value,
	struct buf *out, struct err *e);

static bool
only(const char *s, const char *more)
{
	for (; *s; s++) {
		bool is_word = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			       (*s >= '0' && *s <= '9');

		if (!is_word && !strchr(more, *s))
			return false;
	}
	return true;
}

static bool
has_control(const char *s, const char *but)
{
	for (; *s; s++) {
		if (((unsigned char)*s < ' ' || *s == 0x7f) && !strchr(but, *s))
			return true;
	}
	return false;
}

static int
check_word(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	(void)s;
	(void)folder;
	if (!only(value, "-_.") || strchr("-_.", value[0]))
		return err_set(e, ERR_INVALID,
			"\"%.40s\" is not a name: use letters, digits, - _ and .", value);
	return buf_adds(out, value);
}

static int
check_text(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	(void)s;
	(void)folder;
	if (has_control(value, ""))
		return err_set(e, ERR_INVALID, "control character in a line of text");
	return buf_adds(out, value);
}

static int
check_prose(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	(void)s;
	(void)folder;
	if (has_control(value, "\n\t"))
		return err_set(e, ERR_INVALID, "control character in text");
	return buf_adds(out, value);
}

/* "a|b" to words. */
static void
split_choices(const char *choices, struct strs *out)
{
	while (*choices) {
		size_t n = strcspn(choices, "|");

		strs_addf(out, "%.*s", (int)n, choices);
		choices += n + (choices[n] == '|');
	}
}

/* NULL, or why this word, which others might take, is none of ours. */
static const char *
why_refused(const struct setting *s, const char *value)
{
	size_t n = s->refused ? strcspn(s->refused, "|") : 0;

	if (n == 0 || strncmp(s->refused, value, n) != 0 || value[n] != '\0')
		return NULL;
	return s->refused + n + 1;
}

static int
check_choice(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	auto_strs struct strs words = { 0 };
	auto_buf struct buf all = BUF_INIT(ERR_TEXT_BYTES_MAX);
	const char *nearest;

	(void)folder;
	split_choices(s->choices, &words);
	if (strs_has(&words, value))
		return buf_adds(out, value);
	for (size_t i = 0; i < words.n; i++)
		(void)buf_addf(&all, "%s%s", i ? ", " : "", words.v[i]);
	if (why_refused(s, value))
		return err_set(e, ERR_INVALID, "\"%s\" is none of %s: %s", value, buf_str(&all),
			why_refused(s, value));
	nearest = str_nearest(value, (const char *const *)words.v, words.n);
	if (nearest)
		return err_set(e, ERR_INVALID, "\"%.40s\" is none of %s; did you mean \"%s\"?",
			value, buf_str(&all), nearest);
	return err_set(e, ERR_INVALID, "\"%.40s\" is none of %s", value, buf_str(&all));
}

static int
check_url(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	size_t scheme = str_starts(value, "https://") ? 8 : str_starts(value, "http://") ? 7 : 0;
	size_t host = scheme ? strcspn(value + scheme, "/") : 0;
	size_t len = strlen(value);

	(void)s;
	(void)folder;
	if (scheme && memchr(value + scheme, '@', host))
		return err_set(e, ERR_INVALID,
			"a user or password in a URL: use the *_file key of this section");
	if (host == 0 || !only(value, "-._~:/[]%+=,@!$'()*;") || value[scheme] == ':')
		return err_set(
			e, ERR_INVALID, "\"%.80s\" is not a URL as in https://host/path", value);
	while (len > scheme && value[len - 1] == '/')
		len--;
	return buf_add(out, value, len);
}

static int
check_path(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	if (check_text(s, folder, value, out, e) < 0)
		return ERR_INVALID;
	if (value[0] == '/' || !folder)
		return 0;
	buf_cut(out, out->len - strlen(value));
	return buf_addf(out, "%s/%s", folder, str_starts(value, "./") ? value + 2 : value);
}

/* Used as a path below a checkout that strangers write to, so it may not leave it by name. Links
 * are the opener's concern. */
static int
check_inside(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	auto_free char *framed = mem_fmt("/%s/", value);

	if (value[0] == '/' || strstr(framed, "/../"))
		return err_set(
			e, ERR_INVALID, "\"%.80s\" is not a path below the repository", value);
	return check_text(s, folder, str_starts(value, "./") ? value + 2 : value, out, e);
}

static int
check_env(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	(void)s;
	(void)folder;
	if (!only(value, "_") || (value[0] >= '0' && value[0] <= '9'))
		return err_set(e, ERR_INVALID,
			"\"%.40s\" is not the name of an environment variable", value);
	return buf_adds(out, value);
}

static int
check_listen(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	struct config_listen parsed;
	int rc = config_listen_parse(value, &parsed, e);

	if (rc < 0)
		return rc;
	if (parsed.kind != CONFIG_LISTEN_UNIX)
		return buf_adds(out, value);
	(void)buf_adds(out, "unix:");
	rc = check_path(s, folder, parsed.path, out, e);
	if (rc == 0 && out->len - strlen("unix:") >= sizeof(parsed.path))
		rc = err_set(e, ERR_INVALID, "\"%.120s\": too long for a socket", buf_str(out));
	return rc;
}

static int
check_net(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	struct config_net parsed;
	int rc = str_eq(value, "unix") ? 0 : config_net_parse(value, &parsed, e);

	(void)s;
	(void)folder;
	return rc < 0 ? rc : buf_adds(out, value);
}

/* Lower case, so that the gateway's comparison is one of bytes. */
static int
check_host(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	const char *name = str_starts(value, "*.") ? value + 2 : value;

	(void)s;
	(void)folder;
	if (!only(name, "-.") || name[0] == '\0' || strchr("-.", name[0]) || strstr(name, "..") ||
		str_ends(name, "."))
		return err_set(e, ERR_INVALID, "\"%.80s\" is not a host name, *.domain or registry",
			value);
	if (name != value && !strchr(name, '.'))
		return err_set(e, ERR_INVALID, "\"%.80s\" opens a whole top-level domain", value);
	if (str_eq(value, "pip"))
		return buf_adds(out, "pypi"); /* one registry with two names */
	for (; *value; value++)
		(void)buf_addc(
			out, *value >= 'A' && *value <= 'Z' ? (char)(*value - 'A' + 'a') : *value);
	return 0;
}

static int
check_glob(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	const char *pattern = value[0] == '!' ? value + 1 : value;

	if (pattern[0] == '/' || pattern[0] == '\0')
		return err_set(e, ERR_INVALID,
			"\"%.80s\" matches nothing: leave out the leading slash", value);
	return check_text(s, folder, value, out, e);
}

static int
check_cron(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	struct cron parsed;
	int rc = cron_parse(value, &parsed, e);

	(void)s;
	(void)folder;
	return rc < 0 ? rc : buf_adds(out, value);
}

static int
check_zone(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	int rc = zone_name_check(value, e);

	(void)s;
	(void)folder;
	return rc < 0 ? rc : buf_adds(out, value);
}

static int
check_price(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	struct config_price parsed;
	int rc = check_text(s, folder, value, out, e);

	return rc < 0 ? rc : config_price_parse(value, &parsed, e);
}

static const struct {
	const char *name;
	const char *plural;
	checker check; /* NULL: no text */
} TYPES[] = {
	[SETTING_BOOL] = { "true or false", NULL, NULL },
	[SETTING_INT] = { "number", NULL, NULL },
	[SETTING_DURATION] = { "duration", NULL, NULL },
	[SETTING_SIZE] = { "size", NULL, NULL },
	[SETTING_MONEY] = { "amount", NULL, NULL },
	[SETTING_NAMED] = { "names", NULL, NULL },
	[SETTING_WORD] = { "name", "list of names", check_word },
	[SETTING_TEXT] = { "text", "list of texts", check_text },
	[SETTING_PROSE] = { "text", "list of texts", check_prose },
	[SETTING_CHOICE] = { "choice", NULL, check_choice },
	[SETTING_URL] = { "URL", NULL, check_url },
	[SETTING_PATH] = { "path", "list of paths", check_path },
	[SETTING_INSIDE] = { "path", "list of paths", check_inside },
	[SETTING_ENV] = { "variable", NULL, check_env },
	[SETTING_LISTEN] = { "address", NULL, check_listen },
	[SETTING_NET] = { "address", "list of addresses", check_net },
	[SETTING_HOST] = { "host", "list of hosts", check_host },
	[SETTING_GLOB] = { "pattern", "list of patterns", check_glob },
	[SETTING_CRON] = { "schedule", NULL, check_cron },
	[SETTING_ZONE] = { "time zone", NULL, check_zone },
	[SETTING_PRICE] = { "price", "list of prices", check_price },
};

const char *
setting_type_name(const struct setting *s)
{
	return s->is_list ? TYPES[s->type].plural : TYPES[s->type].name;
}

int
setting_text(const struct setting *s, const char *folder, const char *value, struct buf *out,
	struct err *e)
{
	int rc;

	if (value[0] == '\0')
		return err_set(e, ERR_INVALID, "is empty; leave the line out instead");
	rc = TYPES[s->type].check(s, folder, value, out, e);
	if (rc == 0 && out->is_full)
		rc = err_set(e, ERR_LIMIT, "more than %zu bytes", out->limit);
	return rc;
}
