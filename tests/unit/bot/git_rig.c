/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_rig - see git_rig.h.
 */
#include "tests/unit/bot/git_rig.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SIGNATURE "-----BEGIN SSH SIGNATURE-----\nQUJD\n-----END SSH SIGNATURE-----\n"

/* ---- The peers ---- */

static void
on_keeper(void *ctx, struct msg_link *link, struct msg *m)
{
	struct git_rig *r = ctx;
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
	struct git_rig *r = ctx;

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

void
git_rig_start(struct git_rig *r, const char *more)
{
	auto_free char *yaml =
		mem_fmt("forges:\n  gt:\n    kind: gitea\n    url: %s\n"
			"    token_file: %s/token\n    webhook_secret_file: %s/hook\n%s",
			r->b.url, r->c.dir, r->c.dir, more);

	(void)role_case_file(&r->c, "token", RIG_TOKEN "\n");
	(void)role_case_file(&r->c, "hook", "secret-0123456789\n");
	role_case_start(&r->c, yaml, ROLE_RUNNER);
	r->queue = role_case_add_peer(&r->c, ROLE_QUEUE, on_queue, r);
	r->keeper = role_case_add_peer(&r->c, ROLE_KEEPER, on_keeper, r);
}

void
git_rig_end(struct git_rig *r)
{
	assert_int_equal(role_case_stop(&r->c), 0);
	msg_link_destroy(r->queue);
	msg_link_destroy(r->keeper);
	r->queue = r->keeper = NULL;
}

int
git_rig_setup(void **state)
{
	struct git_rig *r = mem_zero(sizeof(*r));
	auto_buf struct buf userinfo = BUF_INIT(KIB(1));
	void *scene;
	struct err e = { 0 };

	assert_int_equal(scene_setup(&scene), 0);
	r->s = scene;
	r->token = RIG_TOKEN;
	r->bare = mem_fmt("%s/forge/acme/widget.git", r->s->dir);
	auto_free char *root = mem_fmt("%s/forge", r->s->dir);
	auto_free char *parent = mem_fmt("%s/acme", root);
	auto_free char *clone = mem_fmt("clone -q --bare %s %s", r->s->work, r->bare);
	assert_int_equal(fs_mkdirs(parent, 0755, &e), 0);
	scene_git(r->s->dir, clone, NULL);
	forge_driver_get(FORGE_GITEA)->git_userinfo(RIG_TOKEN, &userinfo);
	backend_start(&r->b, root, buf_str(&userinfo));
	role_case_init(&r->c, ROLE_COURIER);
	*state = r;
	return 0;
}

int
git_rig_teardown(void **state)
{
	struct git_rig *r = *state;
	void *scene = r->s;

	if (r->queue)
		git_rig_end(r);
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

void
git_rig_forget(struct git_rig *r)
{
	r->c.pid = 0;
	r->c.is_ready = false;
	msg_link_destroy(r->queue);
	msg_link_destroy(r->keeper);
	msg_link_destroy(r->c.master);
	msg_link_destroy(r->c.peer);
}

/* ---- Questions ---- */

static char forge[] = "gt";
static char repo[] = "acme/widget";

void
git_rig_until(struct git_rig *r, int answers)
{
	int64_t deadline = clock_boot_ms() + RIG_WAIT_MS;

	while (r->answers < answers) {
		assert_true(clock_boot_ms() < deadline);
		role_case_wait(&r->c);
	}
}

void
git_rig_ask_prepare(struct git_rig *r, int64_t task, const char *branch)
{
	auto_free char *base_ref = mem_str(branch);
	struct wire_prepare p = { .task = task,
		.attempt = 1,
		.forge = forge,
		.repo_id = 7,
		.repo = repo,
		.base_ref = base_ref };
	struct msg_out out = { .type = WIRE_PREPARE, .obj = &p };

	(void)msg_call(r->c.peer, &out, RIG_WAIT_MS, on_answer, r);
}

void
git_rig_prepare(struct git_rig *r, const char *branch)
{
	r->answers = 0;
	git_rig_ask_prepare(r, 1, branch);
	git_rig_until(r, 1);
}

void
git_rig_harvest_fd(struct git_rig *r, int fd)
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
	(void)msg_call(r->c.peer, &out, RIG_WAIT_MS, on_answer, r);
	git_rig_until(r, 1);
}

/* As the boxes do: a copy, a change, a commit, a bundle. */
void
git_rig_harvest(struct git_rig *r, const char *name, const char *text)
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
	git_rig_harvest_fd(r, fd);
}

void
git_rig_push(struct git_rig *r, const char *branch, const char *sha, const char *old_sha)
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
	(void)msg_call(r->queue, &out, RIG_WAIT_MS, on_answer, r);
	git_rig_until(r, 1);
}

void
git_rig_assert_ref(struct git_rig *r, const char *ref, const char *sha)
{
	auto_free char *args = mem_fmt("rev-parse %s", ref);
	auto_buf struct buf out = BUF_INIT(KIB(1));

	scene_git(r->bare, args, &out);
	assert_string_equal(buf_str(&out), sha);
}

void
git_rig_assert_code(int64_t code, const char *text, int64_t wanted)
{
	if (code != wanted)
		fail_msg("%lld %s", (long long)code, text ? text : "");
}

void
git_rig_push_logs(struct git_rig *r, const char *cast, const char *text)
{
	auto_buf struct buf packed = BUF_INIT(KIB(8));
	auto_free char *c = mem_str(cast);
	auto_free char *t = mem_str(text);
	struct wire_logs logs = { c, t };
	struct wire_push p = { .task = 1, .forge = forge, .repo_id = 7, .repo = repo };

	assert_int_equal(row_pack(WIRE_LOGS_ROWS, &logs, &packed, NULL), 0);
	struct msg_out m = {
		.type = WIRE_PUSH_LOGS, .obj = &p, .blob = packed.data, .blob_len = packed.len
	};
	r->answers = 0;
	(void)msg_call(r->queue, &m, RIG_WAIT_MS, on_answer, r);
	git_rig_until(r, 1);
}
