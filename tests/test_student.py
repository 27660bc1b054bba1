"""The package for students: no answers in it; stops politely; with the answers in it, ten marks."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from committed import ROOT, committed
from coursework import solved
from warm import warm_command

from common.exercises.reference import answer_names
from common.exercises.targets import draw_targets
from common.grading.student_package import without_answers, write_tree, write_zip
from common.grading.tasks import NOTEBOOKS
from common.grading.whole_class import grade_class
from RegionDetector.exercises import TASK as REGION
from TrackDetector.exercises import TASK as TRACK

# Lines of the answers that are long enough to be nobody else's
_LINE = 30


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    home = tmp_path_factory.mktemp("student")
    with zipfile.ZipFile(write_zip(home / "student.zip")) as archive:
        assert archive.testzip() is None
        archive.extractall(home / "unpacked")
    return home / "unpacked" / "face_detectors"


def test_the_pictures_of_targets_are_drawn_by_a_network_that_was_loaded_quietly(monkeypatch, tmp_path):
    monkeypatch.setattr("common.device.prepare", lambda: sys.exit("prepared"))
    with pytest.raises(SystemExit, match="prepared"):
        draw_targets(tmp_path)


def test_no_answer_in_any_file(package):
    from common.exercises.reference import load

    files = {p: p.read_bytes() for p in package.rglob("*") if p.is_file()}
    assert {p.suffix for p in files} <= {".md", ".py", ".ipynb", ".png", ".txt", ".in", ".lock", ".yml", ".sha256", ""}
    everything = b"\n".join(files.values()).decode("utf-8", "replace")
    whole = "\n".join(p.read_text() for p in committed("common/*.py", "RegionDetector/*.py", "TrackDetector/*.py"))
    for module, names in answer_names().items():
        for name in names:
            found = load(f"{module}:{name}")
            if not callable(found):
                continue
            own = (package / (module.replace(".", "/") + ".py"))
            text = own.read_text() if own.exists() else ""
            assert not re.search(rf"^(def|class) {name}\b", text, re.M) or (module, name) == ("common.scores", "_curve")
            body = [line for line in _body(found) if whole.count(line) == 1]  # what stands elsewhere as well is no secret
            copied = [line for line in body if line in everything]
            assert not copied, (module, name, copied[:5])


def test_its_page_asks_for_nothing_that_is_not_there(package):
    page = (package / "README.md").read_text(encoding="utf-8")
    whole = (ROOT / "docs" / "student.md").read_text(encoding="utf-8")
    assert "| preprocess_imgs" in page.replace("`", "") and "docker" not in page and "docker" in whole
    asked = set(re.findall(r"kit\.py (\w+)", page))
    done = subprocess.run([sys.executable, "kit.py", "--help"], cwd=package, capture_output=True, text=True)
    assert {"doctor", "lab"} <= asked <= set(re.search(r"\{([\w,]+)\}", done.stdout)[1].split(",")) == {"setup", "wheelhouse", "lab", "doctor"}
    for module in re.findall(r"python -m ([\w.]+)", page):
        assert (package / module.replace(".", "/")).with_suffix(".py").exists() or (package / module / "__main__.py").exists(), module
    refused = subprocess.run([sys.executable, "kit.py", "grade"], cwd=package, capture_output=True, text=True)
    assert refused.returncode == 2 and "invalid choice: 'grade'" in refused.stderr and not (package / ".venv").exists()


def test_links_lead_somewhere_in_the_package(package):
    texts = {page: page.read_text(encoding="utf-8") for page in package.rglob("*.md")}
    for book in package.rglob("*.ipynb"):
        texts[book] = "\n".join("".join(cell["source"]) for cell in json.loads(book.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "markdown")
    assert len(texts) == 5
    found = [(page, link) for page, text in texts.items() for link in re.findall(r"\]\((?!\w+:)([^)#]+)(?:#[^)]*)?\)", text)]
    assert found and all((page.parent / link).exists() for page, link in found), found


def _body(function):
    import inspect

    try:
        source = inspect.getsource(function)
    except OSError:  # a named tuple is written in one line, without a source of its own
        return []
    text = re.sub(r'""".*?"""', "", source, flags=re.S)
    body = text[re.search(r":[^\n]*\n", text).end() :]  # the signature stands in the stub as well
    return [line.strip() for line in body.split("\n") if len(line.strip()) >= _LINE and not line.strip().startswith("def ")]


def test_the_same_every_time(package, tmp_path):
    write_tree(tmp_path)
    files = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {p.relative_to(package): p.read_bytes() for p in package.rglob("*") if p.is_file()}


def test_all_modules_can_be_imported_and_nothing_that_stayed_calls_what_was_cut_out(package):
    """Every global name that a function of the package uses is there."""
    code = """
import builtins, dis, importlib, json, sys, types
sys.path.insert(0, sys.argv[1])
lost = []
for name in json.loads(sys.argv[2]):
    module = importlib.import_module(name)
    waiting = [compile(open(module.__file__, encoding="utf-8").read(), module.__file__, "exec")]
    while waiting:
        each = waiting.pop()
        waiting += [constant for constant in each.co_consts if isinstance(constant, types.CodeType)]
        lost += [f"{name}:{each.co_name} {i.argval}" for i in dis.get_instructions(each)
                 if i.opname == "LOAD_GLOBAL" and not hasattr(module, i.argval) and not hasattr(builtins, i.argval)]
print(json.dumps(lost))
"""
    modules = sorted(".".join(p.relative_to(package).with_suffix("").parts) for p in package.rglob("*.py") if p.stem != "__init__")
    done = subprocess.run(warm_command("-c", code, package, json.dumps(modules)), cwd=package, capture_output=True, text=True,
                          env={**os.environ, "MPLBACKEND": "agg"})
    assert done.returncode == 0, done.stderr
    lost = json.loads(done.stdout.splitlines()[-1])
    assert [each for each in lost if each.split()[-1] not in ("msvcrt", "fcntl")] == []  # these are there on one system or the other


@pytest.mark.slow
@pytest.mark.parametrize("task, first", [(REGION, "gen_negative_bbox"), (TRACK, "load_image_data")], ids=["RegionDetector", "TrackDetector"])
def test_stops_politely_at_the_first_unsolved_exercise(package, task, first, tmp_path):
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    home = package / task.name
    notebook = nbformat.read(home / NOTEBOOKS[task.name], 4)
    environment = {**os.environ, "KIT_SOURCE": "demo", "KIT_BUILD": str(tmp_path)}
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(home)}})
    with pytest.raises(CellExecutionError, match=f"The exercise {first} .* is not written yet"):
        client.execute(env=environment)
    errors = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs if o.output_type == "error"]
    assert len(errors) == 1 and len(errors[0].traceback) == 1 and "hint(" in errors[0].traceback[0]


@pytest.mark.slow
@pytest.mark.parametrize("task", [REGION, TRACK], ids=["RegionDetector", "TrackDetector"])
def test_with_the_answers_pasted_in_it_runs_to_its_end_and_earns_ten_marks(package, task, tmp_path):
    """In the package alone, without the kit beside it; then handed in, with its weights, and graded."""
    from common.notebooks import run_notebook

    home = tmp_path / "package"
    shutil.copytree(package, home)
    book = home / task.name / NOTEBOOKS[task.name]
    book.write_text(json.dumps(solved(task, folder=home)), encoding="utf-8")
    # fewer epochs than in the notebook, and the settings of every other test
    settings = {"EPOCHS": 6, "MINING_ROUNDS": 1, "MINING_EPOCHS": 1} if task is REGION else {}
    environment = {"KIT_SOURCE": "demo", "KIT_SEED": "0", "KIT_BUILD": str(tmp_path / "build"), "KIT_DATA": str(tmp_path / "data"), "PYTHONPATH": ""}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        run = run_notebook(book, tmp_path / "run.ipynb", settings or None)
    outputs = [o for cell in run.cells for o in cell.get("outputs", [])]
    said = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    said += "\n".join(o.data.get("text/plain", "") for o in outputs if o.output_type == "display_data")  # verdicts
    assert re.search(r"together +10 of 10\b", said), said[-3000:]
    assert "stands in" not in said and str(ROOT) not in said
    assert [item.name for item in task.exercises if f"{item.name}: right" not in said] == []
    (tmp_path / "in" / "student").mkdir(parents=True)
    shutil.copyfile(tmp_path / "run.ipynb", tmp_path / "in" / "student" / "mine.ipynb")
    for weights in (tmp_path / "build").rglob("classifier.weights.h5"):
        shutil.copyfile(weights, tmp_path / "in" / "student" / weights.name)
    result, = grade_class(task.name, tmp_path / "in", tmp_path / "out", progress=False)
    assert result["total"] == 10, [row for row in result["rows"] if row["marks"] < row["of"]]
    assert all(row["status"] == "right" for row in result["rows"]), result["rows"]


@pytest.mark.parametrize("task", [REGION, TRACK], ids=["RegionDetector", "TrackDetector"])
def test_notebooks_carry_nbgrader_metadata(package, task):
    notebook = json.loads((package / task.name / NOTEBOOKS[task.name]).read_text())
    marked = [c["metadata"]["nbgrader"] for c in notebook["cells"] if "nbgrader" in c["metadata"]]
    assert len({m["grade_id"] for m in marked}) == len(marked) >= 2 * len(task.exercises)
    assert sum(m.get("points", 0) for m in marked) == sum(e.marks for e in task.exercises)
    assert all(not c.get("outputs") for c in notebook["cells"])


def test_answers_are_cut_out_of_a_module():
    text = "from a import b, c\nfrom a import b\nX = 1\n\n@decorated\ndef b():\n    return 1\n\n\ndef d():\n    from a import b\n    return 2\n"
    left = without_answers(text, "m", {"m": {"b"}, "a": {"b"}})
    compile(left, "m", "exec")
    assert "import c" in left and "def b" not in left and "decorated" not in left and "def d" in left
    assert "import b" not in left
