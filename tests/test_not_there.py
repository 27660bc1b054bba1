"""What a notebook lacks when it is graded: a name that is spelt otherwise, and one in a cell that is no Python, are told by that name."""

import sys

import pytest

from common.exercises.exercise import NOT_ATTEMPTED, WRONG
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.tasks import prelude_of, task_of

ANSWER = "def get_threshold(thresholds, recall):\n    return max(t for t, r in zip(thresholds, recall) if r >= {least})"
READ_AS = f"(read as Python {sys.version_info.major}.{sys.version_info.minor})"


def graded(sandbox, *cells):
    task = task_of("RegionDetector")
    return Grader(task, prelude_of("RegionDetector"), sandbox).check(task.by_name["get_threshold"], collect(cells))


@pytest.mark.parametrize("cell, least, said", [
    ("LEAST = (0.85\n", "LEAST", "What makes `LEAST` does not parse: '(' was never closed, at: LEAST = (0.85"),
    ("def least(:\n    return 0.85", "least()", "What makes `least` does not parse: "),
    ("LEAST: float = 0.85 0.9", "LEAST", "What makes `LEAST` does not parse: "),
    ("x = (3", "LEAST", "name 'LEAST' is not defined"),
])  # fmt: skip
def test_a_name_in_a_cell_that_is_no_python(sandbox, cell, least, said):
    verdict = graded(sandbox, cell, ANSWER.format(least=least))
    assert verdict.status == WRONG and said in verdict.message and (READ_AS in verdict.message) == ("does not parse" in said), verdict


def test_a_function_that_is_no_python():
    source = collect(["def get_threshold(thresholds, recall):\n    return 0.85 0.9"])
    task = task_of("RegionDetector")
    message = Grader(task, None, None).check(task.by_name["get_threshold"], source).message
    assert message.startswith("It does not parse: ") and message.endswith(f"{READ_AS}.")


@pytest.mark.parametrize("name, like", [("get_treshold", "get_treshold"), ("getThreshold", "getThreshold"), ("get_thresholds", "get_thresholds"), ("detect", ""), ("plot_curve", "")])
def test_a_name_that_is_spelt_otherwise(name, like):
    task = task_of("RegionDetector")
    verdict = Grader(task, None, None).check(task.by_name["get_threshold"], collect([ANSWER.format(least=0.85).replace("get_threshold", name)]))
    assert verdict.status == NOT_ATTEMPTED and ("Is `" in verdict.message) == bool(like) and like in verdict.message, verdict
