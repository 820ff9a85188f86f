/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables - every table of the schema.
 */
#include "store/tables.h"

const struct store_table STORE_TABLES[] = {
	{ "delivery", "id", "id DESC", true },
	{ "label", "forge, repo_id, number, label",
		"forge DESC, repo_id DESC, number DESC, label DESC", false },
	{ "task", "id", "id DESC", true },
	{ "prompt", "task", "task DESC", false },
	{ "trigger_seen", "key", "key DESC", false },
	{ "attempt", "task, number", "task DESC, number DESC", false },
	{ "step", "id", "id DESC", true },
	{ "transcript", "task, attempt", "task DESC, attempt DESC", false },
	{ "effect", "id", "id DESC", true },
	{ "kv", "key", "key DESC", false },
	{ "tally", "name", "name DESC", false },
};
const size_t STORE_TABLES_COUNT = sizeof(STORE_TABLES) / sizeof(STORE_TABLES[0]);
