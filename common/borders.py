"""Cropping frames and margins from photos with the Canny edge detector."""

import numpy as np
from skimage.color import rgb2gray
from skimage.feature import canny


def find_borders(image, sigma=1.0, share=0.5, reach=0.25):
    """Find the frame around a photo: a white or black margin, a passe-partout, a scanner's border.

    Looks for straight edges that run along a side, near the side: rows and columns of the Canny edge
    map in which at least `share` of the pixels are edge.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3) or (H, W)
    sigma : float
        Width of the Gaussian filter in front of the edge detector, in pixels.
    share : float
        How much of a row or column has to be edge, between 0 and 1.
    reach : float
        How far in from each side a frame may end, as a share of the side.

    Returns
    -------
    tuple of int
        ``(min_row, min_col, max_row, max_col)`` of the photo inside the frame, half-open; the whole
        image if there is no frame.

    Raises
    ------
    ValueError
        If the image is not (H, W) or (H, W, 3).

    References
    ----------
    J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis and
    Machine Intelligence 8(6), 1986; `skimage.feature.canny`.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"expected an image (H, W) or (H, W, 3), got shape {image.shape}")
    grey = rgb2gray(image) if image.ndim == 3 else image / (255 if image.dtype == np.uint8 else 1)
    edges = canny(np.pad(grey, 2, mode="edge"), sigma=sigma)[2:-2, 2:-2]
    # an edge may wander between two neighbouring rows
    wide = edges.copy()
    wide[:-1] |= edges[1:]
    rows = wide.mean(axis=1) >= share
    wide = edges.copy()
    wide[:, :-1] |= edges[:, 1:]
    cols = wide.mean(axis=0) >= share
    (top, bottom), (left, right) = _inside(rows, reach), _inside(cols, reach)
    return top, left, bottom, right


def _inside(lines, reach):
    """First and last index between the innermost lines near either end."""
    size = len(lines)
    near = int(size * reach)
    low, high = np.flatnonzero(lines[:near]), np.flatnonzero(lines[size - near :])
    start = int(low[-1]) + 1 if len(low) else 0
    stop = size - near + int(high[0]) if len(high) else size
    return start, stop


def crop_borders(image, **settings):
    """Cut the frame off a photo; settings as in `find_borders`."""
    top, left, bottom, right = find_borders(image, **settings)
    return np.asarray(image)[top:bottom, left:right]
