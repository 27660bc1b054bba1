"""What a check asked of a submission, what came, and what the reference answers: in a few words, for the student's page."""

from collections import deque

import numpy as np

from common.exercises.answer_form import box_text, count_call

MOST = 160
TOLD = ("asked", "came", "expected")
_FEW = 8  # numbers that are shown one by one


def _numbers(array):
    return "[" + ", ".join(f"{round(float(v), 3):g}" for v in np.ravel(array)[:_FEW]) + (", ...]" if array.size > _FEW else "]")


def _network(value):
    """A network by what it takes and gives; None if this is none."""
    if not hasattr(value, "get_weights") or not hasattr(value, "predict"):
        return None
    sizes = [getattr(value, name, None) for name in ("input_shape", "output_shape")]
    shown = [str(tuple(s[1:])).replace("None", "any") if isinstance(s, (tuple, list)) else "?" for s in sizes]
    return f"a network from {shown[0]} to {shown[1]}"


def _of_array(array):
    size = " x ".join(map(str, array.shape))
    if array.dtype.kind not in "biufUS":
        return f"{size} objects"
    if array.dtype.kind not in "biufUS":
        return f"{size} objects"
    if array.dtype.kind in "US":
        return f"{array.size} texts: {', '.join(map(repr, array.ravel()[:3].tolist()))}" + (", ..." if array.size > 3 else "")
    if array.ndim >= 3:
        return f"{'a picture' if array.ndim == 3 else 'pictures'} {size} ({array.dtype})"
    if array.ndim == 2:
        return f"{size} numbers: {_numbers(array[:1])}" + (", ..." if len(array) > 1 else "")
    return _numbers(array) if array.size <= _FEW else f"{size} numbers: {_numbers(array)}"


def _of_list(value):
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.array(None)
    if len(value) and array.dtype.kind in "biufUS" and (array.ndim > 1 or array.size > _FEW):
        return f"a {type(value).__name__} of {_of_array(array)}"
    if len(value) and array.dtype.kind in "biuf" and array.ndim == 1:
        inside = _numbers(array)[1:-1]
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    inside = ", ".join(small(v) for v in value[:3]) + (f", ... ({len(value)} together)" if len(value) > 3 else "")
    return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"


def small(value):
    """A value in a few words.

    Examples
    --------
    >>> small([[0, 1.5, 2, 3, 4]] * 7)
    'a list of 7 x 5 numbers: [0, 1.5, 2, 3, 4], ...'
    >>> small({"a.png": "anna"}), small(None), small((3, "x"))
    ("{'a.png': 'anna'}", 'None', "(3, 'x')")
    """
    text = _network(value)
    if text is not None:
        return text
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, np.ndarray):
        text = _of_array(value)
    elif isinstance(value, (list, tuple)):
        text = _of_list(value)
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{k!r}: {small(v)}" for k, v in list(value.items())[:2]) + (f", ... ({len(value)} together)" if len(value) > 2 else "") + "}"
    else:
        text = " ".join(repr(value).split())
    return text if len(text) <= MOST else text[: MOST - 3] + "..."


def call_text(name, args, kwargs):
    """A call as one would write it, with small arguments."""
    return f"{name}({', '.join([*(small(a) for a in args), *(f'{k}={small(v)}' for k, v in kwargs.items())])})"


class Calls:
    """The calls that a check makes of the student's functions and objects, with their answers.

    Attributes
    ----------
    made : deque of (str, tuple, dict, object, Exception or None, int or None)
        Name, arguments, answer, or what was raised, number (see `count_call`); the last ones.
    """

    def __init__(self, most=400):
        self.made = deque(maxlen=most)

    def add(self, name, args, kwargs, answer=None, error=None):
        """Remember a call."""
        self.made.append((name, args, kwargs, answer, error, count_call()))

    def _meant(self, name, message, until):
        """The call that a message is about: of a function of this name, or of its object; what it quotes was raised or answered, else the last."""
        calls = [c for c in self.made if c[0].partition(".")[0] == name and c[5] is not None and (until is None or c[5] <= until)]
        raised = [c for c in calls if c[4] is not None and str(c[4])[:60] in message]
        if raised:
            return raised[-1]
        for call in reversed(calls):
            try:
                if np.ndim(call[3]) == 1 and 2 <= len(call[3]) <= _FEW and box_text(call[3]) in message:
                    return call
            except (TypeError, ValueError):  # it is no row of numbers
                continue
        return calls[-1] if calls else None

    def told(self, name, message, reference=None, expected=None, until=None):
        """What was asked, what came, what was expected.

        Parameters
        ----------
        name : str
            The exercise.
        message : str
            The verdict's; it may quote an answer.
        reference : callable, optional
            ``reference(name, args, kwargs)`` answers the same call.
        expected : str, optional
            What the check itself says about that.
        until : int, optional
            Number of the last call that the message may be about: a check that is done for several forms of data goes on after its fault.

        Returns
        -------
        dict of str to str
            ``asked``, ``came`` and ``expected``, as far as they are known; empty if nothing was asked.
        """
        call = self._meant(name, message, until)
        if call is None:
            return {}
        name, args, kwargs, answer, error, _ = call
        told = {"asked": call_text(name, args, kwargs), "came": small(answer) if error is None else f"{getattr(error, 'kind', type(error).__name__)}: {error}"[:MOST]}
        if expected is None and reference is not None:
            try:
                answer = reference(name, args, kwargs)
                expected = None if answer is None else small(answer)
            except Exception:  # it cannot answer this one; the message says what is wrong
                expected = None
        return told | ({"expected": expected} if expected is not None else {})
