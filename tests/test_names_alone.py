"""What is near to a photo is told truly of a classifier that gives names alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.exercises.exercise import Unsolved
from TrackDetector import exercises
from TrackDetector.neighbors.names_alone import WithNeighbors

GALLERY = {"a.png": (0.0, 3.0), "b.png": (0.0, 4.0), "c.png": (5.0, 0.0), "d.png": (6.0, 1.0)}
LABELS = {"a.png": "ann", "b.png": "ann", "c.png": "ben", "d.png": "ben"}


def answering(name):
    return SimpleNamespace(classify_images=lambda photos: dict.fromkeys(photos, name), classify_videos=lambda clips: dict.fromkeys(clips, name))


def beside(name):
    """A photo is its own descriptor; one of zeros shows nobody."""
    def cut(photos):
        return np.array(list(photos.values())), np.array([any(photo) for photo in photos.values()])

    return WithNeighbors(answering(name), GALLERY, LABELS, cut, lambda crops: crops)


def test_neighbours_and_distances_are_those_of_the_photo():
    answers = beside("ann").classify_images({"x": (0.0, 2.0), "y": (0.0, 0.0)}, details=True)
    assert [n for n, _, _ in answers["x"].neighbors] == ["a.png", "b.png", "c.png"] and answers["x"].neighbors[0] == ("a.png", "ann", 1.0)
    assert answers["x"].distance == pytest.approx(0) and answers["x"].found and not answers["y"].found


@pytest.mark.parametrize("name, away", [("ben", np.mean([2**0.5, np.hypot(6 / 37**0.5, 1 - 1 / 37**0.5)])), ("nobody known", 0)])
def test_the_distance_is_that_to_the_person_named(name, away):
    answer = beside(name).classify_images({"x": (0.0, 2.0)}, details=True)["x"]
    assert (answer.name, answer.label) == (name, name) and answer.distance == pytest.approx(away)


def test_a_clip_counts_the_frames_that_show_a_face():
    clips = {"1": [(0.0, 0.0), (4.0, 0.0), (0.0, 5.0)], "2": [(0.0, 0.0)]}
    answers = beside("ben").classify_videos(clips, details=True)
    assert answers["1"].frames == [(1, "ben", 1.0), (2, "ann", 1.0)] and answers["1"].found
    assert answers["2"].frames == [] and not answers["2"].found
    assert beside("ben").classify_videos(clips) == {"1": "ben", "2": "ben"}


def test_without_the_kits_classifier_the_students_own_goes_on_and_says_what_is_not_there(monkeypatch):
    monkeypatch.setattr("common.exercises.reference.load", lambda path: None)
    study = exercises.with_details(answering("ann"), GALLERY, LABELS, None, layer=None)
    assert study.classify_images({"x": 1}) == {"x": "ann"}
    with pytest.raises(Unsolved, match=r"choose_threshold.* not in this package"):
        study.choose_threshold({})
