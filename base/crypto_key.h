/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_key - the seam between OpenSSL (crypto.c) and OpenSSH's formats (crypto_ssh.c).
 *
 * Only these two files include it. Numbers are unsigned, big endian.
 */
#ifndef BASE_CRYPTO_KEY_H
#define BASE_CRYPTO_KEY_H

#include "base/crypto.h"

#define CRYPTO_SHA512_BYTES  64
#define CRYPTO_ED25519_BYTES 32

struct crypto_number {
	const uint8_t *p;
	size_t len;
};

struct crypto_rsa {
	struct crypto_number n, e, d, p, q, iqmp;
};

int crypto_key_from_ed25519(
	const uint8_t seed[CRYPTO_ED25519_BYTES], struct crypto_key **out, struct err *e);
int crypto_key_from_rsa(const struct crypto_rsa *rsa, struct crypto_key **out, struct err *e);

/* The openssh-key-v1 text (OpenSSH PROTOCOL.key). */
#define CRYPTO_SSH_KEY_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
int crypto_ssh_key_read(const char *pem, size_t len, struct crypto_key **out, struct err *e);

bool crypto_key_is_ed25519(const struct crypto_key *k);

/* Ed25519: the 32 bytes of the public key, 0 bytes for n. RSA: e and n. Appended to the buffers. */
int crypto_key_public(const struct crypto_key *k, struct buf *first, struct buf *n, struct err *e);

/* Ed25519 (PureEdDSA), or RSA PKCS#1 v1.5 over SHA-512. */
int crypto_key_sign(
	const struct crypto_key *k, const void *data, size_t len, struct buf *out, struct err *e);

void crypto_sha512(const void *data, size_t len, uint8_t out[CRYPTO_SHA512_BYTES]);

#endif
