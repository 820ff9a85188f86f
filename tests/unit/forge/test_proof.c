/* SPDX-License-Identifier: Apache-2.0 */
/* Who is believed to have sent a delivery, by each forge's way of saying so. */
#include "forge/forge.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define BODY "{\"test\": 2432232314}"

/* The vector that standardwebhooks.com publishes. */
#define KEY    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID     "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME_S "1614265330"
#define RIGHT  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define NOW_MS (INT64_C(1614265330) * 1000)

/* What a server says with each delivery: x-gitlab-token, id, time, signatures. */
static const struct {
	const char *name;
	const char *secret;
	const char *values[4];
	int64_t now_ms;
	int want;
} GITLAB[] = {
	{ "the secret token", "s3cr3t", { "s3cr3t", "", "", "" }, NOW_MS, 0 },
	{ "another", "s3cr3t", { "s3cr3T", "", "", "" }, NOW_MS, ERR_DENIED },
	{ "its beginning", "s3cr3t", { "s3cr3", "", "", "" }, NOW_MS, ERR_DENIED },
	{ "more than it", "s3cr3t", { "s3cr3t ", "", "", "" }, NOW_MS, ERR_DENIED },
	{ "no token", "s3cr3t", { "", "", "", "" }, NOW_MS, ERR_DENIED },
	{ "no secret, no token", "", { "", "", "", "" }, NOW_MS, ERR_DENIED },
	{ "signed", KEY, { "", ID, TIME_S, RIGHT }, NOW_MS, 0 },
	{ "signed by one of two keys", KEY, { "", ID, TIME_S, "v1,AAAA v2,x " RIGHT }, NOW_MS, 0 },
	{ "signed, and a token beside it", KEY, { "x", ID, TIME_S, RIGHT }, NOW_MS, 0 },
	{ "signed five minutes ago", KEY, { "", ID, TIME_S, RIGHT }, NOW_MS + 300000, 0 },
	{ "signed longer ago", KEY, { "", ID, TIME_S, RIGHT }, NOW_MS + 301000, ERR_INVALID },
	{ "signed in the future", KEY, { "", ID, TIME_S, RIGHT }, NOW_MS - 301000, ERR_INVALID },
	{ "another time", KEY, { "", ID, "1614265331", RIGHT }, NOW_MS, ERR_DENIED },
	{ "another id", KEY, { "", ID "x", TIME_S, RIGHT }, NOW_MS, ERR_DENIED },
	{ "no id", KEY, { "", "", TIME_S, RIGHT }, NOW_MS, ERR_DENIED },
	{ "no time", KEY, { "", ID, "", RIGHT }, NOW_MS, ERR_DENIED },
	{ "a time that is none", KEY, { "", ID, TIME_S "x", RIGHT }, NOW_MS, ERR_DENIED },
	{ "no signature", KEY, { "", ID, TIME_S, "" }, NOW_MS, ERR_DENIED },
	{ "another version's", KEY, { "", ID, TIME_S, "v1a,g0hM9SsE+OTPJTGt" }, NOW_MS,
		ERR_DENIED },
	{ "half of it", KEY, { "", ID, TIME_S, "v1,g0hM9SsE+OTPJTGt/tmIKg==" }, NOW_MS,
		ERR_DENIED },
	{ "not base64", KEY, { "", ID, TIME_S, "v1,????" }, NOW_MS, ERR_DENIED },
	{ "a key is no password", KEY, { KEY, "", "", "" }, NOW_MS, ERR_DENIED },
	{ "a password is no key", "s3cr3t", { "", ID, TIME_S, RIGHT }, NOW_MS, ERR_DENIED },
	{ "a key that is none", "whsec_????", { "", ID, TIME_S, RIGHT }, NOW_MS, ERR_DENIED },
	{ "an empty key", "whsec_", { "", ID, TIME_S, RIGHT }, NOW_MS, ERR_DENIED },
};

static int
verify(enum forge_kind kind, const char *secret, const char *const *values, size_t n, int64_t now)
{
	auto_strs struct strs list = { 0 };
	auto_buf struct buf s = BUF_INIT(KIB(1));
	const struct forge_proof p = { &list, BODY, strlen(BODY), now };

	for (size_t i = 0; i < n; i++)
		strs_add(&list, values[i]);
	(void)buf_adds(&s, secret);
	return forge_driver_get(kind)->verify(&p, &s);
}

static void
gitlab_by_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(GITLAB) / sizeof(GITLAB[0]); i++) {
		int rc = verify(
			FORGE_GITLAB, GITLAB[i].secret, GITLAB[i].values, 4, GITLAB[i].now_ms);

		if (rc != GITLAB[i].want)
			fail_msg("%s: %d", GITLAB[i].name, rc);
	}
}

static void
fewer_headers_than_there_are_prove_nothing(void **state)
{
	const char *const one[] = { "s3cr3t" };

	(void)state;
	assert_int_equal(verify(FORGE_GITLAB, "s3cr3t", one, 1, NOW_MS), ERR_DENIED);
	assert_int_equal(verify(FORGE_GITHUB, "s3cr3t", one, 0, NOW_MS), ERR_DENIED);
}

static void
hex_with_and_without_its_prefix(void **state)
{
	static const enum forge_kind KINDS[] = { FORGE_GITHUB, FORGE_GITEA, FORGE_FORGEJO };
	uint8_t mac[CRYPTO_SHA256_BYTES];
	auto_buf struct buf hex = BUF_INIT(128);

	(void)state;
	crypto_hmac_sha256("key", 3, BODY, strlen(BODY), mac);
	(void)buf_adds(&hex, "sha256=");
	(void)str_hex(&hex, mac, sizeof(mac));
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		const char *const with[] = { buf_str(&hex) }, *const bare[] = { buf_str(&hex) + 7 };
		const char *const prefix[] = { "sha256=" };

		assert_int_equal(verify(KINDS[i], "key", with, 1, 0), 0);
		assert_int_equal(verify(KINDS[i], "key", bare, 1, 0), 0);
		assert_int_equal(verify(KINDS[i], "kez", bare, 1, 0), ERR_DENIED);
		assert_int_equal(verify(KINDS[i], "", bare, 1, 0), ERR_DENIED);
		assert_int_equal(verify(KINDS[i], "key", prefix, 1, 0), ERR_DENIED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gitlab_by_row),
		cmocka_unit_test(fewer_headers_than_there_are_prove_nothing),
		cmocka_unit_test(hex_with_and_without_its_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
