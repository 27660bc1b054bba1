"""The network in Keras: the same numbers as dlib's, any layer of any model, and errors that help."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from common.orl import orl_faces
from TrackDetector import descriptors
from TrackDetector.faces import preprocess_imgs
from TrackDetector.networks.dlib_reference import dlib_descriptors, largest_difference_to_dlib


@pytest.fixture(scope="module")
def chips():
    images = orl_faces()[0][::9]  # of every person, and not always the same photo
    crops, found = preprocess_imgs([np.repeat(i[:, :, None], 3, 2) for i in images], size=150, progress=False)
    assert found.sum() >= 43
    return crops


def test_the_same_numbers_as_dlib_on_faces_of_forty_people(chips):
    answers = descriptors.get_layer_output(chips)
    assert answers.shape == (45, 128) and answers.dtype == np.float32
    assert largest_difference_to_dlib(chips, answers) <= 1e-5
    # the yardstick is not blind: a shifted face is another descriptor
    assert largest_difference_to_dlib(np.roll(chips[:5], 9, axis=2), answers[:5]) > 1e-2


def test_the_same_on_noise_and_on_black():
    rng = np.random.default_rng(0)
    chips = np.stack([rng.integers(0, 256, (150, 150, 3), np.uint8), np.zeros((150, 150, 3), np.uint8), np.full((150, 150, 3), 255, np.uint8)])
    assert largest_difference_to_dlib(chips, descriptors.get_layer_output(chips)) <= 1e-5


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_a_face_is_described_alike_alone_and_in_company(chips, batch_size):
    together = descriptors.get_layer_output(chips[:7])
    np.testing.assert_allclose(descriptors.get_layer_output(chips[:7], batch_size=batch_size), together, atol=2e-6)


def test_every_layer_has_a_name_that_can_be_passed(chips):
    names = descriptors.layer_names()
    assert len(set(names)) == len(names)
    for i in range(1, 15):
        assert {f"block{i:02d}_conv1", f"block{i:02d}_affine1", f"block{i:02d}_relu"} <= set(names)
    shapes = {name: descriptors.get_layer_output(chips[:1], name).shape for name in ("stem_relu", "block05_add", "average", "descriptor")}
    assert shapes == {"stem_relu": (1, 72, 72, 32), "block05_add": (1, 17, 17, 64), "average": (1, 256), "descriptor": (1, 128)}


def test_several_layers_in_one_go(chips):
    average, last = descriptors.get_layer_output(chips[:3], ["average", "descriptor"])
    np.testing.assert_allclose(last, descriptors.get_layer_output(chips[:3]), atol=2e-6)
    np.testing.assert_allclose(average @ descriptors.load_face_model().get_layer("descriptor").get_weights()[0], last, atol=1e-5)


def test_other_sizes_are_resized(chips):
    import cv2

    larger = np.array([cv2.resize(chip, (224, 224), interpolation=cv2.INTER_CUBIC) for chip in chips[:10]])
    off = np.linalg.norm(descriptors.get_layer_output(larger) - descriptors.get_layer_output(chips[:10]), axis=1)
    assert off.max() < 0.2  # two photos of one person are about 0.3 apart


def test_no_faces_no_descriptors(chips):
    assert descriptors.get_layer_output(chips[:0]).shape == (0, 128)


@pytest.mark.parametrize("images, message", [
    (np.zeros((150, 150, 3)), "images\\[None\\]"), (np.zeros((2, 150, 150)), "N, H, W, 3"), (np.full((1, 150, 150, 3), 0.5), "0 to 255"),
])
def test_wrong_images(images, message):
    with pytest.raises(ValueError, match=message):
        descriptors.get_layer_output(images)


def test_wrong_layer_names_the_right_ones(chips):
    with pytest.raises(ValueError, match="no layer 'fc6'; perhaps .*descriptor"):
        descriptors.get_layer_output(chips[:1], "fc6")
    with pytest.raises(ValueError, match="block03_conv1"):
        descriptors.get_layer_output(chips[:1], "block03_conv")


@pytest.fixture
def students_model():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((224, 224, 3)), keras.layers.Conv2D(4, 16, strides=16, activation="relu", name="conv1"),
              keras.layers.Flatten(name="flat"), keras.layers.Dense(5, name="fc6"), keras.layers.Dense(2, name="fc7")]
    return keras.Sequential(layers)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_model_of_a_student(students_model, tmp_path, chips, suffix):
    path = tmp_path / f"face_recognition_model{suffix}"
    students_model.save(path)
    model = descriptors.load_face_model(path)
    answers = descriptors.get_layer_output(chips[:3], "fc6", model)
    assert answers.shape == (3, 5)
    faces = descriptors._as_batch(chips[:3], (224, 224)).astype("float32")
    hidden = faces
    for layer in students_model.layers[:-1]:
        hidden = layer(hidden)
    np.testing.assert_allclose(answers, keras.ops.convert_to_numpy(hidden), rtol=1e-4, atol=1e-3)


def test_saving_our_model_keeps_its_answers(tmp_path, chips):
    descriptors.load_face_model().save(tmp_path / "m.keras")
    again = descriptors.load_face_model(tmp_path / "m.keras")
    np.testing.assert_allclose(descriptors.get_layer_output(chips[:2], model=again), descriptors.get_layer_output(chips[:2]), atol=2e-6)


def test_files_that_are_no_model(tmp_path):
    bad = tmp_path / "model.h5"
    bad.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="model.h5"):
        descriptors.load_face_model(bad)
    with pytest.raises(FileNotFoundError, match="nowhere.keras"):
        descriptors.load_face_model(tmp_path / "nowhere.keras")


def test_a_model_that_brings_code_is_refused(tmp_path):
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, keras.layers.Lambda(lambda t: t * 2)(x))
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match="lambda.keras"):
        descriptors.load_face_model(tmp_path / "lambda.keras")


def test_a_model_for_something_else(chips):
    with pytest.raises(ValueError, match="RGB images"):
        descriptors.get_layer_output(chips[:1], model=keras.Sequential([keras.Input((10,)), keras.layers.Dense(2)]))


def test_numbers_of_any_kind(chips):
    expected = descriptors.get_layer_output(chips[:2], "block01_relu")
    for kind in (np.int64, np.float64, np.int32, np.float16):
        np.testing.assert_allclose(descriptors.get_layer_output(np.asarray(chips[:2]).astype(kind), "block01_relu"), expected, rtol=1e-3, atol=1e-2)


def test_a_layer_that_is_used_twice_or_elsewhere_as_well():
    inputs, shared = keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1, name="shared")
    base = keras.Model(inputs, shared(shared(inputs)))
    x = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(descriptors.get_layer_output(x, model=base), base(x), rtol=1e-5, atol=1e-3)
    other = keras.Input((8, 8, 3))
    keras.Model(other, base(keras.layers.Rescaling(2.0)(other)))
    np.testing.assert_allclose(descriptors.get_layer_output(x, model=base), base(x), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(descriptors.get_layer_output(x, "shared", model=base), base(x), rtol=1e-5, atol=1e-3)


def test_the_yardstick_refuses_other_sizes(chips):
    with pytest.raises(ValueError, match="150, 150, 3"):
        dlib_descriptors(chips[:, :100])


def test_the_faster_twin_gives_the_same_and_notices_new_weights(chips):
    model = descriptors.build_dlib_resnet()
    assert descriptors._fast_version(model, ("descriptor",)) is not model and descriptors._fast_version(model, ("stem_conv",)) is model
    layers = ["stem_affine", "block04_affine2", "block09_relu", "descriptor"]
    fast = descriptors.get_layer_output(chips[:4], layers, model)
    slow = descriptors.get_layer_output(chips[:4], [*layers, "stem_conv"], model)  # a bare convolution is only in the model itself
    for one, other in zip(fast, slow):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1, np.abs(other).max()))
    affine = model.get_layer("block02_affine1")
    gamma, beta, mean, variance = affine.get_weights()
    affine.set_weights([gamma * 0.5, beta + 0.1, mean + 0.3, variance * 2])
    changed = descriptors.get_layer_output(chips[:4], "descriptor", model)
    assert np.abs(changed - fast[-1]).max() > 1e-3
    np.testing.assert_allclose(changed, descriptors.get_layer_output(chips[:4], ["descriptor", "stem_conv"], model)[0], atol=1e-5)
