"""What a check calls right goes through the notebook's next cells, and they give what the reference gives."""

import numpy as np
import pytest
import test_checks_copying as copies
import test_checks_curves as curves
import test_checks_data as data
import test_checks_detector as finding
import test_checks_faces as crops
import test_checks_naming as people
import test_checks_networks as networks
import test_checks_optional as optional
import test_checks_patches as patches
from few_photos import some
from notebook_cells import Cells

from common import scores
from common.boxes import iou
from RegionDetector import model as reference_models
from RegionDetector.exercises import TASK as REGION
from TrackDetector.exercises import TASK as TRACK

FIT = ("make-model", "fit-model", "plot-fit", "load-best", "worst-patches")
CONVERT = ("make-fcnn", "conversion", "check-exact", "check-borders", "receptive-field", "show-heat-maps", "explore-window")
SCORE = ("pr-curve", "show-int32", "choose-threshold", "explore-threshold", "worst-first", "missed-by-light", "score-test", "show-test")


@pytest.fixture(scope="module")
def detecting(tmp_path_factory, remembered_maps):
    """Face_Detection.ipynb as far as the exercises, with the references."""
    cells = Cells(REGION, SOURCE="demo", SEED=0, EPOCHS=5, COPIES=2, MINING_ROUNDS=1, MINING_EPOCHS=1, BUILD=tmp_path_factory.mktemp("build"))
    for part, count in (("train", 90), ("val", 30), ("test", 12)):
        cells.space.update(zip((f"{part}_images", f"{part}_bboxes", f"{part}_shapes"), some(part, count)))
    cells.space.update(DATA_NAME="a few scenes", MIN_FACE=40)
    cells.run("explore-iou", "cut-samples", "show-augmentation", *FIT, *CONVERT)
    cells.run("find-boxes", "show-boxes", *SCORE)
    cells.space.update(zip(("photos", "photo_bboxes", "photo_shapes"), some("test", 1)))
    return cells


def right(*lists):
    """(name, answer) of several lists, for `parametrize`."""
    return [pytest.param(f, id=name) for answers in lists for name, f in answers.items()]


@pytest.mark.parametrize("f", right(patches.BOX_RIGHT))
def test_negative_boxes(detecting, f):
    space = detecting.with_answers(gen_negative_bbox=f).run("negative-example").space
    boxes, shape = np.array(space["boxes"], float)[:, 1:], space["train_shapes"][space["photo"]]
    assert len(boxes) == 8 and (iou(boxes, space["faces"]) < 0.1).all() and (boxes[:, 2:] <= shape[:2]).all() and len(np.unique(boxes, axis=0)) > 3


@pytest.mark.parametrize("f", right(patches.PATCH_RIGHT))
def test_patches(detecting, f):
    space = detecting.with_answers(get_positive_negative=f).run("cut-samples", "show-samples").space
    want, faces = detecting.space["X_val"], len(space["val_bboxes"])
    positive = space["X_val"][space["Y_val"][:, 1] == 1]
    assert len(space["X_val"]) >= 2 * faces and space["Y_val"].sum(axis=0).tolist() == [len(positive)] * 2
    # the same faces, cut or resized (then hair and chin lie elsewhere); negative ones are drawn anew
    assert np.abs(positive[:faces].astype(float) - want[:faces]).mean() < 45 and space["X_train"].max() > 200
    p = np.asarray(space["classifier"].predict(space["X_val"].astype("float32"), verbose=0)).argmax(axis=1)
    assert (p == space["Y_val"].argmax(axis=1)).mean() > detecting.space["accuracy"]["val"] - 0.25


def fewer(space):
    """Every third training patch: enough for a loss that falls."""
    return {name: space[name][::3] for name in ("X_train", "Y_train")}


@pytest.mark.parametrize("f", right(networks.MODEL_RIGHT))
def test_classifiers(detecting, f):
    """The loss that fits their last layer falls."""
    cells = detecting.with_answers(generate_model=f)
    cells.space.update(EPOCHS=3, **fewer(cells.space))
    cells.run(*FIT)
    loss = cells.space["history"].history["loss"]
    assert np.isfinite(loss).all() and loss[-1] < loss[0]


@pytest.mark.parametrize("name", ["small, softmax", "linear", "softmax in a layer of its own"])
def test_classifiers_of_ones_own_before_the_fcnn_is_written(detecting, name):
    """The reference's FCNN would not take their weights: what stands in is made of them."""
    def generate_fcnn_model(image_shape):
        raise NotImplementedError

    cells = detecting.with_answers(generate_model=networks.MODEL_RIGHT[name])
    cells.space.update(generate_fcnn_model=cells.task.exercise(generate_fcnn_model), EPOCHS=1, **fewer(cells.space))
    cells.run("make-model", "fit-model", "load-best", *CONVERT, "find-boxes")
    assert cells.space["max_difference"] < 1e-4 and len(cells.space["pred_bboxes"])


@pytest.mark.parametrize("f", [pytest.param(reference_models.generate_fcnn_model, id="reference"), pytest.param("softmax", id="softmax"), pytest.param("any size", id="any size")])
def test_fully_convolutional_networks(detecting, f):
    import keras

    def generate_fcnn_model(image_shape):
        linear = reference_models.generate_fcnn_model((None, None, 3) if f == "any size" else image_shape)
        return keras.Sequential([keras.Input(image_shape), *linear.layers, keras.layers.Softmax()]) if f == "softmax" else linear

    space = detecting.with_answers(generate_fcnn_model=generate_fcnn_model if isinstance(f, str) else f).run(*CONVERT, "find-boxes", *SCORE[:3]).space
    assert space["max_difference"] < 1e-4
    assert abs(space["both"]["auc_pr"] - detecting.space["both"]["auc_pr"]) < 0.05


@pytest.mark.parametrize("f", right(copies.COPY_RIGHT))
def test_copied_weights(detecting, f):
    space = detecting.with_answers(copy_weights=f).run("make-fcnn", "check-exact").space
    assert space["max_difference"] < 1e-4
    for mine, want in zip(space["fcnn"].get_weights(), detecting.space["fcnn"].get_weights()):
        np.testing.assert_array_equal(mine, want)


@pytest.mark.parametrize("f", right(finding.FIND_RIGHT))
def test_boxes(detecting, f):
    space = detecting.with_answers(get_bboxes_and_decision_function=f).run("find-boxes", "show-boxes", *SCORE).space
    # the reference looks at the mirror image as well, and between the cells
    assert abs(space["both"]["auc_pr"] - detecting.space["both"]["auc_pr"]) < 0.1
    assert abs(space["results"]["test"]["auc_pr"] - detecting.space["results"]["test"]["auc_pr"]) < 0.2  # a dozen photos
    middle = (detecting.space["pred_bboxes"][:, 3:] - detecting.space["pred_bboxes"][:, 1:3]).max(axis=0)
    sides = (space["pred_bboxes"][:, 3:] - space["pred_bboxes"][:, 1:3]).max(axis=0)
    assert np.abs(middle - sides).max() < 1.5


@pytest.mark.parametrize("f", right(curves.CURVE_RIGHT))
def test_curves(detecting, f):
    space = detecting.with_answers(precision_recall_curve=f).run("pr-curve", "show-int32", *SCORE[2:4], "score-test").space
    want = detecting.space
    assert scores.auc(space["recall"], space["precision"]) == pytest.approx(scores.auc(want["recall"], want["precision"]), abs=0.01)
    for name, curve in want["curves"].items():
        assert scores.auc(*space["curves"][name][::-1]) == pytest.approx(scores.auc(*curve[::-1]), abs=0.01)
    assert space["THRESHOLD"] == pytest.approx(want["THRESHOLD"], abs=1e-6)


@pytest.mark.parametrize("f, curve", [pytest.param(*pair, id=name) for name, pair in curves.THRESHOLD_RIGHT.items()])
def test_thresholds(detecting, f, curve):
    cells = detecting.with_answers(get_threshold=f, **({"precision_recall_curve": curve} if curve else {})).run("pr-curve", *SCORE[2:5], "score-test")
    assert cells.space["THRESHOLD"] == pytest.approx(detecting.space["THRESHOLD"])
    assert cells.space["results"]["test"]["precision"] == pytest.approx(detecting.space["results"]["test"]["precision"])


@pytest.mark.parametrize("f", right(finding.DETECT_RIGHT))
def test_what_is_above_the_threshold(detecting, f):
    space = detecting.with_answers(detect=f).run("choose-threshold", "worst-first", "missed-by-light").space
    order = np.lexsort(space["kept"].T), np.lexsort(detecting.space["kept"].T)
    np.testing.assert_allclose(space["kept"][order[0]], detecting.space["kept"][order[1]], atol=0.01)


@pytest.mark.parametrize("f", right({name: optional.SCALE_RIGHT[name] for name in ("reference", "arrays, larger steps")}))
def test_faces_of_every_size(detecting, f):
    cells = detecting.with_answers(multiscale_detector=f).run("detect-scales", "show-scales")
    assert len(cells.space["many"]) == len(cells.space["many_decision"]) and cells.space["results"]["multiscale"]["auc_pr"] > 0


@pytest.fixture(scope="module")
def naming(tmp_path_factory, remembered_descriptors):
    """Face_Recognition_task.ipynb with five people, and the references."""
    from TrackDetector.demo import people as demo

    home = tmp_path_factory.mktemp("people")
    people, strangers = demo.orl_people(0)
    people = dict(list(people.items())[:5])
    demo.lay_out({who: photos[:6] for who, photos in people.items()}, dict(list(strangers.items())[:2]), home, 0, training_photos=4)
    cells = Cells(TRACK, SOURCE="folder", SEED=0, DATA=home, BUILD=home)
    return cells.run("load-images", "show-people", "load-videos", "show-clip", "find", "show-found", "preprocess", "model", "describe", "neighbors", "pairs", "layers",
                     "show-choice", *WHO)


LOADED = ("find", "show-found", "show-several", "preprocess", "show-aligned", "describe", "neighbors", "pairs", "classifier", "classify")
WHO = ("classifier", "classify", "details", "confusion", "mistakes", "show-unsure", "video-classifier", "classify-videos", "film")


@pytest.mark.parametrize("f", right(data.LOAD_RIGHT))
def test_photos_with_names(naming, f):
    space = naming.with_answers(load_image_data=f).run("load-images", "show-people", *LOADED).space
    assert list(space["labels"]) == [space["train_labels"][n] for n in space["train_images"]]
    assert {str(n).split(".")[0]: who for n, who in space["output"].items()} == {n.split(".")[0]: who for n, who in naming.space["output"].items()}


@pytest.mark.parametrize("f", right(data.VIDEO_RIGHT))
def test_clips_with_names(naming, f):
    space = naming.with_answers(load_video_data=f).run("load-videos", "show-clip", "video-classifier", "classify-videos", "film").space
    assert space["video_accuracy"] == naming.space["video_accuracy"]


@pytest.mark.parametrize("f", right(crops.CROP_RIGHT))
def test_crops(naming, f):
    space = naming.with_answers(preprocess_imgs=f).run("preprocess", "show-aligned", "describe", "neighbors", "pairs").space
    assert space["train_faces"].shape == naming.space["train_faces"].shape and space["train_faces"].dtype == np.uint8
    away = np.linalg.norm(space["descriptors"] - naming.space["descriptors"], axis=1)
    assert np.median(away) < 0.5  # one person: below 0.6


@pytest.mark.parametrize("f", right(people.WHO_RIGHT))
def test_who_is_who(naming, f):
    space = naming.with_answers(Classifier=f).run(*WHO).space
    for mine, want in ((space["output"], naming.space["output"]), (space["video_output"], naming.space["video_output"])):
        assert np.mean([str(mine[name]) == who for name, who in want.items()]) >= 0.9
