"""Faces of any size in photos of any size: the detector on an image pyramid."""

import math

import cv2
import numpy as np
from tqdm.auto import tqdm

from common.boxes import covered, non_maximum_suppression
from common.inference import compiled
from RegionDetector.detector import WINDOW, boxes_from_maps, face_answer

STEP = 2 ** (1 / 3)  # from level to level; the network was trained on faces of 24 to 40 pixels
MULTIPLE = 64  # image sides are filled up to this, so that few different sizes are compiled
COVERED = 0.5  # a box of which more lies in a better box is dropped: an eye inside a face is no face of its own
FACE = 32  # mean of height and width of the faces the network was trained on


def any_size(fcnn_model):
    """The same FCNN for images of any size; it shares no weights with the old one."""
    import keras

    if fcnn_model.input_shape[1:3] == (None, None):
        return fcnn_model
    twin = keras.models.clone_model(fcnn_model, input_tensors=keras.Input((None, None, fcnn_model.input_shape[-1])))
    twin.set_weights(fcnn_model.get_weights())
    return twin


def pyramid_scales(shape, min_face=FACE, step=STEP):
    """Scales at which faces from `min_face` pixels to the photo's own size come to 32 pixels.

    Parameters
    ----------
    shape : tuple of int
        (height, width, ...) of the photo.
    min_face : float
    step : float

    Returns
    -------
    list of float
        Falling; empty if the photo is smaller than the least face.
    """
    largest = min(shape[:2])
    count = math.floor(math.log(max(largest / min_face, 1e-9)) / math.log(step)) + 1
    return [FACE / (min_face * step**k) for k in range(count)]


def _level(image, factor):
    """The image at one scale on a black canvas with sides that are multiples of 64, and its size there."""
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    rows, cols = (max(WINDOW[0], math.ceil(side / MULTIPLE) * MULTIPLE) for side in (height, width))
    canvas = np.zeros((rows, cols, 3), np.float32)
    canvas[:height, :width] = small
    return canvas, (height, width)


def multiscale_detector(fcnn_model, images, image_shapes, box_shape=WINDOW, min_face=FACE, least=-2.0, progress=True):
    """Find faces at many scales and keep the best of those that overlap.

    Parameters
    ----------
    fcnn_model : keras.Model
        One that takes images of a fixed size is copied into one that takes any.
    images : sequence of ndarray of uint8, each (H, W, 3)
        Photos of any size.
    image_shapes : array_like, shape (N, 2 or 3)
        The part of each image that is photo.
    box_shape : array_like, shape (2,)
        Height and width of a box at the scale at which faces have 32 pixels.
    min_face : float
        Smallest face to look for, mean of height and width, in pixels.
    least : float
        Boxes with a smaller decision function are left out.
    progress : bool

    Returns
    -------
    pred_bboxes : ndarray of float, shape (P, 5)
        Course boxes in pixels of the photos.
    decision_function : ndarray of float, shape (P,)

    References
    ----------
    E. H. Adelson et al., "Pyramid methods in image processing", RCA Engineer 29(6), 1984.
    """
    run = compiled(any_size(fcnn_model))
    found, decisions = [np.zeros((0, 5))], [np.zeros(0)]
    for index, (image, shape) in enumerate(zip(tqdm(images, "photos", disable=not progress), image_shapes)):
        photo = np.asarray(image)[: shape[0], : shape[1]]
        boxes, values = [np.zeros((0, 4))], [np.zeros(0)]
        for factor in pyramid_scales(photo.shape, min_face):
            canvas, size = _level(photo, factor)
            level, value = boxes_from_maps(face_answer(run(canvas[None])), canvas.shape, [size], box_shape)
            boxes.append(np.clip(level[:, 1:] / factor, 0, np.tile(photo.shape[:2], 2)))
            values.append(value)
        boxes, values = np.concatenate(boxes), np.concatenate(values)
        boxes, values = boxes[values >= least], values[values >= least]
        keep = non_maximum_suppression(boxes, values, COVERED, covered)
        found.append(np.column_stack([np.full(len(keep), index), boxes[keep]]))
        decisions.append(values[keep])
    return np.concatenate(found), np.concatenate(decisions)
