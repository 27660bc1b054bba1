"""When a notebook was handed in: told by the platform or its table, by a file's own date, or by nothing."""

import csv
import datetime
import json
import os
import time
import zipfile

import pytest
from coursework import code_notebook
from handed_in import PEOPLE, files_of, ident, marked, write_folder, write_zip
from standing_in import grades
from test_moodle_worksheet import worksheet

from common.grading import whole_class
from common.grading.__main__ import main
from common.grading.intake.roster import read_roster
from common.grading.submissions import take_in
from RegionDetector.exercises import TASK

RULE = "deadline = 2026-11-20T12:00:00\npercent_per_day = 10\n"
STAMP = datetime.datetime(2026, 11, 25, 9).timestamp()


def lost(place, tmp_path, monkeypatch, *more):
    """How many of the class have fewer marks for a deadline."""
    monkeypatch.setattr(whole_class, "grade_here", grades(TASK))
    (tmp_path / "late.toml").write_text(RULE)
    assert main(["--task", "RegionDetector", "--submissions", str(place), "--out", str(tmp_path / "out"), "--late", str(tmp_path / "late.toml"), *map(str, more)]) == 0
    with open(tmp_path / "out" / "marks.csv", newline="", encoding="utf-8") as file:
        return sum(float(row.get("late") or 0) < 0 for row in csv.DictReader(file))


def handed_out(platform, tmp_path):
    """A class as it is five days after the deadline, when somebody fetches it."""
    if platform != "github":
        return write_zip(files_of(platform), tmp_path / "class.zip", (2026, 11, 25, 9, 0, 0))
    place = write_folder(files_of(platform), tmp_path / "in")
    for path in place.rglob("*"):
        os.utime(path, (STAMP, STAMP))
    return place


@pytest.mark.parametrize("platform", ["moodle", "canvas", "github", "ilias", "gradescope"])
def test_nobody_is_late_because_the_class_was_fetched_late(platform, tmp_path, monkeypatch, capsys):
    """The date of each file is that of the download or of the clone: the whole class lost its marks."""
    assert lost(handed_out(platform, tmp_path), tmp_path, monkeypatch) == 0
    assert f"{len(PEOPLE)} of {len(PEOPLE)} lose nothing for lateness" in capsys.readouterr().err


def test_a_date_of_its_own_is_believed(tmp_path, monkeypatch, capsys):
    """ILIAS keeps the dates, and Moodle did before 3.10; a student's archive has older ones in it, and says nothing of when it was handed in."""
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for number, (name, data) in enumerate(files_of("moodle").items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 11 + number % 19, 12, 0, 0)), data)
    assert 0 < lost(tmp_path / "class.zip", tmp_path, monkeypatch) < len(PEOPLE) and "lose nothing" not in capsys.readouterr().err
    inner = write_zip({"x.ipynb": marked(1)}, tmp_path / "inner.zip", (2026, 11, 1, 12, 0, 0))
    place = write_zip({f"A B_{ident(1)}_assignsubmission_file_/inner.zip": inner.read_bytes(), f"C D_{ident(2)}_assignsubmission_file_/x.ipynb": marked(2)}, tmp_path / "b.zip")
    assert [s.time for s in take_in(place).submissions] == [None, None]


@pytest.mark.parametrize("written, late", [("Friday, 20 November 2026, 10:00 AM", 0), ("Friday, 20 November 2026, 12:00 AM", 0), ("Friday, November 20, 2026, 1:30 PM", 1),
                                           ("Freitag, 20. November 2026, 13:30", 1), ("Freitag, 20. November 2026, 11:30", 0), ("-", 0), ("20 Foo 2026, 13:30", 0), ("99 May 2026, 13:30", 0)])
def test_the_worksheet_tells(written, late, tmp_path, monkeypatch):
    sheet = worksheet(tmp_path / "sheet.csv", handed_in=written)
    assert lost(handed_out("moodle", tmp_path), tmp_path, monkeypatch, "--roster", sheet) == late * len(PEOPLE)


def test_the_grades_of_github_classroom_tell(tmp_path):
    with open(tmp_path / "grades.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["assignment_name", "github_username", "roster_identifier", "submission_timestamp"],
                                    *[["x", login, first, "2026-11-20T13:30:00Z" if first == "Ben" else ""] for first, _, login in PEOPLE]])
    times = {s.owner.login: s.time for s in take_in(handed_out("github", tmp_path), roster=read_roster(tmp_path / "grades.csv")).submissions}
    assert times.pop("boneill") == datetime.datetime(2026, 11, 20, 13, 30, tzinfo=datetime.UTC).timestamp() and set(times.values()) == {None}


def test_of_what_was_packed_later_in_one_export_nothing_is_newer(tmp_path):
    """Moodle packs a student's files by their names, seconds one after another where they are large."""
    files = {"1 mine.ipynb": code_notebook(["def get_threshold(t, r):\n    return 7"]), "2 as given.ipynb": code_notebook(["def get_threshold(t, r):\n    raise NotImplementedError"])}
    place = write_folder({f"A B_{ident(1)}_assignsubmission_file/{name}": json.dumps(book).encode() for name, book in files.items()}, tmp_path)
    for seconds, path in enumerate(sorted(place.rglob("*.ipynb"))):
        os.utime(path, (time.time(), STAMP + 4 * seconds))
    (taken,) = take_in(place, ("get_threshold",)).submissions
    assert taken.notebook.name == "1 mine.ipynb" and "most is written" in taken.notes[0]
