#!/usr/bin/env python3
"""Makes new certificates for the fuzz target `chain` and the unit tests of chain.c: test/fuzz/chain_material.h, and the
corpus. Not deterministic: signatures are new in every run, and the keys are thrown away.
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

# pylint: disable=wrong-import-position
from cryptography.hazmat.primitives import serialization

from forge import NOW, intermediate, key, leaf, root

WIDTH = 18  #: octets a line


def der(certificate):
    return certificate.certificate.public_bytes(serialization.Encoding.DER)


def array(title, content):
    lines = (content[at:at + WIDTH] for at in range(0, len(content), WIDTH))
    text = "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)
    return f"static const uint8_t {title}[] = {{\n{text}\n}};\n"


def message(*certificates):
    """As in the Certificate message of TLS 1.2 (RFC 5246, 7.4.2): a length of 3 octets before each."""
    return b"".join(len(certificate).to_bytes(3, "big") + certificate for certificate in certificates)


def main():
    life = {"life": (-10, 36500)}
    r = root("R", aki=False, **life)
    i = intermediate(r, "I", aki=False, **life)
    limited = intermediate(r, "L", key("p256", "limited"), eku=("server",), permitted=("com",), excluded=("net",),
                           **life)
    server, other = leaf(i, subject="S", aki=False, **life), leaf(
        limited, ("*.example.com", "a.com"), subject="S", **life)
    small = leaf(r, own_key=key("ed25519"), subject="S", aki=False, **life)
    head = ("/* chain_material: certificates for tests, made by test/fuzz/chain_material.py. */\n"
            "#ifndef CHAIN_MATERIAL_H\n#define CHAIN_MATERIAL_H\n\n#include <stdint.h>\n\n/* clang-format off */\n")
    (HERE / "chain_material.h").write_text("\n".join([
        head, f"enum {{ MATERIAL_TIME_S = {int(NOW.timestamp())} }}; /* all are valid then, and for long */\n",
        "static const char material_root[] =\n" +
        "\n".join(f'    "{line}\\n"' for line in r.pem().splitlines()) + ";\n",
        "/* Intermediate and its server (cloudflare-dns.com); another server of the root, with Ed25519. */",
        array("material_intermediate", der(i)), array("material_server", der(server)),
        array("material_ed25519", der(small)),
        "/* A server for *.example.com and its issuer, with name constraints. */",
        array("material_limited", der(limited)), array("material_wildcard", der(other)),
        "/* clang-format on */\n\n#endif\n"]))
    corpus = {"whole": message(der(server), der(i)), "with-root": message(der(server), der(i), der(r)),
              "reversed": message(der(i), der(server)), "alone": message(der(server)), "ed25519": message(der(small)),
              "wildcard": message(der(other), der(limited)), "twice": message(der(server), der(i), der(i)),
              "crossed": message(der(server), der(limited), der(i)), "length-too-long": message(der(server))[:-1],
              "trailing": message(der(server) + b"\0", der(i)), "empty": message(b"", der(i))}
    folder = HERE / "corpus/chain"
    folder.mkdir(parents=True, exist_ok=True)
    for title, content in corpus.items():
        (folder / title).write_bytes(b"\0" + content)
    (folder / "other-name").write_bytes(b"\1" + corpus["whole"])
    (folder / "late").write_bytes(b"\2" + corpus["whole"])
    (folder / "bundle").write_bytes(b"\4" + (r.pem() + "text\n" + i.pem()).encode())
    (folder / "bundle-cut").write_bytes(b"\4" + r.pem().encode()[:-30] + i.pem().encode())
    (folder / "bundle-garbled").write_bytes(b"\4" + r.pem().replace("M", "*").encode() + i.pem().encode())


main()
