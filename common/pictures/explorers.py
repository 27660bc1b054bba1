"""Explorers: pictures that follow a slider. Here the two that need boxes alone: overlap and threshold.

An explorer is two things. A plain function (`draw_iou`, `draw_threshold`, ...) draws a figure from a state;
it needs no kernel and no browser, and the figure's label says in words what it shows. An `Explorer`
(`common.pictures.controls`) puts sliders above the same picture, on a sheet that keeps what does not move (`common.pictures.sheet`).
"""

import numpy as np
from matplotlib.patches import Rectangle

from common.boxes import as_boxes, iou_score
from common.console import counted
from common.graph import BLUE, FALSE_ALARM, GREEN, HIT, MISS, ORANGE, VERMILION, draw_boxes, draw_equal_f1, draw_missed, picture
from common.pictures.controls import Explorer, fitting_step, slider
from common.pictures.sheet import Sheet
from common.scores import COURSE_IOU, best_match

OVERLAPS = (0.1, 0.5, 0.75)  # what the course, PASCAL VOC and a strict reader ask of a hit
MOST_LABELS = 8  # on a photo, those of the surest boxes: more cover one another


# --- overlap ----------------------------------------------------------------------------------------------------


class _Overlap(Sheet):
    """Two boxes on a photo, and beside it a scale of the IoU with the three thresholds."""

    def __init__(self, true_box, image=None, sides=None):
        super().__init__(8.4, 3.6)
        self.true_box = np.asarray(true_box, dtype=float)
        self.photo = ax = self.panel(0.01, 0.02, 0.44, 0.88, "a face (solid) and a found box (dashed)")
        if image is not None:
            ax.imshow(picture(image), interpolation="nearest")
            sides = image.shape[:2]
        ax.set(xlim=(-0.5, sides[1] - 0.5), ylim=(sides[0] - 0.5, -0.5), aspect="equal")
        draw_boxes(ax, [self.true_box], ORANGE)
        self.scale = ax = self.panel(0.53, 0.2, 0.44, 0.5, axis=True)
        ax.set(xlim=(0, 1), ylim=(-0.4, 0.5), xticks=[0, 0.5, 1], yticks=[], xlabel="shared area / area of both together")
        for side in ("top", "left", "right"):
            ax.spines[side].set_visible(False)
        self.words = self.page()

    def move(self, found_box):
        true_box, found_box = self.true_box, np.asarray(found_box, dtype=float)
        overlap = iou_score(true_box, found_box)
        top, left = np.maximum(true_box, found_box)[:2]
        bottom, right = np.minimum(true_box, found_box)[2:]
        if bottom > top and right > left:
            self.put(self.photo, Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fc=GREEN, ec="none", alpha=0.45))
        self.put(self.photo, *draw_boxes(self.photo, [found_box], BLUE, "--"))
        self.put(self.scale, Rectangle((0, -0.25), overlap, 0.5, fc=GREEN, ec="none", alpha=0.6))
        hits = [overlap > least for least in OVERLAPS]
        for least, hit in zip(OVERLAPS, hits):
            color = HIT[0] if hit else FALSE_ALARM[0]
            self.put(
                self.scale, self.scale.axvline(least, color=color, ls="-" if hit else "--", lw=2),
                self.scale.text(least, 0.55, f"{least}\n{'✓ hit' if hit else '✗ no hit'}", ha="center", va="bottom", fontsize=10, color=color,
                                weight="bold" if hit else "normal"),
            )  # fmt: skip
        self.put(self.words, self.words.text(0.53, 0.93, f"IoU {overlap:.3f}", fontsize=17, weight="bold", va="center", color="black"))
        answers = ", ".join(f"{'a hit' if hit else 'no hit'} at {least}" for least, hit in zip(OVERLAPS, hits))
        rows, cols = found_box[2:] - found_box[:2]
        return (f"A box of {rows:.0f} × {cols:.0f} pixels, {found_box[0]:.0f} down and {found_box[1]:.0f} to the right. "
                f"Its overlap (IoU) with the face is {overlap:.3f}: {answers}.")


def draw_iou(true_box, found_box, image=None):
    """Two boxes, what they share, and whether that makes a hit.

    Parameters
    ----------
    true_box, found_box : array_like, shape (4,)
        [min_row, min_col, max_row, max_col] in pixels.
    image : ndarray, shape (H, W, 3), optional
        What lies below them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _Overlap(true_box, image, np.maximum(true_box, found_box)[2:] + 8).at(found_box)


def explore_iou(true_box, image, found_box=None):
    """Drag a found box over a face: four sliders for `draw_iou`.

    Parameters
    ----------
    true_box : array_like, shape (4,)
    image : ndarray, shape (H, W, 3)
        The photo.
    found_box : array_like, shape (4,), optional
        Where to begin; else a little beside the face.
    """
    rows, cols = (int(side) for side in np.shape(image)[:2])
    true_box = np.asarray(true_box, dtype=float)
    height, width = np.maximum(np.round(true_box[2:] - true_box[:2]).astype(int), 4).tolist()
    begin = np.round(true_box if found_box is None else found_box).astype(int)
    if found_box is None:
        begin = begin + np.tile([height // 5, width // 5], 2)
    tall, wide = (int(side) for side in begin[2:] - begin[:2])

    def state(top, left, tall, wide):
        return ([top, left, top + tall, left + wide],)

    return Explorer(_Overlap(true_box, image), state, {
        "top": slider("down, px", 0, rows - 1, int(np.clip(begin[0], 0, rows - 1))),
        "left": slider("right, px", 0, cols - 1, int(np.clip(begin[1], 0, cols - 1))),
        "tall": slider("height, px", 4, max(rows, tall), tall),
        "wide": slider("width, px", 4, max(cols, wide), wide),
    })


# --- threshold --------------------------------------------------------------------------------------------------


class Detections:
    """All boxes of a detector on some photos, matched with the faces once, for every threshold.

    The most confident box is matched first, so what a box hits does not depend on the boxes below it:
    a higher threshold takes boxes away, and never changes the others.

    Parameters
    ----------
    images : sequence of ndarray, each (H, W, 3)
    shapes : array_like, shape (N, 2 or 3)
        The part of each image that is photo.
    pred_bboxes, true_bboxes : array_like, shape (P, 5), (M, 5)
        Course boxes.
    decision_function : array_like, shape (P,)
    curve : (precision, recall, thresholds)
        Of the same boxes; from `precision_recall_curve`.
    iou_threshold : float
        A hit overlaps its face by more than this.
    """

    def __init__(self, images, shapes, pred_bboxes, true_bboxes, decision_function, curve, iou_threshold=COURSE_IOU):
        self.images, self.shapes, self.iou_threshold = images, np.asarray(shapes), iou_threshold
        self.pred, self.true = as_boxes(pred_bboxes, 5), as_boxes(true_bboxes, 5)
        self.decision = np.asarray(decision_function, dtype=float)
        rising = np.argsort(curve[2], kind="stable")  # a student's own curve may run the other way
        self.precision, self.recall, self.thresholds = (np.asarray(part, dtype=float)[rising] for part in curve)
        matched, _, _ = best_match(self.pred, self.true, self.decision, iou_threshold)
        self.face = np.full(len(self.pred), -1)  # which face each box hits, -1 for none
        self.face[[box for _, box in matched]] = [face for face, _ in matched]

    def at(self, threshold, photo=None):
        """Indices of hits, false alarms and missed faces at a threshold, on all photos or on one."""
        kept = self.decision >= threshold
        missed = np.setdiff1d(np.arange(len(self.true)), self.face[kept & (self.face >= 0)])
        if photo is not None:
            kept, missed = kept & (self.pred[:, 0] == photo), missed[self.true[missed, 0] == photo]
        return np.flatnonzero(kept & (self.face >= 0)), np.flatnonzero(kept & (self.face < 0)), missed

    def worst_first(self, threshold):
        """The photos (N,), those with the most mistakes at this threshold first."""
        _, invented, missed = self.at(threshold)
        where = np.concatenate([self.pred[invented, 0], self.true[missed, 0]]).astype(int)
        return np.argsort(-np.bincount(where, minlength=len(self.images)), kind="stable")


class _Threshold(Sheet):
    """Boxes on one photo, the precision/recall curve, and the counts on all photos as bars."""

    def __init__(self, detections):
        super().__init__(9.2, 4.3)
        self.detections = d = detections
        self.photo = self.panel(0.01, 0.02, 0.43, 0.88)
        self.curve = ax = self.panel(0.53, 0.4, 0.42, 0.5, axis=True)
        draw_equal_f1(ax)
        ax.plot(d.recall, d.precision, color=BLUE, lw=1.8)
        ax.set(xlim=(0, 1.02), ylim=(0, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="recall", ylabel="precision")
        self.bars = ax = self.panel(0.64, 0.03, 0.34, 0.22)
        ax.set(ylim=(2.6, -0.6), xlim=(0, 1.8 * max(len(d.true), 1)))
        for row, name in enumerate(("hits", "false alarms", "missed faces")):
            ax.text(-0.02 * len(d.true), row, name, va="center", ha="right", fontsize=10, color="black")

    def _show(self, photo):
        rows, cols = self.detections.shapes[photo][:2]
        shown = self.photo.imshow(picture(self.detections.images[photo][:rows, :cols]), interpolation="nearest")
        self.photo.set(xlim=(-0.5, cols - 0.5), ylim=(rows - 0.5, -0.5))
        return [shown]

    def move(self, threshold, photo):
        d = self.detections
        hits, invented, missed = d.at(threshold, photo)
        self.title(self.photo, f"photo {photo}: hits {len(hits)}, false alarms {len(invented)}, missed {len(missed)}")
        self.lay(photo, lambda: self._show(photo))
        self.put(self.photo, *draw_missed(self.photo, d.true[missed, 1:]))
        shown = np.sort(d.decision[np.concatenate([hits, invented])])[::-1]
        least = shown[min(MOST_LABELS, len(shown)) - 1] if len(shown) else 0.0
        for boxes, (color, style) in ((invented, FALSE_ALARM), (hits, HIT)):
            texts = [f"{value:.1f}" if value >= least else "" for value in d.decision[boxes]]
            self.put(self.photo, *draw_boxes(self.photo, d.pred[boxes, 1:], color, style, texts))
        here = f"Photo {photo} shows {_in_words(len(hits), len(invented), len(missed))}."
        counts = [len(which) for which in d.at(threshold)]
        at = min(int(np.searchsorted(d.thresholds, threshold)), len(d.recall) - 1)
        self.title(self.curve, f"threshold {threshold:.2f}: recall {d.recall[at]:.3f}, precision {d.precision[at]:.3f}")
        self.put(self.curve, *self.curve.plot(d.recall[at], d.precision[at], "o", ms=10, mfc="none", mec=VERMILION, mew=2.2))
        for row, (count, (color, _), hatch) in enumerate(zip(counts, (HIT, FALSE_ALARM, MISS), ("", "//", ".."))):
            long = min(count, len(d.true))  # there may be many times more false alarms than faces
            text = f"{count:,}" if long == count else f"{count:,} (bar cut off)"
            self.put(self.bars, Rectangle((0, row - 0.4), long, 0.8, fc=color, alpha=0.75, hatch=hatch, ec="white", lw=0),
                     self.bars.text(long + 0.01 * len(d.true), row, text, va="center", fontsize=10, color="black"))  # fmt: skip
        return (f"At threshold {threshold:.2f} there are {_in_words(*counts)} on {counted(len(d.images), 'photo')}: "
                f"recall {d.recall[at]:.3f}, precision {d.precision[at]:.3f}. {here}")


def _in_words(hits, invented, missed):
    return f"{counted(hits, 'hit')}, {counted(invented, 'false alarm')} and {counted(missed, 'missed face')}"


def draw_threshold(detections, threshold, photo):
    """What a threshold keeps: boxes on one photo (the surest eight with their answers), the point on the curve, the counts on all photos.

    Parameters
    ----------
    detections : Detections
    threshold : float
    photo : int

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _Threshold(detections).at(threshold, photo)


def explore_threshold(detections, threshold):
    """Drag the threshold, and leaf through the photos: sliders for `draw_threshold`.

    Parameters
    ----------
    detections : Detections
    threshold : float
        Where to begin. The photos with the most mistakes at this threshold come first.
    """
    order = detections.worst_first(threshold)
    low, high = np.floor(detections.decision.min()), np.ceil(detections.decision.max())
    step = fitting_step(low, high)

    def state(threshold, rank):
        return threshold, int(order[rank - 1])

    return Explorer(_Threshold(detections), state, {
        "threshold": slider("threshold", low, high, float(np.clip(threshold, low, high)), step),
        "rank": slider("photo, the worst first", 1, len(order), 1),
    })
