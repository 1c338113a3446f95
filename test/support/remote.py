"""remote: an object with an event loop of its own, in a process of its own, its methods called through a pipe.

Load, relay and upstream of one test would otherwise share one interpreter, and each would see the others' pauses as
latency.
A call is a JSON line {"id", "method", "arguments"}; its answer {"id", "result"} or {"id", "error"}. Methods may be
coroutines.
"""
import asyncio
import importlib
import inspect
import json
import os
import subprocess
import sys
import traceback

from process import ProcessError


class Pending:
    """A call that was begun; result() waits for it."""

    def __init__(self, remote, number):
        self._remote, self._number = remote, number

    def result(self):
        return self._remote._answer(self._number)


class Remote:
    """Parent's side: Remote(Class, **arguments) starts Class(**arguments) in a child; remote.method(...) calls it
    there.
    """

    def __init__(self, cls, **arguments):
        self._name = cls.__name__
        self._calls = 0
        self._answers = {}
        self.port = arguments.get("port")
        self._child = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), inspect.getmodule(cls).__name__, cls.__name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        Pending(self, self._send("__init__", arguments)).result()

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda **arguments: self.begin(method, **arguments).result()

    def begin(self, method, **arguments):
        return Pending(self, self._send(method, arguments))

    def _send(self, method, arguments):
        self._calls += 1
        json.dump({"id": self._calls, "method": method, "arguments": arguments}, self._child.stdin)
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return self._calls

    def _answer(self, number):
        while number not in self._answers:
            line = self._child.stdout.readline()
            if not line:
                raise ProcessError(f"{self._name} ended with {self._child.wait()}")
            answer = json.loads(line)
            self._answers[answer["id"]] = answer
        answer = self._answers.pop(number)
        if "error" in answer:
            raise ProcessError(f"{self._name}: {answer['error']}")
        return answer["result"]

    def stop(self):
        self._child.stdin.close()
        try:
            self._child.wait(3)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()


async def _perform(served, cls, call):
    try:
        if call["method"] == "__init__":
            served.append(cls(**call["arguments"]))
            result = None
        else:
            result = getattr(served[0], call["method"])(**call["arguments"])
        if inspect.isawaitable(result):
            result = await result
        answer = {"id": call["id"], "result": result}
    except Exception:  # the caller is to see whatever it was
        answer = {"id": call["id"], "error": traceback.format_exc()}
    print(json.dumps(answer), flush=True)


async def _serve(cls):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    served, tasks = [], set()
    while line := await reader.readline():
        task = loop.create_task(_perform(served, cls, json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    os._exit(0)  # the parent is gone or has no more to ask; connections end with the process


if __name__ == "__main__":
    asyncio.run(_serve(getattr(importlib.import_module(sys.argv[1]), sys.argv[2])))
