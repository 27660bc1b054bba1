"""The course set, on the real FDDB."""

import pytest

from common.photos import photo_shape
from RegionDetector.fddb.course_set import course_scale, split_indices, whole_boxes
from RegionDetector.fddb.reading import read_folds


@pytest.mark.real
def test_the_rule_keeps_what_the_published_course_keeps(fddb_folder):
    kept = []
    for record in read_folds(fddb_folder):
        shape = photo_shape(record.path)
        boxes = whole_boxes(record.ellipses, shape)
        if course_scale(boxes, shape) is not None:
            kept.append(record)
    assert len(kept) == 1531 and sum(len(record.ellipses) for record in kept) == 1762
    assert [len(part) for part in split_indices(len(kept)).values()] == [918, 306, 307]
    # its one face scales to exactly 24 x 40, and is out by the last bit of the float, as in the published set
    assert "2002/08/18/big/img_438" not in {record.name for record in kept}
