"""The code cells of a notebook, run one by one with a student's answers in the place of the references, on little data."""

import copy
import json
import os
import sys
import time
from pathlib import Path

from coursework import NOTEBOOKS
from matplotlib import pyplot as plt

from common.exercises.reference import load
from common.files import folder_to_write
from common.grading.notebook_source import without_magics

ROOT = Path(__file__).resolve().parent.parent


def quiet(*args, **kwargs):
    """What `check` and the like do here: nothing; the checks have tests of their own."""


class Cells:
    """A notebook whose cells are run by their ids.

    Parameters
    ----------
    task : common.exercises.exercise.Task
    settings : dict
        Variables that come after the cell of settings.
    """

    def __init__(self, task, **settings):
        self.cells = self.sources(task)
        self.task, self.space = task, {"os": os, "sys": sys, "time": time, "Path": Path, "ROOT": ROOT, "folder_to_write": folder_to_write}
        self.run("parameters" if "parameters" in self.cells else "settings")
        self.space.update(settings)
        self.run("imports")
        self.space.update(dict.fromkeys(("check", "target", "marks", "hint"), quiet))
        self.space.update({item.name: load(item.answer) for item in task.exercises})

    @staticmethod
    def sources(task):
        """The code of a task's notebook: id of the cell to its text."""
        notebook = json.loads((ROOT / task.name / NOTEBOOKS[task.name]).read_text(encoding="utf-8"))
        return {c["id"]: "".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"}

    def run(self, *ids):
        """Run cells; what they name is in `space` afterwards."""
        for name in ids:
            exec(compile(without_magics(self.cells[name]), f"<cell {name}>", "exec"), self.space)
        plt.close("all")
        return self

    def with_answers(self, **answers):
        """The notebook as it stands, with functions of a student's from here on; what its cells change there, they change there only."""
        other = object.__new__(Cells)
        other.cells, own = self.cells, type(self.task)(self.task.name, self.task.exercises, self.task.scores)
        other.task = own
        other.space = {name: copy.copy(value) if isinstance(value, (dict, list)) else value for name, value in self.space.items()}
        for name, f in answers.items():
            if not isinstance(f, type):
                f.__name__ = name
            else:
                f = type(name, (f,), {})
            other.space[name] = own.exercise(f)
        return other
