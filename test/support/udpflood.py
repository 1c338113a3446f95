"""udpflood: datagrams from forged sources (udpflood.c), begun and ended by a test. Its sources are to be addresses of
this machine: route_sources says so of a whole prefix, in a network of the test's own.
"""
import functools
import json
import pathlib
import shutil
import subprocess
import tempfile

from namespace import ip
from process import ProcessError

SOURCE = pathlib.Path(__file__).with_suffix(".c")


@functools.cache
def _program():
    program = pathlib.Path(tempfile.mkdtemp(prefix="udpflood-")) / "udpflood"
    compiler = shutil.which("cc") or shutil.which("gcc") or "clang"
    subprocess.run([compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", program, SOURCE], check=True)
    return str(program)


def route_sources(*prefixes):
    """Every address of these is this machine's from now on."""
    for prefix in prefixes:
        ip("route", "add", "local", prefix, "dev", "lo")


class UdpFlood:
    """Runs in its `with` block, or until its seconds are over; options are udpflood.c's."""

    def __init__(self, port, seconds=60, **options):
        arguments = {"port": port, "seconds": seconds, **options}
        self._child = subprocess.Popen([_program(), *(f"{key}={value}" for key, value in arguments.items())],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.sent = self.per_second = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        said, _ = self._child.communicate()  # which closes its input
        if self._child.returncode != 0:
            raise ProcessError(f"the flood failed with {self._child.returncode}")
        report = json.loads(said)
        self.sent = report["sent"]
        self.per_second = self.sent / report["seconds"]
