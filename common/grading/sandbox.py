"""The grader's side of the sandbox: a process that is started once, and a child of it for each exercise.

What goes on with a child is in `common.grading.session`.
"""

import json
import os
import re
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from common.files import remove_folder, temporary_folder
from common.grading.session import MEMORY, Ended, Session, kill_tree, remove

PATIENCE = 300  # seconds for the large packages to be loaded, however busy the machine is


class Sandbox:
    """A process that has the large packages loaded and forks one child for each exercise.

    Parameters
    ----------
    kit : path-like
        A copy of the kit without answers; the only part of it that the sandbox may read.
    slot : int
        Number of this sandbox among those that run at the same time.
    modules : sequence of str
        Of the kit, which most submissions import: loaded once for all children.
    """

    def __init__(self, kit, slot=0, modules=()):
        self.kit, self.slot, self.modules = Path(kit), slot, list(modules)
        self.process, self.control, self._buffer = None, None, b""
        self.closed, self.starts = False, 0
        self.crowded_out = False  # whether an exercise found the disk full, which it had not filled
        self.places = temporary_folder("exercise-")
        self.places.chmod(0o755)

    def without_places(self, result):
        """A result, as JSON would have it, without the names of this sandbox's folders: they are others in every run, and a page says the same twice."""
        places, kit = (re.escape(json.dumps(str(place))[1:-1]) for place in (self.places, self.kit))
        return json.loads(re.sub(rf"{places}[\\/]+\w+([\\/]+work)?[\\/]*|{kit}[\\/]+", "", json.dumps(result)))

    def _line(self):
        while b"\n" not in self._buffer:
            try:
                part = self.control.recv(4096)
            except TimeoutError:  # its late answer would be taken for that to the next question
                kill_tree(self.process.pid)
                self.process.wait()
                self.control.close()
                self.process = self.control = None
                raise TimeoutError(f"the sandbox did not start within {PATIENCE} seconds: this machine has too much to do. End other work, or grade fewer at a time (--jobs 1), "
                                   "and start again") from None
            if not part:
                raise Ended("the sandbox does not start; run it by hand: python -m common.grading.sandbox_worker")
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def _environment(self):
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "KERAS_BACKEND")}
        return {**keep, "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "agg", "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0",
                "TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONDONTWRITEBYTECODE": "1", **dict.fromkeys(("HOME", "USERPROFILE", "MPLCONFIGDIR", "KERAS_HOME"), str(self.places)),
                # as many submissions are graded at a time as there are cores; and sums in one order give the same marks anywhere
                "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1",
                "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}  # a Mac ends the children of a process that has loaded its libraries, and its NumPy would wait there for threads

    def lost(self):
        """Has the process gone, though nobody has closed it?"""
        return self.process is not None and not self.closed and (self.process.poll() is not None or bool(select.select([self.control], [], [], 0)[0]))

    def _start(self):
        if self.control is not None:  # of one that is lost
            self.control.close()
            if self.process.poll() is None:
                kill_tree(self.process.pid)
                self.process.wait()
        self.starts += 1
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        boot = f"import sys; sys.path.insert(0, {str(self.kit)!r}); from common.grading.sandbox_worker import main; main({theirs.fileno()}, {self.modules!r})"
        self.process = subprocess.Popen([sys.executable, "-I", "-c", boot], pass_fds=[theirs.fileno()], env=self._environment(), cwd=self.places,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        theirs.close()
        self.control, self._buffer = ours, b""
        able = self._line()
        self.as_user, self.in_a_tree = able["user"], able["tree"]

    def open(self, seconds=20, files=()):
        """Start a child in an empty folder.

        Parameters
        ----------
        seconds : float
            Processor time; the whole session may take three times that and 20 seconds.
        files : sequence of path-like
            Copied into the folder.

        Returns
        -------
        Session
        """
        if self.closed:
            raise Ended("was stopped with the grading")
        place = Path(tempfile.mkdtemp(dir=self.places))
        place.chmod(0o755)
        folder = place / "work"
        folder.mkdir()
        for file in files:
            shutil.copyfile(file, folder / Path(file).name)
        options = {"folder": str(folder), "output": str(place / "output.txt"), "seconds": seconds, "memory": MEMORY, "readable": [str(self.kit)], "user": None, "root": None}
        if not hasattr(os, "fork"):
            return self._open_alone(options, folder, seconds)
        if self.process is None or self.lost():
            self._start()
        if self.in_a_tree:
            (place / "root").mkdir()
            options["root"] = str(place / "root")
        if self.as_user:
            options["user"] = self.slot
            for path in (folder, *folder.iterdir()):
                os.chown(path, 61_000 + self.slot, 61_000 + self.slot)
        ours, theirs = socket.socketpair()
        status, write = os.pipe()
        socket.send_fds(self.control, [json.dumps(options).encode()], [theirs.fileno(), write])
        theirs.close()
        os.close(write)
        pid = self._line()["pid"]
        session = Session(ours, pid, folder, place / "output.txt", seconds, status)
        session.crowded_out = self._note_crowd
        return session

    def _note_crowd(self):
        self.crowded_out = True

    def _open_alone(self, options, folder, seconds):
        """Without fork (Windows): a process for every exercise, found again by a secret number."""
        listener, token = socket.create_server(("127.0.0.1", 0)), secrets.token_bytes(32)
        options.update(port=listener.getsockname()[1], token=token.hex())
        boot = f"import sys; sys.path.insert(0, {str(self.kit)!r}); import json; from common.grading.sandbox_worker import serve_alone; serve_alone(json.loads(sys.argv[1]))"
        process = subprocess.Popen([sys.executable, "-I", "-c", boot, json.dumps(options)], env=self._environment(), cwd=self.places,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listener.settimeout(PATIENCE)
        with listener:
            connection, _ = listener.accept()
            if connection.recv(32) != token:
                raise Ended("somebody else connected to the sandbox's port")
        return Session(connection, process.pid, folder, Path(options["output"]), seconds)

    def close(self):
        """End the process, and whatever it has started, and remove its folders; it is not started again."""
        self.closed = True
        if self.process is not None:
            kill_tree(self.process.pid)
            self.process.wait()
            if self.control is not None:
                self.control.close()
            self.process = None
        remove(self.places)
        remove_folder(self.places)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
