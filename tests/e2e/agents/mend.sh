#!/bin/sh
# An honest agent: reads what is wanted, mends add.sh, says what it did.
# It runs in the box: a shell and sed are all it needs.
set -eu
prompt=$(cat)
printf 'task %s, %s bytes of prompt\n' "${NIGHTSHIFT_TASK:-?}" "${#prompt}"
printf '\033[32mlooking\033[0m at add.sh\n'
sed -i 's/ - / + /' add.sh
printf 'mended by task %s\n' "${NIGHTSHIFT_TASK:-?}" >>NOTES
sh test.sh
