"""Inside the sandbox: take functions from a submission and call them when asked. Knows no right answer and judges nothing.

`main` starts once and imports the large packages; for every exercise it forks a child, which shuts itself in and then serves.
"""

import __future__

import ast
import builtins
import contextlib
import gc
import importlib.util
import itertools
import json
import os
import random
import signal
import socket
import sys
import tempfile
import traceback
import types

from common.exercises.calling import as_asked
from common.exercises.errors import is_unwritten
from common.grading import codec
from common.grading.confinement import confine, die_with_parent, leave_namespaces, what_root_may
from common.grading.rebuilt import layers_of

PRELOAD = ("numpy", "scipy.ndimage", "scipy.optimize", "cv2", "PIL.Image", "skimage.feature", "skimage.transform", "skimage.io", "sklearn.neighbors",
           "matplotlib.pylab", "tqdm.auto", "pandas", "keras", "dlib")
_PYLAB = ("import numpy, matplotlib\nfrom matplotlib import pylab, mlab, pyplot\nnp = numpy\nplt = pyplot\nfrom pylab import *\nfrom numpy import *\n"
          "from builtins import sum, min, max, any, all, abs, round, pow, open, range, map, filter\n")
HELPERS = ("check", "hint", "solution", "target", "marks", "display")  # of the kit's notebooks; another notebook may call its values so
SUBMISSION = "<submission>"
_LATER = __future__.annotations.compiler_flag


class OfTheKit:
    """Mixed into what is raised where the kit's own function, which stands in for one of the notebook's, could not answer."""


def raised_by(name, kind, text):
    """An exception of a built-in kind, so that a notebook's ``except`` sees what it would see from a function of its own."""
    base = getattr(builtins, kind, None)
    base = base if isinstance(base, type) and issubclass(base, Exception) and not issubclass(base, (OSError, UnicodeError)) else RuntimeError
    error = type(base.__name__, (OfTheKit, base), {})(text)
    error.of = name
    return error


class Shell:
    """Stands for the notebook's IPython, which is not there: whatever magic it is asked for, as `get_ipython().run_line_magic`, does nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


class Server:
    """Answers the grader's requests, one at a time."""

    def __init__(self, connection):
        main = sys.modules["__main__"] = types.ModuleType("__main__")  # where dataclasses, pickle and typing look for what a notebook defines
        self.connection, self.objects, self.space, self.seed = connection, [], vars(main), 0
        self.space["__builtins__"] = builtins
        self.numbers, self.beside = {}, None
        self.counted = {}

    def read(self, size):
        """Read exactly `size` bytes."""
        data = bytearray()
        while len(data) < size:
            part = self.connection.recv(min(size - len(data), 1 << 20))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def keep(self, value):
        """Remember an object that is no plain data; the grader gets its number, the same whenever the object comes by."""
        if id(value) not in self.numbers:  # it is kept, so nothing else gets its identity
            self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        return codec.Handle(self.numbers[id(value)], type(value).__name__)

    def give(self, handle):
        """The object of a number."""
        return self.objects[handle.number]

    def serve(self):
        """Answer until the grader hangs up."""
        while True:
            try:
                request = codec.receive(self.read, self.give)
            except EOFError:
                return
            self.answer(request)

    def answer(self, request):
        """Answer one request."""
        try:
            answer = {"ok": getattr(self, "do_" + request.pop("op"))(**request)}
            data = codec.pack(answer, self.keep)
        except BaseException as error:  # sys.exit and the like are answers, too
            data = codec.pack({"error": describe(error)})
        self.connection.sendall(data)

    def stand_in(self, name):
        """A function that asks the grader for the reference's answer; the grader may ask back before it knows."""
        def ask(*args, **kwargs):
            codec.send(self.connection.sendall, {"stand_in": name, "args": list(args), "kwargs": kwargs}, self.keep)
            answer = codec.receive(self.read, self.give)
            while "op" in answer:
                self.answer(answer)
                answer = codec.receive(self.read, self.give)
            if "error" in answer:
                raise raised_by(name, answer["error"]["kind"], answer["error"]["text"])
            return answer["ok"]

        ask.__name__ = name
        return ask

    # --- what the grader may ask ---

    def do_load(self, statements, stand_ins, pylab, seed, task="", places=(), modules=(), taken=(), later=False):
        """Run definitions; those that need a later one are tried again. Returns what failed.

        `places` are those of the statements, see `placed`; `modules` are files that the notebook writes, by name; of the names in `taken` the notebook has its own use.
        `later`: annotations are not evaluated, as after ``from __future__ import annotations``.
        """
        self.seed = seed
        for name, text in dict(modules).items():
            with open(f"{name}.py", "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        if task:  # a notebook lies in its task's folder, from where it imports scores, graph and get_data as the published course does
            sys.path.append(os.path.join(os.path.abspath(__file__).rsplit(os.sep, 3)[0], task))
            self.beside = importlib.import_module(f"{task}.checks.course_files") if importlib.util.find_spec(f"{task}.checks.course_files") else None
            if self.beside:
                self.beside.provide()
        if modules:  # last, so that none stands before the kit's
            sys.path.append(os.getcwd())
        for name in {"exercise", *HELPERS}.difference(taken):
            self.space[name] = lambda f=None, *args, **kwargs: f
        self.space["get_ipython"] = Shell
        if pylab:
            exec(_PYLAB, self.space)
        missing = {name: self.stand_in(name) for name in stand_ins}
        self.space.update(missing)
        waiting, problems = list(itertools.zip_longest(statements, places, fillvalue="")), {}
        for _ in range(4):
            left = []
            for text, lines in waiting:
                try:
                    exec(placed(text, lines, _LATER * later), self.space)
                    self.space.update(missing)  # before the next definition takes them for its defaults
                    problems.pop(text, None)
                except (Exception, SystemExit) as error:
                    left.append((text, lines))
                    problems[text] = describe(error)
            if not left or left == waiting:
                break
            waiting = left
        return [[begins(text), error] for text, error in problems.items()]

    def do_has(self, name):
        """Is there a function or class of this name?"""
        return callable(self.space.get(name))

    def do_call(self, target, args, kwargs, takes=(), spare=()):
        """Call a function of the submission by name, as the stub is called, or an object."""
        self.sow()
        f = as_asked(self.space[target], takes, spare) if isinstance(target, str) else target
        try:
            return f(*args, **kwargs)
        except NotImplementedError as error:
            owner = f if isinstance(target, str) else type(getattr(f, "__self__", f))  # an object's method counts for its class
            if is_unwritten(error, owner):
                error.unwritten = target if isinstance(target, str) else owner.__name__
            raise

    def do_lent(self):
        """What the notebook has used of the files that lay beside the published course's."""
        return self.beside.lent() if self.beside else []

    def do_attr(self, target, name):
        """An attribute of an object."""
        return getattr(target, name)

    def do_run(self, path, args):
        """Call a helper of the kit."""
        self.sow()
        module, _, name = path.partition(":")
        return getattr(importlib.import_module(module), name)(*args)

    def do_model(self, config, weights):
        """Build a Keras model that the grader sent."""
        import keras

        model = keras.models.model_from_json(config)
        model.set_weights(weights)
        return self.keep(model)

    def do_layers(self, model):
        """What a network is built of, as plain data."""
        return layers_of(model)

    def do_trap(self, names):
        """Lay out false answers as global variables."""
        self.space.update(names)

    def sow(self):
        """The same random numbers at every call of the same order."""
        self.seed += 1
        random.seed(self.seed)
        sys.modules["numpy"].random.seed(self.seed % 2**32)
        if "keras" in sys.modules:
            sys.modules["keras"].utils.set_random_seed(self.seed % 2**32)


def placed(text, lines, flags=0):
    """The code of a statement whose parts stand in the lines of the notebook's cell; comments and blank lines between them are not in the text.

    Parameters
    ----------
    text : str
    lines : str
        First and last line of every node of the syntax tree that has one, in the order of `ast.walk`.
    flags : int
        For the compiler.
    """
    numbers = lines.split()
    if not numbers:
        return compile(text, SUBMISSION, "exec", flags)
    tree = ast.parse(text)
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    if 2 * len(nodes) == len(numbers):  # else Python writes something in two ways, and the lines are those of the text
        for node, first, last in zip(nodes, numbers[::2], numbers[1::2]):
            node.lineno, node.end_lineno, node.col_offset, node.end_col_offset = int(first), int(last), 0, 0
    return compile(tree, SUBMISSION, "exec", flags)


def begins(statement):
    """How a statement begins, below its decorators: enough to know it again."""
    lines = statement.strip().split("\n")
    return next((line for line in lines if not line.startswith("@")), lines[0])[:120]


def describe(error):
    """What the grader gets to know of an exception: class, message, line of the submission."""
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == SUBMISSION]
    try:
        text = str(error)[:2000]
    except BaseException:
        text = ""
    return {"kind": type(error).__name__, "text": text, "line": f" (line {lines[-1].lineno} of {lines[-1].name})" if lines else "",
            "of": error.of if isinstance(error, OfTheKit) else "", "unwritten": getattr(error, "unwritten", "")}


def _serve(connection, options):
    output = os.open(options["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, number)
    confine(options["folder"], options["seconds"], options["memory"], readable=options["readable"], user=options["user"], root=options["root"])
    tempfile.tempdir = None  # look for it again, here
    server = Server(connection)
    server.serve()


def _child(connection, status, options):
    """Supervisor of one exercise: a fresh process tree and network where the system has them."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    die_with_parent()  # a grader that is killed leaves nothing behind, not even what sleeps
    alone = leave_namespaces(options["root"] is not None)
    first = os.fork()
    if first == 0:
        if alone:
            die_with_parent()
            second = os.fork()  # the first process of a tree is deaf to many signals, so it only waits
            if second:
                connection.close()
                while True:
                    pid, code = os.wait()
                    if pid == second:
                        os._exit(os.waitstatus_to_exitcode(code) % 256 if code >= 0 else 1)
        die_with_parent()
        with contextlib.suppress(BaseException):
            os.close(status)
            _serve(connection, options)
        os._exit(0)
    connection.close()
    code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(code).encode())
    os._exit(0)


def _preload(names):
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def main(control_number, modules=()):
    """Fork a child for every request that comes over the control socket, until that is closed.

    Parameters
    ----------
    control_number : int
        Of the socket's file.
    modules : sequence of str
        Of the kit's copy: loaded once, so that not every child has to.
    """
    control = socket.socket(fileno=control_number)
    _preload((*PRELOAD, *modules))
    probe = [sys.executable, __file__, *(module.__file__ for name, module in sys.modules.items() if name in PRELOAD and module.__file__)]
    user, tree = what_root_may(probe, [os.path.abspath(__file__).rsplit(os.sep, 3)[0]], tempfile.mkdtemp(dir=os.getcwd()))
    control.sendall(json.dumps({"user": user, "tree": tree}).encode() + b"\n")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # garbage collection in a child would write to, and so copy, every page of memory that it shares with this process
    while True:
        message, numbers, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not message:
            return
        options, (data, status) = json.loads(message), numbers
        pid = os.fork()
        if pid == 0:
            control.close()
            _child(socket.socket(fileno=data), status, options)
        os.close(data)
        os.close(status)
        control.sendall(json.dumps({"pid": pid}).encode() + b"\n")


def serve_alone(options):
    """One exercise in a process of its own, over a local port: for systems without fork."""
    connection = socket.create_connection(("127.0.0.1", options["port"]))
    connection.sendall(bytes.fromhex(options["token"]))
    _preload(PRELOAD)
    _serve(connection, options)


if __name__ == "__main__":
    serve_alone(json.loads(sys.argv[1]))
