"""Images as RGB arrays, videos frame by frame, files in numeric order."""

from itertools import islice
from pathlib import Path

import numpy as np

from common.photos import PHOTO_SUFFIXES, PhotoError, in_numeric_order

VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv", ".mts", ".m2ts", ".mjpeg"}


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


def video_frames(path, every=1):
    """The frames of a video file one by one, so that a long video need not fit into the memory.

    Parameters
    ----------
    path : path-like
    every : int
        Take every `every`-th frame.

    Yields
    ------
    ndarray, shape (H, W, 3), uint8 RGB

    Raises
    ------
    PhotoError
        If there is no such file, it cannot be decoded, or it holds no frame.
    """
    import cv2

    path = Path(path)
    if not path.is_file():
        raise PhotoError(f"{path}: no such file")
    capture, number = cv2.VideoCapture(str(path)), 0
    try:
        while capture.isOpened() and capture.grab():
            if number % every == 0:
                ok, frame = capture.retrieve()
                if not ok:
                    break
                yield np.ascontiguousarray(frame[:, :, ::-1])
            number += 1
    except cv2.error as error:
        raise PhotoError(f"{path}: cannot be decoded as a video ({error})") from None
    finally:
        capture.release()
    if number == 0:
        raise PhotoError(f"{path}: cannot be decoded as a video: not one frame. Try to convert it to MP4 (H.264)")


def video_rate(path):
    """Frames a second of a video file, or 25 where it does not say."""
    import cv2

    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return rate if np.isfinite(rate) and rate > 0 else 25.0


def read_video(path, most_frames=None, every=1):
    """Read the frames of a video file.

    Parameters
    ----------
    path : path-like
    most_frames : int, optional
        Stop after so many frames.
    every : int
        Take every `every`-th frame.

    Returns
    -------
    frames : list of ndarray, shape (H, W, 3), uint8 RGB
    rate : float
        Frames a second of the file.

    Raises
    ------
    PhotoError
        As `video_frames`.
    """
    return list(islice(video_frames(path, every), most_frames)), video_rate(path)
