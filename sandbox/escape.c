/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape - see escape.h.
 */
#include "sandbox/escape.h"

#define CAN 0x18 /* both end whatever sequence is under way */
#define SUB 0x1a
#define ESC 0x1b
#define BEL 0x07

#define NUMBERS_MAX 16
#define DIGITS_MAX  5

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

/* Where bytes of a class end. */
static size_t
behind(const char *s, size_t i, size_t len, char from, char to)
{
	while (i < len && s[i] >= from && s[i] <= to)
		i++;
	return i;
}

static bool
is_final(const char *s, size_t i, size_t len, char from)
{
	return i + 1 == len && s[i] >= from && s[i] <= 0x7e;
}

/* Behind ESC [: private marks, numbers, intermediates, the final byte. */
static bool
is_sound_control(const char *s, size_t len)
{
	size_t i = behind(s, 2, len, '<', '?');
	size_t digits = 0, numbers = 1;

	for (; i < len && s[i] >= '0' && s[i] <= ';'; i++) {
		bool is_digit = s[i] <= '9';

		digits = is_digit ? digits + 1 : 0;
		numbers += !is_digit;
		if (digits > DIGITS_MAX || numbers > NUMBERS_MAX)
			return false;
	}
	return is_final(s, behind(s, i, len, 0x20, 0x2f), len, 0x40);
}

bool
escape_is_sound(const char *sequence, size_t len)
{
	if (len < 2 || len > ESCAPE_SOUND_MAX || sequence[0] != ESC)
		return false;
	if (sequence[1] == '[')
		return is_sound_control(sequence, len);
	return is_final(sequence, behind(sequence, 1, len, 0x20, 0x2f), len, 0x30);
}
