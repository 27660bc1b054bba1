"""In grading, what was right in the published course counts; what takes the stub's parameters otherwise is called as in the notebook."""

from types import SimpleNamespace

import numpy as np
import pytest

from common.exercises.exercise import RIGHT, WRONG, Verdict
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.submissions import Submission
from common.grading.tasks import prelude_of, task_of
from RegionDetector.checks import measured

RIGHT_THERE = {
    "RegionDetector": {
        "gen_negative_bbox": """
def gen_negative_bbox(image_shape, bbox_size, true_bboxes):
    while True:
        row, col = np.random.randint(image_shape[0] - bbox_size[0] + 1), np.random.randint(image_shape[1] - bbox_size[1] + 1)
        box = [row, col, row + bbox_size[0], col + bbox_size[1]]
        if is_negative_bbox(box, true_bboxes):
            return box
""",
        "get_positive_negative": """
def get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count=None):
    positive, negative = samples.cut(images, true_bboxes), []
    while len(negative) < (len(positive) if negative_bbox_count is None else negative_bbox_count):
        i = np.random.randint(len(images))
        negative.append([i, *gen_negative_bbox(image_shapes[i], (32, 32), true_bboxes[true_bboxes[:, 0] == i, 1:])])
    return positive / 255, samples.cut(images, negative) / 255
""",
        "detect": """
def detect(image_shapes, images, threshold, fcnn_model, return_decision=True):
    boxes, decision = get_bboxes_and_decision_function(fcnn_model, images, image_shapes)
    sure = decision >= threshold
    return (boxes[sure], decision[sure]) if return_decision else boxes[sure]
""",
        "get_threshold": "def get_threshold(thresholds, recall):\n    return thresholds[np.argmax(recall >= 0.85)]",
    },
    "TrackDetector": {
        "load_image_data": """
import pandas as pd
def load_image_data(dir_name):
    answer = []
    for part in ('train', 'test'):
        table = pd.read_csv(dir_name + '/' + part + '/y_' + part + '.csv')
        answer += [[read_photo(dir_name + '/' + part + '/images/' + n) for n in table.filename], list(table.class_id)]
    return answer
""",
    },
}


@pytest.mark.parametrize("task, name", [(task, name) for task, answers in RIGHT_THERE.items() for name in answers])
def test_right_in_the_published_course(sandbox, task, name):
    verdict = Grader(task_of(task), prelude_of(task), sandbox).check(task_of(task).by_name[name], collect(list(RIGHT_THERE[task].values())))
    assert verdict.status == RIGHT, verdict


def test_one_parameter_too_many_is_said_plainly(sandbox):
    source = collect(["def get_threshold(thresholds, recall, least):\n    return 0"])
    verdict = Grader(task_of("RegionDetector"), prelude_of("RegionDetector"), sandbox).check(task_of("RegionDetector").by_name["get_threshold"], source)
    assert verdict.status == WRONG and verdict.message.startswith("It asks for `least` as well")


# --- networks that are fed with pixels from 0 to 1, or from -1 to 1 ---

NETWORK = """
def generate_model(sample_shape):
    import keras
    from keras import layers
    return keras.Sequential([keras.Input(sample_shape), layers.AveragePooling2D(4), layers.Conv2D(1, 1, activation="tanh"), layers.Flatten(), layers.Dense(2, activation="softmax")])
"""
FED = {"{} / 255": 0.5, "skimage.util.img_as_float32(np.asarray({}))": 0.5, "{} / 127.5 - 1": 0.0, "np.asarray({}, np.float32)": 127.5}  # and the middle


def bright_squares(rng, middle):
    """Dark and bright patches, photos with a bright square, and a network with weights that tells them apart; its tanh is past all change where pixels are too large."""
    space = {}
    exec(NETWORK, space)
    network, steep = space["generate_model"]((32, 32, 3)), 2.0 if middle < 1 else 2.0 / 127.5
    network.set_weights([np.full((1, 1, 3, 1), steep), np.array([-3 * steep * middle]), np.tile([-0.2, 0.2], (64, 1)), np.zeros(2)])
    bright = np.arange(60) % 2
    X = np.where(bright[:, None, None, None], 255, 30) - rng.integers(0, 30, (60, 32, 32, 3))
    images, boxes = rng.integers(0, 30, (3, 176, 176, 3)).astype(np.uint8), np.array([[0, 20, 40, 52, 72], [1, 100, 8, 132, 40], [2, 64, 120, 96, 152]])
    for k, top, left, bottom, right in boxes:
        images[k, top:bottom, left:right] += 220
    return network, measured.Fresh((X.astype(np.uint8), np.eye(2)[bright]), (images, boxes, np.tile([176, 176, 3], (3, 1))), None)


@pytest.mark.parametrize("fed", FED)
def test_a_network_is_measured_on_such_pixels_as_it_is_fitted_to(sandbox, fed, tmp_path):
    """Also where the reference detects with it; what makes the patches asks for a box that the reference draws."""
    network, data = bright_squares(np.random.default_rng(0), FED[fed])
    network.save_weights(tmp_path / "anna.weights.h5")
    text = RIGHT_THERE["RegionDetector"]["get_positive_negative"].partition("return ")[0]
    text = f"import skimage\n{text}return {fed.format('positive')}, {fed.format('samples.cut(images, negative)')}\n"
    source = collect([NETWORK, text])
    grader = Grader(task_of("RegionDetector"), prelude_of("RegionDetector"), sandbox)
    grader.verdicts = {n: Verdict(n, RIGHT if n == "generate_model" else WRONG) for n in grader.task.by_name}
    grader.verdicts["get_positive_negative"] = grader.check(grader.task.by_name["get_positive_negative"], source)
    assert grader.verdicts["get_positive_negative"].status == RIGHT, grader.verdicts["get_positive_negative"]
    answer = measured.measure(grader, source, Submission("anna", tmp_path / "anna.ipynb", (tmp_path / "anna.weights.h5",)), data)
    assert answer["validation_accuracy"][0] == 1 and answer["test_score"][0] > 0.9, answer


@pytest.mark.parametrize("answer, low, high", [
    (lambda p: p / 255, 0, 1), (lambda p: list(p / 127.5 - 1), -1, 1), (lambda p: p, 0, 255), (lambda p: None, 0, 255), (lambda p: [p[0], p[1][:9]], 0, 255), (lambda p: p[:0], 0, 255),
])
def test_it_is_fitted_to_such_pixels_as_well(answer, low, high):
    """Where the patches are not what they were when they were judged, it is fitted to pixels as in the photos."""
    seen = []
    remote = SimpleNamespace(own={"get_positive_negative"}, run=lambda path, model, *given: seen.extend(given))
    remote.other = lambda name: lambda *given: "network" if name == "generate_model" else (answer(measured.coded_photos()[:, :32, :32]), None)
    X = np.zeros((8, 32, 32, 3), np.uint8)
    X[::3], Y = 255, np.eye(2)[np.arange(8) % 2]
    measured._fitted(remote, Submission("anna", None), measured.Fresh((X, Y), (), (X, Y)), 5, measured._as_fed(remote))
    fitted, _, checked, _, seconds = seen
    assert (fitted.min(), fitted.max(), checked.min(), checked.max(), seconds) == (low, high, low, high, 5.0) and fitted.shape == X.shape
