"""Names of a piece of code are the same in every version of Python: from 3.12 on, variables of comprehensions stood among those around them."""

import ast
import doctest

import pytest

from common.exercises import scopes
from common.exercises.restart import needs_and_makes
from common.grading.needed import used


def test_the_example_in_the_docstring_runs():
    assert doctest.testmod(scopes).failed == 0


@pytest.mark.parametrize("text, needs, makes", [
    ("rows = [[a * s for a in line] for line in table]", {"s", "table"}, {"rows"}), ("least = min({k for k in ks if k > low})", {"ks", "low"}, {"least"}),
    ("by = {name: size(photo) for name, photo in photos.items()}", {"size", "photos"}, {"by"}), ("n = sum(1 for x in xs)", {"xs"}, {"n"}),
    ("for k in ks:\n    seen += [k for k in more]", {"ks", "seen", "more"}, {"k", "seen"}), ("a = [last := x for x in xs]", {"xs"}, {"a", "last"}),
    ("def f(xs):\n    return [x + y for x in xs]", {"y"}, {"f"}), ("k = 2\nz = [k for k in ks]", {"ks"}, {"k", "z"}),
])  # fmt: skip
def test_variables_of_a_comprehension_are_its_own(text, needs, makes):
    """Else a section would have cells run again that make such a name, a fit among them, and a submission lines that it does not need."""
    assert needs_and_makes(text) == (needs, makes)
    if "\n" not in text:
        assert used(text) - {"min", "sum"} - makes == needs


@pytest.mark.parametrize("text", ["[a for a in b]", "{a: [c for c in a] for a in b}", "f(x for x in {y for y in z})"])
def test_no_comprehension_is_left_that_python_may_take_apart(text):
    tree = scopes._Apart().visit(ast.parse(text))
    assert not any(isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)) for node in ast.walk(tree))


def test_what_is_no_python_is_refused_as_ever():
    with pytest.raises(SyntaxError):
        scopes.table_of("for x in [y for y in")
    assert used("for x in [y for y in") == set()
