"""peers: where the servers beside ours come from: this machine's packages, or a file tree of another release, so that
today's versions can be measured on an older system; and the network in which all of them are measured.
"""
import contextlib
import os
import pathlib
import subprocess

import trees
from namespace import is_possible, namespace

#: server -> its Debian package
PACKAGES = {"dnsdist": "dnsdist", "unbound": "unbound", "kresd": "knot-resolver", "smartdns": "smartdns"}
TRACKED = pathlib.Path("/proc/sys/net/netfilter/nf_conntrack_count")


class Peers:
    def __init__(self, release=None):
        """`release`: one of trees.RELEASES; None is this machine."""
        self.release = release
        self._tree = trees.make(release, "peers", tuple(PACKAGES.values())) if release else None

    def command(self, command, folder):
        """To run a server whose files are in `folder`, as an argument list. Its pid is the server's."""
        return trees.command_in(self._tree, command, [folder]) if self._tree else command

    def version(self, server):
        if self._tree:
            return trees.version(self._tree, PACKAGES[server])
        return installed_version(PACKAGES[server])

    def title(self):
        return f"of {self.release}" if self.release else "of this machine's packages"


def installed_version(package):
    """Of a package, whose name may be a pattern."""
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\n", package]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return next((line.split()[1] for line in said.splitlines() if line.startswith("installed ")), "?")


def tracked_connections():
    """How many connections the kernel's firewall remembers in this network; 0 where it does not track any."""
    try:
        return int(TRACKED.read_text(encoding="ascii"))
    except OSError:
        return 0


@contextlib.contextmanager
def own_network():
    """A network that no firewall looks at: where connections are tracked, a table of them fills within seconds of one
    connection a query, and the kernel then drops packets of everybody. Yields a line that says what was had.
    """
    if os.geteuid() == 0 and is_possible():
        with namespace():
            yield "In a network namespace of its own, without connection tracking"
        return
    count = tracked_connections()
    if count:
        yield (f"IN THE MACHINE'S NETWORK, WHOSE FIREWALL TRACKS CONNECTIONS ({count:,} now): figures with one "
               "connection a query say little; run it as root")
    else:
        yield "In the machine's network, where no connection is tracked"
