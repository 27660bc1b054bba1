"""What the network should answer on a crop, cell by cell."""

import numpy as np

from common.detection.network import STRIDES
from RegionDetector.one_pass.labels import boxed, sizes

LEARNT = ((8, 44), (30, 112), (80, 400))  # sizes of heads, in pixels of the crop, for which the cells of each stride answer
SOFT = 1.35  # factor by which a size may lie outside, so that a cell need not say no either
CORE, RIM = 0.38, 0.7  # distances from the middle, the ellipse itself is at 1: up to CORE a cell answers for the face, up to RIM it need not say no
FARTHEST = 2.0  # as far from the middle the nearest cell still answers, for heads that are smaller than a cell
LEAST = 7.5  # pixels; smaller heads are neither learnt nor held against it
COLUMNS = 26  # answers for a face, counts, head known, face known, points known, 1 / size; head (5), face (4 and a zero), points (10)


def targets(labels, side):
    """What the network should answer on a square crop; see `training.detection_loss`.

    Parameters
    ----------
    labels : Labels
        In pixels of the crop.
    side : int
        A multiple of 32.

    Returns
    -------
    list of ndarray of float32, each (side / stride, side / stride, 26)
        Offsets from the cell's middle and logs of sizes in strides.
    """
    maps = [np.zeros((side // stride, side // stride, COLUMNS), np.float32) for stride in STRIDES]
    if not len(labels):
        for one in maps:
            one[..., 1] = 1
        return maps
    heads, faces, size = boxed(labels.middles, labels.spreads), boxed(labels.face_middles, labels.face_spreads), sizes(labels.spreads)
    within = ((labels.middles >= 0) & (labels.middles < side)).all(axis=1)
    unclear, inverse = ~labels.sure | (size < LEAST) | ~within, np.linalg.inv(labels.spreads)
    for one, stride, (low, high) in zip(maps, STRIDES, LEARNT):
        along = (np.arange(len(one)) + 0.5) * stride
        down, right = along[:, None, None] - labels.middles[:, 0], along[:, None] - labels.middles[:, 1]
        distance = np.sqrt(np.maximum(down * down * inverse[:, 0, 0] + 2 * down * right * inverse[:, 0, 1] + right * right * inverse[:, 1, 1], 0))
        learnt = (size >= low) & (size <= high) & labels.sure & within
        nearly = (size >= low / SOFT) & (size <= high * SOFT) & labels.sure & within
        # the cell nearest to the middle answers for a face even if it lies a little outside of its core
        nearest_cell = distance.min(axis=(0, 1))
        at_least_one = np.where(nearest_cell < FARTHEST, nearest_cell + 1e-6, 0)
        core = np.maximum(CORE, at_least_one)
        nearest = distance.argmin(axis=2)
        positive = (np.take_along_axis(distance, nearest[..., None], axis=2)[..., 0] <= core[nearest]) & learnt[nearest]
        doubtful = (distance < np.maximum(np.where(nearly, RIM, 0), np.where(unclear, np.maximum(1.05, at_least_one), 0))).any(axis=2)
        one[..., 0], one[..., 1] = positive, positive | ~doubtful
        if positive.any():
            face, cell = nearest[positive], along[np.argwhere(positive)]
            known = np.column_stack([labels.marked[face], ~np.isnan(faces[face, 0]), ~np.isnan(labels.points[face, 0, 0])])
            answers = np.concatenate([known, stride / size[face, None], as_answer(heads[face], cell, stride), as_answer(faces[face], cell, stride),
                                      ((labels.points[face] - cell[:, None]) / stride).reshape(-1, 10)], axis=1)
            one[positive, 2:] = np.nan_to_num(answers)
    return maps


def as_answer(ellipses, cell, stride):
    """Ellipses (N, 5) as seen from the middles of cells (N, 2)."""
    return np.column_stack([(ellipses[:, :2] - cell) / stride, np.log(ellipses[:, 2:4] / stride), ellipses[:, 4]])
