"""Reading dlib's face network from its `.dat` file, in plain Python and numpy.

The file is dlib's own serialisation, without a table of contents: first one version number for
every layer from the last to the first, then the layers themselves from the first to the last.
Integers are one control byte (low nibble: number of bytes that follow, 0x80: negative) and that
many little-endian bytes; floats are two such integers, mantissa and exponent of two; a tensor is
a version, four sizes and raw little-endian float32. Nothing in the file is ever executed.
"""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np

RESNET_FILE = "dlib_face_recognition_resnet_model_v1.dat"
LANDMARKS_FILE = "shape_predictor_5_face_landmarks.dat"
CNN_DETECTOR_FILE = "mmod_human_face_detector.dat"
_NOT_FINITE = {32000: math.inf, 32001: -math.inf, 32002: math.nan}
# the network has 5.6 million numbers; a file that claims much more is damaged or hostile
_MOST_NUMBERS = 2**24


def dlib_file(name):
    """Path of one of dlib's model files inside the installed package `face_recognition_models`.

    The package is found but not imported: its import needs `pkg_resources`, which new setuptools
    lack.

    Parameters
    ----------
    name : str
        `RESNET_FILE`, `LANDMARKS_FILE` or `CNN_DETECTOR_FILE`.

    Raises
    ------
    FileNotFoundError
        If the package or the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / "models" / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{name} comes with the package face_recognition_models, which is "
        + ("not installed" if spec is None else "installed without it")
        + ". Install what the kit needs: pip install -r requirements.lock"
    )


def name_for_dlib(name):
    """The path of `dlib_file` as dlib opens it: on Windows it must be in the letters of the system's language.

    Returns
    -------
    str or bytes

    Raises
    ------
    OSError
        If it has other letters.
    """
    path = str(dlib_file(name))
    try:
        return path.encode("mbcs") if sys.platform == "win32" else path
    except UnicodeEncodeError as error:
        raise OSError(f"{path}: dlib opens no file whose name has letters, such as {path[error.start]!r}, that are not of this Windows' language; "
                      "move the kit to a folder without them, and set it up there") from None  # fmt: skip


class DatError(ValueError):
    """The file is not dlib's face network, or is damaged."""


class _Reader:
    def __init__(self, data, name):
        self.data, self.name, self.at = memoryview(data), name, 0

    def fail(self, expected, got):
        raise DatError(
            f"{self.name}, byte {self.at}: expected {expected}, got {got}. The file is damaged or is another "
            f"model; expected dlib's face network, {RESNET_FILE}"
        )

    def take(self, count):
        if count > len(self.data) - self.at:
            self.fail(f"{count} more bytes", f"{len(self.data) - self.at}, the end of the file")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self):
        control = self.take(1)[0]
        size = control & 0x0F
        if not 1 <= size <= 8 or control & 0x70:
            self.fail("the control byte of an integer", f"0x{control:02x}")
        value = int.from_bytes(self.take(size), "little")
        return -value if control & 0x80 else value

    def size(self):
        value = self.integer()
        if not 0 <= value <= _MOST_NUMBERS:
            self.fail(f"a size from 0 to {_MOST_NUMBERS}", value)
        return value

    def expect(self, value, what):
        got = self.integer()
        if got != value:
            self.fail(f"{what} {value}", got)

    def float(self):
        mantissa, exponent = self.integer(), self.integer()
        if exponent in _NOT_FINITE:
            return _NOT_FINITE[exponent]
        if not -2000 <= exponent <= 2000:
            self.fail("the exponent of a float", exponent)
        return math.ldexp(mantissa, exponent)

    def string(self):
        size = self.integer()
        if not 0 <= size <= 64:
            self.fail("a name of at most 64 letters", f"{size} letters")
        return bytes(self.take(size)).decode("latin-1")

    def name_of(self, *names):
        got = self.string()
        if got not in names:
            self.fail(f"the layer {' or '.join(names)}", repr(got))
        return got

    def tensor(self):
        self.expect(2, "a tensor of version")
        shape = tuple(self.size() for _ in range(4))
        count = math.prod(shape)
        if count > _MOST_NUMBERS:
            self.fail(f"a tensor of at most {_MOST_NUMBERS} numbers", f"shape {shape}")
        # a copy, so that the 22 MB of the file can go
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)

    def alias(self):
        self.expect(1, "a tensor alias of version")
        return tuple(self.size() for _ in range(4))

    def parameters(self, values, *shapes):
        if len(values) != sum(map(math.prod, shapes)) or not np.isfinite(values).all():
            self.fail(f"finite weights of shapes {shapes}", f"{len(values)} numbers, "
                      f"{np.count_nonzero(~np.isfinite(values))} of them not finite")
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes)]


def _convolution(read):
    values = read.tensor()
    filters, rows, cols, stride, stride_x, padding, padding_x = (read.integer() for _ in range(7))
    kernel_shape, bias_shape = read.alias(), read.alias()
    [read.float() for _ in range(4)]  # learning-rate and weight-decay multipliers
    kernel, bias = read.parameters(values, kernel_shape, bias_shape)
    if kernel_shape[0] != filters or kernel_shape[2:] != (rows, cols) or math.prod(bias_shape) != filters:
        read.fail(f"{filters} filters of {rows} x {cols}", f"weights of shape {kernel_shape}, biases {bias_shape}")
    if (stride, padding) != (stride_x, padding_x):
        read.fail("the same stride and padding both ways", (stride, stride_x, padding, padding_x))
    # dlib keeps (filters, channels, rows, columns), Keras (rows, columns, channels, filters)
    return {"kernel": kernel.transpose(2, 3, 1, 0), "bias": bias.ravel(), "stride": stride, "padding": padding}


def _affine(read):
    values = read.tensor()
    gamma, beta = read.parameters(values, read.alias(), read.alias())
    read.integer()  # mode: after a convolution or after a dense layer
    return {"gamma": gamma.ravel(), "beta": beta.ravel()}


def _pool(read):
    rows, cols, stride, stride_x, padding, padding_x = (read.integer() for _ in range(6))
    return {"size": (rows, cols), "stride": (stride, stride_x), "padding": (padding, padding_x)}


def _dense(read):
    read.integer(), read.integer()  # outputs and inputs: once more in the shape of the weights
    values = read.tensor()
    (kernel,) = read.parameters(values, read.alias())
    read.alias(), read.integer()
    [read.float() for _ in range(4)]
    return {"kernel": kernel.reshape(kernel.shape[0], -1)}


_DETAILS = {"con_4": _convolution, "affine_": _affine, "relu_": lambda read: {}, "add_prev_": lambda read: {},
            "max_pool_2": _pool, "avg_pool_2": _pool, "fc_2": _dense}


def read_layers(path):
    """Read every layer of dlib's face network.

    Parameters
    ----------
    path : path-like
        `dlib_face_recognition_resnet_model_v1.dat`, from dlib's author.

    Returns
    -------
    mean : ndarray of float, shape (3,)
        The mean red, green and blue that the network subtracts, in grey levels.
    layers : list of (str, dict)
        Kind and contents of every layer, from the first to the last. Kinds are dlib's: `con_4`
        (kernel (rows, cols, channels, filters), bias (filters,), stride, padding), `affine_`
        (gamma, beta), `relu_`, `max_pool_2`, `avg_pool_2` (size, stride, padding), `add_prev_`, `fc_2`
        (kernel (inputs, outputs)).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DatError
        If the file is damaged or holds something else; the message names the byte.

    References
    ----------
    D. King, "High quality face recognition with deep metric learning", blog.dlib.net, 2017;
    dlib/serialize.h and dlib/dnn/core.h for the format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected dlib's face network, {RESNET_FILE}")
    read = _Reader(path.read_bytes(), path.name)
    read.expect(1, "a loss layer of version")
    read.name_of("loss_metric_2")
    read.float(), read.float()  # margin and distance of the training loss
    depth = 0
    # 2: a layer with details, 1: a tag or a skip, which are only marks; 3: the input
    while (version := read.integer()) != 3:
        if version not in (1, 2) or (depth := depth + 1) > 1000:
            read.fail("the version of a layer", version)
    read.name_of("input_rgb_image_sized")
    mean = np.array([read.float() for _ in range(3)])
    read.expect(150, "an input height of"), read.expect(150, "an input width of")
    layers = []
    while read.at < len(read.data) and (not layers or layers[-1][0] != "fc_2"):
        kind = read.name_of(*_DETAILS)
        layers.append((kind, _DETAILS[kind](read)))
        read.take(3)  # three flags of the training
        [read.tensor() for _ in range(3)]  # its gradients, empty in a cleaned network
        if len(layers) == 1:
            read.expect(1, "one sample for every image, not")
    if not layers or layers[-1][0] != "fc_2":
        read.fail("the layer fc_2", "the end of the file")
    return mean, layers
