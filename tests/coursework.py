"""Solved, half-done, wrong and hostile notebooks, made from the kit's own."""

import json
import re
from pathlib import Path

from common import device
from common.exercises.exercise import WRONG, Local, judge
from common.exercises.reference import source_of
from common.grading.tasks import NOTEBOOKS

ROOT = Path(__file__).resolve().parent.parent


def answer(item):
    """The reference's source, as a student would hand it in."""
    text = source_of(item)
    return re.sub(rf"^(def|class) {item.name}\b", rf"@exercise\n\1 {item.name}", text, flags=re.M)


def solved(task, instead=(), folder=ROOT):
    """The task's notebook with the answers in the place of the stubs.

    Parameters
    ----------
    task : common.exercises.exercise.Task
    instead : dict of str to str or None
        Other sources for some exercises; None leaves the stub.
    """
    instead = dict(instead)
    notebook = json.loads((Path(folder) / task.name / NOTEBOOKS[task.name]).read_text(encoding="utf-8"))
    for item in task.exercises:
        for cell in notebook["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code" and re.search(rf"^@exercise\n(def|class) {item.name}\b", text, re.M):
                new = instead.get(item.name, "answer")
                cell["source"] = text if new is None else answer(item) if new == "answer" else new
    return notebook


def code_notebook(cells):
    """A notebook of nothing but these code cells."""
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {},
            "cells": [{"cell_type": "code", "id": f"c{k}", "metadata": {}, "source": text, "outputs": [], "execution_count": None} for k, text in enumerate(cells)]}


def hand_in(folder, name, notebook):
    """Write a submission; its path."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"{name}.ipynb"
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8")
    return path


def judged(task, name, f, lenient=False, **others):
    """The verdict on a function of a student who has also written `others`; the same every time, and `lenient` as in grading."""
    device.seed_everything(0)
    own = type(task)(task.name, task.exercises, task.scores)
    for other, function in others.items():
        function.__name__ = other
        own.exercise(function)
    return judge(own.by_name[name], f, Local(own, lenient=lenient))


def rejected(task, name, f, diagnosis, lenient=False, **others):
    """The verdict must be "wrong", for this reason."""
    answer = judged(task, name, f, lenient, **others)
    assert answer.status == WRONG and diagnosis in answer.message, answer
