"""The large convolution of an FCNN by Fourier transforms: the same answers in a fraction of the time.

The convolution that was a dense layer is nearly all of an FCNN's work: 8 x 8 x 64 x 128 products for each
window. Side by side windows share none of it in the plain form; in frequency space they share nearly all.
"""

import gc
import weakref

import keras
import numpy as np
from keras import ops

from common.inference import compiled, digest_of
from RegionDetector.networks.layer_copies import anew

TILE = 28  # cells; measured best of 16 to 64 on maps of 44 to 160 cells
LEAST = 5  # a smaller kernel is left as it is: there the transforms cost more than they save
_kept = []  # by `looking`: a network, what its weights were, what runs its twin


class FourierConvolution(keras.layers.Layer):
    """A trained ``Conv2D`` on tiles of the map (overlap-save), with discrete Fourier transforms written as matrix products.

    Products of matrices are what every backend does best, so nothing here needs an FFT. For looking, not for
    training: the kernel is taken over once, as its spectrum.

    Parameters
    ----------
    convolution : keras.layers.Conv2D
        Built; see `fits`.

    References
    ----------
    Mathieu, Henaff and LeCun, "Fast training of convolutional networks through FFTs", ICLR 2014.
    """

    def __init__(self, convolution):
        super().__init__(name=convolution.name, trainable=False)
        self.activation, self.filters = convolution.activation, convolution.filters
        kernel = ops.convert_to_numpy(convolution.kernel).astype(np.float64)
        self.bias = ops.convert_to_numpy(convolution.bias) if convolution.use_bias else np.zeros(self.filters, np.float32)
        self.step = [TILE + 1 - side for side in kernel.shape[:2]]  # whole answers in a tile
        half = TILE // 2 + 1  # the rows of a real map need half of the frequencies
        angles = np.outer(np.arange(TILE), np.arange(TILE)) * 2 * np.pi / TILE
        forward, back = np.exp(-1j * angles), np.exp(1j * angles) / TILE
        mirrored = np.where(np.arange(half) % (TILE // 2) == 0, 1, 2)  # times that a frequency of the half stands for
        self.rows = _float(np.concatenate([forward[:half].real, forward[:half].imag]))
        self.cols = _float(_complex(forward))
        # 14 MB each: as weights they are there once; as constants, each step of the graph's making would hold a copy, and so would zeros to begin with
        self.real, self.imaginary = (
            self.add_weight(name=name, shape=part.shape, dtype="float32", trainable=False, initializer=lambda shape, dtype, part=part: ops.convert_to_tensor(part, dtype))
            for name, part in zip(("real", "imaginary"), _spectrum(kernel, half))
        )
        self.cols_back = np.split(_float(_complex(back[: self.step[1]])), 2, axis=1)
        rows_back = back[: self.step[0], :half] * mirrored
        self.rows_back = _float(np.concatenate([rows_back.real, -rows_back.imag], axis=1))

    def call(self, maps):
        """From (N, H, W, C) to (N, H - kernel + 1, W - kernel + 1, filters), as the plain convolution."""
        count, height, width, channels = ops.shape(maps)
        (step_row, step_col), half, filters = self.step, TILE // 2 + 1, self.filters
        out_height, out_width = height - TILE + step_row, width - TILE + step_col
        down, across = -(-out_height // step_row), -(-out_width // step_col)
        padding = [(0, 0), (0, down * step_row - out_height), (0, across * step_col - out_width), (0, 0)]
        x = ops.pad(maps, padding)
        wide = out_width + padding[2][1] + TILE - step_col
        # to frequency space: rows, then columns; real and imaginary parts side by side
        x = ops.reshape(ops.take(x, _starts(down, step_row), axis=1), (count * down, TILE, wide * channels))
        x = ops.reshape(ops.matmul(self.rows, x), (count * down, 2, half, wide, channels))
        x = ops.reshape(ops.take(x, _starts(across, step_col), axis=3), (count * down, 2, half, across, TILE, channels))
        x = ops.reshape(ops.transpose(x, (2, 0, 3, 1, 4, 5)), (half, count * down * across, 2 * TILE, channels))
        x = ops.reshape(ops.matmul(self.cols, x), (half, count * down * across, 2, TILE, channels))
        # there, a convolution is one product of matrices for each frequency
        real, imaginary = (ops.transpose(x[:, :, part], (0, 2, 1, 3)) for part in (0, 1))
        both = (ops.matmul(real, self.real) - ops.matmul(imaginary, self.imaginary), ops.matmul(real, self.imaginary) + ops.matmul(imaginary, self.real))
        # and back, without the part of each tile that the next one answers for
        both = (ops.transpose(ops.reshape(part, (half, TILE, count * down, across, filters)), (2, 0, 3, 1, 4)) for part in both)
        x = sum(ops.matmul(back, part) for back, part in zip(self.cols_back, both))
        x = ops.reshape(x, (count * down, half, across, 2, step_col, filters))
        x = ops.reshape(ops.transpose(x, (0, 3, 1, 2, 4, 5)), (count * down, 2 * half, across * step_col * filters))
        x = ops.reshape(ops.matmul(self.rows_back, x), (count, down * step_row, across * step_col, filters))
        return self.activation(x[:, :out_height, :out_width] + self.bias)

    def compute_output_shape(self, input_shape):
        count, height, width, _ = input_shape
        return count, height and height - TILE + self.step[0], width and width - TILE + self.step[1], self.filters


def _float(values):
    return values.astype(np.float32)


def _spectrum(kernel, half):
    """The conjugate of a kernel's two-dimensional transform, real and imaginary parts, each (half, TILE, C, F); column by column, as the whole in complex numbers takes 400 MB."""
    parts = np.empty((2, half, TILE, *kernel.shape[2:]), np.float32)
    for col in range(TILE):
        across = np.tensordot(np.exp(-2j * np.pi * col / TILE * np.arange(kernel.shape[1])), kernel, (0, 1))
        part = np.conj(np.fft.fft(across, TILE, axis=0))[:half]
        parts[:, :, col] = part.real, part.imag
    return parts


def _complex(matrix):
    """The real matrix that does to (real, imaginary) what a complex matrix does: (..., M, N) to (..., 2 M, 2 N)."""
    return np.concatenate([np.concatenate([matrix.real, -matrix.imag], axis=-1), np.concatenate([matrix.imag, matrix.real], axis=-1)], axis=-2)


def _starts(tiles, step):
    """Indices of the cells of overlapping tiles, one tile after the other."""
    return ops.reshape(ops.arange(tiles)[:, None] * step + ops.arange(TILE), (-1,))


def fits(layer):
    """Whether a layer is a convolution that is worth the transforms."""
    return (
        type(layer) is keras.layers.Conv2D and LEAST <= min(layer.kernel_size) and max(layer.kernel_size) <= TILE // 2
        and (layer.padding, layer.groups, layer.data_format) == ("valid", 1, "channels_last")
        and set(layer.strides) == set(layer.dilation_rate) == {1}
    )  # fmt: skip


def for_looking(fcnn_model):
    """The same FCNN for images of any size, its large convolutions by Fourier transforms; it shares no weights with the old one.

    Parameters
    ----------
    fcnn_model : keras.Model
        Trained; its answers are kept to about 1e-5 of the largest.

    Returns
    -------
    keras.Model
    """
    def twin(layer):
        return FourierConvolution(layer) if fits(layer) else anew(layer)

    shape = (None, None, fcnn_model.input_shape[-1])
    model = keras.models.clone_model(fcnn_model, input_tensors=keras.Input(shape), clone_function=twin)
    for new, old in zip(model.layers, fcnn_model.layers):
        if not isinstance(new, FourierConvolution):
            new.set_weights(old.get_weights())
    return model


def looking(fcnn_model):
    """The twin of `for_looking`, `compiled`; the last one is kept, and given again as long as the same network has the same weights.

    Parameters
    ----------
    fcnn_model : keras.Model

    Returns
    -------
    callable
        See `common.inference.compiled`.
    """
    name = digest_of(*fcnn_model.get_weights())
    if not _kept or _kept[0]() is not fcnn_model or _kept[1] != name:
        _kept.clear()
        gc.collect()  # Keras' models are rings of references, and Python has time: twins of the past would add up
        _kept[:] = weakref.ref(fcnn_model), name, compiled(for_looking(fcnn_model))
    return _kept[2]
