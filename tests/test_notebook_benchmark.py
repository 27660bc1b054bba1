"""What the benchmark of a notebook refuses before its minutes of work: what it would measure something else for."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location("notebook_benchmark", ROOT / "benchmarks" / "notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "measured", lambda *_: pytest.fail("the work has begun"))
    for name in ("KIT_BUILD", "FACE_KIT_OFFLINE", "FDDB_DIR"):  # it sets them for its kernels
        monkeypatch.setenv(name, "")
    return module


@pytest.mark.parametrize("arguments, said", [
    (["--photos", "4,11"], "expected 10 photos or more"), (["--photos", "150,5000"], "5,000 photos were asked for, and FDDB has 12 here"),
    (["--photos", "0"], "expected 10 photos or more"), (["--photos", "ten"], "--photos"), (["nowhere.ipynb"], "nowhere.ipynb: no such notebook"),
    ([str(ROOT / "TrackDetector" / "Face_Recognition_task.ipynb"), "--photos", "11"], "Face_Recognition_task.ipynb would look at its own")])
def test_what_would_be_another_measurement_is_refused(benchmark, monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(benchmark, "read_folds", lambda folder: [None] * 12)
    with pytest.raises(SystemExit) as ended:
        benchmark.main(arguments)
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_without_FDDB_it_says_where_that_comes_from(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--photos", "150,300"])
    assert "error: --photos: read_folds needs the folder of FDDB" in capsys.readouterr().err
