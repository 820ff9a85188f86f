/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_hash - SHA-256 of what comes in pieces.
 */
#include "base/crypto.h"

#include "base/str.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct crypto_hash *
crypto_hash_create(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory */
	return (struct crypto_hash *)ctx;
}

void
crypto_hash_add(struct crypto_hash *h, const void *data, size_t len)
{
	if (EVP_DigestUpdate((EVP_MD_CTX *)h, data, len) != 1)
		abort();
}

void
crypto_hash_end(struct crypto_hash *take_h, uint8_t out[CRYPTO_SHA256_BYTES])
{
	if (out && EVP_DigestFinal_ex((EVP_MD_CTX *)take_h, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free((EVP_MD_CTX *)take_h);
}

void
crypto_hash_end_hex(struct crypto_hash *take_h, char out[2 * CRYPTO_SHA256_BYTES + 1])
{
	auto_buf struct buf hex = BUF_INIT(2 * CRYPTO_SHA256_BYTES);
	uint8_t digest[CRYPTO_SHA256_BYTES];

	crypto_hash_end(take_h, digest);
	(void)str_hex(&hex, digest, sizeof(digest)); /* fits by definition */
	memcpy(out, buf_str(&hex), 2 * CRYPTO_SHA256_BYTES + 1);
}
