"""A Python that has imported TensorFlow already: each command runs in a fork of it, and is spared the five seconds that its import takes.

``python warm.py SOCKET serve`` waits for commands; ``python warm.py SOCKET -m MODULE ...`` or ``... SCRIPT ...`` runs one there, in the folder, the
environment and on the files of the caller, and ends with its code. Of the kit itself nothing is imported beforehand. Needs fork.
"""

import atexit
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
import time
import traceback
from functools import lru_cache
from pathlib import Path

LIMIT = 1 << 20  # bytes of a request


def ask(path, arguments):
    """Have a command run; its exit code."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        request = json.dumps({"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)})
        socket.send_fds(line, [request.encode()], [0, 1, 2])
        line.shutdown(socket.SHUT_WR)
        return int(line.recv(16) or b"1")


def serve(path):
    """Import what takes long, and run what is asked for; returns in the fork that shall run a command, with its request."""
    import cv2  # noqa: F401
    import keras  # noqa: F401
    import sklearn.neighbors  # noqa: F401

    gc.collect()
    gc.freeze()  # or each fork would copy the memory that it looks through for garbage
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{path}.made")
        door.listen()
        os.rename(f"{path}.made", path)  # who finds it finds it listening
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                break
            line.close()
            while _ended():
                pass
    request, files, _, _ = socket.recv_fds(line, LIMIT, 3)
    while part := line.recv(LIMIT):
        request += part
    if command := os.fork():  # the one between waits for the code
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        line.sendall(str(code if code >= 0 else 128 - code).encode())
        os._exit(0)
    line.close()
    for there, here in zip(files, (0, 1, 2)):
        os.dup2(there, here)
        os.close(there)
    sys.stdin, sys.stdout, sys.stderr = (open(here, mode, encoding="utf-8", closefd=False) for here, mode in enumerate("rww"))
    return json.loads(request)


def _ended():
    """Take leave of a fork that has ended; whether there was one."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        return 0


def run(request, packages):
    """Be the command that was asked for."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    *options, name = request["arguments"][: 2 if request["arguments"][0] == "-m" else 1]
    sys.argv = [name, *request["arguments"][len(options) + 1 :]]
    beside = [os.getcwd() if options else str(Path(name).resolve().parent)]
    sys.path[:] = beside + [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder] + packages
    if options:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(name, run_name="__main__")


def end(command, *arguments):
    """Run a function and end as Python does, but without tidying up what was imported beforehand, which takes longer than most commands."""
    code = 1
    try:
        command(*arguments)
        code = 0
    except SystemExit as stop:
        code = stop.code
        if not isinstance(code, (int, type(None))):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code or 0)


@lru_cache(maxsize=1)
def warm_python():
    """The command line that runs commands so, up to ``-m``; the first call starts what waits for them, and it ends with this Python."""
    from common.files import temporary_folder

    path = str(temporary_folder("warm-") / "socket")
    waiting = subprocess.Popen([sys.executable, __file__, path, "serve"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""})
    atexit.register(waiting.kill)
    while not Path(path).exists():
        assert waiting.poll() is None, "what waits for commands has ended"
        time.sleep(0.1)
    return f"{sys.executable} -IS {__file__} {path}"


if __name__ == "__main__":
    where, *rest = sys.argv[1:]
    if rest != ["serve"]:
        sys.exit(ask(where, rest))
    end(run, serve(where), sys.path[1:])
