"""The evaluation against the official program's own curves, and the shipped rates against the published curves."""

from pathlib import Path

import numpy as np
import pytest

from RegionDetector.fddb.evaluation import Curve, evaluate
from RegionDetector.fddb.reading import read_folds
from RegionDetector.fddb.report import COUNTS, PUBLISHED, read_detections

EVALUATIONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "fddb_eval"

pytestmark = pytest.mark.real


@pytest.mark.parametrize("detector, rows", [("mtcnn", 1774), ("jfda", 612)])
def test_curves_of_the_official_program(fddb_folder, detector, rows):
    vectors = EVALUATIONS / detector
    if not vectors.is_dir():
        pytest.skip(f"the official program's curves of {detector} (shared/data/fddb_eval) are not beside the project")
    curve = evaluate(read_folds(fddb_folder), read_detections(vectors))
    expected = [line.split() for line in (vectors / "expected_DiscROC.txt").read_text().splitlines()]
    points = list(zip(curve.discrete, curve.false_positives, curve.thresholds))[::-1]
    assert len(expected) == len(points) == rows
    assert [[f"{rate:.6g}", str(false), f"{threshold:.6g}"] for rate, false, threshold in points] == expected
    expected = np.loadtxt(vectors / "expected_ContROC.txt")
    np.testing.assert_array_equal(curve.false_positives[::-1], expected[:, 1])
    np.testing.assert_allclose(curve.continuous[::-1], expected[:, 0], atol=1e-6, rtol=0)


def test_shipped_rates_are_those_of_the_published_curves():
    files = sorted((EVALUATIONS / "published_roc").glob("*DiscROC.txt"))
    if not files:
        pytest.skip("the published curves (shared/data/fddb_eval/published_roc) are not beside the project")
    assert {path.stem for path in files} == set(PUBLISHED)
    for path in files:
        rate, false, threshold = np.loadtxt(path).T
        curve = Curve(threshold, false, rate, rate, 1)
        assert tuple(round(curve.rates_at(count)[0], 4) for count in COUNTS) == PUBLISHED[path.stem][1]
