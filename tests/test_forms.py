"""A check that tries several forms of data says what the form that got furthest says."""

import numpy as np
import pytest

from common.exercises.answer_form import one_of, require
from common.exercises.exercise import Wrong
from common.exercises.reference import load
from common.grading.tasks import TASKS, task_of


class Remote(Exception):
    """As what comes out of the sandbox."""

    def __init__(self, line):
        super().__init__(line)
        self.line = f" (line {line} of f)"


def raising(error):
    def check():
        raise error

    return check


def needing(*conditions):
    """A check whose requirements are met or not."""
    def check():
        for number, condition in enumerate(conditions):
            require(condition, f"requirement {number}")
        return "note"

    return check


@pytest.mark.parametrize("checks, said", [
    ([needing(False), needing(True, True, False), needing(True, False)], "requirement 2"),
    ([raising(TypeError("no lists")), needing(False)], "requirement 0"),
    ([needing(True, False), raising(TypeError("no lists"))], "requirement 1"),
    ([raising(TypeError("first")), raising(ValueError("second"))], "first"),
    ([raising(Remote(2)), raising(Remote(11)), raising(Remote(9))], "11"),
    ([raising(ValueError("got shape (14, 4)")), raising(ValueError("13 boxes, 14 decisions"))], "13 boxes"),
    ([raising(ValueError("13 boxes, 14 decisions")), raising(TypeError("list indices must be integers"))], "13 boxes"),
    ([raising(TypeError("list indices")), raising(ValueError("got shape (14, 4)"))], "list indices"),
])
def test_the_one_that_got_furthest_speaks(checks, said):
    with pytest.raises(Exception, match=said):
        one_of(checks)


def test_one_that_passes_is_enough():
    assert one_of([needing(False), needing(True), raising(AssertionError())]) == "note"


def test_a_sandbox_that_is_gone_is_not_asked_again():
    gone = Exception("took too long")
    gone.plain = True
    asked = []
    with pytest.raises(Wrong, match="requirement 0"):
        one_of([needing(False), raising(gone), lambda: asked.append(1)])
    with pytest.raises(Exception, match="took too long"):
        one_of([raising(gone), lambda: asked.append(1)])
    assert not asked


def test_no_one_reads_of_a_form_that_is_not_his():
    """Who keeps lists reads about his lists, though arrays are tried first, and the other way round."""
    from coursework import judged

    from RegionDetector.exercises import TASK

    def of_lists(thresholds, recall):
        return sorted(zip(recall + [], thresholds))[0][1]  # arrays would not be added so

    def of_arrays(thresholds, recall):
        return thresholds[np.asarray(recall) < 0.85].nothing

    assert "the answer should be" in judged(TASK, "get_threshold", of_lists, lenient=True).message
    assert "nothing" in judged(TASK, "get_threshold", of_arrays, lenient=True).message


@pytest.mark.parametrize("task", TASKS)
def test_what_exercises_name_is_there(task):
    """Forms and stand-ins are named by text: one that has moved would cost a student's marks without a word."""
    named = [path for item in task_of(task).exercises for path in (*item.forms, item.stand_in, item.answer) if path]
    assert named and [path for path in named if load(path) is None] == []
