"""From heat map to boxes at one scale, and the threshold."""

import numpy as np
from scipy.ndimage import maximum_filter

from common.boxes import as_boxes, inside_out, non_maximum_suppression
from common.inference import compiled, in_batches
from common.scores import precision_recall_curve, threshold_at_recall  # noqa: F401  (the curve is part of this task)
from RegionDetector.samples import expect_sizes

WINDOW = np.array([32, 32])  # what one cell of the heat map looks at, in pixels
BATCH = 8
MANY = 6 * BATCH  # photos from which making a quicker twin of the network pays
NMS_IOU = 0.3
NEIGHBOURHOOD = 3  # cells; two faces cheek to cheek are two peaks, and a second box on one face is what `NMS_IOU` is for


def face_shape(true_bboxes):
    """Mean height and width of the faces, the best box to draw around a peak.

    Parameters
    ----------
    true_bboxes : array_like, shape (N, 5)
        Course boxes of the training faces.

    Returns
    -------
    ndarray of float, shape (2,)

    Raises
    ------
    ValueError
        If there are no faces, or one ends before it begins.
    """
    boxes = as_boxes(true_bboxes, 5)
    if not len(boxes):
        raise ValueError("there are no faces, and so no mean height and width")
    if wrong := inside_out(boxes):
        raise ValueError(wrong)
    return (boxes[:, 3:5] - boxes[:, 1:3]).mean(axis=0)


def face_answer(answer):
    """The answer "face" minus the answer "not a face"; a single answer stands for itself: (..., 2 or 1) -> (...)."""
    return answer[..., 1] - answer[..., 0] if answer.shape[-1] == 2 else answer[..., 0]


def _leaves(model):
    for layer in getattr(model, "layers", ()):
        yield from _leaves(layer) if hasattr(layer, "layers") else [layer]


def cell_stride(canvas_shape, cells, fcnn_model=None):
    """How far apart the windows of neighbouring cells begin, along rows and columns.

    The product of the strides of the network's layers. Of a network that is not known, or that has branches, a whole number
    that gives so many cells on such a canvas; of several the one that poolings by two come to.

    Parameters
    ----------
    canvas_shape : tuple of int
        (H, W, ...) of the images.
    cells : tuple of int
        (h, w) of the maps.
    fcnn_model : keras.Model, optional

    Returns
    -------
    ndarray, shape (2,)
        Pixels.
    """
    known = np.prod([np.broadcast_to(getattr(layer, "strides", 1), 2) for layer in _leaves(fcnn_model)] or [[1, 1]], axis=0)
    strides = []
    for room, steps, stride in zip(np.array(canvas_shape[:2]) - WINDOW, np.array(cells) - 1, known):
        fitting = [s for s in range(1, max(room, 1) + 1) if room // s == steps]
        guess = max(fitting, key=lambda s: (s & -s, s), default=room / max(steps, 1))
        strides.append(stride if room // stride == steps else guess)
    return np.array(strides)


def heat_maps(fcnn_model, images, batch_size=BATCH, mirror=False):
    """How much more a face than not, for every cell of the FCNN's map.

    Parameters
    ----------
    fcnn_model : keras.Model
        From `generate_fcnn_model` or `model.to_fcnn`.
    images : sequence of ndarray, each (H, W, 3)
        Images of one size, pixels from 0 to 255.
    batch_size : int
    mirror : bool
        Look at the mirror image of each photo too and take the mean: a mirrored face is a face.

    Returns
    -------
    ndarray of float, shape (N, h, w)
        Answer "face" minus answer "not a face".

    Raises
    ------
    ValueError
        If the images differ in size, have not the network's channels, or are smaller than the window.
    """
    shapes = {np.shape(image) for image in images}
    channels = getattr(fcnn_model, "input_shape", (3,))[-1]  # a model that is a class of somebody's own does not say
    if len(shapes) > 1:
        raise ValueError(f"expected images of one size, these have {len(shapes)}: {', '.join(map(str, sorted(shapes)[:3]))}")
    if any(len(shape) != 3 or shape[2] != channels or min(shape[:2]) < WINDOW.min() for shape in shapes):
        raise ValueError(f"expected images of at least {WINDOW[0]} x {WINDOW[1]} pixels with {channels} channels, got the shape {shapes.pop()}")
    run = _runner(fcnn_model, len(images))

    def look(batch):
        batch = batch.astype("float32")
        maps = face_answer(run(batch))
        if mirror:
            # only of the part that windows cover, so that those of the mirror image begin where others end
            stride = cell_stride(batch.shape[1:], maps.shape[1:], fcnn_model)[1]
            covered = int(WINDOW[1] + (maps.shape[2] - 1) * stride)
            other = np.concatenate([batch[:, :, :covered][:, :, ::-1], batch[:, :, covered:]], axis=2)
            maps = (maps + face_answer(run(other))[:, :, ::-1]) / 2
        return maps

    return in_batches(look, images, batch_size)


def _runner(fcnn_model, count):
    """What runs a network: for many photos its twin with the large convolution in frequency space, which takes half the time, if it has one."""
    from RegionDetector.networks.fourier import fits, looking
    from RegionDetector.networks.layer_copies import CannotConvert

    if count < MANY or not any(fits(layer) for layer in getattr(fcnn_model, "layers", ())):
        return compiled(fcnn_model)
    try:
        return looking(fcnn_model)
    except (CannotConvert, ValueError, TypeError):  # branches, or layers of somebody's own that cannot be made anew
        return compiled(fcnn_model)


def _vertex(before, here, after):
    """Where the parabola through three neighbouring values has its top, in cells from the middle."""
    bend = before - 2 * here + after
    safe = np.where(bend < 0, bend, -1)
    return np.where(bend < 0, np.clip(0.5 * (before - after) / safe, -0.5, 0.5), 0.0)


def find_peaks(maps, neighbourhood=NEIGHBOURHOOD):
    """Local maxima of heat maps, located between the cells.

    A parabola through a maximum and its two neighbours, along rows and along columns, puts the
    peak where it is: a map cell is 4 pixels wide, and half of that costs IoU.

    Parameters
    ----------
    maps : ndarray of float, shape (N, h, w)
    neighbourhood : int
        A peak is the greatest value in this many cells, in both directions.

    Returns
    -------
    index : ndarray of int, shape (P,)
        Which map.
    rows, cols : ndarray of float, shape (P,)
        In cells.
    values : ndarray of float, shape (P,)
        The map's value at the cell.
    """
    highest = maximum_filter(maps, size=(1, neighbourhood, neighbourhood), mode="constant", cval=-np.inf)
    index, i, j = np.nonzero(maps == highest)
    framed = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    here = maps[index, i, j]
    rows = i + _vertex(framed[index, i, j + 1], here, framed[index, i + 2, j + 1])
    cols = j + _vertex(framed[index, i + 1, j], here, framed[index, i + 1, j + 2])
    return index, rows, cols, here


def get_bboxes_and_decision_function(fcnn_model, images, image_shapes, box_shape=WINDOW):
    """Find faces: one box for every peak of the heat map.

    Parameters
    ----------
    fcnn_model : keras.Model
        A fully convolutional network with a 32 x 32 window.
    images : sequence of ndarray, each (H, W, 3)
        Images of one size, pixels from 0 to 255; photos top left, the rest black.
    image_shapes : array_like, shape (N, 2 or 3)
        Height and width of each photo; boxes are cut to it, and peaks outside are left out.
    box_shape : array_like, shape (2,)
        Height and width of the boxes in pixels; see `face_shape`.

    Returns
    -------
    pred_bboxes : ndarray of float, shape (P, 5)
        Course boxes.
    decision_function : ndarray of float, shape (P,)
        Greater for more certain boxes. Every peak is in it: choose with a threshold.

    Raises
    ------
    ValueError
        As `heat_maps`, or if there are fewer sizes than photos.
    """
    expect_sizes(images, image_shapes)
    maps = heat_maps(fcnn_model, images, mirror=True)
    return boxes_from_maps(maps, cell_stride(np.shape(images[0]), maps.shape[1:], fcnn_model), image_shapes, box_shape)


def boxes_from_maps(maps, stride, image_shapes, box_shape=WINDOW):
    """Boxes for the peaks of heat maps; see `get_bboxes_and_decision_function`.

    Parameters
    ----------
    maps : ndarray of float, shape (N, h, w)
    stride : array_like, shape (2,)
        From `cell_stride`.
    """
    index, rows, cols, values = find_peaks(maps)
    centers = np.stack([rows, cols], axis=1) * stride + WINDOW / 2
    limits = np.asarray(image_shapes)[index, :2]
    inside = (centers <= limits).all(axis=1)
    index, centers, values, limits = index[inside], centers[inside], values[inside], limits[inside]
    half = np.asarray(box_shape, dtype=float) / 2
    boxes = np.clip(np.concatenate([centers - half, centers + half], axis=1), 0, np.tile(limits, 2))
    keep = _suppress(index, boxes, values)
    return np.column_stack([index, boxes])[keep], values[keep]


def _suppress(index, boxes, values, iou_threshold=NMS_IOU):
    """Non-maximum suppression image by image."""
    kept = [np.zeros(0, dtype=int)]
    for image in np.unique(index):
        these = np.flatnonzero(index == image)
        kept.append(these[non_maximum_suppression(boxes[these], values[these], iou_threshold)])
    return np.concatenate(kept)


def get_threshold(thresholds, recall):
    """The threshold for recall 0.85: the greatest that still finds 85 % of the faces."""
    return threshold_at_recall(thresholds, recall, 0.85)


def detect(fcnn_model, images, image_shapes, threshold, return_decision=True, box_shape=WINDOW):
    """Boxes with a decision function of at least `threshold`.

    Returns
    -------
    pred_bboxes : ndarray of float, shape (P, 5)
    decision_function : ndarray of float, shape (P,)
        Only with `return_decision`.
    """
    boxes, decision = get_bboxes_and_decision_function(fcnn_model, images, image_shapes, box_shape)
    sure = decision >= threshold
    return (boxes[sure], decision[sure]) if return_decision else boxes[sure]


if __name__ == "__main__":  # where the command was once; nothing would be worse than doing nothing
    raise SystemExit("This command has moved: python -m RegionDetector PHOTO...  (--help says more)")
