/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_meter - what a box takes at the models, and the end of it.
 */
#include "bot/gateway_meter.h"

#include "base/clean.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/gateway_conn.h"

#include <inttypes.h>

/* Codex gives up after 30 of them, others never do. */
#define FAILURES_MAX 30

/* ---- the budget of a box ---- */

void
budget_open(struct gateway_budget *b, const struct wire_box *w)
{
	b->tokens_max = w->tokens_max;
	b->cost_max = w->cost_max;
	if (b->uses.n == 0)
		usage_parse(w->usage, &b->uses);
}

void
budget_finish(struct gateway_budget *b)
{
	usage_finish(&b->uses);
	free(b->spent);
}

static void
spend(struct gateway_box *box, const char *fmt, int64_t value)
{
	auto_buf struct buf why = BUF_INIT(256);

	if (box->budget.spent)
		return;
	(void)buf_adds(&why, fmt);
	if (value > 0)
		(void)buf_addf(&why, " (%" PRId64 ")", value);
	box->budget.spent = buf_steal(&why);
	log_warn(&(struct log_ctx){ .task = box->task }, "gateway.spent", "why=\"%s\"",
		box->budget.spent);
}

static void
check_budget(struct gateway_box *box)
{
	struct gateway_budget *b = &box->budget;
	struct usage total;

	usage_total(&b->uses, &total);
	if (b->tokens_max > 0 && usage_tokens(&total) + b->held_tokens >= b->tokens_max)
		spend(box, "the task's budget of tokens is used up", 0);
	if (b->cost_max > 0 && total.cost_micro + b->held_cost >= b->cost_max)
		spend(box, "the task's budget of money is used up", 0);
}

/* ---- the answers that make clients stop ---- */

static void
add_quota_error(struct buf *out, const char *why)
{
	(void)buf_adds(out, "{\"code\":\"insufficient_quota\",\"type\":\"insufficient_quota\","
			    "\"message\":");
	(void)json_quote(out, why, strlen(why));
	(void)buf_adds(out, ",\"param\":null}");
}

void
meter_last_event(const struct gateway_conn *c, struct buf *out)
{
	if (c->route.endpoint != EGRESS_RESPONSES || !c->metering.wants_stream)
		return;
	/* The line breaks end an event that was cut in two. */
	(void)buf_adds(out,
		"\n\nevent: response.failed\ndata: {\"type\":\"response.failed\","
		"\"sequence_number\":0,\"response\":{\"id\":\"resp_gateway\","
		"\"object\":\"response\",\"status\":\"failed\",\"output\":[],\"error\":");
	add_quota_error(out, c->box->budget.spent);
	(void)buf_adds(out, "}}\n\n");
}

/* Codex tries again whatever the status but 400, unless a stream says that the quota is used up;
 * Claude Code stops at 403, as do the others. */
static void
refuse(struct gateway_conn *c)
{
	auto_buf struct buf body = BUF_INIT(KIB(4));

	if (c->route.endpoint != EGRESS_RESPONSES) {
		conn_answer(c, 403, c->box->budget.spent);
		return;
	}
	if (c->metering.wants_stream) {
		meter_last_event(c, &body);
		conn_answer_with(c, 200, "text/event-stream", &body);
		return;
	}
	(void)buf_adds(&body, "{\"error\":");
	add_quota_error(&body, c->box->budget.spent);
	(void)buf_adds(&body, "}\n");
	conn_answer_with(c, 400, "application/json", &body);
}

/* ---- one request ---- */

static int64_t
cost_of(const struct gateway_metering *g, const struct egress_usage *u)
{
	const struct config_tokens t = { u->in, u->cached, u->written, u->out };

	return g->has_price ? config_price_cost(&g->price, &t) : 0;
}

static void
hold(struct gateway_conn *c, int64_t tokens, int64_t cost)
{
	struct gateway_budget *b = &c->box->budget;

	b->held_tokens += tokens - c->metering.held_tokens;
	b->held_cost += cost - c->metering.held_cost;
	c->metering.held_tokens = tokens;
	c->metering.held_cost = cost;
}

static void
hold_what_is_known(struct gateway_conn *c)
{
	struct egress_usage u;

	egress_meter_read(&c->metering.meter, &u);
	hold(c, u.in + u.cached + u.written + u.out, cost_of(&c->metering, &u));
	check_budget(c->box);
}

bool
meter_begin(struct gateway_conn *c, const struct config_model *m, const struct egress_body *body)
{
	struct gateway_metering *g = &c->metering;
	const char *model = body->models.n > 0 ? body->models.v[0] : "";

	g->wants_stream = body->wants_stream;
	check_budget(c->box);
	if (!c->box->budget.spent) {
		g->has_price = config_price_find(m, model, &g->price);
		if (!g->has_price && c->box->budget.cost_max > 0)
			spend(c->box,
				"the task's cost is limited, and this model has no price in the "
				"server's configuration",
				0);
	}
	if (c->box->budget.spent) {
		refuse(c);
		return false;
	}
	egress_meter_init(&g->meter, c->route.api, c->body.len);
	hold_what_is_known(c);
	if (c->box->budget.spent) { /* by the question alone */
		hold(c, 0, 0);
		refuse(c);
		return false;
	}
	g->is_on = true;
	g->model = mem_str(model);
	return true;
}

bool
meter_feed(struct gateway_conn *c, const char *data, size_t len)
{
	if (!c->metering.is_on || c->status >= 300)
		return true;
	egress_meter_feed(&c->metering.meter, data, len);
	hold_what_is_known(c);
	return c->box->budget.spent == NULL;
}

static void
count_failure(struct gateway_box *box, int status)
{
	/* What the box itself gets wrong says nothing about the provider, but is no success either.
	 */
	if (status >= 200 && status < 300)
		box->budget.failures = 0;
	else if (++box->budget.failures >= FAILURES_MAX)
		spend(box, "the model's API answered with errors too many times in a row",
			FAILURES_MAX);
}

void
meter_end(struct gateway_conn *c, int status)
{
	struct gateway_metering *g = &c->metering;
	struct egress_usage u = { 0 };

	if (!g->is_on)
		return;
	g->is_on = false;
	hold(c, 0, 0);
	if (status == 0 || status < 300)
		egress_meter_read(&g->meter, &u);
	struct usage use = { .model = g->model,
		.requests = 1,
		.in = u.in,
		.cached = u.cached,
		.written = u.written,
		.out = u.out,
		.cost_micro = g->has_price ? cost_of(g, &u) : USAGE_COST_UNKNOWN };
	usage_add(&c->box->budget.uses, &use);
	free(steal_ptr(&g->model));
	count_failure(c->box, status);
	check_budget(c->box);
	gateway_box_say_spent(c->box);
}
