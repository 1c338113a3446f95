"""The checks of the sources find what they are for: a copy of the tree with faults is refused, and each fault is named
with its place. (That the tree itself has none is what scripts/check shows.)
"""
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["PROXY"]).parent


@pytest.fixture
def tree(tmp_path):
    """A copy of the tree without what is built, in a repository of its own."""
    shutil.copytree(ROOT, tmp_path, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("build", ".git", "__pycache__"))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def insert(tree, name, line, number=1):
    """Puts the line before the line with this number."""
    lines = (tree / name).read_text().split("\n")
    lines.insert(number - 1, line)
    (tree / name).write_text("\n".join(lines))


def faults(tree, script, *arguments):
    """What the script says, which must refuse the tree. CC=true: no header is compiled."""
    done = subprocess.run([tree / "scripts" / script, *arguments], cwd=tree, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "CC": "true"})
    assert done.returncode == 1, done.stdout
    return done.stdout.splitlines()


def test_wrong_includes_are_named(tree):
    """In headers and in sources: against the direction, of no header, of another file's library, in a cycle."""
    insert(tree, "server/dns/edns.c", '#include "upstream/pool.h"')
    insert(tree, "server/upstream/pool.h", '#include "queries/query.h"')
    insert(tree, "common/hash.c", '#include "common/missing.h"')
    insert(tree, "server/queries/reply.c", "#include <ldns/ldns.h>")
    insert(tree, "common/slots.h", '#include "common/clock.h"')  # either of these two alone is right
    insert(tree, "common/clock.c", '#include "common/slots.h"')
    said = faults(tree, "check-includes")
    assert said[:4] == [
        'common/hash.c:1: "common/missing.h" is no header of this project; write it from the root or from server/',
        'server/dns/edns.c:1: server/dns must not include server/upstream ("upstream/pool.h")',
        'server/upstream/pool.h:1: server/upstream must not include server/queries ("queries/query.h")',
        "server/queries/reply.c:1: only server/dns/validator.c server/dns/zone_record.c may include <ldns/...>"]
    assert "cycle" in said[4] and "common/clock" in said[4] and "common/slots" in said[4]


def test_what_style_forbids_is_named(tree):
    insert(tree, "common/hash.c", "/* " + "x" * 120 + " */")
    insert(tree, "scripts/run", "# " + "x" * 120, 2)
    insert(tree, "server/dns/edns.c", "/* as above, \tand so on */")
    insert(tree, "common/slots.c", "volatile int one;")
    insert(tree, "metrics/health.c", "static int last(void) { return system(\"\"); }")
    insert(tree, "README.md", "x " * 100)
    (tree / "test/unit/common/hash_test.c").unlink()
    (tree / "test/unit/app/name_table_test.c").write_text("")  # which docs/TESTING.md says there is none of
    said = "\n".join(faults(tree, "check-style", BUILD))
    for fault in ("common/hash.c:1: more than 120 columns", "scripts/run:2: more than 120 columns",
                  "server/dns/edns.c:1: a tab", "common/slots.c:1:volatile int one;", "runs a shell",
                  "README.md:1: prose of", "common/hash.c: no unit test",
                  "app/name_table.c is listed without a unit test, but has one"):
        assert fault in said, f"{fault!r} is not in:\n{said}"
