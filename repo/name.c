/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name - what may be a commit id, a branch, a repository's full name.
 *
 * Names end in argument vectors and paths, so they are checked here once more, whoever sent them.
 */
#include "repo/repo.h"

#include "base/limits.h"

#include <string.h>

bool
repo_sha_ok(const char *s)
{
	return s && strlen(s) == REPO_SHA_LEN && strspn(s, "0123456789abcdef") == REPO_SHA_LEN;
}

/* One part between slashes, by git-check-ref-format(1). */
static bool
branch_part_ok(const char *part, size_t len)
{
	if (len == 0 || part[0] == '.')
		return false;
	return len < 5 || memcmp(part + len - 5, ".lock", 5) != 0;
}

static bool
branch_bytes_ok(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] <= ' ' || strchr("~^:?*[\\\x7f", name[i]))
			return false;
	}
	return str_utf8_ok(name, len) && !strstr(name, "..") && !strstr(name, "@{");
}

bool
repo_branch_ok(const char *name)
{
	size_t len = name ? strlen(name) : 0;
	const char *part = name;

	if (len == 0 || len > LIMIT_NAME_BYTES || name[0] == '-' || name[len - 1] == '.')
		return false;
	if (strcmp(name, "@") == 0 || strcmp(name, "HEAD") == 0 || !branch_bytes_ok(name, len))
		return false;
	for (const char *slash; (slash = strchr(part, '/')); part = slash + 1) {
		if (!branch_part_ok(part, (size_t)(slash - part)))
			return false;
	}
	return branch_part_ok(part, strlen(part));
}

bool
repo_full_name_ok(const char *name)
{
	size_t parts = 1;

	if (!name || strlen(name) > LIMIT_NAME_BYTES)
		return false;
	for (const char *p = name;; parts++) {
		size_t len = strspn(
			p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

		if (len == 0 || p[0] == '-' || strspn(p, ".") == len)
			return false;
		if (p[len] == '\0')
			return parts >= 2;
		if (p[len] != '/')
			return false;
		p += len + 1;
	}
}
