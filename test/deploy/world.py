"""world: a network namespace with nothing but loopback, in which Cloudflare's addresses are ours: a DNS-over-TLS
server that tests can steer answers there, with a certificate that a throw-away authority gave for Cloudflare's name.
So the program runs with its own defaults."""
import ctypes
import os
import pathlib
import tempfile

import checks  # first: it says where the modules below are
from hostile import Hostile
from pki import Pki
from remote import Remote

import asyncio
import socket

CLOUDFLARE = ("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001")
CLONE_NEWNET = 0x40000000


class Cloudflare(Hostile):
    """The steerable server at all of Cloudflare's addresses; see hostile for the names it knows."""

    async def start(self):
        accepting = []
        for address in CLOUDFLARE:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listening = socket.create_server((address, self.port), family=family, backlog=512)
            listening.setblocking(False)
            accepting.append(asyncio.get_running_loop().create_task(self._accept(listening)))
        self.listener = asyncio.gather(*accepting)


def _enter(namespace):
    """This thread, and the children it makes, from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class World:
    """`with` enters the namespace and leaves it again. `folder` holds the authority's files and whatever a test
    puts there."""

    def __init__(self, name):
        self.name = f"{name}-{os.getpid()}"
        self.path = f"/run/netns/{self.name}"
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{name}-")
        self.folder = pathlib.Path(self._temporary.name)
        self.folder.chmod(0o755)
        self.pki = Pki(self.folder)
        self.upstream = None

    def __enter__(self):
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        checks.run("ip", "netns", "add", self.name)
        inside = os.open(self.path, os.O_RDONLY)
        _enter(inside)
        os.close(inside)
        checks.run("ip", "link", "set", "lo", "up")
        for address in CLOUDFLARE:
            length = 128 if ":" in address else 32
            checks.run("ip", "addr", "add", f"{address}/{length}", "dev", "lo", *(["nodad"] if length == 128 else []))
        certificate, key = self.pki.certificate()
        os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
        self.upstream = Remote(Cloudflare, port=853, certificate=certificate, key=key)
        self.upstream.start()
        return self

    def __exit__(self, kind, value, trace):
        if self.upstream:
            self.upstream.stop()
        _enter(self._home)
        os.close(self._home)
        checks.run("ip", "netns", "delete", self.name, check=False)
        self._temporary.cleanup()

    def allow_low_ports(self):
        """What Docker does in the namespace of every container."""
        self._set("ipv4/ip_unprivileged_port_start", "0")

    def switch_ipv6_off(self):
        self._set("ipv6/conf/all/disable_ipv6", "1")

    @staticmethod
    def _set(name, value):
        pathlib.Path("/proc/sys/net", name).write_text(value)
