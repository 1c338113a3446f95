"""misbehaviour: what the tests of misbehaving upstreams have in common: a proxy in front of servers that behave as
told, and clients that measure how long each answer took.

Bounds are exact with LONG=1, where one case runs at a time. Otherwise, and with a sanitizer, cases run side by side,
and room is left for a machine that does other work.
"""
import contextlib
import os
import time

import wire
from dnsclient import Client, ask
from load import Load
from misbehaving import start_misbehaving
from proxy import Proxy, is_sanitized
from remote import Remote
from side_by_side import side_by_side

EXACT = os.environ.get("LONG") == "1" and not is_sanitized()
ROOM_MS = 0 if EXACT else 600
AT_ONCE = 1 if EXACT else 3


def each(tmp_path, pki, cases, check):
    """Tries check(folder, pki, **case) for each."""
    pki.certificate("right")  # made before several ask for it at once
    side_by_side(tmp_path, cases, lambda folder, **case: check(folder, pki, **case), AT_ONCE)


@contextlib.contextmanager
def proxy_before(folder, pki, *behaviours, config=None, first=()):
    """(proxy, servers) in front of one server for each of `behaviours`; `first`: ports before those."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start_misbehaving(pki, **how)) for how in behaviours]
        ports = [*first, *(server.port for server in servers)]
        proxy = stack.enter_context(Proxy(folder, pki, ports, {"workers": 1, **(config or {})}))
        yield proxy, servers


def burst(port, names, timeout=8.0):
    """{name: milliseconds} until each of the names, asked at once on one connection, was answered; all with NOERROR."""
    took, left = {}, set(names)
    with Client(port, timeout=timeout) as client:
        begin = time.monotonic()
        client.send(*(wire.query(name, number=i) for i, name in enumerate(names)))
        while left:
            answer = client.receive()
            name = wire.name_from_wire(answer)
            assert wire.rcode_of(answer) == wire.NOERROR, (name, wire.rcode_of(answer), len(left))
            left.remove(name)
            took[name] = (time.monotonic() - begin) * 1000
    return took


def asked_evenly(port, names, pause, but=()):
    """The same, a name every `pause` seconds. `but`: names that are not to be answered NOERROR."""
    sent, took = {}, {}
    names = list(names)
    with Client(port, timeout=6.0) as client:
        begin = time.monotonic()
        while len(took) < len(names):
            if len(sent) < len(names) and time.monotonic() >= begin + pause * len(sent):
                name = names[len(sent)]
                sent[name] = time.monotonic()
                client.send(wire.query(name, number=len(sent)))
            client.socket.settimeout(0.002 if len(sent) < len(names) else 6.0)
            try:
                answer = client.receive()
            except TimeoutError:
                if len(sent) == len(names):
                    raise
                continue
            name = wire.name_from_wire(answer)
            assert (wire.rcode_of(answer) == wire.NOERROR) == (name not in but), (name, wire.rcode_of(answer))
            took[name] = (time.monotonic() - sent[name]) * 1000
    return took


def warm_up(port, count=10):
    """So that the usual time of an answer is known, whatever else the machine does at the start."""
    for i in range(count):
        assert wire.rcode_of(ask(port, f"warm-{i}.test")) == wire.NOERROR


def part(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)]


def below(values, p90=None, p99=None, most=None):
    """Asserts bounds in milliseconds, with the room there is, and says what was measured."""
    values = list(values)
    measured = {"p90": part(values, 0.9), "p99": part(values, 0.99), "most": max(values)}
    text = ", ".join(f"{key} {value:.1f} ms" for key, value in measured.items())
    for key, bound in (("p90", p90), ("p99", p99), ("most", most)):
        assert bound is None or measured[key] < bound + ROOM_MS, f"{key} is to be below {bound} ms: {text}"
    return text


def loaded(proxy, seconds, rate, prefixes=("n",)):
    """A load all of whose questions are answered with NOERROR; its report."""
    with Remote(Load, port=proxy.port, prefixes=list(prefixes)) as load:
        report = load.run(seconds=seconds, rate=rate, connections=5)
    assert report["lost"] == 0 and report["rcodes"] == {"0": report["sent"]}, report
    return report
