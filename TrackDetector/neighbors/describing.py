"""From photos to descriptors: a network, a layer of it, and how faces are found and cut out."""

from contextlib import contextmanager
from time import perf_counter

import numpy as np

from common.inference import digest_of
from TrackDetector.alignment import CROP_SIZE
from TrackDetector.descriptors import FACE_MODEL, LAYER, get_layer_output, input_size, load_face_model
from TrackDetector.detectors import named_detector
from TrackDetector.faces import preprocess_imgs
from TrackDetector.galleries.doubts import USUAL
from TrackDetector.galleries.looking import Seen, look
from TrackDetector.photos import as_rgb


class Describer:
    """Describes faces; `classifier.Classifier` says what the settings mean."""

    def __init__(self, nn_model=None, layer=None, flip=True, detector=None, preprocess=preprocess_imgs, batch_size=32):
        if not isinstance(layer, (str, int, np.integer, type(None))):
            raise ValueError(f"expected one layer, by its name or number; got {layer!r}")
        if detector is not None and preprocess is not preprocess_imgs:
            raise ValueError("a detector is of no use with a preprocess function of one's own, or none")
        self.nn_model = load_face_model() if nn_model is None else nn_model
        self.layer, self.flip = layer if isinstance(layer, (str, type(None))) else int(layer), flip
        self.detector_name = detector if isinstance(detector, str) else getattr(detector, "called", None)
        self.detector = named_detector(detector) if isinstance(detector, str) else detector
        self.preprocess, self.batch_size = preprocess, batch_size
        self.seconds_ = dict.fromkeys(("detection", "descriptors", "knn"), 0.0)
        self._described = None, None  # what the last faces were, and their descriptors

    @property
    def looks_by(self):
        """What the answers owe to the detector: its name, and the mark of a file that was named for it."""
        digest = getattr(self.detector, "digest", None)
        return f"{self.detector_name} {digest}" if digest else self.detector_name

    @property
    def dlibs(self):
        """Whether dlib's network describes the faces as it was made to: what was measured of its distances holds then."""
        return getattr(self.nn_model, "name", None) == FACE_MODEL and self.layer in (None, LAYER)

    @property
    def usual(self):
        """How far apart photos of one person usually lie, descriptors of length 1; None for a network of which that was not measured."""
        return USUAL if self.dlibs else None

    @contextmanager
    def _clock(self, part):
        start = perf_counter()
        yield
        self.seconds_[part] += perf_counter() - start

    def crop(self, imgs, thorough=True, names=None, retry=True):
        """Aligned faces (N, S, S, 3) of a list of photos, and whether each was found (N,); errors call them by `names`."""
        with self._clock("detection"):
            return self._crop(imgs, thorough, retry, [f"image {i}" for i in range(len(imgs))] if names is None else names)

    def _crop(self, imgs, thorough, retry, names):
        if self.preprocess is preprocess_imgs:
            size = input_size(self.nn_model)[0]
            return preprocess_imgs(list(imgs), *([size] if size else []), detector=self.detector, thorough=thorough, retry=retry, names=names)
        if self.preprocess is None:
            crops = [as_rgb(img, name) for name, img in zip(names, imgs)]
            if len({crop.shape for crop in crops}) > 1:
                raise ValueError("preprocess=None expects aligned faces of one size, got several sizes; leave it out for photos")
            return np.array(crops), np.ones(len(crops), bool)
        answer = self.preprocess(imgs)
        crops, found = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, np.ones(len(answer), bool))
        if len(crops) != len(imgs) or len(found) != len(imgs):
            raise ValueError(f"preprocess got {len(imgs)} photos, but returned {len(crops)} crops")
        return np.array(crops), np.array(found, bool)  # copies: they are changed here

    def describe(self, crops):
        """Descriptors (N, D) float32 of aligned faces (N, H, W, 3), RGB from 0 to 255."""
        with self._clock("descriptors"):
            answers = get_layer_output(crops, self.layer, self.nn_model, self.batch_size)
            if self.flip and len(answers):
                mirrored = np.asarray(crops)[:, :, ::-1]
                answers = (answers + get_layer_output(mirrored, self.layer, self.nn_model, self.batch_size)) / 2
        return answers.reshape(len(answers), -1).astype(np.float32)

    def describe_again(self, crops):
        """As `describe`, at once where the very same faces were asked for just before: a notebook wants names first, and then why."""
        faces = digest_of(crops, *self.nn_model.get_weights()), self.layer, self.flip  # a network that has learnt since then gives other answers
        if self._described[0] != faces:
            self._described = faces, self.describe(crops)
        return self._described[1].copy()

    def look(self, photos):
        """What photos of a gallery show, one by one: `galleries.looking.look` with this classifier's network and detector."""
        if self.preprocess is preprocess_imgs:
            size = input_size(self.nn_model)[0] or CROP_SIZE
            yield from look(photos, self.describe, self.detector, size, self.batch_size, lambda: self._clock("detection"))
            return
        photos = list(photos)
        names, people, images, digests = zip(*photos) if photos else [()] * 4
        crops, found = self.crop(images, names=list(names))
        descriptors = iter(self.describe(crops[found]) if found.any() else ())
        for name, person, digest, ok in zip(names, people, digests, found):
            of_it = np.array([next(descriptors)]) if ok else np.zeros((0, 1), np.float32)
            yield Seen(name, person, of_it, np.full(len(of_it), np.nan), digest)
