/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_caches - how full each cache is. Nothing here is wrong: what is beyond a quota and not in
 * use goes by itself.
 */
#include "bot/check.h"

#include "base/fs.h"
#include "base/mem.h"
#include "bot/layer_store.h"
#include "repo/repo.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 1000000

/* "1.5 GiB" */
static void
say(char out[32], int64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t i = 0;

	for (; value >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		value /= 1024;
	(void)snprintf(out, 32, i ? "%.1f %s" : "%.0f %s", value, units[i]);
}

static void
report(struct check_report *r, const char *name, const char *what, struct repo_sum sum,
	int64_t quota)
{
	char used[32], of[32];

	say(used, sum.bytes);
	say(of, quota);
	check_ok(r, name, "%zu %s, %s of %s", sum.n, what, used, of);
}

static struct repo_sum
packages(const char *dir)
{
	struct fs_size size = { 0 };

	(void)fs_measure(dir, NAMES_MAX, &size, NULL);
	return (struct repo_sum){ size.entries > 0 ? (size_t)size.entries - 1 : 0, size.bytes };
}

void
check_caches(struct check_report *r, const struct config *c)
{
	auto_free char *layers = mem_fmt("%s/boxes/layers", c->state_dir);
	auto_free char *mirrors = mem_fmt("%s/mirrors", c->state_dir);
	auto_free char *registries = mem_fmt("%s/cache", c->state_dir);
	const struct layer_store store = { .dir = layers, .quota = c->cache_layer_bytes };

	if (access(c->state_dir, F_OK) < 0)
		return; /* before the first start there is none */
	if (access(layers, R_OK) < 0 && errno == EACCES) {
		check_ok(r, "caches", "not shown: %s belongs to another user", c->state_dir);
		return;
	}
	struct layer_sum l = layer_store_sum(&store);
	report(r, "caches.layers", "layers", (struct repo_sum){ l.n, l.bytes }, store.quota);
	report(r, "caches.checkouts", "checkouts", repo_checkouts_sum(mirrors),
		c->cache_checkout_bytes);
	report(r, "caches.mirrors", "mirrors", repo_mirrors_sum(mirrors), c->cache_mirror_bytes);
	report(r, "caches.registries", "packages and indexes", packages(registries),
		c->cache_registry_bytes);
}
