#!/bin/sh
# An honest agent that goes on when the test lets it: while a file `hold-agent` lies beside this
# one, it waits. So a role can be killed while it works, however fast the machine is.
set -eu
cat >/dev/null
echo "waiting"
while [ -e "${0%/*}/hold-agent" ]; do sleep 0.05; done
sed -i 's/ - / + /' add.sh
sh test.sh
