/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path - see path.h.
 *
 * macOS ignores some code points and case, Windows ignores case, dots and spaces at the end and
 * what follows a colon, and knows short names such as git~1 (git's own list: compat/../path.c,
 * is_ntfs_dotgit; utf8.c, is_hfs_dotgit; CVE-2014-9390, CVE-2019-1352, CVE-2019-1353).
 */
#include "repo/path.h"

#include "base/limits.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

static const struct {
	unsigned from, to;
} IGNORED[] = {
	{ 0x200c, 0x200f },
	{ 0x202a, 0x202e },
	{ 0x2060, 0x206f },
	{ 0xfeff, 0xfeff },
};

/* Of the ignored ones, those that turn text around: a reviewer would read another name. */
static bool
is_bidi(unsigned c)
{
	return c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static bool
is_ignored(unsigned c)
{
	for (size_t i = 0; i < sizeof(IGNORED) / sizeof(IGNORED[0]); i++) {
		if (c >= IGNORED[i].from && c <= IGNORED[i].to)
			return true;
	}
	return false;
}

/* One code point of valid UTF-8. */
static unsigned
next_point(const unsigned char **p)
{
	static const unsigned char masks[] = { 0x7f, 0x1f, 0x0f, 0x07 };
	int more = **p < 0x80 ? 0 : **p < 0xe0 ? 1 : **p < 0xf0 ? 2 : 3;
	unsigned c = *(*p)++ & masks[more];

	while (more-- > 0)
		c = c << 6 | (*(*p)++ & 0x3f);
	return c;
}

/* The name as a careless system compares it. */
static char *
fold(const char *name)
{
	char *out = mem_zero(strlen(name) + 1);
	const unsigned char *p = (const unsigned char *)name;
	size_t n = 0;

	while (*p) {
		const unsigned char *start = p;

		if (is_ignored(next_point(&p)))
			continue;
		for (; start < p; start++)
			out[n++] = (char)tolower(*start);
	}
	out[strcspn(out, ":")] = '\0';
	for (n = strlen(out); n > 0 && strchr(" .", out[n - 1]); n--)
		out[n - 1] = '\0';
	return out;
}

/* "<stem>~<digits>" */
static bool
is_short_name(const char *name, const char *stem)
{
	size_t len = strlen(stem);

	if (strncmp(name, stem, len) != 0 || name[len] != '~')
		return false;
	name += len + 1;
	return *name != '\0' && strspn(name, "0123456789") == strlen(name);
}

bool
path_is_gitmodules(const char *name)
{
	auto_free char *folded = fold(name);

	return str_eq(folded, ".gitmodules") || is_short_name(folded, "gitmod") ||
	       is_short_name(folded, "gi7eba");
}

bool
path_is_git_settings(const char *name)
{
	auto_free char *folded = fold(name);

	return path_is_gitmodules(name) || str_eq(folded, ".gitattributes") ||
	       str_eq(folded, ".gitignore") || str_eq(folded, ".mailmap") ||
	       is_short_name(folded, "gitatt") || is_short_name(folded, "gitign") ||
	       is_short_name(folded, "gi7d29") || is_short_name(folded, "gi250a");
}

static int
check_points(const char *name, struct err *e)
{
	const unsigned char *p = (const unsigned char *)name;

	while (*p) {
		unsigned c = next_point(&p);

		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return err_set(e, ERR_DENIED, "control character in a name");
		if (is_bidi(c))
			return err_set(e, ERR_DENIED, "text direction character in a name");
	}
	return 0;
}

int
path_name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return err_set(e, ERR_DENIED, "'%s' is not a name", name);
	if (len > LIMIT_NAME_COMPONENT_BYTES)
		return err_set(e, ERR_DENIED, "name of over %d bytes", LIMIT_NAME_COMPONENT_BYTES);
	if (strpbrk(name, "/\\"))
		return err_set(e, ERR_DENIED, "slash or backslash in a name");
	if (!str_utf8_ok(name, len))
		return err_set(e, ERR_DENIED, "name is not UTF-8");
	auto_free char *folded = fold(name);
	if (str_eq(folded, ".git") || is_short_name(folded, "git"))
		return err_set(e, ERR_DENIED, "name of the repository's own directory");
	if (folded[0] == '\0')
		return err_set(e, ERR_DENIED, "name of dots and spaces");
	return check_points(name, e);
}

int
path_link_check(const char *path, const char *target, size_t len, struct err *e)
{
	size_t depth = 0;
	bool went_down = false;

	if (len == 0 || len > LIMIT_SYMLINK_BYTES || strnlen(target, len) != len)
		return err_set(e, ERR_DENIED, "link with an empty, too long or binary target");
	if (target[0] == '/')
		return err_set(e, ERR_DENIED, "link to an absolute path");
	for (const char *p = path; (p = strchr(p, '/')); p++)
		depth++;
	for (const char *p = target; *p;) {
		size_t n = strcspn(p, "/");
		auto_free char *part = mem_strn(p, n);

		p += n + (p[n] == '/' ? 1 : 0);
		if (n == 0 || strcmp(part, ".") == 0)
			continue;
		/* Behind a name that is itself a link, ".." would be another directory than it
		 * seems. */
		if (strcmp(part, "..") == 0 && (went_down || depth == 0))
			return err_set(e, ERR_DENIED, "link out of the tree");
		if (strcmp(part, "..") == 0) {
			depth--;
			continue;
		}
		went_down = true;
		if (path_name_check(part, e) < 0)
			return err_wrap(e, ERR_DENIED, "link");
	}
	return 0;
}

static char *
lower(const char *s)
{
	char *out = mem_str(s);

	for (char *p = out; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

bool
path_is_protected(const struct strs *globs, const char *path)
{
	auto_free char *low = lower(path);
	auto_free char *below = mem_fmt("%s/", low);
	auto_strs struct strs patterns = { 0 };

	for (size_t i = 0; i < globs->n; i++) {
		auto_free char *glob = lower(globs->v[i]);

		strs_add(&patterns, glob);
		if (str_starts(glob, below))
			return true;
	}
	return str_glob_list(&patterns, path) || str_glob_list(&patterns, low);
}

int
path_quote(struct buf *out, const char *path)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c >= ' ' && c < 0x7f && c != '\\')
			(void)buf_addc(out, *path);
		else
			(void)buf_addf(out, "\\x%02x", c);
	}
	return out->is_full ? ERR_LIMIT : 0;
}
