"""Where to look for faces in a photo of any size: at few scales, in overlapping tiles, and on its side if need be.

One look of the network sees faces over four octaves, so that each scale is about a third of the one before: all of them together
cost 14 % more than the first. What is larger than a tile is looked at in tiles, so that memory does not grow with the photo.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from common.detection.found import joined, merged

FACE = 20.0  # pixels: what the smallest faces come to at the finest scale
STEP = 2**1.5  # from scale to scale
SEEN_BEFORE = 36.0  # pixels; what is smaller was seen better at the scale before
TILE = 1024  # pixels: side of a tile
OVERLAP = 224  # pixels that neighbouring tiles share; what is larger is found at the next scale
LARGEST = 200.0  # pixels; what is larger is seen better at the next scale
EDGE = 4  # pixels: an answer so near to where a tile was cut is part of a face that the next tile shows whole
THUMBNAIL = 96  # pixels: an image whose longer side has no more is looked at twice as large as well
SMALL = 205_000  # pixels: a photo that is first looked at in no more is looked at closer as well, which is still looked at in the mirror then
CLOSER, LARGEST_CLOSER = 1.5, 90.0  # times as large; pixels of the largest heads that count there
SMALLEST = 48  # pixels: a scale at which the photo's shorter side has less shows nothing that the one before did not
MOST = 600  # answers of one tile that are merged, the surest
SURE = 0.5  # logit from which the upright look is believed, so that the photo is not turned
AGAIN = -3.0  # logit of the one pass from which a place is looked at once more
RARE = 1.0  # logits less for what is found in a turned photo: few photos lie on their side
TWICE = 0.5  # logits less for what is found closer: who looks at more places takes more of them for faces
MOST_SIDE = 32_000  # pixels of a side that OpenCV resizes in one go


@dataclass(frozen=True)
class Refined:
    """A look at an image, and a closer look at what it finds.

    Attributes
    ----------
    look : callable
        ``look(image, least)``; called like a function, this is that look alone.
    refine : callable
        ``refine(photo, found)`` gives `Found` with other logits; see `refinement.refining`.
    """

    look: Callable
    refine: Callable

    def __call__(self, image, least):
        return self.look(image, least)


class View(NamedTuple):
    """A scale of the photo, the smallest and largest heads that count there in pixels of that scale, and how many logits less it is believed."""

    scale: float
    smallest: float
    largest: float
    less: float = 0.0


def scales(shape, min_face=FACE, face=FACE, step=STEP):
    """Scales to look at, falling.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the photo.
    min_face : float
        Smallest face to look for, in pixels of the photo.
    face : float
        What it comes to at the first scale.
    step : float
        Ratio of a scale to the next.

    Returns
    -------
    list of float
        At least one, unless the photo is smaller than the smallest face.

    Raises
    ------
    ValueError
        If `min_face` or `face` is not above 0, or `step` is not above 1.
    """
    if not (min_face > 0 and face > 0 and step > 1):
        raise ValueError(f"expected min_face and face above 0 and step above 1, got {min_face}, {face} and {step}")
    if min(shape[:2]) < min_face:
        return []
    found = [face / min_face]
    if max(shape[:2]) * found[0] <= THUMBNAIL:  # its faces fill it: few cells see each, and there is nothing around it that would help
        found.insert(0, 2 * found[0])
    while min(shape[:2]) * found[-1] / step >= SMALLEST:
        found.append(found[-1] / step)
    return found


def tiles(length, side=TILE, overlap=OVERLAP):
    """Where tiles of one side begin and end along a photo's side: list of (int, int), of equal length."""
    if length <= side:
        return [(0, length)]
    count = -(-(length - overlap) // (side - overlap))
    begins = np.rint(np.linspace(0, length - side, count)).astype(int)
    return [(int(begin), int(begin) + side) for begin in begins]


def search(look, photo, min_face=FACE, least=-2.0, turns=None, face=FACE):
    """The faces of one photo, most certain first.

    Parameters
    ----------
    look : callable
        ``look(image, least)`` gives `Found` of one RGB image of at most 1,024 pixels a side. A look that is `Refined` looks at small photos closer too, and once more at what it finds.
    photo : ndarray of uint8, shape (H, W, 3)
    min_face : float
        Smallest face to look for: square root of height times width of the head, in pixels.
    least : float
        Detections with a smaller logit are left out.
    turns : bool or None
        Look at the photo turned by one, two and three quarters as well; None: only if nothing sure is found in the photo as it is.
    face : float
        See `scales`.

    Returns
    -------
    Found
        In pixels of the photo.
    """
    found = _upright(look, photo, min_face, least, face)
    if turns or turns is None and not (found.logits >= SURE).any():
        others = [_upright(look, np.ascontiguousarray(np.rot90(photo, quarters)), min_face, least + RARE, face).unturned(quarters, photo.shape)
                  for quarters in (1, 2, 3)]
        found = merged(joined([found, *(replace(other, logits=other.logits - RARE) for other in others)]))
    return found


def _upright(look, photo, min_face, least, face):
    """`search` in the photo as it is."""
    views = _views(photo.shape, min_face, face, closer=isinstance(look, Refined))
    if not isinstance(look, Refined):
        return _one_pass(look, photo, views, min_face, least)
    found = look.refine(photo, _one_pass(look, photo, views, min_face, min(least, AGAIN)))
    found = found[np.argsort(-found.logits, kind="stable")]
    return found[found.logits >= least]


def _views(shape, min_face, face, closer):
    """One view at each scale, and before them a closer one if that is wanted and the photo small: the smallest faces have few cells in the first."""
    wanted, first = scales(shape, min_face, face), face / min_face
    views = [View(scale, SEEN_BEFORE / FACE * face if number else 0, LARGEST if number < len(wanted) - 1 else np.inf) for number, scale in enumerate(wanted)]
    if closer and wanted[:1] == [first] and first >= 1 and np.prod(shape[:2]) * first**2 <= SMALL:
        views.insert(0, View(CLOSER * first, 0, LARGEST_CLOSER, TWICE))
    return views


def _one_pass(look, photo, views, min_face, least):
    """What is found in all views together."""
    parts, source = [], photo
    for scale, smallest, largest, less in views:
        # each scale from the one before: quicker than from the photo, and as good. What is larger than the photo is made tile by tile, for it might not fit into the memory
        shape = [max(1, round(side * scale)) for side in photo.shape[:2]]
        source = photo if scale >= 1 else _resized(source, shape)
        found = _tiled(look, source, least + less, shape if scale > 1 else source.shape[:2])
        found = found[(found.sizes() >= smallest) & (found.sizes() <= largest)]
        parts.append(replace(found, logits=found.logits - less).scaled(np.array(photo.shape[:2]) / shape))
    found = merged(joined(parts))
    return found[found.sizes() >= 0.75 * min_face]


def _resized(image, shape):
    """An image of another height and width; very long sides are first cut in halves, for OpenCV counts pixels in 16 bits."""
    interpolation = cv2.INTER_AREA if shape[0] < image.shape[0] else cv2.INTER_LINEAR
    long = int(np.argmax(image.shape[:2]))
    if max(image.shape[long], shape[long]) <= MOST_SIDE:
        return cv2.resize(image, (shape[1], shape[0]), interpolation=interpolation)
    halves = [(image.shape[long] // 2, shape[long] // 2), (image.shape[long] - image.shape[long] // 2, shape[long] - shape[long] // 2)]
    first, second = np.split(image, [halves[0][0]], axis=long)
    return np.concatenate([_resized(part, [size if axis == long else shape[axis] for axis in (0, 1)])
                           for part, (_, size) in zip((first, second), halves)], axis=long)


def _tiled(look, image, least, shape):
    """Look at an image that is made as large as `shape`, in tiles where that is large."""
    parts = []
    for top, bottom in tiles(shape[0]):
        for left, right in tiles(shape[1]):
            found = look(_enlarged(image, shape, (top, left, bottom, right)), least)
            found = merged(found[np.argsort(-found.logits, kind="stable")[:MOST]]).shifted(top, left)
            parts.append(found[~_cut(found.boxes(), (top, left, bottom, right), shape)])
    return joined(parts)


def _enlarged(image, shape, tile):
    """One tile (top, left, bottom, right) of an image that is made as large as `shape`."""
    top, left, bottom, right = tile
    if tuple(shape[:2]) == image.shape[:2]:
        return np.ascontiguousarray(image[top:bottom, left:right])
    factors = np.array(shape[:2]) / image.shape[:2]
    low = np.maximum(np.floor([top, left] / factors - 1), 0).astype(int)  # with the neighbours that are mixed in at the tile's borders
    high = np.minimum(np.ceil([bottom, right] / factors + 1), image.shape[:2]).astype(int)
    shift = ([top, left] - low * factors + 0.5) / factors - 0.5  # where the middle of the tile's first pixel lies in the part
    matrix = np.array([[1 / factors[1], 0, shift[1]], [0, 1 / factors[0], shift[0]]])
    part = np.ascontiguousarray(image[low[0] : high[0], low[1] : high[1]])
    return cv2.warpAffine(part, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _cut(boxes, tile, shape):
    """Which boxes end where the tile was cut out of the image, not where the image ends."""
    top, left, bottom, right = tile
    return ((top > 0) & (boxes[:, 0] < top + EDGE) | (left > 0) & (boxes[:, 1] < left + EDGE)
            | (bottom < shape[0]) & (boxes[:, 2] > bottom - EDGE) | (right < shape[1]) & (boxes[:, 3] > right - EDGE))
