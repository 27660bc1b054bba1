"""The second stage of the carried detector: how places are cut out, how answers become points, how it is trained, and what it may change."""

import cv2
import numpy as np
import pytest

from common.detection import network, refinement, search
from common.detection.found import Found
from common.inference import compiled
from RegionDetector.one_pass import refining, samples
from RegionDetector.one_pass.labels import labelled, no_labels

FACE = np.array([[-0.3, -0.4], [-0.3, 0.4], [0.1, 0], [0.5, -0.3], [0.5, 0.3]])


def one(middle, size, degrees=0.0, logit=0.0):
    """A detection of a round head whose face is turned clockwise."""
    angle = np.radians(degrees)
    down, right = np.array([np.cos(angle), -np.sin(angle)]), np.array([np.sin(angle), np.cos(angle)])
    points = np.asarray(middle) + size / 2 * (FACE[:, :1] * down + FACE[:, 1:] * right)
    return Found(np.array([logit]), np.array([[*middle, size / 2, size / 2, 0.0]]), np.array([[*middle, size / 2.5, size / 2.5]]), points[None])


def spots(image):
    """Middles of the red, green and blue spot of a crop, (row, column)."""
    return np.array([[(np.indices(image.shape[:2])[axis] + 0.5)[image[..., channel] > 200].mean() for axis in (0, 1)] for channel in range(3)])


@pytest.mark.parametrize("degrees", [0, 30, -75, 90, 180])
@pytest.mark.parametrize("size", [24, 60, 400])
def test_a_head_is_cut_out_upright_and_at_one_size(degrees, size):
    found = one((520.0, 610.0), size, degrees)
    photo = np.zeros((1100, 1200, 3), np.uint8)
    for channel, point in enumerate(found.points[0, [0, 1, 2]]):
        rows, cols = np.indices(photo.shape[:2]) + 0.5
        photo[(rows - point[0]) ** 2 + (cols - point[1]) ** 2 < max(2.0, 0.05 * size) ** 2, channel] = 255
    (middle,), (down,), (side,) = refinement.frames(found)
    crop = refinement.cut(cv2.blur(photo, (3, 3)) if size < 40 else photo, middle, down, side)
    assert crop.shape == (refinement.SIDE, refinement.SIDE, 3)
    expected = refinement.SIDE / 2 + refinement.SIDE / refinement.LENGTH / 2 * FACE[[0, 1, 2]]
    bright = np.clip(crop.astype(float) / np.maximum(crop.max(axis=(0, 1)), 1) * 255, 0, 255)
    np.testing.assert_allclose(spots(bright), expected, atol=1.3)


@pytest.mark.parametrize("degrees", [0, 40, -120])
def test_answers_are_read_where_the_crop_was_cut(degrees):
    """What a network says that sees the points where they are, is where they are."""
    found = one((80.0, 90.0), 50, degrees)
    told = np.concatenate([[[1.5]], (FACE / 2 / refinement.LENGTH).reshape(1, 10)], axis=1)
    logits, points = refinement.read_answers(told, *refinement.frames(found))
    assert logits.tolist() == [1.5]
    np.testing.assert_allclose(points, found.points, atol=1e-9)


def test_a_crop_at_the_edge_of_a_photo_and_a_face_without_a_direction():
    crop = refinement.cut(np.full((40, 40, 3), 255, np.uint8), np.array([0.0, 0.0]), np.array([1.0, 0.0]), 60.0)
    assert (crop[: 30, : 30] == refinement.GROUND).all() and (crop[34:, 34:] == 255).all()
    flat = one((20, 20), 10)
    flat.points[:] = 20
    assert refinement.frames(flat)[1].tolist() == [[1, 0]]


def test_crop_and_mirror_image_count_alike():
    """A network that says where the brightest pixel is, gives the same for a crop and, mirrored, for its mirror image."""
    def brightest(crops):
        at = np.array([np.unravel_index(crop[..., 0].argmax(), crop.shape[:2]) for crop in crops])
        points = np.repeat((at[:, None] + 0.5) / refinement.SIDE - 0.5, 5, axis=1)
        return np.concatenate([at[:, :1], points.reshape(-1, 10)], axis=1)[:, None]

    crops = np.zeros((70, 64, 64, 3), np.uint8)
    crops[np.arange(70), np.arange(70) % 64, (7 * np.arange(70)) % 64] = 200
    told = refinement.answers(brightest, crops)
    assert told.shape == (70, 11), "more than a batch"
    np.testing.assert_allclose(told, brightest(crops)[:, 0])


def test_looks_of_two_sizes_agree_about_a_place():
    """A network that finds a bright spot in any crop names the same place in the photo from each; the first look's points keep their share."""
    photo = np.zeros((200, 220, 3), np.uint8)
    cv2.circle(photo, (118, 93), 2, (255, 255, 255), -1)
    seen = []

    def spot(crops):
        seen.append(len(crops))
        rows, cols = (np.einsum(f"nrc,{axis}->n", crops[..., 0], np.arange(64) + 0.5) / crops[..., 0].sum(axis=(1, 2)) / 64 - 0.5 for axis in "rc")
        return np.concatenate([np.ones((len(crops), 1)), np.tile(np.stack([rows, cols], axis=1), 5)], axis=1)[:, None]

    found = one((100.0, 110.0), 50, 25, logit=6.0)
    again = refinement.refining(spot)(photo, found)
    assert again.logits.tolist() == [7] and seen == [2 * len(refinement.ZOOMS)], "what is sure needs no further look"
    np.testing.assert_allclose(again.points, (1 - refinement.SHARE) * found.points + refinement.SHARE * np.array([93.5, 118.5]), atol=0.3)
    np.testing.assert_array_equal(again.heads, found.heads)
    assert not len(refinement.refining(spot)(photo, found[[]])) and len(seen) == 1


def test_what_is_in_doubt_is_looked_at_closer_and_wider_and_leaning():
    """Of three places the one in doubt; a spot above its middle lies aside, nearer and farther, in what is cut out there."""
    photo, (middle, size), crops = np.zeros((300, 300, 3), np.uint8), ((150.0, 150.0), 60), []
    cv2.circle(photo, (150, 125), 2, (255, 255, 255), -1)
    found = Found(*(np.concatenate([getattr(one(middle, size, logit=logit), name) for logit in (-7.0, -1.0, 6.0)]) for name in ("logits", "heads", "faces", "points")))

    def run(images):
        crops.append(images)
        return np.full((len(images), 1, refinement.ANSWERS), 2.0)

    again = refinement.refining(run)(photo, found)
    before, further, rest = refinement.FURTHER
    assert again.logits.tolist() == [-5, pytest.approx(before * 1 + further * 2 + rest), 8]
    np.testing.assert_array_equal(again.points, refinement.refining(run, further=None)(photo, found).points)
    assert [len(images) for images in crops[:2]] == [12, 8]
    seen = []
    for image, mirrored in zip(crops[1][:4], crops[1][4:]):
        np.testing.assert_array_equal(image, mirrored[:, ::-1])
        row, col = (np.average(np.indices((64, 64))[axis] + 0.5 - 32, weights=image[..., 0]) for axis in (0, 1))
        seen.append([round(np.degrees(np.arctan2(col, -row))), np.hypot(row, col) / 64 * refinement.LENGTH * size])
    away = 25 - 0.5
    np.testing.assert_allclose(seen, [[lean, away / zoom] for lean in (-20, 20) for zoom in (0.7, 1.4)], atol=1.5)


def test_what_was_in_doubt_gets_no_surer_than_what_was_in_none():
    photo, run = np.zeros((90, 90, 3), np.uint8), lambda images: np.full((len(images), 1, refinement.ANSWERS), 2.0)
    told = [refinement.refining(run)(photo, one((40.0, 40.0), 30, logit=logit)).logits[0] for logit in (2.9, 3.1)]
    assert told == [refinement.DOUBT[1], 5.1]


def test_search_looks_once_more_and_believes_the_second_look():
    photo, asked = np.zeros((200, 200, 3), np.uint8), []

    def look(image, least):
        asked.append(least)
        return one((60.0, 60.0), 40, logit=-2.0) if image.shape[0] == 200 else one((1.0, 1.0), 1, logit=-9.0)[[]]

    def refine(photo, found):
        assert photo.shape == (200, 200, 3)
        return Found(found.logits + 5, found.heads, found.faces, found.points + 1)

    found = search.search(search.Refined(look, refine), photo, least=1.0, turns=False)
    assert found.logits.tolist() == [3] and asked[0] == search.AGAIN + search.TWICE and set(asked[1:]) == {search.AGAIN}
    np.testing.assert_allclose(found.points, one((60.0, 60.0), 40).points + 1)
    assert not len(search.search(search.Refined(look, refine), photo, least=4.0, turns=False))
    assert search.Refined(look, refine)(photo, 0).logits.tolist() == [-2], "called like a function it is the first look"


@pytest.fixture(scope="module")
def album():
    """Faces are bright disks with three dark spots; what has none is no face."""
    rng, photos = np.random.default_rng(0), []
    for _ in range(30):
        photo = rng.integers(0, 90, (120, 160, 3)).astype(np.uint8)
        row, col, radius = *rng.uniform(45, 75, 2), rng.uniform(16, 28)
        points = np.array([row, col]) + radius * FACE
        cv2.circle(photo, (round(col), round(row)), round(radius), (240, 220, 200), -1)
        for point in points[:3]:
            cv2.circle(photo, (round(point[1]), round(point[0])), max(2, round(0.12 * radius)), (20, 20, 20), -1)
        seen = Found(np.array([3.0]), np.array([[row, col, radius, radius, 0]]), np.array([[row, col, 0.8 * radius, 0.8 * radius]]), points[None])
        photos.append((photo, labelled([[radius, radius * 0.999, 1.5, col, row]], seen)))
    blank = rng.integers(0, 90, (160, 160, 3)).astype(np.uint8)
    cv2.circle(blank, (80, 80), 30, (240, 220, 200), -1)
    return samples.Album(photos, [blank])


def disks(image, least):
    """All bright disks, faces or not."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((cv2.medianBlur(image[..., 0], 9) > 140).astype(np.uint8))
    found = [one((top + high / 2, left + wide / 2), np.sqrt(high * wide)) for left, top, wide, high, _ in stats[1:count] if high > 12]
    return Found(*(np.concatenate([getattr(each, name) for each in [one((0, 0), 1)[[]], *found]]) for name in ("logits", "heads", "faces", "points")))


def test_candidates_are_what_the_first_look_takes_for_faces_and_all_faces(album):
    which = refining.candidates(disks, album)
    assert which.right.sum() >= 30 and (which.photos[~which.right] == 30).any(), "the disk without spots is one, and is wrong"
    assert np.isfinite(which.sides).all() and np.allclose(np.linalg.norm(which.downs, axis=1), 1)


def test_what_is_mistaken_for_a_face_is_learnt_more_often(album, monkeypatch):
    """A network that takes bright crops for faces: the disk without spots comes up, the dark ground hardly."""
    which = refining.candidates(disks, album)
    dark = [np.full(20, 30), np.tile([20.0, 20.0], (20, 1)), np.tile([1.0, 0.0], (20, 1)), np.full(20, 16.0), np.tile(np.eye(2) * 25, (20, 1, 1)), np.zeros(20, bool)]
    which = refining.Candidates(*(np.concatenate([getattr(which, name), more]) for name, more in zip(("photos", "middles", "downs", "sides", "spreads", "right"), dark)))
    network_of_brightness = refinement.generate_refiner((1,) * 6, normalised=False)
    ones = [np.full(w.shape, 1 / np.prod(w.shape[:-1])) if w.ndim == 4 else np.zeros(w.shape) for w in network_of_brightness.get_weights()]
    network_of_brightness.set_weights(ones)
    hard = refining.likeness(network_of_brightness, album, which)
    assert hard.shape == which.right.shape and hard[-20:].max() < hard[:-20].min()
    drawn = []
    monkeypatch.setattr(refining, "crop", lambda album, which, number, rng: (np.zeros((1, 1, 3)), drawn.append(number) or np.zeros(13)))
    shares = []
    for given in (None, np.where(hard > hard[-20:].max(), 1.0, 0.0)):
        drawn.clear()
        batches = refining.batches(album, which, refining.RefinerPlan(steps=5, crops=100), given)
        [batches[number] for number in range(5)]
        none = [number for number in drawn if not which.right[number]]
        assert len(none) == 5 * 40
        shares.append(np.mean(np.array(none) < len(which.right) - 20))
    assert shares[0] < 0.2 and 0.4 < shares[1] < 0.95, shares


def test_targets_lie_where_the_crop_shows_the_face(album):
    """Seen through the points that are to be learnt: dark spots on a bright ground."""
    which = refining.candidates(disks, album)
    hits, places = 0, 0
    for number in np.flatnonzero(which.right)[:20]:
        for seed in range(5):
            image, target = refining.crop(album, which, number, np.random.default_rng([seed, number]))
            assert image.shape == (64, 64, 3) and 0 <= target[0] <= 1
            if target[2]:
                for row, col in ((target[3:].reshape(5, 2)[:3] + 0.5) * 64).astype(int).clip(1, 62):
                    places += 1
                    hits += image[row - 1 : row + 2, col - 1 : col + 2].mean() < image.mean()
    assert places > 100 and hits > 0.75 * places, "all but those under a mask or in the dark"
    wrong = np.flatnonzero(~which.right & (which.photos == 30))[0]
    assert refining.crop(album, which, wrong, np.random.default_rng(0))[1].tolist() == [0, 1, *[0] * 11]


def test_a_small_training_learns(album):
    """The mean loss falls, and what comes out looks at detections."""
    import keras

    losses, plan = [], refining.RefinerPlan(steps=60, crops=16, lr=4e-3)
    which = refining.candidates(disks, album)
    told = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["loss"]))
    model = refining.fit_refiner(album, which, plan, [told], verbose=False)
    each = np.diff(np.arange(61) * np.concatenate([[0], losses]))  # Keras hands out the mean so far
    assert len(losses) == 60 and each[-10:].mean() < 0.7 * each[:5].mean()
    photo = album.levels[0][0]
    found = refinement.refining(compiled(model))(photo, disks(photo, 0))
    assert len(found) and np.isfinite(found.logits).all() and np.isfinite(found.points).all()


def test_training_can_go_on(album, simple_steps):
    """From weights that are there: what comes out has their shapes, and other numbers."""
    model = refinement.generate_refiner((4, 4, 4, 4, 4, 4), normalised=False)
    before = [weight.copy() for weight in model.get_weights()]
    again = refining.fit_refiner(album, refining.candidates(disks, album), refining.RefinerPlan(steps=2, crops=4, lr=1e-2), verbose=False, begin=model)
    assert [w.shape for w in again.get_weights()] == [w.shape for w in before] and not np.allclose(again.get_weights()[0], before[0])


def test_folding_changes_no_answer_and_the_file_keeps_it(tmp_path):
    import keras

    keras.utils.set_random_seed(1)
    model = refinement.generate_refiner((4, 6, 8, 8, 8, 8))
    crops = np.random.default_rng(0).integers(0, 255, (64, 64, 64, 3)).astype(np.float32)
    model.compile("sgd", "mse")
    model.fit(crops, np.zeros((64, 1, refinement.ANSWERS)), verbose=0)
    plain = network.folded(model, refinement.of_channels)
    np.testing.assert_allclose(plain.predict(crops, verbose=0), model.predict(crops, verbose=0), atol=2e-4)
    network.save_small(plain, tmp_path / "small.npz")
    again = refinement.load_refiner(tmp_path / "small.npz").predict(crops, verbose=0)
    np.testing.assert_allclose(again, plain.predict(crops, verbose=0), atol=0.05)
    with pytest.raises(OSError, match="gone.npz: no such file of weights"):
        refinement.load_refiner(tmp_path / "gone.npz")
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(OSError, match="other.npz: these are not weights"):
        refinement.load_refiner(tmp_path / "other.npz")


def test_both_stages_together_stay_below_a_million_weights():
    count = sum(model.count_params() for model in (network.load_detector(), refinement.load_refiner()))
    assert count < 1_000_000


def test_turned_photos_keep_their_faces(album):
    """In each photo of the wider album the face is as bright as in the first one, and drawings have come to the backgrounds."""
    wide = refining.widened(samples.Album([(levels[0], labels) for levels, labels in zip(album.levels, album.labels)], [album.backgrounds[0][0]]), 3)
    assert len(wide.levels) == len(wide.labels) == 45 and len(wide.backgrounds) == 4
    assert {levels[0].shape for levels in wide.levels[30:]} == {(120, 160, 3), (160, 120, 3)}
    for levels, labels in zip(wide.levels, wide.labels):
        row, col = labels.middles[0].astype(int)
        assert levels[0][row - 4 : row + 4, col - 4 : col + 4].mean() > 130
        eyes, mouth = labels.points[0, :2].mean(axis=0), labels.points[0, 3:].mean(axis=0)
        assert (eyes - mouth) @ labels.up[0] > 0


def test_calibration_adds_a_probability_to_the_first_look(monkeypatch):
    """Too sure by half and shifted, the answers become what they should be; what tells nothing is weighed with nothing."""
    import keras

    rng = np.random.default_rng(0)
    first, said = rng.normal(0, 1, 6000), rng.normal(0, 1, 6000)
    right = rng.random(6000) < 1 / (1 + np.exp(-(first + 0.7 * said - 0.4)))
    keras.utils.set_random_seed(0)
    model = refinement.generate_refiner((4,) * 6, normalised=False)
    crops = rng.integers(0, 255, (4, 64, 64, 3)).astype(np.float32)
    before = model.predict(crops, verbose=0)[:, 0]
    seen = Found(first, *(np.zeros((6000, n)) for n in (5, 4)), np.zeros((6000, 5, 2)))
    monkeypatch.setattr(refining.refinement, "refining", lambda run, further: lambda photo, found: Found(found.logits + said, found.heads, found.faces, found.points))
    monkeypatch.setattr(refining, "judged", lambda look, records, min_face: (look.refine(None, seen).logits, right))
    refining.calibrate(model, None, [])
    after = model.predict(crops, verbose=0)[:, 0]
    slope, offset = np.polyfit(before[:, 0], after[:, 0], 1)
    assert slope == pytest.approx(0.7, abs=0.12) and offset == pytest.approx(-0.4, abs=0.12)
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-5)


def test_further_looks_are_weighed_on_what_is_in_doubt(monkeypatch):
    """Faces and others by chance, the chance a logistic curve of both: its weights come out, whatever is said of what is not in doubt."""
    rng = np.random.default_rng(0)
    first, said = rng.uniform(-6, 9, 20_000), rng.normal(0, 1.5, 20_000)
    doubtful = (first > refinement.DOUBT[0]) & (first < refinement.DOUBT[1])
    right = np.where(doubtful, rng.random(len(first)) < 1 / (1 + np.exp(-(0.8 * first + 1.1 * said + 0.4))), first > 0)
    seen = Found(first, np.zeros((len(first), 5)), np.zeros((len(first), 4)), np.zeros((len(first), 5, 2)))
    monkeypatch.setattr(refining.refinement, "refining", lambda run, further: lambda photo, found: found)
    monkeypatch.setattr(refining.refinement, "further_looks", lambda *_: said)
    monkeypatch.setattr(refining, "judged", lambda look, records, min_face: (look.refine(None, seen).logits, right))
    assert refining.weighed(refinement.generate_refiner((4,) * 6, normalised=False), None, []) == pytest.approx((0.8, 1.1, 0.4), abs=0.06)


def test_no_labels_no_candidates(album):
    empty = samples.Album([(album.levels[0][0], no_labels())], [])
    assert not refining.candidates(disks, empty).right.any()
