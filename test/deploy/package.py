"""package: the .deb, made from this tree as an operator's build would make it."""
import os
import shutil

import checks


def build(version=None):
    """A build of the release preset, packed; the path of the .deb. With `version`, the same as
    if it were that version's."""
    checks.install("cmake", "ninja-build", "dpkg-dev", "file", "fakeroot")
    folder = checks.ROOT / "build/package"  # of this tree: the cache may serve another one, too
    options = [f"-DDTP_PACKAGE_VERSION={version}"] if version else ["-UDTP_PACKAGE_VERSION"]
    checks.run("cmake", "--preset", "release", "-B", folder, *options, cwd=checks.ROOT)
    checks.run("cmake", "--build", folder, "--parallel", str(os.cpu_count()), timeout=900)
    for old in folder.glob("*.deb"):
        old.unlink()
    checks.run("cpack", "-G", "DEB", cwd=folder)
    (made,) = folder.glob("*.deb")
    kept = checks.CACHE / made.name
    shutil.move(made, kept)
    return kept


def field(package, name):
    return checks.output("dpkg-deb", "-f", package, name)
