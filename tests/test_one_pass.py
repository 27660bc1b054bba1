"""Training the carried detector: labels, targets, crops, loss, calibration, and a small training that learns."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.detection import network, search
from common.detection.found import Found
from common.inference import compiled
from RegionDetector.one_pass import disguises, samples, training
from RegionDetector.one_pass.labels import A_FACE, boxed, labelled, no_labels, sizes, taught
from RegionDetector.one_pass.targets import COLUMNS, LEARNT, targets


def teacher(*rows):
    """A teacher's answer: (score, middle row, middle col, half height, half width) of faces."""
    rows = np.array(rows, float).reshape(-1, 5)
    faces = rows[:, 1:]
    points = faces[:, None, :2] + faces[:, None, 2:] * np.array([[-0.3, -0.4], [-0.3, 0.4], [0.1, 0], [0.5, -0.3], [0.5, 0.3]])
    return Found(np.log(rows[:, 0] / (1 - rows[:, 0])), np.column_stack([faces, np.zeros(len(rows))]), faces, points)


@pytest.fixture(scope="module")
def album():
    """Bright spots on noise are faces."""
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(12):
        photo = rng.integers(0, 90, (120, 160, 3)).astype(np.uint8)
        row, col, radius = *rng.integers(45, 75, 2), int(rng.integers(14, 30))
        rows, cols = np.indices(photo.shape[:2])
        photo[(rows - row) ** 2 + (cols - col) ** 2 < radius**2] = (250, 240, 200)
        photos.append((photo, labelled([[radius, radius * 0.99, 1.5, col, row]], teacher((0.9, row, col, radius * 0.8, radius * 0.8)))))
    return samples.Album(photos, [rng.integers(0, 90, (300, 300, 3)).astype(np.uint8)], [np.full((40, 30, 4), 200, np.uint8)])


# Labels

def test_ellipses_win_where_they_speak():
    """The first box belongs to the ellipse; the second lies beside it; the third is a face that FDDB left out; the fourth may be one; the fifth is too faint."""
    labels = labelled([[25, 20, 1.57, 50, 40]], teacher((0.9, 44, 50, 18, 15), (0.9, 50, 55, 15, 12), (0.9, 40, 150, 18, 15), (0.6, 100, 150, 10, 10), (0.3, 150, 30, 9, 9)))
    assert labels.marked.tolist() == [True, False, False] and labels.sure.tolist() == [True, True, False]
    np.testing.assert_allclose(labels.middles[0], [40, 50])
    np.testing.assert_allclose(labels.face_middles[0], [44, 50])
    assert labels.middles[1, 0] < 40 and sizes(labels.spreads[1:2])[0] > 2 * np.sqrt(18 * 15), "a head is guessed around a face"
    assert not np.isnan(labels.points[:, 0, 0]).any()


def test_without_a_teacher_there_are_heads_only():
    labels = labelled([[25, 20, 1.57, 50, 40]])
    assert labels.marked.all() and np.isnan(labels.face_middles).all() and np.isnan(labels.points).all() and labels.up.tolist() == [[-1, 0]]
    assert len(no_labels()) == 0


def test_points_of_a_doubtful_teacher_are_not_learnt():
    assert np.isnan(labelled([[25, 20, 1.57, 50, 40]], teacher((0.5, 44, 50, 18, 15))).points).all()


@settings(max_examples=50, deadline=None)
@given(st.floats(-3, 3), st.floats(0.5, 2), st.booleans())
def test_labels_move_with_the_photo(angle, scale, mirror):
    labels = labelled([[25, 20, 1.2, 50, 40]], teacher((0.9, 44, 50, 18, 15)))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, -1 if mirror else 1])
    moved = labels.moved(turn, np.array([7.0, -3.0]))
    assert np.sqrt(np.linalg.det(moved.spreads[0])) == pytest.approx(scale**2 * 25 * 20)
    eyes = labels.points[0, :2] @ turn.T + [7, -3]
    np.testing.assert_allclose(moved.points[0, :2], eyes[::-1] if mirror else eyes)
    # the frame of a face stays what it is: right of the picture is the person's left
    down = moved.points[0, 3:].mean(axis=0) - moved.points[0, :2].mean(axis=0)
    across = moved.points[0, 1] - moved.points[0, 0]
    assert down[0] * across[1] - down[1] * across[0] > 0


def test_a_teacher_is_surer_of_what_it_sees_in_the_mirror_too():
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:, 150:] = 255

    def look(image, least):
        """One face at a place of its own, whatever the photo shows; and one where the photo is bright."""
        bright = image[:, :, 0].mean(axis=0).argmax() + 25.0
        return teacher((0.9, 30, 40, 15, 15), (0.9, 70, bright, 15, 15))

    found = taught(look, photo)
    both = found[np.abs(found.faces[:, 0] - 70) < 2]
    alone = found[np.abs(found.faces[:, 0] - 30) < 2]
    assert len(both) == 1 and len(alone) == 2 and both.logits[0] > alone.logits.max() + 0.9
    assert both.faces[0, 1] == pytest.approx(175, abs=1.5)


# Targets

@settings(max_examples=60, deadline=None)
@given(st.floats(9, 300), st.floats(40, 216), st.floats(40, 216), st.floats(-1.2, 1.2))
def test_what_the_network_should_answer_is_read_as_the_face(size, row, col, angle):
    labels = labelled([[size * 0.55, size * 0.45, angle, col, row]], teacher((0.9, row, col, size * 0.4, size * 0.35)))
    maps = targets(labels, 256)
    assert [one.shape for one in maps] == [(32, 32, COLUMNS), (16, 16, COLUMNS), (8, 8, COLUMNS)]
    size = sizes(labels.spreads)[0]
    for one, (low, high) in zip(maps, LEARNT):
        assert bool(one[..., 0].any()) == (low <= size <= high)
    flat = np.concatenate([one.reshape(-1, COLUMNS) for one in maps])
    answers = np.concatenate([flat[:, :1], flat[:, 6:11], flat[:, 11:15], flat[:, 16:]], axis=1)
    found = network.read_answers(answers, (256, 256), least=0.5)
    assert len(found)
    np.testing.assert_allclose(found.heads, np.repeat(boxed(labels.middles, labels.spreads), len(found), axis=0), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.points, np.repeat(labels.points, len(found), axis=0), rtol=1e-4, atol=1e-3)


def test_where_nobody_knows_nothing_is_learnt():
    unsure = targets(labelled([], teacher((A_FACE - 0.1, 128, 128, 20, 20))), 256)
    assert not any(one[..., 0].any() for one in unsure) and unsure[0][16, 16, 1] == 0 and unsure[0][2, 2, 1] == 1
    tiny = targets(labelled([[3, 3, 0, 133, 120]]), 256)
    assert not any(one[..., 0].any() for one in tiny) and (tiny[0][..., 1] == 0).any()
    outside = targets(labelled([[60, 50, 1.5, -20, 128]]), 256)
    assert not any(one[..., 0].any() for one in outside) and (outside[0][:, 0, 1] == 0).any(), "half a head at the edge is neither face nor background"
    assert all(one[..., 1].all() and not one[..., 0].any() for one in targets(no_labels(), 64))


# Crops

def test_crops_depend_on_the_seed_alone(album):
    first, again, other = (samples.batch(album, range(8), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert first[0].shape == (8, 256, 256, 3) and first[1].shape == (8, 1344, COLUMNS) and np.isfinite(first[1]).all()
    assert first[1][..., 0].sum(axis=1).min() >= 0 and (first[1][..., 0].sum(axis=1) > 0).mean() > 0.5


def test_labels_lie_on_what_the_crop_shows(album):
    rng = np.random.default_rng(5)
    for number in range(8):
        photo, face = album.faces[number]
        place = samples.placed(album.labels[photo].middles[face], 1.0, 256, 40, rng)
        crop = samples.warped(album.levels[photo], *place, 256)
        middle = album.labels[photo].moved(*place).middles[face]
        assert crop[tuple(np.round(middle).astype(int))].min() > 150


def test_what_lies_beyond_a_photo_is_known():
    beyond = samples._inside((100, 50), np.eye(2), np.array([20.0, 30.0]), 256) == 0
    assert not beyond[25:115, 35:75].any() and beyond[:18].all() and beyond[:, 84:].all() and beyond[124:].all()


@pytest.mark.parametrize("draw", [disguises.mask, disguises.cover])
def test_disguises_lie_on_the_face(draw):
    labels = labelled([[50, 40, 1.57, 100, 90]], teacher((0.9, 95, 100, 38, 32)))
    for seed in range(12):
        image = np.full((200, 200, 3), 77, np.uint8)
        draw(image, labels, 0, np.random.default_rng(seed))
        changed = np.argwhere((image != 77).any(axis=2))
        assert len(changed) > 50
        if draw is disguises.mask:
            assert changed[:, 0].min() > 75 and 85 < changed[:, 1].mean() < 115, "the eyes stay free, left and right alike"
    off_the_picture = labels.moved(np.eye(2), np.array([-400.0, 0.0]))
    image = np.zeros((200, 200, 3), np.uint8)
    draw(image, off_the_picture, 0, np.random.default_rng(0))
    assert not image.any()


@pytest.mark.parametrize("draw", [disguises.smiley, disguises.coin])
def test_drawings_are_drawn(draw):
    for seed in range(8):
        image = np.full((128, 128, 3), 90, np.uint8)
        draw(image, np.random.default_rng(seed))
        assert 30 < (image != 90).any(axis=2).sum()


def test_light_and_camera_change_no_shape():
    crop = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    many = [disguises.recoloured(crop.copy(), np.random.default_rng(seed)) for seed in range(60)]
    assert all(one.shape == crop.shape and one.dtype == np.uint8 for one in many)
    assert any((one[..., 0] == one[..., 1]).all() for one in many) or len({int(one.mean()) for one in many}) > 20


# Loss and training

def test_the_right_answer_has_the_least_loss(album):
    from keras import ops

    _, target = samples.batch(album, range(6), np.random.default_rng(3))
    right = np.concatenate([np.where(target[..., :1] > 0, 8, -8), target[..., 6:11], target[..., 11:15], target[..., 16:]], axis=2).astype("float32")

    def loss(answers):
        return float(ops.convert_to_numpy(training.detection_loss(ops.convert_to_tensor(target), ops.convert_to_tensor(answers))))

    best = loss(right)
    assert best < 0.05
    for columns, much in ((slice(0, 1), -12), (slice(1, 3), 0.5), (slice(3, 5), 0.3), (slice(5, 6), 0.3), (slice(6, 8), 0.5), (slice(8, 10), 0.3), (slice(10, 20), 0.5)):
        worse = right.copy()
        worse[..., columns] += much
        assert loss(worse) > best + 0.02, columns


def test_a_small_network_learns(album):
    """The mean loss falls, and what comes out is the folded network."""
    import keras

    losses = []
    plan = training.Plan(steps=60, crops=6, lr=6e-3, widths=(8, 8, 16, 16, 16), neck=16)
    model = training.fit_detector(album, plan, [keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["loss"]))], verbose=False)
    each = np.diff(np.arange(61) * np.concatenate([[0], losses]))  # Keras hands out the mean so far
    assert len(losses) == 60 and each[-10:].mean() < 0.85 * each[:5].mean()
    found = search.search(network.looking(compiled(model)), album.levels[0][0], least=-20, turns=False)
    assert len(found) and np.isfinite(found.heads).all()


def test_training_can_go_on_from_a_folded_network(album, simple_steps):
    """With batch normalisation again it answers the same, folded once more it is the same, and a step changes it."""
    import keras

    keras.utils.set_random_seed(0)
    plain = network.generate_detector(widths=(4, 6, 8, 8, 8), neck=8, normalised=False)
    plain.set_weights([weight + 0.05 * np.random.default_rng(0).normal(size=weight.shape) for weight in plain.get_weights()])
    crops = samples.batch(album, range(3), np.random.default_rng(0))[0]
    again = training.unfolded(plain, crops)
    np.testing.assert_allclose(again(crops, training=False), plain(crops), atol=2e-3)
    for before, after in zip(plain.get_weights(), network.folded(again).get_weights()):
        np.testing.assert_allclose(after, before, atol=1e-4)
    further = training.fit_detector(album, training.Plan(steps=2, crops=2), verbose=False, begin=plain)
    assert [w.shape for w in further.get_weights()] == [w.shape for w in plain.get_weights()]
    assert not np.allclose(further.get_weights()[0], plain.get_weights()[0])


def test_what_was_not_found_or_mistaken_comes_more_often():
    """Of three faces one is found, one half, one not at all; one is too small to be looked for; in the background something is taken for a face."""
    photos = [(np.full((200, 200, 3), grey, np.uint8), labelled([[radius, radius * 0.99, 1.5, 90, 80]])) for grey, radius in ((10, 30), (20, 30), (30, 30), (40, 8))]
    background = np.full((200, 200, 3), 100, np.uint8)
    background[60:100, 100:140] = (200, 0, 0)
    album, told = samples.Album(photos, [background]), {10: (6.0, 80, 90), 20: (0.0, 80, 90), 30: (6.0, 160, 20), 40: (6.0, 160, 20), 100: (1.0, 80, 120)}

    def look(image, least):
        logit, row, col = told[int(np.median(image))]
        if len(image) < 200:
            return teacher()  # one scale is enough
        return Found(np.array([logit]), np.array([[row, col, 30, 30, 0.0]]), np.array([[row, col, 24, 24.0]]), np.zeros((1, 5, 2)))

    training.harder(look, album)
    assert [sum(photo == number for photo, _ in album.faces) for number in range(4)] == [1, 3, 4, 1]
    assert [(number, middle.tolist(), size) for number, middle, size in album.mistaken] == [(0, [80, 120], 60)]
    shown = [(crop == (200, 0, 0)).all(axis=2).mean() > 0.01 for crop in (samples._no_face(album, 64, np.random.default_rng(k))[0] for k in range(200))]
    album.mistaken = []
    before = [(crop == (200, 0, 0)).all(axis=2).mean() > 0.01 for crop in (samples._no_face(album, 64, np.random.default_rng(k))[0] for k in range(200))]
    assert np.mean(shown) > np.mean(before) + 0.15


def test_an_album_without_faces_is_refused():
    with pytest.raises(ValueError, match="none of the 1 photos has a face"):
        training.fit_detector(samples.Album([(np.zeros((50, 50, 3), np.uint8), no_labels())], []))
    with pytest.raises(ValueError, match="3 photos are too few"):
        training.fit_on_fddb([None] * 3)


def test_the_order_of_faces_is_the_plans(album):
    plan = training.Plan(steps=5, crops=4)
    batches, again = training.batches(album, plan), training.batches(album, plan)
    assert len(batches) == 5
    np.testing.assert_array_equal(batches[3][0], again[3][0])
    assert not np.array_equal(batches[3][0], batches[2][0])


# The command

def test_photos_without_people_come_with_the_packages():
    photos = samples.without_people()
    assert len(photos) > 20 and all(photo.ndim == 3 for photo in photos)
