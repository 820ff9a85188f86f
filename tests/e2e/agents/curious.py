#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""curious - an agent that wants to look something up outside, then mends the bug all the same."""

import subprocess
import sys
import urllib.request

sys.stdin.read()
for url in ("https://docs.evil.example/x", "http://plain.evil.example/", "https://127.0.0.2/"):
    try:
        urllib.request.urlopen(url, timeout=10)
        print("reached", url)
    except OSError as e:
        print("no", url, e)
subprocess.run(["sed", "-i", "s/ - / + /", "add.sh"], check=True)
