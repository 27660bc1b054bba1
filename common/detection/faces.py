"""The faces of a photo by one call: boxes, probabilities and five points, whichever detector looks."""

import os
from collections import namedtuple
from functools import lru_cache

import numpy as np

from common.detection import search, yunet
from common.detection.found import BOXES

DETECTORS = ("kit", "yunet")
THRESHOLDS = {"kit": 0.5, "yunet": 0.75}  # least probability; see docs for how they were chosen

Faces = namedtuple("Faces", "boxes scores points")


def detector(name="kit", weights=None):
    """A detector by its name.

    Parameters
    ----------
    name : {"kit", "yunet"}
        The network that the kit carries, or YuNet.
    weights : path, optional
        For "yunet" its ``.onnx``, which the kit does not carry; for "kit" weights of one's own training.

    Returns
    -------
    callable
        ``look(image, least)``, for `find_faces` and `search.search`; it is made once and kept until the file is another.

    Raises
    ------
    ValueError
        If the name is unknown, or YuNet's file is not named.
    OSError
        If the weights are missing or damaged.
    """
    known = os.stat(weights) if weights is not None and os.path.exists(weights) else None
    return _detector(name, weights, known and (known.st_size, known.st_mtime_ns))


@lru_cache(maxsize=4)
def _detector(name, weights, version):
    if name == "yunet":
        if weights is None:
            raise ValueError("YuNet's file is not part of the kit: name it with --weights FILE (face_detection_yunet_2023mar.onnx or newer, "
                             "from OpenCV's model zoo)")
        return yunet.looking(weights)
    if name != "kit":
        raise ValueError(f"expected a detector {' or '.join(map(repr, DETECTORS))}, got {name!r}")
    from common.detection import network, refinement
    from common.inference import compiled

    once = network.looking(compiled(network.load_detector(weights or network.WEIGHTS)))
    return search.Refined(once, refinement.refining(compiled(refinement.load_refiner())))


def find_faces(photo, min_face=20, threshold=None, box="head", turns=None, look=None):
    """The faces of one photo.

    Parameters
    ----------
    photo : ndarray, shape (H, W, 3)
        RGB, of any size; large photos are looked at in tiles. uint8, or other numbers from 0 to 255; floats up to 1 are shares of white.
    min_face : float
        Smallest face to look for: square root of height times width of the head, in pixels.
    threshold : float, optional
        Least probability, 0 to 1. Default: that of the kit's network, at which 97 of 100 boxes on validation photos were faces.
    box : {"head", "face"}
        The whole head, as FDDB draws it, or brow to chin, as WIDER FACE does.
    turns : bool or None
        Look at the photo turned by one, two and three quarters as well; None: only if nothing sure is found in the photo as it is.
    look : callable, optional
        From `detector`; default: the network that the kit carries.

    Returns
    -------
    boxes : ndarray of float, shape (N, 4)
        ``[min_row, min_col, max_row, max_col]`` in pixels, cut to the photo; most certain first.
    scores : ndarray of float, shape (N,)
        Probabilities.
    points : ndarray of float, shape (N, 5, 2)
        (row, column) of the person's right eye, left eye, tip of the nose, right and left corner of the mouth.

    Raises
    ------
    ValueError
        If the photo is not (H, W, 3) with values from 0 to 255, or box, threshold or turns are none.
    RuntimeError
        In a process that was forked from one with a network; see `common.inference.refuse_after_fork`.
    """
    photo = np.asarray(photo)
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype.kind not in "uif" or not (photo.min(initial=0) >= 0 and photo.max(initial=0) <= 255):
        raise ValueError(f"expected a photo (H, W, 3) with values from 0 to 255, got {photo.dtype} of shape {photo.shape}"
                         f"{f' from {photo.min(initial=0)} to {photo.max(initial=0)}' if photo.dtype.kind in 'uif' else ''}; common.photos.read_photo reads photos of any kind so")
    if photo.dtype != np.uint8:
        shares = photo.dtype.kind == "f" and photo.max(initial=0) <= 1  # as Matplotlib reads a PNG
        photo = np.rint(photo.astype(np.float32) * (255 if shares else 1)).astype(np.uint8)
    if box not in BOXES:
        raise ValueError(f"expected a box of the kind {' or '.join(map(repr, BOXES))}, got {box!r}")
    if turns not in (None, True, False):
        raise ValueError(f"expected turns to be True, False or None, which is to look when nothing sure is found upright; got {turns!r}")
    threshold = THRESHOLDS["kit"] if threshold is None else threshold
    if not 0 <= threshold <= 1:
        raise ValueError(f"expected a threshold from 0 to 1, got {threshold}")
    least = np.log(max(threshold, 1e-9) / max(1 - threshold, 1e-9))
    found = search.search(look or detector(), photo, min_face, least, turns)
    return Faces(np.clip(found.boxes(box), 0, np.tile(photo.shape[:2], 2)), 1 / (1 + np.exp(-found.logits)), found.points)
