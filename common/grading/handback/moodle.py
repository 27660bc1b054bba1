"""For Moodle: the grading worksheet (Assignment, View all submissions, Upload grading worksheet) and feedback files in one zip.

Moodle finds a student by ``Identifier`` and wants the columns ``Identifier``, ``Grade`` and ``Last modified (grade)``
(mod/assign/feedback/offline); a feedback file by ``fullname_identifier_assignsubmission_file_`` (mod/assign/feedback/file).
"""

import html
import re

from common.grading.handback.feedback import HandBackError, points, summary, write_table, write_zip
from common.grading.names import cell

HEADER = ("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed", "Last modified (submission)",
          "Last modified (grade)", "Feedback comments")


def ready(task, roster=None, assignment=None):
    """Refuse before all the work what could not be written after it.

    Raises
    ------
    common.grading.handback.feedback.HandBackError
    """
    if roster is not None and roster.kind == "moodle" and roster.column("grade") is None:
        raise HandBackError(f"the worksheet has no column for the grade among {', '.join(roster.header)[:300]}; download it in English or German")


def write(folder, task, graded, pages, roster=None, assignment=None):
    """Write ``grades.csv`` and ``feedback.zip``.

    Parameters
    ----------
    folder : pathlib.Path
    task : common.exercises.exercise.Task
    graded : list of (common.grading.submissions.Submission, dict)
    pages : dict of str to str
        The page that each student gets, by the name in the result.
    roster : common.grading.intake.roster.Roster, optional
        The worksheet that Moodle gave out; its columns and language are kept.
    assignment : str, optional
        Not used: a worksheet is of one assignment.

    Returns
    -------
    list of str
        What the instructor should know.
    """
    said, rows, strangers = [], [], []
    known = roster if roster is not None and roster.kind == "moodle" else None
    header = known.header if known else list(HEADER)
    grade, most, comments = (known.column(c) for c in ("grade", "most", "comments")) if known else (4, 5, 9)
    if known and comments is None:
        said.append("the worksheet has no column for comments: switch feedback comments on in the assignment to upload them as well")
    for item, result in graded:
        possible = sum(r["of"] for r in result["rows"])
        found = known.find(item.owner) if known else None
        if found is None and (known or item.owner.platform != "moodle"):
            strangers.append(item.name)
            continue
        if known:
            row = [*known.rows[found[0]], *[""] * (len(header) - len(known.rows[found[0]]))]
        else:
            row = [f"Participant {item.owner.ident}", item.owner.name, item.owner.email, "Submitted for grading", "", f"{possible:g}", "Yes", "-", "-", ""]
        highest = points(row[most]) if most is not None else None
        row[grade] = f"{result['total'] * (highest / possible if highest else 1):.2f}"
        if comments is not None:
            row[comments] = "<br>".join(html.escape(line) for line in summary(result))
        rows.append([c if k in (grade, comments) else cell(c) for k, c in enumerate(row)])
    write_table(folder / "grades.csv", [header, *rows])
    names = {item.name: f"{re.sub(r'[_/:*?<>|]', ' ', item.owner.name).strip()}_{item.owner.ident}_assignsubmission_file_/feedback.html"
             for item, _ in graded if item.owner.platform == "moodle"}
    write_zip(folder / "feedback.zip", {names[name]: text for name, text in pages.items() if name in names})
    if strangers:
        said.append(f"not in grades.csv, for Moodle does not know them: {', '.join(strangers)[:500]}")
    return [f"grades.csv: upload it with Upload grading worksheet (tick \"Allow updating records that have been modified more recently\" to replace marks); "
            f"feedback.zip: Upload multiple feedback files in a zip; {len(rows)} students", *said]
