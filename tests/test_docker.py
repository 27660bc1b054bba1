"""The container keeps a student's work, starts as any user, and holds no more than the kit."""

import errno
import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import PurePosixPath

import pytest
from committed import ROOT, committed
from warm import warm_command, warm_python

START = ROOT / "docker" / "start.py"


@pytest.fixture(scope="module")
def start():
    spec = importlib.util.spec_from_file_location("start", START)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kit(tmp_path):
    kit = tmp_path / "kit"
    for name in ("README.md", "RegionDetector/Face_Detection.ipynb", "common/boxes.py", "docker/start.py", "common/__pycache__/x.pyc", ".gitignore"):
        (kit / name).parent.mkdir(parents=True, exist_ok=True)
        (kit / name).write_text(f"new {name}")
    return kit


def told(start, kit, work):
    return {what: names for what, names in start.bring_up_to_date(kit, work).items() if names}


def files(work):
    return {path.relative_to(work).as_posix(): path.read_text() for path in work.rglob("*") if path.is_file() and path.name != start_note}


start_note = ".kit-files.json"


def test_a_students_work_is_never_written_over(start, kit, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    assert told(start, kit, work) == {"new": ["README.md", "RegionDetector/Face_Detection.ipynb", "common/boxes.py"]}
    assert set(files(work)) == {"README.md", "RegionDetector/Face_Detection.ipynb", "common/boxes.py"}
    (work / "RegionDetector" / "Face_Detection.ipynb").write_text("solved")
    (work / "README.md").unlink()
    assert told(start, kit, work) == {"new": ["README.md"]}
    assert files(work) == {name: "solved" if "ipynb" in name else f"new {name}" for name in files(work)}


@pytest.mark.parametrize("number, inside, said", [
    (errno.EACCES, "common/.boxes.py.new", "common/.boxes.py.new cannot be read or written by user"),
    (errno.EACCES, "", "cannot be written by user"), (errno.ENOSPC, ".README.md.new", "There is no room left for the kit in"), (errno.EDQUOT, "common/.boxes.py.new", "There is no room left")])
def test_why_the_kit_cannot_be_laid_into_the_folder_is_told(start, tmp_path, monkeypatch, number, inside, said):
    def refused(kit, work):
        raise OSError(number, os.strerror(number), str(work / inside))

    monkeypatch.setattr(start, "WORK", tmp_path)
    monkeypatch.setattr(start, "bring_up_to_date", refused)
    with pytest.raises(SystemExit) as told_of:
        start.main([])
    assert said in str(told_of.value) and os.strerror(number) in str(told_of.value)
    assert ("mkdir work" in str(told_of.value)) == (inside == "")


def test_a_newer_image_replaces_what_is_untouched_and_names_what_it_keeps(start, kit, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    start.bring_up_to_date(kit, work)
    (work / "RegionDetector" / "Face_Detection.ipynb").write_text("solved")
    (work / "RegionDetector" / "notes.txt").write_text("mine")
    for name in ("RegionDetector/Face_Detection.ipynb", "common/boxes.py", "common/rooms.py"):
        (kit / name).write_text("newer")
    (kit / "README.md").unlink()
    said = start.bring_up_to_date(kit, work)
    assert said == {"new": ["common/rooms.py"], "replaced": ["common/boxes.py"], "removed": ["README.md"], "kept": ["RegionDetector/Face_Detection.ipynb"]}
    assert files(work) == {"RegionDetector/Face_Detection.ipynb": "solved", "RegionDetector/notes.txt": "mine", "common/boxes.py": "newer",
                           "common/rooms.py": "newer"}
    lines = list(start.in_words(said, work))
    assert "1 copied, 1 brought up to date, 1 removed" in lines[0] and "RegionDetector/Face_Detection.ipynb" in lines[1] and len(lines) == 2
    assert told(start, kit, work) == {} and "as you left it" in next(start.in_words(start.bring_up_to_date(kit, work), work))


def test_a_folder_where_the_kit_has_a_file_and_a_file_where_it_has_a_folder_stay(start, kit, tmp_path):
    """And all else is brought up to date: the container did not start for it."""
    work = tmp_path / "work"
    (work / "README.md").mkdir(parents=True)
    (work / "RegionDetector").write_text("mine")
    for new in (["common/boxes.py"], []):
        said = start.bring_up_to_date(kit, work)
        assert said["new"] == new and said["kept"] == ["README.md", "RegionDetector/Face_Detection.ipynb"]
    assert files(work) == {"RegionDetector": "mine", "common/boxes.py": "new common/boxes.py"}


@pytest.mark.parametrize("note", ["", "[]", "{", '{"../out.txt": "0"}', '{"/etc/hostname": "0"}'])
def test_a_damaged_note_harms_nothing(start, kit, tmp_path, note):
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "out.txt").write_text("mine")
    (work / start_note).write_text(note)
    (work / "README.md").write_text("mine")
    assert told(start, kit, work) == {"new": ["RegionDetector/Face_Detection.ipynb", "common/boxes.py"], "kept": ["README.md"]}
    assert (work / "README.md").read_text() == (tmp_path / "out.txt").read_text() == "mine"


BEFORE = "1d93bc8"  # the last version without a note of what it had put there


@pytest.mark.skipif(subprocess.run(["git", "cat-file", "-e", BEFORE], cwd=ROOT, capture_output=True).returncode != 0, reason="the history is not here")
def test_a_folder_of_the_version_before_works_with_this_one(start, tmp_path):
    """Untouched files of that time follow, the solved notebook stays, and no module of that time gets in the way."""
    work, kit = tmp_path / "work", tmp_path / "kit"
    work.mkdir()
    tar = subprocess.run(["git", "archive", BEFORE, "RegionDetector", "TrackDetector", "common", "README.md"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=work, input=tar, check=True)
    for path in committed("common/*", "RegionDetector/*", "TrackDetector/*", "README.md"):
        (kit / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kit / path.relative_to(ROOT))
    notebook = work / "RegionDetector" / "Face_Detection.ipynb"
    notebook.write_text(notebook.read_text() + " ")
    (work / "RegionDetector" / "my_faces.py").write_text("mine = 1\n")
    said = start.bring_up_to_date(kit, work)
    assert said["kept"] == ["RegionDetector/Face_Detection.ipynb"] and "RegionDetector/command.py" in said["removed"] and "common/boxes.py" not in said["kept"]
    assert notebook.read_text().endswith(" ") and (work / "RegionDetector" / "my_faces.py").is_file()
    extra = {path.relative_to(work).as_posix() for path in work.rglob("*.py")} - {path.relative_to(kit).as_posix() for path in kit.rglob("*.py")}
    assert extra == {"RegionDetector/my_faces.py"}
    program = "import RegionDetector.exercises, TrackDetector.exercises, RegionDetector.pyramid.model, common.download"
    subprocess.run(warm_command("-c", program), cwd=work, check=True, env={**os.environ, "PYTHONPATH": ""})


def test_a_command_is_run_after_the_files_are_there(kit, tmp_path):
    """What a JupyterHub sends; options alone go to JupyterLab."""
    shutil.copytree(START.parent, kit / "docker", dirs_exist_ok=True)
    (tmp_path / "work").mkdir()
    (tmp_path / "jupyter").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "jupyter").chmod(0o755)
    environment = {**os.environ, "KIT_WORK": str(tmp_path / "work"), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def run(*arguments):
        return subprocess.run([sys.executable, kit / "docker" / "start.py", *arguments], env=environment, capture_output=True, text=True)

    done = run("python3", "-c", "import os; print(sorted(os.listdir()))")
    assert "'RegionDetector'" in done.stdout.splitlines()[-1], done.stderr
    assert "lab" in run("--ServerApp.token=x").stdout and "--ServerApp.token=x" in run("--ServerApp.token=x").stdout
    assert run("no-such-command").returncode and "no command 'no-such-command'" in run("no-such-command").stderr


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root can write everywhere, and Windows has no user numbers")
def test_a_folder_that_is_not_ones_own_is_explained(tmp_path):
    (tmp_path / "work").mkdir(mode=0o500)
    run = subprocess.run([sys.executable, START], env={**os.environ, "KIT_WORK": str(tmp_path / "work")}, capture_output=True, text=True)
    assert run.returncode == 1 and '--user "$(id -u):$(id -g)"' in run.stderr


def test_health_is_whether_jupyter_answers(start):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/api" else 404)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert start.healthy(server.server_address[1]) == 0
        server.shutdown()
    assert start.healthy(9) == 1


def instructions():
    """The Dockerfile's instructions, continued lines joined, comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    return [line for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines() if line]


def test_the_image_is_pinned_not_root_and_has_its_token():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    base = re.search(r"^ARG BASE=(\S+)$", text, re.MULTILINE)[1]
    assert re.search(r":.*\d{8}", base), "the base is pinned by its date"
    assert "--no-compile" in text and "--invalidation-mode unchecked-hash" in text, "the times of files do not survive the layers"
    assert text.count("--require-hashes") == 1 and "requirements-hub.lock" in text and "HEALTHCHECK" in text
    assert [line for line in instructions() if line.startswith("USER")][-1] == "USER ${UID}:${GID}"
    assert not re.search(r"token\s*=\s*['\"]?\s*['\"]|password", text + START.read_text(encoding="utf-8"), re.IGNORECASE)


def test_every_step_stops_at_its_first_error():
    """Not by SHELL, which buildah ignores."""
    steps = [line for line in instructions() if line.startswith("RUN")]
    assert len(steps) == 5 and all(line.startswith("RUN set -eu; ") for line in steps) and not any(line.startswith("SHELL") for line in instructions())


@pytest.mark.parametrize("answers, solved", [("yes", True), ("no", False), ("maybe", None)])
def test_the_image_without_answers_has_none(tmp_path, answers, solved):
    """The step of the build as it stands in the Dockerfile, with folders of this machine in the place of the image's."""
    (step,) = (line for line in instructions() if line.startswith("RUN") and "${ANSWERS}" in line)
    whole = tmp_path / "opt" / "whole"
    for path in committed("common/*", "RegionDetector/*", "TrackDetector/*", "docker/*", "requirements*", "LICENSE", "environment.yml", "kit.py", "docs/*.md"):
        (whole / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, whole / path.relative_to(ROOT))
    step = step.removeprefix("RUN ").replace("/opt/venv/bin/python", warm_python()).replace("/opt/", f"{tmp_path}/opt/")
    done = subprocess.run(["sh", "-c", step], cwd=whole, env={**os.environ, "ANSWERS": answers}, capture_output=True, text=True)
    kit = tmp_path / "opt" / "kit"
    if solved is None:
        assert done.returncode == 1 and "ANSWERS is yes or no, not maybe" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert (kit / "docker" / "start.py").is_file() and (kit / "RegionDetector" / "Face_Detection.ipynb").is_file()
    assert (kit / "RegionDetector" / "multiscale.py").exists() == solved
    assert ("def best_match" in (kit / "common" / "scores.py").read_text()) and (kit / "common" / "grading" / "sandbox.py").exists() == solved


def goes_into_the_image(name):
    """Whether Docker sends a file to the build: of the lines of .dockerignore that fit it or a folder above it, the last decides; ``**/`` is any folders or none."""
    sent, above = True, [name, *map(str, PurePosixPath(name).parents)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if pattern and not line.startswith("#"):
            regex = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
            if any(re.fullmatch(regex, each) for each in above):
                sent = line.startswith("!")
    return sent


def test_the_kit_goes_into_the_image():
    left_out = [name for path in committed("*") if not goes_into_the_image(name := path.relative_to(ROOT).as_posix()) and not name.startswith(".")]
    assert not left_out


@pytest.mark.parametrize("name", [
    ".git/config", ".venv/bin/python", "build/faces.json", "data/fddb/FDDB-folds/1.txt", "RegionDetector/data/a.jpg", "TrackDetector/Face_Recognition_data/a.jpg",
    "RegionDetector/originalPics/a.jpg", "common/__pycache__/boxes.pyc", "RegionDetector/build/weights/classifier.weights.h5", "tests/browser/node_modules/axe-core/axe.js",
    "wheelhouse/numpy.whl", "handed-in/blackboard/1.ipynb", "gradebook.csv", "people.npz", "people/Ann Lee/1.jpg", "photos/1.jpg", "photo.jpg", "work/README.md"])  # fmt: skip
def test_nothing_that_lies_beside_the_kit_goes_into_the_image(name):
    """Neither data nor environments, and of people, whose photos and marks lie where the pages have them lie, nothing."""
    assert not goes_into_the_image(name)
