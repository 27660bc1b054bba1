"""What a student's page shows of a call: small, and the call that the message is about."""

import os

import numpy as np
import pytest

from common.exercises.answer_form import aside, one_of, require
from common.exercises.exercise import WRONG, Exercise, Local, Task, judge
from common.grading.calls import MOST, Calls, call_text, small
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from RegionDetector.exercises import TASK
from TrackDetector.exercises import TASK as TRACK


@pytest.mark.parametrize("value, shown", [
    (3.25, "3.25"), (np.float32(0.5), "0.5"), ("a" * 500, "'" + "a" * (MOST - 4) + "..."), (np.zeros((5, 32, 32, 3), np.uint8), "pictures 5 x 32 x 32 x 3 (uint8)"),
    (np.array([1.0, 2.5]), "[1, 2.5]"), (np.zeros((0, 5)), "0 x 5 numbers: []"), ([[0, 1], [2]], "[[0, 1], [2]]"), ({"a": "b", "c": 1, "d": 2}, "{'a': 'b', 'c': 1, ... (3 together)}"),
    (["x", "y"], "['x', 'y']"), ((), "()"), ([None] * 9, "[None, None, None, ... (9 together)]"),
])
def test_small(value, shown):
    assert small(value) == shown


def test_anything_can_be_shown():
    """Whatever comes out of a sandbox; what is shown must not cost marks."""
    for value in (np.array(["a", 1], object), [np.zeros(3), "x"], np.array(float("nan")), {1: {2: {3: [4] * 100}}}, [[[]]], np.zeros((2, 0, 3)), b"\xff" * 1000, "\ud800", 10**400):
        assert len(small(value)) <= MOST
        Calls().told("f", "message")


def test_the_call_that_the_message_is_about():
    calls = Calls()
    for box in ([0, 0, 32, 32], [5, 6, 37, 38], [9, 9, 41, 41]):
        calls.add("gen_negative_bbox", ((100, 100, 3), (32, 32), np.zeros((0, 4))), {}, box)
    told = calls.told("gen_negative_bbox", "the box [5, 6, 37, 38] touches the face", lambda name, args, kwargs: [1, 2, 3, 4])
    assert told == {"asked": "gen_negative_bbox((100, 100, 3), (32, 32), 0 x 4 numbers: [])", "came": "[5, 6, 37, 38]", "expected": "[1, 2, 3, 4]"}
    calls.add("gen_negative_bbox", (1,), {"rng": 0}, error=ValueError("no room"))
    calls.add("gen_negative_bbox", (2,), {}, [1])
    assert calls.told("gen_negative_bbox", "It raises ValueError: no room") == {"asked": "gen_negative_bbox(1, rng=0)", "came": "ValueError: no room"}
    assert calls.told("detect", "anything") == {}


def test_of_several_forms_the_call_of_the_one_that_speaks():
    """Those that were made for other forms, after its fault or before, are not about it; nor those of a check before."""
    def form(name, *met, quotes=False):
        def check():
            for k, condition in enumerate(met):
                calls.add("f", (name, k), {}, k)
                require(condition, f"{name} {k}")
            calls.add("f", (name, "end"), {}, error=TypeError("no more"))
            raise TypeError("no more" if quotes else name)

        return check

    a, b, c = form("a", True), form("b", True, True, False), form("c", quotes=True)
    for forms, asked in (((a, b, c), "f('b', 2)"), ((b, c, a), "f('b', 2)"), ((c, a), "f('a', 'end')"), ((c, c), "f('c', 'end')"), ((lambda: one_of([c, b]), c, a), "f('b', 2)")):
        calls = Calls()
        item = Exercise("f", "", 1, lambda f, kit, forms=forms: one_of(forms), (), "no:where")
        verdict = judge(item, None, Local(Task("Toy", (item,))))
        assert calls.told("f", verdict.message, until=verdict.calls)["asked"] == asked
        calls.add("f", ("later",), {}, 1)
        assert calls.told("f", verdict.message, until=verdict.calls)["asked"] == asked and calls.told("f", "")["asked"] == "f('later',)".replace(",)", ")")
    assert Calls().told("f", verdict.message, until=verdict.calls) == {}


def test_what_looks_for_the_reason_is_not_what_the_fault_is_about():
    calls = Calls()
    calls.add("f", (1,), {}, 1)
    with pytest.raises(ZeroDivisionError), aside():
        with aside():
            calls.add("f", (2,), {}, 1)
        calls.add("f", (3,), {}, 1)
        raise ZeroDivisionError
    assert calls.told("f", "")["asked"] == "f(1)"
    calls.add("f", (4,), {}, 1)
    assert calls.told("f", "")["asked"] == "f(4)"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")
@pytest.mark.parametrize("name, text, came", [
    ("get_threshold", "def get_threshold(thresholds, recall):\n    return thresholds[recall > 0.85].max()", "0.3"),
    ("get_threshold", "def get_threshold(thresholds, recall):\n    return np.asarray(thresholds)[np.asarray(recall) >= 85].max()", "ValueError: zero-size array to reduction operation maximum which has no identity"),
    ("get_threshold", "def get_threshold(thresholds, recall):\n    return sorted(zip(recall + [], thresholds))[0][1]", "inf"),
    ("get_threshold", "def get_threshold(thresholds, recall):\n    return (thresholds, recall.shape)[5]", "IndexError: tuple index out of range"),
])
def test_the_page_shows_what_the_message_is_about(sandbox, name, text, came):
    """The other form of the data raises something else, or works."""
    grader = Grader(TASK, collect([]), sandbox)
    verdict = grader.check(TASK.by_name[name], collect(["import numpy as np", text]))
    assert verdict.status == WRONG and grader.told[name]["came"] == came, (verdict, grader.told)
    said = grader.told[name]["came"]
    assert said.partition(": ")[2] in verdict.message or "is 0.85" in verdict.message


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")
def test_what_is_drawn_to_show_what_was_expected_is_the_same_each_time(sandbox):
    wrong, told = collect(["def gen_negative_bbox(image_shape, bbox_size, true_bboxes, rng=None):\n    return [0, 0, 5, 5]"]), []
    for _ in range(2):
        grader = Grader(TASK, collect([]), sandbox, seed=3)
        assert grader.check(TASK.by_name["gen_negative_bbox"], wrong).status == WRONG
        told.append(grader.told["gen_negative_bbox"])
    assert told[0] == told[1] and "expected" in told[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")
def test_the_grader_reads_no_files_that_a_submission_had_in_hand(sandbox):
    """To show what was expected, it called the reference with the folder: gone by then, so that other people's photos were shown, or full of the submission's links."""
    grader = Grader(TRACK, collect([]), sandbox)
    assert grader.check(TRACK.by_name["load_image_data"], collect(["def load_image_data(dir_name):\n    return {}, {}, {}, {}"])).status == WRONG
    told = grader.told["load_image_data"]
    assert told["asked"].startswith("load_image_data(") and told["came"].startswith("({}, {}") and "expected" not in told


def test_what_the_reference_cannot_answer_is_left_out():
    calls = Calls()
    calls.add("f", (), {}, 1)
    assert calls.told("f", "", lambda *call: 1 / 0) == {"asked": "f()", "came": "1"}
    assert calls.told("f", "", None, "two") == {"asked": "f()", "came": "1", "expected": "two"}
    assert call_text("f", (1,), {"k": "v"}) == "f(1, k='v')"
