"""Whose face is it? Nearest neighbours among descriptors: for photos, for clips, and for strangers.

`python -m TrackDetector --gallery FOLDER PHOTO_OR_VIDEO...` does it with one's own files.
"""

import warnings
from contextlib import contextmanager
from numbers import Real
from time import perf_counter

import numpy as np

from TrackDetector.descriptors import FACE_MODEL, LAYER, get_layer_output, input_size, load_face_model
from TrackDetector.faces import preprocess_imgs
from TrackDetector.gallery import Gallery, GalleryError, load_gallery, save_gallery, under_two_names
from TrackDetector.photos import as_rgb
from TrackDetector.predictions import UNKNOWN, Answer, like, named, named_clips, unit
from TrackDetector.validation import usual_threshold

COMBINE = ("mean", "median", "vote")


class Classifier:
    """Names people by the photos that are nearest to them.

    A face is described by a layer of a network, together with its mirror image, and gets the name that its
    `n_neighbors` nearest photos (Euclidean distance) give it, the nearer the weightier. Strangers are told by the angle
    between descriptors: how long a descriptor is says how clear the face is, not whose it is.

    Parameters
    ----------
    nn_model : keras.Model, optional
        By default dlib's face ResNet.
    layer : str, optional
        The hidden layer that describes a face; by default the last one.
    n_neighbors : int, optional
        How many photos vote; by default three, or as many as there are in a smaller gallery.
    flip : bool
        Average the descriptors of a face and of its mirror image.
    combine : {"mean", "median", "vote"}
        How the frames of a clip become one answer: mean or median of their descriptors, or a vote of
        the frames.
    threshold : float, optional
        Distance above which the answer is "unknown"; see `choose_threshold`.
    detector : callable, optional
        `image -> boxes` or `(boxes, scores)`; by default dlib's HOG detector.
    preprocess : callable, optional
        `imgs -> crops` or `(crops, found)`, a function of one's own instead of `faces.preprocess_imgs`;
        None if the images are aligned faces already.
    batch_size : int
        Faces that go through the network at once.

    Attributes
    ----------
    gallery_ : Gallery
        Who is known, after `fit`.
    classes_ : ndarray of str
        Their names, sorted.
    skipped_ : list of str
        Photos of the gallery that were left out because no face was found in them.
    seconds_ : dict of str to float
        Time spent so far on `detection`, `descriptors` and `knn`.

    References
    ----------
    T. Cover and P. Hart, "Nearest neighbor pattern classification", IEEE Trans. Information Theory 13, 1967.
    """

    def __init__(self, nn_model=None, layer=None, n_neighbors=None, flip=True, combine="mean", threshold=None,
                 detector=None, preprocess=preprocess_imgs, batch_size=32):
        if n_neighbors is not None and not (isinstance(n_neighbors, Real) and np.isfinite(n_neighbors) and int(n_neighbors) == n_neighbors >= 1):
            raise ValueError(f"expected n_neighbors to be 1 or more, or None, got {n_neighbors!r}")
        if threshold is not None and not (isinstance(threshold, Real) and threshold == threshold):
            raise ValueError(f"expected a threshold from 0 to 2, as distances are, or None; got {threshold!r}")
        if not isinstance(layer, (str, int, np.integer, type(None))):
            raise ValueError(f"expected one layer, by its name or number; got {layer!r}")
        if combine not in COMBINE:
            raise ValueError(f"expected combine to be one of {', '.join(COMBINE)}; got {combine!r}")
        if detector is not None and preprocess is not preprocess_imgs:
            raise ValueError("a detector is of no use with a preprocess function of one's own, or none")
        self.nn_model = load_face_model() if nn_model is None else nn_model
        self.layer, self.flip, self.combine = layer if isinstance(layer, (str, type(None))) else int(layer), flip, combine
        self.n_neighbors = None if n_neighbors is None else int(n_neighbors)
        self.threshold, self.detector, self.preprocess, self.batch_size = threshold, detector, preprocess, batch_size
        self.seconds_ = dict.fromkeys(("detection", "descriptors", "knn"), 0.0)

    @contextmanager
    def _clock(self, part):
        start = perf_counter()
        yield
        self.seconds_[part] += perf_counter() - start

    # --- from photos to descriptors -------------------------------------------------------------

    def crop(self, imgs, thorough=True, names=None):
        """Aligned faces (N, S, S, 3) of a list of photos, and whether each was found (N,); errors call them by `names`."""
        with self._clock("detection"):
            return self._crop(imgs, thorough, [f"image {i}" for i in range(len(imgs))] if names is None else names)

    def _crop(self, imgs, thorough, names):
        if self.preprocess is preprocess_imgs:
            size = input_size(self.nn_model)[0]
            return preprocess_imgs(list(imgs), *([size] if size else []), detector=self.detector, thorough=thorough, names=names)
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

    # --- the gallery ----------------------------------------------------------------------------

    def fit(self, train_imgs, train_labels):
        """Learn who is who.

        Parameters
        ----------
        train_imgs : dict of str to ndarray, or sequence of ndarray
            RGB photos. Those without a face are left out, with one warning that counts and names them.
        train_labels : dict of str to str, or sequence of str

        Returns
        -------
        Classifier
            Itself.

        Raises
        ------
        ValueError
            If a photo has no label, no photo has a face, or `n_neighbors` is more than there are faces.
        """
        names, images, labels = named(train_imgs, train_labels)
        if not images:
            raise ValueError("the gallery is empty: expected at least one photo with a label")
        crops, found = self.crop(images, names=names)
        skipped = [name for name, ok in zip(names, found) if not ok]
        if not found.any():
            raise ValueError(f"no face was found in any of the {len(names)} photos of the gallery")
        if skipped:
            lost = sorted(set(labels) - {label for label, ok in zip(labels, found) if ok})
            warnings.warn(f"no face found in {len(skipped)} of {len(names)} photos of the gallery: {', '.join(skipped[:5])}"
                          + (f". Not in the gallery at all: {', '.join(lost)}" if lost else ""), stacklevel=2)
        self._take(Gallery(self.describe(crops[found]), np.array(labels)[found], np.array(names)[found]))
        self.skipped_ = skipped
        return self

    def _take(self, gallery):
        from sklearn.neighbors import KNeighborsClassifier

        neighbors = min(3, len(gallery)) if self.n_neighbors is None else self.n_neighbors
        if neighbors > len(gallery):
            raise ValueError(f"n_neighbors is {neighbors}, but the gallery has {len(gallery)} faces; "
                             f"choose {len(gallery)} or fewer, or add photos")
        self.gallery_, self.skipped_ = gallery, []
        self._unit = unit(gallery.descriptors)
        self._knn = KNeighborsClassifier(neighbors, weights="distance", algorithm="brute")
        self._knn.fit(gallery.descriptors, gallery.labels)
        self.classes_ = self._knn.classes_

    def _fitted(self):
        if not hasattr(self, "gallery_"):
            raise ValueError("the classifier knows nobody yet: call fit(train_imgs, train_labels) or Classifier.load first")

    def save(self, path):
        """Write the gallery and the settings to one `.npz` file; `Classifier.load` reads it."""
        self._fitted()
        save_gallery(path, self.gallery_, {
            "model": self.nn_model.name, "layer": self.layer, "n_neighbors": self.n_neighbors, "flip": bool(self.flip),
            "combine": self.combine, "threshold": None if self.threshold is None else float(self.threshold),
        })

    @classmethod
    def load(cls, path, nn_model=None, **settings):
        """Read a gallery that `save` wrote.

        Parameters
        ----------
        path : path-like
        nn_model : keras.Model, optional
            The network that described the gallery; by default dlib's face ResNet.
        **settings
            Settings of `Classifier` that shall differ from the saved ones.

        Raises
        ------
        FileNotFoundError, GalleryError
            If there is no such file, it is damaged, or another network described it.
        """
        gallery, saved = load_gallery(path)
        model = load_face_model() if nn_model is None else nn_model
        if saved.pop("model", None) != model.name:
            raise GalleryError(f"{path}: was described by another network than {model.name}; hand in the one that made it as nn_model")
        strange = set(saved) - {"layer", "n_neighbors", "flip", "combine", "threshold"}
        if strange:
            raise GalleryError(f"{path}: has settings that no gallery has: {', '.join(sorted(strange))}")
        try:
            self = cls(model, **{**saved, **settings})
            self._take(gallery)
            probe = self.describe(np.zeros((1, *(side or 64 for side in input_size(model)), 3), np.uint8))
        except (TypeError, ValueError) as error:
            raise GalleryError(f"{path}: its settings cannot be used ({error})") from None
        if probe.shape[1] != gallery.descriptors.shape[1]:
            raise GalleryError(f"{path}: descriptors of {gallery.descriptors.shape[1]} numbers, but the network gives {probe.shape[1]}")
        return self

    # --- answers --------------------------------------------------------------------------------

    def distances(self, descriptors, names, leave_out=None, nearest=3):
        """Distances to people: mean over the `nearest` nearest photos of each person, unit descriptors.

        Parameters
        ----------
        descriptors : ndarray, shape (N, D)
        names : sequence of str
            The person to measure to, for each descriptor.
        leave_out : ndarray of bool, shape (N, len(gallery)), optional
            Photos that must not count; at least one of the person must stay.
        nearest : int

        Returns
        -------
        ndarray of float, shape (N,)
        """
        from sklearn.metrics import pairwise_distances

        table = pairwise_distances(unit(descriptors), self._unit)
        other = self.gallery_.labels[None] != np.asarray(names)[:, None]
        table[other if leave_out is None else other | leave_out] = np.inf
        table = np.sort(table, axis=1)[:, :nearest]
        counted = np.isfinite(table)
        return np.where(counted, table, 0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)

    def identify(self, descriptors, found=None):
        """An `Answer` for each of N descriptors (N, D); `found` (N,) is handed on."""
        self._fitted()
        if not len(descriptors):
            return []
        with self._clock("knn"):
            names = self._knn.predict(descriptors)
            apart = self.distances(descriptors, names)
            near, index = self._knn.kneighbors(descriptors, min(max(self._knn.n_neighbors, 5), len(self.gallery_)))
        g = self.gallery_
        return [
            Answer(self._accept(name, d), str(name), float(d), bool(ok),
                   [(str(g.photos[j]), str(g.labels[j]), float(x)) for x, j in zip(near[i], index[i])])
            for i, (name, d, ok) in enumerate(zip(names, apart, np.ones(len(names), bool) if found is None else found))
        ]

    def _accept(self, name, distance):
        return str(name) if self.threshold is None or distance <= self.threshold else UNKNOWN

    def classify_images(self, test_imgs, details=False):
        """Name the person in every photo.

        Parameters
        ----------
        test_imgs : dict of str to ndarray, or sequence of ndarray
            RGB photos.
        details : bool
            Return `Answer`s, with distances and neighbours, instead of names.

        Returns
        -------
        dict or list
            A name (or "unknown", if there is a threshold) for each photo: a dictionary with the keys of
            `test_imgs`, or a list in its order. A photo without a face is answered by its middle.
        """
        self._fitted()
        names, images = named(test_imgs)
        crops, found = self.crop(images, names=names) if images else (np.zeros((0, 1, 1, 3), np.uint8), [])
        answers = self.identify(self.describe(crops), found) if images else []
        return like(test_imgs, answers if details else [a.label for a in answers])

    def classify_videos(self, test_videos, details=False):
        """Name the person in every clip.

        Frames without a face are left out. A clip in which no frame shows one is looked at again,
        slowly; then it is answered by the middle of its frames, and says so (``found`` is False).

        Parameters
        ----------
        test_videos : dict of str to list of ndarray, or sequence of those
            Clips: lists of RGB frames.
        details : bool
            Return `Answer`s instead of names.

        Returns
        -------
        dict or list
            As `classify_images`. A clip without frames is "unknown", with a warning that names it.
        """
        self._fitted()
        names, clips = named_clips(test_videos)
        empty = [name for name, clip in zip(names, clips) if not len(clip)]
        if empty:
            warnings.warn(f"{len(empty)} of {len(names)} clips have no frame: {', '.join(empty[:5])}", stacklevel=2)
        # all frames of all clips go through the network together: full batches, one compiled size
        sizes = [len(clip) for clip in clips]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        frames = [frame for clip in clips for frame in clip]
        where = [f"clip {name}, frame {i}" for name, size in zip(names, sizes) for i in range(size)]
        crops, found = self.crop(frames, thorough=False, names=where) if frames else (np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, bool))
        use, seen = found.copy(), []
        for i in range(len(clips)):
            span = slice(first[i], first[i + 1])
            if not found[span].any() and sizes[i]:
                crops[span], found[span] = self.crop(frames[span], names=where[span])
                use[span] = found[span] if found[span].any() else True
            seen.append(np.flatnonzero(use[span]))
        descriptors = np.split(self.describe(crops[use]), np.cumsum([len(s) for s in seen])[:-1]) if use.any() else [[]] * len(clips)
        answers = [self.answer_clip(d, s, bool(found[first[i]:first[i + 1]].any())) for i, (d, s) in enumerate(zip(descriptors, seen))]
        return like(test_videos, answers if details else [a.label for a in answers])

    def answer_clip(self, descriptors, numbers, found=True):
        """One `Answer` for the descriptors (N, D) of a clip or track; `numbers` (N,) are those of its frames."""
        if not len(descriptors):
            return Answer(UNKNOWN, UNKNOWN, float("inf"), False)
        alone = self.identify(descriptors)
        frames = [(int(n), a.name, a.distance) for n, a in zip(numbers, alone)]
        if self.combine == "vote":
            sums = self._knn.predict_proba(descriptors).sum(axis=0)
            name = str(self.classes_[np.argmax(sums)])
            distance = float(np.mean(self.distances(descriptors, [name] * len(descriptors))))
            return Answer(self._accept(name, distance), name, distance, found, alone[0].neighbors, frames)
        one = (np.mean if self.combine == "mean" else np.median)(descriptors, axis=0)[None]
        answer = self.identify(one.astype(np.float32))[0]
        return Answer(answer.label, answer.name, answer.distance, found, answer.neighbors, frames)

    # --- strangers ------------------------------------------------------------------------------

    def stranger_distances(self):
        """Distances of the gallery's people when each of them is taken for a stranger.

        Every photo is identified by the photos of the other people alone: (N,) for N photos; empty if
        only one person is known. Who shares a photo with somebody is left out, with a warning.
        """
        self._fitted()
        g = self.gallery_
        answers, twice = np.full(len(g), np.nan), under_two_names(g)
        for person in self.classes_ if len(self.classes_) > 1 else []:
            if person in twice:  # they are no strangers to each other
                continue
            mine = g.labels == person
            rest = Classifier.__new__(Classifier)
            rest.__dict__.update(self.__dict__, n_neighbors=min(self._knn.n_neighbors, int((~mine).sum())))
            rest._take(Gallery(g.descriptors[~mine], g.labels[~mine], g.photos[~mine]))
            answers[mine] = rest.distances(g.descriptors[mine], rest._knn.predict(g.descriptors[mine]))
        return answers[np.isfinite(answers)]

    def choose_threshold(self, strangers=None, false_accept=0.01):
        """Set the distance above which a face is "unknown".

        The people of the gallery serve as strangers to one another; photos of people who are in no
        gallery are added to them. None of them may be used to report the result. Five people say little about all
        strangers: with fewer than ``1 / false_accept`` of both, the threshold is at most `validation.usual_threshold`
        where dlib's network describes the faces, and a warning says so for any other network.

        Parameters
        ----------
        strangers : dict or sequence of ndarray, optional
            RGB photos for validation.
        false_accept : float
            The share of strangers who may be taken for somebody, for example 0.01.

        Returns
        -------
        float
            The threshold; it is kept in `threshold`.

        Raises
        ------
        ValueError
            If there is only one person and no stranger, or every two people share a photo.
        """
        from common.identification import threshold_at_false_accept

        apart, others = self.stranger_distances(), len(self.classes_) - (len(self.classes_) == 1)
        if strangers is not None and len(strangers):
            outside = self.classify_images(list(named(strangers)[1]), details=True)
            apart, others = np.concatenate([apart, [a.distance for a in outside]]), others + len(outside)
        if not len(apart):
            raise ValueError("one person alone has no strangers to compare with; hand in photos of strangers")
        self.threshold = threshold_at_false_accept(apart, false_accept)
        if others * false_accept < 1:
            if self.nn_model.name == FACE_MODEL and self.layer in (None, LAYER):
                self.threshold = min(self.threshold, usual_threshold(len(self.classes_)))
            else:
                warnings.warn(f"{others} strangers cannot show a false-accept rate of {false_accept:g}: the threshold may be much too "
                              "lax; hand in photos of more strangers", stacklevel=2)
        return self.threshold


if __name__ == "__main__":  # where the command was once; nothing would be worse than doing nothing
    raise SystemExit("This command has moved: python -m TrackDetector PHOTO...  (--help says more)")
