"""FDDB itself, where it lies beside the project or where FDDB_DIR says."""

import pytest

from common.photos import photo_shape, read_photo
from RegionDetector.fddb import reading

pytestmark = pytest.mark.real


def test_counts(fddb_folder):
    records = reading.read_folds(fddb_folder)
    assert len(records) == 2845
    assert sum(len(record.ellipses) for record in records) == 5171
    assert len({record.name for record in records}) == 2845
    assert {record.fold for record in records} == set(range(1, 11))


def test_photos_are_rgb_and_of_the_shape_their_header_says(fddb_folder):
    for record in reading.read_folds(fddb_folder, 1)[::10]:
        photo = read_photo(record.path)
        assert photo.ndim == 3 and photo.shape[2] == 3
        assert photo.shape[:2] == photo_shape(record.path)
