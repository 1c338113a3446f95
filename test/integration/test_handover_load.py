"""Restarts under load, through a descriptor store (fdstore). LONG=1 makes it 2,000 connections, half of them busy with
5,000 questions a second, and 20 restarts. It prints how long clients waited at most.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import time

import pytest
from dnsclient import Client
from fdstore import StoredProxy, asked, handover
from figures import Figures
from load import Load
from process import wait_for
from remote import Remote

LONG = os.environ.get("LONG") == "1"
UDP_TOOL = pathlib.Path(__file__).parents[1] / "bench/udpload.c"


@pytest.fixture(scope="module", name="udpload")
def _udpload(module_path):
    program = module_path / "udpload"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, UDP_TOOL], check=True)
    return program


def whole(results, key):
    return sum(result[key] for result in results)


def test_twenty_restarts_under_load(tmp_path, pki, hostile, store, udpload):
    """Half of the connections are busy, UDP beside them: nothing is lost, doubled or closed; descriptors and memory
    stay as they are.
    """
    loads, busy, idle, rate, restarts = (2, 500, 500, 2500, 20) if LONG else (1, 100, 100, 400, 5)
    config = {"udp": {"responses_per_second": 0}, "clients": {"max_per_address": 10000, "idle_timeout": "5m"}}
    pauses, descriptors, own_bytes = [], [], []
    with StoredProxy(tmp_path, pki, [hostile.port], store, config) as service, contextlib.ExitStack() as stack:
        still = [stack.enter_context(Client(service.port)) for _ in range(loads * idle)]
        for client in still:
            asked(client, "a.test")
        running = [Remote(Load, port=service.port, prefixes=("hit-",), names=50) for _ in range(loads)]
        for each in running:
            stack.callback(each.stop)
        seconds = restarts * (1.0 if LONG else 0.8) + 3
        results = [each.begin("run", seconds=seconds, rate=rate, connections=busy, patience=20.0) for each in running]
        datagrams = subprocess.Popen(
            [udpload, "-p", str(service.port), "-c", "20", "-q", "4", "-r", str(rate // 4), "-l", str(seconds - 1)],
            stdout=subprocess.PIPE, text=True)
        wait_for(lambda: Figures(service).sum("client_connections") >= loads * (busy + idle), "all are connected", 60)
        end = time.monotonic() + seconds - 2
        for done in range(restarts):
            begin = time.monotonic()
            service.restart()
            pauses.append(handover(service)["pause_ms"])
            assert handover(service)["closed"] == 0
            time.sleep(max(0.0, (end - begin) / (restarts - done) - (time.monotonic() - begin)))
            descriptors.append(service.descriptors())  # at work: at its start a process has less
            own_bytes.append(service.own_bytes())
        results = [each.result() for each in results]
        udp = json.loads(datagrams.communicate(timeout=60)[0])
        for client in still:
            asked(client, "b.test")
    longest = max(result["max_ms"] for result in results)
    print(f"{restarts} restarts: {whole(results, 'sent')} questions over {loads * busy} of {loads * (busy + idle)} "
          f"connections, {udp['answered']} over UDP; longest wait of a client {longest:.0f} ms, pauses of the program "
          f"{min(pauses):.0f} to {max(pauses):.0f} ms")
    print(f"descriptors {descriptors}, own memory in KiB {[each // 1024 for each in own_bytes]}")
    assert whole(results, "sent") == whole(results, "answered") > rate * loads * restarts * 0.5, results
    for key in ("lost", "closed", "unexpected", "mismatched"):
        assert whole(results, key) == 0, results
    assert all(set(result["rcodes"]) == {"0"} for result in results), results
    assert udp["lost"] == udp["wrong"] == 0 and udp["noerror"] == udp["answered"] > 100, udp
    assert max(descriptors) - min(descriptors) <= 16, descriptors
    assert max(own_bytes[1:]) < own_bytes[0] + (4 << 20), own_bytes
