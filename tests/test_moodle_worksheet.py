"""Moodle's grading worksheet: what it says of those who handed in, also where Moodle hides their names."""

import csv

from handed_in import PEOPLE, ident, marked, write_zip

from common.grading.intake.roster import read_roster
from common.grading.submissions import take_in

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
