"""Reading the archive that the published course hands out, without trusting its pickles."""

import csv
import io
import pickle
import pickletools
import warnings
from pathlib import Path, PurePosixPath

import numpy as np

from common.photos import read_photo

MAX_BYTES = 5_000_000
MAX_NUMBERS = 10_000_000  # a pickle may name one row a million times over


class _NumbersOnly(pickle.Unpickler):
    """An unpickler without classes and functions: what is left are lists, tuples, dicts and numbers."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and a list of boxes needs no such thing")


def read_numbers(path):
    """Read a pickled list of rows of numbers; nothing in the file is executed.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray of float, shape (N, K)

    Raises
    ------
    ValueError
        If the file holds anything but rows of finite numbers, is damaged, or is over 5 MB.
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size / 1e6:.0f} MB; a list of boxes has less than {MAX_BYTES / 1e6:.0f}")
    try:
        data = path.read_bytes()
        # a place in the memo may be any number up to four billion, and there is memory for all before it; there is no need for more than one a byte
        if any("PUT" in step.name and not 0 <= place < len(data) for step, place, _ in pickletools.genops(data)):
            raise ValueError("it numbers its parts far beyond their count")
        rows = _NumbersOnly(io.BytesIO(data)).load()
    except Exception as error:  # damaged pickles raise errors of any kind
        raise ValueError(f"{path} is refused: {error or type(error).__name__}") from error
    if not isinstance(rows, list) or not all(isinstance(row, (list, tuple)) for row in rows):
        raise ValueError(f"{path} is refused: expected a list of rows of numbers, got {type(rows).__name__}")
    widths = {len(row) for row in rows}
    if len(widths) > 1 or len(rows) * max(widths, default=0) > MAX_NUMBERS:
        raise ValueError(f"{path} is refused: expected rows of equal length, of at most {MAX_NUMBERS:,} numbers together")
    if not all(type(x) in (int, float) for row in rows for x in row):
        raise ValueError(f"{path} is refused: expected rows holding numbers only")
    width = widths.pop() if widths else 0
    if any(abs(x) > 1e15 or x != x for row in rows for x in row):
        raise ValueError(f"{path} is refused: expected no number to be NaN or beyond all pixels")
    return np.array(rows, dtype=float).reshape(len(rows), width)


def is_published(folder, name):
    """Does the folder hold this part of the published archive?"""
    return all((Path(folder) / f"{name}_{what}").is_file() for what in ("fnames.csv", "bboxes.pkl"))


def load_published(folder, name):
    """Read ``{name}_fnames.csv``, ``{name}_bboxes.pkl`` and the photos they name.

    Parameters
    ----------
    folder : path
        The unpacked archive.
    name : {"train", "val", "test", "original"}

    Returns
    -------
    images : list of ndarray of uint8, each (H, W, 3)
    bboxes : ndarray of float, shape (M, 5)
        Course boxes.
    shapes : ndarray of int, shape (N, 3)

    Raises
    ------
    ValueError
        If a list is damaged or refused, names a photo outside the folder, the lists do not belong together, the canvases differ in
        size, or no photo can be read.

    Notes
    -----
    A photo that is missing or cannot be read is left out, with its boxes; a warning counts them.
    """
    folder = Path(folder)
    with open(folder / f"{name}_fnames.csv", encoding="utf-8-sig", newline="") as file:
        fnames = [row[0].strip() for row in csv.reader(file) if row and row[0].strip()]
    rows = read_numbers(folder / f"{name}_bboxes.pkl")
    if len(rows) and rows.shape[1] not in (5, 7):
        raise ValueError(f"{name}_bboxes.pkl has rows of {rows.shape[1]} numbers; expected index, four sides and the photo's size")
    if len(rows) and rows.shape[1] == 7 and (rows[:, 5:] < 1).any():
        raise ValueError(f"{name}_bboxes.pkl gives a photo less than one pixel")
    images, boxes, shapes, bad = [], [], [], []
    for index, fname in enumerate(fnames):
        inside = PurePosixPath(fname.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in fname:
            raise ValueError(f"{name}_fnames.csv names {fname!r}, which lies outside {folder}")
        mine = rows[rows[:, 0] == index] if len(rows) else rows
        try:
            image = read_photo(folder / inside)
        except OSError as error:
            bad.append(f"{fname} ({error})")
            continue
        shape = mine[0, 5:7] if len(mine) and mine.shape[1] == 7 else image.shape[:2]
        boxes.append(np.column_stack([np.full(len(mine), len(images)), mine[:, 1:5]]) if len(mine) else np.zeros((0, 5)))
        shapes.append((*np.minimum(np.asarray(shape, dtype=int), image.shape[:2]).tolist(), 3))
        images.append(image)
    if len(rows) and not set(rows[:, 0]) <= set(range(len(fnames))):
        stray = next(index for index in rows[:, 0] if index not in range(len(fnames)))
        raise ValueError(f"{name}_bboxes.pkl has a box on photo {stray:g}, but {name}_fnames.csv names {len(fnames)}: one of them is cut off or of another archive")
    if bad:
        warnings.warn(f"{len(bad)} of {len(fnames)} photos could not be read and are left out, the first: {bad[0]}", stacklevel=2)
    odd = next((shape for shape in (image.shape for image in images) if shape != images[0].shape), None)
    if odd and name != "original":
        raise ValueError(f"the photos of {name}_fnames.csv are of different sizes, {images[0].shape[:2]} and {odd[:2]}; the archive's canvases are all alike")
    if not images:
        raise ValueError(f"no photo of {name}_fnames.csv could be read from {folder}")
    return images, np.concatenate(boxes), np.array(shapes)
