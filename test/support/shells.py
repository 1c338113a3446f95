"""shells: bash, zsh and fish at a terminal of a test's own, in which the TAB key completes. What a shell makes of a
line is seen by a program of the same name, which writes down its arguments in place of doing something.
"""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios

from process import ProcessError, wait_for

PROMPT = "READY> "
TAB = "\t"

#: Said at the end of each command, so that a prompt behind it is the next one and not the last one drawn again.
DONE, SAY_DONE = b"DONE", "echo D''ONE"

#: Writes its arguments as one line, with this character behind each.
SEPARATOR = "\x1f"
RECORDER = f"""#!/bin/sh
{{ for each; do printf '%s{SEPARATOR}' "$each"; done; echo; }} >>"$RECORD"
{SAY_DONE}
"""

#: What fish asks of its terminal before it begins, and what a plain one says.
QUESTION, ANSWER = re.compile(rb"\x1b\[0?c"), b"\x1b[?62c"


class Shell:
    """`with` runs it in `folder`, without the user's own settings; it reads `script` at first (None: what is installed
    for it). `within` makes the command one that runs in another tree, which has the folder at the same path.
    """

    def __init__(self, folder, script, within=list):
        self._folder, self._script = folder, script
        self._record = folder / "record"
        self._record.touch()
        path = folder / "bin"
        path.mkdir(exist_ok=True)
        (path / "dns-tls-proxy").write_text(RECORDER, encoding="ascii")
        (path / "dns-tls-proxy").chmod(0o755)
        environment = {"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", "RECORD": self._record, "HOME": folder,
                       "TERM": "xterm", "LC_ALL": "C.UTF-8", "PS1": PROMPT}
        self._command = within(["sh", "-c", f"cd {folder} && exec \"$@\"", "sh", "env", "-i",
                                *(f"{name}={value}" for name, value in environment.items()), *self.command(script)])
        self._said = b""

    def __enter__(self):
        self._terminal, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
        self._child = subprocess.Popen(
            self._command, stdin=other, stdout=other, stderr=other, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(other)
        self._wait_prompt(behind=b"")
        for line in self.begin(self._script):
            self._run(f"{line}; {SAY_DONE}")
        return self

    def __exit__(self, *exception):
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        os.close(self._terminal)

    def command(self, script):
        raise NotImplementedError

    def begin(self, script):
        """The lines with which it is told what it is to complete."""
        raise NotImplementedError

    def _run(self, line):
        os.write(self._terminal, f"{line}\n".encode())
        self._wait_prompt(behind=DONE)

    def _read(self):
        """What it wrote, if anything, within a moment."""
        if select.select([self._terminal], [], [], 0.05)[0]:
            said = os.read(self._terminal, 65536)
            for _ in QUESTION.findall(said):
                os.write(self._terminal, ANSWER)
            self._said += said

    def _wait_prompt(self, behind):
        def is_there():
            self._read()
            assert self._child.poll() is None, self._said.decode(errors="replace")
            return behind in self._said and PROMPT.encode() in self._said[self._said.rfind(behind) if behind else 0:]

        try:
            wait_for(is_there, "the prompt", 20)
        except ProcessError as late:
            raise ProcessError(f"{late}; it said {self._said!r}") from None
        self._said = b""

    def typed(self, line):
        """The arguments with which the program is run when the line is typed behind its name, as it is with the keys in
        it; a value in a word with its flag comes as two."""
        self._record.write_text("", encoding="utf-8")
        self._run(f"dns-tls-proxy {line}")
        said = self._record.read_text(encoding="utf-8").rstrip("\n")
        return [part for each in said.split(SEPARATOR)[:-1]
                for part in (each.split("=", 1) if each.startswith("--") else [each])]

    def offered(self, line):
        """All that is offered at the end of the line behind the program's name."""
        raise NotImplementedError


class Bash(Shell):
    def command(self, script):
        return ["bash", "--norc", "--noprofile", "-i"]

    def begin(self, script):
        return [f"source {script}"] if script else ["source /usr/share/bash-completion/bash_completion"]

    def offered(self, line):
        return self.typed(line + "\x1b*")[len(line.split(" ")) - 1:]  # M-*: insert-completions


class Zsh(Shell):
    def command(self, script):
        return ["zsh", "-f", "-i"]

    def begin(self, script):
        return ["autoload -Uz compinit && compinit -u -D",
                *([f"source {script}"] if script else []),
                "zstyle ':completion:all:*' completer _all_matches _complete; zstyle ':completion:all:*' insert true",
                "zle -C all complete-word _generic; bindkey '^Xa' all"]

    def offered(self, line):
        return self.typed(line + "\x18a")[len(line.split(" ")) - 1:]


class Fish(Shell):
    def command(self, script):
        prompt = f"function fish_prompt; echo -n '{PROMPT}'; end; function fish_right_prompt; end"
        return ["fish", *(["--no-config"] if script else []), "-i", "-C", prompt]

    def begin(self, script):
        return [f"source {script}"] if script else []

    def described(self, line):
        """{what is offered: its description}."""
        out = self._folder / "offered"
        self._run(f"complete -C'dns-tls-proxy {line}' >{out}; {SAY_DONE}")
        return dict((each + "\t").split("\t")[:2] for each in out.read_text(encoding="utf-8").splitlines())

    def offered(self, line):
        return list(self.described(line))


SHELLS = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def is_there(name):
    return shutil.which(name) is not None
