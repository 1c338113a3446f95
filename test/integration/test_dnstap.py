"""dnstap: what fstrm_capture receives and dnstap-read understands: every kind of message, over each transport, sampled,
with readers that come late, go, come back, or take nothing; and nothing is lost without being counted.
"""
import contextlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures
from process import Process, wait_for
from proxy import Proxy
from udpclient import ask_udp

CONTENT = "protobuf:dnstap.Dnstap"
pytestmark = pytest.mark.skipif(not (shutil.which("fstrm_capture") and shutil.which("dnstap-read")),
                                reason="fstrm_capture (fstrm-bin) and dnstap-read (bind9-dnsutils) are needed")


@contextlib.contextmanager
def capture(folder, path, name="frames"):
    """A reader at the socket, which writes what it gets to a file; yields it."""
    file = folder / name
    with Process("fstrm_capture", ["fstrm_capture", "-t", CONTENT, "-u", path, "-w", file], folder) as reader:
        wait_for(path.exists, "the socket is there")
        yield reader
        reader.child.send_signal(signal.SIGTERM)  # then the file gets its end
        reader.wait_exit()


def read(file):
    """[(type, address, transport, name, qtype)] of the messages in a file."""
    text = subprocess.run(["dnstap-read", file], check=True, capture_output=True, text=True).stdout
    #: 26-Nov-2026 17:00:00.000 CQ 127.0.0.1:4711 -> 127.0.0.1:53 TCP 40b www.example.com/IN/A
    found = re.findall(r"^\S+ \S+ (\w\w) (\S*) (->|<-) (\S*) (\w+) \d+b (\S+)/IN/(\w+)$", text, re.MULTILINE)
    assert len(found) == len(text.splitlines()), text
    return [(kind, one, other, transport, name, qtype) for kind, one, _, other, transport, name, qtype in found]


def frames(proxy, result):
    return Figures(proxy).sum(f"dnstap_frames_{result}_total")


def config(path, **settings):
    return {"dnstap": {"socket": str(path), **settings}, "upstream": {"keep_warm": False}}


def test_each_kind_of_message(tmp_path, pki, hostile):
    path = tmp_path / "dnstap.sock"
    with capture(tmp_path, path), Proxy(tmp_path, pki, [hostile.port], config(path)) as proxy:
        with Client(proxy.port) as client:
            own = client.socket.getsockname()[1]
            client.ask(wire.query("tcp.test"))
            client.ask(wire.query("tcp.test"))  # from the cache
        ask_udp(proxy.port, "udp.test", "AAAA")
        wait_for(lambda: frames(proxy, "written") >= 10, "all are written")
        assert frames(proxy, "lost") == 0
    messages = read(tmp_path / "frames")
    tcp = [message for message in messages if message[4] == "tcp.test"]
    assert [message[0] for message in tcp] == ["CQ", "FQ", "FR", "CR", "CQ", "CR"]
    assert {message[3] for message in tcp if message[0] in ("CQ", "CR")} == {"TCP"}
    assert {message[1] for message in tcp if message[0] in ("CQ", "CR")} == {f"127.0.0.1:{own}"}
    assert {message[2] for message in tcp if message[0] in ("FQ", "FR")} == {f"127.0.0.1:{hostile.port}"}
    udp = [message for message in messages if message[4] == "udp.test"]
    assert sorted(message[0] for message in udp) == ["CQ", "CR", "FQ", "FR"] and {m[5] for m in udp} == {"AAAA"}
    assert {message[3] for message in udp if message[0] in ("CQ", "CR")} == {"UDP"}


def test_without_clients_only_upstreams_are_seen(tmp_path, pki, hostile):
    path = tmp_path / "dnstap.sock"
    with capture(tmp_path, path), Proxy(tmp_path, pki, [hostile.port], config(path, clients=False)) as proxy:
        ask(proxy.port, "private.test")
        wait_for(lambda: frames(proxy, "written") >= 2, "both are written")
    assert {message[0] for message in read(tmp_path / "frames")} == {"FQ", "FR"}


def test_a_sample_has_whole_exchanges(tmp_path, pki, hostile):
    path = tmp_path / "dnstap.sock"
    asked = 1000
    with capture(tmp_path, path), Proxy(tmp_path, pki, [hostile.port], config(path, sample=10)) as proxy:
        with Client(proxy.port) as client:
            client.ask(wire.query("sampled.test"))
            for begin in range(0, asked, 50):
                client.send(*(wire.query("sampled.test", number=i) for i in range(begin, begin + 50)))
                for _ in range(50):
                    client.receive()
        time.sleep(1.5)  # longer than a frame waits in the library
    kinds = [message[0] for message in read(tmp_path / "frames") if message[4] == "sampled.test"]
    assert kinds.count("CQ") == kinds.count("CR") and asked / 25 < kinds.count("CQ") < asked / 4


def test_a_reader_may_come_late_and_come_back(tmp_path, pki, hostile):
    path = tmp_path / "dnstap.sock"
    with Proxy(tmp_path, pki, [hostile.port], config(path)) as proxy:
        ask(proxy.port, "nobody-listens.test")
        wait_for(lambda: frames(proxy, "lost") >= 4, "they are counted as lost")
        for name in ("first", "second"):
            with capture(tmp_path, path, name):
                before = frames(proxy, "written")

                def is_heard(name=name, before=before):
                    ask(proxy.port, f"{name}.test")
                    return frames(proxy, "written") > before

                wait_for(is_heard, "frames are written again")
            assert f"{name}.test" in {message[4] for message in read(tmp_path / name)}
            path.unlink(missing_ok=True)


def test_a_reader_that_takes_nothing_stops_nobody(tmp_path, pki, hostile):
    path = tmp_path / "dnstap.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)  # it accepts nothing, so nobody reads
        with Proxy(tmp_path, pki, [hostile.port], config(path)) as proxy, Client(proxy.port) as client:
            for begin in range(0, 20000, 100):
                client.send(*(wire.query("flood.test", number=i) for i in range(begin, begin + 100)))
                for _ in range(100):
                    assert client.receive()
            wait_for(lambda: frames(proxy, "lost") > 0, "what is lost is counted")
            assert proxy.finish() < 15, "nor does it hold up the end"


def test_no_socket_no_thread(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, "off.test")
        assert frames(proxy, "written") == frames(proxy, "lost") == 0
