"""The checks of the networks accept several right answers and name what is wrong with the wrong ones."""

import contextlib
import io

import numpy as np
import pytest
from coursework import judged, rejected

from common.exercises.answer_form import softmax
from common.exercises.exercise import WRONG, Local, Unsolved, judge
from RegionDetector import model
from RegionDetector.checks import networks
from RegionDetector.exercises import TASK


def classifier(last="softmax", units=2, flatten=True, shape=None, trainable=True, kernels=(8, 16), dense=(16,), end_of_dense="relu", rescale=True):
    def f(sample_shape):
        import keras
        from keras import layers

        stack = [keras.Input(shape or sample_shape)] + ([layers.Rescaling(1 / 255)] if rescale else [])
        for n in kernels:
            stack += [layers.Conv2D(n, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        stack += ([layers.Flatten()] if flatten else []) + [layers.Dense(n, activation=end_of_dense) for n in dense]
        net = keras.Sequential([*stack, layers.Dense(units, activation=last)])
        net.trainable = trainable
        return net
    return f


def fully(padding="valid", kernels=(8, 16), dense=(16,), hidden="relu", last=None, units=2, kernel=8, shape=None, rescale=True, scale=1 / 255):
    def f(image_shape):
        import keras
        from keras import layers

        stack = [keras.Input(shape or image_shape)] + ([layers.Rescaling(scale)] if rescale else [])
        for n in kernels:
            stack += [layers.Conv2D(n, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        for k, n in enumerate(dense):
            stack.append(layers.Conv2D(n, 1 if k else kernel, padding="valid" if k else padding, activation=hidden))
        return keras.Sequential([*stack, layers.Conv2D(units, 1, activation=last)])
    return f


def normalised(fully_convolutional=False, hidden="relu", slope=0.0, pool="MaxPooling2D", blocks=2, dense=(64, 32)):
    """With batch normalisation; shaken, its answers hardly differ from one window to the next."""
    def f(shape):
        import keras
        from keras import layers

        stack = [keras.Input(shape), layers.Rescaling(1 / 255)]
        for n in range(blocks):
            stack += [layers.Conv2D(16 << n, 3, padding="same"), layers.BatchNormalization(), layers.LeakyReLU(negative_slope=slope), getattr(layers, pool)(2)]
        if fully_convolutional:
            stack += [layers.Conv2D(n, 1 if k else 32 >> blocks, activation=hidden) for k, n in enumerate(dense)] + [layers.Conv2D(2, 1)]
        else:
            stack += [layers.Flatten(), *(layers.Dense(n, activation=hidden) for n in dense), layers.Dense(2, activation="softmax")]
        return keras.Sequential(stack)
    return f


def unscaled(fully_convolutional=False, convolved="relu", pool="MaxPooling2D", dense="relu", biases=True):
    """As in many a notebook of 2017: pixels up to 255 go into the network, and what comes out is sure of everything."""
    def f(shape):
        import keras
        from keras import layers

        stack = [keras.Input(shape)]
        for n in (32, 64):
            stack += [layers.Conv2D(n, 3, padding="same", activation=convolved, use_bias=biases), getattr(layers, pool)(2)]
        if fully_convolutional:
            stack += [layers.Conv2D(32, 8, activation=dense, use_bias=biases), layers.Conv2D(16, 1, activation=dense, use_bias=biases), layers.Conv2D(2, 1, use_bias=biases)]
        else:
            stack += [layers.Flatten(), *(layers.Dense(n, activation=dense, use_bias=biases) for n in (32, 16)), layers.Dense(2, activation="softmax", use_bias=biases)]
        return keras.Sequential(stack)
    return f


def named(name, f):
    f.__name__ = name
    return f


def pooled(sample_shape):
    import keras
    from keras import layers

    x = inputs = keras.Input(sample_shape)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(16, 5, strides=2, activation="relu")(x)
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def with_softmax_layer(sample_shape):
    import keras

    net = classifier(last=None)(sample_shape)
    return keras.Sequential([*net.layers, keras.layers.Softmax()])


def two_inputs_of_names(sample_shape):
    """Functional, with a hidden branch."""
    import keras
    from keras import layers

    x = inputs = keras.Input(sample_shape, name="patch")
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(x))
    x = layers.Add()([x, layers.Conv2D(8, 3, padding="same", activation="relu")(x)])
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(layers.MaxPooling2D(4)(x))))


def batch_softmax(sample_shape):
    import keras
    from keras import layers

    net = classifier(last=None)(sample_shape)
    return keras.Model(net.inputs, layers.Softmax(axis=0)(net.outputs[0]))


def own_class(fully_convolutional=False):
    """A network that is a class: it has shapes and weights only once it is used."""
    def f(shape):
        import keras
        from keras import layers

        class Net(keras.Model):
            def __init__(self):
                super().__init__()
                self.one, self.two = (layers.Conv2D(n, 3, padding="same", activation="relu") for n in (8, 16))
                self.pool = layers.MaxPooling2D()
                self.dense = layers.Conv2D(16, 8, activation="relu") if fully_convolutional else layers.Dense(16, activation="relu")
                self.last = layers.Conv2D(2, 1) if fully_convolutional else layers.Dense(2, activation="softmax")
                self.flat = layers.Identity() if fully_convolutional else layers.Flatten()

            def call(self, x):
                return self.last(self.dense(self.flat(self.pool(self.two(self.pool(self.one(x / 255)))))))

        return Net()
    return f


def convolutions_alone(sample_shape):
    """The last convolution covers the whole map, so there is no dense layer."""
    import keras
    from keras import layers

    return keras.Sequential([keras.Input(sample_shape), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, strides=2, padding="same", activation="elu"), layers.MaxPooling2D(2),
                             layers.Conv2D(2, (sample_shape[0] // 4, sample_shape[1] // 4)), layers.Flatten(), layers.Activation("softmax")])  # fmt: skip


def from_the_classifier(image_shape):
    """New layers of the same settings, read off the classifier's."""
    import keras
    from keras import layers

    x, kernel = (inputs := keras.Input(image_shape)), 8
    for layer in classifier()((32, 32, 3)).layers:
        if isinstance(layer, layers.Dense):
            x = layers.Conv2D(layer.units, kernel, activation="linear" if layer.units == 2 else layer.activation)(x)
            kernel = 1
        elif not isinstance(layer, layers.Flatten):
            x = type(layer).from_config(layer.get_config())(x)
    return keras.Model(inputs, x)


def pooled_everywhere(image_shape):
    """`pooled`, at every place of a photo."""
    import keras
    from keras import layers

    x = inputs = keras.Input(image_shape)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(16, 5, strides=2, activation="relu")(x)
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(2, 1)(layers.AveragePooling2D(6, strides=1)(x)))


def branches_everywhere(image_shape):
    import keras
    from keras import layers

    x = inputs = keras.Input(image_shape)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(x))
    x = layers.Add()([x, layers.Conv2D(8, 3, padding="same", activation="relu")(x)])
    return keras.Model(inputs, layers.Conv2D(2, 8, activation="softmax")(layers.MaxPooling2D(4)(x)))


def convolutions_everywhere(image_shape):
    import keras
    from keras import layers

    return keras.Sequential([keras.Input(image_shape), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, strides=2, padding="same", activation="elu"), layers.MaxPooling2D(2), layers.Conv2D(2, 8)])


# classifiers, and what is the same network; then what is another one
TWINS = {
    "unscaled": (unscaled(), unscaled(True)), "unscaled, no biases": (unscaled(biases=False), unscaled(True, biases=False)), "unscaled, elu": (unscaled(convolved="elu"), unscaled(True, "elu")),
    "unscaled, tanh": (unscaled(dense="tanh"), unscaled(True, dense="tanh")), "normalised": (normalised(), normalised(True)), "normalised, three blocks": (normalised(blocks=3), normalised(True, blocks=3)),
    "leaky": (normalised(slope=0.2), normalised(True, slope=0.2)), "mean": (normalised(pool="AveragePooling2D"), normalised(True, pool="AveragePooling2D")), "pooled": (pooled, pooled_everywhere),
    "branches": (two_inputs_of_names, branches_everywhere), "convolutions alone": (convolutions_alone, convolutions_everywhere), "classes": (own_class(), own_class(True)),
    "log softmax": (classifier("log_softmax"), fully()), "linear, and softmax": (classifier(None), fully(last="softmax")), "softmax in a layer": (with_softmax_layer, from_the_classifier),
    "reference": (model.generate_model, model.generate_fcnn_model),
}
OTHERS = {
    "unscaled": {"mean": unscaled(True, pool="AveragePooling2D"), "elu": unscaled(True, "elu"), "elu and mean": unscaled(True, "elu", "AveragePooling2D"), "elu after the dense ones": unscaled(True, dense="elu"),
                 "nothing after the dense ones": unscaled(True, dense=None), "leaky": unscaled(True, "leaky_relu"), "scaled": fully(kernels=(32, 64), dense=(32, 16))},
    "unscaled, elu": {"selu": unscaled(True, "selu"), "relu": unscaled(True)},
    "normalised": {name: normalised(True, hidden) for name, hidden in (("nothing after the dense ones", None), ("leaky", "leaky_relu"), ("elu", "elu"), ("selu", "selu"), ("gelu", "gelu"))}
    | {"leaky before the pooling": normalised(True, slope=0.2), "mean": normalised(True, pool="AveragePooling2D")},
    "normalised, three blocks": {"nothing after the dense ones": normalised(True, None, blocks=3), "elu": normalised(True, "elu", blocks=3), "leaky before the pooling": normalised(True, slope=0.3, blocks=3)},
}


def at_seed(seed, name, f, own_classifier, own_fcnn=None):
    """The verdict with other windows and weights than `judged` has."""
    own = type(TASK)(TASK.name, TASK.exercises, TASK.scores)
    with contextlib.redirect_stdout(io.StringIO()):
        own.exercise(named("generate_model", lambda shape: own_classifier(shape)))
        if own_fcnn:
            own.exercise(named("generate_fcnn_model", lambda shape: own_fcnn(shape)))
    return judge(own.by_name[name], f, Local(own, seed=seed))


MODEL_RIGHT = {"log softmax": classifier(last="log_softmax"), "convolutions alone": convolutions_alone, "a class": own_class(), "small, softmax": classifier(), "linear": classifier(last=None), "global pooling, batch normalisation": pooled}
MODEL_RIGHT |= {"softmax in a layer of its own": with_softmax_layer, "branches": two_inputs_of_names, "small kernels first": classifier(kernels=(4,))}
MODEL_WRONG = {
    "relu at the end": (classifier("relu"), "ends in relu"),
    "sigmoid at the end": (classifier("sigmoid"), "do not add up to 1"),
    "tanh at the end": (classifier("tanh"), "ends in tanh"),
    "one answer": (classifier("sigmoid", 1), "expected (5, 2)"),
    "ten classes": (classifier(units=10), "expected (5, 2)"),
    "no Flatten": (classifier(flatten=False), "put Flatten"),
    "no return": (lambda shape: None, "is there a `return`"),
    "one size only": (classifier(shape=(32, 32, 3)), "use sample_shape"),
    "softmax over the batch": (batch_softmax, "not over the batch"),
    "cannot learn": (classifier(trainable=False), "cannot learn"),
    "another size": (classifier(shape=(28, 28, 3)), "the model takes"),
}
FCNN_RIGHT = {"from the classifier": from_the_classifier, "linear": fully(), "softmax": fully(last="softmax"), "with None for the size": lambda s: fully(shape=(None, None, 3))((None, None, 3)) if s[0] == 0 else fully()(s)}
FCNN_WRONG = {
    "same padding at the 8 x 8 layer": (fully(padding="same"), "without padding"),
    "still the classifier": (classifier(), "no Flatten and no Dense"),
    "one channel": (fully(units=1), "1 channel,"),
    "no relu after the 8 x 8 layer": (fully(hidden=None), "otherwise than the classifier"),
    "pixels not scaled": (fully(rescale=False), "otherwise than the classifier"),
    "another number of filters": (fully(kernels=(8, 12)), "parameters"),
    "7 x 7": (fully(kernel=7), "expected 1 x 1"),
    "one size only": (fully(shape=(176, 176, 3)), "use image_shape"),
}


@pytest.mark.parametrize("name", MODEL_RIGHT)
def test_generate_model_right(name):
    assert str(judged(TASK, "generate_model", MODEL_RIGHT[name])) == "generate_model: right"


@pytest.mark.parametrize("name", MODEL_WRONG)
def test_generate_model_wrong(name):
    rejected(TASK, "generate_model", *MODEL_WRONG[name])


@pytest.mark.parametrize("sign", [1, -1])
def test_who_is_right_by_luck_has_not_learned(sign):
    def bright_in_the_middle(sample_shape):
        import keras

        x = keras.layers.Rescaling(1 / 255)(inputs := keras.Input(sample_shape))
        middle = keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D(12)(x))
        model = keras.Model(inputs, keras.layers.Dense(2)(middle))
        model.set_weights([np.outer(np.ones(3), [-sign, sign]), np.array([1.5, -1.5]) * sign])
        model.trainable = False
        return model

    rejected(TASK, "generate_model", bright_in_the_middle, "cannot learn")


@pytest.mark.parametrize("name", FCNN_RIGHT)
def test_generate_fcnn_model_right(name):
    assert str(judged(TASK, "generate_fcnn_model", FCNN_RIGHT[name], generate_model=classifier())) == "generate_fcnn_model: right"


@pytest.mark.parametrize("name", FCNN_WRONG)
def test_generate_fcnn_model_wrong(name):
    rejected(TASK, "generate_fcnn_model", *FCNN_WRONG[name], generate_model=classifier())


@pytest.mark.parametrize("name", TWINS)
def test_the_same_network_is_right(name, seed=2026):
    make, everywhere = TWINS[name]
    assert str(at_seed(seed, "generate_fcnn_model", lambda shape: everywhere(shape), make)) == "generate_fcnn_model: right"
    assert str(at_seed(seed, "copy_weights", model.copy_weights, make, everywhere)) == "copy_weights: right"


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, others in OTHERS.items() for other in others])
def test_another_network_is_wrong_however_sure_the_classifier_is(name, other):
    verdict = at_seed(0, "generate_fcnn_model", OTHERS[name][other], TWINS[name][0])
    assert verdict.status == WRONG and "otherwise than the classifier" in verdict.message, verdict


@pytest.mark.parametrize("name", ["reference", "unscaled", "unscaled, no biases", "normalised", "linear, and softmax"])
def test_windows_and_weights_are_such_that_the_answers_differ(name):
    shaken = TWINS[name][0]((32, 32, 3))
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = networks._windows(rng)
        networks._undecided(shaken, X, rng)
        p = softmax(networks._answer(shaken, X, "the answer"))[:, 1]
        assert np.ptp(p) > 0.1 and np.median(np.abs(p - 0.5)) < 0.48, (seed, p)


def test_the_reference_stands_in_for_the_fcnn_of_the_students_own_classifier(capsys):
    """Whose classifier has other layers than the reference's goes on before the next exercise is written."""
    import keras

    own = type(TASK)(TASK.name, TASK.exercises, TASK.scores)
    make = own.exercise(named("generate_model", classifier()))

    def generate_fcnn_model(image_shape):
        raise NotImplementedError

    fcnn, small = own.exercise(generate_fcnn_model)((176, 176, 3)), make((32, 32, 3))
    model.copy_weights(small, fcnn)
    photo = np.random.default_rng(0).uniform(0, 255, (1, 176, 176, 3)).astype("float32")
    assert fcnn.predict(photo, verbose=0).shape == (1, 37, 37, 2)
    window = own.exercise(generate_fcnn_model)((32, 32, 3))
    model.copy_weights(small, window)
    logits = window.predict(photo[:, :32, :32], verbose=0)[:, 0, 0]
    np.testing.assert_allclose(keras.ops.softmax(logits), small.predict(photo[:, :32, :32], verbose=0), atol=1e-5)
    own.check(own.current("generate_fcnn_model"))
    assert "generate_fcnn_model: not attempted" in capsys.readouterr().out

    own.exercise(named("generate_model", two_inputs_of_names))
    with pytest.raises(Unsolved, match="layers of its own"):
        own.current("generate_fcnn_model")((176, 176, 3))


def test_learning_is_measured_where_the_student_cannot_reach(monkeypatch):
    """In grading, the fitting runs beside the student's code, which may have taken its place."""
    monkeypatch.setattr("RegionDetector.checks.networks.learn_toy", lambda *args: 1.0)
    rejected(TASK, "generate_model", classifier(trainable=False), "cannot learn")
