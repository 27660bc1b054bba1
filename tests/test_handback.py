"""What a class gets back: pages, marks by hand, late days, anonymous pages, and the files that Moodle, Canvas and Gradescope read."""

import csv
import datetime
import json
import re
import shutil
import subprocess
import sys
import time
import unicodedata
import zipfile

import pytest
from coursework import code_notebook, hand_in
from handed_in import PEOPLE, files_of, ident, whose, write_folder, write_zip
from standing_in import grades, result_for

from common.grading import whole_class
from common.grading.__main__ import main
from common.grading.handback.gradescope import result_of
from common.grading.handback.lateness import Rule, RuleError, read_rule
from common.grading.handback.overrides import OverrideError, read_overrides
from common.grading.handback.page import _STYLE
from common.grading.handback.report import write_report
from common.grading.handback.statistics import statistics
from common.grading.names import cell, safe_name
from common.grading.submissions import find_submissions, take_in
from RegionDetector.exercises import TASK

POSSIBLE = sum(i.marks for i in (*TASK.exercises, *TASK.scores))


@pytest.fixture
def graded_by(monkeypatch):
    """Stand in for the grading; the names of those who were graded come into the list."""
    log = []
    monkeypatch.setattr(whole_class, "grade_here", grades(TASK, log))
    return log


def run(*arguments):
    return main(["--task", "RegionDetector", *map(str, arguments)])


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def totals(submissions):
    """What each student deserves, by the number in the notebook."""
    return {whose(s.notebook): result_for(TASK, s)["total"] for s in submissions}


# --- Moodle, Canvas, Gradescope ---


def worksheet(path, most=10, german=False):
    header = (["ID", "Vollständiger Name", "E-Mail-Adresse", "Status", "Gruppe", "Bewertung", "Bestwertung", "Bewertung kann geändert werden",
               "Zuletzt geändert (Abgabe)", "Zuletzt geändert (Bewertung)", "Feedback als Kommentar"] if german else
              ["Identifier", "Full name", "Email address", "Status", "Group", "Grade", "Maximum Grade", "Grade can be changed", "Last modified (submission)",
               "Last modified (grade)", "Feedback comments"])
    word = "Teilnehmer/in" if german else "Participant"
    rows = [[f"{word} {ident(n)}", f"{f} {s}", f"{g}@x.edu", "Submitted for grading - ", "A", "", f"{most}.00", "Yes", "Friday, 20 November 2026, 10:00 AM", "-", ""]
            for n, (f, s, g) in enumerate(PEOPLE)]
    rows.append([f"{word} 99999", "Nobody Here", "n@x.edu", "No submission - ", "A", "", f"{most}.00", "Yes", "-", "-", ""])
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header, *rows])
    return header


@pytest.mark.parametrize("german, most", [(False, 10), (True, 100)])
def test_moodle_reads_its_worksheet_back(graded_by, tmp_path, german, most):
    """As mod/assign/feedback/offline reads it: the student by the number behind the word, Grade, Last modified (grade)."""
    place = write_zip(files_of("moodle"), tmp_path / "class.zip")
    header = worksheet(tmp_path / "sheet.csv", most, german)
    assert run("--submissions", place, "--out", tmp_path / "out", "--for", "moodle", "--roster", tmp_path / "sheet.csv") == 0
    table = rows_of(tmp_path / "out" / "for-moodle" / "grades.csv")
    deserved = totals(take_in(place).submissions)
    assert table[0] == header and len(table) == 1 + len(PEOPLE)
    for row in table[1:]:
        number = (int(re.sub(r"\D+", "", row[0])) - 10_000) // 37
        assert float(row[5]) == pytest.approx(deserved[number] * most / POSSIBLE, abs=0.006) and row[9] == "-" and row[1] == f"{PEOPLE[number][0]} {PEOPLE[number][1]}"
        assert "<b>" not in row[10] and f"of {POSSIBLE:g} marks" in row[10]


def test_moodle_takes_the_feedback_in_one_zip(graded_by, tmp_path):
    """As mod/assign/feedback/file reads it: some part of the path is name_number_assignsubmission_file, and the rest is the file."""
    place = write_zip(files_of("moodle flat"), tmp_path / "class.zip")
    assert run("--submissions", place, "--out", tmp_path / "out", "--for", "moodle") == 0
    with zipfile.ZipFile(tmp_path / "out" / "for-moodle" / "feedback.zip") as archive:
        found = {}
        for name in archive.namelist():
            folder, file = name.split("/")
            parts = folder.split("_", 4)
            assert parts[2:4] == ["assignsubmission", "file"] and file == "feedback.html"
            found[int(parts[1])] = archive.read(name).decode()
    deserved = totals(take_in(place).submissions)
    assert found.keys() == {ident(n) for n in range(len(PEOPLE))}
    assert all(f"<b>{deserved[n]:g} of" in found[ident(n)] and "index.html" not in found[ident(n)] for n in deserved)


@pytest.mark.parametrize("told, highest", [("20", 20), ("1,000.00", 1000), ("1.000,5", 1000.5), ("(read only)", 10)])
def test_canvas_marks_are_scaled_to_the_points_however_they_are_written(graded_by, tmp_path, told, highest):
    place = write_zip(files_of("canvas"), tmp_path / "class.zip")
    gradebook = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Faces (12)"], ["    Points Possible", "", "", "", "", told],
                 *[[f"{s}, {f}", str(ident(n)), "", g, "A", ""] for n, (f, s, g) in enumerate(PEOPLE)]]
    with open(tmp_path / "book.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(gradebook)
    assert run("--submissions", place, "--out", tmp_path / "out", "--for", "canvas", "--roster", tmp_path / "book.csv") == 0
    deserved = totals(take_in(place).submissions)
    back = {int(r[1]): float(r[-1]) for r in rows_of(tmp_path / "out" / "for-canvas" / "grades.csv")[2:]}
    assert back == {ident(n): pytest.approx(highest / 10 * marks, abs=0.006) for n, marks in deserved.items()}


def test_canvas_reads_its_gradebook_back(graded_by, tmp_path, capsys):
    """As GradebookImporter reads it: student by ID, assignments by the number behind the name, points in the row of that name."""
    place = write_zip(files_of("canvas"), tmp_path / "class.zip")
    gradebook = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Notes", "Other (11)", "Faces I (12)", "Current Score"],
                 ["    Points Possible", "", "", "", "", "", "5", "20", "(read only)"],
                 *[[f"{s}, {f}", str(ident(n)), "", g, "A", "note", "3", "", "7"] for n, (f, s, g) in enumerate(PEOPLE)]]
    with open(tmp_path / "book.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(gradebook)
    common = ("--submissions", place, "--out", tmp_path / "out", "--for", "canvas", "--roster", tmp_path / "book.csv")
    assert run(*common) == 2 and "Other (11); Faces I (12)" in capsys.readouterr().err and not graded_by  # before all the work
    assert run(*common, "--assignment", "Faces I") == 0
    table, deserved = rows_of(tmp_path / "out" / "for-canvas" / "grades.csv"), totals(take_in(place).submissions)
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Faces I (12)"] and "Points Possible" in table[1][0] and table[1][-1] == "20"
    assert {int(r[1]): float(r[-1]) for r in table[2:]} == {ident(n): pytest.approx(2 * marks, abs=0.006) for n, marks in deserved.items()}
    with zipfile.ZipFile(tmp_path / "out" / "for-canvas" / "feedback.zip") as archive:
        numbers = [[int(p) for p in name.split("_") if p.isdigit()][:2] for name in archive.namelist()]
    assert sorted(numbers) == [[ident(n), 900_000 + n] for n in range(len(PEOPLE))]


def test_gradescope_looks_the_marks_up(graded_by, tmp_path):
    place = write_zip(files_of("gradescope"), tmp_path / "class.zip")
    assert run("--submissions", place, "--out", tmp_path / "out", "--for", "gradescope") == 0
    deserved = totals(take_in(place).submissions)
    home = tmp_path / "autograder"
    with zipfile.ZipFile(tmp_path / "out" / "for-gradescope" / "autograder-with-marks.zip") as archive:
        archive.extractall(home / "source")
    shutil.copyfile(home / "source" / "run_autograder", home / "run_autograder")
    for about, score in (({"id": ident(4), "users": []}, deserved[4]), ({"id": 1, "users": [{"email": "JWeiss@example.edu"}]}, deserved[2]), ({"id": 1, "users": []}, 0)):
        (home / "submission_metadata.json").write_text(json.dumps(about))
        subprocess.run([sys.executable, home / "run_autograder"], check=True)
        told = json.loads((home / "results" / "results.json").read_text())
        assert told["score"] == score and "output" in told
        assert not told.get("tests") or sum(t["max_score"] for t in told["tests"]) == POSSIBLE


def test_gradescope_has_one_mark_for_a_group_and_it_is_said_where_there_are_two(graded_by, tmp_path, capsys):
    about = b"submission_7:\n  :submitters:\n  - :name: Anna\n    :email: a@x.edu\n  - :name: Ben\n    :email: b@x.edu\n"
    place = write_folder({"submission_metadata.yml": about, "submission_7/x.ipynb": json.dumps(code_notebook(["x = 1"])).encode()}, tmp_path / "in")
    assert run("--submissions", place, "--out", tmp_path / "out", "--for", "gradescope") == 0 and "handed in together" not in capsys.readouterr().err
    given = {float(marks(tmp_path / "out")["Ben"]["copy_weights"])}
    (tmp_path / "out" / "overrides.csv").write_text(f"student,exercise,marks,reason\nBen,copy_weights,{0 if given == {1.0} else 1},asked both\n")
    assert run("--submissions", place, "--out", tmp_path / "out", "--for", "gradescope") == 0
    assert re.search(r"Anna \([\d.]+\), Ben \([\d.]+\) handed in together", capsys.readouterr().err)


def test_the_form_of_gradescopes_results():
    """The keys and values that its specification names."""
    rows = [{"name": "a", "section": "s", "of": 1, "marks": 0.5, "status": "right", "message": "m", "automatic": 0, "reason": "why"},
            {"name": "b", "section": "s", "of": 0, "marks": 0, "status": "not attempted", "message": ""}]
    told = result_of({"student": "x", "rows": rows, "total": 0.5, "notes": ["mended"]})
    assert told["score"] == 0.5 and "mended" in told["output"] and [t["name"] for t in told["tests"]] == ["a"]
    assert told["tests"][0]["status"] == "passed" and "why" in told["tests"][0]["output"]


# --- marks by hand, late days, one exercise again ---


def plain_class(folder, names=("anna", "ben", "carl")):
    for k, name in enumerate(names):
        hand_in(folder, name, code_notebook([f"def get_threshold(t, r):\n    return {k}"]))
    return folder


def marks(out):
    table = rows_of(out / "marks.csv")
    return {row[0]: dict(zip(table[0], row)) for row in table[1:]}


def test_marks_by_hand_stay_and_are_shown(graded_by, tmp_path):
    place, out = plain_class(tmp_path / "in"), tmp_path / "out"
    run("--submissions", place, "--out", out)
    before = marks(out)
    (out / "overrides.csv").write_text("student,exercise,marks,reason\nAnna,get_threshold,0.5,showed it <to> me\nben,copy_weights,0,not his own\nben,copy_weights,1,\"his own, after all\"\n")
    for again in range(2):
        assert run("--submissions", place, "--out", out) == 0
        assert marks(out)["anna"]["get_threshold"] == "0.5" and marks(out)["ben"]["copy_weights"] == "1" and marks(out)["carl"] == before["carl"]
        shutil.rmtree(out / "results")  # graded from the beginning, the second time
    assert float(marks(out)["anna"]["total"]) == pytest.approx(float(before["anna"]["total"]) + 0.5 - float(before["anna"]["get_threshold"]))
    page = (out / "anna.html").read_text()
    assert "given by your instructor" in page and "showed it &lt;to&gt; me" in page and "by hand" in (out / "index.html").read_text()


@pytest.mark.parametrize("line, said", [("nobody,get_threshold,0.5,x", "no student 'nobody'"), ("anna,get_thresh,0.5,x", "no exercise 'get_thresh'"),
                                        ("anna,get_threshold,half,x", "expected a number"), ("anna,get_threshold,9,x", "from 0 to 0.5"),
                                        ("anna,get_threshold,nan,x", "from 0 to 0.5"), ("anna,get_threshold,0.5,", "no reason"), ("anna", "no exercise"),
                                        ("anna,get_threshold,0,5,a decimal comma", "0.5"), ("anna,get_threshold,0.5,well done, after all", "quotes")])
def test_lines_that_cannot_be_meant_are_named_before_the_work(graded_by, tmp_path, line, said, capsys):
    place = plain_class(tmp_path / "in")
    (tmp_path / "o.csv").write_text(f"student,exercise,marks,reason\nanna,copy_weights,1,fine\n{line}\n")
    assert run("--submissions", place, "--out", tmp_path / "out", "--overrides", tmp_path / "o.csv") == 2
    assert "line 3" in (error := capsys.readouterr().err) and said in error and not graded_by
    (tmp_path / "o.csv").write_text("name;marks\nx;1\n")
    with pytest.raises(OverrideError, match="expected student, exercise"):
        read_overrides(tmp_path / "o.csv", TASK, [])


def test_marks_by_hand_by_what_the_platform_calls_a_student(tmp_path):
    """Equal names: only the number, or the name on the page, says who is meant."""
    submissions = take_in(write_folder(files_of("moodle"), tmp_path / "in")).submissions
    apart = unicodedata.normalize("NFD", "Anna Müller")  # as macOS writes the names of files: a letter and its dots
    (tmp_path / "o.csv").write_text(f"student;exercise;marks;reason\n{ident(0)};detect;0,5;x\n{apart} ({ident(10)});detect;0;x\n", encoding="utf-8")
    assert {(o.student, o.marks) for o in read_overrides(tmp_path / "o.csv", TASK, submissions)} == {(f"Anna Müller ({ident(0)})", 0.5), (f"Anna Müller ({ident(10)})", 0)}
    (tmp_path / "o.csv").write_text("student,exercise,marks,reason\nAnna Müller,detect,0.5,which?\n", encoding="utf-8")
    with pytest.raises(OverrideError, match="no student 'Anna Müller'"):
        read_overrides(tmp_path / "o.csv", TASK, submissions)


RULE = "deadline = 2026-12-01T12:00:00+00:00\n"


@pytest.mark.parametrize("rule, after, left", [
    ("marks_per_day = 1", -60, 8), ("marks_per_day = 1", 60, 7), ("marks_per_day = 1", 86_400, 7), ("marks_per_day = 1", 86_460, 6), ("percent_per_day = 10", 60, 7.2),
    ("percent_per_day = 10\nfree_days = 2", 2 * 86_400, 8), ("percent_per_day = 10\nfree_days = 2", 3 * 86_400, 7.2), ("grace_minutes = 15\nmarks_per_day = 1", 600, 8),
    ("marks_per_day = 1\nmost_days = 3", 4 * 86_400, 0), ("free_days = 2\nmost_days = 1\nmarks_per_day = 1", 3 * 86_400, 7),
    ("free_days = 2\nmost_days = 1\nmarks_per_day = 1", 4 * 86_400, 0), ("marks_per_day = 5", 3 * 86_400, 0), ("marks_per_day = 1\n[extra_days]\nanna = 1", 86_460, 7),
    ("marks_per_day = 1\n[handed_in]\nanna = 2026-12-01T11:00:00Z", 86_460, 8)])
def test_late_days(graded_by, tmp_path, rule, after, left):
    import os

    from common.grading.handback.lateness import lateness

    place = plain_class(tmp_path / "in", ["anna"])
    when = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC).timestamp() + after
    os.utime(place / "anna.ipynb", (when, when))
    (tmp_path / "late.toml").write_text(RULE + rule)
    submissions = take_in(place).submissions
    result = {"student": "anna", "rows": [], "total": 8.0}
    lateness(result, submissions[0], read_rule(tmp_path / "late.toml", submissions))
    assert result["total"] == pytest.approx(left)
    assert run("--submissions", place, "--out", tmp_path / "out", "--late", tmp_path / "late.toml") == 0
    assert ("late" in (tmp_path / "out" / "anna.html").read_text()) == ("late" in result)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has one zone for all programs")
@pytest.mark.parametrize("deadline, handed_in, days", [
    ("2026-10-24T23:59:00", "2026-10-24T23:59:00", 0), ("2026-10-24T23:59:00", "2026-10-25T23:59:00", 1), ("2026-10-24T23:59:00", "2026-10-26T00:00:00", 2),
    ("2026-10-24T23:59:00", "2026-11-03T23:59:00", 10), ("2026-10-24T23:59:00", "2026-11-04T00:00:00", 11), ("2026-03-28T23:59:00", "2026-03-29T23:59:00", 1), ("2026-03-28T23:59:00", "2026-03-30T00:30:00", 2),
    ("2026-10-24T23:59:00+02:00", "2026-10-25T22:59:00", 1), ("2026-10-24T23:59:00+02:00", "2026-10-25T23:59:00", 2), ("2028-02-28T23:59:00", "2028-03-01T23:59:00", 2)])
def test_a_day_late_ends_when_the_clock_says_so(monkeypatch, deadline, handed_in, days):
    """In the night after the deadline the clocks are put back, or forward."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        rule = Rule(datetime.datetime.fromisoformat(deadline), grace_minutes=10)
        when = datetime.datetime.fromisoformat(handed_in).timestamp() + 600
        assert rule.days(when) == days
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text, said", [("", "needs a date and time"), ("deadline = 2026-12-01", "needs a date and time"), (RULE + "marks_per_dya = 1", "marks_per_dya is not known"),
                                        (RULE + "free_days = -1", "expected a number"), (RULE + "[extra_days]\nnobody = 3", "'nobody'"), ("deadline 1", "no TOML"),
                                        (RULE + "extra_days = 3", "extra_days"),
                                        *((RULE + f"[extra_days]\nanna = {days}", "0 or more") for days in ("-3", "nan", "true", "'3'"))])
def test_a_rule_that_cannot_be_meant(tmp_path, text, said):
    (tmp_path / "late.toml").write_text(text)
    with pytest.raises(RuleError, match=said):
        read_rule(tmp_path / "late.toml", find_submissions(plain_class(tmp_path / "in")))


def test_a_rule_knows_a_name_however_its_letters_are_put_together(tmp_path):
    """A Mac's Finder hands out o and two dots."""
    (tmp_path / "late.toml").write_text(RULE + f"[extra_days]\n\"{unicodedata.normalize('NFD', 'Jörg Weiß')}\" = 3", encoding="utf-8")
    assert read_rule(tmp_path / "late.toml", find_submissions(plain_class(tmp_path / "in", ["Jörg Weiß"]))).extra_days == {"Jörg Weiß": 3}


def test_one_exercise_again(graded_by, tmp_path, monkeypatch):
    """After a check was mended the kit is another one: with --only, the other marks stay what they were, and the next run takes them all for new."""
    place, out = plain_class(tmp_path / "in"), tmp_path / "out"
    run("--submissions", place, "--out", out)
    before = marks(out)
    monkeypatch.setattr("common.grading.kept.versions", lambda: "mended")
    monkeypatch.setattr("standing_in.result_for", lambda task, s: {**result_for(task, s), "rows": [{**r, "marks": r["of"] / 2} for r in result_for(task, s)["rows"]]})
    hand_in(place, "dora", code_notebook(["x = 1"]))
    graded_by.clear()
    assert run("--submissions", place, "--out", out, "--only", "get_threshold") == 0
    assert sorted(graded_by) == [("anna", "get_threshold"), ("ben", "get_threshold"), ("carl", "get_threshold"), ("dora", None)]
    for name, row in before.items():
        assert marks(out)[name]["get_threshold"] == "0.25" and marks(out)[name]["copy_weights"] == row["copy_weights"]
    graded_by.clear()
    assert run("--submissions", place, "--out", out) == 0 and not graded_by
    assert run("--submissions", place, "--out", out, "--only", "nothing_of_the_kind") == 2


# --- anonymous ---


def test_anonymous_pages_say_no_name_and_the_table_does(graded_by, tmp_path):
    place, out = write_zip(files_of("canvas"), tmp_path / "class.zip"), tmp_path / "out"
    assert run("--submissions", place, "--out", out, "--anonymous", "--for", "canvas") == 0
    table = {row[3]: int(row[0]) for row in rows_of(tmp_path / "out-names.csv")[1:]}
    assert table.keys() == {str(ident(n)) for n in range(len(PEOPLE))} and set(table.values()) == set(range(1, len(PEOPLE) + 1))
    everything = "".join(p.name + p.read_text(encoding="utf-8") for p in out.rglob("*") if p.is_file()).casefold()
    for number, (first, last, login) in enumerate(PEOPLE[:18]):  # the last two are ordinary letters
        assert str(ident(number)) not in everything and last.split()[-1].casefold() not in everything
    deserved, got = totals(take_in(place).submissions), marks(out)
    assert {n: float(got[f"Student {table[str(ident(n))]:03d}"]["total"]) for n in deserved} == deserved
    back = {int(r[1]): float(r[-1]) for r in rows_of(tmp_path / "out-for-canvas" / "grades.csv")[2:]}
    assert back == {ident(n): pytest.approx(marks, abs=0.006) for n, marks in deserved.items()}
    # the same numbers in the next run, and only newcomers get new ones
    graded_by.clear()
    files = files_of("canvas") | {f"newcomer_77_{800_000}_x.ipynb": b'{"cells": []}'}
    write_zip(files, place)
    assert run("--submissions", place, "--out", out, "--anonymous") == 0 and [name for name, _ in graded_by] == ["Student 021"]
    assert {row[3]: int(row[0]) for row in rows_of(tmp_path / "out-names.csv")[1:]} == table | {"77": 21}


# --- pages ---


def test_statistics_of_a_class():
    rows = [("right", 1, ""), ("wrong", 0, "row 3 is `a`, expected 7"), ("wrong", 0, "row 12 is `b`, expected -1e-3"), ("wrong", 0.5, "swapped"), ("not attempted", 0, "Its body")]
    (found,) = statistics([{"student": str(k), "rows": [{"name": "f", "of": 1, "status": s, "marks": m, "message": t}]} for k, (s, m, t) in enumerate(rows)])
    assert (found.attempted, found.right, found.students, found.mean) == (4, 1, 5, pytest.approx(0.3))
    assert found.messages == [("row 3 is `a`, expected 7", 2), ("swapped", 1)]


def test_the_page_of_the_class_says_what_to_teach_again_and_what_was_left_out(graded_by, tmp_path):
    place = plain_class(tmp_path / "in")
    (place / "broken.zip").write_bytes(b"PK\3\4 nothing")
    assert run("--submissions", place, "--out", tmp_path / "out") == 0
    text = (tmp_path / "out" / "index.html").read_text()
    assert "What to teach again" in text and "broken.zip" in text and "&lt;b&gt;1&lt;/b&gt;" in text and "<b>1</b>" not in text


@pytest.mark.parametrize("name", ["index.html", "Jörg_Weiß.html"])
def test_a_screen_reader_can_say_what_a_cell_is_about(graded_by, tmp_path, name):
    """Every column and every row of a table has a name, and what is only drawn is not read out."""
    write_zip(files_of("moodle"), tmp_path / "moodle.zip")
    assert run("--submissions", tmp_path / "moodle.zip", "--out", tmp_path / "out") == 0
    text = (tmp_path / "out" / name).read_text(encoding="utf-8")
    assert "<html lang='en'>" in text and len(re.findall(r"<main>.*<h1>.*</main>", text, re.S)) == 1
    tables = re.findall(r"<table>(.*?)</table>", text, re.S)
    for table in tables:
        top, *rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)
        columns = re.findall(r"<th scope='col'[^>]*>(.*?)</th>", top)
        assert all(columns) and len(columns) == top.count("<th") and rows
        assert all(len(re.findall(r"<th scope='row'[^>]*>.+?</th>", row)) == 1 and row.count("</th>") + row.count("</td>") == len(columns) for row in rows)
    assert len(tables) >= (2 if name == "index.html" else 1)
    assert all("aria-hidden='true'" in bar for bar in re.findall(r"<span[^>]*bar[^>]*>", text))


def test_a_students_page_goes_by_the_parts_of_the_course(tmp_path):
    rows = [{"name": name, "section": section, "of": 1, "marks": 0, "status": "wrong", "message": ""} for name, section in (("late", "3 c"), ("extra", "optional"), ("early", "1 a"))]
    write_report(tmp_path, type(TASK)("T", (), ()), [{"student": "anna", "rows": rows, "total": 0, "notes": ["One.", "Two"]}])
    assert re.findall(r"<code>(\w+)</code>", (tmp_path / "anna.html").read_text()) == ["early", "late", "extra"]
    assert "One; Two" in (tmp_path / "index.html").read_text()


def test_no_name_pushes_a_table_out_of_sight_and_no_message_breaks_short_words():
    """A long name in one piece was as wide as it is, and beside a long message "classifier" stood in three lines."""
    rules = dict(re.findall(r"([^{}]+){([^{}]*)}", re.sub(r"@media[^{]*{(?:[^{}]*{[^{}]*})*[^{}]*}", "", _STYLE).replace("\n", "")))
    of_cells = [rule for names, rule in rules.items() if {"td", "th[scope=row]"} <= set(names.split(","))]
    assert any("overflow-wrap:anywhere" in rule and "min-width" in rule for rule in of_cells)


def test_what_was_asked_what_came_what_was_expected(tmp_path):
    row = {"name": "f", "section": "s", "of": 1, "marks": 0, "status": "wrong", "message": "no", "asked": "f([<1>])", "came": "[2]", "expected": "[1]"}
    write_report(tmp_path, type(TASK)("T", (), ()), [{"student": "anna", "rows": [row], "total": 0, "head": ["no weights lay beside it"]}])
    text = (tmp_path / "anna.html").read_text()
    assert "f([&lt;1&gt;])" in text and "[2]" in text and "no weights lay beside it" in text


@pytest.mark.parametrize("text, safe", [("=1+1", "'=1+1"), (" @x", "' @x"), ("-", "-"), ("-1.5", "-1.5"), ("+49 x", "'+49 x"), ("a\nb", "a\N{REPLACEMENT CHARACTER}b"), ("Anna", "Anna")])
def test_no_formula_in_a_table(text, safe):
    assert cell(text) == safe


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "con", "NUL.html", ".hidden", "a" * 500, "Ж" * 300, "..", "", "a/b\\c:d", "x.", "\0"])
def test_names_of_files(name, tmp_path):
    safe = safe_name(name)
    (tmp_path / f"{safe}.html").write_text("x")
    assert [p.parent for p in tmp_path.rglob("*.html")] == [tmp_path] and safe.split(".")[0].casefold() not in ("con", "nul")
