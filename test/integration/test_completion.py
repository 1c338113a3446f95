"""What bash, zsh and fish offer behind the program's name: real shells at a terminal, with the script that the program
prints for them, and the TAB key."""
import re

import pytest

from proxy import run
from shells import SHELLS, TAB, is_there

FORMS = {"--log-level": {"error", "warning", "info", "debug"}, "--workers": {"auto"},
         "--print-config-doc": {"markdown", "example", "metrics"}, "--print-completion": {"bash", "zsh", "fish"}}
UNUSUAL = ("it's.yaml", 'q"uote.yaml', "d$HOME.yaml", "s*.yaml", "b\\slash.yaml", "e=f.yaml", "\u00fcber.yaml")
ADDRESSES = ("--listen", "--upstream", "--http")


def help_of_flags():
    """{flag: its help on one line}, as --help says."""
    text = run("--help").stdout.partition("file:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"(?m)^  (?:-\w, )?(--[a-z-]+)\S*(?: \S+)*? {2,}(.*(?:\n {20,}.*)*)", text)
    return {flag: re.sub(r"\s+", " ", said) for flag, said in entries}


@pytest.fixture(name="shell", params=SHELLS, scope="module")
def fixture_shell(request, tmp_path_factory):
    if not is_there(request.param):
        pytest.skip(f"{request.param} is not installed: nothing was completed in it")
    folder = tmp_path_factory.mktemp(request.param)
    script = folder / "script"
    script.write_text(run(f"--print-completion={request.param}").stdout, encoding="utf-8")
    (folder / "files").mkdir()
    for name in ("a name.yaml", *UNUSUAL):
        (folder / "files" / name).touch()
    with SHELLS[request.param](folder, script) as shell:
        yield shell


def test_each_flag_is_offered_and_nothing_else(shell):
    flags = help_of_flags()
    assert len(flags) > 12 and "--print-completion" in flags
    assert {each.rstrip("=") for each in shell.offered("--")} - {"--"} == set(flags)
    if hasattr(shell, "described"):
        assert {flag: said for flag, said in shell.described("--").items() if flag in flags} == flags


def test_a_flag_and_its_value_are_completed_from_their_beginning(shell):
    assert shell.typed(f"--log-l{TAB}de{TAB}") == ["--log-level", "debug"]
    assert shell.typed(f"--log-level=de{TAB}") == ["--log-level", "debug"]
    assert shell.typed(f"--workers a{TAB} --check{TAB}") == ["--workers", "auto", "--check-config"]
    assert shell.typed(f"--print-config-doc=ma{TAB}") == ["--print-config-doc", "markdown"]


@pytest.mark.parametrize("flag", ["--config", "--ca-file"])
def test_files_are_offered_where_a_file_is_wanted(shell, flag):
    assert shell.typed(f"{flag} fi{TAB}a{TAB}") == [flag, "files/a name.yaml"]
    assert shell.typed(f"{flag}=fi{TAB}a{TAB}") == [flag, "files/a name.yaml"]


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_file_of_an_unusual_name_is_one_word(shell, name):
    assert shell.typed(f"--config files/{name[0]}{TAB}") == ["--config", f"files/{name}"]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quote_that_was_begun_goes_on(shell, quote):
    assert shell.typed(f"--config {quote}files/a{TAB}") == ["--config", "files/a name.yaml"]


@pytest.mark.parametrize("flag", ADDRESSES)
def test_nothing_is_offered_where_an_address_is_wanted(shell, flag):
    assert shell.typed(f"{flag} fi{TAB}") == [flag, "fi"]


@pytest.mark.parametrize("flag", FORMS)
def test_all_values_are_offered_and_the_program_takes_them(shell, flag):
    offered = set(shell.offered(f"{flag} ")) - {flag}
    assert offered == FORMS[flag]
    for each in offered:
        done = run(f"{flag}={each}", *([] if flag.startswith("--print") else ["--check-config"]))
        assert done.returncode == 0, done.stderr


def test_types_are_offered_behind_a_name(shell):
    assert shell.typed(f"--query example.com HT{TAB}") == ["--query", "example.com", "HTTPS"]
    types = [each for each in shell.offered("--query example.com ") if each.isupper()]
    assert {"A", "AAAA", "MX", "TXT"} <= set(types)
    for each in types:
        assert run("--query", "example.com", each).returncode == 0, each


@pytest.mark.parametrize("wrong", ["tcsh", "", "bash zsh"])
def test_another_shell_is_refused(wrong):
    done = run(f"--print-completion={wrong}")
    assert done.returncode == 2 and "bash, zsh or fish is wanted" in done.stderr
