/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_state - what the parts of the shim share: shim.c keeps the transcript and the steps,
 * shim_link.c talks with runners, shim_step.c runs a box.
 */
#ifndef BOT_SHIM_STATE_H
#define BOT_SHIM_STATE_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/msg.h"
#include "bot/shim_watch.h"
#include "bot/wire.h"
#include "sandbox/agent.h"
#include "sandbox/recorder.h"
#include "sandbox/redact.h"
#include "sandbox/sandbox.h"

#define SHIM_TERM_GRACE_MS 10000

/* One step, from STEP to STEP_DONE. */
struct shim_step {
	struct box_spec spec;
	struct box box;
	bool is_live;   /* the box exists and was not reaped */
	bool has_gone;  /* it may run */
	bool is_silent; /* nobody has its terminal open any more */
	bool is_killed; /* nothing more can be done to it than is under way */
	enum box_end end;
	char *text; /* what went wrong */
	struct agent_reader *reader;
	struct shim_watch watch;
	struct loop_child *child;
	struct loop_io *pty_io;
	struct loop_io *report_io;
	struct loop_timer *patience; /* with who should let it go, or be its gateway */
	struct loop_io *gateway_io;  /* ends when the gateway lets go of the box */
	int gateway_fd;
	struct loop_timer *pulse; /* from the gateway's first word on */
	int n_silent;             /* how often it was due and had said nothing */
	struct loop_timer *kill;
};

struct shim_disk; /* shim_disk.c */

struct shim {
	struct loop *loop;
	struct msg_link *link;
	struct loop_io *door;
	struct loop_timer *alone;
	int64_t alone_ms;
	int64_t serial;             /* of the last step */
	struct wire_step_done done; /* how it ended; kept until the next one */
	struct buf done_tail;
	int held[MSG_FDS_MAX]; /* for the runner, while it may be away */
	size_t n_held;
	struct recorder *recorder; /* from the first step on */
	struct shim_disk *disk;
	struct box stuck;       /* one that does not end, or BOX_INIT */
	struct buf redactions;  /* of redact.h, said before the first step */
	int net_fd;             /* of the next step; -1: its box makes its own */
	struct shim_step *step; /* NULL between steps */
	struct buf quiet;       /* last bytes of a step that is not recorded */
	struct loop_timer *flush;
	struct loop_timer *tail;
	bool tail_is_old;
	bool is_ending;
};

/* shim_step.c. Takes the descriptors (-1 = none). */
void shim_step_start(struct shim *s, struct box_spec *take_spec, int take_stdin, int take_stdout);
/* The box may begin, or has another gateway now; take_gateway: see shim.h, -1 = none. */
void shim_step_go(struct shim *s, int take_gateway);
void shim_step_listens(struct shim *s); /* its box is built: a gateway must take it in time */

/* Ends the step: TERM now, the rest after grace_ms (0: all at once). STEP_DONE follows when it is
 * over. */
void shim_step_stop(struct shim *s, enum box_end why, int64_t grace_ms);

/* shim_disk.c: for all steps, from the first to after the last. */
void shim_disk_init(struct shim *s);
void shim_disk_take(struct shim *s, int take_disk);
void shim_disk_finish(struct shim *s);

/* While a box runs. The end of the watch says so if the disk was full at the last: one sentence,
 * the caller's to free, or NULL. */
void shim_disk_watch(struct shim *s);
char *shim_disk_unwatch(struct shim *s);

/* Reads its terminal again, after shim_watch_output had it stopped. */
void shim_step_read(struct shim *s);

/* shim.c: the step is over and s->step is freed by this call. */
void shim_step_done(struct shim *s, int exit_code);
void shim_record(struct shim *s, const char *data, size_t len);
void shim_tail(const struct shim *s, struct buf *out);
int shim_take_step(struct shim *s, struct msg *m, struct err *e);
void shim_stop(struct shim *s);      /* as SHIM_STOP says */
void shim_begin_end(struct shim *s); /* nothing goes on */

/* shim_end.c: a process that works in an attempt's directory. */
void shim_begin(const char *name);
int shim_wait_for_dir(int *dir, struct err *e); /* the caller's to close, at its end */
void shim_see_to_the_end(struct box *ours);
void shim_remove_layers(void);

/* shim_link.c. Nothing is lost when no runner is there. */
int shim_link_open(struct shim *s, struct err *e);
void shim_link_close(struct shim *s);
void shim_say_listener(struct shim *s);
void shim_say_tail(struct shim *s);
void shim_say_done(struct shim *s);
/* How the last step stands: its listener and tail, or its end. */
void shim_say_step(struct shim *s);

#endif
