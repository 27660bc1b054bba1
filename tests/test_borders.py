"""Frames are found to a pixel or two, and photos without one are left alone."""

import numpy as np
import pytest
from skimage.data import chelsea, coffee

from common.borders import crop_borders, find_borders


@pytest.mark.parametrize("color", [255, (200, 180, 30), (20, 90, 160)])
@pytest.mark.parametrize("photo", [chelsea, coffee])
def test_a_frame_is_found(photo, color):
    image = photo()[::2, ::2]
    framed = np.empty((image.shape[0] + 30, image.shape[1] + 44, 3), np.uint8)
    framed[:] = color
    framed[12 : 12 + image.shape[0], 20 : 20 + image.shape[1]] = image
    found = find_borders(framed)
    assert np.abs(np.subtract(found, (12, 20, 12 + image.shape[0], 20 + image.shape[1]))).max() <= 3
    assert abs(crop_borders(framed).shape[0] - image.shape[0]) <= 6


@pytest.mark.parametrize("image", [chelsea(), np.zeros((40, 40, 3), np.uint8), np.full((1, 1), 9, np.uint8)])
def test_without_a_frame_nothing_is_cut(image):
    assert find_borders(image) == (0, 0, *image.shape[:2])


def test_a_strange_shape_is_refused():
    with pytest.raises(ValueError, match="expected an image"):
        find_borders(np.zeros((4, 4, 2)))
