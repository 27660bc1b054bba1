"""The two tasks as the grader sees them: their names, notebooks, exercises and scores."""

import ast
import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("RegionDetector", "TrackDetector")
NOTEBOOKS = {"RegionDetector": "Face_Detection.ipynb", "TrackDetector": "Face_Recognition_task.ipynb"}


def task_of(name):
    """The exercises and scores of a task.

    Parameters
    ----------
    name : {"RegionDetector", "TrackDetector"}

    Returns
    -------
    common.exercises.exercise.Task
    """
    return importlib.import_module(f"{name}.exercises").TASK


def measured_by(name):
    """The module with a task's `fresh_data` and `measure`."""
    return importlib.import_module(f"{name}.checks.measured")


def cells_of(name):
    """The code cells of a task's own notebook."""
    from common.grading.notebook_source import read_cells

    return read_cells(ROOT / name / NOTEBOOKS[name])


def prelude_of(name):
    """What the task's own notebook imports and defines; a submission may rely on it.

    Returns
    -------
    common.grading.needed.Source
    """
    from common.grading.notebook_source import collect

    source = collect(cells_of(name))
    kits_own = ("import sys", *(f"from {task}.exercises" for task in TASKS))
    source.statements = [s for s in source.statements if not s.startswith(kits_own)]
    return source


def modules_of(name):
    """The modules that a task's own notebook imports; most submissions import them, too.

    Returns
    -------
    list of str
        Among them names of functions that are imported from a module, as they look the same.
    """
    found = [f"{name}.exercises"]
    for node in (n for text in prelude_of(name).statements for n in ast.parse(text).body):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return list(dict.fromkeys(found))
