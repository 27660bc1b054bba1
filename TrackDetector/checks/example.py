"""The worked example of the notebook: how an exercise goes, with a function that everybody can write."""

import numpy as np

from common.exercises.exercise import Exercise, Task, Wrong


def distance(a, b):
    """How far two descriptors are apart: the root of the sum of the squared differences."""
    return np.sqrt(((a - b) ** 2).sum())


def check_distance(f, kit):
    """Euclidean distances of small vectors."""
    for a, b, right in (((0, 0), (3, 4), 5), ((1, 1, 1), (1, 1, 1), 0), ((1, 2, 2), (0, 0, 0), 3)):
        got = f(np.array(a, float), np.array(b, float))
        try:
            value = float(got)
        except (TypeError, ValueError):
            raise Wrong(f"a distance is one number, got {got!r}" + ("; is there a `return`?" if got is None else "")) from None
        if abs(value - right) > 1e-6:
            apart = np.subtract(a, b)
            reason = (": the differences themselves are added up, not their squares" if value == np.abs(apart).sum() else
                      ": the root is missing" if value == (apart**2).sum() else ": differences of both signs cancel" if value == abs(apart.sum()) else "")
            raise Wrong(f"from {list(a)} to {list(b)} it is {right}; got {value:g}{reason}")


EXAMPLE = Task("TrackDetector", (
    Exercise("distance", "example", 0, check_distance, ("Square the differences, add them up, take the root; np.linalg.norm does all three.",),
             "TrackDetector.checks.example:distance", takes=("a", "b")),
))
