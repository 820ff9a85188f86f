/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reuse - a new checkout out of the last one.
 *
 * Two commits of a repository share nearly all files. As a checkout never changes once it is there,
 * the next one may have the same files by hard links, and git writes only what differs (it removes
 * a name before it writes it, so the other checkout keeps its file). Links are a tenth of the work
 * of a checkout, and take no room.
 */
#include "repo/checkout.h"

#include "repo/git.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The one that was used last; NULL if there is none. */
static char *
find_last(const struct repo_checkout *c)
{
	auto_dir DIR *d = opendir(c->trees);
	auto_free char *last = NULL;
	struct dirent *entry;
	int64_t last_used = -1;

	while (d && (entry = readdir(d))) {
		auto_free char *boot = mem_fmt("%s/boot", entry->d_name);
		struct stat st;

		if (!repo_sha_ok(entry->d_name) || fstatat(dirfd(d), boot, &st, 0) < 0 ||
			st.st_mtim.tv_sec <= last_used)
			continue;
		last_used = st.st_mtim.tv_sec;
		mem_set(&last, entry->d_name);
	}
	return last && checkout_is_whole(c->trees, last) ? steal_ptr(&last) : NULL;
}

static int
make_parents(int dir, const char *path)
{
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		auto_free char *part = mem_strn(path, (size_t)(slash - path));

		if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

static int
copy_file(int from, int to, const char *path)
{
	auto_fd int in = openat(from, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int out = -1;
	struct stat st;
	ssize_t n = 1;

	if (in < 0 || fstat(in, &st) < 0)
		return -1;
	out = openat(to, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
	while (out >= 0 && n > 0)
		n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0);
	const struct timespec times[2] = { st.st_mtim, st.st_mtim };
	return out < 0 || n < 0 ? -1 : futimens(out, times);
}

/* A file has so many names, and an old Landlock lets none into another directory. */
int
checkout_link_file(int from, int to, const char *path)
{
	if (linkat(from, path, to, path, 0) == 0)
		return 0;
	return errno == EMLINK || errno == EXDEV ? copy_file(from, to, path) : -1;
}

/* Index order keeps a directory's files together, so its parents are made once. */
static int
link_files(int from, int to, git_index *index)
{
	const char *last = "";
	size_t last_len = 0;

	for (size_t i = 0; i < git_index_entrycount(index); i++) {
		const git_index_entry *entry = git_index_get_byindex(index, i);
		const char *slash = strrchr(entry->path, '/');
		size_t len = slash ? (size_t)(slash - entry->path) : 0;

		if (len != last_len || memcmp(last, entry->path, len) != 0) {
			if (make_parents(to, entry->path) < 0)
				return -1;
			last = entry->path;
			last_len = len;
		}
		if (entry->mode == GIT_FILEMODE_COMMIT) {
			if (mkdirat(to, entry->path, 0755) < 0)
				return -1;
		} else if (checkout_link_file(from, to, entry->path) < 0) {
			return -1;
		}
	}
	return 0;
}

int
checkout_copy_index(const char *from, const char *to)
{
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_fd int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n = 1;

	while (in >= 0 && out >= 0 && n > 0)
		n = copy_file_range(in, NULL, out, NULL, (size_t)1 << 30, 0);
	return in < 0 || out < 0 || n < 0 ? -1 : 0;
}

int
checkout_link(const char *from_tree, const char *tree, const char *index)
{
	auto_free char *from_index = mem_fmt("%s/.git/index", from_tree);
	auto_git(git_index) *files = NULL;
	auto_fd int from = open(from_tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int to = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0 || to < 0 || git_index_open(&files, from_index) < 0)
		return -1;
	return link_files(from, to, files) < 0 ? -1 : checkout_copy_index(from_index, index);
}

bool
checkout_reuse(const struct repo_checkout *c, const char *tree, const char *git_dir)
{
	auto_free char *last = find_last(c);
	auto_repo_command struct repo_command cmd = { 0 };

	if (!last)
		return false;
	auto_free char *old_tree = repo_checkout_path(c->trees, last);
	auto_free char *index = mem_fmt("%s/index", git_dir);
	if (checkout_link(old_tree, tree, index) < 0 || repo_command_init(&cmd, NULL) < 0)
		return false;
	strs_addf(&cmd.argv, "--git-dir=%s", git_dir);
	strs_addf(&cmd.argv, "--work-tree=%s", tree);
	const char *const args[] = { "read-tree", "-m", "-u", last, c->sha };
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		repo_command_arg(&cmd, args[i]);
	/* The other commit need not be in this one's history. */
	strs_addf(&cmd.env, "GIT_ALTERNATE_OBJECT_DIRECTORIES=%s/objects", c->mirror);
	return repo_command_run(&cmd, NULL, NULL, NULL) == 0;
}
