"""s_server: a DoT server made of the openssl command, one connection at a time: with the cipher suite that a test
wants, and with changes of its keys on command (RFC 8446, 4.6.3).
"""
import re
import subprocess
import threading

import hostile
import wire
from process import free_port, wait_for

#: A padded query behind its length, in what else the command prints.
QUERY = re.compile(rb"\x00\x80..[\x00-\x7f].\x00\x01\x00\x00\x00\x00\x00\x01", re.DOTALL)
QUERY_BYTES = 2 + 128


class SServer:
    """Answers as hostile.Hostile does. `suite`: of TLS 1.3, or of 1.2."""

    def __init__(self, pki, suite):
        self.port = free_port()
        version = ["-tls1_3", "-ciphersuites", suite] if suite.startswith("TLS_") else ["-tls1_2", "-cipher", suite]
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", "right.pem", "-key",
                   "right.key", "-alpn", "dot", "-msg", *version]
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, cwd=pki.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self.said = b""
        self.answered = 0
        threading.Thread(target=self._serve, daemon=True).start()
        wait_for(lambda: b"ACCEPT" in self.said, "openssl s_server listens")

    def _serve(self):
        at = 0
        while chunk := self._process.stdout.read(65536):
            self.said += chunk
            while (found := QUERY.search(self.said, at)) and len(self.said) >= found.start() + QUERY_BYTES:
                at = found.start() + QUERY_BYTES
                query = self.said[found.start() + 2:at]
                how, _, rest = wire.name_from_wire(query).split(".")[0].partition("-")
                self.answered += 1
                self._process.stdin.write(wire.frame(hostile.response_to(query, how, rest)))

    def change_keys(self):
        """Our key for sending becomes another one, and the peer is asked to change its own, before the next answer."""
        self._process.stdin.write(b"K\n")

    def key_changes(self):
        """Of both sides."""
        return self.said.count(b", KeyUpdate")

    def sessions(self):
        return self.said.count(b"BEGIN SSL SESSION PARAMETERS")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._process.wait()
