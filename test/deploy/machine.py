"""machine: a Debian 12 machine (or another release's) with a real systemd as PID 1, in a container without network of
its own (it shares a World's), thrown away at the end.

What its kernel does not enforce inside: MemoryMax, TasksMax, IPAddressDeny. Needs root."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import checks  # first: it says where the modules below are
import sandboxed
import trees
from process import ProcessError, wait_for

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "systemd-resolved",
    "dbus",
    "libnss-systemd",
    "procps",
    "iproute2",
    "curl",
    "ca-certificates",
    "openssl",
    "man-db",
    "knot-dnsutils",
    "dnsperf",
    "libwolfssl35",
    "libldns3",
    "libcivetweb1",
    "libyaml-0-2",
)
#: Of another release, whose libraries have other names.
OTHER_PACKAGES = PACKAGES[: PACKAGES.index("dnsperf")] + ("libyaml-0-2",)
SOURCES = "/etc/apt/sources.list.d/debian.sources"
CONFIG = "/etc/dns-tls-proxy/dns-tls-proxy.yaml"
DROP_INS = "/run/systemd/system/dns-tls-proxy.service.d"


def make_tree(release="debian-12"):
    """The tree machines start from; made once, and outside of a World, which has no way to Debian's packages."""
    checks.install("systemd-container", "mmdebstrap")
    if release != "debian-12":
        made = trees.make(release, "machine", OTHER_PACKAGES)
        checks.run("systemctl", f"--root={made}", "disable", "systemd-resolved.service")
        return made
    tree = checks.CACHE / "tree"
    if (tree / "made").exists():
        return tree
    if tree.exists():
        shutil.rmtree(tree)
    checks.CACHE.mkdir(parents=True, exist_ok=True)
    checks.run(
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--include=" + ",".join(PACKAGES),
        "bookworm",
        tree,
        SOURCES,
        timeout=900,
    )
    # Debian's resolved would sit on port 53 before us.
    checks.run("systemctl", f"--root={tree}", "disable", "systemd-resolved.service")
    (tree / "made").touch()
    return tree


class Machine:
    """`with` boots it and powers it off. Its root is a layer over the tree of make_tree(), so nothing is kept."""

    def __init__(self, world, tree):
        self.world = world
        self.tree = tree
        self._layers = pathlib.Path(tempfile.mkdtemp(prefix="machine-", dir=checks.CACHE))
        self.root = self._layers / "root"
        self.leader = None
        self._nspawn = None

    def __enter__(self):
        for name in ("root", "upper", "work"):
            (self._layers / name).mkdir()
        checks.run(
            "mount",
            "-t",
            "overlay",
            "overlay",
            "-o",
            f"lowerdir={self.tree},upperdir={self._layers}/upper,workdir={self._layers}/work",
            self.root,
        )
        self._log = open(self._layers / "boot.log", "wb")
        self._nspawn = subprocess.Popen(
            [
                "systemd-nspawn",
                "-q",
                "-b",
                "-D",
                str(self.root),
                "--register=no",
                "--keep-unit",
                f"--network-namespace-path={self.world.path}",
                "--console=read-only",
                f"--machine={self.world.name}",
                "--hostname=machine",
                # Its own filter does not know Landlock in systemd 252; a machine without nspawn has no such filter.
                "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            wait_for(self._is_up, "the machine is up", 60)
        except ProcessError:
            self.__exit__(None, None, None)
            raise
        if sandboxed.IS_LOGGED:
            text = sandboxed.DROP_IN.format(path=CONFIG, line=sandboxed.LINE.strip())
            self.sh(f"mkdir -p {DROP_INS} && cat >{DROP_INS}/sandbox.conf <<'END'\n{text}END\nsystemctl daemon-reload")
        return self

    def _is_up(self):
        if self._nspawn.poll() is not None:
            raise ProcessError((self._layers / "boot.log").read_text(errors="replace")[-3000:])
        self.leader = checks.output("pgrep", "-P", self._nspawn.pid, "-x", "systemd", check=False)
        state = self.leader and self.sh("systemctl is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def __exit__(self, kind, value, trace):
        if self._nspawn and self._nspawn.poll() is None:
            if self.leader:
                sandboxed.look(self.sh("journalctl --sync; journalctl -u dns-tls-proxy --no-pager -o cat",
                                       check=False).stdout)
                self.sh("systemctl poweroff", check=False)
            try:
                self._nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self._nspawn.terminate()
                self._nspawn.wait()
        self._log.close()
        checks.run("umount", self.root, check=False)
        shutil.rmtree(self._layers, ignore_errors=True)

    def sh(self, script, check=True, timeout=120):
        """A shell script in the machine, as root."""
        return checks.run(
            "nsenter",
            "-t",
            self.leader,
            "-a",
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LC_ALL=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
            "SYSTEMD_PAGER=",
            "MANPAGER=cat",
            "bash",
            "-c",
            script,
            check=check,
            timeout=timeout,
        )

    def out(self, script, **options):
        return self.sh(script, **options).stdout.strip()

    def journal(self, arguments):
        """What journalctl prints with these arguments, once the journal has taken up all that was sent to it."""
        self.sh("journalctl --sync")
        return self.out(f"journalctl -q --no-pager -o cat {arguments}")

    def put(self, source, destination, mode=0o644):
        """A file of ours into the machine."""
        target = self.root / destination.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(mode)

    def write(self, destination, text):
        text = sandboxed.config(text) if destination == CONFIG else text
        target = self.root / destination.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def add_libraries(self, program):
        """Of Debian 12, for which the package is built, those that another release lacks."""
        for path in re.findall(r"=> (/\S+)", checks.output("ldd", program)):
            name = path.rsplit("/", 1)[1]
            if not list(self.root.glob(f"usr/lib/*/{name}")):
                shutil.copy(path, self.root / "usr/local/lib" / name)
        self.sh("ldconfig")

    def trust(self, ca_file):
        """The authority into the machine's own bundle."""
        self.put(ca_file, "/usr/local/share/ca-certificates/test.crt")
        self.sh("update-ca-certificates")

    def wait(self, script, what, seconds=30.0):
        return wait_for(lambda: self.sh(script, check=False).returncode == 0, what, seconds)

    def property(self, name, unit="dns-tls-proxy.service"):
        return self.out(f"systemctl show --value --property={name} {unit}")

    def host_pid(self, pid):
        """The number here of what is `pid` in there."""
        space = os.readlink(f"/proc/{self.leader}/ns/pid")
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and self._is(entry, space, pid):
                return int(entry.name)
        raise ProcessError(f"no process {pid} in the machine")

    @staticmethod
    def _is(entry, space, pid):
        try:
            numbers = next(
                line for line in (entry / "status").read_text().splitlines() if line.startswith("NSpid:")
            ).split()[1:]
            return numbers[-1] == str(pid) and os.readlink(entry / "ns/pid") == space
        except (OSError, StopIteration):
            return False
