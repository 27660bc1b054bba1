"""What a student's page shows of a call: small, and the call that the message is about."""

import numpy as np
import pytest

from common.grading.calls import MOST, Calls, call_text, small


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


def test_what_the_reference_cannot_answer_is_left_out():
    calls = Calls()
    calls.add("f", (), {}, 1)
    assert calls.told("f", "", lambda *call: 1 / 0) == {"asked": "f()", "came": "1"}
    assert calls.told("f", "", None, "two") == {"asked": "f()", "came": "1", "expected": "two"}
    assert call_text("f", (1,), {"k": "v"}) == "f(1, k='v')"
