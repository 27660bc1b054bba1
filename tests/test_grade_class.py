"""Small classes with the marks they deserve; fitted when asked; stopped and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import class_of_thirty as thirty
import psutil
import pytest
from coursework import answer, code_notebook, hand_in, solved

from common.grading import whole_class
from common.grading.judging import Grader
from common.grading.whole_class import grade_class
from RegionDetector.exercises import TASK as REGION
from TrackDetector.exercises import TASK as TRACK

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")]


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return thirty.train_weights(tmp_path_factory.mktemp("weights") / "classifier.weights.h5", epochs=4)


def check_class(task, chosen, tmp_path, weights=None):
    victim = tmp_path / "victim.txt"
    victim.write_text("untouched")
    deserved = thirty.write_class(task, tmp_path / "in", victim, weights, chosen)
    assert set(deserved) == set(chosen)
    results = grade_class(task.name, tmp_path / "in", tmp_path / "out", progress=False)
    assert {r["student"]: r["total"] for r in results} == deserved, [(r["student"], x) for r in results for x in r["rows"] if x["marks"] < x["of"]]
    assert victim.read_text() == "untouched"
    return results


def test_small_class_region(tmp_path, weights, monkeypatch):
    results = check_class(REGION, {"moved", "half_window", "evil_exit", "evil_patch_the_checks", "old_keras", "no_notebook", "empty"}, tmp_path, weights)
    rows = {(r["student"], x["name"]): x for r in results for x in r["rows"]}
    assert "half a window" in rows["half_window", "get_bboxes_and_decision_function"]["message"]
    assert "model.fit" in rows["old_keras", "copy_weights"]["message"]
    table = (tmp_path / "out" / "marks.csv").read_text().splitlines()
    assert table[0].startswith("student,gen_negative_bbox") and len(table) == 8
    assert "half a window" in (tmp_path / "out" / "half_window.html").read_text()
    # what is graded is not graded again, and comes out the same when it is
    monkeypatch.setattr(whole_class, "_grade", lambda *graded: pytest.fail(f"graded again: {graded}"))
    assert grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", progress=False) == results


def test_small_class_track(tmp_path):
    results = check_class(TRACK, {"own_classifier", "evil_write_outside", "old_keras", "syntax"}, tmp_path)
    rows = {(r["student"], x["name"]): x for r in results for x in r["rows"]}
    assert "augmentation layers" in rows["old_keras", "preprocess_imgs"]["message"]
    assert "does not parse" in rows["syntax", "Classifier"]["message"]


def test_fitted_when_asked_where_no_weights_were_handed_in(tmp_path):
    hand_in(tmp_path / "in", "right", solved(REGION))
    hand_in(tmp_path / "in", "cannot_learn", solved(REGION, {"generate_model": thirty.changed(REGION, "generate_model", ("keras.Input(sample_shape)", "keras.Input((28, 28, 3))"))}))
    without = {r["student"]: r for r in grade_class("RegionDetector", tmp_path / "in", tmp_path / "without", progress=False)}
    assert without["right"]["total"] == 7 and "no weights were handed in" in str(without["right"])
    results = {r["student"]: r for r in grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", train=600, progress=False)}
    assert results["right"]["total"] == 10, results["right"]
    assert "fitted for at most 600 s" in str(results["right"])
    assert results["cannot_learn"]["total"] == 6 and "no network to measure" in str(results["cannot_learn"])


def start_grading(folder, out):
    grader = subprocess.Popen([sys.executable, "-m", "common.grading", "--task", "RegionDetector", "--submissions", str(folder), "--out", str(out)],
                              cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # what runs in the background is deaf to Ctrl-C
    # until the first is graded and the others sleep
    for _ in range(600):
        time.sleep(0.5)
        if list((out / "results").glob("*.json")) or grader.poll() is not None:
            break
    time.sleep(5)
    family = psutil.Process(grader.pid).children(recursive=True)
    assert grader.poll() is None and len(family) >= 3, grader.stderr.read()
    return grader, family


@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_stopped_and_gone_on_with(way, tmp_path):
    """Nothing of the sandbox is left, what was graded is kept, and the marks come out as if nothing had been."""
    right = code_notebook([answer(REGION.by_name["get_threshold"])])
    sleeps = code_notebook([f"def {name}(*args, **more):\n    import time\n    time.sleep(10**6)" for name in ("get_threshold", "precision_recall_curve")])
    for name, book in (("a", right), ("b", sleeps), ("c", sleeps), ("d", right), ("e", right)):
        hand_in(tmp_path / "in", name, book)
    grader, family = start_grading(tmp_path / "in", tmp_path / "out")
    grader.send_signal(getattr(signal, way))
    said = grader.communicate(timeout=60)[1]
    gone, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, alive
    if way != "SIGKILL":
        assert grader.returncode == 130 and "the same command goes on" in said
        assert not (tmp_path / "out" / "marks.csv").exists()
    kept = {p.stem: (p.stat().st_mtime_ns, json.loads(p.read_text())["total"]) for p in (tmp_path / "out" / "results").glob("*.json")}
    assert kept and not set(kept) & {"b", "c"} and {total for _, total in kept.values()} == {0.5}
    for name in "bc":  # now they hand in something that ends
        hand_in(tmp_path / "in", name, code_notebook([]))
    results = grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", progress=False)
    assert [r["total"] for r in results] == [0.5, 0, 0, 0.5, 0.5]
    for name, (when, _) in kept.items():
        assert (tmp_path / "out" / "results" / f"{name}.json").stat().st_mtime_ns == when


def test_a_fault_of_the_grader_costs_nobody_else_his_marks(tmp_path, monkeypatch):
    for name in "abc":
        hand_in(tmp_path / "in", name, code_notebook([answer(REGION.by_name["get_threshold"])]))
    whole = Grader.grade

    def faulty(self, submission, *more):
        if submission.name == "b":
            raise ZeroDivisionError("a fault")
        return whole(self, submission, *more)

    monkeypatch.setattr(Grader, "grade", faulty)
    with pytest.raises(RuntimeError, match=r"1 of 3 submissions could not be graded \(b\).*a fault"):
        grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", progress=False)
    monkeypatch.setattr(Grader, "grade", whole)
    assert [r["total"] for r in grade_class("RegionDetector", tmp_path / "in", tmp_path / "out", progress=False)] == [0.5] * 3
