"""Faces that are made unrecognisable: whose, and how much is left of them."""

import cv2
import numpy as np
import pytest

pytest.importorskip("keras")

from test_films import head

from common.photos import read_photo
from common.pictures.drawing import blur
from TrackDetector.classifier import Classifier
from TrackDetector.commands.answering import name_faces


def test_who_may_be_somebody_else_is_unrecognisable_as_well(tmp_path):
    """Where strangers are blurred: two names have the same photos, so that each has a doubt."""
    images = {f"{name}/{k}": head(number, k) for name, number in (("ann", 0), ("ann again", 0), ("bob", 1)) for k in range(4)}
    classifier = Classifier(threshold=0.37).fit(images, {key: key.split("/")[0] for key in images})
    for number, changed in ((0, True), (1, False)):
        source = tmp_path / f"still {number}.png"
        cv2.imwrite(str(source), head(number, 5))
        report = name_faces(source, classifier, folder=tmp_path / "stills", blurred="unknown")
        assert bool(report["faces"][0].get("doubt")) == changed and report["faces"][0]["name"] != "unknown"
        assert (np.abs(read_photo(report["drawn"]).astype(int) - head(number, 5)).mean() > 5) == changed


def test_blurring_leaves_a_few_numbers_of_a_face():
    face = np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8)
    done = blur(face, [(10, 10, 60, 50), (-20, -20, -5, -5), (70, 50, 200, 200)], margin=0)
    assert np.array_equal(done[:10], face[:10]) and np.array_equal(done[60:70], face[60:70])
    assert np.abs(np.diff(done[12:58, 12:48].astype(int), axis=1)).max() < 40 and face.shape == done.shape
