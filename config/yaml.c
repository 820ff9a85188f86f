/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - see yaml.h.
 *
 * libyaml's document API would build the tree for us, but asks no questions: it follows aliases,
 * and 100 KB of "[" cost it 50 seconds. Its event API lets us stop at the first event that is too
 * much.
 */
#include "config/yaml.h"

#include "base/mem.h"
#include "base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64
#define NODES_MAX 4096

struct builder {
	yaml_parser_t *parser;
	struct yaml *tree;
	size_t at; /* the map or list that is open */
	size_t depth;
	bool has_root;
	bool is_done;
	char *key; /* of the open map: waits for its value */
	yaml_mark_t key_mark;
	struct err *e;
};

static int
refuse(struct builder *b, yaml_mark_t mark, int code, const char *what)
{
	return err_set(
		b->e, code, "%s:%zu:%zu: %s", b->tree->name, mark.line + 1, mark.column + 1, what);
}

static int
refuse_key(struct builder *b, yaml_mark_t mark, const char *key)
{
	return err_set(b->e, ERR_INVALID, "%s:%zu:%zu: key \"%.64s\" is there twice", b->tree->name,
		mark.line + 1, mark.column + 1, key);
}

static bool
expects_key(const struct builder *b)
{
	return b->has_root && b->depth > 0 && b->tree->nodes[b->at].type == YAML_MAP && !b->key;
}

/* Adds a child to the open node, or the root. */
static int
add_node(struct builder *b, enum yaml_type type, yaml_mark_t mark, size_t *out)
{
	struct yaml *t = b->tree;
	struct yaml_node *node;

	if (t->n == NODES_MAX)
		return refuse(b, mark, ERR_LIMIT, "more values than any honest file has");
	if ((t->n & (t->n - 1)) == 0) /* 0 or a power of two: full */
		t->nodes = mem_grow(t->nodes, t->n ? 2 * t->n : 1, sizeof(*t->nodes));
	node = &t->nodes[t->n];
	*node = (struct yaml_node){ .type = type, .parent = b->at };
	if (b->key)
		mark = b->key_mark;
	node->line = mark.line + 1;
	node->column = mark.column + 1;
	node->key = steal_ptr(&b->key);
	if (b->has_root) {
		struct yaml_node *parent = &t->nodes[b->at];

		if (parent->first)
			t->nodes[parent->last].next = t->n;
		else
			parent->first = t->n;
		parent->last = t->n;
	}
	b->has_root = true;
	*out = t->n++;
	return 0;
}

static int
on_key(struct builder *b, const yaml_event_t *event)
{
	const struct yaml *t = b->tree;
	const char *key = (const char *)event->data.scalar.value;

	if (yaml_child(t, &t->nodes[b->at], key))
		return refuse_key(b, event->start_mark, key);
	b->key = mem_str(key);
	b->key_mark = event->start_mark;
	return 0;
}

static int
on_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t i = 0;
	int rc;

	if (event->data.scalar.anchor)
		return refuse(b, event->start_mark, ERR_INVALID,
			"anchors are not allowed: write the value again");
	if (event->data.scalar.tag)
		return refuse(b, event->start_mark, ERR_INVALID, "tags are not allowed");
	if (strlen(value) != event->data.scalar.length)
		return refuse(b, event->start_mark, ERR_INVALID, "NUL in a value");
	if (expects_key(b))
		return on_key(b, event);
	rc = add_node(b, YAML_SCALAR, event->start_mark, &i);
	if (rc < 0)
		return rc;
	b->tree->nodes[i].value = mem_str(value);
	b->tree->nodes[i].is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return 0;
}

static int
on_open(struct builder *b, enum yaml_type type, const yaml_event_t *event)
{
	bool is_map = type == YAML_MAP;
	const yaml_char_t *anchor =
		is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const yaml_char_t *tag =
		is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	size_t i = 0;
	int rc;

	if (anchor)
		return refuse(b, event->start_mark, ERR_INVALID,
			"anchors are not allowed: write the value again");
	if (tag)
		return refuse(b, event->start_mark, ERR_INVALID, "tags are not allowed");
	if (expects_key(b))
		return refuse(b, event->start_mark, ERR_INVALID, "a key must be a word");
	if (++b->depth > DEPTH_MAX)
		return refuse(
			b, event->start_mark, ERR_LIMIT, "nested deeper than any honest file is");
	rc = add_node(b, type, event->start_mark, &i);
	b->at = i;
	return rc;
}

static int
on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->has_root)
			return refuse(b, event->start_mark, ERR_INVALID, "a second document");
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, event->start_mark, ERR_INVALID,
			"aliases are not allowed: write the value again");
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, YAML_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, YAML_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		assert(b->depth > 0); /* libyaml pairs its events */
		b->at = b->tree->nodes[b->at].parent;
		b->depth--;
		return 0;
	case YAML_STREAM_END_EVENT:
		b->is_done = true;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int
syntax_error(struct builder *b)
{
	const yaml_parser_t *p = b->parser;
	const char *what = p->problem ? p->problem : "not YAML";

	if (p->error == YAML_READER_ERROR)
		return err_set(b->e, ERR_INVALID, "%s: byte %zu: %s", b->tree->name,
			p->problem_offset, what);
	return refuse(b, p->problem_mark, ERR_INVALID, what);
}

static int
build(struct builder *b)
{
	int rc = 0;

	while (rc == 0 && !b->is_done) {
		yaml_event_t event;

		if (!yaml_parser_parse(b->parser, &event))
			return syntax_error(b);
		rc = on_event(b, &event);
		yaml_event_delete(&event);
	}
	return rc;
}

int
yaml_parse(const char *data, size_t len, const char *name, struct yaml *out, struct err *e)
{
	struct yaml tree = { .name = name };
	struct builder b = { .tree = &tree, .e = e };
	yaml_parser_t parser;
	size_t root;
	int rc;

	if (!yaml_parser_initialize(&parser))
		return err_set(e, ERR_SYSTEM, "%s: no memory for a parser", name);
	b.parser = &parser;
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	yaml_parser_set_encoding(
		&parser, YAML_UTF8_ENCODING); /* else two bytes could make it UTF-16 */
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
	rc = build(&b);
	yaml_parser_delete(&parser);
	free(b.key);
	if (rc == 0 && tree.n == 0) /* no document at all */
		rc = add_node(&b, YAML_MAP, (yaml_mark_t){ 0, 0, 0 }, &root);
	else if (rc == 0 && yaml_is_nothing(&tree.nodes[0])) /* "---" alone */
		tree.nodes[0].type = YAML_MAP;
	if (rc < 0) {
		yaml_finish(&tree);
		return rc;
	}
	*out = tree;
	return 0;
}

bool
yaml_is_nothing(const struct yaml_node *n)
{
	return n->type == YAML_SCALAR && n->is_plain && n->value[0] == '\0';
}

void
yaml_finish(struct yaml *y)
{
	for (size_t i = 0; i < y->n; i++) {
		free(y->nodes[i].key);
		free(y->nodes[i].value);
	}
	free(y->nodes);
	*y = (struct yaml){ 0 };
}

const struct yaml_node *
yaml_root(const struct yaml *y)
{
	return y->n ? &y->nodes[0] : NULL;
}

const struct yaml_node *
yaml_first(const struct yaml *y, const struct yaml_node *parent)
{
	return parent && parent->first ? &y->nodes[parent->first] : NULL;
}

const struct yaml_node *
yaml_next(const struct yaml *y, const struct yaml_node *sibling)
{
	return sibling && sibling->next ? &y->nodes[sibling->next] : NULL;
}

const struct yaml_node *
yaml_child(const struct yaml *y, const struct yaml_node *map, const char *key)
{
	for (const struct yaml_node *n = yaml_first(y, map); n; n = yaml_next(y, n)) {
		if (str_eq(n->key, key))
			return n;
	}
	return NULL;
}

int
yaml_err(const struct yaml *y, const struct yaml_node *at, struct err *e, const char *fmt, ...)
{
	char text[ERR_TEXT_BYTES_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!at)
		return err_set(e, ERR_INVALID, "%s: %s", y->name, text);
	return err_set(e, ERR_INVALID, "%s:%zu:%zu: %s", y->name, at->line, at->column, text);
}
