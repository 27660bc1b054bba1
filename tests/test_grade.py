"""Taking functions out of notebooks, the sandbox against hostile ones, and a small class with the marks it deserves."""

import json
import os
import sys
import time

import numpy as np
import pytest

import class_of_thirty as thirty
from common import wire
from common.grade import find_submissions, grade_class, main
from common.notebook_source import NotebookError, collect, read_cells, without_magics
from common.sandbox import Ended, Raised, Sandbox
from common.student import write_tree
from coursework import code_notebook, hand_in
from RegionDetector.exercises import TASK as REGION
from TrackDetector.exercises import TASK as TRACK

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")


# --- notebooks ---


def test_definitions_are_taken_and_work_is_not():
    source = collect(["import numpy as np\nSIZE = (32, 32)\nmodel = train(SIZE)\nfor i in range(10**9): pass", "def f(x):\n    return g(x)", "def g(x): return x",
                      "@exercise\ndef h(): raise NotImplementedError", "a, b = load_dataset('x')", "k: int = 3", "try:\n    import x\nexcept ImportError:\n    pass"])
    text = "\n".join(source.statements)
    assert source.defined == {"f", "g"} and source.stubs == {"h"}
    assert "SIZE" in text and "k: int" in text and "import x" in text and "train" not in text and "range" not in text and "load_dataset" not in text


def test_magics_and_broken_cells():
    source = collect(["%pylab inline\n!pip install keras\nfiles = !ls\nx = 3", "%%time\ndef f():\n    return 1", "%%bash\nrm -rf /", "np.zeros?\ndef g():\n    return 2",
                      "def broken(:\n    pass\n\ndef whole(x):\n    return x + 1\n", "y = ("])
    assert source.pylab and {"f", "g", "whole"} <= source.defined and "broken" in source.broken
    assert not any("rm -rf" in s or "pip" in s for s in source.statements)


def test_a_written_function_beats_a_stub_wherever_it_stands():
    source = collect(["def f():\n    return 1", "def f():\n    '''Doc.'''\n    raise NotImplementedError('later')"])
    assert source.defined == {"f"} and not source.stubs and len(source.statements) == 1


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"cells": 3}', "{" * 100_000, '{"cells": [{"cell_type": "code"}, 5]}'])
def test_no_notebook(tmp_path, text):
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(NotebookError, match="a.ipynb"):
        read_cells(path)


def test_old_notebook_format(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]}]}))
    assert read_cells(path) == ["x = 1\ny = 2"]


def test_deep_nesting_is_no_crash():
    assert collect(["x = " + "(" * 10_000 + ")" * 10_000, "def f(): return 1"]).defined == {"f"}
    assert without_magics("%%html\n<b>") == ""


def test_submissions_as_files_and_folders(tmp_path):
    hand_in(tmp_path, "anna", code_notebook([]))
    (tmp_path / "anna.weights.h5").write_bytes(b"x")
    hand_in(tmp_path / "ben", "whatever I call it", code_notebook([]))
    (tmp_path / "ben" / "best.weights.h5").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    found = find_submissions(tmp_path)
    assert [(s.name, [w.name for w in s.weights]) for s in found] == [("anna", ["anna.weights.h5"]), ("ben", ["best.weights.h5"])]


def test_no_submission(tmp_path, capsys):
    assert main(["--task", "RegionDetector", "--submissions", str(tmp_path)]) == 2
    assert "there is no notebook" in capsys.readouterr().err


# --- plain data over a pipe ---


@pytest.mark.parametrize("value", [None, True, 3, -(10**40), 2.5, float("inf"), "ö\x00", [1, (2, "x")], {"a": {1: [None]}, (1, 2): 3.0}, (), np.arange(6).reshape(2, 3),
                                   np.zeros((0, 5)), np.array(3.0), np.array(["a", "bc"]), [np.uint8(3), np.ones(2, "float16")]], ids=repr)
def test_wire(value):
    data = wire.pack(value)
    length, size = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")
    assert size == len(data) - 16
    back = wire.unpack(data[16 : 16 + length], data[16 + length :])
    np.testing.assert_equal(back, value)
    assert type(back) is type(value) or isinstance(value, np.generic)


@pytest.mark.parametrize("header", [b"", b"{", b'{"x": 1}', b'{"a": ["<f8", [1000000], 8000000]}', b'{"a": ["|O", [1], 8]}', b'{"i": "x"}', b'[1]', b"[" * 100_000, b'{}'])
def test_wire_refuses(header):
    with pytest.raises(wire.WireError):
        wire.unpack(header, b"\0" * 8)


# --- the sandbox ---


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    kit = tmp_path_factory.mktemp("kit")
    write_tree(kit, notebooks=False, sandbox=True)
    with Sandbox(kit) as box:
        yield box


def ask(sandbox, text, *args, seconds=4, name="f"):
    session = sandbox.open(seconds)
    try:
        session.request("load", statements=collect([text]).statements, stand_ins=[], pylab="%pylab" in text, seed=1)
        return session.request("call", target=name, args=list(args), kwargs={})
    finally:
        session.close()


@posix
def test_answers_come_back(sandbox):
    assert ask(sandbox, "def f(x, y): return [x * 2, {'y': (y, None)}]", 4, 2.5) == [8, {"y": (2.5, None)}]
    assert ask(sandbox, "%pylab inline\ndef f(): return float(sin(pi / 2)) + np.arange(3).sum()") == 4.0


@posix
@pytest.mark.parametrize("kind, said", [("endless loop", "loop without an end"), ("exit", "ended the process"), ("flood", "printed more|File too large"), ("sys exit", "0"),
                                        ("delete", "outside|denied"), ("write outside", "outside|denied"), ("read the reference", "outside|denied"), ("network", "no network"),
                                        ("fork", "."), ("memory", "memory|loop without an end")])
def test_hostile_functions_change_nothing_but_their_own_marks(sandbox, kind, said, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("untouched")
    before = thirty.REFERENCE.read_bytes()
    start = time.monotonic()
    with pytest.raises((Ended, Raised), match=said):
        ask(sandbox, thirty.evil("f", kind, victim))
    assert time.monotonic() - start < 60
    assert victim.read_text() == "untouched" and thirty.REFERENCE.read_bytes() == before
    assert ask(sandbox, "def f(): return 1") == 1  # and the next one is served as ever


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock and namespaces are Linux's")
def test_the_system_itself_refuses(sandbox):
    """Below Python, past its audit hook: the reference cannot be opened, nobody else be killed."""
    text = f"import ctypes\ndef f():\n    c = ctypes.CDLL(None)\n    return c.open({str(thirty.REFERENCE).encode()!r}, 0), c.open(b'/usr', 0), c.open(b'/etc/forged', 65, 0o600)"
    reference, system, forged = ask(sandbox, text)
    assert reference == -1 and system > 0 and forged == -1
    try:
        ask(sandbox, thirty.evil("f", "kill everybody", "x"))
    except (Ended, Raised):
        pass
    assert ask(sandbox, "def f(): return 1") == 1


@posix
def test_an_empty_folder_and_no_secrets(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_GRADER", "x")
    folder, names, environment = ask(sandbox, "import os\ndef f(): return os.getcwd(), os.listdir('.'), dict(os.environ)")
    assert names == [] and environment["HOME"] == folder and "SECRET_OF_THE_GRADER" not in environment
    assert not os.path.exists(folder)


@posix
def test_the_same_random_numbers_every_time(sandbox):
    text = "import numpy as np, random\ndef f(): return np.random.rand(), random.random(), hash('x')"
    assert ask(sandbox, text) == ask(sandbox, text)


@posix
def test_what_a_submission_sends_cannot_run_here(sandbox):
    answer = ask(sandbox, "class Trap:\n    def __reduce__(self): return (print, ('caught',))\ndef f(): return Trap()")
    assert repr(answer) == "<Trap>"


# --- a small class ---


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return thirty.train_weights(tmp_path_factory.mktemp("weights") / "classifier.weights.h5", epochs=2)


def check_class(task, chosen, tmp_path, weights=None):
    victim = tmp_path / "victim.txt"
    victim.write_text("untouched")
    deserved = thirty.write_class(task, tmp_path / "in", victim, weights, chosen)
    assert set(deserved) == set(chosen)
    results = grade_class(task.name, tmp_path / "in", tmp_path / "out", progress=False)
    assert {r["student"]: r["total"] for r in results} == deserved, [(r["student"], x) for r in results for x in r["rows"] if x["marks"] < x["of"]]
    assert victim.read_text() == "untouched"
    return results


@posix
@pytest.mark.slow
def test_small_class_region(tmp_path, weights):
    results = check_class(REGION, {"moved", "half_window", "evil_exit", "evil_patch_the_checks", "old_keras", "no_notebook", "empty"}, tmp_path, weights)
    rows = {(r["student"], x["name"]): x for r in results for x in r["rows"]}
    assert "half a window" in rows["half_window", "get_bboxes_and_decision_function"]["message"]
    assert "model.fit" in rows["old_keras", "copy_weights"]["message"]
    table = (tmp_path / "out" / "marks.csv").read_text().splitlines()
    assert table[0].startswith("student,gen_negative_bbox") and len(table) == 8
    assert "half a window" in (tmp_path / "out" / "half_window.html").read_text()
    # what is graded is not graded again, and comes out the same when it is
    start = time.monotonic()
    assert grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", progress=False) == results
    assert time.monotonic() - start < 10


@posix
@pytest.mark.slow
def test_small_class_track(tmp_path):
    results = check_class(TRACK, {"own_classifier", "evil_write_outside", "old_keras", "syntax"}, tmp_path)
    rows = {(r["student"], x["name"]): x for r in results for x in r["rows"]}
    assert "augmentation layers" in rows["old_keras", "preprocess_imgs"]["message"]
    assert "does not parse" in rows["syntax", "Classifier"]["message"]
