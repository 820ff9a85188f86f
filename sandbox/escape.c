/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape - see escape.h.
 */
#include "sandbox/escape.h"

#include <stdbool.h>

#define CAN 0x18 /* both end whatever sequence is under way */
#define SUB 0x1a
#define ESC 0x1b
#define BEL 0x07

static enum escape_state
behind_escape(unsigned char byte)
{
	switch (byte) {
	case '[':
		return ESCAPE_SEQUENCE;
	case ']':
	case 'P':
	case 'X':
	case '^':
	case '_':
		return ESCAPE_STRING;
	default:
		return byte >= 0x20 && byte <= 0x2f ? ESCAPE_BEGUN : ESCAPE_NONE;
	}
}

static bool
is_string(enum escape_state state)
{
	return state == ESCAPE_STRING || state == ESCAPE_STRING_END;
}

enum escape_state
escape_next(enum escape_state state, unsigned char byte)
{
	if (byte == CAN || byte == SUB)
		return ESCAPE_NONE;
	if (byte == ESC)
		return is_string(state) ? ESCAPE_STRING_END : ESCAPE_BEGUN;
	if (is_string(state)) {
		bool is_end =
			byte == BEL || byte == '\n' || (byte == '\\' && state == ESCAPE_STRING_END);

		return is_end ? ESCAPE_NONE : ESCAPE_STRING;
	}
	if (state == ESCAPE_BEGUN)
		return behind_escape(byte);
	if (state == ESCAPE_SEQUENCE && (byte < 0x40 || byte > 0x7e))
		return ESCAPE_SEQUENCE;
	return ESCAPE_NONE;
}
