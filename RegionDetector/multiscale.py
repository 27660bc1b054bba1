"""Faces of any size in photos of any size: a fully convolutional network on an image pyramid."""

from collections import namedtuple

import numpy as np
from tqdm.auto import tqdm

from common.boxes import covered, iou, non_maximum_suppression
from common.device import give_back_memory
from common.inference import compiled
from RegionDetector.detector import WINDOW, boxes_from_maps, cell_stride, face_answer
from RegionDetector.pyramid import model as pyramid_model
from RegionDetector.pyramid.rescoring import look_again
from RegionDetector.pyramid.scales import FACE, in_two, on_one_canvas, pyramid_scales
from RegionDetector.samples import expect_sizes

COVERED = 0.5  # a box of which more lies in a better box is dropped: an eye inside a face is no face of its own
SAME, INSIDE, VOTES = 0.35, 0.7, 0.5  # overlaps; see `merged`
AGREE = 0.3  # logits that a face gains when e times as many answers agree on it
DOUBT = 1.0  # an answer that is fainter than wanted by this much may be a face at a second look
MOST = 1000  # answers of one photo that are looked at more closely, the surest

# How to look: pixels that the smallest face has on the finest level, ratio of the scales, smallest and largest faces that count on a level, in its pixels
Search = namedtuple("Search", "face step least_size greatest_size", defaults=(28.0, 2**0.5, 20.0, 76.0))


def multiscale_detector(fcnn_model, images, image_shapes, box_shape=WINDOW, min_face=None, least=-2.0, progress=True):
    """Find faces at many scales and keep the best of those that overlap.

    Parameters
    ----------
    fcnn_model : keras.Model
        The course's FCNN, for images of any or of a fixed size, or the network of `pyramid.model`, which has learnt
        the boxes as well.
    images : sequence of ndarray of uint8, each (H, W, 3)
        Photos of any size.
    image_shapes : array_like, shape (N, 2 or 3)
        The part of each image that is photo.
    box_shape : array_like, shape (2,)
        For the course's FCNN: height and width of a box at the scale at which faces have 32 pixels.
    min_face : float, optional
        Smallest face to look for, mean of height and width, in pixels. Default 32, or 20 with `pyramid.model`.
    least : float
        Boxes with a smaller decision function are left out.
    progress : bool

    Returns
    -------
    pred_bboxes : ndarray of float, shape (P, 5)
        Course boxes in pixels of the photos.
    decision_function : ndarray of float, shape (P,)

    Raises
    ------
    ValueError
        If a photo has not three channels, or values above 255, or there are fewer sizes than photos.

    References
    ----------
    E. H. Adelson et al., "Pyramid methods in image processing", RCA Engineer 29(6), 1984.
    """
    from RegionDetector.networks.fourier import looking

    expect_sizes(images, image_shapes)
    learnt = fcnn_model.output_shape[-1] == pyramid_model.ANSWERS
    run = compiled(fcnn_model) if learnt else looking(fcnn_model)
    found, decisions = [np.zeros((0, 5))], [np.zeros(0)]
    for index, (image, shape) in enumerate(zip(tqdm(images, "photos", disable=not progress), image_shapes)):
        photo = np.asarray(image)[: shape[0], : shape[1]]
        if photo.ndim != 3 or photo.shape[2] != 3 or photo.max(initial=0) > 255:
            raise ValueError(f"photo {index}: expected (H, W, 3) with values from 0 to 255, got {photo.dtype} of shape {photo.shape} up to "
                             f"{photo.max(initial=0):g}; common.photos.read_photo reads photos of any kind so")
        if learnt:
            ellipses, values = find_ellipses(run, photo, min_face or 20, least, closer=True)
            boxes = as_boxes_in(ellipses, photo.shape)
        else:
            boxes, values = _windows(fcnn_model, run, photo, box_shape, min_face or FACE, least)
        found.append(np.column_stack([np.full(len(boxes), index), boxes]))
        decisions.append(values)
    give_back_memory()
    return np.concatenate(found), np.concatenate(decisions)


def _windows(fcnn_model, run, photo, box_shape, min_face, least):
    """The course's way: a box of one size around every peak of every level's heat map."""
    boxes, values = [np.zeros((0, 4))], [np.zeros(0)]
    scales = pyramid_scales(photo.shape, min_face)
    for part, levels in in_two(*on_one_canvas(photo, scales)) if scales else ():
        answers = face_answer(run(part[None].astype(np.float32)))
        stride = cell_stride(part.shape, answers.shape[1:], fcnn_model)
        for row, col, height, width in levels:
            # all windows that begin in the level and have their middle there
            first = np.ceil((row, col) / stride).astype(int)
            lead = first * stride - (row, col)
            rows, cols = np.maximum(((height, width) - lead - WINDOW // 2) // stride + 1, 0).astype(int)
            cells = answers[:, first[0] :, first[1] :][:, :rows, :cols]
            if not cells.size:  # no window of a network with large steps begins here
                continue
            level, value = boxes_from_maps(cells, stride, [(height, width) - lead], box_shape)
            level = level[:, 1:] + np.tile(lead, 2)
            boxes.append(np.clip(level * np.tile(np.array(photo.shape[:2]) / (height, width), 2), 0, np.tile(photo.shape[:2], 2)))
            values.append(value)
    boxes, values = np.concatenate(boxes), np.concatenate(values)
    boxes, values = boxes[values >= least], values[values >= least]
    keep = non_maximum_suppression(boxes, values, COVERED, covered)
    return boxes[keep], values[keep]


def find_ellipses(run, photo, min_face=20, least=-2.0, mirror=False, search=Search(), closer=False):
    """Find the faces of one photo with the network of `pyramid.model`.

    Parameters
    ----------
    run : callable
        From `common.inference.compiled`.
    photo : ndarray of uint8, shape (H, W, 3)
    min_face : float
        Smallest face to look for: square root of height times width, in pixels.
    least : float
        Ellipses with a smaller logit are left out.
    mirror : bool
        Look at the mirror image too and take the mean of the answers; twice the time.
    search : Search
    closer : bool
        Take a second look at each answer; see `rescoring`. The more answers, the longer it takes.

    Returns
    -------
    ellipses : ndarray of float, shape (P, 5)
        In pixels of the photo, as `pyramid.model.read_map` gives them; most certain first.
    logits : ndarray of float, shape (P,)
    """
    ellipses, logits = [np.zeros((0, 5))], [np.zeros(0)]
    enough = least - DOUBT if closer else least
    scales = pyramid_scales(photo.shape, min_face, search.step, search.face)
    if scales:
        canvas, levels = on_one_canvas(photo, scales)
        answers = _look(run, canvas, mirror)
        for row, col, height, width in levels:
            stride = pyramid_model.STRIDE
            part = answers[row // stride :, col // stride :][: -(-height // stride), : -(-width // stride)]
            logit, ellipse = pyramid_model.read_map(part)
            size = 2 * np.sqrt(ellipse[:, 2] * ellipse[:, 3])
            keep = (logit >= enough) & (size >= search.least_size) & (size <= search.greatest_size)
            ellipse[:, :4] *= np.tile(np.array(photo.shape[:2]) / (height, width), 2)
            ellipses.append(ellipse[keep])
            logits.append(logit[keep])
    ellipses, logits = np.concatenate(ellipses), np.concatenate(logits)
    surest = np.argsort(-logits, kind="stable")[:MOST]
    ellipses, logits = merged(ellipses[surest], logits[surest])
    if closer:
        ellipses, logits = look_again(run, photo, ellipses, logits)
    return ellipses[logits >= least], logits[logits >= least]


def _look(run, canvas, mirror):
    """The network's answers on one canvas, (h, w, 6)."""
    answers = run(canvas[None].astype(np.float32))[0]
    if not mirror:
        return answers
    other = run(np.ascontiguousarray(canvas[:, ::-1])[None].astype(np.float32))[0][:, ::-1]
    # what lies to the left of a cell lies to the right in the mirror, and leans the other way
    return (answers + other * np.array([1, 1, -1, 1, 1, -1])) / 2


def as_boxes_in(ellipses, shape):
    """The boxes around ellipses, cut to the photo: (N, 5) to (N, 4)."""
    boxes = np.concatenate([ellipses[:, :2] - ellipses[:, 2:4], ellipses[:, :2] + ellipses[:, 2:4]], axis=1)
    return np.clip(boxes, 0, np.tile(shape[:2], 2))


def merged(ellipses, logits):
    """One ellipse for each face: the surest, moved to the mean of those that agree with it.

    All whose box overlaps a surer one by an IoU above 0.35, or of which more than 70 % of the smaller lies in the other, speak of
    the same face; those with an IoU above 0.5 count in the mean, by the square of their probability. A face is seen by
    several cells and at more than one scale, a false alarm often by one: the logit grows with the logarithm of the sum of
    the probabilities that agree.

    Returns
    -------
    ellipses : ndarray of float, shape (P, 5)
    logits : ndarray of float, shape (P,)
        Falling.

    References
    ----------
    S. Gidaris and N. Komodakis, "Object detection via a multi-region and semantic segmentation-aware CNN model",
    ICCV 2015 (box voting).
    """
    boxes = np.concatenate([ellipses[:, :2] - ellipses[:, 2:4], ellipses[:, :2] + ellipses[:, 2:4]], axis=1)
    left, kept, values = np.argsort(-logits, kind="stable"), [], []
    while len(left):
        best = left[:1]
        overlap = iou(boxes[best], boxes[left])[0]
        same = (overlap > SAME) | (covered(boxes[best], boxes[left]) > INSIDE) | (left == best)
        votes = left[same & (overlap > VOTES) | (left == best)]
        probability = 1 / (1 + np.exp(-logits[votes]))
        kept.append(np.average(ellipses[votes], axis=0, weights=probability**2))
        values.append(logits[best[0]] + AGREE * np.log(probability.sum()))
        left = left[~same]
    order = np.argsort(-np.array(values), kind="stable")
    return np.array(kept).reshape(-1, 5)[order], np.array(values)[order]
