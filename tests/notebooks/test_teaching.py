"""What makes a notebook teach: questions, a worked example, recaps in the checks' own words, times of people, ways back after a restart."""

import ast
import builtins
import html
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from few_photos import lay_out_demo
from warm import kernels

from common.exercises.restart import cells_to_run, needs_and_makes, read_notebook
from common.notebooks import NotebookFailed, run_notebook

ROOT = Path(__file__).resolve().parents[2]
EVERY = ["RegionDetector/Face_Detection.ipynb", "RegionDetector/FDDB_benchmark.ipynb", "RegionDetector/prepare_data.ipynb",
         "TrackDetector/Face_Recognition_task.ipynb"]  # fmt: skip
MAIN = [EVERY[0], EVERY[3]]
TOP = 3  # code cells that are run by hand after a restart


def book(name):
    return nbformat.read(ROOT / name, 4)


def sections(notebook):
    """Heading and cells of every numbered section."""
    found = []
    for cell in notebook.cells:
        heading = re.search(r"(?m)^## (.+)$", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            found.append((heading.group(1), []))
        if found:
            found[-1][1].append(cell)
    return [(heading, cells) for heading, cells in found if heading[0].isdigit()]


def messages(task):
    """Every text that a check can say; what is filled in when it is said is a gap."""
    said = []
    for path in (ROOT / task / "checks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                said.append("".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.append(node.value)
    return said


@pytest.mark.parametrize("name", EVERY)
def test_the_header_says_the_minutes_of_people_and_of_machines(name):
    time = book(name).cells[0].source.partition("**Time:** yours, ")[2]
    assert re.match(r"[^;]*(minute|hour)[^;]*; the machine's,? [^.]*(second|minute)", time), time[:200]


@pytest.mark.parametrize("name", MAIN)
def test_questions_stand_before_results(name):
    questions = importlib.import_module(f"{name.partition('/')[0]}.checks.questions").QUESTIONS
    cells = book(name).cells
    asked = {re.search(r'^ask\("(\w+)"\)$', cell.source).group(1): place for place, cell in enumerate(cells) if cell.cell_type == "code" and cell.source.startswith("ask(")}
    assert set(asked) == set(questions) and 12 <= len(asked) <= 16
    for place in asked.values():
        after = next(cell for cell in cells[place + 1 :] if cell.cell_type == "code")
        assert not after.source.startswith(("ask(", "check(", "@exercise")), after.source
    answers = [question.answer / (len(question.choices) - 1) for question in questions.values()]
    assert len(set(answers)) >= 3 and max(map(answers.count, answers)) <= len(answers) * 0.7  # not always the last one


@pytest.mark.parametrize("name", MAIN)
def test_every_section_says_its_time_and_the_way_back(name):
    for place, (heading, cells) in enumerate(sections(book(name))):
        said = cells[0].source
        assert re.search(r"\*\*Time:\*\* \d+ minutes of yours, .*(second|minute)s? of the machine's\.", said), heading
        if place:
            assert "**Restarted?** Run [the three cells at the top](#start)" in said, heading
            assert cells[1].source == f'catch_up("{cells[0].id}")', heading


@pytest.mark.parametrize("name", MAIN)
def test_sections_with_exercises_end_with_a_recap_and_a_line_of_progress(name):
    for heading, cells in sections(book(name)):
        if not any(cell.id.startswith("exercise-") and "optional" not in cell.source for cell in cells):
            continue
        ids = [cell.id for cell in cells]
        recap = next(place for place, each in enumerate(ids) if each.startswith("recap-"))
        assert cells[recap].source.startswith("**In short.** "), heading
        assert max(place for place, each in enumerate(ids) if each.startswith("check-")) < recap
        assert any(cell.source.startswith("marks(") for cell in cells[recap + 1 :]), heading


@pytest.mark.parametrize("name", MAIN)
def test_common_mistakes_are_in_the_words_of_the_checks(name):
    said, quoted = messages(name.partition("/")[0]), 0
    for cell in book(name).cells:
        if cell.id.startswith("recap-"):
            for words in re.findall(r"(?m)^- \*(.+?)\* ", cell.source):
                quoted += 1
                assert any(words in text for text in said), f"no check says: {words}"
    assert quoted >= 12


@pytest.mark.parametrize("name", MAIN)
def test_the_hints_folded_into_the_notebook_are_those_that_hint_gives(name):
    cells = [html.unescape(cell.source) for cell in book(name).cells]
    for item in importlib.import_module(f"{name.partition('/')[0]}.exercises").EXERCISES:
        said = next(source for source in cells if source.startswith(f"### Exercise: `{item.name}`"))
        assert said.endswith("\n\n" + "\n".join(f"{place}. {hint}" for place, hint in enumerate(item.hints, 1)) + "\n\n</details>"), item.name


@pytest.mark.parametrize("name", MAIN)
def test_what_a_hint_calls_is_there_when_it_is_read(name):
    """Whoever follows it must not have to look for an import: the notebook has made the name, or it is written with its module."""
    from keras import layers

    task, cells = importlib.import_module(f"{name.partition('/')[0]}.exercises").TASK, book(name).cells
    called = 0
    for item in task.exercises:
        at = next(k for k, cell in enumerate(cells) if re.search(rf"(?m)^@exercise\n(def|class) {item.name}\b", cell.source))
        made = set().union(*(needs_and_makes(cell.source)[1] for cell in cells[: at + 1] if cell.cell_type == "code")) | {*item.takes, *task.by_name, *dir(builtins)}
        text = "\n".join([*item.hints, *(cell.source for cell in cells[max(at - 2, 0) : at] if cell.cell_type == "markdown")])
        for path in re.findall(r"(?<![\w.])([A-Za-z_][\w.]*)\(", text):
            first, dotted = path.partition(".")[::2]
            called += 1
            assert first in made or "layers" in made and hasattr(layers, first) or dotted and importlib.util.find_spec(first), f"{item.name}: {path}"
    assert called >= 5


@pytest.mark.parametrize("name", MAIN)
def test_the_worked_example_goes_from_wrong_to_right(name, capsys):
    import numpy as np

    exercises = importlib.import_module(f"{name.partition('/')[0]}.exercises")
    cells = {cell.id: cell.source for cell in book(name).cells}
    assert list(cells).index("example-second-try") < min(place for place, each in enumerate(cells) if each.startswith("exercise-"))
    place = {"example": exercises.example, "np": np}
    for text, status in ((cells["example-first-try"], "wrong"), (cells["example-second-try"], "right")):
        exec(text, place)
        assert [verdict.status for verdict in exercises.example.verdicts.values()] == [status]
    assert "hint" in capsys.readouterr().out and exercises.example.exercises[0].name not in exercises.TASK.by_name


def test_weights_copied_by_hand_give_the_same_number(capsys):
    import numpy as np

    exec({cell.id: cell.source for cell in book(EVERY[0]).cells}["copy-toy"], {"np": np})
    dense, kernel, *wrong = (line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:])
    assert dense == kernel == "650" and len(wrong) == 2 and dense not in wrong


def test_what_a_cell_needs_and_makes():
    for source, needs, makes in (
        ("x = 1\nx += y", "y", "x"), ("x += 1", "x", "x"), ("for k in range(n):\n    print(k)", "n", "k"), ("f = lambda a: a + b", "b", "f"),
        ("@exercise\ndef f(a):\n    global g\n    g = h(a)", "exercise h", "f g"), ("import a.b as c\nfrom d import e", "", "c e"), ("%matplotlib inline\nx = 1", "", "x"),
        ("d['k'] = [v for v in w if v]", "d w", ""), ("class A:\n    b = c\n    def m(self):\n        return z", "c z", "A"), ("def broken(", "", ""),
        ("if a:\n    b = [1]\n    b += [2]", "a", "b"), ("with open(p) as file:\n    text = file.read()\nprint(text)", "p", "file text"),
        ("crowd = {n: f(n) for n in m}\ncrowd = dict(crowd)", "f m", "crowd"),
    ):  # fmt: skip
        assert needs_and_makes(source) == (set(needs.split()), set(makes.split())), source


@pytest.mark.parametrize("name", MAIN)
def test_after_a_restart_every_section_gets_all_that_it_needs(name):
    cells, starts = read_notebook(ROOT / name)
    top = set().union(*(cell.makes for cell in cells[:TOP]))
    assert "catch_up" in top and cells[TOP].number >= starts["start"]
    made = set().union(*(cell.makes for cell in cells))
    for place, (_, members) in enumerate(sections(book(name))):
        if not place:
            continue
        start = starts[members[0].id]
        stop = next((cell.number for cell in cells[start:] if cell.section != cells[start].section), len(cells))
        have = set(top)
        for cell in (*cells_to_run(cells, start, stop, top), *cells[start:stop]):
            assert not (cell.needs & made) - have, (members[0].id, cell.source[:60])
            have |= cell.makes
        assert cells_to_run(cells, start, stop, made) == []  # nothing to be done if all is there


def test_what_changes_a_model_in_place_is_run_again_as_well():
    cells, starts = read_notebook(ROOT / EVERY[0])
    top = set().union(*(cell.makes for cell in cells[:TOP]))
    for section, texts in (("boxes", ("model.fit(",)), ("scales", ("model.fit(", "hard_negative(", "copy_weights(classifier"))):
        stop = next(cell.number for cell in cells[starts[section] :] if cell.section != cells[starts[section]].section)
        again = "\n".join(cell.source for cell in cells_to_run(cells, starts[section], stop, top))
        assert all(text in again for text in texts), section


HEAD = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom common.exercises.restart import help_in_cells\n"


@pytest.fixture
def small(tmp_path):
    """A notebook of a few cells, of which some are run after a restart."""
    def write(*run):
        cells = [nbformat.v4.new_markdown_cell("## 1 First", id="first"), nbformat.v4.new_code_cell("n = 6\nprint('made')"),
                 nbformat.v4.new_markdown_cell("## 2 Second", id="second"), nbformat.v4.new_code_cell('catch_up("second")'), nbformat.v4.new_code_cell("print(7 * n)")]  # fmt: skip
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "whole.ipynb")
        head = nbformat.v4.new_code_cell(f"{HEAD}catch_up = help_in_cells({str(tmp_path / 'whole.ipynb')!r})")
        nbformat.write(nbformat.v4.new_notebook(cells=[head, *map(nbformat.v4.new_code_cell, run)]), tmp_path / "in.ipynb")
        return tmp_path / "in.ipynb", tmp_path / "out.ipynb"

    return write


def said(notebook):
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]


def test_catch_up_runs_what_a_section_needs_and_nothing_twice(small, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    _, first, result, second = said(run_notebook(*small('catch_up("second")', "print(7 * n)", 'catch_up("second")')))
    assert first.startswith("Running 1 cell again") and "made" not in first and result == "42\n" and second == ""


def test_a_notebook_whose_cells_have_no_ids_or_the_same_twice_is_read_quietly(tmp_path, recwarn, caplog):
    """As Colab saves them, and as copies of cells have them."""
    notebook = nbformat.read(ROOT / EVERY[0], as_version=4)
    want = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells[3]["id"] = notebook.cells[2]["id"]
    del notebook.cells[4]["id"]
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert [cell.source for cell in read_notebook(tmp_path / "a.ipynb")[0]] == want
    assert not list(recwarn) and not caplog.records


@pytest.mark.parametrize("cell, line", [
    ("print(7 * n)", "NameError: there is no n yet. It is made in section 1 First, by the cell with the line `n = 6`."),
    ("print({k: 7 * n for k in range(2)})", "NameError: there is no n yet. It is made in section 1 First, by the cell with the line `n = 6`."),
    ("sum(n for k in range(2))", "NameError: there is no n yet."),
    ("open('/dev/full', 'w').write('x' * 99999)", "The disk is full. Make room"),
], ids=["name", "in a comprehension", "in a generator", "disk"])  # fmt: skip
def test_an_error_that_the_notebook_understands_is_a_line(small, monkeypatch, cell, line):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if "/dev/full" in cell and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    where, out = small(cell)
    with pytest.raises(NotebookFailed):
        run_notebook(where, out)
    error = nbformat.read(out, 4).cells[1].outputs[-1]
    assert len(error.traceback) == 1 and error.traceback[0].startswith(line) and "\n" not in error.traceback[0]


def test_other_errors_are_shown_as_always(small, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    where, out = small("1 / 0", "unheard_of", "def f():\n    return n\nf()")
    notebook = nbformat.read(where, 4)
    for cell in notebook.cells[1:]:
        cell.metadata.tags = ["raises-exception"]  # or the run would end there
    nbformat.write(notebook, where)
    for cell in run_notebook(where, out).cells[1:]:
        assert len("\n".join(cell.outputs[-1].traceback).splitlines()) > 3, cell.source


def test_opened_from_elsewhere_every_notebook_says_the_same_line(tmp_path):
    lines = set()
    for name in EVERY:
        cell = next(cell.source for cell in book(name).cells if cell.cell_type == "code")
        done = subprocess.run([sys.executable, "-c", cell], cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
        assert done.returncode and not done.stdout
        lines.add(done.stderr)
    assert lines == {"Open this notebook inside the kit's folder. Where notebooks run elsewhere, as in Colab, go there first: %cd FOLDER\n"}


def test_without_ipywidgets_pictures_stand_still_and_answers_are_folded():
    code = """
import sys
sys.modules["ipywidgets"] = None
import numpy as np
from common.pictures import explorers
from RegionDetector.checks.questions import ask
from TrackDetector.pictures.explorers import thumbnails
data, words = explorers.explore_iou([10, 10, 40, 40], np.zeros((60, 60, 3), np.uint8))._repr_mimebundle_()
assert sorted(data) == ["image/png", "text/plain"] and "IoU" in words["image/png"]["alt"], data.keys()
assert thumbnails([], [])[0].value == 0
data = ask("half")._repr_mimebundle_()
assert sorted(data) == ["text/html", "text/plain"] and "<details><summary>" in data["text/html"] and "48 columns" not in data["text/plain"]
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No sliders here")


@pytest.mark.notebook
def test_after_a_restart_a_section_runs(tmp_path, monkeypatch):
    """The three cells at the top, the cell that brings back the rest, and the section; what was fitted the first time is read the second time, when that cell is enough.

    That the same cells run in a Python that has loaded nothing yet, the tests of the whole notebook see.
    """
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PATH", kernels(tmp_path / "jupyter"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    source = book(EVERY[0])
    code = [cell for cell in source.cells if cell.cell_type == "code"][:TOP]
    members = next(cells for _, cells in sections(source) if cells[0].id == "boxes")
    there = nbformat.v4.new_code_cell(f"import os\nos.chdir({str(ROOT / 'RegionDetector')!r})")
    short = nbformat.v4.new_code_cell(f"SOURCE, EPOCHS, COPIES, DATA = 'demo', 1, 1, {str(tmp_path)!r}")
    lay_out_demo(tmp_path, train=60, val=30, test=4)
    written = []
    for section in (members, [cell for cell in members if cell.source.startswith("catch_up(")]):
        nbformat.write(nbformat.v4.new_notebook(cells=[there, *code[:2], short, *code[2:], *section]), tmp_path / "in.ipynb")
        run = run_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb")
        again = next(cell for cell in run.cells if cell.source.startswith("catch_up("))
        text = "".join(output.text for output in again.outputs)
        assert re.match(r"Running \d+ cells again .*\nAll that this section needs is there, after \d+ s\.\n$", text), text
        assert section is not members or any("boxes on 30 photos" in output.get("text", "") for cell in run.cells for output in cell.get("outputs", []))
        written.append((tmp_path / "weights" / "classifier.weights.h5").stat().st_mtime_ns)
    assert written[0] == written[1]  # the second time they were read
