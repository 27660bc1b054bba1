"""Moodle's grading worksheet: what it says of those who handed in, also where Moodle hides their names."""

import csv

import pytest
from handed_in import PEOPLE, ident, marked, whose, write_zip
from standing_in import grades

from common.grading import whole_class
from common.grading.__main__ import main
from common.grading.intake.roster import read_roster
from common.grading.submissions import take_in
from RegionDetector.exercises import TASK

HEADER = ["Identifier", "Full name", "Email address", "Status", "Group", "Grade", "Maximum grade", "Grade can be changed", "Last modified (submission)",
          "Last modified (grade)", "Feedback comments"]


def worksheet(path, without=(), teams=(), handed_in="Friday, 20 November 2026, 10:00 AM", header=HEADER):
    """As mod/assign/gradingtable writes it; `without` names the columns that are not in it, `teams` each student's group."""
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, [h for h in header if h not in without], extrasaction="ignore")
        table.writeheader()
        for n, (first, last, login) in enumerate(PEOPLE):
            row = (f"Participant {ident(n)}", f"{first} {last}", f"{login}@x.edu", "Submitted for grading - ", teams[n] if teams else "", "", "10.00", "Yes", handed_in, "-", "")
            table.writerow(dict(zip(header, row)))
    return path


def test_a_worksheet_without_names_gives_nobody_another(tmp_path):
    """With anonymous submissions it goes from the number straight to the status, and all were called "Submitted for grading"."""
    place = write_zip({f"Participant_{ident(n)}_assignsubmission_file/x.ipynb": marked(n) for n in range(3)}, tmp_path / "class.zip")
    roster = read_roster(worksheet(tmp_path / "sheet.csv", ("Full name", "Email address", "Group")))
    assert [s.name for s in take_in(place, roster=roster).submissions] == [f"Participant ({ident(n)})" for n in range(3)]


def test_a_list_of_ones_own_that_begins_with_id_is_no_worksheet(tmp_path):
    """It was read as one: whose number has a letter in it was not in it."""
    (tmp_path / "list.csv").write_text("ID,Name,Email\n77,Jörg Weiß,j@x.edu\na78,Eva Öl,e@x.edu\n", encoding="utf-8")
    roster = read_roster(tmp_path / "list.csv")
    assert roster.kind == "table" and roster.people["77"] == (0, "Jörg Weiß", "j@x.edu") and roster.people["a78"] == (1, "Eva Öl", "e@x.edu")


@pytest.mark.parametrize("without", [(), ("Full name", "Email address")], ids=["names", "no names"])
def test_a_group_hands_in_for_all_who_are_in_it(monkeypatch, tmp_path, without):
    """Since 4.1 Moodle names the folder by the group and its number, which may be the number of a student of another group."""
    teams = [f"Team_{n % 3}: <ü>" if n < 15 else "Default group" for n in range(len(PEOPLE))]
    files = {f"Team {k} ü_{ident(k + 1)}_assignsubmission_file/x.ipynb": marked(k) for k in range(3)} | {"Default group_assignsubmission_file/x.ipynb": marked(3)}
    place, sheet, out = write_zip(files, tmp_path / "class.zip"), worksheet(tmp_path / "sheet.csv", without, teams), tmp_path / "out"
    monkeypatch.setattr(whole_class, "grade_here", grades(TASK))
    assert main(["--task", "RegionDetector", "--submissions", str(place), "--roster", str(sheet), "--out", str(out), "--for", "moodle"]) == 0
    taken = take_in(place, roster=read_roster(sheet))
    assert {s.owner.ident: whose(s.notebook) for s in taken.submissions} == {str(ident(n)): n % 3 if n < 15 else 3 for n in range(len(PEOPLE))}
    assert not taken.left_out and len({s.owner.team for s in taken.submissions}) == 4
    with open(out / "for-moodle" / "grades.csv", encoding="utf-8", newline="") as file:
        assert {row["Identifier"] for row in csv.DictReader(file)} == {f"Participant {ident(n)}" for n in range(len(PEOPLE))}
