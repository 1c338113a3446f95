"""sbom: what the files of a release are made of, as SPDX 2.3 in JSON: each package and the image, the libraries that
they are linked with or contain, as Debian names them, and the compiler. The same files give the same bytes.
"""
import datetime
import hashlib
import json
import re
import urllib.parse

HOME = "https://github.com/dns-tls-proxy/dns-tls-proxy"
OWNER = "Organization: the dns-tls-proxy maintainers"
DEBIAN = "Organization: Debian"
LICENCE_OF_SOURCES, LICENCE_OF_PROGRAM = "MIT", "GPL-2.0-or-later"  # docs/decisions/0002
#: release -> its name in package URLs
DISTRO = {"debian-12": "debian-12", "debian-13": "debian-13"}


def identifier(*parts):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(parts))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Document:
    def __init__(self, source, digests):
        self._packages = {}
        self._relations = []
        self._source = source
        created = datetime.datetime.fromtimestamp(source.seconds, datetime.timezone.utc)
        seed = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
        self._head = {
            "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": source.name,
            "documentNamespace": f"{HOME}/spdx/{source.name}-{seed}",
            "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "creators": [OWNER, f"Tool: scripts/release-{source.version}"]},
        }

    def add_file(self, path, purpose, licence, **more):
        """A file of the release; returns its identifier."""
        name = identifier("file", path.name)
        self._packages[name] = {
            "SPDXID": name, "name": "dns-tls-proxy", "versionInfo": more.pop("version", self._source.version),
            "packageFileName": path.name, "primaryPackagePurpose": purpose, "supplier": OWNER,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "homepage": HOME,
            "checksums": [{"algorithm": "SHA256", "checksumValue": sha256(path)}],
            "licenseConcluded": licence, "licenseDeclared": licence, "copyrightText": "the dns-tls-proxy maintainers",
            **more,
        }
        self.relate("SPDXRef-DOCUMENT", "DESCRIBES", name)
        return name

    def add_debian(self, facts, release):
        """A package of Debian's; returns its identifier."""
        name = identifier("debian", release, facts["name"], facts["version"], facts["architecture"])
        where = {"arch": facts["architecture"], "distro": DISTRO[release]}
        purl = (f"pkg:deb/debian/{urllib.parse.quote(facts['name'], safe='')}@"
                f"{urllib.parse.quote(facts['version'], safe='')}?{urllib.parse.urlencode(where)}")
        self._packages[name] = {
            "SPDXID": name, "name": facts["name"], "versionInfo": facts["version"], "supplier": DEBIAN,
            "primaryPackagePurpose": "LIBRARY" if facts["name"].startswith("lib") else "OTHER",
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "sourceInfo": f"built from {facts['source']} {facts['source_version']} of Debian",
            "licenseComments": "Debian's copyright file names: " + (", ".join(facts["licences"]) or "nothing"),
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": purl}],
        }
        return name

    def add_compiler(self, compiler, release):
        program, version = compiler
        name = identifier("compiler", release, program, version)
        self._packages[name] = {
            "SPDXID": name, "name": program, "versionInfo": version, "supplier": DEBIAN,
            "primaryPackagePurpose": "APPLICATION", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
        }
        return name

    def relate(self, one, relation, other):
        self._relations.append({"spdxElementId": one, "relationshipType": relation, "relatedSpdxElement": other})

    def write(self, path):
        whole = {**self._head, "packages": list(self._packages.values()), "relationships": self._relations}
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write(source, folder, parts):
    """`parts`: {name: {"file", and what packages.py and image.py say}}, in the order in which they are to stand."""
    files = {name: folder / part["file"] for name, part in parts.items()}
    document = Document(source, [sha256(path) for path in files.values()])
    archive = document.add_file(files["source"], "SOURCE", LICENCE_OF_SOURCES,
                                sourceInfo=f"git commit {source.commit}")
    for name, part in parts.items():
        if name == "source":
            continue
        release = "debian-12" if name == "image" else name.rpartition("-")[0]
        purpose = "CONTAINER" if name == "image" else "INSTALL"
        version = {"version": part["version"]} if "version" in part else {}
        made = document.add_file(files[name], purpose, LICENCE_OF_PROGRAM, **version)
        document.relate(made, "GENERATED_FROM", archive)
        for each in part.get("needs", []):
            linked = each["name"].startswith("lib")
            document.relate(made, "DYNAMIC_LINK" if linked else "DEPENDS_ON", document.add_debian(each, release))
        for each in part.get("contains", []):
            document.relate(made, "CONTAINS", document.add_debian(each, release))
        if "compiler" in part:
            document.relate(document.add_compiler(part["compiler"], release), "BUILD_TOOL_OF", made)
    path = folder / f"{source.name}.spdx.json"
    document.write(path)
    return path
