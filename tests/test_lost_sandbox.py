"""A sandbox that is ended from outside, as by a system that is short of memory, costs nobody a mark."""

import os
import re
import signal
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from common.grading import desk, sandbox, session
from common.grading.desk import Desk, Way
from common.grading.session import Ended, Raised

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
ASKED = SimpleNamespace(statements=["def f():\n    return 3"], stand_ins=[], pylab=False, seed=1)


class Asks:
    """In place of the grader: asks the sandbox twice, and before each question something happens to it."""

    happens = []

    def __init__(self, task, prelude, sandbox, seed, train):
        self.sandbox = sandbox

    def grade(self, submission, fresh, only, old):
        answers = []
        for _ in range(2):
            self.happens.pop(0)(self.sandbox)
            try:
                session = self.sandbox.open(5)
                try:
                    session.request("load", **vars(ASKED))
                    family = psutil.Process(session.pid).children(recursive=True) + [psutil.Process(session.pid)]
                    what = self.happens.pop(0)
                    what(self.sandbox)
                    while what is not nothing and not all(map(over, family)):  # each ends with the one before it, and the last might be quicker to answer
                        time.sleep(0.01)
                    answers.append(session.request("call", target="f", args=[], kwargs={}))
                finally:
                    session.close()
            except Ended:
                answers.append("ended")
        return {"answers": answers}


def over(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def nothing(sandbox):
    pass


def killed(sandbox):
    os.kill(sandbox.process.pid, signal.SIGKILL)


def killed_and_seen(sandbox):
    killed(sandbox)
    sandbox.process.wait()


@pytest.fixture(scope="module")
def light_desk():
    """A desk whose sandbox begins at once, for it loads no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk, "measured_by", lambda task: SimpleNamespace(fresh_data=lambda *way: None))
        patch.setattr(desk, "modules_of", lambda task: ())
        patch.setattr(desk, "prepare", lambda: None)
        made = Desk(Way("RegionDetector"))
    with made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk, "Grader", Asks)
        worker = made.kit / "common" / "grading" / "sandbox_worker.py"
        worker.write_text(re.sub(r"PRELOAD = \(.*?\)", 'PRELOAD = ("numpy",)', worker.read_text(), flags=re.S))
        yield made


def test_what_the_checks_compute_with_is_loaded_quietly_before_the_first_of_them(monkeypatch):
    monkeypatch.setattr(desk, "prepare", lambda: sys.exit("prepared"))
    with pytest.raises(SystemExit, match="prepared"):
        Desk(Way("RegionDetector"))


@pytest.mark.parametrize("happens", [[nothing, killed], [nothing, nothing, killed], [nothing, nothing, nothing, killed_and_seen]])
def test_who_was_in_hand_is_graded_from_the_beginning(light_desk, monkeypatch, happens):
    monkeypatch.setattr(Asks, "happens", [*happens, *[nothing] * (8 - len(happens))])
    assert light_desk.grade(None)["answers"] == [3, 3]
    assert len(Asks.happens) < 4  # it was begun twice


def test_a_sandbox_that_a_busy_machine_starts_too_late_is_started_anew_for_the_next_submission(light_desk, monkeypatch):
    monkeypatch.setattr(Asks, "happens", [nothing] * 4)
    monkeypatch.setattr(light_desk, "_free", [])
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "PATIENCE", 0.001)
        with pytest.raises(TimeoutError, match="too much to do.*--jobs 1"):
            light_desk.grade(None)
    monkeypatch.setattr(Asks, "happens", [nothing] * 4)
    assert light_desk.grade(None)["answers"] == [3, 3]


def test_a_submission_that_ends_its_sandbox_whenever_it_is_graded_is_judged_so(light_desk, monkeypatch):
    monkeypatch.setattr(Asks, "happens", [nothing, killed] * 4)
    assert light_desk.grade(None)["answers"] == ["ended", "ended"] and not Asks.happens


NO_ROOM = "def f():\n    raise OSError(28, 'No space left on device')"
FILLED = "def f():\n    with open('a', 'wb') as a:\n        a.write(b'x' * (9 << 20))\n    raise OSError(28, 'No space left on device')"


class Once(Asks):
    """Asks for an answer once; `free` is what the disk has then, one number after the other."""

    source, graded, free = NO_ROOM, 0, ()

    def grade(self, submission, fresh, only, old):
        Once.graded += 1
        session = self.sandbox.open(5)
        try:
            session.request("load", **{**vars(ASKED), "statements": [self.source]})
            return {"answer": session.request("call", target="f", args=[], kwargs={})}
        except Raised as error:
            return {"answer": str(error)}
        finally:
            session.close()


@pytest.mark.parametrize("source, free, times", [(NO_ROOM, [0, 0, *[1 << 30] * 5], 5), (NO_ROOM, [1 << 30] * 5, 5), (FILLED, [], 1), (ASKED.statements[0], [], 1)])
def test_a_disk_that_somebody_else_has_filled_is_waited_for(light_desk, monkeypatch, source, free, times):
    left = list(free)
    monkeypatch.setattr(desk, "Grader", Once)
    monkeypatch.setattr(Once, "source", source)
    monkeypatch.setattr(Once, "graded", 0)
    monkeypatch.setattr(session, "LITTLE", 8 << 20)
    monkeypatch.setattr(desk.shutil, "disk_usage", lambda place: SimpleNamespace(free=left.pop(0)))
    light_desk.grade(None)
    assert Once.graded == times and not left


def test_on_a_disk_that_stays_full_nobody_is_marked(light_desk, monkeypatch):
    monkeypatch.setattr(desk, "Grader", Once)
    monkeypatch.setattr(desk.shutil, "disk_usage", lambda place: SimpleNamespace(free=0))
    monkeypatch.setattr(light_desk, "_room", lambda place, seconds=0, real=light_desk._room: real(place, 0))
    with pytest.raises(OSError, match="the disk is full, and nobody is marked by that"):
        light_desk.grade(None)


def test_results_do_not_name_the_folders_of_the_sandbox(light_desk, monkeypatch):
    """They are others in every run."""
    def grade(self, sandbox, *more):
        work = sandbox.places / "tmpx_1" / "work"
        return {"rows": [{"message": f"no such file: '{work / 'a.csv'}' ({sandbox.kit / 'common' / 'x.py'}), nor '{work}', but 'data/a.csv'"}]}

    monkeypatch.setattr(Desk, "_graded", grade)
    assert light_desk.grade(None)["rows"] == [{"message": f"no such file: 'a.csv' ({os.path.join('common', 'x.py')}), nor '', but 'data/a.csv'"}]
