"""Notebooks as students really write them, and files that are none: what is taken, what is left out, what it is called."""

import json
import os
import time
from dataclasses import replace

import pytest
from coursework import code_notebook, hand_in

from common.exercises.exercise import RIGHT, WRONG, Verdict
from common.grading.handback.report import write_report
from common.grading.judging import Grader, Try
from common.grading.notebook_source import MOST_CODE, NotebookError, collect, read_cells, without_magics
from common.grading.session import Ended, remove
from common.grading.submissions import find_submissions, take_in
from RegionDetector.exercises import TASK

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")


# --- what is taken out of a notebook ---


@pytest.mark.parametrize("cell", [
    "if True:\n\tdef f(x):\n\t\treturn x",
    "try:\n    import nothing\nexcept ImportError:\n    def f(x):\n        return x",
    "with device('gpu'):\n    def f(x):\n        return x",
    "if make():\n    pass\nelse:\n    def f(x):\n        return x",
    "    def f(x):\n        return x",
    "f = lambda x: g(x)",
    "def g(x):\n    return x\nf = g",
    "class Tools:\n    @staticmethod\n    def g(x):\n        return x\nf = Tools.g",
], ids=["if", "except", "with", "else", "indented cell", "lambda", "another name", "method"])
def test_a_function_is_found_wherever_it_stands(cell):
    source = collect([cell])
    assert "f" in source.defined
    space = {"g": lambda x: x}
    for text in source.statements:
        try:
            exec(text, space)
        except ImportError:
            pass
    assert space["f"](7) == 7


def test_both_ways_of_a_choice_stay():
    """Which of them the notebook takes is known when it runs."""
    space = {"BIG": False}
    for text in collect(["if BIG:\n    SIZE = 9\n    def f(): return SIZE\nelse:\n    def f(): return 1"]).statements:
        exec(text, space)
    assert space["f"]() == 1 and "SIZE" not in space


def test_work_is_run_only_where_it_is_asked_for_and_with_what_it_needs():
    source = collect(["import tools", "photos = load('data')", "finder = tools.finder(SIZE)\nSIZE = 3", "both = pair(finder, photos)", "def f(): return finder"])
    assert not any("load" in text or "finder(" in text for text in source.statements)
    assert source.makes("finder") and not source.makes("f") and not source.makes("SIZE")
    assert [t for t in source.with_work({"finder"}) if t not in source.statements] == ["finder = tools.finder(SIZE)"]
    with_both = source.with_work({"both"})
    assert [t for t in with_both if t not in source.statements] == ["photos = load('data')", "finder = tools.finder(SIZE)", "both = pair(finder, photos)"]
    assert with_both.index("import tools") < with_both.index("photos = load('data')") < with_both.index("def f():\n    return finder")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_any_encoding(tmp_path, encoding):
    (tmp_path / "a.ipynb").write_bytes(json.dumps(code_notebook(["def f():\n    return 'лицо'"]), ensure_ascii=False).encode(encoding))
    assert read_cells(tmp_path / "a.ipynb") == ["def f():\n    return 'лицо'"]


def test_large_by_its_pictures_is_right_and_by_its_code_is_not(tmp_path):
    book = code_notebook(["def f():\n    return 1"])
    book["cells"][0]["outputs"] = [{"output_type": "display_data", "data": {"image/png": "x" * 2 * MOST_CODE}}]
    assert len(read_cells(hand_in(tmp_path, "pictures", book))) == 1
    with pytest.raises(NotebookError, match="2 MB of code"):
        read_cells(hand_in(tmp_path, "code", code_notebook(["x = 1\n" * MOST_CODE])))


@pytest.mark.parametrize("text", [" " * 500_000 + "=", "\n" * 500_000 + "%pylabx", "a b " * 100_000 + "= 3 !", "a" * 500_000 + "?!"], ids=["blanks", "lines", "words", "name"])
def test_no_text_takes_the_grader_long(text):
    start = time.process_time()
    assert collect([text, "def f(): return 1"]).defined == {"f"}
    without_magics(text)
    assert time.process_time() - start < 20


# --- what is a submission ---


def test_names_that_meet_stay_apart(tmp_path):
    for folder, name in ((tmp_path, "anna"), (tmp_path / "anna", "book"), (tmp_path, "Ben"), (tmp_path / "ben", "book")):
        hand_in(folder, name, code_notebook([]))
    found = find_submissions(tmp_path)
    assert len({s.name.casefold() for s in found}) == len(found) == 4
    assert {s.name for s in found} >= {"anna", "anna (2)"}


@posix
def test_links_pipes_and_empty_folders_are_left_out_and_named(tmp_path):
    hand_in(tmp_path, "right", code_notebook([]))
    (tmp_path / "linked.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "._right.ipynb").write_bytes(b"\0\5\26\7")  # what macOS puts beside files on other systems
    (tmp_path / "right.weights.h5").symlink_to("/etc/passwd")
    found = find_submissions(tmp_path)
    assert [(s.name, s.weights) for s in found] == [("right", ())] and found[0].digest()
    assert take_in(tmp_path).left_out == {"linked.ipynb": "a link; hand in the file itself", "pipe.ipynb": "no file", "folder.ipynb": "a folder without a notebook"}


def test_a_report_bears_any_name_and_any_message(tmp_path):
    names = ["=1+1", "\t@sum\n", "a b", "a_b", "index", "Ж?#%", "x" * 240, "<b>", "\u202eanna"]
    rows = [{"name": i.name, "section": i.section, "of": i.marks, "marks": 0, "status": WRONG, "message": "<script>\ud800\u202e\0"} for i in (*TASK.exercises, *TASK.scores)]
    write_report(tmp_path, TASK, [{"student": n, "rows": rows, "total": 0} for n in names])
    pages = [p for p in tmp_path.glob("*.html") if p.name != "index.html"]
    text = "".join(p.read_text(encoding="utf-8") for p in tmp_path.glob("*.html"))
    assert len(pages) == len(names)
    assert "<script>" not in text and "<b>\u202e" not in text and "\u202e" not in text and "\0" not in text
    firsts = [line[:1] for line in (tmp_path / "marks.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert not set(firsts) & set("=+-@\t\r") and len(firsts) == len(names)


# --- in the sandbox ---


def graded(sandbox, *cells, name="get_threshold", **limits):
    return Grader(TASK, collect([]), sandbox).check(replace(TASK.by_name[name], **limits), collect(cells))


@posix
def test_variables_of_other_cells(sandbox):
    """A helper that a cell has made is made again; one that cannot be made is named, with the reason."""
    uses = "def get_threshold(thresholds, recall):\n    return chooser.best(thresholds, recall)"
    made = "class Chooser:\n    def best(self, t, r):\n        return t[r >= LEVEL].max()", "LEVEL = float('0.85')\nchooser = Chooser()"
    assert graded(sandbox, *made, uses).status == RIGHT
    assert graded(sandbox, *made, "get_threshold = Chooser().best").status == RIGHT
    assert "`chooser = open('chooser.npy')` raises FileNotFoundError" in graded(sandbox, "chooser = open('chooser.npy')", uses).message
    slow = graded(sandbox, "def slow():\n    while True:\n        pass", "chooser = slow()", uses, seconds=3)
    assert slow.status == WRONG and "could not be run" in slow.message and "as an argument" in slow.message


@posix
def test_what_the_published_notebook_imports(sandbox):
    cells = "import numpy as np\nfrom scores import iou_score as iou\nfrom get_data import unpack", "from graph import visualize_bboxes"
    assert graded(sandbox, *cells, "def get_threshold(t, r):\n    assert iou and unpack and visualize_bboxes\n    return t[r >= 0.85].max()").status == RIGHT


@posix
def test_packages_that_are_not_there_and_names_that_were(sandbox):
    assert graded(sandbox, "import numpy as np\nimport pandas as pd", "def get_threshold(t, r):\n    return pd.Series(t)[np.asarray(r) >= 0.85].max()").status == RIGHT
    said = graded(sandbox, "import torch as th", "def get_threshold(t, r):\n    return th.tensor(t)[r >= 0.85].max()").message
    assert "`import torch as th` raises ModuleNotFoundError" in said and "in this one's place: keras" in said
    said = graded(sandbox, "from keras.layers.core import *", "def get_threshold(t, r):\n    return Dense(3)").message
    assert "`from keras.layers.core import *` raises" in said and "directly in keras.layers" in said


@posix
def test_files_without_end(sandbox):
    for text in ("def f():\n    for i in range(10**7): open(str(i), 'w').close()", "def f():\n    for i in range(10**7): open(str(i), 'wb').write(bytes(60 << 20))"):
        session = sandbox.open(30)
        session.request("load", statements=[text], stand_ins=[], pylab=False, seed=1)
        with pytest.raises(Ended, match="wrote more than"):
            session.request("call", target="f", args=[], kwargs={})
        assert not session.folder.exists()


@posix
def test_a_folder_of_any_depth_goes(tmp_path):
    home = os.getcwd()
    deep = tmp_path / "deep"
    deep.mkdir()
    os.chdir(deep)
    try:
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(home)
    remove(deep)
    assert not deep.exists()


def test_a_fault_of_the_parser_is_not_the_students(monkeypatch):
    answers = [Verdict("get_threshold", WRONG, "AST constructor recursion depth mismatch"), Verdict("get_threshold", RIGHT)]
    monkeypatch.setattr(Grader, "_try", lambda *args: Try(answers.pop(0), {}))
    assert graded(None, "def get_threshold(t, r):\n    return 1").status == RIGHT
