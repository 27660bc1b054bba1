"""Images as RGB arrays, which files are photos and films, and their order."""

from pathlib import Path

import numpy as np

from common.photos import PHOTO_SUFFIXES, in_numeric_order
from TrackDetector.films.reading import read_video  # noqa: F401, notebooks import it from here

VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".vob",
                  ".mts", ".m2ts", ".ts", ".mjpeg", ".mxf", ".ivf"}  # fmt: skip


def as_rgb(image, name="image"):
    """Return an image as (H, W, 3) uint8 RGB, or say what is wrong with it.

    Parameters
    ----------
    image : ndarray
        uint8, shape (H, W, 3), (H, W) or (H, W, 1) for grey, (H, W, 4) for RGBA (alpha is dropped).
        uint16 uses its whole range, 0 to 65535; floats lie between 0 and 1.
    name : str
        What the error calls it: a file name.

    Raises
    ------
    ValueError
        On any other shape, type or range, or an empty image.

    Examples
    --------
    >>> as_rgb(np.full((2, 2), 0.5)).tolist()[0]
    [[128, 128, 128], [128, 128, 128]]
    """
    if image is None or isinstance(image, (str, bytes, Path)):
        got = "nothing, as cv2.imread gives for a file that it cannot read" if image is None else f"a name, {str(image)!r}"
        raise ValueError(f"{name}: expected an RGB image of shape (H, W, 3), got {got}: common.photos.read_photo(file) reads photos of any kind so")
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(f"{name}: expected an RGB image of shape (H, W, 3), got shape {image.shape}")
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif np.issubdtype(image.dtype, np.floating):
        if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            raise ValueError(
                f"{name}: expected uint8 from 0 to 255 or floats from 0 to 1, got {image.dtype} from {image.min():g} "
                f"to {image.max():g}; if these are grey levels from 0 to 255, hand in image.astype('uint8')"
            )
        image = (image * 255 + 0.5).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise ValueError(f"{name}: expected uint8 from 0 to 255, got {image.dtype}")
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[:, :, :3]
    return np.ascontiguousarray(image)


def photos_in(folder):
    """The photo files of a folder in numeric order; hidden files are left out."""
    return in_numeric_order(
        p for p in Path(folder).iterdir() if p.suffix.lower() in PHOTO_SUFFIXES and not p.name.startswith(".") and p.is_file()
    )
