#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""mender - a small agent without a model, for the demo: it really looks for the bug.

It runs the repository's tests, finds the lines that failing tests pass through and others do not
(spectrum-based fault localisation), tries small changes there (a comparison, an operator, a
constant), most suspicious line first, and keeps the first change that turns every test green.
"""

import ast
import json
import pathlib
import subprocess
import sys

COMPARE = {ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"),
           ast.Eq: ("==", "!="), ast.NotEq: ("!=", "==")}
BINARY = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
          ast.FloorDiv: ("//", "/")}
TEST = [sys.executable, "-B", "-m", "unittest", "-q"]
TRIES_MAX = 200

# Runs in a process of its own: each test alone, with the lines that it passed through.
TRACER = r"""
import json, os, sys, unittest
here, spectrum = os.getcwd(), []
def tests(suite):
    for one in suite:
        yield from tests(one) if isinstance(one, unittest.TestSuite) else [one]
for test in tests(unittest.defaultTestLoader.discover(".")):
    lines, result = set(), unittest.TestResult()
    def trace(frame, event, arg):
        name = frame.f_code.co_filename
        if not name.startswith(here + "/") or os.path.basename(name).startswith("test"):
            return None
        if event == "line":
            lines.add((os.path.relpath(name, here), frame.f_lineno))
        return trace
    sys.settrace(trace)
    test.run(result)
    sys.settrace(None)
    spectrum.append({"test": test.id(), "ok": result.wasSuccessful(), "lines": sorted(lines)})
print(json.dumps(spectrum))
"""


def run_tests():
    """Whether all is green, and what the tests said."""
    done = subprocess.run(TEST, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def suspects(spectrum):
    """Lines by suspicion: the share of failing tests among those that pass through."""
    failing = [t for t in spectrum if not t["ok"]]
    passing = [t for t in spectrum if t["ok"]]
    score = {}
    for line in {tuple(at) for t in failing for at in t["lines"]}:
        bad = sum(list(line) in t["lines"] for t in failing) / len(failing)
        good = sum(list(line) in t["lines"] for t in passing) / max(1, len(passing))
        score[line] = bad / (bad + good)
    return sorted(score, key=lambda at: (-score[at], at)), score


def between(source, left, right, old, new):
    """The source with the operator between two expressions replaced."""
    lines = source.splitlines(keepends=True)
    if left.end_lineno != right.lineno:
        return None
    text = lines[left.end_lineno - 1].encode()
    gap = text[left.end_col_offset:right.col_offset].decode()
    if gap.strip() != old:
        return None
    whole = text[:left.end_col_offset] + gap.replace(old, new).encode() + text[right.col_offset:]
    lines[left.end_lineno - 1] = whole.decode()
    return "".join(lines)


def constant(source, node, value):
    lines = source.splitlines(keepends=True)
    text = lines[node.lineno - 1].encode()
    changed = text[:node.col_offset] + str(value).encode() + text[node.end_col_offset:]
    lines[node.lineno - 1] = changed.decode()
    return "".join(lines)


def changes(source, line):
    """Small changes of one line: (what, new source)."""
    for node in ast.walk(ast.parse(source)):
        if getattr(node, "lineno", None) != line:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
            old, new = COMPARE[type(node.ops[0])]
            yield f"{old} becomes {new}", between(source, node.left, node.comparators[0], old, new)
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            old, new = BINARY[type(node.op)]
            yield f"{old} becomes {new}", between(source, node.left, node.right, old, new)
        if isinstance(node, ast.Constant) and type(node.value) is int:
            for value in (node.value + 1, node.value - 1):
                yield f"{node.value} becomes {value}", constant(source, node, value)


def mend(order, score):
    tries = 0
    for name, line in order:
        path = pathlib.Path(name)
        source = path.read_text(encoding="utf-8")
        for what, changed in changes(source, line):
            if changed is None or tries >= TRIES_MAX:
                continue
            tries += 1
            path.write_text(changed, encoding="utf-8")
            green, _ = run_tests()
            print(f"  {name}:{line} (suspicion {score[name, line]:.2f}): {what}: "
                  + ("\033[32mgreen\033[0m" if green else "red"), flush=True)
            if green:
                return f"{name}:{line}: {what}"
        path.write_text(source, encoding="utf-8")
    return None


def main():
    prompt = sys.stdin.read()
    print(f"mender: a prompt of {len(prompt)} characters; running the tests first", flush=True)
    green, said = run_tests()
    print(said, flush=True)
    if green:
        print("All tests are green already; nothing to mend.")
        return 0
    tracer = [sys.executable, "-B", "-c", TRACER]
    done = subprocess.run(tracer, capture_output=True, text=True, check=True)
    order, score = suspects(json.loads(done.stdout.splitlines()[-1]))
    print(f"{len(order)} lines are passed by failing tests; trying small changes:", flush=True)
    found = mend(order, score)
    if not found:
        print("No small change makes the tests green.")
        return 1
    print(f"Mended: {found}. All tests are green.")
    return 0


sys.exit(main())
