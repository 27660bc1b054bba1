"""dlib's own network beside ours: the yardstick, used for comparing and for nothing else."""

import numpy as np

from TrackDetector.networks.dlib_weights import RESNET_FILE, name_for_dlib


def dlib_descriptors(chips):
    """Descriptors as dlib computes them.

    Parameters
    ----------
    chips : array_like, shape (N, 150, 150, 3), uint8 RGB
        Aligned faces.

    Returns
    -------
    ndarray of float, shape (N, 128)

    Raises
    ------
    ValueError
        If the chips have another shape or type.
    """
    import dlib

    chips = np.asarray(chips)
    if chips.ndim != 4 or chips.shape[1:] != (150, 150, 3) or chips.dtype != np.uint8:
        raise ValueError(f"expected aligned faces (N, 150, 150, 3), uint8; got {chips.shape}, {chips.dtype}")
    network = dlib.face_recognition_model_v1(name_for_dlib(RESNET_FILE))
    return np.array(network.compute_face_descriptor([np.ascontiguousarray(chip) for chip in chips]))


def largest_difference_to_dlib(chips, descriptors):
    """Largest absolute difference between descriptors (N, 128) and dlib's own of the same chips."""
    return float(np.abs(dlib_descriptors(chips) - descriptors).max())
