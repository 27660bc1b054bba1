"""The checks of the detector accept several right answers and name what is wrong with the wrong ones."""

import numpy as np
import pytest
from coursework import judged, rejected

from common.exercises.exercise import RIGHT
from RegionDetector import detector
from RegionDetector.exercises import TASK


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
def enlarged(fcnn_model, images, image_shapes, box_shape=(32, 32)):
    """Peaks of the map at the photo's size, as the middles of boxes."""
    import cv2
    from skimage.feature import peak_local_max

    boxes, decision = [], []
    for i, heat in enumerate(fcnn_model.predict(np.asarray(images), verbose=0)[..., 1]):
        large = cv2.resize(heat, images.shape[2:0:-1])
        for r, c in peak_local_max(large, min_distance=8, exclude_border=False):
            boxes.append(around(i, r - 16, c - 16, box_shape))
            decision.append(large[r, c])
    return np.array(boxes), np.array(decision)


def column_first(heat):
    """The cells' columns and rows, for a loop over rows and columns."""
    found = not_less(heat)[:, ::-1]
    return found[(heat[tuple(found.T)] < 1)]  # what is read there is no answer to a spot


FIND_WRONG = {
    "cells the other way round": (finder(maximum=column_first, keep=lambda *_: True), "a cell of the map is (row, column)"),
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
    "no further than one photo": (finder(keep=lambda i, r, c, shapes: inside(i, r, c, shapes) and i == 0), "All boxes carry the index of photo 0"),
    "the margin alone": (finder(keep=lambda *given: not inside(*given), maximum=not_less), "keep the boxes whose middle lies inside image_shapes"),
    "the two answers added up": (finder(maximum=lambda m: not_less(0 * m)[::-40], decide=lambda v: 0.0), "All decisions are 0:"),
    "half a window off in one direction": (finder(box=lambda i, r, c, s: around(i, r - 16, c, s)), "half a window too far up:"),
    "end a whole box_shape from the middle": (finder(box=lambda i, r, c, s: [i, r, c, r + 16 + s[0], c + 16 + s[1]]), "They have 48 rows and 48 columns"),
    "tiny boxes": (finder(box=lambda i, r, c, s: around(i, r, c, (4, 4))), "has 4 rows and 4 columns"),
    "greater than the whole row": (finder(maximum=lambda m: [cell for cell in by_neighbours(m) if m[tuple(cell)] == m[cell[0]].max()]), "the cells around it"),
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
    "the map enlarged to the photo": (enlarged, "A step on the map is 4 pixels"),
    "a threshold that leaves one for each photo": (finder(maximum=lambda m: (lambda found: found[m[tuple(found.T)] > 0.5])(not_less(m))), "the threshold comes later"),
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
