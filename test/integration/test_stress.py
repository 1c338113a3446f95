"""Changed bytes from every side at once, for as long as STRESS_SECONDS says: upstreams whose answers are changed, a
network that changes bytes, clients of DNS and HTTP that send changed messages and leave, reloads and purges all the
time. The program stays, answers proper questions, keeps to its descriptors, and serves as before when that is over.
`scripts/check stress` runs it under the sanitizers.
"""
import contextlib
import os
import random
import signal
import time

import wire
from cost import promised_descriptors
from dnsclient import Client
from figures import Figures
from process import free_port, wait_for
from proxy import Proxy
from relay import start_relay
from remote import Remote
from stress import CorruptingRelay, Mob, MutatingUpstream

SECONDS = float(os.environ.get("STRESS_SECONDS") or 5)
SEED = int(os.environ.get("STRESS_SEED") or 1)
QUERY_TIMEOUT_S = 3.0
CONFIG = {"upstream": {"query_timeout": f"{QUERY_TIMEOUT_S:g}s"}, "cache": {"max_size": 1 << 20}}
#: What the reloads choose from.
CHANGES = (
    {"cache": {"max_size": 1 << 20}}, {"cache": {"max_size": 0}}, {"cache": {"max_size": 8 << 20, "max_ttl": "5s"}},
    {"upstream": {"max_sessions": 1}}, {"upstream": {"max_sessions": 4}}, {"upstream": {"idle_timeout": "1s"}},
    {"tls": {"revalidate_interval": "1s"}}, {"tls": {"revalidate_interval": "1h"}}, {"log": {"level": "warning"}},
    {"log": {"level": "info"}}, {"prefetch": {"share": 50}}, {"clients": {"max_in_flight": 4}},
    {"clients": {"max_in_flight": 64}},
)


@contextlib.contextmanager
def upstreams(pki):
    """Three that change what they say, one of them behind a network that changes it, too; and what calms them."""
    with contextlib.ExitStack() as stack:
        certificate, key = pki.certificate()
        served = [stack.enter_context(Remote(MutatingUpstream, seed=SEED + i, port=free_port(), certificate=certificate,
                                             key=key, tls12=i == 1)) for i in range(3)]
        for each in served:
            each.start()
        corrupting = stack.enter_context(Remote(CorruptingRelay, seed=SEED, port=free_port(), target=served[0].port))
        corrupting.start()
        plain = stack.enter_context(start_relay(served[1].port))
        plain.repeat_fault(kind="reset", every=1.7)

        def calm():
            for each in served:
                each.set_mutates(mutates=False)
            corrupting.set_corrupts(corrupts=False)
            plain.stop_fault()
            return {"mutated": sum(each.stats().get("mutated", 0) for each in served), **corrupting.stats()}

        yield [corrupting.port, plain.port, served[2].port], calm


class Reloads:
    """Another configuration every second."""

    def __init__(self, proxy, ports):
        self._proxy, self._random = proxy, random.Random(SEED)
        self._upstreams = proxy.config["upstreams"]
        self._next = time.monotonic() + 1
        self.count = 0
        assert len(self._upstreams) == len(ports)

    def step(self):
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 1
        changes = dict(self._random.choice(CHANGES))
        if self._random.random() < 0.3:
            changes["upstreams"] = self._random.sample(self._upstreams, self._random.randrange(1, 4))
        self._proxy.write_config(changes)
        self._proxy.child.send_signal(signal.SIGHUP)
        self.count += 1


def ask_properly(proxy, number):
    """Is answered in time, and with the question that was asked: what the answer is, a lying upstream may choose."""
    name = f"proper-{number}.test"
    begin = time.monotonic()
    with Client(proxy.port) as client:
        answer = client.ask(wire.query(name, number=number % 65536, additional=[wire.opt()]))
    assert time.monotonic() - begin < QUERY_TIMEOUT_S + 5
    assert wire.number_of(answer) == number % 65536 and wire.flags_of(answer) & wire.QR
    assert wire.name_from_wire(answer) == name
    return wire.rcode_of(answer)


def test_changed_bytes_from_every_side(tmp_path, pki, capsys):
    with upstreams(pki) as (ports, calm), Proxy(tmp_path, pki, ports, CONFIG) as proxy:
        with Remote(Mob, port=proxy.port, http_port=proxy.http_port, seed=SEED) as mob:
            run(proxy, mob, Reloads(proxy, ports), capsys)
        said = calm()
        proxy.write_config({"upstreams": proxy.config["upstreams"], "log": {"level": "info"}})
        proxy.child.send_signal(signal.SIGHUP)
        assert said["mutated"] > 0 and said.get("corrupted", 0) > 0, said
        numbers = iter(range(10 ** 6, 2 * 10 ** 6))
        wait_for(lambda: all(ask_properly(proxy, next(numbers)) == wire.NOERROR for _ in range(5)), "all is well again",
                 30)
        for gauge in ("queries_in_flight", "client_connections"):
            wait_for(lambda gauge=gauge: Figures(proxy).sum(gauge) == 0, f"{gauge} is 0", 30)


def run(proxy, mob, reloads, capsys):
    pending = mob.begin("run", seconds=SECONDS)
    end, number, rcodes, descriptors = time.monotonic() + SECONDS, 0, {}, 0
    while time.monotonic() < end:
        reloads.step()
        number += 1
        rcode = ask_properly(proxy, number)
        rcodes[rcode] = rcodes.get(rcode, 0) + 1
        descriptors = max(descriptors, proxy.descriptors())
        assert proxy.child.poll() is None, proxy.log_tail()
        time.sleep(0.05)
    report = pending.result()
    assert "reload refused" not in proxy.log()
    with capsys.disabled():
        print(f"{report}, {reloads.count} reloads, {number} proper questions: {rcodes}, "
              f"at most {descriptors} descriptors, {proxy.resident_bytes() / 1e6:.1f} MB")
    assert min(report[kind] for kind in ("dns", "datagrams", "http")) > 0, report
    assert rcodes.get(wire.NOERROR, 0) > number / 10, rcodes
    assert descriptors <= promised_descriptors(proxy)
