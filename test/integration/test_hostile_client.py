"""Clients that break the rules get a clear DNS error or a closed connection, and hurt nobody else."""
import random
import struct
import time

import pytest
import wire
from dnsclient import Client, ask
from proxy import Proxy, is_sanitized

SEED = 20240501
MUTATED = 10000
BATCH = 40


@pytest.fixture(autouse=True)
def _still_answers(proxy):
    """Whatever a test did, the next client is served."""
    yield
    assert wire.rcode_of(ask(proxy.port, "after-all.test")) == wire.NOERROR


def header(number=1, flags=wire.RD, counts=(1, 0, 0, 0)):
    return struct.pack("!6H", number, flags, *counts)


def question(name="q.test", kind=1, of_class=1):
    return wire.name_to_wire(name) + struct.pack("!HH", kind, of_class)


A_RECORD = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\xc0\x00\x02\x01"

NOTAUTH = 9


def tsig(of_class=255):
    data = wire.name_to_wire("hmac-sha256") + struct.pack("!HIHH", 0, 1700000000, 300, 32) + bytes(32)
    data += struct.pack("!HHH", 1, 0, 0)
    return wire.name_to_wire("key.test") + struct.pack("!HHIH", 250, of_class, 0, len(data)) + data


#: what is wrong -> (message, rcode)
ANSWERED = {
    "no question": (header(counts=(0, 0, 0, 0)), wire.FORMERR),
    "two questions": (header(counts=(2, 0, 0, 0)) + question() + question("r.test"), wire.FORMERR),
    "a question that is not there": (header(), wire.FORMERR),
    "a name cut": (header() + b"\x05abc", wire.FORMERR),
    "a question without its class": (header() + question()[:-2], wire.FORMERR),
    "a label of 64": (header() + b"\x40" + b"a" * 64 + b"\0\0\1\0\1", wire.FORMERR),
    "a name of 256": (header() + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", wire.FORMERR),
    "a pointer in the question": (header() + b"\xc0\x0c\0\1\0\1", wire.FORMERR),
    "a pointer to the end": (header() + b"\xff\xff\0\1\0\1", wire.FORMERR),
    "one byte behind the end": (header() + question() + b"\0", wire.FORMERR),
    "a query behind the end": (header() + question() + header() + question(), wire.FORMERR),
    "an OPT that is not there": (header(counts=(1, 0, 0, 1)) + question(), wire.FORMERR),
    "an OPT cut": (header(counts=(1, 0, 0, 1)) + question() + wire.opt()[:-1], wire.FORMERR),
    "two OPTs": (wire.query("q.test", additional=[wire.opt(), wire.opt()]), wire.FORMERR),
    "an OPT with a name": (header(counts=(1, 0, 0, 1)) + question() + b"\1x" + wire.opt(), wire.FORMERR),
    "an option that runs over": (wire.query("q.test", additional=[wire.opt(b"\0\x0a\0\xff")]), wire.FORMERR),
    "half an option": (wire.query("q.test", additional=[wire.opt(b"\0\x0a\0")]), wire.FORMERR),
    "opcode IQUERY": (header(flags=1 << 11) + question(), wire.NOTIMP),
    "opcode STATUS": (header(flags=2 << 11) + question(), wire.NOTIMP),
    "opcode NOTIFY": (header(flags=4 << 11) + question(), wire.NOTIMP),
    "opcode UPDATE": (header(flags=5 << 11) + question(kind=6), wire.NOTIMP),
    "opcode DSO": (header(flags=6 << 11, counts=(0, 0, 0, 0)), wire.NOTIMP),
    "opcode 15": (header(flags=15 << 11) + question(), wire.NOTIMP),
    "EDNS version 1": (wire.query("q.test", additional=[wire.opt(version=1)]), wire.BADVERS),
    "EDNS version 255": (wire.query("q.test", additional=[wire.opt(version=255)]), wire.BADVERS),
    "an answer that is not there": (header(counts=(1, 1, 0, 0)) + question(), wire.FORMERR),
    "an answer": (header(counts=(1, 1, 0, 0)) + question() + A_RECORD, wire.FORMERR),
    "type OPT": (wire.query("q.test", 41), wire.FORMERR),
    "type TSIG": (wire.query("q.test", 250), wire.FORMERR),
    "type 0": (wire.query("q.test", 0), wire.FORMERR),
    "a signature": (wire.query("q.test", additional=[tsig()]), NOTAUTH),
    "a signature behind OPT": (wire.query("q.test", additional=[wire.opt(), tsig()]), NOTAUTH),
    "a signature before OPT": (wire.query("q.test", additional=[tsig(), wire.opt()]), wire.FORMERR),
    "two signatures": (wire.query("q.test", additional=[tsig(), tsig()]), wire.FORMERR),
    "a signature of class IN": (wire.query("q.test", additional=[tsig(of_class=1)]), wire.FORMERR),
    "AXFR": (wire.query("q.test", "AXFR"), wire.REFUSED),
    "IXFR": (wire.query("q.test", "IXFR"), wire.REFUSED),
    "class CHAOS": (wire.query("version.bind", "TXT", qclass=3), wire.REFUSED),
    "class ANY": (wire.query("q.test", qclass=255), wire.REFUSED),
    "class NONE": (wire.query("q.test", qclass=254), wire.REFUSED),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_answered_with_an_error(proxy, case):
    message, rcode = ANSWERED[case]
    with Client(proxy.port) as client:
        client.send(message, wire.query("behind.test", number=2))
        answers = {wire.number_of(answer): answer for answer in (client.receive(), client.receive())}
    assert set(answers) == {1, 2}, "the connection goes on"
    assert wire.rcode_of(answers[1]) == rcode
    assert wire.flags_of(answers[1]) & wire.QR
    assert wire.flags_of(answers[1]) & 0x7800 == wire.flags_of(message) & 0x7800, "the opcode comes back"
    assert wire.rcode_of(answers[2]) == wire.NOERROR


#: what has no question that could be repeated, or is not to be read
HEADER_ALONE = ["no question", "two questions", "a question that is not there", "a name cut", "a label of 64",
                "a question without its class", "a name of 256", "a pointer in the question", "a pointer to the end",
                *(case for case in ANSWERED if case.startswith("opcode"))]


@pytest.mark.parametrize("case", HEADER_ALONE)
def test_an_error_without_a_sound_question_is_a_header(proxy, case):
    with Client(proxy.port) as client:
        answer = client.ask(ANSWERED[case][0])
    assert len(answer) == 12 and answer[4:] == bytes(8)


def test_bits_that_mean_nothing_in_a_query_are_ignored(proxy):
    """AA, TC, RA and Z, and an option that nobody knows."""
    for flags in (0x0400, 0x0200, 0x0080, 0x0040):
        answer = ask(proxy.port, "bits.test", flags=wire.RD | flags, additional=[wire.opt(wire.option(65001, b"?"))])
        assert wire.rcode_of(answer) == wire.NOERROR
        assert not wire.flags_of(answer) & 0x0640, "AA, TC and Z are ours to say"


def test_the_reply_to_a_signature_says_that_the_key_is_not_known(proxy):
    with Client(proxy.port) as client:
        answer = client.ask(wire.query("q.test", number=77, additional=[wire.opt(), tsig()]))
    (_, opt, *_), (start, kind, of_class, ttl, data, end) = wire.records(answer)
    assert (opt, kind, of_class, ttl, end) == (41, 250, 255, 0, len(answer)), "it is the last record"
    assert answer[start:].startswith(wire.name_to_wire("key.test"))
    algorithm = wire.name_to_wire("hmac-sha256")
    assert answer[data:end].startswith(algorithm)
    high, low, fudge, mac, number, error, other = struct.unpack("!HIHHHHH", answer[data + len(algorithm):end])
    assert (high, low, fudge) == (0, 1700000000, 300)
    assert (mac, number, error, other) == (0, 77, 17, 0), "BADKEY, not signed"


@pytest.mark.parametrize("case", [case for case in ANSWERED if ANSWERED[case][1] in (wire.BADVERS, wire.REFUSED)])
def test_an_error_repeats_the_question(proxy, case):
    message, _ = ANSWERED[case]
    with Client(proxy.port) as client:
        answer = client.ask(message)
    end = wire.question_end(message)
    assert answer[12:end] == message[12:end] and answer[4:6] == b"\0\1"


def test_badvers_says_which_version_is_spoken(proxy):
    with Client(proxy.port) as client:
        answer = client.ask(wire.query("q.test", additional=[wire.opt(version=7)]))
    assert wire.opt_of(answer)[1] >> 16 & 0xFF == 0


@pytest.mark.parametrize("flags", [0, 0x8000], ids=["plain", "DO"])
def test_any_is_not_implemented_and_not_asked_upstream(proxy, hostile, flags):
    with Client(proxy.port) as client:
        answer = client.ask(wire.query("any-name.test", "ANY", additional=[wire.opt(flags=flags)]))
    assert wire.rcode_of(answer) == wire.NOTIMP and not wire.records(answer)[:-1]
    assert not hostile.queries(containing="any-name")


CLOSED = {
    "a response": wire.query("q.test", flags=wire.QR | wire.RD),
    "a whole response": header(flags=wire.QR | 0x180, counts=(1, 1, 0, 0)) + question() + A_RECORD,
    "no bytes": b"",
    "a byte": b"\0",
    "eleven bytes": header()[:11],
}


@pytest.mark.parametrize("case", CLOSED)
def test_closed_at_once(proxy, case):
    with Client(proxy.port) as client:
        client.send(CLOSED[case])
        assert client.is_closed_by_peer()


def test_answers_on_their_way_are_given_before_the_connection_closes(proxy):
    with Client(proxy.port) as client:
        client.send(wire.query("fine.test", number=5))
        assert wire.number_of(client.receive()) == 5
        client.send(CLOSED["a response"])
        assert client.is_closed_by_peer()


def test_records_where_none_belong(proxy):
    with Client(proxy.port) as client:
        for counts in ((1, 1, 0, 0), (1, 0, 1, 0)):
            answer = client.ask(header(counts=counts) + question() + A_RECORD)
            assert wire.rcode_of(answer) == wire.FORMERR


def test_a_name_of_255_bytes_is_still_fine(proxy):
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR


def test_names_of_odd_bytes_go_through(proxy):
    message = header() + b"\x05\0\xff .\\" + b"\4test\0\0\1\0\1"
    with Client(proxy.port) as client:
        answer = client.ask(message)
    assert wire.rcode_of(answer) == wire.NOERROR and answer[12:12 + len(message) - 12] == message[12:]


def test_a_message_of_64_kilobytes_of_rubbish(proxy):
    with Client(proxy.port) as client:
        client.send(wire.query("q.test", number=1) + bytes(65000), wire.query("behind-rubbish.test", number=2))
        answers = {wire.number_of(answer): wire.rcode_of(answer) for answer in (client.receive(), client.receive())}
    assert answers == {1: wire.FORMERR, 2: wire.NOERROR}


def test_one_who_begins_a_message_and_stops_is_closed(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"read_timeout": "500ms"}}) as proxy:
        with Client(proxy.port) as slow, Client(proxy.port) as good:
            slow.send_raw(wire.frame(wire.query("q.test"))[:9])
            assert wire.rcode_of(good.ask(wire.query("good.test"))) == wire.NOERROR
            assert slow.is_closed_by_peer()


def test_one_who_says_nothing_is_closed(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"idle_timeout": "1s", "first_timeout": "500ms"}}) as proxy:
        with Client(proxy.port) as silent, Client(proxy.port) as used:
            assert wire.rcode_of(used.ask(wire.query("used.test"))) == wire.NOERROR
            assert silent.is_closed_by_peer()
            assert used.is_closed_by_peer()


def test_one_who_does_not_read_is_not_read_from_and_costs_no_memory(proxy):
    """64 MB of answers asked for, none read: the program keeps what its bound says, then waits or closes."""
    before = proxy.resident_bytes()
    with Client(proxy.port, timeout=0.5) as client:
        batch = b"".join(wire.frame(wire.query("big-unread.test", "TXT", number=i)) for i in range(500))
        try:
            for _ in range(32):
                client.send_raw(batch)
        except OSError:
            pass  # it stopped reading, or closed
        assert wire.rcode_of(ask(proxy.port, "others.test")) == wire.NOERROR
        assert is_sanitized() or proxy.resident_bytes() - before < 32e6


def mutate(rng, message):
    data = bytearray(message)
    for _ in range(rng.choice((1, 1, 2, 5))):
        how, at = rng.randrange(6), rng.randrange(len(data) + 1) if data else 0
        if how == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif how == 1 and data:
            data[at % len(data)] = rng.choice((0, 1, 0x3F, 0x40, 0xC0, 0xFF, rng.randrange(256)))
        elif how == 2:
            del data[at:]
        elif how == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 40))
        elif how == 4:
            del data[at:at + rng.randrange(1, 8)]
        else:
            data += data[at:]
    return bytes(data)


def base_messages():
    yield wire.query("mutated.test")
    yield wire.query("mutated.test", "TXT", additional=[wire.opt(flags=wire.DO)])
    yield wire.query("a.b.c.d.e.f.mutated.test", "AAAA", additional=[wire.opt(wire.option(wire.OPTION_KEEPALIVE))])
    options = wire.option(8, b"\0\1\x18\0\x7f\0\0") + wire.option(wire.OPTION_PADDING, bytes(40))
    yield wire.query("m" * 63 + ".test", additional=[wire.opt(options)])
    yield header(counts=(1, 1, 1, 1)) + question() + A_RECORD + A_RECORD + wire.opt()


def answered(messages):
    """Of those before the first that must close the connection: these are owed an answer."""
    owed = []
    for message in messages:
        if len(message) < 12 or wire.flags_of(message) & wire.QR:
            return owed, True
        owed.append(wire.number_of(message))
    return owed, False


def drive(proxy, messages):
    """Sends them on a connection; returns how many of them were dealt with."""
    owed, closes = answered(messages)
    with Client(proxy.port, timeout=10) as client:
        client.send(*messages[:len(owed)])
        replies = [client.receive() for _ in owed]
        assert None not in replies, f"closed with {len(owed)} answers owed: {[m.hex() for m in messages[:len(owed)]]}"
        assert sorted(wire.number_of(reply) for reply in replies) == sorted(owed)
        if closes:
            client.send(messages[len(owed)])
            assert client.is_closed_by_peer()
    return len(owed) + closes


def test_ten_thousand_mutated_messages(proxy):
    rng = random.Random(SEED)
    bases = list(base_messages())
    ask(proxy.port, "before-mutated.test")
    before = proxy.descriptors()
    messages = [mutate(rng, rng.choice(bases)) for _ in range(MUTATED)]
    at = 0
    while at < len(messages):
        at += drive(proxy, messages[at:at + BATCH])
    proxy.wait_descriptors(before)


def test_streams_of_random_bytes(proxy):
    rng = random.Random(SEED)
    ask(proxy.port, "before-random.test")
    before = proxy.descriptors()
    for _ in range(200):
        with Client(proxy.port, timeout=10) as client:
            end = time.monotonic() + 10
            try:
                client.send_raw(rng.randbytes(rng.randrange(1, 3000)))
                client.half_close()
            except OSError:
                continue  # it was closed while it talked
            while client.receive() is not None:
                assert time.monotonic() < end
    proxy.wait_descriptors(before)
