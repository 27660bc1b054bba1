"""The model code on JAX and PyTorch gives what it gives on TensorFlow. Each backend runs in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
import numpy as np
import keras
from RegionDetector.model import augmentation, copy_weights, fit, generate_fcnn_model, generate_model
from RegionDetector.detector import heat_maps
from RegionDetector.networks.fourier import for_looking
from TrackDetector.descriptors import get_layer_output
from common.detection.network import load_detector
from common.device import backend, describe, seed_everything
from common.inference import compiled, in_batches

seed_everything(0)
rng = np.random.default_rng(0)
classifier, fcnn = generate_model(), generate_fcnn_model((32, 32, 3))
classifier.set_weights([rng.normal(0, 0.05, weight.shape).astype("float32") for weight in classifier.get_weights()])
copy_weights(classifier, fcnn)
patches = rng.integers(0, 256, (5, 32, 32, 3)).astype("float32")
found = {"answers": in_batches(compiled(classifier), patches, 2), "logits": in_batches(compiled(fcnn), patches, 2)}
wide = generate_fcnn_model()
copy_weights(classifier, wide)
photos = list(rng.integers(0, 256, (3, 176, 176, 3)).astype("uint8"))
found["maps"] = heat_maps(wide, photos, 2)
found["fourier"] = compiled(for_looking(wide))(np.stack(photos).astype("float32"))
found["detector"] = compiled(load_detector())(np.stack(photos)[:, :160, :160].astype("float32"))
found["descriptors"] = get_layer_output(rng.integers(0, 256, (3, 224, 224, 3)).astype("uint8"))

X = np.concatenate([rng.integers(0, 90, (60, 32, 32, 3)), rng.integers(160, 256, (60, 32, 32, 3))]).astype("float32")
Y = np.eye(2)[[0] * 60 + [1] * 60]
history = fit(generate_model(), augmentation(), X, Y, X[::5], Y[::5], epochs=4, verbose=False)
found["losses"], found["accuracy"] = history.history["loss"], max(history.history["val_accuracy"])
found["trained"] = backend()
np.savez(sys.argv[1], **found)
print(describe())
"""


def run(backend, folder):
    file = folder / f"{backend}.npz"
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith(("CPU", "GPU")), done.stdout
    with np.load(file) as found:
        return dict(found)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return run("tensorflow", tmp_path_factory.mktemp("backend"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same(backend, tmp_path, request):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed" + " (make test-jax)" * (backend == "jax"))
    reference, found = request.getfixturevalue("reference"), run(backend, tmp_path)
    assert found["trained"] == backend and reference["trained"] == "tensorflow"
    for name in ("answers", "logits", "maps", "fourier", "detector", "descriptors"):
        assert found[name].shape == reference[name].shape
        np.testing.assert_allclose(found[name], reference[name], rtol=1e-4, atol=1e-5, err_msg=name)
    # the FCNN on a window is the classifier, on this backend too
    odds = np.log(found["answers"])
    np.testing.assert_allclose(odds[:, 1] - odds[:, 0], np.diff(found["logits"].reshape(-1, 2))[:, 0], atol=1e-3)
    assert np.isfinite(found["losses"]).all() and found["losses"][-1] < found["losses"][0] and found["accuracy"] > 0.9


@pytest.mark.parametrize("decorated", [False, True])
def test_memory_goes_back_to_the_system(decorated):
    """Also that of objects in a ring, and of a heap whose end is in use; with another C library it may stay, and is no error."""
    import ctypes
    import weakref

    import psutil

    from common.device import give_back_memory, memory_given_back

    class Ring:
        pass

    ring = Ring()
    ring.itself, gone = ring, weakref.ref(ring)
    del ring
    parts = [np.ones(12_000) for _ in range(2000)]  # 100 KB each: too small for pages of their own
    before = psutil.Process().memory_info().rss

    def the_last():
        last = parts.pop()
        parts.clear()
        return last

    last = memory_given_back()(the_last)() if decorated else the_last()
    if not decorated:
        give_back_memory()
    assert gone() is None and last[0] == 1
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        assert psutil.Process().memory_info().rss < before - 80e6
