#!/usr/bin/env python3
"""Writes the inputs that the fuzz targets (all but config) start from, and that the normal test run replays.

Deterministic: run it again after a change, and commit what changed. Inputs that a fuzzer found stand beside these.
"""
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "corpus"
A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, SIG = 1, 2, 5, 6, 12, 15, 16, 28, 33, 24
OPT, RRSIG, NSEC, HTTPS, TSIG, IXFR, AXFR, ANY, CAA = 41, 46, 47, 65, 250, 251, 252, 255, 257
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x20, 0x10
QNAME = b"\xc0\x0c"


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def question(text, qtype, qclass=1):
    return name(text) + struct.pack("!HH", qtype, qclass)


def record(rtype, data, ttl=300, owner=QNAME, rclass=1):
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(data)) + data


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def opt(options=b"", ttl=0):
    return record(OPT, options, ttl, b"\0", 1232)


def soa(ttl=300, minimum=60, owner=QNAME):
    return record(SOA, QNAME + name("admin") + struct.pack("!5I", 1, 2, 3, 4, minimum), ttl, owner)


def message(flags, body, an=(), ns=(), ar=(), qd=1, mid=0x1234):
    header = struct.pack("!6H", mid, flags, qd, len(an), len(ns), len(ar))
    return header + body + b"".join([*an, *ns, *ar])


def queries():
    www = question("wWw.Example.com", A)
    mac = bytes(6) + struct.pack("!HH", 300, 4) + b"mac!" + bytes(6)
    tsig = record(TSIG, name("hmac-sha256") + mac, 0, name("key"), 255)
    sig = record(SIG, bytes(16) + b"\0\7" + name("key") + b"signature", 0, b"\0")
    return {
        "plain": message(RD, www),
        "usual": message(RD | AD, www, ar=[opt(option(10, b"cookie!!"))]),
        "dnssec": message(RD | CD, www, ar=[opt(option(11) + option(12, bytes(20)), 0x8000)]),
        "subnet": message(RD, question("example.org", HTTPS), ar=[opt(option(8, b"\0\1\x18\0\xc0\0\2"))]),
        "root": message(RD, question("", NS)),
        "long-name": message(RD, question(".".join(["x" * 63] * 3 + ["y" * 61]), AAAA), ar=[opt()]),
        "long-label": message(RD, b"\x40" + b"x" * 64 + b"\0\0\1\0\1"),
        "any": message(RD, question("example.com", ANY), ar=[opt(option(11))]),
        "axfr": message(0, question("example.com", AXFR)),
        "ixfr": message(0, question("example.com", IXFR), ns=[soa()]),
        "chaos": message(RD, question("version.bind", TXT, 3)),
        "badvers": message(RD, www, ar=[opt(b"\0", 0x10000)]),
        "update": message(5 << 11, question("example.com", SOA), an=[record(A, b"", 0, QNAME, 255)], ar=[opt()]),
        "two-opts": message(RD, www, ar=[opt(), opt()]),
        "cut-option": message(RD, www, ar=[opt(b"\0\x0a\0\x08cut")]),
        "signed": message(RD, www, ar=[opt(), sig, tsig]),
        "loop": message(RD, www, ar=[record(NSEC, b"\xc0\x2d\0\1\x40")]),
        "trailing": message(RD, www) + b"\0",
        "response": message(QR | RD, www),
    }


def answers():
    www = question("www.example.com", A)
    a = record(A, b"\xc0\0\2\1")
    cdn = b"\3cdn" + QNAME
    rrsig = record(RRSIG, struct.pack("!HBBIIIH", A, 8, 3, 300, 2, 1, 7) + name("example.com") + b"signature")
    return {
        "positive": message(QR | RD | RA, www, [a, a], ar=[opt(option(12, bytes(40)))]),
        "signed": message(QR | RD | RA | AD, www, [a, rrsig], ar=[opt(b"", 0x8000)]),
        "alias": message(QR | RD | RA, www, [record(CNAME, cdn), record(A, b"\xc0\0\2\1", 5, cdn)], ar=[opt()]),
        "alias-no-data": message(QR | RD | RA, www, [record(CNAME, cdn, 20)], [soa()]),
        "alias-loop": message(QR | RD | RA, www, [record(CNAME, cdn), record(CNAME, QNAME, 5, cdn)]),
        "no-name": message(QR | AA | RD | RA | 3, www, ns=[soa(60, 900)], ar=[opt(option(15, b"\0\x1dtext"))]),
        "no-data": message(QR | RD | RA, www, ns=[soa(), record(NSEC, name("z") + b"\0\1\x40")]),
        "referral": message(QR | RA, www, ns=[record(NS, b"\2ns" + QNAME)], ar=[a]),
        "servfail": message(QR | RD | RA | 2, www, ar=[opt(option(15, b"\0\x16"))]),
        "header-only": message(QR | RD | 1, b"", qd=0),
        "badvers": message(QR | RD, www, ar=[opt(b"", 0x1000000)]),
        "negative-trust-anchor": message(QR | RD | RA | AD, www, [a], ar=[opt(option(15, b"\0\x21"))]),
        "opt-first": message(QR | RD | RA, www, [a], ar=[opt(option(15, b"\0\3")), record(AAAA, bytes(16)), a]),
        "many-types": message(QR | RD | RA, question("www.example.com", MX), [
            record(MX, b"\0\x0a\4mail" + QNAME), record(TXT, b"\3abc\0\1d"), record(SRV, bytes(6) + name("a.b")),
            record(HTTPS, b"\0\1\0\0\1\0\3\2h2"), record(CAA, b"\0\5issue"), record(PTR, QNAME), record(65280, b"?")]),
        "truncated": message(QR | TC | RD | RA, www, [a]),
        "ttl-top-bit": message(QR | RD | RA, www, [record(A, b"\xc0\0\2\1", 0x80000000)]),
        "pointer-forward": message(QR | RD | RA, www, [record(A, b"\xc0\0\2\1", 300, b"\xc0\x30")]),
        "pointer-into-ttl": message(QR | RD | RA, www, [a, record(A, b"\xc0\0\2\1", 300, b"\xc0\x29")]),
        # A label that begins in the data of one record and ends in those of the next.
        "label-over-ttl": message(QR | RD | RA, www, [
            record(TXT, b"\1\x11"), record(TXT, b"\4text\0"), record(A, b"\xc0\0\2\1", 300, b"\xc0\x2e")]),
        "label-over-later-ttl": message(QR | RD | RA, www, [
            record(TXT, b"\1\x1d"), record(A, b"\xc0\0\2\1", 300, b"\xc0\x2e"), record(TXT, b"\1x\0\0")]),
        "pointer-over-ttl": message(QR | RD | RA, www,
                                    [record(A, b"\xc0\0\2\1", 0xc000000, rclass=0xc0), record(NS, b"\xc0\x26")]),
        "pointer-into-opt": message(QR | RD | RA, www, [record(NS, b"\xc0\x2f")], ar=[opt()]),
        "data-too-long": message(QR | RD | RA, www, [record(A, b"\xc0\0\2\1\0")]),
        # As the cache keeps it: the message, the place of its TTL, no error code, NOERROR, one place.
        "kept": message(QR | RD | RA, www, [a]) + struct.pack("!4H", 39, 0xFFFF, 0, 1),
    }


def cached():
    """The same, kept for a while; the upper bit of the id asks with EDNS, the rest is the age."""
    inputs = {}
    for title, content in answers().items():
        for suffix, mid in (("", 7), ("-edns", 0x812b), ("-old", 3600)):
            inputs[title + suffix] = struct.pack("!H", mid) + content[2:]
    return inputs


def frames():
    usual = queries()["usual"]
    framed = struct.pack("!H", len(usual)) + usual
    return {
        "empty": b"",
        "half-length": b"\0",
        "zero": b"\0\0",
        "one": framed,
        "three": framed * 3,
        "cut": framed * 2 + framed[:-1],
        "cut-length": framed + b"\0",
        "zeros-between": b"\0\0" + framed + b"\0\0\0\0",
        "longest-begins": b"\xff\xff" + usual,
        "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "tls": b"\x16\x03\x01\x00\x20\x01\x00\x00\x1c\x03\x03" + bytes(26),
        "one-octet-messages": b"\0\1x" * 20,
    }


# Steps of test/fuzz/path_fuzz.c.
RATE_LIMITED, RATE_DROPS, FEW_IN_FLIGHT, MIN_TTL, NO_CACHE, REFUSED, SMALL, CROWDED = (1 << i for i in range(8))
SECOND, SAME_TURN = 0x10, 0x20
A_TEST, SPELT, B_TEST, OPAQUE, EDNS = 0, 1, 2, 0x10, 0x20
MANY, TWO_PIECES, NINE = 0x80, 0x20, 0xc0  # many only with nine
SOON, NO_NAME, FAILS, REFUSES, BIG = 2, 1 << 3, 2 << 3, 3 << 3, 0x20


def sent(content, who=0):
    return b"".join(bytes([who, len(part)]) + part
                    for part in (content[i:i + 255] for i in range(0, len(content), 255)))


def asks(what=A_TEST, mid=1, who=0):
    return bytes([1 | who, what, mid])


def answered(how=0, which=0):
    return bytes([2, which, how])


def forged(content, which=0, records=1):
    return bytes([3, which, 0x80, 0, records, 0, len(content)]) + content


def failed(result=0, which=0):
    return bytes([5, which, result])


def passes(time):
    return bytes([6, [1, 20, 100, 500, 1000, 1800, 2000, 5000, 9000, 30000, 300000, 3600000, 86400000].index(time)])


STOPS_READING, SHUTS, LEAVES, DOWN, SHEDS, DRAINS = (bytes([step]) for step in (7, 8, 9, 10, 12, 15))


def reloads(settings):
    return bytes([11, settings])


def paths():
    usual = queries()["usual"]
    framed = struct.pack("!H", len(usual)) + usual
    no_query = sent(struct.pack("!H", 24) + message(QR, question("a.test", A)))
    hit = asks() + answered() + asks(SPELT, 2, SECOND)
    stories = {
        "hit": (0, hit + asks(EDNS, 3)),
        "octet-by-octet": (0, b"".join(sent(framed[i:i + 1]) for i in range(len(framed))) + answered()),
        "two-pieces": (0, asks(EDNS, TWO_PIECES | NINE)),
        "merged": (0, asks() + asks(SPELT, 2, SECOND) + asks(EDNS, 3, SECOND) + answered(NO_NAME)),
        "left-before-answer": (0, asks() + LEAVES + asks(B_TEST) + answered(0, 0) + answered(0, 0)),
        "closed-before-answer": (0, asks() + no_query + LEAVES + asks(B_TEST) + answered(0, 0) + answered(0, 0)),
        "half-closed": (0, asks() + asks(B_TEST, 2) + SHUTS + answered() + answered()),
        "stale": (0, hit + passes(300000) + asks() + passes(1800) + asks(0, 5) + failed() + asks(0, 6)),
        "stale-while-down": (0, hit + passes(300000) + DOWN + asks()),
        "failure-is-remembered": (
            0, asks() + failed(2) + asks(0, 2) + passes(1000) + asks(0, 3) + answered(FAILS) + asks(0, 4)),
        "refused-upstream": (0, asks(EDNS) + answered(REFUSES)),
        "min-ttl": (MIN_TTL, asks() + answered(1) + passes(30000) + asks()),
        "refreshed": (
            0, hit * 3 + passes(300000) + passes(1) + b"\x0e\0" + answered() + answered(SOON) + passes(1000) + asks()),
        "limited": (RATE_LIMITED, asks(MANY, NINE) + passes(1000) + asks(B_TEST)),
        "limited-silently": (RATE_LIMITED | RATE_DROPS, asks(MANY, NINE)),
        "few-in-flight": (FEW_IN_FLIGHT, asks() + asks(B_TEST) + asks(OPAQUE | MANY, NINE) + answered() + answered()),
        "overloaded": (CROWDED, asks() + asks(B_TEST) + asks(OPAQUE) + asks(3) + asks(4) + answered(BIG)),
        "refused-client": (REFUSED, asks(0, 1, SECOND) + asks(0, 2, SECOND)),
        "slow-reader": (SMALL, asks() + answered(BIG) + STOPS_READING + asks(MANY, NINE) * 2 + passes(5000)),
        "late-reader": (SMALL, asks() + answered(BIG) + STOPS_READING + asks(MANY, NINE) + STOPS_READING + asks()),
        "slow-reader-waits-for-many": (SMALL, STOPS_READING + asks(MANY, NINE) + answered(BIG)),
        "sheds": (SMALL, asks() + answered(BIG) + STOPS_READING + asks(MANY, NINE) + SHEDS + SHEDS),
        "drains": (0, asks() + DRAINS + answered() + asks()),
        "reloads": (0, hit + reloads(NO_CACHE | FEW_IN_FLIGHT) + asks() + reloads(0) + asks()),
        "too-long": (0, b"\x0d\0\1" + asks()),
        "is-silent": (0, passes(9000) + passes(1000)),
        "idles": (0, hit + passes(30000)),
        "stops-inside-a-message": (0, sent(framed[:9]) + passes(5000)),
        "forged-record": (0, asks() + forged(record(A, b"\xc0\0\2\1")) + asks()),
        "forged-name": (0, asks() + forged(record(CNAME, b"\xc0\x18")) + asks()),
        "forged-rubbish": (0, asks() + b"\4\0\x0c" + bytes(12) + asks(0, 2)),
        "not-a-query": (0, no_query + asks()),
        "same-turn": (0, asks(0, 1, SAME_TURN) + asks(0, 2, SECOND | SAME_TURN) + asks(B_TEST, 3) + answered()),
    }
    for title, content in (("queries", queries()), ("frames", frames())):
        for name_, text in content.items():
            framed = text if title == "frames" else struct.pack("!H", len(text)) + text
            stories[f"{title}-{name_}"] = (0, sent(framed) + answered())
    return {title: bytes([settings]) + steps for title, (settings, steps) in stories.items()}


def cookies():
    """Time, a bit of the client (1: 192.0.2.1), an option; or a file of secrets."""
    def at(text, seconds=0x5CF79F11, ipv4=1):
        return struct.pack("!IB", seconds, ipv4) + bytes.fromhex(text)

    ours = "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
    return {
        "client": at(ours[:16]),
        "short": at(ours[:14]),
        "between": at(ours[:30]),
        "wrong-address": at(ours),
        "other-version": at(ours[:16] + "02" + ours[18:]),
        "other-length": at(ours + "0000"),
        "ipv6": at(ours, ipv4=0),
        "late": at(ours, 0x5CF79F11 + 3601),
        "early": at(ours, 0x5CF79F11 - 301),
        "file": b"# a comment\n\n00112233445566778899aabbccddeeff\r\n00112233445566778899AABBCCDDEEFF\n",
        "file-three": b"00112233445566778899aabbccddeeff\n" * 3,
        "file-short": b"0011\n",
    }


def http():
    """The first byte says where the bytes behind it are cut into two sends."""
    line, host = b"GET /healthz HTTP/1.1\r\n", b"Host: localhost\r\n"
    hidden = b"\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
    fields = {
        "plain": b"", "length": b"Content-Length: 39\r\n", "zero": b"Content-Length: 0\r\n",
        "hexadecimal": b"Content-Length: 0x27\r\n", "list": b"Content-Length: 0, 39\r\n",
        "signed": b"Content-Length: +39\r\n",
        "repeated": b"Content-Length: 0\r\nContent-Length: 39\r\n", "folded": b"Content-Length:\r\n 39\r\n",
        "overlong": b"Content-Length: 18446744073709551655\r\n", "blank-before-colon": b"Content-Length : 39\r\n",
        "chunked": b"Transfer-Encoding: chunked\r\n", "both": b"Transfer-Encoding: chunked\r\nContent-Length: 39\r\n",
        "bare-cr": b"X: y\rContent-Length: 39\r\n", "bare-lf": b"X: y\nContent-Length: 39\r\n", "nul": b"X: \0\r\n",
        "close": b"Connection: close\r\n", "expect": b"Expect: 100-continue\r\nContent-Length: 39\r\n",
        "accept": b"Accept: application/openmetrics-text;q=0.5, */*;q=0.1\r\nAccept-Encoding: gzip;q=0.8, *;q=0\r\n",
    }
    requests = {title: line + host + field + hidden for title, field in fields.items()}
    requests.update({
        "absolute": b"GET http://localhost:5000/status.json HTTP/1.1\r\n" + host + b"\r\n",
        "asterisk": b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n",
        "asterisk-path": b"GET /* HTTP/1.1\r\n" + host + b"\r\n",
        "authority": b"CONNECT a:1 HTTP/1.1\r\n" + host + b"\r\n",
        "purge": b"POST /cache/purge?name=a%2eb HTTP/1.1\r\n" + host + b"\r\n", "old": b"GET / HTTP/1.0\r\n\r\n",
        "older": b"GET /\r\n\r\n", "newer": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "lf-only": b"GET / HTTP/1.1\nHost: a\n\n",
        "head": b"HEAD /page.css HTTP/1.1\r\n" + host + hidden, "empty-lines": b"\r\n\r\n" + line + host + b"\r\n",
        "compressed": b"GET /page.js HTTP/1.1\r\n" + host + b"Accept-Encoding: gzip\r\n\r\n", "tls": frames()["tls"],
        "long": line + host + b"Cookie: " + b"c" * 16000 + hidden,
        "too-long": line + host + b"Cookie: " + b"c" * 17000 + hidden,
    })
    return {title: b"\x40" + content for title, content in requests.items()}


def datagrams():
    """The choice of the source, then a datagram: the queries, and some with cookies."""
    www = question("wWw.Example.com", A)
    cookie = bytes.fromhex("2464c4abcf10c957010000005cf79f111f8130c3eee29480")
    with_cookies = {
        f"cookie-{size}": message(RD, www, ar=[opt(option(10, cookie[:size] + bytes(max(0, size - 24))))])
        for size in (0, 7, 8, 16, 24, 40, 41)}
    alone = {"cookie-alone": message(RD, b"", ar=[opt(option(10, cookie[:8]))], qd=0)}
    everything = {**queries(), **with_cookies, **alone}
    return {f"{choice}-{title}": bytes([choice]) + text for title, text in everything.items() for choice in (2, 3, 6)}


def address(ip, port):
    return bytes(10) + b"\xff\xff" + bytes(int(part) for part in ip.split(".")) + struct.pack("!HI", port, 0)


def client(partial=b"", unsent=b"", flags=1, cause=0, discard=0, times=(1, 0, 0), asked=1):
    """As app/handover_image.c writes it."""
    return struct.pack("!Q", 7) + address("192.0.2.1", 4711) + struct.pack(
        "!BBIIQQQII", flags, cause, discard, asked, *times, len(partial), len(unsent)) + partial + unsent


def image(*clients, listeners=0, udp=0, count=None):
    """Without magic, version, size and checksum, which the target puts right."""
    counts = struct.pack("!IIII", listeners, udp, len(clients) if count is None else count, 0)
    sockets = address("127.0.0.1", 53) * (listeners + udp)
    return bytes(28) + b"0.1.0".ljust(32, b"\0") + struct.pack("!Q", 5) + counts + sockets + b"".join(clients)


def handovers():
    whole = struct.pack("!H", 12) + bytes(12)
    return {
        "empty": image(), "sockets": image(listeners=2, udp=3), "idle": image(client(), client(flags=0)),
        "partial": image(client(whole[:9])), "one-octet": image(client(b"\0")),
        "held-back": image(client(whole * 9, flags=5)),
        "unsent": image(client(unsent=bytes(3000), times=(0, 3, 0))), "discard": image(client(discard=400)),
        "discard-held": image(client(whole * 2, flags=5, discard=3)), "ended": image(client(flags=3, cause=1)),
        "ended-unsent": image(client(unsent=bytes(300), flags=3, cause=4, times=(0, 9, 9))),
        "whole-not-held": image(client(whole)), "too-long": image(client(b"\xff\xff" + bytes(600))),
        "longest": image(client(b"\xff\xff" + bytes(65534))), "silent-and-yet": image(client(b"x", flags=0)),
        "unknown-cause": image(client(cause=200)), "unknown-flag": image(client(flags=255)),
        "more-said": image(client(), count=2), "less-said": image(client(), client(), count=1),
        "too-many-listeners": image(listeners=17), "cut": image(client(bytes(50)))[:-1],
        "times": image(client(times=(2 ** 64 - 1,) * 3), client(times=(3, 2, 1)), client(times=(1, 2, 3))),
        "asked-most": image(client(whole, flags=5, times=(0, 0, 2 ** 64 - 2), asked=2 ** 32 - 1),
                            client(whole, flags=5)),
        "five": image(*[client(whole[:n]) for n in range(5)]), "front": image()[:28], "short": b"dtp-hand",
    }


def snapshots():
    """Snapshots of the state, from a choice of how the rest is read: a file, records, or records that are changed."""
    def described(kind, key, value=b"", age=10, lifetime=300, used=1):
        return struct.pack("!BBHH2xIII", kind, used, len(key), len(value), age, lifetime, 0) + key + value

    def key(text, qtype=A, flags=1):
        return name(text) + struct.pack("!HB", qtype, flags)

    www = question("www.example.com", A)
    good = message(QR | RD | RA, www, an=[record(A, b"\xc0\0\2\1")], ar=[opt()])
    answer = described(2, key("www.example.com"), good)
    other = described(2, key("other.example.com"), good)
    denied = described(2, key("no.example.com"), message(QR | RD | RA | 3, question("no.example.com", A), ns=[soa()]))
    stale = described(2, key("www.example.com"), good, age=1000)
    told = described(2, key("www.example.com"), message(
        QR | RD | RA, www, an=[record(A, b"\xc0\0\2\1")], ar=[opt(option(15, b"\0\3stale"))]))
    top = described(1, key("www.example.com"), age=40)
    cookie_key = described(0, b"", bytes(range(16)))
    head = b"DTPSTATE" + struct.pack("!IIQQ4xI", 1, 9, 0, 7, 0)
    records = {"answer": answer, "other": other, "denied": denied, "stale": stale, "told": told, "top": top + answer,
               "top-alone": top, "cookie-key": cookie_key, "all": cookie_key + top + answer + denied + stale + other,
               "routed": described(2, name("a") + b"\0\0\0\7\0\1\x11", good), "empty": b"",
               "over": described(2, key("www.example.com"), good, age=100000)}
    files = {"file-empty": b"\0", "file-head": b"\0" + head, "file-version": b"\0" + head[:11] + b"\2" + head[12:]}
    return {**{f"right-{title}": b"\1" + text for title, text in records.items()},
            **{f"changed-{title}": b"\2" + text for title, text in records.items()}, **files}


def store():
    """Steps of store_fuzz.c: an octet for the step (modulo 10), then what it takes."""
    ask, refresh, cancel, write, wait, end = (bytes([step, 0]) for step in (0, 1, 2, 3, 7, 8))
    ok, null, empty, error = (bytes([5, reply]) for reply in range(4))
    address = record(A, b"\xc0\0\2\1")
    # For question 0: stored just now, ends after 300 s; flags, counts, and one record of that size.
    entry = bytes([6, 0, 2, 150, 1, 0, 1, 0, 0, len(address)]) + address
    old, other = bytes([6, 0, 255]) + entry[3:], bytes([6, 1]) + entry[2:]
    raw = {
        "pieces": (b"$", b"-1", b"\r", b"\n"), "array": (b"*200000000\r\n",), "huge": (b"$5000000000000\r\n",),
        "line": (b"+" + b"x" * 200,) * 6, "shifted": (b"$3\r\nabcXY",), "type": (b"-WRONGTYPE no\r\n",),
    }
    sent = {title: ask + b"".join(bytes([4, len(part)]) + part for part in parts) for title, parts in raw.items()}
    return {
        "entry": ask + entry, "entry-old": ask + old, "entry-of-another": ask + other, "miss": ask + null,
        "claimed": refresh + null + ok, "found": refresh + entry + ok, "left": refresh + null + null,
        "late": ask + b"\7\6" + entry + wait, "overtaken": ask + cancel + entry, "empty": ask + empty,
        "slow": (ask + b"\0\1\0\2\7\6") * 2, "ends": ask + refresh + write + b"\1\1" + end + b"\7\x64\x09" + ask,
        "written": write + b"\1\1" + ok + write + b"\1\1" + error, "withdrawn": write + b"\1\0" + ok, "unasked": ok,
        **sent,
    }


def main():
    targets = {"frame": frames(), "query": queries(), "answer": answers(), "cached": cached(), "path": paths(),
               "cookie": cookies(), "udp": datagrams(), "http": http(), "snapshot": snapshots(),
               "handover": handovers(), "store": store()}
    for target, inputs in targets.items():
        folder = HERE / target
        folder.mkdir(parents=True, exist_ok=True)
        for title, content in inputs.items():
            (folder / title).write_bytes(content)


main()
