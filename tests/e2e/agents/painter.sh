#!/bin/sh
# An honest agent in a repository whose pictures Git LFS keeps: it sees contents and a clean tree,
# touches one, moves one, paints over one, adds one, and mends what it was asked to mend.
set -eu
cat >/dev/null
[ -z "$(git status --porcelain)" ]
grep -qx 'the first picture' art/one.bin
touch art/one.bin
git mv art/two.bin art/moved.bin
echo 'painted over' >art/three.bin
echo 'a new picture' >art/new.bin
sed -i 's/ - / + /' add.sh
git status --porcelain
