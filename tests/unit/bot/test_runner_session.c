/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of what the runner keeps of agents: their sessions, and not the files that they change
 * unasked. The agents are scripts in the place of the real programs.
 */
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/bot/runner_rig.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BRANCH "agent/1-sum"
#define MODEL  "models: { openai: { url: http://127.0.0.1:9/v1 } }\n"
#define BEGUN  "echo '{\"type\":\"thread.started\",\"thread_id\":\"s-1\"}'\n"
#define DONE                                                                                       \
	"echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":10,"                       \
	"\"output_tokens\":1}}'\n"

/* In the place of codex: REMEMBER leaves the session, GO_ON is what it does when resumed. */
#define AGENT(remember, go_on)                                                                     \
	"#!/bin/sh\n"                                                                              \
	"dir=$HOME/.codex/sessions\n"                                                              \
	"case \"$*\" in\n"                                                                         \
	"*' resume s-1')\n" go_on ";;\n"                                                           \
	"*)\n" BEGUN "mkdir -p $dir\n" remember "echo fresh >NOTES\n;;\n"                          \
	"esac\n" DONE

#define REMEMBER "mkdir $dir/2026; echo the sum >$dir/2026/log\n"
#define GO_ON    BEGUN "cat $dir/2026/log >NOTES\n"

static void
start(struct runner_rig *r, const char *agent)
{
	runner_rig_init_kind(r, "codex", agent, MODEL);
	mem_set(&r->settings.gate_test, "true");
	runner_rig_harvest_file(r, "NOTES", "x\n");
	r->branch = BRANCH;
}

/* The next task: on the pull request's branch, or (NULL) on an issue. */
static void
run(struct runner_rig *r, int64_t task, const char *pull_ref)
{
	r->pull_ref = pull_ref;
	runner_rig_start(r, task, task);
	runner_rig_until_done(r);
}

static void
assert_wrote(const struct runner_rig *r, const char *notes)
{
	auto_free char *is = runner_rig_git(r, "show FETCH_HEAD:NOTES");

	assert_string_equal(is, notes);
}

static size_t
count_sessions(const struct runner_rig *r)
{
	auto_free char *path = mem_fmt("%s/state/boxes/sessions", r->c.dir);
	auto_dir DIR *d = opendir(path);
	const struct dirent *de;
	size_t n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	return n;
}

static void
a_follow_up_goes_on(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, AGENT(REMEMBER, GO_ON));
	run(&r, 1, NULL);
	assert_int_equal(r.done.outcome, OUTCOME_GREEN);
	assert_wrote(&r, "fresh\n");
	assert_int_equal(count_sessions(&r), 1);
	run(&r, 2, BRANCH);
	assert_int_equal(r.done.outcome, OUTCOME_GREEN);
	assert_wrote(&r, "the sum\n");
	assert_non_null(strstr(r.text, "== agent: mine, going on with its session\n"));
	/* And again: what it left then is what counts now. */
	run(&r, 3, BRANCH);
	assert_wrote(&r, "the sum\n");
	assert_int_equal(count_sessions(&r), 1);
	runner_rig_finish(&r);
}

static void
nobody_else_gets_it(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, AGENT(REMEMBER, GO_ON));
	run(&r, 1, NULL);
	run(&r, 2, "topic");
	assert_wrote(&r, "fresh\n");
	r.branch = "agent/3-more";
	run(&r, 3, NULL);
	assert_wrote(&r, "fresh\n");
	assert_int_equal(count_sessions(&r), 3);
	runner_rig_finish(&r);
}

/* A pull request's branch may have the default branch's name, in a fork: what was remembered there
 * is nothing that the default branch's own runs find. */
static void
the_default_branch_remembers_nothing(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, AGENT(REMEMBER, GO_ON));
	run(&r, 1, "main");
	assert_int_equal(r.done.outcome, OUTCOME_GREEN);
	assert_int_equal(count_sessions(&r), 0);
	runner_rig_finish(&r);
}

static void
an_old_one_is_forgotten(void **state)
{
	static const struct timespec old[2] = { { .tv_sec = 1600000000 },
		{ .tv_sec = 1600000000 } };
	struct runner_rig r;

	(void)state;
	start(&r, AGENT(REMEMBER, GO_ON));
	run(&r, 1, NULL);
	auto_free char *path = mem_fmt("%s/state/boxes/sessions", r.c.dir);
	auto_dir DIR *d = opendir(path);
	const struct dirent *de;
	while ((de = readdir(d))) {
		auto_free char *tar = mem_fmt("%s/tar", de->d_name);

		if (de->d_name[0] == '.')
			continue;
		assert_int_equal(utimensat(dirfd(d), tar, old, 0), 0);
		assert_int_equal(utimensat(dirfd(d), de->d_name, old, 0), 0);
	}
	run(&r, 2, BRANCH);
	assert_wrote(&r, "fresh\n");
	r.branch = "agent/3-more";
	run(&r, 3, NULL);
	assert_int_equal(count_sessions(&r), 2);
	runner_rig_finish(&r);
}

static void
work_that_stays_away_from_the_branch_leaves_none(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, AGENT(REMEMBER, GO_ON));
	mem_set(&r.settings.gate_test, "false");
	run(&r, 1, NULL);
	assert_int_equal(r.done.outcome, OUTCOME_RED);
	assert_int_equal(count_sessions(&r), 0);
	runner_rig_finish(&r);
}

static void
an_agent_that_refuses_starts_afresh(void **state)
{
	static const char *const refusals[] = {
		AGENT(REMEMBER, "echo 'no such session' >&2; exit 1\n"),
		AGENT(REMEMBER, "exit 0\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct runner_rig r;

		start(&r, refusals[i]);
		run(&r, 1, NULL);
		run(&r, 2, BRANCH);
		assert_int_equal(r.done.outcome, OUTCOME_GREEN);
		assert_wrote(&r, "fresh\n");
		assert_non_null(strstr(
			r.text, "== agent: mine, afresh: its session could not be resumed\n"));
		runner_rig_finish(&r);
	}
}

/* It had begun and failed: asking the model twice for the same would be no help. */
static void
a_failure_is_no_refusal(void **state)
{
	struct runner_rig r;

	(void)state;
	start(&r, AGENT(REMEMBER, BEGUN "exit 1\n"));
	run(&r, 1, NULL);
	row_finish(WIRE_HARVESTED_ROWS, &r.harvested);
	run(&r, 2, BRANCH);
	assert_int_equal(r.done.outcome, OUTCOME_AGENT);
	assert_null(strstr(r.text, "afresh"));
	runner_rig_finish(&r);
}

static void
what_is_left_is_only_bytes(void **state)
{
	static const struct {
		const char *name;
		const char *agent;
		size_t kept;
		const char *notes; /* of the follow-up */
	} rows[] = {
		{ "too much", AGENT("head -c 20M /dev/zero >$dir/log\n", GO_ON), 0, "fresh\n" },
		{ "a hole of terabytes",
			AGENT("truncate -s 4T $dir/log || echo x >$dir/log\n"
			      "truncate -s 3G $dir/hole\n",
				GO_ON),
			0, "fresh\n" },
		{ "no directory", AGENT("rm -rf $dir\n", GO_ON), 0, "fresh\n" },
		{ "a link in its place",
			AGENT("rmdir $dir; ln -s / $dir\n", BEGUN "ls $dir >NOTES\n"), 0,
			"fresh\n" },
		{ "links, pipes and odd names",
			AGENT("ln -s /etc/shadow $dir/link; mkfifo $dir/pipe; mkdir $dir/2026\n"
			      "ln -s ../../../../../.. $dir/up; echo x >$dir/-rf\n"
			      "echo the sum >$dir/2026/log\n",
				GO_ON),
			1, "the sum\n" },
		{ "a name that is an option",
			AGENT("echo '{\"type\":\"thread.started\",\"thread_id\":\"--evil\"}'\n",
				GO_ON),
			1, "fresh\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct runner_rig r;

		print_message("  %s\n", rows[i].name);
		start(&r, rows[i].agent);
		run(&r, 1, NULL);
		assert_int_equal(r.done.outcome, OUTCOME_GREEN);
		assert_int_equal(count_sessions(&r), rows[i].kept);
		run(&r, 2, BRANCH);
		assert_int_equal(r.done.outcome, OUTCOME_GREEN);
		if (rows[i].kept == 0)
			assert_wrote(&r, rows[i].notes);
		runner_rig_finish(&r);
	}
}

#define REWRITER                                                                                   \
	"#!/bin/sh\n"                                                                              \
	"echo '{}' >opencode.json; mkdir .opencode; echo x >.opencode/package.json\n"              \
	"echo mended >NOTES\n"

static void
files_that_it_changes_unasked_are_left_out(void **state)
{
	struct runner_rig r;

	(void)state;
	runner_rig_init_kind(&r, "opencode", REWRITER, MODEL);
	runner_rig_harvest_file(&r, "NOTES", "mended\n");
	runner_rig_start(&r, 1, 1);
	runner_rig_until_done(&r);
	auto_free char *names = runner_rig_git(&r, "diff --name-status HEAD FETCH_HEAD");
	assert_string_equal(names, "A\tNOTES\n");
	assert_string_equal(r.done.notes,
		"opencode.json, which opencode changes by itself\n"
		".opencode/package.json, which opencode changes by itself");
	r.prompt = "please add an opencode.json\n";
	runner_rig_start(&r, 2, 2);
	runner_rig_until_done(&r);
	auto_free char *more = runner_rig_git(&r, "diff --name-status HEAD FETCH_HEAD");
	assert_string_equal(more, "A\tNOTES\nA\topencode.json\n");
	runner_rig_finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_follow_up_goes_on),
		cmocka_unit_test(nobody_else_gets_it),
		cmocka_unit_test(the_default_branch_remembers_nothing),
		cmocka_unit_test(an_old_one_is_forgotten),
		cmocka_unit_test(work_that_stays_away_from_the_branch_leaves_none),
		cmocka_unit_test(an_agent_that_refuses_starts_afresh),
		cmocka_unit_test(a_failure_is_no_refusal),
		cmocka_unit_test(what_is_left_is_only_bytes),
		cmocka_unit_test(files_that_it_changes_unasked_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
