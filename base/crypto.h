/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto - the one door to OpenSSL.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SHA256_BYTES 32

void crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_BYTES]);
void crypto_sha256_hex(const void *data, size_t len, char out[2 * CRYPTO_SHA256_BYTES + 1]);
/* Of what comes in pieces. end frees; out NULL: nobody wants to know. */
struct crypto_hash;
struct crypto_hash *crypto_hash_create(void);
void crypto_hash_add(struct crypto_hash *h, const void *data, size_t len);
void crypto_hash_end(struct crypto_hash *take_h, uint8_t out[CRYPTO_SHA256_BYTES]);
void crypto_hash_end_hex(struct crypto_hash *take_h, char out[2 * CRYPTO_SHA256_BYTES + 1]);

void crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
	uint8_t out[CRYPTO_SHA256_BYTES]);

/* Constant time in len. */
bool crypto_equal(const void *a, const void *b, size_t len);

/* Kernel random bytes; aborts if there are none. */
void crypto_random(void *out, size_t len);

/* A private key: RSA or Ed25519 in PEM (PKCS#1, PKCS#8) or the unencrypted openssh-key-v1 form. */
struct crypto_key;
int crypto_key_read(const char *pem, size_t len, struct crypto_key **out, struct err *e);
void crypto_key_destroy(struct crypto_key *k);

/* RFC 7515 compact JWT with alg RS256 over the given claims (a JSON object). */
int crypto_jwt(const struct crypto_key *k, const char *claims, struct buf *out, struct err *e);

/* An armoured "SSH SIGNATURE" over data in the namespace ("git"), as git's gpg.format=ssh writes it
 * (OpenSSH PROTOCOL.sshsig). Ed25519 keys (ssh-ed25519) and RSA (rsa-sha2-512). */
int crypto_ssh_sign(const struct crypto_key *k, const char *ns, const void *data, size_t len,
	struct buf *out, struct err *e);

#endif
