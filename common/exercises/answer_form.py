"""What checks share: reading a student's answer, whatever its type, and putting a finding into words."""

import contextlib
import re
import threading

import numpy as np

from common.exercises.errors import raised_at
from common.exercises.exercise import Wrong

_passed = threading.local()  # several submissions are judged at a time


def require(condition, message, expected=""):
    """Raise `Wrong` with the message unless the condition holds; `expected` is what was expected, in a few words."""
    if not condition:
        raise Wrong(message, expected)
    _passed.count = getattr(_passed, "count", 0) + 1


def count_call():
    """The number of a call into the sandbox, so that a fault can say which calls came before it; None for calls made inside `aside`."""
    _passed.calls = getattr(_passed, "calls", 0) + 1
    return None if getattr(_passed, "aside", False) else _passed.calls


@contextlib.contextmanager
def aside():
    """Block or decorator for calls that only look for the reason of a fault: the message about the fault leaves them out."""
    before, _passed.aside = getattr(_passed, "aside", False), True
    try:
        yield
    finally:
        _passed.aside = before


def after_calls(error):
    """The fault, with the number of the last call before it as `calls`, for a check that goes on and may come back to it."""
    error.calls = getattr(error, "calls", None) or getattr(_passed, "calls", 0)
    return error


_OF_A_FORM = re.compile(r"\b(lists?|(nd)?arrays?|shapes?)\b|for [/+]: '(str|\w*Path)' and|'(str|\w*Path)' object")


def met():
    """How many requirements have been met so far, for `how_far`."""
    return getattr(_passed, "count", 0)


def how_far(error, before):
    """How far a check got before this: requirements met since there were `before`, an answer rather than an exception, the line of the exception.

    At the same line, what is not about lists, arrays and shapes, nor about a folder as text or as path, is likelier the student's own fault than
    that of a form which is not his.
    """
    line = re.search(r"\(line (\d+) ", raised_at(error))
    return met() - before, isinstance(error, Wrong), int(line[1]) if line else 0, not _OF_A_FORM.search(str(error))


def one_of(checks):
    """Pass if one of the checks does; else raise what the one that got furthest raises, of equals the first.

    Checks are the same for several forms of data (arrays or lists, pixels up to 255 or up to 1). Who works with one of these should not
    read about another, which fails at once; nor see what came of the calls for it (see `after_calls`).
    """
    faults = []
    for check in checks:
        before = met()
        try:
            return check()
        except Exception as error:
            if getattr(error, "plain", False):  # the sandbox is no more
                if not faults:
                    raise
                break
            faults.append((how_far(error, before), after_calls(error)))
    raise max(faults, key=lambda fault: fault[0])[1]


def numbers(value, what, columns=None):
    """A student's answer as a float array: lists, tuples, rows or arrays; `Wrong` if it is none.

    Parameters
    ----------
    value : object
    what : str
        What the message calls it.
    columns : int, optional
        The answer must be rows of this many numbers, (N, columns); an empty list is (0, columns).
    """
    require(value is not None, f"{what}: got None; is there a `return`?")
    try:
        array = np.asarray(value, dtype=float)
        text = np.asarray(value).dtype.kind in "SU"  # numpy reads numbers out of it, and the cells below do not
    except (TypeError, ValueError):
        array, text = None, True
    if text:
        raise Wrong(f"{what}: expected numbers, got {type(value).__name__} {short(value)}")
    if columns is not None:
        if array.size == 0:
            return np.zeros((0, columns))
        require(array.ndim == 2 and array.shape[1] == columns,
                f"{what}: expected rows of {columns} numbers, shape (N, {columns}); got shape {array.shape}")
    require(not np.isnan(array).any(), f"{what}: holds NaN")
    return array


def parts(value, count, what):
    """A tuple or list of `count` answers, as `return a, b` gives it."""
    require(value is not None, f"expected {what}, got None; is there a `return`?")
    several = isinstance(value, np.ndarray) and (value.ndim > 2 or (value.ndim == 1 and value.dtype == object))  # two packed into one array
    require((isinstance(value, (tuple, list)) or several) and len(value) == count,
            f"expected {count} answers, {what}; got {type(value).__name__}{f' of {len(value)}' if hasattr(value, '__len__') else ''}")
    return value


def short(value):
    """A value in at most 60 letters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def box_text(box):
    """A box as a student would write it.

    Examples
    --------
    >>> box_text([1.0, 2.5, 33.0, 34.5])
    '[1, 2.5, 33, 34.5]'
    """
    return "[" + ", ".join(f"{round(float(v), 1):g}" for v in np.ravel(box)) + "]"


def overlap(a, b):
    """IoU of two boxes of four numbers."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = size.prod()
    either = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both
    return float(both / either) if either > 0 else 0.0


def softmax(x):
    """Probabilities over the last axis; answers that are probabilities already stay as they are."""
    x = np.asarray(x, float)
    if (x >= 0).all() and np.allclose(x.sum(axis=-1), 1, atol=1e-3):
        return x
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
