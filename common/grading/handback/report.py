"""Marks as a table and as pages."""

import csv

from common.files import whole_file
from common.grading.handback.class_page import class_page
from common.grading.handback.student_page import student_page
from common.grading.names import cell, safe_name, unlike


def page_names(results):
    """A page's file name for each student."""
    taken = {"index"}
    return {r["student"]: unlike(safe_name(r["student"]), taken) + ".html" for r in results}


def write_marks(path, task, results):
    """Write ``marks.csv``: a row for each student, a column for each exercise."""
    names = [i.name for i in (*task.exercises, *task.scores)]
    late = any((r.get("late") or {}).get("lost") for r in results)
    with whole_file(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["student", *names, *(["late"] if late else []), "total"])
        for result in results:
            marks = {r["name"]: r["marks"] for r in result["rows"]}
            lost = [f"{-(result.get('late') or {}).get('lost', 0):g}"] if late else []
            table.writerow([cell(result["student"]), *(f"{marks[n]:g}" for n in names), *lost, f"{result['total']:g}"])


def write_report(out, task, results, left_out=None, pairs=()):
    """Write ``marks.csv``, ``index.html`` for the class and a page for each student.

    Parameters
    ----------
    out : pathlib.Path
    task : common.exercises.exercise.Task
    results : list of dict
        From `common.grading.judging.Grader.grade`, with what `common.grading.handback` has added.
    left_out : dict of str to str, optional
        What lies among the submissions and was not graded, and why.
    pairs : sequence of common.grading.copies.Pair
    """
    files = page_names(results)
    write_marks(out / "marks.csv", task, results)
    with whole_file(out / "index.html") as file:
        file.write(class_page(task, results, files, left_out, pairs))
    for result in results:
        with whole_file(out / files[result["student"]]) as file:
            file.write(student_page(task, result))
