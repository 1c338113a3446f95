"""processors: how long processes waited for a processor. What a test measures on a machine that does other work is
partly such waiting; a bound on the program is a bound on the rest.
"""
import pathlib
import re


def waited_s(*pids):
    """Seconds for which the threads of these processes were ready to run and did not; those of all threads are added
    up. 0 if the kernel does not count them.
    """
    total_ns = 0
    for pid in pids:
        for file in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total_ns += int(file.read_text().split()[1])
            except (OSError, IndexError):  # the thread has ended, or nothing is counted
                pass
    return total_ns / 1e9


def pressure_s():
    """Seconds, since the start of the machine, in which some process waited for a processor; None if unknown."""
    try:
        found = re.search(r"^some .* total=(\d+)", pathlib.Path("/proc/pressure/cpu").read_text(), re.M)
    except OSError:
        return None
    return int(found[1]) / 1e6 if found else None
