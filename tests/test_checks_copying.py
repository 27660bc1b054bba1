"""The check of copying weights accepts several right answers and names what is wrong with the wrong ones."""

import numpy as np
import pytest
from coursework import judged, rejected
from test_checks_networks import at_seed, classifier, fully, normalised, own_class, unscaled

from common.exercises.exercise import WRONG
from RegionDetector import model
from RegionDetector.exercises import TASK


def copy_by_layer(base_model, fcnn_model):
    old = [layer for layer in base_model.layers if layer.weights]
    new = [layer for layer in fcnn_model.layers if layer.weights]
    for a, b in zip(old, new):
        kernel, bias = a.get_weights()
        b.set_weights([kernel.reshape(b.get_weights()[0].shape), bias])


def copy_in_a_loop(base_model, fcnn_model):
    weights = []
    for a, b in zip(base_model.get_weights(), fcnn_model.get_weights()):
        weights.append(np.array(a).reshape(b.shape))
    fcnn_model.set_weights(weights)
    return fcnn_model


def copying(change):
    def f(base_model, fcnn_model):
        like = [w.shape for w in fcnn_model.get_weights()]
        fcnn_model.set_weights(change([w.reshape(s) for w, s in zip(base_model.get_weights(), like)], base_model.get_weights(), fcnn_model.get_weights()))
    return f


def turned(good, old, new):
    return [np.transpose(w.reshape(w.shape[2], w.shape[0], w.shape[1], w.shape[3]), (1, 2, 0, 3)) if w.ndim == 4 and w.shape[0] == 8 else w for w in good]


def variable_by_variable(src, dst):
    for old, new in zip(src.weights, dst.weights):
        new.assign(np.reshape(old, new.shape))


def from_an_iterator(base_model, fcnn_model):
    weights = iter(base_model.get_weights())
    for layer in fcnn_model.layers:
        layer.set_weights([next(weights).reshape(like.shape) for like in layer.get_weights()])


COPY_RIGHT = {"variable by variable": variable_by_variable, "from an iterator": from_an_iterator, "reference": model.copy_weights, "layer by layer": copy_by_layer, "in a loop, returning the model": copy_in_a_loop}


def new_model(base_model, fcnn_model):
    """A copy with the right weights; the FCNN itself stays as it was."""
    import keras

    twin = keras.models.clone_model(fcnn_model)
    copy_in_a_loop(base_model, twin)
    return twin


COPY_WRONG = {
    "into a new model": (new_model, "the cells below go on with fcnn_model itself"),
    "nothing": (lambda a, b: None, "fcnn_model.set_weights"),
    "not the last layer": (copying(lambda good, old, new: good[:-2] + new[-2:]), "the last layer"),
    "channels first": (copying(turned), "in the wrong order"),
    "columns of Fortran": (copying(lambda good, old, new: [o.reshape(n.shape, order="F") if n.ndim == 4 and n.shape[0] == 8 else g
                                                           for g, o, n in zip(good, old, new)]), "in the wrong order"),
    "no biases": (copying(lambda good, old, new: [n if n.ndim == 1 else g for g, n in zip(good, new)]), "the biases"),
    "convolutions only": (copying(lambda good, old, new: good[:4] + new[4:]), "dense layers were not copied"),
    "the wrong way": (lambda a, b: a.set_weights([w.reshape(v.shape) for w, v in zip(b.get_weights(), a.get_weights())]), "wrong direction"),
    "without reshaping": (lambda a, b: b.set_weights(a.get_weights()), "ValueError"),
}


def only_trainable(base_model, fcnn_model):
    for old, new in zip(base_model.trainable_variables, fcnn_model.trainable_variables):
        new.assign(np.reshape(old, new.shape))


@pytest.mark.parametrize("name", ["no biases", "not the last layer", "columns of Fortran", "nothing", "the last bias"])
def test_copy_weights_wrong_where_it_hardly_shows(name):
    """Beside pixels up to 255, a bias is nothing."""
    f, told = (COPY_WRONG | {"the last bias": (copying(lambda good, old, new: good[:-1] + new[-1:]), "the last layer")})[name]
    for seed in (0, 2026):
        verdict = at_seed(seed, "copy_weights", lambda a, b: f(a, b), unscaled(), unscaled(True))
        assert verdict.status == WRONG and told in verdict.message, verdict


def test_what_batch_normalisation_has_counted_is_copied():
    verdict = at_seed(0, "copy_weights", only_trainable, normalised(), normalised(True))
    assert verdict.status == WRONG and "what batch normalisation has counted" in verdict.message


@pytest.mark.parametrize("name", COPY_RIGHT)
def test_copy_weights_right(name):
    assert str(judged(TASK, "copy_weights", COPY_RIGHT[name], generate_model=classifier(), generate_fcnn_model=fully())) == "copy_weights: right"


@pytest.mark.parametrize("name", COPY_WRONG)
def test_copy_weights_wrong(name):
    rejected(TASK, "copy_weights", *COPY_WRONG[name], generate_model=classifier(), generate_fcnn_model=fully())


def test_copy_weights_into_a_new_model_in_the_published_course():
    assert judged(TASK, "copy_weights", new_model, lenient=True, generate_model=classifier(), generate_fcnn_model=fully()).status == "right"


def test_networks_that_are_classes():
    own = {"generate_model": own_class(), "generate_fcnn_model": own_class(True)}
    assert str(judged(TASK, "generate_fcnn_model", own_class(True), **own)) == "generate_fcnn_model: right"
    assert str(judged(TASK, "copy_weights", copy_by_layer, **own)) == "copy_weights: right"
