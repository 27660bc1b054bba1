"""Checks of the detector: from heat map to boxes."""

from functools import lru_cache

import numpy as np

from common.exercises.answer_form import box_text, numbers, one_of, overlap, parts, require

CANVAS = (176, 176, 3)
SHAPES = np.array([[140, 170, 3], [165, 130, 3]])
BOX_SHAPE = np.array([44.6, 26.4])  # as the notebook hands it in: the mean height and width of a face, two floats
MOST_POINTS = 100_000
MOST_BOXES = 900  # a third of all cells
# photo, row and column of the middle, brightness. They are middles of cells, and not of a window every 8 or 16 pixels; the last spot lies where photo 0 has a brighter one
SPOTS = ((0, 52, 108, 1.0), (1, 44, 36, 0.8), (1, 116, 92, 0.6), (1, 52, 108, 0.7))
CROSSING = ((1, 52, 36, 1.0), (1, 148, 108, 1.0))  # in the row and in the column of the last spot, far from it
AWAY = 3.4  # pixels from the middle of a spot
AS_THE_WINDOW = "where no box_shape is handed in, a box is the window, 32 x 32, half of it on each side of the middle"


@lru_cache(maxsize=4)
def spot_network(shape=CANVAS, white=255, doubt=0.3, colours=(1, 1, 1)):
    """A fully convolutional network with a 32 x 32 window every four pixels that looks for bright spots; its pixels go from 0 to `white`.

    How much red, green and blue count is said by `colours`.

    The greater `doubt`, the further 'not a face' is ahead everywhere: from 0.5 on, the darkest spot is a peak at which the network answers 'not a face'.

    It has a bend, as every network has: to pixels of another range it answers otherwise, and not only less.
    """
    import keras

    rows, cols = np.mgrid[:32, :32] - 15.5
    bump = np.exp(-(rows**2 + cols**2) / (2 * 7.0**2))
    kernel = np.repeat((bump - bump.mean())[:, :, None], 3, axis=2)
    kernel *= 7.0 / (kernel * bump[:, :, None] * white).sum() * np.array(colours)
    look, answer = keras.layers.Conv2D(1, 32, strides=4, activation="silu"), keras.layers.Conv2D(2, 1)
    model = keras.Sequential([keras.Input(shape), look, answer])
    look.set_weights([kernel[..., None], np.array([-3.0])])
    answer.set_weights([np.array([-1.0, 1.0]).reshape(1, 1, 1, 2), np.array([doubt, -doubt])])
    return model


def spot_photos(spots=SPOTS):
    """Two photos on their black canvas with bright spots where `SPOTS` says, on ground that is nowhere flat, as on any photo."""
    images = np.zeros((len(SHAPES), *CANVAS))
    rows, cols = np.mgrid[:176, :176]
    grain = np.random.default_rng(3)
    for index, (height, width, _) in enumerate(SHAPES):
        images[index, :height, :width] = 30 + grain.uniform(-9, 9, (height, width, 1))
    for index, row, col, light in spots:
        images[index] += (light * 220 * np.exp(-((rows + 0.5 - row) ** 2 + (cols + 0.5 - col) ** 2) / (2 * 7.0**2)))[..., None]
    return np.clip(images, 0, 255).astype(np.uint8)


def detections(answer):
    """Boxes (N, 5) and decision function (N,) as arrays, or boxes alone, whatever lists or tables they come in: the notebook goes on with these.

    What is neither stays as it is.
    """
    pair = isinstance(answer, (tuple, list)) and len(answer) == 2 and np.ndim(_plain(answer[1])) < 2 and (np.ndim(_plain(answer[0])) != 1 or not np.size(_plain(answer[0])))
    boxes, decision = (_plain(part) for part in answer) if pair else (_plain(answer), None)
    if boxes is None or boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 5):
        return answer
    boxes = boxes.reshape(-1, 5)
    return (boxes, decision.reshape(-1)) if pair and decision is not None and decision.size == len(boxes) else answer if pair else boxes


def _plain(part):
    """An array of numbers, a column of them as a row; None if it is none."""
    try:
        array = np.asarray(part if isinstance(part, np.ndarray) and part.dtype != object else np.asarray(part).tolist())
    except (TypeError, ValueError):
        return None
    return None if array.dtype.kind not in "biuf" else array.ravel() if array.ndim == 2 and array.shape[1] == 1 else array


def read_detections(value):
    """Boxes (N, 5) and decision function (N,) of a student's answer."""
    boxes, decision = parts(value, 2, "pred_bboxes, decision_function")
    first, second = np.asarray(boxes, dtype=object), np.asarray(decision, dtype=object)
    require(not (second.ndim == 2 and second.shape[1] == 5 and first.ndim == 1), "the decisions come first and the boxes second: return pred_bboxes, "
                                                                                 "decision_function in this order")
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


def _middles(boxes):
    return (boxes[:, 1:3] + boxes[:, 3:]) / 2


def _spots_of(boxes, spots, away):
    """Index of the spot in the middle of each box, or -1."""
    answer = np.full(len(boxes), -1)
    for k, spot in enumerate(spots):
        near = (boxes[:, 0] == spot[0]) & (np.abs(_middles(boxes) - _middles(spot[None])).max(axis=1) <= away)
        answer[near] = k
    return answer


MIRRORED = "There are boxes where the mirrored photo has its spots: the map of a mirrored photo must be mirrored back"


def _diagnose_place(boxes, spots, more):
    """Why the surest boxes lie elsewhere than the spots; `more` are as many again."""
    if len(boxes) < len(SPOTS):
        return f"There {'is' if len(boxes) == 1 else 'are'} only {len(boxes)} box{'es' * (len(boxes) != 1)}: every peak becomes one, however low it is; the threshold comes later"
    if np.abs(boxes[:, 1:]).max() <= 1:
        return "A box is in pixels of the photo, not in shares of it"
    if not np.isin(boxes[:, 0], range(len(SHAPES))).all():
        return f"The first number of a box is the index of its photo, 0 to {len(SHAPES) - 1} here"
    if (boxes[:, 3:] <= boxes[:, 1:3]).any():
        return "A box is [image_index, min_row, min_col, max_row, max_col], not a corner with a height and a width"
    sides = np.median(boxes[:, 3:] - boxes[:, 1:3], axis=0)
    corners = (sum((np.abs((boxes - spot)[:, part] * [99, 1, 1]).max(axis=1) <= AWAY).any() for spot in spots) for part in ([0, 1, 2], [0, 3, 4]))
    if np.abs(sides - 32).max() > AWAY and max(corners) >= len(spots) - 1:
        return (f"They have {sides[0]:g} rows and {sides[1]:g} columns, and the window has 32 and 32: {AS_THE_WINDOW}")
    if (boxes[:, 1:3] <= 37).all():
        return "Map cells are not pixels: one step on the map is four pixels of the photo"
    wide = 176 / 37  # the map laid over the photo, with the cell as the corner of the window or as its middle; or enlarged to its size
    for places in (spots[:, 1:3] * wide / 4, (spots[:, 1:3] / 4 + 2) * wide - 16, (spots[:, 1:3] / 4 + 0.5) * wide - 16.5):
        if all(any(b[0] == s[0] and np.abs(b[1:3] - place).max() <= 4 for b in boxes) for s, place in zip(spots, places)):
            return "A step on the map is 4 pixels, not 176 / 37: the map is no smaller photo (nor is it one when it is enlarged), as no window reaches over the edge"
    for step in (2, 3, 5, 6, 8, 16, 32):
        if sum(any(b[0] == s[0] and np.abs(b[1:3] - s[1:3] / 4 * step).max() <= step for b in boxes) for s in spots) >= len(spots) - 1:
            return f"A step on the map is 4 pixels of the photo, not {step}"
    half = ": cell (i, j) looks at the pixels from (4 i, 4 j) to (4 i + 32, 4 j + 32), and in their middle lies the box"
    moved = {
        "Rows and columns are swapped": spots[:, [0, 2, 1, 4, 3]],
        MIRRORED: _mirrored(spots),
        **{f"{where}{half}": spots + 16 * np.array([0, down, right, down, right]) for where, down, right in (
            ("It lies half a window too far up and left", -1, -1), ("It lies half a window too far down and right", 1, 1), ("It lies half a window too far up", -1, 0),
            ("It lies half a window too far down", 1, 0), ("It lies half a window too far left", 0, -1), ("It lies half a window too far right", 0, 1))},
    }
    for reason, places in moved.items():
        if (_spots_of(boxes, places, AWAY) >= 0).sum() >= 2:
            return reason
    if _with_mirrored(more, spots):
        return MIRRORED
    return _diagnose_step(boxes, spots) or _diagnose_step(more, spots)


def _mirrored(spots):
    return np.column_stack([spots[:, :2], 176 - spots[:, 4], spots[:, 3], 176 - spots[:, 2]])


def _with_mirrored(boxes, spots):
    """Do boxes lie where the mirrored photos have their spots, all but one of them?"""
    return len(set(_spots_of(boxes, _mirrored(spots), AWAY)) - {-1}) >= len(spots) - 1


def _diagnose_step(boxes, spots):
    """Do they lie a few cells off, all but one of them in the same direction?"""
    if (np.ptp(boxes[:, 1:3] % 8, axis=0) == 0).all():  # every second cell was left out
        return ""
    ways = [_middles(boxes[boxes[:, 0] == spot[0]]) - _middles(spot[None]) for spot in spots]
    near = [way[np.abs(way).max(axis=1).argmin()] for way in ways if len(way)]
    down, right = np.median(near, axis=0) if len(near) == len(spots) else (0, 0)
    if not 3 < max(abs(down), abs(right)) <= 13 or sum(np.abs(way - (down, right)).max() <= 1 for way in near) < len(spots) - 1:
        return ""
    said = [f"{abs(away):.0f} pixels too far {word}" for away, word in ((down, "down" if down > 0 else "up"), (right, "right" if right > 0 else "left")) if abs(away) > 1]
    return f"They lie {' and '.join(said)}: cell (i, j) begins at pixel (4 i, 4 j), and i and j count from 0 at the edge of the map"


def check_get_bboxes_and_decision_function(f, kit):
    """One box of the size that is asked for on every peak of the heat map, the surest for the strongest answer.

    The notebook's network takes pixels from 0 to 255. Who wrote for the published course may have one that takes pixels from 0 to 1, and
    divides by 255 here: that is right there. Its photos' shapes are (height, width).
    """
    if kit.lenient:
        one_of(lambda white=white, wide=wide: _check_all(f, kit, white, wide) for wide in (3, 2) for white in (255, 1))
        return
    model = kit.model(spot_network(doubt=0.8))
    _check_boxes(f, model, kit)
    _check_by_itself(f, model)
    _check_box_shape(f, model)
    _check_colours(f, kit)


def _check_all(f, kit, white, wide):
    _check_boxes(f, kit.model(spot_network(white=white)), wide=wide)
    _check_colours(f, kit, white, wide)


def _check_colours(f, kit, white=255, wide=3):
    """A red spot and a blue one, for a network to which red alone counts."""
    images = spot_photos([])[:1]
    for channel, spot in zip((0, 2), SPOTS[1:3]):
        images[0, ..., channel] = spot_photos([(0, *spot[1:3], 1.0)])[0, ..., channel]
    boxes, decision = read_detections(f(kit.model(spot_network(white=white, colours=(3, 0, 0))), images, SHAPES[:1, :wide].copy()))
    red, blue = (decision[_spots_of(boxes, np.array([[0, r - 16, c - 16, r + 16, c + 16]], float), AWAY) == 0].max(initial=-np.inf) for _, r, c, _ in SPOTS[1:3])
    require(red > blue, f"with a network that looks at red alone, a blue spot has the decision {blue:.3g} and a red one {red:.3g}: hand the photos to the network as they come, in RGB")


def _check_by_itself(f, model):
    """Another photo, alone: with two of the spots, and with others beside them than before."""
    before = read_detections(f(model, spot_photos(), SHAPES.copy()))
    boxes, decision = read_detections(f(model, spot_photos([*SPOTS[2:], *CROSSING])[1:], SHAPES[1:].copy()))
    known = len(boxes) >= len(before[0]) and np.array_equal(boxes[: len(before[0])], before[0])
    require(not known, "asked about another photo, it gives the boxes of an earlier call again: begin with new lists in every call, and keep nothing between calls")
    require(len(boxes) and (boxes[:, 0] == 0).all(), f"asked about one photo alone, {'there is no box' if not len(boxes) else f'boxes have the index {boxes[:, 0].max():g}, and the only photo is 0'}")
    for index, row, col, _ in SPOTS[3:]:
        spot = np.array([index, row - 16, col - 16, row + 16, col + 16], float)
        was, now = (sure[_spots_of(found, where[None], AWAY) == 0].max(initial=-np.inf) for (found, sure), where in ((before, spot), ((boxes, decision), spot * [0, 1, 1, 1, 1])))
        require(was == -np.inf or now > -np.inf, f"there is a box on the spot at {box_text(spot[1:])}, and none on the same photo when other spots lie in its row and in its column: a peak is greater "
                                                 "than its neighbours, the cells around it, and not than its whole row or column")
        require(abs(was - now) < 2e-3 * max(abs(was), abs(now)) + 1e-6,
                f"the spot at {box_text(spot[1:])} has the decision {was:.4g}, and on the same photo with other spots beside it, in its row and in its column, {now:.4g}: "
                "how sure a box is depends on its own window alone. Do not divide by the greatest, and take no ranks and no softmax over cells, rows or columns "
                "(it goes over the last axis, the two answers), or one threshold cannot serve all photos")


def _scaled(f, kit):
    """Does it find the spots with a network that takes pixels from 0 to 1?"""
    try:
        _check_boxes(f, kit.model(spot_network(white=1)))
    except Exception:
        return False
    return True


def _check_boxes(f, model, kit=None, wide=3):
    images, spots, count = spot_photos(), _expected(), len(SPOTS)
    boxes, decision = read_detections(f(model, images, SHAPES[:, :wide].copy()))
    require(len(boxes), f"no box at all, though the photos show {count} bright spots and the network answers to them")
    on = _spots_of(boxes, spots, AWAY)
    crowd = sum((on == 0) & (decision > decision.min()))
    require(crowd <= 4, f"{len(boxes)} boxes for {count} spots, {crowd} of them on the same one: keep only those cells that are greater than their neighbours")
    require(len(boxes) <= MOST_BOXES, f"{len(boxes)} boxes for {count} spots on {len(SHAPES)} photos: keep only those cells that are greater than "
                                                  "their neighbours, and leave out the black margin beyond image_shapes")
    odd = next((b for k, b in zip(on, boxes) if k >= 0 and overlap(b[1:], spots[k][1:]) <= 0.1), None)
    require(odd is None, "" if odd is None else f"the box on a spot, {box_text(odd[1:])}, has {odd[3] - odd[1]:g} rows and {odd[4] - odd[2]:g} columns: {AS_THE_WINDOW}")
    value = np.array([decision[on == k].max(initial=-np.inf) for k in range(count)])
    sure = np.sort(decision)[::-1][: 3 * count].min()
    missing = set(np.flatnonzero(value < sure))  # a weak box that happens to lie there is no answer to the spot
    if missing and not (np.isfinite(value).all() and (np.diff(value[np.argsort([-light for *_, light in SPOTS])]) > 0).all()):  # who has the other sign hears of that
        _say_what_is_missing(f, kit, boxes, decision, spots, missing)
    bright = np.argsort([-light for *_, light in SPOTS])
    steps, several = np.diff(decision), len(np.unique(decision)) > 2
    require((np.diff(value[bright]) < 0).all() or not several or not ((steps >= 0).all() or (steps <= 0).all()),
            "the decisions are sorted, and the boxes are not in the same order: keep boxes and decisions in step")
    best = [decision[boxes[:, 0] == n].max(initial=-np.inf) for n in range(len(SHAPES))]
    require((np.diff(value[bright]) < 0).all() or not several or np.ptp(best) > 1e-6, f"the surest box of every photo has the decision {best[0]:.3g}: do not divide by the greatest of each photo, "
                                                                       "or one threshold cannot serve all photos")
    require((np.diff(value[bright]) < 0).all(), f"the brightest spot has the decision {value[bright[0]]:.3g}, darker ones {', '.join(f'{v:.3g}' for v in value[bright[1:]])}: "
                                                "the decision function must be greater for surer boxes (and no whole number)")
    require((decision != np.round(decision)).any(), "all decisions are whole numbers, and the answers of the network are not: they have been cut (int), so that boxes of "
                                                    "0.9 and of 0.1 count as equally sure")
    beside = decision[on < 0].max(initial=-np.inf)
    surest = boxes[np.argsort(-decision, kind="stable")[: 3 * count]]
    require(beside < value.min(), f"a box beside every spot, {box_text(boxes[int(np.argmax(np.where(on < 0, decision, -np.inf)))])}, has the decision "
                                  f"{beside:.3g}, more than a spot with {value.min():.3g}{f'. {MIRRORED}' * _with_mirrored(surest, spots)}")
    strong = decision >= np.sort(decision)[::-1][min(count, len(decision)) - 1]
    require(sum(strong) <= 2 * count, f"{sum(strong)} boxes share the highest decision: is it cut to whole numbers?")
    if kit is not None:
        _check_margin(boxes)


def _check_margin(boxes):
    """No box in the black margin."""
    limits = SHAPES[boxes[:, 0].astype(int), :2]
    thin = (boxes[:, 3:] - boxes[:, 1:3] < 1).any(axis=1)
    outside = thin | (_middles(boxes) > limits + 2.5).any(axis=1)
    if outside.any():
        box = boxes[int(np.argmax(outside))]
        require(False, f"{outside.sum()} of {len(boxes)} boxes have their middle beyond the photo, for example {box_text(box[1:])} on photo {box[0]:g}, which ends at row "
                       f"{limits[np.argmax(outside)][0]} and column {limits[np.argmax(outside)][1]}: that is black margin; leave them out with image_shapes")


def _more_where_sure(f, kit):
    """Does it find several boxes on a photo with a network that says 'face' nearly everywhere?"""
    try:
        boxes, _ = read_detections(f(kit.model(spot_network(doubt=-3.0)), spot_photos(), SHAPES.copy()))
    except Exception:
        return False
    return len(boxes) > len(np.unique(boxes[:, 0]))


def _say_what_is_missing(f, kit, boxes, decision, spots, missing):
    order = np.argsort(-decision, kind="stable")[: len(SPOTS)]
    spot, expected = SPOTS[min(missing)], box_text(spots[min(missing)][1:])
    surest = ", ".join(f"{box_text(b[1:])} on photo {b[0]:g}" for b in boxes[order])
    text = f"no box on the bright spot in photo {spot[0]} around row {spot[1]}, column {spot[2]} (expected about {expected}). "
    weak = decision[_spots_of(boxes, spots, 1) == min(missing)]
    if len(weak):
        text = f"the box on the bright spot in photo {spot[0]} around row {spot[1]}, column {spot[2]} has the decision {weak.max():.3g}, and boxes elsewhere have more. "
    counts = [int((boxes[:, 0] == k).sum()) for k in range(len(SHAPES))]
    if max(counts) == 1 < len(boxes):
        require(not _more_where_sure(f, kit), f"{text}There are more boxes where the network is surer: every peak becomes one, however low it is; the threshold comes later")
        require(False, f"{text}There is only one box for each photo: a photo may show several faces, so take every peak, not the greatest alone")
    if missing == {len(SPOTS) - 1}:
        require(False, text + "Photo 0 has a brighter spot at nearly the same place: look for the peaks of each map by itself "
                              "(maximum_filter(maps, size=(1, 3, 3)), or one map at a time)")
    heat = np.asarray(spot_network().predict(spot_photos().astype(np.float32), verbose=0))[..., 1]
    cells = np.clip(np.round((_middles(boxes[order]) - 16) / 4).astype(int), 0, 36)
    seen = [heat[int(b[0]), i, j] for b, (i, j) in zip(boxes[order], cells) if 0 <= b[0] < len(SHAPES)]
    dark = [np.mean(heat < h) for h in seen]
    reason = _diagnose_place(boxes[order], spots, boxes[np.argsort(-decision, kind="stable")[: 3 * len(SPOTS)]])
    steps = np.diff(decision)
    if not reason and (_middles(boxes[order]) > SHAPES[boxes[order, 0].astype(int), :2]).any(axis=1).all():
        reason = "They lie in the black margin: keep the boxes whose middle lies inside image_shapes, and not those outside"
    if not reason and np.unique(boxes[:, 0]).size == 1:
        reason = (f"All boxes carry the index of photo {boxes[0, 0]:g}: look at every photo, and give its boxes its own index (a `return` within the loop over the photos ends it at the first)")
    if not reason and np.ptp(decision) < 1e-6:
        reason = f"All decisions are {decision[0]:.3g}: is it the answer 'face' of the map, or that minus the answer 'not a face'?"
    if not reason and (np.diff(boxes[:, 0]) >= 0).all() and ((steps >= 0).all() or (steps <= 0).all()):
        reason = "The decisions are sorted, and the boxes are in the order of the photos: keep boxes and decisions in step"
    if not reason and len(np.unique(boxes[:, 1:], axis=0)) < 0.7 * len(boxes):
        reason = "All photos have the same boxes: look at the map of each photo"
    if not reason and len(set(_spots_of(boxes, spots[:, [0, 2, 1, 4, 3]], AWAY)) - {-1}) == len(spots):
        reason = "Rows and columns are swapped: a cell of the map is (row, column), as peak_local_max and np.argwhere give it, and its decision is map[row, column]"
    if not reason and dark and np.median(dark) < 0.1:
        reason = "There the network answers 'not a face': channel 1 of its map is the answer 'face', channel 0 'not a face', and an answer below 0 is less than any above (no abs)"
    if not reason and sum(_spots_of(boxes[order], spots, 13) >= 0) >= len(order) - 1 and not (_spots_of(boxes[order], spots, 1) >= 0).any():
        reason = "They lie several pixels beside the spots: look at every cell of the map, not only at some"
    if not reason and len(weak):
        reason = "A box has the decision of its own cell, map[row, column], with its sign and without its neighbours"
    # pixels from 0 to 1 are all the same to the network; whoever keeps only what is above a threshold finds more where the answers are greater, and so on brighter pixels
    if kit is not None and len(boxes) >= len(SPOTS) and np.ptp(decision) < 0.02 and _scaled(f, kit):
        reason = ("It finds them with a network that takes pixels from 0 to 1: are the photos divided by 255, or normalised, before they go into the network? "
                  "The notebook's takes them from 0 to 255, as it was fitted")
    require(False, f"{text}The surest boxes are {surest}. {reason}")


def _check_box_shape(f, model):
    """Boxes of the size that the notebook asks for, around the same middles."""
    images, spots = spot_photos(), _expected()
    boxes, decision = read_detections(f(model, images, SHAPES.copy(), box_shape=BOX_SHAPE.copy()))
    text = f"asked for boxes of {BOX_SHAPE[0]:g} rows and {BOX_SHAPE[1]:g} columns (box_shape), "
    require(len(boxes), text + "there is no box at all")
    sure = np.argsort(-decision, kind="stable")[: len(SPOTS)]
    sides = boxes[sure][:, 3:] - boxes[sure][:, 1:3]
    right = np.abs(sides - BOX_SHAPE).max(axis=1) <= 1.5
    got = f"the surest is {sides[0][0]:g} x {sides[0][1]:g}"
    require(not (np.abs(sides - BOX_SHAPE[::-1]).max(axis=1) <= 1.5).all(), f"{text}{got}: box_shape is (height, width), rows first")
    require(not (np.abs(sides - 32).max(axis=1) <= 1).all(), f"{text}{got}: box_shape is not used, and the cells below hand it in")
    require(right.all(), text + got)
    on = _spots_of(boxes[sure], spots, AWAY)
    require(len(set(on) - {-1}) == len(SPOTS), f"{text}the surest boxes are {', '.join(box_text(b[1:]) for b in boxes[sure])}: their middles are no longer those of the windows, "
                                               "(4 i + 16, 4 j + 16) for cell (i, j); half of box_shape lies on each side of it")
