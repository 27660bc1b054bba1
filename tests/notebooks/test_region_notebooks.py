"""RegionDetector's notebooks, run from the first cell to the last; training is shortened here, never in `make run`."""

import json
import random
from pathlib import Path

import nbformat
import numpy as np
import pytest
from executed import by_make_run
from few_photos import lay_out_demo, lay_out_fddb

from common import device
from common.notebooks import MAIN, NotebookFailed, flat, run_notebook, write_page

ROOT = Path(__file__).resolve().parents[2]
SHORT = {"EPOCHS": 4, "MINING_ROUNDS": 1, "MINING_EPOCHS": 1, "COPIES": 2}
# what is found in real photos is worth a longer training; on the scenes it is enough to see that it learns
PHOTOS = {"demo": {"train": 120, "val": 30, "test": 20}, "fddb": {"train": 240, "val": 60, "test": 60}}
LEAST = {"demo": (0.75, 0.4), "fddb": (0.85, 0.6)}  # accuracy and area of the curve: far better than chance
FACE_DETECTION = ROOT / "RegionDetector" / "Face_Detection.ipynb"


def pictures(notebook):
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.notebook
def test_face_detection_runs_and_writes_its_card(tmp_path, monkeypatch, fddb_if_there):
    """On real photos where they are at hand, else on the built-in scenes, on which `make run` runs the whole of it."""
    data = "fddb" if fddb_if_there else "demo"
    home, photos = tmp_path / "data", PHOTOS[data]
    if data == "fddb":
        monkeypatch.setenv("FDDB_DIR", str(fddb_if_there))
        lay_out_fddb(home, fddb_if_there, **photos)
    else:
        lay_out_demo(home, **photos)
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))
    parameters = {**SHORT, "SOURCE": "demo" if data == "demo" else None, "DATA": str(home)}
    notebook = run_notebook(FACE_DETECTION, tmp_path / "out.ipynb", parameters)
    assert pictures(notebook) >= 20
    assert not any(cell.outputs for cell in notebook.cells if cell.source.startswith("catch_up("))  # nothing was missing
    card = json.loads((tmp_path / "face_detection.json").read_text())
    figures = dict(flat(card))
    assert card["data"] == ("built-in demo scenes" if data == "demo" else "FDDB")
    assert {name: card["counts"][name]["images"] for name in photos} == photos
    assert card["classifier"]["parameters"] == card["fcnn"]["parameters"] == 542_530 and card["fcnn"]["map_shape"] == [37, 37, 2]
    assert card["fcnn"]["max_abs_difference"] < 1e-4
    accuracy, area = LEAST[data]  # some short epochs cannot be perfect
    assert card["classifier"]["val_accuracy"] > accuracy and area < card["detector"]["test"]["auc_pr"] < 1
    for place in ("detector.val", "detector.test", "hard_negatives.test"):
        assert all(f"{place}.{name}" in figures for name in ("auc_pr", "ap50", "ap", "threshold", "recall", "precision"))
    assert {"multiscale.test.ap50", "hard_negatives.mined", "seconds.total", "seconds.detection_per_image"} <= set(figures)
    write_page(notebook, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("data:image/webp") >= 20


@pytest.mark.notebook
def test_on_the_built_in_scenes_it_reaches_what_the_page_says():
    """The whole of it, as `make run` ran it."""
    done = by_make_run("RegionDetector/Face_Detection.ipynb", "built-in demo scenes")
    if done is None:
        pytest.skip("make run has not run these sources on the built-in scenes")
    notebook, card = done
    assert not any(cell.outputs for cell in notebook.cells if cell.source.startswith("catch_up("))
    assert card["classifier"]["val_accuracy"] > 0.97 and card["detector"]["val"]["recall"] >= 0.85
    assert card["detector"]["test"]["auc_pr"] > 0.95 and card["hard_negatives"]["test"]["auc_pr"] > card["detector"]["test"]["auc_pr"]


def test_the_first_weights_do_not_depend_on_what_ran_before():
    """A student's cells draw random numbers, too, and some cells are run twice."""
    from RegionDetector.model import generate_model

    cells = ["".join(cell["source"]) for cell in nbformat.read(FACE_DETECTION, 4).cells]
    making = next(text for text in cells if text.startswith("device.seed") and "classifier = generate_model(" in text)
    weights = []
    for draws, seed in ((0, 0), (7, 0), (0, 1)):
        [(random.random(), np.random.rand()) for _ in range(draws)]
        place = {"device": device, "SEED": seed, "generate_model": generate_model}
        exec(making.replace(".summary()", ""), place)
        weights.append(np.concatenate([w.ravel() for w in place["classifier"].get_weights()]))
    assert np.array_equal(weights[0], weights[1]) and not np.array_equal(weights[0], weights[2])


@pytest.mark.notebook
def test_data_preparation_runs_without_fddb(tmp_path):
    few = {"train": 12, "val": 5, "test": 4}
    lay_out_demo(tmp_path, **few)
    notebook = run_notebook(ROOT / "RegionDetector" / "prepare_data.ipynb", tmp_path / "out.ipynb", {"SOURCE": "demo", "DATA": str(tmp_path)})
    assert pictures(notebook) == 1
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert all(f"{part}: {count} canvases" in said for part, count in few.items())


@pytest.mark.notebook
def test_the_benchmark_opens_with_stored_results(tmp_path, monkeypatch):
    monkeypatch.delenv("FDDB_DIR", raising=False)
    notebook = run_notebook(ROOT / "RegionDetector" / "FDDB_benchmark.ipynb", tmp_path / "out.ipynb")
    assert pictures(notebook) == 11


@pytest.mark.notebook
def test_a_failing_cell_is_a_failure_and_the_copy_is_kept(tmp_path):
    path = tmp_path / "in.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('before')"), nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(NotebookFailed, match="ZeroDivisionError"):
        run_notebook(path, tmp_path / "out.ipynb")
    assert "before" in nbformat.read(tmp_path / "out.ipynb", 4).cells[0].outputs[0].text
    with pytest.raises(ValueError, match="no cell with the tag"):
        run_notebook(path, tmp_path / "out.ipynb", {"SEED": 1})


def test_every_main_notebook_is_there():
    assert all((ROOT / name).is_file() for name in MAIN)
