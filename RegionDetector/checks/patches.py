"""Checks of the patches: `gen_negative_bbox` and `get_positive_negative`."""

import numpy as np

from common.exercises.answer_form import box_text, numbers, overlap, parts, require, short

SIDE = 32
TOUCH = 0.1  # from this IoU on, a negative box shows part of a face


def _read_box(box, shape, size):
    require(box is not None, f"returned None although a photo of {shape[0]} rows and {shape[1]} columns has room for a box of {size[0]} x {size[1]}")
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
                  np.allclose(boxes[:, 2:], size) or far else "it has another size")
        require(False, f"the box {box_text(boxes[bad])} is {sides[bad][0]:g} rows high and {sides[bad][1]:g} columns wide, asked for "
                       f"{size[0]} x {size[1]}: {reason}")
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > [height, width]).any(axis=1)
    if outside.any():
        bad = boxes[int(np.argmax(outside))]
        mirrored = not ((boxes[:, :2] < 0).any() or (boxes[:, 2:] > [width, height]).any())
        reason = "rows and columns are swapped" if mirrored else "it reaches outside, where the canvas is black"
        require(False, f"the photo has {height} rows and {width} columns, the box is {box_text(bad)}: {reason}")


def check_gen_negative_bbox(f, kit):
    """Random boxes of the asked size, inside the photo, clear of every face."""
    for shape, size in (((60, 150, 3), (32, 32)), ((140, 50, 3), (20, 40))):
        boxes = np.array([_read_box(f(shape, size, np.zeros((0, 4))), shape, size) for _ in range(60)])
        _check_place(boxes, shape, np.array(size))
        places = len(np.unique(boxes, axis=0))
        require(places >= 10, f"60 calls on an empty photo gave only {places} different box{'es' if places > 1 else ''}: draw it at random")
        reach, room = boxes[:, :2].max(axis=0) - boxes[:, :2].min(axis=0), np.array(shape[:2]) - size
        require((reach > room / 2).all(),
                f"in a photo of {shape[0]} x {shape[1]} the upper left corners spread over {reach[0]:g} rows and {reach[1]:g} columns; "
                f"there is room for {room[0]} and {room[1]}: large parts of the photo are never drawn")
    shape, size = (110, 130, 3), (32, 32)
    faces = np.array([[2, 2, 40, 40], [60, 70, 108, 118], [10, 80, 46, 116]])
    boxes = np.array([_read_box(f(shape, size, faces), shape, size) for _ in range(150)])
    _check_place(boxes, shape, np.array(size))
    for number, face in enumerate(faces):
        touch = [overlap(box, face) for box in boxes]
        worst = int(np.argmax(touch))
        if touch[worst] >= TOUCH:
            clear = [n for n, other in enumerate(faces) if max(overlap(b, other) for b in boxes) < TOUCH]
            reason = " (it keeps clear of another face: is every face looked at?)" if clear else ""
            require(False, f"the box {box_text(boxes[worst])} touches the face {box_text(face)}: their IoU is {touch[worst]:.2f}, "
                           f"a negative box stays below {TOUCH}{reason}")


# --- get_positive_negative: photos in which every pixel says where it lies ---

SHAPES = np.array([[120, 90, 3], [70, 160, 3], [150, 150, 3], [100, 130, 3]])
FACES = np.array([
    [0, 10, 8, 44, 40], [0, 70, 40, 104, 74], [1, 20, 100, 52, 130], [2, 30, 90, 68, 124], [2, 90, 20, 122, 54], [3, 50, 12, 84, 44],
])


def coded_photos():
    """Four photos on their black canvas: red is the row, green the column, blue the number of the photo."""
    images = np.zeros((len(SHAPES), 176, 176, 3), np.uint8)
    for index, (height, width, _) in enumerate(SHAPES):
        rows, cols = np.mgrid[:height, :width]
        images[index, :height, :width] = np.stack([rows, cols, np.full_like(rows, 60 + 50 * index)], axis=-1)
    return images


def _patches(value, what):
    require(value is not None, f"the {what} patches are None")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        sizes = sorted({np.shape(p) for p in value}, key=str)
        require(False, f"the {what} patches have different sizes, for example {sizes[0]} and {sizes[-1]}: the network takes 32 x 32")
    if array.size == 0:
        return np.zeros((0, SIDE, SIDE, 3))
    require(array.shape[1:] == (SIDE, SIDE, 3), f"expected {what} patches of shape (N, 32, 32, 3), got {array.shape}")
    # skimage's resize makes numbers from 0 to 1 of pixels from 0 to 255; some networks are fed with -1 to 1
    return (array + 1) * 127.5 if -1.001 <= array.min() < -0.01 and array.max() <= 1.001 else array * 255 if array.max() <= 1.001 else array


def _where(patches):
    """Photo number and box [index, min_row, min_col, max_row, max_col] of each patch, from its colours."""
    found = []
    for patch in patches:
        lit = patch[:, :, 2] > 30
        if not lit.any():
            found.append([-1, 0, 0, 0, 0])
            continue
        rows, cols = patch[lit][:, 0], patch[lit][:, 1]
        found.append([round((np.median(patch[lit][:, 2]) - 60) / 50), rows.min(), cols.min(), rows.max() + 1, cols.max() + 1])
    return np.array(found, float).reshape(-1, 5)


def _center(boxes):
    return (boxes[:, 1:3] + boxes[:, 3:5]) / 2


def _faces_among(where):
    """For every face, is there a patch with the face in its middle?"""
    return [any(place[0] == face[0] and np.abs(_center(place[None]) - _center(face[None])).max() <= 6 for place in where) for face in FACES]


def _check_positive(positive, negative):
    where = _where(positive)
    shown = _faces_among(where)
    if not all(shown):
        missing = FACES[shown.index(False)]
        swapped = FACES[:, [0, 2, 1, 4, 3]]
        if sum(_faces_among(_where(negative))) >= len(FACES) - 1:
            require(False, "the positive patches show background and the negative ones faces: return positive, negative in this order")
        recoloured = all(_faces_among(_where(positive[..., ::-1])))
        turned = sum(any(p[0] == s[0] and np.abs(_center(p[None]) - _center(s[None])).max() <= 6 for p in where) for s in swapped)
        reason = (" The colours come in another order: leave them as they are in images" if recoloured else
                  " It shows what lies at its columns and rows instead: rows and columns are swapped" if turned > sum(shown) else
                  f" There are {len(positive)} positive patches for {len(FACES)} faces" if len(positive) < len(FACES) else
                  " Cut the window around the middle of the face, out of the photo that the box's first number names")
        require(False, f"no positive patch shows the face {box_text(missing)} (photo {missing[0]}).{reason}")
    down, across = (np.abs(np.diff(positive[..., 0], axis=axis)).mean() for axis in (1, 2))  # red is the row
    require(down > across, "the positive patches are turned over: what is a row in the photo is a column in the patch")
    stray = [p for p in where if not any(p[0] == f[0] and np.abs(_center(p[None]) - _center(f[None])).max() <= 12 for f in FACES)]
    require(not stray, f"a positive patch shows no face: photo {stray[0][0]:g}, around {box_text(stray[0][1:])}" if stray else "")


def _check_negative(negative, wanted):
    require(len(negative) == wanted, f"asked for {wanted} negative patches, got {len(negative)}: when a box is refused or the photos do not "
                                     "divide the count evenly, draw another one")
    where = _where(negative)
    for patch, place in zip(negative, where):
        black = (patch[:, :, 2] < 30).mean()
        index = int(place[0]) if place[0] >= 0 else 0
        height, width = SHAPES[index, :2]
        require(black < 0.01, f"a negative patch is {black:.0%} black: it reaches into the margin of the canvas. "
                              f"Photo {index} ends at row {height} and column {width}; draw inside image_shapes")
        for face in FACES[FACES[:, 0] == place[0], 1:]:
            iou = overlap(place[1:], face)
            require(iou < TOUCH + 0.04, f"a negative patch shows part of a face: photo {index}, box {box_text(place[1:])}, "
                                        f"IoU {iou:.2f} with the face {box_text(face)}")
    require(len(np.unique(where, axis=0)) > min(wanted, 10) // 2, "the negative patches are nearly all cut from one place: draw each at random")
    return where


def check_get_positive_negative(f, kit):
    """A positive patch of every face; as many negative ones as asked for, from all photos, clear of faces and margin."""
    images = coded_photos()

    def call(*count):
        positive, negative = parts(f(images, FACES, SHAPES, *count), 2, "positive, negative")
        return _patches(positive, "positive"), _patches(negative, "negative")

    positive, negative = call()
    _check_positive(positive, negative)
    require(len(negative) == len(positive),
            f"{len(positive)} positive and {len(negative)} negative patches: without negative_bbox_count there should be as many of each")
    _check_negative(negative, len(positive))
    for count in (7, 203):
        positive, negative = call(count)
        _check_positive(positive, negative)
        where = _check_negative(negative, count)
    for index in range(len(SHAPES)):
        require((where[:, 0] == index).any(),
                f"of 203 negative patches none comes from photo {index}"
                + (", the last one: the upper end of a random draw is not included" if index == len(SHAPES) - 1 else ""))
