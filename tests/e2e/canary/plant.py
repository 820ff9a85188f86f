#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""plant - a process of the host that has canaries wherever one process may have them.

	plant.py UID NAME SHM KEY ABSTRACT PORT SOCKET MEMORY

Shared memory and a key are made as root; then it becomes UID, as which a box may run, and serves
the others at the abstract address @seek-NAME, at a port of 127.7.7.7 and at the socket ./NAME. It
says "planted" and ends, with everything, when its input does.
"""

import ctypes
import os
import selectors
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
USER_KEYRING = -4
KEEP = []


def shared_memory(word):
    LIBC.shmat.restype = ctypes.c_void_p
    shm = LIBC.shmget(0, 4096, 0o1666)
    at = LIBC.shmat(shm, None, 0)
    ctypes.memmove(at, word, len(word))
    return shm


def key(name, word):
    return LIBC.syscall(248, b"user", name.encode(), word, len(word), USER_KEYRING)     # add_key


def serve(chooser, family, address, word):
    s = socket.socket(family)
    s.bind(address)
    s.listen(16)
    chooser.register(s, selectors.EVENT_READ, word)


def main():
    uid, name, *words = sys.argv[1:]
    sys.argv.clear()
    shm_word, key_word, abstract, port, path, memory = (w.encode() for w in words)
    KEEP.append(memory * 3)
    chooser = selectors.DefaultSelector()
    shm = shared_memory(shm_word)
    key_id = key(f"seek-{name}", key_word)
    serve(chooser, socket.AF_UNIX, f"\0seek-{name}", abstract)
    serve(chooser, socket.AF_INET, ("127.7.7.7", 0), port)
    serve(chooser, socket.AF_UNIX, name, path)
    os.chmod(name, 0o666)
    os.setresuid(int(uid), int(uid), 0)
    print("planted", flush=True)
    chooser.register(sys.stdin, selectors.EVENT_READ, None)
    while True:
        for event, _ in chooser.select():
            if event.data is None:
                os.setresuid(0, 0, 0)
                LIBC.shmctl(shm, 0, None)
                LIBC.syscall(250, 9, key_id, USER_KEYRING)      # keyctl, KEYCTL_UNLINK
                return
            s, _ = event.fileobj.accept()
            s.sendall(event.data)
            s.close()


main()
