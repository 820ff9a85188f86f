/* SPDX-License-Identifier: Apache-2.0 */
/* crypto - against the RFCs' vectors, OpenSSL as a verifier, and ssh-keygen. */
#include "base/crypto.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/wait.h>

static void
hmac_matches_rfc_4231(void **state)
{
	static const struct {
		const char *name;
		const char *key; /* hexadecimal, or one byte repeated key_len times */
		size_t key_len;
		const char *data; /* hexadecimal, or one byte repeated data_len times */
		size_t data_len;
		const char *want;
	} rows[] = {
		{ "case 1", "0b", 20, "4869205468657265", 8,
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "case 2, a short key", "4a656665", 4,
			"7768617420646f2079612077616e7420666f72206e6f7468696e673f", 28,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "case 3", "aa", 20, "dd", 50,
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ "case 4", "0102030405060708090a0b0c0d0e0f10111213141516171819", 25, "cd", 50,
			"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
		{ "case 6, a key longer than a block", "aa", 131,
			"54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
			"65204b6579202d2048617368204b6579204669727374",
			54, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ "case 7, key and data longer than a block", "aa", 131,
			"5468697320697320612074657374207573696e672061206c6172676572207468616e20626c"
			"6f636b2d"
			"73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a65"
			"20646174"
			"612e20546865206b6579206e6565647320746f20626520686173686564206265666f726520"
			"6265696e"
			"6720757365642062792074686520484d414320616c676f726974686d2e",
			152, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t key[256], data[256], got[CRYPTO_SHA256_BYTES], want[CRYPTO_SHA256_BYTES];

		if (str_unhex(rows[i].key, key, rows[i].key_len, NULL) < 0)
			memset(key, (int)strtol(rows[i].key, NULL, 16), rows[i].key_len);
		if (str_unhex(rows[i].data, data, rows[i].data_len, NULL) < 0)
			memset(data, (int)strtol(rows[i].data, NULL, 16), rows[i].data_len);
		assert_int_equal(str_unhex(rows[i].want, want, sizeof(want), NULL), 0);
		crypto_hmac_sha256(key, rows[i].key_len, data, rows[i].data_len, got);
		if (!crypto_equal(got, want, sizeof(got)))
			fail_msg("%s", rows[i].name);
		got[31] ^= 1;
		assert_false(crypto_equal(got, want, sizeof(got)));
	}
}

static void
sha256_matches_fips_180(void **state)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	(void)state;
	crypto_sha256_hex("abc", 3, hex);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	crypto_sha256_hex("", 0, hex);
	assert_string_equal(
		hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
pieces_hash_as_the_whole(void **state)
{
	struct crypto_hash *h = crypto_hash_create();
	char whole[65], hex[65];

	(void)state;
	crypto_sha256_hex("abcdef", 6, whole);
	crypto_hash_add(h, "abc", 3);
	crypto_hash_add(h, "", 0);
	crypto_hash_add(h, "def", 3);
	crypto_hash_end_hex(h, hex);
	assert_string_equal(hex, whole);
	crypto_hash_end(crypto_hash_create(), NULL);
}

static void
an_empty_key_is_a_key(void **state)
{
	uint8_t got[CRYPTO_SHA256_BYTES], want[CRYPTO_SHA256_BYTES];

	(void)state;
	assert_int_equal(
		str_unhex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", want,
			32, NULL),
		0);
	crypto_hmac_sha256(NULL, 0, "", 0, got);
	assert_memory_equal(got, want, sizeof(got));
}

static void
random_bytes_differ(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	crypto_random(a, sizeof(a));
	crypto_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

/* True if signature, base64url, is RS256 over signed_text by SCRATCH_RSA_KEY. */
static bool
rs256_ok(const char *signed_text, size_t len, const char *signature)
{
	auto_buf struct buf raw = BUF_INIT(1024);
	BIO *bio = BIO_new_mem_buf(SCRATCH_RSA_KEY, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc;

	assert_non_null(key);
	assert_int_equal(str_unbase64(&raw, signature, strlen(signature), NULL), 0);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	rc = EVP_DigestVerify(
		ctx, (const uint8_t *)raw.data, raw.len, (const uint8_t *)signed_text, len);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc == 1;
}

static void
a_jwt_verifies(void **state)
{
	auto_buf struct buf jwt = BUF_INIT(4096);
	auto_buf struct buf claims = BUF_INIT(4096);
	auto_buf struct buf tiny = BUF_INIT(300);
	struct crypto_key *k = NULL;
	char *first, *second;
	struct err e;

	(void)state;
	assert_int_equal(crypto_key_read(SCRATCH_RSA_KEY, strlen(SCRATCH_RSA_KEY), &k, &e), 0);
	assert_int_equal(crypto_jwt(k, "{\"iss\":\"1\"}", &jwt, &e), 0);
	first = strchr(jwt.data, '.');
	second = strrchr(jwt.data, '.');
	assert_true(first < second);
	assert_null(strpbrk(jwt.data, "+/= \n"));
	assert_int_equal(strncmp(jwt.data, "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.", 37), 0);
	assert_int_equal(str_unbase64(&claims, first + 1, (size_t)(second - first - 1), NULL), 0);
	assert_string_equal(buf_str(&claims), "{\"iss\":\"1\"}");
	assert_true(rs256_ok(jwt.data, (size_t)(second - jwt.data), second + 1));
	assert_false(rs256_ok(jwt.data, (size_t)(second - jwt.data) - 1, second + 1));
	assert_int_equal(crypto_jwt(k, "{}", &tiny, &e), ERR_LIMIT);
	assert_int_equal(tiny.len, 0);
	crypto_key_destroy(k);
}

/* Runs ssh-keygen with input on stdin; its exit status. */
static int
ssh_keygen(const char *const argv[], const char *input)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		int in = open(input, O_RDONLY | O_CLOEXEC);
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (in < 0 || dup2(in, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(126);
		execvp("ssh-keygen", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
make_key(const char *type, const char *bits, const char *passphrase, const char *format)
{
	const char *const argv[] = { "ssh-keygen", "-q", "-t", type, "-b", bits, "-N", passphrase,
		"-C", "test", "-m", format, "-f", "key", NULL };

	(void)unlink("key");
	(void)unlink("key.pub");
	assert_int_equal(ssh_keygen(argv, "/dev/null"), 0);
}

static int
read_key(const char *path, struct crypto_key **out, struct err *e)
{
	auto_buf struct buf pem = BUF_INIT(65536);

	assert_int_equal(fs_read(path, &pem, e), 0);
	return crypto_key_read(pem.data, pem.len, out, e);
}

static void
put(const char *path, const char *text)
{
	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static int
verify(const char *ns, const char *file)
{
	const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", "allowed", "-I",
		"bot@test", "-n", ns, "-s", "signature", NULL };

	return ssh_keygen(argv, file);
}

static void
check_signature_of_key(const char *name)
{
	auto_buf struct buf public = BUF_INIT(65536);
	auto_buf struct buf signature = BUF_INIT(65536);
	auto_free char *allowed = NULL;
	struct crypto_key *k = NULL;
	struct err e = { 0 };

	if (read_key("key", &k, &e) < 0)
		fail_msg("%s: %s", name, e.text);
	put("data", "tree 4b825dc6\n\nmessage\n");
	put("other", "tree 4b825dc6\n\nmassage\n");
	assert_int_equal(
		crypto_ssh_sign(k, "git", "tree 4b825dc6\n\nmessage\n", 23, &signature, &e), 0);
	crypto_key_destroy(k);
	put("signature", signature.data);
	assert_int_equal(fs_read("key.pub", &public, &e), 0);
	allowed = mem_fmt("bot@test namespaces=\"git,file\" %s", public.data);
	put("allowed", allowed);
	if (verify("git", "data") != 0)
		fail_msg("%s: ssh-keygen does not accept the signature", name);
	if (verify("git", "other") == 0)
		fail_msg("%s: accepted for other data", name);
	if (verify("file", "data") == 0)
		fail_msg("%s: accepted in another namespace", name);
}

static void
ssh_keygen_accepts_our_signatures(void **state)
{
	static const struct {
		const char *name;
		const char *type;
		const char *bits;
		const char *format;
	} rows[] = {
		{ "Ed25519 in OpenSSH's form", "ed25519", "256", "RFC4716" },
		{ "RSA in OpenSSH's form", "rsa", "2048", "RFC4716" },
		{ "RSA of an odd size", "rsa", "3072", "RFC4716" },
		{ "RSA as PKCS#1", "rsa", "2048", "PEM" },
		{ "RSA as PKCS#8", "rsa", "2048", "PKCS8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_key(rows[i].type, rows[i].bits, "", rows[i].format);
		check_signature_of_key(rows[i].name);
	}
}

/* With a pass phrase OpenSSL would ask the terminal; we say what to do instead. */
static void
refuses_keys_that_it_cannot_use(void **state)
{
	static const struct {
		const char *name;
		const char *type;
		const char *bits;
		const char *passphrase;
		const char *format;
		const char *want;
	} rows[] = {
		{ "encrypted, OpenSSH's form", "ed25519", "256", "secret", "RFC4716",
			"ssh-keygen -p" },
		{ "encrypted PEM", "rsa", "2048", "secret", "PEM", "without a pass phrase" },
		{ "encrypted PKCS#8", "rsa", "2048", "secret", "PKCS8", "without a pass phrase" },
		{ "ECDSA, OpenSSH's form", "ecdsa", "256", "", "RFC4716", "neither" },
		{ "ECDSA, PEM", "ecdsa", "256", "", "PEM", "neither" },
		{ "RSA of 1024 bits, OpenSSH's form", "rsa", "1024", "", "RFC4716", "2048 bits" },
		{ "RSA of 1024 bits, PEM", "rsa", "1024", "", "PEM", "2048 bits" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct crypto_key *k = NULL;
		struct err e = { 0 };

		make_key(rows[i].type, rows[i].bits, rows[i].passphrase, rows[i].format);
		if (read_key("key", &k, &e) != ERR_INVALID || k || !strstr(e.text, rows[i].want))
			fail_msg("%s: %s", rows[i].name, e.text);
	}
}

static void
refuses_what_is_no_key(void **state)
{
	static const char *const texts[] = { "", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----",
		"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
		"-----BEGIN OPENSSH PRIVATE KEY-----\n!!\n-----END OPENSSH PRIVATE KEY-----\n",
		"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct crypto_key *k = NULL;
		struct err e;

		assert_int_equal(crypto_key_read(texts[i], strlen(texts[i]), &k, &e), ERR_INVALID);
		assert_null(k);
	}
	crypto_key_destroy(NULL);
}

/* Every length field of the key is a chance to read too far. */
static void
survives_cut_and_bent_ssh_keys(void **state)
{
	auto_buf struct buf pem = BUF_INIT(65536);
	auto_buf struct buf blob = BUF_INIT(65536);
	static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	static const char end[] = "-----END OPENSSH PRIVATE KEY-----\n";

	(void)state;
	make_key("ed25519", "256", "", "RFC4716");
	assert_int_equal(fs_read("key", &pem, NULL), 0);
	assert_int_equal(str_unbase64(&blob, pem.data + strlen(begin),
				 pem.len - strlen(begin) - strlen(end), NULL),
		0);
	for (size_t i = 0; i < 2 * blob.len; i++) {
		auto_buf struct buf text = BUF_INIT(65536);
		struct crypto_key *k = NULL;
		char *copy = mem_dup(blob.data, blob.len);
		size_t len = i < blob.len ? i : blob.len;

		if (i >= blob.len)
			copy[i - blob.len] = (char)~copy[i - blob.len];
		(void)buf_adds(&text, begin);
		(void)str_base64(&text, copy, len);
		(void)buf_addf(&text, "\n%s", end);
		if (crypto_key_read(text.data, text.len, &k, NULL) < 0)
			assert_null(k);
		crypto_key_destroy(k);
		free(copy);
	}
}

static void
a_jwt_needs_rsa(void **state)
{
	auto_buf struct buf out = BUF_INIT(4096);
	struct crypto_key *k = NULL;
	struct err e;

	(void)state;
	make_key("ed25519", "256", "", "RFC4716");
	assert_int_equal(read_key("key", &k, &e), 0);
	assert_int_equal(crypto_jwt(k, "{}", &out, &e), ERR_INVALID);
	assert_int_equal(out.len, 0);
	crypto_key_destroy(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_matches_rfc_4231),
		cmocka_unit_test(sha256_matches_fips_180),
		cmocka_unit_test(pieces_hash_as_the_whole),
		cmocka_unit_test(an_empty_key_is_a_key),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(a_jwt_verifies),
		SCRATCH_TEST(ssh_keygen_accepts_our_signatures),
		SCRATCH_TEST(refuses_keys_that_it_cannot_use),
		cmocka_unit_test(refuses_what_is_no_key),
		SCRATCH_TEST(survives_cut_and_bent_ssh_keys),
		SCRATCH_TEST(a_jwt_needs_rsa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
