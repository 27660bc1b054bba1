"""Which exercise a function answers, by whatever name it goes: a lambda, an alias, what a decorator without `functools.wraps` made of it."""

import difflib
import sys


def _in_the_notebook(f, known):
    """The exercise whose name stands for just this object where the kit was called from; None if none does."""
    frame = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(__package__):
        frame = frame.f_back
    return next((name for name in known if frame is not None and frame.f_globals.get(name) is f), None)


def _wrapped(f):
    """Functions that a decorator or a partial has put into another one."""
    for cell in getattr(f, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it is empty yet
            continue
    if hasattr(f, "func"):
        yield f.func


def exercise_of(f, known):
    """The name of the exercise that a function answers.

    Parameters
    ----------
    f : callable or str
    known : collection of str
        Names of exercises.

    Raises
    ------
    ValueError
        If there is none; the message says what may be amiss.
    """
    if isinstance(f, str):
        names = [f]
    else:
        names = [getattr(f, "exercise_name", ""), getattr(f, "__name__", ""), _in_the_notebook(f, known), *(getattr(inner, "__name__", "") for inner in _wrapped(f))]
    name = next((n for n in names if n in known), None)
    if name and (isinstance(f, str) or callable(f)):
        return name
    if name:
        raise ValueError(f"{name} is no function here, but {type(f).__name__}: a line such as {name} = {name}(...) has given its name to something else. Give that another name, "
                         f"and run the cell again that begins with `def {name}` or `class {name}`")
    own = next((n for n in names if n), type(f).__name__)
    like = difflib.get_close_matches(own, known, 1, 0.75)
    raise ValueError(f"there is no exercise {own!r} in this task{f': is {like[0]} meant?' if like else ''}; there are {', '.join(known)}"
                     + (". An exercise is known by its name: write def, and no lambda" if own == "<lambda>" else ""))
