/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_secrets - the secrets in memory: read once, wiped at the end.
 */
#include "bot/keeper_secrets.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECRET_BYTES_MAX KIB(64)
#define MARKER_TEXT_MIN  16

_Static_assert(REDACT_SECRET_MIN <= CONFIG_SECRET_BYTES_MIN, "what is read can be sought");

/* ---- reading ---- */

/* A secret's place in the configuration, and where it is kept. */
struct source {
	const char *where;
	const char *what;
	const char *file;
	const char *env;
};

/* Neither file nor variable: the secret stays empty. */
static int
read_secret(struct keeper *k, const struct source *s, struct buf *out, struct err *e)
{
	int rc = 0;

	buf_init(out, SECRET_BYTES_MAX);
	if (s->file || s->env)
		rc = config_secret_read(s->file, s->env, out, e);
	if (rc < 0)
		return err_wrap(e, rc, "%s.%s", s->where, s->what);
	redact_maker_add(k->redactions, buf_str(out), out->len);
	return 0;
}

static void
wipe_buf(struct buf *b)
{
	if (b->data)
		mem_wipe(b->data, b->cap);
	buf_finish(b);
}

static int
read_key(struct keeper *k, const struct source *s, struct crypto_key **out, struct err *e)
{
	struct buf pem;
	int rc = read_secret(k, s, &pem, e);

	if (rc == 0 && pem.len > 0) {
		rc = crypto_key_read(pem.data, pem.len, out, e);
		if (rc < 0)
			(void)err_wrap(e, rc, "%s.%s", s->where, s->what);
	}
	wipe_buf(&pem);
	return rc;
}

static int
load_forge(struct keeper *k, const struct config_forge *c, struct err *e)
{
	struct keeper_forge *f = &k->forges[k->n_forges++];
	auto_free char *where = mem_fmt("forges.%s", c->name);
	const struct source app_key = { where, "app_key", c->app_key_file, c->app_key_env };
	const struct source token = { where, "token", c->token_file, c->token_env };
	const struct source hook = { where, "webhook_secret", c->webhook_secret_file,
		c->webhook_secret_env };
	const struct source old_hook = { where, "webhook_secret_old", c->webhook_secret_old_file,
		c->webhook_secret_old_env };
	int kind = forge_kind_parse(c->kind);

	if (kind < 0)
		return err_set(e, ERR_INVALID, "%s.kind: %s has no driver", where, c->kind);
	f->name = mem_str(c->name);
	f->driver = forge_driver_get((enum forge_kind)kind);
	f->app_id = c->app_id;
	int rc = read_key(k, &app_key, &f->app_key, e);
	if (rc == 0)
		rc = read_secret(k, &token, &f->token, e);
	if (rc == 0)
		rc = read_secret(k, &hook, &f->webhook_secret, e);
	if (rc == 0)
		rc = read_secret(k, &old_hook, &f->webhook_secret_old, e);
	return rc;
}

static int
load_model(struct keeper *k, const struct config_model *c, struct err *e)
{
	struct keeper_model *m = &k->models[k->n_models++];
	auto_free char *where = mem_fmt("models.%s", c->name);

	m->name = mem_str(c->name);
	return read_secret(
		k, &(struct source){ where, "key", c->key_file, c->key_env }, &m->key, e);
}

/* Variables are visible in /proc/PID/environ as they were at the start, so the bytes themselves go.
 */
static void
empty_environment(void)
{
	for (char **v = environ; v && *v; v++)
		mem_wipe(*v, strlen(*v));
	(void)clearenv();
}

/* Any text that nobody can guess. */
static int
load_shared_marker(struct keeper *k, const struct config *c, struct err *e)
{
	struct buf text = BUF_INIT(0);
	char hex[65];
	int rc = read_secret(
		k, &(struct source){ "config", "marker_key", c->marker_key_file, NULL }, &text, e);

	if (rc == 0 && c->marker_key_file && text.len < MARKER_TEXT_MIN)
		rc = err_set(e, ERR_INVALID, "%s: fewer than %d characters", c->marker_key_file,
			MARKER_TEXT_MIN);
	if (rc == 0 && c->marker_key_file) {
		crypto_sha256_hex(text.data, text.len, hex);
		rc = str_unhex(hex, k->marker_key, sizeof(k->marker_key), e);
		k->has_marker_key = true;
		mem_wipe(hex, sizeof(hex));
	}
	wipe_buf(&text);
	return rc;
}

static int
load_all(struct keeper *k, const struct config *c, struct err *e)
{
	const struct config_forge *forges = c->forges.v;
	const struct config_model *models = c->models.v;
	int rc = 0;

	if (c->forges.n > CONFIG_FORGES_MAX || c->models.n > CONFIG_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "too many forges or models");
	for (size_t i = 0; rc == 0 && i < c->forges.n; i++)
		rc = load_forge(k, &forges[i], e);
	for (size_t i = 0; rc == 0 && i < c->models.n; i++)
		rc = load_model(k, &models[i], e);
	if (rc == 0)
		rc = read_key(k,
			&(struct source){ "commit", "sign_key", c->commit_sign_key_file,
				c->commit_sign_key_env },
			&k->sign_key, e);
	if (rc == 0)
		rc = load_shared_marker(k, c, e);
	if (rc == 0)
		rc = redact_maker_end(k->redactions, &k->redactions_table, e);
	return rc;
}

int
keeper_load(struct keeper *k, const struct config *c, struct err *e)
{
	int rc;

	k->redactions = redact_maker_create();
	buf_init(&k->redactions_table, REDACT_TABLE_BYTES);
	rc = load_all(k, c, e);
	redact_maker_destroy(k->redactions);
	k->redactions = NULL;
	empty_environment();
	/* On fault: the code of thirty libraries that nobody runs here need not be in memory. */
	if (rc == 0 && mlockall(MCL_CURRENT | MCL_ONFAULT) < 0)
		log_info(NULL, "keeper.not_locked",
			"hint=\"secrets may reach the swap: raise LimitMEMLOCK\" errno=%d", errno);
	return rc;
}

static int
make_marker(struct keeper *k, const char *path, struct err *e)
{
	struct buf hex = BUF_INIT(2 * sizeof(k->marker_key) + 1);

	crypto_random(k->marker_key, sizeof(k->marker_key));
	(void)str_hex(&hex, k->marker_key, sizeof(k->marker_key));
	(void)buf_addc(&hex, '\n');
	int rc = fs_write_atomic(path, hex.data, hex.len, 0600, e);
	wipe_buf(&hex);
	return rc;
}

int
keeper_load_marker(struct keeper *k, const char *path, struct err *e)
{
	struct buf hex = BUF_INIT(2 * sizeof(k->marker_key) + 2);
	int rc = fs_read_secret(path, &hex, e);

	if (rc == ERR_MISSING) {
		rc = make_marker(k, path, e);
	} else if (rc == 0) {
		rc = str_unhex(buf_str(&hex), k->marker_key, sizeof(k->marker_key), e);
		if (rc < 0)
			(void)err_wrap(e, rc, "%s", path);
	}
	wipe_buf(&hex);
	return rc;
}

/* ---- the end ---- */

void
keeper_wipe(struct keeper *k)
{
	for (size_t i = 0; i < k->n_forges; i++) {
		struct keeper_forge *f = &k->forges[i];

		free(f->name);
		crypto_key_destroy(f->app_key);
		wipe_buf(&f->token);
		wipe_buf(&f->webhook_secret);
		wipe_buf(&f->webhook_secret_old);
	}
	for (size_t i = 0; i < k->n_models; i++) {
		free(k->models[i].name);
		wipe_buf(&k->models[i].key);
	}
	crypto_key_destroy(k->sign_key);
	buf_finish(&k->redactions_table);
	mem_wipe(k, sizeof(*k));
}

/* ---- finding ---- */

const struct keeper_forge *
keeper_forge_find(const struct keeper *k, const char *name)
{
	for (size_t i = 0; i < k->n_forges; i++) {
		if (str_eq(k->forges[i].name, name))
			return &k->forges[i];
	}
	return NULL;
}

const struct keeper_model *
keeper_model_find(const struct keeper *k, const char *name)
{
	for (size_t i = 0; i < k->n_models; i++) {
		if (str_eq(k->models[i].name, name))
			return &k->models[i];
	}
	return NULL;
}
