"""The neighbour explorer answers as the classifier does, and its faces can be clicked."""

import io

import numpy as np
import pytest
from PIL import Image

from TrackDetector.classifier import Classifier
from TrackDetector.pictures.explorers import KS, Neighbors, draw_neighbors, explore_neighbors, thumbnails

PEOPLE = ("Ann", "Bob", "Cy", "Dora")


@pytest.fixture(scope="module")
def network():
    """A face is described by its mean colours: enough to know people whose faces are of one colour each."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((16, 16, 3)), layers.AveragePooling2D(8), layers.Flatten(name="descriptor")])
    return model


@pytest.fixture(scope="module")
def crowd(network):
    rng = np.random.default_rng(0)
    colors = rng.integers(60, 200, (len(PEOPLE), 3))

    def face(person, spread):
        return np.clip(colors[person] + rng.normal(0, spread, (16, 16, 3)) + rng.normal(0, spread, 3), 0, 255).astype(np.uint8)

    photos = {f"{name}{i}.jpg": face(p, 18) for p, name in enumerate(PEOPLE) for i in range(4)}
    labels = {name: name[:-5] for name in photos}
    asked = {f"{name}-{i}.jpg": face(p, 45) for p, name in enumerate(PEOPLE) for i in range(5)}
    asked |= {f"stranger-{i}.jpg": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for i in range(3)}
    return photos, labels, asked


def fitted(network, crowd, k=3, threshold=None):
    photos, labels, _ = crowd
    return Classifier(network, n_neighbors=k, preprocess=None, threshold=threshold).fit(photos, labels)


@pytest.fixture(scope="module")
def neighbors(network, crowd):
    classifier = fitted(network, crowd, threshold=0.08)
    return Neighbors(classifier, crowd[0], list(crowd[2].values()), [name.partition("-")[0] for name in crowd[2]])


@pytest.mark.parametrize("threshold", [None, 0.02, 0.08])
def test_names_and_distances_are_the_classifiers_at_every_k(network, crowd, threshold):
    asked = crowd[2]
    hood = Neighbors(fitted(network, crowd, threshold=threshold), crowd[0], list(asked.values()), list(asked))
    differ = 0
    for place, k in enumerate(KS):
        answers = fitted(network, crowd, k, threshold).classify_images(asked, details=True)
        for called, answer in zip(hood.called, answers.values()):
            assert called[place].k == k and (called[place].name, called[place].label) == (answer.name, answer.label)
            assert called[place].distance == pytest.approx(answer.distance, abs=1e-6)
        differ += sum(called[0].name != called[-1].name for called in hood.called)
    assert differ or threshold is not None  # with faces so much alike, k matters


def test_the_nearest_photos_are_the_classifiers(network, crowd, neighbors):
    answers = fitted(network, crowd).classify_images(crowd[2], details=True)
    for number, answer in enumerate(answers.values()):
        nearest = np.argsort(neighbors.distances[number], kind="stable")[:5]
        assert [neighbors.gallery.photos[k] for k in nearest] == [photo for photo, _, _ in answer.neighbors]
        said = [text.get_text() for text in draw_neighbors(neighbors, number).axes[1].texts]
        truth = neighbors.names[number]
        expected = [f"{'✓' if name == truth else '✗'} {name}\n{distance:.2f}" for _, name, distance in answer.neighbors]
        assert said[:5] == expected


def test_a_stranger_is_rightly_called_unknown(neighbors):
    stranger = len(neighbors.faces) - 1
    said = [text.get_text() for text in draw_neighbors(neighbors, stranger).axes[-1].texts]
    labels = [called.label for called in neighbors.called[stranger]]
    assert ("✓ unknown" in said) == ("unknown" in labels) and any(text.startswith("✗") for text in said) == any(label != "unknown" for label in labels)


def test_more_neighbours_than_photos_are_left_out(network, crowd):
    photos = dict(list(crowd[0].items())[:4])
    few = Classifier(network, n_neighbors=1, preprocess=None).fit(photos, {name: name[:1] for name in photos})
    hood = Neighbors(few, photos, list(crowd[2].values())[:1], ["A"])
    assert [called.k for called in hood.called[0]] == [1, 3]
    assert draw_neighbors(hood, 0).get_label()


def test_a_click_asks_another_face(neighbors):
    front = explore_neighbors(neighbors)
    before = front.image.value
    front.controls["asked"].value = 7
    assert front.image.value != before and "Asked: Bob" in front.label
    out = io.BytesIO()
    draw_neighbors(neighbors, 7).savefig(out, dpi=100)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(front.image.value))), np.asarray(Image.open(out).convert("RGB")))


def test_every_face_is_a_button_with_its_picture():
    buttons, style = thumbnails([np.zeros((8, 8, 3), np.uint8)] * 3, ["Ann", "Bob", "Ann"])
    assert buttons.value == 0 and len(buttons.options) == len(buttons.tooltips) == 3
    assert len({text for text, _ in buttons.options}) == 3  # or the page marks the wrong one
    assert all(f"button:nth-of-type({k})" in style.value for k in (1, 2, 3)) and style.value.count("data:image/jpeg") == 3
    buttons.value = 2  # two people of one name stay two buttons
    assert buttons.index == 2
