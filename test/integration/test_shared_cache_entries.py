"""What stands in the store is not trusted: an entry that was changed, moved, made by somebody else, is over, or is no
answer to its question, is not used, whoever signed it; the upstream is asked, and its answer takes the entry's place.
"""
import dataclasses
import random

import pytest
import wire
from figures import Figures
from hostile import response_to
from process import wait_for
from shared_store import late, results_of
from state_file import KEPT, addresses_of, ask_all, asked
from store_entry import MAC_SIZE, Entry, address_entry, digest_of, is_signed, key_of, now_ms

FRESH = b"\xc0\x00\x02\x01"  # what the upstream says of every name
OTHER_SECRET = b"y" * 32

#: The first labels of names for which an upstream's answer is none, or a failure; and the same as entries.
NO_ANSWERS = ["servfail", "refused", "wrongq", "wrongtype", "notreply", "broken", "garbage", "short", "noquestion",
              "trailing", "cutoff", "bare-0", "bare-3", "formerr", "notimp", "badvers", "echo", "ede-2-0"]


def right_value(name, **changes):
    return address_entry(name, KEPT, **changes).dump(digest_of(name))


def put(store, values):
    with store.client() as client:
        client.call_all([("SET", key_of(name), value) for name, value in values.items()])


def judged(instance):
    """Result -> how often, of what the store said in time. On a busy machine some answers of upstreams come first, and
    what the store says then is not looked at.
    """
    return {result: count for result, count in results_of(instance).items() if result != "overtaken"}


def check(fleet, shared_store, hostile, values, results, reason=None):
    """`values`: name -> what stands there. None of them is given to a client, each is one of `results`, and all become
    right ones.
    """
    instance = fleet.start()
    put(shared_store, values)
    hostile.forget()
    for name, answer in ask_all(instance, values).items():
        assert addresses_of(answer) == [FRESH], name
    assert asked(hostile, "entry.test") == len(values)
    found, figures = judged(instance), Figures(instance)
    assert set(found) == results and sum(found.values()) + figures.sum(
        "shared_cache_results_total", result="overtaken") == len(values), results_of(instance)
    if reason:
        assert figures.sum("shared_cache_rejected_entries_total", reason=reason) == found["rejected"]
    with shared_store.client() as client:
        def are_right():
            found = client.call_all([("GET", key_of(name)) for name in values])
            return all(value and is_signed(value, digest_of(name)) and FRESH in value and KEPT not in value
                       for name, value in zip(values, found))
        wait_for(are_right, "the upstream's answers in the store")


def test_the_entries_of_these_tests_are_right_ones(fleet, shared_store, hostile):
    """Else none of the tests below would show anything."""
    instance, names = fleet.start(), [f"right-{i}.entry.test" for i in range(20)]
    put(shared_store, {name: right_value(name) for name in names})
    of_store = [name for name, answer in ask_all(instance, names).items() if addresses_of(answer) == [KEPT]]
    assert len(of_store) >= len(names) - late(instance)
    assert asked(hostile, "entry.test") <= late(instance)


def test_a_flipped_bit_anywhere(fleet, shared_store, hostile):
    chance, values = random.Random(1), {}
    size = len(right_value("flip-0000.entry.test"))
    for at in range(size):
        value = bytearray(right_value(name := f"flip-{at:04}.entry.test"))
        value[at] ^= 1 << chance.randrange(8)
        values[name] = bytes(value)
    # Without its first octets it is no entry.
    check(fleet, shared_store, hostile, values, {"forged", "rejected"}, "format")


def test_a_cut_or_a_longer_entry(fleet, shared_store, hostile):
    size = len(right_value("part-0000.entry.test"))
    values = {name: right_value(name)[:at] for at in range(1, size) for name in [f"part-{at:04}.entry.test"]}
    values |= {name: right_value(name) + b"x" * more for more in (1, 32, 1000, 65000)
               for name in [f"longer-{more}.entry.test"]}
    instance = fleet.start()
    put(shared_store, values)
    for name, answer in ask_all(instance, values).items():
        assert addresses_of(answer) == [FRESH], name
    assert set(judged(instance)) == {"forged", "rejected"}


def test_noise(fleet, shared_store, hostile):
    chance = random.Random(2)
    values = {f"noise-{i}.entry.test": chance.randbytes(chance.choice((1, 4, 20, 51, 52, 64, 300, 5000)))
              for i in range(200)}
    check(fleet, shared_store, hostile, values, {"rejected"}, "format")


def test_an_entry_of_another_question(fleet, shared_store, hostile):
    """It is signed, but stands where it does not belong: the signature covers the question."""
    values = {f"moved-{i}.entry.test": right_value(f"moved-{i + 1}.entry.test") for i in range(20)}
    check(fleet, shared_store, hostile, values, {"forged"})


@pytest.mark.parametrize("question", [{"flags": 0}, {"flags": 3}, {"flags": 5}, {"flags": 9}, {"qtype": "AAAA"},
                                      {"origin": "other.example"}, {"secret": OTHER_SECRET}])
def test_an_entry_of_other_flags_another_type_or_fleet(fleet, shared_store, hostile, question):
    name = "apart.entry.test"
    secret = question.get("secret")
    value = address_entry(name, KEPT).dump(digest_of(name, **question), **({"secret": secret} if secret else {}))
    check(fleet, shared_store, hostile, {name: value}, {"forged"})


def test_a_replayed_entry_is_over(fleet, shared_store, hostile):
    ages = (300, 301, 3600, 86400, 10 * 365 * 86400)
    values = {name: right_value(name, age=age) for age in ages for name in [f"replayed-{age}.entry.test"]}
    check(fleet, shared_store, hostile, values, {"rejected"}, "expired")


def test_an_entry_of_the_future(fleet, shared_store, hostile):
    """By an instance whose clock is wrong, or by somebody who has the secret and wants it kept for ever."""
    values = {name: right_value(name, age=-ahead) for ahead in (10, 3600, 10 * 365 * 86400)
              for name in [f"ahead-{ahead}.entry.test"]}
    now = now_ms()
    for i, (stored, expires) in enumerate([(now, now + 10**12), (now, 2**63), (now, 2**64 - 1), (0, 2**64 - 1)]):
        name = f"far-{i}.entry.test"
        values[name] = dataclasses.replace(address_entry(name, KEPT), stored=stored, expires=expires).dump(
            digest_of(name))
    check(fleet, shared_store, hostile, values, {"rejected"}, "future")


def test_times_that_make_no_sense(fleet, shared_store, hostile):
    now, values = now_ms(), {}
    for i, (stored, expires) in enumerate([(0, 0), (now, 0), (now, now - 1), (2**63, 0), (2**64 - 1, 2**64 - 1)]):
        name = f"times-{i}.entry.test"
        values[name] = dataclasses.replace(address_entry(name, KEPT), stored=stored, expires=expires).dump(
            digest_of(name))
    check(fleet, shared_store, hostile, values, {"rejected"})


def test_signed_and_yet_no_answer(fleet, shared_store, hostile):
    """By an instance that was broken into: what would be refused of an upstream is refused of the store."""
    names = [f"right-{i}.entry.test" for i in range(len(NO_ANSWERS))]
    values = {}
    for name, how in zip(names, NO_ANSWERS):
        kind, _, rest = how.partition("-")
        message = response_to(wire.query(name, additional=(wire.opt(),)), kind, rest)
        values[name] = Entry(now_ms(), now_ms() + 300_000, message).dump(digest_of(name))
    results = {}
    instance = fleet.start()
    put(shared_store, values)
    for name, how in zip(names, NO_ANSWERS):
        before = judged(instance)
        assert addresses_of(ask_all(instance, [name])[name]) == [FRESH], how
        results[how] = {result for result, count in judged(instance).items() if count != before.get(result, 0)}
    assert all(result <= {"rejected"} for result in results.values()), results
    assert judged(instance)["rejected"] > len(names) // 2
    assert asked(hostile, "right-") >= len(names)


def test_of_many_changed_answers_none_is_used_that_an_upstream_could_not_have_given(fleet, shared_store):
    """Signed, each with some changed bytes: whatever is taken of them is a valid answer to the question."""
    chance, values = random.Random(3), {}
    for i in range(500):
        name = f"changed-{i:03}.entry.test"
        entry = address_entry(name, KEPT)
        message = bytearray(entry.message)
        for _ in range(chance.randrange(1, 4)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        values[name] = dataclasses.replace(entry, message=bytes(message)).dump(digest_of(name))
    instance = fleet.start()
    put(shared_store, values)
    for name, answer in ask_all(instance, values).items():
        assert wire.flags_of(answer) & wire.QR and wire.name_from_wire(answer) == name
        assert wire.rcode_of(answer) in (wire.NOERROR, wire.NXDOMAIN)
    print(f"500 changed answers: {results_of(instance)}")
    assert judged(instance)["rejected"] > 100


def test_forged_entries_are_counted_and_logged_once(fleet, shared_store):
    instance, names = fleet.start(), [f"logged-{i}.entry.test" for i in range(50)]
    put(shared_store, {name: right_value(name)[:-1] + b"\0" for name in names})
    ask_all(instance, names)
    instance.wait_log("shared cache has forged entries")
    assert instance.log().count("shared cache has forged entries") == 1
    assert "logged-" not in instance.log(), "no names at info"


def test_a_value_shorter_than_a_signature(fleet, shared_store, hostile):
    values = {f"tiny-{size}.entry.test": b"DTP\x01" + b"\0" * size for size in range(0, MAC_SIZE + 30)}
    instance = fleet.start()
    put(shared_store, values)
    for name, answer in ask_all(instance, values).items():
        assert addresses_of(answer) == [FRESH], name
    assert set(judged(instance)) == {"rejected", "forged"}
