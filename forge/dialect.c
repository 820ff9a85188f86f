/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect - see dialect.h.
 */
#include "forge/dialect.h"

#include "base/crypto.h"
#include "base/limits.h"
#include "base/mem.h"
#include "forge/page.h"
#include "forge/retry.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define REQUEST_BYTES_MAX   (LIMIT_TRANSCRIPT_BYTES + KIB(64))
#define MULTIPART_BYTES_MAX KIB(2)
#define TITLE_BYTES_MAX     250 /* GitHub: 256 characters */
#define DAY_MS              (24 * 60 * 60 * INT64_C(1000))

/* The members of an operation that a path may name. "repo" keeps its slash, "owner" is what stands
 * before it, "project" is its id or else its name as one part and "thread" what holds the number
 * (both GitLab), "since" is a time, "page" the number at the start of the cursor. */
enum var_type {
	VAR_STR,
	VAR_I64,
	VAR_NUMBER,
	VAR_REPO,
	VAR_OWNER,
	VAR_PROJECT,
	VAR_THREAD,
	VAR_TIME,
	VAR_DAY,
	VAR_PAGE
};

static const struct var {
	const char *name;
	enum var_type type;
	size_t offset;
} VARS[] = {
	{ "base", VAR_STR, offsetof(struct forge_op, base) },
	{ "context", VAR_STR, offsetof(struct forge_op, context) },
	{ "id", VAR_I64, offsetof(struct forge_op, id) },
	{ "installation", VAR_I64, offsetof(struct forge_op, installation_id) },
	{ "label", VAR_STR, offsetof(struct forge_op, label) },
	{ "name", VAR_STR, offsetof(struct forge_op, name) },
	{ "number", VAR_NUMBER, offsetof(struct forge_op, number) },
	{ "owner", VAR_OWNER, offsetof(struct forge_op, repo) },
	{ "page", VAR_PAGE, offsetof(struct forge_op, cursor) },
	{ "project", VAR_PROJECT, offsetof(struct forge_op, repo) },
	{ "ref", VAR_STR, offsetof(struct forge_op, ref) },
	{ "repo", VAR_REPO, offsetof(struct forge_op, repo) },
	{ "sha", VAR_STR, offsetof(struct forge_op, sha) },
	{ "since", VAR_TIME, offsetof(struct forge_op, since_ms) },
	{ "since_day", VAR_DAY, offsetof(struct forge_op, since_ms) },
	{ "thread", VAR_THREAD, offsetof(struct forge_op, is_pull) },
	{ "user", VAR_STR, offsetof(struct forge_op, user) },
	{ "user_id", VAR_I64, offsetof(struct forge_op, user_id) },
};

static const struct var *
var_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(VARS) / sizeof(VARS[0]); i++) {
		if (strlen(VARS[i].name) == len && memcmp(VARS[i].name, name, len) == 0)
			return &VARS[i];
	}
	return NULL;
}

static int
add_i64(struct buf *out, int64_t n)
{
	return n > 0 ? buf_addf(out, "%" PRId64, n) : ERR_MISSING;
}

/* "name with /" in a path must stay one part: a "." or ".." would walk it even when encoded. */
static int
add_str(struct buf *out, const char *s)
{
	if (str_is_empty(s) || str_eq(s, ".") || str_eq(s, ".."))
		return ERR_MISSING;
	return str_percent(out, s);
}

static int
add_repo(struct buf *out, const char *repo, bool owner_only)
{
	if (!forge_repo_ok(FORGE_GITHUB, repo))
		return ERR_MISSING;
	return buf_add(out, repo, owner_only ? strcspn(repo, "/") : strlen(repo));
}

/* The id outlives renames; a name must do before anybody has told it. */
static int
add_project(struct buf *out, const struct forge_op *op)
{
	if (op->repo_id > 0)
		return add_i64(out, op->repo_id);
	return forge_repo_ok(FORGE_GITLAB, op->repo) ? str_percent(out, op->repo) : ERR_MISSING;
}

/* Where only days are taken, and what comes after them is listed: the day before is asked for. */
static int
add_time(struct buf *out, int64_t ms, bool only_day)
{
	char text[32];

	if (ms <= 0)
		return ERR_MISSING;
	str_time_print(only_day ? ms - DAY_MS : ms, text);
	if (only_day)
		text[strcspn(text, "T")] = '\0';
	return str_percent(out, text);
}

/* ERR_MISSING: the operation does not have it. */
static int
add_var(struct buf *out, const struct var *v, const struct forge_op *op)
{
	const void *m = (const char *)op + v->offset;
	bool is_text = v->type != VAR_THREAD; /* a bool has not the room of a pointer */
	const char *s = is_text ? *(char *const *)m : NULL;

	switch (v->type) {
	case VAR_STR:
		return add_str(out, s);
	case VAR_I64:
		return add_i64(out, *(const int64_t *)m);
	case VAR_NUMBER:
		return add_i64(out, forge_number(*(const int64_t *)m));
	case VAR_REPO:
		return add_repo(out, s, false);
	case VAR_OWNER:
		return add_repo(out, s, true);
	case VAR_PROJECT:
		return add_project(out, op);
	case VAR_THREAD:
		return buf_adds(out, op->is_pull ? "merge_requests" : "issues");
	case VAR_TIME:
		return add_time(out, *(const int64_t *)m, false);
	case VAR_DAY:
		return add_time(out, *(const int64_t *)m, true);
	case VAR_PAGE:
		return s ? buf_add(out, s, strspn(s, "0123456789")) : buf_addc(out, '1');
	}
	return ERR_MISSING;
}

/* Adds path up to its end or to one of stop, with the members put in. */
static int
expand_run(const char **path, const char *stop, const struct forge_op *op, struct buf *out)
{
	const char *p = *path;
	int rc = 0;

	while (*p && !strchr(stop, *p)) {
		size_t n = strcspn(p, "[]{");

		(void)buf_add(out, p, n);
		p += n;
		if (*p == '{') {
			const struct var *v = var_find(p + 1, strcspn(p + 1, "}"));
			int added;

			assert(v);
			added = add_var(out, v, op);
			rc = rc ? rc : added;
			p = strchr(p, '}') + 1;
		}
	}
	*path = p;
	return rc;
}

static int
expand(const char *path, const struct forge_op *op, struct buf *out)
{
	int rc = 0;

	while (rc == 0 && *path) {
		auto_buf struct buf part = BUF_INIT(LIMIT_URL_BYTES);
		bool is_optional = *path == '[';

		path += is_optional;
		rc = expand_run(&path, is_optional ? "]" : "[", op, &part);
		path += is_optional;
		if (rc == ERR_MISSING && is_optional)
			rc = 0;
		else if (rc == 0)
			rc = buf_add(out, buf_str(&part), part.len);
	}
	return rc;
}

static const struct dialect_op *
find(const struct dialect *d, const struct forge_op *op)
{
	int step = d->step_of(op);

	for (size_t i = 0; i < d->n_ops; i++) {
		if ((int64_t)d->ops[i].kind == op->kind && d->ops[i].step == step)
			return &d->ops[i];
	}
	return NULL;
}

char *
dialect_cut(const char *s, size_t max)
{
	size_t len = s ? strlen(s) : 0;

	if (len > max) {
		len = max;
		while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
			len--;
	}
	return s ? mem_strn(s, len) : NULL;
}

int
dialect_json(const struct row *rows, const void *obj, struct http_request *out, struct err *e)
{
	strs_add(&out->headers, "Content-Type: application/json");
	return json_encode(rows, obj, &out->body, e);
}

int
dialect_multipart(const char *field, const char *name, struct http_request *out, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(out->body.len + MULTIPART_BYTES_MAX);
	char hash[2 * CRYPTO_SHA256_BYTES + 1];

	if (!name || strpbrk(name, "\"\\\r\n/"))
		return err_set(e, ERR_INVALID, "not the name of a file");
	crypto_sha256_hex(buf_str(&out->body), out->body.len, hash);
	hash[40] = '\0'; /* the boundary: a hash of the bytes cannot be in them */
	(void)buf_addf(&b,
		"--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n\r\n",
		hash, field, name);
	(void)buf_add(&b, buf_str(&out->body), out->body.len);
	(void)buf_addf(&b, "\r\n--%s--\r\n", hash);
	if (b.is_full)
		return err_set(e, ERR_LIMIT, "an attachment of more than %zu bytes", b.limit);
	strs_addf(&out->headers, "Content-Type: multipart/form-data; boundary=%s", hash);
	buf_finish(&out->body);
	out->body = b;
	b = (struct buf)BUF_INIT(0);
	return 0;
}

static int
build_body(const struct dialect *d, const struct dialect_op *row, const struct forge_op *op,
	struct http_request *out, struct err *e)
{
	auto_free char *body = dialect_cut(op->body, d->body_bytes_max);
	auto_free char *title = dialect_cut(op->title, TITLE_BYTES_MAX);
	struct forge_op cut = *op;

	cut.body = body;
	cut.title = title;
	/* An attachment's bytes wait there for the request that carries them. */
	if (op->kind != OP_ATTACH || strcmp(row->method, "POST") != 0) {
		buf_finish(&out->body);
		buf_init(&out->body, REQUEST_BYTES_MAX);
	}
	if (row->make)
		return row->make(&cut, out, e);
	return row->body ? dialect_json(row->body, &cut, out, e) : 0;
}

/* The address of the next page, if the list goes on at one. */
static const char *
cursor_url(const struct forge_op *op)
{
	const char *space = op->cursor ? strchr(op->cursor, ' ') : NULL;

	return space && strstr(space, "://") ? space + 1 : NULL;
}

int
forge_build(const struct forge_driver *driver, const struct forge_conf *f,
	const struct forge_op *op, struct http_request *out, struct err *e)
{
	const struct dialect *d = driver->dialect;
	const struct dialect_op *row = find(d, op);
	auto_buf struct buf url = BUF_INIT(LIMIT_URL_BYTES);
	int rc;

	if (!row)
		return err_set(e, ERR_MISSING, "%s has no %s", d->name, forge_op_name(op->kind));
	if (cursor_url(op))
		rc = buf_adds(&url, cursor_url(op));
	else
		rc = buf_adds(&url, f->api_url) < 0 ? ERR_LIMIT : expand(row->path, op, &url);
	if (rc < 0)
		return err_set(e, ERR_INVALID, "%s: something that %s %s needs is absent",
			forge_op_name(op->kind), row->method, row->path);
	out->method = row->method;
	for (size_t i = 0; d->headers[i]; i++)
		strs_add(&out->headers, d->headers[i]);
	rc = build_body(d, row, op, out, e);
	if (rc < 0)
		return err_wrap(e, rc, "%s", forge_op_name(op->kind));
	out->url = buf_steal(&url);
	return 0;
}

/* The forge's own clock: a driver has none, and a limit's reset time is the forge's anyway. */
static int64_t
reply_now_ms(const struct http_reply *r)
{
	return retry_http_date_ms(http_reply_header(r, "date"));
}

static int
refused(const struct dialect_op *row, struct dialect_reply *x, int rc)
{
	int as = row->refused ? row->refused(x, rc) : rc;

	if (as < 0 && x->e)
		x->e->code = as; /* the text stays: it is what the forge said */
	return as < 0 ? err_wrap(x->e, as, "%s", forge_op_name(x->op->kind)) : as;
}

static int
accepted(const struct dialect_op *row, struct dialect_reply *x)
{
	const struct buf *body = &x->r->body;
	bool is_read = (row->answer || row->read) && x->r->status != 204;
	auto_json struct json *j = NULL;
	struct err why;
	int rc;

	if (is_read && json_parse(buf_str(body), body->len, &JSON_LIMITS_REPLY, &j, &why) < 0)
		return err_set(x->e, ERR_PROTOCOL, "%s: the answer: %s", forge_op_name(x->op->kind),
			why.text);
	x->j = j;
	if (row->answer && j)
		json_decode(j, row->answer, x->a);
	rc = row->read ? row->read(x) : 0;
	return rc < 0 ? err_wrap(x->e, rc, "%s", forge_op_name(x->op->kind)) : rc;
}

enum forge_auth
forge_auth_of(const struct forge_driver *driver, const struct forge_op *op)
{
	return driver->auth ? driver->auth(op) : FORGE_AUTH_TOKEN;
}

int
forge_read(const struct forge_driver *driver, const struct forge_conf *f, struct forge_op *op,
	const struct http_reply *r, struct forge_answer *a, struct err *e)
{
	struct dialect_reply x = { .f = f, .op = op, .r = r, .a = a, .e = e };
	const struct dialect_op *row = find(driver->dialect, op);
	int rc;

	if (!row)
		return err_set(e, ERR_MISSING, "%s has no %s", driver->dialect->name,
			forge_op_name(op->kind));
	op->step = row->step;
	rc = retry_classify(r, reply_now_ms(r), &a->retry_after_ms, e);
	return rc < 0 ? refused(row, &x, rc) : accepted(row, &x);
}

/* The cursor is the number of the next page and what else leads there. */
static int
turn_page(struct forge_op *op, const char *rest, struct err *e)
{
	int64_t page = op->cursor ? strtoll(op->cursor, NULL, 10) + 1 : 2;

	if (page > DIALECT_PAGES_MAX)
		return err_set(e, ERR_LIMIT, "a list of more than %d pages", DIALECT_PAGES_MAX);
	free(op->cursor);
	op->cursor = mem_fmt("%" PRId64 " %s", page, rest);
	return 1;
}

int
dialect_next_link(const struct dialect_reply *x)
{
	auto_free char *url = NULL;
	int rc = page_next(x->f, x->r, &url, x->e);

	return rc == 1 ? turn_page(x->op, url, x->e) : rc;
}

int
dialect_tell_next(const struct dialect_reply *x, const char *member)
{
	auto_free char *url = NULL;
	auto_buf struct buf value = BUF_INIT(LIMIT_NAME_BYTES);
	size_t len = strlen(member);
	const char *at;
	int rc = page_next(x->f, x->r, &url, x->e);

	if (rc <= 0)
		return rc;
	for (at = strchr(url, '?'); at; at = strchr(at, '&')) {
		at++;
		if (strncmp(at, member, len) != 0 || at[len] != '=')
			continue;
		at += len + 1;
		rc = str_unpercent(&value, at, strcspn(at, "&#"), x->e);
		free(x->a->ref);
		x->a->ref = rc == 0 ? buf_steal(&value) : NULL;
		return rc;
	}
	return err_set(x->e, ERR_PROTOCOL, "the next page's address has no %s", member);
}

int
dialect_next_number(const struct dialect_reply *x)
{
	const char *space = x->op->cursor ? strchr(x->op->cursor, ' ') : NULL;
	const char *told = http_reply_header(x->r, "x-total-count");
	int64_t seen = (int64_t)json_len(x->j, NULL), total;
	char rest[24];

	if (seen == 0)
		return 0;
	if (space)
		seen += strtoll(space, NULL, 10);
	if (!told || str_i64(told, 0, INT64_MAX, &total, NULL) < 0)
		total = 0;
	if (!page_has_next(x->r) && total <= seen)
		return 0;
	(void)snprintf(rest, sizeof(rest), "%" PRId64, seen);
	return turn_page(x->op, rest, x->e);
}

int
dialect_goto(struct forge_op *op, int step)
{
	op->step = step;
	free(steal_ptr(&op->cursor));
	return 1;
}
