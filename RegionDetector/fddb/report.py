"""The command ``python -m RegionDetector.fddb evaluate``: detection files in, official table, curve and plot out."""

import argparse
import json
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from common.commands.stops import until_stopped
from common.console import a_path, an_output, counted, prepare_outputs, print_any_name, say, words_beside
from common.files import whole_file
from RegionDetector.fddb.evaluation import bad_rows, evaluate
from RegionDetector.fddb.reading import FOLDS, find_fddb, read_blocks, read_folds

COUNTS = (100, 500, 1000, 2000)

# Discrete rates at COUNTS false positives: the greatest with no more false positives than that, read off the official
# curves that were collected at http://vis-www.cs.umass.edu/fddb/results.html. The key is the curve's file there;
# CascadeCNN's curve ends at 167 false positives.
PUBLISHED = {
    "HeadHunter_DiscROC": ("HeadHunter (Mathias et al., ECCV 2014)", (0.8341, 0.8594, 0.8706, 0.8809)),
    "JointCascade_DiscROC": ("Joint Cascade (Chen et al., ECCV 2014)", (0.8391, 0.8553, 0.8627, 0.8668)),
    "jjyan_allROC_DiscROC": ("Yan et al. (structural models, 2014)", (0.8136, 0.8410, 0.8523, 0.8615)),
    "AcfDiscROC": ("ACF-multiscale (Yang et al., IJCB 2014)", (0.8167, 0.8445, 0.8524, 0.8608)),
    "CasCNN-DiscROC": ("CascadeCNN (Li et al., CVPR 2015)", (0.8507, 0.8567, 0.8567, 0.8567)),
    "BoostedExamplerBased-DiscROC": ("Boosted Exemplar (Li et al., CVPR 2014)", (0.8082, 0.8389, 0.8482, 0.8565)),
    "DDFD_DiscROC": ("DDFD (Farfade et al., ICMR 2015)", (0.8099, 0.8340, 0.8404, 0.8484)),
    "SURF_GentleBoost_MVDiscROC": ("SURF multiview (Li et al., 2011)", (0.8060, 0.8296, 0.8372, 0.8408)),
    "PEPAdapt_DiscROC": ("PEP-Adapt (Li et al., ICCV 2013)", (0.7335, 0.7983, 0.8093, 0.8192)),
    "dr40DiscROC": ("Zhu and Ramanan (CVPR 2012)", (0.7308, 0.7592, 0.7664, 0.7743)),
    "pico-DiscROC": ("Pico (Markus et al., 2013)", (0.6728, 0.7146, 0.7322, 0.7469)),
    "ViolaJonesScore_n0_DiscROC": ("Viola-Jones (OpenCV's cascade)", (0.3264, 0.5212, 0.5968, 0.6546)),
    "MikolajczykDiscROC": ("Mikolajczyk et al. (ECCV 2004)", (0.3328, 0.5009, 0.5481, 0.5952)),
}


def read_detections(paths):
    """Read detections in the official format.

    A file holds, for one photo after the other, its name, how many detections it has, and a line for each: ``x y w h
    score`` (left, top, width, height) or ``ra rb theta cx cy score`` (radii, angle in radians, centre).

    Parameters
    ----------
    paths : path or list of paths
        Files, or folders of which all files ``*fold*out*.txt`` are read.

    Returns
    -------
    dict of str to ndarray of float, shape (N, 5) or (N, 6)
        The detections by the photo's name; see `fddb.evaluation.evaluate`.

    Raises
    ------
    FileNotFoundError
        If a file is missing, or a folder has none that fits.
    ValueError
        If a file is empty or damaged (names file and line), or a photo is listed twice.

    Warns
    -----
    UserWarning
        If detections have NaN or infinite scores, negative sizes or absurd places. They are left out and counted.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    detections, source, left_out, first = {}, {}, Counter(), {}
    for path in _files(paths):
        before = len(detections)
        for name, rows, line in read_blocks(path, (5, 6), "detection"):
            if name in detections:
                raise ValueError(f"{path}, line {line}: {name} is listed a second time (first in {source[name]}); "
                                 "give each photo once")
            source[name] = path
            if len(rows):
                reasons = bad_rows(rows)
                for reason, bad in reasons.items():
                    left_out[reason] += int(bad.sum())
                    if bad.any():
                        first.setdefault(reason, f"{name} in {path}")
                rows = rows[~np.any(list(reasons.values()), axis=0)]
            detections[name] = rows
        if len(detections) == before:
            raise ValueError(f"{path} is empty; expected photos' names, counts and detections (a photo without "
                             "detections has the count 0)")
    for reason, count in left_out.items():
        if count:
            warnings.warn(f"{counted(count, 'detection is', 'detections are')} left out, because of {reason} (first: {first[reason]})",
                          stacklevel=2)
    return detections


def write_detections(path, detections):
    """Write detections in the official format, which `read_detections` and the official program read.

    Parameters
    ----------
    path : str or path
        The file; it is written aside and then renamed, so that a broken run leaves the old one whole.
    detections : dict of str to array_like, shape (N, 5) or (N, 6)
        See `fddb.evaluation.evaluate`. The official program wants all photos of a fold in the order of its list, those
        without detections too.
    """
    lines = []
    for name, rows in detections.items():
        rows = np.asarray(rows, float)
        lines += [name, str(len(rows))] + [" ".join(f"{number:.6f}" for number in row[:-1]) + f" {row[-1]:.9g}"
                                           for row in rows]
    with whole_file(path) as file:
        file.write("\n".join(lines) + "\n")


def boxes_to_rows(boxes, scores):
    """The kit's boxes as official detections.

    Parameters
    ----------
    boxes : array_like, shape (N, 4)
        ``[min_row, min_col, max_row, max_col]`` as `common.boxes.ellipse_to_box` gives them for ellipses. The official
        masks of such an ellipse and of the rectangle made here span the same rows and columns.
    scores : array_like, shape (N,)

    Returns
    -------
    ndarray of float, shape (N, 5)
        Left x, top y, width, height, score.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    return np.column_stack([boxes[:, 1], boxes[:, 0], boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0],
                            np.asarray(scores, float)])


def table(curve, name="yours"):
    """The official figures beside those of published detectors, as text.

    Parameters
    ----------
    curve : Curve
    name : str
        What to call the detector.

    Returns
    -------
    str
        One line a detector, the best at the greatest count of false positives first.
    """
    rows = [(label, rates) for label, rates in PUBLISHED.values()]
    rows.append((f"> {name}", tuple(curve.rates_at(count)[0] for count in COUNTS)))
    rows.sort(key=lambda row: row[1][::-1], reverse=True)
    lines = ["discrete rate (IoU > 0.5) at false positives".ljust(46) + "".join(f"{count:8d}" for count in COUNTS)]
    lines += [label.ljust(46) + "".join(f"{rate:8.4f}" for rate in rates) for label, rates in rows]
    lines += ["", "continuous rate".ljust(46) + "".join(f"{curve.rates_at(count)[1]:8.4f}" for count in COUNTS)]
    return "\n".join(lines)


def plot_curves(curve, published=None, name="yours", curves=None):
    """Draw the discrete curve among those of published detectors, and the continuous curve.

    Parameters
    ----------
    curve : Curve
    published : str or path, optional
        A folder with official curves, ``*DiscROC.txt`` (rate, false positives, threshold). Without it the published
        detectors are drawn from their rates at 100, 500, 1000 and 2000 false positives.
    name : str
        What to call the detector.
    curves : list, optional
        Those of the folder, if they were read before.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    FileNotFoundError
        If the folder holds no curves.
    ValueError
        If a file there is no curve; names it.
    """
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    discrete, continuous = figure.subplots(1, 2, width_ratios=(3, 2))
    curves = _published_curves(published) if curves is None else curves
    colours = colormaps["turbo"](np.linspace(0.95, 0.05, len(curves)))
    for (label, false_positives, rates), colour in zip(curves, colours):
        discrete.plot(false_positives, rates, lw=1, color=colour, label=label,
                      **({} if published else {"marker": ".", "ls": ":"}))
    discrete.plot(curve.false_positives, curve.discrete, lw=2.5, color="black", label=name)
    continuous.plot(curve.false_positives, curve.continuous, lw=2.5, color="black", label=name)
    discrete.set(title="FDDB, discrete score (IoU > 0.5)", ylabel="share of faces found")
    continuous.set(title="FDDB, continuous score", ylabel="sum of IoU / faces")
    for axes in (discrete, continuous):
        axes.set(xlabel="false positives", xlim=(0, COUNTS[-1]), ylim=(0, 1))
        axes.grid(alpha=0.3)
    discrete.legend(fontsize="small", loc="lower right")
    return figure


def main(arguments=None):
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m RegionDetector.fddb", description="FDDB, the Face Detection Data Set and Benchmark.")
    command = parser.add_subparsers(required=True).add_parser(
        "evaluate", help="score detections by the official rules",
        description="Score detections by the official rules. The folds that the detections name are evaluated.")
    command.add_argument("detections", nargs="+", metavar="DETECTIONS", type=a_path,
                         help="files in the official format, or folders with such files (*fold*out*.txt)")
    command.add_argument("--fddb", metavar="FOLDER", help="where FDDB lies (default: the environment's FDDB_DIR)")
    command.add_argument("--out", metavar="FILE", type=an_output,
                         help="store the curve: figures and curve if FILE ends in .json, else columns (discrete rate, "
                              "false positives, threshold, continuous rate) in the order of the official program")
    command.add_argument("--plot", metavar="FILE", type=a_path, help="draw the curves into a .png, .pdf or .svg")
    command.add_argument("--published", metavar="FOLDER", type=a_path,
                         help="official curves of published detectors (*DiscROC.txt) for the plot")
    options = parser.parse_args(arguments)
    print_any_name()
    with words_beside(options.out):
        return until_stopped(lambda stops: _said(options))


def _said(options):
    """Do it; what is wrong and what is to be noted is said in a line each. Returns the exit status."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            _evaluate(options)
            status = 0
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            say(f"error: {error}", sys.stderr)
            status = 1
    for warning in caught:
        say(f"warning: {warning.message}", sys.stderr)
    return status


def _evaluate(options):
    for path in (options.out, options.plot):
        if path and not path.parent.is_dir():
            raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}; make it first")
    kinds = Figure().canvas.get_supported_filetypes()
    if options.plot and options.plot.suffix[1:].lower() not in kinds:
        raise ValueError(f"--plot {options.plot}: expected a name that ends in one of {', '.join(sorted(kinds))}")
    if options.plot and options.plot == options.out:
        raise ValueError(f"--out and --plot are both {options.plot}: give each a name of its own")
    curves = _published_curves(options.published)
    folder = find_fddb(options.fddb)
    if folder is None:
        raise FileNotFoundError("where FDDB lies is not known: name its folder with --fddb or in FDDB_DIR")
    read = [*_files(options.detections), *(_published_files(options.published) if options.published else ())]
    for option, path in (("--out", options.out), ("--plot", options.plot)):
        if path and any(path.resolve().is_relative_to((folder / own).resolve()) for own in ("FDDB-folds", "originalPics")):
            raise ValueError(f"{option} {path}: lies among FDDB's own files; choose another folder")
    prepare_outputs({"--out": options.out, "--plot": options.plot}, inputs=read)
    detections = read_detections(options.detections)
    records = read_folds(folder)
    named = [record for record in records if record.name in detections]
    if not named:
        raise ValueError(f"none of the {len(detections)} photos that the detections name (first: "
                         f"{next(iter(detections))}) is in FDDB; expected names such as {records[0].name}")
    folds = sorted({record.fold for record in named})
    records = [record for record in records if record.fold in folds]
    if len(named) < len(records):
        warnings.warn(f"{len(records) - len(named)} of the {len(records)} photos of these folds are not named in the "
                      "detection files; they count as photos in which nothing was found")
    curve = evaluate(records, detections, progress=True)

    found = sum(len(detections[record.name]) for record in named)
    say(f"FDDB: {len(records):,} photos, {curve.faces:,} faces, {counted(found, 'detection')}; folds {' '.join(map(str, folds))}")
    for line in table(curve).splitlines():
        say(line)
    last = curve.false_positives.max(initial=0)
    if last < COUNTS[-1]:
        say(f"The curve ends at {last} false positives.")
    if len(folds) < len(FOLDS):
        say(f"{counted(len(folds), 'fold')} of {len(FOLDS)}: not the official figure, which takes all together.")
    if options.out:
        with whole_file(options.out) as file:
            file.write(_as_json(curve, len(records), folds, found) if options.out.suffix.lower() == ".json" else _as_columns(curve))
    if options.plot:
        figure = plot_curves(curve, options.published, curves=curves)
        with whole_file(options.plot, "wb") as file:
            figure.savefig(file, dpi=120, format=options.plot.suffix[1:].lower())


def _as_json(curve, photos, folds, found):
    rates = {count: dict(zip(("discrete", "continuous"), curve.rates_at(count))) for count in COUNTS}
    points = {"thresholds": curve.thresholds, "false_positives": curve.false_positives,
              "discrete": curve.discrete, "continuous": curve.continuous}
    return json.dumps({"folds": folds, "photos": photos, "faces": curve.faces, "detections": found, "rates": rates,
                       "curve": {key: values.tolist() for key, values in points.items()}}) + "\n"


def _as_columns(curve):
    points = zip(curve.discrete, curve.false_positives, curve.thresholds, curve.continuous)
    lines = [f"{hits:.6g} {false} {threshold:.6g} {overlap:.6g}" for hits, false, threshold, overlap in points]
    return "\n".join(["# discrete rate, false positives, threshold, continuous rate", *lines[::-1]]) + "\n"


def _published_curves(folder):
    """(label, false positives, rates) of each published detector, the best first."""
    if folder is None:
        return [(label, COUNTS, rates) for label, rates in PUBLISHED.values()]
    curves = []
    for path in _published_files(folder):
        points = _points(path)
        points = points[points[:, 1] <= COUNTS[-1]]
        curves.append((PUBLISHED.get(path.stem, (path.stem,))[0], points[:, 1], points[:, 0]))
    return sorted(curves, key=lambda curve: -curve[2].max(initial=0))


def _points(path):
    """The rows of an official curve, (K, 2) or more: rate, false positives."""
    try:
        points = np.array([[float(word) for word in line.split()] for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip() and not line.startswith("#")])
        if points.ndim == 2 and points.shape[1] >= 2 and np.isfinite(points[:, :2]).all():
            return points
    except ValueError:  # a word, rows of several lengths, no text
        pass
    raise ValueError(f"{path} is no official curve: expected lines of rate, false positives and threshold")


def _published_files(folder):
    files = sorted(Path(folder).glob("*DiscROC.txt"))
    if not files:
        raise FileNotFoundError(f"there are no official curves (*DiscROC.txt) in {folder}: name the folder that holds "
                                "them, or leave it out to draw the rates that the kit knows")
    return files


def _files(paths):
    """The files named, folders replaced by the detection files in them."""
    for path in map(Path, paths):
        files = sorted(path.glob("*fold*out*.txt")) if path.is_dir() else [path]
        missing = [file for file in files if not file.is_file()]
        if missing or not files:
            raise FileNotFoundError(f"there are no detections at {path}: expected a file in the official format, or a "
                                    "folder with files such as fold-01-out.txt")
        yield from files
