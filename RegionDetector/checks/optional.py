"""Checks of the optional exercises: `hard_negative`, `multiscale_detector`."""

from functools import lru_cache

import numpy as np

from common.exercises.answer_form import box_text, overlap, require
from RegionDetector.checks.detector import BOX_SHAPE, read_detections, spot_network

ROUNDS = 2
PATCH, CANVAS, SIDE = (32, 32, 3), (176, 176, 3), 32
FACE, FAKE = (230, 120, 60), (60, 120, 230)  # faces are orange discs, what looks like one is a blue disc


# --- hard_negative: a network that takes every bright disc for a face, on photos with discs of two colours ---


def _draw(image, row, col, colour):
    rows, cols = np.mgrid[: image.shape[0], : image.shape[1]]
    image[np.hypot(rows + 0.5 - row, cols + 0.5 - col) < 10] = colour


def disc_photos():
    """Photos on their canvas with orange and blue discs on noise.

    Returns
    -------
    images : ndarray of uint8, shape (5, 176, 176, 3)
    shapes : ndarray of int, shape (5, 3)
    faces, fakes : ndarray of float, shape (N, 5)
        Course boxes of the orange and of the blue discs.
    """
    rng = np.random.default_rng(11)
    shapes = np.array([[140, 170, 3], [165, 130, 3], [176, 150, 3], [130, 176, 3], [150, 160, 3]])
    images, boxes = np.zeros((len(shapes), *CANVAS), np.uint8), ([], [])
    for index, (height, width, _) in enumerate(shapes):
        images[index, :height, :width] = rng.integers(20, 60, (height, width, 1))
        for k, (row, col) in enumerate(((24, 104), (104, 37), (112, 99))):  # where one photo has a face, others have what looks like one
            fake = (k + index) % 3 != 0
            _draw(images[index], row, col, FAKE if fake else FACE)
            boxes[fake].append([index, row - 16, col - 16, row + 16, col + 16])
    return images, shapes, np.array(boxes[0], float), np.array(boxes[1], float)


def disc_patches(count, kinds, seed):
    """Patches of noise with a disc in the middle, one colour after the other; no colour is no disc."""
    rng = np.random.default_rng(seed)
    patches = np.repeat(rng.integers(20, 60, (count, 32, 32, 1)), 3, axis=-1).astype(np.uint8)
    for k, patch in enumerate(patches):
        if kinds[k % len(kinds)] is not None:
            _draw(patch, *rng.uniform(14, 18, 2), kinds[k % len(kinds)])
    return patches


def _labels(count, face):
    return np.tile(np.float32([0, 1] if face else [1, 0]), (count, 1))


def _twins():
    """A small classifier and its FCNN, of the notebook's own kinds of layers; ELU, for of so few units those that die are missed."""
    import keras
    from keras import layers

    def stack(shape, top):
        return keras.Sequential([keras.Input(shape), layers.Rescaling(1 / 127.5, offset=-1), layers.Conv2D(4, 3, padding="same", activation="elu"),
                                 layers.MaxPooling2D(), layers.Conv2D(8, 3, padding="same", activation="elu"), layers.MaxPooling2D(), *top])

    dense = [layers.Flatten(), layers.Dense(16, activation="elu"), layers.Dense(8, activation="elu"), layers.Dense(2, activation="softmax")]
    convolutions = [layers.Conv2D(16, 8, activation="elu"), layers.Conv2D(8, 1, activation="elu"), layers.Conv2D(2, 1)]
    return stack(PATCH, dense), stack(CANVAS, convolutions)


@lru_cache(maxsize=1)
def _fooled():
    """Weights of the small classifier when it takes discs of both colours for faces."""
    import keras

    X = np.concatenate([disc_patches(120, (FACE, FAKE), 1), disc_patches(120, (None,), 2)]).astype(np.float32)
    Y = np.concatenate([_labels(120, True), _labels(120, False)])
    for seed in range(5):  # a small network may be born so that it does not learn
        keras.utils.set_random_seed(seed)
        classifier = _twins()[0]
        classifier.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy")
        classifier.optimizer.build(classifier.trainable_variables)  # made within the first step, TensorFlow would trace the step twice
        for _ in range(30):  # no longer than it needs: who is very sure is slow to learn better
            classifier.fit(X, Y, batch_size=32, verbose=0)
            if (np.abs(np.asarray(classifier(X)) - Y) < 0.2).all():
                return classifier.get_weights()
    return classifier.get_weights()


def _read_mined(value):
    require(value is not None, "returned None; return a list with the mined patches of every round")
    require(isinstance(value, (list, tuple, np.ndarray)), f"expected a list with the mined patches of every round, got {type(value).__name__}")
    require(1 <= len(value) <= ROUNDS, f"{ROUNDS} rounds at most were asked for, the list of mined patches has {len(value)} entries: one for each round")
    answer = []
    for patches in value:
        try:
            array = np.asarray(patches, dtype=float)
        except (TypeError, ValueError):
            require(False, f"the mined patches of a round are no array of patches, but {type(patches).__name__}")
        if array.size:
            require(array.shape[1:] == PATCH, f"expected mined patches of shape (N, 32, 32, 3), got {array.shape}: a patch is the window of 32 x 32 around the middle of a box, "
                                              "whatever size the box has (samples.cut)")
            array = array * 255 if array.max() <= 1.001 else array
        answer.append(array.reshape(-1, *PATCH))
    return answer


def _shows(patches, colour):
    """Which patches have this colour in their middle."""
    middle = patches[:, 14:18, 14:18].mean(axis=(1, 2))
    return np.abs(middle - colour).max(axis=-1) < 60


def _check_mined(patches, images, faces, fakes):
    shown, hits = (int(_shows(patches, colour).sum()) for colour in (FACE, FAKE))
    require(not shown, f"{shown} of {len(patches)} mined patches show a face: " + ("leave out boxes that overlap a true one (samples.false_alarms)" if hits >= len(fakes) else
                       f"cut each out of the photo that its box names ({hits} of {len(fakes)} blue discs were mined), and leave out boxes that overlap a true one (samples.false_alarms)"))
    own = "a box is no face where it overlaps none of its own photo's, train_bboxes[train_bboxes[:, 0] == n]; where other photos have theirs says nothing"
    require(len(patches), f"nothing was mined, though the photos show {len(fakes)} blue discs that the network takes for faces: {own}")
    if not hits:
        there = [images[int(i), c : c + 32, r : r + 32] for i, r, c in fakes[:, :3].astype(int) if min(176 - r, 176 - c) >= 32]
        # where nothing but grain is, any two windows look alike
        swapped = [any(np.abs(p - window).mean() < 25 for p in patches) for window in there if window.std() > 20]
        require(False, f"none of {len(patches)} mined patches shows one of the {len(fakes)} blue discs that the network takes for faces. "
                       + ("They show what lies at their columns and rows: rows and columns are swapped" if sum(swapped) > len(swapped) / 2 else
                          f"Hard negatives are the detector's own false alarms, not random windows: cut each out of the photo that its box names; {own}"))
    require(hits >= len(fakes) / 2, f"{hits} of {len(fakes)} blue discs were mined: search all photos, and cut each window out of the photo that its box names")
    blue = (np.abs(patches[_shows(patches, FAKE)] - FAKE) < 60).all(axis=-1)
    down, right = np.median([np.argwhere(disc).mean(axis=0) - (SIDE - 1) / 2 for disc in blue], axis=0)
    require(max(abs(down), abs(right)) < 5, f"the blue discs lie {abs(down):.0f} rows and {abs(right):.0f} columns off the middle of the mined patches: the window goes around the middle of the "
                                            "box, and does not begin at its corner, whatever box_shape is (samples.cut)")


def check_hard_negative(f, kit):
    """The false alarms of the detector are mined, no faces among them; both networks learn that they are none and forget no face."""
    images, shapes, faces, fakes = disc_photos()
    X = np.concatenate([disc_patches(300, (FACE,), 3), disc_patches(300, (None,), 4)])
    Y = np.concatenate([_labels(300, True), _labels(300, False)])
    X_val = np.concatenate([disc_patches(60, (FACE,), 5), disc_patches(60, (None, FAKE), 6)])
    Y_val = np.concatenate([_labels(60, True), _labels(60, False)])
    small, wide = _twins()
    small.set_weights(_fooled())
    classifier, fcnn = kit.model(small), kit.model(wide)
    classifier.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])  # as the notebook's has been when it was fitted
    kit.other("copy_weights")(classifier, fcnn)  # mining needs it as well
    data = (images, shapes, faces, X_val, Y_val, classifier, fcnn, X, Y)
    if kit.lenient:  # a round takes three seconds for each of a class, and the second is as the first
        answer = f(*data, rounds=1, epochs=4, box_shape=BOX_SHAPE.copy())  # who has no box_shape is not handed it
    else:  # as in the notebook
        answer = f(*data, kit.run("RegionDetector.model:augmentation", 0), rounds=ROUNDS, epochs=4, box_shape=BOX_SHAPE.copy(), seed=0)
    mined = _read_mined(answer)
    _check_mined(mined[0], images, faces, fakes)
    after = classifier.get_weights()
    require(any(not np.array_equal(a, b) for a, b in zip(_fooled(), after)), "base_model has the weights that it came with: fit it with the mined patches among the "
                                                                            "negative ones")
    same = [np.allclose(a.ravel(), b.ravel(), atol=1e-6) for a, b in zip(after, fcnn.get_weights())]
    require(all(same), "fcnn_model has not the weights of base_model: copy_weights once more when the fitting is done")
    require(len(mined) < 2 or not len(mined[0]) or not np.array_equal(mined[0], mined[1]), "both rounds have mined the same patches: fcnn_model needs the new weights of base_model before "
                                                                                        "the next search (copy_weights in every round), and every round a new list")
    small.set_weights(after)
    on_fakes, on_faces = (float(np.asarray(small(disc_patches(40, (c,), 7).astype(np.float32)))[:, 1].mean()) for c in (FAKE, FACE))
    require(on_faces > 0.5, f"after it, faces are given a probability of {on_faces:.2f} only: fit with the faces of X_train as well, and label them [0, 1]")
    require(on_fakes < 0.5, f"after it, the blue discs that were mined still count as faces, with a probability of {on_fakes:.2f} (faces: {on_faces:.2f}): "
                            "they join the negative patches of X_train, with the label [1, 0]")


# --- multiscale_detector ---

# photo, row and column of the middle, side
SIZES = ((0, 48, 100, 32), (0, 130, 220, 128), (0, 96, 60, 64), (1, 96, 60, 64))  # the last two in the same place: photos have nothing to do with one another
PHOTO_SHAPES = np.array([[220, 310, 3], [160, 120, 3]])


def photos_of_sizes():
    """Two photos of their own size with bright spots of one, two and four windows' size, and their boxes."""
    images = []
    for index, (height, width, _) in enumerate(PHOTO_SHAPES):
        image = np.full((height, width, 3), 30.0)
        rows, cols = np.mgrid[:height, :width]
        for _, row, col, side in (s for s in SIZES if s[0] == index):
            image += (200 * np.exp(-((rows + 0.5 - row) ** 2 + (cols + 0.5 - col) ** 2) / (2 * (7.0 * side / SIDE) ** 2)))[..., None]
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images, np.array([[i, r - s / 2, c - s / 2, r + s / 2, c + s / 2] for i, r, c, s in SIZES])


def _bumps(rng, count, middle):
    """Patches with a bright spot of the window's size in their middle; or with one elsewhere, of another size, or none."""
    rows, cols = np.mgrid[:32, :32] + 0.5
    X = np.full((count, *PATCH), 30.0) + rng.normal(0, 2, (count, 1, 1, 1))
    for k, patch in enumerate(X):
        away, turn = (rng.uniform(0, 3), rng.uniform(0, 7)) if middle or k % 3 == 0 else (rng.uniform(9, 24), rng.uniform(0, 7))
        sigma = 7 * (rng.uniform(0.85, 1.15) if middle else rng.choice([0.3, 2, 3, 4]) if k % 3 == 0 else rng.choice([0.7, 1, 1.4]))
        light = 200 * rng.uniform(0.7, 1) * (middle or k % 5 > 0)
        patch += (light * np.exp(-((rows - 16 - away * np.sin(turn)) ** 2 + (cols - 16 - away * np.cos(turn)) ** 2) / (2 * sigma**2)))[..., None]
    return np.clip(X, 0, 255).astype(np.float32)


def _own_network(kit):
    """The notebook's FCNN, fitted to bright spots: for a multiscale_detector that builds generate_fcnn_model anew for another size."""
    rng = np.random.default_rng(kit.seed)
    X, Y = np.concatenate([_bumps(rng, 200, True), _bumps(rng, 300, False)]), np.concatenate([_labels(200, True), _labels(300, False)])
    order = rng.permutation(len(X))
    classifier, fcnn = kit.other("generate_model")(PATCH), kit.other("generate_fcnn_model")(CANVAS)
    linear = not np.allclose(np.sum(classifier.predict(X[:8], verbose=0), axis=-1), 1, atol=1e-3)
    kit.run("RegionDetector.checks.networks:learn_toy", classifier, X[order], Y[order], 1e-3, linear, 0.99)
    kit.other("copy_weights")(classifier, fcnn)
    return fcnn


def _on(box, spot, least=0.38):
    return box[0] == spot[0] and overlap(box[1:], spot[1:]) >= least


def _why_lost(boxes, decision, spot, spots):
    """What seems to have happened to a spot that no box covers."""
    side = spot[3] - spot[1]
    if len(boxes) and (boxes[:, 0] == 0).all():
        return ("All boxes carry the index of photo 0: detecting on one photo at a time gives index 0 every time, and a `return` within the loop over the "
                "photos ends it at the first")
    if np.ptp(decision) < 0.05:
        return "Its answers are nearly the same everywhere, as to a dark photo: pixels go from 0 to 255, and skimage's resize makes them go from 0 to 1 (preserve_range=True)"
    if (boxes[:, 3:] < boxes[:, 1:3]).mean() > 0.2:
        return "Many boxes end before they begin: a box ends with its greatest row and column, not with height and width"
    sizes = PHOTO_SHAPES[spots[:, 0].astype(int), :2]
    squeezed = spots * np.column_stack([np.ones(len(spots)), np.tile(sizes[:, ::-1] / sizes, 2)])
    read = {"": (boxes, spots), "Rows and columns are swapped": (boxes[:, [0, 2, 1, 4, 3]], spots),
            "Boxes lie as in a photo of the width for the height: cv2.resize and Pillow take (width, height), and shape says (height, width)": (boxes, squeezed)}
    found = {why: sum(any(_on(b, s) for b in read_so) for s in where) for why, (read_so, where) in read.items()}
    likely = max(found, key=found.get)  # of equals the first
    if likely and found[likely] > len(spots) / 2:
        return likely
    twins = [s for s in spots if s[0] != spot[0] and (s[1:] == spot[1:]).all()]
    if twins and all(any(_on(b, s) for b in boxes) for s in spots if (s != spot).any()):
        return f"There is one at this place in photo {twins[0][0]:g}: of boxes that overlap keep the best for each photo by itself"
    if side > SIDE:
        middle = spot[1:3] + side / 2
        scale = side / SIDE
        at = lambda size, factor: any(b[0] == spot[0] and np.abs((b[1:3] + b[3:]) / 2 - middle * factor).max() < 0.3 * size and  # noqa: E731
                                      abs((b[3:] - b[1:3]).mean() / size - 1) < 0.35 for b in boxes)
        larger = any(_on(b, s) for b in boxes for s in spots if s[3] - s[1] > SIDE)
        if not larger and (at(SIDE, 1 / scale) or at(SIDE / scale, 1 / scale**2)):
            return f"There is one where it lies on the photo of 1/{scale:g} of the size: divide boxes by the scale of the photo that they were found on"
        if (boxes[:, 3:] - boxes[:, 1:3]).mean(axis=1).max() < 1.2 * SIDE:
            return ("All boxes have one size: shrink the photo step by step, and what is found on a smaller one belongs to a larger face; divide all four "
                    "numbers by the scale")
        return "Shrink the photo step by step and look for it at every size"
    return "Look at the photo at its own size, too"


def check_multiscale_detector(f, kit):
    """Spots of one, two and four times the size of the window: all found, where they are, each once."""
    images, spots = photos_of_sizes()
    # as in the notebook; boxes of another shape would be no lesson in scales
    settings = {} if kit.lenient else {"box_shape": np.array([32.0, 32.0]), "min_face": 30}
    try:
        answer, sure = f(kit.model(spot_network((None, None, 3))), list(images), PHOTO_SHAPES, **settings), True
    except Exception as error:
        if getattr(error, "kind", type(error).__name__) != "ValueError":
            raise
        answer, sure = f(_own_network(kit), list(images), PHOTO_SHAPES, **settings), False
    boxes, decision = read_detections(answer)
    require(len(boxes), "no box at all, though the photos show four bright spots and the network answers to them")
    require(np.isin(boxes[:, 0], (0, 1)).all(), f"the first number of a box is the index of its photo, 0 or 1 here; got {boxes[:, 0].max():g}")
    for spot in sorted(spots, key=lambda s: s[3] - s[1]):
        require(any(_on(b, spot) for b in boxes), f"no box on the bright spot of {spot[3] - spot[1]:g} pixels at {box_text(spot[1:])} in photo {spot[0]:g}. "
                + _why_lost(boxes, decision, spot, spots))
    best = [max(d for d, b in zip(decision, boxes) if _on(b, spot)) for spot in spots]
    for spot in spots:
        on = [b for b in boxes if _on(b, spot)]
        twins = [(a, b) for k, a in enumerate(on) for b in on[:k] if overlap(a[1:], b[1:]) > 0.6]
        require(not twins, f"{len(on)} boxes on the spot {box_text(spot[1:])}, some nearly the same: of boxes that overlap keep the best, over all sizes together")
    if not kit.lenient and sure:
        _check_one_photo(f, kit, images)
    if not sure:  # a network fitted for a moment may be wrong beside the spots
        return
    beside = np.array([not any(b[0] == s[0] and overlap(b[1:], s[1:]) > 0 for s in spots) for b in boxes])
    require(decision[beside].max(initial=-np.inf) < min(best),
            f"a box beside every spot has the decision {decision[beside].max(initial=-np.inf):.3g}, more than that on a spot, {min(best):.3g}: the decision must "
            "be greater for surer boxes, and stay in step with the boxes")
    _check_the_best(boxes, decision, spots)


def _check_the_best(boxes, decision, spots):
    """Is the surest box on a spot of about the size that fits best, of the sizes that there are on its photo? A network is surest there, whatever the decisions are made of."""
    sides = np.sqrt(np.prod(boxes[:, 3:] - boxes[:, 1:3], axis=1))
    whole = (boxes[:, 1:3] > 0).all(axis=1) & (boxes[:, 3:] < PHOTO_SHAPES[boxes[:, 0].astype(int), :2]).all(axis=1)  # others may have been cut off at the edge
    for spot in spots:
        side, on = spot[3] - spot[1], np.array([_on(b, spot) for b in boxes])
        away = np.abs(np.log(sides / side))
        kept = max(np.flatnonzero(on), key=lambda k: decision[k])
        fitting = min(np.flatnonzero(on | whole & (boxes[:, 0] == spot[0])), key=lambda k: away[k])
        require(away[kept] < away[fitting] + 0.3,
                f"the box on the spot of {side:g} pixels at {box_text(spot[1:])} in photo {spot[0]:g} has {sides[kept]:.0f} pixels, and where no spot is there are boxes of {sides[fitting]:.0f}: "
                "the surest fits best, and of boxes that overlap it is kept; go through them by falling decision")


def _check_one_photo(f, kit, images):
    """As for a photo of one's own: a list of one, its shape as it says it, faces taller than wide."""
    boxes, decision = read_detections(f(kit.model(spot_network((None, None, 3))), [images[1]], [images[1].shape], box_shape=BOX_SHAPE.copy(), min_face=30, progress=False))
    require(len(boxes), "called for one photo, with box_shape and progress=False as in the last section, it finds no box")
    sides = boxes[np.argmax(decision), 3:] - boxes[np.argmax(decision), 1:3]
    wanted = BOX_SHAPE[0] / BOX_SHAPE[1]
    require(abs(np.log(sides[0] / sides[1] / wanted)) < 0.2, f"asked for boxes of {BOX_SHAPE[0]:g} x {BOX_SHAPE[1]:g} (box_shape), enlarged with the face, the surest is "
                                                             f"{sides[0]:.0f} x {sides[1]:.0f}: hand box_shape on")
