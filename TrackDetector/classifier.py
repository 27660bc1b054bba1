"""Whose face is it? Nearest neighbours among descriptors: for photos, for clips, and for strangers."""

import warnings
from numbers import Real

import numpy as np

from TrackDetector.descriptors import input_size, load_face_model
from TrackDetector.faces import preprocess_imgs
from TrackDetector.galleries.choosing import choose, say
from TrackDetector.galleries.storage import load_gallery, save_gallery
from TrackDetector.gallery import GalleryError, together
from TrackDetector.neighbors.describing import Describer
from TrackDetector.neighbors.predictions import UNKNOWN, Answer, like, named, named_clips
from TrackDetector.neighbors.search import Nearest, vote
from TrackDetector.neighbors.second_thoughts import second_thoughts
from TrackDetector.neighbors.strangers import distances_to, shared_photos, stranger_distances
from TrackDetector.validation import usual_threshold

COMBINE = ("mean", "median", "vote")
ENOUGH = 0.5  # of a clip's frames show a face: the others are not looked at again


class Classifier(Describer):
    """Names people by the photos that are nearest to them.

    A face is described by a layer of a network, together with its mirror image, and gets the name that its
    `n_neighbors` nearest photos (Euclidean distance) give it, the nearer the weightier. Strangers are told by the angle
    between descriptors: how long a descriptor is does not say whose it is.

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
    detector : callable or str, optional
        `image -> boxes` or `(boxes, scores)`, or a name that `detectors.named_detector` knows; by default dlib's HOG detector.
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
    aside_ : Gallery or None
        Photos of known people that were set aside because they are unlike their person's others. They name nobody; where a face is
        near to nobody, they help to say whom it looks most like.
    alike_ : list of (str, str)
        People who look like one person in the gallery.
    doubts_ : list of Doubt
        What is doubtful in the gallery: photos left out because they show several people, or somebody else, or nobody; one photo
        under two names; two names that look like one person. A warning says each of them, too.
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
        if combine not in COMBINE:
            raise ValueError(f"expected combine to be one of {', '.join(COMBINE)}; got {combine!r}")
        super().__init__(nn_model, layer, flip, detector, preprocess, batch_size)
        self.combine, self.threshold, self.n_neighbors = combine, threshold, None if n_neighbors is None else int(n_neighbors)

    # --- the gallery ----------------------------------------------------------------------------

    def fit(self, train_imgs, train_labels):
        """Learn who is who.

        A photo that shows several people counts for the face that is most like the person's other photos; where that stays
        unclear, and where a photo is unlike all others of its person, it is left out. `doubts_` and a warning say so.

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
        from tqdm.auto import tqdm

        names, images, labels = named(train_imgs, train_labels)
        if not images:
            raise ValueError("the gallery is empty: expected at least one photo with a label")
        seen = self.look(zip(names, labels, images, [b""] * len(names)))
        self.enrol(tqdm(seen, "gallery", len(names), disable=len(names) < 50))
        return self

    def enrol(self, seen, known=None, aside=None):
        """Learn who is who from photos that were looked at.

        Parameters
        ----------
        seen : iterable of Seen
        known : Gallery, optional
            Who is known already: the gallery of this classifier, or a part of it.
        aside : Gallery, optional
            Photos of them that were set aside.

        Raises
        ------
        ValueError
            If nobody is left to be known.
        """
        chosen = choose(seen, known, self.dlibs, getattr(self, "alike_", ()))
        self.know(chosen.gallery, together(aside, chosen.aside), chosen.alike)
        self.skipped_, self.doubts_ = chosen.faceless, chosen.doubts
        say(chosen, stacklevel=3)

    def know(self, gallery, aside=None, alike=()):
        """Take over a gallery that is ready: the people in it, photos of theirs that were set aside, pairs of people who look alike.

        Raises
        ------
        ValueError
            If `n_neighbors` is more than there are faces.
        """
        neighbors = min(3, len(gallery)) if self.n_neighbors is None else self.n_neighbors
        if neighbors > len(gallery):
            raise ValueError(f"n_neighbors is {neighbors}, but the gallery has {len(gallery)} faces; "
                             f"choose {len(gallery)} or fewer, or add photos")
        self.gallery_, self.skipped_, self.doubts_ = gallery, [], []
        self.aside_, self.alike_ = aside, [tuple(pair) for pair in alike]
        self._nearest, self.neighbors_ = Nearest(gallery.descriptors), neighbors
        self.classes_ = gallery.people

    def _fitted(self):
        if not hasattr(self, "gallery_"):
            raise ValueError("the classifier knows nobody yet: call fit(train_imgs, train_labels) or Classifier.load first")

    def save(self, path):
        """Write the gallery and the settings to one `.npz` file; `Classifier.load` reads it."""
        self._fitted()
        save_gallery(path, self.gallery_, {
            "model": self.nn_model.name, "layer": self.layer, "n_neighbors": self.n_neighbors, "flip": bool(self.flip),
            "combine": self.combine, "threshold": None if self.threshold is None else float(self.threshold),
            **({"detector": self.detector_name} if self.detector_name else {}), **({"alike": self.alike_} if self.alike_ else {}),
        }, self.aside_)

    @classmethod
    def load(cls, path, nn_model=None, mapped=None, **settings):
        """Read a gallery that `save` wrote.

        Parameters
        ----------
        path : path-like
        nn_model : keras.Model, optional
            The network that described the gallery; by default dlib's face ResNet.
        mapped : bool, optional
            As in `galleries.storage.load_gallery`.
        **settings
            Settings of `Classifier` that shall differ from the saved ones.

        Raises
        ------
        FileNotFoundError, GalleryError
            If there is no such file, it is damaged, or another network described it.
        """
        gallery, saved, aside = load_gallery(path, mapped)
        alike = saved.pop("alike", [])
        model = load_face_model() if nn_model is None else nn_model
        if saved.pop("model", None) != model.name:
            raise GalleryError(f"{path}: was described by another network than {model.name}; hand in the one that made it as nn_model")
        strange = set(saved) - {"layer", "n_neighbors", "flip", "combine", "threshold", "detector"}
        if strange:
            raise GalleryError(f"{path}: has settings that no gallery has: {', '.join(sorted(strange))}")
        try:
            self = cls(model, **{**saved, **settings})
            self.know(gallery, aside, alike)
            probe = self.describe(np.zeros((1, *(side or 64 for side in input_size(model)), 3), np.uint8))
        except (TypeError, ValueError) as error:
            raise GalleryError(f"{path}: its settings cannot be used ({error})") from None
        if probe.shape[1] != gallery.descriptors.shape[1]:
            raise GalleryError(f"{path}: descriptors of {gallery.descriptors.shape[1]} numbers, but the network gives {probe.shape[1]}")
        return self

    # --- answers --------------------------------------------------------------------------------

    def distances(self, descriptors, names, nearest=3):
        """Distances to people: mean over the `nearest` nearest photos of each person, unit descriptors, evened as `neighbors.strangers.distances_to` does.

        Parameters
        ----------
        descriptors : ndarray, shape (N, D)
        names : sequence of str
            The person to measure to, for each descriptor.
        nearest : int

        Returns
        -------
        ndarray of float, shape (N,)
        """
        self._fitted()
        codes = np.array([self.gallery_.code_of(name) for name in names], int)
        if (codes < 0).any():
            raise ValueError(f"nobody in the gallery is called {names[int(np.argmin(codes))]!r}")
        return distances_to(self.gallery_, descriptors, codes, nearest, self.usual)

    def identify(self, descriptors, found=None):
        """An `Answer` for each of N descriptors (N, D); `found` (N,) is handed on."""
        self._fitted()
        if not len(descriptors):
            return []
        g = self.gallery_
        with self._clock("knn"):
            near, index = self._nearest.search(descriptors, min(max(self.neighbors_, 5), len(g)))
            codes, k = g.codes[index], self.neighbors_
            chosen, _ = vote(near[:, :k], codes[:, :k])
            apart = distances_to(g, descriptors, chosen, usual=self.usual)
            doubts = second_thoughts(self, descriptors, near, index, chosen, apart)
        found = np.ones(len(chosen), bool) if found is None else found
        return [
            Answer(self._accept(g.people[code], d), str(g.people[code]), float(d), bool(ok),
                   [(str(g.photos[j]), str(g.people[c]), float(x)) for x, j, c in zip(near[i], index[i], codes[i])],
                   doubt=doubts.get(i, "") if ok else "no face was found; the middle of the photo was looked at")
            for i, (code, d, ok) in enumerate(zip(chosen, apart, found))
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
        answers = self.identify(self.describe_again(crops), found) if images else []
        return like(test_imgs, answers if details else [a.label for a in answers])

    def classify_videos(self, test_videos, details=False):
        """Name the person in every clip.

        Frames without a face are left out. A clip in which fewer than half of them show one is looked at again, enlarged; where none
        does, slowly; then it is answered by the middle of its frames, and says so (``found`` is False).

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
        crops, found = self.crop(frames, thorough=False, names=where, retry=False) if frames else (np.zeros((0, 1, 1, 3), np.uint8), np.zeros(0, bool))
        use, seen = np.zeros(len(frames), bool), []
        for i in range(len(clips)):
            span = slice(first[i], first[i + 1])
            for thorough in (False, True) if sizes[i] and self.preprocess is preprocess_imgs else ():
                # the frames of a clip show one face over and over: to search longer in those that hide it takes most of the time and adds little
                if found[span].sum() < (1 if thorough else ENOUGH * sizes[i]):
                    crops[span], found[span] = self.crop(frames[span], thorough, where[span])
            use[span] = found[span] if found[span].any() else True
            seen.append(np.flatnonzero(use[span]))
        descriptors = np.split(self.describe_again(crops[use]), np.cumsum([len(s) for s in seen])[:-1]) if use.any() else [[]] * len(clips)
        answers = [self.answer_clip(d, s, bool(found[first[i]:first[i + 1]].any())) for i, (d, s) in enumerate(zip(descriptors, seen))]
        return like(test_videos, answers if details else [a.label for a in answers])

    def answer_clip(self, descriptors, numbers, found=True):
        """One `Answer` for the descriptors (N, D) of a clip or track; `numbers` (N,) are those of its frames."""
        if not len(descriptors):
            return Answer(UNKNOWN, UNKNOWN, float("inf"), False)
        alone = self.identify(descriptors)
        frames = [(int(n), a.name, a.distance) for n, a in zip(numbers, alone)]
        faceless = "" if found else "no face was found; the middle of the frames was looked at"
        if self.combine == "vote":
            near, index = self._nearest.search(descriptors, self.neighbors_)
            codes = self.gallery_.codes[index]
            voters, place = np.unique(codes, return_inverse=True)
            name = str(self.classes_[voters[np.argmax(np.bincount(place.ravel(), vote(near, codes)[1].ravel()))]])
            distance = float(np.mean(self.distances(descriptors, [name] * len(descriptors))))
            doubt = faceless or next((answer.doubt for answer in alone if answer.name == name), "")
            return Answer(self._accept(name, distance), name, distance, found, alone[0].neighbors, frames, doubt)
        one = (np.mean if self.combine == "mean" else np.median)(descriptors, axis=0)[None]
        answer = self.identify(one.astype(np.float32))[0]
        return Answer(answer.label, answer.name, answer.distance, found, answer.neighbors, frames, faceless or answer.doubt)

    # --- strangers ------------------------------------------------------------------------------

    def stranger_distances(self):
        """Distances of the gallery's people when each of them is taken for a stranger.

        Every photo is identified by the photos of the other people alone: (N,) for N photos; empty if
        only one person is known. Who shares a photo with somebody is left out, with a warning. Of a gallery of more than
        20,000 photos so many ask, drawn at random.
        """
        self._fitted()
        g, shared = self.gallery_, shared_photos(self.gallery_)
        if shared:
            one, other = shared[0]
            warnings.warn(f"{len(shared)} photos lie under two names, such as {g.photos[one]} ({g.people[g.codes[one]]}) and {g.photos[other]} "
                          f"({g.people[g.codes[other]]}): these people are left out in choosing a threshold", stacklevel=3)
        # they are no strangers to each other
        return stranger_distances(g, self.neighbors_, {int(g.codes[row]) for pair in shared for row in pair}, usual=self.usual)

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
            if self.dlibs:
                self.threshold = min(self.threshold, usual_threshold(len(self.classes_)))
            else:
                warnings.warn(f"{others} strangers cannot show a false-accept rate of {false_accept:g}: the threshold may be much too "
                              "lax; hand in photos of more strangers", stacklevel=2)
        return self.threshold


if __name__ == "__main__":  # where the command was once; nothing would be worse than doing nothing
    raise SystemExit("This command has moved: python -m TrackDetector PHOTO...  (--help says more)")
