"""`fit` stopped by hand, or by a full disk: what was learnt stays, and the notebook goes on."""

import errno
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from common import graph
from common.exercises.restart import running_again
from RegionDetector.exercises import best_epoch_loaded
from RegionDetector.model import fit, generate_fcnn_model, get_checkpoint
from RegionDetector.networks import best_weights

MOMENTS = random.Random(0).sample(range(1, 400), 10)


@pytest.fixture(scope="module")
def patches():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (300, 32, 32, 3)).astype("uint8")
    Y = np.eye(2)[rng.integers(0, 2, 300)]
    X[Y[:, 1] == 1] //= 2  # dark is a face
    return X[:256], Y[:256], X[256:], Y[256:]


def small():
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.AveragePooling2D(8), layers.Flatten(), layers.Dense(8, activation="relu"),
                             layers.Dense(2, activation="softmax")])  # fmt: skip


def goes_on(model, history, X_val, Y_val):
    """What the notebook's next cells do."""
    model.load_weights(get_checkpoint(history))
    graph.plot_history(history)
    lengths = {len(values) for values in history.history.values()}
    assert len(lengths) == 1 and lengths.pop() == len(history.epoch) >= 1
    assert {"accuracy", "loss", "val_accuracy", "val_loss"} <= set(history.history)
    assert best_epoch_loaded(model, history, X_val.astype("float32"), Y_val) == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_stopped_at_a_moment_the_notebook_goes_on(patches, tmp_path, capsys, moment):
    """The stop button comes between any two Python calls of the fit, also while weights are written."""
    for press in range(moment * 40, moment * 40 + 500, 53):
        history, model, where, said = pressed_at(press, patches, tmp_path, capsys)
        if said or not where:
            break
        assert len(history.epoch) == 40  # there Keras swallows an interrupt, as if the button had not been pressed: press again
    assert where and said.startswith("Stopped ") and "\n" not in said
    assert len(history.epoch) < 40
    goes_on(model, history, *patches[2:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.json", "best.weights.h5"]


def pressed_at(press, patches, folder, capsys):
    """Fit, and raise KeyboardInterrupt at so many calls of Python within Keras or within what keeps the weights."""
    left, where = [press], []

    def count(frame, event, argument):
        if event == "call" and ("/keras/" in frame.f_code.co_filename or frame.f_code.co_filename == best_weights.__file__):
            left[0] -= 1
            if left[0] == 0:
                where.append(frame.f_code.co_name)
                raise KeyboardInterrupt

    model = small()
    before = model.fit

    def fit_with_a_hand_on_the_button(*args, **kwargs):
        sys.setprofile(count)
        try:
            return before(*args, **kwargs)
        finally:
            sys.setprofile(None)

    model.fit = fit_with_a_hand_on_the_button
    history = fit(model, None, *patches, epochs=40, patience=40, checkpoint=folder / "best.weights.h5", verbose=False)
    return history, model, where, capsys.readouterr().out.strip()


def test_stopped_while_weights_are_written_the_best_ones_are_whole(patches, tmp_path, monkeypatch):
    model, real, calls = small(), best_weights.os.replace, []

    def stop(*names):
        calls.append(names)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*names)

    monkeypatch.setattr(best_weights.os, "replace", stop)
    history = fit(model, None, *patches, epochs=6, checkpoint=tmp_path / "best.weights.h5", verbose=False)
    assert len(history.epoch) == 2 and int(np.argmin(history.history["val_loss"])) == 1
    goes_on(model, history, *patches[2:])


def test_a_full_disk_is_said_in_a_line_and_nothing_is_lost(patches, tmp_path, monkeypatch, capsys):
    real, full = best_weights.shutil.disk_usage, [tmp_path]
    monkeypatch.setattr(best_weights.shutil, "disk_usage", lambda path: real(path)._replace(free=0) if any(root in [path, *path.parents] for root in full) else real(path))
    model = small()
    history = fit(model, None, *patches, epochs=2, checkpoint=tmp_path / "best.weights.h5", verbose=False)
    said = capsys.readouterr().out.strip()
    assert said.startswith(f"The disk of {tmp_path} is full") and "\n" not in said
    assert tmp_path not in history.checkpoint.parents and not list(tmp_path.iterdir())
    goes_on(model, history, *patches[2:])
    full.append(history.checkpoint.parents[1])
    with pytest.raises(OSError) as error:
        fit(small(), None, *patches, epochs=2, checkpoint=tmp_path / "best.weights.h5", verbose=False)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.parametrize("place", ["there", "file/weights"])
def test_a_folder_that_cannot_be_written_is_said_in_a_line_and_nothing_is_lost(patches, tmp_path, monkeypatch, capsys, place):
    def refused(model, name, real=best_weights.keras.Model.save_weights):
        if Path(name).parent == tmp_path / "there":  # as HDF5 says it, with a sentence in the place of the system's words
            raise PermissionError(errno.EACCES, "Unable to synchronously create file (unable to open file: ...)")
        real(model, name)

    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.setattr(best_weights.keras.Model, "save_weights", refused)
    model = small()
    history = fit(model, None, *patches, epochs=2, checkpoint=tmp_path / place / "best.weights.h5", verbose=False)
    said = capsys.readouterr().out.strip()
    assert said.startswith(f"{tmp_path / place} cannot be written (") and "synchronously" not in said and "\n" not in said
    assert tmp_path not in history.checkpoint.parents
    goes_on(model, history, *patches[2:])


def test_after_a_restart_the_same_fit_is_read_and_another_one_is_not(patches, tmp_path):
    path = tmp_path / "best.weights.h5"
    first = fit(small(), None, *patches, epochs=3, checkpoint=path, verbose=False)
    with running_again():
        model = small()
        again = fit(model, None, *patches, epochs=3, checkpoint=path, verbose=False)
        assert again.history == first.history
        goes_on(model, again, *patches[2:])
        stamp = path.stat().st_mtime_ns
        other = fit(small(), None, *patches, epochs=2, checkpoint=path, verbose=False)
        assert len(other.epoch) == 2 and path.stat().st_mtime_ns != stamp
        path.write_bytes(b"not a file of weights")
        assert len(fit(small(), None, *patches, epochs=2, checkpoint=path, verbose=False).epoch) == 2
    assert len(fit(small(), None, *patches, epochs=2, checkpoint=path, verbose=False).epoch) == 2


def test_the_kits_network_is_stopped_and_becomes_a_detector(patches, tmp_path):
    from RegionDetector.model import copy_weights, generate_model

    model = generate_model()
    real, calls = model.get_weights, []

    def stop():
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real()

    model.get_weights = stop
    history = fit(model, None, *patches, epochs=2, checkpoint=tmp_path / "best.weights.h5", verbose=False)
    goes_on(model, history, *patches[2:])
    fcnn = generate_fcnn_model((64, 64, 3))
    copy_weights(model, fcnn)
