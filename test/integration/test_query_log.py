"""log.queries: which queries are logged, in which form, how many, and that nothing else shows names."""
import json
import re
import signal

import wire
from dnsclient import Client, ask
from figures import Figures, fetch
from labels import HOSTILE, from_shown
from process import wait_for
from proxy import Proxy
from udpclient import ask_udp

PER_SECOND = 100  # lines of a worker


def lines(proxy, since=0):
    return [line for line in proxy.log()[since:].splitlines() if re.search(r'event=query |"event":"query"', line)]


def set_log(proxy, queries_logged):
    before = len(proxy.log())
    proxy.write_config({"log": {"queries": queries_logged}})
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_log("configuration reloaded", since=before)


def test_the_log_shows_what_it_is_told_to(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"slow": "50ms"}}) as proxy:
        expected = {"off": 0, "failed": 1, "slow": 2, "all": 4}
        for i, (setting, count) in enumerate(expected.items()):
            set_log(proxy, setting)
            before = len(proxy.log())
            ask(proxy.port, f"servfail-{i}.test")
            ask(proxy.port, f"slow-100ms-{i}.test")
            ask_udp(proxy.port, f"usual{i}.test")
            ask(proxy.port, f"usual{i}.test")  # from the cache
            set_log(proxy, "off")  # each line is there when this is done
            assert len(lines(proxy, before)) == count, lines(proxy, before)
        assert re.search(r"level=info event=query kind=servfail client=127\.0\.0\.1:\d+ transport=tcp "
                         r"name=servfail-1\.test\. type=A rcode=SERVFAIL ede=", "\n".join(lines(proxy)))
        assert re.search(r"kind=ordinary client=\S+ transport=udp name=usual3\.test\. type=A rcode=NOERROR ede=none "
                         r"why=none source=upstream route=none upstream=127\.0\.0\.1:\S+ attempts=1 took_ms=\d+ "
                         r"worker=\d question=[1-9]", "\n".join(lines(proxy)))
        assert "source=cache" in lines(proxy)[-1] or "source=cache" in lines(proxy)[-2]


def test_the_log_as_json_with_hostile_names(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"queries": "failed", "format": "json"}}) as proxy:
        for label in [*HOSTILE, b"\xff" * 63]:
            question = bytes([len(label)]) + label + wire.name_to_wire("test") + b"\0\xff\0\1"
            with Client(proxy.port) as client:
                client.ask(wire.query("x")[:12] + question)
        wait_for(lambda: len(lines(proxy)) == len(HOSTILE) + 1, "all are logged")
        for label, line in zip([*HOSTILE, b"\xff" * 63], lines(proxy)):
            entry = json.loads(line)
            assert from_shown(entry["name"]) == [label, b"test"]
            assert entry["kind"] == "refused" and entry["why"] == "any" and entry["took_ms"] == 0


def test_the_log_is_limited_and_says_what_it_left_out(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"workers": 1, "log": {"queries": "all"}}) as proxy:
        asked = 1000
        with Client(proxy.port) as client:
            for begin in range(0, asked, 50):
                client.send(*(wire.query("flood.test", number=i) for i in range(begin, begin + 50)))
                for _ in range(50):
                    client.receive()
        proxy.wait_log("queries not logged")

        def left_out_now():
            return Figures(proxy).sum("queries_not_logged_total")

        wait_for(lambda: len(lines(proxy)) + left_out_now() >= asked, "all are accounted for")
        left_out = left_out_now()
        assert len(lines(proxy)) + left_out == asked and left_out > 0
        assert len(lines(proxy)) >= PER_SECOND
        said = r'"queries not logged" count=(\d+)'
        wait_for(lambda: sum(map(int, re.findall(said, proxy.log()))) == left_out, "it is said")


def test_no_log_level_shows_names(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"level": "debug"}}) as proxy:
        ask(proxy.port, "servfail-unnamed.test")
        number = wait_for(lambda: json.loads(fetch(proxy, "/queries.json?name=unnamed"))["queries"], "it is shown")[0]
        proxy.wait_log(f"worker={number['worker']} question={number['question']} ")  # its attempts can be found
        assert "unnamed" not in proxy.log()
