"""Hard negatives come from the training photos, beside the faces, and change the network."""

import keras
import numpy as np

from RegionDetector.hard_negatives import hard_negative, mine
from RegionDetector.model import copy_weights, generate_fcnn_model, generate_model
from RegionDetector.samples import get_samples


def bright_squares(count=8):
    """Photos with a "face" (a bright square with a dark spot) and a trap (a bright square without)."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, 176, 176, 3)).astype(np.uint8)
    faces, traps = [], []
    for i in range(count):
        row, col = rng.integers(20, 50, 2)
        images[i, row : row + 32, col : col + 32] = 220
        images[i, row + 12 : row + 20, col + 12 : col + 20] = 0
        images[i, row + 80 : row + 112, col + 80 : col + 112] = 220
        faces.append([i, row, col, row + 32, col + 32])
        traps.append([i, row + 80, col + 80, row + 112, col + 112])
    return images, np.array(faces, float), np.array(traps, float), np.full((count, 3), (176, 176, 3))


def test_the_trap_is_mined_and_learnt(tmp_path):
    keras.utils.set_random_seed(0)
    images, faces, traps, shapes = bright_squares()
    X, Y = get_samples(images, faces, shapes, copies=4, rng=0)
    classifier, fcnn = generate_model(), generate_fcnn_model()
    classifier.compile("adam", "categorical_crossentropy")
    classifier.fit(X.astype("float32"), Y, epochs=6, verbose=0)
    copy_weights(classifier, fcnn)
    patches, boxes, decision = mine(fcnn, images, shapes, faces)
    assert patches.shape[1:] == (32, 32, 3) and len(patches) == len(boxes) == len(decision)
    assert (np.diff(decision) <= 0).all() and (decision >= -3).all()
    middle = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
    of = faces[boxes[:, 0].astype(int)]
    assert (np.abs(middle - (of[:, 1:3] + of[:, 3:5]) / 2).max(axis=1) > 8).all()  # none of them is the face itself
    before = classifier.get_weights()[0].copy()
    mined = hard_negative(images, shapes, faces, X, Y, classifier, fcnn, X, Y, rounds=1, epochs=2, verbose=False)
    assert len(mined) == 1 and (len(mined[0]) == 0) == bool((classifier.get_weights()[0] == before).all())
    np.testing.assert_array_equal(fcnn.get_weights()[0], classifier.get_weights()[0])
