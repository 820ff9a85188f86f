#!/bin/sh
# An agent that never ends by itself, with a grandchild that tries to outlive it.
cat >/dev/null
(trap '' TERM HUP INT; setsid sleep 3600) &
trap '' TERM HUP INT
echo 'waiting for ever'
while :; do sleep 1; done
