"""Checks of the networks: `generate_model`, `generate_fcnn_model`, `copy_weights`."""

import inspect
from contextlib import suppress

import numpy as np

from common.exercises.answer_form import numbers, require, softmax

PATCH, CANVAS = (32, 32, 3), (176, 176, 3)


def _network(model, what):
    require(model is not None, f"{what} returned None; is there a `return`?")
    require(not inspect.isclass(model), f"{what}: expected a network, got the class {getattr(model, '__name__', '')}: make one of it, with ()")
    require(hasattr(model, "get_weights") and hasattr(model, "predict"), f"{what} should return a Keras model, got {type(model).__name__}")
    return model


def _answer(model, images, what, compiled=False):
    """A model's answers to some images; `compiled`: by `predict`, as the notebook's cells get them. A single call spares the compiling."""
    import keras

    images = np.asarray(images, np.float32)
    if compiled or not isinstance(model, keras.Model):  # in grading it lives elsewhere
        return numbers(model.predict(images, verbose=0), what)
    return numbers(keras.ops.convert_to_numpy(model(images, training=False)), what)


def _input_shape(model):
    """What the model takes, as it says; None if it is a class of the student's own, which only shows when it is used."""
    shape = getattr(model, "input_shape", None)
    return tuple(shape)[1:] if isinstance(shape, (tuple, list)) else None


def _takes(model, shape, what):
    """Is this the shape that was asked for? A model that does not say is tried, which also gives it its weights."""
    said = _input_shape(model)
    if said is None:
        _answer(model, np.zeros((1, *shape), np.float32), what)
        return True
    return said in (shape, (None, None, 3))


def _toy_patches(rng, count):
    """Bright discs on dark ground, and dark discs on bright ground, with noise."""
    rows, cols = np.mgrid[:32, :32]
    Y = rng.permutation(count) % 2
    X = np.empty((count, 32, 32, 3), np.float32)
    for patch, label in zip(X, Y):
        row, col = rng.uniform(12, 20, 2)
        disc = (np.hypot(rows - row, cols - col) < 9)[..., None]
        patch[:] = np.where(disc == bool(label), rng.uniform(180, 220), rng.uniform(30, 70)) + rng.normal(0, 12, (32, 32, 3))
    return np.clip(X, 0, 255), np.eye(2, dtype=np.float32)[Y]


def learn_toy(model, X, Y, rate, linear, enough=0.9):
    """Fit a model for a moment where it lives, until it gets enough of the patches right."""
    import keras

    loss = keras.losses.CategoricalCrossentropy(from_logits=linear)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=rate), loss=loss)
    model.optimizer.build(model.trainable_variables)  # else Keras makes them while it traces a step, and traces it once more
    for _ in range(5):
        model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
        if share_right(model, X, Y) >= enough:
            break


def share_right(model, X, Y):
    """How many of the patches a model gets right, in use or in training: batch normalisation needs many more steps to be right in use."""
    import keras

    right = 0.0
    for answer in (_answer(model, X, "the model's answer"), model(X, training=True)):
        answer = answer if isinstance(answer, np.ndarray) else keras.ops.convert_to_numpy(answer)
        right = max(right, float(np.mean(answer.argmax(-1) == Y.argmax(-1))))
    return right


def _last_step(model, X, rng):
    """What becomes of the two numbers at the end: "softmax", "linear", or in words what cuts them off; found out by what comes out with many weights."""
    old, least, greatest, sums = model.get_weights(), np.inf, -np.inf, 0.0
    for turn in range(12):
        model.set_weights(_shaken(old, rng))
        out = _answer(model, X, "the model's answer")
        least, greatest, sums = min(least, out.min()), max(greatest, out.max()), max(sums, np.abs(out.sum(axis=1) - 1).max())
        if least < -1.001 or turn == 2 and sums < 1e-3:
            break
    model.set_weights(old)
    if sums < 1e-3:
        return "softmax"
    return ("linear" if least < -1.001 else "tanh, numbers between -1 and 1" if least < -1e-6 and greatest <= 1.001 else "linear" if least < -1e-6 else
            "sigmoid, two numbers between 0 and 1 that do not add up to 1" if greatest <= 1.001 else "relu or the like, which never goes below 0")


def _check_new(one, other):
    """Has each of two networks weights of its own?"""
    old, before = one.get_weights(), other.get_weights()
    one.set_weights([w + 1 for w in old])
    after = other.get_weights()
    one.set_weights(old)
    require(all(map(np.array_equal, before, after)), "two calls give networks with the same weights: make new layers in every call, or whoever fits the one changes the other")


def check_generate_model(f, kit):
    """A network from patches (N, 32, 32, 3) to two answers (N, 2) that can learn."""
    model = _network(f(PATCH), "generate_model")
    rng = np.random.default_rng(kit.seed)
    X, Y = _toy_patches(rng, 160)
    require(_takes(model, PATCH, "the model's answer"), f"asked for patches of shape {PATCH}, the model takes {_input_shape(model)}")
    out = _answer(model, X[:5], "the model's answer", compiled=True)
    require(out.ndim == 2, f"five patches gave an answer of shape {out.shape}, expected (5, 2): put Flatten (or a global pooling) "
                           "before the dense layers")
    require(out.shape == (5, 2), f"five patches gave an answer of shape {out.shape}, expected (5, 2): "
                                 "two numbers a patch, not a face and face, as the labels are [1, 0] and [0, 1]")
    other = f((40, 48, 3))
    require(_takes(other, (40, 48, 3), "the model's answer"),
            f"asked for patches of (40, 48, 3), the model takes {_input_shape(other)}: use sample_shape")
    alone = np.concatenate([_answer(model, X[k : k + 1], "the model's answer") for k in range(3)])
    require(np.allclose(alone, out[:3], atol=1e-3), "a patch gets another answer when other patches are in the batch: "
                                                    "softmax over the last axis, not over the batch")
    if not kit.lenient:
        _check_new(_built(f(PATCH), PATCH), model)
    last = _last_step(model, X[:32], rng)
    require(last in ("softmax", "linear"), f"the last layer ends in {last}: end with Dense(2, activation='softmax'), two probabilities that add up to 1")
    linear, best = last == "linear", 0.0
    for rate in (2e-3, 3e-4):
        # who is right before learning, by luck, is asked for the opposite
        lucky = np.mean(_answer(model, X, "the model's answer").argmax(-1) == Y.argmax(-1)) > 0.5
        labels = Y[:, ::-1] if lucky else Y
        kit.run("RegionDetector.checks.networks:learn_toy", model, X, labels, rate, linear)
        best = max(best, share_right(model, X, labels))  # measured here: what runs beside a student's code may be changed by it
        if best >= 0.9:
            return
        model = f(PATCH)
    require(False, f"the network cannot learn to tell bright discs from dark ones: {best:.0%} right on the patches it was fitted to. Look at the "
                   "last activation (softmax or none) and at whether every layer is connected, trainable, and begins with random weights")


def _built(model, shape):
    """A model that has its weights, as one has that was fitted or used before."""
    if _input_shape(model) is None:
        _answer(model, np.zeros((1, *shape), np.float32), "the network's answer")
    return model


def rows_before_the_end(model):
    """Rows of the map that a classifier flattens or pools away; None where that cannot be seen from outside."""
    for layer in getattr(model, "layers", ()):
        with suppress(AttributeError, ValueError):  # it has no input of its own
            if len(layer.input.shape) == 4 and len(layer.output.shape) == 2:
                return layer.input.shape[1]
    return None


def _shaken(weights, rng):
    """Strong random weights and biases in the shapes of these, so that every one of them shows in the answer."""
    return [rng.normal(0, 1.4 / np.sqrt(max(np.prod(w.shape[:-1]), 1)) if w.ndim > 1 else 0.3, w.shape).astype(np.float32)
            if w.ndim != 1 else np.abs(rng.normal(0, 0.3, w.shape)).astype(np.float32) for w in weights]


def _undecided(model, X, rng):
    """Shake a classifier until it tells the windows X apart and is sure of few: one that is sure of all hides what another network does otherwise.

    Its last layer is turned down until the answers can be read, then moved and stretched until they lie around one half.
    """
    shapes, best, most = model.get_weights(), None, -1.0
    last = max((k for k, w in enumerate(shapes) if w.ndim > 1 and w.shape[-1] == 2), default=None)
    bias = last + 1 if last is not None and [w.shape for w in shapes[last + 1 : last + 2]] == [(2,)] else None
    for _ in range(3):
        weights, moved, gain = _shaken(shapes, rng), 0.0, 0.0
        for _ in range(6):
            model.set_weights(weights)
            p = np.clip(softmax(_answer(model, X, "the classifier's answer"))[:, 1], 1e-7, 1 - 1e-7)
            unsure = p[(p > 0.02) & (p < 0.98)]
            spread = np.ptp(unsure) * len(unsure) / len(p) if len(unsure) else 0.0
            if spread > most:
                best, most = [w.copy() for w in weights], spread
            if most > 0.4 or last is None or 0.8 < gain < 1.25:
                break
            ahead = np.log(p / (1 - p))  # the second answer's lead over the first, before softmax
            middle = ahead.mean() if bias and np.abs(ahead).min() < 15 else 0.0
            moved += abs(middle)  # by far more than what is left of it, and the last digits of float32 would tell networks apart
            gain = 1.5 / max((ahead - middle).std(), 0.7 * np.abs(ahead - middle).max(), moved / 30, 1e-6)
            moved *= gain
            weights[last] *= np.float32(gain)
            if bias:
                weights[bias] = ((weights[bias] + [middle / 2, -middle / 2]) * gain).astype(np.float32)
        if most > 0.4:
            break
    model.set_weights(best)


def _windows(rng, count=12):
    coarse = rng.uniform(0, 255, (count, 8, 8, 3))
    return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2).astype(np.float32)


def _difference(classifier, window_map, X):
    require(window_map.size == 2 * len(X), f"generate_fcnn_model's network gives one window a map of shape {window_map.shape[1:]}, expected (1, 1, 2): correct it first")
    return float(np.abs(softmax(_answer(classifier, X, "the classifier's answer")) - softmax(window_map.reshape(len(X), -1))).max())


def check_generate_fcnn_model(f, kit):
    """One window gives one answer, a photo a map of them; and it is the classifier's own network."""
    rng = np.random.default_rng(kit.seed)
    model = _network(f(CANVAS), "generate_fcnn_model")
    big = _answer(model, np.zeros((1, *CANVAS), np.float32), "the FCNN's answer", compiled=True).shape if _input_shape(model) in (None, CANVAS, (None, None, 3)) else None
    shape = (None, *big[1:]) if big else tuple(model.output_shape)
    require(len(shape) == 4, f"the FCNN's answer to {CANVAS} has shape {shape}, expected a map (N, rows, columns, 2): "
                             "no Flatten and no Dense on the way, and no global pooling: convolutions instead")
    require(shape[-1] == 2, f"the map has {shape[-1]} channel{'s' if shape[-1] != 1 else ''}, expected 2: not a face and face")
    small = _network(f(PATCH), "generate_fcnn_model")
    require(_takes(small, PATCH, "the FCNN's answer"), f"asked for images of {PATCH}, the FCNN takes {_input_shape(small)}: use image_shape")
    X = _windows(rng)
    one = _answer(small, X, "the FCNN's answer")
    require(one.shape[1:3] == (1, 1),
            f"one window of 32 x 32 gives a map of {one.shape[1]} x {one.shape[2]}, expected 1 x 1: the layer that stands for the first dense "
            "layer covers its whole map at once, 8 x 8 cells, without padding (padding='valid')")
    require(big is not None, f"asked for photos of {CANVAS}, the FCNN takes {_input_shape(model)}: use image_shape")
    require(min(big[1:3]) >= 8, f"a photo of 176 x 176 gives a map of {big[1]} x {big[2]}: it should have one answer for every place of the window")
    if not kit.lenient:
        _check_new(_built(f(CANVAS), CANVAS), model)
        _check_new(small, model)
    classifier = _built(kit.other("generate_model")(PATCH), PATCH)
    cells = kit.run("RegionDetector.checks.networks:rows_before_the_end", classifier)
    most = 144 // 2 ** round(np.log2(32 / cells)) + 1 if cells else 0
    require(min(big[1:3]) >= 0.7 * most, f"a photo of 176 x 176 gives a map of {big[1]} x {big[2]}, expected about {most} x {most}: the convolutions that stand for the dense layers "
                                         "look at every place (strides=1)")
    have, need = small.count_params(), classifier.count_params()
    if have != need and kit.stands_in("generate_model"):
        return  # his own classifier is broken, and this network has the layers of that one
    require(have == need, f"the FCNN has {have:,} parameters, the classifier {need:,}: they must have the same layers, or the weights cannot be copied")
    away = 0.0
    for windows in (X, X / 255):  # bright ones show what becomes of the pixels, faint ones what becomes of numbers near 0, where elu and relu differ
        _undecided(classifier, windows, rng)
        old = classifier.get_weights()
        if [w.size for w in old] == [w.size for w in small.get_weights()]:
            small.set_weights([w.reshape(like.shape) for w, like in zip(old, small.get_weights())])  # no need of copying, which is an exercise of its own
        else:
            kit.other("copy_weights")(classifier, small)
        away = max(away, _difference(classifier, _answer(small, windows, "the FCNN's answer"), windows))
    require(away < 2e-3, f"with the classifier's weights, the FCNN answers one 32 x 32 window otherwise than the classifier: up to {away:.2g} in the "
                         "probability of a face. Is every activation, every pooling and every scaling of the pixels the same in both? (Only the last layer may do without softmax, "
                         "and softmax goes over the two channels, the last axis)")


def _diagnose_copy(old, before, after, base_after, returned):
    """Which weights did not arrive, and what seems to have happened to them."""
    if any(not np.array_equal(a, b) for a, b in zip(old, base_after)):
        turned = len(base_after) == len(before) and all(np.array_equal(a.ravel(), b.ravel()) for a, b in zip(base_after, before))
        return "the classifier's weights have changed" + (": they are copied in the wrong direction, from the FCNN to the classifier" if turned else
                                                          ", and the cells below go on with it: change fcnn_model alone")
    if all(np.array_equal(a, b) for a, b in zip(before, after)):
        return "the FCNN still has the weights it was made with: hand them over with fcnn_model.set_weights" + (
            ". A model is returned, and the cells below go on with fcnn_model itself" if returned else "")
    if [w.size for w in old] != [w.size for w in after]:
        return ""
    wrong = [k for k, (w, v) in enumerate(zip(old, after)) if not np.allclose(w.ravel(), v.ravel())]
    for k in wrong:
        same = np.allclose(np.sort(old[k].ravel()), np.sort(after[k].ravel()))
        if same:
            return (f"the weight of shape {after[k].shape} has all its numbers, in the wrong order: Flatten counts rows, then columns, "
                    f"then channels, so {old[k].shape} is reshaped, not transposed")
    last = len(old) - (2 if old[-1].ndim == 1 else 1)
    if wrong and min(wrong) >= last:
        return "the weights of the last layer were not copied"
    if wrong and all(np.abs(old[k].ravel() - after[k].ravel()).max() < 0.02 for k in wrong):
        return "the weights are nearly the same: they have been rounded on the way, and every digit counts"
    if wrong and all(old[k].ndim == 1 for k in wrong):
        if len(wrong) < sum(w.ndim == 1 for w in old):
            return (f"weight number {wrong[0]}, of shape {after[wrong[0]].shape}, is not the classifier's: copy every one, biases too, and what batch normalisation has counted, "
                    "which is in get_weights() and not in trainable_weights")
        return f"the biases were not copied (for example that of shape {after[wrong[0]].shape})"
    if wrong and all(old[k].ndim <= 2 for k in wrong):
        return f"the weights of the dense layers were not copied (for example {old[wrong[0]].shape} to {after[wrong[0]].shape})"
    return f"weight number {wrong[0]}, of shape {after[wrong[0]].shape}, is not the classifier's" if wrong else ""


def _lost(old, after):
    """Have numbers not arrived, where each has its place? Few of them may show in the answers; in what order they arrived always shows there."""
    if [w.size for w in old] != [w.size for w in after]:
        return False
    all_old, all_new = (np.sort(np.concatenate([w.ravel() for w in weights])) for weights in (old, after))
    return not np.allclose(all_old, all_new)


def check_copy_weights(f, kit):
    """After copying, the FCNN answers a window as the classifier does."""
    rng = np.random.default_rng(kit.seed)
    classifier, fcnn, small = (_built(kit.other(name)(shape), shape) for name, shape in (
        ("generate_model", PATCH), ("generate_fcnn_model", CANVAS), ("generate_fcnn_model", PATCH)))
    X = _windows(rng)
    _undecided(classifier, X, rng)
    old, before = classifier.get_weights(), fcnn.get_weights()
    returned = f(classifier, fcnn)
    after = fcnn.get_weights()
    if len(after) == len(old) and all(np.array_equal(a.ravel(), b.ravel()) for a, b in zip(after, old)) and all(map(np.array_equal, old, classifier.get_weights())):
        return  # every number has arrived in its place, whatever the networks make of them
    if kit.lenient and all(np.array_equal(a, b) for a, b in zip(before, after)) and hasattr(returned, "get_weights"):
        after = returned.get_weights()
    small.set_weights(after)
    base_after = classifier.get_weights()
    classifier.set_weights(old)
    away = _difference(classifier, _answer(small, X, "the FCNN's answer"), X)
    touched = any(not np.array_equal(a, b) for a, b in zip(old, base_after))
    if away >= 2e-3 or touched or _lost(old, after):
        reason = _diagnose_copy(old, before, after, base_after, hasattr(returned, "get_weights"))
        require(False, (f"after copy_weights the FCNN answers one 32 x 32 window otherwise than the classifier (up to {away:.2g} in the probability of a face)" if away >= 2e-3 else
                        "after copy_weights the FCNN has other numbers than the classifier" if not touched else "after copy_weights the classifier is not what it was")
                       + (f": {reason}" if reason else ""))
