"""release: the files that a release is published as, in one folder. Run it by scripts/release.

Each part is made by itself and leaves its file, and what an SBOM says of it in parts/; `sums` joins them.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "test/support"))

# pylint: disable=wrong-import-position
import image
import packages
import sbom
import trees
from source import ROOT, Source, Unfit

DEBS = {f"{release}-{architecture}": (release, architecture) for release in packages.SUFFIXES
        for architecture in packages.ARCHITECTURES}
MADE = ("source", *DEBS, "image")
PARTS = (*MADE, "sums")


def make(part, source, folder):
    """Makes a part in `folder`; returns its path and what is known of it."""
    if part == "source":
        return source.write_archive(folder), {}
    with tempfile.TemporaryDirectory() as name:
        archive = source.write_archive(pathlib.Path(name))
        if part == "image":
            return image.build(source, archive, folder)
        release, architecture = DEBS[part]
        path, facts = packages.build(source, archive, release, architecture, folder)
        return path, {**facts, "version": source.version + packages.SUFFIXES[release]}


def make_again(part, source, path):
    """Makes it once more and compares."""
    with tempfile.TemporaryDirectory() as name:
        other, _ = make(part, source, pathlib.Path(name))
        if other.read_bytes() == path.read_bytes():
            return
        kept = path.with_name(path.name + ".again")
        shutil.copyfile(other, kept)
        raise Unfit(f"{part}: made a second time, it has other bytes: compare {path} and {kept}")


def said_of(part, folder):
    path = folder / "parts" / f"{part}.json"
    if not path.exists():
        raise Unfit(f"there is no {part} in {folder} yet: scripts/release {part}")
    return json.loads(path.read_text(encoding="utf-8"))


def sum_up(source, folder, key):
    """SBOM and checksums of all parts, which have to be of this commit."""
    parts = {part: said_of(part, folder) for part in MADE}
    for part, said in parts.items():
        if said.pop("commit") != source.commit:
            raise Unfit(f"{part} in {folder} is of another commit: scripts/release {part}")
    paths = [folder / said["file"] for said in parts.values()] + [sbom.write(source, folder, parts)]
    sums = folder / "SHA256SUMS"
    sums.write_text("".join(f"{sbom.sha256(path)}  {path.name}\n" for path in paths), encoding="ascii")
    signature = folder / "SHA256SUMS.asc"
    signature.unlink(missing_ok=True)
    if key:
        subprocess.run(["gpg", "--batch", "--yes", "--armor", "--local-user", key, "--detach-sign", "--output",
                        str(signature), str(sums)], check=True)
    return sums


def run(arguments):
    source = Source()
    folder = arguments.output.resolve()
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for part in arguments.parts or PARTS:
        if part == "sums":
            sum_up(source, folder, arguments.sign)
            print((folder / "SHA256SUMS").read_text(encoding="ascii"), end="")
            continue
        print(f"==> {part}", flush=True)
        path, facts = make(part, source, folder)
        again = ""
        if arguments.again:
            make_again(part, source, path)
            again = ", the same bytes twice"
        (folder / "parts" / f"{part}.json").write_text(
            json.dumps({"file": path.name, "commit": source.commit, **facts}, indent=1), encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size} bytes, {sbom.sha256(path)}{again}", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all")
    parser.add_argument("--again", action="store_true", help="make each part twice and compare the bytes")
    parser.add_argument("--sign", metavar="KEY", help="sign the checksums with this key of gpg's")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build/published", help="default: %(default)s")
    arguments = parser.parse_args()
    if set(arguments.parts) - set(PARTS):
        parser.error(f"not one of {', '.join(PARTS)}")
    if os.geteuid() != 0:
        sys.exit("scripts/release: needs root")
    try:
        run(arguments)
    except (Unfit, trees.Unavailable) as why:
        sys.exit(f"scripts/release: {why}")


if __name__ == "__main__":
    main()
