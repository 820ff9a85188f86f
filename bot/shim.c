/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim - see shim.h: the conversation with the runner, the transcript, the end.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim_state.h"
#include "bot/wire.h"
#include "sandbox/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#define RUNNER_FD     3
#define TAIL_EVERY_MS 1000
#define RETRY_MS      5000 /* for a box that does not end */
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
	auto_fd int cast = open_new(SHIM_CAST);
	auto_fd int text = open_new(SHIM_TEXT);

	if (cast < 0 || text < 0)
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

static void
send_tail(struct shim *s)
{
	auto_buf struct buf tail = BUF_INIT(LIMIT_TAIL_BYTES);
	struct err e = { 0 };

	s->tail_is_old = false;
	if (s->step && s->step->spec.is_quiet)
		(void)str_utf8_clean(&tail, buf_str(&s->quiet), s->quiet.len);
	else if (s->recorder)
		recorder_tail(s->recorder, LIMIT_TAIL_BYTES, &tail);
	if (msg_send(s->link,
		    &(struct msg_out){
			    .type = WIRE_SHIM_TAIL, .blob = buf_str(&tail), .blob_len = tail.len },
		    &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "shim.tail_unsent", &e);
}

static void
on_tail(void *ctx)
{
	struct shim *s = ctx;

	s->tail = NULL;
	if (s->tail_is_old)
		send_tail(s);
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

void
shim_send_listener(struct shim *s)
{
	struct err e = { 0 };
	auto_fd int fd = steal_fd(&s->step->box.listen_fd);

	/* The runner keeps it for gateways to come; this end of it is closed here. */
	if (msg_send(s->link, &(struct msg_out){ .type = WIRE_STEP_LISTEN, .fds = &fd, .n_fds = 1 },
		    &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.listener_unsent", &e);
}

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

void
shim_step_done(struct shim *s, int exit_code)
{
	struct shim_step *step = s->step;
	struct wire_step_done done = {
		.exit_code = exit_code,
		.ended_by = step->end,
		.limit = ending_limit(step),
		.procs_met = step->watch.has_met_procs ? step->spec.procs_max : 0,
		.stage = step->end == BOX_END_START ? (int64_t)step->box.stage : 0,
		.disk_bytes = step->spec.is_measured ? measure(&step->spec) : -1,
	};
	struct err e = { 0 };

	add_said(s, &done);
	if (!step->spec.is_quiet) {
		note_end(s, exit_code);
		recorder_cut(s->recorder, loop_now_ms(s->loop));
	}
	send_tail(s);
	if (msg_send(s->link, &(struct msg_out){ .type = WIRE_STEP_DONE, .obj = &done }, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.end_unsent", &e);
	free(done.session);
	free_step(s);
	end_when_free(s);
}

static int
take_step(struct shim *s, struct msg *m, struct err *e)
{
	struct box_spec spec = { 0 };
	int rc;

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
	shim_step_start(s, &spec, m->n_fds > 0 ? steal_fd(&m->fds[0]) : -1,
		m->n_fds > 1 ? steal_fd(&m->fds[1]) : -1);
	return 0;
}

/* ---- the end ---- */

static void
end_when_free(struct shim *s)
{
	if (s->is_ending && !s->step)
		loop_stop(s->loop);
}

static void
begin_end(struct shim *s)
{
	s->is_ending = true;
	shim_step_stop(s, BOX_END_STOP, 0);
	end_when_free(s);
}

/* The first word stops the step; without one, or said again, it ends the shim. */
static void
on_stop(struct shim *s)
{
	if (!s->step || s->step->end == BOX_END_STOP)
		begin_end(s);
	else
		shim_step_stop(s, BOX_END_STOP, STOP_GRACE_MS);
}

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	struct shim *s = ctx;
	struct err e = { 0 };

	(void)link;
	if (s->is_ending)
		return;
	if (m->type == WIRE_STEP && take_step(s, m, &e) < 0) {
		/* Without an answer the attempt would wait: end, and the runner sees that. */
		log_err(LOG_LEVEL_ERROR, NULL, "shim.step_refused", &e);
		s->is_ending = true;
		end_when_free(s);
	} else if (m->type == WIRE_REDACTIONS) {
		buf_reset(&s->redactions);
		(void)buf_add(&s->redactions, m->blob, m->blob_len);
	} else if (m->type == WIRE_NET && m->n_fds == 1) {
		clean_fd(&s->net_fd);
		s->net_fd = steal_fd(&m->fds[0]);
	} else if (m->type == WIRE_DISK && m->n_fds == 1) {
		shim_disk_take(s, steal_fd(&m->fds[0]));
	} else if (m->type == WIRE_STEP_GO) {
		shim_step_go(s);
	} else if (m->type == WIRE_SHIM_STOP) {
		on_stop(s);
	}
}

static void
on_runner_gone(void *ctx)
{
	begin_end(ctx);
}

static void
on_term(void *ctx, int signo)
{
	(void)signo;
	begin_end(ctx);
}

/* Before anything is removed, or the slot is anybody's again, the last box must have ended: ours,
 * or that of a shim that was killed here. */
static void
see_to_the_end(struct shim *s, bool is_heir)
{
	struct err e = { 0 };

	while (box_trace_end(SHIM_TRACE, RETRY_MS, &e) == ERR_BUSY)
		log_err(LOG_LEVEL_ERROR, NULL, "box.stuck", &e);
	box_finish(&s->stuck);
	if (is_heir)
		sandbox_sweep();
}

/* Everything in our directory but the transcript: layers may be large, and nobody else has the
 * time. */
static void
remove_layers(void)
{
	auto_dir DIR *d = opendir(".");
	const struct dirent *de;
	struct err e = { 0 };

	while (d && (de = readdir(d))) {
		const char *name = de->d_name;

		if (str_eq(name, ".") || str_eq(name, "..") || str_eq(name, SHIM_CAST) ||
			str_eq(name, SHIM_TEXT) || str_eq(name, SHIM_SUMMARY))
			continue;
		if (fs_remove_tree(name, &e) < 0)
			log_err(LOG_LEVEL_WARN, NULL, "shim.remove", &e);
	}
}

static int
shim_init(struct shim *s, struct err *e)
{
	static const struct msg_link_spec template = {
		.self = ROLE_SHIM,
		.peer = ROLE_RUNNER,
		.on_msg = on_msg,
		.on_gone = on_runner_gone,
	};
	struct msg_link_spec spec = template;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int rc = loop_create(&s->loop, e);

	if (rc < 0)
		return rc;
	(void)sigaction(SIGINT, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	shim_disk_init(s);
	buf_init(&s->quiet, LIMIT_TAIL_BYTES / 4);
	buf_init(&s->redactions, REDACT_TABLE_BYTES);
	rc = loop_signal_add(s->loop, SIGTERM, on_term, s, e);
	if (rc < 0)
		return rc;
	spec.rules = WIRE_RULES;
	spec.n_rules = WIRE_RULES_COUNT;
	spec.ctx = s;
	s->link = msg_link_create(s->loop, &spec);
	/* While the courier prepares, there is time. */
	sandbox_warm();
	return msg_link_attach(s->link, RUNNER_FD, e);
}

static void
shim_finish(struct shim *s)
{
	struct err e = { 0 };

	if (recorder_finish(s->recorder, &e) < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.transcript", &e);
	loop_timer_remove(s->flush);
	loop_timer_remove(s->tail);
	msg_link_destroy(s->link); /* the word that the transcript is complete */
	clean_fd(&s->net_fd);
	buf_finish(&s->quiet);
	buf_finish(&s->redactions);
	loop_destroy(s->loop);
}

int
shim_main(void)
{
	struct shim s = { .net_fd = -1, .stuck = BOX_INIT };
	struct err e = { 0 };

	log_init("shim", LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, "shim");
	auto_fd int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* One shim at a time in a directory: who cleans up behind a dead runner waits for the
	 * living. */
	if (dir < 0 || flock(dir, LOCK_EX) < 0) {
		(void)err_sys(&e, "the attempt's directory");
		log_err(LOG_LEVEL_ERROR, NULL, "shim.failed", &e);
		return EX_OSERR;
	}
	int rc = shim_init(&s, &e);
	bool has_runner = rc == 0;
	if (rc == 0)
		rc = loop_run(s.loop, &e);
	if (rc < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "shim.failed", &e);
	bool is_heir = !s.recorder; /* no step of ours: we are here to clean up */
	shim_finish(&s);
	/* Started by hand it is in somebody's directory, not in an attempt's. */
	if (has_runner)
		see_to_the_end(&s, is_heir);
	shim_disk_finish(&s);
	if (has_runner)
		remove_layers();
	return rc < 0 ? err_exit(rc) : EX_OK;
}
