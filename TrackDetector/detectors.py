"""Face detectors as plain functions: `image -> (boxes, scores)`; dlib's two, and room for one's own."""

import threading
from functools import lru_cache

import numpy as np

from common.boxes import as_boxes
from TrackDetector.networks.dlib_weights import CNN_DETECTOR_FILE, dlib_file


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

    detector = _for_each_thread(lambda: dlib.cnn_face_detection_model_v1(str(dlib_file(CNN_DETECTOR_FILE))))

    def detect(image):
        # on pictures smaller than its filters dlib writes where it must not; 80 pixels are a face anyway
        lack = [max(0, 80 - side) for side in image.shape[:2]]
        if any(lack):
            image = np.pad(image, ((0, lack[0]), (0, lack[1]), (0, 0)), mode="edge")
        found = detector()(image, upsample)
        return _rows_first([f.rect for f in found]), np.array([f.confidence for f in found])

    return detect


def run_detector(detector, image):
    """Boxes (N, 4) and scores (N,) of any detector; without scores, all are 1.

    Raises
    ------
    ValueError
        If the detector returns something else than boxes, or boxes and as many scores.
    """
    answer = detector(image)
    boxes, scores = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    boxes = as_boxes(boxes)
    scores = np.ones(len(boxes)) if scores is None else np.asarray(scores, float).ravel()
    if len(scores) != len(boxes):
        raise ValueError(f"the detector gave {len(boxes)} boxes, but {len(scores)} scores")
    return boxes, scores


DETECTORS = {"hog": hog_detector, "cnn": cnn_detector}


def named_detector(name):
    """A detector by its name.

    Parameters
    ----------
    name : {"hog", "cnn"}
        dlib's HOG detector, or its CNN detector.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in DETECTORS:
        raise ValueError(f"expected a detector by its name, {', '.join(DETECTORS)}, or a function of your own; got {name!r}")
    return DETECTORS[name]()
