"""The command line: find the faces in one's own photos, with the network that the kit carries.

``python -m RegionDetector PHOTO_OR_FOLDER... [--json OUT] [--draw FOLDER] [--min-face 20] [--threshold T]``
"""

import argparse
import os
import sys
import warnings
from itertools import count
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from common.console import prepare_outputs, print_any_name, write_answers
from common.photos import PHOTO_SUFFIXES, read_photo
from common.pictures.drawing import draw

THRESHOLD = 0.5
DRAWN = ".faces.jpg"  # what the name of a copy with boxes ends with; such copies are no photos to look at
MAX_JPEG = 65500  # pixels a side


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m RegionDetector", description="Find the faces in photos.")
    p.add_argument("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER", help="a photo, or a folder of photos")
    p.add_argument("--json", type=Path, metavar="OUT", help="write the boxes to a file: a list with one object for each photo")
    p.add_argument("--draw", type=Path, metavar="FOLDER", help="write copies with boxes and probabilities")
    p.add_argument("--min-face", type=float, default=20, metavar="PIXELS", help="smallest face to look for (default: 20)")
    p.add_argument("--threshold", type=float, default=THRESHOLD, metavar="T", help=f"least probability of a box, 0 to 1 (default: {THRESHOLD})")
    return p


def photos_of(paths):
    """The photos that were named, and those in the folders that were; as list of (file, what to call it).

    No two have the same name, so that their copies do not overwrite one another; a file that is named twice is looked at once.
    """
    found = []
    for path in paths:
        if os.path.isdir(path):  # False, and no error, for what may not be looked into
            found += [(file, str(file.relative_to(path))) for file in sorted(path.rglob("*"))
                      if file.suffix.lower() in PHOTO_SUFFIXES and os.path.isfile(file) and not file.name.endswith(DRAWN)
                      and not any(part.startswith(".") for part in file.relative_to(path).parts)]
        else:
            found.append((path, path.name))
    named, seen = {}, set()
    for file, name in found:
        where = os.path.abspath(file)
        if where not in seen:
            seen.add(where)
            numbered = (f"{number}/{name}" for number in count(2))
            named[name if name not in named else next(n for n in numbered if n not in named)] = file
    return [(file, name) for name, file in named.items()]


def find_faces(file, run, min_face=20, threshold=THRESHOLD):
    """The faces of one photo.

    Parameters
    ----------
    file : path
    run : callable
        See `pyramid.model.load_pretrained` and `common.inference.compiled`.
    min_face : float
        Pixels.
    threshold : float
        Least probability.

    Returns
    -------
    photo : ndarray of uint8, shape (H, W, 3)
    boxes : ndarray of float, shape (N, 5)
        ``[min_row, min_col, max_row, max_col, probability]``, most certain first.

    Raises
    ------
    OSError
        If the file is missing or no whole photo.
    """
    from RegionDetector.multiscale import as_boxes_in, find_ellipses

    photo = read_photo(file)
    least = np.log(max(threshold, 1e-9) / max(1 - threshold, 1e-9))
    ellipses, logits = find_ellipses(run, photo, min_face, least, closer=True)
    return photo, np.column_stack([as_boxes_in(ellipses, photo.shape), 1 / (1 + np.exp(-logits))])


def main(arguments=None):
    """Run the command; returns 0, 1 if a photo could not be read or drawn, 2 if nothing could be done."""
    options = parser().parse_args(arguments)
    print_any_name()
    if not 0 <= options.threshold <= 1:
        parser().error(f"--threshold: expected a probability from 0 to 1, got {options.threshold:g}")
    if not options.min_face >= 4:
        parser().error(f"--min-face: expected at least 4 pixels, got {options.min_face:g}")
    photos = photos_of(options.photos)
    if not photos:
        print(f"error: no photo ({', '.join(sorted(PHOTO_SUFFIXES))}) in {', '.join(map(str, options.photos))}", file=sys.stderr)
        return 2
    try:
        prepare_outputs({"--json": options.json}, options.draw, [file for file, _ in photos])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from common.device import prepare
    from common.inference import compiled
    from RegionDetector.pyramid.model import load_pretrained

    prepare()
    try:
        run = compiled(load_pretrained())
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    answers, failed = [], 0
    for file, name in tqdm(photos, "photos", disable=len(photos) < 20):
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                photo, boxes = find_faces(file, run, options.min_face, options.threshold)
        except OSError as error:
            failed += 1
            print(f"skipped: {error}", file=sys.stderr)
            answers.append({"image": str(file), "boxes": [], "error": str(error)})
            continue
        for line in told:
            print(f"{file}: {line.message}", file=sys.stderr)
        answers.append({"image": str(file), "boxes": [[round(float(n), 4) for n in box] for box in boxes]})
        tqdm.write(f"{file}: {len(boxes)} face{'s' * (len(boxes) != 1)}" + "".join(f", {box[4]:.2f}" for box in boxes[:8]) + ", ..." * (len(boxes) > 8))
        if options.draw:
            try:
                write_drawn(options.draw / name, photo, boxes)
            except OSError as error:
                failed += 1
                print(f"not drawn: {error}", file=sys.stderr)
    if options.json and not write_answers(options.json, answers):
        return 2
    if failed:
        print(f"{failed} of {len(photos)} photos could not be read or drawn", file=sys.stderr)
    return 1 if failed else 0


def write_drawn(target, photo, boxes):
    """Write a copy with boxes and probabilities as NAME.faces.jpg; the whole name stays in front, so that a.png and a.jpg do not meet.

    Raises
    ------
    OSError
        If the copy cannot be written, or the photo has more than the 65,500 pixels a side that a JPEG can have.
    """
    import cv2

    target = target.with_name(target.name + DRAWN)
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw(photo, [(0, box[:4], f"{box[4]:.2f}") for box in boxes])
    if max(drawn.shape[:2]) > MAX_JPEG:
        raise OSError(f"{target}: {drawn.shape[1]:,} x {drawn.shape[0]:,} pixels are more than a JPEG can have")
    target.write_bytes(cv2.imencode(".jpg", drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())


if __name__ == "__main__":
    raise SystemExit(main())
