/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_start - what the commands that start a task share: options, facts, the task.
 */
#include "handlers/adopt.h"
#include "handlers/commands.h"
#include "handlers/intents.h"
#include "handlers/prompt.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

struct options {
	char *agent;
	char *base;
	const char *words; /* the rest, borrowed from the command */
};

static void
options_finish(struct options *o)
{
	free(o->agent);
	free(o->base);
}

/* Takes the next word of *rest; NULL at the end. */
static char *
word(const char **rest)
{
	const char *start = *rest + strspn(*rest, " \t");
	size_t len = strcspn(start, " \t");

	*rest = start + len;
	return len > 0 ? mem_strn(start, len) : NULL;
}

/* Options stand before the words; the first word that is none ends them. */
static int
options_parse(const char *args, struct options *o, struct err *e)
{
	const char *rest = args ? args : "";

	for (;;) {
		const char *before = rest;
		auto_free char *name = word(&rest);
		char **value = NULL;

		if (name && strcmp(name, "--agent") == 0)
			value = &o->agent;
		else if (name && strcmp(name, "--base") == 0)
			value = &o->base;
		else if (name && str_starts(name, "--"))
			return err_set(e, ERR_INVALID,
				"I do not know that option; `--agent` and `--base` exist");
		if (!value) {
			o->words = before + strspn(before, " \t");
			return 0;
		}
		free(*value);
		*value = word(&rest);
		if (!*value)
			return err_set(e, ERR_INVALID, "an option lacks its value");
	}
}

/* A branch name that git takes and that no tool reads as an option or a path
 * (git-check-ref-format(1)). */
static bool
branch_ok(const char *name)
{
	if (name[0] == '-' || name[0] == '/' || strlen(name) > LIMIT_NAME_BYTES ||
		strstr(name, "..") || strstr(name, "@{"))
		return false;
	if (str_ends(name, "/") || str_ends(name, ".lock") || str_ends(name, ".") ||
		strstr(name, "//") || strstr(name, "/."))
		return false;
	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("~^:?*[\\", *p))
			return false;
	}
	return true;
}

static int
options_check(const struct handler_conf *conf, const struct options *o, struct err *e)
{
	bool known = o->agent == NULL;

	for (size_t i = 0; !known && conf->agents && conf->agents[i]; i++)
		known = str_eq(conf->agents[i], o->agent);
	if (!known)
		return err_set(e, ERR_INVALID, "that agent is not configured here");
	if (o->base && !branch_ok(o->base))
		return err_set(e, ERR_INVALID, "that is not a name for a branch");
	return 0;
}

static const char *
why_not(const struct handler_in *in, const struct fact *pull)
{
	if (in->event->is_closed)
		return "It is closed; open it again first.";
	if (pull && pull->code != 0)
		return "The pull request could not be read; please try again.";
	if (pull && pull->answer.head_repo_id != in->event->repo_id)
		return "This pull request comes from a fork, where I cannot push.";
	return NULL;
}

void
command_start(const struct command_in *c, struct intents *out, enum task_verb verb)
{
	const struct handler_in *in = c->in;
	auto_cleanup(options_finish) struct options o = { 0 };
	auto_free char *key = NULL;
	const struct fact *pull = NULL;
	struct adopt found;
	struct err e = { 0 };
	struct task *t;

	if (options_parse(c->command->args, &o, &e) < 0 || options_check(in->conf, &o, &e) < 0) {
		auto_free char *text = mem_fmt("%s.", e.text);

		intent_reply(in, out, c->n, text);
		return;
	}
	/* Told by the forge and found by looking: its task is the one at work. */
	if (in->world->live && in->event->comment_id > 0 &&
		in->world->live->comment_id == in->event->comment_id) {
		intent_ignore(out, "task %" PRId64 " comes from that comment", in->world->live->id);
		return;
	}
	if (in->world->live) {
		auto_free char *text =
			mem_fmt("Task %" PRId64 " is at work here already; `stop` ends it.",
				in->world->live->id);

		intent_reply(in, out, c->n, text);
		return;
	}
	if (in->event->is_pull) {
		pull = intent_need(in, out, OP_PULL, NULL);
		if (!pull)
			return;
	}
	if (why_not(in, pull)) {
		intent_reply(in, out, c->n, why_not(in, pull));
		return;
	}
	if (!adopt_look(in, out, in->event->updated_ms, &found))
		return;
	key = mem_fmt("comment:%s:%" PRId64 ":%" PRId64 ".%zu", in->forge, in->event->repo_id,
		in->event->comment_id, c->n);
	intent_ack(in, out);
	t = intent_task(in, out, key);
	t->verb = verb;
	adopt_take(&found, t);
	t->instruction = mem_str(str_is_empty(o.words) ? NULL : o.words);
	t->agent = mem_str(o.agent);
	t->base_ref = mem_str(pull ? pull->answer.ref : o.base);
	t->base_sha = mem_str(pull ? pull->answer.sha : NULL);
	t->prompt = prompt_make(in, t, t->instruction);
}
