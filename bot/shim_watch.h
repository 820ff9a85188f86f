/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_watch - the limits of a running box that the kernel does not keep by itself: time, silence,
 * output, and memory where no cgroup counts it.
 */
#ifndef BOT_SHIM_WATCH_H
#define BOT_SHIM_WATCH_H

#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim;

struct shim_watch {
	struct loop_timer *wall;
	struct loop_timer *look;
	struct loop_timer *spent;  /* its budget is */
	struct loop_timer *resume; /* set: the terminal is not read until then */
	int proc_fd;               /* the box's /proc, or -1 */
	unsigned n_looks;
	int64_t looked_ms;
	int64_t alive_ms; /* the last sign of life */
	int64_t cpu_us;
	int64_t net_bytes;
	int64_t output_bytes;
	int64_t credit; /* bytes that may be read at once */
	int64_t credit_ms;
	bool has_met_procs; /* the limit of processes */
};

/* From the box's first instruction on. */
void shim_watch_begin(struct shim *s);

/* So many bytes were read from its terminal. Too many for the moment: it is not read for a while,
 * and the box waits. */
void shim_watch_output(struct shim *s, size_t len);

/* It is refused more from now on: it is given a moment to end by itself. */
void shim_watch_spent(struct shim *s);

/* The box has ended: a last look at why. Also of a step that never began. */
void shim_watch_end(struct shim *s);

#endif
