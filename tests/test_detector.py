"""From maps to boxes: peaks where they were put, boxes where the window looked, at every scale."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.boxes import iou
from RegionDetector.detector import boxes_from_maps, cell_stride, detect, face_shape, find_peaks, get_bboxes_and_decision_function, get_threshold, heat_maps
from RegionDetector.multiscale import multiscale_detector, pyramid_scales

rows_of_map, cols_of_map = np.mgrid[:37, :37]


def hill(row, col, height=5.0):
    return height - 0.5 * ((rows_of_map - row) ** 2 + (cols_of_map - col) ** 2)


def blob_finder(shape):
    """An FCNN with the geometry of the course's (window 32, stride 4) that answers to a bright spot of 16 x 16 in the middle."""
    inputs = keras.Input(shape)
    x = keras.layers.AveragePooling2D(4)(inputs)
    kernel = np.full((8, 8, 3, 2), 0.0)
    kernel[..., 1] = -0.02
    kernel[2:6, 2:6, :, 1] = 0.05
    conv = keras.layers.Conv2D(2, 8, use_bias=False)
    model = keras.Model(inputs, conv(x))
    conv.set_weights([kernel])
    return model


@settings(deadline=None, max_examples=40)
@given(st.floats(2, 34), st.floats(2, 34))
def test_a_peak_between_cells_is_found_where_it_is(row, col):
    index, rows, cols, values = find_peaks(hill(row, col)[None])
    # halfway between two cells both are highest, and both point to the same place
    assert len(index) in (1, 2, 4) and (values == hill(row, col).max()).all()
    np.testing.assert_allclose([rows, cols], np.repeat([[row], [col]], len(index), axis=1), atol=1e-6)
    assert len(boxes_from_maps(hill(row, col)[None], (4, 4), [(176, 176, 3)])[0]) == 1


def test_a_cell_becomes_the_window_it_looks_at():
    boxes, decision = boxes_from_maps(hill(3, 10)[None], (4, 4), [(176, 176, 3)])
    np.testing.assert_allclose(boxes, [[0, 12, 40, 44, 72]])
    boxes, _ = boxes_from_maps(hill(3, 10)[None], (4, 4), [(176, 176, 3)], (38, 26))
    np.testing.assert_allclose(boxes, [[0, 28 - 19, 56 - 13, 28 + 19, 56 + 13]])


def test_a_face_in_the_shadow_of_a_surer_one_is_a_peak_of_its_own():
    """Cheek to cheek: the slope of the surer face is higher, two cells on, than the top of the other face."""
    row, col = np.indices((37, 37))
    sure, other = (top - 3.0 * (np.abs(row - 15) + np.abs(col - middle)) for top, middle in ((10, 15), (2, 19)))
    boxes, decision = boxes_from_maps(np.maximum(sure, other)[None], (4, 4), [(176, 176, 3)], (38, 26))
    assert decision.tolist() == [10, 2]
    np.testing.assert_allclose((boxes[:, 2] + boxes[:, 4]) / 2, [15 * 4 + 16, 19 * 4 + 16], atol=2)


def test_boxes_are_cut_to_the_photo_and_peaks_in_the_margin_left_out():
    maps = np.maximum(hill(3, 10), hill(30, 30))[None]
    boxes, _ = boxes_from_maps(maps, (4, 4), [(40, 60, 3)])
    np.testing.assert_allclose(boxes, [[0, 12, 40, 40, 60]])


def test_spots_are_found_in_photos_and_the_mirror_agrees():
    images = np.zeros((3, 176, 176, 3), np.uint8)
    images[0, 30:46, 100:116] = images[1, 120:136, 20:36] = 255
    model = blob_finder((176, 176, 3))
    boxes, decision = get_bboxes_and_decision_function(model, images, [(176, 176, 3)] * 3)
    best = boxes[decision > decision.max() / 2]
    np.testing.assert_allclose(best, [[0, 22, 92, 54, 124], [1, 112, 12, 144, 44]], atol=1.5)
    straight, mirrored = heat_maps(model, images), heat_maps(model, images, mirror=True)
    np.testing.assert_allclose(straight, mirrored, atol=1e-3)
    sure, values = detect(model, images, [(176, 176, 3)] * 3, decision.max() / 2)
    assert len(sure) == len(values) == 2 and (values >= decision.max() / 2).all()
    assert detect(model, images, [(176, 176, 3)] * 3, decision.max(), return_decision=False).shape[1] == 5
    assert len(detect(model, images, [(176, 176, 3)] * 3, np.inf)[0]) == 0


def test_many_scales_find_spots_of_every_size():
    photo = np.zeros((300, 420, 3), np.uint8)
    photo[40:60, 50:70] = photo[150:220, 250:320] = 255
    boxes, decision = multiscale_detector(blob_finder((176, 176, 3)), [photo], [photo.shape], min_face=32, progress=False)
    order = np.argsort(-decision)[:2]
    truth = np.array([[30, 40, 70, 80], [115, 215, 255, 355]])
    assert (iou(truth, boxes[order, 1:]).max(axis=1) > 0.6).all()
    assert (boxes[:, 1:] >= 0).all() and (boxes[:, 3] <= 300).all() and (boxes[:, 4] <= 420).all()


@given(st.integers(1, 2000), st.integers(1, 2000), st.floats(16, 200))
def test_pyramids_reach_from_the_least_face_to_the_photo(height, width, least):
    assume(height * width * (32 / least) ** 2 < 8e6)  # larger copies are left out, with a warning
    scales = pyramid_scales((height, width), least)
    assert scales == sorted(scales, reverse=True)
    if min(height, width) < least:
        assert scales == []
    else:
        assert scales[0] == pytest.approx(32 / least) and 32 <= min(height, width) * scales[-1] < 32 * 1.27


def test_photos_smaller_than_a_face_give_no_boxes():
    tiny = np.zeros((1, 1, 3), np.uint8)
    boxes, decision = multiscale_detector(blob_finder((None, None, 3)), [tiny], [tiny.shape], progress=False)
    assert boxes.shape == (0, 5) and decision.shape == (0,)


@pytest.mark.parametrize("images, message", [
    ([np.zeros((64, 64, 3)), np.zeros((64, 70, 3))], "one size"), (np.zeros((2, 64, 64)), "3 channels"), (np.zeros((1, 64, 64, 4)), "3 channels"),
    (np.zeros((1, 31, 64, 3)), "at least 32 x 32"), ([], "no images"),
])  # fmt: skip
def test_images_that_the_network_cannot_look_at_are_said(images, message):
    with pytest.raises(ValueError, match=message):
        get_bboxes_and_decision_function(blob_finder((None, None, 3)), images, [(64, 64, 3)] * len(images))


def test_a_network_that_is_a_class_of_ones_own():
    """It does not say what it takes, as a network of layers does."""
    import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = blob_finder((None, None, 3))

        def call(self, images):
            return self.inner(images)

    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype(np.uint8)
    own, plain = (get_bboxes_and_decision_function(model, images, [(64, 64, 3)] * 2) for model in (Own(), blob_finder((64, 64, 3))))
    np.testing.assert_allclose(own[0], plain[0])
    np.testing.assert_allclose(own[1], plain[1], rtol=1e-5)


def test_a_canvas_of_another_shape_and_one_window():
    image = np.zeros((1, 96, 160, 3), np.uint8)
    image[0, 40:56, 120:136] = 255
    boxes, decision = get_bboxes_and_decision_function(blob_finder((None, None, 3)), image, [(90, 150, 3)])
    np.testing.assert_allclose(boxes[decision.argmax()], [0, 32, 112, 64, 144], atol=1.5)
    boxes, _ = get_bboxes_and_decision_function(blob_finder((None, None, 3)), image[:, 32:64, 112:144], [(32, 32, 3)])
    assert boxes.tolist() == [[0, 0, 0, 32, 32]]


@pytest.mark.parametrize("photo", [np.zeros((60, 60)), np.zeros((60, 60, 4)), np.full((60, 60, 3), 40_000, np.uint16)])
def test_photos_of_another_kind_are_said(photo):
    with pytest.raises(ValueError, match="photo 0: expected .*read_photo"):
        multiscale_detector(blob_finder((None, None, 3)), [photo], [photo.shape], progress=False)


@pytest.mark.parametrize("find", [get_bboxes_and_decision_function, lambda *photos: multiscale_detector(*photos, progress=False)], ids=["one scale", "many"])
def test_no_photo_is_passed_over_for_want_of_its_size(find):
    photos, shapes = np.zeros((3, 64, 64, 3), np.uint8), [(64, 64, 3)] * 3
    with pytest.raises(ValueError, match="3 photos, but the sizes of 2"):
        find(blob_finder((None, None, 3)), photos, shapes[:2])
    assert len(find(blob_finder((None, None, 3)), photos[:2], shapes)) == 2  # sizes of all, some of the photos


def test_the_mean_face_and_the_threshold():
    assert face_shape([[0, 0, 0, 40, 20], [3, 10, 10, 46, 40]]).tolist() == [38, 25]
    assert get_threshold([1, 2, 3], [1.0, 0.85, 0.8]) == 2


def window_sum(strides, shape=(None, None, 3)):
    """An FCNN that answers with the brightness of its window, in steps of two times two times ... pixels."""
    window, at = keras.Input((32, 32, 3)), keras.Input(shape)
    x, y = window, at
    for stride in strides:
        pool = keras.layers.AveragePooling2D(stride)
        x, y = pool(x), pool(y)
    conv = keras.layers.Conv2D(1, x.shape[1:3], use_bias=False)
    model = keras.Model(at, conv(y))
    conv.set_weights([np.ones(conv.kernel.shape)])
    return model


@pytest.mark.parametrize("strides, side", [((2,) * 5, 176), ((2,) * 5, 200), ((4, 4), 179), ((2, 2), 179), ((2, (2, 1)), 176), ((2, (1, 2)), 101), ((8,), 180)])
def test_windows_lie_where_the_layers_put_them(strides, side):
    """Also where the steps do not divide the canvas, with the mirror image and without, and along rows otherwise than along columns."""
    model = window_sum(strides)
    step = np.prod([np.broadcast_to(s, 2) for s in strides], axis=0)
    corner = (2 * 32 // step) * step
    image = np.zeros((1, side, side, 3), np.uint8)
    image[0, corner[0] : corner[0] + 32, corner[1] : corner[1] + 32] = 255
    np.testing.assert_allclose(heat_maps(model, image, mirror=True), heat_maps(model, image), rtol=1e-4, atol=1e-2)
    boxes, decision = get_bboxes_and_decision_function(model, image, [image.shape[1:]])
    np.testing.assert_allclose(boxes[decision.argmax()], [0, *corner, *corner + 32], atol=1e-3)
    boxes, decision = multiscale_detector(model, [image[0]], [image.shape[1:]], progress=False)
    np.testing.assert_allclose(boxes[decision.argmax()], [0, *corner, *corner + 32], atol=1e-3)


@pytest.mark.parametrize("room", [144, 147, 32, 8, 4, 1])
def test_the_stride_of_a_network_that_does_not_tell(room):
    for stride in (1, 2, 4, 8, 16):
        cells = room // stride + 1
        guessed = cell_stride((32 + room, 32 + room, 3), (cells, cells))
        assert (room // guessed == cells - 1).all() or cells == 1
        if room // stride > 2 * stride:  # so many cells that no other whole number fits
            assert guessed.tolist() == [stride, stride]


def test_a_strip_as_high_as_a_face():
    photo = np.zeros((32, 300, 3), np.uint8)
    photo[8:24, 192:208] = 255
    boxes, decision = multiscale_detector(blob_finder((None, None, 3)), [photo], [photo.shape], progress=False)
    np.testing.assert_allclose(boxes[decision.argmax()], [0, 0, 184, 32, 216], atol=1.5)


def test_no_faces_have_no_mean_shape():
    with pytest.raises(ValueError, match="there are no faces"):
        face_shape(np.zeros((0, 5)))
