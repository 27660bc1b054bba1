"""The detector for photos of any size: layout, network, training crops, merging. Training itself is tried on a toy."""

import gc
import warnings
import weakref

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.boxes import ellipse_to_box, iou
from RegionDetector.multiscale import Search, find_ellipses, merged, multiscale_detector
from RegionDetector.pyramid import model as pyramid_model
from RegionDetector.pyramid import samples as pyramid_samples
from RegionDetector.pyramid import scales as pyramid_scales

SIDES = st.integers(1, 700)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.floats(10, 60), st.floats(1.1, 2))
def test_levels_lie_apart_inside_the_canvas(height, width, min_face, step):
    scales = pyramid_scales.pyramid_scales((height, width), min_face, step)
    if not scales:
        assert min(height, width) < min_face * 1.001
        return
    photo = np.full((height, width, 3), 200, np.uint8)
    canvas, levels = pyramid_scales.on_one_canvas(photo, scales)
    seen = np.zeros(canvas.shape[:2], int)
    for row, col, rows, cols in levels:
        assert row % 16 == col % 16 == 0 and row + rows <= len(canvas) and col + cols <= canvas.shape[1]
        seen[row : row + rows + 16, col : col + cols + 16] += 1
    assert seen.max() == 1, "two levels are less than 16 pixels apart"
    assert (canvas[..., 0] > 0).sum() == sum(rows * cols for _, _, rows, cols in levels)
    assert len(canvas) % 16 == canvas.shape[1] % 16 == 0


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.floats(10, 60), st.floats(1.1, 2))
def test_in_two_parts_each_window_sees_what_it_sees_on_the_whole_canvas(height, width, min_face, step):
    scales = pyramid_scales.pyramid_scales((height, width), min_face, step)
    if not scales:
        return
    canvas, levels = pyramid_scales.on_one_canvas(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), scales)
    parts = list(pyramid_scales.in_two(canvas, levels))
    assert [len(there) for _, there in parts] == ([1, len(levels) - 1] if len(levels) > 1 else [1])
    for (part, (row, col, rows, cols)), (y, x, *size) in zip([(part, level) for part, there in parts for level in there], levels):
        assert [rows, cols] == size and col % 16 == 0
        # windows of 32 pixels whose middle lies in the level, and what the convolutions of such a window see beside it
        want, seen = canvas[max(y - 4, 0) : y + rows + 20, max(x - 4, 0) : x + cols + 20], part[max(row - 4, 0) : row + rows + 20, max(col - 4, 0) : col + cols + 20]
        np.testing.assert_array_equal(seen, want)


def test_a_huge_photo_keeps_memory_bounded():
    with pytest.warns(UserWarning, match="only faces from [0-9]+ pixels"):
        scales = pyramid_scales.pyramid_scales((10_000, 10_000), 20)
    assert scales and 10_000**2 * scales[0] ** 2 <= pyramid_scales.MOST
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pyramid_scales.pyramid_scales((1, 1), 20) == [] and len(pyramid_scales.pyramid_scales((480, 640), 20)) > 5
    for wrong in ((0, 2), (20, 1)):
        with pytest.raises(ValueError, match="above"):
            pyramid_scales.pyramid_scales((480, 640), *wrong)


@pytest.fixture(scope="module")
def network():
    """A network with batch normalisation that has seen something, so that folding has work to do."""
    import keras

    keras.utils.set_random_seed(0)
    model = pyramid_model.generate_pyramid_model(widths=(4, 8, 8, 16))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0, 0.3, beta.shape), rng.normal(0, 0.3, mean.shape), rng.uniform(0.3, 2, variance.shape)])
    return model


def test_folding_changes_no_answer(network):
    images = np.random.default_rng(1).uniform(0, 255, (2, 64, 96, 3)).astype("float32")
    plain = pyramid_model.folded(network)
    assert not any(type(layer).__name__ == "BatchNormalization" for layer in plain.layers)
    np.testing.assert_allclose(plain.predict(images, verbose=0), network.predict(images, verbose=0), rtol=1e-4, atol=1e-4)


def test_the_network_is_small():
    assert pyramid_model.generate_pyramid_model(normalised=False).count_params() <= 1_000_000


ELLIPSE = st.tuples(st.floats(14, 29), st.floats(0.6, 0.95), st.floats(-np.pi, np.pi), st.floats(30, 66), st.floats(30, 66))


@settings(max_examples=60, deadline=None)
@given(ELLIPSE)
def test_targets_read_back_give_the_ellipse(numbers):
    major, ratio, angle, x, y = numbers
    row = np.array([[major, major * ratio, angle, x, y]])
    middles, spreads = pyramid_samples.spread_of(row)
    target = pyramid_samples.targets(middles, spreads)
    size = pyramid_samples.size(spreads[0])
    assert (target[..., 0].sum() > 0) == (pyramid_model.LEARNT[0] <= size <= pyramid_model.LEARNT[1])
    logits, ellipses = pyramid_model.read_map(np.concatenate([target[..., :1], target[..., 3:]], axis=-1))
    there = target[..., 2].ravel() > 0
    assert there.any()
    expected = ellipse_to_box(row)
    boxes = np.concatenate([ellipses[:, :2] - ellipses[:, 2:4], ellipses[:, :2] + ellipses[:, 2:4]], axis=1)[there]
    np.testing.assert_allclose(boxes, np.tile(expected, (len(boxes), 1)), atol=0.01)
    # positive cells lie near the middle, and the rim of a face is neither face nor background
    rows, cols = np.nonzero(target[..., 0])
    assert (np.hypot(rows * 8 + 4 - y, cols * 8 + 4 - x) < 0.6 * major + 0.01).all()
    assert ((target[..., 0] > 0) <= (target[..., 1] > 0)).all()


class Record:
    """What `Album` needs of a photo."""

    def __init__(self, path, ellipses):
        self.path, self.ellipses = path, np.array(ellipses, float).reshape(-1, 5)


@pytest.fixture(scope="module")
def spots(tmp_path_factory):
    """Photos with bright ellipses on dark noise, each with its own size, place and angle: faces for a toy."""
    rng, records, folder = np.random.default_rng(3), [], tmp_path_factory.mktemp("spots")
    for number in range(66):
        photo = rng.integers(0, 60, (200, 240, 3)).astype(np.uint8)
        major = rng.uniform(14, 60)
        ellipse = [major, 0.75 * major, rng.uniform(1.2, 1.9), rng.uniform(60, 180), rng.uniform(60, 140)]
        cv2.ellipse(photo, ((ellipse[3] - 0.5, ellipse[4] - 0.5), (2 * major, 1.5 * major), np.degrees(ellipse[2])), (220, 180, 150), -1)
        file = folder / f"{number}.png"
        cv2.imwrite(str(file), photo)
        records.append(Record(file, ellipse))
    return records


def test_crops_show_the_face_where_the_target_says(spots):
    album = pyramid_samples.Album(spots[:12])
    for number in range(12):
        rng = np.random.default_rng(number)
        photo, turn, shift = pyramid_samples.face_crop(album, number, rng)
        crop = album.crop(photo, turn, shift).astype(int)
        middle, spread = album.middles[photo] @ turn.T + shift, turn @ album.spreads[photo] @ turn.T
        points = np.stack(np.indices(crop.shape[:2]), axis=-1) + 0.5 - middle[0]
        inside = np.einsum("rci,ij,rcj->rc", points, np.linalg.inv(spread[0]), points) < 1
        bright = crop[..., 1] > 120
        assert (inside & bright).sum() / max((inside | bright).sum(), 1) > 0.93


def test_batches_repeat_with_the_seed_and_differ_without(spots):
    album = pyramid_samples.Album(spots[:12])
    X, Y = pyramid_samples.batch(album, range(8), np.random.default_rng(1))
    again, _ = pyramid_samples.batch(album, range(8), np.random.default_rng(1))
    other, _ = pyramid_samples.batch(album, range(8), np.random.default_rng(2))
    assert X.shape == (12, 96, 96, 3) and Y.shape == (12, 12, 12, 8) and X.min() >= 0 and X.max() <= 255
    np.testing.assert_array_equal(X, again)
    assert not np.array_equal(X, other)
    assert (Y[:8, ..., 0].sum(axis=(1, 2)) > 0).all()


@pytest.fixture(scope="module")
def toy(spots):
    """A network that was trained, and a weak reference to the album that it was trained on."""
    from RegionDetector.pyramid import training
    from RegionDetector.pyramid.training import Plan, fit_pyramid_model

    albums, real = [], pyramid_samples.Album
    plan = Plan(epochs=24, faces=4, lr=8e-3, hard_from=0.6, mined=10, widths=(8, 16, 16, 16))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training, "HELD_OUT", 6)  # of so few photos a thirty-second is no photos to calibrate on
        patched.setattr(pyramid_samples, "Album", lambda records: albums.append(weakref.ref(album := real(records))) or album)
        return fit_pyramid_model(spots, plan, verbose=False), albums[0]


def test_a_toy_learns_finds_and_is_calibrated(spots, toy):
    """Four seeds pass with room to spare (by hand), for another processor rounds otherwise, and that is another seed."""
    from RegionDetector.pyramid.training import judged

    model, _ = toy
    best = []
    for spot in spots[:6]:
        photo = cv2.imread(str(spot.path))
        boxes, logits = multiscale_detector(model, [photo], [photo.shape], progress=False)
        best.append(iou(boxes[np.argsort(-logits)[:1], 1:], ellipse_to_box(spot.ellipses)).max(initial=0))
    assert np.median(best) > 0.4, "the surest lies on the spot"
    logits, right = judged(model, spots[:20])
    probability = 1 / (1 + np.exp(-logits))
    assert right.sum() >= 15, "most of the twenty are found"
    assert abs(probability.mean() - right.mean()) < 0.2, "of those of a half, half are right"
    assert right.all() or (probability[right][:, None] > probability[~right]).mean() > 0.7, "what is right is surer"


def test_training_ten_times_does_not_fill_the_memory(toy):
    model, album = toy
    gc.collect()
    assert album() is None and model is not None, "the photos go when the training is over"


def test_merging_keeps_one_of_many_and_neighbours_apart():
    face, rng = np.array([100.0, 100, 30, 22, 0]), np.random.default_rng(0)
    many = face + rng.normal(0, 1, (15, 5)) * [2, 2, 2, 2, 0.05]
    beside = face + [0, 60, 0, 0, 0]
    within = np.array([105.0, 100, 8, 8, 0])
    ellipses, logits = merged(np.vstack([many, beside, within]), np.concatenate([rng.uniform(1, 3, 15), [0.5, 0.2]]))
    assert len(ellipses) == 2 and logits[0] >= logits[1] and logits[1] < 0.5, "nothing agrees with the second one"
    assert logits[0] > merged(many[:1], np.array([3.0]))[1][0], "many that agree make it surer than one alone"
    assert np.abs(ellipses[0, :4] - face[:4]).max() < 2.5, "the mean is nearer to the truth than any single one need be"
    empty = merged(np.zeros((0, 5)), np.zeros(0))
    assert empty[0].shape == (0, 5) and empty[1].shape == (0,)


def test_the_mirror_image_says_the_same():
    def run(images):
        """A network whose answers name the column they come from, and that lean and lie to the right."""
        out = np.zeros((len(images), images.shape[1] // 8, images.shape[2] // 8, 6), np.float32)
        out[..., 0] = images[:, 4::8, 4::8, 0] / 25 - 5
        out[..., 2], out[..., 5] = 0.1 * (images[:, 4::8, 4::8, 1] > 0), 0.5
        return out

    photo = np.zeros((64, 64, 3), np.uint8)
    photo[28:36, 28:36, 0] = 250
    ellipses, logits = find_ellipses(run, photo, 28, 0.0, mirror=True, search=Search(28.0, 4.0, 1, 100))
    plain, _ = find_ellipses(run, photo, 28, 0.0, search=Search(28.0, 4.0, 1, 100))
    assert len(ellipses) == len(plain) == 1
    assert plain[0, 4] == pytest.approx(0.5) and ellipses[0, 4] == pytest.approx(0), "what leans to the right leans to the left in the mirror"


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (19, 19), (33, 47)])
def test_photos_of_odd_sizes(network, shape):
    photo = np.full((*shape, 3), 127, np.uint8)
    boxes, decision = multiscale_detector(pyramid_model.folded(network), [photo], [photo.shape], least=-1e9, progress=False)
    assert boxes.shape[1] == 5 and len(boxes) == len(decision)
    assert (boxes[:, 1:] >= 0).all() and (boxes[:, 3:] <= shape).all()


@pytest.mark.parametrize("turn", [np.eye(2) * 2.0, np.array([[0.9, 0.4], [-0.4, 0.9]])])
def test_a_crop_of_a_photo_wider_than_opencv_can_warp(turn):
    """It is the crop of the part alone."""
    part = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    wide = np.zeros((200, 40_000, 3), np.uint8)
    wide[:, 35_000:35_300] = part
    shift = np.array([48, 48]) - turn @ [100, 150]
    alone = pyramid_scales.warped([part], turn, shift, 96)
    np.testing.assert_allclose(pyramid_scales.warped([wide], turn, shift - turn @ [0, 35_000], 96).astype(int), alone, atol=2)
    assert (pyramid_scales.warped([wide], turn, shift + [1e6, 0], 96) == 0).all()
