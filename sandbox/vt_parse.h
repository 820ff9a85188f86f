/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt_parse - bytes to characters, controls and sequences: the state machine in front of vt.
 */
#ifndef SANDBOX_VT_PARSE_H
#define SANDBOX_VT_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VT_PARAMS_MAX 16

struct vt;

struct vt_parser {
	int state;
	uint32_t point; /* UTF-8 under way */
	unsigned left;  /* continuation bytes still to come */
	unsigned first; /* its lead byte, to refuse overlong forms */
	long params[VT_PARAMS_MAX];
	size_t n_params;
	bool is_private;  /* CSI ? and the like: modes, which nothing here has */
	size_t swallowed; /* of a string */
};

/* Sequences may be split across calls anywhere. */
void vt_parse(struct vt_parser *p, struct vt *t, const char *data, size_t len);

/* What the parser calls; defined in vt.c. */
void vt_put(struct vt *t, uint32_t c);
void vt_control(struct vt *t, uint32_t c);
void vt_sequence(struct vt *t, char final, const long *params, size_t n);

#endif
