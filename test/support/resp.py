"""resp: the protocol of Redis and Valkey, version 2, as bytes; and a client with which a test looks into a store and
changes what is there.
"""
import socket


class RespError(Exception):
    """The store refused a command; its text begins with the kind, such as NOPERM."""


def command(*parts):
    """A command as a client sends it."""
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(encoded) + b"".join(map(bulk, encoded))


def bulk(value):
    """A reply with a value, or with none."""
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


class Incomplete(Exception):
    """More bytes are needed."""


def parse(data, at=0):
    """(value, end) of what begins at `at`: a command or a reply."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Incomplete
    kind, rest, at = data[at:at + 1], data[at + 1:end], end + 2
    if kind == b"$" and int(rest) >= 0:
        if len(data) < at + int(rest) + 2:
            raise Incomplete
        return data[at:at + int(rest)], at + int(rest) + 2
    if kind == b"*" and int(rest) >= 0:
        values = []
        for _ in range(int(rest)):
            value, at = parse(data, at)
            values.append(value)
        return values, at
    if kind in (b"$", b"*"):
        return None, at
    if kind == b":":
        return int(rest), at
    if kind == b"+":
        return rest.decode(), at
    if kind == b"-":
        return RespError(rest.decode()), at
    raise ValueError(f"no RESP: {data[at - 20:at + 20]!r}")


class RespClient:
    """Blocking. Keys and values are bytes or text."""

    def __init__(self, port, host="127.0.0.1", timeout=60.0):
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._read = b""

    def call(self, *parts):
        """The reply to one command."""
        return self.call_all([parts])[0]

    def call_all(self, commands):
        """The replies to many; raises the first refusal."""
        self._socket.sendall(b"".join(command(*parts) for parts in commands))
        replies = [self._reply() for _ in commands]
        for reply in replies:
            if isinstance(reply, RespError):
                raise reply
        return replies

    def _reply(self):
        while True:
            try:
                value, end = parse(self._read)
            except Incomplete:
                more = self._socket.recv(1 << 20)
                if not more:
                    raise ConnectionError("the store closed the connection") from None
                self._read += more
                continue
            self._read = self._read[end:]
            return value

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
