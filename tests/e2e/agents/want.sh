#!/bin/sh
# An agent that does what the repository wants: want.sh.
cat >/dev/null
exec sh want.sh
