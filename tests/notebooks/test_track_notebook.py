"""The recognition notebook: clean as committed, and run from first cell to last on the built-in people."""

import json
from pathlib import Path

import nbformat
import pytest
from executed import by_make_run

from common.notebooks import run_notebook

NOTEBOOK = Path(__file__).resolve().parents[2] / "TrackDetector" / "Face_Recognition_task.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_header_says_what_and_how_long(notebook):
    header = notebook.cells[0].source
    for part in ("# Face recognition", "You will learn", "minutes", "Runs on", "Contents"):
        assert part in header
    headings = [cell.source.split("\n")[0][3:] for cell in notebook.cells if cell.source.startswith("## ")]
    listed = [line.split("[")[1].split("]")[0] for line in header.split("\n") if line[:1].isdigit()]
    assert listed == [heading.partition(". ")[2] for heading in headings if heading[0].isdigit()]


def test_it_calls_the_course_by_its_names(notebook):
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    for name in ("load_image_data(", "load_video_data(", "preprocess_imgs(", "get_layer_output(", "Classifier(", ".fit(", ".classify_images(",
                 ".classify_videos(", "check_test("):
        assert name in code, name


@pytest.fixture
def run(notebook, tmp_path, monkeypatch):
    """The executed notebook and its card: the run of `make run`, or one of our own."""
    if done := by_make_run("TrackDetector/Face_Recognition_task.ipynb", "the built-in ORL faces"):
        return done
    for name in ("FACE_RECOGNITION_DIR", "MY_PEOPLE", "MY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KIT_SOURCE", "demo")
    monkeypatch.setenv("KIT_SEED", "0")
    monkeypatch.setenv("KIT_DATA", str(tmp_path / "Face_Recognition_data"))
    monkeypatch.setenv("KIT_BUILD", str(tmp_path / "build"))
    executed = run_notebook(NOTEBOOK, tmp_path / "out.ipynb")
    return executed, json.loads((tmp_path / "build" / "face_recognition.json").read_text(encoding="utf-8"))


@pytest.mark.notebook
def test_it_runs_on_the_built_in_people(run):
    executed, card = run
    assert not any(cell.outputs for cell in executed.cells if cell.source.startswith("catch_up("))  # nothing was missing
    assert {"task", "data", "device", "keras_backend", "images", "videos", "strangers", "descriptor", "seconds"} <= set(card)
    assert card["images"]["people"] == card["videos"]["people"] == card["videos"]["clips"] == 30
    assert (card["images"]["train"], card["images"]["test"]) == (90, 210)
    assert card["images"]["accuracy"] >= 0.99 and card["images"]["faces_found"] >= 205
    assert card["videos"]["accuracy"] >= 0.96 and 300 < card["videos"]["frames_with_face"] <= 510  # 90 frames show nobody
    assert card["strangers"]["correct_accept"] >= 0.95 and card["strangers"]["false_accept"] <= 0.1 and card["strangers"]["n"] == 50
    assert card["descriptor"]["max_abs_difference_to_dlib"] <= 1e-5 and card["descriptor"]["dimension"] == 128
    assert set(card["seconds"]) == {"detection", "descriptors", "knn", "total"} and min(card["seconds"].values()) > 0
    pictures = [o for cell in executed.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= 14
    assert not any("simulated" in str(o) for cell in executed.cells if cell.id == "load-images" for o in cell.outputs if o.output_type == "error")
    said = "".join(o.text for cell in executed.cells for o in cell.get("outputs", []) if o.output_type == "stream" and o.name == "stdout")
    assert "built-in ORL faces" in said and "simulated" in said
