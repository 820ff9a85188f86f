/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_machine - what the machine must have: room, an address, a kernel with boxes. git is in
 * check_git.c, the agents' programs are in check_agent.c.
 */
#include "bot/check.h"

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* ---- Room ---- */

static void
check_state_dir(struct check_report *r, const struct config *c)
{
	auto_free char *parent = mem_str(c->state_dir);
	char *slash = strrchr(parent, '/');
	struct stat st;

	if (stat(c->state_dir, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			check_fail(r, "state_dir", EX_CONFIG, NULL, "%s is no directory",
				c->state_dir);
		else if (access(c->state_dir, W_OK | X_OK) < 0)
			check_fail(r, "state_dir", EX_NOPERM,
				"give it to the user who starts nightshift, or start it as root",
				"%s: not writable", c->state_dir);
		else
			check_ok(r, "state_dir", "%s", c->state_dir);
		return;
	}
	if (slash && slash != parent)
		*slash = '\0';
	if (access(parent, W_OK | X_OK) < 0)
		check_fail(r, "state_dir", EX_CANTCREAT,
			"create it, and give it to the user who starts nightshift",
			"%s does not exist and cannot be made", c->state_dir);
	else
		check_ok(r, "state_dir", "%s, made at the first start", c->state_dir);
}

/* ---- The address ---- */

/* What stops us from listening there: an errno, or 0. */
static int
try_bind(const struct config_listen *l)
{
	auto_fd int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return errno;
	return bind(fd, (const struct sockaddr *)&l->addr, l->addr_len) < 0 ? errno : 0;
}

static void
check_listen(struct check_report *r, const struct config *c)
{
	struct config_listen l;
	int why;

	if (config_listen_parse(c->listen, &l, NULL) < 0 || l.kind != CONFIG_LISTEN_TCP) {
		check_ok(r, "listen", "%s", c->listen);
		return;
	}
	why = try_bind(&l);
	if (why == 0)
		check_ok(r, "listen", "%s is free", c->listen);
	else if (why == EADDRINUSE)
		check_warn(r, "listen", NULL, "%s is in use: all right if that is nightshift",
			c->listen);
	else
		check_fail(r, "listen", EX_CONFIG,
			"listen at an address of this machine, with a port over 1023", "%s: %s",
			c->listen, strerror(why));
}

/* ---- Boxes ---- */

/* What a person does who wants a tier that this machine has not. */
static const char *
tier_mend(int has, int wanted)
{
	if (wanted == TIER_VM)
		return "no version builds a box with a kernel of its own yet: set sandbox.tier_min "
		       "to slots or userns";
	if (has < TIER_LEAST)
		return "mend what the lines sandbox.* above say; nothing runs without a box";
	return "start nightshift as root, which gives each box a host uid, or set "
	       "sandbox.tier_min to userns";
}

static void
check_sandbox(struct check_report *r, const struct config *c)
{
	auto_buf struct buf tiers = BUF_INIT(512);
	auto_buf struct buf tier = BUF_INIT(512);
	struct sandbox_probe p;
	int wanted = sandbox_tier_parse(c->sandbox_tier_min);
	bool has_dir = access(c->state_dir, W_OK | X_OK) == 0;

	sandbox_probe(has_dir ? c->state_dir : NULL, c->sandbox_rootfs, c->sandbox_runtime, &p);
	for (size_t i = 0; i < p.n; i++) {
		const struct sandbox_feature *f = &p.v[i];
		auto_free char *name = mem_fmt("sandbox.%s", f->name);

		if (f->ok)
			check_ok(r, name, "%s", f->text);
		else if (f->is_needed)
			check_fail(r, name, EX_UNAVAILABLE, f->mend, "%s", f->text);
		else
			check_warn(r, name, f->mend, "%s", f->text);
	}
	sandbox_tiers(&p, &tiers);
	check_ok(r, "sandbox.tiers", "%s", buf_str(&tiers));
	sandbox_describe(&p, &tier);
	if ((int)p.tier < wanted)
		check_fail(r, "sandbox.tier_min", EX_UNAVAILABLE, tier_mend((int)p.tier, wanted),
			"%s is wanted; this machine has %s", c->sandbox_tier_min, buf_str(&tier));
	else
		check_ok(r, "sandbox.tier_min", "%s", buf_str(&tier));
	sandbox_probe_finish(&p);
}

void
check_machine(struct check_report *r, const struct config *c)
{
	check_state_dir(r, c);
	check_listen(r, c);
	check_git(r);
	check_sandbox(r, c);
	check_rootfs(r, c);
	check_caches(r, c);
	check_agents(r, c);
}
