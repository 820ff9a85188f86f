/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_agent - the agent's turn: what it remembers is put into its home, it works, what it
 * remembers is taken out again.
 *
 * The two boxes around the agent's see only its home and have no network. The task can do without
 * them: an agent that cannot or will not go on with a session starts afresh, and that is said.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/runner_text.h"
#include "sandbox/agent.h"

#include <inttypes.h>

const struct config_agent *
attempt_agent(const struct attempt *a)
{
	return config_agent_find(a->r->role->config, spec_agent_name(a));
}

const struct agent_row *
attempt_agent_row(const struct attempt *a)
{
	const struct config_agent *agent = attempt_agent(a);

	return agent ? agent_row_find(agent->kind) : NULL;
}

/* ---- before ---- */

/* RFC 9562, version 4: some agents take nothing else. */
static char *
make_uuid(void)
{
	uint8_t b[16];

	crypto_random(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	return mem_fmt("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
		b[14], b[15]);
}

static void
start_agent(struct attempt *a)
{
	const struct agent_row *row = attempt_agent_row(a);
	struct err e = { 0 };
	int rc;

	if (!a->session.id && row && row->fresh)
		a->session.id = make_uuid();
	rc = attempt_run_box(a, PHASE_AGENT, &e);
	if (rc == ERR_INVALID)
		attempt_end(a, OUTCOME_AGENT, "the agent cannot be started: %s", e.text);
	else if (rc < 0)
		attempt_end(a, OUTCOME_INFRA, "%s", e.text);
}

/* From here on there is no earlier session. */
static void
start_afresh(struct attempt *a, const char *why)
{
	struct log_ctx log = runner_log(a);

	log_warn(&log, "session.unusable", "session=%s why=\"%s\"",
		a->session.id ? a->session.id : "", why);
	session_drop(a);
	free(a->session.id);
	a->session = (struct session){ .is_sought = true, .is_refused = true };
	start_agent(a);
}

static bool
has_session(struct attempt *a)
{
	auto_fd int tar = -1;

	return session_find(a, &tar);
}

void
attempt_begin_agent(struct attempt *a)
{
	struct err e = { 0 };

	attempt_step_due(a, "agent");
	a->session.is_sought = true;
	if (!has_session(a))
		start_agent(a);
	else if (attempt_run_box(a, PHASE_RESUME, &e) < 0)
		start_afresh(a, e.text);
}

void
attempt_resume_ended(struct attempt *a, const struct wire_step_done *d)
{
	struct log_ctx log = runner_log(a);

	if (d->ended_by != BOX_END_ITSELF || d->exit_code != 0) {
		start_afresh(a, d->text ? d->text : "it could not be unpacked");
		return;
	}
	log_info(&log, "session.resumed", "session=%s", a->session.id);
	a->session.is_resumed = true;
	start_agent(a);
}

/* ---- behind ---- */

/* What this run used of what the whole session did. */
static void
log_usage(struct attempt *a, const struct wire_step_done *d)
{
	const struct agent_row *row = attempt_agent_row(a);
	bool is_whole = row && row->usage == USAGE_CUMULATIVE && a->session.is_resumed;
	struct log_ctx log = runner_log(a);

	log_info(&log, "agent.ended",
		"exit=%" PRId64 " done=%d session=%s read=%" PRId64 " written=%" PRId64,
		d->exit_code, d->is_done, a->session.id ? a->session.id : "",
		d->read - (is_whole ? a->session.read : 0),
		d->written - (is_whole ? a->session.written : 0));
	a->session.read = d->read;
	a->session.written = d->written;
}

static bool
keeps_session(const struct attempt *a)
{
	const struct agent_row *row = attempt_agent_row(a);

	return row && row->session_dir && a->session.id && a->agent_end != BOX_END_START;
}

void
attempt_after_agent(struct attempt *a)
{
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };

	if (keeps_session(a) && attempt_run_box(a, PHASE_SESSION, &e) == 0)
		return;
	if (e.code < 0)
		log_err(LOG_LEVEL_WARN, &log, "session.unpacked", &e);
	attempt_begin_pack(a);
}

/* An agent that speaks in events says later which words are its last. */
static void
take_last_words(struct attempt *a)
{
	const struct agent_row *row = attempt_agent_row(a);
	auto_buf struct buf words = BUF_INIT(LIMIT_SUMMARY_BYTES);

	if (row && row->rules)
		return;
	text_last_words(a->done.tail, spec_agent_name(a), &words);
	if (words.len > 0)
		mem_set(&a->done.summary, words.data);
}

void
attempt_agent_ended(struct attempt *a, const struct wire_step_done *d)
{
	auto_buf struct buf how = BUF_INIT(LIMIT_SUMMARY_BYTES);

	/* One that takes up its session says so before it asks the model anything. */
	if (a->session.is_resumed && (d->ended_by == BOX_END_START ||
					     (d->ended_by == BOX_END_ITSELF && !d->has_begun))) {
		start_afresh(a, d->text ? d->text : "the agent refused it");
		return;
	}
	a->agent_exit = d->exit_code;
	a->agent_end = d->ended_by;
	reason_of_end(d, &how);
	mem_set(&a->agent_how, buf_str(&how));
	a->agent_is_done = d->is_done;
	mem_set(&a->agent_text, d->text);
	if (d->session)
		mem_set(&a->session.id, d->session);
	attempt_step_end(a, d->exit_code, d->text);
	take_last_words(a);
	log_usage(a, d);
	if (d->ended_by == BOX_END_START)
		attempt_end(a, OUTCOME_AGENT, "the agent %s", a->agent_how);
	else
		turn_wait(a);
}

void
attempt_session_ended(struct attempt *a, const struct wire_step_done *d)
{
	struct log_ctx log = runner_log(a);

	a->session.is_packed = d->ended_by == BOX_END_ITSELF && d->exit_code == 0;
	if (!a->session.is_packed)
		log_warn(&log, "session.unpacked", "exit=%" PRId64 " error=\"%.200s\"",
			d->exit_code, a->quiet_tail ? a->quiet_tail : "");
	attempt_begin_pack(a);
}
