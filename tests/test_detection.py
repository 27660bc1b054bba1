"""The carried detector's room: geometry of detections, scales and tiles, turned photos, the network's file, YuNet, and the call that both tasks use."""

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.detection import faces, network, search, yunet
from common.detection.found import Found, joined, merged, nothing
from common.inference import compiled

YUNET = Path(__file__).resolve().parents[2] / "shared/data/peers/face_detection_yunet_2026may.onnx"
RNG = np.random.default_rng(0)


def found(*rows):
    """Detections from (logit, middle row, middle col, half height, half width)."""
    rows = np.array(rows, float).reshape(-1, 5)
    points = rows[:, None, 1:3] + rows[:, None, 3:] * np.array([[-0.3, -0.4], [-0.3, 0.4], [0.1, 0], [0.5, -0.3], [0.5, 0.3]])
    return Found(rows[:, 0], np.column_stack([rows[:, 1:], np.full(len(rows), 0.2)]), rows[:, 1:] * [1, 1, 0.8, 0.9], points)


def disks(image, least):
    """A detector of bright disks: what `search` is tried with. Turned photos show it nothing new, cut disks are seen as they are."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((image[..., 0] > 128).astype(np.uint8))
    rows = [(3.0, top + high / 2, left + wide / 2, high / 2, wide / 2) for left, top, wide, high, _ in stats[1:count] if 12 <= high <= 240]
    return found(*rows)


def photo_with_disks(shape, places):
    photo = np.zeros((*shape, 3), np.uint8)
    for row, col, radius in places:
        cv2.circle(photo, (col, row), radius, (255, 255, 255), -1)
    return photo


# Geometry

@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_what_is_found_in_a_turned_photo_lies_in_the_photo(quarters):
    shape = (90, 140)
    truth = found((2, 30, 50, 12, 8), (1, 70, 110, 9, 15))
    photo = np.zeros(shape, np.uint8)
    photo[18:42, 42:58] = 255  # the first head's box
    turned = np.rot90(photo, quarters)
    rows, cols = np.nonzero(turned)
    box = np.array([rows.min(), cols.min(), rows.max() + 1, cols.max() + 1], float)
    seen = Found(truth.logits, *(np.zeros((2, n)) for n in (5, 4)), np.zeros((2, 5, 2)))
    seen.heads[0, :4] = [*(box[:2] + box[2:]) / 2, *(box[2:] - box[:2]) / 2]
    seen.heads[0, 4] = 0.2 * (-1) ** quarters
    back = seen.unturned(quarters, shape)
    np.testing.assert_allclose(back.heads[0], truth.heads[0])
    bright = np.zeros(shape)
    bright[33, 44] = 1  # a point: the middle of a pixel
    row, col = np.argwhere(np.rot90(bright, quarters))[0] + 0.5
    seen.points[0, 0] = row, col
    np.testing.assert_allclose(seen.unturned(quarters, shape).points[0, 0], [33.5, 44.5])


def test_scaled_and_shifted():
    moved = found((1, 30, 50, 12, 8)).scaled((2, 3)).shifted(5, 7)
    np.testing.assert_allclose(moved.boxes(), [[2 * 18 + 5, 3 * 42 + 7, 2 * 42 + 5, 3 * 58 + 7]])
    np.testing.assert_allclose(moved.points[0, 2], [(30 + 1.2) * 2 + 5, 50 * 3 + 7])
    assert moved.heads[0, 4] == 0.2 and moved.sizes()[0] == pytest.approx(2 * np.sqrt(24 * 24))


def test_boxes_of_both_kinds():
    one = found((1, 30, 50, 10, 10))
    assert one.boxes("head").tolist() == [[20, 40, 40, 60]] and one.boxes("face").tolist() == [[22, 41, 38, 59]]
    with pytest.raises(ValueError, match="'head' or 'face', got 'hat'"):
        one.boxes("hat")


def test_doubles_become_one_and_neighbours_stay_two():
    several = found((0, 52, 50, 10, 10), (2, 50, 50, 10, 10), (1, 50, 90, 10, 10), (1.5, 50, 51, 4, 4), (-1, 50, 75, 10, 10))
    one = merged(several)
    assert one.logits.tolist() == [2, 1, -1], "the surest comes first; an eye inside a face is no face"
    assert 50 < one.heads[0, 0] < 51, "those that agree move it, by their certainty"
    assert len(merged(nothing())) == 0 and len(joined([])) == 0


@pytest.mark.parametrize("surer", [1, 5])
def test_a_head_before_a_poster_of_one_is_a_face_and_an_eye_is_none(surer):
    poster = (3, 500, 500, 300, 300)
    assert merged(found(poster, (surer, 600, 550, 30, 30))).logits.tolist() == sorted([3, surer], reverse=True)
    assert merged(found(poster, (surer, 600, 550, 75, 75))).logits.tolist() == [max(3, surer)]


# Scales and tiles

def test_scales_reach_from_the_smallest_face_to_the_whole_photo():
    assert search.scales((480, 640), step=4) == [1, 1 / 4]
    assert search.scales((480, 640), min_face=40, step=4) == [0.5, 0.125]
    assert search.scales((10_000, 10_000))[-1] * 10_000 < 250
    # a face that one scale leaves to the next is not too small there
    assert search.LARGEST / search.STEP > search.SEEN_BEFORE
    assert search.scales((19, 500)) == []
    # a thumbnail is enlarged, and a small photo that is shrunk to the size of one is not shrunk
    assert search.scales((64, 90)) == [2, 1] and search.scales((64, 97)) == [1]
    assert search.scales((128, 180), min_face=40) == [1, 0.5] and search.scales((20, 20)) == [2, 1]
    with pytest.raises(ValueError, match="min_face and face above 0"):
        search.scales((480, 640), min_face=0)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 30_000))
def test_tiles_cover_a_side_and_overlap(length):
    parts = search.tiles(length)
    assert parts[0][0] == 0 and parts[-1][1] == length and all(end - begin == min(length, search.TILE) for begin, end in parts)
    assert all(search.OVERLAP <= before[1] - after[0] for before, after in zip(parts, parts[1:]))


def test_faces_of_all_sizes_in_a_photo_of_many_tiles():
    places = [(500, 1020, 12), (1024, 1024, 60), (1700, 300, 100), (900, 2500, 400), (2200, 1300, 11), (20, 20, 15)]
    photo = photo_with_disks((2400, 3100), places)
    seen = []

    def look(image, least):
        seen.append(image.shape)
        return disks(image, least)

    faces_found = search.search(look, photo, turns=False)
    assert len(faces_found) == len(places), "none twice, none cut in two, none lost at an edge"
    for row, col, radius in places:
        away = np.abs(faces_found.heads[:, :4] - [row, col, radius, radius]).max(axis=1)
        assert away.min() < 0.06 * radius + 2.5
    assert max(max(shape[:2]) for shape in seen) <= search.TILE


def test_smaller_faces_than_asked_for_are_left_out():
    photo = photo_with_disks((400, 500), [(100, 100, 12), (200, 300, 40)])
    assert len(search.search(disks, photo, 20, turns=False)) == 2
    assert len(search.search(disks, photo, 60, turns=False)) == 1


def refined(look):
    """A look whose second stage believes it."""
    return search.Refined(look, lambda photo, found: found)


@pytest.mark.parametrize("shape, min_face, first", [
    ((300, 400), 20, [(450, 600), (300, 400)]), ((410, 500), 20, [(615, 750), (410, 500)]), ((411, 500), 20, [(411, 500)]), ((64, 97), 20, [(96, 146), (64, 97)]),
    ((64, 90), 20, [(128, 180), (64, 90)]), ((150, 200), 10, [(450, 600), (300, 400)]), ((300, 400), 10, [(600, 800)]), ((300, 400), 40, [(150, 200)])])  # fmt: skip
def test_small_photos_are_looked_at_closer_too(shape, min_face, first):
    photo, seen = np.zeros((*shape, 3), np.uint8), []

    def look(image, least):
        seen.append(image.shape[:2])
        return nothing()

    search.search(refined(look), photo, min_face, turns=False)
    assert seen[: len(first)] == first and all(max(later) < min(first[-1]) for later in seen[len(first) :]), "what follows is smaller"
    plain = seen[1:] if len(first) == 2 and max(shape) > search.THUMBNAIL else list(seen)
    seen.clear()
    search.search(look, photo, min_face, turns=False)
    assert seen == plain, "a detector without a second stage is asked as before"


@pytest.mark.parametrize("shape", [(450, 455), (360, 569), (256, 800), (640, 320)])
def test_a_closer_look_is_still_looked_at_in_the_mirror(shape):
    calls = []

    def run(images):
        calls.append(images.shape)
        return np.full((len(images), sum((images.shape[1] // stride) * (images.shape[2] // stride) for stride in network.STRIDES), 20), -9.0, np.float32)

    search.search(refined(network.looking(run)), np.zeros((*shape, 3), np.uint8), turns=False)
    assert calls[0][0] == 2 and calls[0][1] >= 1.5 * shape[0], "image and mirror image"


def test_both_looks_at_a_small_photo_say_what_they_see():
    """The closer one sees small heads only, and is believed less; one head that both see is one."""
    photo = photo_with_disks((300, 400), [(50, 50, 10), (150, 100, 20), (150, 300, 45)])

    def near_sighted(image, least):
        answer = disks(image, least)
        return answer[(answer.sizes() > 25) & (answer.logits >= least)]

    one = search.search(refined(near_sighted), photo, least=0, turns=False)
    assert sorted(zip((one.sizes() / 2).round(), one.logits)) == [(10, 3 - search.TWICE), (20, 3), (46, 3)]
    assert len(search.search(near_sighted, photo, least=0, turns=False)) == 2
    only_closer = search.search(refined(lambda image, least: disks(image, least) if image.shape[0] == 450 else nothing()), photo, turns=False)
    assert sorted((only_closer.sizes() / 2).round()) == [10, 20], "a head of 91 pixels or more there is left to the other"
    assert not len(search.search(refined(near_sighted), photo, least=3.1, turns=False))


def test_a_photo_is_turned_only_when_nothing_sure_is_found_or_when_asked():
    photo, looks = photo_with_disks((200, 300), [(60, 220, 20)]), []

    def on_its_side(image, least):
        """Sees the disk only where it lies in the upper left: in one of the four turns."""
        looks.append(image.shape)
        answer = disks(image, least)
        return answer[(answer.heads[:, 0] < 0.5 * image.shape[0]) & (answer.heads[:, 1] < 0.5 * image.shape[1])]

    assert len(search.search(on_its_side, photo, turns=False)) == 0
    once = len(looks)
    one = search.search(on_its_side, photo)
    assert len(one) == 1 and len(looks) == 5 * once
    np.testing.assert_allclose(one.heads[0, :2], [60.5, 220.5], atol=1)
    looks.clear()
    assert len(search.search(lambda image, least: looks.append(0) or disks(image, least), photo)) == 1
    assert len(looks) == once, "what is found upright is believed"
    looks.clear()
    search.search(lambda image, least: looks.append(0) or disks(image, least), photo, turns=True)
    assert len(looks) == 4 * once


def test_sides_longer_than_OpenCV_can_count():
    image = np.zeros((40, 70_000, 3), np.uint8)
    image[:, 35_000:] = 200
    small = search._resized(image, (20, 35_000))
    assert small.shape == (20, 35_000, 3) and small[:, :17_490].max() == 0 and small[:, 17_510:].min() == 200
    assert search._resized(image, (80, 140_000)).shape == (80, 140_000, 3)


@pytest.mark.parametrize("scale", [5, 20 / 7, 1.21])
@pytest.mark.parametrize("shape", [(333, 470), (41, 900)])
def test_tiles_of_an_enlarged_photo_are_those_of_the_whole(shape, scale):
    image = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8), (0, 0), 2)
    large = [round(side * scale) for side in shape]
    whole = cv2.resize(image, tuple(large[::-1]), interpolation=cv2.INTER_LINEAR)
    for top, bottom in search.tiles(large[0]):
        for left, right in search.tiles(large[1]):
            part = search._enlarged(image, large, (top, left, bottom, right))
            assert part.shape == (bottom - top, right - left, 3)
            assert np.abs(part.astype(int) - whole[top:bottom, left:right]).max() <= 3


def test_very_small_faces_cost_no_more_memory_than_a_tile(tmp_path):
    photo = photo_with_disks((900, 1500), [(300, 400, 4), (870, 1480, 5)])
    tracemalloc.start()
    try:
        small = search.search(disks, photo, min_face=5, turns=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(small) == 2 and np.abs(small.heads[:, :2] - [[300, 400], [870, 1480]]).max() < 2
    assert peak < 6 * photo.size, "four times as high and wide the photo alone would be sixteen times as large"


# The network and its file

@pytest.fixture(scope="module")
def small():
    """A small network with batch normalisation that has seen something."""
    import keras

    keras.utils.set_random_seed(0)
    model = network.generate_detector(widths=(4, 4, 8, 8, 8), neck=8)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            layer.set_weights([RNG.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    model.get_layer("answer").set_weights([RNG.normal(0, 0.3, w.shape) for w in model.get_layer("answer").get_weights()])
    return model


def test_one_answer_for_each_cell(small):
    assert small.predict(np.zeros((1, 96, 160, 3)), verbose=0).shape == (1, 12 * 20 + 6 * 10 + 3 * 5, network.ANSWERS)
    middles, strides = network.cells((96, 160))
    assert middles.shape == (315, 2) and middles[1].tolist() == [4, 12] and middles[240].tolist() == [8, 8] and strides[-1] == 32
    assert network.generate_detector().count_params() <= 1_000_000


def test_folding_and_eight_bits_change_little(small, tmp_path):
    image = RNG.uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    truth, plain = small.predict(image, verbose=0), network.folded(small)
    np.testing.assert_allclose(plain.predict(image, verbose=0), truth, atol=1e-3 * np.abs(truth).max())
    network.save_small(plain, tmp_path / "faces.npz")
    back = network.load_detector(tmp_path / "faces.npz").predict(image, verbose=0)
    assert np.abs(back - truth).max() < 0.05 * np.abs(truth).max()
    assert not np.array_equal(back, truth)
    with np.load(tmp_path / "faces.npz") as arrays:
        assert arrays["conv_3/kernel"].dtype == np.int8 and arrays["answer/kernel"].dtype == np.float32


def test_answers_are_read_as_places():
    answers = np.zeros((network.cells((64, 64))[0].shape[0], network.ANSWERS), np.float32)
    answers[:, 0] = -9
    answers[64 + 5] = [2, 0.5, -0.25, np.log(1.5), np.log(1), 0.3, 0.75, -0.25, np.log(1.2), np.log(0.9), *np.tile([0.1, -0.2], 5)]  # stride 16, row 1, column 1
    one = network.read_answers(answers, (64, 64), least=0)
    assert one.logits.tolist() == [2]
    np.testing.assert_allclose(one.heads[0], [24 + 8, 24 - 4, 24, 16, 0.3], rtol=1e-6)
    np.testing.assert_allclose(one.faces[0], [24 + 12, 24 - 4, 19.2, 14.4], rtol=1e-6)
    np.testing.assert_allclose(one.points[0, 3], [24 + 1.6, 24 - 3.2], rtol=1e-6)


def test_a_mirrored_look_is_even_handed(small):
    """With the mirror, a photo and its mirror image get the same answers, mirrored."""
    look = network.looking(compiled(network.folded(small)), mirror=True)
    photo = RNG.integers(0, 255, (64, 96, 3)).astype(np.uint8)
    here, there = look(photo, -50), look(np.ascontiguousarray(photo[:, ::-1]), -50)
    order = np.lexsort((here.heads[:, 1], here.heads[:, 0], here.logits.round(3)))
    other = np.lexsort((96 - there.heads[:, 1], there.heads[:, 0], there.logits.round(3)))
    np.testing.assert_allclose(here.logits[order], there.logits[other], atol=1e-3)
    np.testing.assert_allclose(here.points[order][:, network.MIRRORED, 1], 96 - there.points[other][..., 1], atol=0.05)
    np.testing.assert_allclose(here.heads[order][:, 4], -there.heads[other][:, 4], atol=1e-3)


# The call that both tasks use

def test_faces_of_a_photo():
    from skimage.data import astronaut

    photo = astronaut()
    boxes, scores, points = faces.find_faces(photo)
    assert len(boxes) == 1 and boxes.shape == (1, 4) and points.shape == (1, 5, 2) and 0.5 < scores[0] <= 1
    eyes, nose, mouth = points[0, :2], points[0, 2], points[0, 3:]
    assert eyes[:, 0].max() < nose[0] < mouth[:, 0].min() and eyes[0, 1] < nose[1] < eyes[1, 1] and mouth[0, 1] < mouth[1, 1]
    np.testing.assert_allclose([*eyes[0], *eyes[1]], [102, 207, 104, 243], atol=8)
    face = faces.find_faces(photo, box="face").boxes
    assert face[0, 0] > boxes[0, 0] and np.prod(face[0, 2:] - face[0, :2]) < np.prod(boxes[0, 2:] - boxes[0, :2])
    assert len(faces.find_faces(photo, min_face=250).boxes) == 0


@pytest.mark.parametrize("shape, min_face", [((24, 200), 20), ((200, 24), 20), ((32, 90), 20), ((60, 468), 40)])
def test_a_strip_without_people_shows_no_face(shape, min_face):
    """Of a strip that is one cell high, all that is around it is padding."""
    for strip in (np.full((*shape, 3), 128, np.uint8), np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)):
        assert len(faces.find_faces(strip, min_face).boxes) == 0


@pytest.mark.parametrize("change", [lambda p: p / np.float32(255), lambda p: (p / 255).astype(np.float16), lambda p: p.astype(float), lambda p: p.astype(np.int64), lambda p: p.astype(np.uint16)],
                         ids=["shares", "half shares", "doubles", "whole numbers", "16 bits"])
def test_numbers_of_any_kind_are_the_same_photo(change):
    from skimage.data import astronaut

    expected, found = faces.find_faces(astronaut()), faces.find_faces(change(astronaut()))
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.5)
    np.testing.assert_allclose(found.points, expected.points, atol=0.5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_on_its_side(quarters):
    from skimage.data import astronaut

    upright = faces.find_faces(astronaut()).points[0]
    turned = faces.find_faces(np.ascontiguousarray(np.rot90(astronaut(), quarters)), turns=True)
    side = astronaut().shape[0]
    for _ in range(quarters):
        upright = np.stack([side - upright[:, 1], upright[:, 0]], axis=1)
    np.testing.assert_allclose(turned.points[0], upright, atol=8)


def test_calls_that_make_no_sense_are_refused():
    photo = np.zeros((40, 40, 3), np.uint8)
    for wrong, said in ((dict(photo=photo[..., 0]), r"expected a photo \(H, W, 3\)"), (dict(photo=photo + 300.0), "to 300"), (dict(photo=photo - 1.0), "from -1"),
                        (dict(photo=photo * np.nan), "nan"), (dict(photo=photo > 0), "bool"), (dict(photo=photo.astype(str)), "expected a photo"), (dict(photo=photo, box="hat"), "'hat'"),
                        (dict(photo=photo, threshold=2), "from 0 to 1, got 2"), (dict(photo=photo, min_face=0), "above 0"),
                        (dict(photo=photo, turns="auto"), "got 'auto'"), (dict(photo=photo, turns="never"), "got 'never'")):
        with pytest.raises(ValueError, match=said):
            faces.find_faces(**wrong)
    with pytest.raises(ValueError, match="'kit' or 'yunet', got 'viola'"):
        faces.detector("viola")
    with pytest.raises(ValueError, match="name it with --weights"):
        faces.detector("yunet")


# YuNet

def test_files_that_are_no_YuNet_are_refused(tmp_path):
    with pytest.raises(OSError, match="gone.onnx: no such file"):
        yunet.looking(tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_bytes(b"no network")
    with pytest.raises(OSError, match="text.onnx: OpenCV cannot read it as YuNet"):
        yunet.looking(tmp_path / "text.onnx")


@pytest.mark.skipif(not YUNET.is_file(), reason="YuNet's file is not beside the project")
def test_YuNet_gives_the_same_kind_of_answer(capfd):
    from skimage.data import astronaut

    faces._detector.cache_clear()
    faces.detector("yunet", YUNET)
    assert capfd.readouterr() == ("", ""), "OpenCV speaks of its graph engine"
    ours, theirs = faces.find_faces(astronaut()), faces.find_faces(astronaut(), look=faces.detector("yunet", YUNET))
    assert len(theirs.boxes) == 1
    for kind in ("head", "face"):
        a, b = (faces.find_faces(astronaut(), box=kind, look=look).boxes[0] for look in (None, faces.detector("yunet", YUNET)))
        assert np.prod(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])) > 0.6 * max(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    np.testing.assert_allclose(ours.points, theirs.points, atol=8)


def test_heads_around_faces_are_higher_and_larger():
    head = yunet.heads_around([[100, 50, 20, 15]])[0]
    assert head[0] < 100 and head[1] == 50 and head[2] == 25 and head[3] == pytest.approx(16.5) and head[4] == 0
