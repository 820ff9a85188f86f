/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_decoder - the decoder, running and confined: bytes in, event out, or a plain no.
 */
#include "base/limits.h"
#include "base/mem.h"
#include "bot/decoder.h"
#include "forge/forge.h"
#include "tests/unit/bot/role_case.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char CONFIG[] = "forges:\n"
			     "  gh:\n    kind: github\n    url: http://127.0.0.1:1\n"
			     "    token_env: NS_TEST_TOKEN\n"
			     "    webhook_secret_env: NS_TEST_HOOK\n";

static const char LABELLED[] =
	"{\"action\":\"labeled\",\"issue\":{\"number\":3,\"id\":9,\"title\":\"It crashes\","
	"\"body\":\"On empty input.\",\"state\":\"open\",\"user\":{\"login\":\"ann\",\"id\":6},"
	"\"labels\":[{\"name\":\"agent\"}]},\"label\":{\"name\":\"agent\"},"
	"\"repository\":{\"id\":77,\"full_name\":\"acme/widget\",\"default_branch\":\"main\"},"
	"\"sender\":{\"login\":\"bob\",\"id\":5,\"type\":\"User\"}}";

static int
setup(void **state)
{
	struct role_case *c = mem_zero(sizeof(*c));

	assert_int_equal(setenv("NS_TEST_TOKEN", "token-of-a-variable", 1), 0);
	assert_int_equal(setenv("NS_TEST_HOOK", "secret-of-a-variable", 1), 0);
	role_case_init(c, ROLE_DECODER);
	role_case_start(c, CONFIG, ROLE_QUEUE);
	*state = c;
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

static void
ask(struct role_case *c, const char *forge, const char *event, const void *body, size_t len)
{
	auto_free char *f = mem_str(forge);
	auto_free char *name = mem_str(event);
	char guid[] = "g", type[] = "application/json";
	const struct forge_delivery d = {
		.forge = f, .guid = guid, .event = name, .content_type = type
	};

	role_case_ask(c,
		&(struct msg_out){ .type = WIRE_DECODE, .obj = &d, .blob = body, .blob_len = len });
	assert_int_equal(c->type, WIRE_EVENT);
}

static struct forge_event
event_of(struct role_case *c)
{
	struct forge_event ev;

	assert_true(c->verdict.ok);
	assert_int_equal(row_unpack(FORGE_EVENT_ROWS, &ev, c->blob, c->blob_len, NULL), 0);
	return ev;
}

static void
a_label_is_understood(void **state)
{
	struct role_case *c = *state;

	ask(c, "gh", "issues", LABELLED, strlen(LABELLED));
	struct forge_event ev = event_of(c);
	assert_int_equal(ev.kind, EVENT_LABELS);
	assert_int_equal(ev.number, 3);
	assert_int_equal(ev.repo_id, 77);
	assert_string_equal(ev.repo, "acme/widget");
	assert_string_equal(ev.actor, "bob");
	assert_int_equal(forge_event_label(&ev, "agent"), LABEL_ON);
	forge_event_finish(&ev);
}

static void
what_is_not_json_is_a_plain_no(void **state)
{
	struct role_case *c = *state;

	ask(c, "gh", "issues", "\xff\xfe", 2);
	assert_false(c->verdict.ok);
	assert_int_equal(c->verdict.code, ERR_INVALID);
	assert_true(strlen(c->verdict.text) > 0);
	assert_int_equal(c->blob_len, 0);
	ask(c, "gh", "issues", "", 0);
	assert_false(c->verdict.ok);
	ask(c, "nobody", "issues", "{}", 2);
	assert_false(c->verdict.ok);
	/* And it still lives. */
	ask(c, "gh", "issues", LABELLED, strlen(LABELLED));
	assert_true(c->verdict.ok);
	assert_int_equal(c->gone, 0);
}

static void
a_bomb_is_a_limit_and_no_death(void **state)
{
	struct role_case *c = *state;
	size_t len = (size_t)MIB(4);
	auto_free char *bomb = mem_array(len, 1);

	memset(bomb, '[', len);
	ask(c, "gh", "issues", bomb, len);
	assert_false(c->verdict.ok);
	for (size_t i = 0; i + 3 <= len; i += 3)
		memcpy(bomb + i, "{},", 3);
	bomb[0] = '[';
	ask(c, "gh", "issues", bomb, len);
	assert_false(c->verdict.ok);
	assert_int_equal(c->gone, 0);
}

static void
a_polled_comment_gets_its_commands(void **state)
{
	struct role_case *c = *state;
	auto_buf struct buf packed = BUF_INIT(MIB(1));
	char name[] = "poll.comment", repo[] = "acme/widget";
	char body[] = "Please:\n\n/agent fix the parser\n\n    /agent run in code\n";
	const struct forge_event as_sent = { .kind = EVENT_COMMENT,
		.name = name,
		.repo = repo,
		.repo_id = 7,
		.comment_body = body };

	assert_int_equal(row_pack(FORGE_EVENT_ROWS, &as_sent, &packed, NULL), 0);
	ask(c, "gh", DECODER_POLL_EVENT, packed.data, packed.len);
	struct forge_event ev = event_of(c);
	assert_int_equal(ev.commands.n, 1);
	const struct forge_command *command = ev.commands.v;
	assert_string_equal(command->verb, "fix");
	assert_string_equal(command->args, "the parser");
	forge_event_finish(&ev);
	/* Such an event cannot come from outside with other bytes. */
	ask(c, "gh", DECODER_POLL_EVENT, "{}", 2);
	assert_false(c->verdict.ok);
}

static void
its_alarm_ends_it(void **state)
{
	struct role_case *c = *state;

	/* What the timer of a delivery that takes too long sends. */
	assert_int_equal(kill(c->pid, SIGPROF), 0);
	role_case_until(c, &c->gone);
	assert_int_equal(c->gone, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_label_is_understood, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_json_is_a_plain_no, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bomb_is_a_limit_and_no_death, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_polled_comment_gets_its_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(its_alarm_ends_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
