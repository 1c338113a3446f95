"""A store that says anything at all: no query fails, no answer is wrong, and what an instance reads and keeps of it is
bounded.
"""
import itertools

import pytest
import wire
from dnsclient import Client
from figures import Figures
from hostile_store import WRONG, start_hostile_store
from process import wait_for
from proxy import is_sanitized
from shared_store import Fleet, late, results_of, wait_in_use
from state_file import KEPT, addresses_of, ask_all, asked
from store_entry import address_entry, digest_of, key_of
from tcp_server import start_tcp_server

FRESH = b"\xc0\x00\x02\x01"  # what the upstream says of every name
OF_ROUTE = b"\xc0\x00\x02\x50"  # what the server of a route says
OTHER_SECRET = b"z" * 32

#: Of a reply to GET: treatments after which the connection is of no use any more, errors, of which three in a row end
#: it, and the others.
ENDING = ["silent", "close", "reset", "cut", "random", "unknown", "twice", "unasked", "bad-end", "long", "endless-bulk",
          "endless-line", "endless-array", "nested", "error-" + "x" * 5000, *(f"wrong-{i}" for i in range(len(WRONG)))]
ERRORS = ["error-ERR no", "error-OOM command not allowed", "error-LOADING Redis is loading",
          "error-NOAUTH Authentication required.", "error-NOPERM no permissions", "error-"]
BEARABLE = ["bytewise", "previous", "none", "error-WRONGTYPE Operation against a key"]
ALL = ENDING + ERRORS + BEARABLE

SETTINGS = {"timeout": "50ms"}  # so that the machine's load makes none of the usual replies late


@pytest.fixture(scope="module", name="hostile_store")
def _hostile_store():
    with start_hostile_store() as store:
        yield store


@pytest.fixture(name="instance")
def _instance(tmp_path, pki, hostile, hostile_store):
    hostile_store.untell()
    hostile_store.forget()
    with Fleet(tmp_path, pki, hostile.port, hostile_store.port) as fleet:
        yield fleet.start(**SETTINGS)


def put_forged(store, names):
    """Answers that no client is to see: not signed by the fleet."""
    for name in names:
        value = address_entry(name, KEPT).dump(digest_of(name), OTHER_SECRET)
        store.put(key=key_of(name).hex(), value=value.hex())


def check_recovery(instance, store):
    """Entries that are right are used again."""
    store.untell()
    wait_in_use(instance, 20)
    numbers = itertools.count()

    def is_used():
        name = f"again-{next(numbers)}.hostile.test"
        store.put(key=key_of(name).hex(), value=address_entry(name, KEPT).dump(digest_of(name)).hex())
        return addresses_of(ask_all(instance, [name])[name]) == [KEPT]

    wait_for(is_used, "an entry of the store is used")


def check_answers(instance, names):
    for name, answer in ask_all(instance, names).items():
        assert addresses_of(answer) == [FRESH], name


@pytest.mark.parametrize("how", ALL, ids=lambda how: how[:20])
def test_replies_to_a_question(instance, hostile, hostile_store, how):
    names = [f"get-{i}.hostile.test" for i in range(30)]
    hostile.forget()
    put_forged(hostile_store, names)
    before = instance.own_bytes()
    hostile_store.tell(how=how, command="GET")
    check_answers(instance, names)
    assert asked(hostile, "hostile.test") >= len(names)
    if not is_sanitized():
        assert instance.own_bytes() < before + (8 << 20)
    check_recovery(instance, hostile_store)


@pytest.mark.parametrize("how", ALL, ids=lambda how: how[:20])
def test_replies_to_what_is_written(instance, hostile_store, how):
    hostile_store.tell(how=how, command="SET")
    check_answers(instance, [f"set-{i}.hostile.test" for i in range(30)])
    check_answers(instance, [f"more-{i}.hostile.test" for i in range(30)])
    check_recovery(instance, hostile_store)


@pytest.mark.parametrize("how", ["silent", "close", "reset", "random", "endless-line", "endless-array", "long",
                                 "error-WRONGPASS invalid username-password pair", "error-ERR AUTH", "wrong-1"])
def test_replies_to_a_password(tmp_path, pki, hostile, hostile_store, how):
    (tmp_path / "password").write_text("of-the-fleet\n")
    hostile_store.untell()
    hostile_store.tell(how=how, command="AUTH")
    with Fleet(tmp_path, pki, hostile.port, hostile_store.port) as fleet:
        instance = fleet.start(wait=False, password_file=str(tmp_path / "password"), **SETTINGS)
        check_answers(instance, [f"auth-{how[:9].strip()}-{i}.hostile.test".replace(" ", "") for i in range(10)])
        wait_for(lambda: Figures(instance).sum("shared_cache_failures_total") >= 1, "a failure is counted")
        assert Figures(instance).sum("shared_cache_written_total") == 0
        hostile_store.untell()
        wait_in_use(instance, 30)


def test_one_byte_at_a_time_is_a_reply_like_any_other(instance, hostile, hostile_store):
    names = [f"bytes-{i}.hostile.test" for i in range(20)]
    for name in names:
        hostile_store.put(key=key_of(name).hex(), value=address_entry(name, KEPT).dump(digest_of(name)).hex())
    hostile.forget()
    hostile_store.tell(how="bytewise")
    of_store = [name for name, answer in ask_all(instance, names).items() if addresses_of(answer) == [KEPT]]
    assert len(of_store) >= len(names) - late(instance) and asked(hostile, "bytes-") <= late(instance)


def test_a_reply_to_another_question_is_never_its_answer(instance, hostile_store):
    """Names with right entries, of which the store gives each one's to another."""
    names = [f"swapped-{i}.hostile.test" for i in range(20)]
    for name, other in zip(names, reversed(names)):
        hostile_store.put(key=key_of(name).hex(), value=address_entry(other, KEPT).dump(digest_of(other)).hex())
    check_answers(instance, names)
    assert set(results_of(instance)) - {"overtaken"} == {"forged"}


def test_a_slow_store_is_left_alone(instance, hostile, hostile_store):
    hostile_store.tell(how="slow-200")
    begin = Figures(instance).sum("shared_cache_asked_total")
    check_answers(instance, [f"slow-{i}.hostile.test" for i in range(100)])
    figures = Figures(instance)
    assert figures.sum("shared_cache_failures_total", reason="time_out") >= 1
    assert figures.sum("shared_cache_skipped_total", reason="unavailable") > 50
    assert figures.sum("shared_cache_asked_total") - begin < 50


def _with_route(server):
    return {"routes": [{"zones": ["corp.test"], "upstreams": [
        {"address": "127.0.0.1", "port": server.port, "transport": "tcp"}]}]}


@pytest.mark.parametrize("how", ["the route goes", "the store goes", "both go"])
def test_a_reload_while_questions_wait_for_the_store(tmp_path, pki, hostile, hostile_store, how):
    """They are answered as if there were no store: by the upstreams of when they were asked."""
    hostile_store.untell()
    with start_tcp_server("192.0.2.80") as server, Fleet(tmp_path, pki, hostile.port, hostile_store.port) as fleet:
        instance = fleet.start(_with_route(server), routes=True, timeout="1s")
        hostile_store.tell(how="silent", command="GET")
        names = [f"reloaded-{i}.{zone}" for i in range(5) for zone in ("corp.test", "hostile.test")]
        with Client(instance.port) as client:
            client.send(*[wire.query(name, number=i) for i, name in enumerate(names)])
            wait_for(lambda: Figures(instance).sum("shared_cache_asked_total") >= len(names), "all were asked")
            changes = {} if how == "the store goes" else {"routes": []}
            if how != "the route goes":
                changes["shared_cache"] = {"address": "", "secret_file": ""}
            instance.reload(changes)
            answers = {wire.number_of(answer): answer for answer in (client.receive() for _ in names)}
        for i, name in enumerate(names):
            wanted = OF_ROUTE if "corp" in name else FRESH
            assert addresses_of(answers[i]) == [wanted], name


def test_connections_are_few_however_often_they_end(instance, hostile_store):
    """Jittered pauses that double: not one connection for each question."""
    hostile_store.tell(how="close", command="GET")
    before = hostile_store.stats()["connections"]
    check_answers(instance, [f"often-{i}.hostile.test" for i in range(300)])
    assert hostile_store.stats()["connections"] - before < 20
    assert hostile_store.stats()["open"] <= 1


def test_what_is_endless_is_not_read_for_long(instance, hostile_store):
    for how in ("endless-bulk", "endless-line", "endless-array", "nested"):
        hostile_store.tell(how=how, command="GET")
        check_answers(instance, [f"{how}-{i}.hostile.test".replace("-", "") for i in range(3)])
        wait_for(lambda: hostile_store.stats()["open"] == 0, "the connection is closed")
        hostile_store.untell()
        wait_in_use(instance, 20)
    assert wire.rcode_of(ask_all(instance, ["end.hostile.test"])["end.hostile.test"]) == wire.NOERROR
