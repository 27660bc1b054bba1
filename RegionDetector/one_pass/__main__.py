"""Train the detector that the kit carries: FDDB's ellipses, and boxes and points of a teacher where its file is at hand.

``python -m RegionDetector.one_pass --out FILE.npz [--fddb FOLDER] [--folds 1 2 ...] [--teacher YUNET.onnx --photos FOLDER...] [--without-people FOLDER...]``

Scores are calibrated on a fold that was not trained on. FDDB_DIR names FDDB's folder where ``--fddb`` does not.
"""

import argparse
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from common.commands.inputs import find_inputs
from common.commands.run import notes_said
from common.commands.stops import Stop, until_stopped
from common.console import a_path, prepare_outputs, print_any_name, say
from common.decoding.levels import eight_bits
from common.decoding.quiet import decoder_heard, opencv_silent
from common.inference import compiled
from common.photos import PHOTO_SUFFIXES, PhotoError, read_photo
from RegionDetector.fddb import reading
from RegionDetector.one_pass import refining, samples
from RegionDetector.one_pass.labels import labelled, taught
from RegionDetector.one_pass.training import CALIBRATIONS, Plan, calibrate, fit_detector, harder, judged

FLAT = 14  # standard deviation of the grey values of a photo that shows nothing
DRAWINGS = 1200  # places with drawn faces that the second stage learns to tell from faces
MOST = 1400  # pixels of the longer side of photos without people


def photos_below(folders):
    """Photos in folders and below, one after the other; what cannot be read is named and left out."""
    for folder in folders:
        for file in sorted(file for file, _ in find_inputs([Path(folder)], PHOTO_SUFFIXES).files):
            try:
                with notes_said():
                    photo = read_photo(file)
            except PhotoError as error:
                say(f"left out: {error}", sys.stderr)
                continue
            yield file, photo


def sticker(file):
    """A picture with a transparent ground as uint8 (H, W, 4), RGBA; None if it has none."""
    with opencv_silent(), notes_said(), decoder_heard(file):
        try:
            picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:  # larger than OpenCV reads
            return None
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4 or (picture[..., 3] == 0).mean() <= 0.05:
        return None
    return cv2.cvtColor(eight_bits(picture), cv2.COLOR_BGRA2RGBA)


def gathered(records, look=None, people=(), without_people=(), most=MOST):
    """The album to train on.

    Parameters
    ----------
    records : sequence of RegionDetector.fddb.reading.FddbPhoto
    look : callable, optional
        The teacher; see `common.detection.yunet.looking`. Without it FDDB's ellipses are all there is.
    people : sequence of path
        Folders of photos of people that nobody has marked; the teacher does. Not read without a teacher.
    without_people : sequence of path
        Folders of photos without people, beside those of scikit-image and scikit-learn. Pictures with a transparent ground
        are pasted onto them: drawn faces, say.
    most : int
        Pixels of the longer side of photos without people; larger ones are shrunk.

    Returns
    -------
    samples.Album
    """
    photos = []
    for record in tqdm(records, "FDDB"):
        photo = read_photo(record.path)
        photos.append((photo, labelled(record.ellipses, taught(look, photo) if look else None)))
    if look:
        photos += [(photo, labelled([], taught(look, photo))) for _, photo in tqdm(photos_below(people), "photos")]
    backgrounds, stickers = samples.without_people(), []
    for file, photo in photos_below(without_people):
        pasted = sticker(file)
        if pasted is not None:
            stickers.append(pasted)
        elif photo.std() > FLAT:
            scale = min(1, most / max(photo.shape[:2]))
            shape = [max(1, round(side * scale)) for side in photo.shape[:2]]
            backgrounds.append(cv2.resize(photo, tuple(shape[::-1]), interpolation=cv2.INTER_AREA))
    return samples.Album(photos, backgrounds, stickers)


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m RegionDetector.one_pass", description=__doc__.split("\n")[0])
    p.add_argument("--out", type=a_path, required=True, metavar="FILE", help="the weights: a file .npz")
    p.add_argument("--fddb", metavar="FOLDER", help="the folder of FDDB; default: the environment variable FDDB_DIR")
    p.add_argument("--folds", type=int, nargs="+", default=list(range(1, 9)), help="folds to train on (default: 1 to 8)")
    p.add_argument("--validation", type=int, default=9, metavar="FOLD", help="fold on which the scores are calibrated (default: 9)")
    p.add_argument("--teacher", type=a_path, metavar="FILE", help="YuNet's .onnx")
    p.add_argument("--photos", type=a_path, nargs="+", default=[], metavar="FOLDER", help="photos of people for the teacher to mark")
    p.add_argument("--without-people", type=a_path, nargs="+", default=[], metavar="FOLDER", help="photos without people; PNGs with a transparent ground are pasted onto them")
    p.add_argument("--most", type=int, default=MOST, metavar="PIXELS", help=f"longer side of photos without people; larger ones are shrunk (default: {MOST})")
    p.add_argument("--begin", type=a_path, metavar="FILE", help="weights to go on from, a file .npz; what they do not find, or mistake for a face, comes more often")
    p.add_argument("--second-stage", action="store_true", help="train the small network that looks once more at what the one of --begin (default: the carried one) has found")
    p.add_argument("--go-on", type=a_path, metavar="FILE", help="weights of the second stage to go on from")
    p.add_argument("--steps", type=int, help=f"default: {Plan.steps}, of the second stage {refining.RefinerPlan.steps}")
    p.add_argument("--rate", type=float, help=f"highest learning rate (default: {Plan.lr}, of the second stage {refining.RefinerPlan.lr})")
    p.add_argument("--points", type=float, metavar="WEIGHT", help=f"weight of the points in the second stage's loss (default: {refining.RefinerPlan.points:g})")
    p.add_argument("--seed", type=int, default=Plan.seed)
    p.add_argument("--bfloat16", action="store_true", help="compute with 16 bits, on processors that can")
    return p


def checked(options):
    """Refuse before the work what would spoil it.

    Raises
    ------
    OSError
        If FDDB or a folder of photos is not there.
    ValueError
        If the weights cannot be written, or the options do not fit together.
    """
    if options.out.suffix.lower() != ".npz":
        raise ValueError(f"--out {options.out}: weights are written as .npz; choose a name that ends so")
    prepare_outputs({"--out": options.out})
    for option, least in (("steps", 1), ("most", 32), ("rate", 1e-9), ("points", 0), ("seed", 0)):
        value = getattr(options, option)
        if value is not None and not least <= value < 1e9:
            raise ValueError(f"--{option}: expected at least {least:g}, got {value:g}")
    folder = reading.find_fddb(options.fddb)
    if folder is None:
        raise FileNotFoundError(f"where is FDDB? Name its folder with --fddb or FDDB_DIR; {reading.WHERE_FROM}.")
    if options.validation in options.folds:
        raise ValueError(f"fold {options.validation} is to be trained on and to calibrate the scores; name another one with --validation")
    if len(set(options.folds)) < len(options.folds):
        raise ValueError(f"--folds {' '.join(map(str, options.folds))}: name each once")
    if options.points is not None and not options.second_stage:
        raise ValueError("--points is for the second stage: add --second-stage")
    if options.photos and not options.teacher:
        raise ValueError("--photos: who marks the faces in them? Name YuNet's file with --teacher")
    for place in (*options.photos, *options.without_people):
        if not place.is_dir():
            raise FileNotFoundError(f"{place}: expected a folder of photos, there is none")
    return folder


def ends_with(stops):
    """A callback that ends a training after the batch in which somebody asks for it, and counts batches in ``done``."""
    import keras

    class Ends(keras.callbacks.Callback):
        done = 0

        def on_train_batch_end(self, batch, logs=None):
            self.done += 1
            if stops.signal is not None:
                self.model.stop_training = True

    return Ends()


def trained(options, stops):
    """The network, trained and calibrated, and a line about it; when the training was stopped, not calibrated."""
    from common.detection import network, refinement, yunet

    folder = checked(options)
    how = {name: value for name, value in (("steps", options.steps), ("lr", options.rate), ("points", options.points)) if value is not None}
    how["seed"] = options.seed
    plan = refining.RefinerPlan(**how) if options.second_stage else Plan(**how, bfloat16=options.bfloat16)
    look = yunet.looking(options.teacher) if options.teacher else None
    begin = network.load_detector(options.begin) if options.begin else None
    album = gathered(reading.read_folds(folder, options.folds), look, options.photos, options.without_people, options.most)
    records = reading.read_folds(folder, options.validation)
    ends = ends_with(stops)
    if options.second_stage:
        once = network.looking(compiled(begin or network.load_detector()))
        refining.widened(album, DRAWINGS, options.seed)
        begin = refinement.load_refiner(options.go_on) if options.go_on else None
        which = refining.candidates(once, album)
        with stops.noted():
            model = refining.fit_refiner(album, which, plan, [ends], begin=begin)
        with suppress(Stop):  # as `stops` knows; what is learnt is kept
            if stops.signal is None:
                refining.calibrate(model, once, records)
                say("refinement.FURTHER = " + repr(refining.weighed(model, once, records)))
    else:
        if begin:
            harder(network.looking(compiled(begin), mirror=False), album)
        with stops.noted():
            model = fit_detector(album, plan, [ends], begin=begin)
        with suppress(Stop):
            for _ in range(CALIBRATIONS if stops.signal is None else 0):
                calibrate(model, *judged(network.looking(compiled(model)), records))
    if stops.signal is not None:
        return model, f"stopped after {ends.done:,} of {plan.steps:,} steps; {'--go-on' if options.second_stage else '--begin'} goes on from these weights, which are not calibrated"
    return model, f"{np.sum([w.size for w in model.get_weights()]):,} weights; trained on {len(set(album.faces)):,} faces in {len(album.labels):,} photos with {plan}"


def main(arguments=None):
    """The command; returns its exit status."""
    options = parser().parse_args(arguments)
    print_any_name()
    return until_stopped(lambda stops: _work(options, stops))


def _work(options, stops):
    try:
        model, line = trained(options, stops)
    except Stop:
        say("stopped; there are no weights yet", sys.stderr)
        raise
    except (OSError, ValueError) as error:
        say(f"error: {error}", sys.stderr)
        return 1
    stopped = stops.signal  # who asks for an end first while the weights are written waits for that
    with stops.noted():
        kept = _written(model, options.out if stopped is None else options.out.with_suffix(".stopped.npz"), line)
    if stopped is not None:
        raise Stop(stopped)
    return 0 if kept else 1


def _written(model, out, line):
    """Write the weights, elsewhere where there is no room: hours of work are not lost for a disk that has filled up meanwhile. Whether they are where they should be."""
    from common.detection import network

    try:
        network.save_small(model, out)
    except OSError as error:
        kept = Path(tempfile.mkdtemp(prefix="faces-")) / out.name
        network.save_small(model, kept)
        say(f"error: {error}; the weights are in {kept}", sys.stderr)
        return False
    say(f"{out}: {line}")
    return True


if __name__ == "__main__":
    raise SystemExit(main())
