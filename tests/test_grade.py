"""Taking functions out of notebooks, and the sandbox against hostile ones."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import class_of_thirty as thirty
import numpy as np
import pytest
from coursework import code_notebook, hand_in

from common.exercises.answer_form import numbers
from common.exercises.exercise import NOT_ATTEMPTED, WRONG, Wrong
from common.grading import codec
from common.grading.__main__ import main
from common.grading.judging import Grader
from common.grading.notebook_source import NotebookError, collect, read_cells, without_magics
from common.grading.session import Ended, Raised, RemoteObject
from common.grading.submissions import find_submissions
from common.grading.tasks import prelude_of, task_of

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


def test_helpers_of_any_kind_are_no_stubs():
    """A class of constants, an heir, a class with a docstring alone."""
    source = collect(["class Sizes:\n    row = 3", "class Mine(Base):\n    pass", "class Later:\n    '''To be written.'''", "class Old(object):\n    def f(self):\n        pass"])
    assert source.defined == {"Sizes", "Mine"} and source.stubs == {"Later", "Old"}


def test_a_written_function_beats_a_stub_wherever_it_stands():
    source = collect(["def f():\n    return 1", "def f():\n    '''Doc.'''\n    raise NotImplementedError('later')"])
    assert source.defined == {"f"} and not source.stubs and len(source.statements) == 1


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"cells": 3}', "{" * 100_000])
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


def test_many_threads_may_take_notebooks_apart():
    """Two submissions are graded at a time; Python 3.11 builds syntax trees wrongly when threads meet at it."""
    cells = ["\n".join(f"def f{n}(x):\n    return [x, {{'a': (x, [x + {n}])}}]" for n in range(200))] * 3
    with ThreadPoolExecutor(4) as pool:
        assert {len(s.defined) for s in pool.map(lambda _: collect(cells), range(16))} == {200}


def test_submissions_as_files_and_folders(tmp_path):
    hand_in(tmp_path, "anna", code_notebook([]))
    (tmp_path / "anna.weights.h5").write_bytes(b"x")
    hand_in(tmp_path / "ben", "whatever I call it", code_notebook([]))
    (tmp_path / "ben" / "best.weights.h5").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    found = find_submissions(tmp_path)
    assert [(s.name, [w.name for w in s.weights]) for s in found] == [("anna", ["anna.weights.h5"]), ("ben", ["best.weights.h5"])]


def test_no_submission(tmp_path, capsys):
    assert main(["--task", "RegionDetector", "--submissions", str(tmp_path), "--out", str(tmp_path / "grades")]) == 2
    assert "there is no notebook" in capsys.readouterr().err


# --- plain data over a pipe ---


@pytest.mark.parametrize("value", [None, True, 3, -(10**40), 2.5, float("inf"), "ö\x00", [1, (2, "x")], {"a": {1: [None]}, (1, 2): 3.0}, (), np.arange(6).reshape(2, 3),
                                   np.zeros((0, 5)), np.array(3.0), np.array(["a", "bc"]), [np.uint8(3), np.ones(2, "float16")],
                                   Path("a") / "ö.png", {Path("/a/b.png"): [Path("c")], (Path("d"), 1): Path()}, Path("\udcff")], ids=repr)
def test_wire(value):
    data = codec.pack(value)
    length, size = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")
    assert size == len(data) - 16
    back = codec.unpack(data[16 : 16 + length], data[16 + length :])
    np.testing.assert_equal(back, value)
    assert type(back) is type(value) or isinstance(value, np.generic)


@pytest.mark.parametrize("header", [b"", b"{", b'{"x": 1}', b'{"a": ["<f8", [1000000], 8000000]}', b'{"a": ["|O", [1], 8]}', b'{"i": "x"}', b'[1]', b"[" * 100_000, b'{}', b'{"p": 3}', b'{"p": ["a"]}',
                                    b'{"p": null}'])
def test_wire_refuses(header):
    with pytest.raises(codec.WireError):
        codec.unpack(header, b"\0" * 8)


# --- the sandbox ---


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
        ask(sandbox, thirty.evil("f", kind, victim), seconds=2 if "loop" in said else 4)  # what has no end takes them all
    assert time.monotonic() - start < 60
    assert victim.read_text() == "untouched" and thirty.REFERENCE.read_bytes() == before
    assert ask(sandbox, "def f(): return 1") == 1  # and the next one is served as ever


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock and namespaces are Linux's")
def test_the_system_itself_refuses(sandbox):
    """Below Python, past its audit hook: the reference cannot be opened, nobody else be killed."""
    text = f"import ctypes\ndef f():\n    c = ctypes.CDLL(None)\n    return c.open({str(thirty.REFERENCE).encode()!r}, 0), c.open(b'/usr/lib', 0), c.open(b'/etc/forged', 65, 0o600)"
    reference, system, forged = ask(sandbox, text)
    assert reference == -1 and system > 0 and forged == -1
    try:
        ask(sandbox, thirty.evil("f", "kill everybody", "x"))
    except (Ended, Raised):
        pass
    assert ask(sandbox, "def f(): return 1") == 1


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux") or os.uname().machine not in ("x86_64", "aarch64"), reason="the numbers of system calls are Linux's")
def test_no_socket_no_change_of_rights_and_nothing_of_root(sandbox, tmp_path):
    """Services of this machine are reached by files as well; the mode of a file outside, and the machine's name, stay."""
    victim = tmp_path / "victim.txt"
    victim.write_text("untouched")
    victim.chmod(0o666)
    before = os.uname().nodename
    text = (f"import ctypes, os, socket, shutil\ndef f():\n    c = ctypes.CDLL(None)\n    c.chmod({str(victim).encode()!r}, 0)\n    c.setxattr({str(victim).encode()!r}, b'user.a', b'b', 1, 0)\n"
            "    open('a', 'w').write('x'); shutil.copy('a', 'b'); os.chmod('b', 0o600)\n    left, right = socket.socketpair(); left.send(b'x')\n"
            "    return [c.socket(1, 1, 0), c.socket(2, 1, 0), c.unshare(0x10000000), c.ptrace(16, os.getppid(), 0, 0), c.sethostname(b'changed', 7)], right.recv(1), open('b').read()")
    refused, paired, copied = ask(sandbox, text.replace("right.recv(1)", "right.recv(1).decode()"))
    assert refused == [-1] * 5 and paired == "x" and copied == "x"
    assert victim.stat().st_mode & 0o777 == 0o666 and os.uname().nodename == before
    with pytest.raises(Raised, match="denied|no network"):
        ask(sandbox, "import socket\ndef f(): socket.socket(socket.AF_UNIX).connect('/run/service')")


@posix
def test_an_empty_folder_and_no_secrets(sandbox, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_GRADER", "x")
    folder, names, environment = ask(sandbox, "import os\ndef f(): return os.getcwd(), os.listdir('.'), dict(os.environ)")
    assert names == [] and environment["HOME"] == folder and "SECRET_OF_THE_GRADER" not in environment
    assert not os.path.exists(folder)


@posix
@pytest.mark.parametrize("body, status, said", [
    ("if len(recall): raise NotImplementedError\n    return 0", NOT_ATTEMPTED, "It still raises NotImplementedError."),
    ("raise NotImplementedError", NOT_ATTEMPTED, "Its body is not written."),
    ("return best(recall)\n\ndef best(recall):\n    if len(recall):\n        raise NotImplementedError", WRONG, "raises NotImplementedError (line 3 of best)"),
    ("if len(recall):\n        raise NotImplementedError('ties')\n    return 0", WRONG, "raises NotImplementedError: ties (line 3 of get_threshold)"),
    ("from concurrent.futures import Executor\n    return Executor().submit(max, recall)", WRONG, "raises NotImplementedError (line 3 of get_threshold)"),
])
def test_only_the_stubs_own_raise_says_that_it_was_not_attempted(sandbox, body, status, said):
    source = collect(f"def get_threshold(thresholds, recall):\n    {body}".split("\n\n"))
    verdict = Grader(task_of("RegionDetector"), prelude_of("RegionDetector"), sandbox).check(task_of("RegionDetector").by_name["get_threshold"], source)
    assert verdict.status == status and said in verdict.message, verdict


@posix
def test_a_method_that_is_not_written_is_known_for_its_class(sandbox):
    session = sandbox.open(4)
    try:
        text = "class Half:\n    def fit(self, x):\n        return Base().fit(x)\n\n    def predict(self, x):\n        if x: raise NotImplementedError"
        session.request("load", statements=collect([text, text.replace("Half", "Base").replace("return Base().fit(x)", "if x: raise NotImplementedError")]).statements, stand_ins=[], pylab=False, seed=1)
        half = session.call("Half", [], {})
        for method, known in (("fit", ""), ("predict", "Half")):
            with pytest.raises(Raised) as caught:
                getattr(half, method)(3)
            assert caught.value.unwritten == known and caught.value.kind == "NotImplementedError"
    finally:
        session.close()


@posix
def test_the_same_random_numbers_every_time(sandbox):
    text = "import numpy as np, random\ndef f(): return np.random.rand(), random.random(), hash('x')"
    assert ask(sandbox, text) == ask(sandbox, text)


@posix
def test_what_a_submission_sends_cannot_run_here(sandbox):
    answer = ask(sandbox, "class Trap:\n    def __reduce__(self): return (print, ('caught',))\ndef f(): return Trap()")
    assert repr(answer) == "<Trap>"


@posix
def test_paths_are_plain_data_and_what_only_has_one_is_not(sandbox):
    """Two dictionaries that have the same paths as keys have them here, too; a path that comes back is a path again."""
    text = ("from pathlib import Path, PurePath\nclass Photo:\n    def __fspath__(self): return 'photo.png'\nclass Mine(type(Path())):\n    pass\n"
            "def f(given):\n    assert given.name == 'x.png' and given.parent.exists() is False\n"
            "    return {Path('a') / n: 1 for n in 'xy'}, {PurePath('a', n): 2 for n in 'yx'}, Photo(), given, Mine('b')")
    first, second, photo, given, mine = ask(sandbox, text, Path("nowhere/x.png"))
    assert first.keys() == second.keys() == {Path("a/x"), Path("a/y")} and isinstance(photo, RemoteObject)
    assert given == Path("nowhere/x.png") and mine == Path("b")


@posix
def test_an_object_is_called_what_the_student_called_it(sandbox):
    """Neither our checks nor Python's own messages speak of our stand-ins for objects."""
    session = sandbox.open(4)
    try:
        session.request("load", statements=["class Face:\n    size = 3", "def f(): return [Face(), Face]"], stand_ins=[], pylab=False, seed=1)
        face, made = session.request("call", target="f", args=[], kwargs={})
        assert face.size == 3 and isinstance(made(), RemoteObject)
        for ask_of_it in (len, float, iter, lambda o: o[0]):
            with pytest.raises(TypeError, match="'Face'"):
                ask_of_it(face)
        with pytest.raises(Wrong, match="got Face"):
            numbers(face, "the boxes")
        with pytest.raises(AttributeError, match="'Face' object has no attribute 'nose'"):
            face.nose
    finally:
        session.close()


@posix
def test_what_stands_in_sees_the_random_numbers_of_the_student(sandbox):
    text = "import numpy as np\ndef f(seed):\n    rng = np.random.default_rng(seed)\n    return [g(rng) for _ in range(5)]"
    answers = []
    for seed in (1, 1, 2):
        session = sandbox.open(4)
        session.stand_ins = {"g": lambda rng: int(rng.integers(1 << 30))}
        session.request("load", statements=collect([text]).statements, stand_ins=["g"], pylab=False, seed=1)
        answers.append(session.request("call", target="f", args=[seed], kwargs={}))
        session.close()
    assert len(set(answers[0])) == 5 and answers[0] == answers[1] != answers[2]


@posix
def test_what_stands_in_sees_the_weights_of_the_moment_and_may_set_them(sandbox):
    import keras

    session = sandbox.open(30)
    try:
        session.stand_ins = {"double": lambda model: model.set_weights([2 * w for w in model.get_weights()]),
                             "build": lambda size: keras.Sequential([keras.Input((size,)), keras.layers.Dense(1, kernel_initializer="ones")])}
        text = ("def f(model):\n    model.set_weights([w + 1 for w in model.get_weights()])\n    double(model)\n    other = build(3)\n"
                "    return [w.tolist() for w in model.get_weights()], [w.tolist() for w in other.get_weights()]")
        session.request("load", statements=collect([text]).statements, stand_ins=["double", "build"], pylab=False, seed=1)
        model = session.send_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")]))
        assert session.request("call", target="f", args=[model], kwargs={}) == ([[[4.0]], [2.0]], [[[1.0], [1.0], [1.0]], [0.0]])
    finally:
        session.close()
