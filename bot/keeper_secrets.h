/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_secrets - the secrets in memory: read once, wiped at the end. Used by keeper.c only.
 */
#ifndef BOT_KEEPER_SECRETS_H
#define BOT_KEEPER_SECRETS_H

#include "base/crypto.h"
#include "config/config.h"
#include "sandbox/redact.h"
#include "forge/forge.h"

#define KEEPER_MARKER_FILE "keeper/marker.key"

struct keeper_forge {
	char *name;
	const struct forge_driver *driver;
	int64_t app_id;
	struct crypto_key *app_key; /* NULL: none */
	struct buf token;
	struct buf webhook_secret;
	struct buf webhook_secret_old;
};

struct keeper_model {
	char *name;
	struct buf key;
};

struct keeper {
	struct keeper_forge forges[CONFIG_FORGES_MAX];
	size_t n_forges;
	struct keeper_model models[CONFIG_NAMES_MAX];
	size_t n_models;
	struct crypto_key *sign_key; /* NULL: commits are not signed */
	uint8_t marker_key[32];
	bool has_marker_key;             /* from the configuration */
	struct redact_maker *redactions; /* while the secrets are read */
	struct buf redactions_table;     /* of them all, for who records beside hostile code */
};

/* Reads every secret that the configuration names, keeps the memory out of swap if the system lets
 * us, and empties the environment. The error names the place in the configuration. */
int keeper_load(struct keeper *k, const struct config *c, struct err *e);

/* Reads the key of the comment markers, made with mode 0600 at the first start. */
int keeper_load_marker(struct keeper *k, const char *path, struct err *e);

void keeper_wipe(struct keeper *k);

const struct keeper_forge *keeper_forge_find(const struct keeper *k, const char *name);
const struct keeper_model *keeper_model_find(const struct keeper *k, const char *name);

#endif
