"""Detection, the choice of a face, landmarks and alignment."""

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.boxes import iou
from common.orl import orl_faces
from TrackDetector import faces as faces_module
from TrackDetector.alignment import PADDING, TEMPLATE, align, find_landmarks, similarity_transform
from TrackDetector.detectors import cnn_detector, hog_detector, named_detector, run_detector


@pytest.fixture(scope="module")
def people():
    return [np.repeat(image[:, :, None], 3, axis=2) for image in orl_faces()[0][::10]]


@pytest.fixture
def crowd(people):
    """A large face in the middle of a grey photo, a small one in the corner."""
    photo = np.full((360, 480, 3), 128, np.uint8)
    photo[80:304, 148:332] = cv2.resize(people[1], (184, 224))
    photo[0:112, 388:480] = people[2]
    return photo


numbers = st.floats(-50, 50)


@settings(deadline=None)
@given(st.floats(0.05, 20), st.floats(-3.1, 3.1), numbers, numbers, st.integers(0, 1000))
def test_similarity_is_found_again(scale, angle, row, col, seed):
    points = np.random.default_rng(seed).normal(0, 10, (5, 2))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity_transform(points, points @ turn.T + [row, col])
    np.testing.assert_allclose(matrix, np.column_stack([turn, [row, col]]), atol=1e-6 * (1 + scale))


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_similarity_is_the_least_squares_one(seed):
    a, b = np.random.default_rng(seed).normal(0, 10, (2, 5, 2))
    # b = (p a0 - q a1 + r, q a0 + p a1 + s): a linear problem in p, q, r, s
    equations = np.concatenate([np.c_[a[:, 0], -a[:, 1], np.ones(5), np.zeros(5)], np.c_[a[:, 1], a[:, 0], np.zeros(5), np.ones(5)]])
    p, q, r, s = np.linalg.lstsq(equations, b.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity_transform(a, b), [[p, -q, r], [q, p, s]], atol=1e-8)


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((1, 2)), np.full((3, 2), np.nan), np.zeros((3, 3))])
def test_similarity_of_nothing(points):
    with pytest.raises(ValueError):
        similarity_transform(points, points)


def test_landmarks_fall_where_the_network_wants_them(people):
    where = (TEMPLATE + PADDING) / (1 + 2 * PADDING) * 224 - 0.5
    off = []
    for person in people[:10]:
        face = faces_module.find_face(person)
        crop = align(person, face.landmarks, 224)
        off.append(np.abs(find_landmarks(crop, faces_module.find_face(crop).box) - where).mean())
    assert np.mean(off) < 5


@pytest.mark.parametrize("angle, zoom", [(15, 1.0), (-20, 1.4), (10, 0.6), (0, 3.0)])
def test_a_turned_or_zoomed_photo_gives_the_same_crop(people, angle, zoom):
    photo = cv2.resize(people[3], (368, 448))
    photo = cv2.copyMakeBorder(photo, 100, 100, 100, 100, cv2.BORDER_REPLICATE)
    middle = (photo.shape[1] / 2, photo.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, angle, 1.0)
    turned = cv2.resize(cv2.warpAffine(photo, matrix, photo.shape[1::-1]), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    points = faces_module.find_face(photo).landmarks
    moved = ((np.c_[points[:, ::-1], np.ones(5)] @ matrix.T)[:, ::-1] + 0.5) * zoom - 0.5
    crops = [align(image, where).astype(float)[40:184, 40:184] for image, where in ((photo, points), (turned, moved))]
    assert np.abs(crops[0] - crops[1]).mean() < 6


def test_crop_has_the_size_and_the_black_of_outside(people):
    crop = align(people[0], faces_module.find_face(people[0]).landmarks, 96, padding=2.0)
    assert crop.shape == (96, 96, 3) and crop.dtype == np.uint8
    assert (crop[:3] == 0).all() and crop[40:56, 40:56].min() > 0


def test_the_chips_are_as_good_as_dlibs_own(people):
    import dlib

    from TrackDetector.descriptors import get_layer_output
    from TrackDetector.networks.dlib_weights import LANDMARKS_FILE, dlib_file

    predictor, apart = dlib.shape_predictor(str(dlib_file(LANDMARKS_FILE))), []
    for person in people[:12]:
        top, left, bottom, right = (int(v) for v in faces_module.find_face(person).box)
        shape = predictor(person, dlib.rectangle(left, top, right - 1, bottom - 1))
        chip = dlib.get_face_chip(person, shape, 150, 0.25)
        mine = align(person, find_landmarks(person, [top, left, bottom, right]), 150)
        apart.append(np.linalg.norm(np.diff(get_layer_output(np.stack([chip, mine])), axis=0)))
    assert np.mean(apart) < 0.12


def test_boxes_are_rows_first_and_half_open(crowd):
    boxes, scores = hog_detector()(crowd)
    box = boxes[faces_module.choose_face(boxes, crowd.shape)]
    assert iou([box], [[110, 160, 300, 330]])[0, 0] > 0.5
    assert abs((box[2] - box[0]) - (box[3] - box[1])) <= 1  # dlib's template is square
    assert (np.diff(scores) <= 0).all()


def test_the_face_meant_is_large_and_central(crowd):
    faces = faces_module.find_faces(crowd)
    assert len(faces) == 2
    meant = faces_module.find_face(crowd)
    assert meant.box[1] < 240 < meant.box[3] and meant.found and meant.how == "detector"


@settings(deadline=None)
@given(st.floats(20, 100), st.integers(0, 100))
def test_of_equal_faces_the_central_one(side, seed):
    away = np.random.default_rng(seed).uniform(30, 140)
    boxes = [[120 + a - side / 2, 120 - side / 2, 120 + a + side / 2, 120 + side / 2] for a in (-away, 1, away)]
    assert faces_module.choose_face(boxes, (240, 240, 3)) == 1


def test_of_central_faces_the_large_one():
    assert faces_module.choose_face([[100, 100, 140, 140], [70, 70, 170, 170]], (240, 240)) == 1
    with pytest.raises(ValueError, match="no face"):
        faces_module.choose_face([], (10, 10))


def test_no_face_is_said_and_answered_by_the_middle():
    for photo in (np.zeros((120, 160, 3), np.uint8), np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)):
        face = faces_module.find_face(photo)
        assert not face.found and face.how == "centre" and face.score == 0
        np.testing.assert_allclose((face.box[:2] + face.box[2:]) / 2, np.array(photo.shape[:2]) / 2)
    crops, found = faces_module.preprocess_imgs([np.zeros((120, 160, 3), np.uint8)], progress=False)
    assert crops.shape == (1, 224, 224, 3) and found.tolist() == [False]


def test_faces_at_the_border_and_in_the_dark_get_a_second_look(people):
    small = cv2.resize(people[4], (46, 56))
    assert faces_module.find_faces(small, retry=False) == []
    (face,) = faces_module.find_faces(small)
    assert face.how in ("enlarged", "equalised") and (0 <= face.landmarks).all() and (face.landmarks < 56).all()
    dark = (people[5] * 0.06).astype(np.uint8)
    assert faces_module.find_face(dark).found


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (5, 5, 3), (600, 4, 3), (30, 1000, 3), (1, 9000, 3), (9000, 1, 3)])
def test_tiny_and_thin_photos(shape):
    crops, found = faces_module.preprocess_imgs([np.full(shape, 90, np.uint8)], size=32, progress=False)
    assert crops.shape == (1, 32, 32, 3) and not found[0]


def test_a_large_photo_is_searched_in_a_smaller_copy(people):
    photo = np.full((2400, 3200, 3), 128, np.uint8)
    photo[600:1720, 1000:1920] = cv2.resize(people[6], (920, 1120))
    face = faces_module.find_face(photo)
    assert face.found and iou([face.box], [[750, 1100, 1600, 1900]])[0, 0] > 0.5


def test_every_kind_of_array_of_one_photo_gives_one_answer(people):
    grey = people[7][:, :, 0]
    alpha = np.dstack([people[7], np.full(grey.shape, 7, np.uint8)])
    kinds = [people[7], grey, grey[:, :, None], alpha, grey.astype(np.uint16) * 257, people[7] / 255.0, np.asfortranarray(people[7]),
             people[7][:, ::-1][:, ::-1]]
    crops, found = faces_module.preprocess_imgs(kinds, size=64, progress=False)
    assert found.all()
    for crop in crops[1:]:
        np.testing.assert_array_equal(crop, crops[0])


@pytest.mark.parametrize("image, message", [
    (np.zeros((5, 5, 2), np.uint8), "bad.jpg: expected an RGB"), (np.zeros((0, 5, 3), np.uint8), "bad.jpg: expected an RGB"),
    (np.full((5, 5, 3), 200.0), "bad.jpg: .*astype"), (np.zeros((5, 5, 3), np.int64), "bad.jpg: expected uint8"),
    (np.full((5, 5, 3), np.nan), "bad.jpg"), (None, "bad.jpg"),
])
def test_arrays_that_are_no_photo_are_named(image, message):
    with pytest.raises(ValueError, match=message):
        faces_module.preprocess_imgs({"bad.jpg": image}, progress=False)


def test_dictionary_and_list_and_no_photos(people):
    named, _ = faces_module.preprocess_imgs({"a": people[0], "b": people[1]}, size=50, progress=False)
    listed, _ = faces_module.preprocess_imgs(people[:2], size=50, progress=False)
    np.testing.assert_array_equal(named, listed)
    crops, found = faces_module.preprocess_imgs([], progress=False)
    assert crops.shape == (0, 224, 224, 3) and found.shape == (0,)
    with pytest.raises(ValueError, match="size of the crops"):
        faces_module.preprocess_imgs(people[:1], size=0)


def test_a_detector_of_ones_own(people):
    seen = []

    def mine(image):
        seen.append(image.shape)
        return [[20, 10, 100, 85]]

    face = faces_module.find_face(people[0], detector=mine)
    assert face.how == "detector" and face.box.tolist() == [20, 10, 100, 85]
    faces_module.find_face(people[0], detector=mine)
    assert len(seen) == 2  # nothing of a student's detector is remembered: it may have changed
    boxes, scores, landmarks = run_detector(lambda image: ([[0, 0, 5, 5]], [0.3]), people[0])
    assert scores.tolist() == [0.3]
    assert faces_module.find_faces(people[0], detector=lambda image: np.zeros((0, 4))) == []
    boxes, scores, landmarks = run_detector(lambda image: ([0, 0, 5, 5], [1, 1, 6, 6], [2, 2, 7, 7]), people[0])
    assert len(boxes) == 3 and landmarks is None  # three boxes are no boxes, scores and landmarks


def test_landmarks_of_a_detector_of_ones_own_are_taken(people):
    """Where they lie in a small copy of a large photo, they lie in the photo."""
    large = np.full((2000, 3000, 3), 90, np.uint8)

    def mine(image):
        return [[100, 100, 200, 200]], [0.9], np.tile([[110.0, 120.0]], (1, 5, 1)) + np.arange(10).reshape(1, 5, 2)

    (face,) = faces_module.find_faces(large, mine, most=1500)
    np.testing.assert_allclose(face.landmarks, 2 * (np.array([110.0, 120]) + np.arange(10).reshape(5, 2)))
    with pytest.raises(ValueError, match="landmarks of shape"):
        faces_module.find_faces(large, lambda image: ([[1, 1, 9, 9]], [0.5], np.zeros((1, 4, 2))))


def test_what_lies_beside_the_photo_or_has_no_area_is_no_face_and_a_second_look_tells_places_in_the_photo():
    rng, photo = np.random.default_rng(0), np.full((60, 100, 3), 90, np.uint8)
    boxes = np.sort(rng.uniform(-60, 160, (300, 2, 2)), axis=1).reshape(300, 4)
    boxes[:40, 2:] = boxes[:40, :2] + rng.choice([0.5, 2], (40, 2))
    points, scores = rng.uniform(0, 60, (300, 5, 2)), rng.permutation(300)
    inside = [top < 60 and left < 100 and bottom > 0 and right > 0 and bottom - top >= 1 and right - left >= 1 for top, left, bottom, right in boxes]
    wanted = [k for k in np.argsort(-scores) if inside[k]]
    for larger in (False, True):  # the copy of the second look is twice as large, with a margin of a fourth of each side
        def mine(image, larger=larger):
            if not larger:
                return boxes, scores, points
            return (np.zeros((0, 4)), [], np.zeros((0, 5, 2))) if image.shape == photo.shape else (2 * (boxes + [15, 25, 15, 25]), scores, 2 * (points + [15, 25]))

        found = faces_module.find_faces(photo, mine)
        assert [face.score for face in found] == scores[wanted].tolist() and {face.how for face in found} == {"enlarged" if larger else "detector"}
        np.testing.assert_allclose([face.box for face in found], boxes[wanted])
        np.testing.assert_allclose([face.landmarks for face in found], points[wanted])


def test_the_face_meant_comes_first_and_a_large_photo_is_looked_at_again(monkeypatch):
    beside, meant = (faces_module.Face(np.array(box, float), np.tile([[50.0, 40]], (5, 1)) + np.eye(5, 2), 1.0, "detector") for box in ([40, 40, 80, 80], [30, 180, 70, 220]))
    asked, seen = [], {}

    def find_faces(image, detector=None, retry=True, thorough=False, most=faces_module._GROUP):
        asked.append((detector, retry, thorough, most))
        return list(seen.get(most, ()))

    monkeypatch.setattr(faces_module, "find_faces", find_faces)
    monkeypatch.setattr(faces_module, "_found_before", type(faces_module._found_before)())
    small, large, mine = np.zeros((100, 400, 3), np.uint8), np.zeros((100, 1500, 3), np.uint8), lambda image: []
    seen[1280] = [beside, meant]
    for _ in range(2):  # the second time nothing is looked for, whatever became of the first answer
        answer = faces_module.portrait_faces(small)
        assert answer == [meant, beside] and asked == [(None, True, True, 1280)]
        answer.clear()
    faces_module.portrait_faces(small, retry=False), faces_module.portrait_faces(small, thorough=False), faces_module.portrait_faces(small.reshape(400, 100, 3))
    assert asked[1:] == [(None, False, True, 1280), (None, True, False, 1280), (None, True, True, 1280)]
    asked.clear()
    assert [faces_module.preprocess_imgs([small] * 2, 8, mine, thorough=False, retry=False, progress=False)[1].tolist(), asked] == [[True] * 2, [(mine, False, False, 1280)] * 2]
    asked.clear()
    assert faces_module.portrait_faces(large, mine)[1:] and asked == [(mine, True, False, 1280)]  # found in the smaller copy, and quickly
    seen.update({1280: [], 4096: [meant]})
    assert faces_module.portrait_faces(large) == [meant] and asked[1:] == [(None, True, False, 1280), (None, True, True, 4096)]


def test_the_kits_own_points_say_where_dlibs_landmarks_are(people):
    """In a face turned, large or small: what `POINTS` are to `TEMPLATE`."""
    from TrackDetector.alignment import TEMPLATE
    from TrackDetector.detectors import POINTS, dlibs_box, landmarks_from

    turn = np.array([[0.8, -0.6], [0.6, 0.8]]) * 70
    np.testing.assert_allclose(landmarks_from(POINTS @ turn + [40, 30]), TEMPLATE @ turn + [40, 30], atol=1e-9)
    np.testing.assert_allclose(dlibs_box([10, 20, 110, 80]), [23.9, 19.58, 106.2, 82.82])


def test_the_kits_network_finds_the_face_that_dlib_finds(people):
    kit = named_detector("kit")
    for person in people[:3]:
        photo = np.pad(person, ((60, 60), (80, 80), (0, 0)), mode="edge")
        ours, theirs = faces_module.find_face(photo, kit), faces_module.find_face(photo)
        assert ours.found and np.abs(ours.landmarks - theirs.landmarks).mean() < 0.15 * (theirs.box[2] - theirs.box[0])
    with pytest.raises(ValueError, match="cnn"):
        named_detector("haar")


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_on_its_side_or_head_is_cut_out_as_an_upright_one(people, quarters):
    """As in a scan, where no camera noted how it was held."""
    kit = named_detector("kit")
    for person in (people[1], people[4]):
        photo = np.pad(cv2.resize(person, None, fx=1.5, fy=1.5), ((50, 90), (80, 40), (0, 0)), mode="edge")
        upright = faces_module.find_face(photo, kit)
        lying = faces_module.find_face(np.ascontiguousarray(np.rot90(photo, quarters)), kit)
        truth = upright.landmarks
        for turn in range(quarters):
            truth = np.stack([photo.shape[1 - turn % 2] - 1 - truth[:, 1], truth[:, 0]], axis=1)
        apart = np.linalg.norm(lying.landmarks - truth, axis=1) / np.linalg.norm(truth[0] - truth[2])
        assert lying.found and apart.max() < 0.12


@pytest.mark.parametrize("answer", [[[1, 2, 3]], [[0, 1, 2, 3, 4]], ([[0, 0, 5, 5]], [1, 2]), [[0, 0, np.nan, 5]]])
def test_a_detector_that_answers_nonsense(people, answer):
    with pytest.raises(ValueError):
        faces_module.find_face(people[0], detector=lambda image: answer)


def test_the_same_face_twice_and_remembered(people):
    first = faces_module.find_face(people[8])
    faces_module._found_before.clear()
    again = faces_module.find_face(people[8].copy())
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    assert faces_module.find_face(people[8]) is again
    changed = people[8].copy()
    changed[0, 0] ^= 1
    assert faces_module.find_face(changed) is not again


def test_the_cnn_detector_finds_the_same_face(people):
    photo = cv2.copyMakeBorder(people[9], 20, 20, 20, 20, cv2.BORDER_REPLICATE)
    hog, cnn = faces_module.find_face(photo), faces_module.find_face(photo, detector=cnn_detector())
    assert cnn.how == "detector" and iou([hog.box], [cnn.box])[0, 0] > 0.5
    assert np.abs(hog.landmarks - cnn.landmarks).mean() < 4


def test_threads_do_not_disturb_one_another(crowd):
    """Two submissions are graded at a time, in threads; dlib's detectors keep what they are at in themselves."""
    photos = [crowd, crowd[40:320, 120:360].copy(), crowd[:200].copy()]
    alone, others = [hog_detector()(photo)[0] for photo in photos], []

    def search():
        others.append([[hog_detector()(photo)[0] for photo in photos] for _ in range(12)])

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(others) == 3
    for answers in others:
        for answer in answers:
            for a, b in zip(answer, alone):
                np.testing.assert_array_equal(a, b)
