/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto - see crypto.h.
 */
#include "base/crypto_key.h"

#include "base/mem.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/random.h>

#define RSA_BITS_MIN 2048

/* A signature with RSA of 16384 bits. */
#define SIGNATURE_BYTES_MAX 2048

struct crypto_key {
	EVP_PKEY *pkey;
};

static void
clean_md_ctx(EVP_MD_CTX **p)
{
	EVP_MD_CTX_free(*p);
}

static void
clean_pkey_ctx(EVP_PKEY_CTX **p)
{
	EVP_PKEY_CTX_free(*p);
}

static void
clean_bn(BIGNUM **p)
{
	BN_clear_free(*p);
}

static void
clean_bld(OSSL_PARAM_BLD **p)
{
	OSSL_PARAM_BLD_free(*p);
}

static void
clean_params(OSSL_PARAM **p)
{
	OSSL_PARAM_free(*p); /* secret numbers lie in secure memory or are cleansed by it */
}

#define auto_md_ctx   auto_cleanup(clean_md_ctx)
#define auto_pkey_ctx auto_cleanup(clean_pkey_ctx)
#define auto_bn       auto_cleanup(clean_bn)
#define auto_bld      auto_cleanup(clean_bld)
#define auto_params   auto_cleanup(clean_params)

/* The oldest entry of OpenSSL's queue is the cause; its reasons hold no data. */
static int
fail(struct err *e, int code, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	ERR_clear_error();
	return err_set(e, code, "%s: %s", what, reason ? reason : "refused by OpenSSL");
}

void
crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_BYTES])
{
	/* Fails only without memory or without SHA-256 in the library: neither is a state to go on
	 * in. */
	if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1)
		assert(!"SHA-256");
}

void
crypto_sha512(const void *data, size_t len, uint8_t out[CRYPTO_SHA512_BYTES])
{
	if (EVP_Digest(data, len, out, NULL, EVP_sha512(), NULL) != 1)
		assert(!"SHA-512");
}

void
crypto_sha256_hex(const void *data, size_t len, char out[2 * CRYPTO_SHA256_BYTES + 1])
{
	auto_buf struct buf hex = BUF_INIT(2 * CRYPTO_SHA256_BYTES);
	uint8_t digest[CRYPTO_SHA256_BYTES];

	crypto_sha256(data, len, digest);
	(void)str_hex(&hex, digest, sizeof(digest)); /* fits by definition */
	memcpy(out, buf_str(&hex), 2 * CRYPTO_SHA256_BYTES + 1);
}

void
crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
	uint8_t out[CRYPTO_SHA256_BYTES])
{
	unsigned n = CRYPTO_SHA256_BYTES;

	assert(key_len <= INT32_MAX);
	if (!HMAC(EVP_sha256(), key ? key : "", (int)key_len, data, len, out, &n))
		assert(!"HMAC");
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
crypto_random(void *out, size_t len)
{
	uint8_t *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		assert(n > 0);
		p += n;
		len -= (size_t)n;
	}
}

static struct crypto_key *
wrap_key(EVP_PKEY *take_pkey)
{
	struct crypto_key *k = mem_zero(sizeof(*k));

	k->pkey = take_pkey;
	return k;
}

/* Without it OpenSSL would ask the terminal for a pass phrase. */
static int
no_passphrase(char *text, int size, int is_write, void *arg)
{
	(void)text;
	(void)size;
	(void)is_write;
	*(bool *)arg = true;
	return -1;
}

int
crypto_key_read(const char *pem, size_t len, struct crypto_key **out, struct err *e)
{
	bool is_encrypted = false;
	EVP_PKEY *pkey;
	BIO *bio;

	if (memmem(pem, len, CRYPTO_SSH_KEY_BEGIN, strlen(CRYPTO_SSH_KEY_BEGIN)))
		return crypto_ssh_key_read(pem, len, out, e);
	if (len > INT32_MAX)
		return err_set(e, ERR_LIMIT, "private key: %zu bytes", len);
	bio = BIO_new_mem_buf(pem, (int)len);
	pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &is_encrypted) : NULL;
	BIO_free(bio);
	if (!pkey && is_encrypted) {
		ERR_clear_error();
		return err_set(
			e, ERR_INVALID, "private key is encrypted: store it without a pass phrase");
	}
	if (!pkey)
		return fail(e, ERR_INVALID, "private key");
	if (!EVP_PKEY_is_a(pkey, "RSA") && !EVP_PKEY_is_a(pkey, "ED25519")) {
		EVP_PKEY_free(pkey);
		return err_set(e, ERR_INVALID, "private key is neither RSA nor Ed25519");
	}
	if (EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN) {
		EVP_PKEY_free(pkey);
		return err_set(e, ERR_INVALID, "RSA key of less than %d bits", RSA_BITS_MIN);
	}
	*out = wrap_key(pkey);
	return 0;
}

void
crypto_key_destroy(struct crypto_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

bool
crypto_key_is_ed25519(const struct crypto_key *k)
{
	return EVP_PKEY_is_a(k->pkey, "ED25519");
}

int
crypto_key_from_ed25519(
	const uint8_t seed[CRYPTO_ED25519_BYTES], struct crypto_key **out, struct err *e)
{
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, CRYPTO_ED25519_BYTES);

	if (!pkey)
		return fail(e, ERR_INVALID, "Ed25519 key");
	*out = wrap_key(pkey);
	return 0;
}

/* The numbers of an RSA key in the order of RSA_NAMES; the two exponents are not in OpenSSH's file
 * and are computed. */
enum { N, E, D, P, Q, DP, DQ, IQMP, NUMBERS };

static const char *const RSA_NAMES[NUMBERS] = {
	OSSL_PKEY_PARAM_RSA_N,
	OSSL_PKEY_PARAM_RSA_E,
	OSSL_PKEY_PARAM_RSA_D,
	OSSL_PKEY_PARAM_RSA_FACTOR1,
	OSSL_PKEY_PARAM_RSA_FACTOR2,
	OSSL_PKEY_PARAM_RSA_EXPONENT1,
	OSSL_PKEY_PARAM_RSA_EXPONENT2,
	OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

struct numbers {
	BIGNUM *v[NUMBERS];
};

static void
clean_numbers(struct numbers *n)
{
	for (size_t i = 0; i < NUMBERS; i++)
		BN_clear_free(n->v[i]);
}

static bool
set_number(BIGNUM **out, const struct crypto_number *from)
{
	*out = from->len > INT32_MAX ? NULL : BN_bin2bn(from->p, (int)from->len, NULL);
	return *out != NULL;
}

/* d mod (prime - 1). OpenSSL 3.0 uses the primes only if both exponents come with them, and leaks
 * them otherwise. */
static bool
set_exponent(BIGNUM **out, const BIGNUM *d, const BIGNUM *prime, BN_CTX *ctx)
{
	auto_bn BIGNUM *less = BN_dup(prime);

	*out = BN_new();
	return *out && less && BN_sub_word(less, 1) == 1 && BN_mod(*out, d, less, ctx) == 1;
}

static bool
set_numbers(struct numbers *n, const struct crypto_rsa *rsa)
{
	BN_CTX *ctx = BN_CTX_new();
	bool ok;

	ok = ctx && set_number(&n->v[N], &rsa->n) && set_number(&n->v[E], &rsa->e) &&
	     set_number(&n->v[D], &rsa->d) && set_number(&n->v[P], &rsa->p) &&
	     set_number(&n->v[Q], &rsa->q) && set_number(&n->v[IQMP], &rsa->iqmp);
	ok = ok && set_exponent(&n->v[DP], n->v[D], n->v[P], ctx) &&
	     set_exponent(&n->v[DQ], n->v[D], n->v[Q], ctx);
	BN_CTX_free(ctx);
	return ok;
}

int
crypto_key_from_rsa(const struct crypto_rsa *rsa, struct crypto_key **out, struct err *e)
{
	auto_pkey_ctx EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	auto_bld OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	auto_params OSSL_PARAM *params = NULL;
	auto_cleanup(clean_numbers) struct numbers numbers = { 0 }; /* borrowed by bld */
	EVP_PKEY *pkey = NULL;
	bool ok;

	ok = ctx && bld && set_numbers(&numbers, rsa);
	for (size_t i = 0; i < NUMBERS && ok; i++)
		ok = OSSL_PARAM_BLD_push_BN(bld, RSA_NAMES[i], numbers.v[i]) == 1;
	params = ok ? OSSL_PARAM_BLD_to_param(bld) : NULL;
	if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
		return fail(e, ERR_INVALID, "RSA key");
	if (EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN) {
		EVP_PKEY_free(pkey);
		return err_set(e, ERR_INVALID, "RSA key of less than %d bits", RSA_BITS_MIN);
	}
	*out = wrap_key(pkey);
	return 0;
}

static int
add_number(const struct crypto_key *k, const char *name, struct buf *out, struct err *e)
{
	auto_bn BIGNUM *bn = NULL;
	uint8_t bytes[SIGNATURE_BYTES_MAX];
	int n;

	if (EVP_PKEY_get_bn_param(k->pkey, name, &bn) != 1 || BN_num_bytes(bn) > (int)sizeof(bytes))
		return fail(e, ERR_INVALID, "public key");
	n = BN_bn2bin(bn, bytes);
	return buf_add(out, bytes, (size_t)n);
}

int
crypto_key_public(const struct crypto_key *k, struct buf *first, struct buf *n, struct err *e)
{
	uint8_t raw[CRYPTO_ED25519_BYTES];
	size_t len = sizeof(raw);
	int rc;

	if (crypto_key_is_ed25519(k)) {
		if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &len) != 1)
			return fail(e, ERR_SYSTEM, "public key");
		return buf_add(first, raw, len);
	}
	rc = add_number(k, OSSL_PKEY_PARAM_RSA_E, first, e);
	return rc < 0 ? rc : add_number(k, OSSL_PKEY_PARAM_RSA_N, n, e);
}

/* md is NULL for Ed25519, which hashes by itself. */
static int
sign(const struct crypto_key *k, const EVP_MD *md, const void *data, size_t len, struct buf *out,
	struct err *e)
{
	auto_md_ctx EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[SIGNATURE_BYTES_MAX];
	size_t n = sizeof(signature);

	if (!ctx || EVP_DigestSignInit(ctx, NULL, md, NULL, k->pkey) != 1 ||
		EVP_DigestSign(ctx, signature, &n, data, len) != 1)
		return fail(e, ERR_SYSTEM, "sign");
	return buf_add(out, signature, n);
}

int
crypto_key_sign(
	const struct crypto_key *k, const void *data, size_t len, struct buf *out, struct err *e)
{
	return sign(k, crypto_key_is_ed25519(k) ? NULL : EVP_sha512(), data, len, out, e);
}

int
crypto_jwt(const struct crypto_key *k, const char *claims, struct buf *out, struct err *e)
{
	static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
	auto_buf struct buf signature = BUF_INIT(SIGNATURE_BYTES_MAX);
	size_t start = out->len;
	int rc;

	if (crypto_key_is_ed25519(k))
		return err_set(
			e, ERR_INVALID, "a JWT with RS256 needs an RSA key, this one is Ed25519");
	(void)str_base64url(out, header, strlen(header));
	(void)buf_addc(out, '.');
	(void)str_base64url(out, claims, strlen(claims));
	rc = out->is_full
		     ? 0
		     : sign(k, EVP_sha256(), out->data + start, out->len - start, &signature, e);
	(void)buf_addc(out, '.');
	(void)str_base64url(out, signature.data, signature.len);
	if (rc == 0 && out->is_full)
		rc = err_set(e, ERR_LIMIT, "JWT of more than %zu bytes", out->limit);
	if (rc < 0)
		buf_cut(out, start);
	return rc;
}
