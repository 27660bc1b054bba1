"""Checks of the threshold, on curves that run either way."""

import numpy as np

from common.exercises.answer_form import aside, numbers, one_of, require
from RegionDetector.checks.curves import curve, staged_detections


def _threshold_cases():
    yield np.array([0.05, 0.2, 0.3, 0.45, 0.6, 0.8, np.inf]), np.array([1.0, 0.95, 0.9, 0.85, 0.8, 0.5, 0.0]), 3
    yield np.array([-3.0, -1.5, -0.4, 0.7, 2.4, np.inf]), np.array([1.0, 0.92, 0.88, 0.845, 0.3, 0.0]), 2  # of logits the right one may lie below 0
    yield np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.99, 0.97, 0.91, 0.88]), 3


def check_get_threshold(f, kit):
    """The greatest threshold at which 85 % of the faces are still found, on curves as the student's own function gives them: lists or arrays, rising or falling.

    Wherever the published course's notebooks come from, either way counts, and either type.
    """
    if kit.lenient:
        both = [lambda way=way: _check_threshold(f, way, np.array) for way in (1, -1)]
        one_of([*both, lambda: _check_threshold(f, 1, list), lambda: _check_threshold(f, -1, list)])
        return
    pred, true, decision, _, _ = staged_detections()
    try:
        _, _, thresholds = curve(kit.other("precision_recall_curve")(pred, true, decision))
        way, kind = 1 if thresholds[0] <= thresholds[-1] else -1, list if isinstance(thresholds, list) else np.array
    except Exception:  # that one is not right yet
        way, kind = 1, np.array
    _check_threshold(f, way, kind)


def _check_threshold(f, way, kind):
    runs = "The thresholds rise along the curve, and the recall falls" if way == 1 else "The thresholds fall along the curve, and the recall rises"
    for thresholds, recall, right in _threshold_cases():
        t, r = (kind(part[::way].tolist()) for part in (thresholds, recall))
        value = _asked(f, t, r)
        require(not isinstance(value, (bool, np.bool_)), f"the threshold: expected a number, got {value}")
        value = numbers(value, "the threshold").ravel()
        require(len(value) == 1, f"expected one number, got {len(value)}: {value[:4].tolist()}")
        value, low = float(value[0]), thresholds[right - 1]
        if low < value <= thresholds[right] + 1e-6:
            continue
        points = ", ".join(f"{t:g}: {r:g}" for t, r in zip(thresholds[::way], recall[::way]))
        fault = f"of the thresholds (and their recalls) {points} the answer should be {thresholds[right]:g}; got {value:g}"
        if recall[right] == 0.85 and abs(value - low) < 1e-9 and _only_equal_is_lost(f, way, kind):
            fault += ". A recall of exactly 0.85 is enough: >= instead of >"
        elif _right_on_the_other_way(f, -way, kind):
            fault += f". It is right for a curve that runs the other way. {runs}" + ("" if way == 1 else ", as your own precision_recall_curve gives them")
        elif _always(f, value, kind):
            fault += f". It is {value:g} for every curve: look in the thresholds and recalls that are handed in"
        elif abs(value - thresholds[0]) < 1e-9 or any(abs(value - t) < 1e-9 for t in thresholds[:right]):
            fault += ". A greater threshold finds 85 % as well, and lets fewer false boxes through"
        elif any(value == t or abs(value - t) < 1e-9 for t in thresholds[right + 1 :] if np.isfinite(t) or value == t):
            fault += f". There only {recall[[t == value or abs(t - value) < 1e-9 for t in thresholds].index(True)]:.0%} of the faces are found: the other side of 0.85"
        elif abs(value - right) < 1e-9 or abs(value - (len(thresholds) - 1 - right)) < 1e-9:
            fault += ". That is the place of the threshold, not the threshold"
        elif value == 0 and thresholds[right] < 0:
            fault += ". Thresholds may lie below 0: who looks for the greatest begins with minus infinity, not with 0"
        elif any(abs(value - r) < 1e-9 for r in recall):
            fault += ". That is a recall, not a threshold"
        elif value <= low:
            fault += ". That is no threshold of the curve, and a greater one finds 85 % as well: take one of the curve"
        elif value > thresholds[right]:
            fault += f". Above {thresholds[right]:g} fewer than 85 % are found: take a threshold of the curve, not one in between"
        require(False, fault)


def _asked(f, thresholds, recall):
    """Its answer; who finds nothing in the curve hears what it looks for."""
    try:
        return f(thresholds, recall)
    except Exception as error:
        if getattr(error, "kind", type(error).__name__) in ("ValueError", "IndexError", "StopIteration"):
            nearest = np.arange(len(recall)) == np.argmin(np.abs(np.subtract(recall, 0.85)))
            require(not _answers(f, thresholds, np.multiply(100, recall)), "no recall is as great as it asks for: recall is a share, from 0 to 1, so 85 % is 0.85")
            require(not _answers(f, thresholds, np.where(nearest, 0.85, recall)), "it looks for a recall of exactly 0.85, and this curve has none: ask for at least 0.85")
        raise


@aside()
def _answers(f, thresholds, recall):
    try:
        f(thresholds, recall.tolist() if isinstance(thresholds, list) else recall)
    except Exception:
        return False
    return True


@aside()
def _only_equal_is_lost(f, way, kind):
    """Is it right on the curves on which no recall is exactly 0.85?"""
    for thresholds, recall, right in _threshold_cases():
        if recall[right] != 0.85 and not thresholds[right - 1] < float(np.ravel(f(*(kind(part[::way].tolist()) for part in (thresholds, recall))))[0]) <= thresholds[right] + 1e-6:
            return False
    return True


@aside()
def _always(f, value, kind):
    """Is this its answer, whatever it is asked?"""
    try:
        return all(float(np.ravel(f(kind(t.tolist()), kind(r.tolist())))[0]) == value for t, r, _ in _threshold_cases())
    except Exception:
        return False


@aside()
def _right_on_the_other_way(f, way, kind):
    for thresholds, recall, right in _threshold_cases():
        try:
            value = float(np.ravel(f(*(kind(part[::way].tolist()) for part in (thresholds, recall))))[0])
        except Exception:
            return False
        if not thresholds[right - 1] < value <= thresholds[right] + 1e-6:
            return False
    return True


def one_number(answer):
    """A threshold as the notebook goes on with it: the number in an array of one."""
    return float(np.ravel(answer)[0]) if isinstance(answer, (np.ndarray, np.generic, list, tuple)) and np.size(answer) == 1 and np.asarray(answer).dtype.kind in "biuf" else answer
