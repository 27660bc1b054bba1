"""What a detector has found, as arrays side by side: logit, head, face and five points of each; how they move with the photo, how doubles become one."""

from dataclasses import dataclass, fields

import numpy as np

SAME, INSIDE, VOTES = 0.35, 0.7, 0.5  # overlaps; see `merged`
PART = 1 / 36  # of the larger head's area: what is smaller is no part of a face that was taken for a whole one
BOXES = ("head", "face")


@dataclass(frozen=True, eq=False)
class Found:
    """N detections in one photo.

    Attributes
    ----------
    logits : ndarray of float, shape (N,)
        Their sigmoid is the probability that there is a face.
    heads : ndarray of float, shape (N, 5)
        Ellipse around the whole head, as FDDB draws it: middle (row, column), half height, half width of the box around
        it, and tilt (correlation of rows and columns, -1 to 1).
    faces : ndarray of float, shape (N, 4)
        Box from brow to chin, as WIDER FACE draws it: middle (row, column), half height, half width.
    points : ndarray of float, shape (N, 5, 2)
        (row, column) of the person's right eye, left eye, tip of the nose, right and left corner of the mouth.
    """

    logits: np.ndarray
    heads: np.ndarray
    faces: np.ndarray
    points: np.ndarray

    def __len__(self):
        return len(self.logits)

    def __getitem__(self, which):
        return Found(*(getattr(self, field.name)[which] for field in fields(self)))

    def sizes(self):
        """Square root of height times width of the heads, (N,)."""
        return 2 * np.sqrt(self.heads[:, 2] * self.heads[:, 3])

    def boxes(self, kind="head"):
        """``[min_row, min_col, max_row, max_col]`` around the heads or the faces, (N, 4).

        Raises
        ------
        ValueError
            If the kind is neither "head" nor "face".
        """
        if kind not in BOXES:
            raise ValueError(f"expected a box of the kind {' or '.join(map(repr, BOXES))}, got {kind!r}")
        middle_and_half = self.heads[:, :4] if kind == "head" else self.faces
        return np.concatenate([middle_and_half[:, :2] - middle_and_half[:, 2:], middle_and_half[:, :2] + middle_and_half[:, 2:]], axis=1)

    def scaled(self, factors):
        """In a photo whose height and width are `factors` times as large."""
        factors = np.asarray(factors, float)
        heads, faces = self.heads.copy(), self.faces * np.tile(factors, 2)
        heads[:, :4] *= np.tile(factors, 2)
        return Found(self.logits, heads, faces, self.points * factors)

    def shifted(self, rows, cols):
        """As seen from a corner that lies `rows` above and `cols` to the left."""
        shift = np.array([rows, cols], float)
        heads, faces = self.heads.copy(), self.faces.copy()
        heads[:, :2] += shift
        faces[:, :2] += shift
        return Found(self.logits, heads, faces, self.points + shift)

    def unturned(self, quarters, shape):
        """Found in ``np.rot90(photo, quarters)``; where it lies in the photo, whose height and width are `shape`."""
        heads, faces = self.heads.copy(), self.faces.copy()
        heads[:, :2], faces[:, :2] = unturned(heads[:, :2], quarters, shape), unturned(faces[:, :2], quarters, shape)
        if quarters % 2:
            heads[:, 2:4], faces[:, 2:4] = heads[:, [3, 2]], faces[:, [3, 2]]
            heads[:, 4] *= -1
        return Found(self.logits, heads, faces, unturned(self.points, quarters, shape))


def unturned(places, quarters, shape):
    """Places in ``np.rot90(photo, quarters)``, (..., 2), as places in the photo, whose height and width are `shape`; a pixel's middle lies at a half."""
    (height, width), rows, cols = shape[:2], places[..., 0], places[..., 1]
    return np.stack([(rows, cols), (cols, width - rows), (height - rows, width - cols), (height - cols, rows)][quarters % 4], axis=-1)


def nothing():
    """No detections."""
    return Found(np.zeros(0), np.zeros((0, 5)), np.zeros((0, 4)), np.zeros((0, 5, 2)))


def joined(parts):
    """The detections of several looks, one after the other."""
    parts = [nothing(), *parts]
    return Found(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Found)))


def merged(found):
    """One detection for each face: the surest, moved to the mean of those that agree with it; most certain first.

    All whose head overlaps a surer one by an IoU above 0.35, or of which more than 70 % of the smaller lies in the other,
    speak of the same face, unless one has six times the height and width of the other: a head before a poster of one.
    Those with an IoU above 0.5 count in the mean, by the square of their probability.

    Returns
    -------
    Found

    References
    ----------
    S. Gidaris and N. Komodakis, "Object detection via a multi-region and semantic segmentation-aware CNN model",
    ICCV 2015 (box voting).
    """
    boxes, area = found.boxes(), 4 * found.heads[:, 2] * found.heads[:, 3]
    numbers = np.concatenate([found.heads, found.faces, found.points.reshape(-1, 10)], axis=1)
    weights, left, best, means = 1 / (1 + np.exp(-2 * found.logits)), np.argsort(-found.logits, kind="stable"), [], []
    while len(left):
        first = left[0]
        common = np.prod(np.maximum(np.minimum(boxes[first, 2:], boxes[left, 2:]) - np.maximum(boxes[first, :2], boxes[left, :2]), 0), axis=1)
        overlap = common / np.maximum(area[first] + area[left] - common, 1e-12)
        smaller, larger = np.minimum(area[first], area[left]), np.maximum(area[first], area[left])
        same = (overlap > SAME) | (common > INSIDE * smaller) & (smaller > PART * larger)
        votes = overlap > VOTES
        same[0] = votes[0] = True
        votes = left[votes]
        means.append(weights[votes] @ numbers[votes] / weights[votes].sum())
        best.append(first)
        left = left[~same]
    means = np.array(means).reshape(-1, 19)
    return Found(found.logits[np.array(best, int)], means[:, :5], means[:, 5:9], means[:, 9:].reshape(-1, 5, 2))
