/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_hook - whether deliveries can arrive, as far as it shows from here.
 *
 * Nobody can see from inside whether the world reaches an address; but an address of this machine
 * or of a private network is a mistake that we can name.
 */
#include "bot/check.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <sysexits.h>

/* Nets that the internet does not route (RFC 6890), and names that never leave a network. */
static const char *const PRIVATE[] = { "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12",
	"192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1", "fc00::/7", "fe80::/10" };
static const char *const PRIVATE_NAMES[] = { ".local", ".lan", ".internal", ".home.arpa",
	".localhost" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The host of a URL that the configuration has accepted, without brackets and port. */
static char *
host_of(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, "/");
	const char *colon = memrchr(host, ':', len);

	if (host[0] == '[')
		return mem_strn(host + 1, strcspn(host + 1, "]"));
	return mem_strn(host, colon ? (size_t)(colon - host) : len);
}

static bool
is_private(const char *host)
{
	auto_strs struct strs nets = { 0 };

	for (size_t i = 0; i < COUNT(PRIVATE); i++)
		strs_add(&nets, PRIVATE[i]);
	for (size_t i = 0; i < COUNT(PRIVATE_NAMES); i++) {
		if (str_ends(host, PRIVATE_NAMES[i]))
			return true;
	}
	return str_eq(host, "localhost") || config_net_has(&nets, host);
}

static void
check_hook(struct check_report *r, const struct config *c, const struct config_forge *f)
{
	auto_free char *name = mem_fmt("forges.%s.webhook", f->name);
	auto_free char *here = host_of(c->public_url);
	auto_free char *there = host_of(f->url);
	bool is_far = !is_private(there);

	if (is_private(here) && is_far)
		check_warn(r, name, "set public_url to what the internet sees, or intake: poll",
			"%s cannot reach %s, which is a private address", there, c->public_url);
	else if (str_starts(c->public_url, "http://") && is_far)
		check_warn(r, name, "put a proxy with TLS in front, as in README.md",
			"deliveries to %s are readable on their way", c->public_url);
	else
		check_ok(r, name, "the forge's webhook is %s/hook/%s, application/json",
			c->public_url, f->name);
}

void
check_hooks(struct check_report *r, const struct config *c)
{
	const struct config_forge *f = c->forges.v;

	if (!str_eq(c->intake, "webhook")) {
		check_ok(r, "intake",
			"poll: the forges are asked, nothing has to reach this server");
		return;
	}
	for (size_t i = 0; i < c->forges.n; i++)
		check_hook(r, c, &f[i]);
}
