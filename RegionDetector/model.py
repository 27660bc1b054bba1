"""The face classifier, its fully convolutional twin, and copying weights from one to the other."""

import weakref
from pathlib import Path

import numpy as np

from common.device import give_back_memory  # before Keras, so that TensorFlow is loaded quietly
from common.files import temporary_folder

SAMPLE_SHAPE = (32, 32, 3)
IMAGE_SHAPE = (176, 176, 3)
BATCH_SIZE = 128


def generate_model(sample_shape=SAMPLE_SHAPE):
    """The classifier: is this patch a face?

    Two convolutions with pooling, two dense layers, 542,530 parameters on 32 x 32 patches, in the
    spirit of LeNet-5 (LeCun et al., "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998).

    Parameters
    ----------
    sample_shape : tuple of int
        (height, width, 3) of a patch; pixels from 0 to 255.

    Returns
    -------
    keras.Model
        Output (N, 2), softmax: not a face, face.
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(sample_shape),
            layers.Rescaling(1 / 127.5, offset=-1, name="rescale"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(128, activation="relu", name="dense1"),
            layers.Dropout(0.5, name="dropout1"),
            layers.Dense(64, activation="relu", name="dense2"),
            layers.Dropout(0.25, name="dropout2"),
            layers.Dense(2, activation="softmax", name="answer"),
        ],
        name="classifier",
    )


def augmentation(seed=0):
    """Keras layers that change a patch as another photo of the same thing might differ.

    Flips, shifts, zooms and turns a little, and changes brightness and contrast.

    Returns
    -------
    keras.Sequential
        From (N, H, W, 3) to the same, pixels from 0 to 255; active only when training.
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomTranslation(0.06, 0.06, fill_mode="nearest", seed=seed + 1),
            layers.RandomZoom(0.1, fill_mode="nearest", seed=seed + 2),
            layers.RandomBrightness(0.2, seed=seed + 3),
            layers.RandomContrast(0.3, seed=seed + 4),
        ],
        name="augmentation",
    )


def generate_fcnn_model(image_shape=IMAGE_SHAPE):
    """The classifier of `generate_model` as a fully convolutional network (FCNN).

    The first dense layer sees an 8 x 8 map, so it becomes an 8 x 8 convolution without padding; the
    others become 1 x 1 convolutions. The last has no softmax: its linear answers tell certain from
    very certain. Source: Long, Shelhamer and Darrell, "Fully convolutional networks for semantic
    segmentation", CVPR 2015.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width, 3); height and width may be None, for photos of any size.

    Returns
    -------
    keras.Model
        Output (N, 37, 37, 2) on 176 x 176: cell (i, j) is the answer to the 32 x 32 window whose
        top left corner is pixel (4 i, 4 j).
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Rescaling(1 / 127.5, offset=-1, name="rescale"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(128, 8, activation="relu", name="dense1"),
            layers.Dropout(0.5, name="dropout1"),
            layers.Conv2D(64, 1, activation="relu", name="dense2"),
            layers.Dropout(0.25, name="dropout2"),
            layers.Conv2D(2, 1, name="answer"),
        ],
        name="fcnn",
    )


def copy_weights(base_model, fcnn_model):
    """Give the FCNN the weights of the classifier.

    A dense weight (rows * cols * channels, units) is reshaped to (rows, cols, channels, units):
    Flatten counts rows first, then columns, then channels, just as a convolution kernel is stored.

    Raises
    ------
    ValueError
        If the models have not the same weights in the same order.
    """
    old, new = base_model.get_weights(), fcnn_model.get_weights()
    if [w.size for w in old] != [w.size for w in new]:
        raise ValueError(
            f"the two models do not match: weights of {[w.shape for w in old]} "
            f"cannot be reshaped to {[w.shape for w in new]}"
        )
    fcnn_model.set_weights([weight.reshape(like.shape) for weight, like in zip(old, new)])


def _check_labels(name, X, Y):
    """Say what labels look like, before Keras says it in its own words."""
    shape = np.shape(Y)
    if len(Y) and (len(shape) != 2 or shape[1] != 2):
        plain = "; keras.utils.to_categorical(labels, 2) makes them of 0 and 1" if np.size(Y) == len(Y) else ""
        raise ValueError(f"the {name} labels: expected shape (N, 2), [0, 1] for a face and [1, 0] for none; got shape {shape}{plain}")
    if len(X) != len(Y):
        raise ValueError(f"{len(X)} {name} patches, but {len(Y)} labels: one for each")


def fit(model, datagen, X_train, Y_train, X_val, Y_val, epochs=10, lr=2e-3, checkpoint=None, patience=5, seed=0, verbose=True):
    """Fit the classifier; keep the epoch with the least validation loss in a file.

    The stop button (or Ctrl+C) ends it early: what was learnt until then is kept, and returned as always.

    Parameters
    ----------
    model : keras.Model
        From `generate_model`, or your own.
    datagen : keras.Layer or None
        What makes one patch look different every epoch; see `augmentation`.
    X_train, X_val : array_like, shape (N, H, W, 3)
        Patches, pixels from 0 to 255.
    Y_train, Y_val : array_like, shape (N, 2)
        [1, 0] for a negative patch, [0, 1] for a positive one.
    epochs : int
        At most; fitting stops earlier when validation loss has not improved for `patience` epochs.
    lr : float
        First learning rate of Adam; cut to 0.4 of itself after two epochs without a smaller validation loss.
    checkpoint : path, optional
        Where the best weights go, ``*.weights.h5``, and beside them the log of the epochs; default a temporary file, gone when Python ends.
    seed : int
        For the order of the patches.
    verbose : bool
        One line an epoch.

    A last layer with softmax gives probabilities, a linear one logits: the loss follows it, and a line says so.

    Returns
    -------
    keras.callbacks.History
        Of the whole epochs. ``history.checkpoint`` names the file; load it with ``model.load_weights(get_checkpoint(history))``.

    Raises
    ------
    ValueError
        If labels have another form, or there are not as many as patches; if a class has no sample: a classifier that has only seen faces calls
        everything a face.
    """
    import keras

    for name, X, Y in (("train", X_train, Y_train), ("validation", X_val, Y_val)):
        _check_labels(name, X, Y)
        present = np.asarray(Y).sum(axis=0) if len(Y) else np.zeros(2)
        if (present == 0).any():
            raise ValueError(f"the {name} samples have no {'negative' if present[0] == 0 else 'positive'} patch")
    from RegionDetector.networks import best_weights

    lasting, checkpoint = bool(checkpoint), Path(checkpoint) if checkpoint else temporary_folder("classifier-") / "best.weights.h5"
    settings = {"epochs": epochs, "lr": lr, "patience": patience, "seed": seed, "changes": [type(layer).__name__ for layer in getattr(datagen, "layers", [])]}
    name = best_weights.fingerprint(model, (X_train, Y_train, X_val, Y_val), settings) if lasting else ""

    logits = gives_logits(model, X_train[:32])
    if logits:
        print("the last layer is linear, without softmax: its two answers are taken as logits")

    def compiled():
        model.compile(optimizer=keras.optimizers.Adam(lr), loss=keras.losses.CategoricalCrossentropy(from_logits=logits), metrics=["accuracy"])
        if model.built:  # else Keras makes the variables of optimizer and metrics while TensorFlow traces a step, which is traced once more then
            model.optimizer.build(model.trainable_variables)
            some = keras.ops.convert_to_tensor(Y_val[:1], dtype="float32")
            model.compute_metrics(None, some, some)
            model.reset_metrics()

    compiled()
    if lasting and (history := best_weights.fit_before_the_restart(model, checkpoint, name)):
        return history
    kept = best_weights.BestWeights(checkpoint)
    try:
        model.fit(
            batches(datagen, X_train, Y_train, seed),
            validation_data=in_order(X_val, Y_val),
            epochs=epochs,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=patience),
                keras.callbacks.ReduceLROnPlateau(factor=0.4, patience=2, min_lr=1e-5),  # one epoch in vain is often chance
                kept,
            ],
            shuffle=False,  # `batches` does it
            verbose=2 if verbose else 0,
        )
    except KeyboardInterrupt:
        _say_what_is_kept(kept)
        if not kept.logs:
            compiled()  # the optimizer may be half made
            kept.keep_this_moment(X_train[:1000], Y_train[:1000], X_val, Y_val)
    give_back_memory()
    if kept.stale:
        kept.write(must=True)
    if lasting:
        best_weights.save_notes(kept.path, name, kept.logs)
    return best_weights.as_history(model, kept.logs, kept.path)


def _say_what_is_kept(kept):
    if kept.logs:
        print(f"Stopped in epoch {len(kept.logs) + 1}: the epochs before it and the best weights, of epoch {kept.best + 1}, are kept; the notebook goes on with them.")
    else:
        print("Stopped before the first epoch was over: the weights of this moment are kept, and the notebook goes on with them; they know little.")


def gives_logits(model, X):
    """Are a classifier's answers any numbers, as of a linear last layer, and no probabilities? Found out by its answers to some patches (N, H, W, 3)."""
    last = getattr((getattr(model, "layers", None) or [None])[-1], "activation", None)
    if getattr(last, "__name__", "") == "softmax":
        return False
    answers = np.asarray(model.predict(np.asarray(X, dtype="float32"), verbose=0))
    if np.allclose(answers.sum(axis=-1), 1, atol=1e-3) and (answers >= 0).all():
        return False
    return bool((answers < 0).any() or (answers > 1).any() or getattr(last, "__name__", "") == "linear")


def get_checkpoint(history):
    """The file with the weights of the best epoch: ``model.load_weights(get_checkpoint(history))``."""
    return str(history.checkpoint)


def in_order(X, Y):
    """Patches as they come, in batches of 32, for validation: made once, where Keras makes a set out of arrays that takes longer to begin with, in every epoch.

    Returns
    -------
    tf.data.Dataset
        Keras takes it with every backend, and finds the same as in the arrays.
    """
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((np.asarray(X, dtype="float32"), np.asarray(Y, dtype="float32"))).batch(32)


def batches(datagen, X, Y, seed=0):
    """Patches in random order, changed by `datagen`, in batches of 128; a new order every epoch.

    One thread changes the patches while the others train: with several, the order of their random
    numbers, and so the result, would differ from run to run.

    Returns
    -------
    tf.data.Dataset
        Keras takes it with every backend.
    """
    import tensorflow as tf

    patches, answers = np.asarray(X), tf.constant(Y, dtype="float32")
    there = weakref.ref(patches)  # what TensorFlow calls it never lets go

    def taken(numbers):  # by NumPy: TensorFlow would make two more copies of all patches, and keep the room of one
        return there()[numbers]

    @tf.autograph.experimental.do_not_convert  # it has no loop to unroll
    def change(numbers):
        x = tf.cast(tf.ensure_shape(tf.numpy_function(taken, [numbers], patches.dtype), (None, *patches.shape[1:])), tf.float32)
        # layer by layer: as a whole, Keras would call them on its own backend, which cannot look into TensorFlow's data
        for layer in getattr(datagen, "layers", [datagen] if datagen is not None else []):
            x = layer(x, training=True)
        return x, tf.gather(answers, numbers)

    # their numbers are shuffled, not the patches: those lie in memory once, as long as this does
    shown = tf.data.Dataset.range(len(X)).shuffle(len(X), seed=seed).batch(BATCH_SIZE).map(change).prefetch(2)
    shown.patches = patches
    return shown
