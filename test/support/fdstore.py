"""fdstore: systemd's descriptor store, as a service sees it: a socket that hears the service's notifications, keeps the
descriptors that it is given, and passes them to the next start.

As systemd it keeps no more than a limit and says nothing of the rest, drops what hangs up unless FDPOLL=0 came with it,
passes the sockets of a socket unit first, and the stored ones in no order to count on.
"""
import array
import fcntl
import json
import os
import random
import select
import socket
import struct
import threading

import wire
from figures import fetch
from process import ProcessError, wait_for
from proxy import Proxy

AT_ONCE = 253
SO_PASSCRED = 16
SCM_CREDENTIALS = 2
CREDENTIALS = struct.Struct("3i")


class Store:
    """`with` listens. `limit`: FileDescriptorStoreMax=; `tells`: sets FDSTORE, as systemd does since 254. `units`:
    descriptors of a socket unit, which stay the caller's."""

    def __init__(self, folder, limit=16, tells=True, units=()):
        self.path = folder / "notify"
        self.limit, self.tells, self.units = limit, tells, tuple(units)
        self.kept = []  # (name, descriptor, whether it is dropped when it hangs up)
        self.messages = []  # (process id of the sender, assignments)
        self.is_deaf = False  # hears nothing from now on, as a manager that hangs
        self._lock = threading.RLock()
        self._wake, self._woken = os.pipe()

    def __enter__(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_PASSCRED, 1)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, kind, value, trace):
        os.write(self._woken, b"x")
        self._thread.join()
        self._socket.close()
        self.drop()
        for each in (self._wake, self._woken):
            os.close(each)

    # ---- what it hears ----

    def _listen(self):
        while True:
            watched = [] if self.is_deaf else [self._socket]
            ready, _, _ = select.select([*watched, self._wake], [], [], 0.02)
            if self._wake in ready:
                return
            if self._socket in ready:
                self._hear()
            self._drop_hung_up()

    def _hear(self):
        room = socket.CMSG_SPACE(AT_ONCE * 4) + socket.CMSG_SPACE(CREDENTIALS.size)
        text, ancillary, _, _ = self._socket.recvmsg(65536, room)
        passed = array.array("i")
        sender = None
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                passed.frombytes(data[:len(data) // 4 * 4])
            elif level == socket.SOL_SOCKET and kind == SCM_CREDENTIALS:
                sender = CREDENTIALS.unpack(data[:CREDENTIALS.size])[0]
        lines = text.decode().split("\n")
        assignments = dict(line.split("=", 1) for line in lines if "=" in line)
        assert sender, "credentials come with each message"
        with self._lock:
            kept = self._act(assignments, list(passed))
            self.messages.append((sender, assignments))
        for each in set(passed) - set(kept):
            os.close(each)  # which also answers BARRIER=1

    def _act(self, assignments, passed):
        name = assignments.get("FDNAME", "stored")
        if assignments.get("FDSTOREREMOVE") == "1":
            self.drop(name)
        if assignments.get("FDSTORE") != "1":
            return []
        kept = passed[:max(0, self.limit - len(self.kept))]
        self.kept += [(name, each, assignments.get("FDPOLL") != "0") for each in kept]
        return kept

    def _drop_hung_up(self):
        with self._lock:
            poll = select.poll()
            for _, each, is_watched in self.kept:
                if is_watched:
                    poll.register(each, 0)
            gone = {each for each, _ in poll.poll(0)}
            for each in gone:
                os.close(each)
            self.kept = [entry for entry in self.kept if entry[1] not in gone]

    # ---- what a test does with it ----

    def names(self):
        with self._lock:
            return [name for name, _, _ in self.kept]

    def drop(self, name=None):
        """What is stored under that name, or all; as systemd does it after a stop."""
        with self._lock:
            for kept, each, _ in self.kept:
                if name in (None, kept):
                    os.close(each)
            self.kept = [entry for entry in self.kept if name not in (None, entry[0])]

    def put(self, descriptor, name="handover"):
        """As if a former process had stored it; the store's from now on."""
        with self._lock:
            self.kept.append((name, descriptor, False))

    def bag(self):
        """The descriptor stored last; still the store's."""
        with self._lock:
            return self.kept[-1][1]

    def is_ready(self, pid):
        """That process has sent READY=1. One before it may have done so as well, and been killed a moment later."""
        with self._lock:
            return any(sender == pid and "READY" in assignments for sender, assignments in self.messages)

    def passed(self):
        """Names and descriptors for the next start."""
        with self._lock:
            stored = [(name, each) for name, each, _ in self.kept]
        random.shuffle(stored)
        return [("dns", each) for each in self.units] + stored


class StoredProxy(Proxy):
    """The program as a service with that store."""

    def __init__(self, folder, pki, upstreams, store, config=None, **options):
        self.store = store
        super().__init__(folder, pki, upstreams, config, **options)
        self.wait_ready()

    def launch(self, command, environment, descriptors=()):
        """By a shell, which has the process id that LISTEN_PID must name."""
        passed = self.store.passed()
        # High numbers, so that none is in the way of 3, 4, ...
        high = [fcntl.fcntl(each, fcntl.F_DUPFD, 200) for _, each in passed]
        names = ":".join(name for name, _ in passed)
        move = " ".join(f"{3 + index}<&{each}" for index, each in enumerate(high))
        pass_on = f"export LISTEN_PID=$$ LISTEN_FDS={len(high)} LISTEN_FDNAMES={names};" if high else ""
        script = f'{pass_on} exec "$@" {move}'
        self.command = command
        tells = {"FDSTORE": str(self.store.limit)} if self.store.tells and self.store.limit else {}
        super().launch(["bash", "-c", script, "bash", *command],
                       {**environment, "NOTIFY_SOCKET": str(self.store.path), **tells}, high)
        self.environment = environment
        for each in high:
            os.close(each)

    def start(self, ready=True):
        """Once more, after its end."""
        self.launch(self.command, self.environment)
        if ready:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if self.child.poll() is not None:
                raise ProcessError(f"{self.name} ended with {self.child.returncode}:\n{self.log_tail()}")
            return self.store.is_ready(self.pid)

        wait_for(ready, "it is ready", 30)

    def restart(self, changes=None, seconds=20.0):
        """As systemctl restart does it."""
        self.finish(seconds)
        if changes:
            self.write_config(changes)
        self.start()


def asked(client, name, number=7):
    client.send(wire.query(name, number=number))
    message = client.receive()
    assert message, f"{name}: the connection was closed"
    assert wire.number_of(message) == number and wire.rcode_of(message) == wire.NOERROR
    return message


def handover(proxy):
    return json.loads(fetch(proxy, "/status.json"))["handover"]


def is_closed(client, seconds=5.0):
    """Whether the connection is ended within that time."""
    client.socket.settimeout(seconds)
    try:
        return client.receive() is None
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
