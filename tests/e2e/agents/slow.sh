#!/bin/sh
# An honest agent that takes three seconds, so that a test can kill a role in between.
set -eu
cat >/dev/null
for step in one two three; do
  echo "step $step"
  sleep 1
done
sed -i 's/ - / + /' add.sh
sh test.sh
