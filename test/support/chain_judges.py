"""chain_judges: what the program, OpenSSL and GnuTLS say of a certificate chain. The program's own code makes a real
handshake (chain_client.c) with a server of ours; the others are asked by their commands.
"""
import os
import pathlib
import socket
import ssl
import subprocess
import threading

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
BUILT = pathlib.Path(__file__).parents[2] / "build/dev/test/chain_client"


class Files:
    """A case's certificates as files, for servers and commands."""

    def __init__(self, case, folder):
        self.case = case
        self.server, self.key, self.bundle, self.others = (
            folder / name for name in ("server", "key", "bundle", "others"))
        self.server.write_text("".join(certificate.pem() for certificate in case.sent))
        self.others.write_text("".join(certificate.pem() for certificate in case.sent[1:]))
        self.bundle.write_text("".join(certificate.pem() for certificate in case.anchors))
        self.key.write_text(case.sent[0].key_pem())


class Server:
    """A TLS server on a port of 127.0.0.1 that shows whatever it is given, until the end of the `with` block."""

    def __init__(self, files, version):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = VERSIONS[version]
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(files.server, files.key)
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self):
        try:
            while True:
                raw, _ = self._listening.accept()
                raw.settimeout(10)
                try:
                    with self._context.wrap_socket(raw, server_side=True) as connection:
                        connection.recv(1)
                except OSError:
                    raw.close()  # it was refused, and said so or not
        except OSError:
            pass  # the end

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(20)


class Client:
    """chain_client, which is given one handshake after another."""

    def __init__(self):
        self._child = subprocess.Popen([os.environ.get("CHAIN_CLIENT", BUILT)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)

    def judge(self, port, name, bundle):
        """"good", "refused ..." or "failed ...". `bundle` "-": that of the call before, and what was learned with
        it."""
        self._child.stdin.write(f"{port} {name} {bundle}\n")
        self._child.stdin.flush()
        return self._child.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._child.stdin.close()
        status = self._child.wait(20)
        self._child.stdout.close()
        assert status == 0 or kind, f"chain_client ended with {status}"


def _says_good(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).returncode == 0


def openssl_accepts(files):
    others = ["-untrusted", files.others] if len(files.case.sent) > 1 else []
    return _says_good(["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", files.bundle, *others,
                       "-partial_chain",
                       "-purpose", "sslserver", "-auth_level", "2", "-verify_hostname", files.case.name, files.server])


def gnutls_accepts(files):
    return _says_good(["certtool", "--verify", "--load-ca-certificate", files.bundle, "--infile", files.server,
                       "--verify-hostname", files.case.name, "--verify-purpose", "1.3.6.1.5.5.7.3.1",
                       "--verify-profile", "medium"])
