"""What is known of the faces in a photo: FDDB's ellipse around the head, a teacher's box and five points of the face; moved with the photo."""

from dataclasses import dataclass, fields

import numpy as np

from common.boxes import iou
from common.detection import search
from common.detection.found import Found, merged
from common.detection.network import MIRRORED
from common.detection.yunet import LARGER, RISE

BELIEVED = 0.6  # score from which the teacher's points are learnt
A_FACE, PERHAPS = 0.75, 0.45  # scores: what FDDB leaves out and the teacher sees is a face, or may be one and is not learnt
PARTNER = 0.35  # IoU of ellipse and teacher's box that speak of the same face
NEAR = 0.2  # IoU from which a teacher's box says nothing new beside an ellipse
LOOKED_FOR = 10  # pixels: the teacher's smallest face


@dataclass(frozen=True, eq=False)
class Labels:
    """N faces; numbers that nobody knows are NaN.

    Attributes
    ----------
    sure : ndarray of bool, shape (N,)
        False: there may be a face, so that nothing is learnt there.
    middles : ndarray of float, shape (N, 2)
    spreads : ndarray of float, shape (N, 2, 2)
        Ellipses around the heads, rows before columns; where FDDB has none, guessed from the face.
    marked : ndarray of bool, shape (N,)
        Whether the ellipse is FDDB's.
    face_middles, face_spreads : ndarray of float, shapes (N, 2) and (N, 2, 2)
        Ellipses inside the boxes from brow to chin.
    points : ndarray of float, shape (N, 5, 2)
    up : ndarray of float, shape (N, 2)
        From the mouth to the eyes, length 1 while the photo is upright.
    """

    sure: np.ndarray
    middles: np.ndarray
    spreads: np.ndarray
    marked: np.ndarray
    face_middles: np.ndarray
    face_spreads: np.ndarray
    points: np.ndarray
    up: np.ndarray

    def __len__(self):
        return len(self.sure)

    def __getitem__(self, which):
        return Labels(*(getattr(self, field.name)[which] for field in fields(self)))

    def moved(self, turn, shift):
        """Point ``p`` (row, column) goes to ``turn @ p + shift``; a mirror exchanges right and left."""
        points = self.points @ turn.T + shift
        if np.linalg.det(turn) < 0:
            points = points[:, MIRRORED]
        return Labels(self.sure, self.middles @ turn.T + shift, turn @ self.spreads @ turn.T, self.marked, self.face_middles @ turn.T + shift,
                      turn @ self.face_spreads @ turn.T, points, self.up @ turn.T)


def spread_of(ellipses):
    """Middles (N, 2) and matrices (N, 2, 2), rows before columns, of FDDB's ellipses (N, 5)."""
    major, minor, angle, x, y = np.asarray(ellipses, float).reshape(-1, 5).T
    cos, sin = np.cos(angle), np.sin(angle)
    long, short = np.stack([sin, cos], axis=1) * major[:, None], np.stack([cos, -sin], axis=1) * minor[:, None]
    return np.stack([y, x], axis=1), long[:, :, None] * long[:, None] + short[:, :, None] * short[:, None]


def boxed(middles, spreads):
    """Ellipses as `common.detection.found.Found.heads` has them, (N, 5)."""
    half = np.sqrt(np.maximum(spreads[:, [0, 1], [0, 1]], 1e-12))
    return np.column_stack([middles, half, spreads[:, 0, 1] / half.prod(axis=1)])


def around(middles, spreads):
    """Boxes around ellipses, ``[min_row, min_col, max_row, max_col]``, (N, 4)."""
    heads = boxed(middles, spreads)
    return np.concatenate([heads[:, :2] - heads[:, 2:4], heads[:, :2] + heads[:, 2:4]], axis=1)


def sizes(spreads):
    """Square roots of height times width of the boxes around ellipses, (N,)."""
    return 2 * (spreads[:, 0, 0] * spreads[:, 1, 1]) ** 0.25


def no_labels():
    """Of a photo without people."""
    return labelled([], None)


def taught(look, photo):
    """What a teacher finds in a photo and its mirror image, at its size and at half of it: `Found`; what it sees twice it is surer of."""
    width = photo.shape[1]
    mirror = np.ascontiguousarray(photo[:, ::-1])
    least = np.log(PERHAPS / (1 - PERHAPS)) - 1
    as_it_is, mirrored = (search.search(look, image, LOOKED_FOR, least, turns=False, face=LOOKED_FOR) for image in (photo, mirror))
    back = Found(mirrored.logits, mirrored.heads * [1, -1, 1, 1, -1] + [0, width, 0, 0, 0], mirrored.faces * [1, -1, 1, 1] + [0, width, 0, 0],
                 mirrored.points[:, MIRRORED] * [1, -1] + [0, width])
    both = np.concatenate([as_it_is.boxes("face"), back.boxes("face")])
    found = Found(*(np.concatenate([getattr(as_it_is, f.name), getattr(back, f.name)]) for f in fields(Found)))
    seen_by = ((iou(both, as_it_is.boxes("face")) > 0.5).any(axis=1).astype(int) + (iou(both, back.boxes("face")) > 0.5).any(axis=1)) if len(both) else np.zeros(0)
    return merged(Found(found.logits - (seen_by < 2), found.heads, found.faces, found.points))


def labelled(ellipses, teacher=None):
    """The faces of a photo.

    Where FDDB's ellipses speak they win: a teacher's box beside one adds the box and the points, and changes nothing of it.

    Parameters
    ----------
    ellipses : array_like, shape (N, 5)
        FDDB's; empty for a photo that FDDB has not marked.
    teacher : Found, optional
        From `taught`.

    Returns
    -------
    Labels
    """
    middles, spreads = spread_of(ellipses)
    count = len(middles)
    boxes = teacher.boxes("face") if teacher is not None else np.zeros((0, 4))
    scores = 1 / (1 + np.exp(-teacher.logits)) if teacher is not None else np.zeros(0)
    overlap = iou(around(middles, spreads), boxes)
    partner, left = np.full(count, -1), overlap.copy()
    while left.size and left.max() > PARTNER:
        face, box = np.unravel_index(left.argmax(), left.shape)
        partner[face] = box
        left[face], left[:, box] = -1, -1
    alone = np.flatnonzero((overlap.max(axis=0, initial=0) < NEAR) & (scores >= PERHAPS))
    which = np.concatenate([partner, alone])
    known, total = which >= 0, count + len(alone)
    face_middles, face_spreads, points = np.full((total, 2), np.nan), np.full((total, 2, 2), np.nan), np.full((total, 5, 2), np.nan)
    if known.any():
        faces = teacher.faces[which[known]]
        face_middles[known] = faces[:, :2]
        face_spreads[known] = faces[:, 2:, None] ** 2 * np.eye(2)
        points[known] = np.where((scores[which[known]] >= BELIEVED)[:, None, None], teacher.points[which[known]], np.nan)
    guessed = face_middles[count:] - [RISE * 2, 0] * np.sqrt(face_spreads[count:, 0, 0])[:, None]
    up = np.tile([-1.0, 0.0], (total, 1))
    axis = points[:, :2].mean(axis=1) - points[:, 3:].mean(axis=1)
    length = np.linalg.norm(axis, axis=1)
    up[length > 0] = axis[length > 0] / length[length > 0, None]
    return Labels(np.concatenate([np.ones(count, bool), scores[alone] >= A_FACE]), np.concatenate([middles, guessed]),
                  np.concatenate([spreads, face_spreads[count:] * np.outer(LARGER, LARGER)]), np.arange(total) < count,
                  face_middles, face_spreads, points, up)
