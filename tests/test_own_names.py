"""A notebook's own names mean what its cells make of them, also where the kit's notebook has such a name; and of several reasons the true one is told."""

import os

import pytest

from common.exercises.exercise import RIGHT, WRONG
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.tasks import prelude_of, task_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")

KERAS = "from keras.models import Model, Sequential\nfrom keras.layers import Input, Conv2D, MaxPooling2D, Flatten, Dense"
NETWORK = """
def generate_model(sample_shape):
    x = start = Input(sample_shape)
    x = MaxPooling2D(2)(Conv2D(6, 5, activation='relu')(x))
    x = Flatten()(MaxPooling2D(2)(Conv2D(10, 3, activation='relu')(x)))
    return Model(start, Dense(2, activation='softmax')(Dense(20, activation='relu')(x)))
"""
OF_ITS_LAYERS = """
def generate_fcnn_model(image_shape):
    chain, side = [Input(image_shape)], NAME.layers[-3].input.shape[1]
    for layer in NAME.layers[1:]:
        if isinstance(layer, Dense):
            chain.append(Conv2D(layer.units, side, activation='relu' if layer.units > 2 else 'linear'))
            side = 1
        elif not isinstance(layer, Flatten):
            chain.append(layer.__class__.from_config(layer.get_config()))
    return Sequential(chain)
"""


def verdict(sandbox, task, name, *cells):
    return Grader(task_of(task), prelude_of(task), sandbox).check(task_of(task).by_name[name], collect(cells))


@pytest.mark.parametrize("name", ["model", "detector", "face", "classifier_net"])
def test_a_network_of_the_notebook_under_any_name(sandbox, name):
    """`model` and `detector` are modules in the kit's notebook, `face` is a box."""
    own = OF_ITS_LAYERS.replace("NAME", name)
    found = verdict(sandbox, "RegionDetector", "generate_fcnn_model", KERAS, NETWORK, f"{name} = generate_model((32, 32, 3))\n{name}.summary()", own)
    assert found.status == RIGHT, found
    found = verdict(sandbox, "RegionDetector", "generate_fcnn_model", KERAS, NETWORK, f"{name} = generate_model((32, 32, 3))", own.replace("side = 1", "side = 3"))
    assert found.status == WRONG, found


def test_what_the_kits_notebook_has_is_there_for_who_does_not_make_it():
    """Names of loops in other notebooks take nothing away that these import."""
    prelude = prelude_of("RegionDetector")
    assert prelude.around(collect(["x = 3", "def f():\n    return model"])) == prelude.statements
    assert prelude.around(collect(["from RegionDetector import model", "model = model.generate_model((32, 32, 3))"])) == prelude.statements
    less = prelude.around(collect(["model = compute()", "for EPOCHS in compute():\n    pass"]))
    assert set(prelude.statements) - set(less) == {"from RegionDetector import model"}  # EPOCHS stands beside others


TWO_FAULTS = """
from TrackDetector.descriptors import get_layer_output
class Classifier:
    def __init__(self, nn_model):
        self.net = nn_model
    def numbers(self, image):
        crop = preprocess_imgs([image])[0]
        assert crop.shape == (224, 224, 3), crop.shape
        return get_layer_output(crop[None], model=self.net)[0]
    def fit(self, train_imgs, train_labels):
        self.known = [(self.numbers(image), train_labels[name]) for name, image in train_imgs.items()]
    def classify_images(self, test_imgs):
        mine = {name: self.numbers(image) for name, image in test_imgs.items()}; return {name: min(self.known, key=lambda pair: ((pair[0] - mine[name]) ** 2).sum())[who] for name in mine}
    def classify_videos(self, test_video):
        return {name: None for name in test_video}
"""


def test_beside_a_broken_part_its_own_fault_is_told_and_not_that_of_a_form(sandbox):
    """The kit's preprocess_imgs says also where it found a face; his gives crops alone, of another size."""
    small = "import cv2\ndef preprocess_imgs(imgs):\n    return [cv2.resize(image, (200, 200)) for image in imgs]"
    found = verdict(sandbox, "TrackDetector", "Classifier", small, TWO_FAULTS)
    assert found.status == WRONG and "name 'who' is not defined (line 12 of " in found.message, found


def test_with_nothing_broken_a_form_does_not_speak(sandbox):
    """He takes crops out of the pair that the kit's preprocess_imgs gives, as there is none of his own."""
    by_order = TWO_FAULTS.replace("[0]\n        assert", "[0][0]\n        assert").replace("train_labels[name]) for name, image in train_imgs.items()]", "who) for who, image in zip(train_labels.values(), train_imgs.values())]").replace(
        "[who]", "[1]")
    found = verdict(sandbox, "TrackDetector", "Classifier", by_order)
    assert found.status == WRONG and "as if labels were taken by their order" in found.message, found


CHAIN = ["import torch.nn as nn\nimport numpy as np", "class Net(nn.Module):\n    pass", "def generate_model(sample_shape):\n    return Net()"]


def test_a_name_that_is_missing_is_followed_to_where_it_began(sandbox):
    found = verdict(sandbox, "RegionDetector", "generate_model", *CHAIN)
    assert found.status == WRONG and found.message.index("'Net' is not defined") < found.message.index("No module named 'torch'") < found.message.index("in this one's place: keras"), found
    # two that lack each other are no end
    found = verdict(sandbox, "RegionDetector", "generate_model", "class A(B):\n    pass", "class B(A):\n    pass", "def generate_model(sample_shape):\n    return A()")
    assert found.status == WRONG and found.message.count("class A(B)") == 1, found


def test_nobody_answers_questions(sandbox):
    found = verdict(sandbox, "RegionDetector", "get_threshold", "def get_threshold(thresholds, recall):\n    return float(input('threshold?'))")
    assert found.status == WRONG and "Nobody answers input()" in found.message, found


@pytest.mark.parametrize("cells, told", [
    (["%run -i src/mine.py", "USED"], "No module named 'mine'"), (["from .mine import best", "USED"], "A notebook is in no package"),
    (["import json", "def best(t, r):\n    return json.load(open('settings.json'))", "USED"], "does not run cells again that write one"),
    (["def best(t, r):\n    return open('/content/drive/MyDrive/t.csv')", "USED"], "no drive of Colab's"),
])
def test_what_lay_beside_the_notebook_is_not_there(sandbox, cells, told):
    cells = [c.replace("USED", "def get_threshold(thresholds, recall):\n    return best(thresholds, recall)") for c in cells]
    found = verdict(sandbox, "RegionDetector", "get_threshold", *cells)
    assert found.status == WRONG and told in found.message and "no file of yours but the notebook" in found.message, found


LOADS = ["DATA = ROOT / 'data'\ntrain_images, train_bboxes, train_shapes = get_data.load_dataset(DATA, 'train', SOURCE)", "limits = train_images.mean()"]


@pytest.mark.parametrize("cells", [LOADS, []])
def test_photos_of_the_notebook_are_not_there(sandbox, cells):
    """Neither those that its cells load, nor those that the kit's notebook has and this one has not; no word of a name that the kit's cells make."""
    found = verdict(sandbox, "RegionDetector", "get_threshold", *cells, f"def get_threshold(thresholds, recall):\n    return {'limits' if cells else 'X_train'}")
    assert found.status == WRONG and found.message.endswith("data and networks are not there in grading: give the function what it needs as an argument, or make it in the function."), found


def test_many_scales_may_be_searched_before_the_detector_is_written(sandbox):
    """At home the kit's own stands in for a stub; so it does in grading."""
    body = "def multiscale_detector(fcnn_model, images, image_shapes):\n    return get_bboxes_and_decision_function(fcnn_model, [images[0]], image_shapes[:1])"
    found = verdict(sandbox, "RegionDetector", "multiscale_detector", body)
    assert found.status == WRONG and "is not defined" not in found.message and "no box on the bright spot" in found.message, found


def test_magic_that_a_function_asks_for_does_nothing(sandbox):
    body = "def get_threshold(thresholds, recall):\n    get_ipython().run_line_magic('matplotlib', 'inline')\n    return min(t for t in thresholds if COLAB) if COLAB else max(t for t, r in zip(thresholds, recall) if r >= 0.85)"
    found = verdict(sandbox, "RegionDetector", "get_threshold", "COLAB = 'google.colab' in str(get_ipython())", body)
    assert found.status == RIGHT, found


@pytest.mark.parametrize("body, told", [("thresholds[list(recall).index(0.85)]", "a recall of exactly 0.85"), ("[t for t, r in zip(thresholds, recall) if r >= 85][-1]", "85 % is 0.85"),
                                        ("next(t for t, r in zip(thresholds, recall) if r == 0.85)", "a recall of exactly 0.85"), ("thresholds[[0, 9][1]]", "raises IndexError")])
def test_what_a_threshold_looks_for_and_does_not_find(sandbox, body, told):
    found = verdict(sandbox, "RegionDetector", "get_threshold", f"def get_threshold(thresholds, recall):\n    return {body}")
    assert found.status == WRONG and told in found.message, found


IN_A_FILE = "%%writefile helpers.py\nimport numpy as np\n\ndef enough(recall, least=0.85):\n    return np.asarray(recall) >= least\n"
ADDED = "%%writefile -a helpers.py\ndef get_threshold(thresholds, recall):\n    return float(np.max(np.asarray(thresholds)[enough(recall)]))\n"


@pytest.mark.parametrize("cells, status", [
    ([IN_A_FILE, "from helpers import enough", "def get_threshold(t, r):\n    return max(a for a, b in zip(t, enough(r)) if b)"], RIGHT),
    ([IN_A_FILE, "import helpers as h", "def get_threshold(t, r):\n    return max(a for a, b in zip(t, h.enough(r)) if b)"], RIGHT),
    ([IN_A_FILE, ADDED, "from helpers import *"], RIGHT),
    ([IN_A_FILE, ADDED.replace("np.max", "np.min"), "from helpers import get_threshold"], WRONG),
    ([IN_A_FILE, ADDED, "%run helpers.py"], RIGHT), ([IN_A_FILE, ADDED, "%run -i './helpers'"], RIGHT),
    ([IN_A_FILE, ADDED], WRONG),  # nobody imports it
    ([IN_A_FILE.replace("helpers.py", "../helpers.py"), "from helpers import enough", "def get_threshold(t, r):\n    return max(a for a, b in zip(t, enough(r)) if b)"], WRONG),
])
def test_a_module_that_a_cell_writes(sandbox, cells, status):
    found = verdict(sandbox, "RegionDetector", "get_threshold", *cells)
    assert found.status == status, found


def test_a_module_of_a_cell_is_run_in_the_sandbox_alone(sandbox, tmp_path):
    """It is text until then, and what it may do there is what any cell may."""
    victim = tmp_path / "made"
    found = verdict(sandbox, "RegionDetector", "get_threshold", f"%%writefile bad.py\nopen({str(victim)!r}, 'w')\n", "import bad",
                    "def get_threshold(thresholds, recall):\n    return bad.best(thresholds, recall)")
    assert found.status == WRONG and not victim.exists(), found


def test_modules_in_modules_are_no_crash():
    source = collect(["%%writefile a.py\n" * 5000 + "def f():\n    return 1", "%%file b.py\ndef g():\n    return 2\n", "%%writefile notes.txt\ndef h(): pass"])
    assert set(source.modules) == {"a", "b"} and "g" in source.defined and "h" not in source.defined


@pytest.mark.parametrize("name", ["target", "marks", "solution"])
def test_values_that_are_called_as_helpers_of_the_kits_notebook(sandbox, name):
    uses = f"def get_threshold(thresholds, recall):\n    return max(t for t, r in zip(thresholds, recall) if r >= {name})"
    assert verdict(sandbox, "RegionDetector", "get_threshold", f"{name} = sorted([0.85, 2])[0]", uses).status == RIGHT
    assert verdict(sandbox, "RegionDetector", "get_threshold", f"{name} = sorted([0.95, 2])[0]", uses).status == WRONG
    # and where the notebook has no such value, the helpers are there for who calls them
    assert verdict(sandbox, "RegionDetector", "get_threshold", uses.replace(name, "0.85"), f"{name}(get_threshold)").status == RIGHT


def test_a_reason_is_told_once(sandbox):
    found = verdict(sandbox, "RegionDetector", "get_threshold", "from numba import njit", "@njit\ndef get_threshold(thresholds, recall):\n    return thresholds[0]")
    assert found.message.count("No module named 'numba'") == 1, found


@pytest.mark.parametrize("body, told", [
    # for lists: a + b puts one behind the other; the decisions of all boxes beside those that are kept
    ("pairs = [[d] + box for d, box in sorted(zip(decision_function, pred_bboxes))]\n    return [best_match([p[1:] for p in pairs[k:]], true_bboxes, decision_function) for k in range(len(pairs))]",
     "13 predicted boxes but 14 values"),
    # for arrays: the same fault
    ("return [best_match(pred_bboxes[decision_function >= t], true_bboxes, decision_function) for t in sorted(decision_function)]", "13 predicted boxes but 14 values"),
])
def test_the_fault_of_the_form_that_is_his(sandbox, body, told):
    found = verdict(sandbox, "RegionDetector", "precision_recall_curve", f"from scores import best_match\ndef precision_recall_curve(pred_bboxes, true_bboxes, decision_function):\n    {body}")
    assert found.status == WRONG and told in found.message, found
