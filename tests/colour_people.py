"""People who are colours: for tests of the classifier in which the network does not matter."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from TrackDetector.classifier import Classifier


@pytest.fixture(scope="module")
def colours():
    """A 'network' whose descriptor of an 8 x 8 picture is its mean colour."""
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(name="colour")], name="colours")


def patch(*rgb):
    return np.full((8, 8, 3), rgb, np.uint8)


RED, GREEN, BLUE = (200, 10, 10), (10, 200, 10), (10, 10, 200)
GALLERY = {"r1": patch(200, 10, 10), "r2": patch(190, 20, 10), "g1": patch(10, 200, 10), "g2": patch(20, 190, 10)}
LABELS = {"r1": "Rose", "r2": "Rose", "g1": "Fern", "g2": "Fern"}


def classifier(model, **settings):
    return Classifier(model, preprocess=None, **{"n_neighbors": 1, **settings})
