/* SPDX-License-Identifier: Apache-2.0 */
/*
 * github_log - what GitHub tried to deliver, and which repositories there are.
 *
 * GitHub never repeats a delivery that failed; it keeps it for three days, and can be asked for it
 * (docs.github.com, "Handling failed webhook deliveries"). An App asks for those of its own hook,
 * anybody else for those of a hook in the repository or its organisation, if he may see it.
 */
#include "forge/github.h"

#include "base/limits.h"
#include "base/mem.h"
#include "forge/shapes.h"

#include <string.h>

static bool
has_failed(const struct json *delivery)
{
	int64_t status = json_i64(delivery, "status_code");

	return status < 200 || status >= 300;
}

/* Newest first: what is older than asked for ends the list. */
int
github_read_deliveries(const struct dialect_reply *x)
{
	int64_t oldest = INT64_MAX;
	int rc;

	x->a->number = x->op->id;
	x->a->base = mem_str(x->op->base);
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *j = json_at(x->j, NULL, i);
		int64_t at = shape_time(j, "delivered_at");
		struct forge_item *item;

		oldest = at;
		if (at < x->op->since_ms || !has_failed(j) ||
			!github_means(json_str(j, "event"), json_str(j, "action")))
			continue;
		item = shape_add_item(x, j);
		if (!item)
			break;
		item->id = json_i64(j, "id");
		item->title = dialect_cut(json_str(j, "guid"), LIMIT_NAME_BYTES);
		mem_set(&item->user, json_str(j, "event"));
		item->updated_ms = at;
	}
	rc = oldest < x->op->since_ms ? 0 : dialect_tell_next(x, "cursor");
	return rc;
}

/* Ours is the one that calls our address. */
static bool
is_ours(const struct forge_conf *f, const struct json *hook)
{
	auto_free char *end = mem_fmt("/hook/%s", f->name);
	const char *url = json_str(hook, "config.url");

	return url && str_ends(url, end);
}

int
github_read_hooks(const struct dialect_reply *x)
{
	bool is_org = x->op->step == GITHUB_ORG_HOOKS;

	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *hook = json_at(x->j, NULL, i);

		if (!is_ours(x->f, hook))
			continue;
		x->op->id = json_i64(hook, "id");
		mem_set(&x->op->base, is_org ? "org" : NULL);
		return dialect_goto(x->op, x->op->step + 1);
	}
	if (!is_org)
		return dialect_goto(x->op, GITHUB_ORG_HOOKS);
	return err_set(x->e, ERR_MISSING, "no hook leads here");
}

/* Who may not see hooks is told 404 or 403; a person has none. */
int
github_refused_hooks(const struct dialect_reply *x, int rc)
{
	if (rc != ERR_MISSING && rc != ERR_DENIED)
		return rc;
	if (x->r->status == 401)
		return rc;
	return x->op->step == GITHUB_HOOKS ? dialect_goto(x->op, GITHUB_ORG_HOOKS) : ERR_MISSING;
}

int
github_read_delivery(const struct dialect_reply *x)
{
	auto_buf struct buf payload = BUF_INIT(LIMIT_BLOB_BYTES);

	mem_set(&x->a->title, json_str(x->j, "guid"));
	mem_set(&x->a->user, json_str(x->j, "event"));
	if (!x->a->title || !x->a->user || !json_is_object(x->j, "request.payload"))
		return err_set(x->e, ERR_PROTOCOL, "the delivery is not whole");
	if (json_print(json_get(x->j, "request.payload"), NULL, &payload) < 0)
		return err_set(
			x->e, ERR_LIMIT, "a payload of more than %ld bytes", LIMIT_BLOB_BYTES);
	free(x->a->body);
	x->a->body = buf_steal(&payload);
	return 0;
}

int
github_read_installations(const struct dialect_reply *x)
{
	for (size_t i = 0; i < json_len(x->j, NULL); i++) {
		const struct json *j = json_at(x->j, NULL, i);
		struct forge_item *item;

		if (!json_is_null(j, "suspended_at"))
			continue;
		item = shape_add_item(x, j);
		if (!item)
			break;
		item->id = json_i64(j, "id");
		item->title = dialect_cut(json_str(j, "account.login"), LIMIT_TITLE_BYTES);
	}
	return dialect_tell_next(x, "page");
}

/* Those of an installation stand in an object, those of a person do not. */
int
github_read_repos(const struct dialect_reply *x)
{
	const struct json *of_app = json_get(x->j, "repositories");

	shape_add_repos(x, of_app ? of_app : x->j);
	return dialect_tell_next(x, "page");
}
