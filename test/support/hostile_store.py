"""hostile_store: a store of ours that speaks the protocol of Redis and does what it was told to do to its replies. Run
it by start_hostile_store.

It keeps values and their ends as Redis does (GET, SET with PX, EX and NX, DEL), takes every password and user, and
treats the replies to a kind of command, or to all, as told:

    usual           as they are
    silent          never given
    slow-50         given so many ms later, in order
    bytewise        octet by octet, each in a segment of its own
    error-TEXT      -TEXT in their place: error-OOM command not allowed, error-WRONGTYPE, error-NOAUTH, error-LOADING
    close, reset    the connection is ended in their place
    cut             half of the reply, then the connection is closed
    random          noise of 300 bytes
    unknown         a type that version 2 of the protocol does not have
    wrong-N         the N-th of WRONG, well-formed replies that answer another question
    previous        the reply to the command before
    twice           given twice
    unasked         with a value behind it that nobody asked for
    bad-end         a value that is not followed by the end of a line
    long            a value of 2 MB
    endless-bulk    a value said to have 5 TB, and bytes for as long as they are taken
    endless-line    a line that never ends
    endless-array   an array of 200 million, and elements
    nested          arrays in arrays without end
    none            "no such key", whatever is asked
"""
import asyncio
import collections
import random
import re
import socket
import struct
import time

import resp
from process import free_port
from remote import Remote

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST
CHUNK = 65536

#: Replies that a client may find in place of the one it waits for.
WRONG = (b"+OK\r\n", b":1\r\n", b"*0\r\n", b"*-1\r\n", b"*1\r\n$1\r\nx\r\n", b"$5\r\nhello\r\n", b"\r\n",
         b":99999999999999999999999\r\n", b"$-7\r\n", b"$+3\r\nabc\r\n", b"$ 3\r\nabc\r\n", b"$3\nabc\n",
         b"+\r\n", b"$\r\n", b"*\r\n", b"$18446744073709551617\r\n", b"\0\0\0\0\r\n")

ENDLESS = {"endless-bulk": (b"$5000000000000\r\n", b"x" * CHUNK), "endless-line": (b"+", b"x" * CHUNK),
           "endless-array": (b"*200000000\r\n", b":1\r\n" * (CHUNK // 4)), "nested": (b"", b"*1\r\n" * (CHUNK // 4))}


class Connection(asyncio.Protocol):
    def __init__(self, store):
        self.store = store
        self.transport = None
        self.read = b""
        self.is_ended = False
        self.is_paused = False
        self.previous = b"$-1\r\n"
        self.order = None  # the task that gives late replies in order
        self.late = collections.deque()

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.store.connections.add(self)
        self.store.counts["connections"] += 1

    def connection_lost(self, error):
        self.is_ended = True
        self.store.connections.discard(self)

    def pause_writing(self):
        self.is_paused = True

    def resume_writing(self):
        self.is_paused = False

    def data_received(self, data):
        self.read += data
        while not self.is_ended:
            try:
                parts, end = resp.parse(self.read)
            except resp.Incomplete:
                return
            self.read = self.read[end:]
            name = parts[0].decode().upper()
            self.store.counts[name] += 1
            reply = self.store.perform(name, parts[1:])
            self._treat(self.store.how_to_treat(name), reply)

    def _treat(self, how, reply):
        kind, _, argument = how.partition("-")
        if how in ENDLESS:
            self.is_ended = True
            self._keep(asyncio.get_running_loop().create_task(self._write_endlessly(*ENDLESS[how])))
        elif kind == "slow" or self.late:
            due = time.monotonic() + (float(argument) / 1000 if kind == "slow" else 0)
            self.late.append((due, reply))
            if not self.order:
                self.order = self._keep(asyncio.get_running_loop().create_task(self._write_late()))
        elif how == "bytewise":
            for octet in reply:
                self.transport.write(bytes([octet]))
        elif how in ("close", "reset"):
            self.end(how)
        elif how == "cut":
            self.transport.write(reply[:max(1, len(reply) // 2)])
            self.end("close")
        elif how != "silent":
            self.transport.write(self._changed(how, reply))
        self.previous = reply

    def _changed(self, how, reply):
        kind, _, argument = how.partition("-")
        if kind == "error":
            return b"-%s\r\n" % argument.encode()
        if kind == "wrong":
            return WRONG[int(argument)]
        changed = {"random": random.randbytes(300), "unknown": b"%1\r\n$1\r\na\r\n:1\r\n", "previous": self.previous,
                   "twice": reply * 2, "unasked": reply + b"$4\r\nmore\r\n", "bad-end": b"$3\r\nabcXY",
                   "long": resp.bulk(b"x" * 2_000_000), "none": b"$-1\r\n", "usual": reply}
        return changed[how]

    def _keep(self, task):
        self.store.tasks.add(task)
        task.add_done_callback(self.store.tasks.discard)
        return task

    async def _write_late(self):
        while self.late and not self.transport.is_closing():
            due, reply = self.late[0]
            await asyncio.sleep(due - time.monotonic())
            self.late.popleft()
            self.transport.write(reply)
        self.order = None

    async def _write_endlessly(self, begin, chunk):
        self.transport.write(begin)
        while not self.transport.is_closing():
            if not self.is_paused:
                self.transport.write(chunk)
                self.store.counts["endless_bytes"] += len(chunk)
            await asyncio.sleep(0)
            if self.is_paused:
                await asyncio.sleep(0.01)

    def end(self, how):
        self.is_ended = True
        if how == "reset":
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self.transport.close()


class HostileStore:
    def __init__(self, port):
        self.port = port
        self.counts = collections.Counter()
        self.connections = set()
        self.tasks = set()
        self.told = {}  # command, or "*" -> how its replies are treated
        self.kept = {}  # key -> (value, monotonic end or None)

    async def start(self):
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: Connection(self), "127.0.0.1", self.port, backlog=512)

    def how_to_treat(self, name):
        return self.told.get(name, self.told.get("*", "usual"))

    def perform(self, name, arguments):
        """The reply of a store that works."""
        if name == "GET":
            return resp.bulk(self._find(arguments[0]))
        if name == "SET":
            return self._set(*arguments)
        if name == "DEL":
            return b":%d\r\n" % sum(self.kept.pop(key, None) is not None for key in arguments)
        if name in ("AUTH", "SELECT", "CLIENT"):
            return b"+OK\r\n"
        if name == "PING":
            return b"+PONG\r\n"
        return b"-ERR unknown command '%s'\r\n" % name.encode()

    def _find(self, key):
        value, end = self.kept.get(key, (None, None))
        if end is not None and end <= time.monotonic():
            del self.kept[key]
            return None
        return value

    def _set(self, key, value, *options):
        words, end = [option.upper() for option in options], None
        for unit, scale in ((b"PX", 0.001), (b"EX", 1.0)):
            if unit in words:
                end = time.monotonic() + int(words[words.index(unit) + 1]) * scale
        if b"NX" in words and self._find(key) is not None:
            return b"$-1\r\n"
        self.kept[key] = (value, end)
        return b"+OK\r\n"

    # commands; keys and values are in hex

    def tell(self, how, command="*"):
        """From now on; what was told of other commands stays."""
        assert re.fullmatch(r"[a-z]+(-.*)?", how)
        self.told[command] = how

    def untell(self):
        """Everything as usual again."""
        self.told.clear()

    def stats(self):
        return {**self.counts, "open": len(self.connections)}

    def values(self):
        """key -> value of all that is kept, markers included."""
        return {key.hex(): value.hex() for key, (value, _) in self.kept.items()}

    def put(self, key, value, milliseconds=600_000):
        self.kept[bytes.fromhex(key)] = bytes.fromhex(value), time.monotonic() + milliseconds / 1000

    def forget(self):
        """What is kept, and what was counted."""
        self.kept.clear()
        self.counts.clear()

    def end_all(self, how):
        for connection in list(self.connections):
            connection.end(how)


def start_hostile_store():
    """A HostileStore in a process of its own, listening on `port`."""
    remote = Remote(HostileStore, port=free_port())
    remote.start()
    return remote
