"""fresh: a clone of this project in a fresh tree of a release (trees.py), where nothing else is installed. Commands run
in the clone, as root, with the machine's network.
"""
import os
import pathlib
import signal
import subprocess
import tempfile

import checks  # first: it says where the modules below are
import readme
import trees
from process import Process


class Failed(AssertionError):
    """A command that had to work did not; the text has the end of what it said."""


class Fresh:
    """`with` makes it and takes it away. One command at a time. `tree`: another tree than the release's smallest."""

    def __init__(self, release, tree=None):
        self._tree = tree or trees.make(release)
        self._layer = trees.Layer(self._tree)
        self._folder = tempfile.TemporaryDirectory(prefix="clone-", dir=trees.CACHE)
        self.folder = pathlib.Path(self._folder.name)
        self.clone = self.folder / "dns-tls-proxy"
        readme.make_clone(self.clone)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._folder.cleanup()
        self._layer.__exit__(*exception)

    def as_tree(self):
        """What the commands made of it, as a tree for a machine, while no command runs."""
        return f"{self._layer.path('/')}:{self._tree}"

    def _command(self, command):
        inner = ["bash", "-c", f"cd /dns-tls-proxy && {command}"]
        return self._layer.command(*inner, folders=[f"{self.clone}:/dns-tls-proxy"])

    def run(self, command, seconds):
        """Its output."""
        try:
            done = subprocess.run(self._command(command), check=False, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{command}: not within {seconds} s\n{(late.stdout or b'')[-3000:]!r}") from None
        if done.returncode != 0:
            log = checks.ROOT / "build/check/fresh.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(done.stdout + done.stderr, encoding="utf-8")
            raise Failed(f"{command}: exit {done.returncode}; all of it is in {log}\n{log.read_text()[-6000:]}")
        return done.stdout

    def start(self, command):
        """A program in the foreground, until the end of its `with` block."""
        return Running(command, self._command(f"exec {command}"), self.folder)


class Running(Process):
    """A process of a fresh tree; `inside` is the number, here, of the first one in the tree."""

    def __init__(self, command, arguments, folder):
        super().__init__("running", arguments, folder)
        self._text = command

    def inside(self):
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        return int(children[0])

    def check_running(self):
        if self.child.poll() is not None:
            raise Failed(f"{self._text}: exit {self.child.returncode}\n{self.log_tail()}")

    def run_beside(self, *command):
        """A command in the same tree, as in another terminal; its output."""
        environment = ["env", "-i", f"PATH={trees.PATH}", "HOME=/root", "LC_ALL=C.UTF-8"]
        return checks.output("chroot", f"/proc/{self.inside()}/root", *environment, *command, timeout=60)

    def end(self):
        """TERM to the program, which has to stop well."""
        os.kill(self.inside(), signal.SIGTERM)
        if self.wait_exit(30) != 0:
            raise Failed(f"{self._text}: exit {self.child.returncode} after TERM\n{self.log_tail()}")
