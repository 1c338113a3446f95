"""trees: file trees of Debian and Ubuntu releases, in which commands run as root by chroot. A tree is made by
mmdebstrap once and kept in a cache; a Layer over it takes what is written, so that the tree stays fresh.

Packages come from the mirrors in apt's own configuration; Ubuntu's are looked for beside Debian's, or the reverse. All
mounts are in a mount namespace of the command's own, so none is left behind. Needs root on Debian.
"""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

#: release -> (distribution, suite)
RELEASES = {
    "debian-12": ("debian", "bookworm"),
    "debian-13": ("debian", "trixie"),
    "ubuntu-24.04": ("ubuntu", "noble"),
    "ubuntu-26.04": ("ubuntu", "resolute"),
}
COMPONENTS = {"debian": "main", "ubuntu": "main universe"}
KEYRINGS = {distribution: f"/usr/share/keyrings/{distribution}-archive-keyring.gpg" for distribution in COMPONENTS}

CACHE = pathlib.Path(os.environ.get("DEPLOY_CACHE") or "/var/tmp/dns-tls-proxy-deploy") / "trees"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: Arguments: root, where apt keeps its archives ("" for none), a number of folders, the folders, the command.
#: A folder FROM:TO is seen at TO.
ENTER = """
root=$1 archives=$2 count=$3
shift 3
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
if [ "$$" = 1 ]; then mount -t proc proc "$root/proc"; else mount --rbind /proc "$root/proc"; fi
if [ -n "$archives" ]; then
  mkdir -p "$root/var/cache/apt/archives"
  mount --bind "$archives" "$root/var/cache/apt/archives"
fi
while [ "$count" -gt 0 ]; do
  mkdir -p "$root/${1#*:}"
  mount --bind "${1%%:*}" "$root/${1#*:}"
  shift
  count=$((count - 1))
done
exec chroot "$root" "$@"
"""


class Unavailable(Exception):
    """The release cannot be had on this machine; the text says why."""


def _output(*command):
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


def _mirrors(distribution):
    """(mirror, mirror of security updates) of a distribution, by apt's configuration; either may be None."""
    targets = _output("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages")
    archive = security = None
    for uri, release in (line.rstrip("/").split() for line in targets.splitlines()):
        parent, _, name = uri.rstrip("/").rpartition("/")
        if name in COMPONENTS:
            archive = archive or f"{parent}/{distribution}"
        if name == f"{distribution}-security" or name == distribution and release.endswith("-security"):
            security = uri.rstrip("/")
    return archive, security


def _is_there(mirror, suite):
    try:
        with urllib.request.urlopen(f"{mirror}/dists/{suite}/InRelease", timeout=20) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def _keyring(distribution):
    """The file of its archive's keys; Ubuntu's come out of a Debian package where they are not installed."""
    installed = pathlib.Path(KEYRINGS[distribution])
    if installed.exists():
        return installed
    kept = CACHE / installed.name
    if not kept.exists():
        with Layer(make("debian-13")) as layer:
            layer.run("sh", "-c", f"apt-get -q update && cd /tmp && apt-get -q download {distribution}-keyring &&"
                                  " dpkg -x *-keyring*.deb /tmp/keys")
            shutil.copy(layer.path(f"/tmp/keys{installed}").resolve(), kept)
    return kept


def sources(release):
    """Lines for apt. Raises Unavailable where no mirror has the release."""
    distribution, suite = RELEASES[release]
    archive, security = _mirrors(distribution)
    if not archive or not _is_there(archive, suite):
        raise Unavailable(f"no {suite} at {archive or 'any mirror that apt knows'}")
    options = f"[signed-by={_keyring(distribution)}]"
    suites = [(archive, suite), (archive, f"{suite}-updates"), (security or archive, f"{suite}-security")]
    return [f"deb {options} {mirror} {each} {COMPONENTS[distribution]}" for mirror, each in suites
            if each == suite or _is_there(mirror, each)]


def make(release, purpose="", packages=()):
    """The folder of a release's tree with nothing in it but apt, certificates and `packages`; with these it has a
    `purpose` that tells it from others. Made where the cache does not have it.
    """
    tree = CACHE / "-".join(filter(None, (release, purpose)))
    if tree.exists():
        return tree
    lines = sources(release)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        made = pathlib.Path(folder) / "tree"
        included = ",".join(("apt", "ca-certificates", "gpgv", *packages))
        _output("mmdebstrap", "--quiet", "--variant=minbase", f"--include={included}", RELEASES[release][1], made,
                *lines)
        for path in (made / "etc/apt").rglob("*.list"):  # apt in the tree has the keys where they are installed
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r"(?<=signed-by=)\S+(?=/[^/]+\])", "/usr/share/keyrings", text), encoding="utf-8")
        made.rename(tree)
    return tree


def command_in(root, command, folders=(), archives="", contained=False, before=""):
    """As an argument list: the command in a tree, with `folders` (FROM:TO, or the same path for both) in it.
    Contained: it gets processes of its own, which end with it. `before` is run in the mount namespace first.
    """
    own = ["--pid", "--fork", "--kill-child"] if contained else []
    environment = ["env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8"]
    seen = [f"{each}" if ":" in str(each) else f"{each}:{each}" for each in folders]
    return ["unshare", "--mount", "--propagation", "private", *own, "sh", "-ec", before + ENTER, "enter", str(root),
            str(archives), str(len(seen)), *seen, *environment, *map(str, command)]


def version(tree, package):
    """Of a package in the tree."""
    return _output("dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W", "-f", "${Version}", package)


class Layer:
    """A tree that may be written to; what was written is gone at the end of its `with` block. One command at a time."""

    def __init__(self, tree):
        self._lower = tree
        self._temporary = tempfile.TemporaryDirectory(prefix="layer-", dir=CACHE)
        self.folder = pathlib.Path(self._temporary.name)
        self._archives = self._take_archives(CACHE / f"{tree.name}.archives")
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._archives:
            os.close(self._locked)
        self._temporary.cleanup()

    def _take_archives(self, folder):
        """Where packages stay once they were fetched; "" while another layer of the tree uses it, since apt locks
        it."""
        folder.mkdir(exist_ok=True)
        self._locked = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._locked)
            return ""
        return folder

    def path(self, path):
        """Where what the layer holds at `path` can be found from outside."""
        return self.folder / "upper" / str(path).lstrip("/")

    def command(self, *command, folders=()):
        """As an argument list."""
        options = f"lowerdir={self._lower},upperdir={self.folder}/upper,workdir={self.folder}/work"
        before = f"mount -t overlay overlay -o '{options}' '{self.folder}/root'\n"
        before += f"cp -L --remove-destination /etc/resolv.conf '{self.folder}/root/etc/resolv.conf'\n"
        return command_in(self.folder / "root", command, folders, self._archives, contained=True, before=before)

    def run(self, *command, folders=()):
        """Its output; raises Unavailable with what it said where it fails."""
        return _output(*self.command(*command, folders=folders))
