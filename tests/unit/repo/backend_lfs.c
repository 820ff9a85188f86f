/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend_lfs - see backend_lfs.h.
 */
#include "tests/unit/repo/backend_lfs.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <unistd.h>

static void
add_answer(struct buf *out, const char *status, const char *type, const struct buf *body)
{
	(void)buf_addf(out,
		"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		status, type, body->len);
	(void)buf_add(out, buf_str(body), body->len);
}

static void
add_object(struct buf *out, const struct json *o, const char *root, const char *places)
{
	const char *oid = json_str(o, "oid");
	auto_free char *path = mem_fmt("%s/lfs/%s", root, oid ? oid : "");

	(void)buf_addf(out, "{\"oid\":\"%s\",\"size\":%lld,", oid, (long long)json_i64(o, "size"));
	if (access(path, R_OK) == 0)
		(void)buf_addf(
			out, "\"actions\":{\"download\":{\"href\":\"%s/lfs/%s\"}}}", places, oid);
	else
		(void)buf_adds(out, "\"error\":{\"code\":404,\"message\":\"not here\"}}");
}

static void
batch(const struct buf *body, const char *root, const char *places, struct buf *out)
{
	auto_json struct json *j = NULL;
	auto_buf struct buf text = BUF_INIT(MIB(4));

	if (json_parse(body->data, body->len, &JSON_LIMITS_REPLY, &j, NULL) < 0 ||
		!str_eq(json_str(j, "operation"), "download")) {
		add_answer(out, "422 Unprocessable Entity", "text/plain", &text);
		return;
	}
	(void)buf_adds(&text, "{\"transfer\":\"basic\",\"objects\":[");
	for (size_t i = 0; i < json_len(j, "objects"); i++) {
		(void)buf_adds(&text, i > 0 ? "," : "");
		add_object(&text, json_at(j, "objects", i), root, places);
	}
	(void)buf_adds(&text, "]}");
	add_answer(out, "200 OK", "application/vnd.git-lfs+json", &text);
}

bool
backend_lfs(const char *target, const struct buf *body, const char *root, const char *places,
	struct buf *out)
{
	auto_free char *path = mem_fmt("%s%s", root, target);
	auto_buf struct buf file = BUF_INIT(MIB(16));

	if (str_ends(target, ".git/info/lfs/objects/batch")) {
		batch(body, root, places, out);
		return true;
	}
	if (!str_starts(target, "/lfs/"))
		return false;
	if (fs_read(path, &file, NULL) == 0)
		add_answer(out, "200 OK", "application/octet-stream", &file);
	else
		add_answer(out, "404 Not Found", "text/plain", &file);
	return true;
}
