/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - how much of the past a checkout holds.
 *
 * All of it where that is cheap: packing copies what the mirror's packs hold already (50,000 files,
 * 57 MB: 0.4 s). A large repository gets its last commits, cut as a shallow clone is.
 */
#include "repo/checkout.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static bool
is_large(const char *mirror)
{
	auto_free char *path = mem_fmt("%s/objects/pack", mirror);
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;
	int64_t sum = 0;
	struct stat st;

	while (d && (entry = readdir(d))) {
		if (str_ends(entry->d_name, ".pack") &&
			fstatat(dirfd(d), entry->d_name, &st, 0) == 0)
			sum += st.st_size;
	}
	return sum > LIMIT_CHECKOUT_HISTORY_BYTES;
}

/* "<commit> <parent> <parent>\n", once for each commit that stays: adds those to cut that have a
 * parent which does not. */
static int
cut(char *text, struct buf *revs, struct buf *shallow)
{
	auto_strs struct strs kept = { 0 };

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		auto_free char *sha = mem_strn(line, strcspn(line, " \n"));

		strs_add(&kept, sha);
	}
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		const char *sha = strsep(&line, " ");
		bool is_cut = false;

		for (const char *parent; (parent = strsep(&line, " "));)
			is_cut = is_cut || !strs_has(&kept, parent);
		if (is_cut) {
			(void)buf_addf(revs, "--shallow %s\n", sha);
			(void)buf_addf(shallow, "%s\n", sha);
		}
	}
	return revs->is_full || shallow->is_full ? ERR_LIMIT : 0;
}

int
checkout_history(const struct repo_checkout *c, struct buf *revs, bool *is_shallow,
	const char *git_dir, struct err *e)
{
	auto_repo_command struct repo_command cmd = { 0 };
	auto_buf struct buf list = BUF_INIT(KIB(512));
	auto_buf struct buf shallow = BUF_INIT(KIB(64));
	auto_free char *path = mem_fmt("%s/shallow", git_dir);
	int rc;

	if (!is_large(c->mirror))
		return buf_addf(revs, "%s\n", c->sha);
	rc = repo_command_init(&cmd, e);
	if (rc < 0)
		return rc;
	strs_addf(&cmd.argv, "--git-dir=%s", c->mirror);
	repo_command_arg(&cmd, "rev-list");
	repo_command_arg(&cmd, "--parents");
	strs_addf(&cmd.argv, "--max-count=%d", LIMIT_CHECKOUT_HISTORY);
	repo_command_arg(&cmd, c->sha);
	rc = repo_command_run(&cmd, NULL, &list, e);
	if (rc < 0)
		return rc;
	(void)buf_adds(&list, "");
	if (cut(list.data, revs, &shallow) < 0)
		return err_set(e, ERR_LIMIT, "%s: commits with too many parents", c->sha);
	*is_shallow = shallow.len > 0;
	/* Last: pack-objects reads the boundaries before it reads what to start from. */
	rc = buf_addf(revs, "%s\n", c->sha);
	if (rc < 0)
		return rc;
	return *is_shallow ? fs_write_atomic(path, buf_str(&shallow), shallow.len, 0644, e) : 0;
}
