/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof - the ways in which forges sign what they deliver.
 *
 * Each tells 0 or ERR_DENIED, and takes the same time for every wrong guess of the secret.
 */
#ifndef FORGE_PROOF_H
#define FORGE_PROOF_H

#include "forge/forge.h"

/* The one header is the hex HMAC-SHA256 of the body, with or without "sha256=" before it: GitHub
 * and Gitea since 1.17 write that, older Gitea and Forgejo do not. */
int proof_hmac(const struct forge_proof *p, const struct buf *secret);

/* given is the secret itself. */
int proof_token(const char *given, const struct buf *secret);

/* Of standardwebhooks.com: "v1,<base64>" in a list, over "id.time.body", by the key that
 * "whsec_<base64>" holds. ERR_INVALID: signed, but minutes away from now. */
struct proof_signed {
	const char *id;
	const char *time; /* Unix seconds */
	const char *signatures;
};
bool proof_is_signing_secret(const struct buf *secret);
int proof_standard(
	const struct proof_signed *s, const struct forge_proof *p, const struct buf *secret);

#endif
