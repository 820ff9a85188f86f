/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lfs - see lfs.h: pointers and the batch request (docs/spec.md and docs/api/batch.md of git-lfs).
 */
#include "repo/lfs.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>
#include <strings.h>

#define VERSION "version https://git-lfs.github.com/spec/v1\noid sha256:"
#define SIZE    "\nsize "

const struct row REPO_LFS_ROWS[] = {
	ROW_S(struct repo_lfs, oid, "oid", REPO_LFS_OID_LEN),
	ROW_I(struct repo_lfs, size, "size"),
	ROW_DONE,
};

void
repo_lfs_finish(struct row_list *objects)
{
	struct repo_lfs *v = objects->v;

	for (size_t i = 0; i < objects->n; i++)
		row_finish(REPO_LFS_ROWS, &v[i]);
	free(objects->v);
	*objects = (struct row_list){ 0 };
}

static bool
oid_ok(const char *oid)
{
	return oid && strspn(oid, "0123456789abcdef") == REPO_LFS_OID_LEN &&
	       oid[REPO_LFS_OID_LEN] == '\0';
}

bool
repo_lfs_pointer(const char *data, size_t len, struct repo_lfs *out)
{
	static const size_t oid_at = sizeof(VERSION) - 1;
	static const size_t size_at = sizeof(VERSION) - 1 + REPO_LFS_OID_LEN + sizeof(SIZE) - 1;
	int64_t size;

	if (len <= size_at || memcmp(data, VERSION, oid_at) != 0 || data[len - 1] != '\n' ||
		memcmp(data + oid_at + REPO_LFS_OID_LEN, SIZE, sizeof(SIZE) - 1) != 0)
		return false;
	auto_free char *oid = mem_strn(data + oid_at, REPO_LFS_OID_LEN);
	auto_free char *number = mem_strn(data + size_at, len - size_at - 1);
	if (!oid_ok(oid) || strspn(number, "0123456789") != len - size_at - 1 ||
		str_i64(number, 0, INT64_MAX, &size, NULL) < 0)
		return false;
	*out = (struct repo_lfs){ steal_ptr(&oid), size };
	return true;
}

/* ---- The request ---- */

struct question {
	char *operation;
	struct strs transfers;
	struct row_list objects;
};

static const struct row QUESTION_ROWS[] = {
	ROW_S(struct question, operation, "operation", 16),
	ROW_SS(struct question, transfers, "transfers", 16, 1),
	ROW_L(struct question, objects, "objects", REPO_LFS_BATCH, REPO_LFS_ROWS, struct repo_lfs),
	ROW_DONE,
};

int
repo_lfs_ask(const struct repo_lfs *v, size_t n, struct buf *out, struct err *e)
{
	struct question q = { .operation = mem_str("download") };
	int rc;

	strs_add(&q.transfers, "basic");
	for (size_t i = 0; i < n; i++)
		row_copy(REPO_LFS_ROWS, row_list_add(&q.objects, sizeof(*v)), &v[i]);
	rc = json_encode(QUESTION_ROWS, &q, out, e);
	row_finish(QUESTION_ROWS, &q);
	return rc;
}

/* ---- The answer ---- */

const struct row REPO_LFS_PLACE_ROWS[] = {
	ROW_S(struct repo_lfs_place, oid, "oid", REPO_LFS_OID_LEN + 1),
	ROW_S(struct repo_lfs_place, href, "actions.download.href", KIB(8)),
	ROW_S(struct repo_lfs_place, auth, "actions.download.header.Authorization", KIB(8)),
	ROW_DONE,
};

struct reply {
	char *transfer;
	struct row_list objects;
};

static const struct row REPLY_ROWS[] = {
	ROW_S(struct reply, transfer, "transfer", 16),
	ROW_L(struct reply, objects, "objects", REPO_LFS_BATCH, REPO_LFS_PLACE_ROWS,
		struct repo_lfs_place),
	ROW_DONE,
};

void
repo_lfs_places_finish(struct row_list *places)
{
	struct repo_lfs_place *v = places->v;

	for (size_t i = 0; i < places->n; i++) {
		if (v[i].auth)
			mem_wipe(v[i].auth, strlen(v[i].auth));
		row_finish(REPO_LFS_PLACE_ROWS, &v[i]);
	}
	free(places->v);
	*places = (struct row_list){ 0 };
}

static const struct repo_lfs_place *
find_place(const struct reply *r, const char *oid)
{
	const struct repo_lfs_place *v = r->objects.v;

	for (size_t i = 0; i < r->objects.n; i++) {
		if (str_eq(v[i].oid, oid))
			return &v[i];
	}
	return NULL;
}

/* A line break in it would be another header. */
static bool
is_plain(const char *text)
{
	for (const char *p = text ? text : ""; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	}
	return true;
}

int
repo_lfs_read(const char *data, size_t len, const struct repo_lfs *v, size_t n,
	struct row_list *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct reply r = { 0 };
	int rc = json_parse(data, len, &JSON_LIMITS_REPLY, &j, e);

	if (rc < 0)
		return err_wrap(e, ERR_PROTOCOL, "Git LFS");
	json_decode(j, REPLY_ROWS, &r);
	bool is_basic = str_is_empty(r.transfer) || str_eq(r.transfer, "basic");
	for (size_t i = 0; i < n && is_basic; i++) {
		const struct repo_lfs_place *found = find_place(&r, v[i].oid);
		struct repo_lfs_place *p = row_list_add(out, sizeof(*p));

		p->oid = mem_str(v[i].oid);
		if (!found || !is_plain(found->href) || !is_plain(found->auth))
			continue;
		p->href = mem_str(found->href);
		p->auth = mem_str(found->auth);
	}
	repo_lfs_places_finish(&r.objects);
	row_finish(REPLY_ROWS, &r);
	return is_basic ? 0 : err_set(e, ERR_PROTOCOL, "Git LFS: another transfer than basic");
}

/* "https://host:port" */
static size_t
origin_len(const char *url)
{
	const char *host = strstr(url, "://");

	return host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : 0;
}

bool
repo_lfs_is_near(const char *forge_url, const char *href)
{
	size_t len = origin_len(forge_url);

	return len > 0 && origin_len(href) == len && strncasecmp(forge_url, href, len) == 0 &&
	       (href[len] == '/' || href[len] == '\0');
}
