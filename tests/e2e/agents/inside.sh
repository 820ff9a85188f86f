#!/bin/sh
# An honest agent in a repository with submodules: git finds nothing changed and nothing to fetch,
# then it mends what it was asked to mend, here and in a submodule.
set -eu
cat >/dev/null
[ -z "$(git status --porcelain)" ]
git submodule update --init --recursive vendor/lib
git submodule status vendor/lib
git -C vendor/lib log -1 --format='the library is at %s'
sed -i 's/ - / + /' add.sh
echo "the agent was here" >>vendor/lib/name.txt
git status --porcelain
