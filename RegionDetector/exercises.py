"""The exercises of RegionDetector: marks, checks, hints, and which function is the answer.

In the notebook::

    from RegionDetector.exercises import check, exercise, hint, marks, solution, target

    @exercise
    def gen_negative_bbox(image_shape, bbox_size, true_bboxes):
        raise NotImplementedError

    check(gen_negative_bbox)
"""

from common.exercises.exercise import Exercise, Score, Task
from RegionDetector.checks import curves as on_curves
from RegionDetector.checks import detected as on_detected
from RegionDetector.checks import detector as on_detector
from RegionDetector.checks import networks as on_networks
from RegionDetector.checks import optional, targets
from RegionDetector.checks import patches as on_patches
from RegionDetector.checks import thresholds as on_thresholds
from RegionDetector.checks.example import EXAMPLE

SAMPLES, MODEL, DETECTOR = "RegionDetector.samples", "RegionDetector.model", "RegionDetector.detector"
PEAKS = tuple(f"{DETECTOR}:{name}" for name in ("_vertex", "find_peaks", "_suppress", "boxes_from_maps"))
PEAKS_NEED = tuple(f"{DETECTOR}:{name}" for name in ("WINDOW", "NMS_IOU", "NEIGHBOURHOOD", "cell_stride", "heat_maps"))
HARD = ("train_images", "image_shapes", "train_bboxes", "X_val", "Y_val", "base_model", "fcnn_model", "X_train", "Y_train", "datagen", "rounds", "epochs", "box_shape", "seed")

EXERCISES = (
    Exercise(
        "gen_negative_bbox", "1 prepare data", 0.5, on_patches.check_gen_negative_bbox,
        ("Draw the upper left corner at random; the box must end inside the photo, so its row goes up to height - box height.",
         "Draw again while the box is no negative one: is_negative_bbox(bbox, true_bboxes).",
         "rng.integers(n) stays below n: rng.integers(height - box_height + 1) reaches the last row."),
        f"{SAMPLES}:gen_negative_bbox", shared=(f"{SAMPLES}:TRIES", f"{SAMPLES}:is_negative_bbox"), picture=targets.negative_boxes,
        takes=("image_shape", "bbox_size", "true_bboxes", "rng"), spare=("rng",),
    ),
    Exercise(
        "get_positive_negative", "1 prepare data", 0.5, on_patches.check_get_positive_negative,
        ("For every face: the 32 x 32 window around its middle, out of the photo that the first number of its box names.",
         "For every negative patch: a random photo, then gen_negative_bbox with the shape and the faces of that photo alone.",
         "Go on drawing until there are exactly negative_bbox_count of them."),
        f"{SAMPLES}:get_positive_negative", shared=tuple(f"{SAMPLES}:{n}" for n in ("TRIES", "SAMPLE_SHAPE", "_by_image", "_expect_inside", "cut")),
        uses=("gen_negative_bbox",), picture=targets.patches, takes=("images", "true_bboxes", "image_shapes", "negative_bbox_count", "rng"),
        spare=("rng",),
    ),
    Exercise(
        "generate_model", "2 classifier", 1, on_networks.check_generate_model,
        ("Two rounds of Conv2D and MaxPooling2D, then Flatten and a few Dense layers.",
         "The pixels go from 0 to 255: begin with layers.Rescaling(1 / 127.5, offset=-1).",
         "The last layer is Dense(2, activation='softmax')."),
        f"{MODEL}:generate_model", shared=(f"{MODEL}:SAMPLE_SHAPE",), seconds=120, takes=("sample_shape",),
    ),
    Exercise(
        "generate_fcnn_model", "3 FCNN", 1, on_networks.check_generate_fcnn_model,
        ("Copy generate_model and replace Flatten and every Dense layer by convolutions.",
         "The first dense layer sees an 8 x 8 map: it becomes Conv2D(units, 8) without padding.",
         "The other dense layers become Conv2D(units, 1); the last one needs no softmax."),
        f"{MODEL}:generate_fcnn_model", shared=(f"{MODEL}:IMAGE_SHAPE",), uses=("generate_model", "copy_weights"), seconds=90, takes=("image_shape",),
        stand_in="RegionDetector.networks.stand_in:fcnn_of_own_classifier",
    ),
    Exercise(
        "copy_weights", "3 FCNN", 1, on_networks.check_copy_weights,
        ("base_model.get_weights() gives a list of arrays; those of the FCNN have the same sizes in the same order.",
         "Reshape each to the shape of its partner and hand the list to fcnn_model.set_weights."),
        f"{MODEL}:copy_weights", uses=("generate_model", "generate_fcnn_model"), seconds=90, takes=("base_model", "fcnn_model"),
    ),
    Exercise(
        "get_bboxes_and_decision_function", "4 detector", 1, on_detector.check_get_bboxes_and_decision_function,
        ("The heat map is the answer 'face', or better 'face' minus 'not a face'. A face is where a cell is greater than its neighbours.",
         "skimage.feature.peak_local_max finds such cells (with exclude_border=False also those at the edge); scipy.ndimage.maximum_filter helps as well.",
         "Cell (i, j) looks at the window from pixel (4 i, 4 j) to (4 i + 32, 4 j + 32)."),
        f"{DETECTOR}:get_bboxes_and_decision_function",
        PEAKS, PEAKS_NEED,
        forms=("RegionDetector.checks.detector:as_lists",), form=on_detector.detections, spare=("box_shape",),
        picture=targets.boxes_on_spots, seconds=60, takes=("fcnn_model", "images", "image_shapes", "box_shape"),
    ),
    Exercise(
        "precision_recall_curve", "5 precision and recall", 1, on_curves.check_precision_recall_curve,
        ("Match once, with best_match over all boxes: its matched pairs say which detections are hits.",
         "Sort the detections by falling decision; then the sums of the hits so far (np.cumsum) give all points at once. Of boxes with equal decision only the last one is a point.",
         "precision = hits so far / boxes so far, recall = hits so far / number of all faces."),
        "common.scores:precision_recall_curve", ("common.scores:_curve",),
        tuple(f"common.scores:{name}" for name in ("COURSE_IOU", "_checked", "_overlapping_pairs", "_greedy")),
        takes=("pred_bboxes", "true_bboxes", "decision_function"), form=on_curves.curve,
    ),
    Exercise(
        "get_threshold", "6 threshold", 0.5, on_thresholds.check_get_threshold,
        ("Of all thresholds with a recall of at least 0.85, which one lets the fewest false boxes through?",
         "Index one array by a condition on another, as in a[b > 0], and take the greatest element."),
        f"{DETECTOR}:get_threshold", ("common.scores:threshold_at_recall",), takes=("thresholds", "recall"), form=on_thresholds.one_number,
    ),
    Exercise(
        "detect", "6 threshold", 0.5, on_detected.check_detect,
        ("Call get_bboxes_and_decision_function and keep what has a decision of at least the threshold.",),
        f"{DETECTOR}:detect", shared=(f"{DETECTOR}:WINDOW",), uses=("get_bboxes_and_decision_function",), seconds=60,
        takes=("fcnn_model", "images", "image_shapes", "threshold", "return_decision", "box_shape"), spare=("box_shape",), form=on_detector.detections,
    ),
    Exercise(
        "hard_negative", "optional", 0, optional.check_hard_negative,
        ("Boxes of get_bboxes_and_decision_function on training photos that overlap every face by less than 0.3 IoU are hard negatives: samples.false_alarms.",
         "Cut them, add them to the negative patches, fit again, load the best epoch, copy the weights."),
        "RegionDetector.hard_negatives:hard_negative", (*PEAKS, "RegionDetector.hard_negatives:*"),
        (*PEAKS_NEED, f"{MODEL}:fit", f"{MODEL}:get_checkpoint", *(f"{SAMPLES}:{name}" for name in ("cut", "false_alarms"))),
        uses=("get_bboxes_and_decision_function", "copy_weights"), seconds=120, takes=HARD, spare=("box_shape", "seed"),
    ),
    Exercise(
        "multiscale_detector", "optional", 0, optional.check_multiscale_detector,
        ("Shrink the photo step by step, detect at every size, and divide the boxes by the scale.",
         "The same face answers at several sizes: common.boxes.non_maximum_suppression."),
        "RegionDetector.multiscale:multiscale_detector",
        (*PEAKS, "RegionDetector.multiscale:*"),
        (*PEAKS_NEED, f"{DETECTOR}:face_answer"),
        uses=("generate_model", "generate_fcnn_model", "copy_weights", "get_bboxes_and_decision_function", "detect"), seconds=120,
        takes=("fcnn_model", "images", "image_shapes", "box_shape", "min_face", "progress"), spare=("box_shape", "min_face", "progress"), form=on_detector.detections,
    ),
)

SCORES = (
    Score("validation_accuracy", "2 classifier", "validation accuracy", ((0.90, 1.0),), ("generate_model",), above=True),
    Score("best_epoch", "2 classifier", "1 if the best epoch is loaded:", ((1.0, 1.0),), ("generate_model",)),
    Score("test_score", "7 test score", "area under the precision/recall curve of the test photos", ((0.85, 1.0),),
          ("generate_model",)),
)

TASK = Task("RegionDetector", EXERCISES, SCORES)
example = EXAMPLE
exercise, check, hint, solution, target, marks = TASK.exercise, TASK.check, TASK.hint, TASK.solution, TASK.target, TASK.marks


def best_epoch_loaded(model, history, X_val, Y_val):
    """1.0 if the model has the weights of its best epoch, else 0.0: for ``check("best_epoch", ...)``.

    Best is the epoch with the least validation loss or the greatest validation accuracy; loss and
    accuracy of the model must be those of that epoch.
    """
    import numpy as np

    names = {"val_loss": min, "val_accuracy": max}
    measured = model.evaluate(np.asarray(X_val), np.asarray(Y_val), verbose=0, return_dict=True)
    for name, best in names.items():
        values, now = history.history.get(name), measured.get(name.removeprefix("val_"))
        if values and now is not None and abs(best(values) - now) < 2e-3:
            return 1.0
    return 0.0
