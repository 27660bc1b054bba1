"""How good is a detector: matching boxes, precision and recall, areas under the curve.

Boxes are course boxes ``[image_index, min_row, min_col, max_row, max_col]``. The *decision
function* is the detector's confidence, greater for more certain boxes; it stays a float.
(The published course scorer casts it to int32, which makes 0.91, 0.15 and 0.62 all 0.)
"""

import warnings

import numpy as np

from common.boxes import as_boxes, inside_out, iou_score, paired_iou  # noqa: F401  (iou_score: the course's place for it)

COURSE_IOU = 0.1
AP_IOUS = np.arange(0.5, 1.0, 0.05)


def _checked(pred_bboxes, true_bboxes, decision_function):
    pred, true = as_boxes(pred_bboxes, 5), as_boxes(true_bboxes, 5)
    confidence = np.asarray(decision_function, dtype=float).ravel()
    if len(pred) != len(confidence):
        raise ValueError(f"{len(pred)} predicted boxes but {len(confidence)} values of the decision function")
    if np.isnan(confidence).any():
        raise ValueError(f"the decision function of box {int(np.argmax(np.isnan(confidence)))} is NaN")
    if wrong := inside_out(true):
        raise ValueError(f"nothing can find these true boxes: {wrong}")
    if wrong := inside_out(pred):
        warnings.warn(f"these detections hit nothing: {wrong}", stacklevel=3)
    return pred, true, confidence


def _overlapping_pairs(pred, true, confidence):
    """Pairs (pred, true, IoU) of one image that touch, most confident and then best overlap first."""
    by_image = np.argsort(true[:, 0], kind="stable")
    first = np.searchsorted(true[by_image, 0], pred[:, 0], side="left")
    count = np.searchsorted(true[by_image, 0], pred[:, 0], side="right") - first
    pred_index = np.repeat(np.arange(len(pred)), count)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    true_index = by_image[np.repeat(first, count) + offset]
    overlap = paired_iou(pred[pred_index, 1:], true[true_index, 1:])
    touching = overlap > 0
    pred_index, true_index, overlap = pred_index[touching], true_index[touching], overlap[touching]
    rank = np.empty(len(pred), dtype=int)
    rank[np.argsort(-confidence, kind="stable")] = np.arange(len(pred))
    order = np.lexsort((-overlap, rank[pred_index]))
    return pred_index[order], true_index[order], overlap[order]


def _greedy(pairs, iou_threshold):
    """Each box, most confident first, takes the best true box that is still free."""
    pred_index, true_index, overlap = pairs
    good = overlap > iou_threshold
    matched, taken = {}, set()
    for p, t in zip(pred_index[good].tolist(), true_index[good].tolist()):
        if p not in matched and t not in taken:
            matched[p] = t
            taken.add(t)
    return matched


def best_match(pred_bboxes, true_bboxes, decision_function, iou_threshold=COURSE_IOU):
    """Match detections with true boxes, greedily, in order of falling confidence.

    A detection takes the true box of its image that it overlaps most, among those that no more
    confident detection took and that it overlaps by more than `iou_threshold`. Every true box is
    matched once, so a second box on the same face is a false positive.

    Parameters
    ----------
    pred_bboxes : array_like, shape (N, 5)
        Detections, course boxes.
    true_bboxes : array_like, shape (M, 5)
        True boxes, course boxes.
    decision_function : array_like, shape (N,)
        Confidence of every detection.
    iou_threshold : float
        A match needs an IoU greater than this; the course asks for 0.1.

    Returns
    -------
    matched : list of (int, int)
        Index of the true box, index of the detection.
    false_negative : list of int
        Indices of the true boxes that nothing found.
    false_positive : list of int
        Indices of the detections that found nothing.

    Raises
    ------
    ValueError
        On boxes of the wrong shape, NaN, true boxes that end before they begin, or another number of confidences than of boxes.

    Warns
    -----
    UserWarning
        If detections end before they begin: they hit nothing.
    """
    pred, true, confidence = _checked(pred_bboxes, true_bboxes, decision_function)
    matched = _greedy(_overlapping_pairs(pred, true, confidence), iou_threshold)
    found = set(matched.values())
    return (
        [(t, p) for p, t in matched.items()],
        [t for t in range(len(true)) if t not in found],
        [p for p in range(len(pred)) if p not in matched],
    )


def _curve(hit, confidence, n_true):
    """Precision, recall and threshold at every distinct confidence, rising; the last keeps no box."""
    order = np.argsort(-confidence, kind="stable")
    confidence, true_positive = confidence[order], np.cumsum(hit[order])
    differs = np.append(confidence[1:] != confidence[:-1], True) if len(confidence) else np.zeros(0, bool)
    last = np.flatnonzero(differs)  # boxes of equal confidence come and go together
    kept, true_positive = last + 1, true_positive[last]
    precision = np.append((true_positive / kept)[::-1], 1.0)
    recall = np.append(true_positive[::-1], 0) / max(n_true, 1)
    return precision, recall, np.append(confidence[last][::-1], np.inf)


def precision_recall_curve(pred_bboxes, true_bboxes, decision_function, iou_threshold=COURSE_IOU):
    """Precision and recall of a detector at every threshold.

    Parameters
    ----------
    pred_bboxes, true_bboxes, decision_function, iou_threshold
        As in `best_match`.

    Returns
    -------
    precision, recall, thresholds : ndarray of float, shape (K,)
        Point k keeps the boxes with confidence >= ``thresholds[k]``. Thresholds rise, so recall
        falls. The last threshold is infinite: no box is kept, precision is 1 and recall 0.
        Where there is no true box, nothing can be found and recall is 0.
    """
    pred, true, confidence = _checked(pred_bboxes, true_bboxes, decision_function)
    matched = _greedy(_overlapping_pairs(pred, true, confidence), iou_threshold)
    hit = np.zeros(len(pred), dtype=bool)
    hit[list(matched)] = True
    return _curve(hit, confidence, len(true))


def _along_the_curve(x, y):
    x, y = np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    if len(x) != len(y):
        raise ValueError(f"a curve needs as many x as y, got {len(x)} and {len(y)}")
    if (np.diff(x) >= 0).all():
        return x, y
    if (np.diff(x) <= 0).all():
        return x[::-1], y[::-1]
    order = np.lexsort((-y, x))  # where recall stands still, precision falls as boxes are added
    return x[order], y[order]


def average_precision(precision, recall):
    """Average precision: the sum of precision times the step in recall, ``sum((R[n] - R[n-1]) * P[n])``.

    Parameters
    ----------
    precision, recall : array_like, shape (K,)
        A curve, in either direction.

    Returns
    -------
    float
        Between 0 and 1; equal to scikit-learn's `average_precision_score` on the same matches.
        (The published course interpolates at 11 recalls instead, as PASCAL VOC did in 2007.)
    """
    recall, precision = _along_the_curve(recall, precision)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def auc(x, y):
    """Area under a curve by the trapezoid rule: ``auc(recall, precision)`` is the course score.

    Parameters
    ----------
    x, y : array_like, shape (K,)
        A curve, in either direction.
    """
    x, y = _along_the_curve(x, y)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def threshold_at_recall(thresholds, recall, minimum=0.85):
    """The greatest threshold at which recall is still at least `minimum`.

    Parameters
    ----------
    thresholds, recall : array_like, shape (K,)
        From `precision_recall_curve`, in either direction.
    minimum : float

    Returns
    -------
    float
        If no threshold reaches `minimum`, the lowest of all, with a warning.
    """
    thresholds, recall = np.asarray(thresholds, dtype=float), np.asarray(recall, dtype=float)
    if thresholds.shape != recall.shape or not thresholds.size:
        raise ValueError(f"expected as many thresholds as recalls, got {thresholds.shape} and {recall.shape}")
    enough = recall >= minimum
    if not enough.any():
        warnings.warn(f"recall never reaches {minimum}; its best is {recall.max():.3f}", stacklevel=2)
        return float(thresholds.min())
    return float(thresholds[enough].max())


def detector_scores(pred_bboxes, true_bboxes, decision_function):
    """The course score beside the field's own.

    Returns
    -------
    dict of float
        ``auc_pr``: area under the curve at IoU > 0.1, trapezoid rule (the course score).
        ``ap50``: average precision at IoU > 0.5. ``ap``: the mean over IoU 0.5, 0.55 ... 0.95.
    """
    pred, true, confidence = _checked(pred_bboxes, true_bboxes, decision_function)
    pairs = _overlapping_pairs(pred, true, confidence)
    curves = {}
    for threshold in (COURSE_IOU, *AP_IOUS):
        hit = np.zeros(len(pred), dtype=bool)
        hit[list(_greedy(pairs, threshold))] = True
        curves[threshold] = _curve(hit, confidence, len(true))[:2]
    ap = [average_precision(*curves[threshold]) for threshold in AP_IOUS]
    precision, recall = curves[COURSE_IOU]
    return {"auc_pr": auc(recall, precision), "ap50": ap[0], "ap": float(np.mean(ap))}


def at_threshold(pred_bboxes, true_bboxes, decision_function, threshold, iou_threshold=COURSE_IOU):
    """Precision and recall of a detector that keeps the boxes with confidence >= `threshold`.

    Returns
    -------
    dict of float
        ``threshold``, ``recall``, ``precision``; precision is 1 where no box is kept.
    """
    pred, true, confidence = _checked(pred_bboxes, true_bboxes, decision_function)
    kept = confidence >= threshold
    hits = len(best_match(pred[kept], true, confidence[kept], iou_threshold)[0])
    return {"threshold": float(threshold), "recall": hits / max(len(true), 1), "precision": hits / int(kept.sum()) if kept.any() else 1.0}
