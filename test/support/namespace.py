"""namespace: a network of a test's own, with addresses of its own on its loopback: what is started meanwhile lives in
it. Needs root; `is_possible` says whether it can be had.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


@contextlib.contextmanager
def namespace(*addresses):
    """This thread, and what it starts, is in a new network until the end of the `with` block."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(_libc.unshare, CLONE_NEWNET)
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for address in addresses:
                subprocess.run(["ip", "address", "add", address, "dev", "lo", "nodad"], check=True)
            yield
        finally:
            _call(_libc.setns, before, CLONE_NEWNET)
    finally:
        os.close(before)


def is_possible():
    if not shutil.which("ip"):
        return False
    try:
        with namespace():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False
