/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge - rows of operations and answers, and addresses built from the configuration alone.
 */
#include "forge/forge.h"

#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* Longest owner or repository name that a forge gives out (GitHub: 39 and 100, Gitea: 40 and 100,
 * GitLab: 255, but no name here is that long), and how many groups GitLab puts into each other. */
#define REPO_PART_BYTES_MAX 100
#define GROUPS_MAX          20

const struct row FORGE_OP_ROWS[] = {
	ROW_I(struct forge_op, kind, "kind"),
	ROW_S(struct forge_op, forge, "forge", LIMIT_NAME_BYTES),
	ROW_I(struct forge_op, installation_id, "installation_id"),
	ROW_I(struct forge_op, repo_id, "repo_id"),
	ROW_S(struct forge_op, repo, "repo", LIMIT_NAME_BYTES),
	ROW_I(struct forge_op, number, "number"),
	ROW_B(struct forge_op, is_pull, "is_pull"),
	ROW_I(struct forge_op, id, "id"),
	ROW_S(struct forge_op, user, "user", LIMIT_NAME_BYTES),
	ROW_I(struct forge_op, user_id, "user_id"),
	ROW_S(struct forge_op, label, "label", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, ref, "ref", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, base, "base", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, sha, "sha", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_op, body, "body", LIMIT_BODY_BYTES),
	ROW_S(struct forge_op, marker, "marker", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, context, "context", LIMIT_NAME_BYTES),
	ROW_I(struct forge_op, state, "state"),
	ROW_S(struct forge_op, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct forge_op, external_id, "external_id", LIMIT_NAME_BYTES),
	ROW_S(struct forge_op, name, "name", LIMIT_NAME_BYTES),
	ROW_B(struct forge_op, is_draft, "is_draft"),
	ROW_I(struct forge_op, since_ms, "since_ms"),
	ROW_DONE,
};

const struct row FORGE_ITEM_ROWS[] = {
	ROW_I(struct forge_item, number, "number"),
	ROW_I(struct forge_item, id, "id"),
	ROW_S(struct forge_item, user, "user", LIMIT_NAME_BYTES),
	ROW_I(struct forge_item, user_id, "user_id"),
	ROW_B(struct forge_item, is_pull, "is_pull"),
	ROW_S(struct forge_item, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_item, body, "body", LIMIT_BODY_BYTES),
	ROW_I(struct forge_item, updated_ms, "updated_ms"),
	ROW_DONE,
};

/* Without items: an answer travels as an element of a list, and such elements are flat. Without the
 * token: it does not travel at all. */
const struct row FORGE_ANSWER_ROWS[] = {
	ROW_I(struct forge_answer, id, "id"),
	ROW_I(struct forge_answer, number, "number"),
	ROW_S(struct forge_answer, url, "url", LIMIT_URL_BYTES),
	ROW_S(struct forge_answer, user, "user", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, user_id, "user_id"),
	ROW_B(struct forge_answer, user_is_bot, "user_is_bot"),
	ROW_I(struct forge_answer, permission, "permission"),
	ROW_S(struct forge_answer, title, "title", LIMIT_TITLE_BYTES),
	ROW_S(struct forge_answer, body, "body", LIMIT_BLOB_BYTES),
	ROW_S(struct forge_answer, author, "author", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, author_id, "author_id"),
	ROW_SS(struct forge_answer, labels, "labels", LIMIT_NAME_BYTES, LIMIT_LABELS),
	ROW_B(struct forge_answer, is_closed, "is_closed"),
	ROW_B(struct forge_answer, is_pull, "is_pull"),
	ROW_S(struct forge_answer, ref, "ref", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, sha, "sha", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, head_repo_id, "head_repo_id"),
	ROW_S(struct forge_answer, base, "base", LIMIT_NAME_BYTES),
	ROW_S(struct forge_answer, repo, "repo", LIMIT_NAME_BYTES),
	ROW_I(struct forge_answer, repo_id, "repo_id"),
	ROW_I(struct forge_answer, updated_ms, "updated_ms"),
	ROW_I(struct forge_answer, retry_after_ms, "retry_after_ms"),
	ROW_DONE,
};

static const struct row ITEMS_ROWS[] = {
	ROW_L(struct forge_answer, items, "items", LIMIT_ITEMS, FORGE_ITEM_ROWS, struct forge_item),
	ROW_DONE,
};

void
forge_op_finish(struct forge_op *op)
{
	if (!op)
		return;
	row_finish(FORGE_OP_ROWS, op);
	free(steal_ptr(&op->cursor));
	op->step = 0;
}

void
forge_answer_finish(struct forge_answer *a)
{
	if (!a)
		return;
	row_finish(FORGE_ANSWER_ROWS, a);
	row_finish(ITEMS_ROWS, a);
	if (a->token)
		mem_wipe(a->token, strlen(a->token));
	free(steal_ptr(&a->token));
	a->token_expires_ms = 0;
}

static const struct {
	const char *name;
	enum forge_kind kind;
} KINDS[] = {
	{ "forgejo", FORGE_FORGEJO },
	{ "gitea", FORGE_GITEA },
	{ "github", FORGE_GITHUB },
	{ "gitlab", FORGE_GITLAB },
};

int
forge_kind_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		if (str_eq(name, KINDS[i].name))
			return (int)KINDS[i].kind;
	}
	return -1;
}

static const struct {
	const char *name;
	bool is_write;
} OPS[OP_KIND_COUNT] = {
	[OP_WHOAMI] = { "whoami", false },
	[OP_REPO] = { "repo", false },
	[OP_PERMISSION] = { "permission", false },
	[OP_ISSUE] = { "issue", false },
	[OP_PULL] = { "pull", false },
	[OP_LABEL_EVENT] = { "label_event", false },
	[OP_COMMENT] = { "comment", false },
	[OP_COMMENT_FIND] = { "comment_find", false },
	[OP_PULL_FIND] = { "pull_find", false },
	[OP_STATUS_FIND] = { "status_find", false },
	[OP_ISSUES_LABELED] = { "issues_labeled", false },
	[OP_COMMENTS_SINCE] = { "comments_since", false },
	[OP_COMMENT_CREATE] = { "comment_create", true },
	[OP_COMMENT_EDIT] = { "comment_edit", true },
	[OP_REACT] = { "react", true },
	[OP_LABEL_ADD] = { "label_add", true },
	[OP_LABEL_REMOVE] = { "label_remove", true },
	[OP_PULL_CREATE] = { "pull_create", true },
	[OP_PULL_EDIT] = { "pull_edit", true },
	[OP_STATUS_CREATE] = { "status_create", true },
	[OP_STATUS_EDIT] = { "status_edit", true },
	[OP_ATTACH] = { "attach", true },
	[OP_TOKEN] = { "token", false },
	[OP_INSTALLATION] = { "installation", false },
	[OP_UNLABEL_EVENT] = { "unlabel_event", false },
	[OP_COMMENT_LAST] = { "comment_last", false },
	[OP_REPOS] = { "repos", false },
	[OP_DELIVERIES] = { "deliveries", false },
	[OP_DELIVERY] = { "delivery", false },
	[OP_HOOK] = { "hook", false },
};

bool
forge_op_is_write(int64_t kind)
{
	return kind >= 0 && kind < OP_KIND_COUNT && OPS[kind].is_write;
}

bool
forge_op_is_read(int64_t kind)
{
	return kind >= 0 && kind < OP_KIND_COUNT && !OPS[kind].is_write && kind != OP_TOKEN &&
	       kind != OP_INSTALLATION;
}

const char *
forge_op_name(int64_t kind)
{
	return kind >= 0 && kind < OP_KIND_COUNT ? OPS[kind].name : "unknown";
}

static bool
part_ok(const char *s, size_t n)
{
	static const char NAME_CHARS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789._-";

	if (n == 0 || n > REPO_PART_BYTES_MAX || strspn(s, NAME_CHARS) < n)
		return false;
	return !(n <= 2 && strspn(s, ".") >= n); /* "." and ".." walk the path */
}

bool
forge_repo_ok(enum forge_kind kind, const char *repo)
{
	int left = kind == FORGE_GITLAB ? GROUPS_MAX : 1;
	const char *slash = repo ? strchr(repo, '/') : NULL;

	if (!slash || strlen(repo) > LIMIT_NAME_BYTES)
		return false;
	while (slash && left-- > 0 && part_ok(repo, (size_t)(slash - repo))) {
		repo = slash + 1;
		slash = strchr(repo, '/');
	}
	return !slash && part_ok(repo, strlen(repo));
}

void
forge_reference(int64_t number, struct buf *out)
{
	(void)buf_addf(out, "%c%" PRId64, number < 0 ? '!' : '#', forge_number(number));
}

static int
repo_url(const struct forge_conf *f, const char *repo, struct buf *out, struct err *e)
{
	if (!forge_repo_ok(f->kind, repo))
		return err_set(e, ERR_INVALID, "not the name of a repository");
	return buf_addf(out, "%s/%s", f->url, repo);
}

int
forge_clone_url(const struct forge_conf *f, const char *repo, struct buf *out, struct err *e)
{
	int rc = repo_url(f, repo, out, e);

	return rc < 0 ? rc : buf_adds(out, ".git");
}

/* What stands between a repository and the rest of an address. */
static const struct {
	const char *issue;
	const char *pull;
	const char *blob;
} PLACES[FORGE_KIND_COUNT] = {
	[FORGE_GITHUB] = { "issues", "pull", "blob" },
	[FORGE_GITEA] = { "issues", "pulls", "src/commit" },
	[FORGE_FORGEJO] = { "issues", "pulls", "src/commit" },
	[FORGE_GITLAB] = { "-/issues", "-/merge_requests", "-/blob" },
};

int
forge_issue_url(const struct forge_conf *f, const char *repo, int64_t number, bool is_pull,
	struct buf *out, struct err *e)
{
	int rc = repo_url(f, repo, out, e);

	return rc < 0 ? rc
		      : buf_addf(out, "/%s/%" PRId64,
				is_pull ? PLACES[f->kind].pull : PLACES[f->kind].issue,
				forge_number(number));
}

/* A path keeps its slashes; everything else in it is encoded. */
static int
add_path(struct buf *out, const char *path)
{
	int rc = 0;

	while (rc == 0 && *path) {
		size_t n = strcspn(path, "/");
		auto_free char *part = mem_strn(path, n);

		rc = str_percent(out, part);
		path += n;
		if (rc == 0 && *path)
			rc = buf_addc(out, *path++);
	}
	return rc;
}

int
forge_blob_url(const struct forge_conf *f, const char *repo, const char *sha, const char *path,
	struct buf *out, struct err *e)
{
	int rc = repo_url(f, repo, out, e);

	if (rc < 0)
		return rc;
	rc = buf_addf(out, "/%s/", PLACES[f->kind].blob);
	if (rc == 0)
		rc = str_percent(out, sha);
	if (rc == 0)
		rc = buf_addc(out, '/');
	return rc < 0 ? rc : add_path(out, path);
}
