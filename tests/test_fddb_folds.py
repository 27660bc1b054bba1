"""The ten-fold run: it goes on where it stopped, keeps plans apart, and hands out what the evaluation reads."""

import json
import multiprocessing
import os
import re
import signal
import threading
import time

import cv2
import folds_elsewhere as elsewhere
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RegionDetector.fddb import folds as folds_run
from RegionDetector.fddb import plots, reading, report
from RegionDetector.fddb.evaluation import evaluate
from RegionDetector.one_pass import training as one_pass
from RegionDetector.pyramid.model import generate_pyramid_model
from RegionDetector.pyramid.samples import boxed, spread_of
from RegionDetector.pyramid.training import Plan, calibrate


@pytest.fixture
def small_fddb(tmp_path):
    return made_up_fddb(tmp_path / "fddb", 2)


def made_up_fddb(folder, photos):
    """Ten folds of so many photos each, laid out as FDDB is."""
    rng = np.random.default_rng(0)
    (folder / "FDDB-folds").mkdir(parents=True)
    for fold in reading.FOLDS:
        lines = []
        for number in range(photos):
            name = f"2002/01/{fold:02d}/big/img_{number}"
            path = folder / "originalPics" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 255, (60, 80, 3)).astype(np.uint8))
            lines += [name, "1", "20.0 15.0 1.5 40.0 30.0 1"]
        (folder / "FDDB-folds" / f"FDDB-fold-{fold:02d}-ellipseList.txt").write_text("\n".join(lines) + "\n")
    return folder


def the_truth(folder, fold):
    """Detections that are the marked ellipses themselves."""
    return {record.name: np.column_stack([record.ellipses[:, :5], np.ones(len(record.ellipses))]) for record in reading.read_folds(folder, fold)}


@pytest.fixture
def trained(monkeypatch):
    """Training that takes no time, and the photos it was given each time."""
    calls = []

    def fit(records, plan, callbacks, verbose):
        calls.append({record.name for record in records})
        return generate_pyramid_model(widths=plan.widths, normalised=False)

    monkeypatch.setattr(folds_run, "fit_pyramid_model", fit)
    return calls


def test_a_stopped_run_goes_on(small_fddb, tmp_path, trained, monkeypatch):
    out, looked = tmp_path / "out", []
    find_in = folds_run.find_in

    def stops(model, records, **more):
        looked.append(records[0].fold)
        if len(looked) == 2:
            raise KeyboardInterrupt
        return find_in(model, records, **more)

    monkeypatch.setattr(folds_run, "find_in", stops)
    with pytest.raises(KeyboardInterrupt):
        folds_run.run_folds(small_fddb, out, [8, 9, 10])
    assert len(trained) == 2 and not (out / "results.json").exists()
    (out / "fold-07-out.txt").write_text("")  # of a fold that was not asked for
    curve = folds_run.run_folds(small_fddb, out, [8, 9, 10])
    assert len(trained) == 3 and looked == [10, 9, 9, 8], "nothing that was done is done again"
    for fold, names in zip((10, 9, 8), trained):
        assert len(names) == 18 and not any(f"/{fold:02d}/" in name for name in names), "a fold is never trained on when it is the test"
    assert curve.faces == 6
    results = json.loads((out / "results.json").read_text())
    assert results["folds"] == [8, 9, 10] and results["photos"] == 6 and len(results["faces_by_size"]["found"]) == 6
    with pytest.raises(ValueError, match="another plan"):
        folds_run.run_folds(small_fddb, out, [8], Plan(epochs=3))


def test_the_command(small_fddb, tmp_path, trained, capsys, monkeypatch):
    monkeypatch.delenv("FDDB_DIR", raising=False)
    assert folds_run.main(["--folds", "1", "--jobs", "1", "--out", str(tmp_path / "one"), "--fddb", str(small_fddb)]) == 0
    assert "1 of 10 folds" in capsys.readouterr().out
    # that a fold is done was seen above; here the ten of them come to a table
    monkeypatch.setattr(folds_run, "do_fold", lambda folder, out, fold, *_: report.write_detections(folds_run._detections(out, fold), the_truth(folder, fold)))
    assert folds_run.main(["--jobs", "1", "--out", str(tmp_path / "ten"), "--fddb", str(small_fddb)]) == 0
    said = capsys.readouterr().out
    assert "HeadHunter" in said and re.search(r"> this network, ten folds +1\.0000", said)
    plans = []
    monkeypatch.setattr(folds_run, "do_fold", lambda folder, out, fold, plan, tick: plans.append(plan) or report.write_detections(folds_run._detections(out, fold), the_truth(folder, fold)))
    folds_run.main(["--folds", "1", "--jobs", "1", "--network", "one-pass", "--bfloat16", "--epochs", "3", "--out", str(tmp_path / "16"), "--fddb", str(small_fddb)])
    assert plans == [one_pass.Plan(steps=300, bfloat16=True)]
    with pytest.raises(SystemExit):
        folds_run.main(["--bfloat16", "--fddb", str(small_fddb)])
    capsys.readouterr()
    for wrong, said in ((["--folds", "11", "--fddb", str(small_fddb)], "1 to 10"), ([], "where is FDDB"), (["--fddb", str(tmp_path / "no")], "no such folder")):
        assert folds_run.main([*wrong, "--out", str(tmp_path / "x")]) == 1
        assert said in capsys.readouterr().err


def test_the_pyramid_network_does_a_fold(tmp_path, capsys):
    """A short training; its weights and detections are kept, and weights that are none are told."""
    folder, out, plan = made_up_fddb(tmp_path / "fddb", 8), tmp_path / "out", Plan(epochs=1, widths=(4, 4, 4, 4))
    assert folds_run.run_folds(folder, out, [10], plan).faces == 8
    assert "training: 100%" in capsys.readouterr().err
    assert (out / "fold-10.weights.h5").exists()
    (out / "fold-10-out.txt").unlink()
    (out / "fold-10.weights.h5").write_bytes(b"no weights")
    with pytest.raises(OSError, match="fold-10.weights.h5"):
        folds_run.run_folds(folder, out, [10], plan)


SMALL = one_pass.Plan(steps=2, crops=2, widths=(4, 4, 4, 4, 4), neck=4)


def test_the_one_pass_network_does_the_folds_too(tmp_path, simple_steps):
    """A short training on FDDB alone; its weights and detections are kept, and the plan is another one."""
    folder, out = made_up_fddb(tmp_path / "fddb", 8), tmp_path / "out"
    assert folds_run.run_folds(folder, out, [10], SMALL).faces == 8
    assert (out / "fold-10.npz").exists() and (out / "fold-10-out.txt").exists()
    assert json.loads((out / "plan.json").read_text())["steps"] == 2
    with pytest.raises(ValueError, match="another plan"):
        folds_run.run_folds(folder, out, [9], Plan(epochs=1))
    (out / "plan.json").write_text("")
    with pytest.raises(ValueError, match="plan.json is damaged.*remove the folder"):
        folds_run.run_folds(folder, out, [9], SMALL)
    (out / "plan.json").unlink()
    (out / "fold-10-out.txt").unlink()
    (out / "fold-10.npz").write_bytes(b"no weights")
    with pytest.raises(OSError, match="fold-10.npz"):
        folds_run.run_folds(folder, out, [10], SMALL)


def test_folds_of_another_version_are_said(tmp_path, capsys, monkeypatch):
    """Weights and detections that another kit has left are kept, for they took hours; that the table has both is said."""
    file = tmp_path / "plan.json"
    for _ in range(2):
        folds_run._same_plan(file, SMALL)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(folds_run, "versions", lambda: {"keras": "0.1"})
    folds_run._same_plan(file, SMALL)
    assert capsys.readouterr().err.startswith(f"note: {tmp_path}: another version of the kit, or of its packages, has begun what is there")
    file.write_text("[]")
    with pytest.raises(ValueError, match="another plan"):
        folds_run._same_plan(file, SMALL)


def test_folds_side_by_side(small_fddb, tmp_path, capsys, monkeypatch):
    """Two folds in two processes: every epoch moves the bar, and what goes wrong over there is told here."""
    monkeypatch.setattr(folds_run, "_in_process", elsewhere.without_training)
    out = tmp_path / "out"
    assert folds_run.run_folds(small_fddb, out, [9, 10], SMALL, jobs=2).faces == 4
    assert "training: 100%" in capsys.readouterr().err
    assert len(list(out.glob("fold-*.npz"))) == len(list(out.glob("fold-*-out.txt"))) == 2
    (out / "fold-09-out.txt").unlink()
    monkeypatch.setattr(folds_run, "_in_process", elsewhere.finds_damage)
    with pytest.raises(OSError, match="fold-09.npz"):
        folds_run.run_folds(small_fddb, out, [9, 10], SMALL, jobs=2)


def test_who_stops_it_does_not_wait_for_the_folds_in_hand(small_fddb, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(folds_run, "_in_process", elsewhere.forever)
    out = tmp_path / "out"

    def stop():
        while len(list(out.glob("begun-*"))) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    assert folds_run.main(["--fddb", str(small_fddb), "--out", str(out), "--folds", "2", "--jobs", "2"]) == 143
    told = capsys.readouterr().err
    assert f"stopped; the folds that are done are in {out}, and the same command goes on from there\n" in told and "Traceback" not in told
    assert not multiprocessing.active_children()


def test_of_two_runs_in_one_folder_the_second_waits(small_fddb, tmp_path, monkeypatch, capsys):
    begun, go_on, done = threading.Event(), threading.Event(), []

    def do_fold(folder, out, fold, plan, tick):
        done.append(fold)
        begun.set()
        assert go_on.wait(60)
        report.write_detections(folds_run._detections(out, fold), the_truth(folder, fold))

    monkeypatch.setattr(folds_run, "do_fold", do_fold)
    runs = [threading.Thread(target=folds_run.run_folds, args=(small_fddb, tmp_path / "out", [9, 10])) for _ in range(2)]
    runs[0].start()
    assert begun.wait(60)
    runs[1].start()
    said = ""
    while "waiting for another run, which writes" not in said:
        said += capsys.readouterr().out
        time.sleep(0.02)
    go_on.set()
    for run in runs:
        run.join()
    assert done == [10, 9], "what the first has done the second does not do again"
    assert not (tmp_path / "out" / ".lock").exists() and (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize("wrong", [["--epochs", "0"], ["--epochs", "-2"], ["--jobs", "-1"], ["--jobs", "0"], ["--seed", "-1"]])
def test_numbers_that_make_no_run(small_fddb, tmp_path, capsys, wrong):
    with pytest.raises(SystemExit):
        folds_run.main(["--fddb", str(small_fddb), "--out", str(tmp_path / "out"), *wrong])
    assert f"{wrong[0]}: expected" in capsys.readouterr().err and not (tmp_path / "out").exists()


ELLIPSES = st.tuples(st.floats(5, 80), st.floats(0.3, 0.97), st.floats(-1.5, 1.5), st.floats(-20, 300), st.floats(-20, 300))


@settings(max_examples=100, deadline=None)
@given(ELLIPSES)
def test_ellipses_go_into_the_official_format_and_back(numbers):
    major, ratio, angle, x, y = numbers
    row = np.array([[major, major * ratio, angle, x, y]])
    back = folds_run.ellipse_rows(boxed(*spread_of(row)), [0.5])
    np.testing.assert_allclose(back[0, [0, 1, 3, 4]], row[0, [0, 1, 3, 4]], rtol=1e-6, atol=1e-6)
    assert abs(np.sin(back[0, 2] - angle)) < 1e-4 / (1 - ratio)


def test_the_truth_itself_scores_full_marks(fddb_folder):
    """FDDB's own ellipses, there and back, are found: all of them, with an IoU near 1."""
    records = reading.read_folds(fddb_folder, 10)[:40]
    detections = {record.name: folds_run.ellipse_rows(boxed(*spread_of(record.ellipses)), np.ones(len(record.ellipses))) for record in records}
    curve = evaluate(records, detections)
    assert curve.discrete[-1] == 1 and curve.continuous[-1] > 0.97
    results = folds_run.summary(records, detections, curve, Plan())
    assert results["ap50_boxes"] == 1 and all(results["faces_by_size"]["found"]) and results["rates"]["100"][0] == 1


def test_calibration_makes_probabilities():
    rng = np.random.default_rng(0)
    truth = 1 / (1 + np.exp(-rng.uniform(-4, 4, 4000)))
    right, logits = rng.random(4000) < truth, (np.log(truth / (1 - truth)) - 1) / 3  # too modest, and shifted
    model = generate_pyramid_model(widths=(4, 4, 4, 4), normalised=False)
    image = rng.uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    before = model.predict(image, verbose=0)
    calibrate(model, logits, right)
    after = model.predict(image, verbose=0)
    slope = (after[..., 0] - after[0, 0, 0, 0])[before[..., 0] != before[0, 0, 0, 0]] / (before[..., 0] - before[0, 0, 0, 0])[before[..., 0] != before[0, 0, 0, 0]]
    np.testing.assert_allclose(slope, 3, rtol=0.15)
    np.testing.assert_allclose(after[..., 1:], before[..., 1:], atol=1e-6)
    weights = model.get_layer("answer").get_weights()
    calibrate(model, logits, np.ones(4000, bool))  # nothing to tell apart
    calibrate(model, logits, ~right)  # would turn the network round
    for old, new in zip(weights, model.get_layer("answer").get_weights()):
        np.testing.assert_array_equal(old, new)


def test_stored_results_are_of_one_kind():
    for name in ("fddb", "steps", "detectors"):
        assert plots.load(name), name
    assert all({"name", "why", "rates"} <= set(step) for step in plots.load("steps")["steps"])
    assert all(str(count) in step["rates"] for step in plots.load("steps")["steps"] for count in report.COUNTS)
