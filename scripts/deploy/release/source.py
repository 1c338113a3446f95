"""source: the project at its last commit: version, time, archive."""
import gzip
import pathlib
import re
import subprocess
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Unfit(Exception):
    """The project or the machine is not in a state from which a release can be made; the text says why."""


def git(*arguments):
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout


class Source:
    """What a release is made from. Everything about it is that of the last commit."""

    def __init__(self):
        if git("status", "--porcelain").strip():
            raise Unfit("a release is made from a commit, and this tree has changes that are in none")
        self.commit = git("rev-parse", "HEAD").decode().strip()
        self.seconds = int(git("log", "-1", "--format=%ct"))
        self.version = re.search(r"project\(dns-tls-proxy VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
        self.name = f"dns-tls-proxy-{self.version}"
        newest = re.search(r"(?m)^## \[(\S+)\](.*)$", (ROOT / "CHANGELOG.md").read_text())
        if newest[1] != self.version or not re.fullmatch(r" - \d{4}-\d\d-\d\d", newest[2]):
            raise Unfit(f"CHANGELOG.md begins with [{newest[1]}]{newest[2]}, and the version is {self.version}: "
                        f"it has to begin with [{self.version}] and a date")

    @property
    def archive_name(self):
        return f"{self.name}.tar.gz"

    def write_archive(self, folder):
        """The same bytes for the same commit: git gives each file the commit's time."""
        tar = git("archive", "--format=tar", f"--prefix={self.name}/", "HEAD")
        path = folder / self.archive_name
        with open(path, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            packed.write(tar)
        return path

    def unpack(self, archive, folder):
        """The archive's tree, in `folder`."""
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        return folder / self.name
