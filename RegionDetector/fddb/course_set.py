"""The course set: which photos of FDDB it keeps, at which scale, and how it is stored.

The rule is the published course's own. Every face's box is rounded outwards to whole pixels and cut
to the photo; the photo is scaled so that its faces' heights and widths are 32 on average; it is kept
if all of them then lie between 24 and 40, and its sides between 40 and 176. Of FDDB's 2,845 photos
that keeps 1,531, with 1,762 faces.
"""

import hashlib
import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.model_selection import train_test_split
from tqdm.auto import tqdm

from common.boxes import clip, ellipse_to_box, scale
from common.device import cores
from common.files import whole_file
from common.photos import photo_shape, read_photo
from RegionDetector.fddb.reading import read_folds

FACE_SIZE = 32
FACE_SIZES = (24, 40)
CANVAS = 176
MIN_SIDE = 40
SPLITS = ("train", "val", "test")


def whole_boxes(ellipses, shape):
    """Boxes around the ellipses, rounded outwards to whole pixels and cut to the photo: (N, 5) -> (N, 4)."""
    boxes = ellipse_to_box(ellipses)
    return clip(np.hstack([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])]), shape)


def course_scale(boxes, shape):
    """The scale at which a photo goes into the course set.

    Parameters
    ----------
    boxes : ndarray of float, shape (N, 4)
        The photo's faces, from `whole_boxes`.
    shape : tuple of int
        (height, width, ...) of the photo.

    Returns
    -------
    float or None
        None if the photo does not fit: its faces differ too much, or it is too large or too small.
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    if not sizes.size or sizes.max() <= 0:
        return None
    # First the scale, then the product: one photo (2002/08/18/big/img_438) lies on the limit of 24
    # and is out by the last bit of the float, here as in the published set.
    factor = FACE_SIZE / sizes.mean()
    faces, sides = sizes * factor, np.array(shape[:2]) * factor
    fits = faces.min() >= FACE_SIZES[0] and faces.max() <= FACE_SIZES[1]
    return factor if fits and sides.min() >= MIN_SIDE and sides.max() <= CANVAS else None


def on_canvas(photo, boxes, factor):
    """Scale a photo and paste it at the top left of a black canvas.

    Returns
    -------
    canvas : ndarray of uint8, shape (176, 176, 3)
    boxes : ndarray of float, shape (N, 4)
        In pixels of the canvas.
    shape : tuple of int
        (height, width, 3) of the photo on the canvas.
    """
    # rounded up, so that no box reaches over the edge of its photo
    height, width = (min(CANVAS, math.ceil(side * factor)) for side in photo.shape[:2])
    canvas = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    canvas[:height, :width] = Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC)
    return canvas, scale(boxes, factor), (height, width, 3)


def split_indices(count, seed=0):
    """Indices 0 ... count - 1 split 60/20/20: {"train": ..., "val": ..., "test": ...}, each sorted."""
    rest, test = train_test_split(np.arange(count), test_size=0.2, random_state=seed)
    train, val = train_test_split(rest, test_size=0.25, random_state=seed)
    return {"train": np.sort(train), "val": np.sort(val), "test": np.sort(test)}


def fingerprint(folder):
    """SHA-256 of FDDB's ellipse lists: tells one copy of FDDB, or one edit of it, from another."""
    digest = hashlib.sha256()
    for path in sorted((Path(folder) / "FDDB-folds").glob("*ellipseList.txt")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def prepare_fddb(folder, progress=True):
    """Read FDDB and build the course set from it.

    Parameters
    ----------
    folder : path
        See `RegionDetector.fddb.reading.read_folds`.
    progress : bool

    Returns
    -------
    dict
        ``"train"``, ``"val"``, ``"test"`` -> (images (N, 176, 176, 3) uint8, bboxes (M, 5) float,
        shapes (N, 3) int); ``"original"`` -> the list of the photos that were not kept, as FddbPhoto.

    Raises
    ------
    FileNotFoundError, ValueError
        If FDDB is not whole, or its lists are damaged.
    ValueError
        If fewer than five photos fit, too few to split.

    Notes
    -----
    A photo that cannot be read is left out; a warning counts them and names the first.
    """
    records, made, left, bad = read_folds(folder), [], [], []
    with ThreadPoolExecutor(cores()) as threads:  # Pillow lets other threads go on while it decodes
        for record, found in zip(records, tqdm(threads.map(_made, records), "photos", len(records), disable=not progress, unit="")):
            if isinstance(found, OSError):
                bad.append(f"{record.name} ({found})")
            elif found is None:
                left.append(record)
            else:
                made.append(found)
    if bad:
        warnings.warn(f"{len(bad)} photos could not be read and are left out, the first: {bad[0]}", stacklevel=2)
    if len(made) < 5:
        raise ValueError(
            f"only {len(made)} photos of {folder} have all their faces at {FACE_SIZES[0]} to {FACE_SIZES[1]} pixels "
            "at one scale; at least 5 are needed to split them into train, val and test"
        )
    parts = {name: _joined([made[i] for i in chosen]) for name, chosen in split_indices(len(made)).items()}
    return {**parts, "original": left}


def _made(record):
    """A photo on its canvas; None if the course set leaves it out, the error if it cannot be read."""
    try:
        shape = photo_shape(record.path)
        boxes = whole_boxes(record.ellipses, shape)
        factor = course_scale(boxes, shape)
        return None if factor is None else on_canvas(read_photo(record.path), boxes, factor)
    except OSError as error:
        return error


def _joined(made):
    images, boxes, shapes = zip(*made)
    bboxes = [np.column_stack([np.full(len(b), i), b]) for i, b in enumerate(boxes)]
    return np.stack(images), np.concatenate(bboxes), np.array(shapes)


def save_split(path, images, bboxes, shapes, **notes):
    """Store a split as ``.npz``, whole or not at all: written aside, then renamed.

    Parameters
    ----------
    path : path
    images, bboxes, shapes : ndarray
    **notes : str
        What to remember with it, for example the fingerprint of the photos.
    """
    with whole_file(path, "wb") as file:
        np.savez(file, images=images, bboxes=bboxes, shapes=shapes, **notes)


def load_split(path, **notes):
    """Read what `save_split` wrote.

    Returns
    -------
    tuple of ndarray, or None
        (images, bboxes, shapes); None if there is no such file, it is damaged, or it was made with
        other `notes`: then it is to be made anew.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            if any(key not in stored or str(stored[key]) != value for key, value in notes.items()):
                return None
            images, bboxes, shapes = stored["images"], stored["bboxes"], stored["shapes"]
    except Exception:  # damaged archives raise errors of any kind
        return None
    whole = images.ndim == 4 and bboxes.ndim == 2 and bboxes.shape[1] == 5 and shapes.shape == (len(images), 3)
    return (images, bboxes, shapes) if whole else None
