/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_rootfs - whether boxes find in sandbox.rootfs what they need.
 *
 * A box is asked, not the tree: only there do its links lead to where they will lead.
 */
#include "bot/check.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/agent.h"
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#define SAID_BYTES_MAX 4096

/* Each says what it lacks, a line each. */
static const char ASK[] =
	"for p in git tar; do command -v $p >/dev/null 2>&1 || echo $p; done\n"
	"test -s /etc/ssl/certs/ca-certificates.crt || test -s /etc/pki/tls/certs/ca-bundle.crt ||"
	" test -s /etc/ssl/cert.pem || echo certificates\n";

bool
check_rootfs_has(const struct config *c, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	auto_fd int root = open(c->sandbox_rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (root < 0)
		return false;
	auto_fd int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IXOTH);
}

static int
ask_box(const struct config *c, char said[SAID_BYTES_MAX], const char **mend, struct err *e)
{
	const struct box_env env = { .tools = &c->sandbox_tools };
	auto_box_spec struct box_spec s = { 0 };
	auto_fd int out = memfd_create("said", MFD_CLOEXEC);
	ssize_t n;
	int rc;

	if (out < 0)
		return err_sys(e, "memfd_create");
	s.name = mem_str("trial");
	s.rootfs = mem_str(c->sandbox_rootfs);
	s.runtime = mem_str(c->sandbox_runtime);
	strs_add(&s.argv, "/bin/sh");
	strs_add(&s.argv, "-c");
	strs_add(&s.argv, ASK);
	strs_copy(&s.tools, &c->sandbox_tools);
	box_env_fill(&env, &s);
	rc = sandbox_try(&s, out, mend, e);
	n = pread(out, said, SAID_BYTES_MAX - 1, 0);
	said[n < 0 ? 0 : n] = '\0';
	return rc;
}

void
check_rootfs(struct check_report *r, const struct config *c)
{
	char said[SAID_BYTES_MAX];
	const char *mend = NULL;
	struct err e = { 0 };
	char *rest = said;
	char *line;

	if (!c->sandbox_rootfs)
		return;
	if (ask_box(c, said, &mend, &e) < 0) {
		check_fail(r, "sandbox.rootfs", EX_UNAVAILABLE, mend, "%s", e.text);
		return;
	}
	while ((line = strsep(&rest, "\n"))) {
		if (str_eq(line, "git"))
			check_fail(r, "sandbox.rootfs", EX_UNAVAILABLE, "install git in it",
				"%s has no git, which takes the changes out of a box",
				c->sandbox_rootfs);
		else if (str_eq(line, "tar"))
			check_warn(r, "sandbox.rootfs", "install tar in it",
				"%s has no tar: agents cannot go on with their sessions",
				c->sandbox_rootfs);
		else if (str_eq(line, "certificates"))
			check_warn(r, "sandbox.rootfs", "install ca-certificates in it",
				"%s has no certificates: programs in a box trust no server",
				c->sandbox_rootfs);
	}
	if (!*said)
		check_ok(r, "sandbox.rootfs", "%s has a shell, git, tar and certificates",
			c->sandbox_rootfs);
}
