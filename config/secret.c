/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - values that the configuration only names.
 */
#include "config/config.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static int
read_env(const char *env, struct buf *out, struct err *e)
{
	const char *value = getenv(env);

	if (!value)
		return err_set(e, ERR_MISSING, "environment variable %s is not set", env);
	if (buf_adds(out, value) < 0)
		return err_set(e, ERR_LIMIT, "environment variable %s: more than %zu bytes", env,
			out->limit);
	return 0;
}

int
config_secret_read(const char *file, const char *env, struct buf *out, struct err *e)
{
	size_t start = out->len;
	int rc;

	if (!file && !env)
		return err_set(
			e, ERR_MISSING, "neither a file nor an environment variable is named");
	rc = file ? fs_read_secret(file, out, e) : read_env(env, out, e);
	if (rc < 0)
		return rc;
	if (out->len - start >= CONFIG_SECRET_BYTES_MIN)
		return 0;
	mem_wipe(out->data + start, out->len - start);
	buf_cut(out, start);
	return err_set(e, ERR_INVALID,
		"%s: a secret of less than %d bytes can be guessed; make a longer one, for "
		"instance with openssl rand -hex 32",
		file ? file : env, CONFIG_SECRET_BYTES_MIN);
}

struct visit {
	int (*fn)(void *arg, const struct config_secret *secret);
	void *arg;
	int rc;
};

/* Calls fn for the secret group.name.key, if it is named at all and nothing went wrong before. */
static void
visit_one(struct visit *v, const char *place, const char *key, const char *file, const char *env)
{
	auto_free char *what = mem_fmt("%s.%s", place, key);
	const struct config_secret secret = { what, file, env };

	if (v->rc == 0 && (file || env))
		v->rc = v->fn(v->arg, &secret);
}

/* One that is in no group. */
static void
visit_file(struct visit *v, const char *name, const char *file)
{
	const struct config_secret secret = { name, file, NULL };

	if (file && v->rc == 0)
		v->rc = v->fn(v->arg, &secret);
}

int
config_secrets_each(
	const struct config *c, int (*fn)(void *arg, const struct config_secret *secret), void *arg)
{
	const struct config_forge *f = c->forges.v;
	const struct config_model *m = c->models.v;
	struct visit v = { fn, arg, 0 };

	for (size_t i = 0; i < c->forges.n; i++) {
		auto_free char *place = mem_fmt("forges.%s", f[i].name);

		visit_one(&v, place, "app_key", f[i].app_key_file, f[i].app_key_env);
		visit_one(&v, place, "token", f[i].token_file, f[i].token_env);
		visit_one(&v, place, "webhook_secret", f[i].webhook_secret_file,
			f[i].webhook_secret_env);
		visit_one(&v, place, "webhook_secret_old", f[i].webhook_secret_old_file,
			f[i].webhook_secret_old_env);
	}
	for (size_t i = 0; i < c->models.n; i++) {
		auto_free char *place = mem_fmt("models.%s", m[i].name);

		visit_one(&v, place, "key", m[i].key_file, m[i].key_env);
	}
	visit_file(&v, "store_password", c->store_password_file);
	visit_file(&v, "marker_key", c->marker_key_file);
	visit_one(&v, "commit", "sign_key", c->commit_sign_key_file, c->commit_sign_key_env);
	return v.rc;
}
