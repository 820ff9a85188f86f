/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_pack - the script that runs in the box of the harvest: the agent's tree as one commit.
 *
 * GIT_DIR is the pristine repository of the checkout, BASE its commit, LEAVE the files that stay as
 * they are there; the tree is what the agent left. Repositories that it made inside become plain
 * directories; .git at the top is the one thing that git itself never adds. A submodule stays at
 * its commit, whatever the agent did with it; the message tells which ones it changed, a line
 * "submodule <path>" each, for the pull request.
 */
#include "bot/runner.h"

/* Prints the path of a submodule in which git sees a change, and follows no link to it. */
#define CHANGED                                                                                    \
	"changed() {\n"                                                                            \
	" [ \"$(cd \"$2\" && pwd -P)\" = \"$PWD/$2\" ] || return 0\n"                              \
	" GIT_DIR=$GIT_DIR/$1 GIT_WORK_TREE=$PWD/$2 git status --porcelain |\n"                    \
	"  head -n 1 | grep -q . || return 0\n"                                                    \
	" printf 'submodule %s\\n' \"$2\"\n"                                                       \
	"}\n"

/* What git-lfs would do with the file $1 that it keeps: its content becomes a pointer, a pointer
 * stays one, nothing stays nothing. So a file that was only touched is unchanged, one that was
 * moved is the same pointer in another place, and no content is ever in a bundle. */
#define VERSION "version https://git-lfs.github.com/spec/v1"
#define CLEAN                                                                                      \
	"tmp=${TMPDIR:-/tmp}\n"                                                                    \
	"cat >\"$tmp/clean\" <<'END'\n"                                                            \
	"size=$(stat -c %s \"./$1\")\n"                                                            \
	"if [ $size -lt 1024 ] && head -c 42 \"./$1\" | grep -qx '" VERSION "'; then\n"            \
	" cat \"./$1\"\n"                                                                          \
	"elif [ $size -gt 0 ]; then\n"                                                             \
	" printf '" VERSION "\\noid sha256:%.64s\\nsize %s\\n' \"$(sha256sum <\"./$1\")\" $size\n" \
	"fi\n"                                                                                     \
	"END\n"                                                                                    \
	"export GIT_CONFIG_COUNT=2\n"                                                              \
	"export GIT_CONFIG_KEY_0=filter.lfs.clean \"GIT_CONFIG_VALUE_0=sh '$tmp/clean' %f\"\n"     \
	"export GIT_CONFIG_KEY_1=filter.lfs.required GIT_CONFIG_VALUE_1=true\n"

/* No file that would be refused anyway is hashed and packed before: a sparse one costs its maker
 * nothing. What git-lfs keeps becomes a pointer. */
#define TOO_LARGE                                                                                  \
	"git ls-files -z --others --modified --exclude-standard | sed -z 's|^|./|' |\n"            \
	" xargs -0r sh -c 'find \"$@\" -maxdepth 0 -type f -size +16384k -print0 2>/dev/null' sh " \
	"|\n"                                                                                      \
	" git check-attr -z --stdin filter |\n"                                                    \
	" xargs -0rn 3 sh -c '[ \"$3\" = lfs ] || { echo \"$1: over 16 MiB\" >&2; exit 1; }' sh\n"

/* nightshift-modules is written by the layer that has the submodules (repo/extra.c). */
const char RUNNER_PACK[] =
	"set -e\n" CHANGED CLEAN
	"find . -mindepth 2 -name .git -prune -exec rm -rf -- {} +\n" TOO_LARGE "git add --all\n"
	"for path in $LEAVE; do\n"
	" git diff --cached --quiet \"$BASE\" -- \"$path\" && continue\n"
	" git reset --quiet \"$BASE\" -- \"$path\"\n"
	" echo \"" PACK_LEFT "$path\" >&2\n"
	"done\n"
	": >\"$tmp/message\"\n"
	"if git cat-file -e \"$BASE:.gitmodules\" 2>/dev/null; then\n"
	" git diff-index --cached \"$BASE\" |\n"
	"  sed -n 's/^:160000 [^\t]*\t/submodule /p' >>\"$tmp/message\"\n"
	" git ls-tree -r -z \"$BASE\" | grep -z '^160000 ' |\n"
	"  git update-index -z --index-info\n"
	"fi\n"
	"list=$GIT_DIR/nightshift-modules\n"
	"[ ! -f \"$list\" ] || while IFS='\t' read -r dir path; do\n"
	" changed \"$dir\" \"$path\" >>\"$tmp/message\"\n"
	"done <\"$list\"\n"
	"tree=$(git write-tree)\n"
	"commit=$(git commit-tree \"$tree\" -p \"$BASE\" <\"$tmp/message\")\n"
	"git update-ref refs/heads/changes \"$commit\"\n"
	"git bundle create --quiet - refs/heads/changes \"^$BASE\"\n";
