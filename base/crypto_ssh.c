/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_ssh - OpenSSH's private keys (PROTOCOL.key) and signatures (PROTOCOL.sshsig), for commits
 * that a forge shows as verified.
 *
 * ssh-keygen could do it, but then the key would have to be a file that a child of the keeper can
 * open.
 */
#include "base/crypto_key.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define KEY_BYTES_MAX 65536
#define KEY_END       "-----END OPENSSH PRIVATE KEY-----"
#define KEY_MAGIC     "openssh-key-v1" /* with its NUL */
#define SIG_MAGIC     "SSHSIG"         /* without */
#define SIG_HASH      "sha512"
#define SIG_LINE      70 /* as ssh-keygen breaks it */

#define auto_secret auto_cleanup(clean_secret)

static void
clean_secret(struct buf *b)
{
	mem_wipe(b->data, b->cap);
	buf_finish(b);
}

struct wire {
	const uint8_t *p;
	size_t left;
};

static bool
get_u32(struct wire *w, uint32_t *out)
{
	if (w->left < 4)
		return false;
	*out = (uint32_t)w->p[0] << 24 | (uint32_t)w->p[1] << 16 | (uint32_t)w->p[2] << 8 | w->p[3];
	w->p += 4;
	w->left -= 4;
	return true;
}

static bool
get_string(struct wire *w, struct crypto_number *out)
{
	uint32_t len;

	if (!get_u32(w, &len) || len > w->left)
		return false;
	*out = (struct crypto_number){ w->p, len };
	w->p += len;
	w->left -= len;
	return true;
}

static bool
string_is(const struct crypto_number *s, const char *word)
{
	return s->len == strlen(word) && memcmp(s->p, word, s->len) == 0;
}

static void
put_u32(struct buf *out, size_t v)
{
	const uint8_t be[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
		(uint8_t)v };

	(void)buf_add(out, be, sizeof(be));
}

static void
put_string(struct buf *out, const void *data, size_t len)
{
	put_u32(out, len);
	(void)buf_add(out, data, len);
}

/* RFC 4251 mpint: a leading zero where the top bit would make it negative. */
static void
put_mpint(struct buf *out, const struct buf *number)
{
	bool pad = number->len && (uint8_t)number->data[0] & 0x80;

	put_u32(out, number->len + pad);
	if (pad)
		(void)buf_addc(out, '\0');
	(void)buf_add(out, number->data, number->len);
}

static int
read_private_rsa(struct wire *w, struct crypto_key **out, struct err *e)
{
	struct crypto_rsa rsa;
	struct crypto_number *const order[] = { &rsa.n, &rsa.e, &rsa.d, &rsa.iqmp, &rsa.p, &rsa.q };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!get_string(w, order[i]))
			return err_set(e, ERR_INVALID, "OpenSSH RSA key is damaged");
	}
	return crypto_key_from_rsa(&rsa, out, e);
}

/* The private section of an unencrypted key: two equal check numbers, type, numbers, comment,
 * padding. */
static int
read_private(struct wire *w, struct crypto_key **out, struct err *e)
{
	struct crypto_number type, public, secret;
	uint32_t check1, check2;

	if (!get_u32(w, &check1) || !get_u32(w, &check2) || check1 != check2 ||
		!get_string(w, &type))
		return err_set(e, ERR_INVALID, "OpenSSH key is damaged");
	if (string_is(&type, "ssh-rsa"))
		return read_private_rsa(w, out, e);
	if (!string_is(&type, "ssh-ed25519"))
		return err_set(e, ERR_INVALID, "OpenSSH key is neither ssh-ed25519 nor ssh-rsa");
	/* The secret is the seed with the public key behind it. */
	if (!get_string(w, &public) || !get_string(w, &secret) || secret.len != 64)
		return err_set(e, ERR_INVALID, "OpenSSH Ed25519 key is damaged");
	return crypto_key_from_ed25519(secret.p, out, e);
}

static int
read_blob(struct wire *w, struct crypto_key **out, struct err *e)
{
	struct crypto_number cipher, kdf, options, public, private;
	struct wire inner;
	uint32_t n_keys;

	if (w->left < sizeof(KEY_MAGIC) || memcmp(w->p, KEY_MAGIC, sizeof(KEY_MAGIC)) != 0)
		return err_set(e, ERR_INVALID, "OpenSSH key has no %s in front", KEY_MAGIC);
	w->p += sizeof(KEY_MAGIC);
	w->left -= sizeof(KEY_MAGIC);
	if (!get_string(w, &cipher) || !get_string(w, &kdf) || !get_string(w, &options) ||
		!get_u32(w, &n_keys) || n_keys != 1 || !get_string(w, &public) ||
		!get_string(w, &private))
		return err_set(e, ERR_INVALID, "OpenSSH key is damaged");
	if (!string_is(&cipher, "none") || !string_is(&kdf, "none"))
		return err_set(
			e, ERR_INVALID, "OpenSSH key is encrypted: ssh-keygen -p -N \"\" -f FILE");
	inner = (struct wire){ private.p, private.len };
	return read_private(&inner, out, e);
}

int
crypto_ssh_key_read(const char *pem, size_t len, struct crypto_key **out, struct err *e)
{
	auto_secret struct buf blob = BUF_INIT(KEY_BYTES_MAX);
	const char *from = memmem(pem, len, CRYPTO_SSH_KEY_BEGIN, strlen(CRYPTO_SSH_KEY_BEGIN));
	const char *end;
	struct wire w;

	if (!from || len > KEY_BYTES_MAX)
		return err_set(e, ERR_INVALID, "not an OpenSSH private key");
	from += strlen(CRYPTO_SSH_KEY_BEGIN);
	end = memmem(from, len - (size_t)(from - pem), KEY_END, strlen(KEY_END));
	/* Room at once: growing would leave copies of the secret behind. */
	blob.data = mem_grow(NULL, KEY_BYTES_MAX + 1, 1);
	blob.cap = KEY_BYTES_MAX + 1;
	if (!end || str_unbase64(&blob, from, (size_t)(end - from), NULL) < 0)
		return err_set(e, ERR_INVALID, "OpenSSH key is cut off or not base64");
	w = (struct wire){ (const uint8_t *)blob.data, blob.len };
	return read_blob(&w, out, e);
}

static int
add_public(const struct crypto_key *k, struct buf *out, struct err *e)
{
	auto_buf struct buf first = BUF_INIT(KEY_BYTES_MAX);
	auto_buf struct buf n = BUF_INIT(KEY_BYTES_MAX);
	int rc = crypto_key_public(k, &first, &n, e);

	if (rc < 0)
		return rc;
	if (crypto_key_is_ed25519(k)) {
		put_string(out, "ssh-ed25519", strlen("ssh-ed25519"));
		put_string(out, first.data, first.len);
	} else {
		put_string(out, "ssh-rsa", strlen("ssh-rsa"));
		put_mpint(out, &first);
		put_mpint(out, &n);
	}
	return 0;
}

/* What is signed: never the data itself, but a preamble and its hash, so that no signature serves
 * another purpose. */
static int
add_signature(const struct crypto_key *k, const char *ns, const void *data, size_t len,
	struct buf *out, struct err *e)
{
	const char *type = crypto_key_is_ed25519(k) ? "ssh-ed25519" : "rsa-sha2-512";
	auto_buf struct buf signed_data = BUF_INIT(KEY_BYTES_MAX);
	auto_buf struct buf signature = BUF_INIT(KEY_BYTES_MAX);
	uint8_t digest[CRYPTO_SHA512_BYTES];
	int rc;

	crypto_sha512(data, len, digest);
	(void)buf_adds(&signed_data, SIG_MAGIC);
	put_string(&signed_data, ns, strlen(ns));
	put_string(&signed_data, "", 0);
	put_string(&signed_data, SIG_HASH, strlen(SIG_HASH));
	put_string(&signed_data, digest, sizeof(digest));
	rc = crypto_key_sign(k, signed_data.data, signed_data.len, &signature, e);
	if (rc < 0)
		return rc;
	put_string(out, type, strlen(type));
	put_string(out, signature.data, signature.len);
	return 0;
}

static void
add_armour(struct buf *out, const struct buf *blob)
{
	auto_buf struct buf text = BUF_INIT(4 * KEY_BYTES_MAX);

	(void)str_base64(&text, blob->data, blob->len);
	(void)buf_adds(out, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t i = 0; i < text.len; i += SIG_LINE) {
		(void)buf_add(
			out, text.data + i, text.len - i < SIG_LINE ? text.len - i : SIG_LINE);
		(void)buf_addc(out, '\n');
	}
	(void)buf_adds(out, "-----END SSH SIGNATURE-----\n");
}

int
crypto_ssh_sign(const struct crypto_key *k, const char *ns, const void *data, size_t len,
	struct buf *out, struct err *e)
{
	auto_buf struct buf blob = BUF_INIT(KEY_BYTES_MAX);
	auto_buf struct buf public = BUF_INIT(KEY_BYTES_MAX);
	auto_buf struct buf signature = BUF_INIT(KEY_BYTES_MAX);
	size_t start = out->len;
	int rc = add_public(k, &public, e);

	if (rc == 0)
		rc = add_signature(k, ns, data, len, &signature, e);
	if (rc < 0)
		return rc;
	(void)buf_adds(&blob, SIG_MAGIC);
	put_u32(&blob, 1);
	put_string(&blob, public.data, public.len);
	put_string(&blob, ns, strlen(ns));
	put_string(&blob, "", 0);
	put_string(&blob, SIG_HASH, strlen(SIG_HASH));
	put_string(&blob, signature.data, signature.len);
	add_armour(out, &blob);
	if (!out->is_full)
		return 0;
	buf_cut(out, start);
	return err_set(e, ERR_LIMIT, "SSH signature of more than %zu bytes", out->limit);
}
