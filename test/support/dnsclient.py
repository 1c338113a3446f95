"""dnsclient: one client's connection, plain or TLS, that lets a test say each byte."""
import contextlib
import socket
import ssl

import wire


class Client:
    """Blocking; `receive` returns None where the peer closed."""

    def __init__(self, port, host="127.0.0.1", timeout=10.0, source=None):
        self.socket = socket.create_connection((host, port), timeout=timeout, source_address=source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    @classmethod
    def over_tls(cls, port, ca_file, name):
        """A client of a DoT server, to hear what it says without a proxy between."""
        client = cls(port)
        context = ssl.create_default_context(cafile=ca_file)
        client.socket = context.wrap_socket(client.socket, server_hostname=name)
        return client

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *messages):
        """In one segment."""
        self.send_raw(b"".join(wire.frame(message) for message in messages))

    def receive(self):
        while True:
            if len(self._read) >= 2:
                end = 2 + int.from_bytes(self._read[:2], "big")
                if len(self._read) >= end:
                    message, self._read = self._read[2:end], self._read[end:]
                    return message
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                more = b""
            if not more:
                assert not self._read, f"closed within a message: {self._read!r}"
                return None
            self._read += more

    def ask(self, message):
        self.send(message)
        answer = self.receive()
        assert answer is not None, "the connection was closed in place of an answer"
        return answer

    def is_closed_by_peer(self):
        """Waits for the peer to close; False where it says something first."""
        return self.receive() is None

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        if isinstance(self.socket, ssl.SSLSocket):
            # dnsdist 1.7 takes a bare FIN on one connection for an error of the next one it looks at
            with contextlib.suppress(OSError):
                self.socket.unwrap()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()


def ask(port, name, qtype="A", host="127.0.0.1", timeout=10.0, **parts):
    """One question on a connection of its own; the whole response."""
    with Client(port, host, timeout) as client:
        return client.ask(wire.query(name, qtype, **parts))
