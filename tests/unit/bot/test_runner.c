/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the runner as a process, with real shims and boxes.
 */
#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/bot/cast_case.h"
#include "tests/unit/bot/runner_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MEND                                                                                       \
	"#!/bin/sh\nset -e\necho \"prompt: $(cat)\"\nsed -i 's/ - / + /' src/add\necho mended "    \
	">NOTES\n"

static char *
joined(const struct strs *s)
{
	struct buf out = BUF_INIT(4096);

	for (size_t i = 0; i < s->n; i++)
		(void)buf_addf(&out, "%s%s", i ? ", " : "", s->v[i]);
	(void)buf_adds(&out, "");
	return buf_steal(&out);
}

static void
assert_joined(const struct strs *s, const char *want)
{
	auto_free char *is = joined(s);

	assert_string_equal(is, want);
}

/* Nothing of an attempt is left on the disk. */
static void
assert_clean(const struct runner_rig *r)
{
	auto_free char *run = mem_fmt("%s/state/boxes/run", r->c.dir);

	assert_int_equal(rmdir(run), 0);
}

static void
changes_that_pass_are_green(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, MEND, "");
	r.settings.gate_test =
		mem_str("cat NOTES && test ! -e ignored && grep -q harvested src/new");
	runner_rig_harvest_file(&r, "src/new", "harvested\n");
	runner_rig_harvest_file(&r, "NOTES", "mended\n");
	runner_rig_start(&r, 7, 1);
	runner_rig_until_done(&r);
	assert_string_equal(r.done.reason, "the tests passed");
	assert_int_equal(r.done.outcome, OUTCOME_GREEN);
	assert_int_equal(r.done.gate_exit, 0);
	assert_int_equal(r.done.task, 7);
	assert_string_equal(r.done.base_sha, r.base_sha);
	assert_string_equal(r.done.head_sha, r.harvested.head_sha);
	assert_string_equal(r.done.blocked, "00:00 evil.example:443: not open\n");
	assert_string_equal(r.done.summary, "prompt: mend it");
	assert_non_null(strstr(r.done.tier, geteuid() == 0 ? "slots: " : "userns: "));
	assert_joined(&r.states, "running, gating");
	assert_joined(&r.steps, "prepare 0, agent 0, harvest 0, gate 0");
	assert_string_equal(r.text,
		"== agent: mine\nprompt: mend it\n"
		"== tests: cat NOTES && test ! -e ignored && grep -q harvested src/new\nmended\n");
	assert_true(str_starts(r.cast, "{\"version\":2"));
	/* What came out is what the agent did, on the base, and by nobody in particular. */
	auto_free char *names = runner_rig_git(&r, "diff --name-status HEAD FETCH_HEAD");
	assert_string_equal(names, "A\tNOTES\nM\tsrc/add\n");
	auto_free char *parent = runner_rig_git(&r, "log -1 --format=%P%an FETCH_HEAD");
	assert_memory_equal(parent, r.base_sha, 40);
	assert_string_equal(parent + 40, "nightshift\n");
	assert_int_equal(r.asked.date_ms, 1700000000000);
	assert_non_null(
		strstr(r.asked.trailers, "Co-authored-by: alice <alice@noreply.127.0.0.1>"));
	assert_int_equal(r.n_closes, 1);
	runner_rig_until_alive(&r, 0);
	runner_rig_until_free(&r, 2); /* its shim may be at work on what is left */
	assert_clean(&r);
	runner_rig_finish(&r);
}

/* However it came into the box, and in pieces. */
static void
a_secret_is_not_in_the_transcript(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, MEND, "");
	r.settings.gate_test =
		mem_str("printf key=correct-horse-; sleep 0.2; echo battery-staple.; "
			"printf correct-horse-battery- >s; echo staple | cat s - | base64");
	runner_rig_harvest_file(&r, "NOTES", "mended\n");
	runner_rig_start(&r, 7, 1);
	runner_rig_until_done(&r);
	assert_non_null(strstr(r.text, "\nkey=[redacted].\n[redacted]"));
	assert_null(strstr(r.text, "Y29ycmVjdC1ob3JzZS1i"));
	auto_free char *played = cast_case_play(r.cast);
	assert_non_null(strstr(played, "\nkey=[redacted].\r\n[redacted]"));
	assert_null(strstr(played, "Y29ycmVjdC1ob3JzZS1i"));
	assert_null(strstr(played, RUNNER_RIG_SECRET));
	runner_rig_finish(&r);
}

static void
outcomes_are_facts(void **state)
{
	static const struct {
		const char *name;
		const char *agent;
		const char *gate; /* NULL: no test command */
		bool has_change;
		int64_t harvest_code;
		int64_t outcome;
		const char *reason;
	} rows[] = {
		{ "a liar", "#!/bin/sh\necho 'All tests pass.'; echo x >y", "exit 1", true, 0,
			OUTCOME_RED, "the tests failed: `exit 1` ended with exit code 1" },
		{ "no tests", MEND, NULL, true, 0, OUTCOME_UNTESTED,
			"the repository names no test command" },
		{ "nothing done", "#!/bin/sh\nexit 0", "exit 1", false, 0, OUTCOME_EMPTY,
			"the agent changed nothing" },
		{ "failed, nothing done", "#!/bin/sh\nexit 2", "exit 1", false, 0, OUTCOME_AGENT,
			"the agent ended with exit code 2 and changed nothing" },
		{ "failed, but mended", MEND "exit 2", "true", true, 0, OUTCOME_GREEN,
			"the tests passed" },
		{ "refused", MEND, "true", false, ERR_DENIED, OUTCOME_REFUSED,
			"the changes were refused: because" },
		{ "courier in trouble", MEND, "true", false, ERR_BUSY, OUTCOME_INFRA,
			"the changes could not be taken over: because" },
		{ "no such interpreter", "#!/no/such/program\n", "true", false, 0, OUTCOME_AGENT,
			"the agent cannot be started: exec" },
		{ "killed", "#!/bin/sh\nkill -9 $$", "true", false, 0, OUTCOME_AGENT,
			"the agent ended with exit code 137 and changed nothing" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct runner_rig r;

		print_message("  %s\n", rows[i].name);
		runner_rig_init(&r, rows[i].agent, "");
		mem_set(&r.settings.gate_test, rows[i].gate);
		if (rows[i].has_change)
			runner_rig_harvest_file(&r, "y", "x\n");
		if (rows[i].harvest_code < 0)
			r.harvested.text = mem_str("because");
		r.harvested.code = rows[i].harvest_code;
		runner_rig_start(&r, 1, 1);
		runner_rig_until_done(&r);
		if (!str_starts(r.done.reason, rows[i].reason))
			assert_string_equal(r.done.reason, rows[i].reason);
		assert_int_equal(r.done.outcome, rows[i].outcome);
		runner_rig_finish(&r);
	}
}

/* The agent does to its repository what has worked on git before; nothing of it acts or comes out.
 */
static void
a_poisoned_repository_is_harmless(void **state)
{
	static const char agent[] =
		"#!/bin/sh\n"
		"cat >evil <<'X'\n#!/bin/sh\ntouch /workspace/pwned /git/pwned\nX\n"
		"chmod +x evil\n"
		"git config core.fsmonitor /workspace/evil\n"
		"git config core.hooksPath /workspace\n"
		"git config filter.x.clean /workspace/evil\n"
		"git config filter.x.process /workspace/evil\n"
		"git config core.worktree /etc\n"
		"cp evil .git/hooks/pre-commit; cp evil .git/hooks/post-index-change\n"
		"printf '* filter=x diff=x\\n' >.gitattributes\n"
		"echo '[filter \"x\"] clean = /workspace/evil' >>.git/config\n"
		"echo mended >real\n"
		"git init -q inner && (cd inner && echo i >i && git add -A && git -c user.name=a "
		"-c user.email=b commit -qm i)\n"
		"mkdir ignored && echo i >ignored/i\n"
		"ln -s /etc/shadow link\n"
		"rm -rf .git/objects .git/HEAD\n";
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, agent, "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_EMPTY); /* as our courier says */
	auto_free char *names =
		runner_rig_git(&r, "diff --raw --abbrev=4 HEAD FETCH_HEAD | cut -d' ' -f2,5");
	assert_string_equal(names,
		"100644 A\t.gitattributes\n100755 A\tevil\n100644 A\tinner/i\n120000 A\tlink\n"
		"100644 A\treal\n");
	runner_rig_finish(&r);
}

static void
a_failing_setup_is_the_end(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, MEND, "");
	strs_add(&r.settings.setup, "echo first");
	strs_add(&r.settings.setup, "echo no such tool >&2; exit 3");
	strs_add(&r.settings.setup, "echo third");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_SETUP);
	assert_string_equal(
		r.done.reason, "setup: `echo no such tool >&2; exit 3` ended with exit code 3");
	assert_non_null(strstr(r.done.tail, "no such tool"));
	assert_non_null(strstr(r.text, "first\n"));
	assert_null(strstr(r.text, "third"));
	assert_null(strstr(r.text, "agent: "));
	assert_joined(&r.steps, "prepare 0, setup 1");
	runner_rig_finish(&r);
}

/* What the setup wrote is there for the agent and the tests, is not committed, and is not made
 * again. */
static void
a_setup_is_done_once(void **state)
{
	static const char agent[] = "#!/bin/sh\ntest -e made && test -e ~/tool && test ! -e "
				    "~/.agent && touch ~/.agent && "
				    "echo agent sees $(cat made) && echo x >y && rm made\n";
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, agent, "");
	strs_add(&r.settings.setup, "echo set up >made");
	strs_add(&r.settings.setup, "echo more >>made; touch ~/tool");
	strs_add(&r.settings.setup_key, "README");
	strs_add(&r.settings.setup_key, "absent.lock");
	r.settings.gate_test =
		mem_str("test -e ~/tool && test ! -e ~/.agent && echo gate sees $(cat made y)");
	runner_rig_harvest_file(&r, "y", "x\n");
	for (int64_t task = 1; task <= 2; task++) {
		runner_rig_start(&r, task, 1);
		runner_rig_until_done(&r);
		assert_string_equal(r.done.reason, "the tests passed");
		assert_non_null(strstr(r.text, "agent sees set up more\n"));
		assert_non_null(strstr(r.text, "gate sees set up more x\n"));
		assert_int_equal(strstr(r.text, "setup: ") != NULL, task == 1);
		auto_free char *names = runner_rig_git(&r, "diff --name-status HEAD FETCH_HEAD");
		assert_string_equal(names, "A\ty\n");
	}
	/* Another command is another layer. */
	strs_add(&r.settings.setup, "echo third >>made");
	runner_rig_start(&r, 3, 1);
	runner_rig_until_done(&r);
	assert_non_null(strstr(r.text, "agent sees set up more third\n"));
	runner_rig_finish(&r);
}

/* The agent changes what the setup depends on: the tests see a setup of their own, and it may fail.
 */
static void
changed_dependencies_are_set_up_again(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\ncat made; echo two >README\n", "");
	strs_add(&r.settings.setup, "cp README made; grep -qv broken README");
	strs_add(&r.settings.setup_key, "README");
	r.settings.gate_test = mem_str("cmp README made && cat made");
	runner_rig_harvest_file(&r, "README", "two\n");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_string_equal(r.done.reason, "the tests passed");
	assert_string_equal(r.text,
		"== setup: cp README made; grep -qv broken README\n== agent: mine\none\n"
		"== setup: cp README made; grep -qv broken README\n"
		"== tests: cmp README made && cat made\ntwo\n");
	assert_joined(&r.steps, "prepare 0, setup 0, agent 0, harvest 0, gate 0");
	runner_rig_harvest_file(&r, "README", "broken\n");
	runner_rig_start(&r, 2, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_RED);
	assert_int_equal(r.done.gate_exit, 1);
	assert_string_equal(r.done.reason,
		"setup after the change: `cp README made; grep -qv broken README` "
		"ended with exit code 1");
	runner_rig_finish(&r);
}

/* How long it takes; a busy machine may be in the way of one. */
static int64_t
stop_deaf(struct runner_rig *r, int64_t task)
{
	mem_set(&r->tail, "");
	runner_rig_start(r, task, 1);
	runner_rig_until_tail(r, "deaf");
	int64_t began = clock_boot_ms();
	runner_rig_stop(r, task, 9); /* of another attempt: not ours */
	runner_rig_stop(r, task, 1);
	runner_rig_stop(r, task, 1);
	runner_rig_until_done(r);
	assert_int_equal(r->done.outcome, OUTCOME_STOPPED);
	assert_non_null(strstr(r->text, "deaf"));
	return clock_boot_ms() - began;
}

static void
a_stop_ends_it_in_every_phase(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(
		&r, "#!/bin/sh\ntrap '' TERM HUP\necho deaf\nwhile :; do sleep 1; done\n", "");
	int64_t took = stop_deaf(&r, 1);
	for (int64_t task = 11; task <= 15 && took >= 5000; task++)
		took = stop_deaf(&r, task);
	assert_true(took < 5000);
	runner_rig_until_alive(&r, 0);
	/* While the courier thinks. */
	r.is_dumb = true;
	runner_rig_start(&r, 2, 1);
	runner_rig_until_alive(&r, 1);
	runner_rig_stop(&r, 2, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	runner_rig_finish(&r);
}

static void
time_runs_out(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(
		&r, "#!/bin/sh\necho half >work\nexec sleep 60\n", "limits: { wall: 1s }\n");
	runner_rig_harvest_file(&r, "work", "half\n");
	r.settings.gate_test = mem_str("exit 0");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_TIMEOUT);
	assert_string_equal(
		r.done.reason, "the agent was stopped after 1s; what it had done by then is kept");
	assert_non_null(r.done.head_sha);
	assert_int_equal(r.done.gate_exit, -1);
	runner_rig_finish(&r);
}

static void
preparation_that_fails_is_not_the_agents_fault(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, MEND, "");
	r.prepare_code = ERR_MISSING;
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_INFRA);
	assert_string_equal(r.done.reason, "the repository could not be prepared: no such branch");
	runner_rig_until_alive(&r, 0);
	r.prepare_code = ERR_BUSY;
	runner_rig_start(&r, 2, 1);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.outcome, OUTCOME_AWAY);
	runner_rig_finish(&r);
}

/* Its listener is the box's way out: a new gateway gets it again, and a box does not begin before
 * one has it. */
static void
a_gateway_may_be_another_one(void **state)
{
	struct runner_rig r;
	int opens;

	(void)state;
	runner_rig_init(
		&r, "#!/bin/sh\necho began\nwhile test ! -e /tmp/x; do sleep 0.1; done\n", "");
	r.gateway_is_dumb = true;
	runner_rig_start(&r, 1, 1);
	role_case_until(&r.c, &r.n_opens);
	assert_false(r.opened.registries); /* the repository lists none */
	assert_false(r.opened.models);     /* the agent has no provider */
	r.gateway_is_dumb = false;
	runner_rig_new_gateway(&r);
	runner_rig_until_tail(&r, "began");
	opens = r.n_opens;
	assert_true(opens >= 2);
	runner_rig_new_gateway(&r);
	for (int i = 0; i < 12000 && r.n_opens == opens; i++)
		role_case_wait(&r.c);
	assert_int_equal(r.n_opens, opens + 1);
	runner_rig_stop(&r, 1, 1);
	runner_rig_until_done(&r);
	runner_rig_finish(&r);
}

static void
a_queue_may_be_another_one(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, MEND, "");
	r.takes_nothing = true;
	runner_rig_start(&r, 1, 1);
	runner_rig_start(&r, 1, 1); /* the same twice is once */
	runner_rig_until_done(&r);
	assert_int_equal(r.n_prepares, 1);
	runner_rig_until_alive(&r, 1); /* it is told until somebody takes it */
	r.takes_nothing = false;
	runner_rig_new_queue(&r);
	runner_rig_until_done(&r);
	assert_int_equal(r.n_done, 2);
	runner_rig_until_alive(&r, 0);
	runner_rig_finish(&r);
}

static void
slots_are_counted(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\nid -u\nsleep 60\n", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_start(&r, 2, 1);
	runner_rig_start(&r, 3, 1); /* one too many: the queue will say it again */
	runner_rig_until_alive(&r, 2);
	assert_int_equal(r.claim.free_slots, 0);
	runner_rig_stop(&r, 1, 1);
	runner_rig_until_done(&r);
	runner_rig_stop(&r, 2, 1);
	runner_rig_until_done(&r);
	runner_rig_until_alive(&r, 0);
	assert_int_equal(r.n_done, 2);
	runner_rig_finish(&r);
}

/* Two agents for one task there are never. */
static void
an_attempt_begins_when_the_box_of_the_last_is_gone(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init(&r, "#!/bin/sh\ntrap '' TERM\necho up\nwhile :; do sleep 1; done\n", "");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_tail(&r, "up");
	runner_rig_start(&r, 1, 2);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.fence, 1);
	assert_int_equal(r.done.outcome, OUTCOME_STOPPED);
	runner_rig_until_alive(&r, 0);
	runner_rig_start(&r, 1, 2);
	runner_rig_until_tail(&r, "up");
	runner_rig_stop(&r, 1, 2);
	runner_rig_until_done(&r);
	assert_int_equal(r.done.fence, 2);
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_that_pass_are_green),
		cmocka_unit_test(outcomes_are_facts),
		cmocka_unit_test(a_poisoned_repository_is_harmless),
		cmocka_unit_test(a_failing_setup_is_the_end),
		cmocka_unit_test(a_setup_is_done_once),
		cmocka_unit_test(a_secret_is_not_in_the_transcript),
		cmocka_unit_test(changed_dependencies_are_set_up_again),
		cmocka_unit_test(a_stop_ends_it_in_every_phase),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(preparation_that_fails_is_not_the_agents_fault),
		cmocka_unit_test(a_gateway_may_be_another_one),
		cmocka_unit_test(a_queue_may_be_another_one),
		cmocka_unit_test(slots_are_counted),
		cmocka_unit_test(an_attempt_begins_when_the_box_of_the_last_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
