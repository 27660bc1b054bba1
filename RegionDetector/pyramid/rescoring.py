"""A second, closer look at what a network has found: each answer is cut out, brought to the size the network knows best, and asked again.

The pyramid looks everywhere, so its levels are few and its cells lie where they happen to lie. What it has found can be looked
at with more care: at several sizes, in the middle of a crop, and in the mirror. It costs little, for there is little of it.

References
----------
P. Viola and M. Jones, "Robust real-time face detection", IJCV 57(2), 2004 (look closely only where a cheap look says so).
"""

import numpy as np

from common.boxes import iou
from common.inference import in_batches
from RegionDetector.pyramid import model as pyramid_model
from RegionDetector.pyramid.scales import halves, warped

SIZES = (32.0, 40.0, 50.0)  # pixels to which an answer is brought, square root of height times width
SIDE = 96  # pixels of a crop, as in training
AGREES = 0.4  # IoU with the answer from which a cell of a crop speaks of the same face
NOTHING = -8.0  # logit of a crop in which no cell does
SHARE = 0.5  # of the second look in the logit and the ellipse; the first has the rest
MOST = 60  # answers, the surest
BATCH = 24  # crops


def look_again(run, photo, ellipses, logits, sizes=SIZES, share=SHARE):
    """Ask the network again about each of its answers, and take the mean.

    Parameters
    ----------
    run : callable
        See `multiscale.find_ellipses`.
    photo : ndarray of uint8, shape (H, W, 3)
    ellipses : ndarray of float, shape (P, 5)
        In pixels of the photo, most certain first.
    logits : ndarray of float, shape (P,)
    sizes : sequence of float
        Each answer is looked at in every size, as it is and in the mirror.
    share : float
        Weight of the second look, from 0 to 1.

    Returns
    -------
    ellipses : ndarray of float, shape (P, 5)
        Most certain first.
    logits : ndarray of float, shape (P,)
    """
    if not len(ellipses):
        return ellipses, logits
    ellipses, logits, levels = ellipses.copy(), logits.copy(), halves(photo)
    places = [_place(ellipse, size, mirror) for ellipse in ellipses[:MOST] for size in sizes for mirror in (1, -1)]
    answers = in_batches(lambda crops: run(crops.astype(np.float32)), [warped(levels, *place, SIDE) for place in places], BATCH)
    each = 2 * len(sizes)
    for number, ellipse in enumerate(ellipses[:MOST]):
        these = slice(number * each, (number + 1) * each)
        seen = [_nearest(answer, place, ellipse) for answer, place in zip(answers[these], places[these])]
        logits[number] += share * (np.mean([logit for logit, _ in seen]) - logits[number])
        again = [found for _, found in seen if found is not None]
        if again:
            ellipses[number] += share * (np.mean(again, axis=0) - ellipse)
    order = np.argsort(-logits, kind="stable")
    return ellipses[order], logits[order]


def _place(ellipse, size, mirror):
    """The map of coordinates that brings an ellipse to the middle of a crop, in this size; see `pyramid.warped`."""
    turn = size / (2 * np.sqrt(ellipse[2] * ellipse[3])) * np.diag([1.0, mirror])
    return turn, SIDE / 2 - turn @ ellipse[:2]


def _nearest(answer, place, ellipse):
    """The surest logit in a crop that speaks of this ellipse, and its own ellipse in the photo; or NOTHING and None."""
    turn, shift = place
    logits, found = pyramid_model.read_map(answer)
    found[:, :2] = (found[:, :2] - shift) / np.diag(turn)
    found[:, 2:4] /= turn[0, 0]
    found[:, 4] *= np.sign(turn[1, 1])
    boxes = np.concatenate([found[:, :2] - found[:, 2:4], found[:, :2] + found[:, 2:4]], axis=1)
    box = np.concatenate([ellipse[:2] - ellipse[2:4], ellipse[:2] + ellipse[2:4]])
    agree = np.flatnonzero(iou([box], boxes)[0] > AGREES)
    if not len(agree):
        return NOTHING, None
    best = agree[logits[agree].argmax()]
    return logits[best], found[best]
