"""For Canvas: a gradebook to import (Grades, Import) and feedback files in one zip (the assignment, Re-Upload Submissions).

The importer wants ``Student, ID, [SIS User ID, SIS Login ID,] Section`` before the assignments, which it knows by ``Name (number)``, and finds a
student by ``ID``; a file by the first two numbers between ``_`` in its name, the student's and the handed-in file's.
"""

import re
from pathlib import PurePath

from common.grading.handback.feedback import HandBackError, points, write_table, write_zip
from common.grading.names import cell

HEADER = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_WORDS = {"RegionDetector": ("detect", "region"), "TrackDetector": ("recogni", "track")}


def _column(header, assignment, task_name):
    """The column of the assignment in a gradebook."""
    choices = [k for k, h in enumerate(header) if re.search(r"\(\d+\)$", h.strip())]
    titles = [header[k] for k in choices]
    if assignment:
        fits = [k for k in choices if header[k] == assignment] or [k for k in choices if re.sub(r" \(\d+\)$", "", header[k]).strip() == assignment]
    else:
        fits = choices if len(choices) == 1 else [k for k in choices if any(w in header[k].casefold() for w in _WORDS.get(task_name, ()))]
    if len(fits) != 1:
        raise HandBackError(f"which assignment? Say it with --assignment, as it stands in the gradebook: {'; '.join(titles)[:500] or 'there is none in it'}")
    return fits[0]


def ready(task, roster=None, assignment=None):
    """See `common.grading.handback.moodle.ready`."""
    if roster is not None and roster.kind == "canvas":
        _column(roster.header, assignment, task.name)


def write(folder, task, graded, pages, roster=None, assignment=None):
    """Write ``grades.csv`` and ``feedback.zip``; see `common.grading.handback.moodle.write`.

    Parameters
    ----------
    assignment : str, optional
        As Canvas calls it; without a gradebook that has one, Canvas asks on import whether to make it.
    """
    known = roster if roster is not None and roster.kind == "canvas" else None
    at = _column(known.header, assignment, task.name) if known else None
    first = next((k + 1 for k, h in enumerate(known.header) if h == "Section"), 5) if known else 5
    header = [*known.header[:first], known.header[at]] if known else [*HEADER, assignment or task.name]
    possible = sum(r["of"] for r in graded[0][1]["rows"])
    told = next((r[at] for r in known.rows if r and "Points Possible" in r[0] and len(r) > at), "") if known else ""
    highest = points(told) or possible
    rows, strangers = [["    Points Possible", *[""] * (len(header) - 2), f"{highest:g}"]], []
    for item, result in graded:
        found = known.find(item.owner) if known else None
        if (known and found is None) or (not known and item.owner.platform != "canvas"):
            strangers.append(item.name)
            continue
        about = known.rows[found[0]][:first] if known else [item.owner.name, item.owner.ident, "", item.owner.login, ""]
        rows.append([*map(cell, about), f"{result['total'] * highest / possible:.2f}"])
    write_table(folder / "grades.csv", [header, *rows])
    names = {item.name: f"{PurePath(item.owner.place).stem}_feedback.html" for item, _ in graded if item.owner.platform == "canvas"}
    write_zip(folder / "feedback.zip", {names[name]: text for name, text in pages.items() if name in names})
    said = [f"Points Possible is {told!r} in the gradebook: the marks are of {possible:g}"] if told.strip() and not points(told) else []
    said += [f"not in grades.csv, for Canvas does not know them: {', '.join(strangers)[:500]}"] if strangers else []
    return [f"grades.csv: Grades, Import; feedback.zip: the assignment, Re-Upload Submissions; {len(rows) - 1} students", *said]
