"""The networks: the FCNN must be the classifier, exactly, on random networks of many kinds."""

import gc
import weakref

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from common.inference import compiled, in_batches
from RegionDetector.model import augmentation, batches, copy_weights, fit, generate_fcnn_model, generate_model, get_checkpoint
from RegionDetector.networks.conversion import CannotConvert, to_fcnn
from RegionDetector.networks.fourier import for_looking


def shaken(model, seed=0):
    """The model with random weights, biases and batch statistics too: zeros would hide mistakes."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([rng.uniform(0.1, 0.9, w.shape) if w.ndim == 1 else rng.normal(0, 0.1, w.shape) for w in layer.get_weights()])
    return model


def logits(model, images):
    """The classifier's answer before its softmax or sigmoid, computed by hand from the last dense layer."""
    dense = [layer for layer in model.layers if isinstance(layer, layers.Dense)][-1]
    before = np.asarray(keras.Model(model.inputs[0], dense.input)(images, training=False))
    weights = dense.get_weights()
    return before @ weights[0] + (weights[1] if len(weights) > 1 else 0)


def images(shape, count=4, seed=1):
    return np.random.default_rng(seed).uniform(0, 255, (count, *shape)).astype("float32")


def test_the_parameters_are_counted():
    classifier, fcnn = generate_model(), generate_fcnn_model()
    assert classifier.count_params() == fcnn.count_params() == 542_530
    assert fcnn.output_shape == (None, 37, 37, 2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_fcnn_gives_the_classifiers_own_logits_on_one_window(seed):
    classifier, fcnn = shaken(generate_model(), seed), generate_fcnn_model((32, 32, 3))
    copy_weights(classifier, fcnn)
    x = images((32, 32, 3))
    np.testing.assert_allclose(np.asarray(fcnn(x))[:, 0, 0], logits(classifier, x), rtol=1e-4, atol=1e-4)


def test_conversion_by_hand_and_by_tool_agree_on_a_photo():
    classifier, fcnn = shaken(generate_model()), generate_fcnn_model((176, 176, 3))
    copy_weights(classifier, fcnn)
    x = images((176, 176, 3), 1)
    np.testing.assert_allclose(np.asarray(to_fcnn(classifier)(x)), np.asarray(fcnn(x)), rtol=1e-4, atol=1e-4)


def vgg_like():
    return keras.Sequential([
        keras.Input((48, 40, 3)), layers.Rescaling(1 / 255), layers.RandomFlip(),
        layers.Conv2D(8, 3), layers.BatchNormalization(), layers.Activation("relu"), layers.Conv2D(8, 3, strides=2), layers.LeakyReLU(),
        layers.AveragePooling2D(2), layers.SpatialDropout2D(0.1), layers.SeparableConv2D(12, 3, padding="valid"), layers.Flatten(),
        layers.Dropout(0.3), layers.Dense(20), layers.BatchNormalization(), layers.ReLU(), layers.Dense(3), layers.Softmax(),
    ])  # fmt: skip


def pooled(pool, answers=2, ending="softmax"):
    inputs = keras.Input((32, 24, 3))
    x = layers.Conv2D(6, 3, activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3)(layers.ZeroPadding2D(1)(x))
    x = pool()(x)
    return keras.Model(inputs, layers.Dense(answers, activation=ending)(layers.Dense(5, activation="tanh", use_bias=False)(x)))


def nested():
    inner = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(4, 5, activation="relu"), layers.MaxPooling2D(4)])
    return keras.Sequential([keras.Input((32, 32, 3)), shaken(inner), layers.Flatten(), layers.Dense(2, activation="softmax")])


@pytest.mark.parametrize("model", [
    vgg_like(), pooled(layers.GlobalAveragePooling2D), pooled(layers.GlobalMaxPooling2D), pooled(layers.GlobalAveragePooling2D, 1, "sigmoid"),
    pooled(layers.Flatten, 4, None), nested(),
], ids=["vgg", "average", "max", "sigmoid", "linear", "nested"])  # fmt: skip
def test_any_chain_converts_exactly(model):
    if model.name != "nested":
        shaken(model)
    x = images(model.input_shape[1:])
    answer = np.asarray(to_fcnn(model)(x))
    assert answer.shape[1:3] == (1, 1)
    np.testing.assert_allclose(answer[:, 0, 0], logits(model, x), rtol=1e-3, atol=1e-3)
    larger = (model.input_shape[1] + 16, model.input_shape[2] + 32, 3)
    assert min(to_fcnn(model)(images(larger, 1)).shape[1:3]) > 1


def of(*inner, shape=(24, 20, 3)):
    return keras.Sequential([keras.Input(shape), *inner])


def one_layer_twice():
    relu = layers.ReLU()
    return of(layers.Conv2D(4, 3), relu, layers.Conv2D(4, 3), relu, layers.Flatten(), layers.Dense(2, activation="softmax"))


def names_twice():
    inner = of(layers.Conv2D(4, 3, name="conv"), layers.MaxPooling2D(name="pool"))
    return of(inner, layers.Conv2D(5, 3, name="conv"), layers.MaxPooling2D(name="pool"), layers.Flatten(), layers.Dense(2, activation="softmax"))


def normalised():
    layer = layers.Normalization()
    layer.adapt(images((8, 8, 3), 20))
    return of(layer, layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2, activation="softmax"))


SOFTMAX, SIGMOID = keras.ops.softmax, keras.ops.sigmoid


@pytest.mark.parametrize("build, ending", [
    (lambda: of(layers.Conv2D(4, 3, activation="sigmoid"), layers.Flatten(), layers.Dense(8, activation="sigmoid"), layers.Dense(2, activation="softmax")), SOFTMAX),
    (lambda: of(layers.Conv2D(4, 3, activation="softmax"), layers.Flatten(), layers.Dense(8, activation="softmax"), layers.Dense(1, activation="sigmoid")), SIGMOID),
    (lambda: of(layers.MaxPooling2D(4), layers.Conv2D(2, (6, 5), activation="softmax"), layers.Flatten()), SOFTMAX),
    (lambda: of(layers.MaxPooling2D(4), layers.SeparableConv2D(1, (6, 5), activation="sigmoid"), layers.Flatten()), SIGMOID),
    (lambda: of(layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2, activation="softmax"), layers.Activation("linear")), SOFTMAX),
    (lambda: of(layers.Conv2D(2, 3, activation="softmax"), layers.GlobalAveragePooling2D()), lambda x: x),
    (one_layer_twice, SOFTMAX), (names_twice, SOFTMAX), (normalised, SOFTMAX),
], ids=["hidden sigmoid", "hidden softmax", "conv at the end", "separable conv at the end", "linear at the end", "mean of probabilities",
        "one layer twice", "names twice", "normalised"])  # fmt: skip
def test_the_answer_alone_loses_its_ending(build, ending):
    """A sigmoid or softmax inside the network stays; the last one goes."""
    keras.utils.set_random_seed(4)
    model = build()
    x = images((24, 20, 3)) / 255
    answer = to_fcnn(model)(x)
    np.testing.assert_allclose(np.asarray(ending(answer))[:, 0, 0], np.reshape(model(x, training=False), (4, -1)), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=8)
@given(st.data())
def test_random_chains_convert_exactly(data):
    draw = lambda *choices: data.draw(st.sampled_from(choices))  # noqa: E731
    shape = (data.draw(st.integers(14, 34)), data.draw(st.integers(14, 34)), draw(1, 3))
    inner = []
    for _ in range(draw(1, 2, 3)):
        padding, kind = draw("same", "valid"), draw("conv", "max", "mean", "norm", "depthwise", "separable")
        inner.append({
            "conv": lambda: layers.Conv2D(draw(2, 5), draw(1, 2, 3), strides=draw(1, 2), padding=padding, activation="relu"),
            "max": lambda: layers.MaxPooling2D(draw(2, 3), draw(1, 2), padding=padding),
            "mean": lambda: layers.AveragePooling2D(draw(2, 3), draw(1, 2), padding=padding),
            "norm": layers.BatchNormalization,
            "depthwise": lambda: layers.DepthwiseConv2D(2, padding=padding),
            "separable": lambda: layers.SeparableConv2D(3, 2, padding=padding, depth_multiplier=2),
        }[kind]())
    model = shaken(of(*inner, draw(layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)(), layers.Dense(draw(2, 3)), layers.Softmax(), shape=shape))
    x = images(shape, 2) / 255
    np.testing.assert_allclose(np.asarray(to_fcnn(model, (None, None, shape[2]))(x))[:, 0, 0], logits(model, x), rtol=1e-3, atol=1e-3)


def test_every_cell_is_the_answer_for_its_window_where_nothing_is_padded():
    model = shaken(keras.Sequential([
        keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Conv2D(5, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
        layers.Dense(7, activation="relu"), layers.Dense(2, activation="softmax"),
    ]))  # fmt: skip
    photo = images((30, 40, 3), 1)
    maps = np.asarray(to_fcnn(model)(photo))[0]
    assert maps.shape == (8, 13, 2)
    for i, j in ((0, 0), (3, 5), (7, 12)):
        window = photo[:, 2 * i : 2 * i + 16, 2 * j : 2 * j + 16]
        np.testing.assert_allclose(maps[i, j], logits(model, window)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("build, message", [
    (lambda: [layers.Reshape((1024, 3)), layers.Flatten(), layers.Dense(2)], "'odd_reshape' .Reshape. has no fully"),
    (lambda: [layers.Flatten(), layers.BatchNormalization(name="odd_norm"), layers.Dense(2)], "'odd_norm' .*flattened map"),
    (lambda: [layers.Conv2D(3, 3)], "map of .30, 30."),
    (lambda: [layers.Flatten(), layers.Activation("softmax", name="odd_softmax"), layers.Dense(2)], "'odd_softmax' .*flattened map"),
    (lambda: [layers.BatchNormalization(axis=1, name="odd_axis"), layers.Flatten(), layers.Dense(2)], "'odd_axis' .*axis 1"),
    (lambda: [layers.RandomCrop(16, 16, name="odd_crop"), layers.Flatten(), layers.Dense(2)], "'odd_crop' .RandomCrop. has no fully"),
])  # fmt: skip
def test_what_cannot_be_converted_is_named(build, message):
    inner = build()
    if isinstance(inner[0], layers.Reshape):
        inner[0] = layers.Reshape((1024, 3), name="odd_reshape")
    with pytest.raises(CannotConvert, match=message):
        to_fcnn(keras.Sequential([keras.Input((32, 32, 3)), *inner]))


def test_branches_and_free_input_sizes_are_refused():
    inputs = keras.Input((32, 32, 3))
    x = layers.Add(name="join")([layers.Conv2D(3, 3)(inputs), layers.Conv2D(3, 3)(inputs)])
    with pytest.raises(CannotConvert, match="'join' joins"):
        to_fcnn(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    with pytest.raises(CannotConvert, match="2 outputs"):
        to_fcnn(keras.Model(inputs, [layers.Dense(2)(layers.Flatten()(inputs)), layers.Dense(2)(layers.Flatten()(inputs))]))
    free = keras.Input((None, None, 3))
    with pytest.raises(CannotConvert, match="fixed size"):
        to_fcnn(keras.Model(free, layers.Dense(2)(layers.GlobalMaxPooling2D()(free))))


def test_what_the_list_of_layers_does_not_show_is_refused():
    inputs = keras.Input((32, 32, 3))
    x = keras.ops.relu(layers.Conv2D(4, 3)(inputs * 2.0 - 1.0))
    with pytest.raises(CannotConvert, match="Multiply.*Rescaling"):
        to_fcnn(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    with pytest.raises(CannotConvert, match="begin it with keras.Input"):
        to_fcnn(keras.Sequential([layers.Flatten(), layers.Dense(2)]))


def test_weights_of_another_network_are_not_copied():
    with pytest.raises(ValueError, match="do not match"):
        copy_weights(keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), layers.Dense(2)]), generate_fcnn_model())


def test_augmentation_changes_patches_in_training_only():
    x = images((32, 32, 3))
    layer = augmentation(0)
    np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x)
    changed = np.asarray(layer(x, training=True))
    assert changed.shape == x.shape and np.abs(changed - x).mean() > 5 and changed.min() >= 0 and changed.max() <= 255


def patches(count=96):
    X = np.random.default_rng(0).integers(0, 100, (count, 32, 32, 3)).astype(np.uint8)
    Y = np.eye(2, dtype="float32")[np.arange(count) % 2]
    X[Y[:, 1] == 1, 8:24, 8:24] += 100
    return X, Y


def test_fitting_learns_keeps_the_best_epoch_and_repeats_with_the_seed(tmp_path):
    X, Y = patches()
    results = []
    for name in ("one", "two"):
        keras.utils.set_random_seed(3)
        model = generate_model()
        history = fit(model, augmentation(3), X, Y, X, Y, epochs=3, checkpoint=tmp_path / f"{name}.weights.h5", seed=3, verbose=False)
        model.load_weights(get_checkpoint(history))
        loss, accuracy = model.evaluate(X.astype("float32"), Y, verbose=0)
        assert loss == pytest.approx(min(history.history["val_loss"]), rel=1e-4)
        results.append(history.history["val_loss"])
    assert accuracy > 0.9 and results[0] == results[1]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_class_without_samples_is_refused(missing):
    X, Y = patches(8)
    keep = Y[:, 1 - missing] == 1
    with pytest.raises(ValueError, match="have no (negative|positive) patch"):
        fit(generate_model(), None, X[keep], Y[keep], X, Y)


@pytest.mark.parametrize("kind", [np.asarray, list, keras.ops.convert_to_tensor], ids=["array", "list", "tensor"])
def test_each_epoch_shows_every_patch_once_with_its_own_answer(kind):
    rng = np.random.default_rng(0)
    X, which = rng.integers(0, 256, (300, 4, 5, 3), dtype=np.uint8), rng.integers(0, 2, 300)
    shown = batches(None, kind(X), np.eye(2)[which], seed=3)
    epochs = []
    for _ in range(2):
        x, y = (np.concatenate(part) for part in zip(*((np.asarray(x), np.asarray(y)) for x, y in shown)))
        order = np.lexsort(x.reshape(300, -1).T), np.lexsort(X.reshape(300, -1).T)
        np.testing.assert_array_equal(x[order[0]], X[order[1]].astype(np.float32), strict=True)
        np.testing.assert_array_equal(y[order[0]], np.eye(2)[which[order[1]]])
        epochs.append(x)
    assert not np.array_equal(*epochs) and shown.element_spec[0].shape == (None, 4, 5, 3)


def test_of_all_patches_no_second_copy_is_made_and_none_is_kept():
    X = np.zeros((200, 4, 4, 3), np.uint8)
    shown, kept = batches(None, X, np.eye(2)[np.arange(200) % 2]), weakref.ref(X)
    X[:] = 7
    assert all((np.asarray(x) == 7).all() for x, _ in shown)
    del X, shown
    gc.collect()
    assert kept() is None


def test_batches_of_any_count_come_back_whole_and_in_order():
    model = shaken(keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)]))
    x = images((8, 8, 3), 7)
    np.testing.assert_allclose(in_batches(compiled(model), x, 3), np.asarray(model(x)), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="no images"):
        in_batches(compiled(model), [], 3)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the others compile for each size")
@pytest.mark.parametrize("shape", [(8, 8, 3), (None, None, 3)])
def test_a_network_is_compiled_once_for_any_number_of_images(shape):
    """Compiling takes a hundred times as long as looking at one face."""
    calls = []

    class Counted(layers.Layer):
        def call(self, x):
            calls.append(x.shape)
            return x * 2

    model = keras.Sequential([keras.Input(shape), Counted(), layers.GlobalAveragePooling2D()])
    calls.clear()
    run = compiled(model)
    for count, side in ((1, 8), (2, 8), (7, 8), *([(1, 9)] if None in shape else [])):
        x = images((side, side, 3), count)
        np.testing.assert_allclose(run(x), 2 * x.mean(axis=(1, 2)), rtol=1e-4)
        np.testing.assert_allclose(run((x % 7).astype(np.uint8)), 2 * (x % 7).astype(np.uint8).mean(axis=(1, 2)), rtol=1e-4)
    assert len(calls) == 1
    x = images((10, 6, 3), 2)  # Keras takes it, also where another size was said
    np.testing.assert_allclose(run(x), 2 * x.mean(axis=(1, 2)), rtol=1e-4)


def relu(x):
    """Has the name of one of Keras' own, and is another."""
    return keras.ops.maximum(x, 0.1 * x)


@pytest.mark.parametrize("inner, ending", [
    ([layers.Conv2D(4, 3, activation=relu), layers.Flatten(), layers.Dense(2, activation="softmax")], SOFTMAX),
    ([layers.Conv2D(4, 3, activation=lambda x: x * keras.ops.sigmoid(x)), layers.Flatten(), layers.Dense(2, activation="softmax")], SOFTMAX),
    ([layers.Conv2D(4, 3, kernel_initializer=lambda shape, dtype=None: keras.ops.ones(shape)), layers.Flatten(), layers.Dense(2, activation="softmax")], SOFTMAX),
    ([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(8, activation=layers.LeakyReLU(0.2)), layers.Dense(2, activation="softmax")], SOFTMAX),
    ([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2, activation=layers.Softmax())], SOFTMAX),
    ([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2), layers.Activation(layers.Softmax())], SOFTMAX),
    ([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2, activation=lambda x: keras.ops.softmax(x))], SOFTMAX),
    ([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1, activation=lambda x: 1 / (1 + keras.ops.exp(-x)))], SIGMOID),
], ids=["a namesake", "a function without a name", "own first weights", "a layer as activation", "softmax as a layer", "softmax layer in an activation layer",
        "softmax in a function", "sigmoid by hand"])  # fmt: skip
def test_activations_of_ones_own_come_along_and_the_last_goes_by_whatever_name(inner, ending):
    keras.utils.set_random_seed(5)
    model = of(*inner)
    x = images((24, 20, 3)) / 255
    fcnn = to_fcnn(model)
    answer = np.asarray(fcnn(x))
    expected = np.reshape(model(x, training=False), (4, -1))
    np.testing.assert_allclose(np.asarray(ending(answer))[:, 0, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.asarray(for_looking(fcnn)(x)), answer, rtol=1e-3, atol=1e-4)


class Skips(keras.Sequential):
    def call(self, inputs, **kwargs):
        return super().call(inputs, **kwargs) + inputs


class Block(keras.Model):
    def __init__(self):
        super().__init__(name="odd_block")
        self.conv = layers.Conv2D(3, 3, padding="same")

    def call(self, inputs):
        return self.conv(inputs)


def with_lora():
    dense = layers.Dense(2, name="odd_lora")
    model = of(layers.MaxPooling2D(4), layers.Flatten(), dense)
    dense.enable_lora(1)
    return model


@pytest.mark.parametrize("build, message", [
    (lambda: of(Block(), layers.Flatten(), layers.Dense(2)), "'odd_block' .Block. is no plain chain"),
    (lambda: of(Skips([layers.Conv2D(3, 3, padding="same")], name="odd_skips"), layers.Flatten(), layers.Dense(2)), "'odd_skips' .Skips. is no plain chain"),
    (lambda: of(layers.Conv2D(4, 3, activation=layers.PReLU(), name="odd_prelu"), layers.Flatten(), layers.Dense(2)), "'odd_prelu' has PReLU"),
    (with_lora, "'odd_lora' has . arrays of weights, its convolutional form 2"),
], ids=["a class", "a class derived from Sequential", "weights in the activation", "more weights"])  # fmt: skip
def test_what_would_convert_wrongly_is_refused(build, message):
    with pytest.raises(CannotConvert, match=message):
        to_fcnn(build())


def test_a_base_that_two_classifiers_share_is_still_a_chain():
    base = of(layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(4))
    first, second = (of(base, layers.Flatten(), layers.Dense(2, activation="softmax")) for _ in range(2))
    inputs = keras.Input((24, 20, 3))
    third = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(base.layers[1](base.layers[0](inputs)))))
    x = images((24, 20, 3)) / 255
    for model in (first, second, third):
        np.testing.assert_allclose(np.asarray(SOFTMAX(to_fcnn(model)(x)))[:, 0, 0], model(x, training=False), atol=1e-5)


@pytest.mark.parametrize("train, val, said", [
    ([0, 1, 0, 1], None, r"train labels: expected shape \(N, 2\).* got shape \(4,\); keras.utils.to_categorical"),
    (None, [[0], [1], [0], [1]], r"validation labels: .* got shape \(4, 1\); keras"), (np.eye(3)[[0, 1, 2, 0]], None, r"got shape \(4, 3\)$"),
    (np.eye(2)[[0, 1, 0]], None, "4 train patches, but 3 labels"), (None, np.eye(2)[[0, 1, 0, 1, 0]], "4 validation patches, but 5 labels"),
], ids=["numbers", "a column", "three kinds", "fewer", "more"])  # fmt: skip
def test_labels_of_another_form_are_told_of_before_the_fit(train, val, said):
    X, Y = np.zeros((4, 32, 32, 3)), np.eye(2)[[0, 1, 0, 1]]
    with pytest.raises(ValueError, match=said):
        fit(None, None, X, Y if train is None else train, X, Y if val is None else val)
