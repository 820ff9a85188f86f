/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_child_rows - what goes into a git child and what comes out, with limits.
 */
#include "bot/git_child.h"

#include "base/limits.h"
#include "repo/extra.h"
#include "repo/lfs.h"
#include "repo/modules.h"

#include <string.h>

const struct row GIT_JOB_ROWS[] = {
	ROW_I(struct git_job, kind, "kind"),
	ROW_S(struct git_job, mirror, "mirror", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, trees, "trees", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, sha, "sha", 64),
	ROW_S(struct git_job, settings_sha, "settings_sha", 64),
	ROW_S(struct git_job, dir, "dir", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, quarantine, "quarantine", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, objects, "objects", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, delta_dir, "delta_dir", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, message, "message", LIMIT_COMMENT_BYTES),
	ROW_S(struct git_job, trailers, "trailers", LIMIT_SUMMARY_BYTES),
	ROW_S(struct git_job, author, "author", LIMIT_NAME_BYTES),
	ROW_S(struct git_job, email, "email", LIMIT_NAME_BYTES),
	ROW_I(struct git_job, date_s, "date_s"),
	ROW_SS(struct git_job, protect, "protect", LIMIT_PATH_BYTES, LIMIT_GLOBS),
	ROW_S(struct git_job, payload, "payload", LIMIT_BLOB_BYTES),
	ROW_S(struct git_job, signature, "signature", LIMIT_BLOB_BYTES),
	ROW_S(struct git_job, cast, "cast", LIMIT_TRANSCRIPT_BYTES),
	ROW_S(struct git_job, text, "text", LIMIT_TRANSCRIPT_BYTES),
	ROW_S(struct git_job, modules_dir, "modules_dir", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, lfs_dir, "lfs_dir", LIMIT_PATH_BYTES),
	ROW_S(struct git_job, extra, "extra", LIMIT_NAME_BYTES),
	ROW_L(struct git_job, modules, "modules", LIMIT_MODULES, REPO_EXTRA_MODULE_ROWS,
		struct repo_extra_module),
	ROW_S(struct git_job, notes, "notes", LIMIT_SUMMARY_BYTES),
	ROW_B(struct git_job, is_partial, "is_partial"),
	ROW_I(struct git_job, checkout_bytes_max, "checkout_bytes_max"),
	ROW_I(struct git_job, mirror_bytes_max, "mirror_bytes_max"),
	ROW_DONE,
};

const struct row GIT_DONE_ROWS[] = {
	ROW_I(struct git_done, code, "code"),
	ROW_S(struct git_done, text, "text", LIMIT_SUMMARY_BYTES),
	ROW_S(struct git_done, sha, "sha", 64),
	ROW_S(struct git_done, payload, "payload", LIMIT_BLOB_BYTES),
	ROW_I(struct git_done, files, "files"),
	ROW_I(struct git_done, insertions, "insertions"),
	ROW_I(struct git_done, deletions, "deletions"),
	ROW_S(struct git_done, notes, "notes", LIMIT_SUMMARY_BYTES),
	ROW_S(struct git_done, settings_text, "settings_text", LIMIT_SUMMARY_BYTES),
	ROW_L(struct git_done, modules, "modules", LIMIT_MODULES, REPO_MODULE_ROWS,
		struct repo_module),
	ROW_L(struct git_done, lfs, "lfs", LIMIT_LFS_OBJECTS, REPO_LFS_ROWS, struct repo_lfs),
	ROW_I(struct git_done, lfs_left, "lfs_left"),
	ROW_DONE,
};

int
git_done_read(const char *data, size_t len, struct git_done *out, const char **settings,
	size_t *settings_len, struct err *e)
{
	const unsigned char *p = (const unsigned char *)data;
	size_t n;

	if (len < 4)
		return err_set(e, ERR_PROTOCOL, "git child: no result");
	n = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
	if (n > len - 4)
		return err_set(e, ERR_PROTOCOL, "git child: half a result");
	*settings = data + 4 + n;
	*settings_len = len - 4 - n;
	return row_unpack(GIT_DONE_ROWS, out, data + 4, n, e);
}
