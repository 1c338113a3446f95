"""process: a program a test started: its output in a file, ready once its port answers, ended by signal; waiting for
what is to come, and what is done meanwhile."""
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.request


class ProcessError(AssertionError):
    """A program did not do what a test may expect of any program: start, stay, stop."""


LAST_FREE_PORT = 32000  #: the kernel takes ports for connections from 32768 on
_given = set()  # that free_port returned


def free_port(kinds=(socket.SOCK_STREAM, socket.SOCK_DGRAM)):
    """A port nobody has now, and none that was returned before. Below the range from which the kernel takes ports for
    connections, so that none of ours gets it meanwhile.
    """
    for _ in range(1000):
        port = random.randint(10000, LAST_FREE_PORT)
        if port not in _given and all(_is_free(port, kind) for kind in kinds):
            _given.add(port)
            return port
    raise ProcessError("no free port")


def _is_free(port, kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(condition, what, seconds=10.0):
    """Polls until `condition()` is true and returns its value. The wait ends with the condition, not with a guess of
    how long it takes.
    """
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise ProcessError(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def is_listening(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def is_ready(url):
    """Whether a server answers 200 at `url`."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status == 200
    except OSError:  # it is not listening yet, or says another status
        return False


@contextlib.contextmanager
def in_background(step):
    """Calls `step` again and again, in a thread of its own, until the block is left."""
    ended = threading.Event()

    def run():
        while not ended.is_set():
            step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _end_with_parent():
    """In the child: a test run that is killed leaves nothing behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child process in a session of its own; `with` ends it."""

    def __init__(self, name, command, folder, environment=None):
        self.name = name
        self.folder = folder
        self.log_path = folder / f"{name}.log"
        self.launch(command, environment or {})

    def launch(self, command, environment, descriptors=()):
        """Starts it, with `descriptors` under their numbers."""
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                [str(part) for part in command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_end_with_parent, pass_fds=descriptors,
                env={**os.environ, **environment})

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_listening(self, port, seconds=20.0, host="127.0.0.1"):
        def ready():
            if self.child.poll() is not None:
                raise ProcessError(f"{self.name} ended with {self.child.returncode}:\n{self.log_tail()}")
            return is_listening(port, host)

        wait_for(ready, f"{self.name} listens on {host}:{port}", seconds)

    def wait_log(self, text, seconds=10.0, since=0):
        """Waits until the log holds `text` behind its first `since` characters; returns the line."""
        def line():
            return next((each for each in self.log()[since:].splitlines() if text in each), None)

        try:
            return wait_for(line, f"{self.name} logs {text!r}", seconds)
        except ProcessError as error:
            raise ProcessError(f"{error}; its log ends:\n{self.log_tail()}") from None

    def wait_exit(self, seconds=20.0):
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            ends = f"its log ends:\n{self.log_tail()}"
            raise ProcessError(f"{self.name} did not stop within {seconds:g} s; {ends}") from None

    def kill(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
