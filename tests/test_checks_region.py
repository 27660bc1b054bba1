"""The checks of RegionDetector's patches and detector accept several right answers and name what is wrong with the wrong ones."""

import numpy as np
import pytest
from coursework import judged, rejected

from common.boxes import iou
from common.exercises.exercise import RIGHT
from common.scores import best_match, iou_score, precision_recall_curve
from RegionDetector import detector, samples
from RegionDetector.exercises import TASK

RNG = np.random.default_rng(7)


def box_maker(height=lambda s, b: s[0] - b[0] + 1, width=lambda s, b: s[1] - b[1] + 1, finish=lambda r, c, b: [r, c, r + b[0], c + b[1]],
              clear=samples.is_negative_bbox):
    def f(image_shape, bbox_size, true_bboxes, rng=None):
        for _ in range(1000):
            row, col = int(RNG.integers(height(image_shape, bbox_size))), int(RNG.integers(width(image_shape, bbox_size)))
            if clear([row, col, row + bbox_size[0], col + bbox_size[1]], true_bboxes):
                return finish(row, col, bbox_size)
    return f


def two_parameters(image_shape, bbox_size):
    return [0, 0, *bbox_size]


def with_random(image_shape, bbox_size, true_bboxes, rng=None):
    """Endless on a photo full of faces, of which the built-in scenes have none."""
    import random

    while True:
        row, col = random.randint(0, image_shape[0] - bbox_size[0]), random.randint(0, image_shape[1] - bbox_size[1])
        box = np.array([row, col, row + bbox_size[0], col + bbox_size[1]])
        if all(iou_score(box, face) < 0.1 for face in true_bboxes):
            return box


def all_places(image_shape, bbox_size, true_bboxes, rng=None):
    """The free places of the photo, one of which is chosen."""
    rng = np.random.default_rng(rng)
    rows, cols = np.mgrid[: image_shape[0] - bbox_size[0] + 1, : image_shape[1] - bbox_size[1] + 1].reshape(2, -1)
    places = np.stack([rows, cols, rows + bbox_size[0], cols + bbox_size[1]], axis=1)
    free = places[(iou(places, true_bboxes) < 0.1).all(axis=1)] if len(true_bboxes) else places
    return free[rng.integers(len(free))].tolist() if len(free) else None


def in_place(image_shape, bbox_size, true_bboxes, rng=None):
    image_shape[:2] -= bbox_size
    row, col = RNG.integers(image_shape[:2] + 1)
    return [row, col, row + bbox_size[0], col + bbox_size[1]]


def needs_a_generator(image_shape, bbox_size, true_bboxes, rng=None):
    row, col = rng.integers(image_shape[0] - bbox_size[0] + 1), rng.integers(image_shape[1] - bbox_size[1] + 1)
    return [row, col, row + bbox_size[0], col + bbox_size[1]]


def first_of_many(image_shape, bbox_size, true_bboxes, rng=None):
    """A generator of candidates, of which the first that is clear is taken."""
    rng = np.random.default_rng(rng)

    def candidates():
        for _ in range(100):
            row, col = rng.integers(0, np.array(image_shape[:2]) - bbox_size + 1)
            yield [int(row), int(col), int(row + bbox_size[0]), int(col + bbox_size[1])]

    return next((box for box in candidates() if samples.is_negative_bbox(box, true_bboxes)), None)


def a_hundred_at_once(img_size, box_size, gt_boxes, generator=None):
    """Names as in torch; every IoU in one expression."""
    size, faces = np.asarray(box_size), np.reshape(gt_boxes, (-1, 4))
    corners = np.random.default_rng(generator).integers(0, np.asarray(img_size)[:2] - size, size=(100, 2), endpoint=True)
    boxes = np.hstack([corners, corners + size])
    low, high = np.maximum(boxes[:, None, :2], faces[:, :2]), np.minimum(boxes[:, None, 2:], faces[:, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    clear = np.flatnonzero((both / (size.prod() + np.prod(faces[:, 2:] - faces[:, :2], axis=1) - both) < 0.1).all(axis=1))
    return boxes[clear[0]] if clear.size else None


BOX_RIGHT = {
    "the first of a generator": first_of_many,
    "a hundred at once": a_hundred_at_once,
    "list of ints": box_maker(),
    "float array": box_maker(finish=lambda r, c, b: np.array([r, c, r + b[0], c + b[1]], float)),
    "tuple, never the last row": box_maker(height=lambda s, b: s[0] - b[0], finish=lambda r, c, b: (r, c, r + b[0], c + b[1])),
    "reference": samples.gen_negative_bbox,
    "parameters by name only": lambda *, image_shape, bbox_size, true_bboxes, rng=None: box_maker()(image_shape, bbox_size, true_bboxes),
    "parameters in another order": lambda true_bboxes, rng=None, *, bbox_size, image_shape: box_maker()(image_shape, bbox_size, true_bboxes),
    "other names": lambda shape, size, faces, generator=None: samples.gen_negative_bbox(shape, size, faces, generator),
    "Python's own random": lambda *given, **named: with_random(*given),
    "all positions at once": all_places,
}
BOX_WRONG = {
    "rows and columns swapped": (box_maker(height=lambda s, b: s[1] - b[1] + 1, width=lambda s, b: s[0] - b[0] + 1), "rows and columns are swapped"),
    "outside the photo": (box_maker(height=lambda s, b: s[0]), "outside"),
    "on the canvas": (box_maker(height=lambda s, b: 176 - b[0], width=lambda s, b: 176 - b[1]), "outside"),
    "touches faces": (box_maker(clear=lambda box, faces: True), "touches the face"),
    "only the first face": (box_maker(clear=lambda box, faces: samples.is_negative_bbox(box, faces[:1])), "is every face looked at"),
    "always the corner": (lambda s, b, t, rng=None: [0, 0, b[0], b[1]], "draw it at random"),
    "corner, height, width": (box_maker(finish=lambda r, c, b: [r, c, b[0], b[1]]), "not a corner with a height and a width"),
    "sides swapped": (box_maker(width=lambda s, b: s[1] - b[0] + 1, finish=lambda r, c, b: [r, c, r + b[1], c + b[0]]), "swapped"),
    "no return": (lambda s, b, t, rng=None: None, "returned None"),
    "raises": (lambda s, b, t, rng=None: 1 / 0, "ZeroDivisionError"),
    "two parameters less": (two_parameters, "It takes no `true_bboxes`"),
    "no rng": (lambda image_shape, bbox_size, true_bboxes: samples.gen_negative_bbox(image_shape, bbox_size, true_bboxes), "It takes no `rng`"),
    "one parameter more": (lambda image_shape, bbox_size, true_bboxes, rng, tries: None, "asks for `tries`"),
    "in place": (in_place, "changes `image_shape` in place"),
    "a generator and nothing else": (needs_a_generator, "default_rng(rng) makes a generator"),
    "the global seed": (lambda s, b, t, rng=None: samples.gen_negative_bbox(s, b, t, 7), "no new generator of a fixed seed"),
    "ends inside": (box_maker(finish=lambda r, c, b: [r, c, r + b[0] - 1, c + b[1] - 1]), "another size"),
    "the same every time": (lambda s, b, t, rng=None: samples.gen_negative_bbox(s, b, t, 0), "draw it at random"),
    "within the smaller side": (box_maker(height=lambda s, b: min(s[:2]) - b[0] + 1, width=lambda s, b: min(s[:2]) - b[1] + 1), "never drawn"),
}


def patches(cut=samples.cut, count=lambda n, i: None, boxes=samples.gen_negative_bbox, photos=len, answer=lambda p, n: (p, n),
            faces_of=lambda f, i: f[f[:, 0] == i, 1:], keep=lambda box, faces: True, shapes=lambda s: s, index=lambda i, n: i):
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
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

    return [resize(images[int(i)][max(int(a), 0) : int(c), max(int(b), 0) : int(d)], (32, 32), preserve_range=True) for i, a, b, c, d in boxes]


def by_hand(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
    """Loops and padding; a list of ints for each box."""
    import random

    wide = np.pad(images, ((0, 0), (32, 32), (32, 32), (0, 0)))
    windows = []
    for i, top, left, bottom, right in true_bboxes:
        row, col = round((top + bottom) / 2) - 16 + 32, round((left + right) / 2) - 16 + 32
        windows.append(wide[int(i), row : row + 32, col : col + 32])
    positive, negative = np.array(windows), []
    while len(negative) < (len(positive) if negative_bbox_count is None else negative_bbox_count):
        i = random.randrange(len(images))
        row, col = random.randint(0, image_shapes[i][0] - 32), random.randint(0, image_shapes[i][1] - 32)
        if all(iou_score([row, col, row + 32, col + 32], face[1:]) < 0.1 for face in true_bboxes if face[0] == i):
            negative.append(images[i, row : row + 32, col : col + 32].copy())
    return positive, np.stack(negative)


def not_filled(images, boxes):
    """The window as it is, without what lies outside the canvas."""
    corners = [(int(i), max(int((a + c) / 2) - 16, 0), max(int((b + d) / 2) - 16, 0), int((a + c) / 2) + 16, int((b + d) / 2) + 16) for i, a, b, c, d in boxes]
    return [images[i][a:c, b:d] for i, a, b, c, d in corners]


def seed_for_each(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
    """Hands the seed itself on, from which every box is the same."""
    positive, count = samples.cut(images, true_bboxes), negative_bbox_count or len(true_bboxes)
    boxes = [[0, *samples.gen_negative_bbox(image_shapes[0], (32, 32), true_bboxes[true_bboxes[:, 0] == 0, 1:], rng)] for _ in range(count)]
    return positive, samples.cut(images, boxes)


def no_generator(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
    return samples.cut(images, true_bboxes), [images[rng.integers(len(images))][:32, :32] for _ in range(negative_bbox_count or len(true_bboxes))]


def scaled_in_place(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
    true_bboxes[:, 1:] = np.round(true_bboxes[:, 1:])
    return samples.get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count, rng=rng)


def with_pil(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
    """PIL's crop fills with black by itself."""
    from PIL import Image

    rng, negative = np.random.default_rng(rng), []
    crop = lambda i, row, col: np.asarray(Image.fromarray(images[int(i)]).crop((col, row, col + 32, row + 32)))  # noqa: E731
    positive = [crop(i, int((top + bottom) / 2 - 16), int((left + right) / 2 - 16)) for i, top, left, bottom, right in true_bboxes]
    while len(negative) < (negative_bbox_count or len(positive)):
        i = rng.choice(len(images))
        box = samples.gen_negative_bbox(image_shapes[i], (32, 32), [face[1:] for face in true_bboxes if face[0] == i], rng)
        negative += [crop(i, int(box[0]), int(box[1]))] if box is not None else []
    return np.array(positive), np.array(negative)


def as_tensors(*given, **named):
    import tensorflow as tf

    return tuple(map(tf.constant, samples.get_positive_negative(*given, **named)))


PATCH_RIGHT = {
    "PIL": with_pil,
    "tensors": lambda images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None: as_tensors(images, true_bboxes, image_shapes, negative_bbox_count, rng=rng),
    "reference": samples.get_positive_negative,
    "lists": patches(answer=lambda p, n: (list(p), list(n))),
    "resized": patches(cut=resized),
    "by hand": by_hand,
    "floats": patches(answer=lambda p, n: (p.astype("float32"), n.astype("float32"))),
    "with shifted copies": lambda images, faces, shapes, count=None, rng=None: samples.get_positive_negative(images, faces, shapes, count, 1 if count else 3, rng=rng),
}
PATCH_OLD = {  # right in the published course, whose network took such pixels
    "no rng": lambda images, true_bboxes, image_shapes, negative_bbox_count=None: by_hand(images, true_bboxes, image_shapes, negative_bbox_count),
    "from 0 to 1": patches(answer=lambda p, n: (p / 255, n / 255)),
    "from -1 to 1": patches(answer=lambda p, n: (p / 127.5 - 1, n / 127.5 - 1)),
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
    "divided by 255": (PATCH_OLD["from 0 to 1"], "leave the pixels from 0 to 255"),
    "no rng": (PATCH_OLD["no rng"], "It takes no `rng`"),
    "the seed is no generator": (no_generator, "default_rng(rng) makes a generator"),
    "the seed for every box": (seed_for_each, "make one generator"),
    "not filled up at the edge": (patches(cut=not_filled), "black fills it up"),
    "no int of the boxes": (patches(cut=lambda images, b: [images[int(k[0])][k[1] : k[1] + 32, k[2] : k[2] + 32] for k in b]), "slice indices must be integers"),
    "around the corner of the box": (patches(cut=lambda images, b: samples.cut(images, [[k[0], k[1], k[2], k[1], k[2]] for k in b])), "around the middle of the face"),
    "every face once": (patches(cut=lambda images, b: samples.cut(images, np.unique(b, axis=0))), "one for each"),
    "upside down": (patches(answer=lambda p, n: (p[:, ::-1], n)), "upside down"),
    "64 pixels made small": (patches(cut=lambda images, b: resized(np.pad(images, ((0, 0), (40, 40), (40, 40), (0, 0))), np.asarray(b) + [0, 24, 24, 56, 56])), "do not resize"),
    "rounds the boxes in place": (scaled_in_place, "changes `true_bboxes` in place"),
    "one place": (patches(answer=lambda p, n: (p, n[[0] * len(n)])), "from one place"),
}


@pytest.mark.parametrize("name", BOX_RIGHT)
def test_gen_negative_bbox_right(name):
    assert judged(TASK, "gen_negative_bbox", BOX_RIGHT[name]).status == RIGHT, judged(TASK, "gen_negative_bbox", BOX_RIGHT[name])


@pytest.mark.parametrize("name", PATCH_OLD)
def test_get_positive_negative_of_the_published_course(name):
    assert judged(TASK, "get_positive_negative", PATCH_OLD[name], lenient=True).status == RIGHT


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


def inside(i, r, c, shapes):
    return r + 16 <= shapes[i][0] and c + 16 <= shapes[i][1]


def around(i, r, c, size):
    return [i, r + 16 - size[0] / 2, c + 16 - size[1] / 2, r + 16 + size[0] / 2, c + 16 + size[1] / 2]


def finder(moved=0.0, stride=4, white=1, peaks=True, box=around, decide=float, answer=lambda b, d: (b, d), maximum=None, keep=inside, channel=1, size=lambda s: s, together=None,
           step=1):
    def f(fcnn_model, images, image_shapes, box_shape=(32, 32)):
        from skimage.feature import peak_local_max

        maps = np.asarray(fcnn_model.predict(np.asarray(images, np.float32) / white, verbose=0))[:, ::step, ::step, channel]
        boxes, decision, cells_of = [], [], together(maps) if together else {}
        for i, heat in enumerate(maps):
            cells = cells_of[i] if together else (maximum or (lambda m: peak_local_max(m, min_distance=2)))(heat) if peaks else np.argwhere(heat > -np.inf)
            for r, c in cells:
                if keep(i, r * stride * step, c * stride * step, image_shapes):
                    boxes.append(box(i, r * stride * step + moved, c * stride * step + moved, size(box_shape)))
                    decision.append(decide(heat[r, c]))
        return answer(boxes, decision)
    return f


def by_neighbours(heat):
    inner = heat[1:-1, 1:-1]
    greatest = np.all([inner >= heat[1 + a : heat.shape[0] - 1 + a, 1 + b : heat.shape[1] - 1 + b] for a in (-1, 0, 1) for b in (-1, 0, 1)], axis=0)
    return np.argwhere(greatest & (inner > -3)) + 1


def not_less(heat):
    """Every cell that no neighbour exceeds: also those where all are equal, in the black margin."""
    from scipy.ndimage import maximum_filter

    return np.argwhere(maximum_filter(heat, 5) == heat)


def whole_stack(maps):
    """Peaks of the stack of maps: a photo suppresses the next one."""
    from scipy.ndimage import maximum_filter

    found = np.argwhere(maximum_filter(maps, 3) == maps)
    return {i: found[found[:, 0] == i, 1:] for i in range(len(maps))}


def as_table(boxes, decision):
    """A table and a column of it."""
    import pandas

    table = pandas.DataFrame(np.column_stack([boxes, decision]), columns=["image", "top", "left", "bottom", "right", "sure"])
    return table[["image", "top", "left", "bottom", "right"]], table["sure"]


def by_suppression(fcnn_model, images, image_shapes, box_shape=(32, 32)):
    """Every window that looks more like a face than not, and of those that overlap the surest."""
    from scipy.special import softmax

    from common.boxes import non_maximum_suppression

    boxes, decision = [np.zeros((0, 5))], [np.zeros(0)]
    probability = softmax(fcnn_model(np.float32(images)), axis=-1)[..., 1]
    for i, heat in enumerate(probability):
        rows, cols = np.nonzero(heat > 0.05)
        centers = 4 * np.stack([rows, cols], axis=1) + 16
        rows, cols, centers = (part[(centers <= image_shapes[i][:2]).all(axis=1)] for part in (rows, cols, centers))
        found = np.hstack([centers - np.array(box_shape) / 2, centers + np.array(box_shape) / 2])
        kept = non_maximum_suppression(found, heat[rows, cols], 0.1)
        boxes.append(np.insert(found[kept], 0, i, axis=1))
        decision.append(heat[rows, cols][kept])
    return np.concatenate(boxes), np.concatenate(decision)


def all_photos_at_once(fcnn_model, images, image_shapes, box_shape=(32, 32)):
    """Arrays all the way; a photo does not look at the next one."""
    from scipy.ndimage import maximum_filter

    maps = fcnn_model.predict(np.asarray(images, np.float32), verbose=0)
    heat = maps[..., 1] - maps[..., 0]
    n, row, col = np.nonzero(maximum_filter(heat, size=(1, 5, 5)) == heat)
    middle, half = 4 * np.stack([row, col], axis=1) + 16, np.asarray(box_shape) / 2
    kept = (middle < np.asarray(image_shapes)[n, :2]).all(axis=1)
    return np.column_stack([n, middle - half, middle + half])[kept], heat[n, row, col][kept]


def cell_by_cell(net, x, sizes, box_shape=(32, 32)):
    """Loops, tuples and other names."""
    bboxes, scores = [], []
    for i in range(len(x)):
        heat = net.predict(np.float32(x[i : i + 1]), verbose=0)[0, :, :, 1]
        for r in range(heat.shape[0]):
            for c in range(heat.shape[1]):
                y, z = 4 * r + 16, 4 * c + 16
                if y <= sizes[i][0] and z <= sizes[i][1] and heat[r, c] >= heat[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].max():
                    bboxes.append((i, y - box_shape[0] / 2, z - box_shape[1] / 2, y + box_shape[0] / 2, z + box_shape[1] / 2))
                    scores.append(heat[r, c].item())
    return bboxes, scores


FIND_RIGHT = {"all photos at once": all_photos_at_once, "cell by cell": cell_by_cell, "not less than its neighbours": finder(maximum=not_less), "reference": detector.get_bboxes_and_decision_function, "scikit-image, lists": finder(),
              "peaks by hand, arrays": finder(maximum=by_neighbours, answer=lambda b, d: (np.array(b), np.array(d))), "a pandas table": finder(answer=as_table),
              "decisions in a column": finder(answer=lambda b, d: (np.array(b, np.float32), np.array(d, np.float32)[:, None])),
              "non-maximum suppression of probabilities": by_suppression,
              "parameters in another order": lambda images, image_shapes, fcnn_model, box_shape=(32, 32): finder()(fcnn_model, images, image_shapes, box_shape)}
FIND_OLD = {"for a network of pixels from 0 to 1": finder(white=255), "no box_shape": lambda fcnn_model, images, image_shapes: finder()(fcnn_model, images, image_shapes),
            "margin and all": finder(keep=lambda *_: True)}
FIND_WRONG = {
    "half a window off": (finder(moved=-16), "half a window"),
    "half a window off, down": (finder(moved=16), "half a window"),
    "rows and columns swapped": (finder(box=lambda i, r, c, s: [i, c, r, c + 32, r + 32]), "swapped"),
    "cells for pixels": (finder(stride=1), "Map cells are not pixels"),
    "a stride of 8": (finder(stride=8, keep=lambda *_: True), "not 8"),
    "a stride of 16": (finder(stride=16, keep=lambda *_: True), "not 16"),
    "a window every 16 pixels": (finder(step=4, maximum=not_less), "look at every cell"),
    "a window every 8 pixels": (finder(step=2, maximum=not_less), "look at every cell"),
    "the map as a smaller photo": (finder(stride=176 / 37, keep=lambda *_: True), "A step on the map is 4 pixels"),
    "no photo index": (finder(box=lambda i, r, c, s: [r, c, r + 32, c + 32]), "rows of 5 numbers"),
    "always photo 0": (finder(box=lambda i, r, c, s: [0, r, c, r + 32, c + 32]), "photo"),
    "every cell": (finder(peaks=False), "keep only those cells"),
    "the other sign": (finder(decide=lambda v: -float(v)), "surer boxes"),
    "yes or no": (finder(decide=lambda v: int(v > 0)), "surer boxes"),
    "whole numbers": (finder(maximum=by_neighbours, decide=lambda v: int(10 * v)), "they have been cut"),
    "corner, height, width": (finder(box=lambda i, r, c, s: [i, r, c, 32, 32]), "not a corner"),
    "no decision": (finder(answer=lambda b, d: np.array(b)), "2 answers"),
    "the other way round": (finder(answer=lambda b, d: (d, b)), "in this order"),
    "nothing found": (finder(answer=lambda b, d: ([], [])), "no box at all"),
    "divided by 255": (finder(white=255), "divided by 255"),
    "margin and all": (finder(keep=lambda *_: True, maximum=not_less), "black margin"),
    "the photos together": (finder(together=whole_stack), "peaks of each map by itself"),
    "channel 0": (finder(channel=0), "channel 1 of its map is the answer 'face'"),
    "one for each photo": (finder(maximum=lambda m: [np.unravel_index(m.argmax(), m.shape)]), "only one box for each photo"),
    "box_shape swapped": (finder(size=lambda s: s[::-1]), "rows first"),
    "box_shape not used": (finder(size=lambda s: (32, 32)), "box_shape is not used"),
    "no box_shape": (FIND_OLD["no box_shape"], "It takes no `box_shape`"),
    "box_shape from the window's corner": (finder(box=lambda i, r, c, s: [i, r, c, r + s[0], c + s[1]]), "half of box_shape lies on each side"),
}


@pytest.mark.parametrize("name", FIND_OLD)
def test_get_bboxes_of_the_published_course(name):
    assert judged(TASK, "get_bboxes_and_decision_function", FIND_OLD[name], lenient=True).status == RIGHT


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


def from_a_generator(pred_bboxes, true_bboxes, decision_function):
    def points():
        for t in sorted(set(decision_function.tolist())):
            kept = decision_function >= t
            hits = len(best_match(pred_bboxes[kept], true_bboxes, decision_function[kept])[0])
            yield hits / kept.sum(), hits / len(true_bboxes), t

    return tuple(zip(*points()))


CURVE_RIGHT = {
    "broadcast": broadcast,
    "scikit-learn": with_scikit_learn,
    "from a generator": from_a_generator,
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


def detecting(keep=np.greater_equal, shape=lambda s: s, alone=lambda b, d: b, both=lambda b, d: (b, d)):
    def f(fcnn_model, images, image_shapes, threshold, return_decision=True, box_shape=(32, 32)):
        boxes, decision = detector.get_bboxes_and_decision_function(fcnn_model, images, image_shapes, shape(box_shape))
        kept = keep(decision, threshold)
        return both(boxes[kept], decision[kept]) if return_decision else alone(boxes[kept], decision[kept])
    return f


def row_by_row(fcnn_model, images, image_shapes, threshold, return_decision=True, box_shape=(32, 32)):
    found = [(box, sure) for box, sure in zip(*detector.get_bboxes_and_decision_function(fcnn_model, images, image_shapes, box_shape=box_shape)) if sure >= threshold]
    boxes, decision = [box for box, _ in found], [sure for _, sure in found]
    if return_decision:
        return boxes, decision
    return boxes


DETECT_RIGHT = {"other names": lambda net, pics, sizes, least, decisions=True, size=(32, 32): detecting()(net, pics, sizes, least, decisions, size), "row by row": row_by_row, "reference": detector.detect, "lists": detecting(both=lambda b, d: (b.tolist(), d.tolist())),
                "the surest first": detecting(both=lambda b, d: (b[np.argsort(-d)], d[np.argsort(-d)]), alone=lambda b, d: [tuple(x) for x in b])}
DETECT_WRONG = {
    "no box_shape": (lambda net, pics, sizes, least, decisions=True: detecting()(net, pics, sizes, least, decisions), "It takes no `box_shape`"),
    "box_shape not handed on": (detecting(shape=lambda s: (32, 32)), "hand box_shape on"),
    "the other way round": (detecting(both=lambda b, d: (d, b)), "in this order"),
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
