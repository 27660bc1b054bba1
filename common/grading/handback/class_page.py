"""The page of the class: who has how much, which exercises to teach again, what lies there and was not graded, near-copies."""

from urllib.parse import quote

from common.grading.handback.page import page, table
from common.grading.handback.statistics import statistics
from common.grading.names import markup


def _students(results, files):
    rows = []
    for r in results:
        missing = ", ".join(markup(x["name"]) for x in r["rows"] if x["of"] and x["marks"] < x["of"])
        hints = [f"{sum('automatic' in x for x in r['rows'])} by hand"] if any("automatic" in x for x in r["rows"]) else []
        hints += [markup(r["late"]["text"])] if r.get("late") else []
        hints += [markup(note.removesuffix(".")) for note in (*r.get("head", ()), *r.get("notes", ()))]
        rows.append((f"<a href='{quote(files[r['student']])}'>{markup(r['student'])}</a>", f"{r['total']:g}", missing, "; ".join(hints)))
    return table(("Student", "Marks", "Not (fully) earned", "To note"), rows, numbers=(1,))


def _bars(item):
    """Right, and wrong among those who tried, of the whole class."""
    wide = 8 / max(item.students, 1)
    return "".join(f"<span aria-hidden='true' class='bar' style='width:{number * wide:.2f}em'></span>" for number in (item.right, item.attempted - item.right))


def _exercises(results):
    rows = [(f"<code>{markup(s.name)}</code>", f"{s.attempted} of {s.students}", f"{s.right} of {s.students}", _bars(s), f"{s.mean:.2f} of {s.of:g}",
             "<br>".join(f"{number} × {markup(text)}" for text, number in s.messages)) for s in statistics(results)]
    return table(("Exercise", "Attempted", "Right", "Right, then wrong", "Marks on average", "Said most often"), rows, numbers=(1, 2, 4))


def _copies(pairs, files):
    if not pairs:
        return ""
    link = lambda name: f"<a href='{quote(files[name])}'>{markup(name)}</a>" if name in files else markup(name)  # noqa: E731
    rows = [(*map(link, p.students), f"{100 * p.share:.0f} %", f"{p.shared}", ", ".join(f"<code>{markup(w)}</code>" for w in p.where)) for p in pairs]
    return ("<h2>Much alike</h2><p>A hint and no verdict: look at both notebooks. Fingerprints of the code that two notebooks share, as a part of those "
            "of the shorter one; the kit's own stubs, cells and solutions do not count, nor what many in the class have.</p>"
            + table(("Student", "Student", "Shared", "Fingerprints", "Mostly in"), rows, numbers=(2, 3)))


def class_page(task, results, files, left_out=None, pairs=()):
    """The page as text.

    Parameters
    ----------
    task : common.exercises.exercise.Task
    results : list of dict
    files : dict of str to str
        Each student's page.
    left_out : dict of str to str, optional
        What was not graded, and why.
    pairs : sequence of common.grading.copies.Pair

    Returns
    -------
    str
    """
    mean = sum(r["total"] for r in results) / max(len(results), 1)
    strange = table(("File", "Why"), [(markup(name), markup(why)) for name, why in (left_out or {}).items()])
    return page(f"{task.name}: the class",
                f"<p>{len(results)} submissions, {mean:.2f} marks on average. <a href='marks.csv'>marks.csv</a></p>{_students(results, files)}"
                f"<h2>What to teach again</h2>{_exercises(results)}{_copies(pairs, files)}" + (f"<h2>Not graded</h2>{strange}" if left_out else ""))
