"""Mistakes that people make in a configuration: the fault shows the correct form, and the program takes what it
shows."""
import re

import pytest
from proxy import run

#: The text of a file, with what is wrong as {}; what is wrong; what the fault suggests in its place.
VALUES = [
    ("listen: [{}]", '"127.0.0.1#53"', '"127.0.0.1:53"'),
    ("listen: [{}]", '"127.0.0.1@53"', '"127.0.0.1:53"'),
    ("listen: [{}]", '"tcp://127.0.0.1:53"', '"127.0.0.1:53"'),
    ("listen: [{}]", '"0.0.0.0"', '"0.0.0.0:53"'),
    ("listen: {}", '"0.0.0.0:53"', '["0.0.0.0:53"]'),
    ("http: {{listen: {}}}", '["127.0.0.1:5000"]', '"127.0.0.1:5000"'),
    ("http: {{listen: {}}}", "off", '""'),
    ("http: {}", "127.0.0.1:5000", '{listen: "127.0.0.1:5000"}'),
    ("log: {}", "debug", "{level: debug}"),
    ("log: {{level: {}}}", "warn", "warning"),
    ("log: {{level: {}}}", "DEBUG", "debug"),
    ("cache: {{max_size: {}}}", "64", "64MiB"),
    ("cache: {{max_size: {}}}", "64MB", "64MiB"),
    ("cache: {{max_size: {}}}", '"64 MiB"', "64MiB"),
    ("cache: {{max_ttl: {}}}", "3600", "1h"),
    ("cache: {}", "off", "{max_size: 0}"),
    ("udp: {}", "false", "{enabled: false}"),
    ("upstream: {{query_timeout: {}}}", "5", "5s"),
    ("upstream: {{query_timeout: {}}}", "5000", "5s"),
    ("upstream: {{query_timeout: {}}}", "5sec", "5s"),
    ("upstream: {{max_age: {}}}", "1h30m", "90m"),
    ("upstream: {{keep_warm: {}}}", "yes", "true"),
    ("sandbox: {}", "true", "on"),
    ("workers: {}", "Auto", "auto"),
    ("workers: {}", "04", "4"),
    ("rate_limit: {{queries_per_second: {}}}", '"1,000"', "1000"),
    ("access: {{allow: [{}]}}", "10.0.0.1/8", '"10.0.0.0/8"'),
    ("access: {{allow: [{}]}}", "10.0.0.0/255.0.0.0", '"10.0.0.0/8"'),
    ("access: {{allow: {}}}", "10.0.0.0/8", '["10.0.0.0/8"]'),
    ("access: {}", "10.0.0.0/8", '{allow: ["10.0.0.0/8"]}'),
    ("upstreams: [{}]", '"1.1.1.1#one.one.one.one"', '{address: "1.1.1.1", port: 853, name: one.one.one.one}'),
    ("upstreams: [{}]", '"1.1.1.1@853#one.one.one.one"', '{address: "1.1.1.1", port: 853, name: one.one.one.one}'),
    ("upstreams: {}", "1.1.1.1#one.one.one.one", '[{address: "1.1.1.1", port: 853, name: one.one.one.one}]'),
    ("upstreams: [{{address: 1.1.1.1, name: {}}}]", '"tls://one.one.one.one"', "one.one.one.one"),
]

#: What has no single correct form: the fault says these words.
WORDS = [
    ('listen: [":53"]', '"0.0.0.0:53" for all IPv4 addresses or "[::]:53" for all of IPv6'),
    ('listen: ["*:53"]', '"0.0.0.0:53" for all IPv4 addresses'),
    ("listen: [53]", '"0.0.0.0:53" for all IPv4 addresses'),
    ('listen: ["::1:53"]', 'write "[::1]:53", or "[::1:53]:53" if all of it is the address'),
    ('listen: ["localhost:53"]', 'write "127.0.0.1:53" or "[::1]:53"'),
    ('listen: ["dns.example:53"]', "an IP address is wanted, not a name"),
    ('listen: ["eth0:53"]', "an IP address is wanted, not a name"),
    ('listen: ["127.0.0.1:70000"]', "a port is 1..65535"),
    ('listen: ["127.0.0.1:0"]', "a port is 1..65535"),
    ('listen: [":0"]', "a port is 1..65535"),
    ('listen: ["10.0.0.0/8:53"]', "not a network"),
    ("listen: [[::1]:53]", "put an address into double quotes"),
    ("listen: [*:53]", "put an address into double quotes"),
    ("listen:\n  - address: 127.0.0.1\n    port: 53", "must be a single value (IP:PORT or [IP6]:PORT), not a mapping"),
    ("http: {listen: 5000}", '"0.0.0.0:5000" for all IPv4 addresses'),
    ("upstream:\n  - {address: 1.1.1.1, name: a.b}", "did you mean 'upstreams'?"),
    ("upstreams: {address: 1.1.1.1, name: a.b}", 'begin each entry with "- "'),
    ("upstream: {address: 1.1.1.1, name: a.b}", "did you mean 'upstreams.address'"),
    ("upstreams: [{address: 1.1.1.1, port: 70000, name: a.b}]", "70000 is out of range 1..65535"),
    ("upstreams: [{address: 1.1.1.1:853, name: a.b}]", 'write {address: "1.1.1.1", port: 853, ...}'),
    ("query_timeout: 5s", "did you mean 'upstream.query_timeout'?"),
    ("http.listen: 127.0.0.1:5000", "write http: {listen: ...}"),
    ("cache: {max-size: 1MiB}", "did you mean 'max_size'?"),
    ("access: {allow: [any]}", 'write "0.0.0.0/0" and "::/0"'),
    ("cache:\n\tmax_size: 1MiB", "indent with spaces, not tabs"),
    ("log:\n  level: info\n   format: json", "look at the indentation"),
    ("workers = 4", "write KEY: VALUE"),
    ('listen:["127.0.0.1:53"]', "a space is wanted behind the ':'"),
    ("workers: 2\nworkers: 3", "given twice, first on line 1"),
    ('listen: [\n  "127.0.0.1:53"\nworkers: 2', "from line 1 on"),
]

#: Flags, and what is said of them.
FLAGS = [
    (["--confg", "x"], "did you mean --config?"),
    (["-listen", "127.0.0.1:53"], "did you mean --listen?"),
    (["-c", "x.yaml"], "did you mean --config?"),
    (["x.yaml"], "did you mean --config x.yaml?"),
    (["--port", "53"], "did you mean --listen IP:PORT?"),
    (["--verbose"], "did you mean --log-level debug?"),
    (["--max-size=1MiB"], "'cache.max_size'"),
    (["--drain-timeout=1s"], "'drain_timeout' is a setting of the file"),
    (["--cache.max_size=1MiB"], "'cache.max_size' is a setting of the file"),
    (["--listen", ":53"], '"0.0.0.0:53" for all IPv4 addresses'),
    (["--listen", "0.0.0.0"], 'write "0.0.0.0:53"'),
    (["--http", "off"], 'write ""'),
    (["--log-level", "warn"], "write warning"),
]


def check(tmp_path, text):
    path = tmp_path / "dns.yaml"
    path.write_text(text + "\n")
    return run("--check-config", "--config", path)


@pytest.mark.parametrize("text,wrong,right", VALUES, ids=lambda value: None)
def test_the_correct_form_is_shown_and_is_good(tmp_path, text, wrong, right):
    ended = check(tmp_path, text.format(wrong))
    assert ended.returncode == 1
    shown = re.search(r"; (?:the port is missing: )?write (.*)$", ended.stderr, re.M)
    assert shown and shown.group(1) == right, ended.stderr
    assert check(tmp_path, text.format(right)).returncode == 0


@pytest.mark.parametrize("text,words", WORDS, ids=lambda value: None)
def test_what_is_wrong_is_said(tmp_path, text, words):
    ended = check(tmp_path, text)
    assert ended.returncode == 1 and words in ended.stderr, ended.stderr


@pytest.mark.parametrize("arguments,words", FLAGS, ids=lambda value: None)
def test_the_flag_that_was_meant_is_named(arguments, words):
    ended = run(*arguments)
    assert ended.returncode == 2 and words in ended.stderr, ended.stderr
