"""scripts/release, as far as it goes without building: the source archive, what makes a release impossible, the SBOM
and the checksums over parts that are there; and the package's changelog. `scripts/check-deploy release` makes a whole
one.
"""
import hashlib
import importlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="scripts/release needs root")
NEEDED = {"name": "libwolfssl35", "version": "5.5.4-2+deb12u1", "architecture": "amd64", "source": "wolfssl",
          "source_version": "5.5.4-2+deb12u1", "licences": ["GPL-2+"]}
DEBS = [f"debian-{number}-{architecture}" for number in (12, 13) for architecture in ("amd64", "arm64")]


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


def run(clone, *arguments):
    return subprocess.run([clone / "scripts/release", *arguments], check=False, capture_output=True, text=True,
                          timeout=120)


@pytest.fixture(name="clone")
def fixture_clone(tmp_path):
    """What a release needs of the sources, committed."""
    clone = tmp_path / "clone"
    for name in ("CMakeLists.txt", "CHANGELOG.md", "LICENSE", "scripts/release"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    shutil.copytree(ROOT / "scripts/deploy/release", clone / "scripts/deploy/release")
    (clone / "test/support").mkdir(parents=True)
    shutil.copy(ROOT / "test/support/trees.py", clone / "test/support")
    (clone / ".gitignore").write_text("/build/\n__pycache__/\n", encoding="ascii")
    git(clone, "init", "-q")
    commit(clone)
    return clone


def commit(clone):
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "all")


def version_of(clone):
    return re.search(r"project\(\S+ VERSION ([\d.]+)", (clone / "CMakeLists.txt").read_text())[1]


@needs_root
def test_the_source_archive_is_the_commit_and_the_same_twice(clone, tmp_path):
    done = run(clone, "source", "--again", "--output", tmp_path / "out")
    assert done.returncode == 0 and "the same bytes twice" in done.stdout, done
    (archive,) = (tmp_path / "out").glob("*.tar.gz")
    name = f"dns-tls-proxy-{version_of(clone)}"
    assert archive.name == f"{name}.tar.gz"
    with tarfile.open(archive) as tar:
        inside = {each.name: each for each in tar.getmembers() if each.isfile()}
        assert tar.extractfile(f"{name}/LICENSE").read() == (ROOT / "LICENSE").read_bytes()
    listed = subprocess.run(["git", "-C", clone, "ls-files"], check=True, capture_output=True, text=True).stdout.split()
    assert set(inside) == {f"{name}/{each}" for each in listed}
    assert inside[f"{name}/scripts/release"].mode & 0o111


@needs_root
@pytest.mark.parametrize("changes, said", [
    ({"LICENSE": ("MIT", "MIT or so")}, "changes that are in none"),
    ({"CHANGELOG.md": (r"## \[[\d.]+\]", "## [9.9.9]"), "commit": None}, "CHANGELOG.md begins with [9.9.9]"),
    ({"CHANGELOG.md": (r"## \[[\d.]+\] - \S+", "## [Unreleased]"), "commit": None}, "begins with [Unreleased]"),
    ({"CHANGELOG.md": (r"(## \[[\d.]+\]) - \S+", r"\1"), "commit": None}, "and a date"),
], ids=["not committed", "other version", "unreleased", "without a date"])
def test_a_release_is_refused(clone, changes, said):
    for name, change in changes.items():
        if change:
            (clone / name).write_text(re.sub(*change, (clone / name).read_text(), count=1))
    if "commit" in changes:
        commit(clone)
    done = run(clone, "source")
    assert done.returncode == 1 and said in done.stderr, done.stderr


#: What SPDX 2.3 has for a package, and of that what is used.
FIELDS = {"SPDXID", "name", "versionInfo", "packageFileName", "primaryPackagePurpose", "supplier", "downloadLocation",
          "filesAnalyzed", "homepage", "checksums", "licenseConcluded", "licenseDeclared", "licenseComments",
          "copyrightText", "sourceInfo", "externalRefs"}
PURPOSES = {"APPLICATION", "CONTAINER", "INSTALL", "LIBRARY", "OTHER", "SOURCE"}
RELATIONS = {"BUILD_TOOL_OF", "CONTAINS", "DEPENDS_ON", "DESCRIBES", "DYNAMIC_LINK", "GENERATED_FROM"}


def check_form(document):
    """As SPDX 2.3 wants it, as far as the documents of releases go."""
    assert (document["spdxVersion"], document["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    assert all(re.match("(Organization|Person|Tool): ", each) for each in document["creationInfo"]["creators"])
    assert re.fullmatch(r"https://[^#\s]+", document["documentNamespace"])
    names = ["SPDXRef-DOCUMENT", *(each["SPDXID"] for each in document["packages"])]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in names)
    for each in document["packages"]:
        assert {"SPDXID", "name", "downloadLocation"} <= set(each) <= FIELDS, each
        assert each["filesAnalyzed"] is False and each["primaryPackagePurpose"] in PURPOSES, each
        assert all(re.fullmatch("[0-9a-f]{64}", sum_of["checksumValue"]) for sum_of in each.get("checksums", []))
        assert all(" " not in reference["referenceLocator"] for reference in each.get("externalRefs", []))
    for each in document["relationships"]:
        assert each["relationshipType"] in RELATIONS
        assert {each["spdxElementId"], each["relatedSpdxElement"]} <= set(names), each


def put_parts(clone, out):
    """The parts as if they had been built; {part: file}."""
    head = subprocess.run(["git", "-C", clone, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    files = {part: f"{part}.deb" for part in DEBS} | {"image": "image.tar"}
    assert run(clone, "source", "--output", out).returncode == 0
    for part, file in files.items():
        (out / file).write_text(part)
        facts = {"contains": [NEEDED]} if part == "image" else {
            "needs": [NEEDED, NEEDED | {"name": "ca-certificates", "version": "20230311", "architecture": "all"}],
            "compiler": ["gcc", "12.2.0"], "version": "1~deb"}
        (out / "parts" / f"{part}.json").write_text(json.dumps({"file": file, "commit": head.strip(), **facts}))
    return files


@needs_root
def test_the_sums_and_the_sbom_are_of_all_parts_of_this_commit(clone, tmp_path):
    out = tmp_path / "out"
    files = put_parts(clone, out)
    done = run(clone, "sums", "--output", out)
    assert done.returncode == 0, done.stderr
    sums = dict(reversed(line.split("  ")) for line in (out / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == {each.name for each in out.iterdir() if each.is_file()} - {"SHA256SUMS"}
    assert all(hashlib.sha256((out / name).read_bytes()).hexdigest() == value for name, value in sums.items())
    (path,) = out.glob("*.spdx.json")
    document = json.loads(path.read_text())
    check_form(document)
    packages = {each["SPDXID"]: each for each in document["packages"]}
    assert {each.get("packageFileName") for each in packages.values()} >= set(files.values())
    relations = {(packages[each["spdxElementId"]].get("packageFileName"), each["relationshipType"],
                  packages[each["relatedSpdxElement"]]["name"]) for each in document["relationships"]
                 if each["relationshipType"] != "DESCRIBES"}
    assert ("debian-12-arm64.deb", "DYNAMIC_LINK", "libwolfssl35") in relations
    assert ("debian-13-amd64.deb", "DEPENDS_ON", "ca-certificates") in relations
    assert ("image.tar", "CONTAINS", "libwolfssl35") in relations
    assert ("image.tar", "GENERATED_FROM", "dns-tls-proxy") in relations
    purls = [each["externalRefs"][0]["referenceLocator"] for each in packages.values() if "externalRefs" in each]
    assert "pkg:deb/debian/libwolfssl35@5.5.4-2%2Bdeb12u1?arch=amd64&distro=debian-12" in purls, purls
    before = path.read_bytes()
    assert run(clone, "sums", "--output", out).returncode == 0 and path.read_bytes() == before


@needs_root
def test_a_part_that_is_missing_or_of_another_commit_is_named(clone, tmp_path):
    out = tmp_path / "out"
    put_parts(clone, out)
    (out / "parts/image.json").rename(tmp_path / "image.json")
    done = run(clone, "sums", "--output", out)
    assert done.returncode == 1 and "there is no image" in done.stderr, done.stderr
    (tmp_path / "image.json").rename(out / "parts/image.json")
    (clone / "LICENSE").write_text("another")
    commit(clone)
    done = run(clone, "sums", "--output", out)
    assert done.returncode == 1 and "source in" in done.stderr and "another commit" in done.stderr, done.stderr


@needs_root
@pytest.mark.skipif(not shutil.which("gpg"), reason="gnupg is not installed: nothing was signed")
def test_the_sums_are_signed_where_a_key_is_given(clone, tmp_path, monkeypatch):
    out, home = tmp_path / "out", tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    key = "release@example.org"
    subprocess.run(["gpg", "--batch", "--passphrase", "", "--quick-generate-key", key, "ed25519", "sign", "never"],
                   check=True, capture_output=True)
    put_parts(clone, out)
    done = run(clone, "sums", "--sign", key, "--output", out)
    assert done.returncode == 0, done.stderr
    verify = ["gpg", "--verify", out / "SHA256SUMS.asc", out / "SHA256SUMS"]
    assert subprocess.run(verify, check=False, capture_output=True).returncode == 0
    (out / "SHA256SUMS").write_text("other")
    assert subprocess.run(verify, check=False, capture_output=True).returncode != 0
    assert run(clone, "sums", "--output", out).returncode == 0
    assert not (out / "SHA256SUMS.asc").exists()  # one of other sums would be worse than none


def saved_image(path, hostname, layer=b"a layer"):
    """An image as buildah saves it."""
    config = {"created": "2026-01-01T00:00:00Z", "container": 2 * hostname, "container_config": {"Hostname": hostname},
              "config": {"Hostname": hostname, "User": "65532:65532", "Healthcheck": {"Test": ["CMD", "x"]}}}
    manifest = [{"Config": f"{hostname}.json", "RepoTags": ["localhost/x:1"], "Layers": ["l.tar"]}]
    with tarfile.open(path, "w") as tar:
        for name, content in (("l.tar", layer), (f"{hostname}.json", json.dumps(config).encode()),
                              ("manifest.json", json.dumps(manifest).encode())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_an_image_is_saved_without_what_its_build_made_up(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts/deploy/release")
    image = importlib.import_module("image")
    written = [tmp_path / f"{number}.tar" for number in range(3)]
    image.write(saved_image(tmp_path / "a", "4711"), written[0], "dns-tls-proxy:1", 1700000000)
    image.write(saved_image(tmp_path / "b", "0815"), written[1], "dns-tls-proxy:1", 1700000000)
    image.write(saved_image(tmp_path / "c", "0815", b"other"), written[2], "dns-tls-proxy:1", 1700000000)
    assert written[0].read_bytes() == written[1].read_bytes() != written[2].read_bytes()
    with tarfile.open(written[0]) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))
        assert manifest["RepoTags"] == ["dns-tls-proxy:1"]
        assert tar.extractfile(manifest["Layers"][0]).read() == b"a layer"
        config = tar.extractfile(manifest["Config"]).read()
        assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
        assert json.loads(config)["config"]["Healthcheck"] == {"Test": ["CMD", "x"]}
        assert all(each.mtime == 1700000000 for each in tar)


def test_the_changelog_of_the_package_is_that_of_the_project():
    text = (ROOT / "CHANGELOG.md").read_text()
    done = subprocess.run(["awk", "-v", "version=7.7.7~deb12", "-v", "now=1700000000", "-f",
                           ROOT / "scripts/deploy/package/changelog.awk", ROOT / "CHANGELOG.md"], check=True,
                          capture_output=True, text=True)
    assert max(len(line) for line in done.stdout.splitlines() if not line.startswith(" -- ")) <= 80
    assert "\n\n\n" not in done.stdout
    versions = re.findall(r"(?m)^dns-tls-proxy \((\S+)\) stable; urgency=medium$", done.stdout)
    assert versions == ["7.7.7~deb12", *re.findall(r"(?m)^## \[(\S+)\]", text)[1:]]
    trailers = re.findall(r"(?m)^ -- .* <\S+@\S+>  (\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000)$", done.stdout)
    assert len(trailers) == len(versions)
    words = re.sub(r"\s+", " ", done.stdout)
    for item in re.findall(r"(?ms)^- (.*?)(?=^- |^#|^$)", text):
        assert re.sub(r"\s+", " ", item).strip() in words, item
