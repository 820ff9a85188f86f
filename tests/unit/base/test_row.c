/* SPDX-License-Identifier: Apache-2.0 */
/* row - round trips, and every way in which bytes can lie. */
#include "base/row.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

struct label {
	char *name;
	int64_t id;
	struct strs tags;
	bool is_new;
};

struct task {
	int64_t id;
	int not_in_the_table;
	bool is_pull;
	char *title;
	char *branch;
	struct strs paths;
	struct row_list labels;
};

static const struct row LABEL_ROWS[] = {
	ROW_S(struct label, name, "name", 16),
	ROW_I(struct label, id, "id"),
	ROW_SS(struct label, tags, "tags", 4, 2),
	ROW_B(struct label, is_new, "new"),
	ROW_DONE,
};

static const struct row TASK_ROWS[] = {
	ROW_I(struct task, id, "id"),
	ROW_B(struct task, is_pull, "is_pull"),
	ROW_S(struct task, title, "title", 8),
	ROW_S(struct task, branch, "branch", 8),
	ROW_SS(struct task, paths, "paths", 5, 3),
	ROW_L(struct task, labels, "labels", 2, LABEL_ROWS, struct label),
	ROW_DONE,
};

static const struct row OTHER_ROWS[] = {
	ROW_I(struct task, id, "number"),
	ROW_DONE,
};

static void
fill(struct task *t)
{
	struct label *l;

	*t = (struct task){ .id = INT64_MIN, .is_pull = true, .title = mem_str("t\xc3\xa9xt") };
	strs_add(&t->paths, "a/b");
	strs_add(&t->paths, "");
	l = row_list_add(&t->labels, sizeof(*l));
	l->name = mem_str("agent");
	l->id = -1;
	strs_add(&l->tags, "x");
	l = row_list_add(&t->labels, sizeof(*l));
	l->is_new = true;
}

static void
assert_filled(const struct task *t)
{
	const struct label *l = t->labels.v;

	assert_true(t->id == INT64_MIN);
	assert_true(t->is_pull);
	assert_string_equal(t->title, "t\xc3\xa9xt");
	assert_null(t->branch);
	assert_int_equal(t->paths.n, 2);
	assert_string_equal(t->paths.v[0], "a/b");
	assert_string_equal(t->paths.v[1], "");
	assert_int_equal(t->labels.n, 2);
	assert_string_equal(l[0].name, "agent");
	assert_int_equal(l[0].id, -1);
	assert_string_equal(l[0].tags.v[0], "x");
	assert_null(l[1].name);
	assert_true(l[1].is_new);
}

static void
round_trip(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct task in, out;
	struct err e;

	(void)state;
	fill(&in);
	memset(&out, 0xee, sizeof(out));
	(void)buf_adds(&b, "head");
	assert_int_equal(row_pack(TASK_ROWS, &in, &b, &e), 0);
	assert_int_equal(strncmp(b.data, "head", 4), 0);
	assert_int_equal(row_unpack(TASK_ROWS, &out, b.data + 4, b.len - 4, &e), 0);
	assert_filled(&out);
	row_finish(TASK_ROWS, &in);
	row_finish(TASK_ROWS, &out);
	assert_null(out.title);
	assert_int_equal(out.id, 0);
	row_finish(TASK_ROWS, NULL);
}

static void
the_empty_struct_round_trips(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct task in = { 0 }, out;

	(void)state;
	assert_int_equal(row_pack(TASK_ROWS, &in, &b, NULL), 0);
	assert_int_equal(row_unpack(TASK_ROWS, &out, b.data, b.len, NULL), 0);
	assert_null(out.title);
	assert_int_equal(out.labels.n, 0);
	assert_null(out.labels.v);
}

static void
copies_are_deep(void **state)
{
	struct task in, out;

	(void)state;
	fill(&in);
	row_copy(TASK_ROWS, &out, &in);
	row_finish(TASK_ROWS, &in);
	assert_filled(&out);
	row_finish(TASK_ROWS, &out);
}

/* Every prefix is a cut message: refused, nothing leaked, nothing half filled. */
static void
refuses_input_cut_at_every_byte(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct task in;

	(void)state;
	fill(&in);
	assert_int_equal(row_pack(TASK_ROWS, &in, &b, NULL), 0);
	row_finish(TASK_ROWS, &in);
	for (size_t len = 0; len < b.len; len++) {
		auto_free char *exact = mem_dup(b.data, len);
		struct task out;

		assert_int_equal(row_unpack(TASK_ROWS, &out, exact, len, NULL), ERR_PROTOCOL);
		assert_null(out.title);
		assert_int_equal(out.labels.n, 0);
	}
}

/* Whatever byte is bent, the answer is a clean struct or a clean refusal; sanitizers watch. */
static void
survives_every_bent_byte(void **state)
{
	static const unsigned char bends[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	auto_buf struct buf b = BUF_INIT(1000);
	struct task in;

	(void)state;
	fill(&in);
	assert_int_equal(row_pack(TASK_ROWS, &in, &b, NULL), 0);
	row_finish(TASK_ROWS, &in);
	for (size_t i = 0; i < b.len * sizeof(bends); i++) {
		auto_free char *bent = mem_dup(b.data, b.len);
		struct task out;

		bent[i / sizeof(bends)] = (char)bends[i % sizeof(bends)];
		if (row_unpack(TASK_ROWS, &out, bent, b.len, NULL) < 0)
			assert_null(out.title);
		row_finish(TASK_ROWS, &out);
	}
}

static void
refuses_the_bytes_of_another_table(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct task in = { .id = 1 }, out;
	struct err e;

	(void)state;
	assert_int_equal(row_pack(OTHER_ROWS, &in, &b, NULL), 0);
	assert_int_equal(row_unpack(TASK_ROWS, &out, b.data, b.len, &e), ERR_PROTOCOL);
	assert_non_null(strstr(e.text, "another table"));
}

static void
refuses_what_is_left_over(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);
	struct task in = { 0 }, out;

	(void)state;
	assert_int_equal(row_pack(TASK_ROWS, &in, &b, NULL), 0);
	(void)buf_addc(&b, 'x');
	assert_int_equal(row_unpack(TASK_ROWS, &out, b.data, b.len, NULL), ERR_PROTOCOL);
}

struct one {
	char *s;
};

static const struct row ONE_ROWS[] = {
	ROW_S(struct one, s, "s", 8),
	ROW_DONE,
};

static void
strings_have_no_nul_and_a_maximum(void **state)
{
	auto_buf struct buf b = BUF_INIT(100);
	char text[] = "12345678";
	struct one in = { text }, out;

	(void)state;
	assert_int_equal(row_pack(ONE_ROWS, &in, &b, NULL), 0);
	assert_int_equal(row_unpack(ONE_ROWS, &out, b.data, b.len, NULL), 0);
	row_finish(ONE_ROWS, &out);
	b.data[10] = '\0';
	assert_int_equal(row_unpack(ONE_ROWS, &out, b.data, b.len, NULL), ERR_PROTOCOL);
	b.data[10] = 'x';
	b.data[4] = 9;
	(void)buf_addc(&b, 'y');
	assert_int_equal(row_unpack(ONE_ROWS, &out, b.data, b.len, NULL), ERR_PROTOCOL);
}

static void
packing_refuses_what_is_over_its_maximum(void **state)
{
	auto_buf struct buf b = BUF_INIT(1000);
	auto_buf struct buf tiny = BUF_INIT(10);
	struct task t = { .title = mem_str("123456789") };
	struct err e;

	(void)state;
	assert_int_equal(row_pack(TASK_ROWS, &t, &b, &e), ERR_LIMIT);
	assert_string_equal(e.text, "title: 9 bytes of at most 8");
	assert_int_equal(b.len, 0);
	mem_set(&t.title, NULL);
	for (int i = 0; i < 4; i++)
		strs_add(&t.paths, "x");
	assert_int_equal(row_pack(TASK_ROWS, &t, &b, &e), ERR_LIMIT);
	strs_finish(&t.paths);
	strs_add(&t.paths, "123456");
	assert_int_equal(row_pack(TASK_ROWS, &t, &b, &e), ERR_LIMIT);
	strs_finish(&t.paths);
	for (int i = 0; i < 3; i++)
		(void)row_list_add(&t.labels, sizeof(struct label));
	assert_int_equal(row_pack(TASK_ROWS, &t, &b, &e), ERR_LIMIT);
	row_finish(TASK_ROWS, &t);
	assert_int_equal(row_pack(TASK_ROWS, &t, &tiny, &e), ERR_LIMIT);
	assert_int_equal(tiny.len, 0);
}

/* A count costs memory before its elements are read, so it may not be larger than what is there. */
static void
a_count_must_be_backed_by_bytes(void **state)
{
	static const struct row rows[] = {
		ROW_SS(struct task, paths, "paths", 5, 1000000),
		ROW_DONE,
	};
	auto_buf struct buf b = BUF_INIT(100);
	struct task in = { 0 }, out;
	struct err e;

	(void)state;
	assert_int_equal(row_pack(rows, &in, &b, NULL), 0);
	b.data[6] = 9; /* 9 * 65536 elements */
	assert_int_equal(row_unpack(rows, &out, b.data, b.len, &e), ERR_PROTOCOL);
	assert_non_null(strstr(e.text, "cut off"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(the_empty_struct_round_trips),
		cmocka_unit_test(copies_are_deep),
		cmocka_unit_test(refuses_input_cut_at_every_byte),
		cmocka_unit_test(survives_every_bent_byte),
		cmocka_unit_test(refuses_the_bytes_of_another_table),
		cmocka_unit_test(refuses_what_is_left_over),
		cmocka_unit_test(strings_have_no_nul_and_a_maximum),
		cmocka_unit_test(packing_refuses_what_is_over_its_maximum),
		cmocka_unit_test(a_count_must_be_backed_by_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
