"""Anonymous grading: pages by number, and the table of names apart."""

import csv
import re
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from common.files import temporary_folder, whole_file
from common.grading.intake.platforms import Owner
from common.grading.intake.roster import RosterError, read_table
from common.grading.names import cell
from common.grading.refused import Refused

_HEADER = ["number", "name", "platform", "ident", "login", "email"]


def is_number(name):
    """Whether a student is called so by `anonymous`."""
    return bool(re.fullmatch(r"Student \d{3,}", name))


def apart(out, what):
    """A path beside the folder of pages, for what bears names."""
    out = Path(out)
    return out.parent / f"{out.name}-{what}"


def _read(table):
    if not table.is_file():
        return {}
    try:
        header, rows = read_table(table)
        rows = [dict.fromkeys(_HEADER, "") | dict(zip(header, row)) for row in rows]
        numbers = {int(r["number"]) for r in rows}
    except (RosterError, ValueError) as error:
        raise Refused(f"{table}: is not the table of numbers and names ({error}); put it back as it was, or delete it, and all get new numbers") from None
    if not set(_HEADER) <= set(header) or len(numbers) < len(rows) or min(numbers, default=1) < 1:
        raise Refused(f"{table}: has not each number once under {', '.join(_HEADER)}; put it back as it was, or delete it, and all get new numbers")
    return {(r["platform"], r["ident"].removeprefix("'")): r for r in rows}


def _number(submissions, table):
    """A number for each student, the same in every run; new ones at random, so that they say nothing of names. The table is written."""
    rows = _read(table)
    taken = {int(r["number"]) for r in rows.values()}
    new = sum((item.owner.platform, item.owner.ident) not in rows for item in submissions)
    free = [n for n in range(1, len(taken) + new + 1) if n not in taken][:new]
    secrets.SystemRandom().shuffle(free)
    for item in submissions:
        key = item.owner.platform, item.owner.ident
        number = rows[key]["number"] if key in rows else free.pop()
        rows[key] = dict(zip(_HEADER, (number, item.name, *key, item.owner.login, item.owner.email)))
    with whole_file(table) as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows([cell(str(row[h])) for h in _HEADER] for row in sorted(rows.values(), key=lambda r: int(r["number"])))
    return {key: int(row["number"]) for key, row in rows.items()}


def anonymous(submissions, table):
    """The submissions under numbers, with neutral names of files, and without what the platform knows.

    Parameters
    ----------
    submissions : list of common.grading.submissions.Submission
    table : pathlib.Path
        Of numbers and names; read if it is there, and written.

    Returns
    -------
    list of common.grading.submissions.Submission
        One for each, in the same order.
    """
    numbers, scratch, answer = _number(submissions, table), temporary_folder("anonymous-"), []
    for item in submissions:
        name = f"Student {numbers[item.owner.platform, item.owner.ident]:03d}"
        copies = [scratch / f"{name}.ipynb"]
        for path in item.weights:
            copies.append(scratch / f"{name}{'.weights.h5' if path.name.casefold().endswith('.weights.h5') else path.suffix}")
        for path, copy in zip((item.notebook, *item.weights), copies):
            shutil.copyfile(path, copy)
        notes = tuple(re.sub(r"handed in; .* counts, (.*)\. The others: .*", r"handed in; \1 counts", note, flags=re.S) for note in item.notes)
        owner = Owner("", name, name, late=item.owner.late, team=item.owner.team)
        answer.append(replace(item, name=name, notebook=copies[0], weights=tuple(copies[1:]), notes=notes, owner=owner))
    return answer
