"""Boxes: against pixel counting, and the properties that overlap must have."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import boxes
from common.boxes import area, clip, covered, ellipse_to_box, iou, iou_score, non_maximum_suppression, scale

corner = st.integers(0, 20)
box = st.tuples(corner, corner, corner, corner).map(lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])])


def mask(b):
    pixels = np.zeros((20, 20), bool)
    pixels[b[0] : b[2], b[1] : b[3]] = True
    return pixels


def test_the_examples_in_the_docstrings_run():
    assert doctest.testmod(boxes).attempted > 0 and doctest.testmod(boxes).failed == 0


@given(box, box)
def test_iou_is_what_counting_pixels_gives(a, b):
    union = (mask(a) | mask(b)).sum()
    expected = (mask(a) & mask(b)).sum() / union if union else 0
    assert iou_score(a, b) == pytest.approx(expected)


@given(st.lists(box, max_size=5), st.lists(box, max_size=5))
def test_iou_of_lists_is_iou_of_pairs(a, b):
    table = iou(a, b)
    assert table.shape == (len(a), len(b))
    for i, one in enumerate(a):
        for j, two in enumerate(b):
            assert table[i, j] == iou_score(one, two) == iou_score(two, one)


@given(box, box)
def test_covered_is_one_for_a_box_inside_a_box(a, b):
    outer = [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]
    assert covered(a, outer) == (1 if area(a) else 0)


@given(st.lists(box, min_size=1, max_size=8))
def test_clipped_boxes_lie_inside_and_keep_what_was_inside(bs):
    cut = clip(bs, (15, 10))
    assert (cut >= 0).all() and (cut[:, [0, 2]] <= 15).all() and (cut[:, [1, 3]] <= 10).all()
    for before, after in zip(bs, cut.astype(int)):
        assert (mask(before)[:15, :10].sum()) == mask(after).sum()


def test_scale_takes_one_factor_or_two():
    assert scale([[1, 2, 3, 4]], 2).tolist() == [[2, 4, 6, 8]]
    assert scale([[1, 2, 3, 4]], (10, 1)).tolist() == [[10, 2, 30, 4]]


@given(st.lists(st.tuples(box, st.floats(-5, 5)), max_size=12), st.floats(0.05, 0.9))
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it(scored, threshold):
    bs, scores = [b for b, _ in scored], [s for _, s in scored]
    keep = non_maximum_suppression(bs, scores, threshold)
    assert list(np.asarray(scores)[keep]) == sorted(np.asarray(scores)[keep], reverse=True)
    for position, i in enumerate(keep):
        assert all(iou_score(bs[i], bs[j]) <= threshold for j in keep[:position])
    for i in set(range(len(bs))) - set(keep.tolist()):
        assert any(iou_score(bs[i], bs[j]) > threshold and scores[j] >= scores[i] for j in keep)


@settings(deadline=None)
@given(st.floats(1, 40), st.floats(1, 40), st.floats(-4, 4))
def test_the_box_of_an_ellipse_touches_it_on_every_side(major, minor, angle):
    turn = np.linspace(0, 2 * np.pi, 5000)
    x = 7 + major * np.cos(turn) * np.cos(angle) - minor * np.sin(turn) * np.sin(angle)
    y = 9 + major * np.cos(turn) * np.sin(angle) + minor * np.sin(turn) * np.cos(angle)
    drawn = [y.min(), x.min(), y.max(), x.max()]
    np.testing.assert_allclose(ellipse_to_box([[major, minor, angle, 7, 9]])[0], drawn, atol=1e-3)


def test_wrong_shapes_are_told_what_was_expected():
    with pytest.raises(ValueError, match="min_row, min_col"):
        iou([[1, 2, 3]], [[1, 2, 3, 4]])
    for none in ([[1, 2, 3, 4], [5, 6]], [np.zeros((2, 4)), np.zeros((1, 4))], [["a.jpg", 1, 2, 3]], {"a.jpg": [1, 2, 3, 4]}):
        with pytest.raises(ValueError, match=r"expected boxes \[min_row, min_col, max_row, max_col\], one after the other, 4 numbers each"):
            iou(none, [[1, 2, 3, 4]])
    with pytest.raises(ValueError, match=r"expected ellipses \[major radius.*the 1 that ends a line of FDDB's lists is left out"):
        ellipse_to_box([[20, 10, 0, 50, 60, 1]])
    with pytest.raises(ValueError, match="leave out the image index"):
        iou_score([0, 1, 2, 3, 4], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="NaN"):
        clip([[0, 0, np.nan, 1]], (5, 5))
    with pytest.raises(ValueError, match="1 boxes but 2 scores"):
        non_maximum_suppression([[0, 0, 1, 1]], [1, 2])


@pytest.mark.parametrize("box, said", [([0, 1, 2, 3, 4], "leave out the image index"), ([1, 2, 3], "has no image index in front"), ([1, 2], "got 2 numbers$")])
def test_a_box_of_other_length_is_told_what_it_may_be(box, said):
    with pytest.raises(ValueError, match=said):
        iou_score([0, 0, 2, 2], box)
