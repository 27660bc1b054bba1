"""``overrides.csv``: marks that the instructor gives by hand, kept over every regrading and shown with their reason."""

from dataclasses import dataclass

from common.grading.intake.roster import RosterError, read_table
from common.grading.refused import Refused

COLUMNS = ("student", "exercise", "marks", "reason")


class OverrideError(Refused):
    """Lines of the table that make no sense, such as an unknown student; the message names each."""


@dataclass(frozen=True)
class Override:
    """Marks by hand."""

    student: str
    exercise: str
    marks: float
    reason: str


def students(submissions):
    """What a table may call a student: the name on the pages, the platform's number, login or address.

    Parameters
    ----------
    submissions : list of common.grading.submissions.Submission

    Returns
    -------
    dict of str to str
        In small letters, to the name on the pages; what two students share is not in it.
    """
    names, twice = {}, set()
    for item in submissions:
        for key in {k.strip().casefold() for k in (item.owner.name, item.owner.ident, item.owner.login, item.owner.email) if k}:
            if names.setdefault(key, item.name) != item.name:
                twice.add(key)
    return {k: n for k, n in names.items() if k not in twice} | {item.name.casefold(): item.name for item in submissions}


def read_overrides(path, task, submissions):
    """Read the table.

    Parameters
    ----------
    path : path-like
        Columns ``student, exercise, marks, reason``.
    task : common.exercises.exercise.Task
    submissions : list of common.grading.submissions.Submission

    Returns
    -------
    list of Override
        The last of several lines for the same marks.

    Raises
    ------
    OverrideError
        Naming every line with an unknown student or exercise, or marks that the exercise does not have.
    """
    try:
        header, rows = read_table(path)
    except RosterError as error:
        raise OverrideError(str(error)) from None
    low = [h.casefold() for h in header]
    if not set(COLUMNS) <= set(low):
        raise OverrideError(f"{path} has the columns {', '.join(header)[:200]}; expected {', '.join(COLUMNS)}")
    known, of = students(submissions), {i.name: i.marks for i in (*task.exercises, *task.scores)}
    found, faults = {}, []
    for number, row in enumerate(rows, 2):
        student, exercise, marks, reason = ((row[low.index(c)] if low.index(c) < len(row) else "").strip() for c in COLUMNS)
        student = student.removeprefix("'")  # as marks.csv writes a name that begins like a formula
        try:
            value = float(marks.replace(",", "."))
        except ValueError:
            value = None
        fault = ("more cells than columns: a mark such as 0,5 is written 0.5, and what has a comma stands in quotes" if any(c.strip() for c in row[len(header):]) else
                 f"no student {student!r}" if student.casefold() not in known else
                 f"no exercise {exercise!r} in {task.name}" if exercise not in of else
                 f"marks {marks!r}, expected a number from 0 to {of[exercise]:g}" if value is None or not 0 <= value <= of[exercise] else
                 "no reason" if not reason else None)
        if fault:
            faults.append(f"line {number}: {fault}")
        else:
            found[known[student.casefold()], exercise] = Override(known[student.casefold()], exercise, value, reason)
    if faults:
        raise OverrideError(f"{path}: " + "; ".join(faults[:20]) + ". Names and exercises are those of marks.csv; mend the lines and start again")
    return list(found.values())


def override(result, overrides):
    """Put marks by hand into a result; what the grader gave stays beside them."""
    for row in result["rows"]:
        for item in overrides:
            if (item.student, item.exercise) == (result["student"], row["name"]):
                row.update(automatic=row["marks"], marks=item.marks, reason=item.reason)
    result["total"] = round(sum(r["marks"] for r in result["rows"]), 2)
