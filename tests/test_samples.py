"""Patches: inside the photo, clear of faces, as many of one kind as of the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.boxes import iou
from RegionDetector.samples import cut, false_alarms, gen_negative_bbox, get_positive_negative, get_samples, is_negative_bbox


def canvases(count=6, seed=0):
    """Photos whose pixels say where they are: red is the row, green the column, blue is 9; the margin is black."""
    images, boxes, shapes = np.zeros((count, 176, 176, 3), np.uint8), [], []
    rng = np.random.default_rng(seed)
    for i, image in enumerate(images):
        height, width = rng.integers(80, 177, 2)
        image[:height, :width] = np.dstack([*np.mgrid[:height, :width], np.full((height, width), 9)])
        row, col = rng.integers(0, height - 38), rng.integers(0, width - 26)
        boxes.append([i, row, col, row + 38, col + 26])
        shapes.append((height, width, 3))
    return images, np.array(boxes, float), np.array(shapes)


@settings(deadline=None)
@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.lists(st.tuples(*[st.integers(0, 60)] * 2), max_size=4), st.integers(0, 99))
def test_a_negative_box_lies_in_the_photo_and_touches_no_face(shape, corners, seed):
    faces = [[r, c, r + 30, c + 24] for r, c in corners]
    bbox = gen_negative_bbox(shape, (32, 32), faces, seed)
    if min(shape) < 32:
        assert bbox is None
    if bbox is not None:
        assert bbox[0] >= 0 and bbox[1] >= 0 and bbox[2] <= shape[0] and bbox[3] <= shape[1]
        assert (bbox[2] - bbox[0], bbox[3] - bbox[1]) == (32, 32)
        assert not len(faces) or iou([bbox], faces).max() < 0.1


def test_every_place_in_the_photo_can_be_drawn():
    drawn = {tuple(gen_negative_bbox((33, 34), (32, 32), [], seed)[:2]) for seed in range(200)}
    assert drawn == {(r, c) for r in range(2) for c in range(3)}


def test_just_under_a_tenth_is_negative_and_a_tenth_is_not():
    assert is_negative_bbox([0, 0, 10, 10], []) and is_negative_bbox([0, 0, 10, 10], [[9, 0, 19, 9]])
    assert not is_negative_bbox([0, 0, 10, 10], [[0, 0, 10, 1]])


def test_patches_show_the_face_in_the_middle_and_no_margin():
    images, boxes, shapes = canvases()
    positive, negative = get_positive_negative(images, boxes, shapes, rng=1)
    assert positive.shape == negative.shape == (6, 32, 32, 3) and positive.dtype == np.uint8
    for patch, (_, top, left, bottom, right) in zip(positive, boxes):
        seen = patch[patch[..., 2] == 9]
        assert abs(int(patch[16, 16, 0]) - (top + bottom) / 2) <= 1 and abs(int(patch[16, 16, 1]) - (left + right) / 2) <= 1
        assert len(seen) > 32 * 32 * 0.6
    assert (negative[..., 2] == 9).all()


def test_a_window_over_the_edge_is_filled_with_black():
    image = np.full((1, 40, 40, 3), 200, np.uint8)
    patch = cut(image, [[0, -10, -10, 10, 10]])[0]
    assert (patch[16:, 16:] == 200).all() and (patch[:16] == 0).all() and (patch[:, :16] == 0).all()
    assert (cut(image, [[0, 500, 500, 520, 520]]) == 0).all()


def test_samples_are_balanced_labelled_and_repeat_with_the_seed():
    images, boxes, shapes = canvases()
    X, Y = get_samples(images, boxes, shapes, copies=3, rng=5)
    assert len(X) == 36 and Y.sum(axis=0).tolist() == [18, 18] and (Y.sum(axis=1) == 1).all() and Y[0].tolist() == [0, 1]
    np.testing.assert_array_equal(X, get_samples(images, boxes, shapes, copies=3, rng=5)[0])
    assert (X != get_samples(images, boxes, shapes, copies=3, rng=6)[0]).any()


def test_no_faces_or_no_room_is_an_error_not_a_smaller_set():
    images, boxes, shapes = canvases(2)
    with pytest.raises(ValueError, match="no face"):
        get_samples(images, [], shapes)
    with pytest.raises(ValueError, match="found room for 0 of 2"):
        get_samples(images, [[0, 0, 0, 20, 15], [1, 2, 3, 20, 20]], [(20, 20, 3)] * 2)


@pytest.mark.parametrize("change, said", [
    (lambda boxes: boxes + [1, 0, 0, 0, 0], "a box in photo 6, but there are 6 photos, counted from 0"),
    (lambda boxes: boxes - [1, 0, 0, 0, 0], "a box in photo -1"),
    (lambda boxes: boxes * 4 * [0.25, 1, 1, 1, 1], r"of 6 faces lie outside their photos.*make the boxes smaller"),
    (lambda boxes: np.column_stack([boxes[:, :3], boxes[:, 3:] - boxes[:, 1:3] - 40]), r"end before they begin.*\[y, x, y \+ height, x \+ width\]"),
], ids=["counted from 1", "from -1", "of the photos before they were made smaller", "x, y, width, height"])
def test_boxes_of_another_kind_are_not_learnt_from(change, said):
    """Each of them gave patches of something else, or black ones, under the name of faces."""
    images, boxes, shapes = canvases()
    with pytest.raises(ValueError, match=said):
        get_positive_negative(images, change(boxes), shapes, rng=0)


def test_photos_of_another_kind_and_too_few_sizes_are_named():
    images, boxes, shapes = canvases(2)
    with pytest.raises(ValueError, match=r"photo 0: expected \(H, W, 3\), got shape \(176, 176\)"):
        get_positive_negative(images[..., 0], boxes, shapes)
    with pytest.raises(ValueError, match="2 photos, but the sizes of 1"):
        get_positive_negative(images, boxes, shapes[:1])


def test_false_alarms_are_the_boxes_beside_the_faces_most_certain_first():
    face = [0, 10, 10, 50, 40]
    found = [[0, 10, 10, 50, 40], [0, 100, 100, 132, 132], [1, 10, 10, 50, 40], [0, 60, 60, 92, 92]]
    assert false_alarms(found, [9, 1, 2, 3], [face]).tolist() == [3, 2, 1]
    assert false_alarms([], [], [face]).tolist() == []
