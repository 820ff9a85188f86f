#!/bin/sh
# An agent that reads, thinks and changes nothing.
cat >/dev/null
echo 'I looked at everything and all is well.'
