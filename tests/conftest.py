"""What all tests share: where the real data lies, and a small model."""

import atexit
import gc
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the kit itself has it, which asks for it too late where a test has loaded Keras before
os.environ.setdefault("KIT_CHECK_SECONDS", "900")  # whatever else this computer does
os.environ.setdefault("KIT_SOURCE", "demo")  # the built-in data, whatever lies in data/ of a clone that has been used

import pytest

# pytest would rewrite the asserts of Hypothesis, too, as of all plugins: two seconds wherever Python may keep no bytecode, and nobody reads them
_hooks = [hook for hook in sys.meta_path if type(hook).__name__ == "AssertionRewritingHook"]
sys.meta_path[:] = [hook for hook in sys.meta_path if hook not in _hooks]
from hypothesis import HealthCheck, settings

sys.meta_path[:0] = _hooks
from remembered import remembered_descriptors, remembered_maps  # noqa: F401, fixtures

import common.exercises.notebook_format  # noqa: F401, or tests would load nbformat in the way that takes a second more

# how long an example takes says something about the machine and what else it does, and nothing about the code
settings.register_profile("kit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kit")

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


def pytest_collection_finish(session):
    """Python that runs many files looks for garbage less often, and not in what was imported: that took a fifth of the time of some."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        from common import device

        device.prepare()
        gc.set_threshold(100_000, 50, 1000)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Nor in what earlier files left behind, which Keras and TensorFlow never let go."""
    if "PYTEST_XDIST_WORKER" in os.environ and nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Those of several processes end without what Python does at its end: their temporary folders would stay."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        atexit._run_exitfuncs()


@pytest.fixture(scope="session")
def fddb_if_there():
    """The real FDDB's folder, or None."""
    folder = Path(os.environ.get("FDDB_DIR", DATA / "fddb"))
    return folder if (folder / "FDDB-folds").is_dir() else None


@pytest.fixture(scope="session")
def fddb_folder(fddb_if_there):
    """The real FDDB, or a skip that says why."""
    if fddb_if_there is None:
        pytest.skip("no FDDB beside the project: set FDDB_DIR to run this test")
    return fddb_if_there


@pytest.fixture
def open_folder():
    """A folder that every user may enter; pytest keeps `tmp_path` from all others."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def simple_steps(monkeypatch):
    """The one pass and its second stage are trained by plain gradient descent, where it is enough that a step is made: AdamW with all that is asked of it takes six seconds to begin."""
    import keras

    from RegionDetector.one_pass import refining, training

    for module in (training, refining):
        monkeypatch.setattr(module, "optimizer", lambda steps, lr: keras.optimizers.SGD(lr))


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """A sandbox for submissions to either task, with a copy of the kit, and the modules loaded that a `Desk` has loaded for each of them."""
    from common.grading.sandbox import Sandbox
    from common.grading.student_package import write_tree
    from common.grading.tasks import TASKS, modules_of

    kit = tmp_path_factory.mktemp("kit")
    write_tree(kit, notebooks=False, sandbox=True)
    with Sandbox(kit, modules=dict.fromkeys(name for task in TASKS for name in modules_of(task))) as box:
        yield box
