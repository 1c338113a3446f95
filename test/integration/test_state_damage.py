"""Whatever is in place of the snapshot, and whatever happens to it: the program starts and runs, says it once, and
gives no wrong answer.
"""
import contextlib
import os
import random
import resource
import signal
import subprocess
import time

import pytest
import state_file
import wire
from dnsclient import ask
from figures import Figures
from process import wait_for
from state_file import KEPT, YEAR, Record, Snapshot, addresses_of, ask_all, asked

UPSTREAM = b"\xc0\x00\x02\x01"  # what the upstream says of every name


def said(proxy):
    """The lines about the state."""
    return [line for line in proxy.log().splitlines() if 'event="state ' in line]


def address_of(number):
    return bytes([10, *number.to_bytes(3, "big")])


def numbered(count, **parts):
    """Answers that differ, so that one that is told for another is seen."""
    return [state_file.address_record(f"n{i}.state.test", address_of(i), **parts) for i in range(count)]


def assert_right(proxy, count, step=1):
    """Each name has its own kept answer or the upstream's. Returns how many were kept."""
    kept = 0
    for name, answer in ask_all(proxy, [f"n{i}.state.test" for i in range(0, count, step)]).items():
        (address,) = addresses_of(answer)
        own = address_of(int(name[1:].partition(".")[0]))
        assert address in (own, UPSTREAM), (name, address)
        kept += address == own
    return kept


# ---- what is not believed ----

def other_version(snapshot):
    snapshot.version += 1


def other_upstreams(snapshot):
    snapshot.origin += 1


@pytest.mark.parametrize("change, why", [(other_version, "another version"), (other_upstreams, "other upstreams")])
def test_a_foreign_snapshot_is_ignored_with_one_line(start, directory, origin, change, why):
    snapshot = Snapshot(origin, [state_file.address_record("foreign.state.test", KEPT)])
    change(snapshot)
    snapshot.write(directory / "snapshot")
    with start() as proxy:
        start.wait_loaded(proxy)
        (said,) = [line for line in proxy.log().splitlines() if "event=\"state " in line]
        assert "state ignored" in said and why in said
        assert addresses_of(ask(proxy.port, "foreign.state.test")) != [KEPT]
    assert Snapshot.load(directory / "snapshot").names() == ["foreign.state.test"]


def test_other_upstreams_and_routes_start_cold_the_same_in_another_order_does_not(start, hostile, directory, pki):
    routes = [{"zones": ["a.test", "b.test"], "upstreams": [
        {"address": "127.0.0.1", "port": hostile.port, "name": "cloudflare-dns.com"}]}]
    with start({"routes": routes}, upstreams=[hostile.port, 1]) as first:
        ask(first.port, "route.a.test")
        ask(first.port, "no.route.test")
    hostile.forget()
    with start({"routes": routes}, upstreams=[1, hostile.port]) as second:
        start.wait_loaded(second)
        ask(second.port, "route.a.test")
        ask(second.port, "no.route.test")
        assert asked(hostile, "route") == 0
    for changed in ({"routes": []}, {"routes": [{**routes[0], "zones": ["a.test"]}]}):
        snapshot = (directory / "snapshot").read_bytes()
        with start(changed, upstreams=[hostile.port, 1]) as third:
            assert "state ignored" in start.wait_loaded(third)
        (directory / "snapshot").write_bytes(snapshot)


def test_names_that_are_local_now_are_not_loaded(start, directory, hostile):
    with start() as first:
        ask_all(first, ["mine.state.test", "theirs.state.test"])
    with start({"names": {"records": ["mine.state.test 60 IN A 192.0.2.7"]}}) as second:
        start.wait_loaded(second)
        assert addresses_of(ask(second.port, "mine.state.test")) == [b"\xc0\x00\x02\x07"]
        assert Figures(second).sum("state_rejected_entries_total", reason="route") == 1
    hostile.forget()
    with start() as third:
        start.wait_loaded(third)
        ask_all(third, ["mine.state.test", "theirs.state.test"])
    assert asked(hostile, "mine.state.test") >= 1 and asked(hostile, "theirs.state.test") == 0


def wrong_records():
    """With right checksums, as a program with a fault, or an attacker with the file, might write them."""
    good = state_file.address_record("good.state.test", KEPT)
    other = state_file.address_record("other.state.test", KEPT)

    def changed(**parts):
        return Record(**{**vars(good), **parts})

    yield "another question", changed(value=other.value)
    yield "another type", changed(key=state_file.key_of("good.state.test", "AAAA"))
    yield "upper case", changed(key=state_file.key_of("GOOD.state.test"))
    yield "unknown flags", changed(key=state_file.key_of("good.state.test", flags=32 | 1))
    yield "a route of nobody", changed(key=wire.name_to_wire("good.state.test") + b"\0\0\0\7\0\1\x11")
    yield "no name", changed(key=b"\x3fabc\0\0\1\1")
    yield "empty", changed(key=b"", value=b"")
    yield "a query", changed(value=wire.query("good.state.test"))
    yield "cut", changed(value=good.value[:-20])
    yield "more behind it", changed(value=good.value + b"\0")
    yield "truncated", changed(value=good.value[:2] + bytes([good.value[2] | 2]) + good.value[3:])
    yield "a failure", changed(value=good.value[:3] + bytes([good.value[3] | 2]) + good.value[4:])
    yield "from the future", changed(first=good.first + YEAR * 10 ** 9, second=good.second + YEAR * 10 ** 9)
    yield "ends before it begins", changed(second=good.first - 1)
    yield "times that wrap", changed(first=0, second=2 ** 64 - 1)
    yield "a name's key as a cookie's", Record(state_file.COOKIE_KEY, good.key, b"x" * 65535)
    yield "a name with a wild count", Record(state_file.NAME, good.key, first=2 ** 63)
    yield "a name that is none", Record(state_file.NAME, b"\xc0\x0c\0\1\1", first=9)


@pytest.mark.parametrize("record", [pytest.param(record, id=name) for name, record in wrong_records()])
def test_a_wrong_record_is_left_out_and_its_neighbours_are_not(start, directory, origin, record):
    neighbours = [state_file.address_record(f"neighbour-{i}.state.test", KEPT) for i in range(2)]
    Snapshot(origin, [neighbours[0], record, neighbours[1]]).write(directory / "snapshot")
    with start() as proxy:
        start.wait_loaded(proxy)
        assert Figures(proxy).sum("state_loaded_entries_total") == 2
        assert addresses_of(ask(proxy.port, "good.state.test")) != [KEPT]
        assert addresses_of(ask(proxy.port, "neighbour-1.state.test")) == [KEPT]


# ---- what happens to the file ----

def test_a_file_cut_at_every_4_kb(start, directory, origin):
    data = Snapshot(origin, numbered(900)).dump()
    for size in range(0, len(data), 4096):
        directory.mkdir(exist_ok=True)
        (directory / "snapshot").write_bytes(data[:size])
        (directory / "snapshot").chmod(0o600)
        with start() as proxy:
            start.wait_loaded(proxy)
            assert len(said(proxy)) == 1 and ("damaged=1" in said(proxy)[0] or size == 0), said(proxy)
            kept = assert_right(proxy, 900, 31)
            assert size < 5000 or kept > 0


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits(start, directory, origin, seed):
    chance = random.Random(seed)
    data = bytearray(Snapshot(origin, numbered(600)).dump())
    for _ in range(1 + 3 ** (seed % 6)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    (directory / "snapshot").write_bytes(data)
    (directory / "snapshot").chmod(0o600)
    with start() as proxy:
        start.wait_loaded(proxy)
        assert len(said(proxy)) == 1, said(proxy)
        kept = assert_right(proxy, 600)
        assert kept >= 300 or "state ignored" in said(proxy)[0]


def empty(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(bytes(random.Random(1).randrange(256) for _ in range(10000)))


def a_directory(path):
    path.mkdir()
    (path / "inside").write_text("x")


def a_link(path):
    path.symlink_to("/etc/passwd")


def a_link_to_a_snapshot(path):
    other = path.parent.parent / "elsewhere"
    path.rename(other)
    path.symlink_to(other)


def a_fifo(path):
    os.mkfifo(path)


def a_socket(path):
    os.mknod(path, 0o140600)


def another_users(path):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, 12345, 12345)


def writable_by_all(path):
    path.chmod(0o666)


@pytest.mark.parametrize("replace", [empty, noise, a_directory, a_link, a_fifo, a_socket])
@pytest.mark.parametrize("ends_well", [True, False])
def test_what_is_no_snapshot_is_said_once_and_replaced_where_that_can_be(start, directory, replace, ends_well):
    with start():
        pass
    (directory / "snapshot").unlink()
    replace(directory / "snapshot")
    proxy = start()
    start.wait_loaded(proxy)
    assert wire.rcode_of(ask(proxy.port, "runs.state.test")) == wire.NOERROR
    assert [line for line in said(proxy) if "state ignored" in line] == said(proxy) and len(said(proxy)) == 1
    if not ends_well:
        proxy.kill()
        return
    proxy.finish()
    if replace is a_directory:
        assert "state not saved" in said(proxy)[1]
    else:
        assert Snapshot.load(directory / "snapshot").names() == ["runs.state.test"]


@pytest.mark.parametrize("change", [another_users, writable_by_all, a_link_to_a_snapshot])
def test_a_snapshot_that_others_may_have_written_is_not_read(start, directory, origin, change):
    Snapshot(origin, [state_file.address_record("foreign.state.test", KEPT)]).write(directory / "snapshot")
    change(directory / "snapshot")
    with start() as proxy:
        start.wait_loaded(proxy)
        assert len(said(proxy)) == 1 and "state ignored" in said(proxy)[0], said(proxy)
        assert addresses_of(ask(proxy.port, "foreign.state.test")) != [KEPT]


# ---- what happens to the directory ----

def runs_and_counts_failures(proxy):
    """It answers, and says once that nothing can be saved, though it tries again and again."""
    wait_for(lambda: Figures(proxy).sum("state_saves_total", result="failed") >= 3, "three failures", 20.0)
    assert wire.rcode_of(ask(proxy.port, "goes-on.state.test")) == wire.NOERROR
    assert len(said(proxy)) == 1 and "state not saved" in said(proxy)[0], said(proxy)


OFTEN = {"state": {"save_interval": "1s"}}


def test_a_file_in_place_of_the_directory(start, directory):
    directory.write_text("not a directory")
    with start(OFTEN) as proxy:
        runs_and_counts_failures(proxy)


def test_a_directory_that_cannot_be_made(start):
    with start({"state": {"directory": "/proc/nowhere/state", "save_interval": "1s"}}) as proxy:
        runs_and_counts_failures(proxy)


def test_a_directory_that_goes_away_and_comes_back(start, directory):
    """Without the sandbox, which gives no access to another directory of that name until the next start."""
    with start({**OFTEN, "sandbox": "off"}) as proxy:
        ask(proxy.port, "back.state.test")
        wait_for((directory / "snapshot").exists, "a snapshot")
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
        directory.write_text("in its place")
        wait_for(lambda: said(proxy), "a word about it")
        directory.unlink()
        wait_for((directory / "snapshot").exists, "a snapshot again")
        proxy.wait_log("state saved again")
        assert len(said(proxy)) == 2


def test_files_that_may_not_grow(start, directory, origin):
    """As on a full disk: the former snapshot stays, nothing unfinished is left."""
    Snapshot(origin, numbered(3000)).write(directory / "snapshot")
    before = (directory / "snapshot").read_bytes()
    with start() as proxy:
        start.wait_loaded(proxy)
        _, hard = resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (65536, hard))
        proxy.reload(OFTEN)
        wait_for(lambda: Figures(proxy).sum("state_saves_total", result="failed") >= 3, "three failures", 20.0)
        assert ["state not saved" in line for line in said(proxy)] == [False, True], said(proxy)
        assert assert_right(proxy, 3000, 101) > 0
        assert (directory / "snapshot").read_bytes() == before
        resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (hard, hard))
        proxy.wait_log("state saved again")


@contextlib.contextmanager
def mounted(directory, options):
    """A file system of its own; skips where that cannot be had."""
    directory.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def test_a_full_disk(start, directory, origin):
    data = Snapshot(origin, numbered(3000)).dump()
    with mounted(directory, "size=2m,mode=0700"):
        (directory / "snapshot").write_bytes(data)
        (directory / "snapshot").chmod(0o600)
        (directory / "filler").write_bytes(bytes((2 << 20) - len(data) - 65536))
        with start(OFTEN) as proxy:
            start.wait_loaded(proxy)
            wait_for(lambda: Figures(proxy).sum("state_saves_total", result="failed") >= 3, "three failures", 20.0)
            assert ["state not saved" in line for line in said(proxy)] == [False, True], said(proxy)
            assert (directory / "snapshot").read_bytes() == data
            (directory / "filler").unlink()
            proxy.wait_log("state saved again")
            assert assert_right(proxy, 3000, 101) > 0
        assert sorted(path.name for path in directory.iterdir()) == ["snapshot"]


def test_a_read_only_disk(start, directory, origin):
    with mounted(directory, "size=4m,mode=0700"):
        Snapshot(origin, numbered(100)).write(directory / "snapshot")
        subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
        with start(OFTEN) as proxy:
            wait_for(lambda: len(said(proxy)) == 2, "what was loaded, and that nothing is saved")
            wait_for(lambda: Figures(proxy).sum("state_saves_total", result="failed") >= 3, "three failures", 20.0)
            assert assert_right(proxy, 100) > 0
            assert len(said(proxy)) == 2, said(proxy)


# ---- an end in between ----

@pytest.mark.parametrize("seed", range(10))
def test_killed_while_it_saves(start, directory, origin, hostile, seed):
    """At any moment of a save: the former snapshot or the new one is there, whole."""
    count = 20000
    Snapshot(origin, numbered(count)).write(directory / "snapshot")
    proxy = start(OFTEN)
    start.wait_loaded(proxy)
    unfinished = directory / "snapshot.new"
    wait_for(unfinished.exists, "a save", 20.0)
    time.sleep(random.Random(seed).random() * 0.15)  # somewhere in it: no result depends on where
    os.kill(proxy.pid, signal.SIGKILL)
    proxy.wait_exit(10.0)
    assert len(set(Snapshot.load(directory / "snapshot").names())) == count
    hostile.forget()
    with start() as second:
        line = start.wait_loaded(second)
        assert "state loaded" in line and "damaged=0" in line and "complete=yes" in line
        assert assert_right(second, count, 997) == len(range(0, count, 997))
        assert not unfinished.exists()
        assert asked(hostile, "state.test") == 0
