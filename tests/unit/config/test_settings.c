/* SPDX-License-Identifier: Apache-2.0 */
/* settings - the tables agree with the structs and with themselves. */
#include "config/settings.h"

#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static const struct settings *const FILES[] = { &SERVER_SETTINGS, &REPOSITORY_SETTINGS };

/* Calls fn for each table and its rows: the file's own and each named one's. */
static void
each_table(void (*fn)(const struct setting *, const struct row *))
{
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
		fn(FILES[i]->all, FILES[i]->rows);
		for (const struct setting *s = FILES[i]->all; s->type != SETTING_END; s++) {
			if (s->type == SETTING_NAMED)
				fn(s->sub, setting_row(FILES[i]->rows, s->path)->sub);
		}
	}
}

static enum row_type
row_type_for(const struct setting *s)
{
	if (s->type == SETTING_BOOL)
		return ROW_BOOL;
	if (s->type < SETTING_NAMED)
		return ROW_I64;
	if (s->type == SETTING_NAMED)
		return ROW_LIST;
	return s->is_list ? ROW_STRS : ROW_STR;
}

static void
check_rows(const struct setting *all, const struct row *rows)
{
	for (const struct setting *s = all; s->type != SETTING_END; s++) {
		const struct row *row = rows;

		while (row->type != ROW_END && !str_eq(row->name, s->path))
			row++;
		if (row->type != row_type_for(s))
			fail_msg("%s: its row is missing or of another type", s->path);
	}
	for (const struct row *row = rows; row->type != ROW_END; row++) {
		const struct setting *s = all;

		while (s->type != SETTING_END && !str_eq(row->name, s->path))
			s++;
		if (s->type == SETTING_END && !str_eq(row->name, "name"))
			fail_msg("%s: no setting fills it", row->name);
	}
}

static void
each_setting_has_its_row_and_each_row_its_setting(void **state)
{
	(void)state;
	each_table(check_rows);
}

static void
check_words(const struct setting *all, const struct row *rows)
{
	(void)rows;
	for (const struct setting *s = all; s->type != SETTING_END; s++) {
		const char *dot = strchr(s->path, '.');

		if (str_is_empty(s->help) || !str_ends(s->help, ".") || strchr(s->help, '|'))
			fail_msg("%s: its help is no sentence for a table", s->path);
		if (!setting_type_name(s))
			fail_msg("%s: its type has no name as a list", s->path);
		assert_true(!dot || !strchr(dot + 1, '.'));
		assert_true((s->type == SETTING_CHOICE) == (s->choices != NULL));
		assert_false(s->def && s->is_required);
		if (s->type >= SETTING_INT && s->type <= SETTING_MONEY && s->min >= s->max)
			fail_msg("%s: its range is empty", s->path);
		for (const struct setting *other = all; other != s; other++)
			assert_string_not_equal(other->path, s->path);
	}
}

static void
each_setting_is_described(void **state)
{
	(void)state;
	each_table(check_words);
}

static void
check_defaults(const struct setting *all, const struct row *rows)
{
	(void)rows;
	for (const struct setting *s = all; s->type != SETTING_END; s++) {
		auto_buf struct buf out = BUF_INIT(4096);
		struct err e = { 0 };
		int64_t n;
		int rc = 0;

		if (!s->def)
			continue;
		if (s->type > SETTING_NAMED)
			rc = setting_text(s, NULL, s->def, &out, &e);
		else if (s->type != SETTING_BOOL)
			rc = setting_number_parse(s, s->def, &n, &e);
		if (rc < 0)
			fail_msg("%s: %s", s->path, e.text);
	}
}

static void
each_default_passes_its_own_check(void **state)
{
	(void)state;
	each_table(check_defaults);
}

/* "limit" alone may not be a key and a section at once, and named maps have no sections. */
static void
check_sections(const struct setting *all, const struct row *rows)
{
	(void)rows;
	for (const struct setting *s = all; s->type != SETTING_END; s++) {
		for (const struct setting *other = all; other->type != SETTING_END; other++) {
			size_t len = strlen(s->path);

			assert_false(str_starts(other->path, s->path) && other->path[len] == '.');
		}
	}
}

static void
no_key_is_a_section_too(void **state)
{
	(void)state;
	each_table(check_sections);
}

/* The printer opens a section once, so its settings are neighbours. */
static void
sections_are_in_one_piece(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
		auto_strs struct strs seen = { 0 };
		char last[64] = "";

		for (const struct setting *s = FILES[i]->all; s->type != SETTING_END; s++) {
			size_t len = strcspn(s->path, ".");
			char section[64] = "";

			if (s->path[len])
				memcpy(section, s->path, len);
			if (section[0] && strcmp(section, last) != 0) {
				assert_false(strs_has(&seen, section));
				strs_add(&seen, section);
			}
			memcpy(last, section, sizeof(last));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_setting_has_its_row_and_each_row_its_setting),
		cmocka_unit_test(each_setting_is_described),
		cmocka_unit_test(each_default_passes_its_own_check),
		cmocka_unit_test(no_key_is_a_section_too),
		cmocka_unit_test(sections_are_in_one_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
