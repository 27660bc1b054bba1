"""What a class does not wait for: submissions that take long go first, data for fitting is made where something is fitted, modules are loaded once."""

import numpy as np
import pytest
from coursework import code_notebook, hand_in

from common.grading.desk import Way
from common.grading.kept import Kept
from common.grading.machines.order import SECONDS, longest_first
from common.grading.submissions import find_submissions

STUB = "@exercise\ndef f{}():\n    raise NotImplementedError"


@pytest.fixture
def handed_in(tmp_path):
    """Four notebooks with 0 to 3 of three exercises left; Submission by name."""
    for name, left in (("all", 0), ("none", 3), ("one", 2), ("two", 1)):
        hand_in(tmp_path / "in", name, code_notebook([STUB.format(k) for k in range(left)]))
    return {item.name: item for item in find_submissions(tmp_path / "in")}


def test_who_has_written_most_is_graded_first(handed_in):
    assert [item.name for item in longest_first(list(handed_in.values()), 3)] == ["all", "two", "one", "none"]


def test_what_took_long_before_is_graded_first(handed_in):
    took = {"none": 80.0, "two": 0.5, "one": SECONDS / 2}
    assert [item.name for item in longest_first(list(handed_in.values()), 3, lambda item: took.get(item.name))] == ["none", "all", "one", "two"]


def test_a_notebook_that_has_gone_does_not_stop_the_others(handed_in):
    handed_in["all"].notebook.unlink()
    assert [item.name for item in longest_first(list(handed_in.values()), 3)] == ["two", "one", "all", "none"]


def test_seconds_are_known_from_another_way_of_grading_but_not_of_another_notebook(handed_in, tmp_path):
    item = handed_in["one"]
    Kept(tmp_path / "results", Way("RegionDetector")).keep(item, {"student": item.name, "rows": [], "seconds": 31.5})
    kept = Kept(tmp_path / "results", Way("RegionDetector", seed=7))
    assert kept.fresh(item) is None and kept.seconds(item) == 31.5 and kept.seconds(handed_in["two"]) is None
    item.notebook.write_text(item.notebook.read_text() + " ")
    assert kept.seconds(item) is None


@pytest.mark.parametrize("fit", [False, True])
def test_training_data_is_made_where_something_is_fitted(monkeypatch, fit):
    from RegionDetector.checks import measured

    asked = []

    def load(place, name, source, progress):
        asked.append(name)
        return np.zeros((150, 176, 176, 3), np.uint8), np.array([[k, 40, 40, 80, 80] for k in range(150)], float), np.tile([176, 176, 3], (150, 1))

    monkeypatch.setattr("RegionDetector.get_data.load_dataset", load)
    data = measured.fresh_data(fit=fit)
    assert ("train" in asked) is fit and (data.train is not None) is fit
    assert len(data.test[0]) == measured.TEST_PHOTOS and len(data.val[0])


@pytest.mark.parametrize("task, some", [("RegionDetector", ["RegionDetector.samples", "common.graph"]), ("TrackDetector", ["TrackDetector.faces", "common.scores"])])
def test_what_most_submissions_import_is_loaded_once(sandbox, task, some):
    """A child finds the kit's modules that the notebook imports, without having to read them."""
    look = "def loaded(names):\n    import sys\n    return [name for name in names if name in sys.modules]"
    session = sandbox.open()
    try:
        session.request("load", statements=[look], stand_ins=[], pylab=False, seed=0)
        assert session.call("loaded", [[*some, f"{task}.exercises", f"{task}.hard_negatives"]], {}) == [*some, f"{task}.exercises"]
    finally:
        session.close()
