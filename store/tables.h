/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables - every table of the schema, those before that others name: for what copies whole stores.
 * A test holds it against the schema.
 */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include <stdbool.h>
#include <stddef.h>

struct store_table {
	const char *name;
	const char *up;   /* ORDER BY of its key */
	const char *down; /* and backwards */
	bool gives_ids;   /* new ids must be above all that ever were */
};

extern const struct store_table STORE_TABLES[];
extern const size_t STORE_TABLES_COUNT;

#endif
