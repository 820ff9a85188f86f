#!/bin/sh
# An honest agent with some work to do: it computes, writes and reads, and mends then.
set -eu
cat >/dev/null
i=0
while [ $i -lt 300000 ]; do i=$((i + 1)); done
head -c 20000000 /dev/zero >/tmp/work
for _ in 1 2 3; do cat /tmp/work /usr/bin/git | cksum; done >/dev/null
mkdir work
for n in $(seq 200); do echo "$n" >"work/$n"; done
rm -r work
sed -i 's/ - / + /' add.sh
sh test.sh
