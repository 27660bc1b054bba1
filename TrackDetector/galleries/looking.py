"""What a photo of a gallery shows: every face that may be the person's, described."""

from dataclasses import dataclass

import cv2
import numpy as np

from TrackDetector.alignment import align
from TrackDetector.faces import portrait_faces
from TrackDetector.photos import as_rgb

# A face less than so large, in parts of the side of the face that is meant, is a passer-by: nobody asks who of the two the photo is of
_BESIDE = 0.4


@dataclass(frozen=True)
class Seen:
    """A photo that was looked at.

    Attributes
    ----------
    photo, person : str
        Its name, and whom it is said to show.
    descriptors : ndarray of float32, shape (F, D)
        Of the faces that may be meant, the largest and most central first; none where no face was found.
    sharpness : ndarray of float, shape (F,)
    digest : bytes
        Of the photo's file; empty where it was none.
    """

    photo: str
    person: str
    descriptors: np.ndarray
    sharpness: np.ndarray
    digest: bytes = b""


def sharpness(crop):
    """How sharp an aligned face is: the share of fine detail in its contrast.

    Parameters
    ----------
    crop : ndarray, shape (S, S, 3), uint8

    Returns
    -------
    float
        The variance of the Laplacian divided by that of the grey levels, at 150 pixels; 0 for a face of one grey.

    References
    ----------
    J. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (150, 150), interpolation=cv2.INTER_AREA).astype(np.float32) if grey.shape != (150, 150) else grey.astype(np.float32)
    middle = grey[30:120, 30:120]  # the background may be as sharp as it likes
    return float(cv2.Laplacian(middle, cv2.CV_32F).var() / max(float(middle.var()), 1.0))


def faces_in_question(image, detector=None):
    """The faces of a gallery's photo of which one is the person's, the largest and most central first.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8 RGB
    detector : callable, optional
        As in `faces.find_faces`.

    Returns
    -------
    list of Face
        Passers-by, much smaller than the face that is meant, are left out.
    """
    faces = portrait_faces(image, detector)
    sides = [float(np.sqrt(np.prod(face.box[2:] - face.box[:2]))) for face in faces]
    return [face for face, side in zip(faces, sides) if side >= _BESIDE * sides[0]]


def look(photos, describe, detector=None, size=150, batch_size=32, clock=None):
    """Look at photos one by one; only what is known of their faces is kept.

    Parameters
    ----------
    photos : iterable of (str, str, ndarray, bytes)
        Name, person, RGB photo, digest.
    describe : callable
        `crops (N, S, S, 3) -> descriptors (N, D)`.
    detector : callable, optional
    size : int
        Side of the crops.
    batch_size : int
        Faces that are described together.
    clock : callable, optional
        `clock()` gives a context in which faces are looked for.

    Yields
    ------
    Seen
        In the order of the photos.

    Raises
    ------
    ValueError
        If a photo is no RGB image; the message names it.
    """
    from contextlib import nullcontext

    waiting, crops = [], []

    def described():
        descriptors, at = describe(np.array(crops)) if crops else np.zeros((0, 1), np.float32), 0
        for name, person, digest, count in waiting:
            yield Seen(name, person, descriptors[at : at + count], np.array([sharpness(crop) for crop in crops[at : at + count]]), digest)
            at += count
        waiting.clear()
        crops.clear()

    for name, person, image, digest in photos:
        with (clock or nullcontext)():
            image = as_rgb(image, name)
            faces = faces_in_question(image, detector)
            crops += [align(image, face.landmarks, size) for face in faces]
        waiting.append((name, person, digest, len(faces)))
        if len(crops) >= batch_size or len(waiting) >= 4 * batch_size:
            yield from described()
    yield from described()
