"""All that grading one submission after another needs, laid out once: the kit for the sandbox, fresh data, a sandbox for each thread."""

import errno
import shutil
import threading
import time
from dataclasses import dataclass

from common.device import prepare
from common.files import FULL, remove_folder, temporary_folder
from common.grading.judging import Grader
from common.grading.sandbox import Sandbox
from common.grading.session import LITTLE
from common.grading.tasks import measured_by, modules_of, prelude_of, task_of

_TRIES = 5  # of a submission that finds the disk full again and again; one that only says so gets its marks then


@dataclass(frozen=True)
class Way:
    """How a class is graded; what gives other marks belongs in here.

    Attributes
    ----------
    task : {"RegionDetector", "TrackDetector"}
    seed : int
        Of the fresh data: the same seed gives the same marks.
    train : float
        Seconds for fitting, where no weights were handed in; 0: do not fit.
    data : str or None
        Folder of the real data; None: the built-in data.
    """

    task: str
    seed: int = 2026
    train: float = 0
    data: str | None = None


class Desk:
    """A place to grade at: on this machine, or in a worker of a cluster.

    Parameters
    ----------
    way : Way
    first_slot : int
        Number of its first sandbox; desks on one machine must not share numbers.
    """

    def __init__(self, way, first_slot=0):
        from common.grading.student_package import write_tree

        prepare()  # quietly: else a check loads TensorFlow, which writes into the progress bar
        self.way, self.task, self.prelude, self._modules = way, task_of(way.task), prelude_of(way.task), modules_of(way.task)
        self.fresh = measured_by(way.task).fresh_data(way.data, way.seed, way.train > 0)
        self._free, self._all, self._lock, self._closed, self._first = [], [], threading.Lock(), False, first_slot
        self.kit = temporary_folder("kit-")
        try:
            write_tree(self.kit, notebooks=False, sandbox=True)
        except BaseException:
            self.close()
            raise

    def _sandbox(self):
        with self._lock:
            if self._free:
                return self._free.pop()
            self._all.append(Sandbox(self.kit, self._first + len(self._all), self._modules))
            return self._all[-1]

    def grade(self, submission, only=None, old=None):
        """Marks of one submission; any number of threads may ask at a time.

        Parameters
        ----------
        submission : common.grading.submissions.Submission
        only, old
            See `common.grading.judging.Grader.grade`.

        Returns
        -------
        dict or None
            None if the desk was closed meanwhile: those are the marks of a sandbox that was taken away.
        """
        sandbox, begun = self._sandbox(), time.monotonic()
        try:
            result = sandbox.without_places(self._graded(sandbox, submission, only, old))
            result["seconds"] = (old or {}).get("seconds") if only else round(time.monotonic() - begun, 1)
        finally:
            with self._lock:
                self._free.append(sandbox)
        return None if self._closed else result

    def _graded(self, sandbox, submission, only, old):
        """Marks; from the beginning where the sandbox itself has gone, as on a system that is short of memory: no student is to blame for that, once.

        Nor for a disk that is full of another's files: then, when there is room.
        """
        for number in range(_TRIES):
            sandbox.crowded_out = False
            starts = sandbox.starts + (sandbox.process is None or sandbox.lost())
            try:
                result, error = Grader(self.task, self.prelude, sandbox, self.way.seed, self.way.train).grade(submission, self.fresh, only, old), None
            except OSError as fault:  # it went when it was asked
                result, error = None, fault
            full = sandbox.crowded_out or error is not None and error.errno in FULL
            if full and not self._room(sandbox.places) and not self._closed:
                raise OSError(errno.ENOSPC, "the disk is full, and nobody is marked by that: make room, or let TMPDIR name another place, and start again", str(sandbox.places))
            lost = number == 0 and (sandbox.starts > starts or sandbox.lost())
            if self._closed or not (lost or full):
                break
        if error is not None:
            raise error
        return result

    def _room(self, place, seconds=120):
        """Whether the disk has room, at once or after exercises of other submissions have ended and their files are removed."""
        until = time.monotonic() + seconds
        while (little := shutil.disk_usage(place).free < LITTLE) and time.monotonic() < until and not self._closed:
            time.sleep(0.2)
        return not little

    def close(self):
        """End the sandboxes and remove the kit's copy."""
        self._closed = True
        for sandbox in self._all:
            sandbox.close()
        remove_folder(self.kit)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
