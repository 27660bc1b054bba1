"""The checks of the optional exercises accept several right answers and name what is wrong with the wrong ones."""

import cv2
import numpy as np
import pytest
from coursework import judged, rejected

from common.boxes import non_maximum_suppression
from common.exercises.exercise import RIGHT
from common.scores import iou_score
from RegionDetector import detector, hard_negatives, model, multiscale, samples
from RegionDetector.exercises import TASK

# --- hard negatives ---


def quickly(base_model, datagen, X, Y, *rest, **more):
    """The last layer alone is fitted: for answers of which something else than the fitting is looked at."""
    import keras
    from sklearn.linear_model import LogisticRegression

    before = keras.Model(base_model.inputs[0], base_model.layers[-2].output)
    fitted = LogisticRegression(C=100).fit(np.asarray(before(np.asarray(X, np.float32))), Y.argmax(axis=1))
    base_model.layers[-1].set_weights([np.concatenate([-fitted.coef_.T, fitted.coef_.T], axis=1) / 2, np.array([-1, 1]) * fitted.intercept_ / 2])


def mining(find=lambda faces, boxes, decision: samples.false_alarms(boxes, decision, faces), cut=samples.cut, label=samples.labelled, fit=model.fit,
           copy=model.copy_weights, answer=lambda mined: mined, faces_of=lambda X, Y: X[Y[:, 1] == 1], load=True):
    def f(train_images, image_shapes, train_bboxes, X_val, Y_val, base_model, fcnn_model, X_train, Y_train, datagen=None, rounds=2, epochs=5,
          box_shape=(32, 32), seed=0):
        mined = []
        for _ in range(rounds):
            boxes, decision = detector.get_bboxes_and_decision_function(fcnn_model, train_images, image_shapes, box_shape)
            boxes, decision = boxes[decision > -2], decision[decision > -2]
            mined.append(cut(train_images, boxes[find(train_bboxes, boxes, decision)]))
            X, Y = label(faces_of(X_train, Y_train), np.concatenate([X_train[Y_train[:, 1] == 0], *mined]))
            if fit is not None:
                history = fit(base_model, datagen, X, Y, X_val, Y_val, epochs=epochs, verbose=False)
                if load and history:
                    base_model.load_weights(model.get_checkpoint(history))
            copy(base_model, fcnn_model)
        return answer(mined)
    return f


def plainly(train_images, image_shapes, train_bboxes, X_val, Y_val, base_model, fcnn_model, X_train, Y_train, datagen=None, rounds=2, epochs=5, **more):
    """With Keras alone, patches from 0 to 1 in a list, the second round on what is left; the optimizer keeps going."""
    import keras

    base_model.compile(keras.optimizers.Adam(3e-3), "categorical_crossentropy")
    answer = []
    for _ in range(rounds):
        boxes, decision = detector.get_bboxes_and_decision_function(fcnn_model, train_images, image_shapes)
        wrong = [b for b, d in zip(boxes, decision) if d > 0 and samples.is_negative_bbox(b[1:], train_bboxes[train_bboxes[:, 0] == b[0], 1:])]
        answer.append([patch / 255 for patch in samples.cut(train_images, np.array(wrong).reshape(-1, 5))])
        if wrong:
            patches = np.array(answer[-1]) * 255
            X_train = np.concatenate([X_train, np.repeat(patches, 5, axis=0)])
            Y_train = np.concatenate([Y_train, np.tile([1, 0], (5 * len(patches), 1))])
            base_model.fit(X_train.astype("float32"), Y_train, epochs=epochs, verbose=0)
            model.copy_weights(base_model, fcnn_model)
    return answer


def as_it_was_compiled(train_images, image_shapes, train_bboxes, X_val, Y_val, base_model, fcnn_model, X_train, Y_train, datagen=None, rounds=2, epochs=5, **more):
    """Fitted on as the notebook's cells have left it, without compile."""
    def on(base_model, datagen, X, Y, *rest, **more):
        base_model.fit(X.astype("float32"), Y, epochs=epochs, class_weight={0: 3.0, 1: 1.0}, verbose=0)

    return mining(fit=on)(train_images, image_shapes, train_bboxes, X_val, Y_val, base_model, fcnn_model, X_train, Y_train, datagen, rounds, epochs)


def whole_boxes(images, boxes):
    """As high and wide as box_shape says."""
    size = np.round((boxes[:, 3:] - boxes[:, 1:3]).max(axis=0)).astype(int)
    return samples.cut(images, boxes, (*size, 3))


def new_labels(positive, negative):
    X, Y = samples.labelled(positive, negative)
    return X[::-1], Y[::-1]


MINE_RIGHT = {"reference": hard_negatives.hard_negative, "step by step": mining(), "with Keras alone, patches from 0 to 1": plainly,
              "the last epoch, another order": mining(load=False, label=new_labels), "compiled when it came": as_it_was_compiled}
# where the patches themselves are wrong nothing need be learnt: they are looked at before the weights
MINE_WRONG = {
    "faces among the negatives": (mining(fit=None, find=lambda faces, boxes, decision: np.argsort(-decision)), "mined patches show a face"),
    "random windows": (mining(fit=None, cut=lambda images, boxes: np.stack([images[0][60:92, 60:92]] * max(len(boxes), 1))), "not random windows"),
    "rows and columns swapped": (mining(fit=None, cut=lambda images, boxes: samples.cut(images, boxes[:, [0, 2, 1, 4, 3]])), "swapped"),
    "out of the next photo": (mining(fit=None, cut=lambda images, boxes: samples.cut(images, (boxes + [1, 0, 0, 0, 0]) % [len(images), *[999] * 4])), "out of the photo that its box names"),
    "out of the first photo": (mining(fit=None, cut=lambda images, boxes: samples.cut(images, boxes * [0, 1, 1, 1, 1])), "mined"),
    "first photo alone": (mining(fit=None, find=lambda faces, boxes, decision: [k for k in samples.false_alarms(boxes, decision, faces) if boxes[k, 0] == 0]), "search all photos"),
    "labelled as faces": (mining(fit=quickly, label=lambda p, n: (samples.labelled(p, n)[0], np.eye(2)[[1] * len(p) + [0] * 300 + [1] * (len(n) - 300)])), "with the label [1, 0]"),
    "labels the other way round": (mining(fit=quickly, label=lambda p, n: (samples.labelled(p, n)[0], 1 - samples.labelled(p, n)[1])), "label them [0, 1]"),
    "mined and not fitted": (mining(fit=None), "has the weights that it came with"),
    "faces forgotten": (mining(fit=quickly, faces_of=lambda X, Y: X[:4] * 0), "fit with the faces"),
    "weights not copied": (mining(copy=lambda a, b: None), "copy_weights once more"),
    "the wrong way": (mining(fit=quickly, copy=lambda a, b: a.set_weights([w.reshape(v.shape) for w, v in zip(b.get_weights(), a.get_weights())])), "weights that it came with"),
    "nothing mined": (mining(fit=None, find=lambda faces, boxes, decision: []), "nothing was mined"),
    "no return": (mining(fit=None, answer=lambda mined: None), "returned None"),
    "one array": (mining(fit=None, answer=lambda mined: np.concatenate(mined)), "one for each round"),
    "the box itself": (mining(fit=None, cut=whole_boxes), "has size 45"),
    "from the corner of the box": (mining(fit=None, cut=lambda images, boxes: samples.cut(images, np.hstack([boxes[:, :3], boxes[:, 1:3] + 32]))), "does not begin at its corner"),
    "clear of every photo's faces": (mining(fit=None, find=lambda faces, boxes, decision: samples.false_alarms(boxes * [0, 1, 1, 1, 1], decision, faces * [0, 1, 1, 1, 1])), "its own photo's"),
    "boxes for patches": (mining(fit=None, answer=lambda mined: [np.zeros((3, 5))] * 2), "mined patches of shape"),
    "a history": (mining(fit=None, answer=lambda mined: {"loss": [1.0]}), "expected a list"),
}


@pytest.mark.parametrize("name", MINE_RIGHT)
def test_hard_negative_right(name):
    assert str(judged(TASK, "hard_negative", MINE_RIGHT[name])) == "hard_negative: right"


def copied_at_the_end(*args, **more):
    """Both rounds search with the FCNN as it came."""
    base_model, fcnn_model = args[5:7]
    answer = mining(fit=quickly, copy=lambda a, b: None)(*args, **more)
    model.copy_weights(base_model, fcnn_model)
    return answer


MINE_WRONG_TWICE = {"copied at the end": (copied_at_the_end, "both rounds have mined the same patches")}
TWO_ROUNDS = ("labelled as faces", "labels the other way round", "faces forgotten", "weights not copied")


@pytest.mark.parametrize("name", [name for name in MINE_WRONG if name != "labels the other way round"])
def test_hard_negative_wrong(name):
    """One round, as a whole class is asked for, shows it; half trained on labels the other way round, a network gives another reason."""
    rejected(TASK, "hard_negative", *MINE_WRONG[name], lenient=True)


@pytest.mark.parametrize("name", [*TWO_ROUNDS, *MINE_WRONG_TWICE])
def test_two_rounds_show_what_is_wrong(name):
    rejected(TASK, "hard_negative", *(MINE_WRONG | MINE_WRONG_TWICE)[name])


@pytest.mark.parametrize("name", ["step by step", "with Keras alone, patches from 0 to 1"])
def test_one_round_is_enough_for_what_is_right(name):
    """A whole class is asked for one round only."""
    assert str(judged(TASK, "hard_negative", MINE_RIGHT[name], lenient=True)) == "hard_negative: right"


def test_two_rounds_are_no_fault_where_one_was_asked_for():
    """As of a function whose number of rounds is its own."""
    def f(*args, **more):
        return MINE_RIGHT["reference"](*args, **{**more, "rounds": 2, "epochs": 2})

    assert judged(TASK, "hard_negative", f, lenient=True).status == RIGHT


# --- many scales ---


def pyramid(step=2 ** (1 / 3), scale=lambda boxes, factor: boxes / factor, index=lambda i: i, unite=0.4, finish=lambda b, d: (b, d), levels=12, turned=False, network=None,
            find=detector.get_bboxes_and_decision_function, shape=lambda s: s, look=lambda image: image):
    def f(fcnn_model, images, image_shapes, box_shape=(32, 32), min_face=32, progress=True):
        found, sure = [], []
        net = network(fcnn_model) if network else fcnn_model
        for i, image in enumerate(map(look, images)):
            boxes, values = [np.zeros((0, 4))], [np.zeros(0)]
            for k in range(levels):
                factor = step**-k
                small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
                if min(small.shape[:2]) < 40:
                    break
                level, decision = find(net, [small], [small.shape], shape(box_shape))
                boxes.append(scale(level[:, 1:], factor))
                values.append(decision)
            boxes, values = np.concatenate(boxes), np.concatenate(values)
            kept = non_maximum_suppression(boxes, values, unite) if unite else np.arange(len(boxes))
            found += [[index(i), *(box[[1, 0, 3, 2]] if turned else box)] for box in boxes[kept]]
            sure += values[kept].tolist()
        return finish(found, sure)
    return f


def any_size(fcnn_model):
    twin = model.generate_fcnn_model((None, None, 3))
    twin.set_weights(fcnn_model.get_weights())
    return twin


def worst_first(boxes, decision, least=0.3):
    """Of boxes that overlap, those of many sizes on one photo, the least sure is kept."""
    kept = []
    for k in np.argsort(decision):
        if all(boxes[k][0] != boxes[j][0] or iou_score(boxes[k][1:], boxes[j][1:]) <= least for j in kept):
            kept.append(k)
    return np.array(boxes)[kept], np.array(decision)[kept]


def over_all(boxes, decision):
    """What is in the same place of another photo is dropped."""
    kept = non_maximum_suppression(np.array(boxes)[:, 1:], np.array(decision), 0.4)
    return np.array(boxes)[kept], np.array(decision)[kept]


SCALE_RIGHT = {"reference": multiscale.multiscale_detector, "lists": pyramid(), "halves only": pyramid(step=2), "arrays, larger steps": pyramid(
    step=1.5, finish=lambda b, d: (np.array(b), np.array(d))), "the network built anew for any size": pyramid(step=2, network=any_size)}
SCALE_WRONG = {
    "box_shape not handed on": (pyramid(shape=lambda s: (32, 32)), "hand box_shape on"),
    "no box_shape": (lambda fcnn_model, images, image_shapes: pyramid()(fcnn_model, images, image_shapes), "It takes no `box_shape`"),
    "one scale": (pyramid(levels=1), "shrink the photo step by step"),
    "not divided": (pyramid(scale=lambda boxes, factor: boxes), "divide boxes by the scale"),
    "multiplied": (pyramid(scale=lambda boxes, factor: boxes * factor), "divide boxes by the scale"),
    "a pyramid of two": (pyramid(step=2, levels=2), "Shrink the photo"),
    "corners only": (pyramid(scale=lambda boxes, factor: np.concatenate([boxes[:, :2] / factor, boxes[:, :2] / factor + 32], axis=1)), "one size"),
    "index of photo 0": (pyramid(index=lambda i: 0), "index of photo 0"),
    "counted from one": (pyramid(index=lambda i: i + 1), "index of its photo, 0 or 1"),
    "rows and columns swapped": (pyramid(turned=True), "Rows and columns are swapped"),
    "every size keeps its box": (pyramid(step=1.15, unite=None), "of boxes that overlap keep the best"),
    "the other sign": (pyramid(finish=lambda b, d: (b, [-v for v in d])), "greater for surer boxes"),
    "out of step": (pyramid(finish=lambda b, d: (b, d[::-1])), "in step"),
    "small ones forgotten": (pyramid(step=2, find=lambda net, images, shapes, size: detector.get_bboxes_and_decision_function(net, images, shapes, size) if images[0].shape[0] not in (220, 160)
                                     else (np.zeros((0, 5)), np.zeros(0))), "at its own size"),
    "no decision": (pyramid(finish=lambda b, d: b), "2 answers"),
    "the best of all photos together": (pyramid(step=2, finish=over_all), "for each photo by itself"),
    "the least sure of each face": (pyramid(step=1.41, unite=None, finish=worst_first), "go through them by falling decision"),
    "corner and size": (pyramid(step=2, finish=lambda b, d: (np.array(b) - np.pad(np.array(b)[:, 1:3], ((0, 0), (3, 0))), d)), "not with height and width"),
    "height first for cv2": (pyramid(step=2, look=lambda image: cv2.resize(image, image.shape[:2])), "cv2.resize and Pillow take (width, height)"),
    "pixels from 0 to 1": (pyramid(step=2, look=lambda image: image / 255), "pixels go from 0 to 255"),
    "nothing": (pyramid(finish=lambda b, d: ([], [])), "no box at all"),
}


@pytest.mark.parametrize("name", SCALE_RIGHT)
def test_multiscale_detector_right(name):
    answer = judged(TASK, "multiscale_detector", SCALE_RIGHT[name])
    assert answer.status == RIGHT, answer


@pytest.mark.parametrize("name", SCALE_WRONG)
def test_multiscale_detector_wrong(name):
    rejected(TASK, "multiscale_detector", *SCALE_WRONG[name])
