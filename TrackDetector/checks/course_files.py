"""What lay beside the published course's notebook, as far as it can be had: for the grader's sandbox, where an old notebook asks for it by name.

`provide` makes the usual ways of opening these files find them: dlib's landmark predictors come from the package
`face_recognition_models`; in the place of ``face_recognition_model.h5``, a VGG-Face, stands dlib's network with VGG-Face's input and
the names and sizes of its last layers; in the place of OpenCV's Haar cascades for faces and eyes, which OpenCV 5 has no longer, dlib's
detector and landmarks. A file that is there is opened as ever.
"""

import contextlib
import functools
import importlib
from pathlib import Path

SIDE, WIDTH = 224, 4096
LAYERS = ("fc6", "fc7")
_MEAN = (129.2, 104.8, 93.6)  # of red, green and blue, which VGG-Face's own preparation takes off


@functools.lru_cache(maxsize=1)
def course_face_model():
    """A network that takes what VGG-Face takes and has its layers `fc6` and `fc7`, (N, 4096), in which faces lie as near to each other as in dlib's.

    Returns
    -------
    keras.Model
        Input (N, 224, 224, 3): colours from 0 to 255, from 0 to 1, from -1 to 1, or less their mean, whichever a notebook made of
        them; RGB is best. Output: `fc7`.
    """
    import keras
    import numpy as np
    from keras import layers, ops

    from TrackDetector.descriptors import build_dlib_resnet

    @keras.saving.register_keras_serializable("face_detectors")
    class AnyScale(layers.Layer):
        """Brings pictures back to 0 to 255, each by the range of its numbers."""

        def call(self, x):
            low, high = (f(x, axis=(1, 2, 3), keepdims=True) for f in (ops.min, ops.max))
            parts = ops.where(low < -0.01, (x + 1) * 127.5, x * 255)
            whole = ops.where(low < -0.01, x + ops.array(_MEAN, x.dtype), x)
            return ops.clip(ops.where(high <= 1.001, parts, whole), 0, 255)

    network = build_dlib_resnet()
    inputs = keras.Input((SIDE, SIDE, 3), name="input_1")
    x = layers.Resizing(*network.input_shape[1:3], name="resizing")(AnyScale(name="any_scale")(inputs))
    # lengths and angles stay: the columns of the wide matrix are orthogonal
    spread = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, network.output_shape[-1])))[0].T
    fc6 = layers.Dense(WIDTH, use_bias=False, name=LAYERS[0])
    x = layers.Activation("linear", name=LAYERS[1])(fc6(network(x)))
    fc6.set_weights([spread])
    return keras.Model(inputs, x, name="vgg_face_by_name")


_lent = set()


def lent():
    """What has been lent since `provide`: sorted names."""
    return sorted(_lent)


def _packaged(path):
    """The file of this name in the package of dlib's models, where no such file lies at `path`."""
    from TrackDetector.networks.dlib_weights import name_for_dlib

    try:
        found = str(path) if Path(path).is_file() else name_for_dlib(Path(path).name)
    except (FileNotFoundError, TypeError, ValueError, OSError):
        return path
    if found != str(path):
        _lent.add(Path(path).name)
    return found


def _faces(image):
    """Faces (N, 4) as rows and columns, the surest first."""
    import numpy as np

    from TrackDetector.detectors import hog_detector

    boxes, scores = hog_detector(1)(image)
    return boxes[np.argsort(-scores)]


def _eyes(image):
    """The eyes of these faces, two of each: (2 N, 4). They are mostly looked for in what a face cascade has cut out, which is too narrow for dlib's detector."""
    import cv2
    import numpy as np

    from TrackDetector.alignment import find_landmarks

    down, right = (side // 4 for side in image.shape[:2])
    wide = cv2.copyMakeBorder(image, down, down, right, right, cv2.BORDER_REPLICATE)
    found = [np.zeros((0, 4))]
    for face in _faces(wide):
        points = find_landmarks(wide, face) - [down, right]
        middles = np.array([points[2:4].mean(axis=0), points[:2].mean(axis=0)])
        half = 0.28 * np.hypot(*(middles[1] - middles[0]))
        found.append(np.clip(np.hstack([middles - half, middles + half]), 0, [*image.shape[:2], *image.shape[:2]]))
    return np.concatenate(found)


class CascadeClassifier:
    """Finds faces and eyes where OpenCV's Haar cascades for these did, and nothing where the others did."""

    def __init__(self, filename=""):
        self.name = Path(str(filename)).name

    def load(self, filename):
        """Take another cascade."""
        self.name = Path(str(filename)).name
        return True

    def empty(self):
        """Is there none?"""
        return not self.name

    def detectMultiScale(self, image, scaleFactor=1.1, minNeighbors=3, flags=0, minSize=(0, 0), maxSize=None):  # noqa: N802, N803
        """Faces, or eyes, as rows (x, y, width, height), those of the surest face first; an empty tuple where there is none, as it ever was."""
        import numpy as np

        _lent.add(self.name or "a Haar cascade")
        image = np.ascontiguousarray(image if np.ndim(image) == 3 else np.repeat(np.asarray(image)[..., None], 3, axis=2)).astype(np.uint8)
        boxes = (_eyes if "eye" in self.name else _faces)(image) if "eye" in self.name or "face" in self.name else np.zeros((0, 4))
        rows = np.column_stack([boxes[:, 1], boxes[:, 0], boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]]).round().astype(np.int32)
        rows = rows[(rows[:, 2] >= minSize[0]) & (rows[:, 3] >= minSize[1])]
        return rows if len(rows) else ()


def provide():
    """From now on dlib's, Keras' and OpenCV's functions find the course's files, where none lies; for a process of its own."""
    import cv2
    import dlib
    import keras

    for name in ("shape_predictor", "face_recognition_model_v1", "cnn_face_detection_model_v1"):
        kind = getattr(dlib, name)

        def opened(path, kind=kind):
            return kind(_packaged(path))

        opened.__wrapped__ = kind
        setattr(dlib, name, opened)
    load = keras.saving.load_model

    @functools.wraps(load)
    def load_model(filepath, *args, **settings):
        if Path(filepath).exists() or not any(word in Path(filepath).name.lower() for word in ("face", "vgg")):
            return load(filepath, *args, **settings)
        _lent.add(Path(filepath).name)
        return course_face_model()

    for module in ("keras.saving", "keras.models", "keras._tf_keras.keras.saving", "keras._tf_keras.keras.models"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module).load_model = load_model
    if not hasattr(cv2, "CascadeClassifier"):
        cv2.CascadeClassifier = CascadeClassifier
