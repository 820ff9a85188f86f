/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - what a task took at the models, by model.
 */
#include "store/usage.h"

#include "base/clean.h"
#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

#define NUMBERS 6

static const struct row ROWS[] = {
	ROW_S(struct usage, model, "model", USAGE_MODEL_BYTES_MAX),
	ROW_DONE,
};

static struct usage *
at(const struct row_list *list, size_t i)
{
	return (struct usage *)list->v + i;
}

/* The line's numbers in their order. */
static void
members(struct usage *u, int64_t *out[NUMBERS])
{
	int64_t *const all[NUMBERS] = { &u->requests, &u->in, &u->cached, &u->written, &u->out,
		&u->cost_micro };

	memcpy(out, all, sizeof(all));
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-_.:/@+", c));
}

static char *
clean_name(const char *model)
{
	char *name = mem_strn(str_is_empty(model) ? "unnamed" : model,
		str_is_empty(model) ? 7 : strnlen(model, USAGE_MODEL_BYTES_MAX));

	for (char *p = name; *p; p++) {
		if (!is_name_char(*p))
			*p = '?';
	}
	return name;
}

static struct usage *
find(const struct row_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(at(list, i)->model, name))
			return at(list, i);
	}
	return NULL;
}

static int64_t
sum(int64_t a, int64_t b)
{
	return b > INT64_MAX - a ? INT64_MAX : a + b;
}

static void
add_numbers(struct usage *to, const struct usage *u)
{
	struct usage copy = *u;
	int64_t *a[NUMBERS];
	int64_t *b[NUMBERS];

	members(to, a);
	members(&copy, b);
	for (int i = 0; i < NUMBERS - 1; i++)
		*a[i] = sum(*a[i], *b[i]);
	if (to->cost_micro == USAGE_COST_UNKNOWN || u->cost_micro == USAGE_COST_UNKNOWN)
		to->cost_micro = USAGE_COST_UNKNOWN;
	else
		to->cost_micro = sum(to->cost_micro, u->cost_micro);
}

void
usage_add(struct row_list *list, const struct usage *u)
{
	auto_free char *name = clean_name(u->model);
	struct usage *to = find(list, name);

	if (!to && list->n >= USAGE_MODELS_MAX) {
		free(name);
		name = mem_str("other");
		to = find(list, name);
	}
	if (!to) {
		to = row_list_add(list, sizeof(*to));
		to->model = steal_ptr(&name);
	}
	add_numbers(to, u);
}

void
usage_finish(struct row_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		row_finish(ROWS, at(list, i));
	free(list->v);
	*list = (struct row_list){ 0 };
}

/* ---- text: "gpt-5 12 34567 30000 0 4321 120000", the numbers as in struct usage ---- */

/* The model's name is the caller's, if it is a line. */
static bool
parse_line(const char *line, size_t len, struct usage *out)
{
	auto_free char *copy = mem_strn(line, len);
	char *rest = copy;
	const char *model = strsep(&rest, " ");
	int64_t *numbers[NUMBERS];

	members(out, numbers);
	for (int i = 0; i < NUMBERS; i++) {
		const char *word = strsep(&rest, " ");

		if (!word || str_i64(word, USAGE_COST_UNKNOWN, INT64_MAX, numbers[i], NULL) < 0)
			return false;
	}
	if (rest)
		return false;
	out->model = mem_str(model);
	return true;
}

void
usage_parse(const char *text, struct row_list *out)
{
	for (const char *p = text ? text : ""; *p;) {
		size_t len = strcspn(p, "\n");
		struct usage u = { 0 };

		if (parse_line(p, len, &u)) {
			usage_add(out, &u);
			free(u.model);
		}
		p += len + (p[len] == '\n');
	}
}

int
usage_print(const struct row_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++) {
		int64_t *numbers[NUMBERS];

		members(at(list, i), numbers);
		(void)buf_adds(out, at(list, i)->model);
		for (int j = 0; j < NUMBERS; j++)
			(void)buf_addf(out, " %" PRId64, *numbers[j]);
		(void)buf_addc(out, '\n');
	}
	return out->is_full ? ERR_LIMIT : 0;
}

void
usage_merge(char **text, const char *more)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_SUMMARY_BYTES);
	struct row_list list = { 0 };

	usage_parse(*text, &list);
	usage_parse(more, &list);
	if (list.n > 0 && usage_print(&list, &out) == 0)
		mem_set(text, buf_str(&out));
	usage_finish(&list);
}

/* ---- sums and words ---- */

void
usage_total(const struct row_list *list, struct usage *out)
{
	*out = (struct usage){ 0 };
	for (size_t i = 0; i < list->n; i++)
		add_numbers(out, at(list, i));
}

/* "34,567" */
static void
say_number(int64_t n, struct buf *out)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			(void)buf_addc(out, ',');
		(void)buf_addc(out, digits[i]);
	}
}

void
usage_say(const struct usage *u, struct buf *out)
{
	int64_t in = sum(sum(u->in, u->cached), u->written);

	say_number(u->requests, out);
	(void)buf_adds(out, u->requests == 1 ? " request, " : " requests, ");
	say_number(in, out);
	(void)buf_adds(out, " tokens in");
	if (u->cached > 0) {
		(void)buf_adds(out, " (");
		say_number(u->cached, out);
		(void)buf_adds(out, " of them cached)");
	}
	(void)buf_adds(out, ", ");
	say_number(u->out, out);
	(void)buf_adds(out, " out");
	if (u->cost_micro == USAGE_COST_UNKNOWN)
		return;
	/* Fractions of a cent are worth telling only where there is no whole one. */
	if (u->cost_micro >= 10000)
		(void)buf_addf(out, ", $%" PRId64 ".%02d", u->cost_micro / 1000000,
			(int)(u->cost_micro % 1000000 / 10000));
	else
		(void)buf_addf(out, ", $%.4f", (double)u->cost_micro / 1e6);
}
