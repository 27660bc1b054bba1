"""The checks of curve and threshold accept several right answers and name what is wrong with the wrong ones."""

import re

import numpy as np
import pytest
from coursework import judged, rejected

from common.exercises.exercise import RIGHT
from common.scores import best_match, iou_score, precision_recall_curve
from RegionDetector import detector
from RegionDetector.exercises import TASK


def slow_curve(keep=np.greater_equal, together=True, change=lambda p, r, t: (p, r, t), total=lambda true, pred: len(true), order=np.unique, as_int=False):
    def f(pred_bboxes, true_bboxes, decision_function):
        pred, decision = np.asarray(pred_bboxes), np.asarray(decision_function)
        decision = decision.astype(int) if as_int else decision
        precision, recall, thresholds = [], [], order(decision)
        for t in thresholds:
            kept = keep(decision, t)
            if together:
                hits = len(best_match(pred[kept], true_bboxes, decision[kept])[0])
            else:
                hits = sum(len(best_match(pred[[k]], true_bboxes, decision[[k]])[0]) for k in np.flatnonzero(kept))
            precision.append(hits / kept.sum() if kept.any() else 1.0)
            recall.append(hits / total(true_bboxes, pred))
        return change(np.array(precision), np.array(recall), np.array(thresholds))
    return f


def of_lists(pred_bboxes, true_bboxes, decision_function):
    """Made for the lists that the student's own detector gives."""
    pairs = [[d] + box for d, box in sorted(zip(decision_function, pred_bboxes))]
    points = []
    for k in range(len(pairs)):
        hits, missed, false = best_match([p[1:] for p in pairs[k:]], true_bboxes, [p[0] for p in pairs[k:]])
        points.append((len(hits) / (len(hits) + len(false)), len(hits) / (len(hits) + len(missed)), pairs[k][0]))
    return tuple(map(list, zip(*points)))


def own_match(photos=True, first=False, order=lambda d: np.argsort(-d), least=0.1, iou=iou_score, faces=lambda numbers: numbers):
    """Precision and recall with a matching of the student's own."""
    def f(pred, true, decision):
        pred, true, decision, hit, taken = np.asarray(pred), np.asarray(true), np.asarray(decision), [], set()
        order_of_match = order(decision)
        for k in order_of_match:
            those = [j for j in faces(range(len(true))) if not photos or true[j][0] == pred[k][0]][: 1 if first else None]
            free = [j for j in those if j not in taken and iou(pred[k][1:], true[j][1:]) > least]
            taken.update(free[:1])
            hit.append(bool(free))
        hits = np.empty(len(pred), bool)
        hits[order_of_match] = hit
        falling = np.argsort(-decision)
        found = np.cumsum(hits[falling])
        return found / np.arange(1, len(pred) + 1), found / len(true), decision[falling]
    return f


def in_a_loop(pred_bboxes, true_bboxes, decision_function):
    """Box by box, the surest first; a point where the next one is less sure."""
    hits, found, points = {box for _, box in best_match(pred_bboxes, true_bboxes, decision_function)[0]}, 0, []
    order = sorted(range(len(pred_bboxes)), key=lambda k: -decision_function[k])
    for n, k in enumerate(order, 1):
        found += k in hits
        if n == len(order) or decision_function[order[n]] < decision_function[k]:
            points.append((found / n, found / len(true_bboxes), decision_function[k]))
    return [np.array(part)[::-1] for part in zip(*points)]


def sorts_in_place(pred_bboxes, true_bboxes, decision_function):
    decision_function.sort()
    return precision_recall_curve(pred_bboxes, true_bboxes, decision_function)


def pairs_for_boxes(pred, true, decision):
    hit = np.zeros(max(len(pred), len(true)), bool)
    hit[[face for face, _ in best_match(pred, true, decision)[0]]] = True
    order = np.argsort(-decision)
    found = np.cumsum(hit[order])
    return found / np.arange(1, len(pred) + 1), found / len(true), decision[order]


def weakest_first(pred, true, decision):
    hit = np.zeros(len(pred), bool)
    hit[[box for _, box in best_match(pred, true, decision)[0]]] = True
    found = np.cumsum(hit[np.argsort(decision)])
    return found / np.arange(1, len(pred) + 1), found / len(true), np.sort(decision)


def broadcast(pred, gt, conf):
    hit = np.isin(np.arange(len(pred)), [box for _, box in best_match(pred, gt, conf)[0]])
    kept = conf >= np.unique(conf)[:, None]
    found = (kept & hit).sum(axis=1)
    return np.r_[found / kept.sum(axis=1), 1], np.r_[found / len(gt), 0], np.r_[np.unique(conf), np.inf]


def with_scikit_learn(pred_bboxes, true_bboxes, decision_function):
    from sklearn import metrics

    hit = np.isin(np.arange(len(pred_bboxes)), [box for _, box in best_match(pred_bboxes, true_bboxes, decision_function)[0]])
    precision, recall, thresholds = metrics.precision_recall_curve(hit, decision_function)
    return precision, recall * hit.sum() / len(true_bboxes), thresholds


def columns_of_a_table(pred_bboxes, true_bboxes, decision_function):
    """Grouped by the decision, which is then the index: what is asked for by its place is not there."""
    import pandas

    hits = {box for _, box in best_match(pred_bboxes, true_bboxes, decision_function)[0]}
    boxes = pandas.DataFrame({"sure": decision_function, "hit": [k in hits for k in range(len(pred_bboxes))]})
    kept = boxes.groupby("sure").hit.agg(["sum", "count"])[::-1].cumsum()[::-1]
    return kept["sum"] / kept["count"], kept["sum"] / len(true_bboxes), kept.index


def from_a_generator(pred_bboxes, true_bboxes, decision_function):
    def points():
        for t in sorted(set(decision_function.tolist())):
            kept = decision_function >= t
            hits = len(best_match(pred_bboxes[kept], true_bboxes, decision_function[kept])[0])
            yield hits / kept.sum(), hits / len(true_bboxes), t

    return tuple(zip(*points()))


def in_type(kind, f=precision_recall_curve):
    """As a detector answers, in float32: the threshold is then another number than the decision in float64, mostly a greater one."""
    return lambda pred_bboxes, true_bboxes, decision_function: f(pred_bboxes, true_bboxes, np.asarray(decision_function, kind))


CURVE_RIGHT = {
    "float32": in_type(np.float32),
    "float32, the surest first": in_type(np.float32, slow_curve(change=lambda p, r, t: (p[::-1], r[::-1], t[::-1]))),
    "float32 in a loop": in_type(np.float32, in_a_loop),
    "float32 with scikit-learn": in_type(np.float32, with_scikit_learn),
    "thresholds of seven digits": slow_curve(change=lambda p, r, t: (p, r, [float(f"{x + 4e-8:.7f}") for x in t])),
    "broadcast": broadcast,
    "scikit-learn": with_scikit_learn,
    "from a generator": from_a_generator,
    "columns of a table": columns_of_a_table,
    "in a loop": in_a_loop,
    "reference": precision_recall_curve,
    "a match for every threshold": slow_curve(),
    "falling thresholds, lists": slow_curve(change=lambda p, r, t: (p[::-1].tolist(), r[::-1].tolist(), t[::-1].tolist())),
    "end point without threshold": slow_curve(change=lambda p, r, t: (np.append(p, 1), np.append(r, 0), t)),
}
CURVE_OLD = {"for lists only": of_lists, "equal decisions one by one": own_match()}
CURVE_WRONG = {
    "for lists only": (of_lists, "right for lists"),
    "equal decisions one by one": (own_match(), "come and go together"),
    "thresholds first": (slow_curve(change=lambda p, r, t: (t, p, r)), "come in another order (thresholds, precision, recall)"),
    "thresholds in the middle": (slow_curve(change=lambda p, r, t: (p, t, r)), "come in another order (precision, thresholds, recall)"),
    "pairs of best_match the other way round": (pairs_for_boxes, "the first was taken for the box"),
    "the weakest first": (weakest_first, "sort by falling decision"),
    "sorted in place": (sorts_in_place, "changes `decision_function` in place"),
    "duplicates as hits": (slow_curve(together=False), "second box on the same face"),
    "thresholds a little above": (slow_curve(change=lambda p, r, t: (p, r, t + 1e-4)), "boxes are kept"),
    "thresholds a little above, in float32": (in_type(np.float32, slow_curve(change=lambda p, r, t: (p, r, t + np.float32(1e-5)))), "boxes are kept"),
    "float32 in another order": (in_type(np.float32, slow_curve(change=lambda p, r, t: (t, p, r))), "come in another order (thresholds, precision, recall)"),
    "float32, > for >=": (in_type(np.float32, slow_curve(keep=np.greater)), ">= instead of >"),
    "halves of floats": (slow_curve(change=lambda p, r, t: (p.astype(np.float16), r, t)), "have been rounded"),
    "swapped": (slow_curve(change=lambda p, r, t: (r, p, t)), "Precision and recall are swapped"),
    "thresholds the other way": (slow_curve(change=lambda p, r, t: (p, r, t[::-1])), "The thresholds run one way and the curve the other"),
    "not sorted": (slow_curve(order=np.asarray), "sort the detections"),
    "> for >=": (slow_curve(keep=np.greater), ">= instead of >"),
    "recall among detections": (slow_curve(total=lambda true, pred: len(pred)), "share of all"),
    "photos without detection forgotten": (slow_curve(total=lambda true, pred: int(np.isin(true[:, 0], pred[:, 0]).sum())), "share of all"),
    "whole numbers": (slow_curve(as_int=True), "whole numbers"),
    "two answers": (slow_curve(change=lambda p, r, t: (p, r)), "3 answers"),
    "faces of other photos": (own_match(photos=False), "faces of other photos"),
    "the first face of a photo": (own_match(first=True), "first face of its photo"),
    "in the order given": (own_match(order=lambda d: np.arange(len(d))), "by falling decision"),
    "IoU 0.5": (own_match(least=0.5), "here more is asked for"),
    "the end as if all were found": (slow_curve(change=lambda p, r, t: (np.append(p, 0), np.append(r, 1), np.append(t, np.inf))), "no box is kept, and so no face found"),
    "a precision above 1": (slow_curve(change=lambda p, r, t: (np.append(p, 2), np.append(r, 0), np.append(t, np.inf))), "no box is kept, and so no face found"),
    "IoU 0.2": (own_match(least=0.2), "or the IoU comes out too small"),
    "what is shared counted twice": (own_match(iou=lambda a, b: 1 / (1 / iou_score(a, b) + 1) if iou_score(a, b) else 0), "or the IoU comes out too small"),
    "IoU 0.07": (own_match(least=0.065), "or the IoU comes out too great"),
    "the last face forgotten": (own_match(faces=lambda numbers: numbers[:-1]), "one of the 10 faces"),
    "the first face forgotten": (own_match(faces=lambda numbers: numbers[1:]), "one of the 10 faces"),
    "a million points": (lambda p, t, d: (np.ones(10**6),) * 3, "one for every decision"),
}


@pytest.mark.parametrize("name", CURVE_RIGHT)
def test_precision_recall_curve_right(name):
    assert str(judged(TASK, "precision_recall_curve", CURVE_RIGHT[name])) == "precision_recall_curve: right"


@pytest.mark.parametrize("name", CURVE_WRONG)
def test_precision_recall_curve_wrong(name):
    rejected(TASK, "precision_recall_curve", *CURVE_WRONG[name])


@pytest.mark.parametrize("digits", [3, 4, 5])
def test_numbers_that_differ_look_different(digits):
    answer = judged(TASK, "precision_recall_curve", slow_curve(change=lambda p, r, t: (p.round(digits), r.round(digits), t)))
    right, got = re.search(r"precision (\S+) and recall \S+; got (\S+) and", answer.message).groups()
    assert right != got and abs(float(right) - float(got)) < 10.0**-digits and "every digit counts" in answer.message


def last_enough(thresholds, recall):
    for t, r in sorted(zip(thresholds, recall), reverse=True):
        if r >= 0.85:
            return np.float32(t)


def falling(pred_bboxes, true_bboxes, decision_function):
    return tuple(part[::-1] for part in precision_recall_curve(pred_bboxes, true_bboxes, decision_function))


def lists(pred_bboxes, true_bboxes, decision_function):
    return tuple(part.tolist() for part in precision_recall_curve(pred_bboxes, true_bboxes, decision_function))


def of_a_table(thresholds, recall):
    import pandas

    table = pandas.DataFrame({"threshold": thresholds, "recall": recall})
    return table.loc[table.recall >= 0.85, "threshold"].max()


def sorted_in_place(thresholds, recall):
    recall.sort()
    return thresholds[::-1][recall >= 0.85][0]


# what is right for the curve of the reference, for a curve of one's own that falls, and for one in lists
THRESHOLD_RIGHT = {"reference": (detector.get_threshold, None), "in a loop": (last_enough, None), "for rising thresholds": (lambda t, r: t[r >= 0.85][-1], None),
                   "a comprehension": (lambda th, rec: max(t for t, r in zip(th, rec) if r >= 0.85), None), "a masked array": (lambda t, r: np.ma.masked_where(r < 0.85, t).max(), None),
                   "a table": (of_a_table, None), "an array of one": (lambda t, r: t[r >= 0.85][-1:], None), "argmax": (lambda t, r: t[len(r) - 1 - np.argmax(r[::-1] >= 0.85)], None),
                   "searchsorted": (lambda t, r: t[np.searchsorted(-r, -0.85, side="right") - 1], None),
                   "for falling thresholds": (lambda t, r: t[r >= 0.85][0], falling), "the first that is enough": (lambda t, r: t[np.argmax(r >= 0.85)], falling),
                   "for lists": (lambda t, r: t[len(r) - 1 - r[::-1].index([x for x in r if x >= 0.85][-1])], lists)}
THRESHOLD_WRONG = {
    "the first of a falling curve": (lambda t, r: t[np.argmax(r >= 0.85)], "right for a curve that runs the other way"),
    "for falling thresholds": (lambda t, r: t[r >= 0.85][0], "right for a curve that runs the other way"),
    "for lists only": (lambda t, r: t[r.index([x for x in r if x >= 0.85][-1])], "has no attribute 'index'"),
    "sorted in place": (sorted_in_place, "changes"),
    "the median": (lambda t, r: np.median(t[:-1]), "the answer should be"),
    "the other side": (lambda t, r: t[r < 0.85].min() if (r < 0.85).any() else t[-1], "the other side"),
    "nearest": (lambda t, r: t[np.argmin(np.abs(r - 0.85))], "the other side"),
    "> for >=": (lambda t, r: t[r > 0.85].max(), ">= instead of >"),
    "the lowest": (lambda t, r: t.min(), "A greater threshold"),
    "never below 0": (lambda t, r: max([0.0, *t[r >= 0.85]]), "Thresholds may lie below 0"),
    "its place": (lambda t, r: int(np.sum(r >= 0.85)) - 1, "the place of the threshold"),
    "a recall": (lambda t, r: r[r >= 0.85].min(), "recall, not a threshold"),
    "several": (lambda t, r: t[r >= 0.85], "expected one number"),
    "in between": (lambda t, r: np.interp(0.85, r[::-1], t[::-1]), "not one in between"),
}


@pytest.mark.parametrize("name", THRESHOLD_RIGHT)
def test_get_threshold_right(name):
    f, curve = THRESHOLD_RIGHT[name]
    assert str(judged(TASK, "get_threshold", f, **({"precision_recall_curve": curve} if curve else {}))) == "get_threshold: right"
    assert judged(TASK, "get_threshold", f, lenient=True).status == RIGHT


@pytest.mark.parametrize("name", CURVE_OLD)
def test_precision_recall_curve_of_the_published_course(name):
    assert judged(TASK, "precision_recall_curve", CURVE_OLD[name], lenient=True).status == RIGHT


@pytest.mark.parametrize("name", THRESHOLD_WRONG)
def test_get_threshold_wrong(name):
    rejected(TASK, "get_threshold", *THRESHOLD_WRONG[name])


def test_enough_wrong_answers():
    import test_checks_copying as copies
    import test_checks_detector as finding
    import test_checks_networks as networks
    import test_checks_optional as optional
    import test_checks_patches as patches

    kinds = (patches.BOX_WRONG, patches.PATCH_WRONG, finding.FIND_WRONG, CURVE_WRONG, THRESHOLD_WRONG, finding.DETECT_WRONG, networks.MODEL_WRONG, networks.FCNN_WRONG, copies.COPY_WRONG,
             optional.MINE_WRONG, optional.SCALE_WRONG)
    assert len(kinds) == len(TASK.exercises) and all(len(kind) >= 5 for kind in kinds) and sum(map(len, kinds)) >= 60
