"""Gradescope's autograder, run as Gradescope runs it: unpacked into source, set up once, run_autograder for each submission."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from coursework import answer, code_notebook, hand_in

from common.grading.autograder import main
from common.grading.tasks import ROOT
from RegionDetector.exercises import TASK

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="Gradescope's images are Linux")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """/autograder as Gradescope lays it out, set up; the environment is that of the tests, for it takes minutes to make."""
    home = tmp_path_factory.mktemp("autograder")
    assert main(["--task", "RegionDetector", "--out", str(home / "a.zip")]) == 0
    with zipfile.ZipFile(home / "a.zip") as archive:
        assert archive.testzip() is None
        modes = {i.filename: i.external_attr >> 16 & 0o777 for i in archive.infolist()}
        assert modes["setup.sh"] & 0o100 and modes["run_autograder"] & 0o100
        archive.extractall(home / "source")
    source = home / "source"
    venv = source / ".venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (venv / "python").chmod(0o755)
    (source / ".venv" / "installed-lock.sha256").write_text(hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest())
    for name in ("setup.sh", "run_autograder"):
        shutil.copyfile(source / name, home / name)
        (home / name).chmod(0o755)
        (source / name).chmod(0o755)
    return home


@posix
def test_set_up_takes_the_lock(home):
    """With the environment there already, it is left as it is; the script runs to its end."""
    subprocess.run([home / "source" / "setup.sh"], check=True, cwd="/", timeout=120)
    assert not any("__pycache__" in p.parts for p in map(Path, zipfile.ZipFile(home / "a.zip").namelist()))


@posix
@pytest.mark.slow
def test_a_submission_gets_its_marks(home):
    shutil.rmtree(home / "submission", ignore_errors=True)
    hand_in(home / "submission" / "work", "Face_Detection", code_notebook([answer(TASK.by_name["get_threshold"]), "def detect(f, x):\n    return 3"]))
    subprocess.run([home / "run_autograder"], check=True, cwd="/", timeout=900, env={"PATH": os.environ["PATH"], "HOME": str(home)})
    told = json.loads((home / "results" / "results.json").read_text())
    tests = {t["name"]: t for t in told["tests"]}
    assert told["score"] == 0.5 and tests["get_threshold"]["status"] == "passed" and tests["detect"]["status"] == "failed" and tests["detect"]["output"]
    assert sum(t["max_score"] for t in told["tests"]) == 10


@posix
def test_without_a_notebook_it_says_what_to_hand_in(home):
    shutil.rmtree(home / "submission", ignore_errors=True)
    (home / "submission").mkdir()
    (home / "submission" / "notes.docx").write_bytes(b"x")
    subprocess.run([home / "run_autograder"], check=True, cwd="/", timeout=300)
    told = json.loads((home / "results" / "results.json").read_text())
    assert told["score"] == 0 and ".ipynb" in told["output"]
