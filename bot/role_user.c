/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role_user - which paths a role may touch, and whom it becomes.
 */
#include "bot/role_user.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/zone.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#define USER_DEFAULT "nightshift"

/* Looking up names and checking certificates; each of them may be absent. */
static const char *const RESOLVE_PATHS[] = {
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/resolv.conf",
	"/etc/ssl",
	"/etc/ca-certificates",
	"/run/systemd/resolve",
	"/usr/lib/ssl",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	NULL,
};

/* Starting a program: itself, its libraries, and the files that nearly every program reads. */
static const char *const EXEC_PATHS[] = {
	"/bin",
	"/dev/null",
	"/dev/urandom",
	"/etc/alternatives",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/etc/passwd",
	"/etc/group",
	"/lib",
	"/lib64",
	"/proc",
	"/usr",
	NULL,
};

char *
role_path(const struct config *c, const char *name)
{
	return mem_fmt("%s/%s", c->state_dir, name);
}

static void
add_all(struct strs *to, const char *const *paths)
{
	for (; *paths; paths++)
		strs_add(to, *paths);
}

static void
add_state(struct strs *to, const struct config *c, const char *const *names)
{
	for (; names && *names; names++)
		strs_addf(to, "%s/%s", c->state_dir, *names);
}

static void
terminate(struct strs *s)
{
	s->v = mem_grow(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n] = NULL;
}

void
role_paths_fill(struct role_paths *out, const struct role_spec *spec, const struct config *c,
	const char *exe)
{
	if (spec->resolves || (spec->has_store && config_store_is_remote(c)))
		add_all(&out->reads, RESOLVE_PATHS);
	if (spec->has_zones)
		strs_add(&out->reads, ZONE_DIR);
	if (spec->may_exec) {
		add_all(&out->reads, EXEC_PATHS);
		strs_add(&out->reads, exe);
		strs_add(&out->writes, "/dev/null");
	}
	add_state(&out->reads, c, spec->reads);
	add_state(&out->writes, c, spec->writes);
	terminate(&out->reads);
	terminate(&out->writes);
}

void
role_paths_finish(struct role_paths *p)
{
	strs_finish(&p->reads);
	strs_finish(&p->writes);
}

char *
role_exe(void)
{
	char path[LIMIT_PATH_BYTES];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	return n > 0 && (size_t)n < sizeof(path) ? mem_strn(path, (size_t)n)
						 : mem_str("/proc/self/exe");
}

static void
own_number(const struct role_spec *spec, struct role_user *out)
{
	out->uid = ROLE_UID_BASE + spec->role;
	out->gid = ROLE_UID_BASE + spec->role;
}

/* An account that the administrator named must exist. The default one need not: without it each
 * role has a number of its own, which separates them even better. */
int
role_user(
	const struct role_spec *spec, const struct config *c, struct role_user *out, struct err *e)
{
	const struct passwd *pw = NULL;

	*out = (struct role_user){ 0 };
	if (geteuid() != 0 || spec->may_mount)
		return 0;
	errno = 0;
	if (!str_is_empty(c->user))
		pw = getpwnam(c->user);
	if (!pw && errno && errno != ENOENT)
		return err_sys(e, "user %s", c->user);
	if (!pw && (str_is_empty(c->user) || str_eq(c->user, USER_DEFAULT))) {
		own_number(spec, out);
		return 0;
	}
	if (!pw)
		return err_set(
			e, ERR_MISSING, "user: there is no user \"%s\" on this machine", c->user);
	if (pw->pw_uid == 0)
		return err_set(e, ERR_INVALID, "user: \"%s\" is root", c->user);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return 0;
}
