"""One exercise in the sandbox, seen from the grader: call into it, look after it, and say how it ended.

Nothing that a submission does can say "right": it only answers calls with plain data, and the checks judge that data
here. Results come over a socket that carries no pickle and whose messages are bounded (`common.grading.codec`).
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np

from common.grading import codec
from common.grading.calls import Calls
from common.grading.rebuilt import rebuilt

MEMORY = 7 << 30  # address space; TensorFlow alone maps three gigabytes
MOST_OUTPUT = 64 << 20
MOST_PROCESSES = 40
MOST_DISK, MOST_FILES = 1 << 30, 20_000
LITTLE = 64 << 20  # bytes on a disk: with less it is full for whoever needs some, and whoever has written less has not filled it
_NO_ROOM = re.compile("No space left on device|Disk quota exceeded|No usable temporary directory")


class Ended(Exception):
    """The sandbox is no longer there: it was killed, hung, flooded or left by itself. The message says which."""

    plain = True


WORDLESS = {"MemoryError": "it ran out of memory"}  # Python says nothing with these


class Raised(Exception):
    """The student's function raised; `kind`, message and `line` come from the sandbox.

    `of` names the function of the kit that raised it, if one stood in for a function of the notebook's; `unwritten` the notebook's own
    function or class, if that has not got further than to a stub's ``raise NotImplementedError``.
    """

    def __init__(self, kind, text, line="", of="", unwritten=""):
        super().__init__(text or WORDLESS.get(kind, kind))
        self.kind, self.line, self.of, self.unwritten = kind, line, of, unwritten


class RemoteObject:
    """An object in the sandbox: calls and attributes go there. Its class has the name that it has there, so messages read right."""

    def __new__(cls, session, handle):
        name = handle.kind if handle.kind.isidentifier() and len(handle.kind) <= 60 else "object"
        return super().__new__(type(name, (cls,), {"__new__": lambda c, *args: object.__new__(c)}))

    def __init__(self, session, handle):
        self.__dict__.update(session=session, handle=handle)

    def __call__(self, *args, **kwargs):
        return self.session.call(self.handle, args, kwargs, self.__dict__.get("name", self.handle.kind))

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            found = self.session.request("attr", target=self.handle, name=name)
            if isinstance(found, RemoteObject):
                found.__dict__["name"] = f"{self.handle.kind}.{name}"
            return found
        except Raised as error:
            if error.kind == "AttributeError":
                raise AttributeError(str(error)) from None
            raise

    def __repr__(self):
        return f"<{self.handle.kind}>"


class Session:
    """One exercise in the sandbox."""

    def __init__(self, connection, pid, folder, output, seconds, status=None):
        self.connection, self.pid, self.folder, self.output = connection, pid, folder, output
        self.deadline, self.seconds, self.status, self.reason = time.monotonic() + 3 * seconds + 20, seconds, status, None
        self.ended, self.crowded_out = False, lambda: None  # called where the disk was full, and not of this exercise's files
        self.stand_ins, self.models, self.asked, self.calls = {}, {}, set(), Calls()

    def _read(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                part = self._wait(lambda: self.connection.recv(min(size - len(data), 1 << 20)))
            except BlockingIOError:
                continue
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _wait(self, receive):
        """Receive, and look after the sandbox's size while it is at work."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(min(left, 0.5))
        try:
            return receive()
        except TimeoutError:
            processes, memory = self.size()
            if processes > MOST_PROCESSES:
                self.fail(f"started more than {MOST_PROCESSES} processes")
            if memory > MEMORY:
                self.fail(f"took more than {MEMORY >> 30} GB of memory")
            if _overfull(self.folder):
                self.fail(f"wrote more than {MOST_DISK >> 30} GB, or more than {MOST_FILES:,} files")
            raise BlockingIOError from None

    def _write(self, data):
        self.connection.settimeout(max(self.deadline - time.monotonic(), 0.1))
        self.connection.sendall(data)

    def request(self, op, **details):
        """Ask the sandbox and wait; stand-ins that it asks for are answered on the way.

        Raises
        ------
        Raised
            If the student's code raised.
        Ended
            If the process is gone, or too slow.
        """
        if self.reason:
            raise Ended(self.reason)
        give = lambda handle: RemoteObject(self, handle)  # noqa: E731
        try:
            codec.send(self._write, {"op": op, **details}, self._keep)
            while True:
                answer = codec.receive(self._read, give)
                if not isinstance(answer, dict):
                    raise codec.WireError("an answer that is none")
                if "stand_in" not in answer:
                    break
                codec.send(self._write, self._ask_reference(answer), self._keep)
        except TimeoutError:
            self.fail(f"took longer than {3 * self.seconds + 20:.0f} seconds")
        except (EOFError, OSError):
            self.fail(self._why_gone())
        except codec.WireError as error:
            self.fail(f"sent something that is no answer ({error})")
        if self.output.exists() and self.output.stat().st_size >= MOST_OUTPUT:
            self.fail(f"printed more than {MOST_OUTPUT >> 20} MB")
        if "error" in answer:
            error = answer["error"] if isinstance(answer["error"], dict) else {}
            if _NO_ROOM.search(str(error.get("text", ""))) and not _overfull(self.folder, LITTLE):
                self.crowded_out()
            raise Raised(str(error.get("kind", "Exception"))[:80], str(error.get("text", ""))[:2000], str(error.get("line", ""))[:200], str(error.get("of", ""))[:80],
                         str(error.get("unwritten", ""))[:80])
        return answer.get("ok")

    def call(self, target, args, kwargs, name=None, **details):
        """Call a function of the submission, or an object in the sandbox, and remember what was asked and what came; see `request`."""
        try:
            answer = self.request("call", target=target, args=list(args), kwargs=kwargs, **details)
        except (Raised, Ended) as error:
            self.calls.add(name or target, args, kwargs, error=error)
            raise
        self.calls.add(name or target, args, kwargs, answer)
        return answer

    def _keep(self, value):
        """What goes to the sandbox instead of an object: the number that it has there; a model is built anew there."""
        if isinstance(value, RemoteObject):
            return value.handle
        return self.send_model(value).handle if hasattr(value, "to_json") else codec.pack(value)

    def _ask_reference(self, question):
        name = question.get("stand_in")
        function = self.stand_ins.get(name) if isinstance(name, str) else None
        if function is None:
            return {"error": {"kind": "NameError", "text": "nobody stands in for this function"}}
        self.asked.add(name)
        try:
            return {"ok": self.by_reference(function, question["args"], question["kwargs"])}
        except (Ended, codec.WireError):
            raise
        except Exception as error:
            return {"error": {"kind": getattr(error, "kind", type(error).__name__), "text": str(error)}}

    def by_reference(self, function, args, kwargs):
        """Call a function of ours on what lies in the sandbox; models get the weights that it has given them."""
        here, named = [self.local(v) for v in args], {k: self.local(v) for k, v in kwargs.items()}
        answer = function(*here, **named)
        for remote, model in zip((*args, *kwargs.values()), (*here, *named.values())):
            if isinstance(remote, RemoteObject) and hasattr(model, "set_weights") and model is not remote:
                remote.set_weights(model.get_weights())
        return answer

    def local(self, value):
        """What the reference can work on: our own model with the weights that it has in the sandbox, a random generator sown from the one there."""
        if not isinstance(value, RemoteObject):
            return value
        if value.handle.number not in self.models and value.handle.kind in ("Sequential", "Functional", "Model"):
            self.models[value.handle.number] = rebuilt(value)
        model = self.models.get(value.handle.number)
        if model is not None:
            model.set_weights(value.get_weights())
            return model
        if value.handle.kind == "Generator":
            return np.random.default_rng(int(value.integers(1 << 62)))
        if value.handle.kind == "RandomState":
            return np.random.RandomState(int(value.randint(1 << 31)))
        return value

    def _why_gone(self):
        code = None
        if self.status is not None:
            with open(self.status, "rb", closefd=False) as pipe:
                os.set_blocking(self.status, True)
                text = pipe.read(16)
            code = int(text) if text.lstrip(b"-").isdigit() else None
        code = code - 256 if code is not None and code > 200 else code
        if self.output.exists() and self.output.stat().st_size >= MOST_OUTPUT:
            return f"printed more than {MOST_OUTPUT >> 20} MB"
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return f"used more than {self.seconds:.0f} seconds of processor time: is there a loop without an end?"
        if code is not None and code < 0:
            return f"its process was killed by signal {-code} (too much memory, or it killed itself)"
        return "ended the process (os._exit, or a crash) instead of returning an answer"

    def size(self):
        """Number of processes and bytes of memory of the sandbox; zeros where that cannot be told."""
        family = _family(self.pid)
        memory = 0
        for process in family:
            with contextlib.suppress(Exception):  # it has gone
                memory += process.memory_info().rss
        return len(family), memory

    def fail(self, reason):
        """End the sandbox and raise `Ended`."""
        self.reason, self.ended = reason, True
        self.close()
        raise Ended(reason)

    def close(self):
        """End whatever still runs, and remove the folder."""
        self.reason = self.reason or "is over"
        self.connection.close()
        kill_tree(self.pid)
        if self.status is not None:
            os.close(self.status)
            self.status = None
        remove(self.folder.parent)

    def send_model(self, model):
        """A model of the grader's, built anew in the sandbox; a `RemoteObject`."""
        remote = self.request("model", config=model.to_json(), weights=model.get_weights())
        self.models[remote.handle.number] = model
        return remote


def _overfull(folder, most=MOST_DISK):
    """Are there more files below a folder, or larger ones, than an exercise may write, or than `most` bytes?"""
    waiting, files, size = [str(folder)], 0, 0
    while waiting and files <= MOST_FILES and size <= most:
        with contextlib.suppress(OSError):  # it has gone, or its path has grown too long: then there are many of them
            for entry in os.scandir(waiting.pop()):
                files += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512 if hasattr(os, "fork") else entry.stat(follow_symlinks=False).st_size
                if files > MOST_FILES:
                    break
    return files > MOST_FILES or size > most


def remove(folder):
    """Remove a folder, however deep somebody has nested it."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


def _family(pid):
    try:
        import psutil

        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except Exception:  # psutil is missing, or the process has gone
        return []


def kill_tree(pid):
    """Kill a process, its group and everything that it has started."""
    for process in _family(pid):
        with contextlib.suppress(Exception):  # it has gone
            process.kill()
    for kill in (getattr(os, "killpg", None), os.kill):
        with contextlib.suppress(OSError):
            kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM)) if kill else None
