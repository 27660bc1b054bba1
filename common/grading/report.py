"""Marks as a table and as pages."""

import csv
import html
from urllib.parse import quote

from common.grading.names import cell, markup, safe_name, unlike

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}.right{color:#1a6b2f}.wrong{color:#a3241b}.open{color:#666}a{color:#0b57a4}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}a{color:#8ab8f0}.right{color:#7fcf95}.wrong{color:#f0928a}.open{color:#aaa}}"""


def _page(title, body):
    return (f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
            f"<title>{markup(title)}</title><style>{_STYLE}</style></head><body><h1>{markup(title)}</h1>{body}</body></html>")


def _files(results):
    """A page's file name for each student."""
    taken = {"index"}
    return {r["student"]: unlike(safe_name(r["student"]), taken) + ".html" for r in results}


def _student_page(task, result):
    rows = "".join(
        f"<tr><td>{markup(r['section'])}</td><td><code>{markup(r['name'])}</code></td><td class='n'>{r['marks']:g} of {r['of']:g}</td>"
        f"<td class='{'right' if r['status'] == 'right' else 'wrong' if r['status'] == 'wrong' else 'open'}'>{html.escape(r['status'])}</td>"
        f"<td>{markup(r['message'])}</td></tr>" for r in result["rows"])
    possible = sum(r["of"] for r in result["rows"])
    return _page(f"{task.name}: {result['student']}",
                 f"<p><b>{result['total']:g} of {possible:g} marks.</b> <a href='index.html'>The class</a></p>"
                 f"<table><tr><th>Part</th><th>Exercise</th><th class='n'>Marks</th><th></th><th>What and why</th></tr>{rows}</table>")


def write_report(out, task, results):
    """Write ``marks.csv``, ``index.html`` for the class and a page for each student.

    Parameters
    ----------
    out : pathlib.Path
    task : common.exercises.exercise.Task
    results : list of dict
        From `common.grading.judging.Grader.grade`.
    """
    names, files = [i.name for i in (*task.exercises, *task.scores)], _files(results)
    with open(out / "marks.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student", *names, "total"])
        for result in results:
            marks = {r["name"]: r["marks"] for r in result["rows"]}
            table.writerow([cell(result["student"]), *(f"{marks[n]:g}" for n in names), f"{result['total']:g}"])
    rows = "".join(f"<tr><td><a href='{quote(files[r['student']])}'>{markup(r['student'])}</a></td><td class='n'>{r['total']:g}</td><td>"
                   + ", ".join(html.escape(x["name"]) for x in r["rows"] if x["of"] and x["marks"] < x["of"]) + "</td></tr>" for r in results)
    share = "".join(f"<tr><td><code>{html.escape(n)}</code></td><td class='n'>{sum(x['marks'] > 0 for r in results for x in r['rows'] if x['name'] == n)} of "
                    f"{len(results)}</td></tr>" for n in names)
    mean = sum(r["total"] for r in results) / max(len(results), 1)
    (out / "index.html").write_text(_page(
        f"{task.name}: the class", f"<p>{len(results)} submissions, {mean:.2f} marks on average. <a href='marks.csv'>marks.csv</a></p>"
        f"<table><tr><th>Student</th><th class='n'>Marks</th><th>Not (fully) earned</th></tr>{rows}</table>"
        f"<h2>Which exercises were hard</h2><table><tr><th>Exercise</th><th class='n'>Earned something</th></tr>{share}</table>"), encoding="utf-8")
    for result in results:
        (out / files[result["student"]]).write_text(_student_page(task, result), encoding="utf-8")
