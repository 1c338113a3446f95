"""The file of trusted certificates: --check-config, a start and a reload say the same of it; a wrong clock and a wrong
file are survived, and over when they are mended.
"""
import datetime
import json
import os
import shutil
import signal

import pytest
import wire
from dnsclient import ask
from figures import fetch
from forge import NOW, leaf, root
from hostile import start_hostile
from pki import SERVER_NAME
from process import free_port, wait_for
from proxy import Proxy, run
from test_health import look, status

BLOCK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def wrong_bundles(folder):
    """What stands at the path -> what must be said of it."""
    (folder / "folder").mkdir()
    (folder / "empty").write_text("")
    (folder / "text").write_text("this is no certificate\n")
    (folder / "malformed").write_text(BLOCK)
    (folder / "key").write_text(leaf(None).key_pem())
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    return {"missing": "No such file", "folder": "is a directory", "empty": "no usable CA certificate",
            "text": "no usable CA certificate", "malformed": "no usable CA certificate",
            "key": "no usable CA certificate", "pipe": "not a file", "loop": "symbolic links"}


def test_the_same_is_said_before_and_at_a_start_and_at_a_reload(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        for title, reason in wrong_bundles(tmp_path).items():
            path = tmp_path / title
            listen = ["--listen", f"127.0.0.1:{free_port()}", "--http", f"127.0.0.1:{free_port()}"]
            for arguments in (["--check-config"], listen):
                ended = run(*arguments, "--ca-file", path)
                assert ended.returncode == 1 and f"{path}: " in ended.stderr and reason in ended.stderr, (title, ended)
            before = len(proxy.log())
            proxy.write_config({"tls": {"ca_file": str(path)}})
            proxy.child.send_signal(signal.SIGHUP)
            assert reason in proxy.wait_log("reload refused", since=before), title
        assert wire.rcode_of(ask(proxy.port, "still.test")) == wire.NOERROR


def test_a_good_bundle_is_good_for_check_config(pki):
    ended = run("--check-config", "--ca-file", pki.ca_file)
    assert ended.returncode == 0 and not ended.stderr, ended


class OwnPki:
    """A root and its server, valid from so many seconds from now on."""

    def __init__(self, folder, seconds):
        begin = (datetime.datetime.utcnow() - NOW).total_seconds() + seconds
        authority = root(life=(begin / 86400, 30))
        server = leaf(authority, (SERVER_NAME,), life=(begin / 86400, 30))
        self.ca_file = str(folder / "own-ca.pem")
        self._files = str(folder / "own.pem"), str(folder / "own.key")
        for path, text in zip((self.ca_file, *self._files), (authority.pem(), server.pem(), server.key_pem())):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)

    def certificate(self, kind=None):
        del kind
        return self._files


def test_a_bundle_that_is_not_valid_yet_is_used_when_the_clock_is_there(tmp_path):
    """As on a machine that starts in 1970, until it has asked for the time."""
    pki = OwnPki(tmp_path, 8)
    with start_hostile(pki) as upstream:
        config = {"upstream": {"query_timeout": "1s", "probe_interval": "1s"}}
        with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
            ended = run("--check-config", "--config", proxy.config_path)
            assert ended.returncode == 0 and "clock" in ended.stderr, ended
            answer = ask(proxy.port, "early.test", additional=[wire.opt()])
            assert wire.rcode_of(answer) == wire.SERVFAIL and "clock" in wire.error_of(answer)[1]
            assert status(proxy, "/readyz") == 503
            wait_for(lambda: "clock" in look(proxy, "/readyz")[1]["reason"], "/readyz says why")
            assert "clock" in proxy.wait_log("no CA is valid") and "clock" in proxy.wait_log("certificate refused")
            assert "clock" in json.loads(fetch(proxy, "/status.json"))["upstreams"][0]["error"]
            wait_for(lambda: status(proxy, "/readyz") == 200, "ready when the certificates are valid", 30)
            wait_for(lambda: wire.rcode_of(ask(proxy.port, "in-time.test")) == wire.NOERROR,
                     "the other worker is there, too")
            proxy.wait_log("CA bundle valid")


def test_a_bundle_that_was_refused_is_tried_again(tmp_path, pki, hostile):
    """Also where nothing shows that the file is another: what was wrong may have been something else."""
    own = tmp_path / "own.pem"
    shutil.copy(pki.ca_file, own)
    good = own.read_text()
    settings = {"tls": {"ca_file": str(own)}, "upstream": {"probe_interval": "1s"}}
    with Proxy(tmp_path, pki, [hostile.port], settings) as proxy:
        own.write_text("\n" * (len(good) + 1))
        proxy.wait_log("CA bundle refused", seconds=20)
        times = os.stat(own).st_atime_ns, os.stat(own).st_mtime_ns
        own.write_text(good + "\n")
        os.utime(own, ns=times)
        proxy.wait_log("CA bundle loaded", seconds=20)
        assert proxy.log().count("CA bundle refused") == 1
        assert wire.rcode_of(ask(proxy.port, "mended.test")) == wire.NOERROR


@pytest.mark.parametrize("content", [BLOCK + "{}", "{}" + BLOCK, "# text\n{}text", "{0}{0}", "\r\n{}"])
def test_what_is_no_certificate_beside_one_that_is(tmp_path, pki, content):
    path = tmp_path / "mixed.pem"
    with open(pki.ca_file, encoding="ascii") as file:
        path.write_text(content.format(file.read()))
    assert run("--check-config", "--ca-file", path).returncode == 0
