"""docs/RESOLVERS.md, the list of well-known resolvers: its form, that the program takes each row, and that the manual
has it. Nobody is asked."""
import ipaddress
import json
import pathlib
import re
import subprocess

import pytest
from proxy import run

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs/RESOLVERS.md").read_text()
WANTED = ("Cloudflare", "Quad9", "Google", "AdGuard", "DNS4EU")


def rows():
    """Of each: resolver, what it does, TLS name, addresses, page."""
    lines = [line for line in TEXT.splitlines() if line.startswith("| ") and "TLS name" not in line]
    found = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 5, line
        name, does, tls_name, addresses, page = cells
        found.append((name, does, tls_name.strip("`"), re.findall(r"`([^`]+)`", addresses), page.strip("<>")))
    return found


ROWS = rows()


def test_all_that_are_asked_for_are_there_and_none_twice():
    for operator in WANTED:
        assert any(row[0].split(",")[0] == operator for row in ROWS), operator
    assert "Mullvad" in TEXT
    for column in (0, 2):
        values = [row[column] for row in ROWS]
        assert len(set(values)) == len(values), values
    addresses = [ipaddress.ip_address(each) for row in ROWS for each in row[3]]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_a_configuration(tmp_path, row):
    _, does, name, addresses, page = row
    assert does.startswith("blocks") and page.startswith("https://"), row
    versions = [ipaddress.ip_address(each).version for each in addresses]
    assert versions == [4, 4, 6, 6], addresses
    for each in addresses:
        assert ipaddress.ip_address(each).is_global and str(ipaddress.ip_address(each)) == each, each
    path = tmp_path / "dns.yaml"
    path.write_text(json.dumps({"upstreams": [{"address": each, "name": name} for each in addresses]}))
    ended = run("--config", path, "--check-config")
    assert ended.returncode == 0, ended.stderr
    path.write_text(json.dumps({"upstreams": [{"name": name}], "bootstrap": [f"{addresses[0]}#{name}"]}))
    assert run("--config", path, "--check-config").returncode == 0


def test_the_defaults_of_the_program_are_a_row():
    printed = run("--print-config").stdout
    name, addresses = next((row[2], row[3]) for row in ROWS if row[0] == "Cloudflare")
    for each in addresses:
        assert f'address: "{each}", port: 853, name: {name}' in printed, printed


def test_the_manual_has_each_row():
    awk = ROOT / "scripts/deploy/package/settings-manual.awk"
    done = subprocess.run(["awk", "-f", awk], input=TEXT, capture_output=True, text=True, check=True)
    manual = done.stdout.replace("\\-", "-").replace("\\(aq", "'")
    assert ".SH WELL-KNOWN RESOLVERS" in manual
    for name, does, tls_name, addresses, _ in ROWS:
        assert f".TP\n\\fB{name}\\fR\n{does}; \\fB{tls_name}\\fR at {', '.join(addresses)}\n" in manual, name
    assert "RESOLVERS.md" in (ROOT / "scripts/deploy/package/make-files").read_text()
