/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes out of a box (the head of a bundle) and what a remote says of its refs.
 */
#include "tests/fuzz/fuzz.h"

#include "repo/bundle.h"
#include "repo/repo.h"

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
	return 0;
}
