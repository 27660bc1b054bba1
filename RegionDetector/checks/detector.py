"""Checks of the detector: from heat map to boxes, the curve, the threshold."""

from functools import lru_cache

import numpy as np

from common.exercises.answer_form import box_text, numbers, one_of, overlap, parts, require

CANVAS = (176, 176, 3)
SHAPES = np.array([[140, 170, 3], [165, 130, 3]])
MOST_POINTS = 100_000
MOST_BOXES = 900  # a third of all cells; who compares with >= gets those of the black margin, where all are equal
# photo, row and column of the middle, brightness
SPOTS = ((0, 52, 108, 1.0), (1, 44, 36, 0.8), (1, 116, 88, 0.6))


@lru_cache(maxsize=3)
def spot_network(shape=CANVAS, white=255):
    """A fully convolutional network with a 32 x 32 window every four pixels that looks for bright spots; its pixels go from 0 to `white`."""
    import keras

    rows, cols = np.mgrid[:32, :32] - 15.5
    bump = np.exp(-(rows**2 + cols**2) / (2 * 7.0**2))
    kernel = np.repeat((bump - bump.mean())[:, :, None], 3, axis=2)
    kernel *= 6.0 / (kernel * bump[:, :, None] * white).sum()
    layer = keras.layers.Conv2D(2, 32, strides=4)
    model = keras.Sequential([keras.Input(shape), layer])
    layer.set_weights([np.stack([-kernel, kernel], axis=-1), np.array([2.0, -2.0])])
    return model


def spot_photos():
    """Two photos on their black canvas with bright spots where `SPOTS` says, on ground that is nowhere flat, as on any photo."""
    images = np.zeros((len(SHAPES), *CANVAS))
    rows, cols = np.mgrid[:176, :176]
    grain = np.random.default_rng(3)
    for index, (height, width, _) in enumerate(SHAPES):
        images[index, :height, :width] = 30 + grain.uniform(-9, 9, (height, width, 1))
    for index, row, col, light in SPOTS:
        images[index] += (light * 220 * np.exp(-((rows + 0.5 - row) ** 2 + (cols + 0.5 - col) ** 2) / (2 * 7.0**2)))[..., None]
    return np.clip(images, 0, 255).astype(np.uint8)


def read_detections(value):
    """Boxes (N, 5) and decision function (N,) of a student's answer."""
    boxes, decision = parts(value, 2, "pred_bboxes, decision_function")
    boxes = numbers(boxes, "pred_bboxes", 5)
    decision = numbers(decision, "decision_function").ravel()
    require(len(boxes) <= MOST_POINTS, f"{len(boxes)} boxes are more than the maps have cells: one for every peak")
    require(len(boxes) == len(decision), f"{len(boxes)} boxes, but {len(decision)} values of the decision function: every box has one")
    return boxes, decision


def as_lists(args, answer):
    """The reference's answer in lists, as many write it: for functions that append to them."""
    return tuple(part.tolist() for part in answer)


def _expected():
    return np.array([[i, r - 16, c - 16, r + 16, c + 16] for i, r, c, _ in SPOTS], float)


def _spot_of(box, spots):
    """Index of the spot that a box covers, or -1."""
    fits = [overlap(box[1:], s[1:]) if box[0] == s[0] else 0.0 for s in spots]
    return int(np.argmax(fits)) if max(fits) >= 0.45 else -1


def _diagnose_place(boxes, spots):
    """Why the surest boxes lie elsewhere than the spots."""
    if not np.isin(boxes[:, 0], (0, 1)).all():
        return "the first number of a box is the index of its photo, 0 or 1 here"
    if (boxes[:, 3:] <= boxes[:, 1:3]).any():
        return "a box is [image_index, min_row, min_col, max_row, max_col], not a corner with a height and a width"
    if (boxes[:, 1:3] <= 37).all():
        return "map cells are not pixels: one step on the map is four pixels of the photo"
    wide = 176 / 37  # the map laid over the photo, with the cell as the corner of the window or as its middle
    for places in (spots[:, 1:3] * wide / 4, (spots[:, 1:3] / 4 + 2) * wide - 16):
        if all(any(b[0] == s[0] and np.abs(b[1:3] - place).max() <= 4 for b in boxes) for s, place in zip(spots, places)):
            return "a step on the map is 4 pixels, not 176 / 37: the map is no smaller photo, as no window reaches over the edge"
    moved = {
        "rows and columns are swapped": spots[:, [0, 2, 1, 4, 3]],
        "it lies half a window too far up and left: cell (i, j) looks at the pixels from (4 i, 4 j) to (4 i + 32, 4 j + 32), "
        "and those are the box": spots - [0, 16, 16, 16, 16],
        "it lies half a window too far down and right: cell (i, j) looks at the pixels from (4 i, 4 j) to (4 i + 32, 4 j + 32), "
        "and those are the box": spots + [0, 16, 16, 16, 16],
    }
    for reason, places in moved.items():
        centers = (boxes[:, 1:3] + boxes[:, 3:]) / 2
        for place in places:
            middle = centers - (place[1:3] + place[3:]) / 2
            if ((np.abs(middle).max(axis=1) <= 6) & (boxes[:, 0] == place[0])).any():
                return reason
    if np.unique(boxes[:, 0]).size == 1:
        return "all of them carry the same photo's index"
    return ""


def check_get_bboxes_and_decision_function(f, kit):
    """One box of about a window's size on every peak of the heat map, the surest for the strongest answer.

    Whose own network takes pixels from 0 to 1 divides by 255 here: that is right as well.
    """
    one_of(lambda white=white: _check_boxes(f, kit.model(spot_network(white=white))) for white in (255, 1))


def _check_boxes(f, model):
    images, spots = spot_photos(), _expected()
    boxes, decision = read_detections(f(model, images, SHAPES))
    require(len(boxes), "no box at all, though the photos show three bright spots and the network answers to them")
    strong = decision >= np.sort(decision)[::-1][min(len(SPOTS), len(decision)) - 1]
    covered = [_spot_of(box, spots) for box in boxes]
    weakest_first = -decision
    crowd = sum(c == 0 for c in np.array(covered)[decision > decision.min()])
    require(crowd <= 4, f"{len(boxes)} boxes for three spots, {crowd} of them on the same one: keep only those cells that are greater than their neighbours")
    require(len(boxes) <= MOST_BOXES, f"{len(boxes)} boxes for three spots on two photos: keep only those cells that are greater than their neighbours")
    missing = set(range(len(SPOTS))) - set(covered)
    if missing:
        spot = SPOTS[min(missing)]
        order = np.argsort(weakest_first, kind="stable")[: len(SPOTS)]
        require(False, f"no box on the bright spot in photo {spot[0]} around row {spot[1]}, column {spot[2]} (expected about {box_text(spots[min(missing)][1:])}); "
                       f"the surest boxes are {', '.join(box_text(b) for b in boxes[order])}. " + _diagnose_place(boxes[order], spots))
    value = [max(d for d, c in zip(decision, covered) if c == k) for k in range(len(SPOTS))]
    require(value[0] > value[1] > value[2], f"the brightest spot has the decision {value[0]:.3g}, darker ones {value[1]:.3g} and {value[2]:.3g}: "
                                            "the decision function must be greater for surer boxes (and no whole number)")
    beside = decision[np.array(covered) < 0].max(initial=-np.inf)
    require(beside < value[2], f"a box beside every spot, {box_text(boxes[int(np.argmax(np.where(np.array(covered) < 0, decision, -np.inf)))])}, has the decision "
                               f"{beside:.3g}, more than a spot with {value[2]:.3g}")
    require(sum(strong) <= 2 * len(SPOTS), f"{sum(strong)} boxes share the highest decision: is it cut to whole numbers?")


# --- precision and recall: the definition, on detections whose hits are known ---


def staged_detections():
    """Faces and detections made for the purpose: which detection is a hit is known.

    Returns
    -------
    pred, true, decision : ndarray
    hit, alone : ndarray of bool
        Hits with every face found once; hits if every box is compared for itself, duplicates too.
    """
    true = np.array([[i, 10 + 40 * j, 20, 42 + 40 * j, 52] for i in range(3) for j in range(3)] + [[4, 50, 50, 82, 82]], float)
    plan = [  # face, shift in pixels, photo moved by, decision, hit, hit if compared alone
        (0, 2, 0, 0.97, True, True), (1, 6, 0, 0.91, True, True), (0, 5, 0, 0.86, False, True), (2, 0, 3, 0.80, False, False),
        (3, 3, 0, 0.74, True, True), (4, 60, 0, 0.69, False, False), (5, 8, 0, 0.62, True, True), (1, 9, 0, 0.55, False, True),
        (6, 17, 0, 0.48, True, True), (7, 30, 0, 0.40, False, False), (8, 20, 0, 0.33, True, True), (3, 7, 0, 0.27, False, True),
        (2, 10, 0, 0.15, True, True), (4, 90, 0, 0.08, False, False),
    ]
    pred, decision = [], []
    for face, shift, photo, value, _, _ in plan:
        box = true[face] + [photo, 0, shift, 0, shift]
        pred.append(box)
        decision.append(value)
    order = np.random.default_rng(5).permutation(len(plan))
    hit, alone = (np.array([p[k] for p in plan])[order] for k in (4, 5))
    return np.array(pred)[order], true, np.array(decision)[order], hit, alone


def _points(thresholds, decision, hit, faces, keep=np.greater_equal):
    """Precision and recall by their definition, at the given thresholds."""
    kept = keep(decision[None], np.asarray(thresholds)[:, None])
    found = (kept & hit[None]).sum(axis=1)
    return np.where(kept.any(axis=1), found / np.maximum(kept.sum(axis=1), 1), 1.0), found / faces


def _other_hits(pred, true, decision):
    """What would count as a hit if boxes were matched otherwise than they should: reason to array of bool."""
    def greedy(order, least=0.1, faces=lambda box: [k for k, face in enumerate(true) if face[0] == box[0]]):
        taken, hit = set(), np.zeros(len(pred), bool)
        for k in order:
            free = [j for j in faces(pred[k]) if j not in taken and overlap(pred[k, 1:], true[j, 1:]) > least]
            taken.update(free[:1])
            hit[k] = bool(free)
        return hit

    surest = np.argsort(-decision)
    return {
        "a box is compared with faces of other photos: the first number of a box says which photo it lies on": greedy(surest, faces=lambda box: range(len(true))),
        "a box is compared with the first face of its photo only": greedy(surest, faces=lambda box: [k for k, f in enumerate(true) if f[0] == box[0]][:1]),
        "who comes first takes the face: match the boxes by falling decision, as best_match does": greedy(range(len(pred))),
        "a hit has an IoU above 0.1, as in best_match; here more is asked for": greedy(surest, 0.5),
        "a hit has an IoU above 0.1, as in best_match; here touching is enough": greedy(surest, 0.0),
    }


def _diagnose_curve(precision, recall, thresholds, decision, hit, alone, pred, true):
    def like(p, r):
        return np.allclose(precision, p, atol=1e-6) and np.allclose(recall, r, atol=1e-6)

    p, r = _points(thresholds, decision, hit, len(true))
    if like(r, p):
        return "precision and recall are swapped: return precision, recall, thresholds"
    if like(p[::-1], r[::-1]):
        return "the thresholds run one way and the curve the other: point k belongs to thresholds[k]"
    if like(p[::-1], r) or like(p, r[::-1]):
        return "precision and recall run in opposite directions: point k of both belongs to thresholds[k]"
    double = _points(thresholds, decision, alone, len(true))
    if like(*double):
        return "a second box on the same face is counted as a hit: each face can be found once, so match all kept boxes together"
    for reason, other in _other_hits(pred, true, decision).items():
        if like(*_points(thresholds, decision, other, len(true))):
            return reason
    strict = _points(thresholds, decision, hit, len(true), np.greater)
    if np.allclose(precision[strict[1] > 0], strict[0][strict[1] > 0]) and np.allclose(recall, strict[1]):
        return "a box is kept if its decision is at least the threshold: >= instead of >"
    if np.allclose(precision, p, atol=1e-6):
        return f"the recall is the share of all {len(true)} faces that were found; also of those in photos without a detection"
    if np.allclose(recall, r, atol=1e-6):
        return "the recall is right. The precision is the share of the kept boxes that are hits"
    return ""


def check_precision_recall_curve(f, kit):
    """Every point of the curve is what the definition says, for one threshold per distinct decision.

    Boxes and decisions come as arrays or as lists, whichever the student's own detector gives.
    """
    pred, true, decision, _, _ = staged_detections()
    one_of([lambda: _check_curve(f(pred, true, decision)), lambda: _check_curve(f(pred.tolist(), true.tolist(), decision.tolist())),
            lambda: _check_curve(f(pred.tolist(), true, decision.tolist()))])


def _check_curve(answer):
    pred, true, decision, hit, alone = staged_detections()
    precision, recall, thresholds = (numbers(v, n).ravel() for v, n in zip(
        parts(answer, 3, "precision, recall, thresholds"), ("precision", "recall", "thresholds")))
    require(len(precision) == len(recall), f"{len(precision)} precisions, but {len(recall)} recalls: a curve has one of each at every point")
    require(len(precision) <= MOST_POINTS, f"{len(precision)} points of the curve for {len(decision)} detections: one for every decision is enough")
    extra = len(precision) - len(thresholds)
    require(extra in (0, 1), f"{len(thresholds)} thresholds for {len(precision)} points of the curve: every point has one")
    if extra:  # one end point without a threshold
        rising = recall[0] <= recall[-1]
        precision, recall = (precision[1:], recall[1:]) if rising else (precision[:-1], recall[:-1])
    inner = np.isfinite(thresholds) & (thresholds <= decision.max()) & (thresholds > -1e6)
    precision, recall, thresholds = precision[inner], recall[inner], thresholds[inner]
    if len(set(np.round(thresholds, 6)) & set(np.round(decision, 6))) < 3:
        whole = np.isin(thresholds, (0, 1)).all()
        require(len(thresholds) >= 10, f"the thresholds are {thresholds.tolist()[:6]}, the decisions go from 0.08 to 0.97: "
                + ("they have been cut to whole numbers" if whole else "take every value of the decision function as a threshold"))
    if len(thresholds) > 1:
        steps = np.diff(thresholds)
        require((steps >= 0).all() or (steps <= 0).all(), "the thresholds do not rise or fall along the curve: "
                f"{', '.join(f'{t:.2f}' for t in thresholds[:5])} ...; sort the detections by their decision first")
    p, r = _points(thresholds, decision, hit, len(true))
    bad = (np.abs(precision - p) > 1e-6) | (np.abs(recall - r) > 1e-6)
    if bad.any():
        k = int(np.argmax(bad))
        kept = decision >= thresholds[k]
        require(False, f"at the threshold {thresholds[k]:.3g} {kept.sum()} boxes are kept, {int((kept & hit).sum())} of them find one of the {len(true)} faces: "
                       f"precision {p[k]:.3f}, recall {r[k]:.3f}; got {precision[k]:.3f} and {recall[k]:.3f}. "
                       + _diagnose_curve(precision, recall, thresholds, decision, hit, alone, pred, true))
    kept = {int((decision >= t).sum()) for t in thresholds}
    lost = [float(d) for d in np.sort(decision) if int((decision >= d).sum()) not in kept]
    require(not lost, f"the curve has no point for the threshold {lost[0] if lost else 0:.3g}: every decision is a threshold, "
                      f"and the lowest of them keeps all {len(decision)} boxes")


def _threshold_cases():
    yield np.array([0.05, 0.2, 0.3, 0.45, 0.6, 0.8, np.inf]), np.array([1.0, 0.95, 0.9, 0.85, 0.8, 0.5, 0.0]), 3
    yield np.array([-3.0, -1.5, 0.1, 0.7, 2.4, np.inf]), np.array([1.0, 0.92, 0.88, 0.845, 0.3, 0.0]), 2
    yield np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.99, 0.97, 0.91, 0.88]), 3


def check_get_threshold(f, kit):
    """The greatest threshold at which 85 % of the faces are still found, whichever way the curve runs, in arrays or in lists."""
    one_of([lambda: _check_threshold(f), lambda: _check_threshold(lambda thresholds, recall: f(thresholds.tolist(), recall.tolist()))])


def _check_threshold(f):
    faults = []
    for way in (1, -1):  # a curve may run either way; the answer must fit at least one, all along
        faults.append("")
        for thresholds, recall, right in _threshold_cases():
            value = numbers(f(thresholds[::way].copy(), recall[::way].copy()), "the threshold").ravel()
            require(len(value) == 1, f"expected one number, got {len(value)}: {value[:4].tolist()}")
            value, low = float(value[0]), thresholds[right - 1]
            if low < value <= thresholds[right] + 1e-6:
                continue
            points = ", ".join(f"{t:g}: {r:g}" for t, r in zip(thresholds, recall))
            fault = f"of the thresholds (and their recalls) {points} the answer should be {thresholds[right]:g}; got {value:g}"
            if recall[right] == 0.85 and abs(value - low) < 1e-9:
                fault += ". A recall of exactly 0.85 is enough: >= instead of >"
            elif abs(value - thresholds[0]) < 1e-9 or any(abs(value - t) < 1e-9 for t in thresholds[:right]):
                fault += ". A greater threshold finds 85 % as well, and lets fewer false boxes through"
            elif any(value == t or abs(value - t) < 1e-9 for t in thresholds[right + 1 :] if np.isfinite(t) or value == t):
                fault += f". There only {recall[[t == value or abs(t - value) < 1e-9 for t in thresholds].index(True)]:.0%} of the faces are found: the other side of 0.85"
            elif abs(value - right) < 1e-9 or abs(value - (len(thresholds) - 1 - right)) < 1e-9:
                fault += ". That is the place of the threshold, not the threshold"
            elif any(abs(value - r) < 1e-9 for r in recall):
                fault += ". That is a recall, not a threshold"
            elif value > thresholds[right]:
                fault += f". Above {thresholds[right]:g} fewer than 85 % are found: take a threshold of the curve, not one in between"
            faults[-1] = fault
            break
    require("" in faults, faults[0])


def _in_order(boxes, decision):
    """Rows (decision, box), the surest first; boxes of equal decision in an order of their own."""
    rows = np.column_stack([np.round(decision, 3), np.round(boxes, 1)])
    return rows[np.lexsort(rows.T[::-1] * [[-1], *[[1]] * 5][::-1])]


def check_detect(f, kit):
    """What `get_bboxes_and_decision_function` finds, from the threshold on."""
    model, images = kit.model(spot_network()), spot_photos()
    boxes, decision = read_detections(kit.other("get_bboxes_and_decision_function")(model, images, SHAPES))
    levels = np.unique(decision)
    require(len(levels) >= 3, "get_bboxes_and_decision_function finds fewer than three boxes: correct it first")
    for threshold in (float(levels[-2]), float((levels[-1] + levels[-2]) / 2), float(levels[0]) - 1):
        want = decision >= threshold
        got, sure = read_detections(f(model, images, SHAPES, threshold))
        if len(got) != want.sum():
            text = f"at the threshold {threshold:.3g}, {want.sum()} of {len(boxes)} boxes have at least that decision; got {len(got)}"
            equal = len(got) == (decision > threshold).sum()
            turned = len(got) in ((decision <= threshold).sum(), (decision < threshold).sum())
            require(False, text + (". A decision equal to the threshold is enough: >= instead of >" if equal else
                                   ". The boxes below the threshold were kept" if turned else ". The threshold is not used" if len(got) == len(boxes) else ""))
        require(np.allclose(np.sort(sure), np.sort(decision[want]), atol=1e-4),
                f"the decisions returned are {np.sort(sure)[::-1][:3].round(3).tolist()}, those of the boxes kept are {np.sort(decision[want])[::-1][:3].round(3).tolist()}")
        left, right = _in_order(got, sure), _in_order(boxes[want], decision[want])
        bad = np.abs(left - right).max(axis=1) > 0.6
        require(not bad.any(), f"the box with the decision {left[int(np.argmax(bad))][0]:.3g} is {box_text(left[int(np.argmax(bad))][1:])}, but "
                               f"get_bboxes_and_decision_function says {box_text(right[int(np.argmax(bad))][1:])}: keep boxes and decisions in step")
    alone = f(model, images, SHAPES, float(levels[-2]), return_decision=False)
    require(not (isinstance(alone, tuple) and len(alone) == 2 and np.ndim(alone[1]) == 1), "with return_decision=False only the boxes are asked for")
    require(len(numbers(alone, "the boxes with return_decision=False", 5)) == (decision >= levels[-2]).sum(),
            "with return_decision=False there are other boxes than with return_decision=True")
