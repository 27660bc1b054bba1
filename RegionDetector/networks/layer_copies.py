"""Layers of Keras made anew, for a twin of a network: as they were, but still without weights."""

import warnings


class CannotConvert(ValueError):
    """A layer has no fully convolutional form; the message names it."""


def anew(layer):
    """The same layer of Keras anew, still without weights; a function of somebody's own as its activation is taken over as it is.

    Raises
    ------
    CannotConvert
        If Keras cannot make it anew, or its activation is a layer that has weights.
    """
    from keras import layers

    if not type(layer).__module__.startswith("keras."):
        return type(layer).from_config(layer.get_config())
    activation = getattr(layer, "activation", None)
    if isinstance(activation, layers.Layer) and activation.weights:
        raise CannotConvert(f"layer {layer.name!r} has {type(activation).__name__}, which has weights, as its activation; put it behind as a layer of its own")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # functions without a name cannot be saved, and are not
        config = layer.get_config()
    # what weights begin with and what holds them back in training does not matter to a trained network
    config = {key: value for key, value in config.items() if not key.endswith(("initializer", "regularizer", "constraint"))}
    if activation is not None:
        config["activation"] = "linear"
    try:
        new = type(layer).from_config(config)
    except (TypeError, ValueError) as error:
        raise CannotConvert(f"layer {layer.name!r} ({type(layer).__name__}) cannot be made anew: {error}") from error
    if activation is not None:
        new.activation = activation
    return new
