"""The official FDDB evaluation against counting pixels on whole photos and matching by brute force."""

from itertools import permutations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.photos import PhotoError
from RegionDetector.fddb.evaluation import (
    bad_rows,
    ellipse_mask,
    evaluate,
    mask_iou,
    matching_steps,
    rectangle_corners,
)
from RegionDetector.fddb.reading import FddbPhoto

shapes = st.tuples(st.integers(1, 60), st.integers(1, 60))
place = st.floats(-40, 100, allow_nan=False)
radius = st.floats(0.2, 70)
ellipses = st.tuples(radius, radius, st.floats(-4, 4), place, place)
rectangles = st.tuples(place, place, st.floats(0, 90), st.floats(0, 90))


def whole_ellipse(ellipse, shape):
    """The official drawing, on a canvas of the whole photo."""
    major, minor, angle, x, y = ellipse
    mask = np.zeros(shape, np.uint8)
    centre = int(np.rint(np.float32(x))), int(np.rint(np.float32(y)))
    return cv2.ellipse(mask, centre, (int(major), int(minor)), np.degrees(angle), 0, 360, 1, -1) > 0


def whole_rectangle(rectangle, shape):
    x, y, width, height = rectangle
    first, last = (tuple(int(np.rint(np.float32(v))) for v in corner) for corner in ((x, y), (x + width, y + height)))
    return cv2.rectangle(np.zeros(shape, np.uint8), first, last, 1, -1) > 0


# Masks

@settings(max_examples=300, deadline=None)
@given(ellipses, shapes)
def test_an_ellipse_drawn_in_its_part_of_the_photo_is_the_one_drawn_on_the_whole(ellipse, shape):
    (top, left, bottom, right), mask = ellipse_mask(*ellipse, shape)
    whole = np.zeros(shape, bool)
    whole[top:bottom, left:right] = mask > 0
    np.testing.assert_array_equal(whole, whole_ellipse(ellipse, shape))


@settings(max_examples=300, deadline=None)
@given(rectangles, shapes)
def test_rectangles_cover_the_pixels_that_opencv_fills(rectangle, shape):
    (top, left, bottom, right), = rectangle_corners(np.array([rectangle]), shape)
    whole = np.zeros(shape, bool)
    whole[top:bottom, left:right] = True
    np.testing.assert_array_equal(whole, whole_rectangle(rectangle, shape))


def test_rectangle_corners_are_rounded_half_to_even_and_both_inside():
    assert rectangle_corners(np.array([[0.5, 1.5, 2, 2]]), (20, 20)).tolist() == [[2, 0, 5, 3]]


@settings(max_examples=100, deadline=None)
@given(st.lists(ellipses, min_size=1, max_size=3), st.lists(ellipses, max_size=3), st.lists(rectangles, max_size=3), shapes)
def test_iou_is_counted_in_pixels(faces, ovals, boxes, shape):
    for found, draw, columns in ((ovals, whole_ellipse, 6), (boxes, whole_rectangle, 5)):
        rows = np.array([[*region, 1.0] for region in found]).reshape(-1, columns)
        counted = mask_iou(np.array(faces), rows, shape)
        assert counted.shape == (len(faces), len(found))
        for row, face in enumerate(faces):
            for column, region in enumerate(found):
                a, b = whole_ellipse(face, shape), draw(region, shape)
                assert counted[row, column] == (a & b).sum() / max((a | b).sum(), 1)


def test_a_face_has_iou_one_with_itself_even_where_the_photo_cuts_it():
    face = np.array([[30, 20, 1.2, 5, 40]])
    assert mask_iou(face, np.column_stack([face, [0.5]]), (50, 50)).tolist() == [[1.0]]


# Matching

def best_by_brute_force(overlaps):
    """(pairs with IoU > 0.5, sum of IoU) of the one-to-one matching with the greatest sum."""
    faces, found = overlaps.shape
    padded = np.zeros((faces, max(found, faces)))
    padded[:, :found] = overlaps
    matchings = [padded[np.arange(faces), list(order)[:faces]] for order in permutations(range(padded.shape[1]), faces)]
    best = max(matchings, key=np.sum)
    return (best > 0.5).sum(), best.sum()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_matching_is_the_best_of_all_at_every_threshold(faces, found, seed):
    rng = np.random.default_rng(seed)
    overlaps = rng.random((faces, found)) * (rng.random((faces, found)) < 0.7)
    scores = rng.integers(0, 3, found) / 2.0
    steps = matching_steps(overlaps, scores)
    assert steps[:, 0].tolist() == sorted(set(scores), reverse=True)
    for score, (passed, hits, iou_sum) in zip(steps[:, 0], steps[:, 1:].cumsum(axis=0)):
        expected_hits, expected_sum = best_by_brute_force(overlaps[:, scores >= score])
        assert passed == (scores >= score).sum()
        assert hits == expected_hits
        assert iou_sum == pytest.approx(expected_sum, abs=1e-12)


def test_a_later_detection_can_change_who_is_matched():
    # Greedy matching would keep the first pair, 0.6, and find nothing for the second detection.
    steps = matching_steps(np.array([[0.6, 0.55], [0.58, 0.0]]), np.array([0.9, 0.8]))
    np.testing.assert_allclose(steps, [[0.9, 1, 1, 0.6], [0.8, 1, 1, 0.53]])


def test_the_greatest_sum_may_cost_a_hit():
    # 0.9 + 0.2 beats 0.52 + 0.51: the rule maximises the sum of IoU, not the number of hits.
    steps = matching_steps(np.array([[0.9, 0.52], [0.51, 0.2]]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(steps, [[0.5, 2, 1, 1.1]])


# Whole evaluations on photos made here

@pytest.fixture
def photos(tmp_path):
    """Three photos of 100 × 120: two faces, one face, none."""
    faces = [[[20, 15, 1.5, 30, 40], [20, 15, 1.5, 80, 50]], [[10, 10, 0, 50, 50]], []]
    records = []
    for number, ellipses in enumerate(faces):
        path = tmp_path / f"photo_{number}.jpg"
        Image.new("L", (120, 100)).save(path)
        records.append(FddbPhoto(f"photo_{number}", path, np.array(ellipses, float).reshape(-1, 5), 1))
    return records


def test_perfect_ellipses_find_everything(photos):
    found = {photo.name: np.column_stack([photo.ellipses, np.arange(1, 1 + len(photo.ellipses))]) for photo in photos}
    curve = evaluate(photos, found)
    assert curve.faces == 3
    # One photo has no detections, so the curve starts with the empty point.
    assert curve.thresholds.tolist() == [np.finfo(float).max, 2, 1]
    assert curve.true_positives.tolist() == [0, 1, 3]
    assert curve.false_positives.tolist() == [0, 0, 0]
    np.testing.assert_allclose(curve.continuous, [0, 1 / 3, 1])
    assert curve.rates_at(0) == (1.0, 1.0)


def test_duplicates_and_boxes_beside_every_face_are_false_positives(photos):
    found = {"photo_0": [[15, 20, 30, 40, 0.9], [15, 20, 30, 40, 0.8]],
             "photo_1": [[0, 0, 10, 10, 0.7], [500, 500, 10, 10, 0.6], [-300, -300, 10, 10, 0.6]],
             "photo_2": [[0, 0, 50, 50, 0.5]]}
    curve = evaluate(photos, found)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.7, 0.6, 0.5]
    assert curve.true_positives.tolist() == [1, 1, 1, 1, 1]
    assert curve.false_positives.tolist() == [0, 1, 2, 4, 5]
    assert curve.rates_at(0)[0] == curve.rates_at(2000)[0] == pytest.approx(1 / 3)


def test_nothing_found_and_nothing_to_find_are_defined(photos):
    curve = evaluate(photos, {})
    assert curve.false_positives.tolist() == [0] and curve.rates_at(2000) == (0.0, 0.0)
    curve = evaluate(photos[2:], {"photo_2": [[0, 0, 50, 50, 0.5]]})
    assert curve.faces == 0 and curve.rates_at(2000) == (0.0, 0.0) and curve.rates_at(0) == (0.0, 0.0)
    assert curve.false_positives.tolist() == [1]
    assert evaluate([], {}).thresholds.tolist() == [np.finfo(float).max]


@pytest.mark.parametrize("row, overlap", [
    ([0, 0, 0, 0, 1], 1), ([-5, -5, 100, 100, 1], 1), ([1, 0, 5, 5, 1], 0),
    ([3, 3, 1, 0, 0, 1], 1), ([3, 3, 1, 20, 0, 1], 0),
])
def test_a_photo_of_one_pixel(tmp_path, row, overlap):
    Image.new("L", (1, 1)).save(tmp_path / "one.png")
    photo = FddbPhoto("one", tmp_path / "one.png", np.array([[2.0, 1, 0, 0, 0]]), 1)
    assert evaluate([photo], {"one": [row]}).continuous.tolist() == [overlap]


def test_regions_far_greater_than_the_photo_cost_neither_time_nor_memory(photos):
    curve = evaluate(photos, {"photo_1": [[-1e5, -1e5, 1e5, 1e5, 0.5], [-9e4, -9e4, 1e5, 1e5, 0.4]],
                              "photo_0": [[1e5, 1e5, 0.3, 50, 50, 0.5], [1e5, 1, 0.3, 50, 50, 0.5]]})
    assert curve.true_positives[-1] == 0 and curve.false_positives[-1] == 4


@pytest.mark.parametrize("row, reason", [
    ([1, 1, 5, 5, np.nan], "score that is not a number"), ([1, 1, 5, 5, np.inf], "score that is not a number"),
    ([np.nan, 1, 5, 5, 1], "place or size that is not"), ([1, 1, -5, 5, 1], "negative size"),
    ([1, 1, 5, -0.1, 1], "negative size"), ([-1, 5, 0, 5, 5, 1], "negative size"), ([1, 1e6, 5, 5, 1], "beyond 100,000"),
])
def test_bad_rows_are_refused_with_the_photo_and_the_reason(photos, row, reason):
    good = [1, 1, 5, 5, 1] if len(row) == 5 else [5, 5, 0, 5, 5, 1]
    with pytest.raises(ValueError, match=f"photo_1: 1 of 2 have a.*{reason}"):
        evaluate(photos, {"photo_1": [good, row]})


def test_a_row_counts_for_one_reason_only():
    assert sum(int(bad.sum()) for bad in bad_rows(np.array([[np.nan, 1e9, -5, -5, np.nan]])).values()) == 1


def test_wrong_shape_is_refused(photos):
    with pytest.raises(ValueError, match=r"photo_1: expected rows of x y w h score .* shape \(1, 4\)"):
        evaluate(photos, {"photo_1": [[1, 2, 3, 4]]})


def test_unknown_photos_are_counted_and_missing_ones_named(photos):
    with pytest.warns(UserWarning, match=r"detections of 2 photos are left out.*first: stranger"):
        curve = evaluate(photos, {"stranger": [[0, 0, 5, 5, 1]], "another": []})
    assert curve.false_positives[-1] == 0
    photos[1].path.unlink()
    with pytest.raises(PhotoError, match="photo_1.jpg: no such file"):
        evaluate(photos, {})
    photos[1].path.write_text("no photo")
    with pytest.raises(PhotoError, match="photo_1.jpg: cannot be read"):
        evaluate(photos, {})
