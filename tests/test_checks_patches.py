"""The checks of patches accept several right answers and name what is wrong with the wrong ones."""

import numpy as np
import pytest
from coursework import judged, rejected

from common.boxes import iou
from common.exercises.exercise import RIGHT
from common.scores import iou_score
from RegionDetector import samples
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
    "always 32": (box_maker(finish=lambda r, c, b: [r, c, r + 32, c + 32]), "the size that is asked for is not used"),
    "ends inside": (box_maker(finish=lambda r, c, b: [r, c, r + b[0] - 1, c + b[1] - 1]), "another size"),
    "the same every time": (lambda s, b, t, rng=None: samples.gen_negative_bbox(s, b, t, 0), "draw it at random"),
    "rows by the other side of the box": (box_maker(height=lambda s, b: s[0] - b[1] + 1), "outside"),
    "columns by the other side of the box": (box_maker(width=lambda s, b: max(s[1] - b[0] + 1, 1)), "never drawn"),
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


def clipped(kind, low=0):
    """The upper and left edges are seen to, and the lower and right ones are not."""
    def cut(images, boxes):
        wide = np.pad(images, ((0, 0), (32, low), (32, low), (0, 0)))
        return kind([wide[int(i), int((a + c) / 2) + 16 : int((a + c) / 2) + 48, int((b + d) / 2) + 16 : int((b + d) / 2) + 48] for i, a, b, c, d in boxes])
    return cut


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
    "filled up on all sides": patches(cut=clipped(np.array, 32)),
    "by hand": by_hand,
    "floats": patches(answer=lambda p, n: (p.astype("float32"), n.astype("float32"))),
    "with shifted copies": lambda images, faces, shapes, count=None, rng=None: samples.get_positive_negative(images, faces, shapes, count, 1 if count else 3, rng=rng),
}
PATCH_OLD = {  # right in the published course, whose network took such pixels
    "no rng": lambda images, true_bboxes, image_shapes, negative_bbox_count=None: by_hand(images, true_bboxes, image_shapes, negative_bbox_count),
    "not filled up below and right": patches(cut=clipped(list)),
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
    "not filled up below and right": (patches(cut=clipped(list)), "also the lower and the right one"),
    "not filled up below and right, stacked": (patches(cut=clipped(np.stack)), "Patches differ in size"),
    "negative ones from the top alone": (patches(boxes=lambda s, b, faces: samples.gen_negative_bbox((40, s[1]), b, faces)), "over the whole photo"),
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


def test_a_loop_without_an_end_hears_on_what_photo_it_was():
    """Who asks for any face that is far away waits for ever where there is no face; and a sentence ends once."""
    class Gone(Exception):
        plain = True

    def f(image_shape, bbox_size, true_bboxes, rng=None):
        if any(iou_score([0, 0, 32, 32], face) < 0.1 for face in true_bboxes):
            return [0, 0, 32, 32]
        raise Gone("used more than 20 seconds of processor time: is there a loop without an end?")

    said = judged(TASK, "gen_negative_bbox", f).message
    assert said == "It used more than 20 seconds of processor time: is there a loop without an end? That was on a photo without a face."
