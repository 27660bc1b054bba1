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


def programs(folder, **scripts):
    """The environment of a computer that has these programs, and nothing else but what scripts need."""
    folder.mkdir()
    for name in ("bash", "sh", "dirname", "env", "cat", "chmod"):
        (folder / name).symlink_to(shutil.which(name))
    for name, text in scripts.items():
        (folder / name.replace("_", ".", 1).replace("apt.get", "apt-get")).write_text(f"#!/bin/sh\n{text}\n")
    for path in folder.iterdir():
        path.is_symlink() or path.chmod(0o755)
    return {"PATH": str(folder)}


PYTHON = f'exec {sys.executable} "$@"'


@posix
def test_set_up_takes_the_lock_and_the_first_python_that_can(home, tmp_path):
    """With the environment there already, it is left as it is; the script runs to its end, and installs nothing where a Python will do."""
    env = programs(tmp_path / "bin", python3_13="exit 127", python3_12='case "$*" in *ensurepip*) exit 1;; esac', python3_11=PYTHON, apt_get=f"touch {tmp_path}/asked")
    subprocess.run([home / "source" / "setup.sh"], check=True, cwd="/", timeout=120, env=env)
    assert not (tmp_path / "asked").exists()
    assert not any("__pycache__" in p.parts for p in map(Path, zipfile.ZipFile(home / "a.zip").namelist()))


@posix
def test_where_no_python_will_do_one_is_installed(home, tmp_path):
    lacking = f"case \"$*\" in *python3.12*) exit 100;; *python3.11*) echo '#!/bin/sh' > {tmp_path}/bin/python3.11; echo '{PYTHON}' >> {tmp_path}/bin/python3.11; chmod 755 {tmp_path}/bin/python3.11;; esac"
    env = programs(tmp_path / "bin", apt_get=f"echo \"$@\" >> {tmp_path}/asked; {lacking}")
    subprocess.run([home / "source" / "setup.sh"], check=True, cwd="/", timeout=120, env=env)
    assert (tmp_path / "asked").read_text().splitlines() == ["update", "install -y python3.12 python3.12-venv", "install -y python3.11 python3.11-venv"]


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
