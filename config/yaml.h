/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - the one door to libyaml: text to a flat tree with places.
 *
 * Bounded before it is built: bytes, depth 64, number of nodes; no anchors, aliases or tags, one
 * document, each key once. What is left is the part of YAML on which all readers agree.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum yaml_type { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_type type;
	char *key;     /* in a map, else NULL */
	char *value;   /* of a scalar; "" too if the file says nothing behind the colon */
	bool is_plain; /* a scalar without quotes: only such is a number, true, or nothing */
	size_t line;   /* of the key, or of the value where there is no key; from 1 */
	size_t column;
	size_t parent; /* indices into nodes; 0, the root, is nobody's child and means none */
	size_t first;
	size_t last;
	size_t next;
};

struct yaml {
	const char *name; /* borrowed from yaml_parse's caller: the file's, for messages */
	struct yaml_node *nodes;
	size_t n;
};

/* An empty text is an empty map. ERR_INVALID and ERR_LIMIT with "name:line:column: " in front of
 * the text. */
int yaml_parse(const char *data, size_t len, const char *name, struct yaml *out, struct err *e);
void yaml_finish(struct yaml *y);

static inline void
clean_yaml(struct yaml *y)
{
	yaml_finish(y);
}

#define auto_yaml auto_cleanup(clean_yaml)

/* To walk: NULL at the end, and for a NULL parent. */
const struct yaml_node *yaml_root(const struct yaml *y);
const struct yaml_node *yaml_first(const struct yaml *y, const struct yaml_node *parent);
const struct yaml_node *yaml_next(const struct yaml *y, const struct yaml_node *sibling);
const struct yaml_node *yaml_child(
	const struct yaml *y, const struct yaml_node *map, const char *key);

/* The file says nothing behind the colon: "limits:" with all its lines commented out. */
bool yaml_is_nothing(const struct yaml_node *n);

/* err_set with the node's place in front; the root's place if at is NULL. */
int yaml_err(const struct yaml *y, const struct yaml_node *at, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
