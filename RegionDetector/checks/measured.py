"""Marks for measured numbers, from outside: validation accuracy, best epoch, test score."""

from dataclasses import dataclass

import numpy as np

from common.exercises.exercise import RIGHT
from common.grading.judging import Remote
from common.grading.session import Ended, Raised
from common.grading.weights import WeightsError
from RegionDetector.checks.patches import FACES, HERE, PUBLISHED, SHAPES, coded_photos, pixel_range

PATCH, CANVAS = (32, 32, 3), (176, 176, 3)
TEST_PHOTOS = 120
FIT_PATCHES = 3000
BATCH = 40
WITHOUT_WEIGHTS = ("No weights were handed in, so nothing is known of the trained network and {marks:g} marks wait: hand in build/weights/classifier.weights.h5, too, which the fitting "
                   "cell has written (in an older notebook classifier.save_weights writes such a file; where a class's notebooks lie side by side, call it {name}.weights.h5). "
                   "Or your instructor lets the grader fit the network, with --train: that takes up to five minutes (--train SECONDS: as long as is given).")


@dataclass(frozen=True)
class Fresh:
    """The data that a class is graded on; None to fit with where nothing is fitted."""

    val: tuple
    test: tuple
    train: tuple | None


def fresh_data(folder=None, seed=2026, fit=False):
    """Validation patches cut anew, a part of the test photos, and what networks are fitted to, if they are.

    Parameters
    ----------
    folder : path-like, optional
        For `load_dataset`; by default the built-in demo scenes.
    seed : int
    fit : bool
    """
    import tempfile

    from RegionDetector.get_data import load_dataset
    from RegionDetector.samples import get_samples

    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        parts = {n: load_dataset(folder or scratch, n, None if folder else "demo", progress=False) for n in ("train", "val", "test")[not fit :]}
    val = get_samples(*parts["val"], rng=rng)
    images, boxes, shapes = parts["test"]
    chosen = np.sort(rng.permutation(len(images))[:TEST_PHOTOS])
    place = {int(old): new for new, old in enumerate(chosen)}
    some = np.array([[place[int(b[0])], *b[1:]] for b in boxes if int(b[0]) in place])
    return Fresh(val, (images[chosen], some, np.asarray(shapes)[chosen]), get_samples(*parts["train"], rng=rng) if fit else None)


def measure(grader, source, submission, data):
    """Values of this task's scores: name to (value or None, message)."""
    names = [score.name for score in grader.task.scores]
    if grader.verdicts["generate_model"].status != RIGHT:
        return dict.fromkeys(names, (None, "generate_model is not right, so there is no network to measure"))
    if not submission.weights and not grader.train:
        grader.head.append(WITHOUT_WEIGHTS.format(name=submission.name, marks=sum(score.marks for score in grader.task.scores)))
        return dict.fromkeys(names, (None, "no weights were handed in, see above"))
    try:
        session, _ = grader.open_as_judged("get_positive_negative", source, 300 + 2 * grader.train, submission.weights)
    except (Ended, Raised) as error:
        return dict.fromkeys(names, (None, f"the notebook's definitions cannot be loaded: {error}"))
    own = {name for name, verdict in grader.verdicts.items() if verdict.status == RIGHT}
    remote, answer = Remote(session, grader.task, own, grader.seed), {}
    try:
        as_fed = _as_fed(remote)
        model, best, said = _fitted(remote, submission, data, grader.train, as_fed)
        X, Y = data.val if submission.weights else _half(data.val, 1)  # fitting has seen the other half
        out = np.asarray(model.predict(np.asarray(as_fed(X), np.float32), verbose=0))
        accuracy = float(np.mean(out.argmax(axis=-1) == Y.argmax(axis=-1)))
        answer["validation_accuracy"] = (accuracy, said)
        answer["best_epoch"] = (best, said if best else "the weights after fitting are not those of the best epoch")
        answer["test_score"] = _test_score(remote, model, data, as_fed)
    except WeightsError as error:
        answer = {name: (None, str(error)) for name in names if name not in answer} | answer
    except (Ended, Raised) as error:
        reason = f"raises {error.kind}: {error}{error.line}" if isinstance(error, Raised) else f"it {error}"
        answer = {name: (None, reason) for name in names if name not in answer} | answer
    finally:
        session.close()
    return answer


def _as_fed(remote):
    """What makes of pixels from 0 to 255 those that the student's network is fitted to in the notebook: his patches may go from 0 to 1, or from -1 to 1."""
    low, high = 0, 255
    for kind, wide in (HERE, PUBLISHED) if "get_positive_negative" in remote.own else ():
        try:
            positive, _ = remote.other("get_positive_negative")(coded_photos(), FACES.astype(kind), SHAPES[:, :wide])
            low, high = pixel_range(np.asarray(positive, float))
            break
        except (Raised, TypeError, ValueError):  # it was right when it was judged; in neither form: pixels as in the photos
            pass
    return lambda images: images if high == 255 else (np.asarray(images) * ((high - low) / 255) + low).astype(np.float32)


def _half(samples, which):
    return tuple(part[which::2] for part in samples)


def _fitted(remote, submission, data, train, as_fed):
    """The student's network with weights in it, whether they are the best epoch's, and a remark."""
    model = remote.other("generate_model")(PATCH)
    if submission.weights:
        fault = remote.run("common.grading.weights:load_weights", model, submission.weights[0].name, PATCH)
        if fault:
            raise WeightsError(f"{submission.weights[0].name}: {fault}")
        return model, 1.0, f"with the weights handed in, {submission.weights[0].name}"
    X, Y = (part[:FIT_PATCHES] for part in (np.concatenate([a[::2], a[1::2]]) for a in data.train))
    X_val, Y_val = _half(data.val, 0)
    fault = remote.run("common.grading.weights:fit_for_a_while", model, as_fed(X), Y, as_fed(X_val), Y_val, float(train))
    return model, fault, f"fitted for at most {train:g} s, the best epoch loaded"


def _test_score(remote, model, data, as_fed):
    from common.scores import auc, precision_recall_curve
    from RegionDetector.detector import boxes_from_maps, cell_stride

    images, bboxes, shapes = data.test
    fcnn = remote.other("generate_fcnn_model")(CANVAS)
    remote.run("common.grading.weights:build", fcnn, CANVAS)
    if "generate_fcnn_model" not in remote.own and [w.size for w in fcnn.get_weights()] != [w.size for w in model.get_weights()]:
        return None, "generate_fcnn_model is not right, and the reference's does not fit this network"
    remote.other("copy_weights")(model, fcnn)
    found, sure = [np.zeros((0, 5))], [np.zeros(0)]
    for start in range(0, len(images), BATCH):
        batch, part = images[start : start + BATCH], shapes[start : start + BATCH]
        if "get_bboxes_and_decision_function" in remote.own:
            boxes, decision = _detected(remote, fcnn, batch, part)
        else:
            maps = np.asarray(fcnn.predict(np.asarray(as_fed(batch), np.float32), verbose=0))
            boxes, decision = boxes_from_maps(maps[..., 1] - maps[..., 0], cell_stride(CANVAS, maps.shape[1:3]), part)
        boxes = np.asarray(boxes, float).reshape(-1, 5)
        found.append(boxes + [start, 0, 0, 0, 0])
        sure.append(np.asarray(decision, float).ravel())
    precision, recall, _ = precision_recall_curve(np.concatenate(found), bboxes, np.concatenate(sure))
    return auc(recall, precision), f"on {len(images)} test photos"


def _detected(remote, fcnn, images, shapes):
    """What the student's detector finds, whether it takes the photos' shapes as they are here or as the published course had them."""
    detector = remote.other("get_bboxes_and_decision_function")
    try:
        return detector(fcnn, images, shapes)
    except Raised:
        return detector(fcnn, images, shapes[:, : PUBLISHED[1]])
