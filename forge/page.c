/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page - see page.h.
 */
#include "forge/page.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

/* One <target>; param=value; param="value" of the list. */
struct link {
	const char *target;
	size_t target_len;
	bool is_next;
};

static const char *
skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* rel may name several relations, separated by spaces. */
static bool
names_next(const char *s, size_t n)
{
	while (n) {
		size_t word = 0;

		while (word < n && s[word] != ' ')
			word++;
		if (word == 4 && strncasecmp(s, "next", 4) == 0)
			return true;
		word += word < n;
		s += word;
		n -= word;
	}
	return false;
}

/* Reads ";name=value" at *s and steps over it; false at the end of the link or at nonsense. */
static bool
read_param(const char **s, bool *is_next)
{
	const char *p = skip_space(*s), *name, *value;
	size_t name_len, n;

	if (*p != ';')
		return false;
	name = skip_space(p + 1);
	name_len = strcspn(name, "=;, \t");
	p = skip_space(name + name_len);
	if (*p == '=') {
		value = skip_space(p + 1);
		if (*value == '"') {
			value++;
			n = strcspn(value, "\"");
			p = value + n + (value[n] == '"');
		} else {
			n = strcspn(value, ";, \t");
			p = value + n;
		}
		if (name_len == 3 && strncasecmp(name, "rel", 3) == 0 && names_next(value, n))
			*is_next = true;
	}
	*s = p;
	return true;
}

/* Reads one link at *s and steps over it; false at the end of the header or at nonsense. */
static bool
read_link(const char **s, struct link *out)
{
	const char *p = *s + strspn(*s, " \t,");

	*out = (struct link){ 0 };
	if (*p != '<')
		return false;
	out->target = p + 1;
	out->target_len = strcspn(out->target, ">");
	p = out->target + out->target_len;
	if (*p != '>')
		return false;
	p++;
	while (read_param(&p, &out->is_next))
		;
	*s = p;
	return true;
}

static bool
find_next(const struct http_reply *r, struct link *out)
{
	const char *s = http_reply_header(r, "link");

	while (s && read_link(&s, out)) {
		if (out->is_next)
			return true;
	}
	return false;
}

bool
page_has_next(const struct http_reply *r)
{
	struct link link;

	return find_next(r, &link);
}

/* Bytes of "scheme://host:port". */
static size_t
origin_len(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

int
page_next(const struct forge_conf *f, const struct http_reply *r, char **out, struct err *e)
{
	size_t n = origin_len(f->api_url);
	struct link link;

	if (!find_next(r, &link))
		return 0;
	if (link.target_len > LIMIT_URL_BYTES)
		return err_set(e, ERR_PROTOCOL, "the next page has an address of %zu bytes",
			link.target_len);
	if (n == 0 || link.target_len <= n || strncasecmp(link.target, f->api_url, n) != 0 ||
		!strchr("/?", link.target[n]))
		return err_set(
			e, ERR_PROTOCOL, "the next page is on another host than %s", f->api_url);
	*out = mem_strn(link.target, link.target_len);
	return 1;
}
