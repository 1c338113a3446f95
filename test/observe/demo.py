"""demo: a network namespace in which the program runs as on a busy node: Cloudflare's addresses upstream, pods of
10.42.0.0/16 as clients, names as people ask them; and one name that would like to be markup. All of it is on the
namespace's loopback."""
import asyncio
import contextlib
import itertools
import os
import random
import zlib

import scene  # first: it says where the modules below are
import checks
import wire
import world
from hostile import Session, response, usual_answer
from process import free_port, wait_for
from proxy import Proxy
from remote import Remote

MARKUP = "<script>alert(1)</script>.example"

NAMES = ["www.example.com", "api.example.com", "registry.example.net", MARKUP, "time.example.org", "cdn.example.net",
         "login.example.com", "metrics.example.org", "mail.example.org", "updates.example.net", "images.example.com",
         "a-name-that-goes-on-until-there-is-no-room-for-it.in-any-column.example.com"]
TYPES = ("A", "A", "A", "AAAA", 65)  # HTTPS
CLIENTS = [f"10.42.0.{n}" for n in range(10, 22)]


class FarSession(Session):
    """Answers as one some milliseconds away; of names that begin with "no", that there is none."""

    def _asked(self, query):
        self.server.counts["queries"] += 1
        name = wire.name_from_wire(query).lower()
        mark = zlib.crc32(name.encode())
        rcode = wire.NXDOMAIN if name.startswith("no") else wire.SERVFAIL if name.startswith("broken") else wire.NOERROR
        reply = usual_answer(query, 30 + mark % 300) if rcode == wire.NOERROR else response(query, rcode)
        asyncio.get_running_loop().call_later(0.008 + mark % 16 / 1000, self.send, reply)


class Far(world.Cloudflare):
    async def _handshake(self, raw):
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: FarSession(self, raw), raw, ssl=self.context, ssl_handshake_timeout=10, ssl_shutdown_timeout=1)


class Crowd:
    """Clients that ask on and on, the first of them most, names by Zipf's law, one in eight never asked before."""

    def __init__(self, port, host):
        self.port, self.host = port, host
        self.random = random.Random(1)
        self.fresh = itertools.count()
        self.tasks = []

    async def start(self):
        loop = asyncio.get_running_loop()
        self.tasks = [loop.create_task(self._client(address, 20 / (1 + rank))) for rank, address in enumerate(CLIENTS)]

    def _message(self, number):
        chance = self.random.random()
        if chance < 0.125:
            kind = "no-" if chance < 0.02 else "broken-" if chance < 0.023 else "host-"
            return wire.query(f"{kind}{next(self.fresh)}.example.com", "A", number=number)
        rank = min(int(self.random.paretovariate(0.7)) - 1, 60)
        name = NAMES[rank] if rank < len(NAMES) else f"service-{rank}.example.net"
        return wire.query(name, self.random.choice(TYPES), number=number)

    async def _client(self, address, share):
        reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(address, 0))
        drained = asyncio.get_running_loop().create_task(self._read(reader))
        for number in itertools.count():
            writer.write(wire.frame(self._message(number % 65536)))
            await asyncio.sleep(self.random.expovariate(share * 6))
        await drained

    @staticmethod
    async def _read(reader):
        while await reader.read(65536):
            pass


@contextlib.contextmanager
def demo(with_upstream=False):
    """The program, ready and busy; gives it, or it and its upstream."""
    with world.World("observe") as place:
        for address in CLIENTS:
            checks.run("ip", "addr", "add", f"{address}/32", "dev", "lo")
        place.upstream.stop()
        os.environ["PYTHONPATH"] = f"{scene.HERE}:{scene.HERE.parent / 'deploy'}"
        certificate, key = place.pki.certificate("renewed")
        place.upstream = Remote(Far, port=853, certificate=certificate, key=key)
        place.upstream.start()
        config = {
            "upstreams": [{"address": address, "port": 853, "name": "cloudflare-dns.com"}
                          for address in world.CLOUDFLARE],
            "rate_limit": {"queries_per_second": 1000}, "listen": [f"127.0.0.1:{free_port()}"],
        }
        with Proxy(place.folder, place.pki, [], config) as proxy:
            crowd = Remote(Crowd, port=proxy.port, host="127.0.0.1")
            try:
                crowd.start()
                wait_for(lambda: scene.is_ready(proxy), "the program is ready", 15)
                yield (proxy, place.upstream) if with_upstream else proxy
            finally:
                crowd.stop()
