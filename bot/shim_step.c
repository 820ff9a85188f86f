/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_step - one box from its start to its last byte: terminal, timers, the ways to end.
 */
#include "bot/shim_state.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES      KIB(64)
#define READS_A_ROUND   16    /* then timers and the runner get their turn */
#define DRAIN_READS_MAX 4096  /* after the end: what the kernel still holds is far less */
#define GATEWAY_MS_MAX  30000 /* that a box may be without one */
#define LATE_MS         500   /* after SIGKILL: it may be frozen */
#define STUCK_MS_MAX    5000  /* after that */
#define NO_EXIT         ((struct loop_exit){ .code = 255 })

/* ---- output ---- */

static void
take_output(struct shim *s, const char *data, size_t len)
{
	struct shim_step *step = s->step;
	auto_buf struct buf show = BUF_INIT(4 * AGENT_LINE_BYTES_MAX);

	shim_watch_output(s, len);
	if (!step->reader) {
		shim_record(s, data, len);
		return;
	}
	agent_reader_feed(step->reader, data, len, &show);
	shim_record(s, buf_str(&show), show.len);
}

/* At most n reads. False: the terminal has ended. */
static bool
read_terminal(struct shim *s, int n)
{
	char data[READ_BYTES];

	while (n-- > 0 && !(s->step->is_live && s->step->watch.resume)) {
		ssize_t len = read(s->step->box.pty_fd, data, sizeof(data));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			return true;
		if (len <= 0)
			return false; /* EIO: nobody has the other side open any more */
		take_output(s, data, (size_t)len);
	}
	return true;
}

static void
on_terminal(void *ctx, int fd, uint32_t events)
{
	struct shim *s = ctx;

	(void)fd;
	(void)events;
	if (!read_terminal(s, READS_A_ROUND)) {
		/* A step that closed all its output may go on working; its end is the process's
		 * end. */
		s->step->is_silent = true;
	}
	/* Not only no events: its hangup would wake us all the time. */
	if (s->step->is_silent || s->step->watch.resume) {
		loop_io_remove(s->step->pty_io);
		s->step->pty_io = NULL;
	}
}

void
shim_step_read(struct shim *s)
{
	struct shim_step *step = s->step;

	if (step->is_live && !step->pty_io && !step->is_silent)
		step->pty_io = loop_io_add(s->loop, step->box.pty_fd, EPOLLIN, on_terminal, s);
}

/* ---- the end ---- */

static void
fail(struct shim_step *step, enum box_end why, const struct err *e)
{
	step->end = why;
	mem_set(&step->text, e->text);
}

/* A program that failed on a full disk says all sorts of things. */
static void
blame_disk(struct shim *s, int exit_code)
{
	struct shim_step *step = s->step;
	auto_free char *text = step->has_gone ? shim_disk_unwatch(s) : NULL;

	if (!text || step->end != BOX_END_ITSELF || exit_code == 0)
		return;
	step->end = BOX_END_DISK;
	mem_set(&step->text, text);
}

static void
forget_gateway(struct shim_step *step)
{
	loop_timer_remove(step->patience);
	loop_timer_remove(step->pulse);
	loop_io_remove(step->gateway_io);
	step->patience = step->pulse = NULL;
	step->gateway_io = NULL;
	clean_fd(&step->gateway_fd);
	step->gateway_fd = -1;
}

/* PID 1 ends with its workload's exit code; a signal that is neither ours nor the kernel's for want
 * of memory came from outside. */
static void
blame_outside(struct shim_step *step, int signo)
{
	struct err e = { 0 };

	if (signo == 0 || step->end != BOX_END_ITSELF)
		return;
	(void)err_set(&e, ERR_SYSTEM, "it was ended from outside by signal %d", signo);
	fail(step, BOX_END_INFRA, &e);
}

static void
step_end(struct shim *s, struct loop_exit how)
{
	struct shim_step *step = s->step;

	loop_io_remove(step->pty_io);
	loop_io_remove(step->report_io);
	loop_timer_remove(step->kill);
	step->pty_io = step->report_io = NULL;
	step->kill = NULL;
	forget_gateway(step);
	shim_watch_end(s);
	blame_outside(step, how.signo);
	blame_disk(s, how.code);
	if (step->box.pidfd >= 0)
		(void)unlink(SHIM_TRACE);
	box_finish(&step->box);
	shim_step_done(s, how.code);
}

/* What PID 1 or the workload said before it could begin. */
static void
read_report(struct shim_step *step)
{
	struct err e = { 0 };
	int rc = box_report(&step->box, &e);

	if (rc < 0 && rc != ERR_BUSY && step->end == BOX_END_ITSELF)
		fail(step, BOX_END_START, &e);
}

static void
on_report(void *ctx, int fd, uint32_t events)
{
	struct shim *s = ctx;

	(void)fd;
	(void)events;
	read_report(s->step);
	loop_io_remove(s->step->report_io);
	s->step->report_io = NULL;
}

static void
on_exit_of_box(void *ctx, pid_t pid, struct loop_exit how)
{
	struct shim *s = ctx;
	struct shim_step *step = s->step;
	auto_buf struct buf show = BUF_INIT(4 * AGENT_LINE_BYTES_MAX);

	(void)pid;
	step->child = NULL;
	step->is_live = false;
	if (!step->is_silent)
		(void)read_terminal(s, DRAIN_READS_MAX);
	if (step->reader) {
		agent_reader_end(step->reader, &show);
		shim_record(s, buf_str(&show), show.len);
	}
	if (step->report_io)
		read_report(step);
	step_end(s, how);
}

/* The attempt ends. This process goes on trying (shim.c), and as long as it does, nobody gets the
 * slot: its uid, its directory, its groups. */
static void
on_stuck(void *ctx)
{
	struct shim *s = ctx;
	struct err e = { 0 };

	s->step->kill = NULL;
	(void)err_set(&e, ERR_TIMEOUT, "processes of the box do not end");
	log_error(NULL, "box.stuck", "step=%s pid=%d", s->step->spec.name, (int)s->step->box.pid);
	fail(s->step, BOX_END_INFRA, &e);
	loop_child_remove(s->step->child);
	s->step->child = NULL;
	s->stuck = s->step->box;
	s->step->box = (struct box)BOX_INIT;
	step_end(s, NO_EXIT);
}

static void
on_late(void *ctx)
{
	struct shim *s = ctx;

	box_thaw(&s->step->box);
	s->step->kill = loop_timer_add(s->loop, STUCK_MS_MAX, on_stuck, s);
}

static void
on_grace_over(void *ctx)
{
	struct shim *s = ctx;

	s->step->is_killed = true;
	box_kill(&s->step->box);
	s->step->kill = loop_timer_add(s->loop, LATE_MS, on_late, s);
}

void
shim_step_stop(struct shim *s, enum box_end why, int64_t grace_ms)
{
	struct shim_step *step = s->step;

	if (!step || !step->is_live)
		return;
	if (step->end == BOX_END_ITSELF)
		step->end = why;
	if (step->kill && (grace_ms > 0 || step->is_killed))
		return; /* it is ending already: whoever says so again does not begin that anew */
	loop_timer_remove(step->kill);
	if (grace_ms > 0 && step->has_gone)
		box_terminate(&step->box);
	step->kill = loop_timer_add(s->loop, step->has_gone ? grace_ms : 0, on_grace_over, s);
}

static void
end_without_gateway(struct shim *s, const char *why)
{
	if (s->step->end == BOX_END_ITSELF)
		mem_set(&s->step->text, why);
	shim_step_stop(s, BOX_END_INFRA, 0);
}

static void
on_patience_over(void *ctx)
{
	struct shim *s = ctx;

	s->step->patience = NULL;
	end_without_gateway(s,
		s->step->has_gone ? "the gateway stayed away" : "the gateway did not take the box");
}

/* ---- the gateway, which we know by a pipe that it holds open ---- */

void
shim_step_listens(struct shim *s)
{
	struct shim_step *step = s->step;

	if (!step->patience)
		step->patience = loop_timer_add(s->loop, GATEWAY_MS_MAX, on_patience_over, s);
}

/* Counted, not read from a clock: who was stopped himself, or slept with the machine, has missed
 * nothing. */
static void
on_pulse_due(void *ctx)
{
	struct shim *s = ctx;

	s->step->pulse = NULL;
	if (++s->step->n_silent > GATEWAY_MS_MAX / WIRE_PULSE_MS)
		end_without_gateway(s, "the gateway hangs");
	else
		s->step->pulse = loop_timer_add(s->loop, WIRE_PULSE_MS, on_pulse_due, s);
}

static void
on_gateway(void *ctx, int fd, uint32_t events)
{
	struct shim *s = ctx;
	char words[64];
	ssize_t n;

	(void)events;
	do
		n = read(fd, words, sizeof(words));
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->step->n_silent = 0;
		if (!s->step->pulse)
			s->step->pulse = loop_timer_add(s->loop, WIRE_PULSE_MS, on_pulse_due, s);
	} else if (n == 0 || errno != EAGAIN) {
		forget_gateway(s->step);
		shim_step_listens(s);
	}
}

static void
watch_gateway(struct shim *s, int take_fd)
{
	struct shim_step *step = s->step;

	forget_gateway(step);
	step->n_silent = 0;
	step->gateway_fd = take_fd;
	if (take_fd >= 0)
		step->gateway_io = loop_io_add(s->loop, take_fd, EPOLLIN, on_gateway, s);
}

/* ---- the start ---- */

void
shim_step_go(struct shim *s, int take_gateway)
{
	auto_fd int gateway = take_gateway;
	struct shim_step *step = s->step;
	struct err e = { 0 };

	if (!step || !step->is_live)
		return;
	watch_gateway(s, steal_fd(&gateway));
	if (step->has_gone)
		return;
	step->has_gone = true;
	shim_watch_begin(s);
	shim_disk_watch(s);
	if (box_go(&step->box, &e) < 0) {
		/* It died before: its report says why, unless there is none. */
		read_report(step);
		shim_step_stop(s, BOX_END_INFRA, 0);
	}
}

static int
start_box(struct shim *s, const struct box_io *io, struct err *e)
{
	struct shim_step *step = s->step;
	struct box *b = &step->box;
	int rc = box_spec_check(&step->spec, e);

	b->stage = BOX_STAGE_SPEC;
	if (rc == 0)
		rc = box_start(&step->spec, io, b, e);
	if (rc < 0)
		return rc;
	step->is_live = true;
	if (box_trace_leave(b, SHIM_TRACE, e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "box.no_trace", e);
	(void)fcntl(b->pty_fd, F_SETFL, O_NONBLOCK);
	step->child = loop_child_add(
		s->loop, b->pid, fcntl(b->pidfd, F_DUPFD_CLOEXEC, 3), on_exit_of_box, s);
	step->pty_io = loop_io_add(s->loop, b->pty_fd, EPOLLIN, on_terminal, s);
	step->report_io = loop_io_add(s->loop, b->report_fd, EPOLLIN, on_report, s);
	return 0;
}

void
shim_step_start(struct shim *s, struct box_spec *take_spec, int take_stdin, int take_stdout)
{
	auto_fd int stdin_fd = take_stdin;
	auto_fd int stdout_fd = take_stdout;
	auto_fd int net_fd = steal_fd(&s->net_fd);
	struct shim_step *step = mem_zero(sizeof(*step));
	const struct agent_row *row = agent_row_find(take_spec->events);
	struct err e = { 0 };

	s->step = step;
	step->spec = *take_spec;
	step->gateway_fd = -1;
	step->box = (struct box)BOX_INIT;
	step->watch.proc_fd = -1;
	if (row && row->rules)
		step->reader = agent_reader_create(row);
	if (start_box(s,
		    &(struct box_io){
			    .stdin_fd = stdin_fd, .stdout_fd = stdout_fd, .net_fd = net_fd },
		    &e) < 0) {
		fail(step, BOX_END_START, &e);
		step_end(s, NO_EXIT);
		return;
	}
	if (!step->spec.net) {
		shim_step_go(s, -1);
		return;
	}
	shim_step_listens(s);
	shim_say_listener(s);
}
