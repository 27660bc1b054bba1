"""The nearest descriptors, strangers and groups: against counting by brute force."""

import warnings
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.identification import threshold_at_false_accept
from TrackDetector.classifier import Classifier
from TrackDetector.galleries.doubts import BLURRED, USUAL
from TrackDetector.gallery import Gallery, together
from TrackDetector.neighbors import search
from TrackDetector.neighbors.grouping import group_faces
from TrackDetector.neighbors.predictions import unit
from TrackDetector.neighbors.search import Nearest, vote
from TrackDetector.neighbors.second_thoughts import second_thoughts
from TrackDetector.neighbors.strangers import distances_to, nearest_of_others, shared_photos, stranger_distances
from TrackDetector.validation import usual_threshold


def crowd(seed, people=12, most=7, width=16, spread=0.4):
    """Descriptors of people with one to `most` photos each, in random order."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([f"p{i:02d}" for i in range(people)], rng.integers(1, most + 1, people))
    middles = {name: rng.normal(size=width) for name in np.unique(labels)}
    descriptors = np.array([middles[name] + spread * rng.normal(size=width) for name in labels], np.float32)
    order = rng.permutation(len(labels))
    return descriptors[order], labels[order]


def table_of(a, b):
    return np.linalg.norm(a[:, None].astype(float) - b[None], axis=2)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(0, 10_000))
def test_the_nearest_are_those_of_a_whole_table(rows, probes, seed):
    rng = np.random.default_rng(seed)
    gallery, asked = rng.integers(0, 4, (rows, 5)).astype(np.float32), rng.integers(0, 4, (probes, 5)).astype(np.float32)  # many lie equally near
    k = int(rng.integers(1, rows + 1))
    distances, found = Nearest(gallery).search(asked, k)
    table = table_of(asked, gallery)
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :k], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(table, found, axis=1), distances, atol=1e-6)
    assert all(len(set(row)) == k for row in found.tolist())


def test_one_probe_is_answered_alike_by_two_threads(monkeypatch):
    gallery = np.random.default_rng(0).normal(size=(501, 8)).astype(np.float32)
    whole = [Nearest(gallery).search(gallery[[i]] + 0.01, 20) for i in (0, 250, 500)]
    monkeypatch.setattr(search, "_MANY", 10)
    for i, (distances, found) in zip((0, 250, 500), whole):
        again = Nearest(gallery).search(gallery[[i]] + 0.01, 20)
        np.testing.assert_array_equal(again[1], found)
        np.testing.assert_array_equal(again[0], distances)


@pytest.mark.parametrize("probes, k, message", [
    (np.zeros((1, 3)), 1, "expected descriptors of 2 numbers"), (np.zeros(2), 1, "expected descriptors"), (np.zeros((1, 2)), 4, "k from 1 to 3"),
    (np.full((1, 2), np.nan), 1, "not finite"),
])
def test_probes_that_do_not_fit(probes, k, message):
    with pytest.raises(ValueError, match=message):
        Nearest(np.zeros((3, 2), np.float32)).search(probes, k)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_votes_are_scikit_learns(seed, k):
    from sklearn.neighbors import KNeighborsClassifier

    descriptors, labels = crowd(seed, spread=1.2)
    probes = np.random.default_rng(seed + 1).normal(size=(30, descriptors.shape[1])).astype(np.float32)
    k = min(k, len(labels))
    people, codes = np.unique(labels, return_inverse=True)
    distances, found = Nearest(descriptors).search(probes, k)
    names = people[vote(distances, codes[found])[0]]
    assert names.tolist() == KNeighborsClassifier(k, weights="distance", algorithm="brute").fit(descriptors, labels).predict(probes).tolist()


def test_of_equal_votes_the_first_person_wins_and_a_twin_photo_decides():
    assert vote(np.array([[1.0, 1.0]]), np.array([[5, 2]]))[0].tolist() == [2]
    assert vote(np.array([[0.0, 0.1, 0.1]]), np.array([[5, 2, 2]]))[0].tolist() == [5]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_strangers_are_named_by_the_photos_of_the_others(seed, k):
    """The same by hand: for every photo, a table without its person."""
    descriptors, labels = crowd(seed, people=5, most=9)
    gallery = Gallery(descriptors, labels, [str(i) for i in range(len(labels))])
    expected, named, units = [], [], unit(descriptors.astype(float))
    for i, name in enumerate(labels):
        others = np.flatnonzero(labels != name)
        near = np.linalg.norm(descriptors[others].astype(float) - descriptors[i], axis=1)
        first = np.argsort(near, kind="stable")[: min(k, len(others))]
        people = np.unique(labels[others[first]])
        weight = [(1 / near[first])[labels[others[first]] == person].sum() for person in people]
        named.append(gallery.code_of(people[np.argmax(weight)]))
        own = np.linalg.norm(units[labels == people[np.argmax(weight)]] - units[i], axis=1)
        expected.append(np.sort(own)[:3].mean())
    np.testing.assert_allclose(stranger_distances(gallery, k), expected, atol=1e-6)
    np.testing.assert_allclose(stranger_distances(gallery, k, usual=0.3), distances_to(gallery, descriptors, named, usual=0.3), atol=1e-6)
    some = stranger_distances(gallery, k, most=4)
    assert len(some) == 4 and np.isclose(some[:, None], expected, atol=1e-6).any(axis=1).all()


def test_one_person_alone_has_no_others():
    gallery = Gallery(np.eye(3, dtype=np.float32), ["a"] * 3, ["1", "2", "3"])
    assert len(stranger_distances(gallery, 3)) == 0 and list(nearest_of_others(gallery.descriptors, gallery.codes, 2)) == [] and shared_photos(gallery) == []


def test_distances_to_people_are_means_of_the_nearest_three():
    descriptors, labels = crowd(3)
    gallery, probes = Gallery(descriptors, labels, labels), descriptors[:6] + 0.1
    codes = np.array([gallery.code_of(name) for name in ("p00", "p03", "p00", "p07", "p01", "p03")])
    table = table_of(unit(probes.astype(float)), unit(descriptors.astype(float)))
    expected = [np.sort(row[gallery.codes == code])[:3].mean() for row, code in zip(table, codes)]
    np.testing.assert_allclose(distances_to(gallery, probes, codes), expected, atol=1e-6)


def thoughts_by_hand(known, probe, code, apart, voters):
    """What speaks against one name, whose it is after that, and how far: by a table of all photos."""
    gallery, aside, limit, doubt = known.gallery_, known.aside_, known.threshold or 0, None
    name, table = gallery.people[code], np.linalg.norm(gallery.descriptors.astype(float) - probe, axis=1)
    order = np.argsort(table)
    mine = [row for row in order[:voters] if gallery.codes[row] == code]
    if mine and (gallery.sharpness[mine] < BLURRED).all():
        doubt = f"{gallery.photos[mine[0]]} in the gallery is blurred, and anybody as blurred looks like it"
    others = {gallery.codes[row] for row in order[:voters]} - {code} or {gallery.codes[row] for row in order[: (gallery.codes == code).sum() + 3]} - {code}
    far = sorted((distances_to(gallery, probe[None], [other], usual=known.usual)[0], gallery.people[other]) for other in others)
    if known.threshold is not None and apart <= limit and far and far[0][0] <= limit:
        doubt = f"or {far[0][1]} ({far[0][0]:.2f})"
    twin = [one if other == name else other for one, other in known.alike_ if name in (one, other)]
    if twin:
        doubt = f"or {' or '.join(sorted(twin))}: in the gallery {'the two' if len(twin) == 1 else 'they'} look like one person"
    if aside is not None and apart > max(limit, usual_threshold(len(gallery.people)) if known.dlibs else 0):
        table_aside = np.linalg.norm(aside.descriptors.astype(float) - probe, axis=1)
        nearest = np.argmin(table_aside)
        if table_aside[nearest] < table.min() and aside.labels[nearest] in gallery.people:
            code = gallery.code_of(aside.labels[nearest])
            return f"only {aside.photos[nearest]}, which was set aside, looks like this", code, distances_to(gallery, probe[None], [code], usual=known.usual)[0]
    return doubt, code, apart


def test_second_thoughts_are_those_of_a_table_of_all_photos():
    rng, said = np.random.default_rng(0), Counter()
    for _ in range(30):
        middles = rng.normal(size=(6, 5))  # the last two are not in the gallery
        names = np.repeat(["ann", "bob", "cleo", "dora"], rng.integers(1, 9, 4))
        drawn = [middles["abcd".index(name[0])] + 0.5 * rng.normal(size=5) for name in names]
        gallery = Gallery(drawn, names, [f"{name}/{k}" for k, name in enumerate(names)], sharpness=rng.choice([BLURRED / 1.1, BLURRED], len(names)))
        aside = Gallery(middles[[0, 3, 4, 5]] + 0.5 * rng.normal(size=(4, 5)), ["ann", "dora", "carl", "bob"], list("wxyz")) if rng.random() < 0.7 else None
        probes = (middles[rng.integers(0, 6, 12)] + 0.5 * rng.normal(size=(12, 5))).astype(np.float32)
        near, index = Nearest(gallery.descriptors).search(probes, min(5, len(gallery)))
        chosen = gallery.codes[index[np.arange(12), rng.choice([0, 0, 1], 12)]]  # a vote may give the name of who is not the nearest
        known = SimpleNamespace(gallery_=gallery, aside_=aside, alike_=[("ann", "dora"), ("cleo", "ann")] if rng.random() < 0.15 else [], dlibs=rng.random() < 0.5, usual=rng.choice([None, 0.3]))
        apart = distances_to(gallery, probes, chosen, usual=known.usual)
        known.threshold = rng.choice([None, np.quantile(apart, 0.6), np.median(apart)])
        wanted = [thoughts_by_hand(known, *each, index.shape[1]) for each in zip(probes, chosen, apart)]
        doubts = second_thoughts(known, probes, near, index, chosen, apart)
        assert doubts == {row: doubt for row, (doubt, *_) in enumerate(wanted) if doubt}
        np.testing.assert_array_equal(chosen, [code for _, code, _ in wanted])
        np.testing.assert_allclose(apart, [distance for *_, distance in wanted], atol=1e-6)
        said.update(next(word for word in ("blurred", "look like one", "set aside", "(") if word in doubt) for doubt in doubts.values())
    assert min(said.values()) > 8 and len(said) == 4, said


@pytest.mark.parametrize("network, usual", [("dlib_face_resnet", USUAL), ("mine", None)])
@pytest.mark.parametrize("k", [1, 3])
def test_a_classifiers_answers_are_those_of_scikit_learn_with_the_gallerys_distances(network, usual, k):
    from sklearn.neighbors import KNeighborsClassifier

    descriptors, labels = crowd(k, people=6, most=5, spread=1.0)
    gallery, probes = Gallery(descriptors, labels, [f"{n}.jpg" for n in range(len(labels))]), np.random.default_rng(9).normal(size=(40, descriptors.shape[1])).astype(np.float32)
    by_k = KNeighborsClassifier(k, weights="distance", algorithm="brute").fit(descriptors, labels)
    names = by_k.predict(probes)
    wanted = distances_to(gallery, probes, [gallery.code_of(name) for name in names], usual=usual)
    classifier = Classifier(SimpleNamespace(name=network), n_neighbors=k, preprocess=None, threshold=float(np.sort(wanted)[20]))
    classifier.know(gallery, alike=[("p00", "p05")])
    found, twins = np.arange(40) % 3 > 0, {"p00": "or p05", "p05": "or p00"}
    for answer, name, distance, ok in zip(classifier.identify(probes, found), names, wanted, found):
        assert (answer.name, answer.found) == (name, ok) and answer.distance == pytest.approx(distance, abs=1e-6)
        assert answer.label == (name if answer.distance <= classifier.threshold else "unknown")
        assert answer.doubt.startswith(twins.get(name, "") if ok else "no face was found")
    for combine, middle in (("mean", np.mean), ("median", np.median)):
        classifier.combine = combine
        answer, one = classifier.answer_clip(probes[:5], [3, 4, 6, 7, 9]), middle(probes[:5], axis=0)[None].astype(np.float32)
        assert answer.name == by_k.predict(one)[0] and answer.distance == pytest.approx(distances_to(gallery, one, [gallery.code_of(answer.name)], usual=usual)[0], abs=1e-6)
        assert [frame[:2] for frame in answer.frames] == list(zip([3, 4, 6, 7, 9], names[:5]))
        for name in twins:
            rows = np.flatnonzero(gallery.labels == name)[:1]
            assert classifier.answer_clip(descriptors[rows], [0]).doubt.startswith(twins[name]) and classifier.answer_clip(descriptors[rows], [0], found=False).doubt.startswith("no face was found")
    classifier.combine = "vote"
    for first in range(0, 36, 3):
        votes = by_k.predict_proba(probes[first : first + 5]).sum(axis=0)
        answer = classifier.answer_clip(probes[first : first + 5], range(5), found=first > 0)
        code = gallery.code_of(answer.name)
        assert votes[by_k.classes_.tolist().index(answer.name)] == pytest.approx(votes.max()) and answer.found == (first > 0)
        assert answer.distance == pytest.approx(distances_to(gallery, probes[first : first + 5], [code] * 5, usual=usual).mean(), abs=1e-6)
        assert answer.doubt.startswith(twins[answer.name] if first and answer.name in twins and answer.name in names[first : first + 5] else "" if first else "no face was found")
        assert answer.label == (answer.name if answer.distance <= classifier.threshold else "unknown")


@pytest.mark.parametrize("people, outside, rate", [(5, 0, 0.2), (5, 0, 0.1), (5, 3, 0.1), (5, 7, 0.1), (1, 9, 0.1), (1, 10, 0.1), (12, 30, 0.3)])
@pytest.mark.parametrize("near", [0.02, 1.0])  # nearer to one another, and farther apart, than the usual threshold
def test_a_threshold_is_chosen_by_all_strangers_there_are_and_by_the_usual_one_if_these_are_few(people, outside, rate, near):
    descriptors, labels = crowd(people, people=people, spread=1.0)
    gallery = Gallery(near * descriptors + [[1.0] + [0.0] * 15], labels, [str(n) for n in range(len(labels))])
    handed = (0.3 * near * np.random.default_rng(people).random(outside)).tolist()
    for network, usual in (("dlib_face_resnet", USUAL), ("mine", None)):
        classifier = Classifier(SimpleNamespace(name=network), n_neighbors=min(3, len(labels)), preprocess=None)
        classifier.know(gallery)
        classifier.classify_images = lambda photos, details: [SimpleNamespace(distance=distance) for distance in photos]
        apart = [*stranger_distances(gallery, min(3, len(labels)), usual=usual), *handed]
        wanted, few = threshold_at_false_accept(apart, rate), ((people if people > 1 else 0) + outside) * rate < 1
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            chosen = classifier.choose_threshold(handed, rate)
        assert ["hand in photos of more strangers" in str(each.message) for each in said] == [True] * (few and usual is None)
        assert chosen == classifier.threshold == (min(wanted, usual_threshold(people)) if few and usual else wanted)


def test_a_part_of_a_gallery_and_two_as_one_keep_all_that_is_known_of_each_photo():
    rng = np.random.default_rng(4)
    parts = {"descriptors": rng.normal(size=(9, 4)).astype(np.float32), "labels": rng.choice(["ann", "bob", "cleo"], 9), "photos": np.array([f"{k}.jpg" for k in range(9)]),
             "faces": rng.integers(1, 9, 9), "sharpness": rng.random(9).astype(np.float32), "digests": rng.integers(0, 256, (9, 16))}
    whole = Gallery(**parts)
    assert whole.extent == np.abs(parts["descriptors"]).max() == Gallery(**{**parts, "descriptors": -parts["descriptors"]}).extent
    for rows in (np.array([7, 0, 4]), np.arange(9) % 2 == 0):
        for part in (whole.only(rows), together(None, whole.only(rows)), together(whole.only(rows), None)):
            for name, values in parts.items():
                np.testing.assert_array_equal(getattr(part, name), values[rows])
        both = together(whole.only(rows), whole)
        for name, values in parts.items():
            np.testing.assert_array_equal(getattr(both, name), np.concatenate([values[rows], values]))
    assert [whole.code_of(name) for name in ("ann", "anna", "bob", "dora")] == [0, -1, 1, -1]


def test_evened_distances_are_as_if_everybodys_photos_lay_equally_far_apart():
    """Against the same numbers by pairs of photos: no middle is looked for, nor its length."""
    rng, usual = np.random.default_rng(5), 0.3
    albums = [unit(rng.normal(size=16) + spread * rng.normal(size=(count, 16))) for spread, count in ((0.1, 6), (0.12, 2), (0.5, 5), (0.3, 1))]
    labels = [f"p{number}" for number, album in enumerate(albums) for _ in album]
    gallery, probes = Gallery(np.concatenate(albums), labels, labels), unit(rng.normal(size=(4, 16)))
    evened = distances_to(gallery, probes, np.arange(4), usual=usual)
    for probe, album, distance in zip(probes, albums, evened):
        apart, count = table_of(probe[None], album)[0], len(album)
        squares = table_of(album, album) ** 2
        own = min(squares.sum() / 2 / count**2, (1.15 * usual) ** 2 * (count - 1) / 2 / count)
        wanted = min(usual**2 * (count - 1) / 2 / count, 2 * own)
        to_middle = 2 - 2 * (1 - np.mean(apart**2) / 2) / np.sqrt(1 - squares.sum() / 2 / count**2)
        assert distance == pytest.approx((np.sqrt(np.sort(apart)[:3].mean() ** 2 - own + wanted) + np.sqrt(to_middle + wanted)) / 2, abs=1e-6)
    plain = distances_to(gallery, probes, np.arange(4))
    assert evened[3] == pytest.approx(plain[3], abs=1e-6)  # one photo says nothing of its person's others


def test_photos_of_one_moment_count_like_one_photo():
    probe, photo = unit(np.random.default_rng(2).normal(size=(2, 16)))
    gallery = Gallery(np.array([photo] * 5, np.float32), ["ann"] * 5, list("12345"))
    assert distances_to(gallery, probe[None], [0], usual=0.3)[0] == pytest.approx(np.linalg.norm(probe - photo), abs=1e-3)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_groups_are_those_of_average_linkage_over_all(seed):
    from sklearn.cluster import AgglomerativeClustering

    descriptors, _ = crowd(seed, people=8, spread=0.9)
    groups = group_faces(descriptors, 0.6)
    whole = AgglomerativeClustering(None, distance_threshold=0.6, linkage="average").fit_predict(unit(descriptors)) if len(descriptors) > 1 else [0]
    together = np.equal.outer(groups, groups)
    assert (together == np.equal.outer(whole, whole)).all()
    first = [groups.tolist().index(number) for number in range(1, groups.max() + 1)]
    assert first == sorted(first)  # numbered as they appear


def test_no_faces_and_one():
    assert group_faces(np.zeros((0, 4))).tolist() == [] and group_faces(np.ones((1, 4))).tolist() == [1]


def test_many_faces_in_one_chain_are_parted_first(monkeypatch):
    from TrackDetector.neighbors import grouping

    angles = np.concatenate([np.arange(0, 3, 0.02), [4.0, 4.01]])
    descriptors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    monkeypatch.setattr(grouping, "_MOST", 10)
    groups = group_faces(descriptors, 0.2)
    assert groups[-1] == groups[-2] and (groups[:-2] != groups[-1]).all()
