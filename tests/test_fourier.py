"""The convolution by Fourier transforms gives what the plain one gives."""

import gc
import weakref

import numpy as np
import pytest

from common.inference import compiled
from RegionDetector import model
from RegionDetector.networks.fourier import TILE, FourierConvolution, fits, for_looking, looking


def pair(kernel, channels=3, filters=5, seed=0, **options):
    import keras

    keras.utils.set_random_seed(seed)
    layer = keras.layers.Conv2D(filters, kernel, bias_initializer="normal", **options)
    layer.build((None, None, None, channels))
    return layer, FourierConvolution(layer)


@pytest.mark.parametrize("kernel", [(8, 8), (5, 5), (7, 11), (14, 5)])
@pytest.mark.parametrize("shape", [(1, 14, 14), (2, 28, 28), (3, 29, 57), (1, 113, 40)])
def test_same_answers(kernel, shape):
    plain, fast = pair(kernel, activation="relu" if sum(shape) % 2 else None)
    assert fits(plain)
    maps = np.random.default_rng(sum(shape)).normal(0, 3, (*shape, 3)).astype(np.float32)
    expected, answer = (np.asarray(layer(maps)) for layer in (plain, fast))
    assert answer.shape == expected.shape == fast.compute_output_shape(maps.shape)
    assert np.abs(answer - expected).max() < 1e-5 * max(1, np.abs(expected).max())


def test_without_bias_and_one_window():
    plain, fast = pair((8, 8), use_bias=False)
    maps = np.ones((1, 8, 8, 3), np.float32)
    assert np.asarray(fast(maps)).shape == (1, 1, 1, 5)
    assert np.allclose(np.asarray(fast(maps)), np.asarray(plain(maps)), atol=1e-5)


@pytest.mark.parametrize("options", [{"kernel": (3, 3)}, {"kernel": (TILE, 5)}, {"kernel": (8, 8), "strides": 2}, {"kernel": (8, 8), "padding": "same"},
                                     {"kernel": (8, 8), "dilation_rate": 2}, {"kernel": (8, 8), "groups": 5, "channels": 5}])
def test_what_it_cannot_do_is_left_alone(options):
    import keras

    channels, kernel = options.pop("channels", 3), options.pop("kernel")
    layer = keras.layers.Conv2D(5, kernel, **options)
    layer.build((None, None, None, channels))
    assert not fits(layer)


def test_the_course_network_sees_the_same_at_any_size():
    import keras

    keras.utils.set_random_seed(1)
    classifier, fcnn = model.generate_model(), model.generate_fcnn_model((176, 176, 3))
    model.copy_weights(classifier, fcnn)
    twin = for_looking(fcnn)
    assert [type(layer) for layer in twin.layers].count(FourierConvolution) == 1
    before = [weight.copy() for weight in fcnn.get_weights()]
    run, image = compiled(twin), np.random.default_rng(0).uniform(0, 255, (1, 176, 176, 3)).astype(np.float32)
    expected = np.asarray(fcnn(image))
    for size in ((176, 176), (60, 100), (32, 32), (176, 33)):
        part = run(np.ascontiguousarray(image[:, : size[0], : size[1]]))
        rows, cols = (side // 4 - 7 for side in size)
        assert part.shape == (1, rows, cols, 2)
        # what the padding of the convolutions does not reach
        assert np.abs(part - expected[:, :rows, :cols])[:, : max(rows - 1, 0), : max(cols - 1, 0)].max(initial=0) < 1e-4
    fcnn.set_weights([weight * 0 for weight in before])
    assert np.allclose(run(image), expected, atol=1e-4), "a network that looks is no part of the one that it was made from"


def test_the_twin_is_kept_until_the_network_is_another_or_has_learnt():
    import keras

    def network(filters):
        return keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(filters, 8)])

    def answers(run):
        return np.asarray(run(image))

    image, fcnn = np.random.default_rng(0).normal(0, 1, (1, 40, 40, 3)).astype(np.float32), network(4)
    first = looking(fcnn)
    assert looking(fcnn) is first and np.allclose(answers(first), np.asarray(fcnn(image)), atol=1e-4)
    fcnn.set_weights([weight + 1 for weight in fcnn.get_weights()])
    second = looking(fcnn)
    assert second is not first and np.allclose(answers(second), np.asarray(fcnn(image)), atol=1e-3)
    other = network(5)
    del first, second
    assert answers(looking(other)).shape[-1] == 5
    assert sum(type(each) is FourierConvolution for each in gc.get_objects()) == 1, "the twins before are no longer in memory"
    gone, there = weakref.ref(other), looking(other)
    del other
    gc.collect()
    assert gone() is None and answers(there).shape[-1] == 5, "a network is not kept for its twin's sake"
