"""Notebooks that are damaged in a small way are read all the same, and what was mended is told; what is none is called so."""

import json
import sys

import pytest
from coursework import code_notebook
from handed_in import marked, whose

from common.grading.intake.mending import NotebookError, one_side
from common.grading.notebook_source import collect, read_cells, read_notebook, written_twice
from common.grading.submissions import take_in

GOOD = json.dumps(code_notebook(["x = 1", "def f():\n    return 1"]), indent=1)
CONFLICT = GOOD.replace('   "source": "x = 1",', '<<<<<<< HEAD\n   "source": "x = 2",\n=======\n   "source": "x = 3",\n>>>>>>> other').encode()
OLD = json.dumps({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = ", "1"]}]}, {"cells": [{"cell_type": "code", "input": "y"}]}]}).encode()


@pytest.mark.parametrize("data, cells, said", [
    (GOOD.encode(), ["x = 1", "def f():\n    return 1"], None),
    (b"\xef\xbb\xbf" + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "byte-order mark"),
    (b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "byte-order mark"),
    (GOOD.encode("utf-16"), ["x = 1", "def f():\n    return 1"], "byte-order mark"),
    (GOOD.encode() + b"\n}garbage\0\xff", ["x = 1", "def f():\n    return 1"], "after its end"),
    (GOOD.encode() + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "after its end"),
    (b"HTTP/1.1 200 OK\n\n" + GOOD.encode(), ["x = 1", "def f():\n    return 1"], "before its beginning"),
    (CONFLICT, ["x = 2", "def f():\n    return 1"], "merge conflict; its upper side"),
    (CONFLICT.replace(b'"x = 2",', b'"x = 2,'), ["x = 3", "def f():\n    return 1"], "merge conflict; its lower side"),
    (GOOD[: GOOD.index("def f") + 8].encode(), ["x = 1"], "cut short"),
    (GOOD.replace('"x = 1"', '"x = 1').encode(), ["def f():\n    return 1"], "the 1 cells that are whole count"),
    (GOOD.replace("\n  },\n", "\n  }\n", 1).encode(), ["x = 1", "def f():\n    return 1"], "the 2 cells that are whole count"),
    (GOOD.replace("x = 1", "x =\t1\n").encode(), ["x =\t1\n", "def f():\n    return 1"], "line ends, tabs"),
    (GOOD.replace("x = 1", "x = '\\d'").encode(), ["x = '\\d'", "def f():\n    return 1"], "backslashes"),
    (json.dumps([None, {"cell_type": "code", "source": None}, *json.loads(GOOD)["cells"]]).encode(), ["", "x = 1", "def f():\n    return 1"], None),
    (OLD, ["x = 1", "y"], "nbformat 3"),
    (json.dumps(code_notebook(["<<<<<<< HEAD\nx = 1\n||||||| base\nx = 0\n=======\nx = 2\n>>>>>>> b\ny = 3"])).encode(), ["x = 1\ny = 3"], "upper side"),
], ids=["whole", "mark", "two marks", "utf-16", "bytes after", "twice", "before", "conflict", "conflict below", "cut", "a quote lost", "a comma lost", "tab and line end",
        "single backslash", "cells alone", "nbformat 3", "conflict in a cell"])
def test_mended_and_told(tmp_path, data, cells, said):
    (tmp_path / "a.ipynb").write_bytes(data)
    texts, notes = read_notebook(tmp_path / "a.ipynb")
    assert texts == cells and (said in notes[0] if said else notes == [])


def test_line_ends_of_windows_within_the_cells(tmp_path):
    """Where a neighbour cannot be read, a blank line ended the function before it."""
    for end in ("\r\n", "\r"):
        text = "def g(:\n    pass\n\n%matplotlib inline\ndef f():\n    a = 1\n\n    return a".replace("\n", end)
        (tmp_path / "a.ipynb").write_text(json.dumps(code_notebook([text, "x = 1"]) | {"nbformat": 4}))
        space = {}
        exec("\n".join(collect(read_cells(tmp_path / "a.ipynb")).statements), space)
        assert space["f"]() == 1


def test_one_cell_that_is_none_costs_itself_only(tmp_path):
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": ["x", 3, {"cell_type": "code", "source": "x = 1"}]}))
    assert read_cells(tmp_path / "a.ipynb") == ["x = 1"]
    for text in ('{"url": "https://example.org"}', '{"cells": "x"}', '{"cells": {"0": {}}}'):
        (tmp_path / "a.ipynb").write_text(text)
        with pytest.raises(NotebookError, match="cells"):
            read_cells(tmp_path / "a.ipynb")


@pytest.mark.parametrize("data, said", [(b"", "is empty"), (b" \n\0", "is empty"), (b"<!DOCTYPE html><html>", "web page"), (b"PK\3\4....", "zip archive"), (b"%PDF-1.7", "PDF"),
                                        (b"\x1f\x8b\x08\0", "gzip"),
                                        (b"import numpy as np\n", "Python script"), (b'{"cells": [', "cannot be read")])
def test_what_it_is_instead(tmp_path, data, said):
    (tmp_path / "a.ipynb").write_bytes(data)
    with pytest.raises(NotebookError, match=said):
        read_notebook(tmp_path / "a.ipynb")


@pytest.mark.parametrize("name", ["anna.ipynb.txt", "anna.ipynb.json", "anna.IPYNB"])
def test_saved_under_another_ending(tmp_path, name):
    (tmp_path / name).write_bytes(marked(4))
    (item,) = take_in(tmp_path).submissions
    assert item.name == "anna" and whose(item.notebook) == 4 and bool(item.notes) == (not name.endswith("IPYNB"))


def test_doubled_cells():
    cells = ["def f():\n    return 1", "x = 3", "def f():\n    return 2", "x = 3", "def g():\n    return 1", "def g():\n    return 1", "def g():\n    raise NotImplementedError"]
    assert written_twice(cells, {"f", "g"}) == {"f": 2}
    assert one_side("a\n<<<<<<< b\nc\n=======\nd\n>>>>>>> e\nf", upper=False) == "a\nd\nf"


@pytest.mark.parametrize("minor, text, said", [(1, "def f(x:\n    pass", True), (0, "def f(x:\n    pass", False), (-1, "def f(x:\n    pass", False), (1, "x = 1", False)])
def test_a_notebook_of_a_newer_python_says_so_where_something_does_not_parse(tmp_path, minor, text, said):
    """A text in a text, f"{d["x"]}", is right from Python 3.12 on, and was marked wrong without a word of that."""
    book = code_notebook([text])
    book["metadata"] = {"language_info": {"name": "python", "version": f"{sys.version_info.major}.{sys.version_info.minor + minor}.4"}}
    (tmp_path / "a.ipynb").write_text(json.dumps(book))
    cells, notes = read_notebook(tmp_path / "a.ipynb")
    assert cells == [text] and [f"last run with Python {sys.version_info.major}.{sys.version_info.minor + minor}, and" in note for note in notes] == [True] * said


@pytest.mark.parametrize("metadata", [None, [], {"language_info": None}, {"language_info": {"version": 4}}, {"language_info": {"version": "9" * 5000 + ".1"}}, {"language_info": {"version": "new"}}])
def test_what_a_notebook_says_of_its_python_may_be_anything(tmp_path, metadata):
    (tmp_path / "a.ipynb").write_text(json.dumps({**code_notebook(["def f(x:\n    pass"]), "metadata": metadata}))
    assert read_notebook(tmp_path / "a.ipynb") == (["def f(x:\n    pass"], [])
