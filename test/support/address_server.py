"""address_server: a DNS server of ours that knows the addresses of some names, over TCP in plain text or over TLS; what
it knows, and how it behaves, can be changed while it runs. Run it by start_address_server.
"""
import asyncio
import collections
import contextlib
import ipaddress
import ssl
import struct

import wire
from hostile import SOA, record, response
from process import free_port
from remote import Remote


class AddressServer:
    def __init__(self, port, records, ttl, certificate=None, key=None):
        self.port, self.records, self.ttl = port, records, ttl
        self.mode = "answer"
        self.counts = collections.Counter()
        self.writers = set()
        self.server = None
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.context)

    async def _serve(self, reader, writer):
        self.writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                answer = self._answer(await reader.readexactly(size))
                if answer:
                    writer.write(wire.frame(answer))
        self.writers.discard(writer)
        writer.close()

    def _answer(self, query):
        kind = struct.unpack_from("!H", query, wire.question_end(query) - 4)[0]
        type_name = {number: name for name, number in wire.TYPES.items()}.get(kind, str(kind))
        name = wire.name_from_wire(query).lower()
        self.counts[f"{name} {type_name}"] += 1
        negative = [record(wire.TYPES["SOA"], self.ttl, SOA)]
        if self.mode == "silent" or self.mode == f"silent {type_name}":
            return None
        if self.mode == "servfail":
            return response(query, wire.SERVFAIL)
        if name not in self.records:
            return response(query, wire.NXDOMAIN, authority=negative)
        addresses = [ipaddress.ip_address(each).packed for each in self.records[name].get(type_name, [])]
        if not addresses:
            return response(query, authority=negative)
        return response(query, answers=[record(kind, self.ttl, each) for each in addresses])

    # commands

    def know(self, records):
        """Other addresses from now on: {name: {"A": [...], "AAAA": [...]}}."""
        self.records = records

    def behave(self, mode):
        """answer, servfail, silent, "silent A" or "silent AAAA"."""
        self.mode = mode

    def queries(self):
        """"NAME TYPE" -> how often it was asked."""
        return dict(self.counts)

    async def go(self):
        """Gone: refuses connections, and those there were are closed."""
        self.server.close()
        for writer in list(self.writers):
            writer.close()
        await self.server.wait_closed()

    async def come_back(self):
        await self.start()


@contextlib.contextmanager
def start_address_server(records, ttl=1, certificate=None, key=None):
    """An AddressServer in a process of its own, listening on `port` of 127.0.0.1; with a certificate over TLS."""
    options = {"certificate": str(certificate), "key": str(key)} if certificate else {}
    with Remote(AddressServer, port=free_port(), records=records, ttl=ttl, **options) as remote:
        remote.start()
        yield remote
