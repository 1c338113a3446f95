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


def ip(*arguments):
    """As the command, in this thread's network."""
    subprocess.run(["ip", *arguments], check=True)


class Neighbour:
    """Another network, at the other end of a cable (a veth pair) to the one that this thread is in. `with` makes it
    and ends it; `within()` is for sockets that are to be in it.
    """

    def __init__(self, near, far="far0", mtu=1500):
        self.near, self.far, self._mtu = near, far, mtu
        self._space = None

    def __enter__(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(_libc.unshare, CLONE_NEWNET)
            self._space = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _call(_libc.setns, home, CLONE_NEWNET)
            os.close(home)
        ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns",
           f"/proc/{os.getpid()}/fd/{self._space}")
        self._set_up(self.near)
        with self.within():
            ip("link", "set", "lo", "up")
            self._set_up(self.far)
        return self

    def __exit__(self, kind, value, trace):
        os.close(self._space)

    def _set_up(self, name):
        """Without the addresses that the kernel makes up, which take a second to become usable."""
        ip("link", "set", name, "addrgenmode", "none")
        ip("link", "set", name, "mtu", str(self._mtu), "up")

    def address(self, near, far):
        """An address for each end."""
        ip("address", "add", near, "dev", self.near, *(["nodad"] if ":" in near else []))
        with self.within():
            ip("address", "add", far, "dev", self.far, *(["nodad"] if ":" in far else []))

    @contextlib.contextmanager
    def within(self):
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call(_libc.setns, self._space, CLONE_NEWNET)
            yield
        finally:
            _call(_libc.setns, home, CLONE_NEWNET)
            os.close(home)
