/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt - see vt.h. libvterm's state layer calls us for what changes on the screen; its own screen
 * layer would move the cells of a whole screen for each line that scrolls, here rows change places.
 */
#include "sandbox/vt.h"

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/escape.h"

#include <string.h>

#include <vterm.h>

#define ESC            0x1b
#define FEED_BYTES     ((size_t)4 << 10)
#define CELL_CHARS     3 /* a letter and its accents */
#define LINE_BYTES_MAX (4 * CELL_CHARS * VT_COLUMNS_MAX + 1)
#define RENDER_BYTES   256 /* gathered before they are added */
#define REPEAT_MAX     512 /* of one character, by one sequence */

struct cell {
	uint32_t chars[CELL_CHARS]; /* 0: none; the first is 0 in the right half of a wide one */
};

struct line {
	struct cell *cells;
	size_t len;
	size_t cap;
};

struct vt {
	VTerm *term;
	VTermState *state;
	struct line *lines; /* from the top */
	size_t rows;
	enum escape_state in;
	char held[ESCAPE_SOUND_MAX + 1]; /* the sequence that is under way; full: too long */
	size_t n_held;
	struct cell last; /* the character that was written last, to be repeated */
	struct buf input; /* scratch; between calls the beginning of a character */
	struct buf text;  /* scratch */
	vt_line_cb *cb;
	void *ctx;
};

static const struct cell BLANK = { { ' ' } };

/* ---- text out ---- */

/* Characters that do something without being seen, or change the order or the look of others: text
 * that reads otherwise than it is. */
static const struct {
	uint32_t from;
	uint32_t to;
} INVISIBLE[] = {
	{ 0, 0x1f }, { 0x7f, 0x9f }, { 0x200b, 0x200f }, /* zero width, direction marks */
	{ 0x2028, 0x202e }, /* line and paragraph, direction overrides */
	{ 0x2060, 0x2069 }, /* invisible operators, direction isolates */
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff }, /* tags */
};

static bool
is_invisible(uint32_t c)
{
	for (size_t i = 0; i < sizeof(INVISIBLE) / sizeof(INVISIBLE[0]); i++) {
		if (c >= INVISIBLE[i].from && c <= INVISIBLE[i].to)
			return true;
	}
	return false;
}

/* Other than what ASCII has: four bytes at most, 0 if it is not shown. */
static size_t
encode(uint32_t c, char *utf8)
{
	size_t n = 0;

	if (is_invisible(c))
		return 0;
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) /* libvterm takes longer forms for good */
		c = 0xfffd;
	if (c < 0x80) {
		utf8[n++] = (char)c;
	} else {
		if (c < 0x800) {
			utf8[n++] = (char)(0xc0 | c >> 6);
		} else {
			if (c < 0x10000) {
				utf8[n++] = (char)(0xe0 | c >> 12);
			} else {
				utf8[n++] = (char)(0xf0 | c >> 18);
				utf8[n++] = (char)(0x80 | (c >> 12 & 0x3f));
			}
			utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		}
		utf8[n++] = (char)(0x80 | (c & 0x3f));
	}
	return n;
}

static void
render(const struct line *l, struct buf *out)
{
	char text[RENDER_BYTES];
	size_t len = l->len;
	size_t n = 0;

	while (len > 0 && l->cells[len - 1].chars[0] == ' ')
		len--;
	for (size_t i = 0; i < len; i++) {
		if (n + 4 * CELL_CHARS >= sizeof(text)) {
			(void)buf_add(out, text, n);
			n = 0;
		}
		for (size_t k = 0; k < CELL_CHARS && l->cells[i].chars[k]; k++) {
			uint32_t c = l->cells[i].chars[k];

			if (c >= 0x20 && c < 0x7f)
				text[n++] = (char)c;
			else
				n += encode(c, text + n);
		}
	}
	text[n++] = '\n';
	(void)buf_add(out, text, n);
}

static void
emit(struct vt *t, size_t row)
{
	buf_reset(&t->text);
	render(&t->lines[row], &t->text);
	t->lines[row].len = 0;
	t->cb(t->ctx, t->text.data, t->text.len);
}

/* Rows down to the last one with something on it. */
static size_t
rows_in_use(const struct vt *t)
{
	size_t n = t->rows;

	while (n > 0 && t->lines[n - 1].len == 0)
		n--;
	return n;
}

static void
emit_all(struct vt *t)
{
	size_t n = rows_in_use(t);

	for (size_t i = 0; i < n; i++)
		emit(t, i);
}

/* ---- what libvterm tells ---- */

/* Makes the line `len` cells long at least. */
static void
reach(struct line *l, size_t len)
{
	if (len > l->cap) {
		l->cap = len < 64 ? 64 : 2 * len;
		l->cells = mem_grow(l->cells, l->cap, sizeof(*l->cells));
	}
	while (l->len < len)
		l->cells[l->len++] = BLANK;
}

/* libvterm can be talked into places that its screen does not have: left of the first column, for
 * one. Whoever wrote that sees nothing of it. */
static bool
has(const struct vt *t, VTermRect r)
{
	return r.start_row >= 0 && r.start_row <= r.end_row && (size_t)r.end_row <= t->rows &&
	       r.start_col >= 0 && r.start_col <= r.end_col && r.end_col <= VT_COLUMNS_MAX;
}

static int
on_glyph(VTermGlyphInfo *info, VTermPos at, void *ctx)
{
	struct vt *t = ctx;
	size_t column = (size_t)at.col, width = info->width == 2 ? 2 : 1;
	struct cell cell = { { 0 } };

	if (!has(t, (VTermRect){ at.row, at.row + 1, at.col, at.col + 1 }))
		return 1;
	struct line *l = &t->lines[at.row];
	for (size_t i = 0; i < CELL_CHARS && info->chars[i]; i++)
		cell.chars[i] = info->chars[i];
	t->last = info->width == 1 ? cell : (struct cell){ { 0 } };
	reach(l, column + width);
	l->cells[column] = cell;
	if (width == 2)
		l->cells[column + 1] = (struct cell){ { 0 } };
	return 1;
}

static int
on_erase(VTermRect r, int selective, void *ctx)
{
	struct vt *t = ctx;
	size_t from = (size_t)r.start_col, to = (size_t)r.end_col;

	(void)selective;
	if (!has(t, r))
		return 1;
	/* Programs clear the screen to look tidy; in a log what was on it is worth keeping. */
	if (r.start_row == 0 && (size_t)r.end_row == t->rows && from == 0 && to == VT_COLUMNS_MAX)
		emit_all(t);
	for (size_t row = (size_t)r.start_row; row < (size_t)r.end_row; row++) {
		struct line *l = &t->lines[row];

		if (to >= l->len && l->len > from)
			l->len = from;
		for (size_t i = from; i < to && i < l->len; i++)
			l->cells[i] = BLANK;
	}
	return 1;
}

static int
on_move(VTermRect dest, VTermRect src, void *ctx)
{
	struct vt *t = ctx;
	bool is_up = dest.start_row <= src.start_row;
	int rows = src.end_row - src.start_row;
	size_t to = (size_t)dest.start_col, from = (size_t)src.start_col;
	size_t width = (size_t)(src.end_col - src.start_col);

	if (!has(t, dest) || !has(t, src) || dest.start_row + rows > dest.end_row)
		return 1;
	for (int i = 0; i < rows; i++) {
		int step = is_up ? i : rows - 1 - i;
		struct line *l = &t->lines[dest.start_row + step];
		struct line *other = &t->lines[src.start_row + step];
		/* Beyond the other's end there is nothing to move but blanks. */
		size_t n = other->len > from ? other->len - from : 0;

		n = n < width ? n : width;
		if (n > 0) { /* a line that has never been written on has no cells */
			reach(l, to + n);
			memmove(l->cells + to, other->cells + from, n * sizeof(struct cell));
		}
		for (size_t k = to + n; k < to + width && k < l->len; k++)
			l->cells[k] = BLANK;
	}
	return 1;
}

static void
reverse(struct line *lines, size_t from, size_t to)
{
	while (from + 1 < to) {
		struct line kept = lines[from];

		lines[from++] = lines[--to];
		lines[to] = kept;
	}
}

/* Rows from..to go up by n, which come back blank below. */
static void
rotate(struct vt *t, size_t from, size_t to, size_t n)
{
	reverse(t->lines, from, from + n);
	reverse(t->lines, from + n, to);
	reverse(t->lines, from, to);
}

static int
on_scroll(VTermRect r, int downward, int rightward, void *ctx)
{
	struct vt *t = ctx;
	size_t from = (size_t)r.start_row, to = (size_t)r.end_row;
	size_t n = (size_t)(downward < 0 ? -downward : downward);

	if (!has(t, r))
		return 1;
	if (rightward != 0 || r.start_col != 0 || r.end_col != VT_COLUMNS_MAX) {
		vterm_scroll_rect(r, downward, rightward, on_move, on_erase, t);
		return 1;
	}
	n = n < to - from ? n : to - from;
	for (size_t i = 0; i < n; i++) {
		size_t row = downward > 0 ? from + i : to - 1 - i;

		if (downward > 0 && from == 0)
			emit(t, row);
		t->lines[row].len = 0;
	}
	rotate(t, from, to, downward > 0 ? n : to - from - n);
	return 1;
}

static void
on_answer(const char *data, size_t len, void *ctx)
{
	(void)data; /* what a terminal would answer goes nowhere: nobody types */
	(void)len;
	(void)ctx;
}

static const VTermStateCallbacks CALLBACKS = {
	.putglyph = on_glyph,
	.scrollrect = on_scroll,
	.erase = on_erase,
};

/* ---- life ---- */

struct vt *
vt_create(size_t rows, vt_line_cb *cb, void *ctx)
{
	struct vt *t = mem_zero(sizeof(*t));

	t->rows = rows;
	t->lines = mem_array(rows, sizeof(*t->lines));
	t->cb = cb;
	t->ctx = ctx;
	buf_init(&t->text, LINE_BYTES_MAX);
	buf_init(&t->input, 2 * FEED_BYTES + 4);
	t->term = vterm_new((int)rows, VT_COLUMNS_MAX);
	vterm_set_utf8(t->term, 1);
	vterm_output_set_callback(t->term, on_answer, NULL);
	t->state = vterm_obtain_state(t->term);
	vterm_state_set_callbacks(t->state, &CALLBACKS, t);
	vterm_state_reset(t->state, 1);
	return t;
}

void
vt_destroy(struct vt *t)
{
	if (!t)
		return;
	vterm_free(t->term);
	for (size_t i = 0; i < t->rows; i++)
		free(t->lines[i].cells);
	free(t->lines);
	buf_finish(&t->text);
	buf_finish(&t->input);
	free(t);
}

/* How many bytes are letters and nothing else. */
static size_t
plain_ascii(const char *data, size_t len)
{
	size_t n = 0;

	while (n < len && data[n] >= 0x20 && data[n] < 0x7f)
		n++;
	return n;
}

/* libvterm 0.1.4 loses a character whose bytes come in two writes when the first write began with
 * ASCII, so only whole ones are written. */
static void
write_whole(struct vt *t)
{
	struct buf *in = &t->input;
	size_t whole = in->len - str_utf8_unfinished(buf_str(in), in->len);

	(void)vterm_input_write(t->term, buf_str(in), whole);
	buf_drop(in, whole);
}

/* A character that a control interrupts never comes. libvterm would go on with it behind that. */
static void
forget_unfinished(struct buf *in)
{
	buf_cut(in, in->len - str_utf8_unfinished(buf_str(in), in->len));
}

/* libvterm goes a column back for a C1 control that came as UTF-8 (c2 80 to c2 9f): left out. */
static void
take_text(struct vt *t, unsigned char byte)
{
	struct buf *in = &t->input;

	if (byte < 0x20 || byte == 0x7f)
		forget_unfinished(in);
	(void)buf_addc(in, (char)byte);
	if (byte >= 0x80 && byte < 0xa0 && in->len >= 2 && in->data[in->len - 2] == '\xc2')
		buf_cut(in, in->len - 2);
}

/* REP: the last character once more, or as often as the sequence says, as far as the line goes.
 * libvterm does so for ever when that character has no width, or when there is none. */
static void
repeat(struct vt *t, const char *number, size_t len)
{
	char utf8[4 * CELL_CHARS];
	size_t n = 0, times = 0;
	VTermPos at;

	for (size_t i = 0; i < len; i++) {
		if (number[i] < '0' || number[i] > '9')
			return;
		times = 10 * times + (size_t)(number[i] - '0');
	}
	write_whole(t);
	vterm_state_get_cursorpos(t->state, &at);
	size_t room =
		at.col >= 0 && at.col < VT_COLUMNS_MAX ? (size_t)(VT_COLUMNS_MAX - at.col) : 0;
	times = times == 0 ? 1 : times;
	times = times < REPEAT_MAX ? times : REPEAT_MAX;
	times = times < room ? times : room;
	for (size_t i = 0; i < CELL_CHARS && t->last.chars[i]; i++)
		n += encode(t->last.chars[i], utf8 + n);
	while (times-- > 0)
		(void)buf_add(&t->input, utf8, n);
	write_whole(t);
}

/* Strings (titles, links, the clipboard) leave nothing to read, and of the other sequences libvterm
 * sees only whole ones of a form that it can take: it must not be got into a state that we do not
 * know. */
static void
pass_sequence(struct vt *t)
{
	if (!escape_is_sound(t->held, t->n_held))
		return;
	forget_unfinished(&t->input);
	if (t->held[1] == '[' && t->held[t->n_held - 1] == 'b')
		repeat(t, t->held + 2, t->n_held - 3);
	else
		(void)buf_add(&t->input, t->held, t->n_held);
}

static void
take(struct vt *t, unsigned char byte)
{
	enum escape_state was = t->in;

	t->in = escape_next(was, byte);
	if (was >= ESCAPE_STRING) {
		if (byte == '\n')
			take_text(t, byte);
	} else if (byte < 0x20 ? byte != ESC : was == ESCAPE_NONE) { /* controls act at once */
		take_text(t, byte);
	} else {
		t->n_held = byte == ESC ? 0 : t->n_held;
		if (t->n_held < sizeof(t->held))
			t->held[t->n_held++] = (char)byte;
		if (t->in == ESCAPE_NONE)
			pass_sequence(t);
	}
}

static void
feed_part(struct vt *t, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t plain = t->in == ESCAPE_NONE ? plain_ascii(data + i, len - i) : 0;

		if (plain > 0) {
			(void)buf_add(&t->input, data + i, plain);
			i += plain - 1;
		} else {
			take(t, (unsigned char)data[i]);
		}
	}
	write_whole(t);
}

void
vt_feed(struct vt *t, const char *data, size_t len)
{
	while (len > 0) {
		size_t part = len < FEED_BYTES ? len : FEED_BYTES;

		feed_part(t, data, part);
		data += part;
		len -= part;
	}
}

void
vt_screen(const struct vt *t, struct buf *out)
{
	size_t n = rows_in_use(t);

	for (size_t i = 0; i < n; i++)
		render(&t->lines[i], out);
}

void
vt_flush(struct vt *t)
{
	emit_all(t);
	t->in = ESCAPE_NONE;
	buf_reset(&t->input);
	vterm_state_reset(t->state, 1);
}
