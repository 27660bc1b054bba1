"""Galleries as people make them: several faces in a photo, one photo under two names, photos of somebody else or of nobody, names that are none."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from TrackDetector.classifier import Classifier
from TrackDetector.galleries.choosing import choose, say
from TrackDetector.galleries.doubts import apart, blurred, crowded, few_photos, is_no_name, shared, twins
from TrackDetector.galleries.editing import Saved, merge, remove
from TrackDetector.galleries.looking import Seen, sharpness
from TrackDetector.galleries.names import whom
from TrackDetector.gallery import Gallery, GalleryError
from TrackDetector.neighbors.predictions import unit
from TrackDetector.neighbors.search import Nearest
from TrackDetector.neighbors.second_thoughts import second_thoughts
from TrackDetector.neighbors.strangers import nearest_of_others
from TrackDetector.validation import usual_threshold

WIDTH = 128
# Faces as dlib's network describes them: photos of one person 0.29 apart, people 0.57, descriptors of length 1
TO_PERSON, OF_PHOTO = 0.4, 0.207


class People:
    """Draws descriptors of people who are told by their names."""

    def __init__(self, seed=0):
        self.rng, self.known = np.random.default_rng(seed), {}
        self.middle = unit(self.rng.normal(size=(1, WIDTH)))[0]

    def direction(self):
        return unit(self.rng.normal(size=(1, WIDTH)))[0]

    def face(self, name, spread=OF_PHOTO):
        if name not in self.known:
            self.known[name] = self.middle + TO_PERSON * self.direction()
        return (self.known[name] + spread * self.direction()).astype(np.float32)

    def seen(self, photo, person, *faces, **more):
        descriptors = np.array([face if isinstance(face, np.ndarray) else self.face(face) for face in faces], np.float32).reshape(len(faces), WIDTH)
        return Seen(photo, person, descriptors, np.full(len(faces), 0.2), **more)

    def album(self, *names, photos=5):
        return [self.seen(f"{name}/{k}", name, name) for name in names for k in range(photos)]


def kinds(chosen):
    return [doubt.kind for doubt in chosen.doubts]


def face_of(chosen, photo):
    return chosen.gallery.descriptors[chosen.gallery.photos.tolist().index(photo)]


def test_people_drawn_lie_as_far_apart_as_real_ones():
    draw = People()
    ann, bob = (np.array([draw.face(name) for _ in range(20)]) for name in ("ann", "bob"))
    assert 0.25 < apart(ann).mean() < 0.33 and 0.5 < np.linalg.norm(unit(ann) - unit(bob), axis=1).mean() < 0.62


def test_a_good_gallery_is_taken_as_it_is():
    chosen = choose(People().album("ann", "bob", "cleo"))
    assert len(chosen.gallery) == 15 and chosen.doubts == [] and chosen.aside is None and chosen.faceless == [] and chosen.lost == []


@pytest.mark.parametrize("order", [("ann", "bob"), ("bob", "ann")])
@pytest.mark.parametrize("photos", [1, 3])
def test_of_two_faces_the_one_like_the_other_photos_is_taken(order, photos):
    """Whoever is larger and more central: that face comes first."""
    draw = People()
    album, faces = draw.album("ann", "bob", photos=photos), {name: draw.face(name) for name in ("ann", "bob")}
    chosen = choose([*album, draw.seen("ann/two", "ann", *(faces[name] for name in order))])
    np.testing.assert_array_equal(face_of(chosen, "ann/two"), faces["ann"])
    assert chosen.doubts == [] and chosen.gallery.faces[-1] == 2 and [d.photos for d in crowded(chosen.gallery)] == [("ann/two",)]


def test_the_only_photo_with_two_faces_is_left_out_and_said():
    draw = People()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chosen = choose([*draw.album("bob"), draw.seen("ann/two", "ann", "ann", "bob", "cleo")])
        say(chosen)
    assert chosen.gallery.people.tolist() == ["bob"] and chosen.lost == ["ann"]
    (doubt,) = chosen.doubts
    assert (doubt.kind, doubt.people, doubt.photos, doubt.left_out) == ("several faces", ("ann",), ("ann/two",), True)
    assert "ann/two: shows 3 faces" in str(caught[0].message) and str(caught[1].message) == "not in the gallery at all: ann"


def test_two_people_who_are_always_together_stay_unclear():
    draw = People()
    chosen = choose([*draw.album("bob"), *(draw.seen(f"ann/{k}", "ann", "ann", "dora") for k in range(3))])
    assert kinds(chosen) == ["several faces"] * 3 and chosen.gallery.people.tolist() == ["bob"]
    # in company that changes, who stays is meant
    chosen = choose([*draw.album("bob"), *(draw.seen(f"ann/{k}", "ann", other, "ann") for k, other in enumerate(("eva", "finn", "gus")))])
    assert chosen.doubts == [] and apart(chosen.gallery.descriptors[-3:]).max() < 0.4


def test_a_crowd_without_the_person_is_left_out():
    draw = People()
    chosen = choose([*draw.album("ann"), draw.seen("ann/crowd", "ann", "eva", "finn")])
    assert kinds(chosen) == ["several faces"] and "none of them is surely the person" in chosen.doubts[0].text and len(chosen.gallery) == 5


def test_a_photo_under_two_names_is_named_with_both():
    draw = People()
    photo = draw.face("ann")
    chosen = choose([*draw.album("ann", "bob", photos=1), draw.seen("ann/x", "ann", photo), draw.seen("bob/y", "bob", photo)])
    shared = next(doubt for doubt in chosen.doubts if doubt.kind == "shared photo")
    assert set(shared.people) == {"ann", "bob"} and set(shared.photos) == {"ann/x", "bob/y"} and "ann/x" in shared.text and "bob/y" in shared.text


def test_a_photo_that_was_left_out_under_one_name_casts_no_doubt_on_the_other():
    draw = People()
    photo = draw.face("ann")
    chosen = choose([*draw.album("ann", "bob"), draw.seen("ann/x", "ann", photo), draw.seen("bob/y", "bob", photo)])
    assert sorted(kinds(chosen)) == ["shared photo", "unlike"] and "bob/y" not in chosen.gallery.photos and chosen.alike == []
    assert choose([*draw.album("ann"), draw.seen("eve/y", "eve", face_of(chosen, "ann/x")), draw.seen("ann/x", "ann", photo)]).alike


@pytest.mark.parametrize("photos", [1, 2, 5])
def test_one_person_under_two_names_is_a_warning_that_names_both(photos):
    draw = People()
    again = [draw.seen(f"Annie/{k}", "Annie", "ann") for k in range(photos)]
    chosen = choose([*draw.album("ann", photos=photos), *draw.album("bob", "cleo", "dora"), *again])
    assert [(d.kind, set(d.people)) for d in chosen.doubts] == [("twins", {"ann", "Annie"})]
    assert len(chosen.gallery) == 15 + 2 * photos  # both stay: which name is wrong only a person can say


def test_an_answer_names_all_who_look_like_its_person():
    draw = People()
    chosen = choose([*draw.album("ann", "bob", "cleo"), *(draw.seen(f"{name}/{k}", name, "ann") for name in ("Anna", "Annie") for k in range(3))])
    asked = np.array([chosen.gallery.code_of(name) for name in ("Annie", "bob")])
    near = np.array([chosen.gallery.rows_of(code)[:1] for code in asked])
    known = SimpleNamespace(threshold=None, gallery_=chosen.gallery, aside_=None, alike_=chosen.alike)
    assert second_thoughts(known, None, None, near, asked, None) == {0: "or Anna or ann: in the gallery they look like one person"}
    known.alike_ = [("Anna", "Annie")] * 2  # a photo that both have, besides
    assert second_thoughts(known, None, None, near, asked, None) == {0: "or Anna: in the gallery the two look like one person"}


@pytest.mark.parametrize("photos, bobs, doubt", [(3, 0.3, "or bob (0.30)"), (7, 0.3, "or bob (0.30)"), (7, 0.5, None)])
def test_somebody_else_who_is_near_is_named_however_many_photos_are_nearer(photos, bobs, doubt):
    """The nearest five photos are all of Ann, if she has so many: Bob, behind them, would be accepted as well."""
    angles = np.repeat(2 * np.arcsin(np.array([0.2, bobs]) / 2), photos)
    gallery = Gallery(np.stack([np.cos(angles), np.sin(angles)], axis=1), ["ann"] * photos + ["bob"] * photos, [str(k) for k in range(2 * photos)])
    known = SimpleNamespace(threshold=0.36, gallery_=gallery, aside_=None, alike_=[], usual=None)
    probe = np.array([[1, 0]], np.float32)
    near, index = Nearest(gallery.descriptors).search(probe, 5)
    assert second_thoughts(known, probe, near, index, np.array([0]), np.array([0.2])).get(0) == doubt


def test_a_name_that_rests_on_blurred_photos_alone_is_doubted():
    draw = People()
    gallery = Gallery([draw.face(name) for name in ("ann", "ann", "bob", "bob", "cleo")], ["ann", "ann", "bob", "bob", "cleo"], ["a0", "a1", "b0", "b1", "c0"],
                      sharpness=[0.003, 0.2, 0.003, 0.004, np.nan])  # fmt: skip
    known = SimpleNamespace(threshold=None, gallery_=gallery, aside_=None, alike_=[])
    near = np.array([[0, 1, 2], [2, 3, 1], [0, 2, 3], [4, 0, 2], [1, 2, 0]])
    doubts = second_thoughts(known, None, None, near, np.array([0, 1, 0, 2, 0]), None)
    assert set(doubts) == {1, 2} and doubts[1].startswith("b0 in the gallery is blurred") and doubts[2].startswith("a0 in the gallery is blurred")


def test_of_a_photo_under_three_names_every_two_are_named():
    draw = People()
    photo, names = draw.face("ann"), ["ann", "bob", "cleo"]
    gallery = Gallery([*[photo] * 3, *(draw.face(name) for name in names)], names * 2, [f"{name}/{k}" for k in range(2) for name in names])
    assert [doubt.people for doubt in shared(gallery)] == [("ann", "bob"), ("ann", "cleo"), ("bob", "cleo")]


def test_a_photo_of_somebody_else_is_left_out_and_says_who_it_is():
    draw = People()
    chosen = choose([*draw.album("ann", "bob"), draw.seen("ann/wrong", "ann", "bob")])
    (doubt,) = chosen.doubts
    assert (doubt.kind, doubt.people, doubt.left_out) == ("unlike", ("ann", "bob"), True) and "it looks like bob: left out" in doubt.text
    assert "ann/wrong" not in chosen.gallery.photos and chosen.aside is None


def test_a_photo_of_nobody_is_set_aside():
    draw = People()
    nobody = (draw.middle + 0.3 * draw.direction()).astype(np.float32)  # near to everybody a little
    chosen = choose([*draw.album("ann", "bob"), draw.seen("ann/nobody", "ann", nobody)])
    assert kinds(chosen) == ["unlike"] and "set aside" in chosen.doubts[0].text
    assert "ann/nobody" not in chosen.gallery.photos and chosen.aside.photos.tolist() == ["ann/nobody"]


def test_what_was_set_aside_before_stays_when_more_people_are_enrolled():
    draw = People()
    nobody = {who: draw.seen(f"{who}/nobody", who, (draw.middle + 0.3 * draw.direction()).astype(np.float32)) for who in ("ann", "cleo")}
    first, later = choose([*draw.album("ann", "bob"), nobody["ann"]]), draw.album("cleo")
    for more, aside in (([*later, nobody["cleo"]], ["ann/nobody", "cleo/nobody"]), (later, ["ann/nobody"])):
        classifier = Classifier(SimpleNamespace(name="dlib_face_resnet"), preprocess=None)
        with warnings.catch_warnings(record=True):
            classifier.enrol(more, first.gallery, first.aside)
        assert classifier.aside_.photos.tolist() == aside and classifier.classes_.tolist() == ["ann", "bob", "cleo"]


def test_of_two_photos_that_are_unlike_only_one_that_shows_somebody_else_goes():
    draw = People()
    chosen = choose([*draw.album("bob"), draw.seen("ann/1", "ann", "ann"), draw.seen("ann/2", "ann", "eva")])
    assert kinds(chosen) == ["unlike"] and not chosen.doubts[0].left_out and chosen.doubts[0].photos == ("ann/1", "ann/2") and len(chosen.gallery) == 7
    chosen = choose([*draw.album("bob"), draw.seen("ann/1", "ann", "ann"), draw.seen("ann/2", "ann", "bob")])
    assert chosen.gallery.photos.tolist()[-1] == "ann/1" and "ann/2" not in chosen.gallery.photos


@pytest.mark.parametrize("name", ["unknown", "Unknown", "UNKNOWN", " unknown ", "un-known", "unknown_3", "Unknown person", "00_unknown", "Unknown \u0663", "12 unknown people 3", "\uff35\uff4e\uff4b\uff4e\uff4f\uff57\uff4e"])
def test_unknown_is_no_name(name):
    draw = People()
    assert is_no_name(name)
    chosen = choose([*draw.album("ann"), draw.seen("x/1", name, "eva")])
    assert chosen.gallery.people.tolist() == ["ann"] and kinds(chosen) == ["no name"] and repr(name) in chosen.doubts[0].text


@pytest.mark.parametrize("name", ["Anne Unknowne", "李明", "Известный", "Knut", "7"])
def test_names_that_only_look_a_little_like_it(name):
    assert not is_no_name(name)


def test_photos_without_a_face_and_a_gallery_of_nothing():
    draw = People()
    chosen = choose([*draw.album("ann"), draw.seen("ann/wall", "ann"), draw.seen("bob/wall", "bob")])
    assert chosen.faceless == ["ann/wall", "bob/wall"] and chosen.lost == ["bob"]
    with pytest.raises(ValueError, match="no face was found in any of the 1 photos"):
        choose([draw.seen("ann/wall", "ann")])
    with pytest.raises(ValueError, match="what strangers are called"):
        choose([draw.seen("x/1", "Unknown", "eva")])
    with pytest.raises(ValueError, match="no photo of the gallery is left.*shows 2 faces"):
        choose([draw.seen("ann/two", "ann", "ann", "bob")])


def test_people_who_are_known_help_to_tell_who_is_new():
    draw = People()
    known = choose(draw.album("ann", "bob")).gallery
    chosen = choose([draw.seen("ann/two", "ann", "bob", "ann"), draw.seen("ann/wrong", "ann", "bob"), *draw.album("cleo")], known)
    assert len(chosen.gallery) == 16 and "ann/two" in chosen.gallery.photos and kinds(chosen) == ["unlike"]
    assert apart(chosen.gallery.descriptors[chosen.gallery.rows_of(0)]).max() < 0.4


def test_networks_of_ones_own_are_judged_by_their_own_distances():
    draw = People()
    far = [Seen(one.photo, one.person, one.descriptors * [[3.0] + [1.0] * (WIDTH - 1)], one.sharpness) for one in draw.album("ann", "bob", "cleo")]
    assert choose(far, dlibs=False).doubts == []
    few = choose([draw.seen("ann/1", "ann", "ann"), draw.seen("ann/2", "ann", "bob")], dlibs=False)
    assert few.doubts == [] and len(few.gallery) == 2  # two photos say nothing about what is usual


def test_few_and_blurred_photos_are_listed():
    draw = People()
    album = draw.album("ann", photos=4) + draw.album("bob", photos=1)
    album[2] = Seen("ann/2", "ann", album[2].descriptors, np.array([0.004]))
    gallery = choose(album).gallery
    assert [d.people for d in few_photos(gallery)] == [("bob",)] and [d.photos for d in blurred(gallery)] == [("ann/2",)]


def test_a_blurred_face_is_less_sharp():
    import cv2
    from skimage.data import astronaut

    face = cv2.resize(astronaut()[60:180, 160:280], (150, 150), interpolation=cv2.INTER_AREA)
    steps = [sharpness(cv2.GaussianBlur(face, (0, 0), sigma)) for sigma in (0.3, 1, 2, 4)]
    assert steps == sorted(steps, reverse=True) and steps[0] > 5 * steps[-1]
    assert sharpness(np.full((150, 150, 3), 90, np.uint8)) == 0
    np.testing.assert_allclose(sharpness(np.ascontiguousarray(face // 2)), sharpness(face), rtol=0.15)  # the light does not matter


# --- a saved gallery, changed ------------------------------------------------------------------------

SETTINGS = {"model": "dlib_face_resnet", "layer": None, "n_neighbors": None, "flip": True, "combine": "mean", "threshold": 0.36}


def saved(draw, *names, **more):
    chosen = choose(draw.album(*names))
    return Saved(chosen.gallery, SETTINGS | more, chosen.aside)


def test_who_is_removed_is_nowhere_in_the_file(tmp_path):
    draw = People()
    chosen = choose([*draw.album("ann", "Robert'); DROP"), *draw.album("cleo"), draw.seen("cleo/nobody", "cleo", (draw.middle + 0.3 * draw.direction()).astype(np.float32)),
                     *(draw.seen(f"Cleopatra/{k}", "Cleopatra", "cleo") for k in range(3))])
    whole, _ = Saved(chosen.gallery, SETTINGS, chosen.aside).compared()
    whole.write(tmp_path / "g.npz")
    again = Saved.read(tmp_path / "g.npz")
    assert again.settings["alike"] == [("Cleopatra", "cleo")] and again.aside.photos.tolist() == ["cleo/nobody"]
    left = remove(again, ["cleo"])
    left.write(tmp_path / "g.npz")
    data = (tmp_path / "g.npz").read_bytes()
    assert not [text for text in ("cleo/1", "cleo") if text.encode("utf-32-le") in data or text.encode() in data]
    assert all(row.tobytes() not in data for row in [*again.gallery.descriptors[again.gallery.labels == "cleo"], *again.aside.descriptors])
    after = Saved.read(tmp_path / "g.npz")
    assert after.gallery.people.tolist() == ["Cleopatra", "Robert'); DROP", "ann"] and "alike" not in after.settings and after.aside is None
    for people, message in ((["cleo"], "nobody in the gallery is called 'cleo'; perhaps Cleopatra"), (after.gallery.people.tolist(), "nobody would be left")):
        with pytest.raises(ValueError, match=message):
            remove(after, people)


def test_who_is_removed_or_added_is_not_waited_for_by_all_others(monkeypatch, capsys):
    """All photos against all are hours in a gallery of a million: only new ones are compared, and those of people who were known to look alike."""
    asked, draw = [], People()
    photo, again = draw.face("ann"), draw.face("dora")
    album = [*draw.album("bob", "cleo"), draw.seen("ann/x", "ann", photo), draw.seen("anna/y", "anna", photo), draw.seen("eve/z", "eve", again)]

    def noted(descriptors, codes, k, rows=None):
        asked.append(len(codes) if rows is None else len(rows))
        return nearest_of_others(descriptors, codes, k, rows)

    monkeypatch.setattr("TrackDetector.neighbors.strangers.nearest_of_others", noted)
    monkeypatch.setattr("TrackDetector.neighbors.strangers._BAR", 13)  # instead of 20,000
    first = choose(album)
    assert "photos under two names: 100%" in capsys.readouterr().err
    assert {frozenset(pair) for pair in first.alike} == {frozenset(("ann", "anna"))} and asked == [13]
    more = choose([draw.seen("dora/1", "dora", again), *(draw.seen(f"Bobby/{k}", "Bobby", "bob") for k in range(5))], first.gallery, alike=first.alike)
    assert asked == [13, 8] and frozenset(("Bobby", "bob")) in {frozenset(doubt.people) for doubt in more.doubts if doubt.kind == "twins"} and {tuple(sorted(doubt.people)) for doubt in more.doubts if doubt.kind == "shared photo"} == {("ann", "anna"), ("dora", "eve")}
    kept = remove(Saved(more.gallery, SETTINGS | {"alike": more.alike}), ["anna"])
    assert asked == [13, 8] and {frozenset(pair) for pair in kept.settings["alike"]} == {frozenset(("dora", "eve")), frozenset(("Bobby", "bob"))}


def test_the_usual_threshold_follows_the_number_of_people_and_a_chosen_one_stays():
    draw = People()
    one, two, three = (saved(draw, *names, threshold=usual_threshold(len(names))) for names in (("ann",), ("bob", "cleo"), ("ann", "bob", "cleo")))
    assert merge([("a", one), ("b", two)]).settings["threshold"] == merge([("a", one), ("b", three)]).settings["threshold"] == usual_threshold(3)
    assert remove(three, ["cleo"]).settings["threshold"] == usual_threshold(2)
    assert remove(saved(draw, "ann", "bob", threshold=0.3), ["ann"]).settings["threshold"] == 0.3
    assert merge([("a", one), ("b", saved(draw, "bob", threshold=0.3))]).settings["threshold"] is None


def test_where_fewer_photos_are_left_than_were_to_vote_all_vote():
    draw = People()
    assert [remove(saved(draw, "ann", "bob", n_neighbors=number), ["bob"]).settings["n_neighbors"] for number in (9, 2, None)] == [5, 2, None]


def test_whom_a_name_means():
    two, lines, backslash = ["Jose\u0301", "Jos\u00e9"], "ann\nlee", r"ann\nlee"
    people = [*two, lines, backslash, "bob"]
    assert whom(two[:1], people) == whom(two[1:], people) == two  # they look the same: both are meant
    assert whom(["Ann Lee"], ["Ann\u00a0Lee", "\u202aAnn Lee\u202c", "Ann"]) == ["Ann\u00a0Lee", "\u202aAnn Lee\u202c"]  # so does a gallery of an earlier version
    assert whom([lines], people) == [lines] and whom([backslash], people) == [backslash]
    assert whom(["bob", backslash, "bob"], [lines, "bob"]) == ["bob", lines]  # as it is listed
    with pytest.raises(ValueError, match="nobody in the gallery is called 'bab'; perhaps bob"):
        whom(["bob", "bab"], people)


def test_galleries_become_one():
    draw = People()
    one, other = saved(draw, "ann", "bob"), saved(draw, "cleo")
    both = merge([("a.npz", one), ("b.npz", other), ("again.npz", one)])
    assert both.gallery.people.tolist() == ["ann", "bob", "cleo"] and len(both.gallery) == 15 and both.settings["threshold"] == 0.36
    assert merge([("a.npz", one), ("b.npz", saved(draw, "dora", threshold=0.3))]).settings["threshold"] is None
    with pytest.raises(GalleryError, match="b.npz: was described with model 'mine', a.npz with 'dlib_face_resnet'"):
        merge([("a.npz", one), ("b.npz", saved(draw, "cleo", model="mine"))])


def test_two_names_are_found_after_merging():
    draw = People()
    one, other = saved(draw, "ann"), choose([draw.seen(f"Anne/{k}", "Anne", "ann") for k in range(3)]).gallery
    both = merge([("a.npz", one), ("b.npz", Saved(other, SETTINGS))])
    assert [set(d.people) for d in both.doubts(("twins",))] == [{"ann", "Anne"}] and len(twins(both.gallery, True)) == 1
