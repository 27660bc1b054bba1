"""A photo at many scales, all of them on one canvas, so that the network is called once."""

import math
import warnings

import cv2
import numpy as np

STEP = 2 ** (1 / 3)  # from level to level
FACE = 32  # pixels: what the smallest faces come to at the finest level
MULTIPLE = 16  # levels begin at multiples of this: no network of the kit has a greater stride
GAP = 16  # at least so much black between levels
MOST_SIDE = 32_766  # pixels of a side that OpenCV 4 can warp
MOST = 8_000_000  # pixels of the finest level; about 2 GB while the network runs


def pyramid_scales(shape, min_face=FACE, step=STEP, face=FACE):
    """Scales at which faces from `min_face` pixels to the photo's own size come to `face` pixels.

    Parameters
    ----------
    shape : tuple of int
        (height, width, ...) of the photo.
    min_face : float
        Smallest face to look for, in pixels of the photo.
    step : float
        Ratio of a scale to the next, above 1.
    face : float
        What a face of `min_face` pixels comes to at the first scale.

    Returns
    -------
    list of float
        Falling; empty if the photo is smaller than the smallest face. Scales that would make more than eight million
        pixels of the photo are left out, with a warning: memory stays bounded.

    Raises
    ------
    ValueError
        If `min_face` or `face` is not above 0, or `step` is not above 1.
    """
    if not (min_face > 0 and face > 0 and step > 1):
        raise ValueError(f"expected min_face and face above 0 and step above 1, got {min_face}, {face} and {step}")
    largest = min(shape[:2])
    count = math.floor(math.log(max(largest / min_face, 1e-9)) / math.log(step)) + 1
    scales = [face / (min_face * step**k) for k in range(count)]
    within = [scale for scale in scales if shape[0] * shape[1] * scale**2 <= MOST]
    if len(within) < len(scales):
        least = face / within[0] if within else largest
        warnings.warn(f"in a photo of {shape[1]} x {shape[0]} pixels only faces from {least:.0f} pixels are looked for, not from {min_face:g}: "
                      f"hand in a smaller photo or parts of it", stacklevel=2)
    return within


def _up(number, multiple=MULTIPLE):
    return -(-number // multiple) * multiple


def lay_out(sizes):
    """Places for rectangles, falling in size, on one canvas: the first at the left, the others in columns beside it.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Heights and widths; the first is the highest.

    Returns
    -------
    corners : list of (int, int)
        Row and column of each upper left corner, multiples of 16, at least 16 apart.
    shape : tuple of int
        Height and width of the canvas, multiples of 16.
    """
    height, corners, row, col, width = _up(sizes[0][0]), [], 0, 0, 0
    for rows, cols in sizes:
        if row and row + rows > height:
            row, col, width = 0, _up(col + width + GAP), 0
        corners.append((row, col))
        row, width = _up(row + rows + GAP), max(width, cols)
    return corners, (height, _up(max(corner[1] + size[1] for corner, size in zip(corners, sizes))))


def on_one_canvas(photo, scales):
    """All levels of a pyramid on one black canvas.

    Parameters
    ----------
    photo : ndarray of uint8, shape (H, W, 3)
    scales : sequence of float
        Falling, at least one.

    Returns
    -------
    canvas : ndarray of uint8, shape (h, w, 3)
    levels : list of (int, int, int, int)
        Row, column, height and width of each level on the canvas.
    """
    sizes = [tuple(max(1, round(side * scale)) for side in photo.shape[:2]) for scale in scales]
    corners, shape = lay_out(sizes)
    canvas, source = np.zeros((*shape, 3), np.uint8), photo
    for (row, col), (rows, cols) in zip(corners, sizes):
        shrinks = rows * cols < source.shape[0] * source.shape[1]
        # each level from the one before: quicker than from the photo, and as good
        source = cv2.resize(source, (cols, rows), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        canvas[row : row + rows, col : col + cols] = source
    return canvas, [(*corner, *size) for corner, size in zip(corners, sizes)]


def in_two(canvas, levels):
    """A canvas of `on_one_canvas` in two parts, the finest level and the others, each (part of the canvas, its levels as they lie on the part).

    A network that looks at one after the other needs half the memory. Each part has 16 columns of the other, so that windows of
    up to 32 pixels which reach beyond a level see the same there as on the whole canvas.
    """
    cut = levels[1][1] if len(levels) > 1 else 0
    for start, stop, part in ((0, cut + GAP if cut else None, levels[:1]), (max(cut - GAP, 0), None, levels[1:])):
        if part:
            yield canvas[:, start:stop], [(row, col - start, *size) for row, col, *size in part]


def halves(photo, least=64):
    """A photo, half of it, and so on while both sides have `least` pixels: list of ndarray of uint8, (H, W, 3)."""
    levels = [photo]
    while min(levels[-1].shape[:2]) >= 2 * least:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return levels


def warped(levels, turn, shift, side):
    """The part of a photo that a map of coordinates brings to a square, black where there is no photo.

    Parameters
    ----------
    levels : list of ndarray of uint8, each (H, W, 3)
        From `halves`; the smallest that is no smaller than wanted is taken, so that no pixel is skipped.
    turn : ndarray, shape (2, 2)
    shift : ndarray, shape (2,)
        Point ``p`` (row, column) of the photo goes to ``turn @ p + shift``.
    side : int
        Pixels.

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
    """
    level = int(np.clip(np.floor(-np.log2(np.sqrt(abs(np.linalg.det(turn))))), 0, len(levels) - 1))
    image = levels[level]
    turn = turn * (np.array(levels[0].shape[:2]) / image.shape[:2])
    # from corners of pixels, rows first, to OpenCV's middles of pixels, columns first
    matrix = np.column_stack([turn[::-1, ::-1], (turn @ [0.5, 0.5] + shift - 0.5)[::-1]])
    if max(image.shape[:2]) > MOST_SIDE:
        # OpenCV 4 counts pixels in 16 bits: hand it the part that the crop shows
        inverse = np.linalg.inv(matrix[:, :2])
        corners = inverse @ (np.array([[0, 0, side, side], [0, side, 0, side]]) - matrix[:, 2:])
        limits = np.array(image.shape[1::-1])
        low = np.clip(np.floor(corners.min(axis=1)).astype(int) - 2, 0, limits - 1)
        high = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 3, low + 1, limits)
        image = image[low[1] : high[1], low[0] : high[0]]
        matrix = np.column_stack([matrix[:, :2], matrix[:, :2] @ low + matrix[:, 2]])
    return cv2.warpAffine(np.ascontiguousarray(image), matrix, (side, side), flags=cv2.INTER_LINEAR)
