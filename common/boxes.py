"""Boxes as arrays: overlap, clipping, scaling, suppression, ellipses.

A box is ``[min_row, min_col, max_row, max_col]`` in pixels, half-open: it covers the rows
``min_row <= row < max_row``. A *course box* has the index of its image in front.
"""

import numpy as np

SIDES = "[min_row, min_col, max_row, max_col]"


def as_boxes(boxes, columns=4, names=None):
    """Return `boxes` as a float array of shape (N, columns); an empty list becomes (0, columns).

    Parameters
    ----------
    boxes : array_like
        N boxes of `columns` numbers each: lists, tuples, arrays, ints or floats.
    columns : int
        4 for boxes, 5 for course boxes.
    names : str, optional
        What an error calls them, if they are something else.

    Raises
    ------
    ValueError
        If the boxes do not have `columns` numbers each, or are not all finite.
    """
    names = names or f"boxes {SIDES if columns == 4 else f'[image_index, {SIDES[1:]}'}"
    try:
        array = np.asarray(boxes, dtype=float)
    except (TypeError, ValueError) as error:  # words, rows of several lengths, a list of boxes for each photo
        raise ValueError(f"expected {names}, one after the other, {columns} numbers each; got what is no such table ({error})") from None
    if array.size == 0:
        return np.zeros((0, columns))
    if array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"expected {names}, shape (N, {columns}); got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"box {int(np.argmin(np.isfinite(array).all(axis=1)))} has a number that is NaN or infinite")
    return array


def inside_out(boxes):
    """What is wrong with boxes that end before they begin, as those of other data sets that hold x, y, width and height; None if there are none.

    Parameters
    ----------
    boxes : ndarray of float, shape (N, 4) or (N, 5)
        Boxes, or course boxes.

    Examples
    --------
    >>> print(inside_out(as_boxes([[30, 20, 60, 40]])))
    None
    """
    boxes = np.asarray(boxes, dtype=float)
    wrong = np.flatnonzero((boxes[:, -2:] < boxes[:, -4:-2]).any(axis=1))
    if not wrong.size:
        return None
    return (f"{len(wrong)} of {len(boxes)} boxes end before they begin, the first is number {wrong[0]}, {boxes[wrong[0], -4:].tolist()}; expected {SIDES}: "
            "of x, y, width and height make [y, x, y + height, x + width]")


def area(boxes):
    """Areas (N,) in square pixels; a box that is turned inside out has area 0."""
    boxes = np.asarray(boxes, dtype=float)
    return np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None), axis=-1)


def _intersection(a, b):
    size = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    return size[..., 0] * size[..., 1]


def paired_iou(a, b):
    """IoU of the boxes of `a` with those of `b`, broadcast against each other.

    Parameters
    ----------
    a, b : ndarray of float, shape (..., 4)

    Returns
    -------
    ndarray of float
        Intersection over union, between 0 and 1. Two empty boxes have IoU 0.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    intersection = _intersection(a, b)
    union = area(a) + area(b) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def iou(a, b):
    """IoU of every box of `a` with every box of `b`: (N, 4), (M, 4) -> (N, M).

    Examples
    --------
    >>> iou([[0, 0, 2, 2]], [[0, 0, 2, 2], [0, 1, 2, 3], [5, 5, 6, 6]]).round(2).tolist()
    [[1.0, 0.33, 0.0]]
    """
    return paired_iou(as_boxes(a)[:, None], as_boxes(b)[None])


def iou_score(bbox_a, bbox_b):
    """IoU (Jaccard index) of two boxes of four numbers; the course's name.

    Raises
    ------
    ValueError
        If a box has not four numbers: a course box has the image index in front, leave it out.
    """
    for bbox in (bbox_a, bbox_b):
        if len(bbox) != 4:
            why = {5: "; leave out the image index of a course box: bbox[1:]", 3: "; was [1:] taken of a box that has no image index in front?"}.get(len(bbox), "")
            raise ValueError(f"expected [min_row, min_col, max_row, max_col], got {len(bbox)} numbers{why}")
    return float(paired_iou(bbox_a, bbox_b))


def clip(boxes, shape):
    """Cut boxes (N, 4) to a photo of `shape` (height, width, ...); outside boxes become empty."""
    height, width = shape[:2]
    return np.clip(as_boxes(boxes), 0, [height, width, height, width])


def scale(boxes, factor):
    """Multiply boxes (N, 4) by one factor, or by a pair (rows, columns)."""
    rows, cols = np.broadcast_to(np.asarray(factor, dtype=float), 2)
    return as_boxes(boxes) * [rows, cols, rows, cols]


def covered(a, b):
    """Which share of the smaller of two boxes lies in the other: 1 for a box inside a box. Broadcasts as `paired_iou`."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    smaller = np.minimum(area(a), area(b))
    return np.divide(_intersection(a, b), smaller, out=np.zeros_like(smaller), where=smaller > 0)


def non_maximum_suppression(boxes, scores, iou_threshold=0.5, overlap=paired_iou):
    """Keep the best-scored of overlapping boxes.

    Goes through the boxes in order of falling score and drops every one that overlaps a kept box
    by more than `iou_threshold`.

    Parameters
    ----------
    boxes : array_like, shape (N, 4)
    scores : array_like, shape (N,)
    iou_threshold : float
    overlap : callable
        How overlap is measured: `paired_iou`, or `covered` to drop boxes inside boxes too.

    Returns
    -------
    ndarray of int
        Indices of the kept boxes, best first.

    Raises
    ------
    ValueError
        If there are not as many scores as boxes.
    """
    boxes, scores = as_boxes(boxes), np.asarray(scores, dtype=float).ravel()
    if len(boxes) != len(scores):
        raise ValueError(f"{len(boxes)} boxes but {len(scores)} scores")
    order = np.argsort(-scores, kind="stable")
    keep = []
    while order.size:
        best, order = order[0], order[1:]
        keep.append(best)
        order = order[overlap(boxes[best], boxes[order]) <= iou_threshold]
    return np.array(keep, dtype=int)


def ellipse_to_box(ellipses):
    """The smallest upright boxes around ellipses.

    Parameters
    ----------
    ellipses : array_like, shape (N, 5)
        Major radius, minor radius, angle of the major axis to the horizontal in radians,
        centre x, centre y (the columns of an FDDB ellipse list, whose last is always 1 and left out), in pixels.

    Returns
    -------
    ndarray of float, shape (N, 4)
        Boxes, not clipped to any photo.

    Raises
    ------
    ValueError
        If they have not five numbers each, or these are not all finite.

    Examples
    --------
    >>> ellipse_to_box([[20, 10, 0, 50, 60]]).tolist()
    [[50.0, 30.0, 70.0, 70.0]]
    """
    major, minor, angle, x, y = as_boxes(ellipses, 5, "ellipses [major radius, minor radius, angle, centre x, centre y] (the 1 that ends a line of FDDB's lists is left out)").T
    half_width = np.hypot(major * np.cos(angle), minor * np.sin(angle))
    half_height = np.hypot(major * np.sin(angle), minor * np.cos(angle))
    return np.stack([y - half_height, x - half_width, y + half_height, x + half_width], axis=1)
