"""Six drawings that cover the lower half of a face, for measuring only; other hands drew what the network was trained with."""

import cv2
import numpy as np

KINDS = ("surgical", "FFP2", "black cloth", "chequered cloth", "scarf", "hand")


def masked(image, points, box, kind):
    """A copy of a photo with the lower half of a face covered.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
    points : ndarray of float, shape (5, 2)
        Eyes, nose and corners of the mouth, (row, column).
    box : ndarray of float, shape (4,)
        The face from brow to chin.
    kind : str
        One of `KINDS`.
    """
    image, eyes, mouth = image.copy(), points[:2].mean(axis=0), points[3:].mean(axis=0)
    right = (points[1] - points[0]) / max(np.linalg.norm(points[1] - points[0]), 1e-6)
    down = np.array([abs(right[1]), -right[0] * np.sign(right[1] or 1)])
    width, middle = (box[3] - box[1]) / 2, eyes + down * np.linalg.norm(mouth - eyes) / 2
    chin = max(box[2] - middle[0], 0.9 * np.linalg.norm(mouth - eyes))

    def at(across, below):
        return middle + right * across * width + down * below * chin

    def corners(*places):
        return np.round(np.array([at(*place) for place in places])[:, ::-1]).astype(np.int32)

    def polygon(colour, *places):
        cv2.fillPoly(image, [corners(*places)], colour, cv2.LINE_AA)

    def line(colour, thick, *places):
        cv2.polylines(image, [corners(*places)], False, colour, thick, cv2.LINE_AA)

    if kind == "surgical":
        polygon((150, 195, 220), (-0.95, -0.05), (0.95, -0.05), (0.85, 0.8), (0.4, 1.05), (-0.4, 1.05), (-0.85, 0.8))
        for fold in (0.2, 0.4, 0.6):
            line((125, 170, 200), 1, (-0.85, fold), (0.85, fold))
        for side in (-1, 1):
            line((230, 230, 230), 1, (side * 0.95, 0), (side * 1.15, -0.4))
    elif kind == "FFP2":
        polygon((238, 238, 235), (-0.9, 0.1), (-0.3, -0.1), (0, -0.3), (0.3, -0.1), (0.9, 0.1), (0.7, 0.8), (0, 1.15), (-0.7, 0.8))
        line((205, 205, 205), 1, (0, -0.3), (0, 1.1))
    elif kind == "black cloth":
        polygon((25, 25, 28), (-1, 0), (-0.4, 0), (0, -0.2), (0.4, 0), (1, 0), (0.9, 0.7), (0.3, 1.15), (-0.3, 1.15), (-0.9, 0.7))
    elif kind == "chequered cloth":
        inside = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(inside, [corners((-0.95, -0.02), (0, -0.15), (0.95, -0.02), (0.8, 0.8), (0, 1.1), (-0.8, 0.8))], 1)
        rows, cols = np.nonzero(inside)
        image[rows, cols] = np.where(((rows // 6 + cols // 6) % 2)[:, None], (190, 40, 50), (240, 230, 220))
    elif kind == "scarf":
        polygon((110, 60, 80), (-1.3, 0.1), (1.3, 0.05), (1.4, 1.5), (-1.4, 1.5))
        for fold in (0.5, 0.95):
            line((80, 40, 60), 2, (-1.2, fold), (1.2, fold - 0.05))
    elif kind == "hand":
        for finger in range(4):
            ends = ((-0.8 + 0.4 * finger, 1.2), (-0.6 + 0.38 * finger, 0.0))
            line((205, 160, 130), max(3, int(width * 0.3)), *ends)
            line((150, 105, 85), 1, *((across + 0.16, below) for across, below in ends))
    else:
        raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
    return image
