"""proxy: the program under test, with a configuration on free ports; whatever it does wrong at its end fails the
test.
"""
import copy
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from pki import SERVER_NAME
from process import Process, ProcessError, free_port, wait_for

PROGRAM = os.environ.get("PROXY") or str(pathlib.Path(__file__).parents[2] / "build/dev/dns-tls-proxy")

#: What a sanitizer writes when it has found something; a leak is found at exit.
FINDINGS = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|MemorySanitizer")

#: SANDBOX=log runs the tests with `sandbox: log`, in which each system call outside the table of allowed ones is
#: logged; a test in which one was made fails. Without it the default, `sandbox: on`, is in force.
SANDBOX = os.environ.get("SANDBOX")
OUTSIDE = re.compile(r".*call outside the sandbox.*")

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": f"second_deadlock_stack=1:suppressions={pathlib.Path(__file__).parent}/tsan.suppressions",
}


def is_sanitized():
    """Whether the program was built with a sanitizer, which takes memory and time of its own."""
    with open(PROGRAM, "rb") as program:
        return re.search(rb"__(asan|tsan)_init", program.read()) is not None


def merged(base, changes):
    """`base` with `changes` in it, map by map."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def run(*arguments, timeout=20, **options):
    """The program as a command that ends by itself."""
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **SANITIZER_OPTIONS}, **options)


class Proxy(Process):
    """Running, and listening on `port` (and `http_port`), in front of DoT servers on the ports of `upstreams`.
    `wrapper`: a command that runs the program in its own place.
    """

    def __init__(self, folder, pki, upstreams, config=None, arguments=(), name="proxy", wait_port=None,
                 wrapper=()):
        self.http_port = free_port()
        dns_port = next(port for port in iter(free_port, None) if port != self.http_port)
        self.config = merged({
            "listen": [f"127.0.0.1:{dns_port}"],
            "workers": 2,
            "upstreams": [{"address": "127.0.0.1", "port": port, "name": SERVER_NAME} for port in upstreams],
            "tls": {"ca_file": pki.ca_file},
            "rate_limit": {"queries_per_second": 0},
            "names": {"special_use": "forward"},  # the names of tests end in .test, and are to be asked upstream
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
            **({"sandbox": SANDBOX} if SANDBOX else {}),
        }, config or {})
        self.port = int(self.config["listen"][0].rpartition(":")[2])
        self.config_path = folder / f"{name}.yaml"
        self.write_config({})
        super().__init__(name, [*wrapper, PROGRAM, "--config", self.config_path, *arguments], folder, SANITIZER_OPTIONS)
        try:
            self.wait_listening(wait_port or self.port)
            if not wait_port and self.config["http"]["listen"] == f"127.0.0.1:{self.http_port}":
                self.wait_listening(self.http_port)  # answered a moment later than DNS
        except Exception:
            self.kill()
            raise

    def write_config(self, changes):
        """For a start or a reload. JSON is YAML."""
        self.config = merged(self.config, changes)
        self.config_path.write_text(json.dumps(self.config, indent=2))

    def reload(self, changes, outcome="configuration reloaded"):
        """With the file changed, until the log says the outcome; returns what it said meanwhile."""
        before = len(self.log())
        self.write_config(changes)
        self.child.send_signal(signal.SIGHUP)
        self.wait_log(outcome, since=before)
        return self.log()[before:]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def wait_descriptors(self, at_most, seconds=15.0):
        wait_for(lambda: self.descriptors() <= at_most, f"at most {at_most} descriptors open", seconds)

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def own_bytes(self):
        """Without the pages of files: the libraries' differ from system to system and are shared with others."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * 1024

    def voluntary_switches(self):
        """How often its threads went to sleep, which is how often they woke."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
        texts = [(task / "status").read_text() for task in tasks]
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE).group(1)) for text in texts)

    def connections_to(self, port):
        """Its established TCP connections to `port` on 127.0.0.1."""
        count = 0
        for line in pathlib.Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state = line.split()[:4]
            count += state == "01" and remote == f"0100007F:{port:04X}"
        return count

    def finish(self, seconds=20.0, signal_number=signal.SIGTERM):
        """Asks it to stop; fails unless it exits with 0 and no sanitizer found anything. Returns the seconds it
        took.
        """
        begin = time.monotonic()
        if self.child.poll() is None:
            self.child.send_signal(signal_number)
        status = self.wait_exit(seconds)
        self._check(status)
        return time.monotonic() - begin

    def _check(self, status):
        log = self.log()
        found = FINDINGS.search(log)
        if found:
            raise ProcessError(f"a sanitizer found:\n{log[found.start():][:6000]}")
        outside = OUTSIDE.findall(log)
        if outside:
            raise ProcessError("system calls outside the table:\n" + "\n".join(outside))
        if status != 0:
            raise ProcessError(f"exit status {status}; its log ends:\n{self.log_tail()}")

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.finish()
            return
        print(f"{self.name}'s log ends:\n{self.log_tail(60)}")
        running = self.child.poll() is None
        self.stop()
        print(f"{self.name} {'was running' if running else f'had ended with {self.child.returncode}'}")
