"""Checks of the patches: `gen_negative_bbox` and `get_positive_negative`."""

import os
import re
from pathlib import Path

import numpy as np

from common.exercises.answer_form import box_text, numbers, one_of, overlap, parts, require, short

SIDE = 32
DATA = Path(__file__).resolve().parents[2] / "data"  # where the notebook looks
DRAW = "rng = np.random.default_rng(rng) makes a generator of a seed, of None, and of a generator"
DRAWS = {*dir(np.random.Generator), *dir(np.random.RandomState)} - set(dir(object))
TOUCH = 0.1  # from this IoU on, a negative box shows part of a face
# how load_dataset gives boxes and the photos' shapes: this kit's fractions and (height, width, 3), the published course's whole numbers and (height, width)
HERE, PUBLISHED = (float, 3), (int, 2)
# faces (N, 4) as who takes their numbers for something else sees them
READ_OTHERWISE = {
    "with rows and columns swapped": lambda faces: faces[:, [1, 0, 3, 2]],
    "if its last two numbers were a height and a width": lambda faces: np.hstack([faces[:, :2], faces[:, :2] + faces[:, 2:]]),
}


def _read_box(box, shape, size, faces):
    beside = "" if len(faces) else ". There is no face in it, true_bboxes is empty: then every box inside the photo is a negative one"
    require(box is not None, f"returned None although a photo of {shape[0]} rows and {shape[1]} columns has room for a box of {size[0]} x {size[1]}{beside}")
    box = numbers(box, "the box").ravel()
    require(len(box) == 4, f"expected four numbers [min_row, min_col, max_row, max_col], got {len(box)}: {short(box[:8].tolist())}")
    return box


def _check_place(boxes, shape, size):
    """Boxes of the right size inside the photo; says so if rows and columns are swapped."""
    height, width = shape[:2]
    sides = boxes[:, 2:] - boxes[:, :2]
    right = np.abs(sides - size).max(axis=1) < 1e-6
    if not right.all():
        bad = int(np.argmin(right))
        swapped = size[0] != size[1] and (np.abs(sides - size[::-1]).max(axis=1) < 1e-6).all()
        far = (boxes[:, 2:] <= 0).any() or (sides <= 0).any()
        reason = ("rows and columns are swapped" if swapped else
                  "a box is [min_row, min_col, max_row, max_col], not a corner with a height and a width" if
                  np.allclose(boxes[:, 2:], size) or far else "a box is in pixels, not in shares of the photo" if 0 <= boxes.min() <= boxes.max() <= 1 else
                  "the size that is asked for is not used" if (sides == 32).all() else "it has another size")
        require(False, f"the box {box_text(boxes[bad])} is {sides[bad][0]:g} rows high and {sides[bad][1]:g} columns wide, asked for "
                       f"{size[0]} x {size[1]}: {reason}")
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > [height, width]).any(axis=1)
    if outside.any():
        bad = boxes[int(np.argmax(outside))]
        mirrored = not ((boxes[:, :2] < 0).any() or (boxes[:, 2:] > [width, height]).any())
        reason = "rows and columns are swapped" if mirrored else "it reaches outside, where the canvas is black"
        require(False, f"the photo has {height} rows and {width} columns, the box is {box_text(bad)}: {reason}")


def _drawing(f, *args, **kwargs):
    """Call what draws at random; who cannot use the generator or the seed gets told what it is."""
    try:
        return f(*args, **kwargs)
    except Exception as error:
        kind, text = getattr(error, "kind", type(error).__name__), str(error)
        lost = re.search(r"'(?:[\w.]*\.)?(NoneType|int|Generator)' object has no attribute '(\w+)'", text)
        require(not (lost and lost[2] in DRAWS or kind == "TypeError" and "Generator" in text), f"raises {kind}: {text}. `rng` is a numpy generator, a seed, or None: {DRAW}"
                + (f". Its method for whole numbers is rng.integers, not {lost[2]}" if lost and lost[1] == "Generator" and lost[2] == "randint" else ""))
        raise


def _full_photos():
    """Has the data of this notebook photos without room for a negative box? The built-in scenes have none, FDDB has."""
    from RegionDetector.get_data import data_name

    return data_name(DATA, os.environ.get("KIT_SOURCE") or None) != "built-in demo scenes"


def check_gen_negative_bbox(f, kit):
    """Random boxes of the asked size, inside the photo, clear of every face; called with a generator, as the notebook does, and without."""
    # without a generator as well where the published course is graded: its stub had none, and a fourth parameter there may be anything
    forms = (*HERE, True), (*HERE, False), (*PUBLISHED, False)
    one_of(lambda form=form: _check_drawn(f, kit, *form) for form in forms[: None if kit.lenient else 1])


def _check_drawn(f, kit, kind, wide, sown):
    rng = (kit.run("numpy.random:default_rng", 5),) * sown
    no_face = np.zeros((0, 4), kind)
    kit.doing = "on a photo without a face"  # whoever asks for any face that is far away, or for none that is not, waits for ever
    for shape, size in (((60, 150, 3), (32, 32)), ((140, 50, 3), (40, 20))):
        shape = np.array(shape[:wide])
        boxes = np.array([_read_box(_drawing(f, shape, size, no_face, *more), shape, size, no_face) for more in [rng] * 50 + [()] * 10])
        _check_place(boxes, shape, np.array(size))
        places = len(np.unique(boxes[:50], axis=0))
        require(places >= 10, f"50 calls on an empty photo{', all with one generator as rng,' * sown} gave only {places} different box{'es' if places > 1 else ''}: "
                              "draw it at random, and make no new generator of a fixed seed")
        reach, room = boxes[:, :2].max(axis=0) - boxes[:, :2].min(axis=0), shape[:2] - size
        require((reach > room / 2).all(),
                f"in a photo of {shape[0]} x {shape[1]} the upper left corners spread over {reach[0]:g} rows and {reach[1]:g} columns; "
                f"there is room for {room[0]} and {room[1]}: large parts of the photo are never drawn")
    shape, size = np.array((110, 130, 3)[:wide]), (32, 32)
    kit.doing = "on a photo with three faces"
    faces = np.array([[2.4, 2.7, 40.1, 40.3], [60.2, 70.6, 108.4, 118.5], [10.3, 80.8, 46.2, 116.1]]).astype(kind)
    boxes = np.array([_read_box(_drawing(f, shape, size, faces, *rng), shape, size, faces) for _ in range(150)])
    _check_place(boxes, shape, np.array(size))
    for number, face in enumerate(faces):
        touch = [overlap(box, face) for box in boxes]
        worst = int(np.argmax(touch))
        if touch[worst] >= TOUCH:
            reason = next((f". It keeps clear of where the face would lie {how}" for how, read in READ_OTHERWISE.items()
                           if all(overlap(b, other) < TOUCH for b in boxes for other in read(faces))), "")
            clear = [n for n, other in enumerate(faces) if max(overlap(b, other) for b in boxes) < TOUCH]
            reason = reason or (" (it keeps clear of another face: is every face looked at?)" if clear else "")
            require(False, f"the box {box_text(boxes[worst])} touches the face {box_text(face)}: their IoU is {touch[worst]:.2f}, "
                           f"a negative box stays below {TOUCH}{reason}")
    if not kit.lenient and _full_photos():
        kit.doing = "on a photo full of faces, as FDDB has some, where it should give up after, say, 100 boxes and return None"
        box = _drawing(f, np.array((44, 44, 3)), size, np.array([[4.2, 6.1, 40.4, 36.3]]), *rng)
        require(box is None, f"in a photo of 44 x 44 with a face of {box_text([4.2, 6.1, 40.4, 36.3])} there is no room: expected None, got {short(box)}")


# --- get_positive_negative: photos in which every pixel says where it lies ---

SHAPES = np.array([[120, 90, 3], [70, 176, 3], [176, 150, 3], [100, 130, 3]])
FACES = np.array([
    [0, 10.3, 8.2, 44.1, 40.6], [0, 70.2, 40.4, 104.3, 74.1], [1, 20.6, 100.4, 52.2, 130.3], [2, 30.3, 90.2, 68.4, 124.4], [2, 90.1, 20.3, 122.4, 54.2],
    [3, 50.4, 12.2, 84.1, 44.3], [2, 0, 60.2, 27.3, 86.4], [3, 20.4, 0.2, 51.3, 25.1],  # the windows of the last two reach over the edge
])
FAR_FACES = np.array([[2, 150.2, 60.3, 176, 90.4], [1, 12.3, 151.2, 44.4, 176]])  # and of these over the lower and the right one
AT_THE_EDGE = (6, 7, 8, 9)
AT_EDGES = "Where a face's window reaches over an edge of the canvas, also the lower and the right one, black fills it up"
# as FDDB has some: nowhere room for a negative box
FULL_SHAPE, FULL_FACE = np.array([[44, 44, 3]]), np.array([[4, 4.2, 6.1, 40.4, 36.3]])


def coded_photos(shapes=SHAPES):
    """Photos on their black canvas: red is the row, green the column, blue the number of the photo."""
    images = np.zeros((len(shapes), 176, 176, 3), np.uint8)
    for index, (height, width, _) in enumerate(shapes):
        rows, cols = np.mgrid[:height, :width]
        images[index, :height, :width] = np.stack([rows, cols, np.full_like(rows, 60 + 45 * index)], axis=-1)
    return images


def pixel_range(patches):
    """From where to where the pixels go: 0 to 255; 0 to 1, as skimage's resize makes of these; or -1 to 1, which some networks are fed with."""
    if not patches.max() <= 1.001:  # nor where a NaN is among them
        return 0, 255
    return (-1, 1) if -1.001 <= patches.min() < -0.01 else (0, 1)


def _patches(value, what, lenient):
    require(value is not None, f"the {what} patches are None")
    require(hasattr(value, "__len__") or isinstance(value, np.ndarray), f"the {what} patches: expected an array (N, 32, 32, 3), got {short(value)}")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        sizes = sorted({np.shape(p) for p in value}, key=str)
        require(False, f"the {what} patches have different sizes, for example {sizes[0]} and {sizes[-1]}: the network takes 32 x 32. {AT_EDGES}")
    if array.size == 0:
        return np.zeros((0, SIDE, SIDE, 3))
    require(array.shape[1:] == (SIDE, SIDE, 3), f"expected {what} patches of shape (N, 32, 32, 3), got {array.shape}")
    low, high = pixel_range(array)
    small = high == 1
    require(small or array.min() >= 0, f"the {what} patches go from {array.min():.3g} to {array.max():.3g}: leave the pixels from 0 to 255, as in images "
                                                  "(whole numbers of 8 bits with a sign end at 127)")
    require(lenient or np.abs(array - array[..., :1]).max() > 1e-6, f"the {what} patches are grey: leave the three colours as they are in images")
    require(lenient or not small, f"the {what} patches go from {array.min():.2g} to {array.max():.2g}: leave the pixels from 0 to 255, as in images; "
                                  "the network scales them by itself (Rescaling), and the detector hands it photos from 0 to 255")
    return (array - low) * (255 / (high - low))


def _photo_of(blue):
    return round((float(np.median(blue)) - 60) / 45)


def _where(patches):
    """Photo number and box [index, min_row, min_col, max_row, max_col] of each patch, from its colours."""
    found = []
    for patch in patches:
        lit = patch[:, :, 2] > 30
        if not lit.any():
            found.append([-1, 0, 0, 0, 0])
            continue
        rows, cols = patch[lit][:, 0], patch[lit][:, 1]
        found.append([_photo_of(patch[lit][:, 2]), rows.min(), cols.min(), rows.max() + 1, cols.max() + 1])
    return np.array(found, float).reshape(-1, 5)


def _middles(patches):
    """Photo number, row and column of the middle of each patch: (N, 3). What is filled up at the edge changes nothing of it."""
    middle = patches[:, 15:17, 15:17].mean(axis=(1, 2)) if len(patches) else np.zeros((0, 3))
    return np.column_stack([[_photo_of(b) for b in middle[:, 2]], middle[:, :2] + 0.5]) if len(middle) else middle


def _center(boxes):
    return (boxes[:, 1:3] + boxes[:, 3:5]) / 2


def _on_face(middle, face, away=4.5):
    return middle[0] == face[0] and np.abs(middle[1:] - _center(face[None])[0]).max() <= away


def _faces_among(middles, faces):
    """For every face, is there a patch with the face in its middle?"""
    return [any(_on_face(m, face) for m in middles) for face in faces]


def _from_corners(middles, faces):
    """Do the windows of those faces that are larger or smaller than a window lie around no middle of a box, but begin at its corner?"""
    for face in faces[np.abs(np.ptp(faces[:, 1:].reshape(-1, 2, 2), axis=1) - SIDE).max(axis=1) > 4]:
        those = np.array([m[1:] for m in middles if _on_face(m, face)])
        from_middle, from_corner = (np.abs(those - place).max(axis=1).min(initial=np.inf) for place in (_center(face[None])[0], face[1:3] + SIDE / 2))
        if from_middle < 1.3 or from_corner > 1.01:
            return False
    return True


def _check_upright(patches, what):
    """Red counts the rows of a photo, green its columns."""
    inner = patches[:, 8:24, 8:24]
    down, across = (np.abs(np.diff(inner[..., 0], axis=axis)).mean() for axis in (1, 2))
    require(down > across, f"the {what} patches are turned over: what is a row in the photo is a column in the patch")
    require((np.median(np.diff(inner[..., 0], axis=1), axis=(1, 2)) >= 0).all(), f"the {what} patches are upside down")
    require((np.median(np.diff(inner[..., 1], axis=2), axis=(1, 2)) >= 0).all(), f"the {what} patches are mirrored: what is left in the photo is right in the patch")


def _check_positive(positive, negative, faces):
    middles = _middles(positive)
    shown = _faces_among(middles, faces)
    if not all(shown):
        missing = faces[shown.index(False)]
        swapped = faces[:, [0, 2, 1, 4, 3]]
        if sum(_faces_among(_middles(negative), faces)) >= len(faces) - 3:
            require(False, "the positive patches show background and the negative ones faces: return positive, negative in this order")
        recoloured = all(_faces_among(_middles(positive[..., ::-1]), faces))
        turned = sum(any(_on_face(m, face) for m in middles) for face in swapped)
        strays = [m for m in middles for f in faces if m[0] != f[0] and np.abs(m[1:] - _center(f[None])[0]).max() <= 4.5]
        edge = all(shown[k] for k in range(len(faces)) if k not in AT_THE_EDGE)
        corner = sum(any(m[0] == f[0] and np.abs(m[1:] - f[1:3]).max() <= 3 for m in middles) for f in faces)
        reason = (" The colours come in another order: leave them as they are in images" if recoloured else
                  " The window lies at the right rows and columns, in another photo: the first number of a box is the photo's index, and the first photo is 0"
                  if len(strays) > len(middles) / 2 else
                  " It shows what lies at its columns and rows instead: rows and columns are swapped" if turned > max(sum(shown), 2) else
                  " Its window reaches over the edge of the canvas: the face stays in the middle, and black fills up what lies outside" if edge else
                  f" There are {len(positive)} positive patches for {len(faces)} faces" if len(positive) < len(faces) else
                  " The corner of its box lies in the middle of a patch: the window goes around the middle of the face" if corner > 2 else
                  " Cut the window around the middle of the face, out of the photo that the box's first number names")
        require(False, f"no positive patch shows the face {box_text(missing[1:])} of photo {missing[0]:g} in its middle.{reason}")
    _check_upright(positive, "positive")
    steps = np.median(np.diff(positive[:, 8:24, 8:24, 0], axis=1), axis=(1, 2))
    wide = (steps > 1.5) | (steps < 0.66)
    require(not wide.any(), f"a positive patch shows {32 * steps[np.argmax(wide)]:.0f} rows of the photo: cut a window of 32 x 32 pixels, do not resize" if wide.any() else "")
    stray = [m for m in middles if not any(_on_face(m, f, 12) for f in faces)]
    require(not stray, f"a positive patch shows no face: photo {stray[0][0]:g}, around row {stray[0][1]:.0f}, column {stray[0][2]:.0f}" if stray else "")


def _misread(where, shapes, faces):
    """Which mistake in cutting would make good boxes of these places; "" if none would."""
    whole = where[(where[:, 3:] - where[:, 1:3] == SIDE).all(axis=1) & (where[:, 0] >= 0) & (where[:, 0] < len(shapes))]

    def good(box):
        return (box[3:] <= shapes[int(box[0]), :2]).all() and all(overlap(box[1:], face[1:]) < TOUCH for face in faces if face[0] == box[0])

    if len(whole) > 4 and all(map(good, whole[:, [0, 2, 1, 4, 3]])):
        return "it is cut with columns for rows, images[n, min_row:max_row, min_col:max_col] is the box"
    others = (np.column_stack([(whole[:, 0] + k) % len(shapes), whole[:, 1:]]) for k in range(1, len(shapes)))
    return "its box was drawn for another photo than it is cut from" if len(whole) > 4 and any(all(map(good, boxes)) for boxes in others) else ""


def _check_negative(negative, wanted, shapes, faces):
    reason = ("negative_bbox_count is not used" if len(negative) == len(faces) != wanted else "when a box is refused or the photos do not divide the count evenly, draw another one")
    require(len(negative) == wanted, f"asked for {wanted} negative patches, got {len(negative)}: {reason}")
    where = _where(negative)
    reason = _misread(where, shapes, faces)
    for patch, place in zip(negative, where):
        black = (patch[:, :, 2] < 30).mean()
        index = int(place[0]) if 0 <= place[0] < len(shapes) else 0
        height, width = shapes[index, :2]
        require(black < 0.01, f"a negative patch is {black:.0%} black: it reaches into the margin of the canvas. "
                              f"Photo {index} ends at row {height} and column {width}; {reason or 'draw inside image_shapes'}")
        for face in faces[faces[:, 0] == place[0], 1:]:
            iou = overlap(place[1:], face)
            require(iou < TOUCH + 0.04, f"a negative patch shows part of a face: photo {index}, box {box_text(place[1:])}, "
                                        f"IoU {iou:.2f} with the face {box_text(face)}{': ' * bool(reason)}{reason}")
    _check_upright(negative, "negative")
    require(len(np.unique(where, axis=0)) > min(wanted, 10) // 2, "the negative patches are nearly all cut from one place: draw each at random. "
            "With a seed as rng, make one generator of it and hand that on")
    return where


def check_get_positive_negative(f, kit):
    """A positive patch of every face; as many negative ones as asked for, from all photos, clear of faces and margin.

    It is called with a seed, as in the notebook, and without; where the data has photos without room for a negative patch, so has this.
    """
    one_of(lambda form=form: _check_patches(f, kit, *form) for form in ((HERE, PUBLISHED) if kit.lenient else (HERE,)))


def _check_patches(f, kit, kind, wide):
    full = not kit.lenient and _full_photos()
    shapes = np.concatenate([SHAPES, FULL_SHAPE]) if full else SHAPES
    shown = FACES if kit.lenient else np.concatenate([FACES, FAR_FACES])
    faces = (np.concatenate([shown, FULL_FACE]) if full else shown).astype(kind)
    images, shapes = coded_photos(shapes), shapes[:, :wide]
    kit.doing = "with a photo full of faces among the others, where no negative box has room" if full else ""
    earlier = []

    def call(*count, copies=1, **more):
        boxes = np.tile(faces, (copies, 1))
        if copies == 3:  # as in the notebook, whose copies are shifted: a box at the edge begins outside its photo
            boxes[[copy * len(faces) + k for copy in (1, 2) for k in AT_THE_EDGE], 1:] -= 1
        try:
            answer = _drawing(f, images.copy(), boxes, shapes.copy(), *count, **more)
        except Exception as error:
            kind = getattr(error, "kind", type(error).__name__)
            require(not (full and kind in ("TypeError", "AttributeError") and "'NoneType'" in str(error)), f"raises {kind}: {error}, with a photo full of faces among the "
                    "others, as FDDB has some: there gen_negative_bbox answers None, so draw another photo")
            require("inhomogeneous" not in str(error) and "must have the same shape" not in str(error),
                    f"raises {kind}: {str(error).rstrip('.')}. Patches differ in size, and the network takes 32 x 32. {AT_EDGES}")
            raise
        positive, negative = parts(answer, 2, "positive, negative")
        positive, negative = _patches(positive, "positive", kit.lenient), _patches(negative, "negative", kit.lenient)
        wanted = count[0] if count else len(positive)
        require(len(negative) == wanted or not any(len(negative) >= len(old) and np.array_equal(negative[: len(old)], old) for old in earlier),
                f"asked for {wanted} negative patches, got {len(negative)}, and those of an earlier call among them: begin with new lists in every call, and keep nothing between calls")
        earlier[:] = [negative]
        _check_positive(positive[[not _on_face(m, FULL_FACE[0], 12) for m in _middles(positive)]] if len(positive) else positive, negative, shown)
        require(kit.lenient or not _from_corners(_middles(positive), shown), "the windows begin at the corners of the boxes, and faces are not all 32 pixels high and wide: the middle of a "
                                                                      "window is the middle of the box, so it begins 16 pixels above and left of that")
        require(len(positive) >= len(boxes), f"{len(positive)} positive patches for {len(boxes)} boxes: one for each, also where two of them are the same "
                                             "(the notebook hands in every face three times)")
        return positive, negative

    for more in ({"copies": 2} if kit.lenient else {"copies": 3, "rng": 0}, {}):
        positive, negative = call(**more)
        require(len(negative) == len(positive),
                f"{len(positive)} positive and {len(negative)} negative patches: without negative_bbox_count there should be as many of each")
        _check_negative(negative, len(positive), shapes, faces)
    for count in (7, 203):
        positive, negative = call(count)
        where = _check_negative(negative, count, shapes, faces)
    require(any(overlap(place[1:], face[1:]) >= TOUCH for place in where for face in faces if face[0] != place[0]),
            "none of 203 negative patches lies where another photo has a face: hand gen_negative_bbox the faces of that photo alone, true_bboxes[true_bboxes[:, 0] == n, 1:]. "
            "A thousand photos have faces everywhere, and the search would never end")
    for index in range(len(SHAPES)):
        corners, room = where[where[:, 0] == index, 1:3], SHAPES[index, :2] - SIDE
        for line, reach, most in zip(("rows", "columns"), np.ptp(corners, axis=0) if len(corners) > 20 else room, room):
            require(reach > most / 3, f"{len(corners)} negative patches come from photo {index}, and all begin within {reach + 1:g} {line} of it; there is room for {most + 1}: "
                                      "draw row and column at random, over the whole photo")
    for index in range(len(SHAPES)):
        require((where[:, 0] == index).any(),
                f"of 203 negative patches none comes from photo {index}"
                + (", the last one: the upper end of a random draw is not included" if index == len(SHAPES) - 1 and not full else ""))
