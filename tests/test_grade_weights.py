"""Weights that are handed in, under any name and of any network, and networks that are judged with their own company."""

import os
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from common.exercises.exercise import RIGHT, WRONG, Verdict
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.submissions import Submission
from common.grading.tasks import cells_of, prelude_of, task_of
from common.grading.weights import load_weights
from RegionDetector.checks import measured

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")

NETWORKS = """
import keras
from keras import layers

class Net(keras.Model):
    def __init__(self, *chain):
        super().__init__()
        self.chain = keras.Sequential(chain)
        self.built = True  # as old tutorials have it

    def call(self, x):
        return self.chain(x / 255)

class Classifier(keras.Model):
    def __init__(self, last):
        super().__init__()
        self.pool, self.last = layers.AveragePooling2D(32, 4), last

    def build(self, shape):
        self.own = self.add_weight(shape=(3,), name="own", initializer="random_normal")
        super().build(shape)

    def call(self, x):
        return self.last(self.pool(x) * self.own)
"""
MAKERS = {
    "chain": "keras.Sequential([layers.AveragePooling2D(8), layers.Flatten(), layers.Dense(2, activation='softmax')])",
    "chain in a chain": "keras.Sequential([keras.Sequential([layers.Conv2D(3, 5), layers.BatchNormalization()]), layers.Flatten(), layers.Dense(2)])",
    "class around a chain": "Net(layers.AveragePooling2D(4), layers.Flatten(), layers.Dense(2))",
    "class with a variable": "Classifier(keras.Sequential([layers.Flatten(), layers.Dense(2)]))",
    "functional": "keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(2)])",
}


def used_network(name):
    """A network of the list with random weights, as one that was fitted; and what makes another."""
    space = {}
    exec(NETWORKS, space)
    network = eval(MAKERS[name], space)  # noqa: S307, written above
    network(np.zeros((1, 32, 32, 3), np.float32))
    network.set_weights([np.random.default_rng(k).uniform(0.1, 1, w.shape) for k, w in enumerate(network.get_weights())])
    return network, lambda: eval(MAKERS[name], space)  # noqa: S307


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", ["best.weights.h5", "best.weights-2.h5", "Best.Weights (3).H5", "BEST.WEIGHTS.H5", "last epoch.h5"])
def test_weights_of_any_network_under_any_name(maker, name, tmp_path):
    network, make = used_network(maker)
    network.save_weights(tmp_path / "best.weights.h5")
    file = shutil.move(tmp_path / "best.weights.h5", str(tmp_path / name))
    new = make()
    assert load_weights(new, file) == ""
    np.testing.assert_equal(new.get_weights(), network.get_weights())


@pytest.mark.parametrize("saved, name", [("a.keras", "A.KERAS"), ("a.h5", "a (1).H5"), ("a.h5", "a.weights.h5"), ("a.keras", "a-1.keras")])
def test_whole_models_under_any_name(saved, name, tmp_path):
    network, make = used_network("chain")
    network.save(tmp_path / saved)
    file, new = shutil.move(tmp_path / saved, str(tmp_path / name)), make()
    assert load_weights(new, file) == ""
    np.testing.assert_equal(new.get_weights(), network.get_weights())


def test_who_has_handed_in_no_weights_is_told_the_file_that_the_notebook_has_written():
    grader = SimpleNamespace(task=task_of("RegionDetector"), verdicts={"generate_model": SimpleNamespace(status=RIGHT)}, train=0, head=[])
    values = measured.measure(grader, None, SimpleNamespace(name="Ana", weights=()), None)
    assert all(value is None for value, _ in values.values()) and len(values) == 3
    assert "hand in build/weights/classifier.weights.h5" in grader.head[0] and "3 marks" in grader.head[0] and "Ana.weights.h5" in grader.head[0]
    assert any('BUILD / "weights" / "classifier.weights.h5"' in source for source in cells_of("RegionDetector"))


def test_weights_that_are_none(tmp_path):
    import keras

    network, make = used_network("chain")
    (tmp_path / "text-1.h5").write_bytes(b"no weights")
    used_network("chain in a chain")[0].save_weights(tmp_path / "other.weights.h5")
    keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Lambda(lambda x: x), *make().layers]).save(tmp_path / "code.keras")
    (tmp_path / "code.keras").rename(tmp_path / "CODE.KERAS")
    for name, said in (("text-1.h5", "damaged"), ("other.weights.h5", "do not fit"), ("CODE.KERAS", "safe_mode|unsafe|lambda"), ("gone.h5", "damaged"), ("a.npz", r"NAME\.weights\.h5")):
        assert re.search(said, load_weights(network, str(tmp_path / name))), name


@posix
@pytest.mark.parametrize("maker, fully", [("chain", False), ("class around a chain", True), ("class with a variable", False)])
def test_scores_of_a_network_that_is_built_when_it_is_used(sandbox, maker, fully, tmp_path):
    """Also where its own FCNN is one, and where the reference stands in for that."""
    network, _ = used_network(maker)
    network.save_weights(tmp_path / "anna.weights.h5")
    file = (tmp_path / "anna.weights.h5").rename(tmp_path / "anna.weights-1.h5")
    side = round((len(network.get_weights()[-2]) / 3) ** 0.5)
    cells = [NETWORKS, f"def generate_model(sample_shape):\n    return {MAKERS[maker]}",
             f"def generate_fcnn_model(image_shape):\n    return Net(layers.AveragePooling2D({32 // side}), layers.Conv2D(2, {side}))",
             "def copy_weights(base_model, fcnn_model):\n    fcnn_model.set_weights([w.reshape(v.shape) for w, v in zip(base_model.get_weights()[-2:], fcnn_model.get_weights())])"]
    grader = Grader(task_of("RegionDetector"), prelude_of("RegionDetector"), sandbox)
    own = ("generate_model", "generate_fcnn_model", "copy_weights") if fully else ("generate_model",)
    grader.verdicts = {n: Verdict(n, RIGHT if n in own else WRONG) for n in grader.task.by_name}
    X, Y = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8), np.eye(2)[np.arange(40) % 2]
    right = float(np.mean(np.asarray(network(X.astype(np.float32))).argmax(1) == Y.argmax(1)))
    photos = np.zeros((2, 176, 176, 3), np.uint8), np.array([[0, 10, 10, 42, 42], [1, 9, 9, 41, 41]]), np.array([[176, 176, 3]] * 2)
    answer = measured.measure(grader, collect(cells), Submission("anna", tmp_path / "anna.ipynb", (file,)), measured.Fresh((X, Y), photos, None))
    assert answer["validation_accuracy"][0] == pytest.approx(right), answer
    if fully or maker == "chain":
        assert answer["test_score"][0] is not None, answer
    else:
        assert "the reference's does not fit this network" in answer["test_score"][1], answer


OWN_NETWORKS = """import keras
from keras import layers

def generate_model(sample_shape):
    return keras.Sequential([keras.Input(sample_shape), layers.Conv2D(8, 3, padding="same", activation="relu"), layers.MaxPooling2D(4), layers.Flatten(),
                             layers.Dense(24, activation="relu"), layers.Dense(2)])

def generate_fcnn_model(image_shape):
    return keras.Sequential([keras.Input(image_shape), layers.Conv2D(8, 3, padding="same", activation="HIDDEN"), layers.MaxPooling2D(4),
                             layers.Conv2D(24, 8, activation="relu"), layers.Conv2D(2, 1)])

def copy_weights(base_model, fcnn_model):
    fcnn_model.set_weights([w.reshape(v.shape) for w, v in zip(base_model.get_weights(), fcnn_model.get_weights())])
"""


@posix
@pytest.mark.parametrize("hidden, status", [("relu", RIGHT), ("elu", WRONG), ("tanh", WRONG)])
def test_an_fcnn_is_judged_by_the_classifier_to_which_it_belongs(sandbox, hidden, status):
    """The reference's classifier, tried at last in the place of a right one, has other parameters, and nothing would be compared."""
    grader = Grader(task_of("RegionDetector"), prelude_of("RegionDetector"), sandbox)
    source = collect([OWN_NETWORKS.replace("HIDDEN", hidden)])
    for name, expected in (("generate_model", RIGHT), ("generate_fcnn_model", status), ("copy_weights", RIGHT)):
        grader.verdicts[name] = grader.check(grader.task.by_name[name], source)
        assert grader.verdicts[name].status == expected, grader.verdicts[name]
