/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsrefs - asks a remote for two of its refs, without git.
 *
 * In protocol 2 over HTTP a command needs no handshake: one POST gives the default branch and the
 * commit that we want to start from (gitprotocol-v2, "ls-refs"). When both are known already, which
 * is the usual case, no child is started at all. Pure: bytes in, bytes out.
 */
#include "repo/repo.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PKT_HEAD 4
#define PKT_MAX  65520 /* gitprotocol-common: the longest pkt-line */

const char *const REPO_LSREFS_HEADERS[] = {
	"Content-Type: application/x-git-upload-pack-request",
	"Accept: application/x-git-upload-pack-result",
	"Git-Protocol: version=2",
	NULL,
};

static void
add_line(struct buf *b, const char *text, const char *more)
{
	(void)buf_addf(b, "%04zx%s%s\n", PKT_HEAD + strlen(text) + strlen(more) + 1, text, more);
}

int
repo_lsrefs_body(const char *branch, struct buf *out, struct err *e)
{
	if (branch && !repo_branch_ok(branch))
		return err_set(e, ERR_INVALID, "'%s' is not a branch name", branch);
	add_line(out, "command=ls-refs", "");
	add_line(out, "agent=nightshift", "");
	(void)buf_adds(out, "0001");
	add_line(out, "symrefs", "");
	add_line(out, "ref-prefix ", "HEAD");
	if (branch)
		add_line(out, "ref-prefix refs/heads/", branch);
	(void)buf_adds(out, "0000");
	return out->is_full ? err_set(e, ERR_LIMIT, "ls-refs request") : 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Length with its own four digits; -1: not hex. */
static int
pkt_len(const char *p)
{
	int n = 0;

	for (int i = 0; i < PKT_HEAD; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		n = n * 16 + digit;
	}
	return n;
}

/* "<sha> HEAD symref-target:refs/heads/main", "<sha> refs/heads/main", "unborn HEAD ..." */
static int
read_line(char *line, const char *branch, struct repo_remote *out, struct err *e)
{
	static const char target[] = " symref-target:refs/heads/";
	char *name = strchr(line, ' ');

	if (str_starts(line, "ERR "))
		return err_set(e, ERR_DENIED, "the forge says: %.200s", line + 4);
	if (str_starts(line, "unborn "))
		return 0;
	if (!name)
		return err_set(e, ERR_PROTOCOL, "ls-refs: line without a name");
	*name++ = '\0';
	if (!repo_sha_ok(line))
		return err_set(e, ERR_PROTOCOL, "ls-refs: '%.60s' is not a SHA-1 commit id", line);
	if (str_starts(name, "HEAD ") || strcmp(name, "HEAD") == 0) {
		char *at = strstr(name, target);

		mem_set(&out->default_sha, line);
		if (at && repo_branch_ok(at + strlen(target)))
			mem_set(&out->default_branch, at + strlen(target));
		return 0;
	}
	name[strcspn(name, " ")] = '\0';
	if (branch && str_starts(name, "refs/heads/") &&
		strcmp(name + strlen("refs/heads/"), branch) == 0)
		mem_set(&out->branch_sha, line);
	return 0;
}

static int
read_lines(const char *data, size_t len, const char *branch, struct repo_remote *out, struct err *e)
{
	for (size_t at = 0; at + PKT_HEAD <= len;) {
		int n = pkt_len(data + at);

		if (n == 0)
			return at + PKT_HEAD == len
				       ? 0
				       : err_set(e, ERR_PROTOCOL, "ls-refs: bytes left over");
		if (n <= PKT_HEAD || n > PKT_MAX || (size_t)n > len - at)
			return err_set(e, ERR_PROTOCOL, "ls-refs: not a pkt-line");
		auto_free char *line = mem_strn(data + at + PKT_HEAD, (size_t)n - PKT_HEAD);
		if (strlen(line) != (size_t)n - PKT_HEAD)
			return err_set(e, ERR_PROTOCOL, "ls-refs: NUL in a line");
		line[strcspn(line, "\n")] = '\0';
		int rc = read_line(line, branch, out, e);
		if (rc < 0)
			return rc;
		at += (size_t)n;
	}
	return err_set(e, ERR_PROTOCOL, "ls-refs: the answer has no end");
}

int
repo_lsrefs_read(
	const char *data, size_t len, const char *branch, struct repo_remote *out, struct err *e)
{
	struct repo_remote r = { 0 };
	int rc = read_lines(data, len, branch, &r, e);

	if (rc == 0 && !r.default_sha)
		rc = err_set(e, ERR_MISSING,
			"the repository has no commits, or its HEAD names no branch");
	if (rc == 0 && !r.default_branch)
		rc = err_set(e, ERR_PROTOCOL, "ls-refs: HEAD names no branch");
	if (rc < 0) {
		repo_remote_finish(&r);
		return rc;
	}
	*out = r;
	return 0;
}

void
repo_remote_finish(struct repo_remote *r)
{
	if (!r)
		return;
	free(r->default_branch);
	free(r->default_sha);
	free(r->branch_sha);
	*r = (struct repo_remote){ 0 };
}
