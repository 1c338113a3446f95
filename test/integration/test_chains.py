"""Which certificate chains are accepted: some hundred, right and wrong, in real handshakes of the program's own TLS
code, beside what OpenSSL and GnuTLS say of them. docs/CHAINS.md has the result; `python3 test_chains.py` writes it.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
from chain_cases import GOOD, NAME, Case, all_cases
from chain_judges import VERSIONS, Client, Files, Server, gnutls_accepts, openssl_accepts
from forge import intermediate, leaf, root

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/CHAINS.md"
OF_DEBIAN_12 = (5, 5, 4)
CASES = all_cases(tempfile.mkdtemp(prefix="forge-"))


@pytest.fixture(scope="module", name="client")
def _client():
    with Client() as client:
        yield client


def verdict(client, files, version="1.3", bundle=None):
    with Server(files, version) as server:
        return client.judge(server.port, files.case.name, bundle or files.bundle)


def wolfssl():
    """The library's version, as the program says it."""
    program = os.environ.get("PROXY") or pathlib.Path(__file__).parents[2] / "build/dev/dns-tls-proxy"
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"wolfSSL ([\d.]+)", said).group(1).split(".")))


def holds(expected, said):
    return said == GOOD if expected == GOOD else said != GOOD and expected in said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_verdict(tmp_path, client, case, version):
    said = verdict(client, Files(case, tmp_path), version)
    if case.newer and wolfssl() > OF_DEBIAN_12 and holds(case.newer, said):
        return
    assert holds(case.expected, said), f"{said!r} in place of {case.expected!r}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_beside_the_others(tmp_path, case):
    """Where both others decide otherwise, the table gives the reason."""
    files = Files(case, tmp_path)
    ours = case.expected == GOOD
    if openssl_accepts(files) != ours and gnutls_accepts(files) != ours:
        assert case.why


def test_an_intermediate_of_another_server_does_not_count(tmp_path, client):
    """wolfSSL keeps it in the context, and would then accept a chain without it."""
    r = root()
    i = intermediate(r)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = Files(Case("", GOOD, [leaf(i), i], [r]), tmp_path / "whole")
    cut = Files(Case("", "", [leaf(i)], [r]), tmp_path / "cut")
    assert verdict(client, whole) == GOOD
    assert "intermediate certificate is missing" in verdict(client, cut, bundle="-")
    assert verdict(client, whole, bundle="-") == GOOD


def test_an_expired_intermediate_that_was_let_pass_does_not_count_later(tmp_path, client):
    r = root()
    i, expired = intermediate(r), intermediate(r, life=(-60, -1))
    (tmp_path / "both").mkdir()
    (tmp_path / "expired").mkdir()
    both = Files(Case("", GOOD, [leaf(i), expired, i], [r]), tmp_path / "both")
    alone = Files(Case("", "", [leaf(i), expired], [r]), tmp_path / "expired")
    assert verdict(client, both) == GOOD
    assert "expired" in verdict(client, alone, bundle="-")


def rows(client, folder):
    for case in CASES:
        files = Files(case, folder)
        others = openssl_accepts(files), gnutls_accepts(files)
        said = verdict(client, files)
        ours = "**accepts**" if said == GOOD else "refuses: " + said.partition(" ")[2]
        why = case.why if (said == GOOD) not in others else ""
        title = re.sub(r"([*\\])", r"\\\1", case.title)
        yield f"| {title} | {ours} | {' | '.join(('refuses', 'accepts')[other] for other in others)} | {why} |"


def test_the_document_has_every_case():
    written = re.findall(r"^\| (.+?) \| (.+?) \|", DOCUMENT.read_text(), re.MULTILINE)
    accepted = {title.replace("\\*", "*").replace("\\\\", "\\"): ours == "**accepts**" for title, ours in written}
    for case in CASES:
        assert accepted.get(case.title) == (case.expected == GOOD), f"{case.title}: {DOCUMENT} is out of date"


def main():
    head = DOCUMENT.read_text().partition("| chain |")[0]
    with Client() as client, tempfile.TemporaryDirectory() as folder:
        lines = list(rows(client, pathlib.Path(folder)))
    table = ["| chain | the program | OpenSSL | GnuTLS | why, where both others decide otherwise |",
             "|---|---|---|---|---|"]
    DOCUMENT.write_text(head + "\n".join(table + lines) + "\n")
    print(f"{len(lines)} chains for {NAME}")


if __name__ == "__main__":
    main()
