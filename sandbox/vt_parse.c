/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt_parse - see vt_parse.h. The states are those of a VT500 parser, less what nothing here needs.
 */
#include "sandbox/vt_parse.h"

#include <string.h>

#define PARAM_MAX        9999
#define STRING_BYTES_MAX 65536
#define REPLACEMENT      0xfffd

enum state {
	GROUND,
	ESCAPE,
	ESCAPE_MORE,   /* after an intermediate byte: one more ends it */
	SEQUENCE,      /* CSI */
	STRING,        /* OSC, DCS, SOS, PM, APC: up to BEL or ST */
	STRING_ESCAPE, /* ESC inside a string: a backslash ends it */
};

/* Characters that change the order or the look of others without being seen: text that reads
 * otherwise than it is. */
static bool
is_invisible(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe0fff) || c == 0x2028 || c == 0x2029;
}

static void
character(struct vt *t, uint32_t c)
{
	if (c >= 0x80 && (c < 0xa0 || is_invisible(c)))
		return;
	vt_put(t, c);
}

/* Lead bytes by their range; 0xc0, 0xc1 and 0xf5 on are never valid. */
static bool
utf8_begin(struct vt_parser *p, unsigned char b)
{
	if (b >= 0xc2 && b <= 0xdf) {
		p->left = 1;
		p->point = b & 0x1fU;
	} else if (b >= 0xe0 && b <= 0xef) {
		p->left = 2;
		p->point = b & 0x0fU;
	} else if (b >= 0xf0 && b <= 0xf4) {
		p->left = 3;
		p->point = b & 0x07U;
	} else {
		return false;
	}
	p->first = b;
	return true;
}

static bool
utf8_is_good(const struct vt_parser *p)
{
	uint32_t least = p->first >= 0xf0 ? 0x10000 : p->first >= 0xe0 ? 0x800 : 0x80;

	return p->point >= least && p->point <= 0x10ffff &&
	       (p->point < 0xd800 || p->point > 0xdfff);
}

static void
ground(struct vt_parser *p, struct vt *t, unsigned char b)
{
	if (p->left > 0 && (b & 0xc0U) == 0x80) {
		p->point = p->point << 6 | (b & 0x3fU);
		if (--p->left == 0)
			character(t, utf8_is_good(p) ? p->point : REPLACEMENT);
		return;
	}
	if (p->left > 0) {
		p->left = 0;
		vt_put(t, REPLACEMENT);
	}
	if (b == 0x1b)
		p->state = ESCAPE;
	else if (b < 0x20)
		vt_control(t, b);
	else if (b < 0x7f)
		vt_put(t, b);
	else if (b > 0x7f && !utf8_begin(p, b))
		vt_put(t, REPLACEMENT);
}

static void
escape(struct vt_parser *p, struct vt *t, unsigned char b)
{
	p->state = GROUND;
	if (b == '[') {
		p->state = SEQUENCE;
		memset(p->params, 0, sizeof(p->params));
		p->n_params = 0;
		p->is_private = false;
	} else if (b && strchr("]PX^_", b)) {
		p->state = STRING;
		p->swallowed = 0;
	} else if (b >= 0x20 && b <= 0x2f) {
		p->state = ESCAPE_MORE;
	} else if (b == 'E') {
		vt_control(t, '\r');
		vt_control(t, '\n');
	} else if (b == 'D') {
		vt_control(t, '\n');
	} else if (b == 'M') {
		vt_sequence(t, 'A', NULL, 0);
	} else if (b < 0x20) {
		ground(p, t, b); /* ESC ESC, or a control in the middle */
	}
}

static void
digit(struct vt_parser *p, unsigned char b)
{
	long *param = &p->params[p->n_params < VT_PARAMS_MAX ? p->n_params : VT_PARAMS_MAX - 1];

	*param = *param < PARAM_MAX ? *param * 10 + (b - '0') : PARAM_MAX;
}

static void
sequence(struct vt_parser *p, struct vt *t, unsigned char b)
{
	if (b >= '0' && b <= '9') {
		digit(p, b);
	} else if (b == ';' || b == ':') {
		p->n_params += p->n_params < VT_PARAMS_MAX - 1;
	} else if (b >= '<' && b <= '?') {
		p->is_private = true;
	} else if (b >= 0x40 && b <= 0x7e) {
		p->state = GROUND;
		if (!p->is_private)
			vt_sequence(t, (char)b, p->params, p->n_params + 1);
	} else if (b < 0x20) {
		/* CAN, SUB and ESC end a sequence, other controls act in the middle of it; ground
		 * knows both. */
		if (b == 0x1b || b == 0x18 || b == 0x1a)
			p->state = GROUND;
		ground(p, t, b);
	}
}

/* A string that was cut off, or never was one, must not swallow the rest of the log: a line break
 * ends it. */
static void
string(struct vt_parser *p, struct vt *t, unsigned char b)
{
	bool was_escape = p->state == STRING_ESCAPE;

	p->state = b == 0x1b ? STRING_ESCAPE : STRING;
	if (b == '\n') {
		p->state = GROUND;
		ground(p, t, b);
	} else if (b == 0x07 || b == 0x18 || b == 0x1a || (was_escape && b == '\\') ||
		   ++p->swallowed > STRING_BYTES_MAX) {
		p->state = GROUND;
	}
}

static void
step(struct vt_parser *p, struct vt *t, unsigned char b)
{
	switch ((enum state)p->state) {
	case GROUND:
		ground(p, t, b);
		break;
	case ESCAPE:
		escape(p, t, b);
		break;
	case ESCAPE_MORE:
		if (b >= 0x30 || b == 0x1b)
			p->state = b == 0x1b ? ESCAPE : GROUND;
		break;
	case SEQUENCE:
		sequence(p, t, b);
		break;
	case STRING:
	case STRING_ESCAPE:
		string(p, t, b);
		break;
	}
}

void
vt_parse(struct vt_parser *p, struct vt *t, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		step(p, t, (unsigned char)data[i]);
}
