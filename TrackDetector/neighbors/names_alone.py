"""Nearest photos and distances beside a classifier that gives names alone, where the kit's own is not in the package."""

import numpy as np

from TrackDetector.neighbors.predictions import Answer, unit

NEAREST = 3


class WithNeighbors:
    """Names are the classifier's; what is near is measured with the same crops and the same layer.

    Parameters
    ----------
    classifier : object
        With `classify_images` and `classify_videos`.
    images, labels : dict
        Of the gallery, as for `fit`.
    cut : callable
        From a dictionary of photos to crops (N, 224, 224, 3) and found (N,).
    describe : callable
        From crops to descriptors, one for each.
    """

    def __init__(self, classifier, images, labels, cut, describe):
        self.classifier, self.images, self.labels, self.cut, self.describe = classifier, images, labels, cut, describe
        self._known = None

    def _descriptors(self, photos):
        crops, found = self.cut(photos)
        return np.asarray(self.describe(crops), float).reshape(len(crops), -1), found

    def _answer(self, name, descriptors, found, frames=()):
        """What is near to the mean of some descriptors (N, D)."""
        if self._known is None:
            self._known = self._descriptors(self.images)[0]
        names, middle = list(self.images), descriptors.mean(axis=0, keepdims=True)
        away, apart = (np.linalg.norm(some - one, axis=1) for some, one in ((self._known, middle), (unit(self._known), unit(middle))))
        own = np.sort(apart[[str(self.labels[n]) == name for n in names]])[:NEAREST]
        near = [(names[k], self.labels[names[k]], float(away[k])) for k in np.argsort(away)[:NEAREST]]
        return Answer(name, name, float(own.mean()) if len(own) else float(apart.min()), bool(found), near, list(frames))

    def classify_images(self, test_imgs, details=False):
        """As the classifier's; with `details`, a dictionary to an `Answer` each, whose distance is that to the person named."""
        out = self.classifier.classify_images(test_imgs)
        if not details:
            return out
        descriptors, found = self._descriptors(test_imgs)
        return {name: self._answer(str(out[name]), descriptors[k : k + 1], found[k]) for k, name in enumerate(test_imgs)}

    def classify_videos(self, test_videos, details=False):
        """As `classify_images`; each frame with a face has the name of its nearest photo, and the distance to that."""
        out = self.classifier.classify_videos(test_videos)
        return {name: self._clip(str(out[name]), frames) for name, frames in test_videos.items()} if details else out

    def _clip(self, name, frames):
        descriptors, found = self._descriptors({str(k): frame for k, frame in enumerate(frames)})
        seen = np.flatnonzero(found)
        near = [self._answer("", descriptors[k : k + 1], True).neighbors[0] for k in seen]
        return self._answer(name, descriptors[seen] if len(seen) else descriptors, len(seen) > 0, [(int(k), str(who), away) for k, (_, who, away) in zip(seen, near)])
