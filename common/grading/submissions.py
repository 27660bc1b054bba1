"""What a class has handed in: for each student the notebook that counts, with weights beside it."""

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from common.files import temporary_folder
from common.grading.intake.files import ARCHIVES, EMPTY, NOTEBOOKS, WEIGHTS, Files, kind_of, stem_of
from common.grading.intake.mending import NotebookError
from common.grading.intake.platforms import Attribution, Owner
from common.grading.names import unlike
from common.grading.notebook_source import collect, read_cells

_PACKED_WITHIN = 3600  # seconds


@dataclass(frozen=True)
class Submission:
    """What one student handed in.

    Attributes
    ----------
    name : str
        The student, as the pages call him or her.
    notebook : pathlib.Path
    weights : tuple of pathlib.Path
    owner : common.grading.intake.platforms.Owner
        What the platform says.
    time : float or None
        When it was handed in, seconds of the epoch; None where neither the platform nor the date of the file tells it.
    notes : tuple of str
        What the student's page tells about the files: which of several counts.
    """

    name: str
    notebook: Path
    weights: tuple = ()
    owner: Owner = Owner("", "", "")
    time: float | None = None
    notes: tuple = ()

    def digest(self):
        """Changes when the submission changes."""
        digest = hashlib.sha256()
        for path in (self.notebook, *self.weights):
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


@dataclass
class Class:
    """All that was handed in.

    Attributes
    ----------
    submissions : list of Submission
        Sorted by name; each has a name of its own.
    left_out : dict of str to str
        What lies there and is no submission, though somebody may take it for one, and why.
    platform : str
    """

    submissions: list
    left_out: dict
    platform: str


def take_in(place, exercises=(), platform=None, roster=None):
    """Read what a platform hands out: a folder, or one archive.

    Parameters
    ----------
    place : path-like
    exercises : collection of str
        Names of the task's exercises: of several notebooks of a student, those that write one of them are meant.
    platform : str, optional
        One of `common.grading.intake.platforms.PLATFORMS` or "folder"; by default told by the names.
    roster : common.grading.intake.roster.Roster, optional
        Names in full.

    Returns
    -------
    Class

    Raises
    ------
    FileNotFoundError
        If there is no submission.
    """
    files = Files(place, temporary_folder("submissions-"))
    who = Attribution(files, platform, roster)
    of = {}
    for file in _dated(files.found, who):
        if kind_of(file.name) in (NOTEBOOKS, WEIGHTS):
            for owner in who.owners(file):
                of.setdefault((owner.platform, owner.ident), []).append((owner, file))
    chosen = [c for c in (_what_counts(belongings, exercises, who.depth) for belongings in of.values()) if c is not None]
    files.left_out.update(_without(files, who, {(c.owner.platform, c.owner.ident) for c in chosen}, roster))
    if not chosen:
        why = "".join(f"; {name}: {reason}" for name, reason in list(files.left_out.items())[:5])
        raise FileNotFoundError(f"there is no notebook in {place}: expected NAME.ipynb, a folder or archive for each student, or what Moodle, Canvas, "
                                f"Gradescope, GitHub Classroom, ILIAS, Blackboard or Brightspace hand out{why}")
    names = {}
    for item in chosen:
        names.setdefault(item.name.casefold(), []).append(item)
    taken, answer = set(), []
    for item in sorted(chosen, key=lambda s: (s.name.casefold(), s.owner.platform, s.owner.ident)):
        twins = len(names[item.name.casefold()]) > 1 and item.owner.platform  # equal names are told apart by what the platform knows them by
        name = unlike(f"{item.name} ({item.owner.login or item.owner.ident})" if twins else item.name, taken)
        answer.append(Submission(name, item.notebook, item.weights, item.owner, item.time, item.notes))
    return Class(answer, files.left_out, who.platform)


def _dated(found, who):
    """The files, with the dates that say nothing marked: Canvas, and Moodle since 3.10, date a file by when they pack it, and Git by when it was cloned.

    So may others: of any platform, dates that all lie within an hour are those of the download.
    """
    if who.platform in ("", "blackboard", "brightspace"):  # plain files have nothing else; the names of the others tell
        return found
    loose = {f for f in found if not any(kind_of(part) is ARCHIVES for part in f.parts[who.depth : -1])}  # a student's archive has its own dates in it
    answer, downloads = [], {}
    for file in found:
        downloads.setdefault(file.parts[: who.depth], []).append(file)
    for files in downloads.values():
        times = [f.time for f in files if f in loose and kind_of(f.name) is NOTEBOOKS] or [0.0]
        packed = who.platform in ("canvas", "github") or max(times) - min(times) <= _PACKED_WITHIN
        answer += [replace(f, time=max(times) if f in loose else f.time, dated=False) for f in files] if packed else files
    return answer


def _without(files, who, have, roster):
    """Students who have handed in no notebook, and what they have handed in instead."""
    found, alone, said = {}, {}, {"/".join(name.split("/")[: who.depth + 1]) for name in files.left_out}
    for file in (*files.others, *files.found):
        for owner in who.owners(file) if len(file.parts) > who.depth else ():
            top = "/".join(file.parts[: who.depth + 1])
            if not who.platform and ("", owner.ident) not in have and top not in said:
                alone[top] = None
            if owner.platform and files.left_out.get(file.parts[0]) == EMPTY:
                del files.left_out[file.parts[0]]  # it is said of the student, or he or she has handed in a notebook besides
            if owner.platform and (owner.platform, owner.ident) not in have and file.name != "submission_metadata.yml":
                found.setdefault((owner.name, owner.ident), []).append(file.name)
    answer = {f"{name} ({ident})": f"no notebook, but {', '.join(sorted(names))[:200]}" for (name, ident), names in found.items()}
    if alone:
        answer[", ".join(sorted(alone))[:200]] = "no notebook of that name"
    if roster is not None:
        there = {ident.casefold() for _, ident in have} | {ident.casefold() for _, ident in found}
        absent = {number: name or ident for ident, (number, name, _) in roster.people.items() if not there & {ident}}
        here = {number for ident, (number, _, _) in roster.people.items() if ident in there}
        answer |= {f"{name} (line {number + 2})": "handed in nothing" for number, name in absent.items() if number not in here}
    return answer


def find_submissions(folder):
    """The submissions in a folder, sorted by name; see `take_in`."""
    return take_in(folder).submissions


def one_submission(folder, exercises=(), owner=Owner("", "submission", "submission")):
    """What a single student has handed in: all that lies in a folder is his or hers.

    Parameters
    ----------
    folder : path-like
    exercises : collection of str
        See `take_in`.
    owner : common.grading.intake.platforms.Owner

    Returns
    -------
    Submission or None
        None if there is no notebook.
    """
    files = Files(folder, temporary_folder("submission-"))
    return _what_counts([(replace(owner, file=f.name), f) for f in files.found if kind_of(f.name) in (NOTEBOOKS, WEIGHTS)], exercises, 0)


def _what_counts(belongings, exercises, depth):
    """A student's submission out of all files that are his or hers; None without a notebook."""
    books = [(o, f) for o, f in belongings if kind_of(f.name) is NOTEBOOKS]
    if not books:
        return None
    meant = [b for b in books if _is_of_task(b[1].path, exercises)] if len(books) > 1 else books
    meant = meant or books
    stamps = [_stamp(*b) for b in meant]
    newest = [b for b, stamp in zip(meant, stamps) if stamp == max(stamps)]
    if len(newest) > 1:  # written in the same second, as in a repository: the one in which most is written, then the largest
        newest.sort(key=lambda b: (-_written(b[1].path, exercises), -b[1].path.stat().st_size, b[1].parts))
    owner, book = newest[0]
    notes = []
    if len(meant) > 1:
        others = ", ".join(sorted("/".join(f.parts[depth:]) for o, f in meant if f is not book))
        why = "the newest" if len(newest) == 1 else "of those of the same time the one in which most is written"
        notes.append(f"{len(meant)} notebooks were handed in; {'/'.join(book.parts[depth:])} counts, {why}. The others: {others[:500]}")
    low = book.name.casefold()
    if not low.endswith(".ipynb"):
        notes.append(f"the notebook was saved as {low[low.rfind('.ipynb'):]}; it was read as .ipynb")
    if exercises and _is_of_another_task(book.path, exercises):
        notes.append("it names none of the exercises: it seems to be another task's notebook, handed in by mistake")
    if owner.late:
        notes.append("the platform marks it as late")
    time = owner.time if owner.time is not None else (book.time or None) if book.dated else None
    return Submission(owner.name, book.path, _weights(belongings, owner, book), owner, time, tuple(notes))


def _stamp(owner, file):
    return (owner.time if owner.time is not None else 0.0, owner.order, file.time if owner.time is None and not owner.order else 0.0)


def _is_of_task(path, exercises):
    """Does a notebook write, or leave a stub for, one of these exercises?"""
    try:
        text = "\n".join(read_cells(path))
    except NotebookError:
        return False
    return any(re.search(rf"^\s*(?:def|class)\s+{name}\b|^{name}\s*=", text, re.M) for name in exercises)


def _is_of_another_task(path, exercises):
    """Is there something in a notebook, and no word of these exercises? Of one that cannot be read the reason is told elsewhere."""
    try:
        text = "\n".join(read_cells(path))
    except NotebookError:
        return False
    return bool(text.strip()) and not any(re.search(rf"\b{name}\b", text) for name in exercises)


def _written(path, exercises):
    try:
        source = collect(read_cells(path))
    except NotebookError:
        return 0
    return sum(name in source.defined or source.makes(name) for name in exercises)


def _weights(belongings, owner, book):
    """The file of weights that goes with the notebook: of the same name, else beside it, else the newest."""
    files = [(o, f) for o, f in belongings if kind_of(f.name) is WEIGHTS]
    files.sort(key=lambda b: (stem_of(b[0].file) != stem_of(owner.file), b[1].parts[:-1] != book.parts[:-1], *(-x for x in _stamp(*b)), b[1].name))
    return (files[0][1].path,) if files else ()
