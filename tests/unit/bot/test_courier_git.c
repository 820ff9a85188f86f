/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's git side, running and confined, between a real http-backend and a test that plays
 * runner, queue and keeper: from a branch on the forge to a checkout, from a bundle to a push.
 */
#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/git_child.h"
#include "forge/forge.h"
#include "tests/unit/bot/role_case.h"
#include "tests/unit/repo/backend.h"
#include "tests/unit/repo/scene.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN     "token-0123456789abcdef"
#define SIGNATURE "-----BEGIN SSH SIGNATURE-----\nQUJD\n-----END SSH SIGNATURE-----\n"
#define WAIT_MS   30000

struct rig {
	struct role_case c; /* its peer is the runner */
	struct scene *s;    /* a person's repository */
	struct backend b;
	char *bare;
	struct msg_link *queue;
	struct msg_link *keeper;
	const char *token; /* what the keeper gives */
	int answers;
	struct wire_prepared prepared; /* the last answers */
	struct wire_harvested harvested;
	struct wire_pushed pushed;
	struct agent_settings settings;
};

/* ---- The peers ---- */

static void
on_keeper(void *ctx, struct msg_link *link, struct msg *m)
{
	struct rig *r = ctx;
	struct wire_verdict v = { .ok = true };
	struct msg_out out = { .type = WIRE_SECRET, .obj = &v, .blob = r->token };

	if (m->type == WIRE_SSH_SIGN) {
		assert_true(m->blob_len > 100);
		assert_int_equal(strncmp(m->blob, "tree ", 5), 0);
		out.blob = SIGNATURE;
	}
	out.blob_len = strlen(out.blob);
	assert_int_equal(msg_reply(link, m->id, &out, NULL), 0);
}

static void
on_queue(void *ctx, struct msg_link *link, struct msg *m)
{
	(void)ctx;
	(void)link;
	fail_msg("unasked message %d", m->type);
}

/* Takes the struct over from the message. */
static void
keep(const struct row *rows, void *mine, size_t size, struct msg *m)
{
	row_finish(rows, mine);
	memcpy(mine, m->obj, size);
	memset(m->obj, 0, size);
}

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct rig *r = ctx;

	if (!m)
		fail_msg("no answer: %s", e->text);
	if (m->type == WIRE_PREPARED) {
		keep(WIRE_PREPARED_ROWS, &r->prepared, sizeof(r->prepared), m);
		agent_settings_finish(&r->settings);
		if (r->prepared.code == 0)
			assert_int_equal(row_unpack(AGENT_SETTINGS_ROWS, &r->settings, m->blob,
						 m->blob_len, NULL),
				0);
	} else if (m->type == WIRE_HARVESTED) {
		keep(WIRE_HARVESTED_ROWS, &r->harvested, sizeof(r->harvested), m);
	} else {
		assert_int_equal(m->type, WIRE_PUSHED);
		keep(WIRE_PUSHED_ROWS, &r->pushed, sizeof(r->pushed), m);
	}
	r->answers++;
}

/* ---- Start and end ---- */

static void
start(struct rig *r, const char *more)
{
	auto_free char *yaml =
		mem_fmt("forges:\n  gt:\n    kind: gitea\n    url: %s\n"
			"    token_file: %s/token\n    webhook_secret_file: %s/hook\n%s",
			r->b.url, r->c.dir, r->c.dir, more);

	(void)role_case_file(&r->c, "token", TOKEN "\n");
	(void)role_case_file(&r->c, "hook", "secret-0123456789\n");
	role_case_start(&r->c, yaml, ROLE_RUNNER);
	r->queue = role_case_add_peer(&r->c, ROLE_QUEUE, on_queue, r);
	r->keeper = role_case_add_peer(&r->c, ROLE_KEEPER, on_keeper, r);
}

static void
end(struct rig *r)
{
	assert_int_equal(role_case_stop(&r->c), 0);
	msg_link_destroy(r->queue);
	msg_link_destroy(r->keeper);
	r->queue = r->keeper = NULL;
}

static int
setup(void **state)
{
	struct rig *r = mem_zero(sizeof(*r));
	auto_buf struct buf userinfo = BUF_INIT(KIB(1));
	void *scene;
	struct err e = { 0 };

	assert_int_equal(scene_setup(&scene), 0);
	r->s = scene;
	r->token = TOKEN;
	r->bare = mem_fmt("%s/forge/acme/widget.git", r->s->dir);
	auto_free char *root = mem_fmt("%s/forge", r->s->dir);
	auto_free char *parent = mem_fmt("%s/acme", root);
	auto_free char *clone = mem_fmt("clone -q --bare %s %s", r->s->work, r->bare);
	assert_int_equal(fs_mkdirs(parent, 0755, &e), 0);
	scene_git(r->s->dir, clone, NULL);
	forge_driver_get(FORGE_GITEA)->git_userinfo(TOKEN, &userinfo);
	backend_start(&r->b, root, buf_str(&userinfo));
	role_case_init(&r->c, ROLE_COURIER);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;
	void *scene = r->s;

	if (r->queue)
		end(r);
	role_case_finish(&r->c);
	backend_stop(&r->b);
	row_finish(WIRE_PREPARED_ROWS, &r->prepared);
	row_finish(WIRE_HARVESTED_ROWS, &r->harvested);
	row_finish(WIRE_PUSHED_ROWS, &r->pushed);
	agent_settings_finish(&r->settings);
	free(r->bare);
	free(r);
	return scene_teardown(&scene);
}

/* ---- Questions ---- */

static char forge[] = "gt";
static char repo[] = "acme/widget";

static void
until(struct rig *r, int answers)
{
	int64_t deadline = clock_boot_ms() + WAIT_MS;

	while (r->answers < answers) {
		assert_true(clock_boot_ms() < deadline);
		role_case_wait(&r->c);
	}
}

static void
ask_prepare(struct rig *r, int64_t task, const char *branch)
{
	auto_free char *base_ref = mem_str(branch);
	struct wire_prepare p = { .task = task,
		.attempt = 1,
		.forge = forge,
		.repo_id = 7,
		.repo = repo,
		.base_ref = base_ref };
	struct msg_out out = { .type = WIRE_PREPARE, .obj = &p };

	(void)msg_call(r->c.peer, &out, WAIT_MS, on_answer, r);
}

static void
prepare(struct rig *r, const char *branch)
{
	r->answers = 0;
	ask_prepare(r, 1, branch);
	until(r, 1);
}

static void
harvest_fd(struct rig *r, int fd)
{
	char message[] = "Mend the widget";
	struct wire_harvest h = { .task = 1,
		.attempt = 1,
		.forge = forge,
		.repo_id = 7,
		.repo = repo,
		.base_sha = r->prepared.base_sha,
		.message = message,
		.date_ms = 1795338000000 };
	struct msg_out out = { .type = WIRE_HARVEST, .obj = &h, .fds = &fd, .n_fds = 1 };

	r->answers = 0;
	(void)msg_call(r->c.peer, &out, WAIT_MS, on_answer, r);
	until(r, 1);
}

/* As the boxes do: a copy, a change, a commit, a bundle. */
static void
harvest(struct rig *r, const char *name, const char *text)
{
	auto_free char *copy = mem_fmt("%s/agent", r->s->dir);
	const char *cp[] = { "/bin/cp", "-r", r->prepared.checkout_dir, copy, NULL };

	assert_int_equal(fs_remove_tree(copy, NULL), 0);
	assert_int_equal(scene_run("/", cp, NULL, NULL, 0, NULL), 0);
	scene_write(copy, name, text);
	scene_git(copy, "add -A", NULL);
	scene_git(copy, "commit -q --allow-empty -m agent", NULL);
	memcpy(r->s->base, r->prepared.base_sha, REPO_SHA_LEN + 1);
	auto_fd int fd = scene_bundle(r->s, copy, "HEAD");
	harvest_fd(r, fd);
}

static void
push(struct rig *r, const char *branch, const char *sha, const char *old_sha)
{
	auto_free char *b = mem_str(branch);
	auto_free char *s = mem_str(sha);
	auto_free char *o = mem_str(old_sha);
	struct wire_push p = { .task = 1,
		.forge = forge,
		.repo_id = 7,
		.repo = repo,
		.branch = b,
		.sha = s,
		.old_sha = o };
	struct msg_out out = { .type = WIRE_PUSH, .obj = &p };

	r->answers = 0;
	(void)msg_call(r->queue, &out, WAIT_MS, on_answer, r);
	until(r, 1);
}

static void
assert_ref(struct rig *r, const char *ref, const char *sha)
{
	auto_free char *args = mem_fmt("rev-parse %s", ref);
	auto_buf struct buf out = BUF_INIT(KIB(1));

	scene_git(r->bare, args, &out);
	assert_string_equal(buf_str(&out), sha);
}

static void
assert_code(int64_t code, const char *text, int64_t wanted)
{
	if (code != wanted)
		fail_msg("%lld %s", (long long)code, text ? text : "");
}

/* ---- Tests ---- */

static void
from_the_forge_to_the_forge(void **state)
{
	struct rig *r = *state;

	start(r, "");
	prepare(r, NULL);
	assert_code(r->prepared.code, r->prepared.text, 0);
	assert_string_equal(r->prepared.base_sha, r->s->base);
	assert_string_equal(r->prepared.default_branch, "main");
	assert_string_equal(r->prepared.base_ref, "main");
	assert_null(r->prepared.settings_text);
	struct stat st;
	assert_int_equal(stat(r->prepared.checkout_dir, &st), 0);
	assert_int_equal(r->prepared.owner_uid, st.st_uid);
	harvest(r, "src/widget.c", "int widget = 1;\n");
	assert_code(r->harvested.code, r->harvested.text, 0);
	assert_int_equal(r->harvested.files, 1);
	assert_true(scene_exists(r->harvested.delta_dir, "src/widget.c"));
	auto_free char *sha = mem_str(r->harvested.head_sha);
	push(r, "agent/1-mend", sha, NULL);
	assert_code(r->pushed.code, r->pushed.text, 0);
	assert_string_equal(r->pushed.sha, sha);
	assert_ref(r, "refs/heads/agent/1-mend", sha);
	push(r, "agent/1-mend", sha, NULL); /* asked again after a lost answer */
	assert_code(r->pushed.code, r->pushed.text, 0);
	push(r, "main", sha, r->s->base);
	assert_code(r->pushed.code, r->pushed.text, ERR_DENIED);
	push(r, "agent/1-mend", r->s->base, sha);
	assert_code(r->pushed.code, r->pushed.text, ERR_DENIED);
	assert_ref(r, "refs/heads/agent/1-mend", sha);
	end(r);
}

static void
no_change_has_no_commit(void **state)
{
	struct rig *r = *state;

	start(r, "");
	prepare(r, NULL);
	harvest(r, "README.md", "# widget\n");
	assert_code(r->harvested.code, r->harvested.text, 0);
	assert_null(r->harvested.head_sha);
	assert_null(r->harvested.delta_dir);
	end(r);
}

static void
a_warm_start_asks_once_and_fetches_nothing(void **state)
{
	struct rig *r = *state;

	start(r, "");
	prepare(r, NULL);
	int64_t requests = r->b.shared->requests;
	prepare(r, "main");
	assert_code(r->prepared.code, r->prepared.text, 0);
	assert_int_equal(r->b.shared->fetches, 1);
	assert_int_equal(r->b.shared->requests, requests + 1);
	end(r);
}

static void
twenty_at_once_are_one_fetch(void **state)
{
	struct rig *r = *state;

	start(r, "");
	for (int i = 1; i <= 20; i++)
		ask_prepare(r, i, NULL);
	until(r, 20);
	assert_code(r->prepared.code, r->prepared.text, 0);
	assert_int_equal(r->b.shared->fetches, 1);
	assert_int_equal(r->b.shared->requests, 20 + 3);
	end(r);
}

static void
another_branch_is_its_own_base(void **state)
{
	struct rig *r = *state;
	char sha[REPO_SHA_LEN + 1];

	scene_git(r->s->work, "checkout -q -b release/1.0", NULL);
	scene_write(r->s->work, "VERSION", "1.0\n");
	scene_commit(r->s, "release", sha);
	auto_free char *args = mem_fmt("push -q %s release/1.0", r->bare);
	scene_git(r->s->work, args, NULL);
	start(r, "");
	prepare(r, "release/1.0");
	assert_code(r->prepared.code, r->prepared.text, 0);
	assert_string_equal(r->prepared.base_sha, sha);
	assert_string_equal(r->prepared.base_ref, "release/1.0");
	assert_string_equal(r->prepared.default_branch, "main");
	prepare(r, "no-such-branch");
	assert_code(r->prepared.code, r->prepared.text, ERR_MISSING);
	prepare(r, "--upload-pack=touch");
	assert_code(r->prepared.code, r->prepared.text, ERR_INVALID);
	end(r);
}

static void
settings_are_the_default_branchs(void **state)
{
	struct rig *r = *state;
	char sha[REPO_SHA_LEN + 1];

	scene_write(r->s->work, ".agent.yml", "gate:\n  test: make check\n");
	scene_commit(r->s, "settings", sha);
	scene_git(r->s->work, "checkout -q -b fork", NULL);
	scene_write(r->s->work, ".agent.yml", "gate:\n  test: curl evil\n");
	scene_commit(r->s, "evil", sha);
	auto_free char *args = mem_fmt("push -q %s main fork", r->bare);
	scene_git(r->s->work, args, NULL);
	start(r, "");
	prepare(r, "fork");
	assert_code(r->prepared.code, r->prepared.text, 0);
	assert_string_equal(r->prepared.base_sha, sha);
	assert_string_equal(r->settings.gate_test, "make check");
	scene_git(r->s->work, "checkout -q main", NULL);
	scene_write(r->s->work, ".agent.yml", "gate:\n  tset: make check\n");
	scene_commit(r->s, "broken", sha);
	auto_free char *again = mem_fmt("push -q %s main", r->bare);
	scene_git(r->s->work, again, NULL);
	prepare(r, NULL);
	assert_code(r->prepared.code, r->prepared.text, 0);
	assert_non_null(r->prepared.settings_text);
	assert_non_null(strstr(r->prepared.settings_text, ".agent.yml:2:"));
	assert_null(r->settings.gate_test);
	end(r);
}

static void
wrong_tokens_and_closed_doors(void **state)
{
	struct rig *r = *state;

	r->token = "wrong-0123456789abcdef";
	start(r, "");
	prepare(r, NULL);
	assert_code(r->prepared.code, r->prepared.text, ERR_DENIED);
	r->token = TOKEN;
	auto_free char *gone = mem_fmt("%s.gone", r->bare);
	assert_int_equal(rename(r->bare, gone), 0);
	prepare(r, NULL);
	assert_code(r->prepared.code, r->prepared.text, ERR_MISSING);
	assert_int_equal(rename(gone, r->bare), 0);
	prepare(r, NULL);
	assert_code(r->prepared.code, r->prepared.text, 0);
	end(r);
}

static void
a_signed_commit_is_the_one_that_is_pushed(void **state)
{
	struct rig *r = *state;
	auto_buf struct buf out = BUF_INIT(KIB(8));

	start(r, "commit:\n  sign_key_file: /nonexistent/key\n");
	prepare(r, NULL);
	harvest(r, "src/widget.c", "int widget = 1;\n");
	assert_code(r->harvested.code, r->harvested.text, 0);
	assert_int_equal(r->harvested.files, 1);
	push(r, "agent/1-mend", r->harvested.head_sha, NULL);
	assert_code(r->pushed.code, r->pushed.text, 0);
	scene_git(r->bare, "cat-file commit agent/1-mend", &out);
	assert_non_null(strstr(buf_str(&out), "gpgsig -----BEGIN SSH SIGNATURE-----"));
	end(r);
}

static void
refused_harvests_are_denied(void **state)
{
	struct rig *r = *state;

	start(r, "");
	prepare(r, NULL);
	harvest(r, ".github/workflows/ci.yml", "on: push\n");
	assert_code(r->harvested.code, r->harvested.text, ERR_DENIED);
	assert_string_equal(r->harvested.text, ".github/workflows/ci.yml: protected path");
	auto_fd int fd = scene_file(r->s, "# v2 git bundle\nrubbish", 23);
	harvest_fd(r, fd);
	assert_code(r->harvested.code, r->harvested.text, ERR_DENIED);
	assert_null(r->harvested.head_sha);
	end(r);
}

static void
logs_get_a_ref_of_their_own(void **state)
{
	struct rig *r = *state;
	auto_buf struct buf packed = BUF_INIT(KIB(8));
	auto_buf struct buf out = BUF_INIT(KIB(8));
	char cast[] = "{\"version\": 2, \"timestamp\": 1795338000}\n[0.1, \"o\", \"hi\"]\n";
	char text[] = "hi\n";
	struct wire_logs logs = { cast, text };
	struct wire_push p = { .task = 1, .forge = forge, .repo_id = 7, .repo = repo };

	start(r, "");
	assert_int_equal(row_pack(WIRE_LOGS_ROWS, &logs, &packed, NULL), 0);
	struct msg_out m = {
		.type = WIRE_PUSH_LOGS, .obj = &p, .blob = packed.data, .blob_len = packed.len
	};
	(void)msg_call(r->queue, &m, WAIT_MS, on_answer, r);
	until(r, 1);
	assert_code(r->pushed.code, r->pushed.text, 0);
	assert_ref(r, "refs/agent-logs/1", r->pushed.sha);
	scene_git(r->bare, "log -1 --format=%ct refs/agent-logs/1", &out);
	scene_git(r->bare, "show refs/agent-logs/1:task.txt", &out);
	assert_string_equal(buf_str(&out), "1795338000hi");
	end(r);
}

static void
a_dry_run_pushes_nothing(void **state)
{
	struct rig *r = *state;
	auto_buf struct buf out = BUF_INIT(KIB(8));

	start(r, "dry_run: true\n");
	prepare(r, NULL);
	harvest(r, "src/widget.c", "int widget = 1;\n");
	push(r, "agent/1-mend", r->harvested.head_sha, NULL);
	assert_code(r->pushed.code, r->pushed.text, 0);
	scene_git(r->bare, "for-each-ref refs/heads/agent", &out);
	assert_string_equal(buf_str(&out), "");
	end(r);
}

/* ---- Ends ---- */

/* Processes with the text in their arguments: git names the mirror, its helper for http the
 * address. */
static int
count_gits(const char *text)
{
	auto_dir DIR *d = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(d))) {
		auto_buf struct buf args = BUF_INIT(KIB(64));
		auto_free char *path = mem_fmt("/proc/%s/cmdline", entry->d_name);

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
			fs_read(path, &args, NULL) < 0)
			continue;
		n += memmem(buf_str(&args), args.len, text, strlen(text)) ? 1 : 0;
	}
	return n;
}

static void
stall(struct rig *r)
{
	int64_t deadline = clock_boot_ms() + WAIT_MS;

	r->b.shared->stall_after = 600;
	ask_prepare(r, 1, NULL);
	while (!__atomic_load_n(&r->b.shared->is_stalled, __ATOMIC_SEQ_CST)) {
		assert_true(clock_boot_ms() < deadline);
		role_case_wait(&r->c);
	}
	assert_true(count_gits(r->c.dir) > 0);
	assert_true(count_gits(r->b.url) > 0);
	r->b.shared->stall_after = 0;
}

static void
assert_no_gits(const char *text)
{
	for (int64_t deadline = clock_boot_ms() + WAIT_MS; count_gits(text) > 0;)
		assert_true(clock_boot_ms() < deadline);
}

static void
no_child_outlives_a_stopped_courier(void **state)
{
	struct rig *r = *state;
	int64_t start_ms;

	start(r, "");
	stall(r);
	start_ms = clock_boot_ms();
	end(r);
	assert_true(clock_boot_ms() - start_ms < 5000);
	assert_no_gits(r->c.dir);
	assert_no_gits(r->b.url);
}

static void
a_killed_courier_leaves_a_mirror_that_works(void **state)
{
	struct rig *r = *state;

	start(r, "");
	stall(r);
	assert_int_equal(kill(r->c.pid, SIGKILL), 0);
	assert_int_equal(waitpid(r->c.pid, NULL, 0), r->c.pid);
	assert_no_gits(r->c.dir); /* those that touch the mirror */
	r->c.pid = 0;
	r->c.is_ready = false;
	msg_link_destroy(r->queue);
	msg_link_destroy(r->keeper);
	msg_link_destroy(r->c.master);
	msg_link_destroy(r->c.peer);
	start(r, "");
	prepare(r, NULL);
	assert_code(r->prepared.code, r->prepared.text, 0);
	end(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(from_the_forge_to_the_forge),
		TEST(no_change_has_no_commit),
		TEST(a_warm_start_asks_once_and_fetches_nothing),
		TEST(twenty_at_once_are_one_fetch),
		TEST(another_branch_is_its_own_base),
		TEST(settings_are_the_default_branchs),
		TEST(wrong_tokens_and_closed_doors),
		TEST(a_signed_commit_is_the_one_that_is_pushed),
		TEST(refused_harvests_are_denied),
		TEST(logs_get_a_ref_of_their_own),
		TEST(a_dry_run_pushes_nothing),
		TEST(no_child_outlives_a_stopped_courier),
		TEST(a_killed_courier_leaves_a_mirror_that_works),
	};

	/* The role starts its own program again, which is this one. */
	if (argc == 3 && str_eq(argv[2], GIT_CHILD_ROLE))
		_exit(git_child_main());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
