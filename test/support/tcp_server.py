"""tcp_server: a DNS server of ours in plain text over TCP, as a cluster's or a company's: answers A of any name with
one address, and NXDOMAIN where the name begins with "nx-"; counts what it was asked. Run it by start_tcp_server.
"""
import asyncio
import collections
import contextlib

import wire
from hostile import SOA, record, response
from process import free_port
from remote import Remote


class TcpServer:
    def __init__(self, port, address, ttl, host):
        self.host = host
        self.port, self.address, self.ttl = port, bytes(map(int, address.split("."))), ttl
        self.names = collections.Counter()

    async def start(self):
        await asyncio.start_server(self._serve, self.host, self.port, backlog=512)

    async def _serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                writer.write(wire.frame(self._answer(await reader.readexactly(size))))
        writer.close()

    def _answer(self, query):
        name = wire.name_from_wire(query).lower()
        self.names[name] += 1
        kind = int.from_bytes(query[wire.question_end(query) - 4:wire.question_end(query) - 2], "big")
        negative = [record(wire.TYPES["SOA"], 60, SOA)]
        if name.startswith("nx-"):
            return response(query, wire.NXDOMAIN, authority=negative)
        if kind != wire.TYPES["A"]:
            return response(query, authority=negative)
        return response(query, answers=[record(kind, self.ttl, self.address)])

    # commands

    def queries(self):
        """name -> how often it was asked."""
        return dict(self.names)

    def forget(self):
        self.names.clear()


@contextlib.contextmanager
def start_tcp_server(address, port=None, ttl=300, host="127.0.0.1"):
    """A TcpServer in a process of its own, listening on `port` of `host`."""
    with Remote(TcpServer, port=port or free_port(), address=address, ttl=ttl, host=host) as remote:
        remote.start()
        yield remote
