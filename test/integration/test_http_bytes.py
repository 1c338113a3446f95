"""What an HTTP client may send to the endpoint, byte by byte: heads that could be read in two ways are refused and what
follows them is never taken for a request; forms of targets and of Accept that the standard allows are understood.
"""
import gzip
import socket

import pytest
import wire
from dnsclient import ask
from proxy import Proxy


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port]) as proxy:
        for number in range(20):
            assert wire.rcode_of(ask(proxy.port, f"name-{number}.test")) == wire.NOERROR
        yield proxy


def exchange(proxy, data):
    """All that comes back until the connection is closed, of a client that ends its side."""
    with socket.create_connection(("127.0.0.1", proxy.http_port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def request(line, *fields, body=b""):
    fields = ("Host: localhost", *fields) if not any(field.startswith("Host:") for field in fields) else fields
    return "\r\n".join((line, *fields, "", "")).encode() + body


def answer(proxy, line, *wanted):
    """Status, fields and body of one request."""
    head, _, body = exchange(proxy, request(line, "Connection: close", *wanted)).partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in rest)}
    return int(first.split()[1]), fields, body


SMUGGLED = request("GET /healthz HTTP/1.1")


@pytest.mark.parametrize("fields", [
    ("Content-Length: 0x2f",), ("Content-Length: 0, 47",), ("Content-Length: +47",), ("Content-Length: 47 47",),
    ("Content-Length: -1",), ("Content-Length: 99999999999999999999",), ("Content-Length:",),
    ("Content-Length: 0", "Content-Length: 47"), ("Content-Length: 4", "Content-Length: 47"),
    ("Content-Length:\r\n 47",), ("Content-Length : 47",),
    ("Content-Length: 47", "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: \x0bchunked",),
], ids=repr)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_length_that_can_be_read_in_two_ways_is_refused(proxy, method, fields):
    received = exchange(proxy, request(f"{method} /healthz HTTP/1.1", *fields, body=SMUGGLED))
    assert received.count(b"HTTP/1.1 ") == 1, received
    assert received.startswith(b"HTTP/1.1 400 ") or received.startswith(b"HTTP/1.1 501 "), received[:80]


@pytest.mark.parametrize("line", ["GET http://localhost/healthz HTTP/1.1",
                                  "GET HTTP://localhost:5000/healthz HTTP/1.1"])
def test_a_target_may_be_a_whole_address(proxy, line):
    status, _, body = answer(proxy, line)
    assert status == 200 and b"live" in body


def test_options_of_the_server_are_told(proxy):
    status, fields, _ = answer(proxy, "OPTIONS * HTTP/1.1")
    assert status in (200, 204) and "GET" in fields.get("allow", ""), (status, fields)


@pytest.mark.parametrize("accept, kind", [
    ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text"),
    ("application/openmetrics-text;q=0.1, text/plain;q=0.9", "text/plain"),
    ("application/openmetrics-text;q=0, text/plain", "text/plain"),
    ("text/plain;q=0.2, application/openmetrics-text;q=0.8", "application/openmetrics-text"),
    ("*/*", "text/plain"),
])
def test_the_form_of_metrics_follows_the_wishes_by_their_weight(proxy, accept, kind):
    status, fields, _ = answer(proxy, "GET /metrics HTTP/1.1", f"Accept: {accept}")
    assert status == 200 and fields["content-type"].startswith(kind), fields


@pytest.mark.parametrize("coding, packed", [("gzip", True), ("gzip;q=0", False), ("identity", False),
                                            ("br, gzip;q=0.5", True)])
def test_gzip_where_it_is_accepted(proxy, coding, packed):
    status, fields, body = answer(proxy, "GET /metrics HTTP/1.1", f"Accept-Encoding: {coding}")
    assert status == 200 and (fields.get("content-encoding") == "gzip") == packed, fields
    assert b"dns_tls_proxy_build_info" in (gzip.decompress(body) if packed else body)


@pytest.mark.parametrize("size, status", [(15 * 1024, 200), (40 * 1024, 431)])
def test_heads_are_read_up_to_16_kib(proxy, size, status):
    padding = [f"X-Padding-{number}: {'p' * 990}" for number in range(size // 1000)]
    received = exchange(proxy, request("GET /healthz HTTP/1.1", "Connection: close", *padding))
    assert received.startswith(f"HTTP/1.1 {status} ".encode()), received[:80]


@pytest.mark.parametrize("host, shown", [("localhost", True), ("127.0.0.1", True), ("evil.example", False)])
def test_clients_are_named_in_metrics_only_where_the_page_names_them(proxy, host, shown):
    for number in range(200):
        ask(proxy.port, f"busy-{number % 20}.test")
    status, _, body = answer(proxy, "GET /metrics HTTP/1.1", f"Host: {host}")
    assert status == 200 and (b'client="127.0.0.1"' in body) <= shown, body[-500:]
