"""A Python that has imported TensorFlow already: each command runs in a fork of it, and is spared the five seconds that its import takes.

``python warm.py SOCKET serve`` waits for commands; ``python warm.py SOCKET -m MODULE ...``, ``... -c PROGRAM ...`` or ``... SCRIPT ...`` runs one there, in
the folder, the environment and on the files of the caller, and ends with its code. Of the kit itself nothing is imported beforehand. Needs fork.
One waits for all test processes that run side by side, and ends when the last of those that have asked for it does.
"""

import atexit
import gc
import json
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
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
        door.settimeout(2)
        while True:
            try:
                line, _ = door.accept()
            except TimeoutError:
                _end_if_alone(Path(path).parent)
                continue
            line.settimeout(None)
            if os.fork() == 0:
                break
            line.close()
            while _ended():
                pass
    request, files, _, _ = socket.recv_fds(line, LIMIT, 3)
    while part := line.recv(LIMIT):
        request += part
    if command := os.fork():  # the one between waits for the code; who is killed takes the command along, which no other parent would see
        threading.Thread(target=_end_with, args=(line, command), daemon=True).start()
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        line.sendall(str(code if code >= 0 else 128 - code).encode())
        os._exit(0)
    line.close()
    for there, here in zip(files, (0, 1, 2)):
        os.dup2(there, here)
        os.close(there)
    sys.stdin, sys.stdout, sys.stderr = (open(here, mode, encoding="utf-8", closefd=False) for here, mode in enumerate("rww"))
    return json.loads(request)


def _end_with(line, command):
    """Wait until the caller has gone, and end its command."""
    watch = select.poll()
    watch.register(line, 0)  # tells only that the other end is closed
    watch.poll()
    os.kill(command, signal.SIGKILL)


def _end_if_alone(folder):
    """End if no test process holds the folder any more."""
    import fcntl

    with open(folder / "held") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


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
    *options, name = request["arguments"][: 2 if request["arguments"][0] in ("-m", "-c") else 1]
    sys.argv = [*(options if options == ["-c"] else [name]), *request["arguments"][len(options) + 1 :]]
    beside = [os.getcwd() if options else str(Path(name).resolve().parent)]
    sys.path[:] = beside + [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder] + packages
    if options == ["-c"]:
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(name, "<string>", "exec"), main.__dict__)
    elif options:
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
    """The command line that runs commands so, up to ``-m``, ``-c`` or a script; the first call of a run of tests starts what waits for them.

    Where processes cannot be forked it is Python as ever.
    """
    if not hasattr(os, "fork"):
        return sys.executable
    import fcntl

    folder = Path(tempfile.gettempdir(), f"warm-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}")
    folder.mkdir(mode=0o700, exist_ok=True)
    path = str(folder / "socket")
    warm_python.held = open(folder / "held", "w")
    fcntl.flock(warm_python.held, fcntl.LOCK_SH)  # until this Python ends
    with open(folder / "starting", "w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not Path(path).exists():
            waiting = subprocess.Popen([sys.executable, __file__, path, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "PYTHONPATH": ""}, start_new_session=True)
            while not Path(path).exists():
                assert waiting.poll() is None, "what waits for commands has ended"
                time.sleep(0.1)
    return f"{sys.executable} -IS {__file__} {path}"


def warm_command(*arguments):
    """What `subprocess` is given in the place of ``[sys.executable, *arguments]``."""
    return [*shlex.split(warm_python()), *map(str, arguments)]


def kernels(folder):
    """Lay a kernel for notebooks in a folder that runs so; for ``JUPYTER_PATH``."""
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3").to_dict()
    spec["argv"] = warm_command(*spec["argv"][spec["argv"].index("-m") :]) if hasattr(os, "fork") else spec["argv"]
    spec["interrupt_mode"] = "message"  # a signal would reach the one that asks, not the kernel
    place = Path(folder, "kernels", "python3")
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return str(folder)


if __name__ == "__main__":
    where, *rest = sys.argv[1:]
    if rest != ["serve"]:
        sys.exit(ask(where, rest))
    end(run, serve(where), sys.path[1:])
