/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper - the role that holds the secrets and gives out as little of them as it can.
 *
 * Webhook secrets, App keys and the signing key never leave it: others send what is to be checked
 * or signed. Tokens and model keys go to the one role that must use them. It has no network, and no
 * file but the marker's key once it has started.
 */
#include "bot/keeper_secrets.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "bot/roles.h"

#include <inttypes.h>

#define CLAIMS_BYTES_MAX  256
#define JWT_BYTES_MAX     4096
#define SIGNATURE_BYTES   8192
#define MARKER_HEX_DIGITS 8

/* How wrong our clock may be by what the courier says. A JWT of the past opens nothing, if the
 * clock is right after all; one of the future is a key for later, so little of it is given. */
#define SKEW_AHEAD_MS_MAX (10 * 60 * 1000)
#define SKEW_BACK_MS_MAX  (24 * 60 * 60 * 1000)

/* ---- answers ---- */

struct asker {
	struct role_ctx *r;
	enum role role;
	uint64_t id;
};

static void
reply(const struct asker *to, uint16_t type, int code, const struct buf *blob, const char *text)
{
	char *copy = mem_str(text);
	struct wire_verdict v = { .ok = code == 0, .code = code, .text = copy };
	struct msg_out out = { .type = type, .obj = &v };
	struct err e = { 0 };

	if (blob) {
		out.blob = blob->data;
		out.blob_len = blob->len;
	}
	if (msg_reply(role_link(to->r, to->role), to->id, &out, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "keeper.reply_lost", &e);
	free(copy);
}

static void
refuse(const struct asker *to, const struct err *e)
{
	log_err(LOG_LEVEL_WARN, NULL, "keeper.refused", e);
	reply(to, WIRE_SECRET, e->code, NULL, e->text);
}

/* Wipes what it sends. */
static void
give(const struct asker *to, struct buf *secret)
{
	reply(to, WIRE_SECRET, 0, secret, NULL);
	mem_wipe(secret->data, secret->len);
}

/* ---- webhook signatures ---- */

/* Both secrets are always tried in full, so that the time tells nothing about which one fits. The
 * better verdict counts: 0, too old, denied. */
static int
verdict(const struct keeper_forge *f, const struct forge_proof *p)
{
	int now = f->driver->verify(p, &f->webhook_secret);
	int old = f->driver->verify(p, &f->webhook_secret_old);

	if (now == 0 || old == 0)
		return 0;
	return now == ERR_DENIED ? old : now;
}

static int
verify(const struct keeper *k, const struct msg *m, const char **why)
{
	const struct wire_verify *v = m->obj;
	const struct keeper_forge *f = v->forge ? keeper_forge_find(k, v->forge) : NULL;
	const struct forge_proof p = { &v->proofs, m->blob, m->blob_len, clock_wall_ms() };
	int rc;

	*why = "no such forge, or it has no webhook secret";
	if (!f || f->webhook_secret.len == 0)
		return ERR_DENIED;
	*why = "wrong signature";
	rc = verdict(f, &p);
	if (rc == ERR_INVALID)
		*why = "signed at another time";
	return rc;
}

static void
on_verify(const struct asker *to, const struct msg *m)
{
	const char *why;
	int code = verify(to->r->own, m, &why);

	reply(to, WIRE_VERIFIED, code, NULL, code ? why : NULL);
}

/* ---- tokens and keys ---- */

static const char *
asked_name(const struct msg *m)
{
	const struct wire_name *n = m->obj;

	return n && n->name ? n->name : "";
}

static int
sign_jwt(const struct keeper *k, const struct wire_sign *w, struct buf *jwt, struct err *e)
{
	const char *name = w->forge ? w->forge : "";
	const struct keeper_forge *f = keeper_forge_find(k, name);
	auto_buf struct buf claims = BUF_INIT(CLAIMS_BYTES_MAX);
	int rc;

	if (!f || !f->app_key || !f->driver->app_claims)
		return err_set(e, ERR_MISSING, "forge \"%s\" has no App key", name);
	/* That says nothing about anybody's rights: it is over when the clock is right. */
	if (w->skew_ms > SKEW_AHEAD_MS_MAX || w->skew_ms < -SKEW_BACK_MS_MAX)
		return err_set(e, ERR_BUSY,
			"the clock of forge \"%s\" is %" PRId64
			" s ahead of ours: too much to sign for; set this machine's clock",
			name, w->skew_ms / 1000);
	rc = f->driver->app_claims(f->app_id, clock_wall_ms() + w->skew_ms, &claims);
	return rc < 0 ? rc : crypto_jwt(f->app_key, buf_str(&claims), jwt, e);
}

static void
on_sign_jwt(const struct asker *to, const struct msg *m)
{
	const struct wire_sign none = { 0 };
	auto_buf struct buf jwt = BUF_INIT(JWT_BYTES_MAX);
	struct err e = { 0 };

	if (sign_jwt(to->r->own, m->obj ? m->obj : &none, &jwt, &e) < 0)
		refuse(to, &e);
	else
		give(to, &jwt);
}

static void
on_token(const struct asker *to, const struct msg *m)
{
	const struct keeper_forge *f = keeper_forge_find(to->r->own, asked_name(m));
	struct err e = { 0 };

	if (!f || f->token.len == 0) {
		(void)err_set(&e, ERR_MISSING, "forge \"%s\" has no token", asked_name(m));
		refuse(to, &e);
		return;
	}
	reply(to, WIRE_SECRET, 0, &f->token, NULL);
}

static void
on_key(const struct asker *to, const struct msg *m)
{
	const struct keeper_model *model = keeper_model_find(to->r->own, asked_name(m));
	struct err e = { 0 };

	if (!model || model->key.len == 0) {
		(void)err_set(&e, ERR_MISSING, "model provider \"%s\" has no key", asked_name(m));
		refuse(to, &e);
		return;
	}
	reply(to, WIRE_SECRET, 0, &model->key, NULL);
}

static void
on_ssh_sign(const struct asker *to, const struct msg *m)
{
	const struct keeper *k = to->r->own;
	auto_buf struct buf signature = BUF_INIT(SIGNATURE_BYTES);
	struct err e = { 0 };

	if (!k->sign_key)
		(void)err_set(&e, ERR_MISSING, "no commit.sign_key_file");
	else
		(void)crypto_ssh_sign(k->sign_key, "git", m->blob, m->blob_len, &signature, &e);
	if (e.code)
		refuse(to, &e);
	else
		give(to, &signature);
}

/* Ties a comment's hidden marker to us: without the key nobody can forge the marker of a task. */
static void
on_marker(const struct asker *to, const struct msg *m)
{
	const struct keeper *k = to->r->own;
	const char *task = asked_name(m);
	auto_buf struct buf hex = BUF_INIT(MARKER_HEX_DIGITS);
	uint8_t mac[CRYPTO_SHA256_BYTES];

	crypto_hmac_sha256(k->marker_key, sizeof(k->marker_key), task, strlen(task), mac);
	(void)str_hex(&hex, mac, MARKER_HEX_DIGITS / 2);
	reply(to, WIRE_SECRET, 0, &hex, NULL);
}

/* What finds our secrets in a transcript, and tells none of them. */
static void
on_redactions(const struct asker *to, const struct msg *m)
{
	const struct keeper *k = to->r->own;

	(void)m;
	reply(to, WIRE_REDACTIONS, 0, &k->redactions_table, NULL);
}

/* ---- the role ---- */

static void
on_msg(struct role_ctx *r, enum role from, struct msg *m)
{
	static const struct {
		uint16_t type;
		void (*answer)(const struct asker *to, const struct msg *m);
	} rows[] = {
		{ WIRE_KEY, on_key },
		{ WIRE_MARKER, on_marker },
		{ WIRE_REDACT, on_redactions },
		{ WIRE_SIGN_JWT, on_sign_jwt },
		{ WIRE_SSH_SIGN, on_ssh_sign },
		{ WIRE_TOKEN, on_token },
		{ WIRE_VERIFY, on_verify },
	};

	const struct asker to = { r, from, m->id };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].type == m->type && m->id)
			rows[i].answer(&to, m);
	}
}

static int
prepare(struct role_ctx *r, struct err *e)
{
	struct keeper *k = mem_zero(sizeof(*k));

	r->own = k;
	return keeper_load(k, r->config, e);
}

static int
start(struct role_ctx *r, struct err *e)
{
	auto_free char *path = role_path(r->config, KEEPER_MARKER_FILE);
	struct keeper *k = r->own;

	return k->has_marker_key ? 0 : keeper_load_marker(k, path, e);
}

static void
stop(struct role_ctx *r)
{
	keeper_wipe(r->own);
	free(r->own);
	r->own = NULL;
	role_done(r);
}

static const char *const writes[] = { "keeper", NULL };

const struct role_spec ROLE_SPEC_KEEPER = {
	.role = ROLE_KEEPER,
	.net = CONFINE_NET_NONE,
	.writes = writes,
	.keeps_secret_env = true,
	.files_max = 64,
	.prepare = prepare,
	.start = start,
	.on_msg = on_msg,
	.stop = stop,
};
