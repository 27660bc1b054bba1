"""Checks of the curve, on detections whose hits are known."""

from itertools import permutations

import numpy as np

from common.exercises.answer_form import numbers, one_of, overlap, parts, require

MOST_POINTS = 100_000


def staged_detections():
    """Faces and detections made for the purpose: which detection is a hit is known.

    Returns
    -------
    pred, true, decision : ndarray
    hit, alone : ndarray of bool
        Hits with every face found once; hits if every box is compared for itself, duplicates too.
    """
    faces = np.array([[i, 10 + 40 * j, 20, 42 + 40 * j, 52] for i in range(3) for j in range(3)], float)
    true = np.insert(faces, 4, [4, 50, 50, 82, 82], axis=0)  # nothing lies on this one; the first and the last are found
    plan = [  # face, shift in pixels, photo moved by, decision, hit, hit if compared alone; shifted by 26 the IoU is 0.103, by 28 it is 0.067
        (0, 2, 0, 0.97, True, True), (1, -6, 0, 0.91, True, True), (0, 5, 0, 0.86, False, True), (2, 0, 3, 0.80, False, False),
        (3, 3, 0, 0.74, True, True), (4, 60, 0, 0.69, False, False), (5, -8, 0, 0.62, True, True), (1, 9, 0, 0.55, False, True),
        (6, 17, 0, 0.48, True, True), (7, 28, 0, 0.40, False, False), (8, 26, 0, 0.33, True, True), (3, 7, 0, 0.27, False, True),
        (2, 10, 0, 0.15, True, True), (4, 90, 0, 0.08, False, False),
    ]
    pred, decision = [], []
    for face, shift, photo, value, _, _ in plan:
        box = faces[face] + [photo, 0, shift, 0, shift]
        pred.append(box)
        decision.append(value)
    order = np.random.default_rng(5).permutation(len(plan))
    hit, alone = (np.array([p[k] for p in plan])[order] for k in (4, 5))
    return np.array(pred)[order], true, np.array(decision)[order], hit, alone


def _snapped(thresholds, decision):
    """The thresholds, those that are decisions but for the digits that float32 loses, as these: a real detector answers in float32."""
    levels = np.sort(decision)
    nearest = levels[np.minimum(np.searchsorted(levels, thresholds - 1e-6), len(levels) - 1)]
    return np.where(np.abs(nearest - thresholds) < 1e-6, nearest, thresholds)


def _unlike(right, got):
    """Precision and recall, the right ones and those given, with as many digits as it takes to tell them apart."""
    digits = next((n for n in range(3, 8) if all(f"{a:.{n}f}" != f"{b:.{n}f}" for a, b in zip(right, got) if abs(a - b) > 1e-6)), 8)
    return "precision {:.{n}f} and recall {:.{n}f}; got {:.{n}f} and {:.{n}f}".format(*right, *got, n=digits)


def _points(thresholds, decision, hit, faces, keep=np.greater_equal):
    """Precision and recall by their definition, at the given thresholds."""
    kept = keep(decision[None], np.asarray(thresholds)[:, None])
    found = (kept & hit[None]).sum(axis=1)
    return np.where(kept.any(axis=1), found / np.maximum(kept.sum(axis=1), 1), 1.0), found / faces


def _other_hits(pred, true, decision):
    """What would count as a hit if boxes were matched otherwise than they should: reason to array of bool."""
    def greedy(order, least=0.1, faces=lambda box: [k for k, face in enumerate(true) if face[0] == box[0]], iou=overlap):
        taken, hit = set(), np.zeros(len(pred), bool)
        for k in order:
            free = [j for j in faces(pred[k]) if j not in taken and iou(pred[k, 1:], true[j, 1:]) > least]
            taken.update(free[:1])
            hit[k] = bool(free)
        return hit

    surest = np.argsort(-decision)
    first, turned = np.zeros(len(pred), bool), [0, 2, 1, 4, 3]
    pairs = _pairs(pred, true, surest)
    first[[k for k, _ in pairs if k < len(pred)]] = True
    return {
        "The false alarms are counted as hits: best_match gives matched pairs, missed faces, false alarms, in this order": ~_matched(pred, true, surest),
        "Rows and columns of the boxes are swapped before they are matched": _matched(pred[:, turned], true, surest),
        "best_match gives pairs (index of the face, index of the box): the first was taken for the box": first,
        "A box is compared with faces of other photos: the first number of a box says which photo it lies on": greedy(surest, faces=lambda box: range(len(true))),
        "A box is compared with the first face of its photo only": greedy(surest, faces=lambda box: [k for k, f in enumerate(true) if f[0] == box[0]][:1]),
        "The least sure box takes the face: match the boxes by falling decision, as best_match does": greedy(surest[::-1]),
        "Boxes apart in rows and in columns overlap by two negative numbers, whose product is none: no side of what they share is below 0, max(0, ...)": greedy(surest, iou=_unclamped),
        "Who comes first takes the face: match the boxes by falling decision, as best_match does": greedy(range(len(pred))),
        **{f"A hit has an IoU above 0.1, as in best_match; here more is asked for, such as {least:g}{', or the IoU comes out too small' * (least == 0.2)}": greedy(surest, least)
           for least in (0.2, 0.3, 0.4, 0.5)},
        "A hit has an IoU above 0.1, as in best_match; here less is enough, such as touching, or the IoU comes out too great: it is what both boxes share by what they cover together, "
        "area + area - shared": greedy(surest, 0.0),
    }


def _unclamped(a, b):
    """The IoU of somebody who forgets that boxes may lie apart: negative sides are multiplied to a positive area."""
    (down, right), (sides, others) = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), (a[2:] - a[:2], b[2:] - b[:2])
    return down * right / (np.prod(sides) + np.prod(others) - down * right)


def _pairs(pred, true, order):
    """(face, box) of every hit, as best_match gives them."""
    taken, pairs = set(), []
    for k in order:
        free = [j for j, face in enumerate(true) if face[0] == pred[k, 0] and j not in taken and overlap(pred[k, 1:], face[1:]) > 0.1]
        taken.update(free[:1])
        pairs += [(j, k) for j in free[:1]]
    return pairs


def _matched(pred, true, order):
    """Which boxes are hits, as best_match has it."""
    return np.isin(np.arange(len(pred)), [k for _, k in _pairs(pred, true, order)])


def _photo_by_photo(pred, true, decision, thresholds):
    """Precision and recall of somebody who takes them for each photo with a face, and then the mean."""
    points = []
    for least in thresholds:
        kept = decision >= least
        hits = _matched(pred[kept], true, np.argsort(-decision[kept]))
        of, photos = pred[kept][:, 0], np.unique(true[:, 0])
        points.append([np.mean([hits[of == i].sum() / max(part[part == i].size, 1) for i in photos]) for part in (of, true[:, 0])])
    return np.array(points).reshape(-1, 2).T


def _weakest_first(decision, hit, faces):
    """The curve of somebody who sorts the wrong way round: its first point keeps the least sure box alone."""
    found = np.cumsum(hit[np.argsort(decision, kind="stable")])
    return found / np.arange(1, len(hit) + 1), found / faces


def _diagnose_curve(precision, recall, thresholds, decision, hit, alone, pred, true):
    def like(p, r):
        return np.allclose(precision, p, atol=1e-6) and np.allclose(recall, r, atol=1e-6)

    p, r = _points(thresholds, decision, hit, len(true))
    if like(r, p):
        return "Precision and recall are swapped: return precision, recall, thresholds"
    if like(100 * p, 100 * r):
        return "Precision and recall are shares, from 0 to 1, and these are in percent"
    if like(np.floor(p), np.floor(r)):
        return "Precision and recall have been cut to whole numbers (int)"
    if np.allclose(precision, p, atol=6e-3) and np.allclose(recall, r, atol=6e-3):  # a box more or less changes them by more
        return "They have been rounded on the way, and every digit counts"
    if np.allclose(recall, p, atol=1e-6) and not np.allclose(precision, p, atol=1e-6):
        return "The second answer is the precision: return precision, recall, thresholds"
    if like(p[::-1], r[::-1]):
        return "The thresholds run one way and the curve the other: point k belongs to thresholds[k]"
    if like(p[::-1], r) or like(p, r[::-1]):
        return "Precision and recall run in opposite directions: point k of both belongs to thresholds[k]"
    for way in (slice(None), slice(None, None, -1)):
        if len(precision) == len(hit) and like(*(part[way] for part in _weakest_first(decision, hit, len(true)))):
            return "The weakest boxes come first: sort by falling decision, so that the first point keeps the surest box (np.argsort(-decision))"
    double = _points(thresholds, decision, alone, len(true))
    if like(*double):
        return "A second box on the same face is counted as a hit: each face can be found once, so match all kept boxes together"
    if like(*_photo_by_photo(pred, true, decision, thresholds)):
        return "That is the mean over the photos: count the boxes and the hits of all photos together"
    for reason, other in _other_hits(pred, true, decision).items():
        if like(*_points(thresholds, decision, other, len(true))):
            return reason
    strict = _points(thresholds, decision, hit, len(true), np.greater)
    if np.allclose(precision[strict[1] > 0], strict[0][strict[1] > 0]) and np.allclose(recall, strict[1]):
        return "A box is kept if its decision is at least the threshold: >= instead of >"
    levels = np.unique(decision)
    before = levels[np.maximum(np.searchsorted(levels, thresholds) - 1, 0)]
    if like(*_points(before, decision, hit, len(true))):
        return "The thresholds are one step off: point k keeps the boxes with a decision of at least thresholds[k]"
    if np.allclose(recall, [(hit & (decision <= t)).sum() / len(true) for t in thresholds], atol=1e-6):
        return "The hits are summed from the wrong end: at a threshold those with a decision of at least it have been found, so sum from the surest on"
    if any(np.allclose(recall, (np.cumsum(hit) / len(true))[way], atol=1e-6) for way in (slice(None), slice(None, None, -1)) if len(recall) == len(hit)):
        return "The hits are summed in the order in which the boxes came, and the decisions are sorted: sort both by one order, hit[order] and decision[order]"
    if np.allclose(recall, r, atol=1e-6) and any(np.allclose(precision, np.maximum.accumulate(p[way])[way], atol=1e-6) for way in (slice(None), slice(None, None, -1))):
        return "The recall is right. The precision is the greatest of all points from there on; asked for is that of each point itself, which may rise and fall"
    if np.allclose(precision, p, atol=1e-6):
        return f"The recall is the share of all {len(true)} faces that were found; also of those in photos without a detection"
    if np.allclose(recall, r, atol=1e-6):
        return "The recall is right. The precision is the share of the kept boxes that are hits"
    if np.isin(np.round(thresholds, 6), np.round(decision, 6)).mean() < 0.5:
        return "The thresholds are no values of the decision function: take every different one of these"
    return ""


def curve(answer):
    """A curve as the notebook goes on with it, with its end point: at the threshold infinity nothing is kept, precision is 1 and recall 0.

    It is welcome, and its threshold may be missing, as in scikit-learn's curves.
    """
    if not (isinstance(answer, (tuple, list)) and len(answer) == 3 and all(hasattr(part, "__len__") and np.ndim(part) == 1 and len(part) for part in answer)):
        return answer
    answer = tuple(part if isinstance(part, (list, tuple)) else np.asarray(part) for part in answer)  # a column of a table counts by its index
    precision, recall, thresholds = answer
    if len(precision) == len(recall) == len(thresholds) and min(recall) > 0:
        lacks = (True, True, True)
    elif len(precision) == len(recall) == len(thresholds) + 1 and min(recall) == 0:
        lacks = (False, False, True)
    else:
        return answer
    last = thresholds[0] <= thresholds[-1] and recall[0] >= recall[-1]  # the thresholds rise, so infinity comes last
    parts = []
    for part, end, lack in zip(answer, (1.0, 0.0, np.inf), lacks):
        longer = ([*part, end] if last else [end, *part]) if lack else part
        parts.append(longer if isinstance(part, list) or not lack else np.array(longer))
    return tuple(parts)


def check_precision_recall_curve(f, kit):
    """Every point of the curve is what the definition says, for one threshold per distinct decision.

    Boxes and decisions come as arrays, as in the notebook. In the published course they may be lists, whichever the student's own detector gives,
    and the boxes whole numbers, which stand for a place in a list as well.
    """
    pred, true, decision, _, _ = staged_detections()
    arrays, *lists = forms = _forms(f, pred, true, decision)
    if kit.lenient:
        one_of([*forms, *_forms(f, pred.astype(int), true.astype(int), decision)])  # nothing is cut off
        return
    try:
        arrays()
    except Exception as error:
        require(not _passes(lists), f"it is right for lists, and the cells below hand it arrays: boxes (N, 5) and decisions (N,). With these it "
                                    f"{'raises ' + type(error).__name__ if not type(error).__name__ == 'Wrong' else 'says something else'}; a + b adds the numbers of arrays. "
                                    "Begin with pred_bboxes = [list(box) for box in pred_bboxes]")
        raise
    _check_equal(f, pred, true)
    _check_crowded(f, pred, true, decision)


def _forms(f, pred, true, decision):
    """Checks of the curve with arrays, with lists, and with lists of the detector's and an array of faces."""
    return [lambda: _check_curve(f(pred.copy(), true.copy(), decision.copy())), lambda: _check_curve(f(pred.tolist(), true.tolist(), decision.tolist())),
            lambda: _check_curve(f(pred.tolist(), true.copy(), decision.tolist()))]


def _passes(checks):
    try:
        one_of(checks)
    except Exception:
        return False
    return True


def _check_equal(f, pred, true):
    """With decisions cut to whole numbers, as the notebook shows what that does, many boxes are equally sure: they come and go together."""
    _, _, decision, hit, _ = staged_detections()
    whole = np.floor(decision * 4).astype(np.int32)
    again = [np.asarray(part, float).ravel() for part in curve(f(pred.copy(), true.copy(), whole.copy()))]
    first = [np.asarray(part, float).ravel() for part in curve(f(pred.copy(), true.copy(), decision.copy()))]
    require(not all(map(np.array_equal, again, first)), "asked about other decisions, it gives the curve of an earlier call again: keep nothing between calls")
    precision, recall, thresholds = again
    hit = _hits(pred, true, whole)
    inner = np.isfinite(thresholds) & (thresholds <= whole.max()) & (thresholds > -1e6)
    p, r = _points(thresholds[inner], whole, hit, len(true))
    bad = (np.abs(precision[inner] - p) > 1e-6) | (np.abs(recall[inner] - r) > 1e-6)
    if bad.any():
        k = int(np.argmax(bad))
        at = thresholds[inner][k]
        require(False, f"where several boxes have the same decision: at the threshold {at:g} {int((whole >= at).sum())} boxes are kept, "
                       f"{_unlike((p[k], r[k]), (precision[inner][k], recall[inner][k]))}. Boxes of equal decision come and go together: one point for each different "
                       "value, the last one of its boxes")


def _check_crowded(f, pred, true, decision):
    """With decisions that lie close together, as those of the many boxes that show no face: steps of equal width pass over them."""
    decision = np.where(decision < 0.5, decision / 1000, decision)
    thresholds = np.asarray(curve(f(pred.copy(), true.copy(), decision.copy()))[2], float).ravel()
    points = {int((decision >= t).sum()) for t in _snapped(thresholds, decision)}
    lost = [d for d in np.sort(decision) if int((decision >= d).sum()) not in points]
    require(not lost, f"of {len(decision)} decisions, six of which lie between 0 and 0.0005, {len(lost)} have no point of the curve, such as {lost[0]:.3g}: take the decisions themselves as "
                      "thresholds, every different one, not steps between the least and the greatest" if lost else "")


def _hits(pred, true, decision):
    """Which detections are hits, the surest first, those of equal decision in their order."""
    hit = np.zeros(len(pred), bool)
    hit[[k for _, k in _pairs(pred, true, np.argsort(-decision, kind="stable"))]] = True
    return hit


def _in_other_order(values, decision):
    """Which names the three answers should have, if they are not precision, recall, thresholds; None if they are."""
    def is_thresholds(value):
        return len(set(np.round(value, 6)) & set(np.round(decision, 6))) >= 3

    if is_thresholds(values[2]) or not any(map(is_thresholds, values[:2])):
        return None
    names = ("precision", "recall", "thresholds")
    _, _, _, hit, _ = staged_detections()
    for order in permutations(range(3)):
        named = dict(zip((names[k] for k in order), values))
        if not len(named["thresholds"]) == len(named["precision"]) == len(named["recall"]):
            return None
        named["thresholds"] = _snapped(named["thresholds"], decision)
        inner = np.isfinite(np.stack(values)).all(axis=0) & (named["thresholds"] <= decision.max())
        if inner.any():
            p, r = _points(named["thresholds"][inner], decision, hit, 10)
            if np.allclose(named["precision"][inner], p) and np.allclose(named["recall"][inner], r):
                return ", ".join(names[k] for k in order)
    return "thresholds before the end"


def _check_curve(answer):
    pred, true, decision, hit, alone = staged_detections()
    precision, recall, thresholds = (numbers(v, n).ravel() for v, n in zip(
        parts(answer, 3, "precision, recall, thresholds"), ("precision", "recall", "thresholds")))
    other = _in_other_order((precision, recall, thresholds), decision)
    require(other is None, f"the answers come in another order ({other}): return precision, recall, thresholds")
    require(len(precision) == len(recall), f"{len(precision)} precisions, but {len(recall)} recalls: a curve has one of each at every point")
    require(len(precision) <= MOST_POINTS, f"{len(precision)} points of the curve for {len(decision)} detections: one for every decision is enough")
    extra = len(precision) - len(thresholds)
    require(extra in (0, 1), f"{len(thresholds)} thresholds for {len(precision)} points of the curve: every point has one")
    if extra:  # one end point without a threshold
        rising = recall[0] <= recall[-1]
        precision, recall = (precision[1:], recall[1:]) if rising else (precision[:-1], recall[:-1])
    given, places = thresholds, len(thresholds) > 3 and np.isin(np.abs(np.diff(thresholds[np.isfinite(thresholds)])), 1).all()
    thresholds = _snapped(thresholds, decision)
    above = thresholds > decision.max()
    ends = np.column_stack([thresholds, recall, precision])[above]
    inner = np.isfinite(thresholds) & ~above & (thresholds > -1e6)
    precision, recall, thresholds = precision[inner], recall[inner], thresholds[inner]
    if len(set(np.round(thresholds, 6)) & set(np.round(decision, 6))) < 3:
        reason = ("they are places in a list; take the decisions that stand there" if places else
                  "they have been cut to whole numbers" if np.isin(thresholds, (0, 1)).all() else "take every value of the decision function as a threshold")
        require(len(thresholds) >= 10, f"the thresholds are {', '.join(f'{t:g}' for t in given[:4])} ..., the decisions go from 0.08 to 0.97: {reason}")
    if len(thresholds) > 1:
        steps = np.diff(thresholds)
        require((steps >= 0).all() or (steps <= 0).all(), "the thresholds do not rise or fall along the curve: "
                f"{', '.join(f'{t:.2f}' for t in thresholds[:5])} ...; sort the detections by their decision first")
    p, r = _points(thresholds, decision, hit, len(true))
    bad = (np.abs(precision - p) > 1e-6) | (np.abs(recall - r) > 1e-6)
    if bad.any():
        k = int(np.argmax(bad))
        kept = decision >= thresholds[k]
        require(False, f"at the threshold {thresholds[k]:.3g} {kept.sum()} box{'es are' if kept.sum() != 1 else ' is'} kept, {int((kept & hit).sum())} of them find one of the {len(true)} faces: "
                       f"{_unlike((p[k], r[k]), (precision[k], recall[k]))}. "
                       + _diagnose_curve(precision, recall, thresholds, decision, hit, alone, pred, true))
    kept = {int((decision >= t).sum()) for t in thresholds}
    lost = [float(d) for d in np.sort(decision) if int((decision >= d).sum()) not in kept]
    require(not lost, f"the curve has no point for the threshold {lost[0] if lost else 0:.3g}: every decision is a threshold, "
                      f"and the lowest of them keeps all {len(decision)} boxes")
    for t, r, p in ends:
        require(abs(r) < 1e-6 and -1e-6 < p < 1 + 1e-6, f"at the threshold {t:g} no box is kept, and so no face found: there the recall is 0 and the precision 1; got a recall of {r:g} and a "
                                                       f"precision of {p:g}")
