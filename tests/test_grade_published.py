"""In grading, what was right in the published course counts; what takes the stub's parameters otherwise is called as in the notebook."""

import pytest

from common.exercises.exercise import RIGHT, WRONG
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.tasks import prelude_of, task_of

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
