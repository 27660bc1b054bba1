"""A student's page: marks, what and why, what was mended and what was given by hand."""

from common.grading.handback.page import page, table
from common.grading.names import markup

_CLASSES = {"right": "right", "wrong": "wrong"}
_EVIDENCE = (("asked", "asked"), ("came", "came"), ("expected", "expected"))


def _why(row):
    """The message, what was asked and came, and marks by hand."""
    parts = [markup(row["message"])]
    told = [(word, row[key]) for key, word in _EVIDENCE if row.get(key)]
    if told:
        parts.append("<dl>" + "".join(f"<dt>{word}</dt><dd><code>{markup(str(text))}</code></dd>" for word, text in told) + "</dl>")
    if "automatic" in row:
        parts.append(f"<p><b>{row['marks']:g} given by your instructor</b> instead of {row['automatic']:g}: {markup(row['reason'])}</p>")
    return "".join(parts)


def student_page(task, result, link=True):
    """The page as text.

    Parameters
    ----------
    task : common.exercises.exercise.Task
    result : dict
        See `common.grading.whole_class.grade_class`.
    link : bool
        Whether to link to the page of the class; what is handed back does not.

    Returns
    -------
    str
    """
    possible = sum(r["of"] for r in result["rows"])
    notes = [*result.get("head", ()), *result.get("notes", ())]
    late = result.get("late")
    said = f"<p><b>{result['total']:g} of {possible:g} marks.</b>" + (" <a href='index.html'>The class</a>" if link else "") + "</p>"
    if late:
        said += f"<p class='{'wrong' if late['lost'] else 'open'}'>Handed in: {markup(late['text'])}.</p>"
    if notes:
        said += "<ul>" + "".join(f"<li>{markup(note)}</li>" for note in notes) + "</ul>"
    rows = [(markup(r["section"]), f"<code>{markup(r['name'])}</code>", f"{r['marks']:g} of {r['of']:g}",
             f"<span class='{_CLASSES.get(r['status'], 'open')}'>{markup(r['status'])}</span>", _why(r)) for r in sorted(result["rows"], key=lambda r: r["section"])]
    return page(f"{task.name}: {result['student']}", said + table(("Part", "Exercise", "Marks", "Status", "What and why"), rows, numbers=(2,), named=1))
