"""flood: many connections that behave badly (flood.c), begun and ended by a test, and what they saw."""
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from process import ProcessError

SOURCE = pathlib.Path(__file__).with_suffix(".c")


@functools.cache
def _program():
    """$FLOOD where the build made it; else it is compiled, once a run."""
    if os.environ.get("FLOOD"):
        return os.environ["FLOOD"]
    program = pathlib.Path(tempfile.mkdtemp(prefix="flood-")) / "flood"
    compiler = shutil.which("cc") or shutil.which("gcc") or "clang"
    subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", program, SOURCE], check=True)
    return str(program)


class Flood:
    """Runs from the moment it is made until `seconds` are over or `stop`; options are flood.c's. Its addresses are
    `spread` from 127.0.1.1 on, so that no honest client is among them.
    """

    def __init__(self, port, seconds=30, **options):
        arguments = {"port": port, "seconds": seconds, **options}
        self._child = subprocess.Popen(
            [_program(), *(f"{key}={int(value) if isinstance(value, bool) else value}"
                           for key, value in arguments.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.report = None

    def wait_ready(self):
        """All its connections were made, and none needed to wait for it to be seen."""
        line = self._child.stdout.readline()
        if line != "ready\n":
            raise ProcessError(f"the flood ended early: {line or self._child.wait()}")
        return self

    def wait_end(self):
        """Waits until it is over by itself; what it counted."""
        lines = self._child.stdout.read().splitlines()
        self._child.stdin.close()
        if self._child.wait() != 0 or not lines:
            raise ProcessError(f"the flood failed with {self._child.returncode}")
        self.report = json.loads(lines[-1])
        self.report["rcodes"] = {int(rcode): count for rcode, count in self.report["rcodes"].items() if count}
        return self.report

    def stop(self):
        """Ends it now; what it counted."""
        if self.report is None:
            self._child.stdin.close()
            self.wait_end()
        return self.report

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        else:
            self._child.kill()
            self._child.wait()


def flood_silent(port, connections, **options):
    """Connections that say nothing."""
    return Flood(port, connections=connections, **options)


def flood_trickle(port, connections, interval_ms, **options):
    """Whose questions come a byte at a time."""
    return Flood(port, connections=connections, queries=1, chunk=1, interval_ms=interval_ms, **options)


def flood_unread(port, connections, name, **options):
    """Who ask for large answers without end and never read one."""
    return Flood(port, connections=connections, queries=100, name=name, type=16, reads=0, repeats=1, **options)


def flood_churn(port, rate, connections=200, **options):
    """A connection for each question."""
    return Flood(port, rate=rate, connections=connections, queries=1, reopens=1, **options)


def flood_pipelined(port, connections, queries, **options):
    """So many questions in a segment, and the next so many as soon as all are answered."""
    return Flood(port, connections=connections, queries=queries, repeats=1, **options)


def flood_holding(port, connections, rate, **options):
    """Connections that ask once and stay; each that is closed is made anew."""
    return Flood(port, connections=connections, rate=rate, queries=1, reopens=2, **options)


def flood_random(port, connections, rate, size=5000, **options):
    """Rubbish without end; whose connection is closed makes another."""
    return Flood(port, connections=connections, rate=rate, random=size, repeats=1, reopens=1, **options)
