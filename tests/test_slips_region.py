"""Slips in RegionDetector's exercises that look right at first: each is named, and nothing is said of it that is not true."""

import numpy as np
import pytest
import test_checks_copying as copies
import test_checks_curves as curves
import test_checks_detector as finding
import test_checks_networks as networks
from coursework import judged, rejected

from common.scores import best_match, iou_score
from RegionDetector import detector, samples
from RegionDetector.exercises import TASK

# --- boxes and patches ---


def drawn(box, most=1, clear=samples.is_negative_bbox):
    """A random box by `box(row, col, height, width)`, with corners up to `most` beyond the last one."""
    def f(image_shape, bbox_size, true_bboxes, rng=None):
        rng = np.random.default_rng(rng)
        while True:
            row, col = rng.integers(image_shape[0] - bbox_size[0] + most), rng.integers(image_shape[1] - bbox_size[1] + most)
            if clear([row, col, row + bbox_size[0], col + bbox_size[1]], true_bboxes):
                return box(row, col, bbox_size, image_shape)
    return f


def whole(r, c, b, s):
    return [r, c, r + b[0], c + b[1]]


BOXES = {
    "faces with columns first": (drawn(whole, clear=lambda box, faces: samples.is_negative_bbox(box, np.reshape(faces, (-1, 4))[:, [1, 0, 3, 2]])), "with rows and columns swapped"),
    "faces of a corner and sides": (drawn(whole, clear=lambda box, faces: samples.is_negative_bbox(box, np.array([[*f[:2], *(f[:2] + f[2:])] for f in faces]))), "a height and a width"),
    "clear of any face": (lambda image_shape, bbox_size, true_bboxes, rng=None: next((box for box in [drawn(whole)(image_shape, bbox_size, [], rng)] if any(
        iou_score(box, face) < 0.1 for face in true_bboxes)), None), "true_bboxes is empty"),
    "one row too far": (drawn(whole, 2), "it reaches outside"),
    "columns first": (drawn(lambda r, c, b, s: [c, r, c + b[1], r + b[0]]), "rows and columns are swapped"),
    "shares of the photo": (drawn(lambda r, c, b, s: [r / s[0], c / s[1], (r + b[0]) / s[0], (c + b[1]) / s[1]]), "in pixels, not in shares"),
    "randint of a generator": (lambda image_shape, bbox_size, true_bboxes, rng=None: [np.random.default_rng(rng).randint(9)] * 4, "rng.integers, not randint"),
    "faces without their first number": (lambda image_shape, bbox_size, true_bboxes, rng=None: (
        [box for box in [drawn(whole)(image_shape, bbox_size, [], rng)] if all(iou_score(box, face[1:]) < 0.1 for face in true_bboxes)] or [None])[0], "that has no image index in front"),
    "a course box": (drawn(lambda r, c, b, s: [0, *whole(r, c, b, s)]), "expected four numbers"),
    "text": (drawn(lambda r, c, b, s: " ".join(map(str, whole(r, c, b, s)))), "expected numbers, got str"),
    "text for each number": (drawn(lambda r, c, b, s: list(map(str, whole(r, c, b, s)))), "expected numbers, got list"),
}


def cut(positive=samples.cut, answer=lambda p, n: (p, n), count=lambda asked, faces: asked or faces):
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
        _, negative = samples.get_positive_negative(images, true_bboxes, image_shapes, count(negative_bbox_count, len(true_bboxes)), rng=rng)
        return answer(np.asarray(positive(images, true_bboxes)), negative)
    return f


def growing(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None, positive=[], negative=[]):  # noqa: B006
    faces, others = samples.get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count, rng=rng)
    positive.extend(faces)
    negative.extend(others)
    return np.array(positive), np.array(negative)


def negative(faces=lambda boxes, i: boxes[boxes[:, 0] == i, 1:], at=lambda i, box: (i, *box)):
    """Negative patches for which something else is handed over, or cut."""
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
        rng, found = np.random.default_rng(rng), []
        while len(found) < (negative_bbox_count or len(true_bboxes)):
            i = int(rng.integers(len(images)))
            box = samples.gen_negative_bbox(image_shapes[i], (32, 32), faces(true_bboxes, i), rng)
            found += [at(i, box)] if box is not None else []
        return samples.cut(images, true_bboxes), samples.cut(images, np.array(found) % [len(images), *[1000] * 4])
    return f


PATCHES = {
    "the faces of all photos": (negative(faces=lambda boxes, i: boxes[:, 1:]), "the faces of that photo alone"),
    "negative ones with columns for rows": (negative(at=lambda i, box: (i, *np.array(box)[[1, 0, 3, 2]])), "cut with columns for rows"),
    "out of the photo after it": (negative(at=lambda i, box: (i + 1, *box)), "for another photo than it is cut from"),
    "mirrored": (cut(answer=lambda p, n: (p[:, :, ::-1], n)), "positive patches are mirrored"),
    "negative ones turned over": (cut(answer=lambda p, n: (p, n.transpose(0, 2, 1, 3))), "negative patches are turned over"),
    "bytes with a sign": (cut(answer=lambda p, n: (p.astype(np.int8), n.astype(np.int8))), "whole numbers of 8 bits with a sign"),
    "grey": (cut(answer=lambda p, n: tuple(x.mean(axis=-1, keepdims=True).repeat(3, axis=-1) for x in (p, n))), "patches are grey"),
    "less their mean": (cut(answer=lambda p, n: (p - p.mean(), n - n.mean())), "leave the pixels from 0 to 255"),
    "photos counted from 1": (cut(positive=lambda images, b: samples.cut(images, np.column_stack([(b[:, 0] + 1) % len(images), b[:, 1:]]))), "in another photo"),
    "from the corners of the boxes": (cut(positive=lambda images, b: samples.cut(images, np.column_stack([b[:, :3], b[:, 1:3] + 32]))), "begin at the corners of the boxes"),
    "the count is not used": (cut(count=lambda asked, faces: faces), "negative_bbox_count is not used"),
    "grows from call to call": (growing, "begin with new lists in every call"),
    "generators": (cut(answer=lambda p, n: (iter(p), iter(n))), "expected an array (N, 32, 32, 3)"),
    "channels first": (cut(answer=lambda p, n: (p.transpose(0, 3, 1, 2), n.transpose(0, 3, 1, 2))), "got (30, 3, 32, 32)"),
}

# --- networks ---

ONE = {}


def always_one(make):
    return lambda shape: ONE.setdefault((make, tuple(shape)), make(shape))


def convolutions(strides=1, pool="MaxPooling2D", softmax=None, pooled=False):
    """Beside `networks.classifier()`."""
    def f(image_shape):
        import keras
        from keras import layers

        stack = [keras.Input(image_shape), layers.Rescaling(1 / 255)]
        for n in (8, 16):
            stack += [layers.Conv2D(n, 3, padding="same", activation="relu"), getattr(layers, pool)(2)]
        stack += [layers.Conv2D(16, 8, strides=strides, activation="relu"), layers.Conv2D(2, 1)]
        return keras.Sequential([*stack, *([layers.Softmax(axis=softmax)] if softmax else []), *([layers.GlobalAveragePooling2D()] if pooled else [])])
    return f


MODELS = {
    "the same network every time": (always_one(networks.classifier()), "new layers in every call"),
    "softplus at the end": (networks.classifier("softplus"), "relu or the like, which never goes below 0"),
    "a class": (lambda shape: dict, "expected a network, got the class"),
    "with its history": (lambda shape: (networks.classifier()(shape), None), "should return a Keras model, got tuple"),
}
FCNNS = {
    "a window every 8 pixels": (convolutions(strides=2), "expected about 37 x 37"),
    "the mean for the greatest": (convolutions(pool="AveragePooling2D"), "every pooling"),
    "softmax over the rows": (convolutions(softmax=1), "over the two channels"),
    "pooled to one answer": (convolutions(pooled=True), "no global pooling"),
    "the same network every time": (always_one(convolutions()), "new layers in every call"),
}


def zeroes_the_classifier(base_model, fcnn_model):
    copies.copy_in_a_loop(base_model, fcnn_model)
    base_model.set_weights([0 * w for w in base_model.get_weights()])


def into_a_list(base_model, fcnn_model):
    for k, weight in enumerate(base_model.get_weights()):
        fcnn_model.get_weights()[k] = weight.reshape(fcnn_model.get_weights()[k].shape)


COPIES = {
    "two digits": (copies.copying(lambda good, old, new: [w.round(2) for w in good]), "every digit counts"),
    "half precision": (copies.copying(lambda good, old, new: [w.astype(np.float16) for w in good]), "every digit counts"),
    "zeroes the classifier": (zeroes_the_classifier, "change fcnn_model alone"),
    "into a list that nobody keeps": (into_a_list, "fcnn_model.set_weights"),
    "kernels turned round": (copies.copying(lambda good, old, new: [w[::-1, ::-1] if w.ndim == 4 else w for w in good]), "in the wrong order"),
}

# --- detector ---


def seen(look=lambda maps: maps, photos=lambda images: images, change=lambda boxes, decision: (boxes, decision), **how):
    """The finder of the other tests with something else for its maps, its photos or its answer."""
    def f(fcnn_model, images, image_shapes, box_shape=(32, 32)):
        class Network:
            def predict(self, x, verbose=0):
                return look(np.asarray(fcnn_model.predict(photos(np.asarray(x)), verbose=0)))

        boxes, decision = finding.finder(**how)(Network(), images, image_shapes, box_shape)
        return change(np.array(boxes), np.array(decision))
    return f


def of_each_photo(boxes, decision):
    for n in np.unique(boxes[:, 0]):
        mine = boxes[:, 0] == n
        decision[mine] = (decision[mine] - decision[mine].min()) / np.ptp(decision[mine])
    return boxes, decision


def over_cells(maps):
    e = np.exp(maps - maps.max(axis=(1, 2), keepdims=True))
    return e / e.sum(axis=(1, 2), keepdims=True)


def kept_maps():
    kept = []
    return lambda maps: kept.append(maps) or kept[0]


def growing_boxes():
    old = [np.zeros((0, 5)), np.zeros(0)]

    def more(boxes, decision):
        old[:] = np.concatenate([old[0], boxes]), np.concatenate([old[1], decision])
        return tuple(old)
    return more


def mirrored_mean(fcnn_model, images, image_shapes, box_shape=(32, 32)):
    """Two looks, the second of which is not turned back."""
    class Network:
        def predict(self, x, verbose=0):
            return (np.asarray(fcnn_model.predict(x, verbose=0)) + np.asarray(fcnn_model.predict(x[:, :, ::-1], verbose=0))) / 2

    return finding.finder()(Network(), images, image_shapes, box_shape)


FOUND = {
    "blue first": (seen(photos=lambda images: images[..., ::-1]), "as they come, in RGB"),
    "softmax over each column": (seen(look=lambda maps: np.exp(maps) / np.exp(maps).sum(axis=1, keepdims=True)), "no softmax over cells, rows or columns"),
    "softmax over each row": (seen(look=lambda maps: np.exp(maps) / np.exp(maps).sum(axis=2, keepdims=True)), "no softmax over cells, rows or columns"),
    "without their signs": (seen(look=np.abs), "no abs"),
    "divided by 255": (seen(photos=lambda images: images / 255), "divided by 255, or normalised"),
    "a cell too far down": (seen(moved=0, box=lambda i, r, c, s: finding.around(i, r + 4, c, s)), "They lie 4 pixels too far down"),
    "a cell too far up and left": (seen(maximum=lambda heat: finding.by_neighbours(heat) - 1), "They lie 4 pixels too far up and 4 pixels too far left"),
    "two cells": (seen(box=lambda i, r, c, s: finding.around(i, r + 8, c + 8, s)), "8 pixels too far down and 8 pixels too far right"),
    "only what is more face than not": (seen(change=lambda b, d: (b[d > 0], d[d > 0]), channel=1, look=lambda maps: maps - maps[..., ::-1]), "the threshold comes later"),
    "only above one half": (seen(change=lambda b, d: (b[d > 0.5], d[d > 0.5]), look=lambda maps: 1 / (1 + np.exp(np.minimum(maps[..., ::-1] - maps, 50)))), "the threshold comes later"),
    "the decisions of other cells": (seen(look=lambda maps: maps, change=lambda b, d: (b, np.roll(d, 5))), "boxes elsewhere have more"),
    "divided by the greatest of each photo": (seen(change=of_each_photo), "the greatest of each photo"),
    "divided by the greatest": (seen(change=lambda b, d: (b, (d - d.min()) / np.ptp(d))), "its own window alone"),
    "ranks": (seen(change=lambda b, d: (b, np.argsort(np.argsort(d)) / len(d))), "its own window alone"),
    "softmax over the cells": (seen(look=over_cells), "its own window alone"),
    "mirrored photos": (seen(photos=lambda images: images[:, :, ::-1]), "must be mirrored back"),
    "the mean with the mirrored map": (mirrored_mean, "must be mirrored back"),
    "photos turned over": (seen(photos=lambda images: images.transpose(0, 2, 1, 3)), "Rows and columns are swapped"),
    "the first photo's map": (seen(look=lambda maps: np.repeat(maps[:1], len(maps), axis=0)), "All photos have the same boxes"),
    "grows from call to call": (seen(change=growing_boxes()), "begin with new lists in every call"),
    "decisions sorted, boxes not": (seen(change=lambda b, d: (b, np.sort(d)[::-1])), "in step"),
    "decisions sorted, rising": (seen(change=lambda b, d: (b, np.sort(d))), "in step"),
    "the best three": (seen(change=lambda b, d: (b[np.argsort(-d)[:3]], np.sort(d)[::-1][:3])), "There are only 3 boxes"),
    "shares of the photo": (seen(change=lambda b, d: (np.column_stack([b[:, 0], b[:, 1:] / 176]), d)), "not in shares of it"),
    "rows and columns of image_shapes": (finding.finder(keep=lambda i, r, c, s: r + 16 <= s[i][1] and c + 16 <= s[i][0]), "black margin"),
}


def kept_answer():
    kept = []

    def f(fcnn_model, images, image_shapes, box_shape=(32, 32)):
        kept[:] = kept or [finding.finder()(fcnn_model, images, image_shapes, box_shape)]
        return kept[0]
    return f


FOUND["the first answer again"] = (kept_answer(), "keep nothing between calls")


def above(keep=np.greater_equal, answer=lambda b, d, k: (b[k], d[k]), turned=False):
    def f(fcnn_model, images, image_shapes, threshold, return_decision=True, box_shape=(32, 32)):
        boxes, decision = detector.get_bboxes_and_decision_function(fcnn_model, images, image_shapes, box_shape)
        both = answer(boxes, decision, keep(decision, threshold))
        return both if return_decision != turned else both[0]
    return f


DETECTED = {
    "the surest alone": (above(answer=lambda b, d, k: (b[[d.argmax()]], d[[d.argmax()]])), "it keeps one alone"),
    "the first photo alone": (above(answer=lambda b, d, k: (b[k & (b[:, 0] == 0)], d[k & (b[:, 0] == 0)])), "look at every photo"),
    "probabilities": (above(lambda d, t: 1 / (1 + np.exp(-d)) >= t, lambda b, d, k: (b[k], 1 / (1 + np.exp(-d[k])))), "compare these, as they are"),
    "without the sign": (above(lambda d, t: np.abs(d) >= t), "The sign is lost"),
    "whole numbers": (above(lambda d, t: d.astype(int) >= int(t)), "compared as whole numbers"),
    "return_decision turned round": (above(turned=True), "return_decision is the wrong way round"),
    "all decisions": (above(answer=lambda b, d, k: (b[k], d)), "every box has one"),
    "shifted by one": (above(lambda d, t: np.roll(d >= t, 1)), "those of the boxes kept are"),
}

# --- curve and threshold ---


def curve(change=lambda p, r, t: (p, r, t), hits=lambda pred, true, d: [box for _, box in best_match(pred, true, d)[0]], shift=0):
    def f(pred_bboxes, true_bboxes, decision_function):
        hit = np.zeros(len(pred_bboxes), bool)
        hit[hits(pred_bboxes, true_bboxes, decision_function)] = True
        order = np.argsort(-decision_function, kind="stable")
        last = np.r_[np.diff(decision_function[order]) != 0, True]
        found, kept = np.cumsum(hit[order])[last], np.arange(1, len(hit) + 1)[last]
        return change((found / np.maximum(kept + shift, 1))[::-1], (found / len(true_bboxes))[::-1], decision_function[order][last][::-1])
    return f


def mean_of_photos(pred, true, decision):
    points = []
    for t in np.unique(decision):
        kept, photos = decision >= t, np.unique(true[:, 0])
        hits = [len(best_match(pred[kept & (pred[:, 0] == i)], true[true[:, 0] == i], decision[kept & (pred[:, 0] == i)])[0]) for i in photos]
        points.append([np.mean([h / max((part == i).sum(), 1) for h, i in zip(hits, photos)]) for part in (pred[kept, 0], true[:, 0])] + [t])
    return tuple(np.array(points).T)


def first_curve():
    kept = []

    def f(pred, true, decision):
        kept[:] = kept or [curve()(pred, true, decision)]
        return kept[0]
    return f


def in_steps(p, r, t, steps):
    """The points at thresholds of one's own: those of the next decision from there on."""
    at = np.searchsorted(t, steps - 1e-9)
    return p[at[at < len(t)]], r[at[at < len(t)]], steps[at < len(t)]


def summed(found, match=lambda d: d, every=lambda p: p):
    def f(pred, true, decision):
        hit, order = np.zeros(len(pred)), np.argsort(-decision, kind="stable")
        hit[[box for _, box in best_match(pred, true, match(decision))[0]]] = 1
        found_so_far = found(hit, order)
        return every(found_so_far / np.arange(1, len(order) + 1))[::-1], (found_so_far / len(true))[::-1], decision[order][::-1]
    return f


def without_max(pred, true, decision):
    """Matched by hand, with an IoU that forgets that boxes may lie apart."""
    def iou(a, b):
        both = (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1]))
        return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)

    hit, free = np.zeros(len(pred)), list(range(len(true)))
    for k in np.argsort(-decision):
        for j in [j for j in free if true[j, 0] == pred[k, 0] and iou(true[j, 1:], pred[k, 1:]) > 0.1][:1]:
            hit[k] = 1
            free.remove(j)
    order = np.argsort(-decision, kind="stable")
    return (np.cumsum(hit[order]) / np.arange(1, len(order) + 1))[::-1], (np.cumsum(hit[order]) / len(true))[::-1], decision[order][::-1]


CURVES = {
    "summed from the wrong end": (summed(lambda hit, order: np.cumsum(hit[order][::-1])[::-1]), "summed from the wrong end"),
    "hits not sorted": (summed(lambda hit, order: np.cumsum(hit)), "sort both by one order"),
    "the least sure are matched first": (summed(lambda hit, order: np.cumsum(hit[order]), match=np.negative), "The least sure box takes the face"),
    "no dents in the precision": (summed(lambda hit, order: np.cumsum(hit[order]), every=lambda p: np.maximum.accumulate(p[::-1])[::-1]), "which may rise and fall"),
    "IoU without max": (without_max, "two negative numbers"),
    "the mean over the photos": (mean_of_photos, "the mean over the photos"),
    "in percent": (curve(lambda p, r, t: (100 * p, 100 * r, t)), "in percent"),
    "cut to whole numbers": (curve(lambda p, r, t: (p.astype(int), r.astype(int), t)), "cut to whole numbers (int)"),
    "steps of equal width": (curve(lambda p, r, t: in_steps(p, r, t, np.linspace(t.min(), t.max(), 50))), "take the decisions themselves"),
    "steps of a hundredth": (curve(lambda p, r, t: in_steps(p, r, t, np.arange(0, 1, 0.01))), "take the decisions themselves"),
    "the precision twice": (curve(lambda p, r, t: (p / 2, p, t)), "The second answer is the precision"),
    "thresholds a step off": (curve(lambda p, r, t: (p, r, np.r_[t[1:], np.inf])), "one step off"),
    "places for thresholds": (curve(lambda p, r, t: (p, r, np.arange(len(t)))), "they are places in a list"),
    "thresholds as text": (curve(lambda p, r, t: (p, r, t.astype(str))), "expected numbers"),
    "false alarms for hits": (curve(hits=lambda pred, true, d: best_match(pred, true, d)[2]), "false alarms are counted as hits"),
    "boxes turned over": (curve(hits=lambda pred, true, d: [b for _, b in best_match(pred[:, [0, 2, 1, 4, 3]], true, d)[0]]), "Rows and columns of the boxes are swapped"),
    "IoU 0.3": (curves.own_match(least=0.3), "here more is asked for"),
    "counts from 0": (curve(shift=-1), "The recall is right"),
    "eleven points": (curve(lambda p, r, t: (np.interp(np.linspace(0, 1, 11), r[::-1], p[::-1]), np.linspace(0, 1, 11), np.linspace(0, 1, 11))), "no values of the decision function"),
    "the first curve again": (first_curve(), "keep nothing between calls"),
    "the first point is lost": (curve(lambda p, r, t: (p[:-1], r[:-1], t[:-1])), "no point for the threshold 0.97"),
}
THRESHOLDS = {
    "one half": (lambda t, r: 0.5, "It is 0.5 for every curve"),
    "text": (lambda t, r: str(t[r >= 0.85].max()), "expected numbers, got str"),
    "yes": (lambda t, r: bool((r >= 0.85).any()), "got True"),
    "percent": (lambda t, r: t[r >= 85].max(), "85 % is 0.85"),
    "one place too low": (lambda t, r: t[np.flatnonzero(r >= 0.85)[-1] - 1], "A greater threshold finds 85 % as well"),
    "0.9": (lambda t, r: t[r >= 0.9].max(), "A greater threshold finds 85 % as well"),
    "the mean of those": (lambda t, r: t[r >= 0.85].mean(), "no threshold of the curve"),
    "one place too high": (lambda t, r: t[np.flatnonzero(r >= 0.85)[-1] + 1], "the other side of 0.85"),
}
SLIPS = {"gen_negative_bbox": BOXES, "get_positive_negative": PATCHES, "generate_model": MODELS, "generate_fcnn_model": FCNNS, "copy_weights": COPIES,
         "get_bboxes_and_decision_function": FOUND, "detect": DETECTED, "precision_recall_curve": CURVES, "get_threshold": THRESHOLDS}  # fmt: skip


@pytest.mark.parametrize("exercise, name", [pytest.param(exercise, name, id=f"{exercise}: {name}") for exercise, slips in SLIPS.items() for name in slips])
def test_a_slip_is_named(exercise, name):
    beside = {"generate_model": networks.classifier()} if exercise in ("generate_fcnn_model", "copy_weights") else {}
    if exercise == "copy_weights":
        beside["generate_fcnn_model"] = networks.fully()
    rejected(TASK, exercise, *SLIPS[exercise][name], **beside)


def cuts_where_there_is_no_box(read):
    """`gen_negative_bbox` says None where there is no room, and nobody asks."""
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
        rng, negative = np.random.default_rng(rng), []
        while len(negative) < (negative_bbox_count or len(true_bboxes)):
            i = rng.integers(len(images))
            top, left = read(samples.gen_negative_bbox(image_shapes[i], (32, 32), true_bboxes[true_bboxes[:, 0] == i, 1:], rng))
            negative.append(images[i][top : top + 32, left : left + 32])
        return samples.cut(images, true_bboxes), np.array(negative)
    return f


@pytest.mark.parametrize("read", [lambda box: box[:2], lambda box: box.index(box[0]) or box[:2]], ids=["its numbers", "its method"])
def test_who_forgets_photos_without_room_is_told_of_these_and_not_of_the_generator(monkeypatch, read):
    monkeypatch.setattr("RegionDetector.checks.patches._full_photos", lambda: True)
    answer = judged(TASK, "get_positive_negative", cuts_where_there_is_no_box(read))
    assert "'NoneType'" in answer.message and "draw another photo" in answer.message and "default_rng" not in answer.message
    assert str(judged(TASK, "get_positive_negative", samples.get_positive_negative)) == "get_positive_negative: right"


def test_a_fixed_seed_is_right():
    """Whoever draws from a seed of their own gets the same patches again, and that is no list that grows."""
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
        return samples.get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count, rng=3)

    assert str(judged(TASK, "get_positive_negative", f)) == "get_positive_negative: right"
