"""The checks of RegionDetector's patches and detector accept several right answers and name what is wrong with the wrong ones."""

import numpy as np
import pytest
from coursework import judged, rejected

from common.exercises.exercise import RIGHT
from common.scores import best_match, iou_score, precision_recall_curve
from RegionDetector import detector, samples
from RegionDetector.exercises import TASK

RNG = np.random.default_rng(7)


def box_maker(height=lambda s, b: s[0] - b[0] + 1, width=lambda s, b: s[1] - b[1] + 1, finish=lambda r, c, b: [r, c, r + b[0], c + b[1]],
              clear=samples.is_negative_bbox):
    def f(image_shape, bbox_size, true_bboxes):
        for _ in range(1000):
            row, col = int(RNG.integers(height(image_shape, bbox_size))), int(RNG.integers(width(image_shape, bbox_size)))
            if clear([row, col, row + bbox_size[0], col + bbox_size[1]], true_bboxes):
                return finish(row, col, bbox_size)
    return f


def two_parameters(image_shape, bbox_size):
    return [0, 0, *bbox_size]


BOX_RIGHT = {
    "list of ints": box_maker(),
    "float array": box_maker(finish=lambda r, c, b: np.array([r, c, r + b[0], c + b[1]], float)),
    "tuple, never the last row": box_maker(height=lambda s, b: s[0] - b[0], finish=lambda r, c, b: (r, c, r + b[0], c + b[1])),
    "reference": samples.gen_negative_bbox,
    "parameters by name only": lambda *, image_shape, bbox_size, true_bboxes: box_maker()(image_shape, bbox_size, true_bboxes),
}
BOX_WRONG = {
    "rows and columns swapped": (box_maker(height=lambda s, b: s[1] - b[1] + 1, width=lambda s, b: s[0] - b[0] + 1), "rows and columns are swapped"),
    "outside the photo": (box_maker(height=lambda s, b: s[0]), "outside"),
    "on the canvas": (box_maker(height=lambda s, b: 176 - b[0], width=lambda s, b: 176 - b[1]), "outside"),
    "touches faces": (box_maker(clear=lambda box, faces: True), "touches the face"),
    "only the first face": (box_maker(clear=lambda box, faces: samples.is_negative_bbox(box, faces[:1])), "is every face looked at"),
    "always the corner": (lambda s, b, t: [0, 0, b[0], b[1]], "draw it at random"),
    "corner, height, width": (box_maker(finish=lambda r, c, b: [r, c, b[0], b[1]]), "not a corner with a height and a width"),
    "sides swapped": (box_maker(width=lambda s, b: s[1] - b[0] + 1, finish=lambda r, c, b: [r, c, r + b[1], c + b[0]]), "swapped"),
    "no return": (lambda s, b, t: None, "returned None"),
    "raises": (lambda s, b, t: 1 / 0, "ZeroDivisionError"),
    "one parameter less": (two_parameters, "keep its parameters"),
    "ends inside": (box_maker(finish=lambda r, c, b: [r, c, r + b[0] - 1, c + b[1] - 1]), "another size"),
    "the same every time": (lambda s, b, t: samples.gen_negative_bbox(s, b, t, 0), "draw it at random"),
    "within the smaller side": (box_maker(height=lambda s, b: min(s[:2]) - b[0] + 1, width=lambda s, b: min(s[:2]) - b[1] + 1), "never drawn"),
}


def patches(cut=samples.cut, count=lambda n, i: None, boxes=samples.gen_negative_bbox, photos=len, answer=lambda p, n: (p, n),
            faces_of=lambda f, i: f[f[:, 0] == i, 1:], keep=lambda box, faces: True, shapes=lambda s: s, index=lambda i, n: i):
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None):
        positive = cut(images, true_bboxes)
        wanted, negative = len(true_bboxes) if negative_bbox_count is None else negative_bbox_count, []
        todo = count(wanted, images) if count(wanted, images) is not None else wanted
        while todo > 0:
            i = int(RNG.integers(photos(images)))
            box = boxes(shapes(image_shapes)[i], (32, 32), faces_of(true_bboxes, i))
            todo -= 1
            if box is None or not keep(box, faces_of(true_bboxes, i)):
                continue
            negative.append([index(i, len(images)), *box])
        return answer(positive, samples.cut(images, np.array(negative).reshape(-1, 5)))
    return f


def any_box(shape, size, faces):
    return samples.gen_negative_bbox(shape, size, np.zeros((0, 4)))


def resized(images, boxes):
    from skimage.transform import resize

    return [resize(images[int(i)][int(a) : int(c), int(b) : int(d)], (32, 32)) for i, a, b, c, d in boxes]


def resized_pair(images, true_bboxes, image_shapes, negative_bbox_count=None):
    positive, negative = samples.get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count)
    return resized(images, true_bboxes), [n / 255 for n in negative]


PATCH_RIGHT = {
    "reference": samples.get_positive_negative,
    "lists": patches(answer=lambda p, n: (list(p), list(n))),
    "resized, from 0 to 1": resized_pair,
    "from -1 to 1": lambda *a: tuple(p / 127.5 - 1 for p in samples.get_positive_negative(*a)),
    "with shifted copies": lambda *a: samples.get_positive_negative(*a, copies=1) if len(a) == 4 else samples.get_positive_negative(*a, copies=3),
}
PATCH_WRONG = {
    "count shrinks": (patches(boxes=any_box, keep=samples.is_negative_bbox), "negative patches"),
    "count divided by photos": (patches(count=lambda n, images: n // len(images) * len(images)), "negative patches"),
    "last photo never drawn": (patches(photos=lambda images: len(images) - 1), "the last one"),
    "touches faces": (patches(boxes=any_box), "shows part of a face"),
    "faces of another photo": (patches(faces_of=lambda f, i: f[f[:, 0] == 0, 1:]), "shows part of a face"),
    "into the black margin": (patches(shapes=lambda s: np.full_like(s, 176)), "black"),
    "returned the other way round": (patches(answer=lambda p, n: (n, p)), "positive, negative in this order"),
    "cuts with columns for rows": (patches(cut=lambda images, b: samples.cut(images, b[:, [0, 2, 1, 4, 3]])), "rows and columns are swapped"),
    "faces of the first photo only": (patches(cut=lambda images, b: samples.cut(images, b[b[:, 0] == 0])), "no positive patch shows"),
    "not all of one size": (patches(cut=lambda images, b: [images[int(k[0])][int(k[1]) : int(k[3]), int(k[2]) : int(k[4])] for k in b]), "different sizes"),
    "one answer": (patches(answer=lambda p, n: p), "2 answers"),
    "turned over": (patches(answer=lambda p, n: (p.transpose(0, 2, 1, 3), n.transpose(0, 2, 1, 3))), "turned over"),
    "blue first": (patches(answer=lambda p, n: (p[..., ::-1], n[..., ::-1])), "another order"),
    "one place": (patches(answer=lambda p, n: (p, n[[0] * len(n)])), "from one place"),
}


@pytest.mark.parametrize("name", BOX_RIGHT)
def test_gen_negative_bbox_right(name):
    assert judged(TASK, "gen_negative_bbox", BOX_RIGHT[name]).status == RIGHT, judged(TASK, "gen_negative_bbox", BOX_RIGHT[name])


@pytest.mark.parametrize("name", PATCH_RIGHT)
def test_get_positive_negative_right(name):
    assert str(judged(TASK, "get_positive_negative", PATCH_RIGHT[name])) == "get_positive_negative: right"


@pytest.mark.parametrize("name", BOX_WRONG)
def test_gen_negative_bbox_wrong(name):
    rejected(TASK, "gen_negative_bbox", *BOX_WRONG[name])


@pytest.mark.parametrize("name", PATCH_WRONG)
def test_get_positive_negative_wrong(name):
    rejected(TASK, "get_positive_negative", *PATCH_WRONG[name])


# --- detector ---


def finder(moved=0.0, stride=4, white=1, peaks=True, box=lambda i, r, c: [i, r, c, r + 32, c + 32], decide=float, answer=lambda b, d: (b, d), maximum=None):
    def f(fcnn_model, images, image_shapes):
        from skimage.feature import peak_local_max

        maps = np.asarray(fcnn_model.predict(np.asarray(images, np.float32) / white, verbose=0))[..., 1]
        boxes, decision = [], []
        for i, heat in enumerate(maps):
            cells = (maximum or (lambda m: peak_local_max(m, min_distance=2, threshold_abs=-1)))(heat) if peaks else np.argwhere(heat > -np.inf)
            for r, c in cells:
                boxes.append(box(i, r * stride + moved, c * stride + moved))
                decision.append(decide(heat[r, c]))
        return answer(boxes, decision)
    return f


def by_hand(heat):
    inner = heat[1:-1, 1:-1]
    greatest = np.all([inner >= heat[1 + a : heat.shape[0] - 1 + a, 1 + b : heat.shape[1] - 1 + b] for a in (-1, 0, 1) for b in (-1, 0, 1)], axis=0)
    return np.argwhere(greatest & (inner > 0)) + 1


def not_less(heat):
    """Every cell that no neighbour exceeds: also those where all are equal, in the black margin."""
    from scipy.ndimage import maximum_filter

    return np.argwhere(maximum_filter(heat, 5) == heat)


FIND_RIGHT = {"not less than its neighbours": finder(maximum=not_less), "for a network of pixels from 0 to 1": finder(white=255), "reference": detector.get_bboxes_and_decision_function, "scikit-image, lists": finder(),
              "peaks by hand, arrays": finder(maximum=by_hand, answer=lambda b, d: (np.array(b), np.array(d)))}
FIND_WRONG = {
    "half a window off": (finder(moved=-16), "half a window"),
    "half a window off, down": (finder(moved=16), "half a window"),
    "rows and columns swapped": (finder(box=lambda i, r, c: [i, c, r, c + 32, r + 32]), "swapped"),
    "cells for pixels": (finder(stride=1), "map cells are not pixels"),
    "the map as a smaller photo": (finder(stride=176 / 37), "a step on the map is 4 pixels"),
    "no photo index": (finder(box=lambda i, r, c: [r, c, r + 32, c + 32]), "rows of 5 numbers"),
    "always photo 0": (finder(box=lambda i, r, c: [0, r, c, r + 32, c + 32]), "photo"),
    "every cell": (finder(peaks=False), "keep only those cells"),
    "the other sign": (finder(decide=lambda v: -float(v)), "surer boxes"),
    "whole numbers": (finder(decide=lambda v: int(v > 0)), "surer boxes"),
    "corner, height, width": (finder(box=lambda i, r, c: [i, r, c, 32, 32]), "not a corner"),
    "no decision": (finder(answer=lambda b, d: np.array(b)), "2 answers"),
    "nothing found": (finder(answer=lambda b, d: ([], [])), "no box at all"),
}


@pytest.mark.parametrize("name", FIND_RIGHT)
def test_get_bboxes_right(name):
    assert str(judged(TASK, "get_bboxes_and_decision_function", FIND_RIGHT[name])) == "get_bboxes_and_decision_function: right"


@pytest.mark.parametrize("name", FIND_WRONG)
def test_get_bboxes_wrong(name):
    rejected(TASK, "get_bboxes_and_decision_function", *FIND_WRONG[name])


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


def own_match(photos=True, first=False, order=lambda d: np.argsort(-d), least=0.1):
    """Precision and recall with a matching of the student's own."""
    def f(pred, true, decision):
        pred, true, decision, hit, taken = np.asarray(pred), np.asarray(true), np.asarray(decision), [], set()
        order_of_match = order(decision)
        for k in order_of_match:
            those = [j for j in range(len(true)) if not photos or true[j][0] == pred[k][0]][: 1 if first else None]
            free = [j for j in those if j not in taken and iou_score(pred[k][1:], true[j][1:]) > least]
            taken.update(free[:1])
            hit.append(bool(free))
        hits = np.empty(len(pred), bool)
        hits[order_of_match] = hit
        falling = np.argsort(-decision)
        found = np.cumsum(hits[falling])
        return found / np.arange(1, len(pred) + 1), found / len(true), decision[falling]
    return f


CURVE_RIGHT = {
    "for lists only": of_lists,
    "matched by hand": own_match(),
    "reference": precision_recall_curve,
    "a match for every threshold": slow_curve(),
    "falling thresholds, lists": slow_curve(change=lambda p, r, t: (p[::-1].tolist(), r[::-1].tolist(), t[::-1].tolist())),
    "end point without threshold": slow_curve(change=lambda p, r, t: (np.append(p, 1), np.append(r, 0), t)),
}
CURVE_WRONG = {
    "duplicates as hits": (slow_curve(together=False), "second box on the same face"),
    "swapped": (slow_curve(change=lambda p, r, t: (r, p, t)), "precision and recall are swapped"),
    "thresholds the other way": (slow_curve(change=lambda p, r, t: (p, r, t[::-1])), "the thresholds run one way and the curve the other"),
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
    "a million points": (lambda p, t, d: (np.ones(10**6),) * 3, "one for every decision"),
}


@pytest.mark.parametrize("name", CURVE_RIGHT)
def test_precision_recall_curve_right(name):
    assert str(judged(TASK, "precision_recall_curve", CURVE_RIGHT[name])) == "precision_recall_curve: right"


@pytest.mark.parametrize("name", CURVE_WRONG)
def test_precision_recall_curve_wrong(name):
    rejected(TASK, "precision_recall_curve", *CURVE_WRONG[name])


def last_enough(thresholds, recall):
    for t, r in sorted(zip(thresholds, recall), reverse=True):
        if r >= 0.85:
            return np.float32(t)


THRESHOLD_RIGHT = {"for lists only": lambda t, r: t[r.index([x for x in r if x >= 0.85][-1])], "reference": detector.get_threshold, "in a loop": last_enough, "for rising thresholds": lambda t, r: t[r >= 0.85][-1],
                   "for falling thresholds": lambda t, r: t[r >= 0.85][0]}
THRESHOLD_WRONG = {
    "the other side": (lambda t, r: t[r < 0.85].min() if (r < 0.85).any() else t[-1], "the other side"),
    "nearest": (lambda t, r: t[np.argmin(np.abs(r - 0.85))], "the other side"),
    "> for >=": (lambda t, r: t[r > 0.85].max(), ">= instead of >"),
    "the lowest": (lambda t, r: t.min(), "A greater threshold"),
    "its place": (lambda t, r: int(np.sum(r >= 0.85)) - 1, "the place of the threshold"),
    "a recall": (lambda t, r: r[r >= 0.85].min(), "recall, not a threshold"),
    "several": (lambda t, r: t[r >= 0.85], "expected one number"),
    "in between": (lambda t, r: np.interp(0.85, r[::-1], t[::-1]), "not one in between"),
}


@pytest.mark.parametrize("name", THRESHOLD_RIGHT)
def test_get_threshold_right(name):
    assert str(judged(TASK, "get_threshold", THRESHOLD_RIGHT[name])) == "get_threshold: right"


@pytest.mark.parametrize("name", THRESHOLD_WRONG)
def test_get_threshold_wrong(name):
    rejected(TASK, "get_threshold", *THRESHOLD_WRONG[name])


def detecting(keep=np.greater_equal, alone=lambda b, d: b, both=lambda b, d: (b, d)):
    def f(fcnn_model, images, image_shapes, threshold, return_decision=True):
        boxes, decision = detector.get_bboxes_and_decision_function(fcnn_model, images, image_shapes)
        kept = keep(decision, threshold)
        return both(boxes[kept], decision[kept]) if return_decision else alone(boxes[kept], decision[kept])
    return f


DETECT_RIGHT = {"other names": lambda net, pics, sizes, least, decisions=True: detecting()(net, pics, sizes, least, decisions), "reference": detector.detect, "lists": detecting(both=lambda b, d: (b.tolist(), d.tolist())),
                "the surest first": detecting(both=lambda b, d: (b[np.argsort(-d)], d[np.argsort(-d)]), alone=lambda b, d: [tuple(x) for x in b])}
DETECT_WRONG = {
    "> for >=": (detecting(np.greater), ">= instead of >"),
    "the other side": (detecting(np.less), "below the threshold"),
    "no threshold": (detecting(lambda d, t: d > -np.inf), "not used"),
    "always both": (detecting(alone=lambda b, d: (b, d)), "only the boxes"),
    "never both": (detecting(both=lambda b, d: b), "2 answers"),
    "out of step": (detecting(both=lambda b, d: (b, d[::-1]) if len(d) > 1 else (b, d)), "in step"),
}


@pytest.mark.parametrize("name", DETECT_RIGHT)
def test_detect_right(name):
    assert str(judged(TASK, "detect", DETECT_RIGHT[name])) == "detect: right"


@pytest.mark.parametrize("name", DETECT_WRONG)
def test_detect_wrong(name):
    rejected(TASK, "detect", *DETECT_WRONG[name])


def test_enough_wrong_answers():
    import test_checks_networks as networks
    import test_checks_optional as optional

    kinds = (BOX_WRONG, PATCH_WRONG, FIND_WRONG, CURVE_WRONG, THRESHOLD_WRONG, DETECT_WRONG, networks.MODEL_WRONG, networks.FCNN_WRONG, networks.COPY_WRONG,
             optional.MINE_WRONG, optional.SCALE_WRONG)
    assert len(kinds) == len(TASK.exercises) and all(len(kind) >= 5 for kind in kinds) and sum(map(len, kinds)) >= 60
