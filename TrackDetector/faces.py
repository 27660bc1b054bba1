"""From photos to aligned faces: detect, choose the face meant, five landmarks, similarity transform.

A detector is any function `image -> boxes` or `image -> (boxes, scores)`, so a network from task one can
stand in for dlib's.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from numbers import Real

import cv2
import numpy as np

from common.boxes import as_boxes
from TrackDetector.alignment import CROP_SIZE, align, average_landmarks, find_landmarks
from TrackDetector.detectors import cnn_detector, hog_detector, run_detector
from TrackDetector.photos import as_rgb


@dataclass(frozen=True)
class Face:
    """One face of a photo.

    Attributes
    ----------
    box : ndarray, shape (4,)
    landmarks : ndarray, shape (5, 2)
        (row, column), in the order of `alignment.TEMPLATE`.
    score : float
        The detector's; 0 for a guess.
    how : str
        "detector"; "enlarged": found in a copy twice as large with a margin; "equalised": in a copy
        with its contrast evened out; "cnn": by the slow, thorough detector; "centre": not found, a guess
        at the middle of the photo.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    how: str

    @property
    def found(self):
        """True if a detector found it, False for the guess at the middle."""
        return self.how != "centre"


def choose_face(boxes, shape):
    """Index of the face that is meant: large and close to the middle of the photo.

    A face loses weight with its distance from the centre: to 1/e at a quarter of the photo's
    diagonal.

    Parameters
    ----------
    boxes : array_like, shape (N, 4), N >= 1
    shape : tuple
        (height, width, ...) of the photo.

    Raises
    ------
    ValueError
        If there is no box to choose from.
    """
    boxes = as_boxes(boxes)
    if not len(boxes):
        raise ValueError("no face to choose from")
    height, width = shape[:2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.hypot(*(centre - [height / 2, width / 2]).T) / (np.hypot(height, width) / 4)
    side = np.sqrt(np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1))
    return int(np.argmax(side * np.exp(-(away**2))))


_PORTRAIT = 1280  # pixels of the longer side: in a portrait they show the face that is meant
_GROUP = 4096  # for every face of a photo: the detector wants 80 pixels of each
_SMALL = 640  # photos up to here are worth a second and a third look
_TINY = 160  # up to here even the CNN detector, which wants faces of 80 pixels, needs a larger copy


def _as_it_is(image, most=_PORTRAIT):
    scale = min(1.0, most / max(image.shape[:2]))
    # of a strip a few pixels high something must stay
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    small = image if scale == 1 else cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return small, scale, np.zeros(2)


def _enlarged(image):
    """Twice as large with a margin: shows faces that are small or touch the border."""
    margin = [round(side / 4) for side in image.shape[:2]]
    wide = cv2.copyMakeBorder(image, margin[0], margin[0], margin[1], margin[1], cv2.BORDER_REPLICATE)
    return cv2.resize(wide, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), 2.0, np.array(margin)


def _equalised(image):
    """Contrast evened out in tiles, on the enlarged copy: shows faces in shadow or against the light."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lightness = np.ascontiguousarray(lab[:, :, 0])
    lab[:, :, 0] = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(4, 4)).apply(lightness)
    return _enlarged(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def _looks(image, detector, retry, thorough, most):
    yield "detector", partial(_as_it_is, most=most), detector
    if retry and max(image.shape[:2]) <= _SMALL:
        yield "enlarged", _enlarged, detector
        yield "equalised", _equalised, detector
    if thorough:
        yield "cnn", _enlarged if max(image.shape[:2]) <= _TINY else _as_it_is, cnn_detector()


def find_faces(image, detector=None, retry=True, thorough=False, most=_GROUP):
    """Every face of a photo with its landmarks, best score first.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    detector : callable, optional
        `image -> boxes`, `(boxes, scores)` or `(boxes, scores, landmarks)`; by default `detectors.hog_detector()`.
    retry : bool
        Where nothing is found in a small photo, look at a copy twice as large with a margin, then
        at one with its contrast evened out.
    thorough : bool
        Where still nothing is found, ask dlib's CNN detector (about a second a photo on a CPU).
    most : int
        A photo with a longer side is shrunk to so many pixels. More show smaller faces, and take longer.

    Returns
    -------
    list of Face
        Empty if there is none.

    Raises
    ------
    ValueError
        If the image or what the detector answers is not what it should be.
    """
    image = as_rgb(image)
    for how, view, detect in _looks(image, detector or hog_detector(), retry, thorough, most):
        shown, scale, margin = view(image)
        boxes, scores, landmarks = run_detector(detect, shown)
        boxes = boxes / scale - np.tile(margin, 2)
        # a detection that lies wholly in the margin is none of this photo, and one without an area is none at all
        inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < image.shape[:2]).all(axis=1)
        inside &= (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
        if inside.any():
            return [Face(boxes[i], find_landmarks(image, boxes[i]) if landmarks is None else landmarks[i] / scale - margin, float(scores[i]), how)
                    for i in np.argsort(-scores, kind="stable") if inside[i]]
    return []


def _guess(image):
    """The middle of the photo, where a portrait has its face."""
    height, width = image.shape[:2]
    half = 0.22 * min(height, width)
    box = np.array([height / 2 - half, width / 2 - half, height / 2 + half, width / 2 + half])
    return Face(box, average_landmarks(box), 0.0, "centre")


# Finding the face is most of the work and a notebook asks for the same photos again and again; what
# is kept is a dozen numbers for a face. Only for dlib's detector: a student's own may change.
_found_before = OrderedDict()
_MOST_REMEMBERED = 50_000


def portrait_faces(image, detector=None, thorough=True, retry=True):
    """The faces of a photo of one person: the face that is meant first, then those who are in it too.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    detector, thorough, retry
        As in `find_faces`.

    Returns
    -------
    list of Face
        Empty if there is none.
    """
    image = as_rgb(image)
    key = (blake2b(image, digest_size=16).digest(), image.shape, thorough, retry)
    if detector is None and key in _found_before:
        _found_before.move_to_end(key)
        return list(_found_before[key])
    # first at the size at which a portrait shows its face: a photo of a phone in full takes several times as long
    large = max(image.shape[:2]) > _PORTRAIT
    faces = find_faces(image, detector, retry, thorough and not large, _PORTRAIT)
    if large and not faces:
        faces = find_faces(image, detector, retry, thorough)
    if faces:
        faces.insert(0, faces.pop(choose_face([f.box for f in faces], image.shape)))
    if detector is None:
        _found_before[key] = tuple(faces)
        if len(_found_before) > _MOST_REMEMBERED:
            _found_before.popitem(last=False)
    return faces


def find_face(image, detector=None, thorough=True, retry=True):
    """The face meant in a photo: large and near the middle; or a guess that says so.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    detector, thorough, retry
        As in `find_faces`.

    Returns
    -------
    Face
        ``face.found`` is False where no detector found one; it is the middle of the photo then.
    """
    faces = portrait_faces(image, detector, thorough, retry)
    return faces[0] if faces else _guess(as_rgb(image))


def preprocess_imgs(imgs, size=CROP_SIZE, detector=None, thorough=True, progress=True, names=None, retry=True):
    """Cut the face meant out of every photo: upright, centred, the same size.

    Parameters
    ----------
    imgs : dict of str to ndarray, or sequence of ndarray
        RGB photos (H, W, 3), of any sizes.
    size : int
        Height and width of the crops in pixels.
    detector : callable, optional
        `image -> boxes` or `(boxes, scores)`; by default dlib's HOG detector.
    thorough : bool
        Ask dlib's CNN detector about photos in which the first finds nothing.
    progress : bool
        Show a progress bar.
    names : sequence of str, optional
        What errors call the photos of a list.
    retry : bool
        As in `find_faces`.

    Returns
    -------
    crops : ndarray, shape (N, size, size, 3), uint8 RGB
        In the order of `imgs`. Where no face was found: the middle of the photo.
    found : ndarray of bool, shape (N,)

    Raises
    ------
    ValueError
        If `size` is not positive, or a photo is no RGB image; the message names it.
    """
    from tqdm.auto import tqdm

    if not isinstance(size, Real) or int(size) != size or size < 1:
        raise ValueError(f"expected the size of the crops in pixels, one number from 1; got {size!r}")
    if isinstance(imgs, np.ndarray) and imgs.ndim in (2, 3):
        raise ValueError(f"expected several photos, got one of shape {imgs.shape}; hand in [photo]")
    if isinstance(imgs, dict):
        named = list(imgs.items())
    else:
        named = list(zip(names, imgs)) if names is not None else [(f"image {i}", img) for i, img in enumerate(imgs)]
    crops = np.zeros((len(named), int(size), int(size), 3), np.uint8)
    found = np.zeros(len(named), bool)
    for i, (name, image) in enumerate(tqdm(named, "faces", disable=not progress or len(named) < 50)):
        image = as_rgb(image, name)
        face = find_face(image, detector, thorough, retry)
        crops[i], found[i] = align(image, face.landmarks, int(size)), face.found
    return crops, found
