#!/bin/sh
# Mends sum.js of the npm test: takes the sign away, then runs the tests with the installed package.
set -eu
cat >/dev/null
ls node_modules/@acme/plus
sed -i 's/, - b/, b/' sum.js
sh test.sh
