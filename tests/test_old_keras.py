"""Old lines and what to write today: the advice fits what today's packages say, and the page is that of the table."""

import importlib
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from common.exercises import old_keras

PAGE = Path(__file__).resolve().parent.parent / "docs" / "from-the-course.md"
ROWS = [rule for rules, _ in old_keras._HEADINGS for rule in rules if rule.old]


@pytest.fixture(scope="module")
def names():
    """What the lines of the table speak of."""
    import cv2
    import dlib
    import keras
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn
    import skimage.feature
    import skimage.transform
    import tensorflow as tf
    from PIL import Image

    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile(loss="mse")
    x = np.zeros((2, 2), np.float32)
    history = SimpleNamespace(history={"val_accuracy": [0.9]})
    return {"cv2": cv2, "dlib": dlib, "keras": keras, "layers": keras.layers, "K": keras.backend, "plt": plt, "Image": Image, "mask": np.zeros((4, 4), np.uint8), "pd": pd, "pickle": pickle, "seaborn": seaborn, "skimage": skimage,
            "tf": tf, "np": np, "model": model, "x": x, "X": x, "Y": x, "xs": [0, 1], "ys": [0, 1], "generator": x, "images": x, "history": history, "session": None,
            "datagen": SimpleNamespace(flow=lambda *a: x)}


def run(line, names, folder, monkeypatch):
    monkeypatch.chdir(folder)
    space = dict(names)
    if "standardize" in line:
        space["datagen"] = names["keras"].Sequential()  # what takes its place
    exec(line, space)


def raised_by(rule, names, folder, monkeypatch):
    """What the old line raises; or a skip, where the oldest packages that the kit allows still know it."""
    try:
        run(rule.old, names, folder, monkeypatch)
    except Exception as error:
        return error
    pytest.skip(f"the packages here still know {rule.old}")


@pytest.fixture(autouse=True)
def the_figures_of_others():
    """A line may change how all figures look; what comes after it in this process is drawn as ever."""
    from matplotlib import rc_context

    with rc_context():
        yield


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.old[:40])
def test_an_old_line_is_answered_by_its_own_row(rule, names, tmp_path, monkeypatch):
    error = raised_by(rule, names, tmp_path, monkeypatch)
    assert old_keras.advice(type(error).__name__, str(error)) == rule.advice, error


@pytest.mark.parametrize("rule", [r for r in ROWS if r.new.startswith(("from ", "import ", "keras.", "np.", "skimage.", "pd.", "layers.", "augment", "float", "range", "seaborn"))], ids=lambda r: r.new[:40])
def test_a_new_line_runs(rule, names, tmp_path, monkeypatch):
    raised_by(rule, names, tmp_path, monkeypatch)
    run(rule.new, {**names, "x": 0.5 if "interp" in rule.new else np.zeros((4, 4, 3)) if "rescale" in rule.new else names["x"]}, tmp_path, monkeypatch)


def test_the_page_is_made_of_the_table():
    assert PAGE.read_text(encoding="utf-8") == old_keras.page(), "write it anew: python -m common.exercises.old_keras > docs/from-the-course.md"


# What notebooks of such a course import
IMPORTS = ("pandas seaborn tqdm imageio PIL requests cv2 skimage sklearn joblib scipy h5py dlib matplotlib IPython ipywidgets warnings pickle glob shutil zipfile random "
           "skimage.io skimage.transform skimage.feature sklearn.neighbors sklearn.svm sklearn.decomposition sklearn.manifold sklearn.preprocessing sklearn.metrics tqdm.notebook "
           "scipy.ndimage scipy.spatial.distance scipy.io six psutil keras.models keras.layers keras.callbacks keras.regularizers keras.utils keras.applications.vgg16 "
           "tensorflow.keras.models tensorflow.compat.v1 face_recognition mtcnn keras_vggface.vggface imutils imgaug albumentations skvideo moviepy.editor torch torchvision plotly "
           "google.colab wget gdown natsort numba xgboost pydot graphviz tensorboard cPickle keras.layers.convolutional keras.utils.np_utils keras.wrappers.scikit_learn "
           "sklearn.externals.joblib sklearn.cross_validation skimage.viewer urllib2").split()


@pytest.mark.parametrize("name", IMPORTS)
def test_an_import_is_there_or_the_verdict_says_what_is(name):
    try:
        importlib.import_module(name)
    except ImportError as error:
        said = old_keras.advice(type(error).__name__, str(error))
        assert said and "put functions of your own in a cell" not in said, error


def test_these_packages_are_new_enough_for_most_rows(names, tmp_path, monkeypatch):
    """The rows are tried in earnest: with the locked packages all of the old lines raise, with the oldest allowed ones most."""
    raised = 0
    for rule in ROWS:
        try:
            run(rule.old, names, tmp_path, monkeypatch)
        except Exception:
            raised += 1
    assert raised >= 0.7 * len(ROWS)


@pytest.mark.parametrize("kind, text, said", [
    ("ModuleNotFoundError", "No module named 'my_functions'", "in a cell"),
    ("OSError", "[Errno 2] No such file or directory: 'graph/face_net.pb'", "frozen graph"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: '/content/drive/descriptors.pkl'", "pickle"),
    ("ValueError", "cannot reshape array of size 2304 into shape (18,4096)", "128"),
    ("ValueError", "could not broadcast input array from shape (128,) into shape (4096,)", "128"),
    ("ValueError", "the model has no layer 'fc7'; perhaps descriptor, average", "VGG-Face"),
    ("Exception", "URL fetch failure on https://storage.googleapis.com/tensorflow/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5: None", "weights=None"),
    ("PermissionError", "outside the folder of the exercise: 'home/.keras'", "weights=None"),
    ("TypeError", "'int' object is not callable", "as max = 3 does"),
    ("AttributeError", "module 'scipy.ndimage' has no attribute 'imread'", "skimage.io.imread"),
    ("ValueError", "setting an array element with a sequence. The requested array has an inhomogeneous shape after 1 dimensions", "nor None among arrays"),
    ("AttributeError", "'Sequential' object has no attribute 'predict_proba'", "write model.predict(x) today"),
    ("RuntimeError", "`tf.data.Dataset` only supports Python-style iteration in eager mode or within tf.function", "disable_v2_behavior"),
    ("TypeError", "'numpy.ndarray' object is not callable", "square brackets"),
    ("TypeError", "'NoneType' object is not subscriptable", "no such file"),
    ("AttributeError", "'NoneType' object has no attribute 'shape'", "without `return`"),
])
def test_what_is_said_of_files_and_shapes(kind, text, said):
    assert said in old_keras.advice(kind, text)


@pytest.mark.parametrize("text", ["division by zero", "accuracy is low", "list index out of range", "could not broadcast input array", "operands could not be broadcast together",
                                  "cannot reshape array of size 12 into shape (5,)", "name 'preprocess' is not defined", "'NoneType' object has no attribute 'shape'"])
def test_no_advice_where_it_is_about_something_else(text):
    assert old_keras.advice("ValueError", text) == ""


@pytest.fixture
def channels_first():
    import keras

    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def test_what_is_switched_for_all_networks_is_said_instead_of_blaming_a_function(channels_first, capsys):
    """Old notebooks begin with it; then no network of the kit's own works either."""
    from RegionDetector import model
    from RegionDetector.exercises import TASK

    def generate_model(sample_shape):
        return model.generate_model(sample_shape)

    task = type(TASK)(TASK.name, TASK.exercises, TASK.scores)
    task.check(task.exercise(generate_model))
    assert task.verdicts["generate_model"].status == "wrong" and "set_image_data_format('channels_last')" in task.verdicts["generate_model"].message


def test_a_keras_json_of_old_times_changes_nothing(channels_first):
    import keras

    from common import device

    device.prepare()
    assert keras.config.image_data_format() == "channels_last"


def test_tensorflow_as_in_its_first_version_is_said(monkeypatch):
    import tensorflow as tf

    from common.exercises.switched import switched

    assert switched() == ""
    monkeypatch.setattr(tf, "executing_eagerly", lambda: False)
    assert "restart the notebook" in switched()
