"""Trust over time: a certificate that is no longer right takes its upstream out of use, live sessions and all; a
right one brings it back.

The upstream goes on accepting the tickets it gave out, so that only the full handshake that is due every
`revalidate_interval` can tell.
"""
import os
import shutil
import time

import pytest
import wire
from dnsclient import ask
from hostile import start_hostile
from process import wait_for
from proxy import Proxy, merged

INTERVAL = 1.0
#: Beyond the interval: for the handshake on a quiet machine, or for one that stands still at times.
GRACE = 0.2 if os.environ.get("LONG") == "1" else 1.5
CONFIG = {"tls": {"revalidate_interval": f"{INTERVAL:g}s"}, "upstream": {"query_timeout": "1s"}}


class Asker:
    """A new name each time."""

    def __init__(self, proxy):
        self.proxy, self.turn = proxy, 0

    def rcode(self):
        self.turn += 1
        time.sleep(0.02)
        return wire.rcode_of(ask(self.proxy.port, f"asked-{self.turn}.test"))


@pytest.mark.parametrize("kind", ["other-name", "other-ca", "expired"])
def test_swapped_for_a_wrong_one_and_back(tmp_path, pki, kind):
    with start_hostile(pki) as upstream, Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        asker = Asker(proxy)
        assert asker.rcode() == wire.NOERROR
        certificate, key = pki.certificate(kind)
        upstream.set_certificate(certificate=certificate, key=key)
        wait_for(lambda: asker.rcode() == wire.SERVFAIL, "out of use within the interval", INTERVAL + GRACE)
        proxy.wait_log("certificate")
        upstream.forget()
        assert [asker.rcode() for _ in range(5)] == [wire.SERVFAIL] * 5
        assert upstream.stats()["bytes"] == 0, "nothing is sent any more, on sessions from before neither"
        certificate, key = pki.certificate("renewed")
        upstream.set_certificate(certificate=certificate, key=key)
        wait_for(lambda: asker.rcode() == wire.NOERROR, "used again", INTERVAL + 5)


def test_a_renewed_one_is_not_even_noticed(tmp_path, pki):
    with start_hostile(pki) as upstream, Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        asker = Asker(proxy)
        assert asker.rcode() == wire.NOERROR
        certificate, key = pki.certificate("renewed")
        upstream.set_certificate(certificate=certificate, key=key)
        before = upstream.stats()["full"]
        end = time.monotonic() + 2 * INTERVAL
        while time.monotonic() < end:
            assert asker.rcode() == wire.NOERROR
        assert upstream.stats()["full"] > before, "a full handshake was made meanwhile"


def test_the_other_upstream_serves_meanwhile(tmp_path, pki, hostile):
    with start_hostile(pki) as swapped, Proxy(tmp_path, pki, [swapped.port, hostile.port], CONFIG) as proxy:
        asker = Asker(proxy)
        assert asker.rcode() == wire.NOERROR
        certificate, key = pki.certificate("expired")
        swapped.set_certificate(certificate=certificate, key=key)
        end = time.monotonic() + INTERVAL + 2
        while time.monotonic() < end:
            assert asker.rcode() == wire.NOERROR
        swapped.forget()
        assert asker.rcode() == wire.NOERROR
        assert swapped.stats()["bytes"] == 0


def test_a_changed_bundle_is_picked_up(tmp_path, pki):
    """The upstream moves to another authority, and the operator puts that one's certificate into the bundle."""
    bundle = tmp_path / "bundle.pem"
    shutil.copy(pki.ca_file, bundle)
    config = merged(CONFIG, {"tls": {"ca_file": str(bundle)}})
    with start_hostile(pki) as upstream, Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        asker = Asker(proxy)
        assert asker.rcode() == wire.NOERROR
        certificate, key = pki.certificate("other-ca")
        upstream.set_certificate(certificate=certificate, key=key)
        wait_for(lambda: asker.rcode() == wire.SERVFAIL, "not trusted", INTERVAL + GRACE)
        shutil.copy(pki.other_ca_file, bundle)
        # the file is looked at every ten seconds
        wait_for(lambda: asker.rcode() == wire.NOERROR, "trusted now", 10 + INTERVAL + 5)
