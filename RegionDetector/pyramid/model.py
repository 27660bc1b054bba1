"""A small fully convolutional network for photos of any size: is there a face, where exactly, how large, how tilted?

The course network says "face" or "not a face" for a window; the box is the window. This one has learnt the box as well.
It looks at faces of one octave (about 28 to 56 pixels); an image pyramid brings all others to that size.

References
----------
Redmon et al., "You Only Look Once", CVPR 2016 (a grid of cells that answer with boxes); Lin et al., "Focal Loss for
Dense Object Detection", ICCV 2017; Tian et al., "FCOS", ICCV 2019 (cells near the middle of an object answer for it).
"""

import numpy as np

STRIDE = 8  # pixels from cell to cell of the map
UNIT = 40.0  # pixels: offsets and sizes are learnt as multiples of this
LEARNT = (26.0, 60.0)  # faces that are positive samples, square root of height times width, in pixels of a level
ANSWERS = 6  # logit, offset of the middle (rows, columns), log of height and width, tilt
WIDTHS = (16, 32, 64, 128)


def generate_pyramid_model(image_shape=(None, None, 3), widths=WIDTHS, normalised=True):
    """The network, 0.56 million parameters.

    Parameters
    ----------
    image_shape : tuple of int or None
        (height, width, 3); sides are multiples of 16. Pixels from 0 to 255.
    widths : tuple of int
        Channels at stride 2, 4, 8 and 16.
    normalised : bool
        With batch normalisation, as it is trained; False for the same network after `folded`.

    Returns
    -------
    keras.Model
        Output (N, height / 8, width / 8, 6); `read_map` says what the six numbers mean.
    """
    import keras
    from keras import layers

    def conv(x, filters, strides=1):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=not normalised)(x)
        return layers.ReLU()(layers.BatchNormalization()(x) if normalised else x)

    two, four, eight, sixteen = widths
    image = keras.Input(image_shape)
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = conv(conv(x, two, 2), four, 2)
    x = conv(conv(x, four), eight, 2)
    for _ in range(3):
        x = conv(x, eight)
    wide = conv(x, sixteen, 2)  # half as fine, to see what is around a face: hair, neck, shoulders
    for _ in range(2):
        wide = conv(wide, sixteen)
    around = layers.UpSampling2D()(layers.Conv2D(eight, 1)(wide))
    x = conv(layers.Add()([x, around]), eight)
    # At first no cell is a face: else the many negative cells would drown the first steps.
    rare = np.array([-4.0] + [0.0] * (ANSWERS - 1))
    answer = layers.Conv2D(ANSWERS, 1, bias_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(rare, dtype), name="answer")(x)
    return keras.Model(image, answer, name="pyramid_model")


def folded(model):
    """The same network with its batch normalisation counted into the convolutions: fewer steps, the same answers.

    Parameters
    ----------
    model : keras.Model
        From `generate_pyramid_model`, fitted.

    Returns
    -------
    keras.Model
        From ``generate_pyramid_model(normalised=False)``.
    """
    weights, layers = [], [layer for layer in model.layers if layer.weights]
    for layer, after in zip(layers, [*layers[1:], None]):
        if type(layer).__name__ == "BatchNormalization":
            continue
        kernel, *bias = layer.get_weights()
        if after is not None and type(after).__name__ == "BatchNormalization":
            gamma, beta, mean, variance = after.get_weights()
            gain = gamma / np.sqrt(variance + after.epsilon)
            kernel, bias = kernel * gain, [beta - mean * gain]
        weights += [kernel, *bias]
    widths = tuple(model.layers[k].filters for k in [i for i, layer in enumerate(model.layers) if getattr(layer, "strides", None) == (2, 2)])
    plain = generate_pyramid_model(widths=widths, normalised=False)
    plain.set_weights(weights)
    return plain


def load_pretrained(file, widths=WIDTHS):
    """The network with weights that ``make fddb`` has left, say ``build/fddb/fold-10.weights.h5``.

    Parameters
    ----------
    file : path
        ``.weights.h5``: arrays only, nothing in it is run.
    widths : tuple of int
        See `generate_pyramid_model`.

    Returns
    -------
    keras.Model
        Folded, for images of any size; the sigmoid of its first answer is a probability.

    Raises
    ------
    OSError
        If the file is missing, damaged or of another network.
    """
    model = generate_pyramid_model(widths=widths, normalised=False)
    try:
        model.load_weights(file)
    except Exception as error:
        raise OSError(f"{file} does not hold the pyramid network's weights ({error}): make fddb trains them") from error
    return model


def read_map(answers, origin=(0, 0)):
    """What the cells of a map say.

    Parameters
    ----------
    answers : ndarray of float, shape (h, w, 6)
    origin : tuple of int
        Row and column of the map's first cell in the whole map.

    Returns
    -------
    logits : ndarray of float, shape (h * w,)
    ellipses : ndarray of float, shape (h * w, 5)
        Row and column of the middle, half height and half width of the box around the ellipse, tilt: the correlation
        of rows and columns, from -1 to 1; 0 is upright.
    """
    answers = np.asarray(answers, np.float64)
    rows, cols = np.indices(answers.shape[:2])
    middle = np.stack([rows + origin[0] + 0.5, cols + origin[1] + 0.5], axis=-1) * STRIDE + answers[..., 1:3] * UNIT
    half = np.exp(np.clip(answers[..., 3:5], -3, 3)) * UNIT / 2
    tilt = np.clip(answers[..., 5:6], -0.95, 0.95)
    return answers[..., 0].ravel(), np.concatenate([middle, half, tilt], axis=-1).reshape(-1, 5)


def as_target(ellipses, rows, cols):
    """The inverse of `read_map`: the five numbers that cells (rows, cols) should give, each for its own ellipse (N, 5)."""
    middle = (ellipses[:, :2] - (np.stack([rows, cols], axis=1) + 0.5) * STRIDE) / UNIT
    return np.concatenate([middle, np.log(2 * ellipses[:, 2:4] / UNIT), ellipses[:, 4:]], axis=1)


def detection_loss(y_true, y_pred):
    """Focal loss for "face or not", absolute differences (rounded off near 0) for the ellipse.

    Parameters
    ----------
    y_true : tensor, shape (N, h, w, 8)
        1 for a face; weight of that; weight of the ellipse; and the five numbers of `as_target`.
    y_pred : tensor, shape (N, h, w, 6)
    """
    from keras import ops

    face, counts, boxed, logit = y_true[..., 0], y_true[..., 1], y_true[..., 2], y_pred[..., 0]
    wrong = ops.sigmoid(ops.where(face > 0, -logit, logit))  # how far from certain of the truth
    entropy = ops.softplus(ops.where(face > 0, -logit, logit))
    focal = ops.sum(counts * ops.where(face > 0, 0.5, 0.5) * wrong**2 * entropy)
    away = ops.abs(y_true[..., 3:] - y_pred[..., 1:])
    away = ops.where(away < 0.05, away**2 / 0.1, away - 0.025)
    return (focal + 2.0 * ops.sum(boxed * ops.sum(away, axis=-1))) / ops.maximum(ops.sum(face), 1.0)
