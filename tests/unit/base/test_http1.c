/* SPDX-License-Identifier: Apache-2.0 */
/* http1 - what is read, and the corpus of what is refused. */
#include "base/http1.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define H "Host: a\r\n"

struct text_row {
	const char *name;
	const char *text;
	size_t len; /* 0: strlen */
};

static size_t
row_len(const struct text_row *r)
{
	return r->len ? r->len : strlen(r->text);
}

static void
reads_a_request(void **state)
{
	static const char text[] = "POST /hook/gh?x=1 HTTP/1.1\r\nHost: bot.example:8080\r\n"
				   "content-LENGTH: 12\r\nX-Empty:\r\nX-Spaced: \t a b "
				   "\t\r\nX-High: \xc3\xa9\r\n\r\nbody";
	struct http1_head h;
	const struct http1_header *x;
	struct err e;

	(void)state;
	assert_int_equal(http1_head_parse(text, strlen(text), &h, &e), 1);
	assert_int_equal(h.method_len, 4);
	assert_memory_equal(h.method, "POST", 4);
	assert_int_equal(h.target_len, strlen("/hook/gh?x=1"));
	assert_memory_equal(h.target, "/hook/gh?x=1", h.target_len);
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.content_length, 12);
	assert_false(h.is_chunked);
	assert_int_equal(h.head_len, strlen(text) - 4);
	assert_int_equal(h.n_headers, 5);
	x = http1_header_get(&h, "x-spaced");
	assert_non_null(x);
	assert_int_equal(x->value_len, 3);
	assert_memory_equal(x->value, "a b", 3);
	assert_int_equal(http1_header_get(&h, "x-empty")->value_len, 0);
	assert_null(http1_header_get(&h, "x-spac"));
}

static void
accepts(void **state)
{
	static const struct text_row rows[] = {
		{ "HTTP/1.0 without a Host", "GET / HTTP/1.0\r\n\r\n", 0 },
		{ "chunked in capitals",
			"POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n", 0 },
		{ "an absolute target", "GET http://a/ HTTP/1.1\r\n" H "\r\n", 0 },
		{ "CONNECT to host and port", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0 },
		{ "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0 },
		{ "an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0 },
		{ "a length of zero", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 0 },
		{ "the longest length",
			"POST / HTTP/1.1\r\n" H "Content-Length: 999999999999999999\r\n\r\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http1_head h;
		struct err e = { 0 };

		if (http1_head_parse(rows[i].text, row_len(&rows[i]), &h, &e) != 1)
			fail_msg("%s: %s", rows[i].name, e.text);
	}
}

static const struct text_row REFUSED[] = {
	{ "both lengths",
		"POST / HTTP/1.1\r\n" H "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
		0 },
	{ "both lengths, other order",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
		0 },
	{ "two different lengths",
		"POST / HTTP/1.1\r\n" H "Content-Length: 4\r\nContent-Length: 5\r\n\r\n", 0 },
	{ "two equal lengths",
		"POST / HTTP/1.1\r\n" H "Content-Length: 4\r\nContent-Length: 4\r\n\r\n", 0 },
	{ "a list of lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 4, 4\r\n\r\n", 0 },
	{ "a length with a plus", "POST / HTTP/1.1\r\n" H "Content-Length: +4\r\n\r\n", 0 },
	{ "a negative length", "POST / HTTP/1.1\r\n" H "Content-Length: -4\r\n\r\n", 0 },
	{ "a hexadecimal length", "POST / HTTP/1.1\r\n" H "Content-Length: 0x4\r\n\r\n", 0 },
	{ "an empty length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 0 },
	{ "a length over 64 bits",
		"POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551620\r\n\r\n", 0 },
	{ "space before the colon", "POST / HTTP/1.1\r\n" H "Content-Length : 4\r\n\r\n", 0 },
	{ "tab before the colon", "POST / HTTP/1.1\r\n" H "Transfer-Encoding\t: chunked\r\n\r\n",
		0 },
	{ "a folded header", "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n", 0 },
	{ "a folded header with a tab", "POST / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 0 },
	{ "a fold of the request line", "POST / HTTP/1.1\r\n " H "\r\n", 0 },
	{ "coding xchunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 0 },
	{ "coding gzip, chunked",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 0 },
	{ "coding chunked, identity",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n", 0 },
	{ "coding identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 0 },
	{ "coding in quotes", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 0 },
	{ "coding with a vertical tab",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: \vchunked\r\n\r\n", 0 },
	{ "no coding", "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 0 },
	{ "two codings",
		"POST / HTTP/1.1\r\n" H
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		0 },
	{ "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0 },
	{ "bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 0 },
	{ "bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", 0 },
	{ "bare LF for the empty line", "GET / HTTP/1.1\r\n" H "\n", 0 },
	{ "bare CR in a header", "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 0 },
	{ "CR CR LF", "GET / HTTP/1.1\r\n" H "X: a\r\r\n\r\n", 0 },
	{ "NUL in a value", "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n",
		sizeof("GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n") - 1 },
	{ "NUL in a name", "GET / HTTP/1.1\r\n" H "X\0: a\r\n\r\n",
		sizeof("GET / HTTP/1.1\r\n" H "X\0: a\r\n\r\n") - 1 },
	{ "a control character in a value", "GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 0 },
	{ "DEL in a value", "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 0 },
	{ "two Hosts", "GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n", 0 },
	{ "two equal Hosts", "GET / HTTP/1.1\r\n" H H "\r\n", 0 },
	{ "no Host in HTTP/1.1", "GET / HTTP/1.1\r\nX: a\r\n\r\n", 0 },
	{ "a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 0 },
	{ "a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 0 },
	{ "a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0 },
	{ "a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0 },
	{ "an empty header name", "GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 0 },
	{ "a header without a colon", "GET / HTTP/1.1\r\n" H "nonsense\r\n\r\n", 0 },
	{ "a header name with a space", "GET / HTTP/1.1\r\n" H "X Y: a\r\n\r\n", 0 },
	{ "a header name that is not ASCII", "GET / HTTP/1.1\r\n" H "X\xc3\xa9: a\r\n\r\n", 0 },
	{ "HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", 0 },
	{ "HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 0 },
	{ "HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n", 0 },
	{ "http in small letters", "GET / http/1.1\r\n" H "\r\n", 0 },
	{ "HTTP/0.9", "GET /\r\n\r\n", 0 },
	{ "no target", "GET HTTP/1.1\r\n" H "\r\n", 0 },
	{ "an empty target", "GET  HTTP/1.1\r\n" H "\r\n", 0 },
	{ "two spaces before the version", "GET /  HTTP/1.1\r\n" H "\r\n", 0 },
	{ "space behind the version", "GET / HTTP/1.1 \r\n" H "\r\n", 0 },
	{ "a space in the target", "GET /a b HTTP/1.1\r\n" H "\r\n", 0 },
	{ "a target that is not ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 0 },
	{ "a tab for a space", "GET\t/ HTTP/1.1\r\n" H "\r\n", 0 },
	{ "a method that is no token", "G(T / HTTP/1.1\r\n" H "\r\n", 0 },
	{ "an endless method", "GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG / HTTP/1.1\r\n" H "\r\n", 0 },
	{ "an empty line first", "\r\nGET / HTTP/1.1\r\n" H "\r\n", 0 },
	{ "a space first", " GET / HTTP/1.1\r\n" H "\r\n", 0 },
	{ "a TLS hello", "\x16\x03\x01\x02", 0 },
	{ "the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0 },
};

static void
refuses_the_corpus(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		struct http1_head h;
		struct err e = { 0 };

		if (http1_head_parse(REFUSED[i].text, row_len(&REFUSED[i]), &h, &e) != ERR_PROTOCOL)
			fail_msg("accepted: %s", REFUSED[i].name);
	}
}

/* However the bytes arrive, no prefix of a refused head is accepted. */
static void
no_prefix_of_the_corpus_is_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		for (size_t len = 0; len < row_len(&REFUSED[i]); len++) {
			struct http1_head h;

			if (http1_head_parse(REFUSED[i].text, len, &h, NULL) == 1)
				fail_msg("%s at %zu bytes", REFUSED[i].name, len);
		}
	}
}

static void
refuses_before_the_head_is_complete(void **state)
{
	static const struct text_row rows[] = {
		{ "NUL in the first line", "GE\0", 3 },
		{ "no token first", "(", 0 },
		{ "bare LF", "GET / HTTP/1.1\n", 0 },
		{ "a wrong version", "GET / HTTP/3.0\r\n", 0 },
		{ "the beginning of a fold", "GET / HTTP/1.1\r\n" H "X: a\r\n ", 0 },
		{ "space before the colon", "GET / HTTP/1.1\r\n" H "X : a\r\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http1_head h;

		if (http1_head_parse(rows[i].text, row_len(&rows[i]), &h, NULL) != ERR_PROTOCOL)
			fail_msg("waits on: %s", rows[i].name);
	}
}

static void
waits_for_every_byte_of_a_good_head(void **state)
{
	static const char text[] = "POST /hook HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\n";
	struct http1_head h;

	(void)state;
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(http1_head_parse(text, len, &h, NULL), 0);
	assert_int_equal(http1_head_parse(text, strlen(text), &h, NULL), 1);
}

static void
the_number_of_headers_is_bounded(void **state)
{
	auto_buf struct buf b = BUF_INIT(8192);
	struct http1_head h;

	(void)state;
	(void)buf_adds(&b, "GET / HTTP/1.1\r\n" H);
	for (int i = 1; i < HTTP1_HEADERS_MAX; i++)
		(void)buf_adds(&b, "X: y\r\n");
	(void)buf_adds(&b, "\r\n");
	assert_int_equal(http1_head_parse(b.data, b.len, &h, NULL), 1);
	assert_int_equal(h.n_headers, HTTP1_HEADERS_MAX);
	buf_cut(&b, b.len - 2);
	(void)buf_adds(&b, "X: y\r\n\r\n");
	assert_int_equal(http1_head_parse(b.data, b.len, &h, NULL), ERR_LIMIT);
}

static void
the_second_request_is_left_alone(void **state)
{
	static const char first[] = "GET /a HTTP/1.1\r\n" H "\r\n";
	static const char both[] = "GET /a HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n";
	struct http1_head h;

	(void)state;
	assert_int_equal(http1_head_parse(both, strlen(both), &h, NULL), 1);
	assert_int_equal(h.head_len, strlen(first));
	assert_int_equal(h.target_len, 2);
}

static const struct {
	const char *name;
	const char *text;
	int rc;
	const char *want;
} CHUNKS[] = {
	{ "two chunks", "4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n", 1, "Wikipedia" },
	{ "digits in both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", 1,
		"01234567890123456789a" },
	{ "leading zeros", "0004\r\nWiki\r\n000\r\n\r\n", 1, "Wiki" },
	{ "an extension", "4;x=\"y\"\r\nWiki\r\n0;z\r\n\r\n", 1, "Wiki" },
	{ "trailers", "1\r\na\r\n0\r\nX: y\r\nZ: w\r\n\r\n", 1, "a" },
	{ "CRLF inside data", "2\r\n\r\n\r\n0\r\n\r\n", 1, "\r\n" },
	{ "no end yet", "4\r\nWiki\r\n", 0, "Wiki" },
	{ "no size", "\r\n", ERR_PROTOCOL, "" },
	{ "a negative size", "-1\r\n", ERR_PROTOCOL, "" },
	{ "a size with 0x", "0x4\r\nWiki\r\n", ERR_PROTOCOL, "" },
	{ "space behind the size", "4 \r\nWiki\r\n", ERR_PROTOCOL, "" },
	{ "space before the size", " 4\r\nWiki\r\n", ERR_PROTOCOL, "" },
	{ "bare LF behind the size", "4\nWiki\r\n", ERR_PROTOCOL, "" },
	{ "CR without LF behind the size", "4\rWiki", ERR_PROTOCOL, "" },
	{ "bare LF in an extension", "4;a\nWiki\r\n", ERR_PROTOCOL, "" },
	{ "data longer than its size", "4\r\nWikipedia\r\n", ERR_PROTOCOL, "Wiki" },
	{ "bare LF behind data", "4\r\nWiki\n0\r\n\r\n", ERR_PROTOCOL, "Wiki" },
	{ "a size over 64 bits", "10000000000000004\r\nWiki\r\n", ERR_PROTOCOL, "" },
	{ "bare LF at the end", "0\r\n\n", ERR_PROTOCOL, "" },
	{ "bare LF in a trailer", "0\r\nX: y\n\r\n", ERR_PROTOCOL, "" },
};

static void
reads_chunks_in_one_piece_and_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CHUNKS) / sizeof(CHUNKS[0]); i++) {
		size_t len = strlen(CHUNKS[i].text);
		auto_buf struct buf whole = BUF_INIT(100);
		auto_buf struct buf bytes = BUF_INIT(100);
		struct http1_chunks c = { 0 };
		size_t used;
		int rc;

		rc = http1_chunks_feed(&c, CHUNKS[i].text, len, &used, &whole, NULL);
		if (rc != CHUNKS[i].rc || strcmp(buf_str(&whole), CHUNKS[i].want) != 0)
			fail_msg("%s: %d \"%s\"", CHUNKS[i].name, rc, buf_str(&whole));
		memset(&c, 0, sizeof(c));
		rc = 0;
		for (size_t k = 0; k < len && rc == 0; k++)
			rc = http1_chunks_feed(&c, CHUNKS[i].text + k, 1, &used, &bytes, NULL);
		if (rc != CHUNKS[i].rc || strcmp(buf_str(&bytes), CHUNKS[i].want) != 0)
			fail_msg(
				"%s, byte by byte: %d \"%s\"", CHUNKS[i].name, rc, buf_str(&bytes));
	}
}

static void
chunks_end_where_the_next_request_begins(void **state)
{
	static const char text[] = "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
	auto_buf struct buf out = BUF_INIT(100);
	struct http1_chunks c = { 0 };
	size_t used = 0;

	(void)state;
	assert_int_equal(http1_chunks_feed(&c, text, strlen(text), &used, &out, NULL), 1);
	assert_string_equal(text + used, "GET / HTTP/1.1\r\n");
}

static void
chunk_lines_and_bodies_are_bounded(void **state)
{
	auto_buf struct buf in = BUF_INIT(100000);
	auto_buf struct buf out = BUF_INIT(3);
	struct http1_chunks c = { 0 };
	size_t used;

	(void)state;
	assert_int_equal(http1_chunks_feed(&c, "4\r\nWiki", 7, &used, &out, NULL), ERR_LIMIT);
	(void)buf_adds(&in, "1;");
	while (in.len < 1000)
		(void)buf_addc(&in, 'x');
	memset(&c, 0, sizeof(c));
	assert_int_equal(http1_chunks_feed(&c, in.data, in.len, &used, &out, NULL), ERR_PROTOCOL);
	buf_reset(&in);
	(void)buf_adds(&in, "0\r\n");
	while (in.len < 10000)
		(void)buf_adds(&in, "X: y\r\n");
	memset(&c, 0, sizeof(c));
	assert_int_equal(http1_chunks_feed(&c, in.data, in.len, &used, &out, NULL), ERR_PROTOCOL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request),
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses_the_corpus),
		cmocka_unit_test(no_prefix_of_the_corpus_is_accepted),
		cmocka_unit_test(refuses_before_the_head_is_complete),
		cmocka_unit_test(waits_for_every_byte_of_a_good_head),
		cmocka_unit_test(the_number_of_headers_is_bounded),
		cmocka_unit_test(the_second_request_is_left_alone),
		cmocka_unit_test(reads_chunks_in_one_piece_and_byte_by_byte),
		cmocka_unit_test(chunks_end_where_the_next_request_begins),
		cmocka_unit_test(chunk_lines_and_bodies_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
