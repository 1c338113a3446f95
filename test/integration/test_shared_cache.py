"""A fleet's shared cache: what one instance asked, the others find in the store, and nothing else than that."""
import random
import re
import time

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, Since, post
from pki import OTHER_NAME, SERVER_NAME
from process import wait_for
from shared_store import (IN_USE, LEAST_RIGHTS, NONE, Fleet, SharedStore, late, results_of, secret_file,
                          shared_cache, state_of, wait_in_use)
from state_file import KEPT, addresses_of, ask_all, asked, ttl_of
from store_entry import Entry, address_entry, digest_of, is_signed, key_of
from tcp_server import start_tcp_server
from udpclient import ask_udp

FRESH = b"\xc0\x00\x02\x01"  # what the upstream says of every name


def entries(store):
    """Keys of answers in the store."""
    return [key for key in store.keys() if re.fullmatch(rb"\w+:[0-9a-f]{32}", key)]


def values(store):
    """Of all answers that are in the store still."""
    keys = entries(store)
    with store.client() as client:
        return [value for value in client.call_all([("GET", key) for key in keys]) if value is not None]


def wait_entries(store, count):
    """Answers are written beside the replies to clients."""
    wait_for(lambda: len(entries(store)) == count, f"{count} answers in the store")


def put(store, name, entry, **question):
    """As another instance of the fleet would have written it."""
    with store.client() as client:
        client.call("SET", key_of(name, **question), entry.dump(digest_of(name, **question)))


def ask_stored(instance, store, **entry):
    """The answer to a question that the store has an answer to, and the name. On a busy machine the store may be late;
    then another name is tried.
    """
    for number in range(20):
        name = f"stored-{number}.fleet.test"
        put(store, name, address_entry(name, KEPT, **entry))
        answer = ask(instance.port, name)
        if addresses_of(answer) == [KEPT]:
            return answer, name
        assert late(instance) > number, "not late, and yet not used"
    raise AssertionError("the store is always late")


# ---- what is shared ----

@pytest.mark.parametrize("shared_store", ["redis", "valkey"], indirect=True)
def test_a_name_asked_at_one_instance_is_found_by_the_others(fleet, shared_store, hostile):
    names = [f"one-{i}.fleet.test" for i in range(40)]
    first, *others = fleet.start_all(3)
    before = ask_all(first, names)
    wait_entries(shared_store, len(names))
    hostile.forget()
    for instance in others:
        since = Since(instance)
        after = ask_all(instance, names)
        assert {name: wire.content(answer) for name, answer in after.items()} == \
            {name: wire.content(answer) for name, answer in before.items()}
        assert results_of(instance)["hit"] >= len(names) - late(instance)
        assert since.answered("shared_cache") == results_of(instance)["hit"]
        ask_all(instance, names)  # and from its own cache from now on
        assert Figures(instance).sum("shared_cache_asked_total") == len(names)
    assert asked(hostile, "fleet.test") <= late(*others)


@pytest.mark.parametrize("shared_store", ["redis", "valkey"], indirect=True)
def test_three_instances_ask_about_as_much_as_one(fleet, hostile, shared_store):
    """Questions of a fleet: some names often, most of them seldom, at any instance; so many at a time."""
    chance, count, batch = random.Random(1), 3000, 20
    names = [f"n{min(int(chance.paretovariate(0.7)), 20000)}.fleet.test" for _ in range(count)]
    instances = fleet.start_all(3)
    turns = [chance.randrange(3) for _ in names]
    hostile.forget()
    clients = [Client(instance.port) for instance in instances]
    for at in range(0, count, batch):
        now = list(zip(turns[at:at + batch], names[at:at + batch]))
        for turn, name in now:
            clients[turn].send(wire.query(name))
        for turn, _ in now:
            assert wire.rcode_of(clients[turn].receive()) == wire.NOERROR
    for client in clients:
        client.close()
    of_one, of_three_alone = len(set(names)), len(set(zip(turns, names)))
    print(f"{count} queries for {of_one} names: upstream asked {asked(hostile, 'fleet.test')} times, "
          f"{late(*instances):g} of these since the store was late; without a store: {of_three_alone} times")
    assert of_three_alone > 1.3 * of_one
    assert asked(hostile, "fleet.test") <= 1.1 * of_one + late(*instances)


@pytest.mark.parametrize("name, qtype, rcode", [
    ("nx-shared.fleet.test", "A", wire.NXDOMAIN), ("shared.fleet.test", "MX", wire.NOERROR),
    ("shared.fleet.test", "TXT", wire.NOERROR), ("shared.fleet.test", "AAAA", wire.NOERROR),
    ("big-4096-shared.fleet.test", "TXT", wire.NOERROR), ("huge-shared.fleet.test", "TXT", wire.NOERROR),
    ("big-60000-shared.fleet.test", "TXT", wire.NOERROR), ("big-256-shared.fleet.test", "A", wire.NOERROR)])
def test_every_answer_that_may_be_kept_is_shared(fleet, shared_store, hostile, name, qtype, rcode):
    first, second = fleet.start_all(2)
    before = ask(first.port, name, qtype)
    assert wire.rcode_of(before) == rcode
    wait_entries(shared_store, 1)
    hostile.forget()
    assert wire.content(ask(second.port, name, qtype)) == wire.content(before)
    assert asked(hostile, "fleet.test") <= late(second)


@pytest.mark.parametrize("name", ["servfail-x.fleet.test", "refused-x.fleet.test", "ttl-0-x.fleet.test",
                                  "wrongq-x.fleet.test", "broken-x.fleet.test"])
def test_what_may_not_be_kept_is_not_shared(fleet, shared_store, name):
    instance = fleet.start()
    ask(instance.port, name)
    ask(instance.port, "last.fleet.test")  # what is written is written in order
    wait_for(lambda: key_of("last.fleet.test") in entries(shared_store), "the last one in the store")
    assert {value for value in values(shared_store) if FRESH not in value} <= {b""}, "what ends an older answer"
    wait_entries(shared_store, 1)


def test_questions_with_other_flags_are_others(fleet, shared_store, hostile):
    questions = [wire.query("flags.fleet.test", flags=flags, additional=(wire.opt(flags=do),))
                 for flags in (0, wire.RD, wire.RD | wire.CD, wire.RD | wire.AD) for do in (0, wire.DO)]
    first, second = fleet.start_all(2)
    with Client(first.port) as client:
        before = [client.ask(question) for question in questions]
    wait_entries(shared_store, len(questions))
    hostile.forget()
    with Client(second.port) as client:
        assert [wire.content(client.ask(question)) for question in questions] == list(map(wire.content, before))
    assert asked(hostile, "flags.fleet.test") <= late(second)


def test_over_udp_and_for_any_spelling_of_the_name(fleet, shared_store, hostile):
    first, second = fleet.start_all(2)
    ask_udp(first.port, "udp.fleet.test")
    wait_entries(shared_store, 1)
    hostile.forget()
    answer = ask_udp(second.port, "UDP.Fleet.TEST")
    assert addresses_of(answer) == [FRESH] and wire.name_from_wire(answer) == "UDP.Fleet.TEST"
    assert asked(hostile, "udp.fleet.test") <= late(second)


def test_identical_questions_ask_the_store_once(fleet, hostile):
    instance = fleet.start()
    with Client(instance.port) as client:
        client.send(*[wire.query("merged.fleet.test", number=i) for i in range(50)])
        assert {wire.number_of(client.receive()) for _ in range(50)} == set(range(50))
    assert Figures(instance).sum("shared_cache_asked_total") == 1
    assert asked(hostile, "merged.fleet.test") == 1


def test_a_restart_of_all_instances_finds_a_filled_store(fleet, shared_store, hostile):
    names = [f"again-{i}.fleet.test" for i in range(300)]
    for instance in fleet.start_all(3):
        ask_all(instance, names)
        instance.finish()
    wait_entries(shared_store, len(names))
    before = asked(hostile, "again-")
    hostile.forget()
    instances = fleet.start_all(3)
    for instance in instances:
        ask_all(instance, names)
    assert before >= len(names) and asked(hostile, "again-") <= late(*instances)


# ---- time ----

def test_ttls_go_on_falling(fleet, shared_store):
    answer, _ = ask_stored(fleet.start(), shared_store, ttl=300, age=100)
    assert 195 <= ttl_of(answer) <= 200


def test_an_instance_keeps_it_for_the_rest_of_its_time_alone(fleet, shared_store, hostile):
    instance = fleet.start()
    answer, name = ask_stored(instance, shared_store, ttl=300, age=297)
    assert ttl_of(answer) <= 3
    wait_for(lambda: addresses_of(ask(instance.port, name)) == [FRESH], "the upstream's answer", 6)
    assert asked(hostile, name) >= 1


def test_an_entry_is_forgotten_by_the_store_with_its_end(fleet, shared_store):
    instance = fleet.start()
    ask(instance.port, "ttl-30-px.fleet.test")
    wait_entries(shared_store, 1)
    key = key_of("ttl-30-px.fleet.test")
    with shared_store.client() as client:
        assert 20_000 < client.call("PTTL", key) <= 30_000
        value = client.call("GET", key)
    entry = Entry.load(value)
    assert is_signed(value, digest_of("ttl-30-px.fleet.test"))
    assert entry.expires - entry.stored == 30_000 and abs(entry.stored / 1000 - time.time()) < 20


# ---- what is kept apart ----

def test_keys_show_no_names(fleet, shared_store):
    instance = fleet.start()
    ask_all(instance, [f"secret-name-{i}.fleet.test" for i in range(5)])
    wait_entries(shared_store, 5)
    assert all(re.fullmatch(rb"dtp:(r?[0-9a-f]{32}|probe)", key) for key in shared_store.keys()), shared_store.keys()


@pytest.mark.parametrize("apart", ["prefix", "secret", "none", "upstream"])
def test_fleets_of_one_store_do_not_see_each_other(tmp_path, pki, fleet, shared_store, hostile, apart):
    first = fleet.start()
    ask(first.port, "apart.fleet.test")
    wait_entries(shared_store, 1)
    changes = {"prefix": {"prefix": "other:"}, "none": {"secret_file": "none"},
               "secret": {"secret_file": secret_file(tmp_path, b"x" * 32, "other.secret")}, "upstream": {}}[apart]
    of_other = {"upstreams": [{"address": "127.0.0.1", "port": hostile.port, "name": OTHER_NAME}]}
    second = fleet.start(of_other if apart == "upstream" else {}, **changes)
    hostile.forget()
    ask(second.port, "apart.fleet.test")
    assert asked(hostile, "apart.fleet.test") == 1
    assert "hit" not in results_of(second)
    wait_entries(shared_store, 2)


@pytest.mark.parametrize("routes", [False, True])
def test_answers_of_routes_are_shared_where_that_is_configured(fleet, shared_store, routes):
    with start_tcp_server("192.0.2.80") as server:
        config = {"routes": [{"zones": ["corp.test"], "upstreams": [
            {"address": "127.0.0.1", "port": server.port, "transport": "tcp"}]}]}
        first, second = (fleet.start(config, routes=routes) for _ in range(2))
        ask(first.port, "www.corp.test")
        ask(first.port, "last.fleet.test")
        wait_entries(shared_store, 2 if routes else 1)
        server.forget()
        assert addresses_of(ask(second.port, "www.corp.test")) == [b"\xc0\x00\x02\x50"]
        assert len(server.queries()) <= late(second) if routes else server.queries() == {"www.corp.test": 1}
        assert Figures(second).sum("shared_cache_asked_total") == int(routes)


def test_a_route_of_another_server_is_another_question(fleet, shared_store):
    with start_tcp_server("192.0.2.80") as one, start_tcp_server("192.0.2.81") as other:
        first, second = (fleet.start({"routes": [{"zones": ["corp.test"], "upstreams": [
            {"address": "127.0.0.1", "port": server.port, "transport": "tcp"}]}]}, routes=True)
            for server in (one, other))
        ask(first.port, "www.corp.test")
        wait_entries(shared_store, 1)
        assert addresses_of(ask(second.port, "www.corp.test")) == [b"\xc0\x00\x02\x51"]


def test_local_names_do_not_go_to_the_store(fleet):
    instance = fleet.start({"names": {"special_use": "local", "records": ["nas.home.arpa 300 IN A 192.0.2.5"]}})
    for name in ("nas.home.arpa", "localhost", "x.invalid"):
        ask(instance.port, name)
    assert Figures(instance).sum("shared_cache_asked_total") == 0


# ---- purge ----

def test_a_purged_answer_does_not_come_back_from_the_store(fleet, shared_store, hostile):
    instance = fleet.start()
    ask_all(instance, ["gone.fleet.test", "stays.fleet.test"])
    wait_entries(shared_store, 2)
    put(shared_store, "gone.fleet.test", address_entry("gone.fleet.test", KEPT, age=10))
    post(instance, "/cache/purge?name=gone.fleet.test")
    hostile.forget()
    assert addresses_of(ask(instance.port, "gone.fleet.test")) == [FRESH]
    assert asked(hostile, "gone.fleet.test") == 1
    assert Figures(instance).sum("shared_cache_rejected_entries_total", reason="purged") == 1
    def stored():
        with shared_store.client() as client:
            return Entry.load(client.call("GET", key_of("gone.fleet.test"))).message
    wait_for(lambda: FRESH in stored() and KEPT not in stored(), "the new answer is in the store")


# ---- access to the store ----

def test_a_user_with_the_least_rights_is_enough(tmp_path, pki, hostile):
    (tmp_path / "password").write_text("of-the-fleet\n")
    with SharedStore(tmp_path, users={"fleet": ("of-the-fleet", LEAST_RIGHTS)}) as store:
        with Fleet(tmp_path, pki, hostile.port, store.port) as fleet:
            first, second = fleet.start_all(2, user="fleet", password_file=str(tmp_path / "password"))
            ask(first.port, "rights.fleet.test")
            wait_entries(store, 1)
            hostile.forget()
            ask(second.port, "rights.fleet.test")
            assert asked(hostile, "rights.fleet.test") <= late(second)
            for instance in fleet.instances:
                assert Figures(instance).sum("shared_cache_failures_total") == 0
        used = {name for name, count in store.calls().items() if count}
    assert used <= {"auth", "get", "set", "keys", "info"}, used  # the last two are this test's


def test_a_password_without_a_user(tmp_path, pki, hostile):
    (tmp_path / "password").write_text("of-all\n")
    with SharedStore(tmp_path, password="of-all") as store:
        with Fleet(tmp_path, pki, hostile.port, store.port) as fleet:
            ask(fleet.start(password_file=str(tmp_path / "password")).port, "password.fleet.test")
            wait_entries(store, 1)


def test_a_password_of_any_octets(tmp_path, pki, hostile):
    password = bytes(octet for octet in range(1, 256) if octet != ord("\n"))
    (tmp_path / "password").write_bytes(password + b"\n")
    with SharedStore(tmp_path) as store, Fleet(tmp_path, pki, hostile.port, store.port) as fleet:
        with store.client() as client:
            client.call("CONFIG", "SET", "requirepass", password)
            instance = fleet.start(password_file=str(tmp_path / "password"))
            ask(instance.port, "octets.fleet.test")
            wait_for(lambda: client.call("EXISTS", key_of("octets.fleet.test")) == 1, "the answer in the store")


def test_over_ipv6(tmp_path, pki, hostile):
    with SharedStore(tmp_path, host="::1") as store, Fleet(tmp_path, pki, hostile.port, store.port) as fleet:
        ask(fleet.start(address=f"[::1]:{store.port}").port, "six.fleet.test")
        wait_entries(store, 1)


@pytest.mark.parametrize("shared_store", ["redis", "valkey"], indirect=True)
def test_over_tls(tmp_path, pki, hostile, shared_store):
    kind = shared_store.name.partition("-")[0]
    with SharedStore(tmp_path, kind, pki=pki) as store, Fleet(tmp_path, pki, hostile.port, store.tls_port) as fleet:
        first, second = fleet.start_all(2, tls_name=SERVER_NAME)
        ask_all(first, [f"tls-{i}.fleet.test" for i in range(20)])
        wait_entries(store, 20)
        hostile.forget()
        ask_all(second, [f"tls-{i}.fleet.test" for i in range(20)])
        assert asked(hostile, "fleet.test") <= late(second)


@pytest.mark.parametrize("how", ["another name", "another authority"])
def test_a_store_that_cannot_prove_its_name_hears_nothing(tmp_path, pki, hostile, how):
    settings = {"another name": {"tls_name": "store.example"},
                "another authority": {"tls_name": SERVER_NAME, "ca_file": pki.other_ca_file}}[how]
    (tmp_path / "password").write_text("of-all\n")
    with SharedStore(tmp_path, pki=pki) as store, Fleet(tmp_path, pki, hostile.port, store.tls_port) as fleet:
        instance = fleet.start(wait=False, password_file=str(tmp_path / "password"), **settings)
        wait_for(lambda: Figures(instance).sum("shared_cache_failures_total", reason="certificate") >= 1, "a refusal")
        assert addresses_of(ask(instance.port, "tls-refused.fleet.test")) == [FRESH]
        instance.wait_log("shared cache unavailable")
        assert set(store.calls()) <= {"keys", "info"}


# ---- settings ----

def test_a_reload_gives_and_takes_the_store(tmp_path, fleet, shared_store):
    """The other one has the same port, since the sandbox grants the ports of the start."""
    instance = fleet.start()
    instance.reload({"shared_cache": {"address": "", "secret_file": ""}})
    wait_for(lambda: state_of(instance) == NONE and Figures(instance).sum("shared_cache_connections") == 0, "no store")
    ask(instance.port, "alone.fleet.test")
    with SharedStore(tmp_path, port=shared_store.port, host="127.0.0.2") as other:
        instance.reload(shared_cache(other.port, tmp_path, address=f"127.0.0.2:{other.port}"))
        wait_in_use(instance)
        ask(instance.port, "reloaded.fleet.test")
        wait_entries(other, 1)
        assert entries(other) == [key_of("reloaded.fleet.test")] and not entries(shared_store)
        instance.finish()


def test_without_a_secret_entries_are_not_signed_and_the_log_says_so(fleet, shared_store, hostile):
    first, second = fleet.start_all(2, secret_file="none")
    assert "shared cache is not signed" in first.log()
    ask(first.port, "unsigned.fleet.test")
    wait_entries(shared_store, 1)
    hostile.forget()
    ask(second.port, "unsigned.fleet.test")
    assert asked(hostile, "unsigned.fleet.test") <= late(second)


# ---- refreshes ----

def test_refreshes_of_top_names_are_shared_out(fleet, hostile):
    """Three instances are asked for the same names all the time; each name is refreshed for all of them by one."""
    names = [f"ttl-4-top{i}.fleet.test" for i in range(10)]
    instances = fleet.start_all(3)
    for instance in instances:
        for _ in range(4):
            ask_all(instance, names)
    hostile.forget()
    begin = time.monotonic()
    while time.monotonic() - begin < 13:
        for instance in instances:
            ask_all(instance, names)
        time.sleep(0.1)
    seconds = time.monotonic() - begin
    count, figures = asked(hostile, "fleet.test"), [Figures(instance) for instance in instances]
    refreshes = {result: sum(each.sum("shared_cache_refreshes_total", result=result) for each in figures)
                 for result in ("claimed", "found", "left")}
    print(f"{count} questions in {seconds:.0f} s, refreshes {refreshes}")
    of_one = len(names) * (seconds / 4 + 1) / 0.75  # refreshed a little before its end
    assert count <= 1.1 * of_one, f"one instance would have asked at most {of_one:.0f} times"
    assert refreshes["claimed"] > 0 and refreshes["found"] > 0
    assert IN_USE == min(state_of(instance) for instance in instances)
