/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper, running and confined: what it signs and gives, and what it refuses.
 */
#include "base/clean.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "tests/unit/bot/role_case.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SECRET     "current-secret-0123"
#define OLD_SECRET "previous-secret-456"
#define TOKEN      "token-0123456789abcdef"
#define MODEL_KEY  "sk-0123456789abcdef"

static char *config_text;

static int
setup(void **state)
{
	struct role_case *c = mem_zero(sizeof(*c));

	role_case_init(c, ROLE_KEEPER);
	*state = c;
	(void)role_case_file(c, "app.pem", SCRATCH_RSA_KEY);
	(void)role_case_file(c, "hook", SECRET "\n");
	(void)role_case_file(c, "hook.old", OLD_SECRET "\n");
	(void)role_case_file(c, "token", TOKEN "\n");
	(void)role_case_file(c, "model", MODEL_KEY "\n");
	free(config_text);
	config_text = mem_fmt(
		"forges:\n"
		"  gh:\n    kind: github\n    url: http://127.0.0.1:1\n    app_id: 1234\n"
		"    app_key_file: %s/app.pem\n    webhook_secret_file: %s/hook\n"
		"    webhook_secret_old_file: %s/hook.old\n"
		"  gt:\n    kind: gitea\n    url: http://127.0.0.1:2\n"
		"    token_file: %s/token\n    webhook_secret_env: NS_TEST_HOOK\n"
		"models:\n  openai:\n    url: http://127.0.0.1:3/v1\n    key_file: %s/model\n",
		c->dir, c->dir, c->dir, c->dir, c->dir);
	assert_int_equal(setenv("NS_TEST_HOOK", "secret-of-a-variable", 1), 0);
	return 0;
}

static int
teardown(void **state)
{
	struct role_case *c = *state;

	role_case_finish(c);
	free(c);
	return 0;
}

/* ---- signatures of deliveries ---- */

static char *
sign(const char *secret, const char *body, const char *prefix)
{
	auto_buf struct buf hex = BUF_INIT(200);
	uint8_t mac[CRYPTO_SHA256_BYTES];

	crypto_hmac_sha256(secret, strlen(secret), body, strlen(body), mac);
	(void)buf_adds(&hex, prefix);
	(void)str_hex(&hex, mac, sizeof(mac));
	return buf_steal(&hex);
}

static int
verify(struct role_case *c, const char *forge, const char *signature, const char *body)
{
	auto_free char *f = mem_str(forge);
	auto_strs struct strs proofs = { 0 };

	strs_add(&proofs, signature ? signature : "");
	struct wire_verify v = { .forge = f, .proofs = proofs };

	role_case_ask(c,
		&(struct msg_out){
			.type = WIRE_VERIFY, .obj = &v, .blob = body, .blob_len = strlen(body) });
	assert_int_equal(c->type, WIRE_VERIFIED);
	assert_int_equal(c->verdict.ok, c->verdict.code == 0);
	return (int)c->verdict.code;
}

static void
only_the_right_signature_is_verified(void **state)
{
	struct role_case *c = *state;
	const char *body = "{\"action\":\"labeled\"}";

	role_case_start(c, config_text, ROLE_WEB);
	auto_free char *good = sign(SECRET, body, "sha256=");
	auto_free char *bare = sign(SECRET, body, "");
	auto_free char *old = sign(OLD_SECRET, body, "sha256=");
	auto_free char *foreign = sign("another-secret-0123", body, "sha256=");
	auto_free char *empty_key = sign("", body, "sha256=");
	auto_free char *of_variable = sign("secret-of-a-variable", body, "");
	auto_free char *longer = mem_fmt("%s00", good);
	auto_free char *sha1 = mem_fmt("sha1=%s", bare);

	assert_int_equal(verify(c, "gh", good, body), 0);
	assert_int_equal(verify(c, "gh", bare, body), 0);
	assert_int_equal(verify(c, "gh", old, body), 0);
	assert_int_equal(verify(c, "gt", of_variable, body), 0);
	assert_int_equal(verify(c, "gh", good, "{\"action\":\"labeleD\"}"), ERR_DENIED);
	assert_int_equal(verify(c, "gh", good, ""), ERR_DENIED);
	assert_int_equal(verify(c, "gh", foreign, body), ERR_DENIED);
	assert_int_equal(verify(c, "gh", empty_key, body), ERR_DENIED);
	assert_int_equal(verify(c, "gh", "", body), ERR_DENIED);
	assert_int_equal(verify(c, "gh", NULL, body), ERR_DENIED);
	assert_int_equal(verify(c, "gh", "sha256=", body), ERR_DENIED);
	assert_int_equal(verify(c, "gh", longer, body), ERR_DENIED);
	assert_int_equal(verify(c, "gh", sha1, body), ERR_DENIED);
	assert_int_equal(verify(c, "gt", good, body), ERR_DENIED); /* another forge's secret */
	assert_int_equal(verify(c, "nowhere", good, body), ERR_DENIED);
	good[10] = good[10] == 'a' ? 'b' : 'a';
	assert_int_equal(verify(c, "gh", good, body), ERR_DENIED);
}

static void
a_large_body_is_verified_too(void **state)
{
	struct role_case *c = *state;
	auto_free char *body = mem_zero(MIB(10) + 1);

	role_case_start(c, config_text, ROLE_WEB);
	memset(body, 'x', MIB(10));
	auto_free char *good = sign(SECRET, body, "sha256=");
	assert_int_equal(verify(c, "gh", good, body), 0);
}

/* ---- what the courier gets ---- */

static void
ask_jwt(struct role_case *c, const char *forge, int64_t skew_ms)
{
	auto_free char *name = mem_str(forge);
	const struct wire_sign sign = { .forge = name, .skew_ms = skew_ms };

	role_case_ask(c, &(struct msg_out){ .type = WIRE_SIGN_JWT, .obj = &sign });
}

/* The claims of the JWT that was the last answer. */
static struct json *
claims_of(const struct role_case *c)
{
	auto_buf struct buf claims = BUF_INIT(1000);
	struct json *j = NULL;
	char *payload = strchr(c->blob, '.') + 1;
	char *end = strchr(payload, '.');

	assert_non_null(end);
	for (char *p = payload; p < end; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	*end = '\0';
	auto_free char *padded =
		mem_fmt("%s%s", payload, &"==="[3 - (4 - strlen(payload) % 4) % 4]);
	assert_int_equal(str_unbase64(&claims, padded, strlen(padded), NULL), 0);
	assert_int_equal(json_parse(claims.data, claims.len, &JSON_LIMITS_REPLY, &j, NULL), 0);
	return j;
}

static void
a_jwt_says_who_and_how_long(void **state)
{
	struct role_case *c = *state;
	auto_json struct json *j = NULL;

	role_case_start(c, config_text, ROLE_COURIER);
	ask_jwt(c, "gh", 0);
	assert_true(c->verdict.ok);
	j = claims_of(c);
	assert_string_equal(json_str(j, "iss"), "1234");
	assert_int_equal(json_i64(j, "exp") - json_i64(j, "iat"), 600);
	ask_jwt(c, "gt", 0);
	assert_int_equal(c->verdict.code, ERR_MISSING);
}

/* A wrong clock is mended within bounds: a JWT for much later would be a key for much later. */
static void
a_jwt_follows_the_forges_clock_a_little(void **state)
{
	static const struct {
		int64_t skew_s;
		bool ok;
	} rows[] = {
		{ 0, true },
		{ 600, true },
		{ -600, true },
		{ -86400, true },
		{ 601, false },
		{ -86401, false },
		{ INT64_MAX / 1000, false },
		{ INT64_MIN / 1000, false },
	};
	struct role_case *c = *state;

	role_case_start(c, config_text, ROLE_COURIER);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t now_s = clock_wall_ms() / 1000;

		ask_jwt(c, "gh", rows[i].skew_s * 1000);
		assert_int_equal(c->verdict.ok, rows[i].ok);
		if (rows[i].ok) {
			auto_json struct json *j = claims_of(c);

			assert_in_range(json_i64(j, "exp"), now_s + rows[i].skew_s + 540,
				clock_wall_ms() / 1000 + rows[i].skew_s + 540);
			continue;
		}
		assert_int_equal(c->verdict.code, ERR_BUSY);
		assert_non_null(strstr(c->verdict.text, "set this machine's clock"));
		assert_string_equal(c->blob, "");
	}
}

static void
a_token_is_given_by_name(void **state)
{
	struct role_case *c = *state;

	role_case_start(c, config_text, ROLE_COURIER);
	role_case_ask_name(c, WIRE_TOKEN, "gt");
	assert_true(c->verdict.ok);
	assert_string_equal(c->blob, TOKEN);
	role_case_ask_name(c, WIRE_TOKEN, "gh");
	assert_int_equal(c->verdict.code, ERR_MISSING);
	assert_string_equal(c->blob, "");
	role_case_ask(c, &(struct msg_out){ .type = WIRE_SSH_SIGN, .blob = "x", .blob_len = 1 });
	assert_int_equal(c->verdict.code, ERR_MISSING);
}

static void
a_commit_is_signed(void **state)
{
	struct role_case *c = *state;
	auto_free char *text = mem_fmt("%scommit:\n  sign_key_file: %s\n", config_text,
		role_case_file(c, "sign.pem", SCRATCH_RSA_KEY));
	role_case_start(c, text, ROLE_COURIER);
	role_case_ask(
		c, &(struct msg_out){ .type = WIRE_SSH_SIGN, .blob = "tree 1\n", .blob_len = 7 });
	assert_true(c->verdict.ok);
	assert_true(str_starts(c->blob, "-----BEGIN SSH SIGNATURE-----\n"));
}

/* ---- the others ---- */

static void
the_gateway_gets_the_models_key(void **state)
{
	struct role_case *c = *state;

	role_case_start(c, config_text, ROLE_GATEWAY);
	role_case_ask_name(c, WIRE_KEY, "openai");
	assert_string_equal(c->blob, MODEL_KEY);
	role_case_ask_name(c, WIRE_KEY, "anthropic");
	assert_int_equal(c->verdict.code, ERR_MISSING);
}

static void
markers_are_stable_and_differ(void **state)
{
	struct role_case *c = *state;
	char first[16];
	struct stat st;
	auto_free char *path = mem_fmt("%s/state/keeper/marker.key", c->dir);

	role_case_start(c, config_text, ROLE_QUEUE);
	role_case_ask_name(c, WIRE_MARKER, "17");
	assert_int_equal(strlen(c->blob), 8);
	(void)snprintf(first, sizeof(first), "%s", c->blob);
	role_case_ask_name(c, WIRE_MARKER, "18");
	assert_string_not_equal(c->blob, first);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	/* Its successor knows the same key. */
	assert_int_equal(role_case_stop(c), 0);
	msg_link_destroy(c->peer);
	msg_link_destroy(c->master);
	c->is_ready = false;
	role_case_start(c, config_text, ROLE_QUEUE);
	role_case_ask_name(c, WIRE_MARKER, "17");
	assert_string_equal(c->blob, first);
}

/* Each row: who asks for what is not his. He is cut off and learns nothing. */
static void
what_is_for_another_role_is_not_given(void **state)
{
	static const struct {
		enum role who;
		uint16_t type;
	} rows[] = {
		{ ROLE_WEB, WIRE_TOKEN },
		{ ROLE_WEB, WIRE_KEY },
		{ ROLE_GATEWAY, WIRE_TOKEN },
		{ ROLE_COURIER, WIRE_KEY },
		{ ROLE_QUEUE, WIRE_SIGN_JWT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct role_case *c = *state;
		struct msg_rule lie[] = {
			{ rows[i].type, "lie", ~0U, ~0U, NULL, 0, 0, 0 },
		};
		struct msg_link_spec spec = {
			.rules = lie, .n_rules = 1, .self = rows[i].who, .peer = ROLE_KEEPER
		};
		struct wire_peer who = { .role = (int64_t)rows[i].who, .turn = 2 };
		int fds[2];

		if (i == 0)
			role_case_start(c, config_text, ROLE_WEB);
		assert_int_equal(msg_pair(fds, NULL), 0);
		struct msg_link *link = msg_link_create(c->loop, &spec);
		assert_int_equal(msg_link_attach(link, fds[0], NULL), 0);
		assert_int_equal(msg_send(c->master,
					 &(struct msg_out){ .type = WIRE_PEER,
						 .obj = &who,
						 .fds = &fds[1],
						 .n_fds = 1 },
					 NULL),
			0);
		(void)close(fds[1]);
		assert_int_equal(
			msg_send(link, &(struct msg_out){ .type = rows[i].type }, NULL), 0);
		c->cut = 0;
		role_case_until(c, &c->cut); /* the keeper tells its master */
		assert_int_equal(c->cut_role, rows[i].who);
		assert_int_equal(c->cut_turn, 2);
		msg_link_destroy(link);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(only_the_right_signature_is_verified),
		T(a_large_body_is_verified_too),
		T(a_jwt_says_who_and_how_long),
		T(a_jwt_follows_the_forges_clock_a_little),
		T(a_token_is_given_by_name),
		T(a_commit_is_signed),
		T(the_gateway_gets_the_models_key),
		T(markers_are_stable_and_differ),
		T(what_is_for_another_role_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
