"""Face detectors as plain functions: `image -> (boxes, scores)`; dlib's two, the kit's, YuNet for those who have its file, and room for one's own."""

import hashlib
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np

from common.boxes import as_boxes
from common.console import a_path
from common.detection.found import unturned
from TrackDetector.alignment import TEMPLATE, find_landmarks, similarity_transform
from TrackDetector.networks.dlib_weights import CNN_DETECTOR_FILE, name_for_dlib


def _rows_first(rectangles):
    return np.array([[r.top(), r.left(), r.bottom() + 1, r.right() + 1] for r in rectangles], float).reshape(-1, 4)


def _for_each_thread(make):
    """A function that gives every thread an object of its own: dlib's detectors write into themselves while they search, and let other threads run."""
    own = threading.local()

    def get():
        if not hasattr(own, "made"):
            own.made = make()
        return own.made

    return get


@lru_cache(maxsize=8)
def hog_detector(upsample=0, threshold=0.0):
    """dlib's HOG face detector: frontal faces from 80 pixels, 40 with `upsample=1`.

    Parameters
    ----------
    upsample : int
        How many times the photo is doubled first.
    threshold : float
        Detections with a lower score are left out; below 0 finds more faces and more that are none.

    Returns
    -------
    callable
        `image -> (boxes (N, 4), scores (N,))`, best first.

    References
    ----------
    N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005;
    D. King, "Max-margin object detection", arXiv:1502.00046.
    """
    import dlib

    detector = _for_each_thread(dlib.get_frontal_face_detector)

    def detect(image):
        rectangles, scores, _ = detector().run(image, upsample, threshold)
        return _rows_first(rectangles), np.array(scores)

    return detect


@lru_cache(maxsize=4)
def cnn_detector(upsample=0):
    """dlib's CNN face detector: profiles and tilted heads as well, about 50 times slower on a CPU.

    Returns `image -> (boxes (N, 4), scores (N,))`, as `hog_detector` does.
    """
    import dlib

    detector = _for_each_thread(lambda: dlib.cnn_face_detection_model_v1(name_for_dlib(CNN_DETECTOR_FILE)))

    def detect(image):
        # on pictures smaller than its filters dlib writes beyond its memory; below 80 pixels it finds no face anyway
        lack = [max(0, 80 - side) for side in image.shape[:2]]
        if any(lack):
            image = np.pad(image, ((0, lack[0]), (0, lack[1]), (0, 0)), mode="edge")
        found = detector()(image, upsample)
        return _rows_first([f.rect for f in found]), np.array([f.confidence for f in found])

    return detect


# Where the five points of our own network lie in an average face, in parts of the face as `alignment.TEMPLATE` counts: eyes, tip of the nose and
# corners of the mouth, left of the picture first (the person's right). And dlib's box in parts of ours, brow to chin: corner, height and width.
# Medians over 246 faces in 235 photos, on which dlib's detector and ours agree.
POINTS = np.array([[0.202, 0.222], [0.204, 0.772], [0.522, 0.495], [0.773, 0.265], [0.774, 0.733]])
_DLIBS_CORNER, _DLIBS_SIDES = np.array([0.139, -0.007]), np.array([0.823, 1.054])
_KIT_LEAST = 40.0  # pixels of a head: a smaller face says too little about whose it is


@lru_cache(maxsize=4)
def kit_detector(min_face=_KIT_LEAST, own_points=False):
    """The network that the kit carries: heads turned, tilted or covered as well, in one look.

    Parameters
    ----------
    min_face : float
        Smallest head to look for, in pixels.
    own_points : bool
        Align faces by the network's own five points; by default by dlib's landmarks, looked for in the box that dlib would have drawn. Both name as many
        at the usual threshold; docs/galleries.md has the figures.

    Returns
    -------
    callable
        `image -> (boxes (N, 4), scores (N,), landmarks (N, 5, 2))`, best first; the landmarks are those that `alignment.TEMPLATE` names.
    """
    return _with_landmarks("kit", None, min_face, own_points)


def detector_of_file(name, weights, min_face=_KIT_LEAST, own_points=False):
    """YuNet, or the kit's network with weights of one's own.

    Parameters
    ----------
    name : {"yunet", "kit"}
    weights : path
        YuNet's ``.onnx``, or a file that a training wrote.
    min_face, own_points
        See `kit_detector`.

    Returns
    -------
    callable
        As `kit_detector`. A gallery keeps the name alone, `called`; `digest` tells one file from another.

    Raises
    ------
    ValueError
        If the detector takes no file.
    OSError
        If the weights are missing or damaged.
    """
    from common.detection import faces

    if name not in faces.DETECTORS:
        raise ValueError(f"the detector {name!r} takes no file of weights: leave out --weights {weights}, or say --detector {' or '.join(reversed(faces.DETECTORS))}")
    detect = _with_landmarks(name, str(weights), min_face, own_points)
    detect.called, detect.digest = name, hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return detect


def _with_landmarks(name, weights, min_face, own_points):
    """See `kit_detector`; the name and the weights are those of `common.detection.faces.detector`."""
    from common.detection import faces

    look, least = faces.detector(name, weights), faces.THRESHOLDS[name]

    def detect(image):
        found = faces.find_faces(image, min_face, least, box="face", turns=False, look=look)
        if own_points:
            landmarks = [landmarks_from(points) for points in found.points]
        else:
            landmarks = [upright_landmarks(image, box, points) for box, points in zip(found.boxes, found.points)]
        return found.boxes, found.scores, np.array(landmarks).reshape(-1, 5, 2)

    return detect


def upright_landmarks(image, box, points):
    """dlib's landmarks of a face that may lie on its side or stand on its head, as in a scan: they are looked for with the face upright.

    Where they were looked for as it lay, they fell anywhere, and all such faces were described alike: a gallery photo on its side took 99 of 100 strangers
    on their sides for its person.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    box : array_like, shape (4,)
        Brow to chin.
    points : ndarray, shape (5, 2)
        Our network's: eyes, nose, corners of the mouth; they say where the chin is.

    Returns
    -------
    ndarray, shape (5, 2)
        (row, column), in the order of `alignment.TEMPLATE`.
    """
    down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    quarters = round(np.arctan2(-down[1], down[0]) / (np.pi / 2)) % 4
    if not quarters:
        return find_landmarks(image, dlibs_box(box))
    corners = np.reshape(box, (2, 2))
    start = np.maximum(0, np.floor(2 * corners[0] - corners[1])).astype(int)  # with as much around it as the face is large
    end = np.ceil(2 * corners[1] - corners[0]).astype(int)
    piece = image[start[0] : end[0], start[1] : end[1]]
    turned = np.ascontiguousarray(np.rot90(piece, quarters))
    corners = np.sort(unturned(corners - start + 0.5, -quarters, turned.shape) - 0.5, axis=0)
    return unturned(find_landmarks(turned, dlibs_box(corners.ravel())) + 0.5, quarters, piece.shape) - 0.5 + start


def dlibs_box(box):
    """The box that dlib would draw around a face, from one that reaches from brow to chin, (4,)."""
    corner, sides = np.asarray(box[:2], float), np.subtract(box[2:], box[:2])
    start = corner + _DLIBS_CORNER * sides
    return np.concatenate([start, start + _DLIBS_SIDES * sides])


def landmarks_from(points):
    """The landmarks of `alignment.TEMPLATE` in a face of which our own five points are known: (5, 2) as (row, column)."""
    matrix = similarity_transform(POINTS, points)
    return TEMPLATE @ matrix[:, :2].T + matrix[:, 2]


def run_detector(detector, image):
    """What any detector says: boxes (N, 4), scores (N,) and landmarks (N, 5, 2) or None; without scores, all are 1.

    Raises
    ------
    ValueError
        If the detector returns something else than boxes, or boxes and as many scores, or both and as many landmarks.
    """
    answer = detector(image)
    several = isinstance(answer, tuple) and (len(answer) == 2 or len(answer) == 3 and np.ndim(answer[2]) == 3)  # and no tuple of three boxes
    boxes, scores, landmarks = (*answer, None)[:3] if several else (answer, None, None)
    boxes = as_boxes(boxes)
    scores = np.ones(len(boxes)) if scores is None else np.asarray(scores, float).ravel()
    if len(scores) != len(boxes):
        raise ValueError(f"the detector gave {len(boxes)} boxes, but {len(scores)} scores")
    if landmarks is not None and np.shape(landmarks) != (len(boxes), 5, 2):
        raise ValueError(f"the detector gave {len(boxes)} boxes, but landmarks of shape {np.shape(landmarks)}; expected ({len(boxes)}, 5, 2)")
    return boxes, scores, landmarks


DETECTORS = {"hog": hog_detector, "kit": kit_detector, "cnn": cnn_detector}
NAMES = sorted([*DETECTORS, "yunet"])  # whose file is named beside it
DEFAULT = "kit"  # of the commands, for a new gallery: whichever names more people right at equal false names; benchmarks/naming.py measures it


def named_detector(name):
    """A detector by its name.

    Parameters
    ----------
    name : {"hog", "kit", "cnn"}
        dlib's HOG detector, the network that the kit carries, or dlib's CNN detector. YuNet, by which a gallery may have been built, is `detector_of_file`.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there is none of that name, or its file is not named.
    """
    if name == "yunet":
        from common.detection.faces import detector

        detector(name)  # says whose file is missing
    if name not in DETECTORS:
        raise ValueError(f"expected a detector by its name, {', '.join(DETECTORS)}, or a function of your own; got {name!r}")
    return DETECTORS[name]()


def asked_for(name=None, weights=None, usual=None):
    """What ``--detector`` and ``--weights`` ask for, as settings of `Classifier`: empty if nothing is.

    Parameters
    ----------
    name : str, optional
    weights : path, optional
    usual : str, optional
        Whose weights they are if no detector is named; by default `DEFAULT`.

    Raises
    ------
    ValueError, OSError
        See `detector_of_file`.
    """
    if weights is not None:
        return {"detector": detector_of_file(name or usual or DEFAULT, weights)}
    return {} if name is None else {"detector": name}


def add_options(parser, kept="the gallery's, or "):
    """The options by which commands are told what finds the faces."""
    parser.add_argument("--detector", choices=NAMES, help=f"what finds the faces (default: {kept}{DEFAULT}); yunet, for those who have its file, with --weights")
    parser.add_argument("--weights", type=a_path, metavar="FILE", help="YuNet's .onnx, or weights of one's own for the kit's network; no gallery keeps them")
