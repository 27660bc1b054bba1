"""Any Keras classifier as a fully convolutional network.

`to_fcnn` builds the twin layer by layer: convolutions stay, dense layers become convolutions, pooling
over the whole map becomes pooling over a window of that size, and the weights are copied on the way.
"""

import numpy as np

from RegionDetector.networks.layer_copies import CannotConvert, anew

KEPT = (
    "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D", "ZeroPadding2D", "Cropping2D",
    "BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "Rescaling", "Normalization",
)  # fmt: skip
FLAT_KEPT = ("BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU")
IDLE = ("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization")
RESIZING = ("RandomCrop",)  # works when the network is used, too; the other layers named Random... are for training only
VECTOR = np.array([[-1.5, 0.25, 2.0]], np.float32)  # what activations are tried on: softmax can be written in many ways


def chain(model):
    """The layers of a model in order, those of inner models among them.

    Raises
    ------
    CannotConvert
        If the model has branches, or does arithmetic between its layers.
    """
    from keras import Sequential

    own = next((kind.__name__ for kind in type(model).__mro__ if "call" in vars(kind) and not kind.__module__.startswith("keras.")), None)
    if own or not hasattr(model, "layers") or not isinstance(model, Sequential) and not hasattr(model, "operations"):
        raise CannotConvert(f"{model.name!r} ({own or type(model).__name__}) is no plain chain of layers, and what it does inside cannot be seen")
    if not isinstance(model, Sequential):
        if len(model.outputs) > 1:
            raise CannotConvert(f"the model has {len(model.outputs)} outputs; only plain chains of layers convert")
        loose = [operation for operation in model.operations if all(operation is not layer for layer in model.layers)]
        if loose:
            raise CannotConvert(
                f"{loose[0].name!r} ({type(loose[0]).__name__}) is arithmetic between the layers, which `model.layers` does not show; "
                "put a layer in its place, such as Rescaling or ReLU"
            )
        here = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
        for layer in model.layers:
            nodes = [node for node in layer._inbound_nodes if id(node) in here]  # it may be part of other models as well
            if len(nodes) > 1 or any(len(node.input_tensors) > 1 for node in nodes):
                raise CannotConvert(f"layer {layer.name!r} joins or shares branches; only plain chains of layers convert")
    result = []
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        result.extend(chain(layer) if hasattr(layer, "layers") else [layer])
    return result


def _is_ending(layer):
    """Does this layer only turn the answer into probabilities, or do nothing to it?"""
    kind = type(layer).__name__
    return kind == "Softmax" or kind == "Activation" and (_gives_probabilities(layer) or np.array_equal(_on(layer, VECTOR), VECTOR))


def _on(layer, values):
    """What the layer's activation makes of a vector; None if it has none, or not for vectors of any length."""
    from keras import ops

    activation = getattr(layer, "activation", None)
    try:
        return None if activation is None else np.asarray(ops.convert_to_numpy(activation(ops.convert_to_tensor(values))))
    except Exception:  # a function of somebody's own may raise anything
        return None


def _gives_probabilities(layer):
    """Is the layer's activation a softmax or a sigmoid, by whatever name?"""
    answer, exponential = _on(layer, VECTOR), np.exp(VECTOR)
    return answer is not None and answer.shape == VECTOR.shape and any(
        np.allclose(answer, p, atol=1e-6) for p in (exponential / exponential.sum(), exponential / (1 + exponential)))


def _looks_across(layer):
    """Does an answer of the layer's activation depend on all numbers of the vector, as those of a softmax do, and not on its own alone?"""
    whole, part = _on(layer, VECTOR), _on(layer, VECTOR[:, :2])
    return whole is not None and (part is None or not np.allclose(whole[:, :2], part, atol=1e-6))


def to_fcnn(model, input_shape=(None, None, 3)):
    """Turn a classifier into a fully convolutional network that answers for every window.

    Parameters
    ----------
    model : keras.Model
        A chain of convolution, pooling, batch normalisation, activation, dropout, flatten or global
        pooling, and dense layers; its input size is the window.
    input_shape : tuple of int or None
        (height, width, channels) of the images; None for any size.

    Returns
    -------
    keras.Model
        Its output (N, h, w, classes) is linear: a last softmax or sigmoid is left out. On an image of
        the window's size it gives exactly the classifier's own logits.

    Raises
    ------
    CannotConvert
        Naming the layer that has no fully convolutional form, and why.

    References
    ----------
    Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015.
    """
    import keras

    taken = _input_shape(model)
    window_shape = taken[1:] if isinstance(taken, tuple) else None
    if window_shape is None or len(window_shape) != 3 or None in window_shape:
        raise CannotConvert(f"the model takes {taken}; expected one image of a fixed size (height, width, channels)")
    layers = [layer for layer in chain(model) if not _is_idle(layer)]
    # The same layers are laid over a window, to learn the sizes of the maps, and over the image.
    window, image = keras.Input(window_shape), keras.Input(input_shape)
    at_window, at_image, flat, weights, names = window, image, False, [], set()
    for number, layer in enumerate(layers):
        last = all(_is_ending(rest) or type(rest).__name__ == "Flatten" for rest in layers[number + 1 :])
        new, flat = _twin(layer, tuple(at_window.shape[1:3]), flat, last)
        if new is None:
            continue
        if new.name in names:  # one layer used twice, or layers of inner models with the same name
            new.name = f"{new.name}_{number}"
        names.add(new.name)
        at_window, at_image = new(at_window), new(at_image)
        weights.append((new, layer))
    if tuple(at_window.shape[1:3]) != (1, 1):
        raise CannotConvert(
            f"the model answers with a map of {tuple(at_window.shape[1:3])} for one window: "
            "there is no flatten, global pooling or dense layer to convert"
        )
    for new, old in weights:
        if len(old.get_weights()) != len(new.get_weights()):
            raise CannotConvert(f"layer {old.name!r} has {len(old.get_weights())} arrays of weights, its convolutional form {len(new.get_weights())}")
        new.set_weights([weight.reshape(like.shape) for weight, like in zip(old.get_weights(), new.get_weights())])
        if type(new).__name__ == "Normalization":
            new.finalize_state()  # it keeps a copy of its weights to work with
    return keras.Model(image, at_image, name=f"{model.name}_fcnn")


def _input_shape(model):
    """What the model takes: a tuple, or a list of them."""
    try:
        return model.input_shape
    except AttributeError:
        raise CannotConvert(
            f"the model {getattr(model, 'name', model)!r} does not say what it takes: begin it with keras.Input((height, width, channels)); "
            "a class of your own, derived from keras.Model, cannot be looked into"
        ) from None


def _is_idle(layer):
    """Does the layer do nothing when the network is used?"""
    kind = type(layer).__name__
    return kind in IDLE or kind.startswith("Random") and kind not in RESIZING


def _twin(layer, cells, flat, last):
    """The convolutional form of one layer (None: it goes), and whether the map counts as flattened."""
    from keras import layers

    kind = type(layer).__name__
    if getattr(layer, "data_format", "channels_last") == "channels_first":
        raise CannotConvert(f"layer {layer.name!r} has channels first; build the model with channels_last")
    if kind == "Flatten":
        return None, True
    if kind in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
        pool = layers.AveragePooling2D if "Average" in kind else layers.MaxPooling2D
        return pool(cells, strides=1, name=layer.name), False
    if last and _is_ending(layer):
        return None, flat
    if kind == "Dense":
        size = cells if flat else (1, 1)
        conv = layers.Conv2D(layer.units, size, use_bias=layer.use_bias, name=layer.name)
        if not (last and _gives_probabilities(layer)):
            conv.activation = anew(layer).activation
        return conv, False
    across = kind == "BatchNormalization" or _looks_across(layer)
    if flat and cells != (1, 1) and (kind not in FLAT_KEPT or across):
        raise CannotConvert(f"layer {layer.name!r} ({kind}) works on the flattened map, cell by cell; put it behind a dense layer")
    if kind not in KEPT:
        raise CannotConvert(f"layer {layer.name!r} ({kind}) has no fully convolutional form that this function knows")
    if kind in ("BatchNormalization", "Normalization") and layer.axis not in (-1, 3, (-1,), (3,), ()):
        raise CannotConvert(f"layer {layer.name!r} ({kind}) counts along axis {layer.axis}, the rows or columns of a map; use axis -1")
    new = anew(layer)
    if last and "Conv2D" in kind and _gives_probabilities(layer):
        new.activation = layers.Activation("linear").activation
    return new, flat
