"""Addresses that the machine does not have yet, and ports that are taken: what the operator is told, and what comes of
it by itself.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
import wire
from dnsclient import ask
from figures import Figures
from hostile import start_hostile
from namespace import is_possible, namespace
from pki import SERVER_NAME
from process import Process, free_port, wait_for
from proxy import PROGRAM, Proxy, run

needs_namespace = pytest.mark.skipif(not is_possible(), reason="needs a network namespace, which needs root")
NOT_SERVED = "listen_addresses_not_served"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def not_served(proxy):
    """What /readyz says, ready or not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}/readyz", timeout=5) as answer:
            return json.load(answer).get("addresses_not_served", [])
    except urllib.error.HTTPError as error:
        return json.load(error).get("addresses_not_served", [])


@needs_namespace
def test_a_tentative_address_is_opened_at_the_start(tmp_path, pki):
    with namespace(), start_hostile(pki) as upstream:
        ip("link", "add", "one", "type", "veth", "peer", "name", "other")
        for name in ("one", "other"):
            ip("link", "set", name, "up")
        ip("address", "add", "2001:db8::53/64", "dev", "one")  # tentative for a second or two
        config = {"listen": ["127.0.0.1:8853", "[2001:db8::53]:8853"],
                  "access": {"allow": ["127.0.0.0/8", "2001:db8::/32"]}}
        with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
            assert not not_served(proxy), "it is opened, whether or not it is still tentative"
            wait_for(lambda: can_connect("2001:db8::53", 8853), "the address can be used")
            assert wire.rcode_of(ask(8853, "tentative.test", host="2001:db8::53")) == wire.NOERROR


def can_connect(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


@needs_namespace
def test_an_address_that_comes_later_is_served_then(tmp_path, pki):
    with namespace(), start_hostile(pki) as upstream:
        config = {"listen": ["127.0.0.1:8853", "[2001:db8::53]:8853"],
                  "access": {"allow": ["127.0.0.0/8", "2001:db8::/32"]}}
        with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
            assert "address left out" in proxy.log()
            assert not_served(proxy) == ["[2001:db8::53]:8853"]
            assert Figures(proxy).sum(NOT_SERVED) == 1
            assert wire.rcode_of(ask(8853, "others-are-served.test")) == wire.NOERROR
            ip("address", "add", "2001:db8::53/128", "dev", "lo", "nodad")
            wait_for(lambda: can_connect("2001:db8::53", 8853), "it is served")
            assert wire.rcode_of(ask(8853, "later.test", host="2001:db8::53")) == wire.NOERROR
            assert not not_served(proxy) and Figures(proxy).sum(NOT_SERVED) == 0
            assert proxy.log().count("address left out") == 2, "said once for TCP and once for UDP"
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
                client.settimeout(10)
                client.sendto(wire.query("later-udp.test"), ("2001:db8::53", 8853))
                assert wire.rcode_of(client.recv(4096)) == wire.NOERROR


def fails_to_start(tmp_path, pki, changes):
    """What it says."""
    config = {"listen": [f"127.0.0.1:{free_port()}"], "http": {"listen": ""}, "tls": {"ca_file": pki.ca_file},
              "upstreams": [{"address": "127.0.0.1", "port": free_port(), "name": SERVER_NAME}], **changes}
    (tmp_path / "busy.yaml").write_text(json.dumps(config))
    ended = run("--config", tmp_path / "busy.yaml")
    assert ended.returncode == 1
    return ended.stderr


def test_a_busy_port_is_told_with_its_holder(tmp_path, pki):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = fails_to_start(tmp_path, pki, {"listen": [f"127.0.0.1:{port}"]})
        assert f"cannot listen on 127.0.0.1:{port}" in said and "held by python3 (process" in said


def test_a_busy_http_port_is_told_with_setting_and_flag(tmp_path, pki):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = fails_to_start(tmp_path, pki, {"http": {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}})
        assert "http.listen" in said and "--http" in said and "held by python3 (process" in said


def test_a_busy_udp_port_is_told_with_its_holder(tmp_path, pki):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = fails_to_start(tmp_path, pki, {"listen": [f"127.0.0.1:{port}"]})
        assert f"cannot open UDP on 127.0.0.1:{port}" in said and "held by python3 (process" in said


@needs_namespace
def test_a_port_that_is_refused_names_the_flags_of_a_container(tmp_path, pki):
    config = {"listen": ["127.0.0.1:53"], "http": {"listen": ""}, "tls": {"ca_file": pki.ca_file}}
    (tmp_path / "refused.yaml").write_text(json.dumps(config))
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    command = [*nobody, PROGRAM, "--config", str(tmp_path / "refused.yaml")]
    for folder in (tmp_path, *tmp_path.parents[:2], pathlib.Path(pki.ca_file).parent):
        folder.chmod(0o755)
    cases = [({"container": "podman"}, "ip_unprivileged_port_start")]
    if not any(pathlib.Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")):
        cases.append(({}, "CAP_NET_BIND_SERVICE"))
    with namespace():
        for variables, words in cases:
            ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20,
                                   env={**os.environ, **variables})
            assert ended.returncode == 1 and words in ended.stderr, ended.stderr


def test_who_has_a_port_is_asked_for(pki):
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        port = taken.getsockname()[1]
        ended = run("--holder-of", f"127.0.0.1:{port}")
        assert ended.returncode == 1 and f"127.0.0.1:{port} TCP: taken; held by python3 (process" in ended.stderr
        assert ended.stdout == f"127.0.0.1:{port} UDP: free\n"
        datagrams.bind(("127.0.0.1", port))
        assert f"127.0.0.1:{port} UDP: taken; held by python3" in run("--holder-of", f"0.0.0.0:{port}",
                                                                      "--holder-of", f"127.0.0.1:{port}").stderr
    ended = run("--holder-of", f"127.0.0.1:{port}")
    assert ended.returncode == 0 and ended.stdout.count("free") == 2 and not ended.stderr


@needs_namespace
def test_the_stub_of_systemd_resolved_is_told_with_its_remedy(tmp_path, pki):
    with namespace():
        with socket.create_server(("127.0.0.53", 53)):
            said = fails_to_start(tmp_path, pki, {"listen": ["0.0.0.0:53"]})
    assert "DNSStubListener=no" in said


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs systemd-socket-activate")
def test_a_changed_listen_is_ignored_with_a_message_under_socket_activation(tmp_path, pki, hostile):
    port, http_port = free_port(), free_port()
    config = {"listen": ["127.0.0.1:1"], "names": {"special_use": "forward"}, "tls": {"ca_file": pki.ca_file},
              "http": {"listen": f"127.0.0.1:{http_port}"},
              "upstreams": [{"address": "127.0.0.1", "port": hostile.port, "name": SERVER_NAME}]}
    path = tmp_path / "activated.yaml"
    path.write_text(json.dumps(config))
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", PROGRAM, "--config", path]
    with Process("activated", command, tmp_path, {}) as program:
        program.wait_listening(port)
        assert wire.rcode_of(ask(port, "activated.test")) == wire.NOERROR
        assert "setting=listen" in program.wait_log("setting ignored"), "at the start, too"
        path.write_text(json.dumps({**config, "listen": [f"127.0.0.1:{free_port()}"]}))
        program.child.send_signal(signal.SIGHUP)
        program.wait_log("configuration reloaded")
        said = [line for line in program.log().splitlines() if "setting ignored" in line]
        assert len(said) == 2 and "setting=listen" in said[1] and "systemctl edit dns-tls-proxy.socket" in said[1]
        assert wire.rcode_of(ask(port, "goes-on.test")) == wire.NOERROR


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs systemd-socket-activate")
def test_a_listen_that_nobody_has_set_is_not_called_ignored(tmp_path, pki, hostile):
    port = free_port()
    config = {"names": {"special_use": "forward"}, "tls": {"ca_file": pki.ca_file}, "http": {"listen": ""},
              "upstreams": [{"address": "127.0.0.1", "port": hostile.port, "name": SERVER_NAME}]}
    path = tmp_path / "activated.yaml"
    path.write_text(json.dumps(config))
    command = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", PROGRAM, "--config", path]
    with Process("activated", command, tmp_path, {}) as program:
        program.wait_listening(port)
        assert wire.rcode_of(ask(port, "activated.test")) == wire.NOERROR
        assert "setting ignored" not in program.log()
