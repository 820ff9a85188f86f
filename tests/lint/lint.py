# SPDX-License-Identifier: Apache-2.0
"""What the lints share: the tree's files, C without comments and strings, reporting, self-tests.

A lint is `def check(tree)` yielding (path, line, what is wrong and how to mend it).
`run(check, ...)` makes it a program: without arguments it looks at the whole tree and prints every
offence as path:line; with --self-test it looks at planted files and must find the planted offences
and no others, because a lint that finds nothing proves nothing.
"""

import os
import re
import subprocess
import sys
import tempfile

FOLDERS = ("base", "config", "store", "forge", "repo", "sandbox", "handlers", "web", "bot")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("NIGHTSHIFT_BUILD", os.path.join(ROOT, "build/dev"))

NOT_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def repository_files():
    """Tracked files and new ones that are not ignored, so that a lint can run before the commit."""
    out = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return sorted(f for f in set(out.split("\0")) if f and os.path.isfile(os.path.join(ROOT, f)))


class Tree:
    def __init__(self, root, files):
        self.root, self.all_files = root, files

    def path(self, name):
        return os.path.join(self.root, name)

    def files(self, *suffixes, under=()):
        """Names by their endings, all or those in the folders `under`."""
        folders = tuple(u + "/" for u in under) or ("",)
        return [f for f in self.all_files if f.endswith(suffixes) and f.startswith(folders)]

    def text(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def lines(self, name):
        return enumerate(self.text(name).split("\n"), 1)

    def code(self, name):
        """Lines of C with comments and literals blanked; `#include "..."` is kept."""
        def blank(match):
            return re.sub(r"[^\n]", " ", match.group())
        text = re.sub(r'^(\s*#\s*include\s*)"([^"\n]*)"', r"\1<\2>", self.text(name), flags=re.M)
        return enumerate(NOT_CODE.sub(blank, text).split("\n"), 1)

    def is_script(self, name):
        with open(self.path(name), "rb") as f:
            return f.read(20).startswith(b"#!/bin/bash")


def report(offences):
    count = 0
    for path, line, text in offences:
        print(f"{path}:{line}: {text}")
        count += 1
    if count:
        print(f"{os.path.basename(sys.argv[0])}: {count} offence(s)")
    return 1 if count else 0


def self_test(check, planted, innocent):
    """Each planted file must be found at its line; the innocent ones must not be found."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**planted, **innocent}.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            if text.startswith("#!"):
                os.chmod(path, 0o755)
        found = list(check(Tree(root, sorted([*planted, *innocent]))))
    missed = set(planted) - {path for path, _, _ in found}
    wrong = [f for f in found if f[0] in innocent]
    for path in missed:
        print(f"self-test: the offence planted in {path} was not found")
    for path, line, text in wrong:
        print(f"self-test: {path}:{line} is innocent, but: {text}")
    return 1 if missed or wrong or not planted else 0


def run(check, planted, innocent):
    if "--self-test" in sys.argv:
        sys.exit(self_test(check, planted, innocent))
    sys.exit(report(check(Tree(ROOT, repository_files()))))
