"""The command that grades a class: whatever is wrong with what it was given costs one line, and no marks."""

import csv
import os
import shlex
import shutil
import subprocess
import sys
import time

import pytest
from coursework import ROOT, code_notebook, hand_in
from standing_in import grades

from common.commands.versions import versions
from common.grading import autograder, student_package, whole_class
from common.grading.__main__ import main
from common.grading.notebook_source import read_notebook
from common.grading.tasks import task_of
from RegionDetector.exercises import TASK


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_class, "grade_here", grades(TASK))
    for name in ("anna", "Jörg Weiß"):
        hand_in(tmp_path / "in", name, code_notebook([f"# {name}"]))
    return tmp_path


def run(place, *more):
    return main(["--task", "RegionDetector", "--submissions", str(place / "in"), *(("--out", str(place / "out")) if "--out" not in more else ()), *map(str, more)])


@pytest.mark.parametrize("option, name, said", [
    ("--roster", "gone.csv", "gone.csv: cannot be read (No such file"), ("--roster", "in", "cannot be read ("), ("--late", "gone.toml", "gone.toml: cannot be read (No such file"),
    ("--late", "in", "cannot be read ("), ("--overrides", "gone.csv", "gone.csv: cannot be read (No such file"), ("--data", "gone", "there is no such folder"),
    ("--late", "nan.toml", "free_days = nan; expected a number")])
def test_what_cannot_be_read_is_said_before_anybody_is_graded(place, capsys, option, name, said):
    (place / "nan.toml").write_text("deadline = 2026-12-01T23:59:00+01:00\nfree_days = nan\n")
    assert run(place, option, place / name) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and str(place / name) in line and not (place / "gone").exists() and not list((place / "out").iterdir())


def test_who_wrote_for_a_newer_python_is_told_of_to_who_grades(place, capsys, monkeypatch):
    def with_notes(*what):
        for submission, result, error in grades(TASK)(*what):
            yield submission, {**result, "notes": read_notebook(submission.notebook)[1]}, error

    monkeypatch.setattr(whole_class, "grade_here", with_notes)
    newer = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
    hand_in(place / "in", "eva", {**code_notebook(["def iou_score(a:\n    pass"]), "metadata": {"language_info": {"version": f"{newer}.0"}}})
    assert run(place) == 0
    assert f"1 of 3 notebooks hold what does not parse, and were last run with a newer Python than this {sys.version_info.major}." in (said := capsys.readouterr().err)
    assert f"grade with Python {newer}\n" in said


@pytest.mark.parametrize("other", ["Python", "keras", "the kit"])
def test_another_python_or_package_grades_anew(place, monkeypatch, other):
    log = []
    monkeypatch.setattr(whole_class, "grade_here", grades(TASK, log))
    assert run(place) == run(place) == 0 and len(log) == 2
    monkeypatch.setattr("common.grading.kept.versions", lambda: {**versions(), other: "another"})
    assert run(place) == 0 and len(log) == 4


def test_where_the_pages_cannot_be_written(place, capsys):
    (place / "file").touch()
    assert run(place, "--out", place / "file" / "x") == 3
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"{place / 'file' / 'x'}: ") and "same command goes on" in second


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the lock's file is seen")
def test_two_that_grade_into_one_folder_give_each_student_one_number(place):
    """Else the pages of one bear the numbers of the other, and the table says whose they are wrongly."""
    program = PROGRAM.replace("whole_class.grade_here =", f"""
import pathlib, time
def graded(*more):
    while not pathlib.Path({str(place / 'go')!r}).exists():
        time.sleep(0.02)
    yield from stood_in(*more)
whole_class.grade_here, stood_in = graded,""")
    command = [sys.executable, "-c", program, "--submissions", place / "in", "--out", place / "out", "--anonymous"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while not (place / "out-names.csv").exists() and first.poll() is None:
        time.sleep(0.02)
    before = numbers(place)
    second = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert second.stdout.readline() == f"Waiting for another run, which grades into {place / 'out'}.\n"
    (place / "go").touch()
    assert first.wait(timeout=60) == 0 == second.wait(timeout=60) and numbers(place) == before
    assert not (place / "out" / ".grading.lock").exists()


@pytest.mark.parametrize("option, value", [("--jobs", "0"), ("--jobs", "-1"), ("--seed", "-1"), ("--train", "nan"), ("--train", "-5"), ("--train", "inf")])
def test_numbers_that_cannot_be_meant(place, capsys, option, value):
    with pytest.raises(SystemExit) as told:
        run(place, option, value)
    assert told.value.code == 2 and f"argument {option}: invalid number, " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("option", ["--submissions", "--out", "--roster", "--overrides", "--late", "--data"])
def test_a_variable_of_the_shell_that_is_empty_is_no_folder(place, capsys, monkeypatch, option):
    """It was the folder in which the command runs: what lay there was graded, or the pages of the class lay in the kit."""
    monkeypatch.chdir(place)
    with pytest.raises(SystemExit) as told:
        run(place, option, "")
    assert told.value.code == 2 and f"argument {option}: expected a name, got none" in capsys.readouterr().err and not (place / "marks.csv").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_takes_a_name_with_a_space():
    (line,) = [line for line in subprocess.run(["make", "-n", "grade", "SUBMISSIONS=handed in/moodle.zip"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines() if "grade" in line]
    assert shlex.split(line)[-2:] == ["--submissions", "handed in/moodle.zip"]


def test_a_name_steers_no_console(place, capsys):
    (place / "in" / "a\x1b[2J\nb.zip").write_bytes(b"PK\3\4")
    assert run(place) == 0
    out, err = capsys.readouterr()
    (line,) = [line for line in err.splitlines() if line.startswith("Left out")]
    assert "\x1b" not in out + err and "Left out: a\\x1b[2J\\nb.zip: " in line


def numbers(place):
    with open(place / "out-names.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row["number"] for row in csv.DictReader(file)}


def test_the_table_of_numbers_and_names_may_be_saved_by_a_spreadsheet(place):
    assert run(place, "--anonymous") == 0
    before, table = numbers(place), place / "out-names.csv"
    table.write_bytes(table.read_text(encoding="utf-8").replace(",", ";").replace("\n", "\r\n").encode("cp1252"))
    assert run(place, "--anonymous") == 0 and numbers(place) == before and "Jörg Weiß" in before


@pytest.mark.parametrize("text", ["number,name\n1,a\n", "number,name,platform,ident,login,note\n1,a,,a,,\n", "number,name,platform,ident,login,email\nx,a,,a,,\n", "number,name,platform,ident,login,email\n1,a,,a,,\n1,b,,b,,\n", "", "\0",
                                  "number,name,platform,ident,login,email\n0,a,,a,,\n"])
def test_a_table_of_numbers_that_is_damaged_is_left_as_it_is(place, capsys, text):
    """Two students would have one number, or all another one than on the pages that were given out."""
    (place / "out-names.csv").write_text(text)
    assert run(place, "--anonymous") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "out-names.csv" in line and "delete it" in line and (place / "out-names.csv").read_text() == text


def test_the_marks_of_one_task_are_not_written_over_by_the_other(place, capsys, monkeypatch):
    """Both go to the same folder where --out is not given; the marks by hand of the first were refused then, and its marks gone."""
    assert run(place) == 0
    before = {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(whole_class, "grade_here", grades(task_of("TrackDetector")))
    assert main(["--task", "TrackDetector", "--submissions", str(place / "in"), "--out", str(place / "out")]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"{place / 'out'} holds the marks of RegionDetector: name another folder for TrackDetector with --out"
    assert before == {path: path.read_bytes() for path in (place / "out").rglob("*") if path.is_file()}


def test_pages_by_number_do_not_lie_beside_pages_by_name(place, capsys):
    assert run(place) == 0 and run(place, "--anonymous") == 2
    assert "holds pages by name" in capsys.readouterr().err.splitlines()[-1] and not (place / "out-names.csv").exists()
    assert run(place, "--anonymous", "--out", place / "numbers") == 0 == run(place, "--anonymous", "--out", place / "numbers")
    assert run(place, "--out", place / "numbers") == 0  # when all is marked


PROGRAM = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]
import standing_in
from common.grading import whole_class
from common.grading.__main__ import main
from common.grading.notebook_source import read_notebook
from RegionDetector.exercises import TASK
whole_class.grade_here = standing_in.grades(TASK)
raise SystemExit(main(["--task", "RegionDetector", *sys.argv[1:]]))
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk is always full here")
@pytest.mark.parametrize("to, code", [("full", 3), ("nobody", 141), ("closed", 0)])
def test_whoever_reads_along(place, to, code):
    """The pages are there, and Python complains of nothing."""
    command = [sys.executable, "-c", PROGRAM, "--submissions", place / "in", "--out", place / "out"]
    if to == "full":
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    elif to == "closed":
        done = subprocess.run(command, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, text=True)
    else:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
        os.close(write)
    said = [line for line in done.stderr.splitlines() if line and "submissions:" not in line]  # a progress bar
    assert done.returncode == code and (place / "out" / "marks.csv").is_file()
    assert said == (["standard output: cannot be written (No space left on device)", "What was graded is kept: the same command goes on from there."] if to == "full" else [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows ends what runs in a window at once")
def test_a_window_that_is_closed_is_a_stop(place):
    """Else the sandboxes, and what was handed in, stayed in the folder for temporary files."""
    import fcntl
    import termios

    program = PROGRAM.replace("whole_class.grade_here =", f"""
import pathlib, time
def graded(*more):
    try:
        pathlib.Path({str(place / 'begun')!r}).touch()
        time.sleep(600)
        yield from stood_in(*more)
    finally:
        pathlib.Path({str(place / 'tidied')!r}).touch()
whole_class.grade_here, stood_in = graded,""")

    ours, theirs = os.openpty()
    run = subprocess.Popen([sys.executable, "-c", program, "--submissions", place / "in", "--out", place / "out"], stdin=theirs, stdout=theirs,
                           stderr=theirs, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(theirs)
    while not (place / "begun").exists():
        assert run.poll() is None
        time.sleep(0.05)
    os.close(ours)
    assert run.wait(60) == 130 and (place / "tidied").exists() and not (place / "out" / "marks.csv").exists()


@pytest.mark.parametrize("program, name", [(student_package.main, "student.zip"), (autograder.main, "autograder.zip")])
def test_packages_that_cannot_be_written(place, capsys, program, name):
    (place / "file").touch()
    task = ["--task", "RegionDetector"] if program is autograder.main else []
    assert program([*task, "--out", str(place / "file" / name)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(str(place / "file")) and "cannot be written (" in line


def test_without_dask_the_cluster_is_said_to_be_missing(place, capsys, monkeypatch):
    for name in ("dask", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(place, "--cluster") == 3
    assert "--cluster needs Dask" in capsys.readouterr().err
