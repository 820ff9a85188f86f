/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of sandbox/recorder and sandbox/capped: a transcript that is always valid and never
 * too long.
 */
#include "sandbox/recorder.h"
#include "sandbox/redact.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct rec {
	struct recorder *r;
	int cast, text;
};

static void
begin_as(struct rec *c, struct recorder_spec s)
{
	c->cast = memfd_create("cast", MFD_CLOEXEC);
	c->text = memfd_create("text", MFD_CLOEXEC);
	s.cast_fd = fcntl(c->cast, F_DUPFD_CLOEXEC, 3);
	s.text_fd = fcntl(c->text, F_DUPFD_CLOEXEC, 3);
	s.wall_ms = 1700000000000;
	s.title = "a \"title\"";
	assert_int_equal(recorder_create(&s, 1000, &c->r, NULL), 0);
}

static void
begin(struct rec *c, int64_t bytes_max)
{
	begin_as(c, (struct recorder_spec){ .bytes_max = bytes_max });
}

static char *
contents(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *data = mem_array((size_t)len + 1, 1);

	assert_int_equal(pread(fd, data, (size_t)len, 0), len);
	return data;
}

/* Finishes; every line of the cast is JSON, and times never go back. Returns the joined output. */
static char *
end(struct rec *c, char **text)
{
	struct buf all = BUF_INIT(64 << 20);
	double last = 0;

	assert_int_equal(recorder_finish(c->r, NULL), 0);
	char *cast = contents(c->cast);
	char *rest = cast;
	char *line;
	for (int n = 0; (line = strsep(&rest, "\n")) && *line; n++) {
		struct json *j = NULL;
		auto_free char *object = n == 0 ? mem_str(line) : mem_fmt("{\"e\":%s}", line);

		assert_int_equal(
			json_parse(object, strlen(object), &JSON_LIMITS_REPLY, &j, NULL), 0);
		for (const char *p = line; *p; p++)
			assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
		if (n == 0) {
			assert_int_equal(json_i64(j, "version"), 2);
			assert_int_equal(json_i64(j, "width"), 120);
			assert_int_equal(json_i64(j, "timestamp"), 1700000000);
			assert_string_equal(json_str(j, "title"), "a \"title\"");
		} else {
			double at = strtod(line + 1, NULL);

			assert_true(at >= last);
			last = at;
			assert_string_equal(json_str(json_at(j, "e", 1), ""), "o");
			(void)buf_adds(&all, json_str(json_at(j, "e", 2), ""));
		}
		json_destroy(j);
	}
	free(cast);
	if (text)
		*text = contents(c->text);
	(void)close(c->cast);
	(void)close(c->text);
	(void)buf_adds(&all, "");
	return buf_steal(&all);
}

static void
what_was_shown_is_there(void **state)
{
	struct rec c;
	char *text;

	(void)state;
	begin(&c, MIB(1));
	recorder_note(c.r, "setup: make", 1000);
	recorder_write(c.r, "hello ", 6, 1010);
	recorder_write(c.r, "\"\\\x1b[31mred\x1b[0m\r\n", 16, 1020);
	recorder_tick(c.r, 1100);
	recorder_write(c.r, "done\r\n", 6, 2000);
	char *out = end(&c, &text);
	assert_non_null(strstr(out, "hello \"\\\x1b[31mred\x1b[0m\r\ndone\r\n"));
	assert_string_equal(text, "== setup: make\nhello \"\\red\ndone\n");
	free(out);
	free(text);
}

static int
events(const struct rec *c)
{
	auto_free char *cast = contents(c->cast);
	int n = 0;

	for (const char *p = cast; (p = strchr(p, '\n')); p++)
		n++;
	return n - 1; /* the head */
}

/* A program that writes byte by byte makes no event of each. */
static void
what_comes_within_50_ms_is_one_event(void **state)
{
	struct rec c;

	(void)state;
	begin(&c, MIB(1));
	for (int ms = 0; ms < 50; ms++)
		recorder_write(c.r, "0123456789", 10, 1000 + ms);
	assert_int_equal(events(&c), 0);
	recorder_tick(c.r, 1060);
	assert_int_equal(events(&c), 1);
	for (int ms = 70; ms < 220; ms++)
		recorder_write(c.r, "0123456789", 10, 1000 + ms);
	assert_in_range(events(&c), 3, 4);
	char *out = end(&c, NULL);
	assert_int_equal(strlen(out), 2000);
	free(out);
}

static void
a_character_may_come_in_pieces(void **state)
{
	static const char in[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z";
	struct rec c;
	char *text;

	(void)state;
	begin(&c, MIB(1));
	/* Each byte is an event of its own. */
	for (size_t i = 0; i < sizeof(in) - 1; i++)
		recorder_write(c.r, in + i, 1, 1000 + (int64_t)i * 1000);
	char *out = end(&c, &text);
	assert_string_equal(out, in);
	assert_string_equal(text, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z\n");
	free(out);
	free(text);
}

static void
bad_bytes_become_replacements(void **state)
{
	struct rec c;

	(void)state;
	begin(&c, MIB(1));
	recorder_write(c.r,
		"a\xff\xc3(\0b\xc2\x9b"
		"c\x7f",
		10, 1000);
	recorder_cut(c.r, 1000);
	char *out = end(&c, NULL);
	assert_string_equal(out, "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd"
				 "b\xc2\x9b"
				 "c\x7f");
	free(out);
}

static void
a_half_character_at_the_end_is_not_waited_for(void **state)
{
	struct rec c;

	(void)state;
	begin(&c, MIB(1));
	recorder_write(c.r, "\xe2\x82", 2, 1000);
	assert_false(recorder_is_waiting(c.r));
	char *out = end(&c, NULL);
	assert_string_equal(out, "\xef\xbf\xbd\xef\xbf\xbd");
	free(out);
}

static void
a_flood_keeps_head_and_tail(void **state)
{
	const int64_t cap = 100000;
	struct rec c;
	char *text;

	(void)state;
	begin(&c, cap);
	for (int i = 0; i < 100000; i++) {
		char line[64];
		int n = snprintf(line, sizeof(line), "line %06d\r\n", i);

		recorder_write(c.r, line, (size_t)n, 1000 + i);
	}
	char *out = end(&c, &text);
	assert_true(strlen(text) <= (size_t)cap + 100);
	assert_true(strlen(text) > (size_t)cap / 2);
	for (int i = 0; i < 2; i++) {
		const char *where = i ? text : out;

		assert_non_null(strstr(where, "line 000000"));
		assert_non_null(strstr(where, "line 001000"));
		assert_null(strstr(where, "line 050000"));
		assert_non_null(strstr(where, "line 099999"));
		assert_non_null(strstr(where, "bytes left out ...]"));
	}
	free(out);
	free(text);
}

static void
one_endless_line_is_bounded(void **state)
{
	char *in = mem_array(MIB(4), 1);
	struct rec c;
	char *text;

	(void)state;
	memset(in, 0x01, MIB(4)); /* each byte is six in JSON */
	begin(&c, MIB(1));
	recorder_write(c.r, in, MIB(4), 1000);
	char *out = end(&c, &text);
	assert_true(strlen(out) * 6 <= MIB(1) + 1000);
	free(in);
	free(out);
	free(text);
}

static void
the_tail_is_the_last_lines(void **state)
{
	struct rec c;
	struct buf tail = BUF_INIT(100);

	(void)state;
	begin(&c, MIB(1));
	for (int i = 0; i < 1000; i++) {
		char line[32];

		recorder_write(c.r, line, (size_t)snprintf(line, sizeof(line), "l%d\r\n", i), 1000);
	}
	recorder_write(c.r, "50%\r100%, all is there!", 23, 1000);
	/* The last fifteen characters might begin a secret. */
	recorder_tail(c.r, 16, &tail);
	assert_string_equal(buf_str(&tail), "l998\nl999\n100%\n");
	buf_finish(&tail);
	free(end(&c, NULL));
}

static void
a_full_disk_is_an_error(void **state)
{
	int cast = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct recorder_spec s = { .cast_fd = cast,
		.text_fd = open("/dev/null", O_WRONLY | O_CLOEXEC),
		.bytes_max = MIB(1) };
	struct err e = { 0 };

	(void)state;
	assert_true(cast >= 0);
	struct recorder *r = NULL;
	assert_int_equal(recorder_create(&s, 0, &r, &e), 0);
	recorder_write(r, "x", 1, 0);
	assert_int_equal(recorder_finish(r, &e), ERR_LIMIT);
	assert_non_null(strstr(e.text, "transcript"));
	assert_int_equal(recorder_finish(NULL, &e), 0);
}

/* A secret that comes in pieces, some of them seconds apart, is in neither file; a quiet line is
 * not kept waiting for ever. */
static void
secrets_are_taken_out(void **state)
{
	static const char SECRET[] = "correct-horse-battery-staple";
	struct redact_maker *m = redact_maker_create();
	struct buf table = BUF_INIT(REDACT_TABLE_BYTES);
	struct recorder_spec s = { .bytes_max = MIB(1) };
	struct rec c;
	char *text;

	(void)state;
	redact_maker_add(m, SECRET, strlen(SECRET));
	assert_int_equal(redact_maker_end(m, &table, NULL), 0);
	redact_maker_destroy(m);
	s.redactions = table.data;
	s.redactions_len = table.len;
	begin_as(&c, s);
	recorder_write(c.r, "key=", 4, 1000);
	for (int i = 0; SECRET[i]; i++) {
		recorder_write(c.r, &SECRET[i], 1, 2000 + 3000 * i);
		recorder_tick(c.r, 4900 + 3000 * i);
	}
	recorder_write(c.r, ".\r\nwaiting\r\n", 12, 90000);
	assert_true(recorder_is_waiting(c.r));
	recorder_tick(c.r, 90500);
	recorder_tick(c.r, 91000);
	recorder_tick(c.r, 91050);
	assert_false(recorder_is_waiting(c.r));
	char *out = end(&c, &text);
	assert_string_equal(out, "key=[redacted].\r\nwaiting\r\n");
	assert_string_equal(text, "key=[redacted].\nwaiting\n");
	free(out);
	free(text);
	s.redactions_len--;
	s.cast_fd = s.text_fd = -1;
	assert_int_equal(recorder_create(&s, 0, &c.r, NULL), ERR_INVALID);
	buf_finish(&table);
}

/* ---- one that was killed ---- */

#define GONE "it was killed"

static void
read_into(int fd, struct buf *out)
{
	auto_free char *data = contents(fd);

	assert_int_equal(buf_adds(out, data), 0);
	(void)buf_str(out);
}

static void
say(struct rec *c, const char *text, int64_t at_ms)
{
	recorder_write(c->r, text, strlen(text), at_ms);
}

/* What it had not written is lost; nothing that it had, and half a line is nothing. */
static void
what_a_killed_one_left_is_made_whole(void **state)
{
	auto_buf struct buf cast = BUF_INIT(1 << 20);
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct rec c;

	(void)state;
	begin(&c, 1 << 20);
	recorder_note(c.r, "setup", 1000);
	say(&c, "set\r\nup", 1100);
	recorder_note(c.r, "agent", 1200);
	say(&c, "\033[1mone\033[0m\r\ntwo\r\n", 1300);
	(void)recorder_tick(c.r, 1300 + RECORDER_QUIET_MS);
	say(&c, "never seen", 2400);
	read_into(c.cast, &cast);
	read_into(c.text, &text);
	assert_null(strstr(text.data, "one"));
	assert_int_equal(buf_adds(&cast, "[1.400,\"o\",\"nev"), 0);
	recorder_mend(GONE, &cast, &text);
	assert_string_equal(buf_str(&text), "== setup\nset\nup\n== agent\none\ntwo\n== " GONE "\n");
	assert_non_null(strstr(cast.data, GONE));
	assert_null(strstr(cast.data, "nev"));
	assert_true(str_ends(cast.data, "\"]\n"));
	auto_free char *once = mem_str(cast.data);
	auto_free char *text_once = mem_str(text.data);
	recorder_mend(GONE, &cast, &text);
	assert_string_equal(buf_str(&cast), once);
	assert_string_equal(buf_str(&text), text_once);
	/* As it had been about to be found by the next one. */
	assert_int_equal(recorder_finish(c.r, NULL), 0);
	(void)close(c.cast);
	(void)close(c.text);
}

static void
nothing_recorded_is_nothing_to_mend(void **state)
{
	auto_buf struct buf cast = BUF_INIT(1 << 10);
	auto_buf struct buf text = BUF_INIT(1 << 10);

	(void)state;
	recorder_mend(GONE, &cast, &text);
	assert_int_equal(cast.len + text.len, 0);
	/* Killed within its first line. */
	assert_int_equal(buf_adds(&cast, "{\"version\":2"), 0);
	recorder_mend(GONE, &cast, &text);
	assert_string_equal(buf_str(&text), "== " GONE "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_shown_is_there),
		cmocka_unit_test(what_comes_within_50_ms_is_one_event),
		cmocka_unit_test(a_character_may_come_in_pieces),
		cmocka_unit_test(bad_bytes_become_replacements),
		cmocka_unit_test(a_half_character_at_the_end_is_not_waited_for),
		cmocka_unit_test(a_flood_keeps_head_and_tail),
		cmocka_unit_test(one_endless_line_is_bounded),
		cmocka_unit_test(the_tail_is_the_last_lines),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(secrets_are_taken_out),
		cmocka_unit_test(what_a_killed_one_left_is_made_whole),
		cmocka_unit_test(nothing_recorded_is_nothing_to_mend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
