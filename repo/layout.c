/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout - where repositories lie below the state directory.
 *
 * mirrors/<forge>/<repo id>.git              all that was fetched; never shown to a box
 * mirrors/<forge>/<repo id>.trees/<sha>/tree a frozen checkout with its .git
 * mirrors/<forge>/<repo id>.modules/<hash>.* the same two of each of its submodules
 * mirrors/<forge>/<repo id>.lfs/             its objects of Git LFS
 * quarantine/<task>/repo.git                 what came out of the boxes of a task
 * quarantine/<task>/delta.<attempt>          the harvested tree as a layer over the checkout
 */
#include "repo/repo.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

char *
repo_mirror_path(const char *state_dir, const char *forge, int64_t repo_id)
{
	assert(forge[0] != '.' && !strchr(forge, '/'));
	return mem_fmt("%s/mirrors/%s/%" PRId64 ".git", state_dir, forge, repo_id);
}

char *
repo_trees_path(const char *state_dir, const char *forge, int64_t repo_id)
{
	assert(forge[0] != '.' && !strchr(forge, '/'));
	return mem_fmt("%s/mirrors/%s/%" PRId64 ".trees", state_dir, forge, repo_id);
}

char *
repo_modules_path(const char *state_dir, const char *forge, int64_t repo_id)
{
	assert(forge[0] != '.' && !strchr(forge, '/'));
	return mem_fmt("%s/mirrors/%s/%" PRId64 ".modules", state_dir, forge, repo_id);
}

char *
repo_lfs_dir(const char *state_dir, const char *forge, int64_t repo_id)
{
	assert(forge[0] != '.' && !strchr(forge, '/'));
	return mem_fmt("%s/mirrors/%s/%" PRId64 ".lfs", state_dir, forge, repo_id);
}

char *
repo_module_path(const char *modules, const char *repo, const char *suffix)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	crypto_sha256_hex(repo, strlen(repo), hex);
	return mem_fmt("%s/%.32s.%s", modules, hex, suffix);
}

char *
repo_quarantine_dir(const char *state_dir, int64_t task)
{
	return mem_fmt("%s/quarantine/%" PRId64, state_dir, task);
}

char *
repo_quarantine_path(const char *state_dir, int64_t task)
{
	return mem_fmt("%s/quarantine/%" PRId64 "/repo.git", state_dir, task);
}

char *
repo_delta_path(const char *state_dir, int64_t task, int64_t attempt)
{
	return mem_fmt("%s/quarantine/%" PRId64 "/delta.%" PRId64, state_dir, task, attempt);
}

char *
repo_checkout_path(const char *trees, const char *sha)
{
	return mem_fmt("%s/%s/tree", trees, sha);
}

char *
repo_checkout_objects_path(const char *trees, const char *sha)
{
	return mem_fmt("%s/%s/tree/.git/objects", trees, sha);
}

char *
repo_mirror_ref(const char *branch)
{
	char hex[2 * CRYPTO_SHA256_BYTES + 1];

	crypto_sha256_hex(branch, strlen(branch), hex);
	return mem_fmt("refs/branch/%.32s", hex);
}
