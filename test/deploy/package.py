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


def put_into(fresh):
    """Makes it in a fresh tree, in whose /root it is then, with everything installed that it needs, but not the package
    itself; its name."""
    said = fresh.run("made=$(scripts/package | tail -n 1) && cp $made /root && apt-get install -y -q $made >&2 &&"
                     " dpkg --purge dns-tls-proxy >&2 && basename $made", 900)
    return said.splitlines()[-1]


def field(package, name):
    return checks.output("dpkg-deb", "-f", package, name)
