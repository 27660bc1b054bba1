"""Scores of a recogniser, the choice by validation, and the pictures of both."""

import doctest
import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common import identification
from common.pictures import people as people_plots
from TrackDetector.validation import cross_validate, pair_distances

distances = st.lists(st.floats(0, 2, width=32), min_size=1, max_size=60)


@pytest.mark.parametrize("module", ["common.identification", "common.pictures.people", "TrackDetector.alignment", "TrackDetector.photos", "TrackDetector.descriptors",
                                    "TrackDetector.validation"])
def test_examples_in_the_docstrings(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_answers_as_predict_gives_them_and_labels_with_the_tables_first_line(capsys):
    answers = {"1.jpg": np.array(["Ann"]), "2.jpg": np.array([["Bob"]]), "3.jpg": np.str_("Bob")}
    labels = {"filename": "class_id", "1.jpg": "Ann", "2.jpg": "Bob", "3.jpg": "Ann"}
    assert identification.check_test(answers, labels) == 2 / 3 and "(2 of 3)" in capsys.readouterr().out
    assert identification.mistakes(answers, {n: who for n, who in labels.items() if n != "filename"}) == [("3.jpg", "Bob", "Ann")]


def test_marks_for_answers_as_predict_gives_them(monkeypatch):
    from TrackDetector.checks import measured
    from TrackDetector.exercises import TASK

    class Student:
        def fit(self, images, labels):
            self.labels = labels

        def classify_images(self, images):
            return {name: np.array(["Ann"]) for name in images}

        classify_videos = classify_images

    remote = SimpleNamespace(function=lambda name: lambda model: Student(), run=lambda *args: None)
    monkeypatch.setattr(measured, "Remote", lambda *args: remote)
    grader = SimpleNamespace(task=TASK, seed=0, borrowed={}, verdicts={"Classifier": SimpleNamespace(status=measured.RIGHT, message="")},
                             open_as_judged=lambda *args: (SimpleNamespace(close=lambda: None), []))
    photos = {"1": None, "2": None}, {"1": "Ann", "2": "Bob"}
    answer = measured.measure(grader, SimpleNamespace(defined={"preprocess_imgs"}), None, measured.Fresh(photos, photos, photos))
    assert answer == {"image_accuracy": (0.5, "on 2"), "video_accuracy": (0.5, "on 2")}


def test_accuracy_and_mistakes(capsys):
    truth = {"a": "Ann", "b": "Bob", "c": "Ann"}
    answers = {"c": "Bob", "b": "Bob", "a": "Ann"}
    assert identification.accuracy(answers, truth) == identification.check_test(answers, truth) == pytest.approx(2 / 3)
    assert "0.6667 (2 of 3)" in capsys.readouterr().out
    assert identification.mistakes(answers, truth) == [("c", "Bob", "Ann")]
    assert identification.accuracy(np.array(["x", "y"]), ["x", "z"]) == 0.5


@pytest.mark.parametrize("answers, truth, message", [
    ({"a": "x"}, {"a": "x", "b": "x"}, "1 of 2 have a label but no answer, for example 'b'"), ({"a": "x", "b": "x"}, {"a": "x"}, "an answer but no label"),
    (["x"], ["x", "y"], "1 answers, but 2 labels"), ({}, {}, "nothing to score"), ({"a": "x"}, ["x"], "one of each"),
])
def test_answers_that_do_not_fit_the_labels(answers, truth, message):
    with pytest.raises(ValueError, match=message):
        identification.accuracy(answers, truth)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_confusion_is_scikit_learns(pairs):
    from sklearn.metrics import confusion_matrix

    predicted, truth = zip(*pairs)
    labels, counts = identification.confusion_matrix([*predicted, "e", "f"], [*truth, "e", "f"])  # scikit-learn warns of one label alone
    np.testing.assert_array_equal(counts, confusion_matrix([*truth, "e", "f"], [*predicted, "e", "f"], labels=labels))
    assert np.trace(counts) - 2 == pytest.approx(identification.accuracy(predicted, truth) * len(pairs))


@settings(deadline=None)
@given(distances, distances, st.integers(0, 100))
def test_the_accept_curve_is_what_counting_says(known, strangers, seed):
    correct = np.random.default_rng(seed).random(len(known)) < 0.8
    far, car, thresholds = identification.accept_curve(known, correct, strangers)
    assert far[0] == car[0] == 0 and far[-1] == 1 and car[-1] == pytest.approx(correct.mean())
    assert (np.diff(far) >= 0).all() and (np.diff(car) >= 0).all() and (np.diff(thresholds) > 0).all()
    for i in range(len(thresholds)):
        assert (car[i], far[i]) == pytest.approx(identification.accept_rates(known, correct, strangers, thresholds[i]))


@settings(deadline=None)
@given(distances, st.floats(0, 0.99))
@example([0.3, np.inf], 0.5)  # as a clip without frames has
def test_the_threshold_is_the_greatest_that_keeps_the_rate(strangers, rate):
    threshold, strangers = identification.threshold_at_false_accept(strangers, rate), np.sort(np.array(strangers, float))
    assert np.mean(strangers <= threshold) <= rate + 1e-9
    above = strangers[strangers > threshold][0]  # one more stranger (or more, if several are equally far) would be too many
    assert np.mean(strangers <= above) > rate - 1e-9


@pytest.mark.parametrize("call", [
    lambda: identification.threshold_at_false_accept([], 0.1), lambda: identification.threshold_at_false_accept([0.1], 1.0), lambda: identification.threshold_at_false_accept([np.nan], 0.1),
    lambda: identification.accept_curve([0.1], [True, False], [0.2]), lambda: identification.accept_curve([], [], [0.2]), lambda: identification.accept_rates([0.1, 0.3], [True], [0.2], 0.2), lambda: identification.wilson_interval(3, 2), lambda: identification.wilson_interval(0, 0),
])
def test_scores_of_nothing(call):
    with pytest.raises(ValueError):
        call()


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_holds_the_rate(trials, share):
    hits = round(share * trials)
    low, high = identification.wilson_interval(hits, trials)
    assert 0 <= low <= hits / trials + 1e-12 and hits / trials - 1e-12 <= high <= 1 and low < high


# --- validation -----------------------------------------------------------------------------------


def test_cross_validation_agrees_with_scikit_learn():
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    labels = np.repeat([f"p{i}" for i in range(8)], 6)
    descriptors = (rng.normal(0, 1, (8, 4)).repeat(6, axis=0) + rng.normal(0, 0.8, (48, 4))).astype(np.float32)
    ks, mine = (1, 3, 5), cross_validate(descriptors, labels, (1, 3, 5), repeats=5, seed=3)
    draw, right = np.random.default_rng(3), np.zeros(3)
    for _ in range(5):
        gallery = np.concatenate([draw.permutation(np.flatnonzero(labels == p))[:3] for p in np.unique(labels)])
        rest = np.setdiff1d(np.arange(48), gallery)
        for i, k in enumerate(ks):
            knn = KNeighborsClassifier(k, weights="distance").fit(descriptors[gallery], labels[gallery])
            right[i] += knn.score(descriptors[rest], labels[rest]) / 5
    np.testing.assert_allclose(mine, right, atol=1e-9)


def test_cross_validation_cannot_be_fooled_by_noise():
    labels = np.repeat([f"p{i}" for i in range(10)], 10)
    noise = np.random.default_rng(0).normal(size=(100, 16))
    assert cross_validate(noise, labels, (1, 3)).max() < 0.25  # a photo that asks is never in the gallery


def test_cross_validation_of_too_little():
    with pytest.raises(ValueError, match="two photos"):
        cross_validate(np.eye(3), ["a", "b", "c"], (1,))
    with pytest.raises(ValueError, match="k from 1 to 2"):
        cross_validate(np.eye(4), ["a", "a", "b", "b"], (3,))


def test_pairs():
    same, different = pair_distances(np.array([[0.0], [1.0], [5.0]]), ["a", "a", "b"])
    assert same.tolist() == [1.0] and sorted(different) == [4.0, 5.0]
    assert len(pair_distances(np.zeros((40, 2)), [str(i) for i in range(40)], most=100)[1]) == 100


# --- pictures -------------------------------------------------------------------------------------

PHOTO = np.full((30, 20, 3), 90, np.uint8)


class Box:
    box, landmarks, found = np.array([5, 5, 25, 15.0]), np.full((5, 2), 10.0), True


def drawn(figure):
    import matplotlib.pyplot as plt

    figure.canvas.draw()
    plt.close(figure)
    return figure.axes[0]


def titles(figure):
    return [text.get_text() for text in drawn(figure).texts]


def test_people_with_their_names():
    assert titles(people_plots.visualize({"1": PHOTO, "2": PHOTO}, {"1": "Ann", "2": "Bob_$Long$"})) == ["Ann", "Bob $Long$"]
    assert len(drawn(people_plots.visualize([PHOTO] * 50, most=10)).images) == 10


def test_found_faces_have_a_box_and_stay_inside_the_photo():
    figure = people_plots.visualize_faces([PHOTO, PHOTO], [[Box, Box], []], ["two", "none"])
    ax = drawn(figure)
    photo = ax.images[0].get_window_extent()
    for box in ax.patches:
        np.testing.assert_allclose(box.get_clip_box().extents, photo.extents, atol=1e-6)
        corners = box.get_transform().transform(box.get_path().vertices)
        # rows 5 to 25, columns 5 to 15 of a photo of 30 x 20 pixels, the middle of the first one at 0
        np.testing.assert_allclose(corners.min(axis=0), [photo.x0 + 5.5 / 20 * photo.width, photo.y1 - 25.5 / 30 * photo.height])
    assert len(ax.patches) == 2


def test_before_and_after():
    ax = drawn(people_plots.visualize_alignment([PHOTO] * 3, [PHOTO] * 3, np.zeros((5, 2))))
    assert len(ax.images) == 6
    for points, crop in zip(ax.collections, ax.images[1::2]):  # the middle of the first pixel of each crop below
        extent = crop.get_window_extent()
        at = points.get_offset_transform().transform(points.get_offsets())
        np.testing.assert_allclose(at, np.tile([extent.x0 + extent.width / 40, extent.y1 - extent.height / 60], (5, 1)))


def test_right_and_wrong_neighbours_differ_by_sign_and_by_colour():
    texts = drawn(people_plots.visualize_neighbors([[(PHOTO, "Ann", 0), (PHOTO, "Ann", 0.25), (PHOTO, "Bob", 0.5)], [(PHOTO, "Bob", 0)]])).texts
    assert [text.get_text() for text in texts] == ["Ann", "✓ Ann\n0.25", "✗ Bob\n0.50", "Bob"]
    assert [text.get_color() for text in texts[1:3]] == [people_plots.SAME, people_plots.OTHER]


def test_a_film_strip_shows_every_vote():
    votes = [(0, "Ann", 0.2), (2, "Bob", 0.4)]
    figure = people_plots.visualize_film([([PHOTO] * 3, votes, "Ann", "Ann"), ([PHOTO], [], "Bob", "Ann")])
    assert titles(figure) == ["✓ Ann\n0.20", "no face", "✗ Bob\n0.40", "Ann\n(right)", "no face", "Bob\n(it is Ann)"]
    assert len(figure.axes[0].patches) == 4, "frames"


def test_pictures_of_all_shapes_lie_in_their_places_and_no_words_lie_on_them():
    shapes = [(20, 20), (4, 90), (70, 3), (1, 1), (33, 34)]
    figure = people_plots.visualize([np.zeros((*shape, 3), np.uint8) for shape in shapes], ["Ann Bob Carl"] * 5, columns=3, title="A title")
    ax = drawn(figure)
    pictures = [image.get_window_extent() for image in ax.images]
    for shape, one in zip(shapes, pictures):
        assert one.height / one.width == pytest.approx(shape[0] / shape[1])
        assert figure.bbox.x0 <= one.x0 < one.x1 <= figure.bbox.x1 and figure.bbox.y0 <= one.y0 < one.y1 <= figure.bbox.y1
        assert sum(one.overlaps(other) for other in pictures) == 1
        assert not any(one.overlaps(text.get_window_extent()) for text in (*ax.texts, *figure.texts))
    assert all(0 < text.get_window_extent().y0 - one.y1 < 0.1 * figure.dpi for text, one in zip(ax.texts, pictures)), "a name stands right above its picture"
    alone = drawn(people_plots.visualize([np.zeros((4, 90, 3), np.uint8)], title="A title"))
    np.testing.assert_allclose(alone.get_window_extent().extents, alone.images[0].get_window_extent().extents, atol=1e-6)


def test_a_confusion_of_many_people_shows_those_with_mistakes():
    counts = np.diag(np.full(30, 5))
    counts[3, 7] = 1
    figure = people_plots.plot_confusion([f"p{i}" for i in range(30)], counts)
    ax = drawn(figure)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["p3", "p7"]
    assert "all 150 answers" in people_plots.plot_confusion([f"p{i}" for i in range(30)], np.diag(np.full(30, 5))).axes[0].texts[0].get_text()
    assert len(drawn(people_plots.plot_confusion(["a", "b"], np.eye(2, dtype=int))).images) == 1


def test_curves_and_maps():
    rng = np.random.default_rng(0)
    figures = [people_plots.plot_distances(rng.random(50), 1 + rng.random(80), 0.9), people_plots.plot_choice([1, 3], {"a": [0.9, 1.0], "b": [0.8, 0.7]}),
               people_plots.plot_accept_curve([0, 0.5, 1], [0.2, 0.9, 1.0], (0.5, 0.9)), people_plots.visualize_descriptors(rng.random((20, 5)), ["a", "b"] * 10)]
    for figure in figures:
        assert drawn(figure).get_title()
    assert "threshold 0.900" in [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert len({line.get_markersize() for line in figures[1].axes[0].lines}) == 2, "curves that lie on one another are all seen"
    assert {text.get_text() for text in figures[3].axes[0].texts} == {"a", "b"}


def test_names_with_dollar_signs_can_be_drawn():
    image, name = np.zeros((20, 20, 3), np.uint8), "$a^$"
    figures = [people_plots.visualize([image], [name], title=name), people_plots.visualize_neighbors([[(image, name, 0), (image, name, 0.5)]], title=name),
               people_plots.plot_confusion([name, "b"], np.array([[2, 1], [0, 2]])), people_plots.visualize_film([([image] * 2, [(0, name, 0.3)], name, "b")], title=name),
               people_plots.visualize_descriptors(np.random.default_rng(0).normal(size=(8, 4)), [name] * 4 + ["b"] * 4)]  # fmt: skip
    for figure in figures:
        figure.canvas.draw()
