"""Names for photos, clips and strangers. Colours stand in for faces where the network does not matter."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from colour_people import BLUE, GALLERY, GREEN, LABELS, RED, classifier, colours, patch  # noqa: F401  (the fixture)

from common.orl import orl_faces
from TrackDetector.classifier import Classifier
from TrackDetector.demo import people as demo_people
from TrackDetector.neighbors.predictions import UNKNOWN, unit

# --- photos ---------------------------------------------------------------------------------------


def test_names_with_the_keys_of_the_photos(colours):
    c = classifier(colours).fit(GALLERY, LABELS)
    assert c.classify_images({"x": patch(180, 30, 20), "y": patch(0, 150, 0)}) == {"x": "Rose", "y": "Fern"}
    assert c.classify_images([patch(0, 150, 0)]) == ["Fern"]
    assert c.classify_images({}) == {} and c.classify_images([]) == []
    assert c.classes_.tolist() == ["Fern", "Rose"]


def test_details_tell_distance_and_neighbours(colours):
    c = classifier(colours, n_neighbors=3).fit(GALLERY, LABELS)
    answer = c.classify_images({"x": patch(195, 15, 10)}, details=True)["x"]
    assert (answer.label, answer.name, answer.found) == ("Rose", "Rose", True)
    assert {photo for photo, _, _ in answer.neighbors[:2]} == {"r1", "r2"} and len(answer.neighbors) == 4
    assert [d for _, _, d in answer.neighbors] == sorted(d for _, _, d in answer.neighbors)
    gallery, probe = unit(np.array([[200, 10, 10], [190, 20, 10]], float)), unit(np.array([[195, 15, 10]], float))
    assert answer.distance == pytest.approx(np.linalg.norm(gallery - probe, axis=1).mean(), abs=1e-5)


def test_the_same_faces_are_described_once_until_they_or_the_network_change(monkeypatch):
    """First the names, then the details of the same photos, as the notebook asks."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, use_bias=False)])
    model.set_weights([np.eye(3)])
    c, probes = classifier(model).fit(GALLERY, LABELS), [patch(180, 30, 20), patch(0, 150, 0)]
    looks, describe = [], c.describe
    monkeypatch.setattr(c, "describe", lambda crops: looks.append(len(crops)) or describe(crops))
    assert c.classify_images(probes) == ["Rose", "Fern"]
    first = c.classify_images(probes, details=True)
    assert [answer.name for answer in first] == ["Rose", "Fern"] and looks == [2]
    assert c.classify_images(probes[::-1]) == ["Fern", "Rose"] and looks == [2, 2]
    probes[0][:] = probes[1]  # in place
    assert c.classify_images(probes) == ["Fern", "Fern"] and looks == [2] * 3
    model.set_weights([np.eye(3)[[1, 0, 2]]])  # now red is green
    assert c.classify_images(probes) == ["Rose", "Rose"] and looks == [2] * 4
    clip = {"clip": [patch(180, 30, 20)] * 3}
    assert [c.classify_videos(clip, details=True)["clip"].name, c.classify_videos(clip)["clip"]] == ["Fern", "Fern"] and looks == [2] * 4 + [3]


def test_k_neighbours_vote_and_the_nearer_weigh_more(colours):
    gallery = [patch(100, 0, 0), patch(108, 0, 0), patch(108, 2, 0)]
    labels = ["one", "two", "two"]
    probe = [patch(101, 0, 0)]
    assert classifier(colours, n_neighbors=1).fit(gallery, labels).classify_images(probe) == ["one"]
    assert classifier(colours, n_neighbors=3).fit(gallery, labels).classify_images(probe) == ["one"]  # 1/1 against 2/7
    assert classifier(colours, n_neighbors=3).fit(gallery, labels).classify_images([patch(104, 0, 0)]) == ["two"]


def test_one_photo_a_person_and_one_person_only(colours):
    c = classifier(colours, n_neighbors=2).fit([patch(*RED), patch(*GREEN)], ["Rose", "Fern"])
    assert c.classify_images([patch(150, 60, 60), patch(60, 150, 60)]) == ["Rose", "Fern"]
    alone = classifier(colours).fit([patch(*RED)], ["Rose"])
    assert alone.classify_images([patch(*BLUE)]) == ["Rose"]
    assert len(alone.stranger_distances()) == 0
    with pytest.raises(ValueError, match="one person alone"):
        alone.choose_threshold()
    alone.choose_threshold([patch(*BLUE)])
    assert alone.classify_images([patch(*BLUE), patch(*RED)]) == [UNKNOWN, "Rose"]


@pytest.mark.parametrize("images, labels, message", [
    ({}, {}, "gallery is empty"), ([], [], "gallery is empty"), (GALLERY, {"r1": "Rose"}, "3 of 4 photos have no label, for example 'r2'"),
    (list(GALLERY.values()), ["Rose"], "4 photos, but 1 labels"), (GALLERY, ["Rose"] * 4, "both as dictionaries"),
])
def test_galleries_that_are_wrong(colours, images, labels, message):
    with pytest.raises(ValueError, match=message):
        classifier(colours).fit(images, labels)


def test_labels_without_a_photo_do_no_harm(colours):
    assert len(classifier(colours).fit(GALLERY, {**LABELS, "gone": "Rose"}).gallery_) == 4


@pytest.mark.parametrize("settings, message", [
    ({"n_neighbors": 0}, "n_neighbors"), ({"n_neighbors": 1.5}, "n_neighbors"), ({"combine": "sum"}, "mean, median, vote"),
    ({"detector": lambda image: []}, "detector is of no use"),
])
def test_settings_that_are_wrong(colours, settings, message):
    with pytest.raises(ValueError, match=message):
        classifier(colours, **settings)


@pytest.mark.parametrize("settings, message", [
    ({"n_neighbors": "3"}, "1 or more"), ({"threshold": "0.4"}, "expected a threshold"), ({"threshold": float("nan")}, "expected a threshold"),
    ({"layer": ["colour"]}, "expected one layer"),
])
def test_settings_of_the_wrong_kind(colours, settings, message):
    with pytest.raises(ValueError, match=message):
        classifier(colours, **settings)
    with pytest.raises(ValueError, match="load_face_model"):
        Classifier("model.h5").fit(GALLERY, LABELS)


def test_three_photos_vote_or_as_many_as_there_are(colours, tmp_path):
    c = classifier(colours, n_neighbors=None).fit({"r1": GALLERY["r1"]}, LABELS)
    assert c.classify_images([patch(*GREEN)]) == ["Rose"]
    c.save(tmp_path / "g.npz")
    assert Classifier.load(tmp_path / "g.npz", colours, preprocess=None).classify_images([patch(*GREEN)]) == ["Rose"]
    whole = c.fit(GALLERY, LABELS)  # the same classifier, a larger gallery: three of four
    assert whole.neighbors_ == 3 and len(whole.stranger_distances()) == 4


@pytest.mark.parametrize("label", [None, float("nan"), "", "  ", [1, 0]])
def test_a_label_that_names_nobody(colours, label):
    with pytest.raises(ValueError, match="for 'r2'"):
        classifier(colours).fit(GALLERY, {**LABELS, "r2": label})


def test_labels_may_be_numbers_and_answers_are_text(colours):
    c = classifier(colours).fit(GALLERY, {name: int(who == "Rose") for name, who in LABELS.items()})
    assert c.classify_images([patch(*RED), patch(*GREEN)]) == ["1", "0"]


def test_photos_and_frames_that_come_one_by_one(colours):
    c = classifier(colours).fit((image for image in GALLERY.values()), (who for who in LABELS.values()))
    assert c.classify_images(iter([patch(*RED)])) == ["Rose"]
    assert c.classify_videos({"a": (frame for frame in [patch(*RED)] * 2)}) == {"a": "Rose"}
    for nothing in (None, "a.jpg"):
        with pytest.raises(ValueError, match="in a dictionary or a list"):
            c.classify_images(nothing)
    for clip in (None, "a.mp4", {0: patch(*RED)}):
        with pytest.raises(ValueError, match="clip a: expected a list of frames"):
            c.classify_videos({"a": clip})


def test_a_photo_or_frame_that_is_none_is_called_by_its_name(colours):
    bad = np.zeros((4, 4, 5), np.uint8)
    for c in (classifier(colours), Classifier(colours, n_neighbors=1, detector=lambda image: [[0, 0, 8, 8]])):
        with pytest.raises(ValueError, match="r3: expected an RGB image"):
            c.fit({**GALLERY, "r3": bad}, {**LABELS, "r3": "Rose"})
        c.fit(GALLERY, LABELS)
        with pytest.raises(ValueError, match="x.jpg: expected an RGB image"):
            c.classify_images({"y.jpg": patch(*RED), "x.jpg": bad})
        with pytest.raises(ValueError, match="clip 7, frame 1: expected an RGB image"):
            c.classify_videos({"3": [patch(*RED)], "7": [patch(*RED), bad]})
        for none, said in (("photos/1.jpg", "got a name, 'photos/1.jpg': common.photos.read_photo"), (None, "got nothing, as cv2.imread gives")):
            with pytest.raises(ValueError, match=f"x.jpg: expected an RGB image .*{said}"):
                c.classify_images({"x.jpg": none})


def test_a_layer_by_its_number(colours):
    number = [layer.name for layer in colours.layers].index("colour")
    for layer in (number, np.int64(number), number - len(colours.layers)):
        c = classifier(colours, layer=layer).fit(GALLERY, LABELS)
        np.testing.assert_array_equal(c.gallery_.descriptors, classifier(colours, layer="colour").fit(GALLERY, LABELS).gallery_.descriptors)
    with pytest.raises(ValueError, match="no layer 99; it has"):
        classifier(colours, layer=99).fit(GALLERY, LABELS)


def test_more_neighbours_than_photos(colours):
    with pytest.raises(ValueError, match="n_neighbors is 5, but the gallery has 4 faces; choose 4 or fewer"):
        classifier(colours, n_neighbors=5).fit(GALLERY, LABELS)


def test_a_wrong_layer_and_asking_too_early(colours):
    with pytest.raises(ValueError, match="no layer 'fc6'; perhaps .*colour"):
        classifier(colours, layer="fc6").fit(GALLERY, LABELS)
    for ask in (classifier(colours).classify_images, classifier(colours).classify_videos):
        with pytest.raises(ValueError, match="call fit"):
            ask({"x": patch(*RED)})


def test_the_mirror_image_counts(colours):
    halves = np.concatenate([np.zeros((8, 4, 3)), np.full((8, 4, 3), 255)], axis=1).astype(np.uint8)
    left = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Cropping2D(((0, 0), (0, 4))), keras.layers.GlobalAveragePooling2D()])
    np.testing.assert_allclose(classifier(left, flip=False).describe(halves[None]), [[0, 0, 0]], atol=1e-4)
    np.testing.assert_allclose(classifier(left, flip=True).describe(halves[None]), [[127.5] * 3], atol=1e-4)


def test_a_preprocess_function_of_ones_own(colours):
    asked = []

    def mine(imgs):
        asked.append(len(imgs))
        return [img[:8, :8] for img in imgs]

    large = {name: np.pad(image, ((0, 20), (0, 9), (0, 0))) for name, image in GALLERY.items()}
    c = Classifier(colours, n_neighbors=1, preprocess=mine).fit(large, LABELS)
    assert c.classify_images([np.pad(patch(*RED), ((0, 3), (0, 3), (0, 0)))]) == ["Rose"] and asked == [4, 1]
    with pytest.raises(ValueError, match="got 4 photos, but returned 3 crops"):
        Classifier(colours, preprocess=lambda imgs: imgs[1:]).fit(GALLERY, LABELS)


def test_aligned_faces_of_two_sizes(colours):
    with pytest.raises(ValueError, match="several sizes"):
        classifier(colours).fit([patch(*RED), np.zeros((9, 9, 3), np.uint8)], ["a", "b"])


# --- clips ----------------------------------------------------------------------------------------


def see_bright(imgs):
    """Faces are bright pictures; dark ones show nobody."""
    return np.array(imgs), np.array([img.max() > 100 for img in imgs])


@pytest.mark.parametrize("combine", ["mean", "median", "vote"])
def test_frames_without_a_face_do_not_vote(colours, combine):
    c = Classifier(colours, n_neighbors=1, preprocess=see_bright, combine=combine).fit(GALLERY, LABELS)
    dark_green = patch(0, 60, 0)
    clips = c.classify_videos({"a": [patch(*RED), *[dark_green] * 9, patch(190, 15, 15)]}, details=True)
    assert clips["a"].name == "Rose" and clips["a"].found
    assert [number for number, _, _ in clips["a"].frames] == [0, 10]


def test_a_clip_without_a_face_is_answered_and_says_so(colours):
    c = Classifier(colours, n_neighbors=1, preprocess=see_bright).fit(GALLERY, LABELS)
    clips = c.classify_videos({"dark": [patch(0, 60, 0)] * 3, "light": [patch(*RED)]}, details=True)
    assert (clips["dark"].name, clips["dark"].found) == ("Fern", False)
    assert (clips["light"].name, clips["light"].found) == ("Rose", True)


def test_only_clips_that_hide_their_face_are_looked_at_harder(colours, monkeypatch):
    """Half of the first clip's frames show a face at once; of the second's one does; the third's shows up when enlarged, the fourth's never."""
    looks = []

    def faces(imgs, *size, detector, thorough, retry, names):
        looks.append((sorted({name.split(",")[0][-1] for name in names}), retry, thorough))
        return np.array(imgs), np.array([img.max() > (30 if retry else 100) for img in imgs])

    monkeypatch.setattr("TrackDetector.classifier.preprocess_imgs", faces)
    monkeypatch.setattr("TrackDetector.neighbors.describing.preprocess_imgs", faces)
    c = Classifier(colours, n_neighbors=1, preprocess=see_bright).fit(GALLERY, LABELS)
    c.preprocess = faces
    bright, dim, dark = patch(*RED), patch(60, 0, 0), patch(20, 0, 0)
    clips = c.classify_videos({"1": [bright, dim, bright, dark], "2": [bright, dim, dim], "3": [dim, dark], "4": [dark, dark]}, details=True)
    assert looks == [(["1", "2", "3", "4"], False, False), (["2"], True, False), (["3"], True, False), (["4"], True, False), (["4"], True, True)]
    assert {name: [frame for frame, *_ in clip.frames] for name, clip in clips.items()} == {"1": [0, 2], "2": [0, 1, 2], "3": [0], "4": [0, 1]}
    assert [clip.found for clip in clips.values()] == [True, True, True, False]


def test_an_empty_clip_is_named_and_unknown(colours):
    c = classifier(colours).fit(GALLERY, LABELS)
    with pytest.warns(UserWarning, match="1 of 3 clips have no frame: hollow"):
        answers = c.classify_videos({"a": [patch(*RED)], "hollow": [], "b": [patch(*GREEN)] * 2})
    assert answers == {"a": "Rose", "hollow": UNKNOWN, "b": "Fern"}
    with pytest.warns(UserWarning, match="no frame"):
        assert c.classify_videos([[]]) == [UNKNOWN]
    assert c.classify_videos({}) == {}


def test_the_mean_forgets_what_one_frame_has_wrong(colours):
    clip = [patch(150, 60, 10)] * 5 + [patch(10, 200, 10)]
    frames = {combine: classifier(colours, combine=combine).fit(GALLERY, LABELS).classify_videos([clip])[0] for combine in ("mean", "median", "vote")}
    assert set(frames.values()) == {"Rose"}


def test_a_clip_is_answered_alike_alone_and_in_company(colours):
    c = classifier(colours, n_neighbors=3).fit(GALLERY, LABELS)
    rng = np.random.default_rng(0)
    clips = {str(i): [rng.integers(0, 255, (8, 8, 3), np.uint8) for _ in range(i + 1)] for i in range(6)}
    together = c.classify_videos(clips, details=True)
    for name, clip in clips.items():
        alone = c.classify_videos({name: clip}, details=True)[name]
        assert alone.name == together[name].name and alone.distance == pytest.approx(together[name].distance, abs=1e-4)


def test_one_photo_is_not_many_and_one_frame_is_no_clip(colours):
    from TrackDetector.faces import preprocess_imgs

    c = classifier(colours).fit(GALLERY, LABELS)
    for call in (c.classify_images, preprocess_imgs):
        with pytest.raises(ValueError, match="expected several photos"):
            call(patch(*RED))
    with pytest.raises(ValueError, match="clip 0: expected a list of frames"):
        c.classify_videos([patch(*RED)])
    assert c.classify_videos({"a": np.array([patch(*RED)] * 2)}) == {"a": "Rose"}  # an array of frames will do


# --- strangers ------------------------------------------------------------------------------------


def test_whoever_is_far_from_everybody_is_unknown(colours):
    c = classifier(colours, threshold=0.3).fit(GALLERY, LABELS)
    answers = c.classify_images([patch(*RED), patch(*BLUE)], details=True)
    assert [a.label for a in answers] == ["Rose", UNKNOWN] and answers[1].name in LABELS.values()
    assert answers[1].distance > 0.3 > answers[0].distance
    assert c.classify_videos([[patch(*BLUE)] * 3]) == [UNKNOWN]


def test_the_gallery_serves_as_strangers_to_itself(colours):
    c = classifier(colours, n_neighbors=4).fit(GALLERY, LABELS)
    apart = c.stranger_distances()
    red, green = (unit(np.array([img[0, 0] for n, img in GALLERY.items() if LABELS[n] == who], float)) for who in ("Rose", "Fern"))
    expected = np.linalg.norm(red[:, None] - green[None], axis=2)
    np.testing.assert_allclose(np.sort(apart), np.sort([*expected.mean(axis=1), *expected.mean(axis=0)]), atol=1e-5)
    assert c.choose_threshold(false_accept=0.0) < apart.min()
    assert c.n_neighbors == 4 and len(c.gallery_) == 4  # nobody was lost on the way


def test_the_threshold_keeps_the_promised_rate(colours):
    rng = np.random.default_rng(0)
    c = classifier(colours).fit(GALLERY, LABELS)
    strangers = [np.tile(rng.integers(0, 255, 3).astype(np.uint8), (8, 8, 1)) for _ in range(200)]
    c.choose_threshold(strangers, false_accept=0.05)
    apart = [a.distance for a in c.classify_images(strangers, details=True)] + c.stranger_distances().tolist()
    assert 0.04 <= np.mean(np.array(apart) <= c.threshold) <= 0.05


def test_too_few_strangers_are_said(colours):
    c = classifier(colours).fit(GALLERY, LABELS)
    with pytest.warns(UserWarning, match="2 strangers cannot show a false-accept rate of 0.01"):
        c.choose_threshold()


def test_one_photo_under_two_names_spoils_no_threshold(colours):
    rng = np.random.default_rng(1)
    gallery = {f"{who}{k}": patch(*np.clip(np.array(rgb) + rng.integers(-40, 41, 3), 0, 255))
               for who, rgb in {"r": RED, "g": GREEN, "b": BLUE, "y": (200, 200, 10)}.items() for k in range(3)}
    labels = {name: name[0] for name in gallery}
    c = classifier(colours).fit(gallery, labels)
    before = c.stranger_distances()
    with pytest.warns(UserWarning, match="r0 .r. and copy .g. are one photo under two names"):
        c.fit({**gallery, "copy": gallery["r0"]}, {**labels, "copy": "g"})
    # among g's photos it is a stranger, and left out: the threshold is that of before
    assert "copy" not in c.gallery_.photos and [(d.kind, d.people) for d in c.doubts_ if d.left_out] == [("unlike", ("g", "r"))]
    np.testing.assert_allclose(c.stranger_distances(), before)
    with pytest.warns(UserWarning, match="one photo under two names"):
        c.fit({"1": gallery["r0"], "2": gallery["r0"]}, {"1": "a", "2": "b"})
    with pytest.warns(UserWarning, match="two names"), pytest.raises(ValueError, match="strangers"):
        c.choose_threshold()


# --- the real network on real faces ---------------------------------------------------------------


@pytest.fixture(scope="module")
def people():
    images, person = orl_faces()
    return {f"s{p:02d}-{i % 10}": np.repeat(images[i][:, :, None], 3, 2) for i, p in enumerate(person) if p < 6 and i % 10 < 5}


def test_people_are_named_and_a_clip_with_faceless_frames_too(people):
    train = {n: image for n, image in people.items() if n[-1] in "012"}
    test = {n: image for n, image in people.items() if n[-1] in "34"}
    c = Classifier().fit(train, {n: n[:3] for n in train})
    assert c.classify_images(test) == {n: n[:3] for n in test}
    assert c.skipped_ == [] and set(c.seconds_) == {"detection", "descriptors", "knn"} and min(c.seconds_.values()) > 0
    clip = demo_people.simulate_clip(people["s02-4"], 5)[:10]
    answer = c.classify_videos({"clip": clip}, details=True)["clip"]
    assert answer.name == "s02" and answer.found
    assert not {number for number, _, _ in answer.frames} & set(demo_people.FACELESS)
    again = Classifier().fit(train, {n: n[:3] for n in train}).classify_videos({"clip": clip}, details=True)["clip"]
    assert again == answer


def test_a_small_gallery_does_not_take_strangers_for_its_people(people):
    images, person = orl_faces()
    strangers = [np.repeat(images[i][:, :, None], 3, 2) for i in range(100, 400, 3)]
    c = Classifier().fit({n: image for n, image in people.items() if n[:3] in ("s01", "s02", "s03") and n[-1] in "01"},
                         {n: n[:3] for n in people})
    # the three are no measure of all strangers: the distances among them alone would accept a third of these
    assert np.sort(c.stranger_distances())[0] > 0.42
    assert c.choose_threshold() <= 0.38
    answers = c.classify_images(strangers)
    assert np.mean([name != UNKNOWN for name in answers]) <= 0.03
    assert c.classify_images({n: image for n, image in people.items() if n in ("s01-3", "s02-3", "s03-3")}) == {
        "s01-3": "s01", "s02-3": "s02", "s03-3": "s03"}


def test_photos_without_a_face_stay_out_of_the_gallery(people):
    blank = np.full((120, 100, 3), 90, np.uint8)
    train = {"s00-0": people["s00-0"], "blank": blank, "s01-0": people["s01-0"], "wall": blank + 1}
    with pytest.warns(UserWarning) as caught:
        c = Classifier(n_neighbors=1).fit(train, {"s00-0": "A", "blank": "A", "s01-0": "B", "wall": "Wall"})
    assert [str(each.message) for each in caught] == ["no face found in 2 of 4 photos of the gallery: blank, wall", "not in the gallery at all: Wall"]
    assert c.skipped_ == ["blank", "wall"] and c.gallery_.photos.tolist() == ["s00-0", "s01-0"]
    answer = c.classify_images([blank], details=True)[0]
    assert not answer.found and answer.name in "AB"
    with pytest.raises(ValueError, match="no face was found in any of the 1 photos"):
        Classifier().fit([blank], ["A"])
