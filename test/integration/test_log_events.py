"""What the log says while upstreams have problems: a line where one begins and a line where it ends, however many
workers find out and however often the upstream comes and goes; faults of the start are errors to the journal.
"""
import json
import os
import re
import subprocess
import time

import wire
from dnsclient import ask
from hostile import start_hostile
from load import Load
from process import free_port, wait_for
from proxy import PROGRAM, Proxy, run
from relay import start_relay
from remote import Remote

WORKERS = 4
PROBLEM = re.compile(r'event="upstream (silent|unreachable|loses sessions|certificate refused)"')
UP = 'event="upstream up"'


def lines(proxy, pattern):
    return [line for line in proxy.log().splitlines() if re.search(pattern, line)]


def answered(proxy, name):
    return wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR


def test_an_outage_is_one_line_at_its_begin_and_one_at_its_end(tmp_path, pki):
    with start_hostile(pki) as upstream, start_relay(upstream.port) as relay:
        config = {"workers": WORKERS, "upstream": {"query_timeout": "1s"}}
        with Proxy(tmp_path, pki, [relay.port], config) as proxy, Remote(Load, port=proxy.port) as load:
            assert answered(proxy, "before.test")
            wait_for(lambda: lines(proxy, UP), "the log says that it is up")
            pending = load.begin("run", seconds=4, rate=200)
            relay.refuse()
            relay.close_all(reset=True)
            wait_for(lambda: lines(proxy, "upstream unreachable"), "the log says that it is gone")
            pending.result()
            relay.accept()
            wait_for(lambda: answered(proxy, f"after-{time.monotonic()}.test"), "it is back")
            wait_for(lambda: len(lines(proxy, UP)) == 2, "the log says that it is back", 20)
            (begin,) = lines(proxy, PROBLEM)
            first, last = lines(proxy, UP)
            assert "connect_refused" in begin and "Connection refused" in begin, begin
            assert "after_ms" not in first, first
            after_ms, failures = (int(re.search(rf"{key}=(\d+)", last).group(1)) for key in ("after_ms", "failures"))
            assert 1000 <= after_ms <= 60000 and failures >= 2, last


def test_an_upstream_that_comes_and_goes_fills_no_log(tmp_path, pki):
    with start_hostile(pki) as upstream, start_relay(upstream.port) as relay:
        config = {"workers": WORKERS, "log": {"format": "json"}}
        with Proxy(tmp_path, pki, [relay.port], config) as proxy, Remote(Load, port=proxy.port) as load:
            pending = load.begin("run", seconds=10, rate=300)
            for _ in range(8):  # what is tested is how often it happens
                relay.close_all(reset=True)
                time.sleep(0.5)
                relay.hang_all()
                time.sleep(0.5)
            report = pending.result()
            assert report["lost"] == 0, report

            def said_of_upstreams():
                events = map(json.loads, proxy.log().splitlines())
                return [event for event in events if event["event"].startswith("upstream")]

            wait_for(lambda: "after_ms" in said_of_upstreams()[-1], "the log says that it is over", 40)
            said = said_of_upstreams()
            print(*said, sep="\n")
            assert 2 <= len(said) <= 5, said
            reasons = [event.get("reason") for event in said if event["level"] == "warning"]
            assert set(reasons) & {"reset", "closed", "hung"}, said


def test_each_upstream_has_its_own_lines(tmp_path, pki):
    with start_hostile(pki) as good:
        with Proxy(tmp_path, pki, [free_port(), good.port], {"workers": WORKERS}) as proxy:
            for turn in range(8):
                assert answered(proxy, f"turn-{turn}.test")
            wait_for(lambda: lines(proxy, "upstream unreachable") and lines(proxy, UP), "the log names both", 20)
            assert len(lines(proxy, PROBLEM)) == 1, proxy.log()
            assert f":{good.port}#" in lines(proxy, UP)[0]


def test_the_health_check_prints_all_of_the_answer(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"workers": 32}) as proxy:
        assert answered(proxy, "health.test")
        said = run(f"--health-check=127.0.0.1:{proxy.http_port}").stdout
        body = json.loads(said.partition("answers 200: ")[2])
        assert body["status"] == "ready" and len(body["parts"]) >= 32, said


def test_faults_at_the_start_have_the_priority_of_errors(tmp_path):
    """Started as systemd does it, with the journal's stream as standard error: here a file."""
    config = tmp_path / "faulty.yaml"
    config.write_text("listen: [nonsense]\nworkers: 99\nunknown: 1\n")
    stream = tmp_path / "journal"
    with stream.open("w") as journal:
        status = os.fstat(journal.fileno())
        done = subprocess.run([PROGRAM, "--config", config], stderr=journal, timeout=20, check=False,
                              env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    said = stream.read_text().splitlines()
    assert done.returncode == 1 and len(said) == 3, said
    assert all(line.startswith("<3>") for line in said), said
