"""Scores: against scikit-learn, against a plain loop, and where there is nothing to score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from common.boxes import iou_score
from common.scores import (
    at_threshold,
    auc,
    average_precision,
    best_match,
    detector_scores,
    precision_recall_curve,
    threshold_at_recall,
)


def scene(seed, images=6, faces=12, boxes=30, ties=False):
    rng = np.random.default_rng(seed)
    true = np.column_stack([rng.integers(0, images, faces), rng.integers(0, 60, (faces, 2))]).astype(float)
    true = np.hstack([true, true[:, 1:] + 20])
    near = true[rng.integers(0, faces, boxes)]
    pred = near + np.column_stack([np.zeros(boxes), np.tile(rng.normal(0, 6, (boxes, 2)), 2)])
    confidence = rng.integers(0, 4, boxes) / 4 if ties else rng.random(boxes)
    return pred, true, confidence


def slow_match(pred, true, confidence, threshold):
    """The definition, written as a loop over boxes in falling confidence."""
    taken, matched = set(), []
    for p in np.argsort(-confidence, kind="stable"):
        best, best_iou = None, threshold
        for t in range(len(true)):
            overlap = iou_score(pred[p, 1:], true[t, 1:]) if true[t, 0] == pred[p, 0] else 0
            if t not in taken and overlap > best_iou:
                best, best_iou = t, overlap
        if best is not None:
            taken.add(best)
            matched.append((best, int(p)))
    return matched


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 0.75]), st.booleans())
def test_matching_is_what_the_plain_loop_finds(seed, threshold, ties):
    pred, true, confidence = scene(seed, ties=ties)
    matched, missed, false = best_match(pred, true, confidence, threshold)
    assert sorted(matched) == sorted(slow_match(pred, true, confidence, threshold))
    assert len(matched) + len(missed) == len(true) and len(matched) + len(false) == len(pred)
    assert {t for t, _ in matched}.isdisjoint(missed) and {p for _, p in matched}.isdisjoint(false)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_average_precision_is_scikit_learns_on_the_same_matches(seed, ties):
    pred, true, confidence = scene(seed, ties=ties)
    precision, recall, _ = precision_recall_curve(pred, true, confidence)
    matched, _, _ = best_match(pred, true, confidence)
    hit = np.zeros(len(pred))
    hit[[p for _, p in matched]] = 1
    # scikit-learn knows nothing of missed faces: its recall ends at 1
    expected = average_precision_score(hit, confidence) * len(matched) / len(true) if matched else 0
    assert average_precision(precision, recall) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_scores_depend_on_the_order_of_confidence_only(seed):
    pred, true, confidence = scene(seed)
    shuffled = np.random.default_rng(seed).permutation(len(pred))
    before = detector_scores(pred, true, confidence)
    after = detector_scores(pred[shuffled], true, np.exp(confidence[shuffled]))
    assert before == pytest.approx(after)


def test_confidences_stay_floats():
    true = [[0, 0, 0, 10, 10]]
    pred = [[0, 50, 50, 60, 60], [0, 0, 0, 10, 10], [0, 30, 30, 40, 40]]
    precision, recall, thresholds = precision_recall_curve(pred, true, [0.15, 0.91, 0.62])
    assert thresholds[:3].tolist() == [0.15, 0.62, 0.91]
    assert precision.tolist() == pytest.approx([1 / 3, 1 / 2, 1, 1]) and recall.tolist() == [1, 1, 1, 0]
    assert auc(recall, precision) == 1


def test_a_second_box_on_a_face_is_a_false_alarm():
    matched, missed, false = best_match([[0, 0, 0, 10, 10], [0, 1, 1, 11, 11]], [[0, 0, 0, 10, 10]], [0.4, 0.6])
    assert matched == [(0, 1)] and missed == [] and false == [0]


def test_a_match_needs_more_than_the_threshold():
    true, pred = [[0, 0, 0, 10, 10]], [[0, 0, 0, 10, 5]]
    assert len(best_match(pred, true, [1], 0.49)[0]) == 1 and len(best_match(pred, true, [1], 0.5)[0]) == 0


def test_equal_confidences_come_and_go_together():
    precision, recall, thresholds = precision_recall_curve([[0, 0, 0, 9, 9], [0, 50, 50, 60, 60]], [[0, 0, 0, 9, 9]], [0.5, 0.5])
    assert thresholds.tolist() == [0.5, np.inf] and precision.tolist() == [0.5, 1] and recall.tolist() == [1, 0]


@pytest.mark.parametrize("boxes, faces", [(0, 0), (0, 3), (3, 0)])
def test_nothing_found_or_nothing_to_find_is_defined(boxes, faces):
    square = [0, 0, 0, 10, 10]
    precision, recall, _ = precision_recall_curve([square] * boxes, [square] * faces, np.arange(boxes))
    assert np.isfinite(precision).all() and np.isfinite(recall).all()
    assert precision[-1] == 1 and recall.tolist() == [0] * len(recall)
    assert detector_scores([square] * boxes, [square] * faces, np.arange(boxes)) == {"auc_pr": 0, "ap50": 0, "ap": 0}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_area_does_not_depend_on_the_direction_of_the_curve(values):
    x = np.sort(values)
    y = np.linspace(1, 0.3, len(x))
    assert auc(x, y) == pytest.approx(auc(x[::-1], y[::-1])) == pytest.approx(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def test_threshold_is_the_greatest_that_still_reaches_the_recall():
    assert threshold_at_recall([1, 2, 3, 4], [1.0, 0.9, 0.85, 0.5], 0.85) == 3
    assert threshold_at_recall([4, 3, 2, 1], [0.5, 0.84, 0.9, 1.0], 0.85) == 2
    with pytest.warns(UserWarning, match="never reaches 0.85"):
        assert threshold_at_recall([1, 2], [0.6, 0.3], 0.85) == 1


def test_precision_and_recall_at_a_threshold_count_the_boxes_from_it_on():
    pred, true, confidence = scene(3)
    kept = confidence >= 0.5
    matched, missed, false = best_match(pred[kept], true, confidence[kept])
    point = at_threshold(pred, true, confidence, 0.5)
    assert point["recall"] == pytest.approx(len(matched) / len(true))
    assert point["precision"] == pytest.approx(len(matched) / kept.sum())


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="2 predicted boxes but 1 values"):
        best_match([[0, 0, 0, 1, 1]] * 2, [], [1])
    with pytest.raises(ValueError, match="box 1 is NaN"):
        best_match([[0, 0, 0, 1, 1]] * 2, [], [1, np.nan])
    with pytest.raises(ValueError, match="image_index"):
        best_match([[0, 0, 1, 1]], [], [1])


def test_boxes_that_end_before_they_begin_do_not_quietly_score_nothing():
    """As x, y, width and height do where a face is narrower than its distance from the left."""
    box, turned = [0, 10, 20, 50, 60], [0, 100, 120, 40, 40]
    for score in (best_match, precision_recall_curve, detector_scores):
        with pytest.raises(ValueError, match=r"1 of 2 boxes end before they begin, the first is number 1.*\[y, x, y \+ height, x \+ width\]"):
            score([box], [box, turned], [1])
        with pytest.warns(UserWarning, match="these detections hit nothing: 1 of 1"):
            score([turned], [box], [1])


def test_a_threshold_that_no_box_reaches_has_no_place_on_the_curve():
    from matplotlib import pyplot as plt

    from common.graph import plot_precision_recall

    for threshold, rings in ((0.5, 1), (2.0, 0)):
        plot_precision_recall([0.5, 1.0], [1.0, 0.5], [0.1, 0.9], threshold)
        labels = [text.get_text() for text in plt.gca().get_legend().get_texts()]
        assert sum(label.startswith("threshold") for label in labels) == rings
        plt.close()


@pytest.mark.parametrize("sizes", [(24, 40), (5, 300), (60, 60)])
def test_faces_of_any_size_are_in_the_chart_of_sizes(sizes):
    """Of other photos than the course's there was an empty chart."""
    from matplotlib import pyplot as plt

    from common.graph import plot_sizes

    plot_sizes([[0, 10, 10, 10 + side, 10 + side] for side in sizes], 3)
    bars = [bar.get_height() for bars in plt.gcf().axes[1].containers for bar in bars]
    assert sum(bars) == 2 * len(sizes)
    plt.close()
