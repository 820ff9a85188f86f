/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape - where in a stream of terminal output one is: in text, or within an escape sequence
 * (ECMA-48, 5.4 and 5.6), for those who look at the stream without being a terminal.
 */
#ifndef SANDBOX_ESCAPE_H
#define SANDBOX_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#define ESCAPE_SOUND_MAX 128 /* bytes of a sequence that is taken for sound */

enum escape_state {
	ESCAPE_NONE,       /* the next byte is text, or begins a sequence */
	ESCAPE_BEGUN,      /* behind ESC */
	ESCAPE_SEQUENCE,   /* CSI: up to its final byte */
	ESCAPE_STRING,     /* title, clipboard, link, device control: up to BEL or ST */
	ESCAPE_STRING_END, /* ESC within a string: a backslash ends it */
};

/* The state behind `byte`. A line's end, too, ends a string: one that was cut off must not swallow
 * the rest of a log. */
enum escape_state escape_next(enum escape_state state, unsigned char byte);

/* True: a whole sequence that is no string, from its ESC to its final byte, of a form that a
 * terminal expects: at most 16 numbers of at most five digits (ECMA-48, 5.4; VT510, 4.3.3.1).
 * libvterm 0.1.4 writes behind its array at the seventeenth number, and adds numbers without
 * looking. */
bool escape_is_sound(const char *sequence, size_t len);

#endif
