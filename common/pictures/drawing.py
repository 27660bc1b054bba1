"""Boxes with text, drawn into a copy of a photo, for files and videos. Figures are drawn by `common.graph`."""

import numpy as np

_FONT = 0  # OpenCV's plain letters, FONT_HERSHEY_SIMPLEX
_COLOURS = [(0, 140, 60), (30, 90, 220), (200, 90, 0), (150, 40, 160), (0, 130, 140)]


def draw(frame, boxes):
    """A copy of a frame with boxes and names.

    Parameters
    ----------
    frame : ndarray, shape (H, W, 3), uint8 RGB
    boxes : list of (int, box (4,), str)
        Number of the track (for the colour), box, text.
    """
    import cv2

    out = np.ascontiguousarray(frame.copy())
    thick = max(1, round(max(out.shape[:2]) / 500))
    for number, box, text in boxes:
        top, left, bottom, right = (int(round(v)) for v in box)
        colour = _COLOURS[number % len(_COLOURS)]
        cv2.rectangle(out, (left, top), (right, bottom), colour, thick)
        (width, height), base = cv2.getTextSize(text, _FONT, 1.0, 1)
        size = float(np.clip(1.25 * (right - left) / max(width, 1), 0.35, 1.5))  # as wide as the face, if that can be read
        weight = max(1, round(2 * size))
        (width, height), base = cv2.getTextSize(text, _FONT, size, weight)  # bold letters are wider than fine ones made larger
        x, y = int(np.clip(left, 0, max(0, out.shape[1] - width))), max(top - base, height + base)
        cv2.rectangle(out, (x, y - height - base), (x + width, y + base), colour, -1)
        cv2.putText(out, text, (x, y), _FONT, size, (255, 255, 255), weight, cv2.LINE_AA)
    return out
