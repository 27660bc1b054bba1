"""Weights that somebody handed in: read without running anything that is in the file."""

import shutil
import tempfile
from pathlib import Path

import numpy as np


class WeightsError(ValueError):
    """The weights cannot be used; the message says why."""


def build(model, shape):
    """Have a network make its weights: a class, or a Sequential without Input, has none before its first input, here zeros of this shape."""
    model(np.zeros((1, *shape), np.float32))


def _ending(file):
    """What the file should end in, by what is in it: of one that is handed in again, platforms make ``NAME.weights-1.h5`` or ``NAME.weights (1).h5``."""
    import h5py

    if file.casefold().endswith(".keras"):
        return ".keras"
    with h5py.File(file, "r") as stored:
        return ".h5" if "model_config" in stored.attrs else ".weights.h5"


def load_weights(model, file, shape=(32, 32, 3)):
    """Put the weights of a file into a model, which is built first if it is not yet.

    No pickle, no lambda, no custom objects: ``.weights.h5`` holds arrays only, and whole models are read in
    Keras' safe mode.

    Parameters
    ----------
    model : keras.Model
    file : str
        ``.weights.h5``, or a whole model, ``.keras`` or ``.h5``; in small letters or in capitals.
    shape : tuple of int
        Of one input.

    Returns
    -------
    str
        What went wrong; empty if nothing did.
    """
    import keras

    if not file.casefold().endswith((".keras", ".h5")):
        return "hand in weights as NAME.weights.h5"
    try:
        build(model, shape)
        ending = _ending(file)
        with tempfile.TemporaryDirectory() as folder:
            if not file.endswith(ending):  # Keras goes by the name
                file = shutil.copyfile(file, str(Path(folder) / f"handed-in{ending}"))
            if ending == ".weights.h5":
                model.load_weights(file)
            else:
                whole = keras.saving.load_model(file, compile=False, safe_mode=True)
                model.set_weights(whole.get_weights())
    except Exception as error:
        return f"these weights do not fit generate_model's network, or the file is damaged ({type(error).__name__}: {str(error)[:200]})"
    return ""


def fit_for_a_while(model, X, Y, X_val, Y_val, seconds):
    """Fit a classifier for at most some seconds, or until five epochs have brought nothing, and load its best epoch; 1.0 if that was possible."""
    import time

    import keras

    start, best, weights = time.monotonic(), np.inf, None
    linear = not np.allclose(np.sum(model.predict(X[:8], verbose=0), axis=-1), 1, atol=1e-3)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss=keras.losses.CategoricalCrossentropy(from_logits=linear))
    model.optimizer.build(model.trainable_variables)  # made within the first step, TensorFlow would trace the step twice
    last, idle = 0.0, 0
    while time.monotonic() - start + last < seconds and idle < 5:
        begun = time.monotonic()
        model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
        loss = float(model.evaluate(X_val, Y_val, verbose=0))
        if loss < best:
            best, weights, idle = loss, model.get_weights(), 0
        else:
            idle += 1
        last = time.monotonic() - begun
    if weights is not None:
        model.set_weights(weights)
    return 1.0
