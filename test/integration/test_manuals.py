"""The manual pages say what the program says of itself: every flag, and every setting with its meaning."""
import pathlib
import re
import subprocess

from proxy import run

PACKAGE = pathlib.Path(__file__).parents[2] / "scripts/deploy/package"


def plain(roff):
    """The text of a manual page without its markup."""
    text = re.sub(r"\\f[BIR]", "", roff).replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'")
    return re.sub(r"(?m)^\\&", "", text)


def test_every_flag_is_in_the_manual():
    flags = set(re.findall(r"--[a-z-]+", run("--help").stdout))
    assert {"--config", "--query", "--print-config", "--health-check"} <= flags
    manual = plain((PACKAGE / "dns-tls-proxy.8").read_text())
    assert flags - set(re.findall(r"--[a-z-]+", manual)) == set()


def test_every_setting_is_explained_with_its_default_and_what_a_change_needs():
    markdown = run("--print-config-doc=markdown").stdout
    done = subprocess.run(["awk", "-f", PACKAGE / "settings-manual.awk"], input=markdown, capture_output=True,
                          text=True, check=True)
    manual, count = plain(done.stdout), 0
    for line in markdown.splitlines():
        if line.startswith("## "):
            section = "" if line == "## General" else line[3:] + "."
        if not line.startswith("| `"):
            continue
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        name, default, allowed, changes, meaning = cells
        assert (f".TP\n{section}{name}\n{meaning}\n.br\n"
                f"Default: {default}; allowed: {allowed}; changes by a {changes}.\n") in manual, section + name
        count += 1
    assert count > 60
