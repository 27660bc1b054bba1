"""Grading without grading: marks that follow from the file alone, so that what is round it can be tried in seconds."""

import hashlib
import time


def result_for(task, submission, wrong=("get_threshold", "Classifier")):
    """A result as the grader gives it; which marks, its notebook's bytes say."""
    number = int(hashlib.sha256(submission.notebook.read_bytes()).hexdigest(), 16)
    rows = []
    for k, item in enumerate((*task.exercises, *task.scores)):
        right = bool(number >> k & 1)
        rows.append({"name": item.name, "section": item.section, "of": item.marks, "marks": item.marks if right else 0.0, "status": "right" if right else "wrong",
                     "message": "" if right else f"row {number % 97} is <b>1</b>, expected '0'"})
    return {"student": submission.name, "rows": rows, "total": round(sum(r["marks"] for r in rows), 2), "made": [], "notes": []}


def grades(task, log=None, seconds=0):
    """A stand-in for `common.grading.machines.threads.grade_here`; whom it graded is added to `log`."""
    def grade_here(way, waiting, jobs=2):
        for submission, only, old in waiting:
            time.sleep(seconds)
            if log is not None:
                log.append((submission.name, only))
            result = result_for(task, submission)
            if only:
                result["rows"] = [n if n["name"] == only else o for n, o in zip(result["rows"], old["rows"])]
                result["total"] = round(sum(r["marks"] for r in result["rows"]), 2)
            yield submission, result, None
    return grade_here
