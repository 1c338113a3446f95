#!/usr/bin/python3
"""idle_clients: connections that asked once and are silent, as many as wanted: what they cost the program and the
kernel, and those who ask beside them. $PROXY is the program. As root, in a network namespace of its own.

    idle_clients.py [--connections N] [--tools FOLDER]      default: 1,000,000

One process has as many as its limit of open files allows; with a low limit, which only the system can raise, there are
as many instances of the program as it takes, so that the kernel has all of them. Fails where the machine has not the
memory for them, where a connection was refused or closed, where one costs the program more than it should, or where
silent ones take processor time.
"""
import argparse
import contextlib
import ctypes
import json
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
from cost import cpu_seconds
from figures import Figures
from hostile import start_hostile
from pki import Pki
from process import wait_for
from proxy import Proxy

OWN_FILES = 300  #: of an instance, beside those of its clients: docs/CONFIG.md has the sum
OF_A_LOAD = 4_000  #: connections that one process of the load has, which ask at once
NEEDED_BYTES = 12_000  #: of a connection's two ends, in the kernel, in the program and in the load
FIRST = 2_000  #: of an instance: what the first burst of clients needs does not count for the others
SOURCES = 200  #: addresses 127.1.0.x, so that ports are no bound
CLIENT_BYTES = 512  #: of the program, for one, as docs/CONFIG.md has it
QUIET_S, ASKED_S = 20, 4
IDLE_CPU = 0.005  #: of a processor, for an instance, with all its clients silent
CLONE_NEWNET = 0x40000000
SLABS = ("TCP", "sock_inode_cache", "filp", "eventpoll_epi", "dentry")


def enter_namespace():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit("idle_clients: needs root")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def available_bytes():
    text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.search(r"^MemAvailable: +(\d+)", text, re.M)[1]) * 1024


def tcp_pages():
    """The last number of net.ipv4.tcp_mem, which no network but the first one shows."""
    return pathlib.Path("/proc/sys/net/ipv4/tcp_mem").read_text(encoding="ascii").split()[2]


def kernel_state(most_pages):
    """What is counted against the system's own bounds."""
    files = pathlib.Path("/proc/sys/fs/file-nr").read_text(encoding="ascii").split()
    pages = re.search(r"^TCP: .* mem (\d+)", pathlib.Path("/proc/net/sockstat").read_text(encoding="ascii"), re.M)[1]
    return (f"{files[0]} files open of fs.file-max {files[2]}; buffers of TCP {pages} pages of net.ipv4.tcp_mem "
            f"{most_pages}")


def kernel_bytes():
    """What the kernel keeps in its own tables: sockets, files, names of files, watched descriptors."""
    text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    sizes = [int(re.search(rf"^{name}: +(\d+)", text, re.M)[1]) for name in ("Slab", "KernelStack", "PageTables")]
    return sum(sizes) * 1024


def slab_counts():
    """{name: (objects, bytes each)} of the tables that sockets need; empty where the kernel does not say."""
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/slabinfo").read_text(encoding="ascii").splitlines()[2:]
        return {fields[0]: (int(fields[2]), int(fields[3])) for fields in map(str.split, lines) if fields[0] in SLABS}
    return {}


class Instance:
    """One process of the program, and the processes that hold its silent clients."""

    def __init__(self, stack, folder, pki, upstream, tools, number, connections):
        self.connections, self._connected, self._tools, self._loads = connections, 0, tools, []
        self.proxy = stack.enter_context(Proxy(folder, pki, [upstream], {
            "sandbox": "on", "workers": 2, "udp": {"enabled": False},
            "clients": {"max_connections": connections + 100, "max_per_address": connections + 100,
                        "idle_timeout": "1h", "first_timeout": "1m"}}, name=f"instance{number}"))
        stack.callback(self.hang_up)
        self.ask(0.5)  # what a first handshake needs is there

    def _load(self, *arguments):
        return [self._tools / "bench_dnsload", "-p", str(self.proxy.port), *arguments]

    def connect(self, total):
        """Until there are so many."""
        while self._connected < total:
            count = min(total - self._connected, OF_A_LOAD)
            self._loads.append(subprocess.Popen(
                self._load("-m", "idle", "-c", str(count), "-n", str(SOURCES), "-l", "36000"),
                stdout=subprocess.DEVNULL))
            self._connected += count
            wait_for(lambda: self.count() >= self._connected, "all are connected and answered", 120)

    def count(self):
        figures = Figures(self.proxy)
        return min(figures.sum("client_connections"), figures.sum("responses_total"))

    def hang_up(self):
        for load in self._loads:
            load.kill()
            load.wait()
        self._loads = []

    def ask(self, seconds):
        """50th and 99th percentile in us of one client that asks."""
        done = subprocess.run(self._load("-m", "pipe", "-c", "1", "-q", "1", "-l", str(seconds)), check=True,
                              capture_output=True, text=True)
        said = json.loads(done.stdout)
        assert said["lost"] == said["closed"] == said["wrong"] == 0, said
        return said["p50_us"], said["p99_us"]


def capacity():
    """Clients of an instance; the program raises its limit to the hard one."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - OWN_FILES


def mib(count):
    return f"{count / (1 << 20):.0f} MiB"


def connect_all(instances, total):
    """Returns what one connection costs the program and the kernel, in bytes."""
    begin = time.monotonic()
    for each in instances:
        each.connect(min(FIRST, each.connections))
    total -= sum(min(FIRST, each.connections) for each in instances)
    own, kernel, slabs = sum(each.proxy.own_bytes() for each in instances), kernel_bytes(), slab_counts()
    for each in instances:
        each.connect(each.connections)
    seconds = time.monotonic() - begin
    own = sum(each.proxy.own_bytes() for each in instances) - own
    kernel = kernel_bytes() - kernel
    print(f"connected and answered in {seconds:.0f} s; of {total} beyond the first {FIRST} of an instance: the program "
          f"{mib(own)}, {own / total:.0f} bytes each; the kernel {mib(kernel)}, {kernel / total:.0f} bytes for both "
          "ends of each", flush=True)
    for name, (count, size) in slab_counts().items():
        print(f"    {name}: {(count - slabs[name][0]) / total:.2f} of {size} bytes each", flush=True)
    return own / total


def rest(instances):
    """Processors that an instance uses while all its clients are silent, at most."""
    before = [cpu_seconds(each.proxy) for each in instances]
    time.sleep(QUIET_S)  # the pause is what is measured
    used = [(cpu_seconds(each.proxy) - past) / QUIET_S for each, past in zip(instances, before)]
    print(f"silent: {max(used):.2%} of a processor for an instance at most, {sum(used):.2%} in all", flush=True)
    return max(used)


def measure(folder, tools, total, pki, upstream, most_pages):
    each = min(total, capacity())
    sizes = [min(each, total - begin) for begin in range(0, total, each)]
    print(f"at most {each} connections a process (its limit of open files): {len(sizes)} instances", flush=True)
    with contextlib.ExitStack() as stack:
        instances = [Instance(stack, folder, pki, upstream, tools, number, size) for number, size in enumerate(sizes)]
        alone = instances[0].ask(ASKED_S)
        client_bytes = connect_all(instances, total)
        used = rest(instances)
        print(kernel_state(most_pages), flush=True)
        beside = instances[0].ask(ASKED_S)
        print(f"one client that asks, alone / beside the silent ones: p50 {alone[0]:.0f} / {beside[0]:.0f} us, p99 "
              f"{alone[1]:.0f} / {beside[1]:.0f} us", flush=True)
        counts = [instance.count() for instance in instances]
        begin = time.monotonic()
        for instance in instances:
            instance.hang_up()
        for instance in instances:
            wait_for(lambda: Figures(instance.proxy).sum("client_connections") == 0, "all have gone", 120)
        print(f"all closed in {time.monotonic() - begin:.0f} s", flush=True)
    return counts == sizes and client_bytes <= CLIENT_BYTES and used <= IDLE_CPU


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--tools", type=pathlib.Path, default=pathlib.Path("build/bench-tools"), metavar="FOLDER")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended
    if available_bytes() < arguments.connections * NEEDED_BYTES:
        sys.exit(f"idle_clients: {arguments.connections} connections need {mib(arguments.connections * NEEDED_BYTES)}, "
                 f"and {mib(available_bytes())} are available")
    most_pages = tcp_pages()
    enter_namespace()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(prefix="idle-clients-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with start_hostile(pki) as upstream:
            if not measure(folder, arguments.tools.resolve(), arguments.connections, pki, upstream.port, most_pages):
                sys.exit("idle_clients: a bound is missed")


if __name__ == "__main__":
    main()
