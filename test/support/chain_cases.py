"""chain_cases: the table of certificate chains: what a server sends, what is trusted, and what must come of it."""
import dataclasses

from forge import by_openssl, intermediate, issue, key, leaf, root

NAME = "cloudflare-dns.com"
BELOW = "one.dns.example"  #: a name that a wildcard may stand for
GOOD = "good"
EC_KEY = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
SERVER = f"subjectAltName=DNS:{NAME}\n"  #: extensions, as the openssl command wants them
CA = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n"


@dataclasses.dataclass
class Case:
    """`sent`: the server's certificate first. `expected`: "good", or a part of the reason. `why`: where both OpenSSL
    and GnuTLS decide otherwise, the reason for ours. `newer`: what a wolfSSL newer than Debian 12's may say
    instead, because it knows more, or refuses more, or earlier.
    """
    title: str
    expected: str
    sent: list
    anchors: list
    name: str = NAME
    why: str = ""
    newer: str = ""


def good_paths(folder):
    r, rsa = root(), root("RSA Root", key("rsa2048", 1))
    i = intermediate(r)
    second = intermediate(i, "Second Intermediate")
    yield Case("root, server", GOOD, [leaf(r)], [r])
    yield Case("root, intermediate, server", GOOD, [leaf(i), i], [r])
    yield Case("the root is sent, too", GOOD, [leaf(i), i, r], [r])
    yield Case("two intermediates", GOOD, [leaf(second), second, i], [r])
    yield Case("intermediate without its issuer's key identifier", GOOD, *_without_identifiers())
    yield Case("RSA 2048 throughout", GOOD, [leaf(rsa, own_key=key("rsa2048", 2))], [rsa])
    yield Case("RSA signature with PSS", GOOD, [by_openssl(folder, EC_KEY, "Test", rsa, SERVER,
               ("-sha256", "-sigopt", "rsa_padding_mode:pss"))], [rsa])
    yield Case("P-384, SHA-384", GOOD, [leaf(r, own_key=key("p384"), digest="SHA384")], [r])
    yield Case("P-521, SHA-512", GOOD, [leaf(r, own_key=key("p521"), digest="SHA512")], [r])
    yield Case("Ed25519 server", GOOD, [leaf(r, own_key=key("ed25519"))], [r])
    ed25519 = root("Ed25519 Root", key("ed25519", 1))
    yield Case("Ed25519 root", GOOD, [leaf(ed25519)], [ed25519])


def _without_identifiers():
    r = root(aki=False)
    i = intermediate(r, aki=False)
    return [leaf(i, aki=False), i], [r]


def good_contents(folder):
    del folder
    r = root()
    yield Case("several names and an address", GOOD, [leaf(r, ("dns.example", "ip:127.0.0.1", NAME))], [r])
    yield Case("name in upper case", GOOD, [leaf(r, (NAME.upper(),))], [r])
    yield Case("wildcard for the left-most label", GOOD, [leaf(r, ("*.dns.example",))], [r], BELOW)
    yield Case("server: no extended key usage", GOOD, [leaf(r, eku=None)], [r])
    yield Case("server: extended key usage client and server", GOOD, [leaf(r, eku=("client", "server"))], [r])
    yield Case("server: extended key usage any", GOOD, [leaf(r, eku=("any",))], [r])
    yield Case("server: no key usage", GOOD, [leaf(r, use=None)], [r])
    for purpose in ("server", "any"):
        i = intermediate(r, eku=(purpose,))
        yield Case(f"intermediate: extended key usage {purpose}", GOOD, [leaf(i), i], [r],
                   why="RFC 5280, 4.2.1.12: any includes servers" if purpose == "any" else "")
    short = root("Short Root", length=1)
    i = intermediate(short, length=0)
    yield Case("path lengths that suffice", GOOD, [leaf(i), i], [short])
    i = intermediate(r, permitted=("com",))
    yield Case("name constraint that permits the name", GOOD, [leaf(i), i], [r])
    i = intermediate(r, excluded=("example.net",))
    yield Case("name constraint that excludes others", GOOD, [leaf(i), i], [r])


def good_anchors(folder):
    r = root()
    i = intermediate(r)
    server = leaf(r)
    alone = leaf(None)
    both = root("Both", san=(NAME,), use=None)
    old = by_openssl(folder, EC_KEY, "Old Root", None, CA, ("-sha1",))
    first = by_openssl(folder, EC_KEY, "Version 1")
    yield Case("bundle: the intermediate", GOOD, [leaf(i), i], [i])
    yield Case("bundle: the intermediate, which is not sent", GOOD, [leaf(i)], [i])
    yield Case("bundle: the server's certificate", GOOD, [server], [server])
    yield Case("bundle: the server's self-signed certificate", GOOD, [alone], [alone])
    yield Case("bundle: the server's self-signed CA certificate", GOOD, [both], [both])
    yield Case("bundle: root signed with SHA-1", GOOD, [leaf(old)], [old])
    yield Case("bundle: root of version 1", GOOD, [leaf(first, aki=False)], [first], newer="not a CA")
    yield Case("bundle: two roots of the same name", GOOD, [server], [root("Test Root", key("p256", "twin")), r])
    yield Case("bundle: expired root and renewed root", GOOD, [server], [root(life=(-30, -1)), r])


def extra_certificates(folder):
    """Servers send more than is needed, or in another order."""
    r, stranger = root(), root("Unknown Root")
    i = intermediate(r)
    second = intermediate(i, "Second Intermediate")
    expired, cross = intermediate(r, life=(-60, -1)), intermediate(stranger)
    yield Case("expired, then renewed intermediate", GOOD, [leaf(i), expired, i], [r])
    yield Case("renewed, then expired intermediate", GOOD, [leaf(i), i, expired], [r])
    yield Case("intermediate, then one of an unknown root", GOOD, [leaf(i), i, cross], [r])
    yield Case("intermediate of an unknown root, then the right one", GOOD, [leaf(i), cross, i], [r],
               why="there is a good path")
    yield Case("an unrelated certificate behind the chain", GOOD, [leaf(i), i, stranger], [r])
    yield Case("intermediates in the wrong order", "", [leaf(second), i, second], [r], why="wolfSSL refuses it")
    pss = ("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
    server = by_openssl(folder, pss, "Test", r, SERVER)
    yield Case("server: RSASSA-PSS key", "", [server], [r], why="wolfSSL refuses it", newer=GOOD)


def bad_names(folder):
    del folder
    r = root()
    another = "another name"
    yield Case("another name", another, [leaf(r, ("dns.example.net",))], [r])
    yield Case("the name as common name alone", another, [leaf(r, (), subject=NAME)], [r],
               why="RFC 9525: the common name does not count")
    yield Case("the name as common name, another as DNS name", another, [leaf(r, ("other.net",), subject=NAME)], [r])
    yield Case("the name as URI", another, [leaf(r, (f"uri:{NAME}",))], [r])
    yield Case("the name in a URI", another, [leaf(r, (f"uri:https://{NAME}",))], [r])
    yield Case("the name as mail address", another, [leaf(r, (f"mail:{NAME}",))], [r])
    yield Case("an address alone", another, [leaf(r, ("ip:127.0.0.1",))], [r])
    for pattern in ("cloudflare-dns.*", "*.*", "cloud*.com", "*dns.com", "cloudflare*.com", "*.com", "*", "*.",
                    "**.com", "*.cloudflare-dns.com", "cloudflare-dns.com.example", "-dns.com", ".cloudflare-dns.com",
                    "cloudflare-dns.com\0.example"):
        yield Case(f"{pattern!r} for {NAME}", another, [leaf(r, (pattern,))], [r])
    for pattern in ("*.example", "*.*.example", "one.*.example", "o*.dns.example", "*e.dns.example", "dns.example"):
        yield Case(f"{pattern!r} for {BELOW}", another, [leaf(r, (pattern,))], [r], BELOW,
                   why="RFC 9525, 6.3: a wildcard is a whole label" if pattern[0] == "*" else "")
    yield Case("'*.example' for two.one.example", another, [leaf(r, ("*.example",))], [r], "two.one.example")


def bad_trust(folder):
    del folder
    r, stranger = root(), root("Unknown Root")
    i = intermediate(r)
    forged = root("Test Root", key("p256", "forged"))
    yield Case("unknown root", "CA", [leaf(stranger)], [r])
    yield Case("unknown root, which is sent", "CA", [leaf(stranger), stranger], [r])
    yield Case("self-signed, not in the bundle", "self-signed", [leaf(None)], [r])
    yield Case("intermediate missing", "intermediate", [leaf(i)], [r])
    yield Case("forged root of the same name", "", [leaf(forged), forged], [r])
    yield Case("forged root of the same name, without identifiers", "", [leaf(forged, aki=False)], [root(aki=False)])
    yield Case("forged intermediate of the same name", "", [leaf(intermediate(r, own_key=key("p256", "forged"))), i],
               [r])
    signed_by_other = intermediate(r, signer=key("p256", "forged"))
    yield Case("intermediate with a wrong signature", "", [leaf(signed_by_other), signed_by_other], [r])
    yield Case("wrong signature", "", [leaf(r, signer=key("p256", "forged"))], [r])


def bad_dates(folder):
    del folder
    r, gone = root(), root("Gone Root", life=(-60, -1))
    yield Case("expired", "expired", [leaf(r, life=(-30, -1))], [r])
    yield Case("not valid yet", "not valid yet", [leaf(r, life=(1, 30))], [r])
    expired, early = intermediate(r, life=(-60, -1)), intermediate(r, life=(1, 60))
    yield Case("expired intermediate", "expired", [leaf(expired), expired], [r])
    yield Case("intermediate not valid yet", "not valid yet", [leaf(early), early], [r])
    yield Case("expired root", "clock", [leaf(gone)], [gone])
    yield Case("expired root beside a good one", "has expired", [leaf(gone)], [gone, r])


def bad_purposes(folder):
    del folder
    r = root()
    forbids = "extended key usage"
    for purpose in ("mail", "code", "client", "ocsp"):
        i = intermediate(r, eku=(purpose,), eku_critical=purpose == "code")
        yield Case(f"intermediate: extended key usage {purpose}", forbids, [leaf(i), i], [r])
        yield Case(f"server: extended key usage {purpose}", forbids, [leaf(r, eku=(purpose,))], [r])
    i = intermediate(r, eku=("sgc",))
    yield Case("intermediate: extended key usage server gated crypto", forbids, [leaf(i), i], [r],
               why="only server and any count")
    odd = root("Code Root", eku=("code",))
    yield Case("bundle: root with extended key usage code", forbids, [leaf(odd)], [odd])
    upper = intermediate(r, eku=("mail",))
    lower = intermediate(upper, "Second Intermediate")
    yield Case("upper intermediate: extended key usage mail", forbids, [leaf(lower), lower, upper], [r])
    for use, title in (("key_cert_sign", "keyCertSign"), ("crl_sign", "cRLSign"),
                       ("key_encipherment", "keyEncipherment"), ("key_agreement", "keyAgreement")):
        yield Case(f"server: key usage {title} alone", "key usage", [leaf(r, own_key=key("rsa2048", 2), use=(use,))],
                   [r], why="" if use in ("key_cert_sign", "crl_sign") else "RFC 8446, 4.4.2.2: the server signs")


def bad_issuers(folder):
    r = root()
    server = leaf(r, ("dns.example.net",), subject="Issuing Server")
    yield Case("bundle: a server's certificate that issued another", "not a CA", [leaf(server)], [server])
    plain = issue("Plain", None, ca=None, san=("dns.example.net",))
    yield Case("bundle: a certificate without constraints that issued another", "not a CA", [leaf(plain)], [plain])
    odd = issue("Odd", None, ca=False, use=("key_cert_sign",))
    yield Case("bundle: keyCertSign without CA that issued another", "", [leaf(odd)], [odd])
    odd = issue("Odd", None, ca=None, use=("key_cert_sign",))
    yield Case("bundle: keyCertSign without constraints that issued another", "not a CA", [leaf(odd)], [odd],
               why="RFC 5280, 4.2.1.9: a CA certificate of version 3 has basic constraints",
               newer="wolfSSL can use none of its certificates")
    yield Case("a server's certificate that issued another", "", [leaf(server), server], [r])
    for title, options in (("intermediate: no basic constraints", {"ca": None}),
                           ("intermediate: key usage without keyCertSign", {"use": ("digital_signature",)})):
        i = intermediate(r, **options)
        yield Case(title, "", [leaf(i), i], [r])
    first = by_openssl(folder, EC_KEY, "Version 1 Intermediate", r)
    yield Case("intermediate of version 1", "", [leaf(first, aki=False), first], [r])
    short = root("Short Root", length=0)
    i = intermediate(short)
    yield Case("path length exceeded", "longer", [leaf(i), i], [short])
    upper = intermediate(r, length=0)
    lower = intermediate(upper, "Second Intermediate")
    yield Case("path length of an intermediate exceeded", "longer", [leaf(lower), lower, upper], [r])


def bad_constraints(folder):
    del folder
    r = root()
    may_not = "may not issue"
    for title, options in (("permits another name", {"permitted": ("example.net",)}),
                           ("excludes it", {"excluded": ("com",)}), ("excludes everything", {"excluded": ("",)}),
                           ("excludes it exactly", {"excluded": (NAME,)})):
        i = intermediate(r, **options)
        yield Case(f"name constraint that {title}", may_not, [leaf(i), i], [r])
    own = root("Limited Root", permitted=("example.net",))
    yield Case("name constraint of the root", may_not, [leaf(own)], [own])
    i = intermediate(r, excluded=(BELOW,))
    yield Case("wildcard over an excluded name", may_not, [leaf(i, ("*.dns.example",)), i], [r], BELOW,
               why="the CA may not issue for the name that is wanted")
    i = intermediate(r, excluded=("cloudflare-dns.com",))
    yield Case("'cloudflare-dns.*' over an excluded name", "", [leaf(i, ("cloudflare-dns.*",)), i], [r])
    for title, oid in (("extended key usage", "2.5.29.37"), ("key usage", "2.5.29.15"),
                       ("name constraints", "2.5.29.30")):
        i = intermediate(r, use=None, malformed=oid)
        yield Case(f"intermediate: malformed {title}", "", [leaf(i), i], [r])
    yield Case("unknown critical extension", "critical", [leaf(r, unknown_critical=True)], [r])
    i = intermediate(r, unknown_critical=True)
    yield Case("intermediate: unknown critical extension", "critical", [leaf(i), i], [r])


def weak(folder):
    r = root()
    for digest in ("sha1", "sha224"):
        why = "signatures of at least SHA-256" if digest == "sha224" else ""
        server = by_openssl(folder, EC_KEY, "Test", r, SERVER, (f"-{digest}",))
        yield Case(f"server: signed with {digest}", "SHA-256", [server], [r], why=why)
        i = by_openssl(folder, EC_KEY, "Test Intermediate", r, CA, (f"-{digest}",))
        yield Case(f"intermediate: signed with {digest}", "SHA-256", [leaf(i), i], [r], why=why)
    small = key("rsa1024")
    yield Case("server: RSA 1024", "weak", [leaf(r, own_key=small)], [r])
    i = intermediate(r, own_key=small)
    yield Case("intermediate: RSA 1024", "weak", [leaf(i), i], [r])
    old = root("Small Root", small)
    yield Case("bundle: root with RSA 1024", "weak", [leaf(old)], [old])
    for curve in ("p192", "p224"):
        i = intermediate(r, own_key=key(curve))
        yield Case(f"intermediate: {curve.upper()}", "", [leaf(i), i], [r], why="curves from P-256 on")
        yield Case(f"server: {curve.upper()}", "", [leaf(r, own_key=key(curve))], [r], why="curves from P-256 on")
    explicit = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit")
    yield Case("server: curve given by its parameters", "",
               [by_openssl(folder, explicit, "Test", r, SERVER)], [r],
               why="RFC 8422, 5.1.1: named curves")
    yield Case("server: Ed448", "", [leaf(r, own_key=key("ed448"))], [r], why="not among the kinds of key we take")


TABLES = (good_paths, good_contents, good_anchors, extra_certificates, bad_names, bad_trust, bad_dates, bad_purposes,
          bad_issuers, bad_constraints, weak)


def all_cases(folder):
    return [case for table in TABLES for case in table(folder)]
