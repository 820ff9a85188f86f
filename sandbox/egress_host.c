/* SPDX-License-Identifier: Apache-2.0 */
/*
 * egress_host - which names a box may reach through a tunnel.
 */
#include "sandbox/egress_host.h"

#include <string.h>

#define LABEL_MAX 63

/* Last labels that mean something on this side of the internet's edge (RFC 6761, 6762, 8375, and
 * what clouds and home routers use). Their addresses are refused anyway; this is the second wall.
 */
static const char *const OURS[] = { "arpa", "home", "internal", "intranet", "invalid", "lan",
	"local", "localdomain", "localhost", "onion", "private" };

static int
refuse(struct err *e, const char *why)
{
	return err_set(e, ERR_DENIED, "%s", why);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 characters, no hyphen at their ends. */
static bool
is_label(const char *s, size_t len)
{
	if (len == 0 || len > LABEL_MAX || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_host_char(s[i]))
			return false;
	}
	return true;
}

/* No top-level domain starts with a digit, and every notation of an address ends in a label that
 * does. */
static int
check_last(const char *label, struct err *e)
{
	if (label[0] >= '0' && label[0] <= '9')
		return refuse(e, "an address instead of a name");
	for (size_t i = 0; i < sizeof(OURS) / sizeof(OURS[0]); i++) {
		if (str_eq(OURS[i], label))
			return refuse(e, "not a public name");
	}
	return 0;
}

int
egress_host_parse(const char *s, size_t len, char out[EGRESS_HOST_BYTES], struct err *e)
{
	const char *last = NULL;

	if (len > 0 && s[len - 1] == '.')
		len--;
	if (len == 0 || len >= EGRESS_HOST_BYTES || memchr(s, '\0', len))
		return refuse(e, "not a host name");
	for (size_t i = 0; i < len; i++)
		out[i] = lower(s[i]);
	out[len] = '\0';
	for (const char *label = out;;) {
		size_t n = strcspn(label, ".");

		if (!is_label(label, n))
			return refuse(e, strchr(":[]%", out[0]) || strchr(out, ':')
						 ? "an address instead of a name"
						 : "not a host name");
		last = label;
		if (label[n] == '\0')
			break;
		label += n + 1;
	}
	if (check_last(last, e) < 0)
		return ERR_DENIED;
	return last == out ? refuse(e, "not a public name") : 0;
}

int
egress_authority_parse(const char *s, size_t len, char out[EGRESS_HOST_BYTES], struct err *e)
{
	static const char port[] = ":443";
	const size_t n = strlen(port);

	if (memchr(s, '@', len))
		return refuse(e, "a user in the address");
	if (len <= n || memcmp(s + len - n, port, n) != 0)
		return refuse(e, "only port 443 is open");
	return egress_host_parse(s, len - n, out, e);
}

bool
egress_host_listed(const struct strs *names, const char *host)
{
	size_t len = strlen(host);

	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		size_t n = strlen(name);

		if (name[0] == '*' && name[1] == '.') {
			if (len > n - 1 && strcmp(host + len - (n - 1), name + 1) == 0)
				return true;
		} else if (str_eq(name, host)) {
			return true;
		}
	}
	return false;
}
