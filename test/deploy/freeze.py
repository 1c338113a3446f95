#!/usr/bin/python3
"""Stops one thread of another process, and keeps it stopped until that process is killed: usage: freeze.py TID.
(SIGSTOP would stop all of its threads.)"""
import ctypes
import os
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def main():
    thread = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(thread, WALL)
    print("frozen", flush=True)
    while True:  # what it stops at on its way out must not hold it up
        _, status = os.waitpid(thread, WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return
        libc.ptrace(7, thread, None, None)  # PTRACE_CONT


if __name__ == "__main__":
    main()
