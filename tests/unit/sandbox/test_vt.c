/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/vt: what a terminal leaves to read.
 */
#include "sandbox/vt.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
on_line(void *ctx, const char *line, size_t len)
{
	(void)buf_add(ctx, line, len);
}

/* pieces: the input is fed in pieces of that many bytes. */
static char *
shown(const char *in, size_t len, size_t piece)
{
	struct buf out = BUF_INIT(1 << 20);
	struct vt *t = vt_create(5, on_line, &out);

	for (size_t i = 0; i < len; i += piece)
		vt_feed(t, in + i, len - i < piece ? len - i : piece);
	vt_flush(t);
	vt_destroy(t);
	(void)buf_adds(&out, "");
	return buf_steal(&out);
}

static const struct {
	const char *name;
	const char *in;
	const char *out;
} ROWS[] = {
	{ "lines", "one\r\ntwo\r\n", "one\ntwo\n" },
	{ "a last line without an end", "one\r\ntwo", "one\ntwo\n" },
	{ "carriage return overwrites", "10%\r100%\r\n", "100%\n" },
	{ "what is longer stays", "downloading\rdone\r\n", "doneloading\n" },
	{ "erase to the end of the line", "downloading\rdone\033[K\r\n", "done\n" },
	{ "erase to the beginning", "abcdef\033[3D\033[1K\r\n", "    ef\n" },
	{ "erase the line", "abc\033[2Kx\r\n", "   x\n" },
	{ "backspace", "abd\bc\r\n", "abc\n" },
	{ "tabs", "a\tb\r\n", "a       b\n" },
	{ "colours are gone", "\033[1;32mgreen\033[0m \033[38;2;1;2;3mtrue\033[m\r\n",
		"green true\n" },
	{ "a title is gone", "\033]0;title\007text\r\n", "text\n" },
	{ "a title with ST is gone", "\033]2;title\033\\text\r\n", "text\n" },
	{ "a link's address is gone", "\033]8;;http://evil\033\\here\033]8;;\033\\\r\n", "here\n" },
	{ "the clipboard is not set", "\033]52;c;ZXZpbA==\007ok\r\n", "ok\n" },
	{ "device control", "\033P1$rq\033\\ok\r\n", "ok\n" },
	{ "a sequence in a string", "\033]0;a\033[\033[31mb\007c\r\n", "c\n" },
	{ "sixteen numbers", "\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16mx\r\n", "x\n" },
	{ "seventeen numbers", "\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17mx\r\n", "x\n" },
	{ "seventeen parts of a number", "\033[1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17mx\r\n",
		"x\n" },
	{ "a number too large", "\033[4294967295Bx\r\n", "x\n" },
	{ "a sequence with a line's end in it", "\033[1\r\n2Cx\r\n", "\n            x\n" },
	{ "a sequence cut off", "\033[1\030;31mx\r\n", ";31mx\n" },
	{ "an unknown escape", "\033\xc3\xa9x\r\n", "\xef\xbf\xbdx\n" },
	{ "a rule, repeated", "\xe2\x94\x80\033[4bx\r\n",
		"\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80x\n" },
	{ "repeated once", "ab\033[bc\r\n", "abbc\n" },
	{ "nothing to repeat", "\033[bx\r\n", "x\n" },
	{ "nothing of any width to repeat", "\xcc\x81\033[9bx\r\n", "x\n" },
	{ "a test picture, and nothing to repeat", "\033#8\033[2J\033[9b\r\n", NULL },
	{ "a repetition of another kind", "a\033[?3b\033[3;3bx\r\n", "ax\n" },
	{ "a control behind half a character", "ab\xc2\r\x80\xc2\033[m\x80x\r\n",
		"\xef\xbf\xbd\xef\xbf\xbdx\n" },
	{ "a string that never ends, ends with the line", "\033]0;oops\r\nnext\r\n", "\nnext\n" },
	{ "private modes", "\033[?25l\033[?1049hx\033[?25h\r\n", "x\n" },
	{ "a selective erase", "abc\033[?2K\r\nx\r\n", "\nx\n" },
	{ "wide characters", "\xe6\x97\xa5\xe6\x9c\xac!\b\b\b.\r\n", NULL },
	{ "an accent of its own", "e\xcc\x81t\xc3\xa9\r\n", "e\xcc\x81t\xc3\xa9\n" },
	{ "lines go in between", "a\r\nb\r\n\033[1A\033[Lx\r\n", "a\nx\nb\n" },
	{ "lines go away", "a\r\nb\r\nc\r\n\033[2A\033[M", "a\nc\n" },
	{ "a region scrolls above a status line",
		"\033[1;3r\033[5;1Hstatus\033[1;1H1\r\n2\r\n3\r\n4\r\n5",
		"1\n2\n3\n4\n5\n\nstatus\n" },
	{ "a region below a title", "title\r\n\033[2;5r\033[2;1H1\r\n2\r\n3\r\n4\r\n5", NULL },
	{ "scrolled down", "a\r\nb\033[H\033Mc\r\n", "c\na\nb\n" },
	{ "up and over", "one\r\ntwo\r\n\033[2Aone more\r\n", "one more\ntwo\n" },
	{ "progress of two lines", "a 1\r\nb 1\r\n\033[2Aa 2\r\nb 2\r\n", "a 2\nb 2\n" },
	{ "absolute place", "\033[2;3Hx\033[1;1Hy\r\n", "y\n  x\n" },
	{ "delete and insert where nothing is", "\033[2P\033[1@x\r\n", "x\n" },
	{ "left of the first column", "\302\036\036\036\233\377\377\r\nok\r\n",
		"\xef\xbf\xbd\xef\xbf\xbd\nok\n" },
	{ "delete and insert", "abcdef\r\033[2P\033[1@X\r\n", "Xcdef\n" },
	{ "insert moves", "abc\r\033[2@\r\n", "  abc\n" },
	{ "clear screen keeps what was said", "one\r\n\033[2J\033[Htwo\r\n", "one\ntwo\n" },
	{ "UTF-8", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\r\n",
		"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\n" },
	{ "bad bytes", "a\xff\xc3(b\r\n", "a\xef\xbf\xbd\xef\xbf\xbd(b\n" },
	{ "an overlong slash", "\xe0\x80\xaf\r\n", "\xef\xbf\xbd\n" },
	{ "a surrogate", "\xed\xa0\x80\r\n", "\xef\xbf\xbd\n" },
	{ "C1 controls",
		"a\xc2\x9b"
		"2Jb\r\n",
		"a2Jb\n" },
	{ "direction overrides",
		"a\xe2\x80\xae"
		"b\xe2\x81\xa6"
		"c\r\n",
		"abc\n" },
	{ "zero width",
		"pass\xe2\x80\x8b"
		"ed\r\n",
		"passed\n" },
	{ "NUL and bell", "a\a\r\n", "a\n" },
	{ "scrolled off", "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n", "1\n2\n3\n4\n5\n6\n7\n" },
	{ "a lone escape", "a\033", "a\n" },
	{ "huge numbers", "\033[99999999999999999999Cx\033[99999999Ay\r\n", NULL },
	{ "spaces at the end", "a   \r\n", "a\n" },
	{ "character sets", "\033(B\033)0ok\r\n", "ok\n" },
};

static void
rows_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		for (size_t piece = 1; piece <= 4; piece++) {
			char *out = shown(ROWS[i].in, strlen(ROWS[i].in), piece);

			if (ROWS[i].out && strcmp(out, ROWS[i].out) != 0)
				print_error(
					"%s, pieces of %zu: \"%s\"\n", ROWS[i].name, piece, out);
			if (ROWS[i].out)
				assert_string_equal(out, ROWS[i].out);
			assert_true(str_utf8_ok(out, strlen(out)));
			free(out);
		}
	}
}

static void
a_line_has_a_ceiling(void **state)
{
	char *in = malloc(100000);
	size_t all = 0;

	(void)state;
	memset(in, 'x', 100000);
	char *out = shown(in, 100000, 4096);
	for (char *line = out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		assert_true(end - line <= VT_COLUMNS_MAX);
		all += (size_t)(end - line);
	}
	assert_int_equal(all, 100000); /* what does not fit goes on in the next line */
	free(out);
	free(in);
}

/* Whatever comes: lines of valid UTF-8 without control characters. */
static void
noise_stays_text(void **state)
{
	uint32_t seed = 1;
	char in[8192];

	(void)state;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = "\033[;?0123456789ABCDJKHP@m]"
				"P\\\007\r\n\b\txy\xc3\xa4\xff\xe2\x80\xae"[seed >> 16 & 31];
		}
		char *out = shown(in, sizeof(in), 1 + seed % 100);
		assert_true(str_utf8_ok(out, strlen(out)));
		for (const char *p = out; *p; p++)
			assert_true((unsigned char)*p >= ' ' || *p == '\n');
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_in_pieces_of_any_size),
		cmocka_unit_test(a_line_has_a_ceiling),
		cmocka_unit_test(noise_stays_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
