/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes out of a box (the head of a bundle), what a remote says of its refs and objects, and
 * what a tree says of itself (.gitmodules, pointers of Git LFS, files to convert).
 */
#include "tests/fuzz/fuzz.h"

#include "base/limits.h"
#include "repo/bundle.h"
#include "repo/convert.h"
#include "repo/gitmodules.h"
#include "repo/lfs.h"
#include "repo/repo.h"

static void
read_modules(const char *text, size_t size)
{
	struct row_list modules = { 0 };
	const struct repo_module *m;
	char *name = NULL;

	(void)gitmodules_parse(text, size, &modules, NULL);
	assert(modules.n <= LIMIT_MODULES);
	m = modules.v;
	for (size_t i = 0; i < modules.n; i++) {
		if (m[i].url && repo_module_repo("https://x", "a/b", m[i].url, &name, NULL) == 0)
			assert(repo_full_name_ok(name));
		free(name);
		name = NULL;
	}
	repo_modules_finish(&modules);
}

static void
read_lfs(const char *text, size_t size)
{
	struct repo_lfs pointer = { 0 };
	struct row_list places = { 0 };
	char oid[REPO_LFS_OID_LEN + 1];
	const struct repo_lfs one = { oid, 1 };

	memset(oid, 'a', REPO_LFS_OID_LEN);
	oid[REPO_LFS_OID_LEN] = '\0';
	if (repo_lfs_pointer(text, size, &pointer))
		assert(strlen(pointer.oid) == REPO_LFS_OID_LEN && pointer.size >= 0);
	row_finish(REPO_LFS_ROWS, &pointer);
	if (repo_lfs_read(text, size, &one, 1, &places, NULL) == 0)
		assert(places.n == 1);
	repo_lfs_places_finish(&places);
}

/* Converted or the same, never more than its bound. */
static void
convert(const char *text, size_t size)
{
	static const struct convert as[] = {
		{ .ident = CONVERT_TRUE, .eol = "crlf" },
		{ .text = "auto", .eol = "crlf" },
		{ .text = CONVERT_TRUE, .encoding = "UTF-16" },
		{ .encoding = "LATIN1" },
	};

	for (size_t i = 0; i < sizeof(as) / sizeof(as[0]); i++) {
		struct buf out = BUF_INIT(64 * size + 64);

		if (convert_to_file(&as[i], "0123", text, size, &out) == CONVERT_SAME)
			assert(out.len == 0);
		assert(!out.is_full);
		buf_finish(&out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct bundle_head head;
	struct repo_remote remote = { 0 };

	if (bundle_head_parse(text, size, &head, NULL) == 0) {
		assert(repo_sha_ok(head.tip));
		assert(head.len <= size);
	}
	if (repo_lsrefs_read(text, size, "main", &remote, NULL) == 0)
		repo_remote_finish(&remote);
	read_modules(text, size);
	read_lfs(text, size);
	convert(text, size);
	return 0;
}
