"""What the program keeps itself from, seen from inside and from outside: Landlock, seccomp, no_new_privs and `user`."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, fetch
from pki import SERVER_NAME
from process import free_port, wait_for
from proxy import SANITIZER_OPTIONS, Proxy, is_sanitized, run
from udpclient import ask_udp

TRY = os.environ.get("SANDBOX_TRY", "")
WITHOUT_CALLS = os.environ.get("WITHOUT_CALLS", "")
IS_ROOT = os.geteuid() == 0

#: What sandbox_try does that a container around the tests may forbid by itself.
ASKED_FOR = ["open_shadow", "write_outside", "connect_elsewhere", "listen", "ptrace", "map_executable", "mount", "bpf",
             "io_uring", "raw_socket", "execute"]

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
not_sanitized = pytest.mark.skipif(is_sanitized(), reason="the sandbox is off under sanitizers")


def sandbox(proxy):
    return json.loads(fetch(proxy, "/status.json"))["sandbox"]


def statuses(proxy):
    """/proc/PID/status of each thread, as maps."""
    tasks = pathlib.Path(f"/proc/{proxy.pid}/task").iterdir()
    return [dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            for task in tasks]


def is_answered(proxy, name="goes-on.example.com"):
    with Client(proxy.port) as client:
        over_tcp = wire.rcode_of(client.ask(wire.query(name)))
    return over_tcp == wire.rcode_of(ask_udp(proxy.port, name)) == wire.NOERROR


# ---- in force by default ----


@not_sanitized
def test_all_threads_are_in_the_sandbox_and_that_is_shown(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"sandbox": "on"}) as proxy:
        line = proxy.wait_log("event=sandbox")
        assert re.search(r'mode=on landlock="ABI \d+" seccomp="\d+ calls, others are refused" no_new_privs=yes', line)
        assert is_answered(proxy)
        threads = statuses(proxy)
        assert len(threads) >= 4
        assert {thread["NoNewPrivs"] for thread in threads} == {"1"}
        assert {thread["Seccomp"] for thread in threads} == {"2"}
        shown = sandbox(proxy)
        assert shown["mode"] == "on" and shown["landlock_abi"] >= 1 and shown["seccomp"] and shown["no_new_privs"]
        assert shown["landlock_why_not"] is None is shown["seccomp_why_not"]
        figures = Figures(proxy)
        assert figures.sum("sandbox_landlock_abi") == shown["landlock_abi"]
        assert figures.sum("sandbox_seccomp") == figures.sum("sandbox_no_new_privs") == 1


@not_sanitized
def test_off_leaves_no_new_privs_alone(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"sandbox": "off"}) as proxy:
        assert 'landlock="not in force: switched off"' in proxy.wait_log("event=sandbox")
        assert {(thread["NoNewPrivs"], thread["Seccomp"]) for thread in statuses(proxy)} == {("1", "0")}
        assert sandbox(proxy)["seccomp_why_not"] == "switched off"
        assert Figures(proxy).sum("sandbox_seccomp") == 0 == Figures(proxy).sum("sandbox_landlock_abi")


def test_a_program_with_a_sanitizer_says_that_it_has_no_sandbox(tmp_path, pki, hostile):
    if not is_sanitized():
        pytest.skip("for a program with a sanitizer")
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        assert "not in force: built with a sanitizer" in proxy.wait_log("event=sandbox")
        assert sandbox(proxy)["seccomp_why_not"] == "built with a sanitizer"


@pytest.mark.skipif(is_sanitized() or not WITHOUT_CALLS, reason="for a program without a sanitizer, under ctest")
def test_a_kernel_without_it_is_no_reason_not_to_run(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"sandbox": "on"}, wrapper=[WITHOUT_CALLS]) as proxy:
        line = proxy.wait_log("event=sandbox")
        missing = "the kernel does not have it, or a container hides it"
        assert f'landlock="not in force: {missing}" seccomp="not in force: {missing}" no_new_privs=yes' in line
        assert is_answered(proxy)
        shown = sandbox(proxy)
        assert shown["landlock_abi"] == 0 and not shown["seccomp"]
        assert shown["landlock_why_not"] == missing == shown["seccomp_why_not"]
        proxy.reload({"tls": {"ca_file": pki.ca_file}, "upstreams": [
            {"address": "127.0.0.1", "port": port, "name": SERVER_NAME} for port in (hostile.port, free_port())]})
        assert is_answered(proxy, "again.example.com")


# ---- from inside ----


def attempts(folder, mode, user=""):
    """What each act of sandbox_try came to, and what it logged."""
    config = folder / f"try-{mode}.yaml"
    config.write_text(json.dumps({"sandbox": mode, "user": user, "http": {"listen": ""}}))
    outside = folder / "outside"
    outside.mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, subprocess.Popen(["sleep", "60"]) as other:
        command = ["unshare", "--mount", TRY, config, elsewhere.getsockname()[1], outside / f"{mode}-made", other.pid]
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=20,
                                env={**os.environ, **SANITIZER_OPTIONS}, check=False)
        other.kill()
    assert result.returncode == 0 or mode == "log", result  # what was executed has nobody to ask: it fails
    return dict(line.split() for line in result.stdout.splitlines()), result.stderr


needs_try = pytest.mark.skipif(is_sanitized() or not IS_ROOT or not TRY, reason="as root, under ctest, not sanitized")


@needs_try
def test_what_an_intruder_tries_is_refused_and_succeeds_without_the_sandbox(tmp_path):
    without, _ = attempts(tmp_path, "off")
    within, _ = attempts(tmp_path, "on")
    assert within.keys() == without.keys() >= set(ASKED_FOR)
    assert {name: error for name, error in within.items() if error not in ("EPERM", "EACCES")} == {}
    failed = {name: error for name, error in without.items() if error != "0"}
    if failed:
        pytest.skip(f"refused here without the sandbox, too, so that the test shows nothing of it: {failed}")


@needs_try
def test_the_log_names_what_would_be_refused_and_lets_it_pass(tmp_path):
    _, said = attempts(tmp_path, "on")
    assert "call outside" not in said
    logged, said = attempts(tmp_path, "log")
    names = set(re.findall(r"call outside the sandbox.* call=(\w+)", said))
    assert {"ptrace", "mount", "bpf", "io_uring_setup", "socket", "execve", "unshare", "mmap", "openat"} <= names
    assert logged["ptrace"] == logged["map_executable"] == logged["write_outside"] == "0"


# ---- reload ----


@pytest.fixture(name="kept")
def _kept():
    """A folder that no rule has, outside the one of the configuration."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sandbox-kept-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="proxy")
def _proxy(tmp_path, pki, hostile):
    """With its CA bundle in a folder of its own, as a file that others replace."""
    (tmp_path / "ca").mkdir()
    shutil.copy(pki.ca_file, tmp_path / "ca" / "ca.pem")
    config = {"sandbox": "on", "tls": {"ca_file": str(tmp_path / "ca" / "ca.pem")}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        yield proxy


@not_sanitized
def test_a_reload_reads_new_files_where_the_former_ones_were(proxy, tmp_path, pki):
    shutil.copy(pki.ca_file, tmp_path / "ca" / "new")
    os.rename(tmp_path / "ca" / "new", tmp_path / "ca" / "ca.pem")  # another file, of the same name
    proxy.reload({})
    assert "CA bundle loaded" in proxy.log()
    shutil.copy(pki.ca_file, tmp_path / "ca" / "other.pem")
    (tmp_path / "hosts").write_text("192.0.2.9 printer.home.arpa\n")
    (tmp_path / "secret").write_text("000102030405060708090a0b0c0d0e0f\n")
    proxy.reload({"tls": {"ca_file": str(tmp_path / "ca" / "other.pem")},
                   "names": {"hosts_file": str(tmp_path / "hosts")},
                   "udp": {"cookie_secret_file": str(tmp_path / "secret")}})
    assert wire.rcode_of(ask(proxy.port, "printer.home.arpa")) == wire.NOERROR
    assert is_answered(proxy)


@not_sanitized
@pytest.mark.parametrize("section, key", [("tls", "ca_file"), ("names", "hosts_file"), ("udp", "cookie_secret_file")])
def test_a_reload_is_refused_a_file_elsewhere_with_the_reason(proxy, kept, pki, section, key):
    shutil.copy(pki.ca_file, kept / "file")
    said = proxy.reload({section: {key: str(kept / "file")}}, "former configuration stays in use")
    assert f"'{section}.{key}' '{kept}/file': the sandbox lets the program read no new file there" in said
    assert "the sandbox" in json.loads(fetch(proxy, "/status.json"))["reload_refusal"]
    assert is_answered(proxy, "stays.example.com")


@not_sanitized
def test_a_reload_is_refused_ports_elsewhere_with_the_reason(proxy):
    port = free_port()
    if sandbox(proxy)["landlock_abi"] < 4:
        pytest.skip("Landlock restricts ports from ABI 4 on")
    route = {"zones": ["corp.example"], "upstreams": [{"address": "127.0.0.1", "port": port, "transport": "tcp"}]}
    changes = {"listen": [f"127.0.0.1:{port}"], "routes": [route], "upstreams": [
        {"address": "127.0.0.1", "port": port, "name": SERVER_NAME}]}
    for key, value in changes.items():
        former = proxy.config.get(key, [])
        said = proxy.reload({key: value}, "former configuration stays in use")
        assert f"'{key}': the sandbox lets the program" in said and str(port) in said
        proxy.reload({key: former})
    # The usual ports of DNS are open to a reload.
    route["upstreams"][0]["port"] = 53
    proxy.reload({"routes": [route]})
    assert is_answered(proxy, "stays.example.com")


@not_sanitized
def test_a_reload_may_use_the_port_and_the_folder_of_the_shared_cache_and_no_other(tmp_path, kept, pki, hostile):
    secret = "00112233445566778899aabbccddeeff" * 2
    for folder in (tmp_path, kept):
        for name in ("secret", "password"):
            (folder / name).write_text(secret)
    port, other = free_port(), free_port()
    shared = {"address": f"127.0.0.1:{port}", "secret_file": str(tmp_path / "secret"), "password_file": ""}
    with Proxy(tmp_path, pki, [hostile.port], {"sandbox": "on", "shared_cache": shared}) as proxy:
        proxy.reload({"shared_cache": {**shared, "address": f"127.0.0.2:{port}",
                                       "password_file": str(tmp_path / "password")}})
        refused = {"secret_file": str(kept / "secret"), "password_file": str(kept / "password")}
        if sandbox(proxy)["landlock_abi"] >= 4:
            refused["address"] = f"127.0.0.1:{other}"
        for key, value in refused.items():
            said = proxy.reload({"shared_cache": {**shared, key: value}}, "former configuration stays in use")
            assert f"'shared_cache.{key}'" in said and "the sandbox lets the program" in said
        proxy.reload({"shared_cache": {**shared, "secret_file": "none"}})
        assert "shared cache is not signed" in proxy.log()
        assert is_answered(proxy, "stays.example.com")


@not_sanitized
def test_in_a_folder_that_others_share_the_file_alone_is_read(tmp_path, pki, hostile):
    with tempfile.NamedTemporaryFile("w", prefix="sandbox-hosts-", suffix=".txt") as hosts:  # in /tmp itself
        if pathlib.Path(hosts.name).parent != pathlib.Path("/tmp"):
            pytest.skip("TMPDIR is set")
        hosts.write("192.0.2.9 printer.home.arpa\n")
        hosts.flush()
        with Proxy(tmp_path, pki, [hostile.port], {"sandbox": "on", "names": {"hosts_file": hosts.name}}) as proxy:
            hosts.write("192.0.2.10 scanner.home.arpa\n")  # the same file
            hosts.flush()
            wait_for(lambda: wire.rcode_of(ask(proxy.port, "scanner.home.arpa")) == wire.NOERROR, "the new line")
            with open(hosts.name + ".new", "w") as new:
                new.write("192.0.2.11 lamp.home.arpa\n")
            os.rename(hosts.name + ".new", hosts.name)
            proxy.wait_log("sandbox refuses a file")
            assert wire.rcode_of(ask(proxy.port, "printer.home.arpa")) == wire.NOERROR, "what was read stays"
            proxy.reload({"drain_timeout": "7s"})
            assert proxy.log().count("sandbox refuses a file") == 1


# ---- user ----


@pytest.fixture(name="public")
def _public(pki):
    """A folder that everybody may read, with the CA in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sandbox-public-"))
    folder.chmod(0o755)
    shutil.copy(pki.ca_file, folder / "ca.pem")
    (folder / "ca.pem").chmod(0o644)
    yield folder
    shutil.rmtree(folder)


def free_privileged_port():
    for port in range(700, 800):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    return pytest.skip("no port below 1024 can be had")


@needs_root
@pytest.mark.parametrize("mode", ["on", "off"])
def test_root_becomes_the_user_once_the_sockets_are_open(public, pki, hostile, mode):
    config = {"sandbox": mode, "user": "daemon", "tls": {"ca_file": str(public / "ca.pem")},
              "listen": [f"127.0.0.1:{free_privileged_port()}"]}
    with Proxy(public, pki, [hostile.port], config) as proxy:
        assert "user=1 " in proxy.wait_log("user changed")
        for thread in statuses(proxy):
            assert thread["Uid"].split() == ["1"] * 4 and thread["Gid"].split() == ["1"] * 4
            assert thread["Groups"].split() == ["1"]
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(thread[name], 16) == 0, (name, thread[name])
            assert thread["NoNewPrivs"] == "1"
        proxy.config_path.chmod(0o644)
        proxy.reload({"drain_timeout": "7s"})
        assert is_answered(proxy)
        (descriptors,) = re.findall(r"^process_open_fds (\d+)", fetch(proxy, "/metrics"), re.MULTILINE)
        assert int(descriptors) > 10


@needs_root
def test_root_without_a_user_is_warned(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        assert "level=warning" in proxy.wait_log("runs as root")


def test_an_unknown_user_ends_the_start_and_is_named_by_the_check(tmp_path):
    config = tmp_path / "unknown.yaml"
    config.write_text(json.dumps({"user": "nobody-of-this-name", "listen": [f"127.0.0.1:{free_port()}"],
                                  "http": {"listen": ""}}))
    checked = run("--config", config, "--check-config")
    assert checked.returncode == 1 and "there is no user 'nobody-of-this-name'" in checked.stderr
    if IS_ROOT:
        started = run("--config", config)
        assert started.returncode == 1 and "there is no user 'nobody-of-this-name'" in started.stderr


@needs_root
def test_who_is_not_root_cannot_become_another_user(public, pki, hostile):
    wrapper = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
    config = {"user": "bin", "tls": {"ca_file": str(public / "ca.pem")}}
    with Proxy(public, pki, [hostile.port], config, wrapper=wrapper) as proxy:
        assert "only root" in proxy.wait_log("user ignored")
        assert {thread["Uid"].split()[0] for thread in statuses(proxy)} == {"1"}
        assert is_answered(proxy)
