"""An answer is known for what it is, however it came by its name; and the function that is handed to `check` is the one that is judged."""

import pytest

from common.exercises.exercise import NOT_ATTEMPTED, RIGHT, WRONG, Exercise, Score, Task, Wrong


def check_half(f, kit):
    if f(8) != 4:
        raise Wrong(f"half of 8 is 4, got {f(8)}")


@pytest.fixture
def notebook():
    """A notebook's variables, and what runs a cell with them."""
    task = Task("Toy", (Exercise("half", "1 halves", 2, check_half, (), "no.such:thing"),), (Score("speed", "2 speed", "speed", ((0.9, 1.0),), ("half",)),))
    space = {"__name__": "__main__", "exercise": task.exercise, "check": task.check, "task": task}

    def run(*cells):
        for cell in cells:
            exec(cell, space)
        return task

    return run


RIGHT_HALF = "def half(x):\n    return x / 2"
WAYS = {
    "a lambda": "half = lambda x: x / 2",
    "another name": "def my_half(x):\n    return x / 2\nhalf = my_half",
    "a partial": "from functools import partial\ndef divided(x, by):\n    return x / by\nhalf = partial(divided, by=2)",
    "an object": "class Halver:\n    def __call__(self, x):\n        return x / 2\nhalf = Halver()",
    "a method": "class Tools:\n    def half(self, x):\n        return x / 2\nhalf = Tools().half",
    "a decorator that keeps no name": "def timed(f):\n    def wrapper(*args):\n        return f(*args)\n    return wrapper\n@exercise\n@timed\n" + RIGHT_HALF,
    "the same below the kit's": "def timed(f):\n    def wrapper(*args):\n        return f(*args)\n    return wrapper\n@timed\n" + RIGHT_HALF,
}


@pytest.mark.parametrize("cell", [pytest.param(cell, id=name) for name, cell in WAYS.items()])
def test_any_way_to_write_a_function_is_checked(notebook, cell):
    task = notebook(cell, "check(half)", "check('speed', 0.95)")
    assert task.verdicts["half"].status == RIGHT
    assert task.verdicts["speed"].marks == 1  # it is the student's own


def test_the_function_that_stands_in_the_notebook_is_judged(notebook):
    """Not an earlier one that had the decorator: that one was called right, or wrong, whatever was written after it."""
    task = notebook("@exercise\n" + RIGHT_HALF, "check(half)", "def half(x):\n    return x / 3", "check(half)")
    assert task.verdicts["half"].status == WRONG and task.current("half")(9) == 3
    notebook(RIGHT_HALF, "check(half)")
    assert task.verdicts["half"].status == RIGHT and task.current("half")(9) == 4.5
    notebook("@exercise\ndef half(x):\n    raise NotImplementedError", "check(half)")
    assert task.verdicts["half"].status == NOT_ATTEMPTED


@pytest.mark.parametrize("cells, said", [
    (("@exercise\n" + RIGHT_HALF, "half = half(9)", "check(half)"), "half is no function here, but float: a line such as half = half(...)"),
    (("@exercise\ndef hafl(x):\n    return x / 2",), "no exercise 'hafl' in this task: is half meant?"),
    (("half = exercise(lambda x: x / 2)",), "write def, and no lambda"),
    (("check(3.5)",), "no exercise 'float'"),
])  # fmt: skip
def test_what_is_no_answer_hears_why(notebook, cells, said):
    with pytest.raises(ValueError) as refused:
        notebook(*cells)
    assert said in str(refused.value)
