#!/bin/sh
# An honest agent that counts while it works: what it says is the same each time, and takes a while.
# Then it goes on when the test lets it, as patient.sh does.
set -eu
cat >/dev/null
i=0
while [ $i -lt 600 ]; do
	echo "line $i of what must not be lost"
	i=$((i + 1))
	sleep 0.02
done
while [ -e "${0%/*}/hold-agent" ]; do sleep 0.05; done
sed -i 's/ - / + /' add.sh
sh test.sh
echo "line $i is the last one"
