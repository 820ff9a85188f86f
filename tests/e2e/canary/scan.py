#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""scan - looks for secrets where none may be, in every form in which they could lie there.

Usage: scan.py NEEDLES.json PLACE...    with PLACE one of
  name=pid:N       environment, command line and memory of a process, and the files of its root
                   that are not the host's own
  name=memory:N    memory, environment and command line only
  name=tree:DIR    the files below DIR
  name=file:FILE   one file
  name=sqlite:FILE each cell of each table, unpacked when it is zstd
  name=git:DIR     each object of a repository

NEEDLES.json: {"name": "value"}, or {"name": {"hex": "..."}} for bytes. Prints a JSON list of
{place, needle, form, at}, one for each needle, form and source; nothing is found: []. A place that
cannot be read is an error, not a pass.
"""

import base64
import ctypes
import ctypes.util
import json
import os
import sqlite3
import stat
import subprocess
import sys
import urllib.parse

CHUNK = 4 << 20
FILE_MAX = 64 << 20
KERNELS_OWN = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def base64_cores(value, encode):
    """The part of the base64 text that does not depend on the neighbours, for each alignment."""
    for shift in range(3):
        text = encode(b"\0" * shift + value)
        first = (shift * 8 + 5) // 6
        last = (shift + len(value)) * 8 // 6
        yield text[first:last]


def forms(value):
    raw = bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()
    yield "raw", raw
    yield "reversed", raw[::-1]
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    yield "url", urllib.parse.quote(raw, safe="").encode()
    if isinstance(value, str):
        yield "json", json.dumps(value)[1:-1].encode()
    for i, core in enumerate(base64_cores(raw, base64.b64encode)):
        yield f"base64+{i}", core
    for i, core in enumerate(base64_cores(raw, base64.urlsafe_b64encode)):
        yield f"base64url+{i}", core


class Scan:
    def __init__(self, needles):
        self.patterns = []
        seen = set()
        for name, value in needles.items():
            for form, pattern in forms(value):
                if (name, pattern) not in seen:
                    self.patterns.append((name, form, pattern))
                    seen.add((name, pattern))
        self.overlap = max(len(p) for _, _, p in self.patterns)
        self.hits = {}

    def bytes(self, place, at, data):
        for name, form, pattern in self.patterns:
            if pattern in data:
                self.hits.setdefault((place, name, form, at))

    def stream(self, place, at, read):
        tail = b""
        while True:
            data = read(CHUNK)
            if not data:
                return
            self.bytes(place, at, tail + data)
            tail = (tail + data)[-self.overlap:]

    def file(self, place, path, at=None):
        try:
            with open(path, "rb") as f:
                self.stream(place, at or path, f.read)
        except (OSError, ValueError) as e:
            if not os.path.exists(path):
                return          # it was removed while we looked
            raise RuntimeError(f"{path}: {e}") from e

    def tree(self, place, top, skip=()):
        for folder, folders, files in os.walk(top):
            folders[:] = [d for d in folders if os.path.join(folder, d) not in skip]
            self.bytes(place, folder, "\n".join(files + folders).encode(errors="surrogateescape"))
            for name in files:
                path = os.path.join(folder, name)
                info = os.lstat(path)
                if stat.S_ISLNK(info.st_mode):
                    self.bytes(place, path, os.fsencode(os.readlink(path)))
                elif stat.S_ISREG(info.st_mode) and info.st_size <= FILE_MAX:
                    self.file(place, path)

    def memory(self, place, pid):
        for name in ("environ", "cmdline"):
            self.file(f"{place}:{name}", f"/proc/{pid}/{name}")
        with open(f"/proc/{pid}/maps", encoding="latin1") as maps, \
                open(f"/proc/{pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, rights = line.split()[:2]
                if "r" not in rights or line.rstrip().endswith(KERNELS_OWN):
                    continue
                start, end = (int(x, 16) for x in span.split("-"))
                self.region(f"{place}:memory", mem, start, end)

    def region(self, place, mem, start, end):
        tail = b""
        while start < end:
            try:
                mem.seek(start)
                data = mem.read(min(CHUNK, end - start))
            except (OSError, OverflowError):
                return          # a page that is mapped and not there, such as a device
            if not data:
                return
            self.bytes(place, hex(start), tail + data)
            tail = (tail + data)[-self.overlap:]
            start += len(data)

    def pid(self, place, pid):
        self.memory(place, pid)
        root = f"/proc/{pid}/root"
        skip = {f"{root}/proc", f"{root}/sys", f"{root}/dev"}
        for name in os.listdir(root):
            ours, theirs = f"/{name}", f"{root}/{name}"
            if os.path.exists(ours) and os.path.samefile(ours, theirs):
                skip.add(theirs)     # the host's own, such as /usr
        self.tree(f"{place}:root", root, skip)

    def sqlite(self, place, path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        db.text_factory = bytes
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for table in (name.decode() for (name,) in tables):
            for row in db.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    if isinstance(cell, bytes):
                        self.bytes(place, table, unpack(cell))

    def git(self, place, path):
        args = ["git", "-c", "safe.directory=*", "--git-dir", path, "cat-file",
                "--batch", "--batch-all-objects", "--buffer", "--unordered"]
        with subprocess.Popen(args, stdout=subprocess.PIPE) as child:
            self.stream(place, path, child.stdout.read)
        if child.returncode != 0:
            raise RuntimeError(f"git cat-file in {path}")


def unpack(cell):
    if not cell.startswith(ZSTD_MAGIC):
        return cell
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_isError.restype = ctypes.c_uint
    size = lib.ZSTD_getFrameContentSize(cell, ctypes.c_size_t(len(cell)))
    size = size if size < FILE_MAX else FILE_MAX
    out = ctypes.create_string_buffer(size)
    n = lib.ZSTD_decompress(out, ctypes.c_size_t(size), cell, ctypes.c_size_t(len(cell)))
    if lib.ZSTD_isError(ctypes.c_size_t(n)):
        raise RuntimeError("a cell that looks like zstd and is not")
    return out.raw[:n]


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        scan = Scan(json.load(f))
    kinds = {"pid": lambda p, x: scan.pid(p, int(x)), "memory": lambda p, x: scan.memory(p, int(x)),
             "tree": scan.tree, "file": scan.file, "sqlite": scan.sqlite, "git": scan.git}
    for place in sys.argv[2:]:
        name, rest = place.split("=", 1)
        kind, target = rest.split(":", 1)
        kinds[kind](name, target)
    print(json.dumps([dict(zip(("place", "needle", "form", "at"), h)) for h in scan.hits]))


main()
