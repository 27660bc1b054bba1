"""Cutting training patches: positive, negative, and hard negative ones."""

import numpy as np

from common.boxes import as_boxes, inside_out, iou

SAMPLE_SHAPE = (32, 32, 3)
TRIES = 100


def cut(images, boxes, sample_shape=SAMPLE_SHAPE):
    """Cut the window of `sample_shape` that has the same centre as each box.

    Parameters
    ----------
    images : sequence of ndarray, each (H, W, 3)
    boxes : array_like, shape (N, 5)
        Course boxes.
    sample_shape : tuple of int
        (height, width, 3) of a window.

    Returns
    -------
    ndarray of the images' type, shape (N, height, width, 3)
        Where a window reaches over the edge of its image, it is filled with black.

    Raises
    ------
    ValueError
        If a box is of no image that there is, or of one that is not (H, W, 3).
    """
    boxes = as_boxes(boxes, 5)
    for number in np.unique(boxes[:, 0]):
        if not (0 <= number < len(images) and number == int(number)):
            raise ValueError(f"there is a box in photo {number:g}, but there are {len(images)} photos, counted from 0: the first number of a course box is its photo's place among them")
        if np.ndim(images[int(number)]) != 3 or np.shape(images[int(number)])[2] != sample_shape[2]:
            raise ValueError(f"photo {number:g}: expected (H, W, {sample_shape[2]}), got shape {np.shape(images[int(number)])}; common.photos.read_photo reads photos of any kind so")
    size = np.array(sample_shape[:2])
    corners = np.round((boxes[:, 1:3] + boxes[:, 3:5] - size) / 2).astype(int)
    patches = np.zeros((len(boxes), *sample_shape), dtype=np.asarray(images[0]).dtype if len(images) else np.uint8)
    for patch, index, (row, col) in zip(patches, boxes[:, 0].astype(int), corners):
        top, left = max(row, 0), max(col, 0)
        part = images[index][top : row + size[0], left : col + size[1]] if row + size[0] > 0 and col + size[1] > 0 else ()
        if len(part):
            patch[top - row : top - row + part.shape[0], left - col : left - col + part.shape[1]] = part
    return patches


def is_negative_bbox(new_bbox, true_bboxes, eps=1e-1):
    """Does a box keep clear of every face, with an IoU below `eps`?

    Parameters
    ----------
    new_bbox : array_like, shape (4,)
    true_bboxes : array_like, shape (N, 4)
        Boxes without image index; may be empty.
    """
    return bool((iou([new_bbox], true_bboxes) < eps).all())


def gen_negative_bbox(image_shape, bbox_size, true_bboxes, rng=None):
    """Draw a random box inside the photo that shows no face.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width, ...) of the photo, without the black margin.
    bbox_size : tuple of int
        (height, width) of the box.
    true_bboxes : array_like, shape (N, 4)
        The photo's faces.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    list of int or None
        ``[min_row, min_col, max_row, max_col]``; None if the photo is smaller than the box, or 100
        boxes in a row touched a face.
    """
    rng = np.random.default_rng(rng)
    room = np.array(image_shape[:2]) - np.array(bbox_size[:2])
    if (room < 0).any():
        return None
    for _ in range(TRIES):
        row, col = rng.integers(room + 1)
        bbox = [int(row), int(col), int(row + bbox_size[0]), int(col + bbox_size[1])]
        if is_negative_bbox(bbox, true_bboxes):
            return bbox
    return None


def expect_sizes(images, image_shapes):
    """Refuse fewer sizes than photos; more do no harm.

    Raises
    ------
    ValueError
    """
    if len(image_shapes) < len(images):
        raise ValueError(f"{len(images)} photos, but the sizes of {len(image_shapes)}")


def _expect_inside(faces, images, image_shapes):
    """Refuse boxes that are not of these photos: their patches would be black, and be learnt as faces."""
    expect_sizes(images, image_shapes)
    if wrong := inside_out(faces):
        raise ValueError(wrong)
    if not np.isin(faces[:, 0], np.arange(len(images))).all():
        return  # `cut` says so
    sides = np.array([shape[:2] for shape in image_shapes])[faces[:, 0].astype(int)]
    outside = ((faces[:, 3:] < 0) | (faces[:, 1:3] > sides)).any(axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(f"{outside.sum()} of {len(faces)} faces lie outside their photos, the first is number {first}, {faces[first].tolist()}, in a photo of {sides[first][0]} x {sides[first][1]} "
                         "pixels: if the photos were made smaller, make the boxes smaller, too (common.boxes.scale)")


def _by_image(boxes, count):
    return [boxes[boxes[:, 0] == index, 1:] for index in range(count)]


def get_positive_negative(images, true_bboxes, image_shapes, negative_bbox_count=None, copies=1, shift=2, rng=None):
    """Cut positive patches around the faces and negative patches elsewhere.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 176, 176, 3)
    true_bboxes : array_like, shape (M, 5)
        Course boxes of the faces.
    image_shapes : array_like, shape (N, 2 or 3)
        Height and width of each photo on its canvas; the rest is black margin.
    negative_bbox_count : int, optional
        Default: as many as positive patches.
    copies : int
        How many patches to cut from every face: the first with the face in the middle, the others
        shifted by up to `shift` pixels. More copies bring more negatives with them.
    shift : int
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    positive, negative : ndarray of uint8, shape (P, 32, 32, 3) and (Q, 32, 32, 3)

    Raises
    ------
    ValueError
        If there is no face, or one lies outside its photo or ends before it begins; if there is no room for the
        negative patches: then there would be fewer of them than was asked for.
    """
    rng = np.random.default_rng(rng)
    faces = as_boxes(true_bboxes, 5)
    if not len(faces):
        raise ValueError("there is no face in these photos, so there are no positive patches to cut")
    _expect_inside(faces, images, image_shapes)
    boxes = np.tile(faces, (copies, 1))
    boxes[len(faces) :, 1:] += np.tile(rng.integers(-shift, shift + 1, (len(boxes) - len(faces), 2)), 2)
    positive = cut(images, boxes)

    wanted = len(positive) if negative_bbox_count is None else negative_bbox_count
    faces_of = _by_image(faces, len(images))
    negative = []
    for _ in range(TRIES * (wanted + 1)):
        if len(negative) == wanted:
            break
        index = int(rng.integers(len(images)))
        bbox = gen_negative_bbox(image_shapes[index], SAMPLE_SHAPE[:2], faces_of[index], rng)
        if bbox is not None:
            negative.append([index, *bbox])
    if len(negative) < wanted:
        raise ValueError(
            f"found room for {len(negative)} of {wanted} negative patches: the photos are smaller than "
            f"{SAMPLE_SHAPE[:2]} or full of faces"
        )
    return positive, cut(images, negative)


def get_samples(images, true_bboxes, image_shapes, copies=1, rng=None):
    """Patches and their labels, as the classifier wants them.

    Returns
    -------
    X : ndarray of uint8, shape (N, 32, 32, 3)
        Positive patches first, then as many negative ones.
    Y : ndarray of float32, shape (N, 2)
        One-hot: [0, 1] for a face, [1, 0] for none.
    """
    return labelled(*get_positive_negative(images, true_bboxes, image_shapes, copies=copies, rng=rng))


def labelled(positive, negative):
    """Join positive and negative patches and label them [0, 1] and [1, 0]."""
    X = np.concatenate([positive, negative])
    Y = np.zeros((len(X), 2), dtype=np.float32)
    Y[: len(positive), 1] = 1
    Y[len(positive) :, 0] = 1
    return X, Y


def false_alarms(bboxes, decision_function, true_bboxes, eps=0.3):
    """Boxes that a detector took for faces, most certain first: the hard negatives.

    Parameters
    ----------
    bboxes : array_like, shape (N, 5)
        Detections, course boxes.
    decision_function : array_like, shape (N,)
    true_bboxes : array_like, shape (M, 5)
    eps : float
        A detection with an IoU of at least this to some face is no false alarm.

    Returns
    -------
    ndarray of int
        Indices into `bboxes`.
    """
    bboxes, faces = as_boxes(bboxes, 5), as_boxes(true_bboxes, 5)
    images = int(max(bboxes[:, 0].max(initial=-1), faces[:, 0].max(initial=-1))) + 1
    faces_of = _by_image(faces, images)
    alarm = np.array([is_negative_bbox(box[1:], faces_of[int(box[0])], eps) for box in bboxes], dtype=bool)
    order = np.argsort(-np.asarray(decision_function, dtype=float), kind="stable")
    return order[alarm[order]]
