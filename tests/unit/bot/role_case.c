/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real role in a process of its own, confined as in life; the test plays its master and its
 * peers.
 */
#include "tests/unit/bot/role_case.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bot/role_user.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
too_long(void *ctx)
{
	(void)ctx;
	fail_msg("what the test waits for does not come");
}

static void
tick(void *ctx)
{
	loop_stop(ctx);
}

void
role_case_wait(struct role_case *c)
{
	loop_timer_add(c->loop, 5, tick, c->loop);
	assert_int_equal(loop_run(c->loop, NULL), 0);
}

void
role_case_until(struct role_case *c, const int *flag)
{
	struct loop_timer *guard = loop_timer_add(c->loop, 60000, too_long, NULL);

	while (!*flag)
		role_case_wait(c);
	loop_timer_remove(guard);
}

void
role_case_init(struct role_case *c, enum role role)
{
	*c = (struct role_case){ .role = role, .name = role_name(role), .fd = -1 };
	(void)snprintf(c->dir, sizeof(c->dir), "/tmp/role-case-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	assert_int_equal(chmod(c->dir, 0711), 0); /* the role has another user */
	assert_int_equal(loop_create(&c->loop, NULL), 0);
}

const char *
role_case_file(struct role_case *c, const char *name, const char *text)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", c->dir, name);
	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	return path;
}

/* ---- links ---- */

static void
on_master_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct role_case *c = ctx;

	(void)link;
	if (m->type == WIRE_READY)
		c->is_ready = true;
	if (m->type == WIRE_CUT) {
		c->cut++;
		c->cut_role = ((const struct wire_peer *)m->obj)->role;
		c->cut_turn = ((const struct wire_peer *)m->obj)->turn;
	}
}

static void
on_peer_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct role_case *c = ctx;

	(void)link;
	if (m->type != WIRE_BOX_SPENT)
		fail_msg("unasked message %d", m->type);
	mem_set(&c->said_spent, ((const struct wire_usage *)m->obj)->usage);
}

static void
on_gone(void *ctx)
{
	struct role_case *c = ctx;

	c->gone++;
}

static struct msg_link *
make_link(struct role_case *c, enum role self, msg_cb *on_msg, loop_cb *gone, void *ctx)
{
	struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = self,
		.peer = c->role,
		.on_msg = on_msg,
		.on_gone = gone,
		.ctx = ctx,
	};

	return msg_link_create(c->loop, &spec);
}

static void
send_config(struct role_case *c, const struct config *config)
{
	auto_buf struct buf packed = BUF_INIT(LIMIT_SETTINGS_BYTES);
	struct msg_out out = { .type = WIRE_CONFIG };

	assert_int_equal(row_pack(CONFIG_ROWS, config, &packed, NULL), 0);
	out.blob = packed.data;
	out.blob_len = packed.len;
	assert_int_equal(msg_send(c->master, &out, NULL), 0);
}

/* The role gets the other end of link. */
static void
send_peer(struct role_case *c, enum role peer, struct msg_link *link)
{
	int fds[2];
	struct wire_peer who = { .role = (int64_t)peer, .turn = 1 };

	assert_int_equal(msg_pair(fds, NULL), 0);
	assert_int_equal(msg_link_attach(link, fds[0], NULL), 0);
	struct msg_out out = { .type = WIRE_PEER, .obj = &who, .fds = &fds[1], .n_fds = 1 };
	assert_int_equal(msg_send(c->master, &out, NULL), 0);
	(void)close(fds[1]);
}

struct msg_link *
role_case_add_peer(struct role_case *c, enum role peer, msg_cb *on_msg, void *ctx)
{
	struct msg_link *link = make_link(c, peer, on_msg, NULL, ctx);

	send_peer(c, peer, link);
	return link;
}

/* ---- the process ---- */

static void
make_dirs(struct role_case *c, const struct config *config)
{
	struct role_user user;

	assert_int_equal(role_user(ROLES[c->role], config, &user, NULL), 0);
	for (const char *const *name = ROLES[c->role]->writes; name && *name; name++) {
		auto_free char *path = role_path(config, *name);

		assert_int_equal(fs_mkdirs(path, 0700, NULL), 0);
		if (user.uid)
			assert_int_equal(chown(path, user.uid, user.gid), 0);
	}
	assert_int_equal(chmod(config->state_dir, 0711), 0);
}

static void
begin(struct role_case *c, const char *yaml, enum role peer)
{
	auto_config struct config config = { 0 };
	struct err e = { 0 };
	int fds[2];
	auto_free char *text =
		mem_fmt("state_dir: %s/state\npublic_url: http://127.0.0.1:1\n%s", c->dir, yaml);
	auto_free char *name = mem_fmt("%s/nightshift.yaml", c->dir);

	if (config_parse(text, strlen(text), name, &config, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(fs_mkdirs(config.state_dir, 0711, NULL), 0);
	make_dirs(c, &config);
	assert_int_equal(msg_pair(fds, NULL), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		/* What spawn does in life. */
		if (fds[1] != 3 && dup3(fds[1], 3, O_CLOEXEC) < 0)
			_exit(99);
		(void)close_range(4, ~0U, 0);
		if (c->before && c->before() < 0)
			_exit(99);
		_exit(role_main(c->name));
	}
	(void)close(fds[1]);
	c->master = make_link(c, ROLE_MASTER, on_master_msg, NULL, c);
	assert_int_equal(msg_link_attach(c->master, fds[0], NULL), 0);
	send_config(c, &config);
	if (peer != ROLE_COUNT) {
		c->peer = make_link(c, peer, on_peer_msg, on_gone, c);
		send_peer(c, peer, c->peer);
	}
}

void
role_case_start(struct role_case *c, const char *yaml, enum role peer)
{
	begin(c, yaml, peer);
	while (!c->is_ready) {
		role_case_wait(c);
		if (waitpid(c->pid, NULL, WNOHANG) == c->pid)
			fail_msg("the role ended at its start");
	}
}

int
role_case_refuses(struct role_case *c, const char *yaml, enum role peer)
{
	int status = 0;

	begin(c, yaml, peer);
	for (int i = 0; i < 12000 && waitpid(c->pid, &status, WNOHANG) != c->pid; i++)
		role_case_wait(c);
	assert_false(c->is_ready);
	assert_true(WIFEXITED(status));
	c->pid = 0;
	return WEXITSTATUS(status);
}

int
role_case_stop(struct role_case *c)
{
	int status = 0;

	if (!c->pid)
		return 0;
	(void)kill(c->pid, SIGTERM);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	c->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
forget_answer(struct role_case *c)
{
	free(c->verdict.text);
	row_finish(WIRE_USAGE_ROWS, &c->usage);
	free(c->blob);
	c->verdict = (struct wire_verdict){ 0 };
	c->usage = (struct wire_usage){ 0 };
	c->blob = NULL;
	clean_fd(&c->fd);
	c->fd = -1;
}

void
role_case_finish(struct role_case *c)
{
	(void)role_case_stop(c);
	forget_answer(c);
	free(c->said_spent);
	msg_link_destroy(c->peer);
	msg_link_destroy(c->master);
	loop_destroy(c->loop);
	assert_int_equal(fs_remove_tree(c->dir, NULL), 0);
}

/* ---- questions ---- */

static void
on_answer(void *ctx, struct msg *m, const struct err *e)
{
	struct role_case *c = ctx;

	if (!m)
		fail_msg("no answer: %s", e->text);
	c->type = m->type;
	if (m->type == WIRE_BOX_USAGE) {
		row_copy(WIRE_USAGE_ROWS, &c->usage, m->obj);
	} else {
		c->verdict = *(struct wire_verdict *)m->obj;
		((struct wire_verdict *)m->obj)->text = NULL;
	}
	c->blob = mem_zero(m->blob_len + 1);
	if (m->blob_len > 0)
		memcpy(c->blob, m->blob, m->blob_len);
	c->blob_len = m->blob_len;
	if (m->n_fds > 0)
		c->fd = steal_fd(&m->fds[0]);
	c->n_answers++;
	loop_stop(c->loop);
}

void
role_case_ask(struct role_case *c, const struct msg_out *out)
{
	forget_answer(c);
	c->n_answers = 0;
	(void)msg_call(c->peer, out, 60000, on_answer, c);
	role_case_until(c, &c->n_answers);
}

void
role_case_ask_name(struct role_case *c, uint16_t type, const char *name)
{
	char copy[128];
	struct wire_name n = { .name = copy };

	(void)snprintf(copy, sizeof(copy), "%s", name);
	role_case_ask(c, &(struct msg_out){ .type = type, .obj = &n });
}
