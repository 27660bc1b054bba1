"""The ten-fold run on FDDB: train on nine folds, find the faces of the tenth, ten times; then the official table.

``python -m RegionDetector.fddb.folds`` (``make fddb``) goes on where it stopped: a fold whose weights are there is not
trained again, one whose detections are there is not looked through again. As many folds at a time as there are cores, up to
four. ``--network one-pass`` does it with the network that the kit carries, trained on FDDB alone as well, in place of the pyramid's.
"""

import argparse
import json
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from common.commands.journal import settings_mark
from common.commands.stops import Stop, until_stopped
from common.commands.versions import versions
from common.console import say
from common.detection import network, search
from common.device import prepare
from common.files import only_one, whole_file
from common.inference import compiled
from common.photos import read_photo
from RegionDetector.fddb import reading, report
from RegionDetector.fddb.evaluation import evaluate
from RegionDetector.multiscale import find_ellipses
from RegionDetector.one_pass import training as one_pass
from RegionDetector.pyramid.model import load_pretrained
from RegionDetector.pyramid.training import Plan, fit_pyramid_model

PLANS = {"pyramid": Plan, "one-pass": one_pass.Plan}
BY = "made by"  # beside the plan: a mark of the kit and its packages
LEAST = -5.0  # logit; fainter answers would only lengthen the tail of the curve
MIN_FACE = 13.0  # pixels; FDDB marks faces from 20 pixels on, and some that are smaller


def ellipse_rows(ellipses, scores):
    """The kit's ellipses as official detections.

    Parameters
    ----------
    ellipses : ndarray of float, shape (N, 5)
        As `pyramid.model.read_map` gives them.
    scores : array_like, shape (N,)

    Returns
    -------
    ndarray of float, shape (N, 6)
        Major and minor radius, angle of the major axis to the horizontal, centre x, centre y, score.
    """
    rows, cols, half_height, half_width, tilt = np.asarray(ellipses, float).reshape(-1, 5).T
    spread = np.empty((len(rows), 2, 2))
    spread[:, 0, 0], spread[:, 1, 1] = half_width**2, half_height**2
    spread[:, 0, 1] = spread[:, 1, 0] = tilt * half_height * half_width
    values, axes = np.linalg.eigh(spread)
    minor, major = np.sqrt(np.maximum(values, 1e-6)).T
    return np.column_stack([major, minor, np.arctan2(axes[:, 1, 1], axes[:, 0, 1]), cols, rows, np.asarray(scores, float)])


def find_in(model, records):
    """Detections of a network in photos of FDDB, in the official format: dict of name to (N, 6)."""
    run, found = compiled(model), {}
    for record in records:
        if model.output_shape[-1] == network.ANSWERS:
            faces = search.search(network.looking(run, mirror=True), read_photo(record.path), search.FACE, LEAST, turns=False)
            found[record.name] = ellipse_rows(faces.heads, 1 / (1 + np.exp(-faces.logits)))
            continue
        ellipses, logits = find_ellipses(run, read_photo(record.path), MIN_FACE, LEAST, mirror=True, closer=True)
        found[record.name] = ellipse_rows(ellipses, 1 / (1 + np.exp(-logits)))
    return found


def run_folds(folder, out, folds=reading.FOLDS, plan=Plan(), jobs=1):
    """Train on nine folds and look in the tenth, for every fold asked for that is not done yet, the last one first.

    Parameters
    ----------
    folder : path
        FDDB.
    out : path
        Where ``fold-01-out.txt`` (detections), ``fold-01.weights.h5`` and ``results.json`` go.
    folds : iterable of int
    plan : Plan
    jobs : int
        Folds at a time, each in a process of its own on one core: a small network leaves more cores idle. About 2 GB each.
        With 1, one after the other in this process, on all cores.

    Returns
    -------
    Curve
        Of the folds asked for.

    Raises
    ------
    ValueError
        If the folder holds detections that were made with another plan.
    """
    out, folds = Path(out), list(folds)
    out.mkdir(parents=True, exist_ok=True)
    with only_one(out / ".lock", f"waiting for another run, which writes {out}", tidy=True):
        return _run_folds(folder, out, folds, plan, jobs)


def _run_folds(folder, out, folds, plan, jobs):
    _same_plan(out / "plan.json", plan)
    left = [fold for fold in reversed(folds) if not _detections(out, fold).exists()]
    train = [fold for fold in left if not _weights(out, fold, plan).exists()]
    with tqdm(total=len(train) * plan.epochs, unit="epoch", smoothing=0.1, desc="training", disable=not left) as bar:
        _do_folds(jobs, [(folder, out, fold, plan) for fold in left], bar)
    records = [record for fold in folds for record in reading.read_folds(folder, fold)]
    detections = report.read_detections([_detections(out, fold) for fold in folds])
    curve = evaluate(records, detections, progress=True)
    with whole_file(out / "results.json") as file:
        file.write(json.dumps(summary(records, detections, curve, plan)))
    return curve


def _weights(out, fold, plan):
    return out / f"fold-{fold:02d}{'.npz' if isinstance(plan, one_pass.Plan) else '.weights.h5'}"


def _detections(out, fold):
    return out / f"fold-{fold:02d}-out.txt"


def do_fold(folder, out, fold, plan, tick):
    """Train without one fold, unless its weights are there, and look for the faces in it; `tick()` after every epoch."""
    weights, ours = _weights(out, fold, plan), isinstance(plan, one_pass.Plan)
    if not weights.exists():
        others = [record for other in reading.FOLDS if other != fold for record in reading.read_folds(folder, other)]
        if ours:
            network.save_small(one_pass.fit_on_fddb(others, plan, [_ticking(tick)], verbose=False), weights)
        else:
            save_whole(fit_pyramid_model(others, plan, [_ticking(tick)], verbose=False), weights)
    found = find_in(network.load_detector(weights) if ours else load_pretrained(weights, plan.widths), reading.read_folds(folder, fold))
    report.write_detections(_detections(out, fold), found)


def _ticking(tick):
    """A Keras callback that calls `tick()` after every epoch."""
    import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tick())


def _do_folds(jobs, tasks, bar):
    """`do_fold` for each task: here, one after the other, or several at a time, each in a process with one thread for its arithmetic."""
    if jobs == 1:
        for task in tasks:
            do_fold(*task, bar.update)
        return
    context = multiprocessing.get_context("spawn")  # a copy of a process in which TensorFlow runs already would hang
    ticks = context.SimpleQueue()
    counting = threading.Thread(target=lambda: [bar.update() for _ in iter(ticks.get, None)])
    counting.start()
    try:
        with ProcessPoolExecutor(jobs, context, _start_process, (ticks,)) as pool:
            done = [pool.submit(_in_process, *task) for task in tasks]
            try:
                for future in as_completed(done):
                    future.result()
            except BaseException as error:
                if not isinstance(error, Exception):  # what is stopped does not wait for folds of many minutes
                    for process in multiprocessing.active_children():
                        process.terminate()
                pool.shutdown(cancel_futures=True)
                raise
    finally:
        ticks.put(None)
        counting.join()


def _start_process(ticks):
    """What a process of `_do_folds` does first, before TensorFlow is loaded in it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one ends the others
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
    cv2.setNumThreads(1)
    _in_process.ticks = ticks


def _in_process(*task):
    """`do_fold` in a process of `_do_folds`, which loads of Keras what it needs."""
    prepare(alone=True)
    do_fold(*task, tick=lambda: _in_process.ticks.put(1))


def summary(records, detections, curve, plan, false_alarms=1000):
    """What the benchmark notebook shows: figures, the curve in few points, and the faces found by their size.

    Parameters
    ----------
    records : sequence of FddbPhoto
    detections : dict
        See `fddb.evaluation.evaluate`; ellipses.
    curve : Curve
    plan : Plan
    false_alarms : int
        Faces count as found at the threshold that lets so many false alarms pass (a share of that for some folds only).

    Returns
    -------
    dict
        Plain lists and numbers, for JSON.
    """
    from common import device
    from common.boxes import ellipse_to_box
    from common.scores import best_match, detector_scores

    folds = sorted({record.fold for record in records})
    allowed = false_alarms * len(folds) / len(reading.FOLDS)
    passing = curve.thresholds[curve.false_positives <= allowed]
    threshold = float(passing.min()) if len(passing) else np.inf
    rows = [np.asarray(detections.get(record.name, np.zeros((0, 6)))).reshape(-1, 6) for record in records]
    pred = np.concatenate([np.column_stack([np.full(len(r), i), ellipse_to_box(r[:, :5])]) for i, r in enumerate(rows)])
    scores = np.concatenate([r[:, 5] for r in rows])
    true = np.concatenate([np.column_stack([np.full(len(r.ellipses), i), ellipse_to_box(r.ellipses)]) for i, r in enumerate(records)])
    sure = scores >= threshold
    missed = set(best_match(pred[sure], true, scores[sure], 0.5)[1])
    size = np.sqrt((true[:, 3] - true[:, 1]) * (true[:, 4] - true[:, 2]))
    some = np.unique(np.linspace(0, len(curve.thresholds) - 1, 400).astype(int))
    return {
        "plan": asdict(plan), "device": device.describe(), "folds": folds, "photos": len(records), "faces": curve.faces,
        "rates": {str(count): [round(rate, 4) for rate in curve.rates_at(round(count * len(folds) / 10))] for count in report.COUNTS},
        "ap50_boxes": detector_scores(pred, true, scores)["ap50"],
        "curve": {"false_positives": curve.false_positives[some].tolist(), "discrete": curve.discrete[some].round(5).tolist(),
                  "continuous": curve.continuous[some].round(5).tolist()},
        "faces_by_size": {"pixels": size.round(1).tolist(), "found": [face not in missed for face in range(len(true))], "threshold": threshold},
    }


def save_whole(model, file):
    """Save weights aside, then rename: a run that is stopped leaves no half file that looks like a whole one."""
    aside = file.with_name(f"unfinished-{file.name}")
    model.save_weights(aside)
    aside.replace(file)


def _read_plan(file):
    try:
        return dict(json.loads(file.read_text()))
    except (ValueError, TypeError):
        raise ValueError(f"{file} is damaged, so that nobody knows how the detections beside it were made: remove the folder, or name another one with --out.") from None


def _same_plan(file, plan):
    """Write the plan down, with a mark of who follows it, or compare it with the one that was; what another version has made is said."""
    text = json.dumps({**asdict(plan), BY: settings_mark(versions())}, indent=1)
    if not file.exists():
        with whole_file(file) as out:
            out.write(text)
        return
    before, now = _read_plan(file), json.loads(text)
    another = before.pop(BY, None) != now.pop(BY)
    if before != now:
        raise ValueError(f"{file} says that the detections beside it were made with another plan:\n{file.read_text()}\n"
                         "Remove the folder, or name another one with --out.")
    if another:
        say(f"note: {file.parent}: another version of the kit, or of its packages, has begun what is there; remove the folder to have all folds by this one", sys.stderr)


def main(arguments=None):
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m RegionDetector.fddb.folds", description=__doc__.split("\n")[0])
    parser.add_argument("--fddb", help="the folder of FDDB; default: the environment variable FDDB_DIR")
    parser.add_argument("--out", default="build/fddb", help="folder for detections and weights")
    parser.add_argument("--folds", type=int, default=10, help="how many folds to do, from the tenth backwards: 1 to 10")
    parser.add_argument("--jobs", type=int, help="folds at a time, one core each (with 1: all cores); default: one a core, up to four; with a GPU one")
    parser.add_argument("--network", choices=PLANS, default="pyramid", help="the pyramid network of the benchmark notebook (default), or that which the kit carries")
    parser.add_argument("--epochs", type=int, help=f"default: {Plan.epochs}; with one-pass an epoch is {one_pass.ROUND} batches, {one_pass.Plan().epochs} by default")
    parser.add_argument("--bfloat16", action="store_true", help="with one-pass: compute with 16 bits, on processors that can")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    options = parser.parse_args(arguments)
    plan = PLANS[options.network](seed=options.seed)
    if options.bfloat16:
        if options.network != "one-pass":
            parser.error("--bfloat16 is for --network one-pass")
        plan = replace(plan, bfloat16=True)
    if options.epochs:
        plan = replace(plan, steps=options.epochs * one_pass.ROUND) if options.network == "one-pass" else replace(plan, epochs=options.epochs)
    for name in ("epochs", "jobs"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name}: expected 1 or more, got {getattr(options, name)}")
    if options.seed < 0:
        parser.error(f"--seed: expected 0 or more, got {options.seed}")
    return until_stopped(lambda stops: _do(options, plan))


def _do(options, plan):
    try:
        folder = reading.find_fddb(options.fddb)
        if folder is None:
            raise FileNotFoundError(f"where is FDDB? Name its folder with --fddb or FDDB_DIR; {reading.WHERE_FROM}.")
        if not 1 <= options.folds <= 10:
            raise ValueError(f"--folds is 1 to 10, not {options.folds}")
        jobs = options.jobs or _jobs()
        curve = run_folds(folder, options.out, range(11 - options.folds, 11), plan, jobs)
    except Stop:
        say(f"stopped; the folds that are done are in {options.out}, and the same command goes on from there", sys.stderr)
        raise
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        say(f"fddb.folds: {error}", sys.stderr)
        return 1
    share = options.folds / 10
    lines = report.table(curve, "this network, ten folds").splitlines() if options.folds == 10 else [
        f"discrete rate {curve.rates_at(round(count * share))[0]:.4f} at {count * share:.0f} false positives ({options.folds} of 10 folds)" for count in report.COUNTS]
    for line in lines:
        say(line)
    return 0


def _jobs():
    """How many folds at a time: one a core, but no more than most computers have the memory for."""
    from common import device

    return 1 if device.gpus() else min(device.cores(), 4)


if __name__ == "__main__":
    raise SystemExit(main())
