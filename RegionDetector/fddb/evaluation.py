"""The official FDDB evaluation: pixel masks, one-to-one matching, discrete and continuous curves.

Every face and every detection becomes a mask of the photo's size, drawn as OpenCV draws it. At every score threshold
the detections that pass are matched with the faces one to one so that the sum of the IoU is as large as possible. The
*discrete* score counts the pairs with IoU > 0.5, the *continuous* score adds up the IoU of all pairs; both are divided by
the number of faces. All other detections that pass are false positives. The photos of all folds go into one curve.

References
----------
V. Jain and E. Learned-Miller, *FDDB: A Benchmark for Face Detection in Unconstrained Settings*, University of
Massachusetts, Amherst, technical report UM-CS-2010-009, 2010, and the evaluation program that goes with it.
"""

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from tqdm.auto import tqdm

from common.photos import photo_shape

# Beyond this nothing in a photo is meant, and OpenCV would spend seconds on drawing a single ellipse.
FARTHEST = 100_000


@dataclass(frozen=True, eq=False)
class Curve:
    """The two curves of a detector, one entry for each threshold, from the strictest to the most lenient.

    Attributes
    ----------
    thresholds : ndarray of float, shape (K,)
        Score thresholds, falling; a detection passes with a score equal to it or greater. The first is the greatest
        float, which nothing passes, if some photo has no detections.
    false_positives : ndarray of int, shape (K,)
        Detections that pass and are not matched with IoU > 0.5.
    true_positives : ndarray of int, shape (K,)
        Pairs with IoU > 0.5.
    iou_sum : ndarray of float, shape (K,)
        Sum of the IoU of all pairs.
    faces : int
        How many faces there are.
    """

    thresholds: np.ndarray
    false_positives: np.ndarray
    true_positives: np.ndarray
    iou_sum: np.ndarray
    faces: int

    @property
    def discrete(self):
        """Share of the faces found with IoU > 0.5, shape (K,)."""
        return self.true_positives / max(self.faces, 1)

    @property
    def continuous(self):
        """Sum of the IoU over the number of faces, shape (K,)."""
        return self.iou_sum / max(self.faces, 1)

    def rates_at(self, false_positives):
        """The best discrete and continuous rates with at most so many false positives; 0 where the curve has none.

        Parameters
        ----------
        false_positives : int

        Returns
        -------
        tuple of float
            (discrete, continuous), each from 0 to 1.
        """
        within = self.false_positives <= false_positives
        return (float(self.discrete[within].max(initial=0)), float(self.continuous[within].max(initial=0)))


def evaluate(records, detections, progress=False):
    """Score detections by the official rules.

    Parameters
    ----------
    records : list of FddbPhoto
        The photos and their faces, as `fddb.read_folds` gives them; the files are looked at for their sizes only.
    detections : dict of str to array_like, shape (N, 5) or (N, 6)
        For each photo's name its detections: rectangles (left x, top y, width, height, score) or ellipses (major
        radius, minor radius, angle in radians, centre x, centre y, score), in pixels. Photos that are not named have
        none. Regions that lie outside their photo are false positives.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Curve

    Raises
    ------
    ValueError
        If a photo's detections have another shape, or hold NaN, infinite or negative sizes.
    OSError
        If a photo is missing or unreadable.

    Warns
    -----
    UserWarning
        If detections are named for photos that are not in `records`; they are left out.
    """
    known = {record.name for record in records}
    strangers = [name for name in detections if name not in known]
    if strangers:
        warnings.warn(f"detections of {len(strangers)} photos are left out, because the photos are not among the "
                      f"{len(known)} evaluated (first: {strangers[0]})", stacklevel=2)
    steps, faces, bare = [], 0, not records
    for record in tqdm(records, desc="photos", disable=None if progress else True):
        rows = check_rows(detections.get(record.name, ()), record.name)
        faces += len(record.ellipses)
        bare |= not len(rows)
        overlaps = mask_iou(record.ellipses, rows, photo_shape(record.path))
        steps.append(matching_steps(overlaps, rows[:, -1]))
    if bare:
        # The official curve starts with an empty point where some photo has no detections.
        steps.append([[np.finfo(float).max, 0, 0, 0]])
    score, passed, hits, iou_sum = np.concatenate(steps).T
    thresholds, at = np.unique(-score, return_inverse=True)
    passed, hits, iou_sum = (np.cumsum(np.bincount(at, step, len(thresholds))) for step in (passed, hits, iou_sum))
    hits, passed = np.rint(hits).astype(int), np.rint(passed).astype(int)
    return Curve(-thresholds, passed - hits, hits, iou_sum, faces)


def matching_steps(overlaps, scores):
    """How the counts of one photo grow while the threshold falls past its detections.

    Parameters
    ----------
    overlaps : ndarray of float, shape (M, N)
        IoU of every face with every detection.
    scores : ndarray of float, shape (N,)
        Scores of the detections.

    Returns
    -------
    ndarray of float, shape (K, 4)
        For each score that occurs, from the highest to the lowest: the score, and how many more detections pass, how
        many more pairs have IoU > 0.5 and how much more the sum of the IoU is than at the score before.
    """
    # Detections that touch no face never take part in the matching.
    touching = overlaps.any(axis=0)
    thresholds, counts = np.unique(-scores, return_counts=True)
    totals = np.zeros((len(thresholds) + 1, 2))
    for step, threshold in enumerate(-thresholds, 1):
        if not touching[scores == threshold].any():
            totals[step] = totals[step - 1]
            continue
        passing = overlaps[:, touching & (scores >= threshold)]
        matched = passing[linear_sum_assignment(passing, maximize=True)]
        totals[step] = (matched > 0.5).sum(), matched.sum()
    return np.column_stack([-thresholds, counts, np.diff(totals, axis=0)])


def mask_iou(ellipses, rows, shape):
    """IoU, counted in pixels, of every face with every detection of one photo.

    Parameters
    ----------
    ellipses : ndarray of float, shape (M, 5)
    rows : ndarray of float, shape (N, 5) or (N, 6)
        Rectangles or ellipses; see `evaluate`.
    shape : tuple of int
        Height and width of the photo; what lies beyond does not count.

    Returns
    -------
    ndarray of float, shape (M, N)
        0 where neither region has a pixel.
    """
    faces = [ellipse_mask(*ellipse, shape) for ellipse in ellipses]
    if rows.shape[1] == 5:
        found = [(corners, None) for corners in rectangle_corners(rows[:, :4], shape)]
    else:
        found = [ellipse_mask(*row[:5], shape) for row in rows]
    areas = [[cv2.countNonZero(mask) if mask is not None else (bottom - top) * (right - left)
              for (top, left, bottom, right), mask in regions] for regions in (faces, found)]
    boxes = [np.array([corners for corners, _ in regions], int).reshape(-1, 4) for regions in (faces, found)]
    starts = np.maximum(boxes[0][:, None, :2], boxes[1][None, :, :2])
    stops = np.minimum(boxes[0][:, None, 2:], boxes[1][None, :, 2:])
    shared = np.zeros((len(faces), len(found)))
    for face, other in np.argwhere((starts < stops).all(axis=2)):
        common = None
        for (top, left, _, _), mask in (faces[face], found[other]):
            if mask is not None:
                (row, col), (last_row, last_col) = starts[face, other], stops[face, other]
                part = mask[row - top:last_row - top, col - left:last_col - left]
                common = part if common is None else cv2.bitwise_and(common, part)
        shared[face, other] = cv2.countNonZero(common)
    union = np.add.outer(*(np.array(area, float) for area in areas)) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def ellipse_mask(major, minor, angle, x, y, shape):
    """Draw an ellipse as the official program does: rounded centre, truncated radii, whole degrees.

    Parameters
    ----------
    major, minor : float
        Radii in pixels.
    angle : float
        Angle of the major axis to the horizontal, radians.
    x, y : float
        Centre in pixels.
    shape : tuple of int
        Height and width of the photo.

    Returns
    -------
    corners : tuple of int
        (top, left, bottom, right), half-open: the part of the photo that the mask covers.
    mask : ndarray of uint8, shape (bottom - top, right - left)
        255 inside, 0 outside.
    """
    centre_x, centre_y = (int(value) for value in _rounded(np.array([x, y])))
    radii = int(major), int(minor)
    # Only the photo's own edges may cut the ellipse: OpenCV draws a cut edge a little differently.
    reach = max(radii) + 2
    top, left = max(centre_y - reach, 0), max(centre_x - reach, 0)
    bottom, right = min(centre_y + reach + 1, shape[0]), min(centre_x + reach + 1, shape[1])
    mask = np.zeros((max(bottom - top, 0), max(right - left, 0)), np.uint8)
    if mask.size:
        cv2.ellipse(mask, (centre_x - left, centre_y - top), radii, np.degrees(angle), 0, 360, 255, -1)
    return (top, left, top + mask.shape[0], left + mask.shape[1]), mask


def rectangle_corners(rectangles, shape):
    """The pixels of rectangles as the official program fills them: corners rounded, and both of them inside.

    Parameters
    ----------
    rectangles : ndarray of float, shape (N, 4)
        Left x, top y, width, height in pixels.
    shape : tuple of int
        Height and width of the photo.

    Returns
    -------
    ndarray of int, shape (N, 4)
        (top, left, bottom, right), half-open, cut to the photo; empty where a rectangle lies outside.
    """
    x, y, width, height = rectangles.T
    corners = _rounded(np.column_stack([y, x, y + height, x + width])) + [0, 0, 1, 1]
    return np.clip(corners, 0, [shape[0], shape[1], shape[0], shape[1]])


def _rounded(values):
    """Nearest whole numbers, halves to even, by way of single precision as OpenCV's points."""
    return np.rint(values.astype(np.float32)).astype(np.int64)


def check_rows(rows, name):
    """A photo's detections as an array.

    Parameters
    ----------
    rows : array_like, shape (N, 5) or (N, 6)
        See `evaluate`; an empty list is welcome.
    name : str
        The photo's name, for the messages.

    Returns
    -------
    ndarray of float, shape (N, 5) or (N, 6)

    Raises
    ------
    ValueError
        If the shape is another, or a row is bad (see `bad_rows`).
    """
    rows = np.asarray(rows, float)
    if not rows.size:
        return np.zeros((0, 5))
    if rows.ndim != 2 or rows.shape[1] not in (5, 6):
        raise ValueError(f"detections of {name}: expected rows of x y w h score or ra rb theta cx cy score, found an array "
                         f"of shape {rows.shape}")
    for reason, bad in bad_rows(rows).items():
        if bad.any():
            raise ValueError(f"detections of {name}: {bad.sum()} of {len(rows)} have {reason} (first: "
                             f"{rows[bad.argmax()].tolist()}); leave them out")
    return rows


def bad_rows(rows):
    """What makes rows of detections unusable.

    Parameters
    ----------
    rows : ndarray of float, shape (N, 5) or (N, 6)

    Returns
    -------
    dict of str to ndarray of bool, shape (N,)
        For each reason the rows it applies to; a row counts for its first reason only.
    """
    places = rows[:, :-1]
    sizes = rows[:, 2:4] if rows.shape[1] == 5 else rows[:, :2]
    with np.errstate(invalid="ignore"):
        reasons = {
            "a score that is not a number or infinite": ~np.isfinite(rows[:, -1]),
            "a place or size that is not a number or infinite": ~np.isfinite(places).all(axis=1),
            "a negative size": (sizes < 0).any(axis=1),
            f"a place or size beyond {FARTHEST:,} pixels": (np.abs(places) > FARTHEST).any(axis=1),
        }
    before = np.zeros(len(rows), bool)
    for reason, bad in reasons.items():
        reasons[reason] = bad & ~before
        before |= bad
    return reasons
