/* SPDX-License-Identifier: Apache-2.0 */
/*
 * price - what a model's tokens cost: "gpt-5* in 1.25 cached 0.125 out 10".
 */
#include "config/config.h"

#include "base/clean.h"
#include "base/mem.h"

#include <string.h>

#define DECIMALS  6
#define TOKENS_AT INT64_C(1000000000) /* no answer has more; keeps products in range */
#define MILLION   INT64_C(1000000)

/* "1.25" dollars to millionths of one. */
static int
parse_dollars(const char *text, int64_t *out)
{
	const char *point = strchr(text, '.');
	size_t whole = point ? (size_t)(point - text) : strlen(text);
	size_t decimals = point ? strlen(point + 1) : 0;
	char digits[32];

	if (whole == 0 || whole > 4 || decimals > DECIMALS || (point && decimals == 0) ||
		strspn(text, "0123456789.") != strlen(text) || (point && strchr(point + 1, '.')))
		return ERR_INVALID;
	(void)snprintf(digits, sizeof(digits), "%.*s%s%.*s", (int)whole, text,
		point ? point + 1 : "", (int)(DECIMALS - decimals), "000000");
	return str_i64(digits, 0, CONFIG_PRICE_MAX, out, NULL);
}

static int64_t *
part(struct config_price *p, const char *word)
{
	if (str_eq(word, "in"))
		return &p->in;
	if (str_eq(word, "cached"))
		return &p->cached;
	if (str_eq(word, "written"))
		return &p->written;
	return str_eq(word, "out") ? &p->out : NULL;
}

static int
parse_parts(char *rest, struct config_price *p)
{
	const char *word;

	*p = (struct config_price){ -1, -1, -1, -1 };
	while ((word = strsep(&rest, " "))) {
		const char *dollars = strsep(&rest, " ");
		int64_t *to = part(p, word);

		if (!to || *to >= 0 || !dollars || parse_dollars(dollars, to) < 0)
			return ERR_INVALID;
	}
	return p->in < 0 || p->out < 0 ? ERR_INVALID : 0;
}

int
config_price_parse(const char *text, struct config_price *out, struct err *e)
{
	auto_free char *copy = mem_str(text);
	char *rest = copy;
	const char *pattern = strsep(&rest, " ");

	if (str_is_empty(pattern) || !rest || parse_parts(rest, out) < 0)
		return err_set(e, ERR_INVALID,
			"\"%.60s\" is no price: write dollars for a million tokens, as in gpt-5* "
			"in 1.25 cached 0.125 out 10",
			text);
	/* What nobody said is not cheaper than the rest. */
	if (out->cached < 0)
		out->cached = out->in;
	if (out->written < 0)
		out->written = out->in;
	return 0;
}

bool
config_price_find(const struct config_model *m, const char *model, struct config_price *out)
{
	bool is_found = false;

	for (size_t i = 0; i < m->prices.n; i++) {
		auto_free char *pattern = mem_strn(m->prices.v[i], strcspn(m->prices.v[i], " "));

		if (str_glob(pattern, model) && config_price_parse(m->prices.v[i], out, NULL) == 0)
			is_found = true;
	}
	return is_found;
}

static int64_t
part_cost(int64_t tokens, int64_t price)
{
	return (tokens < TOKENS_AT ? tokens : TOKENS_AT) * price;
}

int64_t
config_price_cost(const struct config_price *p, const struct config_tokens *t)
{
	int64_t picos = part_cost(t->in, p->in) + part_cost(t->cached, p->cached) +
			part_cost(t->written, p->written) + part_cost(t->out, p->out);

	return (picos + MILLION - 1) / MILLION;
}
