/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vt - the screen: rows of code points, a cursor, and what the sequences do to them.
 *
 * Every number that comes from the input is clamped before it is used. The parser is vt_parse.c.
 */
#include "sandbox/vt.h"

#include "base/mem.h"
#include "sandbox/vt_parse.h"

#include <string.h>

#define TAB_WIDTH 8

struct line {
	uint32_t *cells;
	size_t len;
	size_t cap;
};

struct vt {
	struct vt_parser parser;
	struct line *lines; /* ring */
	size_t rows;
	size_t top;    /* index of the first row in the ring */
	size_t used;   /* rows that were ever reached since the top; at least 1 */
	size_t row;    /* cursor, from the top */
	size_t column; /* may be past the line's end */
	vt_line_cb *cb;
	void *ctx;
};

static struct line *
line_at(const struct vt *t, size_t row)
{
	return &t->lines[(t->top + row) % t->rows];
}

/* ---- text out ---- */

static size_t
encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static size_t
render(const struct line *l, char *out)
{
	size_t len = l->len, n = 0;

	while (len > 0 && l->cells[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++)
		n += encode(l->cells[i], out + n);
	out[n++] = '\n';
	return n;
}

static void
emit(struct vt *t, const struct line *l)
{
	char text[4 * VT_COLUMNS_MAX + 1];

	t->cb(t->ctx, text, render(l, text));
}

/* ---- moving ---- */

static void
next_row(struct vt *t)
{
	if (t->row + 1 < t->rows) {
		t->row++;
	} else {
		emit(t, line_at(t, 0));
		line_at(t, 0)->len = 0;
		t->top = (t->top + 1) % t->rows;
	}
	if (t->used < t->row + 1)
		t->used = t->row + 1;
}

static size_t
clamp(size_t at, long by, size_t end)
{
	if (by < 0)
		return (size_t)-by > at ? 0 : at - (size_t)-by;
	return (size_t)by >= end - at ? end - 1 : at + (size_t)by;
}

static void
go_to(struct vt *t, long row, long column)
{
	t->row = clamp(0, row, t->rows);
	t->column = clamp(0, column, VT_COLUMNS_MAX);
	if (t->used < t->row + 1)
		t->used = t->row + 1;
}

/* ---- changing ---- */

static void
make_room(struct line *l, size_t cells)
{
	if (cells <= l->cap)
		return;
	l->cap = cells < 64 ? 64 : 2 * cells;
	l->cells = mem_grow(l->cells, l->cap, sizeof(*l->cells));
}

void
vt_put(struct vt *t, uint32_t c)
{
	struct line *l = line_at(t, t->row);

	if (t->column >= VT_COLUMNS_MAX)
		return;
	make_room(l, t->column + 1);
	while (l->len < t->column)
		l->cells[l->len++] = ' ';
	l->cells[t->column] = c;
	if (l->len == t->column)
		l->len++;
	t->column++;
}

/* how: 0 from the cursor on, 1 up to it, 2 all */
static void
erase_line(struct line *l, size_t column, long how)
{
	if (how == 0 && l->len > column)
		l->len = column;
	for (size_t i = 0; how == 1 && i < l->len && i <= column; i++)
		l->cells[i] = ' ';
	if (how == 2)
		l->len = 0;
}

static void
erase_screen(struct vt *t, long how)
{
	/* Programs clear the screen to look tidy; in a log what was on it is worth keeping. */
	if (how >= 2) {
		vt_flush(t);
		return;
	}
	erase_line(line_at(t, t->row), t->column, how);
	for (size_t i = 0; i < t->rows; i++) {
		if (how == 0 ? i > t->row : i < t->row)
			line_at(t, i)->len = 0;
	}
}

static void
delete_cells(struct line *l, size_t column, size_t n)
{
	if (column >= l->len)
		return;
	if (n > l->len - column)
		n = l->len - column;
	memmove(l->cells + column, l->cells + column + n,
		(l->len - column - n) * sizeof(*l->cells));
	l->len -= n;
}

static void
insert_cells(struct line *l, size_t column, size_t n)
{
	if (column >= l->len)
		return;
	if (n > VT_COLUMNS_MAX - l->len)
		n = VT_COLUMNS_MAX - l->len;
	make_room(l, l->len + n);
	memmove(l->cells + column + n, l->cells + column, (l->len - column) * sizeof(*l->cells));
	for (size_t i = 0; i < n; i++)
		l->cells[column + i] = ' ';
	l->len += n;
}

void
vt_control(struct vt *t, uint32_t c)
{
	switch (c) {
	case '\b':
		t->column -= t->column > 0;
		break;
	case '\t':
		t->column =
			clamp(0, (long)((t->column / TAB_WIDTH + 1) * TAB_WIDTH), VT_COLUMNS_MAX);
		break;
	case '\n':
	case '\v':
	case '\f':
		next_row(t);
		break;
	case '\r':
		t->column = 0;
		break;
	default: /* bells and the like */
		break;
	}
}

/* n: how many or where, at least 1; how: the first number as it came. */
struct numbers {
	long n;
	long how;
	long second;
};

static void
move_up(struct vt *t, const struct numbers *p)
{
	t->row = clamp(t->row, -p->n, t->rows);
}

static void
move_down(struct vt *t, const struct numbers *p)
{
	go_to(t, (long)clamp(t->row, p->n, t->rows), (long)t->column);
}

static void
move_right(struct vt *t, const struct numbers *p)
{
	t->column = clamp(t->column, p->n, VT_COLUMNS_MAX);
}

static void
move_left(struct vt *t, const struct numbers *p)
{
	t->column = clamp(t->column, -p->n, VT_COLUMNS_MAX);
}

static void
move_up_lines(struct vt *t, const struct numbers *p)
{
	move_up(t, p);
	t->column = 0;
}

static void
move_down_lines(struct vt *t, const struct numbers *p)
{
	move_down(t, p);
	t->column = 0;
}

static void
to_column(struct vt *t, const struct numbers *p)
{
	go_to(t, (long)t->row, p->n - 1);
}

static void
to_row(struct vt *t, const struct numbers *p)
{
	go_to(t, p->n - 1, (long)t->column);
}

static void
to_place(struct vt *t, const struct numbers *p)
{
	go_to(t, p->n - 1, p->second - 1);
}

static void
erase_in_screen(struct vt *t, const struct numbers *p)
{
	erase_screen(t, p->how);
}

static void
erase_in_line(struct vt *t, const struct numbers *p)
{
	erase_line(line_at(t, t->row), t->column, p->how);
}

static void
delete_characters(struct vt *t, const struct numbers *p)
{
	delete_cells(line_at(t, t->row), t->column, (size_t)p->n);
}

static void
insert_characters(struct vt *t, const struct numbers *p)
{
	insert_cells(line_at(t, t->row), t->column, (size_t)p->n);
}

/* ECMA-48 control sequences that change what is read; the rest is about looks. */
static const struct {
	char final;
	void (*act)(struct vt *t, const struct numbers *p);
} SEQUENCES[] = {
	{ '@', insert_characters },
	{ 'A', move_up },
	{ 'B', move_down },
	{ 'C', move_right },
	{ 'D', move_left },
	{ 'E', move_down_lines },
	{ 'F', move_up_lines },
	{ 'G', to_column },
	{ 'H', to_place },
	{ 'J', erase_in_screen },
	{ 'K', erase_in_line },
	{ 'P', delete_characters },
	{ '`', to_column },
	{ 'd', to_row },
	{ 'f', to_place },
};

void
vt_sequence(struct vt *t, char final, const long *p, size_t n)
{
	struct numbers numbers = {
		.n = n > 0 && p[0] > 0 ? p[0] : 1,
		.how = n > 0 ? p[0] : 0,
		.second = n > 1 && p[1] > 0 ? p[1] : 1,
	};

	for (size_t i = 0; i < sizeof(SEQUENCES) / sizeof(SEQUENCES[0]); i++) {
		if (SEQUENCES[i].final == final)
			SEQUENCES[i].act(t, &numbers);
	}
}

/* ---- life ---- */

struct vt *
vt_create(size_t rows, vt_line_cb *cb, void *ctx)
{
	struct vt *t = mem_zero(sizeof(*t));

	t->rows = rows;
	t->lines = mem_array(rows, sizeof(*t->lines));
	t->used = 1;
	t->cb = cb;
	t->ctx = ctx;
	return t;
}

void
vt_destroy(struct vt *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->rows; i++)
		free(t->lines[i].cells);
	free(t->lines);
	free(t);
}

void
vt_feed(struct vt *t, const char *data, size_t len)
{
	vt_parse(&t->parser, t, data, len);
}

/* Rows with something on them, counted from the top. */
static size_t
rows_in_use(const struct vt *t)
{
	size_t n = t->used;

	while (n > 0 && line_at(t, n - 1)->len == 0)
		n--;
	return n;
}

void
vt_screen(const struct vt *t, struct buf *out)
{
	char text[4 * VT_COLUMNS_MAX + 1];
	size_t n = rows_in_use(t);

	for (size_t i = 0; i < n; i++)
		(void)buf_add(out, text, render(line_at(t, i), text));
}

void
vt_flush(struct vt *t)
{
	size_t n = rows_in_use(t);

	for (size_t i = 0; i < n; i++)
		emit(t, line_at(t, i));
	for (size_t i = 0; i < t->rows; i++)
		line_at(t, i)->len = 0;
	t->row = t->column = 0;
	t->used = 1;
}
