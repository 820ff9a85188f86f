#!/bin/sh
# An agent with secrets of its own, each in another place of its box. The repository has them in
# halves, so that they are nowhere else. It waits as agents/patient.sh does.
set -eu
cat >/dev/null
while read -r place a b; do
	case $place in
	workspace) echo "$a$b" >hidden ;;
	home) echo "$a$b" >"$HOME/.hidden" ;;
	tmp) echo "$a$b" >/tmp/hidden ;;
	terminal) echo "$a$b" ;;
	environment) HIDDEN=$a$b sleep 300 & ;;
	name) mkdir "/tmp/$a$b" ;;
	esac
done <halves
unset a b
echo "hoard: ready"
while [ -e "${0%/*}/hold-agent" ]; do sleep 0.05; done
rm hidden
sed -i 's/ - / + /' add.sh
