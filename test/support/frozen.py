"""frozen: one thread of a running program stopped for a while, as by a debugger; the others go on."""
import contextlib
import pathlib
import subprocess
import sys

FREEZE = pathlib.Path(__file__).parents[1] / "deploy/freeze.py"


def threads(pid):
    """Name -> number of each thread of the process."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return {(task / "comm").read_text().strip(): int(task.name) for task in tasks}


@contextlib.contextmanager
def frozen(thread):
    """Yields False, and stops nothing, where this machine does not let us trace another process."""
    freezer = subprocess.Popen([sys.executable, FREEZE, str(thread)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield freezer.stdout.readline() == b"frozen\n"
    finally:
        freezer.kill()  # whom it traced goes on
        freezer.wait()
        freezer.stdout.close()
