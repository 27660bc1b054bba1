"""FDDB itself, where it lies beside the project or where FDDB_DIR says."""

from pathlib import Path

import pytest

from RegionDetector import fddb

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def folder():
    named = fddb.find_fddb()
    if named is None and not (DATA / "fddb" / "FDDB-folds").is_dir():
        pytest.skip("FDDB is neither beside the project (shared/data/fddb) nor named by FDDB_DIR")
    return named or DATA / "fddb"


def test_counts(folder):
    records = fddb.read_folds(folder)
    assert len(records) == 2845
    assert sum(len(record.ellipses) for record in records) == 5171
    assert len({record.name for record in records}) == 2845
    assert {record.fold for record in records} == set(range(1, 11))


def test_photos_are_rgb_and_of_the_shape_their_header_says(folder):
    for record in fddb.read_folds(folder, 1)[::10]:
        photo = fddb.read_photo(record.path)
        assert photo.ndim == 3 and photo.shape[2] == 3
        assert photo.shape[:2] == fddb.photo_shape(record.path)
