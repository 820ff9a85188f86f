/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle - see bundle.h.
 *
 * The head is ours to read, line by line with bounds. The pack goes to libgit2's indexer, which
 * checks every object's hash; we bound the number of objects, the size of each and the bytes read.
 * What an object may still do is use memory, which the process's own limit ends.
 */
#include "repo/bundle.h"

#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIPS_MAX   8
#define PACK_HEAD  12 /* "PACK", version, count */
#define READ_BYTES 65536

/* A sha at the front of `line`, followed by `after` or (if may_end) by nothing. */
static bool
take_sha(const char *line, bool may_end, char out[REPO_SHA_LEN + 1])
{
	if (strlen(line) < REPO_SHA_LEN)
		return false;
	memcpy(out, line, REPO_SHA_LEN);
	out[REPO_SHA_LEN] = '\0';
	char after = line[REPO_SHA_LEN];
	return repo_sha_ok(out) && (after == ' ' || (may_end && after == '\0'));
}

static int
read_line(const char *line, struct bundle_head *h, size_t *tips, struct err *e)
{
	char sha[REPO_SHA_LEN + 1];

	if (line[0] == '@')
		return str_eq(line, "@object-format=sha1")
			       ? 0
			       : err_set(e, ERR_PROTOCOL, "bundle: unknown capability");
	if (line[0] == '-') {
		if (!take_sha(line + 1, true, sha))
			return err_set(e, ERR_PROTOCOL, "bundle: broken prerequisite");
		if (h->prerequisite[0] && !str_eq(h->prerequisite, sha))
			return err_set(e, ERR_PROTOCOL, "bundle: more than one prerequisite");
		memcpy(h->prerequisite, sha, sizeof(sha));
		return 0;
	}
	if (!take_sha(line, false, sha))
		return err_set(e, ERR_PROTOCOL, "bundle: broken reference");
	if (++*tips > TIPS_MAX || (h->tip[0] && !str_eq(h->tip, sha)))
		return err_set(e, ERR_PROTOCOL, "bundle: more than one commit to take");
	memcpy(h->tip, sha, sizeof(sha));
	return 0;
}

static int
read_pack_head(const unsigned char *p, size_t len, struct bundle_head *h, struct err *e)
{
	if (len < PACK_HEAD || memcmp(p, "PACK", 4) != 0)
		return err_set(e, ERR_PROTOCOL, "bundle: no pack behind the head");
	uint32_t version = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
	h->objects = (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11];
	if (version != 2)
		return err_set(e, ERR_PROTOCOL, "bundle: pack version %u", version);
	if (h->objects > LIMIT_HARVEST_OBJECTS)
		return err_set(e, ERR_LIMIT, "bundle: %u objects, at most %d", h->objects,
			LIMIT_HARVEST_OBJECTS);
	return 0;
}

int
bundle_head_parse(const char *data, size_t len, struct bundle_head *out, struct err *e)
{
	struct bundle_head h = { 0 };
	size_t tips = 0;

	for (size_t at = 0, number = 0; at < len; number++) {
		const char *end = memchr(data + at, '\n', len - at);

		if (!end)
			break;
		auto_free char *line = mem_strn(data + at, (size_t)(end - (data + at)));
		if (strlen(line) != (size_t)(end - (data + at)))
			return err_set(e, ERR_PROTOCOL, "bundle: NUL in its head");
		at = (size_t)(end - data) + 1;
		if (number == 0 && !str_eq(line, "# v2 git bundle") &&
			!str_eq(line, "# v3 git bundle"))
			return err_set(e, ERR_PROTOCOL, "not a git bundle");
		if (line[0] == '\0') {
			h.len = at;
			break;
		}
		int rc = number == 0 ? 0 : read_line(line, &h, &tips, e);
		if (rc < 0)
			return rc;
	}
	if (h.len == 0 || tips == 0)
		return err_set(e, ERR_PROTOCOL, "bundle: its head has no end or no commit");
	int rc = read_pack_head((const unsigned char *)data + h.len, len - h.len, &h, e);
	if (rc == 0)
		*out = h;
	return rc;
}

static ssize_t
read_some(int fd, char *data, size_t len, off_t at)
{
	ssize_t n;

	do
		n = pread(fd, data, len, at);
	while (n < 0 && errno == EINTR);
	return n;
}

static int
feed(int fd, off_t at, git_indexer *indexer, struct err *e)
{
	auto_free char *data = mem_array(READ_BYTES, 1);
	git_indexer_progress progress = { 0 };
	struct err why = { 0 };
	int rc = 0;

	while (rc == 0) {
		ssize_t n = read_some(fd, data, READ_BYTES, at);

		if (n < 0)
			return err_sys(e, "read the bundle");
		if (n == 0)
			break;
		at += n;
		if (at > LIMIT_BUNDLE_BYTES)
			return err_set(
				e, ERR_LIMIT, "bundle of over %ld bytes", LIMIT_BUNDLE_BYTES);
		rc = git_indexer_append(indexer, data, (size_t)n, &progress);
	}
	if (rc == 0)
		rc = git_indexer_commit(indexer, &progress);
	if (rc == 0)
		return 0;
	rc = git_err(&why, rc, "pack");
	return err_set(e, rc == ERR_LIMIT || rc == ERR_SYSTEM ? rc : ERR_PROTOCOL, "%s", why.text);
}

/* GIT_OPT_SET_PACK_MAX_OBJECT_SIZE came with the fix of CVE-2026-53585 (delta bombs): an older
 * libgit2 does not compile here, and should not. */
static int
limit_objects(struct err *e)
{
	int rc = git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, (size_t)LIMIT_HARVEST_OBJECTS);

	if (rc == 0)
		rc = git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, (size_t)LIMIT_OBJECT_BYTES);
	return rc < 0 ? git_err(e, rc, "libgit2") : 0;
}

int
bundle_import(int fd, git_repository *repo, struct bundle_head *out, struct err *e)
{
	auto_free char *head = mem_array(LIMIT_BUNDLE_HEAD_BYTES, 1);
	auto_free char *packs = mem_fmt("%sobjects/pack", git_repository_path(repo));
	auto_git(git_odb) *odb = NULL;
	auto_git(git_indexer) *indexer = NULL;
	git_indexer_options options = { .version = GIT_INDEXER_OPTIONS_VERSION };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "bundle");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_PROTOCOL, "bundle: not a file");
	if (st.st_size > LIMIT_BUNDLE_BYTES)
		return err_set(e, ERR_LIMIT, "bundle of over %ld bytes", LIMIT_BUNDLE_BYTES);
	ssize_t n = read_some(fd, head, LIMIT_BUNDLE_HEAD_BYTES, 0);
	if (n < 0)
		return err_sys(e, "read the bundle");
	int rc = bundle_head_parse(head, (size_t)n, out, e);
	if (rc == 0)
		rc = limit_objects(e);
	if (rc < 0)
		return rc;
	rc = git_repository_odb(&odb, repo);
	if (rc == 0)
		rc = git_indexer_new(&indexer, packs, 0444, odb, &options);
	if (rc < 0)
		return git_err(e, rc, "pack");
	rc = feed(fd, (off_t)out->len, indexer, e);
	return rc < 0 ? rc : git_odb_refresh(odb);
}
