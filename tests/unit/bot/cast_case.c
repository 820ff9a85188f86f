/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cast_case - see cast_case.h.
 */
#include "tests/unit/bot/cast_case.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* One line: ["<time>", "o", "<what>"], the first one an object. */
static void
play_line(const char *line, size_t len, struct buf *out)
{
	auto_json struct json *j = NULL;

	assert_int_equal(json_parse(line, len, &JSON_LIMITS_REPLY, &j, NULL), 0);
	const char *kind = json_str(json_at(j, "", 1), "");
	const char *said = json_str(json_at(j, "", 2), "");
	assert_true(kind && strcmp(kind, "o") == 0 && said);
	assert_int_equal(buf_adds(out, said), 0);
}

char *
cast_case_play(const char *cast)
{
	struct buf out = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	const char *line = strchr(cast, '\n');

	assert_non_null(line);
	for (line++; *line;) {
		size_t len = strcspn(line, "\n");

		assert_int_equal(line[len], '\n');
		play_line(line, len, &out);
		line += len + 1;
	}
	(void)buf_str(&out);
	return buf_steal(&out);
}
