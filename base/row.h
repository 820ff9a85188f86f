/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row - a struct described as data.
 *
 * One const table per struct names its members. From it come the wire format between roles
 * (row_pack, row_unpack), decoding from a forge's JSON and encoding to it (base/json.h), copying
 * and freeing. What is in a table has a limit; what is not in a table does not travel.
 */
#ifndef BASE_ROW_H
#define BASE_ROW_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum row_type {
	ROW_END = 0,
	ROW_BOOL, /* bool */
	ROW_I64,  /* int64_t; JSON: integer, or a string of digits */
	ROW_STR,  /* char *, owned, NULL = absent; max = bytes */
	ROW_STRS, /* struct strs; max = bytes of each, n_max = how many */
	ROW_LIST, /* struct row_list of structs of sub; n_max = how many. A sub table holds no
		     ROW_LIST */
};

struct row {
	enum row_type type;
	const char *name; /* JSON: dotted path below the root object, e.g. "issue.user.login" */
	size_t offset;
	size_t max;
	size_t n_max;
	const struct row *sub; /* ROW_LIST */
	size_t sub_size;
};

struct row_list {
	void *v; /* array of n structs of sub_size */
	size_t n;
};

#define ROW_B(s, m, name)                                                                          \
	{                                                                                          \
		ROW_BOOL, (name), offsetof(s, m), 0, 0, NULL, 0                                    \
	}
#define ROW_I(s, m, name)                                                                          \
	{                                                                                          \
		ROW_I64, (name), offsetof(s, m), 0, 0, NULL, 0                                     \
	}
#define ROW_S(s, m, name, max)                                                                     \
	{                                                                                          \
		ROW_STR, (name), offsetof(s, m), (max), 0, NULL, 0                                 \
	}
#define ROW_SS(s, m, name, max, n_max)                                                             \
	{                                                                                          \
		ROW_STRS, (name), offsetof(s, m), (max), (n_max), NULL, 0                          \
	}
#define ROW_L(s, m, name, n_max, sub, sub_type)                                                    \
	{                                                                                          \
		ROW_LIST, (name), offsetof(s, m), 0, (n_max), (sub), sizeof(sub_type)              \
	}
#define ROW_DONE                                                                                   \
	{                                                                                          \
		ROW_END, NULL, 0, 0, 0, NULL, 0                                                    \
	}

/* Zeroes the members that rows name, and frees nothing: for memory that holds no object yet. */
void row_zero(const struct row *rows, void *obj);

/* Frees every owned member and zeroes the members that rows name. NULL is accepted. */
void row_finish(const struct row *rows, void *obj);

/* Deep copy of the named members into *to, which is overwritten, not finished. */
void row_copy(const struct row *rows, void *to, const void *from);

/* Appends the members to out: bool 1 byte, i64 8 bytes, strings u32 length (0xffffffff = NULL) and
 * bytes, lists u32 count; all little endian, in table order, behind a u32 fingerprint of the table.
 * ERR_LIMIT if a member is over its max. */
int row_pack(const struct row *rows, const void *obj, struct buf *out, struct err *e);

/* Fills *obj (zeroed by this call) from exactly len bytes. ERR_PROTOCOL for another table's bytes,
 * a length over its max, a NUL inside a string, or bytes left over; *obj is empty then. The caller
 * finishes *obj. */
int row_unpack(const struct row *rows, void *obj, const void *data, size_t len, struct err *e);

/* Of what row_pack's bytes depend on: tables that would misread each other's differ in it. */
uint32_t row_fingerprint(const struct row *rows);

/* Appends an element to a list member and returns it, zeroed; borrowed until the next append. */
void *row_list_add(struct row_list *list, size_t sub_size);

#endif
