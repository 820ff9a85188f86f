/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof - see proof.h.
 */
#include "forge/proof.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define HMAC_PREFIX    "sha256="
#define SECRET_PREFIX  "whsec_"
#define V1_PREFIX      "v1,"
#define APART_S_MAX    300 /* as the libraries of Standard Webhooks have it */
#define KEY_BYTES_MAX  KIB(1)
#define HEAD_BYTES_MAX KIB(1)

int
proof_hmac(const struct forge_proof *p, const struct buf *secret)
{
	const char *hex = p->values->n ? p->values->v[0] : "";
	uint8_t given[CRYPTO_SHA256_BYTES], right[CRYPTO_SHA256_BYTES];
	bool fits;

	if (str_starts(hex, HMAC_PREFIX))
		hex += strlen(HMAC_PREFIX);
	if (secret->len == 0 || str_unhex(hex, given, sizeof(given), NULL) < 0)
		return ERR_DENIED;
	crypto_hmac_sha256(secret->data, secret->len, p->body, p->len, right);
	fits = crypto_equal(right, given, sizeof(right));
	mem_wipe(right, sizeof(right));
	return fits ? 0 : ERR_DENIED;
}

/* Of the hashes, so that not even the length shows. */
int
proof_token(const char *given, const struct buf *secret)
{
	uint8_t a[CRYPTO_SHA256_BYTES], b[CRYPTO_SHA256_BYTES];
	bool fits;

	if (secret->len == 0 || str_is_empty(given))
		return ERR_DENIED;
	crypto_sha256(given, strlen(given), a);
	crypto_sha256(secret->data, secret->len, b);
	fits = crypto_equal(a, b, sizeof(a));
	mem_wipe(b, sizeof(b));
	return fits ? 0 : ERR_DENIED;
}

bool
proof_is_signing_secret(const struct buf *secret)
{
	size_t n = strlen(SECRET_PREFIX);

	return secret->len > n && memcmp(secret->data, SECRET_PREFIX, n) == 0;
}

/* Any of the list will do: while a key is changed there is one by each. */
static bool
has_signature(const char *list, const uint8_t *right)
{
	bool fits = false;

	for (const char *p = list; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		auto_buf struct buf given = BUF_INIT(HEAD_BYTES_MAX);

		if (n > strlen(V1_PREFIX) && str_starts(p, V1_PREFIX) &&
			str_unbase64(&given, p + strlen(V1_PREFIX), n - strlen(V1_PREFIX), NULL) ==
				0 &&
			given.len == CRYPTO_SHA256_BYTES)
			fits |= crypto_equal(right, given.data, CRYPTO_SHA256_BYTES);
		p += n;
	}
	return fits;
}

static int
sign(const struct proof_signed *s, const struct forge_proof *p, const struct buf *secret,
	uint8_t out[CRYPTO_SHA256_BYTES])
{
	size_t n = strlen(SECRET_PREFIX);
	auto_buf struct buf key = BUF_INIT(KEY_BYTES_MAX);
	auto_buf struct buf text = BUF_INIT(p->len + HEAD_BYTES_MAX);
	int rc = str_unbase64(&key, (const char *)secret->data + n, secret->len - n, NULL);

	if (rc == 0 && key.len > 0)
		rc = buf_addf(&text, "%s.%s.", s->id, s->time);
	if (rc == 0)
		rc = buf_add(&text, p->body, p->len);
	if (rc == 0 && key.len > 0)
		crypto_hmac_sha256(key.data, key.len, text.data, text.len, out);
	else
		rc = ERR_DENIED;
	if (key.len)
		mem_wipe(key.data, key.len);
	return rc < 0 ? ERR_DENIED : 0;
}

int
proof_standard(const struct proof_signed *s, const struct forge_proof *p, const struct buf *secret)
{
	uint8_t right[CRYPTO_SHA256_BYTES];
	int64_t at_s, apart_s;

	if (str_is_empty(s->id) || str_i64(s->time, 0, INT64_MAX / 2000, &at_s, NULL) < 0 ||
		!proof_is_signing_secret(secret) || sign(s, p, secret, right) < 0)
		return ERR_DENIED;
	if (!has_signature(s->signatures, right))
		return ERR_DENIED;
	apart_s = p->now_ms / 1000 - at_s;
	return apart_s > APART_S_MAX || apart_s < -APART_S_MAX ? ERR_INVALID : 0;
}
