/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_labels - the trigger label came or went.
 *
 * A generation starts when the label comes and ends when it goes; one generation makes at most one
 * task. Forges repeat, reorder and abridge label events, so the label must be there when we look,
 * not only in the event.
 */
#include "handlers/adopt.h"
#include "handlers/events.h"
#include "handlers/intents.h"
#include "handlers/policy.h"
#include "handlers/prompt.h"

#include "base/mem.h"

#include <inttypes.h>

static void
label_gone(const struct handler_in *in, struct intents *out)
{
	const struct task *live = in->world->live;
	enum policy_verdict verdict;
	const char *why = NULL;

	if (policy_is_machine(in, &why)) {
		intent_generation(out, false);
		intent_ignore(out, "label removed: %s", why);
		return;
	}
	if (!live) {
		intent_generation(out, false);
		return;
	}
	verdict = policy_actor(in, out, &why);
	if (verdict == POLICY_ASK)
		return;
	intent_generation(out, false);
	if (verdict == POLICY_ALLOW)
		intent_stop(out, live->id, in->event->actor, "the label was removed");
	else
		intent_ignore(out, "label removed, but the task goes on: %s", why);
}

/* A list may be stale: that of an issue's opening comes after its label was found by looking. So
 * the issue is asked before work is stopped. */
static void
gone_if_so(const struct handler_in *in, struct intents *out, const char *label)
{
	const struct fact *issue = intent_need(in, out, OP_ISSUE, NULL);

	if (!issue)
		return;
	if (issue->code == 0 && !strs_has(&issue->answer.labels, label))
		label_gone(in, out);
	else
		intent_ignore(out, "label: %s is still there", label);
}

/* Taking our running label off is how a person without a comment box says stop. */
static void
running_gone(const struct handler_in *in, struct intents *out, const char *running)
{
	const char *why = NULL;

	if (policy_is_machine(in, &why))
		intent_ignore(out, "label removed: %s", why);
	else
		gone_if_so(in, out, running);
}

/* Nobody's work ends with a generation that has no task, or that a machine ended. */
static void
trigger_gone(const struct handler_in *in, struct intents *out)
{
	const char *why = NULL;

	if (!in->world->label_is_on)
		intent_ignore(out, "another label");
	else if (!in->world->live || policy_is_machine(in, &why))
		label_gone(in, out);
	else
		gone_if_so(in, out, in->conf->label);
}

/* The trigger key names the labelling itself where the forge has an id for it, else our count of
 * them. */
static char *
trigger_key(const struct handler_in *in, const struct fact *labelled)
{
	const struct forge_event *ev = in->event;

	if (labelled && labelled->code == 0 && labelled->answer.id > 0)
		return mem_fmt("label:%s:%" PRId64 ":%" PRId64 ":%s:e%" PRId64, in->forge,
			ev->repo_id, ev->number, in->conf->label, labelled->answer.id);
	return mem_fmt("label:%s:%" PRId64 ":%" PRId64 ":%s:g%" PRId64, in->forge, ev->repo_id,
		ev->number, in->conf->label, in->world->generation + 1);
}

static int64_t
labelled_ms(const struct handler_in *in, const struct fact *labelled)
{
	bool is_told = labelled && labelled->code == 0 && labelled->answer.updated_ms > 0;

	return is_told ? labelled->answer.updated_ms : in->event->updated_ms;
}

static void
start(const struct handler_in *in, struct intents *out, const struct fact *labelled,
	const struct fact *pull)
{
	auto_free char *key = trigger_key(in, labelled);
	struct adopt found;
	struct task *t;

	if (!adopt_look(in, out, labelled_ms(in, labelled), &found))
		return;
	intent_generation(out, true);
	intent_ack(in, out);
	t = intent_task(in, out, key);
	t->verb = VERB_FIX;
	adopt_take(&found, t);
	if (pull) {
		t->base_ref = mem_str(pull->answer.ref);
		t->base_sha = mem_str(pull->answer.sha);
	}
	t->prompt = prompt_make(in, t, NULL);
}

static bool
is_fork(const struct handler_in *in, const struct fact *pull)
{
	return pull->answer.head_repo_id != in->event->repo_id;
}

struct looked {
	const struct fact *issue, *labelled, *pull;
	enum policy_verdict verdict;
	const char *why;
};

/* Why nothing starts, or NULL; *tell is what the person who set the label may know of it. */
static const char *
refusal(const struct handler_in *in, const struct looked *l, const char **tell)
{
	if (l->issue->code != 0)
		return "the issue could not be read";
	if (l->issue->answer.is_closed)
		return "the issue is closed";
	if (!strs_has(&l->issue->answer.labels, in->conf->label))
		return "it is gone again";
	if (!in->conf->caps->has_label_events && in->world->label_is_on)
		return "this labelling was seen before";
	if (l->verdict == POLICY_DENY_TELL)
		*tell = "Write permission in this repository is needed for that label.";
	if (l->verdict != POLICY_ALLOW)
		return l->why;
	if (l->pull && l->pull->code != 0)
		return "the pull request could not be read";
	if (l->pull && is_fork(in, l->pull)) {
		*tell = "This pull request comes from a fork, where I cannot push.";
		return "the pull request comes from a fork, where nothing can be pushed";
	}
	return NULL;
}

static void
label_came(const struct handler_in *in, struct intents *out)
{
	struct looked l = { 0 };
	const char *why, *tell = NULL;

	if (in->world->live) {
		intent_ignore(out, "task %" PRId64 " is at work here already", in->world->live->id);
		return;
	}
	l.verdict = policy_actor(in, out, &l.why);
	l.issue = intent_need(in, out, OP_ISSUE, NULL);
	if (in->conf->caps->has_label_events)
		l.labelled = intent_need(in, out, OP_LABEL_EVENT, NULL);
	if (in->event->is_pull)
		l.pull = intent_need(in, out, OP_PULL, NULL);
	if (intents_want_facts(out))
		return;
	why = refusal(in, &l, &tell);
	if (why)
		intent_ignore(out, "label: %s", why);
	if (tell) {
		auto_free char *key = trigger_key(in, l.labelled);

		intent_reply_to(in, out, key, tell);
	}
	if (why)
		return;
	start(in, out, l.labelled, l.pull);
}

void
on_labels(const struct handler_in *in, struct intents *out)
{
	const struct forge_event *ev = in->event;
	auto_free char *running = NULL;

	if (ev->is_closed) {
		intent_ignore(out, "label: the issue is closed");
		return;
	}
	running = mem_fmt("%s:running", in->conf->label);
	if (in->world->live && in->world->running_is_on &&
		forge_event_label(ev, running) == LABEL_OFF) {
		running_gone(in, out, running);
		return;
	}
	switch (forge_event_label(ev, in->conf->label)) {
	case LABEL_ON:
		label_came(in, out);
		return;
	case LABEL_OFF:
		trigger_gone(in, out);
		return;
	case LABEL_UNCHANGED:
		if (ev->is_edited)
			on_edited(in, out);
		else
			intent_ignore(out, "another label");
		return;
	}
}
