"""The network: one pass over a photo, three maps; each cell answers whether a face is there, and where its head, its face and five points of it are.

References
----------
Tian et al., "FCOS", ICCV 2019 (cells near the middle of an object answer for it); Lin et al., "Feature Pyramid Networks",
CVPR 2017 (coarse maps help fine ones); Wu, Peng and Yu, "YuNet", Machine Intelligence Research 20, 2023 (a small network of
three strides with five points); Li et al., "Generalized Focal Loss", NeurIPS 2020 (the score is the IoU to be expected).
"""

from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from common.detection.found import Found

STRIDES = (8, 16, 32)  # pixels from cell to cell of each map
MULTIPLE = 32  # sides of what the network looks at are multiples of this
LEAST = 64  # and no shorter: of a strip one cell high all that is around it is padding, and it took nearly every one for a large head
ANSWERS = 20  # logit; head: offset of the middle (2), log of half height and half width, tilt; face: the same four; five points (10)
WIDTHS = (16, 32, 64, 96, 96)  # channels at stride 2, 4, 8, 16, 32
NECK = 64
SMALL = 500_000  # pixels of an image that is looked at in the mirror too
MIRRORED = [1, 0, 2, 4, 3]  # in the mirror a right eye is a left one
WEIGHTS = Path(__file__).parent / "weights" / "faces.npz"
_MOST_BYTES = 2**28  # of weights, unpacked: the carried ones have 1 MB
FIRST = np.array([-4.6] + [0, 0, 0.47, 0.47, 0] + [0, 0, 0.4, 0.4] + [0] * 10)  # at first no cell is a face, and a face has about three cells


def generate_detector(side=None, widths=WIDTHS, neck=NECK, normalised=True):
    """The network, 0.83 million parameters.

    Parameters
    ----------
    side : int or None
        Height and width of the input, a multiple of 32; None for any. Pixels from 0 to 255.
    widths : tuple of int
        Channels at stride 2, 4, 8, 16 and 32.
    neck : int
        Channels of the three maps.
    normalised : bool
        With batch normalisation, as it is trained; False for the same network after `folded`.

    Returns
    -------
    keras.Model
        Output (N, cells of the three maps one after the other, row by row, 20); `read_answers` says what the numbers mean.
    """
    import keras
    from keras import layers

    names = iter(range(100))

    def conv(x, filters, strides=1, kernel=3):
        name = f"conv_{next(names)}"
        x = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=not normalised, name=name)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.98, name=f"{name}_norm")(x) if normalised else x)

    two, four, eight, sixteen, thirty_two = widths
    image = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = conv(conv(conv(x, two, 2), four, 2), four)
    fine = conv(conv(conv(x, eight, 2), eight), eight)
    middle = conv(conv(conv(fine, sixteen, 2), sixteen), sixteen)
    coarse = conv(conv(conv(conv(middle, thirty_two, 2), thirty_two), thirty_two), thirty_two)
    # what the coarser maps know of the surroundings, hair and shoulders, goes into the finer ones
    coarse = conv(coarse, neck, 1, 1)
    middle = layers.Add()([conv(middle, neck, 1, 1), layers.UpSampling2D()(coarse)])
    middle_map = conv(middle, neck)
    fine = layers.Add()([conv(fine, neck, 1, 1), layers.UpSampling2D()(middle)])
    maps = [conv(fine, neck), middle_map, conv(coarse, neck)]
    head = layers.Conv2D(neck, 3, padding="same", activation="relu", name="head")
    answer = layers.Conv2D(ANSWERS, 1, name="answer", dtype="float32", bias_initializer=lambda shape, dtype=None: keras.ops.convert_to_tensor(FIRST, dtype))
    flat = [layers.Reshape((-1, ANSWERS), dtype="float32")(answer(head(one))) for one in maps]
    return keras.Model(image, layers.Concatenate(axis=1, dtype="float32")(flat), name="face_detector")


def folded(model, generate=None):
    """The same network with its batch normalisation counted into the convolutions: fewer steps, the same answers.

    Parameters
    ----------
    model : keras.Model
        From `generate_detector`, fitted; or another whose convolutions are followed by layers of their name and ``_norm``.
    generate : callable, optional
        Makes the network without normalisation from a table of each layer's channels; default: `generate_detector`.

    Returns
    -------
    keras.Model
        In float32.
    """
    import keras

    with_kernel = {layer.name: layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        plain = (generate or _of_channels)({name: layer.filters for name, layer in with_kernel.items()})
    finally:
        keras.config.set_dtype_policy(policy)
    for name, layer in with_kernel.items():
        if not name.startswith("conv_"):
            plain.get_layer(name).set_weights(layer.get_weights())
            continue
        kernel = np.asarray(layer.get_weights()[0], np.float32)
        norm = model.get_layer(f"{name}_norm")
        gamma, beta, mean, variance = (np.asarray(array, np.float32) for array in norm.get_weights())
        factor = gamma / np.sqrt(variance + norm.epsilon)
        plain.get_layer(name).set_weights([kernel * factor, beta - mean * factor])
    return plain


def _of_channels(channels):
    """The folded detector whose layers have so many channels."""
    return generate_detector(widths=[channels[f"conv_{number}"] for number in (0, 2, 5, 8, 12)], neck=channels["head"], normalised=False)


def save_small(model, file):
    """Write the weights of a folded network with eight bits a weight: a quarter of the size, arrays only.

    Each channel of a convolution has a scale of its own. The first and the last layer keep their 32 bits: what is lost there is
    not made good elsewhere.

    Parameters
    ----------
    model : keras.Model
        From `folded`.
    file : path
        ``.npz``; written aside and then renamed.
    """
    from common.files import whole_file

    arrays = {}
    for layer in model.layers:
        if not layer.get_weights():
            continue
        kernel, bias = layer.get_weights()
        arrays[f"{layer.name}/bias"] = bias.astype(np.float32)
        if layer.name in ("conv_0", "answer"):
            arrays[f"{layer.name}/kernel"] = kernel.astype(np.float32)
        else:
            scale = np.maximum(np.abs(kernel).max(axis=(0, 1, 2)), 1e-12) / 127
            arrays[f"{layer.name}/kernel"] = np.rint(kernel / scale).astype(np.int8)
            arrays[f"{layer.name}/scale"] = scale.astype(np.float32)
    with whole_file(file, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def load_detector(file=WEIGHTS):
    """The network with trained weights; ``weights/README.md`` says what the carried ones were trained on.

    Parameters
    ----------
    file : path
        From `save_small`.

    Returns
    -------
    keras.Model
        For photos of any size, batch normalisation folded in.

    Raises
    ------
    OSError
        If the file is missing or holds no such weights.
    """
    return with_weights(file, _of_channels)


def with_weights(file, generate):
    """A folded network with the weights of a file from `save_small`.

    Parameters
    ----------
    file : path
    generate : callable
        Makes the network from a table of each layer's channels by its name.

    Raises
    ------
    OSError
        If the file is missing or holds no weights of such a network.
    RuntimeError
        By `common.inference.refuse_after_fork`.
    """
    from common.inference import refuse_after_fork

    refuse_after_fork()
    file = Path(file)
    if not file.is_file():
        what = "the detector's weights are missing; they come with the kit, take the whole folder" if file.parent == WEIGHTS.parent else "no such file of weights"
        raise FileNotFoundError(f"{file}: {what}")
    try:
        if not is_zipfile(file):  # NumPy would offer to unpack it as something else
            raise ValueError("expected a file .npz" + "; if it is YuNet's, say --detector yunet" * (file.suffix.lower() == ".onnx"))
        with np.load(file, allow_pickle=False) as arrays:
            if sum(part.file_size for part in arrays.zip.infolist()) > _MOST_BYTES:
                raise ValueError(f"it claims to hold more than {_MOST_BYTES >> 20} MB")
            arrays = {name: arrays[name] for name in arrays.files}
        kernels = {name.split("/")[0]: array for name, array in arrays.items() if name.endswith("/kernel")}
        model = generate({name: kernel.shape[-1] for name, kernel in kernels.items()})
        with np.errstate(invalid="ignore"):
            given = {name: [kernel.astype(np.float32) * arrays.get(f"{name}/scale", np.float32(1)), arrays[f"{name}/bias"]] for name, kernel in kernels.items()}
        if without := [layer.name for layer in model.layers if layer.get_weights() and layer.name not in given]:
            raise ValueError(f"those of {without[0]} are missing")
        if not all(np.isfinite(array).all() for pair in given.values() for array in pair):
            raise ValueError("some are no numbers")
        for name, pair in given.items():
            model.get_layer(name).set_weights(pair)
    except Exception as error:  # of many kinds; what is damaged in a packed file may set off anything
        raise OSError(f"{file}: these are not weights of the kit's face detector ({(str(error) or type(error).__name__).splitlines()[0][:200]})") from None
    return model


def looking(run, mirror=None):
    """A function that looks at one image with the network, for `search.search`.

    Parameters
    ----------
    run : callable
        The network; see `common.inference.compiled`.
    mirror : bool or None
        Look at the mirror image too, and take the mean of the answers; twice the time. None: only if the image is small, 0.5 megapixels or less,
        as all but the finest scales of a large photo are.

    Returns
    -------
    callable
        ``look(image, least)`` gives `Found` of one RGB image (H, W, 3).
    """
    def look(image, least):
        height, width = (max(-(-side // MULTIPLE) * MULTIPLE, LEAST) for side in image.shape[:2])
        canvas = np.zeros((1, height, width, 3), np.float32)
        canvas[0, : image.shape[0], : image.shape[1]] = image
        if mirror or mirror is None and height * width <= SMALL:
            plain, mirrored = run(np.concatenate([canvas, canvas[:, :, ::-1]]))  # both in one call, quicker than one after the other
            answers = (plain + _mirrored(mirrored, (height, width))) / 2
        else:
            answers = run(canvas)[0]
        return read_answers(answers, (height, width), least)

    return look


def _mirrored(answers, shape):
    """The answers to a mirror image as if they were to the image."""
    flipped, begin = [], 0
    for stride in STRIDES:
        rows, cols = shape[0] // stride, shape[1] // stride
        flipped.append(answers[begin : begin + rows * cols].reshape(rows, cols, -1)[:, ::-1].reshape(rows * cols, -1))
        begin += rows * cols
    answers = np.concatenate(flipped)
    answers[:, [2, 5, 7]] *= -1  # what lies to the left of a cell lies to the right in the mirror, and leans the other way
    points = answers[:, 10:].reshape(-1, 5, 2)[:, MIRRORED] * [1, -1]
    return np.concatenate([answers[:, :10], points.reshape(-1, 10).astype(answers.dtype)], axis=1)


def cells(shape):
    """Where the cells of the three maps lie, and how far apart.

    Parameters
    ----------
    shape : tuple of int
        Height and width of what the network looked at, multiples of 32.

    Returns
    -------
    middles : ndarray of float, shape (C, 2)
    strides : ndarray of float, shape (C,)
    """
    middles, strides = [], []
    for stride in STRIDES:
        grid = np.stack(np.indices((shape[0] // stride, shape[1] // stride)), axis=-1).reshape(-1, 2)
        middles.append((grid + 0.5) * stride)
        strides.append(np.full(len(grid), float(stride)))
    return np.concatenate(middles), np.concatenate(strides)


def read_answers(answers, shape, least=-np.inf):
    """The network's numbers for one photo as detections.

    Parameters
    ----------
    answers : ndarray of float, shape (C, 20)
    shape : tuple of int
        Height and width of what the network looked at.
    least : float
        Cells with a smaller logit are left out.

    Returns
    -------
    Found
    """
    middles, strides = cells(shape)
    keep = answers[:, 0] >= least
    answers, middles, strides = np.asarray(answers[keep], float), middles[keep], strides[keep, None]
    middle_and_half = [np.concatenate([middles + part[:, :2] * strides, np.exp(np.clip(part[:, 2:4], -5, 5)) * strides], axis=1)
                       for part in (answers[:, 1:5], answers[:, 6:10])]
    heads = np.column_stack([middle_and_half[0], np.clip(answers[:, 5], -0.95, 0.95)])
    points = middles[:, None] + answers[:, 10:].reshape(-1, 5, 2) * strides[:, None]
    return Found(answers[:, 0], heads, middle_and_half[1], points)
