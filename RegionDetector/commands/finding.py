"""The command: find the faces in one's own photos, with the network that the kit carries.

``python -m RegionDetector PHOTO_OR_FOLDER... [--out OUT] [--draw FOLDER] [--min-face 20] [--threshold T]
[--box head|face] [--turns auto|always|never] [--detector kit|yunet] [--weights FILE]``
"""

import argparse
import hashlib
import sys
from functools import partial

import numpy as np

from common.commands.cluster import shared_out
from common.commands.inputs import find_inputs
from common.commands.run import Answers, add_options, answer_all, check_outputs, drawing, one_by_one
from common.commands.stops import until_stopped
from common.console import a_path, print_any_name, say, words_beside
from common.detection import faces
from common.detection.found import BOXES
from common.files import with_ending
from common.photos import PHOTO_SUFFIXES, read_photo, says_which_way_up
from common.pictures.drawing import draw, write_jpeg

TURNS = {"auto": None, "always": True, "never": False}
DRAWN = ".faces.jpg"  # what the name of a copy with boxes ends with; such copies are no photos to look at
BOX = ("min_row", "min_col", "max_row", "max_col", "probability")


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m RegionDetector", description="Find the faces in photos.")
    p.add_argument("photos", nargs="+", type=a_path, metavar="PHOTO_OR_FOLDER", help="a photo, or a folder of photos and of such folders")
    add_options(p, "write copies with boxes and probabilities")
    p.add_argument("--min-face", type=float, default=20, metavar="PIXELS", help="smallest face to look for (default: 20)")
    least = ", ".join(f"{value:g} for {name}" for name, value in faces.THRESHOLDS.items())
    p.add_argument("--threshold", type=float, metavar="T", help=f"least probability of a box, 0 to 1 (default: {least})")
    p.add_argument("--box", choices=BOXES, default="head", help="what a box holds: the whole head, as FDDB draws it (default), or the face from brow to chin")
    p.add_argument("--turns", choices=TURNS, default="auto", help="look at the photo on its side and on its head too: if nothing sure is found in it as it is "
                                                                  "and the camera did not note how it was held (auto, the default), always or never")
    p.add_argument("--detector", choices=faces.DETECTORS, default="kit", help="the kit's own network (default), or YuNet for those who have its file")
    p.add_argument("--weights", type=a_path, metavar="FILE", help="YuNet's .onnx, or weights of one's own for the kit's network")
    return p


def find_faces(file, look=None, min_face=20, threshold=None, box="head", turns=None):
    """The faces of one photo.

    Parameters
    ----------
    file : path
    look, min_face, threshold, box, turns
        See `common.detection.faces.find_faces`; without a word about turns, a photo whose camera noted how it was held is not turned.

    Returns
    -------
    photo : ndarray of uint8, shape (H, W, 3)
    boxes : ndarray of float, shape (N, 5)
        ``[min_row, min_col, max_row, max_col, probability]``, most certain first.
    points : ndarray of float, shape (N, 5, 2)

    Raises
    ------
    OSError
        If the file is missing or no whole photo.
    """
    photo = read_photo(file)
    if turns is None and says_which_way_up(file):
        turns = False
    found = faces.find_faces(photo, min_face, threshold, box, turns, look)
    return photo, np.column_stack([found.boxes, found.scores]), found.points


def asker(folder=None, detector="kit", weights=None, **settings):
    """A function that answers about one photo, with the network loaded.

    Parameters
    ----------
    folder : pathlib.Path, optional
        Where to write copies with boxes.
    detector, weights : str
        See `common.detection.faces.detector`.
    **settings
        Of `find_faces`.

    Returns
    -------
    callable
        From (file, name) to `height`, `width`, `boxes` and `points`; `drawn` is the copy, `not_drawn` says why there is none.

    Raises
    ------
    OSError
        If the network cannot be loaded.
    """
    from common.device import prepare

    prepare(alone=True)
    look = faces.detector(detector, weights)

    def ask(file, name, check):
        photo, boxes, points = find_faces(file, look, **settings)
        answer = {"height": photo.shape[0], "width": photo.shape[1], "box_order": " ".join(BOX),
                  "boxes": [[round(float(n), 4) for n in box] for box in boxes], "points": np.round(points, 2).tolist()}
        if folder is not None:
            with drawing(file, answer):
                answer["drawn"] = str(write_drawn(folder / name, photo, boxes))
        return answer

    return ask


def _lines(answer):
    boxes = answer["boxes"]
    sure = "".join(f", {box[4]:.2f}" for box in boxes[:8]) + ", ..." * (len(boxes) > 8)
    return [f"{answer['image']}: {len(boxes)} face{'s' * (len(boxes) != 1)}{sure}"]


def _rows(answer):
    """Lines of the table: one a face, or one that says that there is none."""
    known = {**answer, "faces": len(answer["boxes"])}
    return [{**known, "face": number, **dict(zip(BOX, box))} for number, box in enumerate(answer["boxes"], 1)] or [known]


ANSWERS = Answers("image", "photos", _lines, ("image", "height", "width", "faces", "face", *BOX, "error"), _rows, nothing={"boxes": [], "points": []})


def main(arguments=None):
    """Run the command; returns 0, 1 if a photo could not be read or drawn, 2 if nothing could be done, 128 and more if it was stopped."""
    options = parser().parse_args(arguments)
    if options.threshold is None:
        options.threshold = faces.THRESHOLDS[options.detector]
    if not 0 <= options.threshold <= 1:
        parser().error(f"--threshold: expected a probability from 0 to 1, got {options.threshold:g}")
    if not options.min_face >= 4:
        parser().error(f"--min-face: expected at least 4 pixels, got {options.min_face:g}")
    print_any_name()
    with words_beside(options.out):
        return until_stopped(partial(_work, options))


def _work(options, stops):
    found = find_inputs(options.photos, PHOTO_SUFFIXES)
    found.say("photo")
    settings = {"min_face": options.min_face, "threshold": options.threshold, "box": options.box, "turns": TURNS[options.turns],
                "detector": options.detector, "weights": options.weights and str(options.weights.resolve())}
    try:
        found.expect_any("photo", PHOTO_SUFFIXES)
        check_outputs(options, [file for file, _ in found.files])
        if options.detector != "kit" or options.weights:
            from common.device import prepare

            prepare(alone=True)
            faces.detector(options.detector, settings["weights"])
        # a training may write its weights under one name again: answers of the old ones are not mixed with those of the new ones
        content = {"content": hashlib.sha256(options.weights.read_bytes()).hexdigest()} if options.weights else {}
    except (OSError, ValueError) as error:
        say(f"error: {error}", sys.stderr)
        return 2
    ask = one_by_one(partial(asker, options.draw, **settings))
    if options.cluster:
        ask = shared_out(options.cluster, "RegionDetector.commands.finding", folder=options.draw, **settings)
    return answer_all(found, ask, ANSWERS, options, {**settings, **content, "draw": str(options.draw)}, stops)


def write_drawn(target, photo, boxes):
    """Write a copy with boxes and probabilities as NAME.faces.jpg; the whole name stays in front, so that a.png and a.jpg do not meet, unless disks have no room for it. Returns its name.

    Raises
    ------
    OSError
        If the copy cannot be written, or the photo has more than the 65,500 pixels a side that a JPEG can have.
    """
    target = with_ending(target, DRAWN)
    write_jpeg(target, draw(photo, [(0, box[:4], f"{box[4]:.2f}") for box in boxes]))
    return target
