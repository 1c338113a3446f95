"""What a restart keeps: answers, top names, the key of cookies; and what it must never bring back."""
import json
import signal
import stat
import time

import pytest
import state_file
import wire
from dnsclient import Client, ask
from figures import Figures, fetch, post, top_names
from process import wait_for
from state_file import KEPT, YEAR, Record, Snapshot, addresses_of, ask_all, asked, ttl_of
from udpclient import ask_udp, cookie_of, with_cookie


# ---- what is kept ----

def test_a_restart_keeps_answers_without_asking_again(start, hostile):
    names = [f"kept-{i}.state.test" for i in range(20)] + ["nx-kept.state.test", "big-1024-kept.state.test"]
    with start() as first:
        before = {**ask_all(first, names), "txt": ask(first.port, "kept-0.state.test", "TXT")}
    hostile.forget()
    with start() as second:
        start.wait_loaded(second)
        after = {**ask_all(second, names), "txt": ask(second.port, "kept-0.state.test", "TXT")}
        figures = Figures(second)
    assert {name: wire.content(answer) for name, answer in after.items()} == \
        {name: wire.content(answer) for name, answer in before.items()}
    assert asked(hostile, "state.test") == 0
    assert wire.rcode_of(after["nx-kept.state.test"]) == wire.NXDOMAIN
    assert figures.sum("state_loaded_entries_total") == len(names) + 1
    assert figures.sum("state_rejected_entries_total") == 0
    assert figures.sum("cache_hits_total") == len(names) + 1
    assert time.time() - 60 < figures.sum("state_snapshot_timestamp_seconds") <= time.time()


def test_the_files_are_the_owners_alone(start, directory):
    with start() as proxy:
        ask(proxy.port, "private.state.test")
    assert stat.S_IMODE((directory / "snapshot").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert [path.name for path in directory.iterdir()] == ["snapshot"]


def test_answers_keep_their_flags_and_errors_apart(start, hostile):
    """CD, AD and DO are questions of their own; an Extended DNS Error beside an answer comes back with it."""
    questions = [wire.query("flags.state.test", flags=flags, additional=(wire.opt(flags=do),))
                 for flags in (0, wire.RD, wire.RD | wire.CD, wire.RD | wire.AD) for do in (0, wire.DO)]
    with start() as first, Client(first.port) as client:
        before = [client.ask(question) for question in questions]
    hostile.forget()
    with start() as second:
        start.wait_loaded(second)
        with Client(second.port) as client:
            assert [wire.content(client.ask(question)) for question in questions] == list(map(wire.content, before))
    assert asked(hostile, "flags.state.test") == 0


def test_it_is_saved_while_it_runs_and_survives_a_kill(start, hostile, directory):
    proxy = start({"state": {"save_interval": "1s"}})
    ask(proxy.port, "saved.state.test")
    wait_for(lambda: (directory / "snapshot").exists() and "saved.state.test" in Snapshot.load(
        directory / "snapshot").names(), "a snapshot with the name")
    proxy.kill()
    hostile.forget()
    with start() as second:
        start.wait_loaded(second)
        ask(second.port, "saved.state.test")
    assert asked(hostile, "saved.state.test") == 0


def test_a_reload_changes_the_interval(start, directory):
    with start({"state": {"save_interval": "1h"}}) as proxy:
        ask(proxy.port, "later.state.test")
        assert not (directory / "snapshot").exists()
        proxy.reload({"state": {"save_interval": "1s"}})
        wait_for((directory / "snapshot").exists, "a snapshot")


def test_systemd_names_the_directory(start, directory, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", f"{directory}:/nonexistent")
    with start({"state": {"directory": ""}}) as proxy:
        ask(proxy.port, "systemd.state.test")
    assert Snapshot.load(directory / "snapshot").names() == ["systemd.state.test"]


def test_without_a_directory_nothing_is_kept(start, directory, monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    with start({"state": {"directory": ""}}) as proxy:
        assert Figures(proxy).sum("state_snapshot_timestamp_seconds") == 0
    assert not directory.exists()


def test_no_state_reads_and_writes_nothing(start, directory, hostile):
    with start() as first:
        ask(first.port, "unread.state.test")
    before = (directory / "snapshot").read_bytes()
    hostile.forget()
    with start(arguments=["--no-state"]) as second:
        ask(second.port, "unread.state.test")
        assert "event=\"state" not in second.log()
    assert asked(hostile, "unread.state.test") >= 1
    assert (directory / "snapshot").read_bytes() == before


def test_cookies_stay_valid(start):
    with start() as first:
        cookie = cookie_of(ask_udp(first.port, "cookie.state.test", additional=with_cookie(b"12345678")))
    with start() as second:
        answer = ask_udp(second.port, "cookie.state.test", additional=with_cookie(cookie))
        assert cookie_of(answer) == cookie
        assert Figures(second).sum("cookies_total", result="valid") == 1


# ---- time ----

def test_ttls_go_on_falling(start, directory):
    with start() as first:
        ask(first.port, "falling.state.test")
    snapshot = Snapshot.load(directory / "snapshot")
    snapshot.shift(100)
    snapshot.write(directory / "snapshot")
    with start() as second:
        start.wait_loaded(second)
        assert 195 <= ttl_of(ask(second.port, "falling.state.test")) <= 200


def test_an_answer_that_is_over_is_asked_again_and_stale_where_nobody_answers(start, directory, hostile):
    with start() as first:
        ask(first.port, "over.state.test")
    snapshot = Snapshot.load(directory / "snapshot")
    snapshot.shift(400)
    snapshot.write(directory / "snapshot")
    hostile.forget()
    with start() as second:
        start.wait_loaded(second)
        ask(second.port, "over.state.test")
    assert asked(hostile, "over.state.test") >= 1
    snapshot.records[-1].key = state_file.key_of("servfail-over.state.test")
    snapshot.records[-1] = state_file.address_record("servfail-over.state.test", KEPT, age=400)
    snapshot.write(directory / "snapshot")
    with start() as third:
        start.wait_loaded(third)
        answer = ask(third.port, "servfail-over.state.test", additional=(wire.opt(),))
    assert addresses_of(answer) == [KEPT] and ttl_of(answer) == 30
    assert wire.error_of(answer)[0] == 3


@pytest.mark.parametrize("seconds, event", [(YEAR, "state loaded"), (-YEAR, "state ignored"), (-60, "state ignored")])
def test_a_wrong_clock_gives_no_wrong_answer(start, directory, origin, hostile, seconds, event):
    """The clock is ahead of the one that wrote it, by a year, or behind it."""
    snapshot = Snapshot(origin, [state_file.address_record(f"clock-{i}.state.test", KEPT) for i in range(50)])
    snapshot.shift(seconds)
    snapshot.write(directory / "snapshot")
    with start() as proxy:
        start.wait_loaded(proxy)
        said = [line for line in proxy.log().splitlines() if "event=\"state " in line]
        assert len(said) == 1 and event in said[0], said
        for answer in ask_all(proxy, [f"clock-{i}.state.test" for i in range(50)]).values():
            assert addresses_of(answer) != [KEPT]
        assert Figures(proxy).sum("state_loaded_entries_total") == 0


def test_smaller_settings_count_for_what_is_loaded(start, directory, origin):
    record = state_file.address_record("long.state.test", KEPT, ttl=3000)
    Snapshot(origin, [record]).write(directory / "snapshot")
    with start({"cache": {"max_ttl": "100s"}}) as proxy:
        start.wait_loaded(proxy)
        answer = ask(proxy.port, "long.state.test")
        assert addresses_of(answer) == [KEPT] and ttl_of(answer) <= 100


# ---- top names ----

def test_top_names_come_back_with_their_scores_and_are_asked_at_once_most_used_first(start, hostile, directory):
    counts = {f"ttl-300-top{i}.state.test": 3 + 4 * i for i in range(10)}
    with start() as first:
        for name, count in counts.items():
            for _ in range(count):
                ask(first.port, name)
        wait_for(lambda: top_names(first) == counts, "the top names")
    snapshot = Snapshot.load(directory / "snapshot")
    assert [record.first for record in snapshot.records if record.kind == state_file.NAME] == \
        sorted(counts.values(), reverse=True)
    snapshot.shift(400)  # their answers are over; nobody asks for them
    snapshot.saved_ns += 400 * state_file.SECOND
    snapshot.write(directory / "snapshot")
    hostile.forget()
    with start({"workers": 1}) as second:
        start.wait_loaded(second)
        assert top_names(second) == counts
        wait_for(lambda: len(hostile.queries(containing="-top")) == len(counts), "all are asked")
        order = list(hostile.queries(containing="-top"))
        assert order == sorted(counts, key=counts.get, reverse=True)
        wait_for(lambda: Figures(second).sum("prefetch_total", result="refreshed") >= len(counts), "and answered")
        hostile.forget()
        ask_all(second, counts)
        assert not hostile.queries(containing="-top")


def test_counts_fall_while_the_program_does_not_run(start, directory, origin):
    records = [Record(state_file.NAME, state_file.key_of(f"old{i}.state.test"), first=count)
               for i, count in enumerate((80, 8, 4))]
    snapshot = Snapshot(origin, records, saved_ns=time.time_ns() - 20 * 60 * state_file.SECOND)
    snapshot.write(directory / "snapshot")
    with start({"prefetch": {"half_life": "10m"}}) as proxy:
        start.wait_loaded(proxy)
        assert top_names(proxy) == {"old0.state.test": 20, "old1.state.test": 2}


# ---- bounds ----

def test_loading_evicts_nothing_and_keeps_what_is_used_most(start, directory, origin):
    records = [state_file.address_record(f"bound-{i}.state.test", KEPT, is_used=i < 500) for i in range(20000)]
    Snapshot(origin, records).write(directory / "snapshot")
    with start({"cache": {"max_size": "512KiB"}}) as proxy:
        start.wait_loaded(proxy)
        figures = Figures(proxy)
        assert figures.sum("cache_evictions_total") == 0
        assert figures.sum("cache_bytes") <= 512 << 10
        assert figures.sum("state_rejected_entries_total", reason="no_room") >= 1000
        for answer in ask_all(proxy, [f"bound-{i}.state.test" for i in range(0, 500, 7)]).values():
            assert addresses_of(answer) == [KEPT]


# ---- purge ----

def test_a_purged_name_does_not_come_back_whatever_happens_next(start, hostile, directory):
    with start() as first:
        ask_all(first, ["gone.state.test", "stays.state.test"])
    second = start({"state": {"save_interval": "1h"}})
    start.wait_loaded(second)
    post(second, "/cache/purge?name=gone.state.test")
    assert not (directory / "snapshot").exists() and not (directory / "snapshot.new").exists()
    second.kill()
    hostile.forget()
    with start() as third:
        ask_all(third, ["gone.state.test"])
    assert asked(hostile, "gone.state.test") >= 1


def test_a_purge_is_followed_by_a_snapshot_without_the_name(start, directory):
    with start({"state": {"save_interval": "1h"}}) as proxy:
        ask_all(proxy, ["gone.state.test", "stays.state.test"])
        post(proxy, "/cache/purge?name=gone.state.test")
        wait_for((directory / "snapshot").exists, "a snapshot", 20.0)
        assert Snapshot.load(directory / "snapshot").names() == ["stays.state.test"]


def test_purging_all_empties_the_file(start, directory, hostile):
    with start() as first:
        ask_all(first, [f"all-{i}.state.test" for i in range(9)])
    second = start()
    start.wait_loaded(second)
    post(second, "/cache/purge")
    assert list(directory.iterdir()) == []
    second.kill()
    hostile.forget()
    with start() as third:
        ask(third.port, "all-3.state.test")
    assert asked(hostile, "all-3.state.test") >= 1


@pytest.mark.parametrize("query", ["", "?name=last.state.test"])
def test_a_purge_while_it_is_loaded_counts_for_what_is_not_loaded_yet(start, directory, origin, query):
    records = [state_file.address_record(f"{i}.state.test", KEPT) for i in range(150000)]
    Snapshot(origin, [*records, state_file.address_record("last.state.test", KEPT)]).write(directory / "snapshot")
    with start({"cache": {"max_size": "256MiB"}}) as proxy:
        post(proxy, f"/cache/purge{query}")
        start.wait_loaded(proxy)
        assert addresses_of(ask(proxy.port, "last.state.test")) != [KEPT]
        assert Figures(proxy).sum("state_rejected_entries_total", reason="purged") >= 1, "it was loaded before"


# ---- the end ----

def test_a_second_signal_ends_a_save(start, directory, origin):
    records = [state_file.address_record(f"{i}.state.test", KEPT) for i in range(150000)]
    Snapshot(origin, records).write(directory / "snapshot")
    proxy = start({"cache": {"max_size": "256MiB"}})
    start.wait_loaded(proxy)
    before = (directory / "snapshot").stat().st_ino
    proxy.child.send_signal(signal.SIGTERM)
    proxy.child.send_signal(signal.SIGINT)
    assert proxy.finish() < 5
    assert (directory / "snapshot").stat().st_ino == before or len(Snapshot.load(directory / "snapshot").records) > 0
    assert [path.name for path in directory.iterdir()] == ["snapshot"]


def test_a_stop_soon_after_the_start_loses_nothing(start, directory, origin):
    records = [state_file.address_record(f"{i}.state.test", KEPT) for i in range(100000)]
    Snapshot(origin, records).write(directory / "snapshot")
    start({"cache": {"max_size": "256MiB"}}).finish()
    assert len(set(Snapshot.load(directory / "snapshot").names())) == len(records)


def test_the_page_and_its_data_show_the_state(start):
    with start() as proxy:
        assert json.loads(fetch(proxy, "/status.json"))["state"]["snapshot_seconds_ago"] >= 0
    with start(arguments=["--no-state"]) as proxy:
        assert json.loads(fetch(proxy, "/status.json"))["state"] is None
