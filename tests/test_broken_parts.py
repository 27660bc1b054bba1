"""A broken part costs its own marks only: every exercise with each of those that it uses broken in every way."""

import os
from dataclasses import replace

import pytest
from coursework import answer

from common.exercises.exercise import NOT_ATTEMPTED, RIGHT, WRONG
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.grading.tasks import prelude_of
from RegionDetector.exercises import TASK as REGION
from TrackDetector.exercises import TASK as TRACK

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")

# What runs, and is wrong in the terms of the task
WRONG_ANSWERS = {
    "gen_negative_bbox": "def gen_negative_bbox(image_shape, bbox_size, true_bboxes, rng=None):\n    return [0, 0, 32, 32]",
    "generate_model": ("import keras\ndef generate_model(sample_shape):\n"
                       "    return keras.Sequential([keras.Input(sample_shape), keras.layers.Flatten(), keras.layers.Dense(1, activation='sigmoid')])"),
    "generate_fcnn_model": "import keras\ndef generate_fcnn_model(image_shape):\n    return keras.Sequential([keras.Input(image_shape), keras.layers.Conv2D(2, 3)])",
    "copy_weights": "def copy_weights(base_model, fcnn_model):\n    fcnn_model.set_weights([0 * w for w in fcnn_model.get_weights()])",
    "get_bboxes_and_decision_function": ("def get_bboxes_and_decision_function(fcnn_model, images, image_shapes, box_shape=(32, 32)):\n"
                                         "    return [[0, 0, 0, 32, 32], [0, 9, 9, 41, 41], [1, 5, 5, 37, 37]], [0.5, 0.25, 0.125]"),
    "detect": "def detect(fcnn_model, images, image_shapes, threshold, return_decision=True, box_shape=(32, 32)):\n    return [[0, 0, 0, 32, 32]], [threshold - 1]",
    "preprocess_imgs": ("import cv2, numpy as np\ndef preprocess_imgs(imgs):\n    imgs = list(imgs.values()) if isinstance(imgs, dict) else imgs\n"
                        "    return np.array([cv2.resize(i, (224, 224)) for i in imgs]), np.ones(len(imgs), bool)"),
}
WAYS = ("raises", "wrong type", "wrong answer", "missing", "hangs")
CASES = [(task, item.name, used, way) for task in (REGION, TRACK) for item in task.exercises for used in item.uses for way in WAYS]


def broken(name, way):
    """A function that is broken."""
    body = {"raises": "raise RuntimeError('broken')", "wrong type": "return 'something else'", "hangs": "while True: pass"}
    return {"missing": None, "wrong answer": WRONG_ANSWERS[name]}.get(way, f"def {name}(*args, **more):\n    {body.get(way)}")


class Bench:
    """Judges single exercises of notebooks; what the broken ones are judged is found out once."""

    def __init__(self, sandbox):
        self.sandbox, self.known = sandbox, {}

    def grader(self, task, impatient=()):
        """A grader that waits for some exercises for a moment only."""
        items = tuple(replace(e, seconds=4) if e.name in impatient else e for e in task.exercises)
        return Grader(replace(task, exercises=items), prelude_of(task.name), self.sandbox)

    def of_broken(self, task, name, way):
        """The verdict on a broken function, and whether it hangs."""
        if (name, way) not in self.known:
            grader, text = self.grader(task, (name,)), broken(name, way)
            verdict = grader.check(grader.task.by_name[name], collect([text] if text else []))
            self.known[name, way] = verdict, name in grader.stuck
        return self.known[name, way]

    def verdict(self, task, name, instead):
        """The verdict on an exercise, with the reference's source for it and what it uses, but some of these replaced; and the grader.

        `instead` goes from name to source (None: missing); a name in it that is not right must come with its verdict in `self.known`.
        """
        item = task.by_name[name]
        sources = {n: answer(task.by_name[n]) for n in (*item.uses, name)} | instead
        return collect([text for text in sources.values() if text])


@pytest.fixture(scope="module")
def bench(sandbox):
    return Bench(sandbox)


@pytest.mark.slow
@pytest.mark.parametrize("task, name, used, way", CASES, ids=[f"{name}-{used}-{way}" for _, name, used, way in CASES])
def test_a_broken_part_costs_its_own_marks_only(bench, task, name, used, way):
    of_broken, hangs = bench.of_broken(task, used, way)
    assert of_broken.status == (NOT_ATTEMPTED if way == "missing" else WRONG) and "StandIn" not in of_broken.message
    assert hangs == (way == "hangs"), of_broken
    grader, item = bench.grader(task), task.by_name[name]
    for other in item.uses:  # those are right, which the test of every reference shows
        grader.verdicts[other] = replace(of_broken, name=other, status=RIGHT) if other != used else of_broken
    grader.stuck = {used} if hangs else set()
    verdict = grader.check(item, bench.verdict(task, name, {used: broken(used, way)}))
    assert (verdict.status, verdict.marks) == (RIGHT, item.marks), verdict
