/* SPDX-License-Identifier: Apache-2.0 */
/*
 * markdown - commands in what people wrote.
 *
 * cmark-gfm decides what is text; its inline positions are wrong in this version (0.29.0.gfm.6), so
 * they are not used. Instead, before parsing, the word of each raw line that starts with "/agent"
 * is replaced by a token: a private character, a hash of the whole body, the number of the line. A
 * text node that starts with a token is exactly that line; it cannot be escaped into being, and who
 * wants to write one down would have to put a body's hash into the body.
 */
#include "forge/markdown.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/dialect.h"
#include "forge/forge.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#define WORD       "/agent"
#define WORD_BYTES (sizeof(WORD) - 1)
#define TOKEN_CHAR                                                                                 \
	"\xee\x80\x80" /* U+E000; valid, because cmark's scanners stop at what is not              \
			*/
#define HASH_CHARS 16
#define TOKEN_MAX  48

/* Each word becomes a longer one. */
#define TEXT_BYTES_MAX ((size_t)LIMIT_BODY_BYTES / WORD_BYTES * (TOKEN_MAX + 1))

/* What was found on the way: the lines that may be commands, and how deep in <details> we are. */
struct scan {
	const char *body; /* as it was written */
	char token[TOKEN_MAX];
	const char **lines; /* where "/agent" stands in it, by token */
	size_t n_lines;
	size_t details;
	struct row_list *out;
};

static bool
is_eol(char c)
{
	return c == '\n' || c == '\r' || c == '\0';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Steps over indent and list markers: "  - 1. /agent". */
static const char *
skip_markers(const char *s)
{
	for (;;) {
		size_t n = 0;

		while (is_blank(*s))
			s++;
		if (*s && strchr("-+*", *s))
			n = 1;
		else if (isdigit((unsigned char)*s) && strspn(s, "0123456789") <= 9)
			n = strspn(s, "0123456789") + 1;
		if (n == 0 || (n > 1 && s[n - 1] != '.' && s[n - 1] != ')') || !is_blank(s[n]))
			return s;
		s += n;
	}
}

static const char *
next_line(const char *s)
{
	s += strcspn(s, "\r\n");
	if (*s == '\r' && s[1] == '\n')
		s++;
	return *s ? s + 1 : s;
}

static bool
is_command_line(const char *s)
{
	return strncmp(s, WORD, WORD_BYTES) == 0 &&
	       (is_blank(s[WORD_BYTES]) || is_eol(s[WORD_BYTES]));
}

static void
make_token(struct scan *scan)
{
	char hash[2 * CRYPTO_SHA256_BYTES + 1];

	crypto_sha256_hex(scan->body, strlen(scan->body), hash);
	(void)snprintf(scan->token, sizeof(scan->token), TOKEN_CHAR "%.*s.", HASH_CHARS, hash);
}

/* Copies the body to text with a token in place of each word that may be a command. */
static void
mark_lines(struct scan *scan, struct buf *text)
{
	const char *from = scan->body;
	size_t room = 0;

	make_token(scan);
	for (const char *line = scan->body; *line; line = next_line(line)) {
		const char *s = skip_markers(line);

		if (!is_command_line(s))
			continue;
		if (scan->n_lines == room) {
			room = room ? 2 * room : 8;
			scan->lines = mem_grow(scan->lines, room, sizeof(*scan->lines));
		}
		(void)buf_add(text, from, (size_t)(s - from));
		(void)buf_addf(text, "%s%zu", scan->token, scan->n_lines);
		scan->lines[scan->n_lines++] = s;
		from = s + WORD_BYTES;
	}
	(void)buf_adds(text, from);
}

/* ---- <details> ---- */

/* Where a tag that starts at s ends: behind its '>', or at the end of the text. */
static const char *
tag_end(const char *s)
{
	while (*s && *s != '>') {
		if (*s == '"' || *s == '\'') {
			const char *quote = strchr(s + 1, *s);

			if (!quote)
				return s + strlen(s);
			s = quote;
		}
		s++;
	}
	return s + (*s == '>');
}

static bool
is_details(const char *name)
{
	return strncasecmp(name, "details", 7) == 0 && !isalnum((unsigned char)name[7]) &&
	       name[7] != '-';
}

/* Counts the details that a piece of HTML opens and closes. An opening tag counts even if it is cut
 * off, a closing one only if it is whole: in doubt we are inside. */
static void
count_details(struct scan *scan, const char *html)
{
	while ((html = strchr(html, '<'))) {
		if (strncmp(html, "<!--", 4) == 0) {
			const char *end = strstr(html + 4, "-->");

			html = end ? end + 3 : html + strlen(html);
		} else if (is_details(html + 1)) {
			scan->details++;
			html = tag_end(html);
		} else if (html[1] == '/' && is_details(html + 2)) {
			html = tag_end(html);
			if (html[-1] == '>' && scan->details)
				scan->details--;
		} else {
			html += isalpha((unsigned char)html[1]) || html[1] == '/'
					? (size_t)(tag_end(html) - html)
					: 1;
		}
	}
}

/* ---- The walk ---- */

static bool
starts_line(cmark_node *text)
{
	cmark_node *before = cmark_node_previous(text);

	return !before || cmark_node_get_type(before) == CMARK_NODE_SOFTBREAK ||
	       cmark_node_get_type(before) == CMARK_NODE_LINEBREAK;
}

/* A paragraph whose ancestors are only lists and the document. */
static bool
is_plain_place(cmark_node *text)
{
	cmark_node *n = cmark_node_parent(text);

	if (!n || cmark_node_get_type(n) != CMARK_NODE_PARAGRAPH)
		return false;
	while ((n = cmark_node_parent(n))) {
		cmark_node_type type = cmark_node_get_type(n);

		if (type != CMARK_NODE_DOCUMENT && type != CMARK_NODE_LIST &&
			type != CMARK_NODE_ITEM)
			return false;
	}
	return true;
}

/* The line that a text node starts with, or NULL. */
static const char *
line_of(const struct scan *scan, const char *literal)
{
	size_t n = strlen(scan->token), line;
	char *end;

	if (!literal || strncmp(literal, scan->token, n) != 0 ||
		!isdigit((unsigned char)literal[n]))
		return NULL;
	line = strtoul(literal + n, &end, 10);
	return line < scan->n_lines && (is_blank(*end) || is_eol(*end)) ? scan->lines[line] : NULL;
}

static void
add_command(struct scan *scan, const char *line)
{
	const char *verb = line + WORD_BYTES + strspn(line + WORD_BYTES, " \t");
	size_t verb_len = strcspn(verb, " \t\r\n");
	const char *args = verb + verb_len + strspn(verb + verb_len, " \t");
	size_t args_len = strcspn(args, "\r\n");
	struct forge_command *c;
	auto_free char *word = mem_strn(verb, verb_len);

	if (scan->out->n >= LIMIT_COMMANDS)
		return;
	while (args_len && is_blank(args[args_len - 1]))
		args_len--;
	c = row_list_add(scan->out, sizeof(*c));
	c->verb = dialect_cut(word, LIMIT_NAME_BYTES);
	for (char *p = c->verb; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	c->args = mem_strn(args, args_len);
}

static void
visit(struct scan *scan, cmark_node *node)
{
	cmark_node_type type = cmark_node_get_type(node);
	const char *literal = cmark_node_get_literal(node);
	const char *line;

	if (literal && (type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE))
		count_details(scan, literal);
	if (type != CMARK_NODE_TEXT || scan->details)
		return;
	line = line_of(scan, literal);
	if (line && starts_line(node) && is_plain_place(node))
		add_command(scan, line);
}

static cmark_node *
parse(const struct buf *text)
{
	cmark_parser *parser;
	cmark_syntax_extension *table;
	cmark_node *doc;

	cmark_gfm_core_extensions_ensure_registered();
	parser = cmark_parser_new(CMARK_OPT_DEFAULT);
	table = cmark_find_syntax_extension("table");
	if (table)
		cmark_parser_attach_syntax_extension(parser, table);
	cmark_parser_feed(parser, buf_str(text), text->len);
	doc = cmark_parser_finish(parser);
	cmark_parser_free(parser);
	return doc;
}

void
markdown_commands(const char *body, struct row_list *out)
{
	struct scan scan = { .body = body, .out = out };
	auto_buf struct buf text = BUF_INIT(TEXT_BYTES_MAX);
	cmark_node *doc;
	cmark_iter *it;
	cmark_event_type ev;

	if (strlen(body) > LIMIT_BODY_BYTES || !strstr(body, WORD))
		return;
	mark_lines(&scan, &text);
	if (scan.n_lines && !text.is_full) {
		doc = parse(&text);
		it = cmark_iter_new(doc);
		while ((ev = cmark_iter_next(it)) != CMARK_EVENT_DONE) {
			if (ev == CMARK_EVENT_ENTER)
				visit(&scan, cmark_iter_get_node(it));
		}
		cmark_iter_free(it);
		cmark_node_free(doc);
	}
	free(scan.lines);
}
