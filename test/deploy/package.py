"""package: the .deb, made from this tree as an operator's build would make it."""
import pathlib
import shutil

import checks


def build(version=None):
    """As scripts/package makes it; the path of the .deb. With `version`, the same as
    if it were that version's."""
    said = checks.output(checks.ROOT / "scripts/package", *([version] if version else []), timeout=900)
    made = pathlib.Path(said.splitlines()[-1])
    kept = checks.CACHE / made.name
    shutil.move(made, kept)
    return kept


def field(package, name):
    return checks.output("dpkg-deb", "-f", package, name)
