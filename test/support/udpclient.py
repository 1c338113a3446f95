"""udpclient: one client's UDP socket, that lets a test say each byte and hear each datagram."""
import select
import socket
import struct

import wire

OPTION_COOKIE = 10
BADCOOKIE = 23
SO_TIMESTAMPNS = 35


class UdpClient:
    """Connected, so that only replies from the address that was asked are heard."""

    def __init__(self, port, host="127.0.0.1", source=None, timeout=10.0):
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.socket = socket.socket(family, kind, protocol)
        if source:
            self.socket.bind(source)
        self.socket.connect(address)
        self.socket.settimeout(timeout)

    def send(self, *messages):
        for message in messages:
            self.socket.send(message)

    def receive(self):
        return self.socket.recv(65536)

    def ask(self, message):
        self.send(message)
        return self.receive()

    def is_silent(self, seconds=0.3):
        """Whether nothing comes for so long."""
        return not select.select([self.socket], [], [], seconds)[0]

    def received(self, seconds=0.3):
        """All that comes until nothing comes for so long."""
        messages = []
        while not self.is_silent(seconds):
            messages.append(self.receive())
        return messages

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()


def want_times(connection):
    """From now on receive_timed knows when what comes came."""
    connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def receive_timed(connection):
    """The next bytes, and the wall clock's nanoseconds when the kernel had them, however late this process reads."""
    message, ancillary, _, _ = connection.recvmsg(65536, 256)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return message, seconds * 1000000000 + nanoseconds
    raise AssertionError("the kernel did not say when")


def ask_udp(port, name, qtype="A", host="127.0.0.1", source=None, **parts):
    """One question from a socket of its own; the response."""
    with UdpClient(port, host, source) as client:
        return client.ask(wire.query(name, qtype, **parts))


def with_cookie(cookie, payload=1232):
    """The OPT record of a query with that COOKIE option, for wire.query's `additional`."""
    return [wire.opt(wire.option(OPTION_COOKIE, cookie), payload)]


def cookie_of(response):
    """The response's COOKIE option, or None."""
    found = wire.opt_of(response)
    return found[2].get(OPTION_COOKIE) if found else None
