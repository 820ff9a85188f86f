/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git - the courier's git side (bot/courier.h) without git: pushes, which may be lost before or
 * after they are done, as requests are.
 */
#include "tests/sim/forge.h"

#include "base/log.h"
#include "base/mem.h"
#include "bot/courier.h"

struct push {
	struct courier *c;
	int64_t life; /* of the courier that was asked */
	uint64_t id;
	struct wire_push ask;
	int code;
	bool is_logs;
};

/* Couriers come and go; an answer is for the one that was asked. */
static const struct courier *current;
static int64_t lives;

static void
push_free(struct push *p)
{
	row_finish(WIRE_PUSH_ROWS, &p->ask);
	free(p);
}

static void
answer(void *ctx)
{
	struct push *p = ctx;
	char text[] = "as the forge would say";
	const struct wire_pushed done = {
		.code = p->code,
		.text = p->code ? text : NULL,
		.sha = p->code ? NULL : p->ask.sha,
	};
	struct err e = { 0 };

	if (current == p->c && lives == p->life &&
		msg_reply(role_link(p->c->role, ROLE_QUEUE), p->id,
			&(struct msg_out){ .type = WIRE_PUSHED, .obj = &done }, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "push.unanswered", &e);
	push_free(p);
}

static size_t
repo_of(const char *name)
{
	return str_eq(name, repo_name(0)) ? 0 : 1;
}

static void
arrive(void *ctx)
{
	struct push *p = ctx;
	auto_free char *ref = p->is_logs ? mem_fmt("refs/agent-logs/%lld", (long long)p->ask.task)
					 : mem_str(p->ask.branch);

	if (p->is_logs)
		mem_set(&p->ask.sha, "2222222222222222222222222222222222222222");
	if (fault_of(100))
		p->code = ERR_BUSY;
	else if (fault_of(100))
		p->code = ERR_TIMEOUT; /* not done, and nobody knows */
	else
		p->code = place_push(repo_of(p->ask.repo), ref, p->ask.old_sha, p->ask.sha);
	if (p->code == 0 && fault_of(100))
		p->code = ERR_TIMEOUT; /* done, and nobody knows */
	(void)loop_timer_add(sim_loop(), chance_delay(50, 20000), answer, p);
}

int
courier_git_start(struct courier *c, struct err *e)
{
	(void)e;
	current = c;
	lives++;
	return 0;
}

void
courier_git_stop(struct courier *c)
{
	(void)c;
	current = NULL;
}

bool
courier_git_msg(struct courier *c, enum role from, struct msg *m)
{
	struct push *p;

	(void)from;
	if (m->type != WIRE_PUSH && m->type != WIRE_PUSH_LOGS)
		return false;
	p = mem_zero(sizeof(*p));
	p->c = c;
	p->life = lives;
	p->id = m->id;
	p->is_logs = m->type == WIRE_PUSH_LOGS;
	row_copy(WIRE_PUSH_ROWS, &p->ask, m->obj);
	(void)loop_timer_add(sim_loop(), chance_delay(200, 20000), arrive, p);
	return true;
}
