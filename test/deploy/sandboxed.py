"""sandboxed: SANDBOX=log makes the checks run the program with `sandbox: log` in machines, containers, pods. What its
logs say is collected, and a last check fails where a system call outside the sandbox's table was made, where no log
says that calls are logged, or where one says that the program ran in another mode.
"""
import os
import re

IS_LOGGED = os.environ.get("SANDBOX") == "log"
LINE = "sandbox: log\n"

#: What the program says of its filter of calls.
SAYS = "others are logged" if IS_LOGGED else "others are refused"

#: Of a machine: before each start of the service its configuration gets the line, if it does not have it.
DROP_IN = """[Service]
ExecStartPre=+/bin/sh -c 'grep -qs "^sandbox:" {path} || printf "\\\\n%%s\\\\n" "{line}" >>{path}'
"""

_OUTSIDE = re.compile(r".*call outside the sandbox.*")
_IN_MODE = re.compile(r".*event=sandbox mode=\w+.*")
_found = {"logs": 0, "others": [], "calls": []}


def config(text):
    """A configuration as a check wants it, with the line where that is wanted, too."""
    return f"{text}\n{LINE}" if IS_LOGGED and not re.search(r"^sandbox:", text, re.M) else text


def look(log):
    """At what one run, or several, of the program said."""
    starts = _IN_MODE.findall(log)
    others = [line for line in starts if not re.search(r" mode=log .*others are logged[^ ]* no_new", line)]
    _found["logs"] += len(starts) - len(others)
    _found["others"] += others
    _found["calls"] += _OUTSIDE.findall(log)


def finish(check, serves):
    """The last check; none where calls are not logged, or the program was not to serve and did not."""
    if not IS_LOGGED or not serves and _found["logs"] == 0:
        return
    with check(f"{_found['logs']} starts with `sandbox: log`: no system call outside the table"):
        assert _found["logs"] > 0, "no log says so"
        bad = _found["others"] + _found["calls"]
        assert not bad, "\n".join(bad[:20])
