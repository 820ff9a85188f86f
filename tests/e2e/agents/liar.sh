#!/bin/sh
# A liar: changes something that mends nothing, and says that all is well.
cat >/dev/null
printf 'nothing was mended\n' >>NOTES
echo 'All tests pass: 1 passed, 0 failed. The bug is fixed.'
