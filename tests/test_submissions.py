"""Notebooks as students really write them, and files that are none: what is taken, what is left out, what it is called."""

import json
import os
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from coursework import ROOT, code_notebook, hand_in

from common.exercises.errors import describe_error
from common.exercises.exercise import RIGHT, WRONG, Verdict
from common.grading.handback.report import write_report
from common.grading.judging import Grader, Try
from common.grading.notebook_source import MOST_CODE, NotebookError, collect, read_cells, without_magics
from common.grading.sandbox_worker import placed
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


def run(statements, space):
    """As the sandbox loads them: what fails is tried again."""
    waiting = list(statements)
    for _ in range(4):
        left = []
        for text in waiting:
            try:
                exec(text, space)
            except Exception:
                left.append(text)
        waiting = left
    return space


@pytest.mark.parametrize("cells", [
    ["N = 1", "N *= 1000", "def f(): return N"],
    ["D = {}", "D.update(a=1)", "D['b'] = len('xyz')", "D['c'] = sorted('ba')", "D['b'] += 1", "del D['a']", "def f(): return D"],
    ["L = []\nfor part in range(3):\n    L.append(part)\nL.sort(reverse=True)", "def f(): return L"],
    ["N = 0\nwhile N < 5:\n    N += 2", "def g(): return N", "def f(): return g()"],
    ["N = 1\nif N:\n    N += 1\nelse:\n    N -= 1\nM = N", "def f(): return N, M"],
    ["import contextlib\nL = [1]\nwith contextlib.suppress(KeyError):\n    L.append(2)\n    L.pop(0)", "f = lambda: L"],
    ["D = dict(a=[])\ntry:\n    D['a'].append(1)\n    D['b'].append(2)\nexcept KeyError:\n    D.setdefault('c', []).append(3)\nfinally:\n    D['d'] = 4", "def f(): return D"],
    ["L = [k * k for k in (3, 4)]\ndef g(x=L[0]): return x + L[1]", "L.append(5)\n[L.append(k) for k in (6, 7)]", "def f(): return g(), L"],
    ["from functools import lru_cache, partial\nonce = lru_cache(maxsize=None)\n@once\ndef g(): return 7", "h = partial(g)\ndef f(): return h()"],
    ["BASE = make = None", "BASE = type('Base', (), {'n': 3})\nclass Mine(BASE):\n    m = 4", "Mine.n = 5\nMine.more = []\nMine.more.append(1)", "def f(): return Mine.n, Mine.m, Mine.more"],
    ["class Box:\n    level = 1\n    def __init__(self): self.all = [Box.level]\n    def add(self, x): self.all.append(x)", "Box.level += 1\nbox = Box()\nbox.add(9)\nADD = 3\nADD -= 1\nbox.add(ADD)",
     "def f(): return box.all"],
    ["A = 1\nB = []", "A += 1\nB.append(A)", "C = {}\nC.update(b=B, n=next(iter([8])))", "def g(key='b'): return C[key]", "def f(): return g(), g('n')"],
    ["def g(n): return 10 * N + n", "N = 2\nN += 1", "T = []\nfor k in range(2):\n    row = g(k)\n    T.append(row)", "def f(): return T"],
    ["S = set()\nmatch 3:\n    case 3:\n        S.add(3)", "S |= {4}", "class K:\n    def g(self): return S", "def f(): return K().g()"],
], ids=range(14))
def test_helpers_and_constants_are_what_they_are_in_the_notebook(cells):
    """Also where they are filled, counted up or made by work; what is asked for by name is what the sandbox misses."""
    expected = run(["\n".join(cells)], {})["f"]()
    source, names = collect(cells), set()
    for _ in range(5):
        space = run(source.with_work(names, {"f"}), {})
        try:
            assert space["f"]() == expected
            return
        except NameError as error:
            reached = {n for n in source.reach({"f"}) if n not in space and source.makes(n)}
            assert reached - names, error
            names |= reached
    raise AssertionError("it never ran")


def test_training_plots_and_downloads_stay_out():
    """Neither because they stand beside a constant, nor because they change what no helper asks for, nor because a variable of a function has the same name."""
    source = collect(["import numpy as np\nimport matplotlib.pyplot as plt\nlosses, LEVEL, image, k = [], 1, None, 0", "images = download('faces')\nimages.sort()\nmodel = generate(images)",
                      "for k in range(9):\n    losses.append(model.fit(images))\n    image = images[k]\n    plt.imshow(image)", "np.random.seed(0)\nplt.plot(losses)\nplt.show()\nmodel.fit(images)\nmodel.save('m.h5')",
                      "LEVEL += 1\nif LEVEL:\n    LEVEL += 1\n    model.fit(images)\n    plt.title(str(LEVEL))", "def paint(): plt.plot(losses)",
                      "def f(image, images, k=0):\n    losses = [LEVEL for model in images]\n    return losses, plt, np, [k for k in image]", "f = f([], [])", "tools = make(LEVEL)\ntools.add(LEVEL)\ntools.learn(images)",
                      "for k in range(2):\n    tools.count(k)"])
    extra = lambda names, of: [t for t in source.with_work(names, of) if t not in source.statements]  # noqa: E731
    assert extra((), {"f"}) == ["LEVEL += 1", "if LEVEL:\n    LEVEL += 1"] and extra((), ()) == []
    assert any("model.fit" in t for t in extra((), {"paint"}))
    assert extra({"tools"}, ()) == ["LEVEL += 1", "if LEVEL:\n    LEVEL += 1", "tools = make(LEVEL)", "tools.add(LEVEL)", "for k in range(2):\n    tools.count(k)"]
    assert [t for t in extra({"model"}, ()) if "fit" in t] == [] and "images = download('faces')" in extra({"model"}, ())
    assert [t for t in source.with_assignments({"tools"}) if t not in source.statements] == ["tools = make(LEVEL)"]


@pytest.mark.parametrize("cell", ["N = 1\n" + "N += 1\n" * 20_000, "".join(f"x{k} = make(x{k - 1})\n" for k in range(20_000)), "L = []\n" + "for k in L: L.append(k)\n" * 8000,
                                  "L = []\nif L:\n" + "    L.append(make(L))\n" * 8000], ids=["counted", "chain", "loops", "choice"])
def test_no_work_takes_the_grader_long(cell):
    start = time.process_time()
    source = collect([cell, "def f(): return N, L, x9"])
    assert source.with_work({"x19999"}, {"f"}) and source.reach({"f"})
    assert time.process_time() - start < 30


FAULTS = {
    "comments": "# my solution\n# of the exercise\n\n@exercise\ndef get_threshold(t, r):\n    # first\n\n    ok = [\n        x >= 0.85\n        for x in r\n    ]\n    # then\n    return t.nothing",
    "inside of a long expression": "def get_threshold(t, r):\n    return [\n        t,\n\n        r.\\\n        real,\n        (t\n         # of these\n         .copy()\n         .nothing())]",
    "docstring": 'def get_threshold(t, r):\n    """Long.\n\n    Longer.\n    """\n    a = """x\n    y""" + f"""{t!r:>{3}}\n    {1 + 1}"""\n    assert a; return t.nothing',
    "choice": "if True:\n    import os\n\n    print(os.name)\n\n    # mine\n    def get_threshold(t, r):\n\n        return t.nothing",
    "other decorators": "import functools\n\n@functools.lru_cache(\n    maxsize=None,\n)\n@exercise\ndef lost():\n\n    return 1\n\ndef get_threshold(\n        t,\n        r):\n    return t.nothing",
    "helper": "def least(r):\n\n    return r.nothing  # here\n\n\nget_threshold = lambda t, r: (\n    least(r))",
    "work": "names = sorted('ab')\n\n# now\ncall = max((lambda t:\n\n    t.nothing,), key=id)\ndef get_threshold(t, r):\n    return call(t)",
    "blank lines before": "\n\n\ndef get_threshold(t, r):\n\n    return t.nothing",
    "a line of IPython's": "%matplotlib inline\n!pip list\n\ndef get_threshold(t, r):\n\n    return t.nothing",
    "a cell of IPython's": "%%time\n\ndef get_threshold(t, r):\n\n    return t.nothing",
    "beside a broken one": "def other(:\n    pass\n\n# this one is whole\ndef get_threshold(t, r):\n\n    return t.nothing",
}


@posix
@pytest.mark.parametrize("cell", FAULTS.values(), ids=FAULTS)
def test_what_is_raised_is_found_in_the_line_of_the_cell(sandbox, cell):
    """The same line as in the notebook, whatever stands between its statements."""
    from IPython.core.inputtransformer2 import TransformerManager

    whole = cell.replace("def other(:\n    pass", "1\n2")
    text = TransformerManager().transform_cell(whole).replace("get_ipython()", "None and ipython")
    space = {"exercise": lambda f: f}
    exec(compile(whole.partition("\n")[2] if whole.startswith("%%") else text, "<cell>", "exec"), space)
    with pytest.raises(AttributeError) as raised:
        space["get_threshold"](np.ones(3), np.ones(3))
    line = re.search(r"\(line \d+ of \S+\)", describe_error(raised.value))
    assert line and line[0] in graded(sandbox, cell).message


@pytest.mark.parametrize("path", ["common/boxes.py", "common/grading/needed.py", "common/grading/session.py", "RegionDetector/checks/curves.py", "TrackDetector/checks/data.py"])
def test_every_line_keeps_its_number(path):
    def lines(code, inside=False):
        own = {(code.co_name, line) for *_, line in code.co_lines() if inside}  # lines of the module are those of its statements, taken one by one
        return own.union(*(lines(c, True) for c in code.co_consts if hasattr(c, "co_lines")))

    text = (ROOT / path).read_text(encoding="utf-8")
    taken = set().union(*(lines(placed(t, getattr(t, "places", ""))) for t in collect([text]).statements))
    assert len(taken) > 40 and taken == lines(compile(text, path, "exec"))


def test_places_that_fit_nothing_are_left_out():
    for places in ("1 2", "", "7 7 " * 99):
        space = {}
        exec(placed("def f():\n    return 1", places), space)
        assert space["f"]() == 1


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
    slow = graded(sandbox, "def slow():\n    while True:\n        pass", "chooser = slow()", uses, seconds=2)
    assert slow.status == WRONG and "could not be run" in slow.message and "as an argument" in slow.message


LEAST_OF = "\ndef get_threshold(t, r):\n    return np.asarray(t)[np.asarray(r) >= {}].max()"


@posix
@pytest.mark.parametrize("cells", [
    ["LEAST = 0.425", "LEAST *= 2", LEAST_OF.format("LEAST")],
    ["OPTIONS = {}\nfor key in ('least', 'most'):\n    OPTIONS[key] = round(0.85, 3)", LEAST_OF.format("OPTIONS['least']")],
    ["LEASTS = [k / 100 for k in (85, 90)]\ndef least(x=LEASTS[0]): return x", "def either(f=least): return f()", LEAST_OF.format("either()")],
    ["from functools import wraps, partial\nshare = partial(max, 0.85)\nimport numpy\nlevels = numpy.full(3, 0.85)\nif True:\n    class Level:\n        least = share(levels[1])",
     LEAST_OF.format("Level.least")],
    ["LEASTS = [0.9]\nLEASTS.insert(0, least())", "def least(): return parts[1] / 100", "parts = sorted([90, 85, 80])", LEAST_OF.format("LEASTS[0]")],
    ["from functools import lru_cache\nonce = lru_cache(maxsize=None)\n@once\ndef least():\n    return 0.85", LEAST_OF.format("least()")],
    ["LEAST = 0.85\nwhile True:\n    LEAST -= 0", LEAST_OF.format("LEAST")],  # it is stopped, and done without
    ["found = []\nfor k in range(3):\n    found.append(k)\n    while True: pass", "def plot(): print(found)", LEAST_OF.format("0.85")],
], ids=range(8))
def test_helpers_and_constants_come_along(sandbox, cells):
    """Those that are changed, and those that could not be defined at first; what only another function asks for is not run."""
    verdict = graded(sandbox, "import numpy as np", *cells, seconds=2)
    assert verdict.status == RIGHT, verdict


@posix
def test_a_home_is_found_by_the_name_of_any_system(sandbox):
    """As Windows and Unix look for it; a Mac's NumPy computes with one thread, as everybody's does."""
    where = "import ntpath, os, posixpath\nfound = {module.expanduser('~') for module in (ntpath, posixpath)}"
    verdict = graded(sandbox, where, "import numpy as np", LEAST_OF.format("0.85 if found == {os.getcwd()} and os.environ['VECLIB_MAXIMUM_THREADS'] == '1' else 2"))
    assert verdict.status == RIGHT, verdict


@posix
def test_a_helper_that_cannot_be_defined_is_named_with_its_reason(sandbox):
    said = graded(sandbox, "import numpy as np\nlevels = np.load('levels.npy')\ndef keep(f): return f\n@keep\ndef least(x=levels[0]): return x", LEAST_OF.format("least()")).message
    assert "name 'least' is not defined" in said and "`def least(x=levels[0]):` raises NameError" in said


@posix
@pytest.mark.parametrize("forged", ["[5]", "[[1, 2]]", "[['f', 'x']]", "[['f', {}]]", "[['f', {'kind': 'NameError', 'text': 3}]]", "'x'", "None"])
def test_what_is_said_to_have_failed_may_be_anything(sandbox, forged):
    cell = f"import sys\ndef swap():\n    frame = sys._getframe()\n    while 'self' not in frame.f_locals: frame = frame.f_back\n    type(frame.f_locals['self']).do_load = lambda *a, **k: {forged}\nZ = 0\nZ += swap() or 0"
    assert graded(sandbox, cell, "def get_threshold(t, r):\n    return Z").status == WRONG


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
