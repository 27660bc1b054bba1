"""A network of a submission, built anew here from layers that Keras has, so that the reference can work with it.

What comes out of the sandbox is no file of a model but plain data: the names of layers and a few numbers and words for each. Only
layers on the list below are built, only with the settings on the list, and the outcome must give the answers that the network gives
in the sandbox; so nothing that a student wrote runs here.
"""

import numpy as np

_ACTIVATIONS = ("linear", "relu", "relu6", "elu", "selu", "gelu", "tanh", "sigmoid", "hard_sigmoid", "softmax", "softplus", "softsign", "swish", "silu", "mish",
                "leaky_relu", "exponential")
_CONVOLUTION = ("filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "activation", "use_bias")
_POOLING = ("pool_size", "strides", "padding")
SETTINGS = {
    "Conv2D": _CONVOLUTION, "SeparableConv2D": (*_CONVOLUTION, "depth_multiplier"), "DepthwiseConv2D": ("kernel_size", "strides", "padding", "dilation_rate",
                                                                                                     "depth_multiplier", "activation", "use_bias"),
    "MaxPooling2D": _POOLING, "AveragePooling2D": _POOLING, "GlobalAveragePooling2D": ("keepdims",), "GlobalMaxPooling2D": ("keepdims",),
    "ZeroPadding2D": ("padding",), "Cropping2D": ("cropping",), "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Activation": ("activation",), "ReLU": ("max_value", "negative_slope", "threshold"), "LeakyReLU": ("negative_slope",), "ELU": ("alpha",), "Softmax": ("axis",),
    "PReLU": ("shared_axes",), "Rescaling": ("scale", "offset"), "Dense": ("units", "activation", "use_bias"), "Flatten": (), "Reshape": ("target_shape",),
    "Dropout": ("rate",), "SpatialDropout2D": ("rate",), "GaussianNoise": ("stddev",), "GaussianDropout": ("rate",),
}  # fmt: skip
MOST_LAYERS, MOST_WEIGHTS = 300, 30_000_000


def layers_of(model):
    """Names and settings of a network's layers, as plain data; for the sandbox.

    Returns
    -------
    list of (str, dict)
    """
    answer = []
    for layer in model.layers:
        kind = type(layer).__name__
        if hasattr(layer, "layers"):
            answer += layers_of(layer)
        elif kind != "InputLayer":
            config = layer.get_config()
            answer.append((kind if type(layer).__module__.startswith("keras.") else "?", {name: config[name] for name in SETTINGS.get(kind, ()) if name in config}))
    return answer


def _plain(value):
    """Is this a number, a word of the list, or a short row of numbers?"""
    if isinstance(value, (tuple, list)):
        return len(value) <= 4 and all(map(_plain, value))
    return value is None or isinstance(value, (bool, int, float)) or value in (*_ACTIVATIONS, "valid", "same", "channels_last")


def rebuilt(remote, shape=None):
    """The same network here, or None if it is none of the simple kind.

    Parameters
    ----------
    remote : common.grading.session.RemoteObject
        A network in the sandbox.
    shape : tuple of int, optional
        Of one input, for a network that does not say what it takes before it is used.

    Returns
    -------
    keras.Sequential or None
        A plain chain of well-known layers, with the weights that the network has in the sandbox.
    """
    import keras

    if shape is not None and getattr(remote, "input_shape", None) is None:
        remote.session.request("run", path="common.grading.weights:build", args=[remote, shape])
    shape = getattr(remote, "input_shape", None)
    if not isinstance(shape, (tuple, list)) or len(shape) != 4 or not all(s is None or isinstance(s, int) and 0 < s <= 2048 for s in shape[1:]):
        return None
    said = remote.session.request("layers", model=remote)
    if not isinstance(said, list) or not len(said) <= MOST_LAYERS:
        return None
    model = keras.Sequential([keras.Input(tuple(shape[1:]))])
    for kind, settings in said:
        if kind not in SETTINGS or not isinstance(settings, dict) or not set(settings) <= set(SETTINGS[kind]) or not all(map(_plain, settings.values())):
            return None
        model.add(getattr(keras.layers, kind)(**settings))
        if model.count_params() > MOST_WEIGHTS:
            return None
    weights = remote.get_weights()
    if [np.shape(w) for w in weights] != [w.shape for w in model.get_weights()]:
        return None
    model.set_weights(weights)
    trial = np.random.default_rng(0).uniform(0, 255, (2, *(s or 64 for s in shape[1:]))).astype(np.float32)  # branches and arithmetic show here
    there, here = np.asarray(remote.predict(trial, verbose=0), float), np.asarray(model(trial, training=False), float)
    return model if there.shape == here.shape and np.allclose(there, here, rtol=1e-3, atol=1e-3) else None
