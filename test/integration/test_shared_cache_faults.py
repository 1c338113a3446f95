"""The store stops, dies, fills up, gets slow, flaps, resets, changes its password or our rights, has a value of another
type, loses everything: no query fails, and the store is used again when it works again.

LONG=1 measures what clients wait: with each fault as long as without a store, within the time-out and 2 ms.
"""
import contextlib
import os
import signal
import statistics

import pytest
import wire
from figures import Figures
from load import Load
from process import wait_for
from relay import start_relay
from remote import Remote
from shared_store import Fleet, SharedStore, late, results_of, state_of, wait_in_use
from state_file import ask_all, asked
from store_entry import key_of

LONG = bool(os.environ.get("LONG"))

ZONE, COUNT = "faults.test", 600
RATE, SECONDS = (500, 10) if LONG else (200, 3)
TIMEOUT_MS, ROOM_MS = 5, 2

MILLION = 1_000_000

#: For the fault in which a million keys are removed.
OPTIONS = ["--enable-debug-command", "yes"]


class World:
    """A store with a relay in front of it, so that a fault is of the store or of the network."""

    def __init__(self, folder, kind):
        self.store = SharedStore(folder, kind, options=OPTIONS)
        self.relay = start_relay(self.store.port)

    def call(self, *command):
        with self.store.client() as client:
            return client.call(*command)

    def close(self):
        self.relay.stop()
        self.store.kill()


def stop(world):
    os.kill(world.store.pid, signal.SIGSTOP)


def go_on(world):
    os.kill(world.store.pid, signal.SIGCONT)


def kill(world):
    world.store.kill()


def come_back(world):
    world.store.come_back()


def fill(world):
    world.call("CONFIG", "SET", "maxmemory", 1)


def make_room(world):
    world.call("CONFIG", "SET", "maxmemory", 0)


def slow_down(world):
    world.relay.set_delay(seconds=0.025)  # each way


def speed_up(world):
    world.relay.set_delay(seconds=0)


def flap(world):
    world.relay.repeat_fault(kind="reset", every=0.3, refuse_for=0.3)


def reset(world):
    world.relay.repeat_fault(kind="reset", every=0.1)


def hang(world):
    world.relay.set_hang_new(hang=True)
    world.relay.hang_all()


def stop_hanging(world):
    world.relay.set_hang_new(hang=False)
    world.relay.close_all()


def refuse(world):
    world.relay.refuse()
    world.relay.close_all(reset=True)


def heal_network(world):
    world.relay.stop_fault()
    world.relay.accept()


def change_password(world):
    world.call("CONFIG", "SET", "requirepass", "another")
    world.relay.close_all()


def take_password_back(world):
    with world.store.client() as client:
        client.call("AUTH", "another")
        client.call("CONFIG", "SET", "requirepass", "")


def take_rights(world):
    world.call("ACL", "SETUSER", "default", "-get")


def give_rights_back(world):
    world.call("ACL", "SETUSER", "default", "+get")


def put_lists(world):
    """A value of another type at every key that is asked for."""
    with world.store.client() as client:
        for each in range(COUNT):
            for prefix in ("n", "k"):
                key = key_of(f"{prefix}{each}.{ZONE}")
                client.call_all([("DEL", key), ("LPUSH", key, "a", "b")])


def remove_lists(world):
    world.call("FLUSHALL")


def remove_a_million(world):
    world.call("DEBUG", "POPULATE", MILLION, "dtp:removed", 100)
    world.call("FLUSHALL", "SYNC")


def nothing(_):
    pass


#: name -> (the fault, its end, whether the store cannot be used meanwhile)
FAULTS = {
    "stopped": (stop, go_on, True), "killed": (kill, come_back, True), "full": (fill, make_room, False),
    "slow": (slow_down, speed_up, True), "flapping": (flap, heal_network, False),
    "resetting": (reset, heal_network, False), "hanging": (hang, stop_hanging, True),
    "refusing": (refuse, heal_network, True), "another password": (change_password, take_password_back, True),
    "other rights": (take_rights, give_rights_back, True), "another type": (put_lists, remove_lists, False),
    "a million keys removed": (remove_a_million, nothing, False),
}


@pytest.fixture(name="world", params=["redis", "valkey"] if LONG else ["redis"])
def _world(request, tmp_path):
    world = World(tmp_path, request.param)
    yield world
    world.close()


def begin_load(instance, names=COUNT):
    """Questions for names of which every second one was asked at another instance before."""
    load = Remote(Load, port=instance.port, zone=ZONE, prefixes=["n", "k"], names=names)
    return load, load.begin("run", seconds=SECONDS, rate=RATE, connections=10)


def check_report(report):
    assert report["lost"] == report["closed"] == report["unexpected"] == report["mismatched"] == 0, report
    assert report["rcodes"] == {str(wire.NOERROR): report["sent"]}, report
    assert report["sent"] > 0.5 * RATE * SECONDS, report


def share_names(world, instance):
    """Every second one is in the store, from that instance."""
    names = [f"k{i}.{ZONE}" for i in range(1, COUNT, 2)]
    ask_all(instance, names)
    wait_for(lambda: len(world.store.keys()) >= len(names), "the names in the store")


def check_sharing(first, second, hostile, when):
    """What one instance asks, the other finds."""
    def is_shared(tries=iter(range(1000))):
        name = f"{when}-{next(tries)}.{ZONE}"
        ask_all(first, [name])
        ask_all(second, [name])
        return asked(hostile, name) == 1

    wait_for(is_shared, f"{when} one instance finds what the other asked", 15)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_query_fails_and_the_store_is_used_again(tmp_path, pki, hostile, world, fault):
    hurt, heal, is_away = FAULTS[fault]
    with Fleet(tmp_path, pki, hostile.port, world.relay.port) as fleet:
        first, second = fleet.start_all(2)
        share_names(world, first)
        ask_all(second, [f"k1.{ZONE}"])
        assert results_of(second).get("hit") or Figures(second).sum("shared_cache_late_total")
        load, pending = begin_load(second)
        with contextlib.closing(contextlib.ExitStack()) as stack:
            stack.callback(load.stop)
            hurt(world)
            stack.callback(heal, world)
            if is_away:
                wait_for(lambda: state_of(second) not in (0, 4), "the instance leaves the store alone", SECONDS)
            check_report(pending.result())
        for instance in (first, second):
            wait_in_use(instance, 20)
        check_sharing(first, second, hostile, "afterwards")
        print(f"{fault}: {results_of(second)}")


@pytest.mark.parametrize("fault", ["killed", "stopped", "hanging", "another password"])
def test_an_instance_starts_without_its_store(tmp_path, pki, hostile, world, fault):
    hurt, heal, _ = FAULTS[fault]
    hurt(world)
    with Fleet(tmp_path, pki, hostile.port, world.relay.port) as fleet:
        instance, other = (fleet.start(wait=False) for _ in range(2))
        assert all(wire.rcode_of(answer) == wire.NOERROR
                   for answer in ask_all(instance, [f"without-{i}.{ZONE}" for i in range(20)]).values())
        instance.wait_log("shared cache unavailable")
        heal(world)
        for each in (instance, other):
            wait_in_use(each, 20)
        check_sharing(instance, other, hostile, "later")
        assert instance.log().count("shared cache unavailable") == 1


def test_the_log_has_one_line_where_it_begins_and_one_where_it_ends(tmp_path, pki, hostile, world):
    with Fleet(tmp_path, pki, hostile.port, world.relay.port) as fleet:
        instance = fleet.start({"workers": 4, "min_workers": 4})
        for _ in range(2):
            said = len(instance.log())
            kill(world)
            ask_all(instance, [f"logged-{i}.{ZONE}" for i in range(50)])
            instance.wait_log("shared cache unavailable", since=said)
            come_back(world)
            instance.wait_log("shared cache in use", 20, since=said)
            assert instance.log()[said:].count("shared cache unavailable") == 1


def test_a_full_store_is_read_and_what_it_does_not_take_is_counted(tmp_path, pki, hostile, world):
    with Fleet(tmp_path, pki, hostile.port, world.relay.port) as fleet:
        first, second = fleet.start_all(2)
        share_names(world, first)
        fill(world)
        ask_all(second, [f"k{i}.{ZONE}" for i in range(1, 101, 2)])
        ask_all(second, [f"more-{i}.{ZONE}" for i in range(50)])
        assert results_of(second)["hit"] >= 50 - late(second)
        wait_for(lambda: Figures(second).sum("shared_cache_dropped_total", reason="refused") > 40, "it is counted")
        assert state_of(second) == 4


def test_a_store_that_evicts_is_read_and_written(tmp_path, pki, hostile, world):
    """As the runbook configures it: a little memory, allkeys-lru."""
    world.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    world.call("CONFIG", "SET", "maxmemory", 4 << 20)
    with Fleet(tmp_path, pki, hostile.port, world.relay.port) as fleet:
        first, second = fleet.start_all(2)
        for at in range(0, 6000, 500):
            ask_all(first, [f"big-4096-{i}.{ZONE}" for i in range(at, at + 500)], "TXT")
        assert Figures(first).sum("shared_cache_dropped_total", reason="refused") == 0
        assert Figures(first).sum("shared_cache_written_total") > 2000
        with world.store.client() as client:
            assert b"evicted_keys:0\r" not in client.call("INFO", "stats")
        check_sharing(first, second, hostile, "evicting")


# ---- what clients wait, LONG=1

NO_STORE = {"shared_cache": {"address": "", "secret_file": ""}}


def p99_of(instance, zone):
    """Of names of which none was asked before."""
    with Remote(Load, port=instance.port, zone=zone) as load:
        report = load.run(seconds=SECONDS, rate=RATE, connections=10)
    check_report(report)
    return report["p50_ms"], report["p99_ms"]


@pytest.mark.skipif(not LONG, reason="LONG=1 measures")
@pytest.mark.parametrize("fault", FAULTS)
def test_clients_wait_at_most_the_time_out_longer(tmp_path, pki, hostile, world, fault):
    hurt, heal, _ = FAULTS[fault]
    with Fleet(tmp_path, pki, hostile.port, world.relay.port) as fleet:
        with_store, without = fleet.start(), fleet.start(NO_STORE, wait=False)
        _, before = p99_of(without, "without.test")
        hurt(world)
        try:
            _, p99 = p99_of(with_store, "with.test")
        finally:
            heal(world)
    print(f"p99 of misses with the store {fault}: {p99:.2f} ms, without a store {before:.2f} ms")
    assert p99 <= before + TIMEOUT_MS + ROOM_MS


@pytest.mark.skipif(not LONG, reason="LONG=1 measures")
def test_what_a_miss_costs_more(tmp_path, pki, hostile, world):
    """Rounds in turns; an instance asks the store directly, as it would."""
    with Fleet(tmp_path, pki, hostile.port, world.store.port) as fleet:
        instances = {"with": fleet.start(), "without": fleet.start(NO_STORE, wait=False)}
        found = {which: [] for which in instances}
        for number in range(5):
            for which, instance in instances.items():
                found[which].append(p99_of(instance, f"{which}{number}.test"))
    (with50, with99), (without50, without99) = ([statistics.median(values) for values in zip(*found[which])]
                                                for which in instances)
    print(f"a miss, medians of 5 rounds: p50 {with50:.3f} ms with a store, {without50:.3f} ms without; "
          f"p99 {with99:.3f} ms and {without99:.3f} ms")
    assert with50 - without50 < 0.3
