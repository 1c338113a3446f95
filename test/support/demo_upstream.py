"""demo_upstream: a DNS-over-TLS server on a free port of loopback, for `scripts/run --demo`: it answers as hostile.py
does, A of nearly every name with 192.0.2.1. Its authority is made when it starts and forgotten when it ends.

Writes "PORT CA_FILE" once it answers. It ends with the process that started it, whatever becomes of that.
"""
import asyncio
import ctypes
import os
import pathlib
import signal
import sys
import tempfile

from hostile import Hostile
from pki import LEAVES, Pki
from process import free_port

PR_SET_PDEATHSIG = 1


def end_with(parent):
    """TERM comes when `parent` has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the program's, which may still have to ask
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


async def serve(folder):
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    pki = Pki(folder, {"right": LEAVES["right"]})
    certificate, key = pki.certificate()
    upstream = Hostile(port=free_port(), certificate=certificate, key=key)
    await upstream.start()
    print(upstream.port, pki.ca_file, flush=True)
    await ended.wait()


def main():
    end_with(int(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="dns-tls-proxy-demo-") as folder:
        asyncio.run(serve(pathlib.Path(folder)))


if __name__ == "__main__":
    main()
