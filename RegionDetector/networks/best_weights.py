"""Fitting that may be stopped at any moment: the epochs that are whole and the best weights stay, in memory and in a file."""

import errno
import json
import os
import shutil
import zlib
from contextlib import suppress
from pathlib import Path

import keras
import numpy as np

from common.exercises.restart import is_running_again
from common.files import FULL, NOT_TO_WRITE, rename, temporary_folder, whole_file

SPARE = 1 << 20  # bytes of a disk that weights leave free


class BestWeights(keras.callbacks.Callback):
    """Keeps the log of every whole epoch, and the weights of the epoch with the least validation loss.

    Parameters
    ----------
    path : pathlib.Path
        ``*.weights.h5``; takes the place of an old one when it is whole. Where the disk is full or cannot be written, a temporary folder is taken.

    Attributes
    ----------
    logs : list of dict
        One for every whole epoch.
    best : int or None
        The epoch of the best weights, from 0 on.
    stale : bool
        Whether the file does not hold them yet.
    """

    def __init__(self, path):
        super().__init__()
        self.path, self.logs, self.best, self._weights, self.stale = Path(path), [], None, None, False

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        loss = logs.get("val_loss", np.inf)
        better = self.best is None or loss < self.logs[self.best]["val_loss"]
        weights = self.model.get_weights() if better else self._weights
        self.stale = self.stale or better
        # at once: whoever stops between two of these lines finds either the epoch before or this one
        self.logs, self.best, self._weights = [*self.logs, logs], len(self.logs) if better else self.best, weights
        if better:
            self.write()

    def write(self, must=False):
        """Write the best weights to their file; where the disk is full or cannot be written, to a temporary folder.

        Parameters
        ----------
        must : bool
            Raise where there is room nowhere, instead of keeping them in memory until the next try.
        """
        try:
            self._write_to(self.path)
        except OSError as error:
            if error.errno not in NOT_TO_WRITE:
                raise
            why = f"The disk of {self.path.parent} is full" if error.errno in FULL else f"{self.path.parent} cannot be written ({os.strerror(error.errno)})"
            print(f"{why}: the best weights go to a temporary folder, and are lost when Python ends.")
            self.path = temporary_folder("classifier-") / self.path.name
            try:
                self._write_to(self.path)
            except OSError as another:
                if must or another.errno not in FULL:
                    raise

    def _write_to(self, path):
        size = sum(weight.nbytes for weight in self._weights)
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < size + SPARE:  # half a file on a full disk is nobody's
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent))
        aside, now = path.with_name(f"part-{os.getpid()}-{path.name}"), self.model.get_weights()
        try:
            self.model.set_weights(self._weights)
            self.model.save_weights(str(aside))
            rename(aside, path)
        finally:
            self.model.set_weights(now)
            aside.unlink(missing_ok=True)
        self.stale = False

    def keep_this_moment(self, X, Y, X_val, Y_val):
        """No epoch is whole: the weights as they are become the best ones, with a log of what they are worth.

        Parameters
        ----------
        X, Y, X_val, Y_val : ndarray
            Patches and labels, to measure on.
        """
        measured = [self.model.evaluate(np.asarray(x, "float32"), np.asarray(y, "float32"), verbose=0, return_dict=True) for x, y in ((X, Y), (X_val, Y_val))]
        logs = {name: float(value) for name, value in measured[0].items()} | {f"val_{name}": float(value) for name, value in measured[1].items()}
        self.logs, self.best, self._weights, self.stale = [logs], 0, self.model.get_weights(), True


def as_history(model, logs, path):
    """What `fit` returns: a Keras history of some epochs, which also names the file of the best weights.

    Parameters
    ----------
    model : keras.Model
    logs : list of dict
    path : path

    Returns
    -------
    keras.callbacks.History
    """
    history = keras.callbacks.History()
    history.set_model(model)
    history.epoch = list(range(len(logs)))
    names = [name for name in logs[0] if all(name in log for log in logs)]
    history.history = {name: [log[name] for log in logs] for name in names}
    history.checkpoint = Path(path)
    model.history = history
    return history


def fingerprint(model, arrays, settings):
    """A name for one fit: the form of the network, the data, the settings.

    Parameters
    ----------
    model : keras.Model
    arrays : sequence of ndarray
    settings : dict

    Returns
    -------
    str
    """
    sums = [zlib.crc32(np.ascontiguousarray(array).data) for array in arrays]
    return json.dumps([[list(weight.shape) for weight in model.weights], sums, settings], sort_keys=True)


def save_notes(path, name, logs):
    """Lay the logs of a fit beside its weights, so that the notebook can go on from them after a restart.

    Parameters
    ----------
    path : pathlib.Path
        Of the weights.
    name : str
        From `fingerprint`.
    logs : list of dict
    """
    with suppress(OSError), whole_file(_notes(path)) as file:  # without them it is fitted anew
        json.dump({"fit": name, "logs": logs}, file)


def _notes(path):
    return path.with_name(path.name.removesuffix(".weights.h5") + ".json")


def fit_before_the_restart(model, path, name):
    """The history of the same fit, its best weights loaded, if it was done before the kernel was restarted; else None.

    Parameters
    ----------
    model : keras.Model
    path : pathlib.Path
        Of the weights.
    name : str
        From `fingerprint`.
    """
    if not is_running_again():
        return None
    try:
        notes = json.loads(_notes(path).read_text(encoding="utf-8"))
        if notes["fit"] != name:
            return None
        model.load_weights(str(path))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    print(f"the weights of the fit before the restart are loaded from {path.name}")
    return as_history(model, notes["logs"], path)
