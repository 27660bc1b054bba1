"""The instructor's page: every command on it runs, in order, on a class as each platform hands it out."""

import csv
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from handed_in import PEOPLE, files_of, ident, write_folder, write_zip
from pages import blocks, workplace

from common.grading.__main__ import _parser
from common.grading.tasks import ROOT

PAGE = ROOT / "docs" / "instructor.md"
STAND_IN = f"""
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]
import standing_in
from common.grading import whole_class
from common.grading.machines import cluster
from common.grading.tasks import task_of
stand_in = standing_in.grades(task_of('RegionDetector'))
whole_class.grade_here = stand_in
cluster.grade_on_cluster = lambda way, waiting, address, workers: stand_in(way, waiting)
"""
posix = pytest.mark.skipif(os.name == "nt", reason="the page's commands are written for a shell")


def hand_in_everything(folder, students):
    """What the page's commands ask for, and the tables of three platforms."""
    for platform in ("moodle", "canvas", "gradescope", "ilias"):
        write_zip(files_of(platform), folder / "handed-in" / f"{platform}.zip")
    write_folder(files_of("blackboard"), folder / "handed-in" / "blackboard")
    write_folder(files_of("github"), folder / "handed-in")
    tables = {"worksheet.csv": [["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed", "Last modified (submission)",
                                 "Last modified (grade)", "Feedback comments"],
                                *[[f"Participant {ident(n)}", f"{f} {s}", "", "", "", "10", "Yes", "-", "-", ""] for n, (f, s, _) in enumerate(students)]],
              "gradebook.csv": [["Student", "ID", "SIS Login ID", "Section", "Face Detection (7)"], ["    Points Possible", "", "", "", "10"],
                                *[[f"{s}, {f}", ident(n), g, "A", ""] for n, (f, s, g) in enumerate(students)]],
              "roster.csv": [["identifier", "github_username"], *[[f"{f} {s}", g] for f, s, g in students]]}
    for name, rows in tables.items():
        with open(folder / name, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


@posix
def test_every_command_runs(tmp_path):
    """In order, as in a term; grading is stood in for."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    run = workplace(tmp_path, STAND_IN)
    hand_in_everything(tmp_path, PEOPLE)
    found = blocks(PAGE)
    assert len(found) >= 9
    for block in found:
        run(block)
    built = tmp_path / "build"
    assert (built / "student.zip").is_file() and (built / "autograder-RegionDetector.zip").is_file()
    for folder in ("grades", "canvas", "gradescope", "github", "ilias", "blackboard", "anonymous", "shared"):
        with open(built / folder / "marks.csv", encoding="utf-8") as file:
            assert len(list(csv.reader(file))) == 1 + len(PEOPLE), folder
    for name in ("grades/for-moodle/grades.csv", "canvas/for-canvas/feedback.zip", "gradescope/for-gradescope/autograder-with-marks.zip", "anonymous-names.csv"):
        assert (built / name).is_file(), name
    assert "explained it in the lab" in (built / "grades" / "Jörg_Weiß.html").read_text(encoding="utf-8")
    with open(built / "github" / "marks.csv", encoding="utf-8") as file:
        assert {row["student"] for row in csv.DictReader(file)} >= {"Łukasz Żółć", "Ольга Иванова", "小明 王"}


def test_every_option_of_the_page_is_one_of_the_command_and_the_other_way_round():
    text = PAGE.read_text(encoding="utf-8")
    known = {option for action in _parser()._actions for option in action.option_strings if option.startswith("--")}
    named = set(re.findall(r"(?<![\w-])--[a-z]+", text)) - {"--build", "--create", "--generate", "--repo", "--help", "--nworkers", "--nthreads"}
    assert named <= known and known - named <= {"--help"}, (named - known, known - named)
    for block in blocks(PAGE):
        for line in block.text.splitlines():
            if line.startswith("python kit.py grade "):
                _parser().parse_args(shlex.split(line)[3:])


def test_the_image_for_students_is_on_the_page_and_is_what_the_dockerfile_builds():
    page, recipe = PAGE.read_text(encoding="utf-8"), (ROOT / "Dockerfile").read_text(encoding="utf-8")
    build = re.search(r"docker build (?:--build-arg (\w+)=(\w+) )-t", page)
    assert build and f"ARG {build[1]}=" in recipe and re.search(rf"^ +{build[2]}\) .*student_package", recipe, re.M)
    for path in re.findall(r"\((docs/[\w.-]+)\)", recipe):  # what it leaves to a page stands there
        assert "jupyterhub-singleuser" in (ROOT / path).read_text(encoding="utf-8"), path


@posix
@pytest.mark.slow
def test_the_same_with_the_grader_itself(tmp_path):
    """A class of two, graded in the sandbox, in threads and on Dask; the marks are the same."""
    pytest.importorskip("distributed", reason="Dask is an extra: pip install -r requirements-cluster.lock")
    run = workplace(tmp_path)
    files = {name: data for name, data in files_of("moodle").items() if f"_{ident(2)}_" in name or f"_{ident(5)}_" in name}
    write_zip(files, tmp_path / "handed-in" / "moodle.zip")
    wanted = [b for b in blocks(PAGE) if "moodle.zip" in b.text and "--roster" not in b.text and "canvas.zip" not in b.text]
    assert len(wanted) >= 4
    for block in wanted:
        run(block)
    tables = [Path(tmp_path / "build" / folder / "marks.csv").read_text(encoding="utf-8") for folder in ("grades", "shared")]
    assert tables[0].count("\n") == 3 and "Jörg Weiß" in tables[1]
