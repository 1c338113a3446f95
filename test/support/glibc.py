"""glibc: getaddrinfo of this machine's libc, asked in a network of a test's own with a resolv.conf of its own."""
import subprocess

PROGRAM = r"""
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct addrinfo *found = NULL;
        int status = getaddrinfo(argv[i], NULL, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &found);
        int count = 0;
        for (struct addrinfo *each = found; each; each = each->ai_next) count++;
        const char *text = status == 0            ? "found"
                           : status == EAI_AGAIN  ? "EAI_AGAIN"
                           : status == EAI_NONAME ? "EAI_NONAME"
                           : status == EAI_NODATA ? "EAI_NODATA"
                                                  : gai_strerror(status);
        printf("%s %d %s\n", argv[i], count, text);
        if (found) freeaddrinfo(found);
    }
    return 0;
}
"""


class Glibc:
    """Compiled in `folder`."""

    def __init__(self, folder, compiler="gcc"):
        self._folder = folder
        self._program = folder / f"lookup-{compiler}"
        source = folder / "lookup.c"
        source.write_text(PROGRAM, encoding="ascii")
        subprocess.run([compiler, "-D_GNU_SOURCE", "-o", self._program, source], check=True)

    def lookup(self, names, options="", server="127.0.0.1"):
        """{name: (what getaddrinfo says, how many addresses)}, for the thread's network, where `server` is the only
        nameserver of resolv.conf, with those options.
        """
        command = [str(self._program), *names]
        said = in_world(self._folder, command, options, server)
        lines = [line.split(" ", 2) for line in said.splitlines()]
        return {name: (text, int(count)) for name, count, text in lines}


def in_world(folder, command, options="", server="127.0.0.1"):
    """What the command prints, run with an /etc/resolv.conf of its own, in a mount namespace."""
    (folder / "resolv.conf").write_text(f"nameserver {server}\noptions {options or 'timeout:5'}\n", encoding="ascii")
    (folder / "nsswitch.conf").write_text("hosts: dns\n", encoding="ascii")
    script = (f"mount --bind {folder}/resolv.conf /etc/resolv.conf && "
              f"mount --bind {folder}/nsswitch.conf /etc/nsswitch.conf && exec \"$@\"")
    return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *command], capture_output=True, text=True,
                          timeout=120, check=True).stdout
