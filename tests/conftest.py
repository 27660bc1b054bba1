"""What all tests share: where the real data lies, and a small model."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("KIT_CHECK_SECONDS", "900")  # whatever else this computer does
os.environ.setdefault("KIT_SOURCE", "demo")  # the built-in data, whatever lies in data/ of a clone that has been used

import pytest
from hypothesis import HealthCheck, settings
from remembered import remembered_descriptors, remembered_maps  # noqa: F401, fixtures

# how long an example takes says something about the machine and what else it does, and nothing about the code
settings.register_profile("kit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kit")

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def fddb_folder():
    """The real FDDB, or a skip that says why."""
    folder = Path(os.environ.get("FDDB_DIR", DATA / "fddb"))
    if not (folder / "FDDB-folds").is_dir():
        pytest.skip("no FDDB beside the project: set FDDB_DIR to run this test")
    return folder


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A sandbox for submissions, with a copy of the kit."""
    from common.grading.sandbox import Sandbox
    from common.grading.student_package import write_tree

    kit = tmp_path_factory.mktemp("kit")
    write_tree(kit, notebooks=False, sandbox=True)
    with Sandbox(kit) as box:
        yield box
