/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_rig - see runner_rig.h.
 */
#include "tests/unit/bot/runner_rig.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- shell ---- */

/* Output of a shell command in a directory; fails the test unless it ends with 0. */
static char *
shell(const char *dir, const char *command)
{
	struct buf out = BUF_INIT(1 << 20);
	char data[4096];
	ssize_t n;
	int ends[2];
	int status = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (chdir(dir) < 0 || dup3(ends[1], 1, 0) < 0)
			_exit(99);
		(void)execle("/bin/sh", "sh", "-ec", command, NULL,
			(char *[]){ (char[]){ "PATH=/usr/bin:/bin" },
				(char[]){ "HOME=/nonexistent" },
				(char[]){ "GIT_CONFIG_NOSYSTEM=1" }, NULL });
		_exit(99);
	}
	(void)close(ends[1]);
	while ((n = read(ends[0], data, sizeof(data))) > 0)
		(void)buf_add(&out, data, (size_t)n);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s: %s", command, buf_str(&out));
	(void)buf_adds(&out, "");
	return buf_steal(&out);
}

/* As the courier makes one, in short: its own .git, an index that knows the files' times. */
static void
make_checkout(struct runner_rig *r)
{
	r->checkout = mem_fmt("%s/checkout", r->c.dir);
	assert_int_equal(mkdir(r->checkout, 0755), 0);
	auto_free char *sha = shell(r->checkout,
		"git init -q -b main . && git config user.name a && git config user.email a@b &&"
		"git config core.checkStat minimal && git config core.trustctime false &&"
		"mkdir src && echo 'a - b' >src/add && echo one >README && echo 'ignored/' "
		">.gitignore &&"
		"find . -not -path './.git*' -exec touch -d @1600000000 {} + &&"
		"git add -A && git commit -q -m base && git status --porcelain && git rev-parse "
		"HEAD");
	assert_int_equal(strlen(sha), 41);
	memcpy(r->base_sha, sha, 40);
}

char *
runner_rig_git(const struct runner_rig *r, const char *words)
{
	auto_free char *command = mem_fmt("rm -rf clone && git clone -q checkout clone 2>/dev/null "
					  "&& cd clone && git bundle verify -q %s 2>/dev/null"
					  " && git fetch -q %s refs/heads/changes && git %s",
		r->bundle, r->bundle, words);

	return shell(r->c.dir, command);
}

void
runner_rig_harvest_file(struct runner_rig *r, const char *name, const char *text)
{
	auto_free char *dir = mem_fmt("%s/delta", r->c.dir);
	auto_free char *path = mem_fmt("%s/%s", dir, name);
	auto_free char *parent = mem_strn(path, (size_t)(strrchr(path, '/') - path));

	row_finish(WIRE_HARVESTED_ROWS, &r->harvested);
	assert_int_equal(fs_mkdirs(parent, 0755, NULL), 0);
	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, NULL), 0);
	r->harvested.head_sha = mem_str("0123456789012345678901234567890123456789");
	r->harvested.files = 1;
	r->harvested.delta_dir = mem_str(dir);
	r->harvested.owner_uid = (int64_t)geteuid();
}

/* ---- the courier ---- */

static void
answer_prepare(struct runner_rig *r, uint64_t id)
{
	auto_free char *text = mem_str(r->prepare_code < 0 ? "no such branch" : NULL);
	auto_free char *main_ref = mem_str("main");
	auto_free char *ref = mem_str(r->pull_ref ? r->pull_ref : "main");
	struct wire_prepared p = {
		.code = r->prepare_code,
		.text = text,
		.base_sha = r->base_sha,
		.default_branch = main_ref,
		.base_ref = ref,
		.checkout_dir = r->checkout,
		.owner_uid = (int64_t)geteuid(),
	};
	auto_buf struct buf packed = BUF_INIT(LIMIT_SETTINGS_BYTES);

	assert_int_equal(row_pack(AGENT_SETTINGS_ROWS, &r->settings, &packed, NULL), 0);
	struct msg_out out = {
		.type = WIRE_PREPARED, .obj = &p, .blob = packed.data, .blob_len = packed.len
	};
	assert_int_equal(msg_reply(r->courier, id, &out, NULL), 0);
}

void
runner_rig_answer(struct runner_rig *r)
{
	assert_int_not_equal(r->unanswered, 0);
	answer_prepare(r, r->unanswered);
	r->unanswered = 0;
}

static void
keep_bundle(struct runner_rig *r, int fd)
{
	char data[65536];
	ssize_t n;
	off_t at = 0;

	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	auto_fd int to = open(r->bundle, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(to >= 0);
	while ((n = pread(fd, data, sizeof(data), at)) > 0) {
		assert_int_equal(write(to, data, (size_t)n), n);
		at += n;
	}
}

static void
on_courier(void *ctx, struct msg_link *link, struct msg *m)
{
	struct runner_rig *r = ctx;

	(void)link;
	if (m->type == WIRE_PREPARE) {
		r->n_prepares++;
		if (r->is_dumb)
			r->unanswered = m->id;
		else
			answer_prepare(r, m->id);
		return;
	}
	assert_int_equal(m->type, WIRE_HARVEST);
	assert_int_equal(m->n_fds, 1);
	r->n_muted += r->mute == WIRE_HARVEST;
	if (r->mute == WIRE_HARVEST)
		return;
	row_finish(WIRE_HARVEST_ROWS, &r->asked);
	row_copy(WIRE_HARVEST_ROWS, &r->asked, m->obj);
	keep_bundle(r, m->fds[0]);
	assert_int_equal(
		msg_reply(r->courier, m->id,
			&(struct msg_out){ .type = WIRE_HARVESTED, .obj = &r->harvested }, NULL),
		0);
}

/* ---- the gateway ---- */

static void
on_gateway(void *ctx, struct msg_link *link, struct msg *m)
{
	struct runner_rig *r = ctx;
	struct wire_verdict ok = { .ok = true };
	char host[] = "1000 evil.example:443 not open";
	struct wire_usage usage = {
		.ok = true, .blocked = host, .usage = r->usage, .spent = r->spent
	};
	int ends[2] = { -1, -1 };
	struct msg_out out = { .type = WIRE_BOX_OPENED, .obj = &ok, .fds = ends, .n_fds = 1 };

	(void)link;
	if (m->type == WIRE_BOX_OPEN) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		clean_fd(&r->life_fd);
		r->life_fd = ends[1];
		r->n_opens++;
		r->opened = *(const struct wire_box *)m->obj;
		clean_fd(&r->listen_fd);
		r->listen_fd = steal_fd(&m->fds[0]);
	} else if (r->mute == m->type) {
		r->n_muted++;
		return;
	} else {
		r->n_closes++;
		out = (struct msg_out){ .type = WIRE_BOX_USAGE, .obj = &usage };
	}
	if (!r->gateway_is_dumb || m->type != WIRE_BOX_OPEN)
		assert_int_equal(msg_reply(r->gateway, m->id, &out, NULL), 0);
	clean_fd(&ends[0]);
}

/* ---- the queue ---- */

static void
note_told(struct runner_rig *r, const struct wire_progress *p)
{
	const struct task_step *step = p->step.v;

	if (p->state >= 0)
		strs_addf(&r->told, "%" PRId64 " %s", p->task, task_state_name(p->state));
	if (p->step.n == 1 && step->ended_ms)
		strs_addf(
			&r->told, "%" PRId64 " %s %" PRId64, p->task, step->name, step->exit_code);
	else if (p->step.n == 1)
		strs_addf(&r->told, "%" PRId64 " %s", p->task, step->name);
}

static void
take_progress(struct runner_rig *r, const struct wire_progress *p)
{
	const struct task_step *step = p->step.v;

	note_told(r, p);
	if (p->state >= 0)
		strs_add(&r->states, task_state_name(p->state));
	if (p->step.n == 1 && step->ended_ms)
		strs_addf(&r->steps, "%s %" PRId64, step->name, step->exit_code);
	if (p->tail)
		mem_set(&r->tail, p->tail);
}

static void
take_done(struct runner_rig *r, const struct msg *m)
{
	struct wire_logs logs = { 0 };

	row_finish(WIRE_DONE_ROWS, &r->done);
	row_copy(WIRE_DONE_ROWS, &r->done, m->obj);
	assert_int_equal(row_unpack(WIRE_LOGS_ROWS, &logs, m->blob, m->blob_len, NULL), 0);
	mem_set(&r->text, logs.text);
	mem_set(&r->cast, logs.cast);
	row_finish(WIRE_LOGS_ROWS, &logs);
	r->n_done++;
	if (!r->takes_nothing)
		assert_int_equal(
			msg_reply(r->queue, m->id, &(struct msg_out){ .type = WIRE_TAKEN }, NULL),
			0);
}

static void
on_queue(void *ctx, struct msg_link *link, struct msg *m)
{
	struct runner_rig *r = ctx;

	(void)link;
	if (m->type == WIRE_CLAIM) {
		row_finish(WIRE_CLAIM_ROWS, &r->claim);
		row_copy(WIRE_CLAIM_ROWS, &r->claim, m->obj);
		r->n_claims++;
		r->had_slots |= r->claim.free_slots > 0;
	} else if (m->type == WIRE_PROGRESS) {
		take_progress(r, m->obj);
	} else {
		assert_int_equal(m->type, WIRE_DONE);
		take_done(r, m);
	}
}

void
runner_rig_new_queue(struct runner_rig *r)
{
	msg_link_destroy(r->queue);
	r->queue = role_case_add_peer(&r->c, ROLE_QUEUE, on_queue, r);
}

void
runner_rig_new_gateway(struct runner_rig *r)
{
	msg_link_destroy(r->gateway);
	r->gateway = role_case_add_peer(&r->c, ROLE_GATEWAY, on_gateway, r);
}

/* ---- life ---- */

/* It takes work when it knows how to find secrets: nobody gives it any before. */
static void
until_slots(struct runner_rig *r)
{
	for (int i = 0; i < 12000 && !r->had_slots; i++)
		role_case_wait(&r->c);
	assert_true(r->had_slots);
}

void
runner_rig_init(struct runner_rig *r, const char *agent, const char *more)
{
	runner_rig_init_kind(r, NULL, agent, more);
}

void
runner_rig_init_kind(struct runner_rig *r, const char *kind, const char *agent, const char *more)
{
	auto_free char *how = NULL;
	auto_free char *yaml = NULL;
	auto_free char *tools = NULL;
	auto_free char *program = NULL;

	*r = (struct runner_rig){ .secret = RUNNER_RIG_SECRET, .listen_fd = -1, .life_fd = -1 };
	role_case_init(&r->c, ROLE_RUNNER);
	tools = mem_fmt("%s/tools", r->c.dir);
	program = mem_fmt("%s/agent", tools);
	assert_int_equal(mkdir(tools, 0755), 0);
	assert_int_equal(fs_write_atomic(program, agent, strlen(agent), 0755, NULL), 0);
	make_checkout(r);
	r->bundle = mem_fmt("%s/bundle", r->c.dir);
	how = kind ? mem_fmt("kind: %s, path: %s, model: m", kind, program)
		   : mem_fmt("command: [%s]", program);
	yaml = mem_fmt("forges: { f: { kind: gitea, url: http://127.0.0.1:9, token_file: t, "
		       "webhook_secret_file: h } }\n"
		       "%sagent: mine\nagents: { mine: { %s } }\nsandbox: { "
		       "tools: [%s] }\n%s",
		strstr(more, "boxes:") ? "" : "boxes: 2\n", how, tools, more);
	r->yaml = steal_ptr(&yaml);
	runner_rig_begin(r);
	until_slots(r);
}

void
runner_rig_begin(struct runner_rig *r)
{
	r->had_slots = false;
	role_case_start(&r->c, r->yaml, ROLE_COUNT);
	r->courier = role_case_add_peer(&r->c, ROLE_COURIER, on_courier, r);
	runner_rig_new_keeper(r);
	runner_rig_new_gateway(r);
	runner_rig_new_queue(r);
}

void
runner_rig_finish(struct runner_rig *r)
{
	assert_int_equal(role_case_stop(&r->c), 0);
	runner_rig_end_shims(r);
	msg_link_destroy(r->queue);
	msg_link_destroy(r->courier);
	msg_link_destroy(r->keeper);
	msg_link_destroy(r->gateway);
	clean_fd(&r->listen_fd);
	clean_fd(&r->life_fd);
	row_finish(AGENT_SETTINGS_ROWS, &r->settings);
	row_finish(WIRE_HARVESTED_ROWS, &r->harvested);
	row_finish(WIRE_HARVEST_ROWS, &r->asked);
	row_finish(WIRE_CLAIM_ROWS, &r->claim);
	row_finish(WIRE_DONE_ROWS, &r->done);
	strs_finish(&r->steps);
	strs_finish(&r->states);
	strs_finish(&r->told);
	free(r->yaml);
	free(r->checkout);
	free(r->bundle);
	free(r->text);
	free(r->cast);
	free(r->tail);
	role_case_finish(&r->c);
}

void
runner_rig_start(struct runner_rig *r, int64_t task, int64_t fence)
{
	struct task t = { .id = task,
		.fence = fence,
		.attempt = 1,
		.repo_id = 5,
		.number = 3,
		.created_ms = 1700000000000 };

	until_slots(r);
	t.forge = mem_str("f");
	t.repo = mem_str("acme/add");
	t.title = mem_str("sum is wrong");
	t.actor = mem_str("alice");
	t.prompt = mem_str(r->prompt ? r->prompt : "mend it\n");
	t.branch = mem_str(r->branch);
	t.is_pull = r->pull_ref != NULL;
	t.base_ref = mem_str(r->pull_ref);
	struct wire_start start = { .task = { &t, 1 } };
	assert_int_equal(
		msg_send(r->queue, &(struct msg_out){ .type = WIRE_START, .obj = &start }, NULL),
		0);
	task_finish(&t);
}

void
runner_rig_stop(struct runner_rig *r, int64_t task, int64_t fence)
{
	struct wire_stop stop = { .task = task, .fence = fence };

	assert_int_equal(
		msg_send(r->queue, &(struct msg_out){ .type = WIRE_STOP, .obj = &stop }, NULL), 0);
}
