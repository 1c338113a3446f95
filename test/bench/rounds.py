"""rounds: queries that reach the program in rounds, so that no schedule changes which system calls it makes: while it
is stopped all of a round are sent; then it runs until all of them are answered. Its upstream, a Hostile, answers all of
them together.
"""
import contextlib
import os
import re
import signal

import wire
from dnsclient import Client
from process import wait_for
from udpclient import UdpClient

PER_ROUND = 50

#: The name of a call that has ended, not by a stop, on its line or on that of its second part.
ENDED = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>).*\) += (?!\?|-1 EINTR)", re.MULTILINE)
STOPPED = re.compile(r"^\d+ +--- stopped by SIGSTOP", re.MULTILINE)


class Rounds:
    """Of a program that runs under strace, which writes to `out`. `kind`: how a round is sent, a method's name."""

    def __init__(self, server, out, kind, new):
        self._port, self._pid, self._log = server.port, server.family()[-1], open(out, "rb")
        self._ask, self._new = getattr(self, kind), new
        self._text = ""  # of the log, so far
        self._serial = 0
        self._clients = []

    def _queries(self):
        self._serial += self._new
        return [wire.query(f"together-{PER_ROUND}-{self._serial}-{i}.org" if self._new else f"name-{i}.org", number=i)
                for i in range(PER_ROUND)]

    @contextlib.contextmanager
    def _stopped(self):
        threads = len(os.listdir(f"/proc/{self._pid}/task"))
        begin = len(self._text)
        os.kill(self._pid, signal.SIGSTOP)
        wait_for(lambda: len(STOPPED.findall(self._read(), begin)) >= threads, "all threads have stopped")
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def _read(self):
        self._text += self._log.read().decode("ascii", "replace")
        return self._text

    def _begin(self, kind, count):
        while len(self._clients) < count:
            self._clients.append(kind(self._port))

    def _from_one(self, kind):
        self._begin(kind, 1)
        with self._stopped():
            self._clients[0].send(*self._queries())
        for _ in range(PER_ROUND):
            assert self._clients[0].receive()

    def pipelined(self):
        """One connection, all of a round in one segment."""
        self._from_one(Client)

    def one_each(self):
        """As many connections, a query from each."""
        self._begin(Client, PER_ROUND)
        with self._stopped():
            for client, query in zip(self._clients, self._queries()):
                client.send(query)
        for client in self._clients:
            assert client.receive()

    def datagrams(self):
        """One socket, as many datagrams."""
        self._from_one(UdpClient)

    def one_a_connection(self):
        """A connection for each query, one after the other, closed by the client."""
        for query in self._queries():
            with self._stopped():
                client = Client(self._port)
                client.send(query)
            assert client.receive()
            with self._stopped():
                client.half_close()
            assert client.is_closed_by_peer()
            client.close()

    def run(self, count):
        """[the name of each call that ended meanwhile]."""
        self._text = ""
        for _ in range(count):
            self._ask()
        with self._stopped():
            pass  # so that all is in the log
        return ENDED.findall(self._text)

    def end(self):
        self._log.close()
        for client in self._clients:
            client.close()
