"""Boxes with text, drawn into a copy of a photo, for files and films; faces made unrecognisable. Figures are drawn by `common.graph`."""

import numpy as np

from common.files import whole_file
from common.photos import PhotoError
from common.pictures.lettering import measure, written

_MOST_SIDE = 65_500  # pixels of a JPEG
_COLOURS = [(0, 115, 50), (30, 90, 220), (180, 75, 0), (150, 40, 160), (0, 110, 120)]
_LEAST, _MOST = 11, 44  # pixels of letters
BLOCKS = 5  # a blurred face is as many across


def draw(frame, boxes):
    """A copy of a frame with boxes and names.

    Parameters
    ----------
    frame : ndarray, shape (H, W, 3), uint8 RGB
    boxes : list of (int, box (4,), str)
        Number of the track (for the colour), box, text in any script.
    """
    import cv2

    out = np.ascontiguousarray(frame.copy())
    thick = max(1, round(max(out.shape[:2]) / 500))
    for number, box, text in boxes:
        top, left, bottom, right = (int(round(v)) for v in box)
        colour = _COLOURS[number % len(_COLOURS)]
        cv2.rectangle(out, (left, top), (right, bottom), colour, thick)
        # as wide as the face, if that can be read and fits
        size = int(np.clip(20 * 1.25 * (right - left) / measure(text, 20)[0], _LEAST, _MOST))
        size = max(7, min(size, int(size * out.shape[1] / measure(text, size)[0])))
        label = written(text, size, (255, 255, 255), colour)[: out.shape[0], : out.shape[1]]
        height, width = label.shape[:2]
        x, y = int(np.clip(left, 0, out.shape[1] - width)), int(np.clip(top - height, 0, out.shape[0] - height))
        out[y : y + height, x : x + width] = label
    return out


def blur(frame, boxes, margin=0.25):
    """A copy of a frame in which faces cannot be recognised: each becomes a few blocks of colour, blurred.

    Parameters
    ----------
    frame : ndarray, shape (H, W, 3), uint8 RGB
    boxes : sequence of array_like, shape (4,)
    margin : float
        How much larger than its box the face is made on each side, as a share: a box may cut off hair and chin.
    """
    import cv2

    out = np.ascontiguousarray(frame.copy())
    for box in boxes:
        box = np.asarray(box, float)
        more = margin * (box[2:] - box[:2])
        low = np.clip(np.floor(box[:2] - more), 0, out.shape[:2]).astype(int)
        high = np.clip(np.ceil(box[2:] + more), 0, out.shape[:2]).astype(int)
        if (high - low < 1).any():
            continue
        part = np.s_[low[0] : high[0], low[1] : high[1]]
        height, width = high - low
        few = cv2.resize(out[part], (min(BLOCKS, width), min(BLOCKS, height)), interpolation=cv2.INTER_AREA)
        out[part] = cv2.resize(few, (int(width), int(height)), interpolation=cv2.INTER_LINEAR)
    return out


def write_jpeg(target, photo):
    """Write a drawn copy of a photo; it is there when it is whole, with a full disk as well.

    Parameters
    ----------
    target : path
        Its folder is made if need be.
    photo : ndarray, shape (H, W, 3), uint8 RGB

    Raises
    ------
    PhotoError
        If the photo has more than the 65,500 pixels a side that a JPEG can have.
    OSError
        If it cannot be written.
    """
    import cv2

    if max(photo.shape[:2]) > _MOST_SIDE:
        raise PhotoError(f"{target}: {photo.shape[1]:,} x {photo.shape[0]:,} pixels are more than a JPEG can have")
    with whole_file(target, "wb") as file:
        file.write(cv2.imencode(".jpg", photo[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1])
