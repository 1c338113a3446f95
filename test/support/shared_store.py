"""shared_store: Redis or Valkey as the second level of a fleet's caches, on loopback, and the fleet in front of it.

Valkey is this machine's, where it is installed, or comes from a tree of Debian 13 that was made before (LONG=1 makes
it, as root).
"""
import os
import pathlib
import shutil

import trees
from figures import Figures
from process import Process, free_port, wait_for
from proxy import Proxy, merged
from resp import RespClient
from store_entry import PREFIX, SECRET

LONG = bool(os.environ.get("LONG"))

#: The least that a user of the fleet needs.
LEAST_RIGHTS = f"~{PREFIX}* -@all +get +set"


class Unavailable(Exception):
    """This store cannot be had on this machine; the text says why."""


def _in_tree(folders):
    """Valkey's command in a tree of Debian 13, with `folders` in it."""
    tree = trees.CACHE / "debian-13-valkey"
    if not tree.exists() and not (LONG and os.geteuid() == 0):
        raise Unavailable("Valkey is not installed; LONG=1 takes it from a tree of Debian 13, as root")
    try:
        tree = trees.make("debian-13", "valkey", ("valkey-server",))
    except trees.Unavailable as why:
        raise Unavailable(str(why)) from None
    return trees.command_in(tree, ["valkey-server"], folders)


def server_command(kind, folders):
    """Runs a store of that kind, "redis" or "valkey", with its files in `folders`. Raises Unavailable."""
    program = shutil.which(f"{kind}-server")
    if program:
        return [program]
    if kind == "redis":
        raise Unavailable("redis-server is not installed")
    if os.geteuid() != 0:
        raise Unavailable("Valkey is not installed, and only root enters a tree that has it")
    return _in_tree(folders)


class SharedStore(Process):
    """A real store, listening on `port`, and with TLS on `tls_port` where a Pki is given. What it holds is gone with
    the process.

    `password`: of the default user. `users`: name -> (password, rights) of ACL users; the default user may do nothing
    then but from `client()`, whose own user is "test".
    """

    def __init__(self, folder, kind="redis", password="", users=None, pki=None, options=(), port=None,
                 host="127.0.0.1"):
        self.host, self.port, self.tls_port = host, port or free_port(), free_port() if pki else 0
        self._password = password
        self._is_acl = users is not None
        arguments = ["--port", self.port, "--bind", host, "--dir", folder, "--save", "", "--appendonly", "no",
                     "--daemonize", "no", "--logfile", "", *options]
        if password:
            arguments += ["--requirepass", password]
        if self._is_acl:
            arguments += ["--aclfile", self._write_users(folder, users)]
        if pki:
            certificate, key = pki.certificate()
            arguments += ["--tls-port", self.tls_port, "--tls-cert-file", certificate, "--tls-key-file", key,
                          "--tls-ca-cert-file", pki.ca_file, "--tls-auth-clients", "no"]
        self._command = [*server_command(kind, [folder, *([pki.folder] if pki else [])]), *arguments]
        super().__init__(f"{kind}-{host}-{self.port}", self._command, folder)
        self._wait_ready()

    @staticmethod
    def _write_users(folder, users):
        path = pathlib.Path(folder) / "users.acl"
        lines = ["user default off", "user test on nopass ~* &* +@all"]
        lines += [f"user {name} on >{password} {rights}" for name, (password, rights) in users.items()]
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
        return path

    def _wait_ready(self):
        try:
            self.wait_listening(self.port, host=self.host)
        except Exception:
            self.kill()
            raise

    def come_back(self):
        """After its end: again, on the same port, and empty."""
        self.launch(self._command, {})
        self._wait_ready()

    def client(self):
        """One that may do everything."""
        client = RespClient(self.port, self.host)
        if self._is_acl:
            client.call("AUTH", "test", "")
        elif self._password:
            client.call("AUTH", self._password)
        return client

    def keys(self, containing=b""):
        with self.client() as client:
            return [key for key in client.call("KEYS", "*") if containing in key]

    def calls(self):
        """Command -> how often it was given, subcommands apart."""
        with self.client() as client:
            lines = client.call("INFO", "commandstats").decode().splitlines()
        found = {}
        for line in lines:
            name, _, values = line.partition(":")
            if name.startswith("cmdstat_"):
                found[name.removeprefix("cmdstat_")] = int(values.partition("calls=")[2].partition(",")[0])
        return found


def secret_file(folder, secret=SECRET, name="fleet.secret"):
    path = folder / name
    path.touch(0o600)
    path.write_text(secret.hex() + "\n", encoding="ascii")
    return str(path)


def shared_cache(port, folder, **changes):
    """The configuration of an instance of the fleet with the store on that port: its part `shared_cache`."""
    return {"shared_cache": {"address": f"127.0.0.1:{port}", "secret_file": secret_file(folder), **changes}}


class Fleet:
    """Starts instances in front of the same upstream, with the store on that port. `with` ends them all, and fails
    where one does not end as it should.
    """

    def __init__(self, folder, pki, upstream_port, store_port):
        self._folder, self._pki = folder, pki
        self._upstream_port, self._store_port = upstream_port, store_port
        self.instances = []

    def start(self, config=None, upstream=None, wait=True, **settings):
        """One more instance; `settings` are those of shared_cache. Waits until it uses the store."""
        changes = merged({"workers": 1, **shared_cache(self._store_port, self._folder, **settings)}, config or {})
        instance = Proxy(self._folder, self._pki, [upstream or self._upstream_port], changes,
                     name=f"instance{len(self.instances)}")
        self.instances.append(instance)
        if wait:
            wait_in_use(instance)
        return instance

    def start_all(self, count, **settings):
        return [self.start(**settings) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for instance in self.instances:
            if kind is None and instance.child.poll() is None:
                instance.finish()
            else:
                instance.__exit__(kind, value, trace)


#: Of the figure shared_cache_state.
NONE, NO_CONNECTION, REFUSED, LEFT_ALONE, IN_USE = range(5)


def state_of(instance):
    return Figures(instance).sum("shared_cache_state")


def wait_in_use(instance, seconds=10.0):
    wait_for(lambda: state_of(instance) == IN_USE, f"{instance.name} uses the store", seconds)


def results_of(instance):
    """Result -> how many answers of the store had it, of those that had any."""
    figures = Figures(instance)
    found = {result: figures.sum("shared_cache_results_total", result=result)
             for result in ("hit", "miss", "rejected", "forged", "failed", "overtaken")}
    return {result: count for result, count in found.items() if count}


def late(*instances):
    """Questions that these instances asked an upstream, too, since the store had not answered yet: on a busy machine it
    may be late now and then.
    """
    return sum(Figures(instance).sum("shared_cache_late_total") for instance in instances)
