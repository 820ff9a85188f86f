/* SPDX-License-Identifier: Apache-2.0 */
/*
 * push - one commit to one ref of the forge, and what the forge said to it.
 *
 * The lease makes a push of ours fail when somebody else pushed in between. A ref that is at the
 * commit already is success, whatever the lease says: so an answer that was lost is asked for again
 * by pushing again.
 */
#include "repo/repo.h"

#include "repo/commit.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

/* Also written into an argument vector: no option, no second refspec. */
static int
check(const struct repo_push *p, struct err *e)
{
	static const char heads[] = "refs/heads/";
	static const char logs[] = "refs/agent-logs/";
	const char *name = str_starts(p->ref, heads)  ? p->ref + strlen(heads)
			   : str_starts(p->ref, logs) ? p->ref + strlen(logs)
						      : "";

	if (!repo_branch_ok(name))
		return err_set(e, ERR_INVALID, "'%s' is not a ref that we push", p->ref);
	if (p->old_sha && !repo_sha_ok(p->old_sha))
		return err_set(e, ERR_INVALID, "'%s' is not a commit id", p->old_sha);
	if (!commit_is_accepted(p->quarantine, p->sha))
		return err_set(
			e, ERR_DENIED, "%.40s is not a commit of ours", p->sha ? p->sha : "");
	return 0;
}

/* git waits for ever for an answer that was cut off: it and its helper wait for each other. So the
 * deadline is what the bytes need on a slow line. */
static int64_t
deadline_ms(const char *quarantine)
{
	auto_free char *objects = mem_fmt("%s/objects", quarantine);
	struct fs_size size = { 0 };

	if (fs_measure(objects, LIMIT_HARVEST_OBJECTS, &size, NULL) < 0)
		return LIMIT_PUSH_MS;
	int64_t ms = LIMIT_PUSH_MS_MIN + size.bytes * 1000 / LIMIT_PUSH_BYTES_S;
	return ms < LIMIT_PUSH_MS ? ms : LIMIT_PUSH_MS;
}

int
repo_push(struct repo_command *c, const struct repo_push *p, struct err *e)
{
	static const char *const args[] = { "push", "--porcelain", "--no-verify", "--no-signed",
		"--no-follow-tags", "--recurse-submodules=no", "--no-progress" };
	int rc = check(p, e);

	if (rc == 0)
		rc = repo_command_init(c, e);
	if (rc < 0)
		return rc;
	c->wall_ms = deadline_ms(p->quarantine);
	/* Sent whole: some servers and proxies refuse a chunked request. */
	repo_command_config(c, "http.postBuffer", "64m");
	strs_addf(&c->argv, "--git-dir=%s", p->quarantine);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		repo_command_arg(c, args[i]);
	if (!p->is_forced)
		strs_addf(
			&c->argv, "--force-with-lease=%s:%s", p->ref, p->old_sha ? p->old_sha : "");
	repo_command_arg(c, "--end-of-options");
	repo_command_arg(c, p->url);
	strs_addf(&c->argv, "%s%s:%s", p->is_forced ? "+" : "", p->sha, p->ref);
	return 0;
}

/* ---- What was said ---- */

/* In brackets or parentheses of the porcelain line, or told by the forge on the way. */
static const struct {
	const char *words;
	int code;
} REFUSALS[] = {
	{ "without `workflow", ERR_DENIED }, /* GitHub: App or token without the permission */
	{ "refusing to allow", ERR_DENIED },
	{ "protected branch", ERR_DENIED },
	{ "hook declined", ERR_DENIED },
	{ "GH013", ERR_DENIED }, /* a ruleset */
	{ "push declined", ERR_DENIED },
	{ "stale info", ERR_CONFLICT },
	{ "fetch first", ERR_CONFLICT },
	{ "non-fast-forward", ERR_CONFLICT },
	{ "already exists", ERR_CONFLICT },
	{ "reference already exists", ERR_CONFLICT },
	{ "cannot lock ref", ERR_BUSY }, /* somebody pushes at this moment */
	{ "failed to update ref", ERR_BUSY },
	{ "Internal Server Error", ERR_BUSY },
};

static int
refused(const char *line, const char *err_text, struct err *e)
{
	const char *summary = strrchr(line, '\t');

	summary = summary ? summary + 1 : line;
	for (int pass = 0; pass < 2; pass++) {
		const char *text = pass == 0 ? line : err_text;

		for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
			if (strstr(text, REFUSALS[i].words))
				return err_set(
					e, REFUSALS[i].code, "the forge refused: %.300s", summary);
		}
	}
	return err_set(e, ERR_DENIED, "the forge refused: %.300s", summary);
}

/* "<flag>\t<from>:<to>\t<summary>" of git-push(1), section OUTPUT. */
static char *
find_line(const char *out, const char *ref)
{
	auto_free char *tail = mem_fmt(":%s\t", ref);

	for (const char *line = out; *line;) {
		size_t len = strcspn(line, "\n");
		auto_free char *text = mem_strn(line, len);

		if (len > 2 && text[1] == '\t' && strstr(text, tail))
			return steal_ptr(&text);
		line += len + (line[len] ? 1 : 0);
	}
	return NULL;
}

int
repo_push_read(int exit_code, const char *out, const char *err_text, const char *ref, struct err *e)
{
	auto_free char *line = find_line(out, ref);

	if (!line)
		return exit_code == 0 ? err_set(e, ERR_PROTOCOL, "git push said nothing of %s", ref)
				      : repo_command_why(err_text, e);
	if (line[0] == '!')
		return refused(line, err_text, e);
	if (strchr(" +*=", line[0]) && exit_code == 0)
		return 0;
	return err_set(e, ERR_PROTOCOL, "git push: %.300s", line);
}
