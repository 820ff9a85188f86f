/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim - see shim.h: the transcript, the steps, the end.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim_state.h"
#include "sandbox/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define TABLE_FD      4
#define TAIL_EVERY_MS 1000
#define STOP_GRACE_MS 2000 /* a person waits, and the box is gone in under 5 s */

/* ---- the transcript ---- */

static int
open_new(const char *name)
{
	return open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int
start_recorder(struct shim *s, const struct box_spec *spec, struct err *e)
{
	auto_fd int half = open_new(SHIM_HALF);
	auto_fd int cast = open_new(SHIM_CAST);
	auto_fd int text = open_new(SHIM_TEXT);

	if (half < 0 || cast < 0 || text < 0)
		return err_sys(e, "create the transcript");
	int64_t room = LIMIT_TRANSCRIPT_BYTES - KIB(1); /* for the mark of what was left out */
	if (spec->log_bytes_max > 0 && spec->log_bytes_max < room)
		room = spec->log_bytes_max;
	struct recorder_spec r = {
		.cast_fd = steal_fd(&cast),
		.text_fd = steal_fd(&text),
		.bytes_max = room,
		.wall_ms = clock_wall_ms(),
		.redactions = buf_str(&s->redactions),
		.redactions_len = s->redactions.len,
	};
	return recorder_create(&r, loop_now_ms(s->loop), &s->recorder, e);
}

void
shim_tail(const struct shim *s, struct buf *out)
{
	if (s->step && s->step->spec.is_quiet)
		(void)str_utf8_clean(out, buf_str(&s->quiet), s->quiet.len);
	else if (s->recorder)
		recorder_tail(s->recorder, LIMIT_TAIL_BYTES, out);
}

static void
on_tail(void *ctx)
{
	struct shim *s = ctx;

	s->tail = NULL;
	if (s->tail_is_old)
		shim_say_tail(s);
}

static void
tail_later(struct shim *s)
{
	s->tail_is_old = true;
	if (!s->tail)
		s->tail = loop_timer_add(s->loop, TAIL_EVERY_MS, on_tail, s);
}

static void
on_flush(void *ctx)
{
	struct shim *s = ctx;

	s->flush = NULL;
	if (recorder_tick(s->recorder, loop_now_ms(s->loop)))
		tail_later(s);
	if (recorder_is_waiting(s->recorder))
		s->flush = loop_timer_add(s->loop, RECORDER_COALESCE_MS, on_flush, s);
}

static void
keep_quiet(struct shim *s, const char *data, size_t len)
{
	if (len > LIMIT_TAIL_BYTES / 4) {
		data += len - LIMIT_TAIL_BYTES / 4;
		len = LIMIT_TAIL_BYTES / 4;
	}
	/* A quarter, because each bad byte becomes three and the rest is room for the next piece.
	 */
	if (s->quiet.len + len > s->quiet.limit)
		buf_drop(&s->quiet, s->quiet.len + len - s->quiet.limit);
	(void)buf_add(&s->quiet, data, len);
}

void
shim_record(struct shim *s, const char *data, size_t len)
{
	if (len == 0)
		return;
	s->tail_is_old = true;
	if (s->step && s->step->spec.is_quiet) {
		keep_quiet(s, data, len);
		return;
	}
	recorder_write(s->recorder, data, len, loop_now_ms(s->loop));
	if (!s->flush && recorder_is_waiting(s->recorder))
		s->flush = loop_timer_add(s->loop, RECORDER_COALESCE_MS, on_flush, s);
	tail_later(s);
}

/* How it ended, where a reader of the log would ask. */
static void
note_end(struct shim *s, int exit_code)
{
	const struct shim_step *step = s->step;
	auto_free char *line = NULL;

	if (step->end == BOX_END_ITSELF && exit_code == 0)
		return;
	if (step->end == BOX_END_ITSELF)
		line = mem_fmt("%s: exit code %d", step->spec.name, exit_code);
	else if (step->text)
		line = mem_fmt("%s: %s", step->spec.name, step->text);
	else
		line = mem_fmt("%s: ended by %s", step->spec.name, box_end_name(step->end));
	recorder_note(s->recorder, line, loop_now_ms(s->loop));
}

/* ---- steps ---- */

/* What an agent said goes to the forge in its own words, but for our secrets. */
static char *
clean(const struct shim *s, const char *text)
{
	return redact_text(buf_str(&s->redactions), s->redactions.len, text);
}

static void
keep_summary(const char *summary)
{
	if (!summary)
		return;
	auto_fd int fd = open_new(SHIM_SUMMARY);
	if (fd < 0 || write(fd, summary, strlen(summary)) < 0)
		log_warn(NULL, "shim.summary_lost", "errno=%d", errno);
}

/* What the agent says of itself, if it speaks in events; else only that it ran. */
static void
add_said(struct shim *s, struct wire_step_done *done)
{
	struct agent_said said = { .has_begun = true, .is_done = true };
	struct shim_step *step = s->step;
	auto_free char *summary = NULL;

	if (step->reader)
		agent_reader_said(step->reader, &said);
	if (!step->text)
		step->text = clean(s, said.error);
	summary = clean(s, said.summary);
	keep_summary(summary);
	done->text = step->text;
	done->session = mem_str(said.session);
	done->has_begun = said.has_begun;
	done->is_done = said.is_done;
	done->read = said.read;
	done->written = said.written;
}

/* What the box has written, for who keeps it: here it is nobody's time but this attempt's. */
static int64_t
measure(const struct box_spec *spec)
{
	const struct box_layer *l = spec->layers.v;
	auto_strs struct strs paths = { 0 };
	struct disk_counted c = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < spec->layers.n; i++) {
		if (l[i].is_writable)
			strs_add(&paths, l[i].path);
	}
	if (disk_count(&paths, LIMIT_LAYER_NAMES, &c, &e) == 0)
		return c.bytes;
	log_err(LOG_LEVEL_WARN, NULL, "layer.unmeasured", &e);
	return -1;
}

static void
free_step(struct shim *s)
{
	struct shim_step *step = s->step;

	s->step = NULL;
	agent_reader_destroy(step->reader);
	box_spec_finish(&step->spec);
	free(step->text);
	free(step);
}

static void end_when_free(struct shim *s);

/* The sentence about it is the runner's, who may not be the one that gave the limit. */
static int64_t
ending_limit(const struct shim_step *step)
{
	const int64_t limits[BOX_END_COUNT] = {
		[BOX_END_WALL] = step->spec.wall_ms,
		[BOX_END_IDLE] = step->spec.idle_ms,
		[BOX_END_MEMORY] = step->spec.memory_bytes_max,
		[BOX_END_OUTPUT] = step->spec.output_bytes_max,
	};

	return limits[step->end];
}

/* What the runner hears, now or later. */
static void
keep_done(struct shim *s, int exit_code)
{
	struct shim_step *step = s->step;
	struct wire_step_done done = {
		.serial = s->serial,
		.exit_code = exit_code,
		.ended_by = step->end,
		.limit = ending_limit(step),
		.procs_met = step->watch.has_met_procs ? step->spec.procs_max : 0,
		.stage = step->end == BOX_END_START ? (int64_t)step->box.stage : 0,
		.disk_bytes = step->spec.is_measured ? measure(&step->spec) : -1,
	};

	add_said(s, &done);
	row_finish(WIRE_STEP_DONE_ROWS, &s->done);
	row_copy(WIRE_STEP_DONE_ROWS, &s->done, &done);
	free(done.session);
}

void
shim_step_done(struct shim *s, int exit_code)
{
	const struct shim_step *step = s->step;

	keep_done(s, exit_code);
	if (!step->spec.is_quiet) {
		note_end(s, exit_code);
		recorder_cut(s->recorder, loop_now_ms(s->loop));
	}
	buf_reset(&s->done_tail);
	shim_tail(s, &s->done_tail);
	s->tail_is_old = false;
	free_step(s);
	shim_say_done(s);
	end_when_free(s);
}

static void
let_held_go(struct shim *s)
{
	while (s->n_held > 0)
		(void)close(s->held[--s->n_held]);
}

/* Locks of the runner's, which are ours as well while we have them open. */
static void
hold(struct shim *s, struct msg *m, size_t first)
{
	let_held_go(s);
	for (size_t i = first; i < m->n_fds; i++)
		s->held[s->n_held++] = steal_fd(&m->fds[i]);
}

int
shim_take_step(struct shim *s, struct msg *m, struct err *e)
{
	const struct wire_step *w = m->obj;
	struct box_spec spec = { 0 };
	int rc;

	/* Ordered by a runner that died, and again by the next, who could not know. */
	if (s->serial > 0 && w->serial == s->serial) {
		shim_say_step(s);
		return 0;
	}
	if (s->stuck.pid > 0)
		return err_set(e, ERR_BUSY, "the last box has not ended");
	if (s->step)
		return err_set(e, ERR_PROTOCOL, "a step before the last one ended");
	rc = row_unpack(BOX_SPEC_ROWS, &spec, m->blob, m->blob_len, e);
	if (rc == 0 && !s->recorder)
		rc = start_recorder(s, &spec, e);
	if (rc < 0) {
		box_spec_finish(&spec);
		return rc;
	}
	if (spec.title && !spec.is_quiet)
		recorder_note(s->recorder, spec.title, loop_now_ms(s->loop));
	buf_reset(&s->quiet);
	s->serial = w->serial;
	s->alone_ms = w->alone_ms;
	size_t n = 0;
	int in = w->has_stdin && n < m->n_fds ? steal_fd(&m->fds[n++]) : -1;
	int out = w->has_stdout && n < m->n_fds ? steal_fd(&m->fds[n++]) : -1;
	hold(s, m, n);
	shim_step_start(s, &spec, in, out);
	return 0;
}

/* ---- the end ---- */

static void
end_when_free(struct shim *s)
{
	if (s->is_ending && !s->step)
		loop_stop(s->loop);
}

void
shim_begin_end(struct shim *s)
{
	s->is_ending = true;
	shim_step_stop(s, BOX_END_STOP, 0);
	end_when_free(s);
}

/* The first word stops the step; without one, or said again, it ends the shim. */
void
shim_stop(struct shim *s)
{
	if (!s->step || s->step->end == BOX_END_STOP)
		shim_begin_end(s);
	else
		shim_step_stop(s, BOX_END_STOP, STOP_GRACE_MS);
}

static void
on_term(void *ctx, int signo)
{
	(void)signo;
	shim_begin_end(ctx);
}

/* No table: shapes of secrets are taken out all the same. */
static int
read_table(struct shim *s, struct err *e)
{
	struct stat st;

	buf_init(&s->redactions, REDACT_TABLE_BYTES);
	if (fstat(TABLE_FD, &st) < 0)
		return 0;
	if (st.st_size > (off_t)REDACT_TABLE_BYTES)
		return err_set(e, ERR_LIMIT, "a table of %lld bytes", (long long)st.st_size);
	auto_free char *data = mem_array((size_t)st.st_size + 1, 1);
	if (pread(TABLE_FD, data, (size_t)st.st_size, 0) != st.st_size)
		return err_sys(e, "read the table");
	(void)close(TABLE_FD);
	return buf_add(&s->redactions, data, (size_t)st.st_size);
}

static int
shim_init(struct shim *s, struct err *e)
{
	int rc = loop_create(&s->loop, e);

	if (rc < 0)
		return rc;
	shim_disk_init(s);
	buf_init(&s->quiet, LIMIT_TAIL_BYTES / 4);
	buf_init(&s->done_tail, LIMIT_TAIL_BYTES);
	rc = loop_signal_add(s->loop, SIGTERM, on_term, s, e);
	if (rc < 0)
		return rc;
	/* While the courier prepares, there is time. */
	sandbox_warm();
	return shim_link_open(s, e);
}

static void
shim_finish(struct shim *s)
{
	bool has_transcript = s->recorder != NULL;
	struct err e = { 0 };

	if (recorder_finish(s->recorder, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.transcript", &e);
	if (has_transcript)
		(void)unlink(SHIM_HALF);
	loop_timer_remove(s->flush);
	loop_timer_remove(s->tail);
	shim_link_close(s); /* the word that the transcript is complete */
	clean_fd(&s->net_fd);
	let_held_go(s);
	row_finish(WIRE_STEP_DONE_ROWS, &s->done);
	buf_finish(&s->done_tail);
	buf_finish(&s->quiet);
	buf_finish(&s->redactions);
	loop_destroy(s->loop);
}

int
shim_main(void)
{
	struct shim s = { .net_fd = -1, .stuck = BOX_INIT };
	auto_fd int dir = -1;
	struct err e = { 0 };

	shim_begin(SHIM_NAME);
	int rc = read_table(&s, &e); /* before anything else can get its number */
	if (rc == 0)
		rc = shim_wait_for_dir(&dir, &e);
	if (rc < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "shim.failed", &e);
		return EX_OSERR;
	}
	rc = shim_init(&s, &e);
	bool has_runner = rc == 0;
	if (rc == 0)
		rc = loop_run(s.loop, &e);
	if (rc < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.failed", &e);
	shim_finish(&s);
	/* Started by hand it is in somebody's directory, not in an attempt's. */
	if (has_runner)
		shim_see_to_the_end(&s.stuck);
	shim_disk_finish(&s);
	if (has_runner)
		shim_remove_layers();
	return rc < 0 ? err_exit(rc) : EX_OK;
}
