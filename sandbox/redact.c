/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact - see redact.h.
 *
 * Bytes wait in `raw` until no form can begin in them. Two lanes look at them: one sees the text
 * without escape sequences, the other what is printable inside of sequences too, because a window's
 * title is in the cast as well. A lane rolls a hash over its last bytes; where the hash of a form's
 * beginning turns up, the form's end is awaited and the whole is compared by its keyed hash.
 */
#include "sandbox/redact.h"

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/escape.h"
#include "sandbox/redact_table.h"

#include <string.h>

#define RING        512 /* a power of two, more than REDACT_FORM_MAX */
#define AWAITED_MAX 32
#define RAW_BYTES_MAX                                                                              \
	((size_t)64 << 10) /* waiting; a form that is stretched further is not held                \
			    */
#define FEED_BYTES ((size_t)8 << 10)
#define KNOWN_BITS 16

_Static_assert(RING > REDACT_FORM_MAX && (RING & (RING - 1)) == 0, "the ring holds a form");

struct awaited {
	uint64_t first; /* number of its first byte in the lane */
	const struct redact_entry *entry;
};

struct lane {
	uint64_t count; /* bytes seen */
	uint64_t hash;
	unsigned char bytes[RING];
	uint64_t at[RING]; /* where in the stream */
	struct awaited awaited[AWAITED_MAX];
	size_t n_awaited;
};

struct shape {
	const char *prefix;
	const char *others; /* characters besides letters and digits */
	size_t min;         /* characters behind the prefix */
	char last;          /* of the prefix: one of four, see shape_add */
};

/* Well-known tokens, by their issuers' documents. */
static const struct shape SHAPES[] = {
	{ "ghp_", "", 30, '_' }, /* GitHub: personal, OAuth, user, refresh */
	{ "gho_", "", 30, '_' },
	{ "ghu_", "", 30, '_' },
	{ "ghr_", "", 30, '_' },
	{ "ghs_", "_.-", 30, '_' }, /* installation: may hold a JWT */
	{ "github_pat_", "_", 30, '_' },
	{ "glpat-", "_-", 20, '-' },   /* GitLab */
	{ "sk-ant-", "_-", 20, '-' },  /* Anthropic */
	{ "sk-proj-", "_-", 20, '-' }, /* OpenAI */
	{ "sk-", "", 40, '-' },
	{ "AIza", "_-", 35, 'a' }, /* Google */
	{ "AKIA", "", 16, 'A' },   /* AWS */
	{ "xoxb-", "-", 20, '-' }, /* Slack */
	{ "xoxp-", "-", 20, '-' },
	{ "npm_", "", 36, '_' },
	{ "pypi-", "_-", 50, '-' },
};

struct redact {
	redact_cb *cb;
	void *ctx;
	struct redact_head head;
	struct redact_entry *entries;
	uint64_t leavers[256];
	unsigned char known[(1 << KNOWN_BITS) / 8]; /* low bits of the entries' hashes */
	struct buf raw;
	struct buf hide; /* a byte for each of raw: 1 is taken out */
	uint64_t start;  /* of raw in the stream */
	struct lane text;
	struct lane all; /* only while it differs from text */
	size_t differ;   /* for how many bytes yet it does */
	enum escape_state state;
	bool is_hiding;            /* the last byte given out was a taken out one */
	const struct shape *shape; /* whose prefix stood there */
	uint64_t shape_at;
	size_t shape_len;  /* behind the prefix */
	uint64_t line_len; /* of the text lane since the last line end */
};

/* ---- what is taken out ---- */

static void
take_out(struct redact *r, uint64_t first, uint64_t last)
{
	if (last < r->start)
		return;
	if (first < r->start)
		first = r->start;
	memset(r->hide.data + (first - r->start), 1, last - first + 1);
}

/* ---- lanes ---- */

static bool
is_known(const struct redact *r, uint64_t hash)
{
	size_t low = hash & ((1U << KNOWN_BITS) - 1);

	return r->known[low / 8] & (1U << (low % 8));
}

/* The first entry with that hash, or the end. */
static size_t
find(const struct redact *r, uint64_t hash)
{
	size_t low = 0, high = r->head.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->entries[mid].hash < hash)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The hash of a beginning turned up. When too many are awaited, what was seen of it is taken out.
 */
static void
await(struct redact *r, struct lane *l)
{
	uint64_t first = l->count - REDACT_WINDOW;

	for (size_t i = find(r, l->hash); i < r->head.count && r->entries[i].hash == l->hash; i++) {
		if (l->n_awaited < AWAITED_MAX)
			l->awaited[l->n_awaited++] =
				(struct awaited){ .first = first, .entry = &r->entries[i] };
		else
			take_out(r, l->at[first % RING], l->at[(l->count - 1) % RING]);
	}
}

static void
compare(struct redact *r, const struct lane *l, const struct awaited *a)
{
	unsigned char form[REDACT_FORM_MAX];
	uint8_t mac[REDACT_MAC_BYTES];

	for (size_t i = 0; i < a->entry->len; i++)
		form[i] = l->bytes[(a->first + i) % RING];
	redact_mac(r->head.key, form, a->entry->len, mac);
	if (memcmp(mac, a->entry->mac, sizeof(mac)) == 0)
		take_out(r, l->at[a->first % RING], l->at[(l->count - 1) % RING]);
}

static void
look_at_awaited(struct redact *r, struct lane *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n_awaited; i++) {
		if (l->count - l->awaited[i].first == l->awaited[i].entry->len)
			compare(r, l, &l->awaited[i]);
		else
			l->awaited[kept++] = l->awaited[i];
	}
	l->n_awaited = kept;
}

static void
lane_add(struct redact *r, struct lane *l, unsigned char byte, uint64_t at)
{
	uint64_t leaver = l->count >= REDACT_WINDOW
				  ? r->leavers[l->bytes[(l->count - REDACT_WINDOW) % RING]]
				  : 0;

	l->hash = redact_hash_push(l->hash, r->head.base, leaver, byte);
	l->bytes[l->count % RING] = byte;
	l->at[l->count % RING] = at;
	l->count++;
	if (is_known(r, l->hash) && l->count >= REDACT_WINDOW)
		await(r, l);
	if (l->n_awaited > 0)
		look_at_awaited(r, l);
}

/* Where the oldest byte stands that a form may yet begin with. */
static uint64_t
lane_hold(const struct lane *l, uint64_t end)
{
	uint64_t few = l->count < REDACT_WINDOW - 1 ? l->count : REDACT_WINDOW - 1;
	uint64_t hold = few > 0 ? l->at[(l->count - few) % RING] : end;

	for (size_t i = 0; i < l->n_awaited; i++) {
		uint64_t at = l->at[l->awaited[i].first % RING];

		hold = at < hold ? at : hold;
	}
	return hold;
}

/* ---- shapes ---- */

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Does the text end in that prefix, at the beginning of a word? */
static bool
ends_in(const struct redact *r, const char *prefix)
{
	const struct lane *l = &r->text;
	size_t len = strlen(prefix);

	if (r->line_len < len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (l->bytes[(l->count - len + i) % RING] != (unsigned char)prefix[i])
			return false;
	}
	if (r->line_len == len)
		return true;
	unsigned char before = l->bytes[(l->count - len - 1) % RING];
	return !is_alnum(before) && before != '_' && before != '-';
}

/* The text lane has just got a byte. */
static void
shape_add(struct redact *r, unsigned char byte, uint64_t at)
{
	const struct shape *s = r->shape;

	if (s && r->line_len > 1 && (is_alnum(byte) || strchr(s->others, byte))) {
		r->shape_len++;
		if (r->shape_len >= s->min)
			take_out(r, r->shape_len == s->min ? r->shape_at : at, at);
	} else {
		r->shape = NULL;
	}
	if (byte != '_' && byte != '-' && byte != 'a' && byte != 'A')
		return;
	for (size_t i = 0; i < sizeof(SHAPES) / sizeof(SHAPES[0]); i++) {
		if ((uint8_t)SHAPES[i].last != byte || !ends_in(r, SHAPES[i].prefix))
			continue;
		r->shape_at = r->text.at[(r->text.count - strlen(SHAPES[i].prefix)) % RING];
		r->shape = &SHAPES[i];
		r->shape_len = 0;
	}
}

/* ---- the stream ---- */

static void
look(struct redact *r, unsigned char byte, uint64_t at)
{
	bool in_text = r->state == ESCAPE_NONE;
	bool is_control = byte < 0x20 || byte == 0x7f;

	if (is_control || !in_text)
		r->state = escape_next(r->state, byte);
	if (byte == '\n' || byte == '\r')
		r->line_len = 0;
	if (is_control)
		return;
	if (!in_text && r->differ == 0)
		r->all = r->text;
	if (!in_text)
		r->differ = REDACT_FORM_MAX + 1;
	if (r->differ > 0) {
		r->differ--;
		lane_add(r, &r->all, byte, at);
	}
	if (!in_text)
		return;
	lane_add(r, &r->text, byte, at);
	r->line_len++;
	shape_add(r, byte, at);
}

/* Gives out what stands before `end`. */
static void
give(struct redact *r, uint64_t end)
{
	size_t n = end > r->start ? (size_t)(end - r->start) : 0;

	for (size_t at = 0; at < n;) {
		bool is_hidden = r->hide.data[at];
		const char *other = memchr(r->hide.data + at, is_hidden ? 0 : 1, n - at);
		size_t len = (other ? (size_t)(other - r->hide.data) : n) - at;

		if (!is_hidden)
			r->cb(r->ctx, r->raw.data + at, len);
		else if (!r->is_hiding)
			r->cb(r->ctx, REDACT_MARK, strlen(REDACT_MARK));
		r->is_hiding = is_hidden;
		at += len;
	}
	buf_drop(&r->raw, n);
	buf_drop(&r->hide, n);
	r->start += n;
}

static void
give_sure(struct redact *r)
{
	uint64_t end = r->start + r->raw.len;
	uint64_t text = lane_hold(&r->text, end);
	uint64_t all = r->differ > 0 ? lane_hold(&r->all, end) : end;
	uint64_t hold = text < all ? text : all;

	if (r->shape && r->shape_len < r->shape->min && r->shape_at < hold)
		hold = r->shape_at;
	if (hold < end && end - hold > RAW_BYTES_MAX)
		hold = end;
	give(r, hold);
}

static const char NOTHING_HIDDEN[FEED_BYTES];

void
redact_feed(struct redact *r, const char *data, size_t len)
{
	while (len > 0) {
		size_t part = len < FEED_BYTES ? len : FEED_BYTES;
		uint64_t at = r->start + r->raw.len;

		(void)buf_add(&r->raw, data, part);
		(void)buf_add(&r->hide, NOTHING_HIDDEN, part);
		for (size_t i = 0; i < part; i++)
			look(r, (unsigned char)data[i], at + i);
		give_sure(r);
		data += part;
		len -= part;
	}
}

bool
redact_holds_line(const struct redact *r)
{
	return r->raw.len > 0 && r->raw.data[r->raw.len - 1] == '\n';
}

void
redact_release(struct redact *r)
{
	give(r, r->start + r->raw.len);
}

void
redact_flush(struct redact *r)
{
	redact_release(r);
	r->text.count = r->text.hash = r->text.n_awaited = 0;
	r->differ = 0;
	r->state = ESCAPE_NONE;
	r->shape = NULL;
	r->line_len = 0;
	r->is_hiding = false;
}

/* ---- making ---- */

static int
read_table(struct redact *r, const char *table, size_t len, struct err *e)
{
	const char *wrong = "the table of redactions is broken";

	if (len < sizeof(r->head))
		return err_set(e, ERR_INVALID, "%s", wrong);
	memcpy(&r->head, table, sizeof(r->head));
	if (r->head.magic != REDACT_MAGIC ||
		r->head.count != (len - sizeof(r->head)) / sizeof(*r->entries) ||
		(len - sizeof(r->head)) % sizeof(*r->entries) != 0)
		return err_set(e, ERR_INVALID, "%s", wrong);
	r->entries = mem_array(r->head.count + 1, sizeof(*r->entries));
	memcpy(r->entries, table + sizeof(r->head), len - sizeof(r->head));
	for (size_t i = 0; i < r->head.count; i++) {
		const struct redact_entry *entry = &r->entries[i];
		size_t low = entry->hash & ((1U << KNOWN_BITS) - 1);

		if (entry->len < REDACT_WINDOW || entry->len > REDACT_FORM_MAX)
			return err_set(e, ERR_INVALID, "%s", wrong);
		r->known[low / 8] |= (unsigned char)(1U << (low % 8));
	}
	redact_hash_leavers(r->head.base, r->leavers);
	return 0;
}

int
redact_create(
	const void *table, size_t len, redact_cb *cb, void *ctx, struct redact **out, struct err *e)
{
	struct redact *r = mem_zero(sizeof(*r));
	int rc = len > 0 ? read_table(r, table, len, e) : 0;

	r->cb = cb;
	r->ctx = ctx;
	buf_init(&r->raw, RAW_BYTES_MAX + FEED_BYTES);
	buf_init(&r->hide, RAW_BYTES_MAX + FEED_BYTES);
	if (rc < 0) {
		redact_destroy(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
redact_destroy(struct redact *r)
{
	if (!r)
		return;
	buf_finish(&r->raw);
	buf_finish(&r->hide);
	free(r->entries);
	free(r);
}

/* ---- a text at once ---- */

static void
add_to(void *ctx, const char *data, size_t len)
{
	(void)buf_add(ctx, data, len);
}

char *
redact_text(const void *table, size_t len, const char *text)
{
	struct buf out = BUF_INIT((text ? strlen(text) : 0) + RAW_BYTES_MAX);
	struct redact *r = NULL;

	if (!text || redact_create(table, len, add_to, &out, &r, NULL) < 0)
		return NULL;
	redact_feed(r, text, strlen(text));
	redact_flush(r);
	redact_destroy(r);
	(void)buf_adds(&out, "");
	return buf_steal(&out);
}
