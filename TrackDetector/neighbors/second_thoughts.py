"""Why a name is not sure: somebody else is near as well, two people look like one, or only a doubtful photo says so."""

from collections import defaultdict

import numpy as np

from TrackDetector.galleries.doubts import BLURRED
from TrackDetector.neighbors.search import Nearest
from TrackDetector.neighbors.strangers import distances_to
from TrackDetector.validation import usual_threshold


def second_thoughts(classifier, descriptors, near, index, chosen, apart):
    """Look once more at names that were chosen.

    Parameters
    ----------
    classifier : Classifier
    descriptors : ndarray, shape (N, D)
    near : ndarray, shape (N, K)
        Distances to the nearest photos.
    index : ndarray of int, shape (N, K)
        Which they are.
    chosen : ndarray of int, shape (N,)
        Changed where nobody is near and a photo that was set aside is nearer than all others.
    apart : ndarray, shape (N,)
        Distances to the people chosen; changed with them.

    Returns
    -------
    dict of int to str
        What speaks against a name, by its row; rows against which nothing does are not in it.
    """
    doubts, codes = {}, classifier.gallery_.codes[index]
    _blurred(classifier, index, codes, chosen, doubts)
    if classifier.threshold is not None:
        _also_near(classifier, descriptors, codes, chosen, apart, doubts)
    _alike(classifier, chosen, doubts)
    if classifier.aside_ is not None:
        _asked_aside(classifier, descriptors, near, chosen, apart, doubts)
    return doubts


def _blurred(classifier, index, codes, chosen, doubts):
    """All that is near of the person is out of focus: such faces are described by that more than by whose they are, known or not."""
    blurred = classifier.gallery_.sharpness[index] < BLURRED
    own = codes == chosen[:, None]
    for row in np.flatnonzero(own.any(axis=1) & (blurred | ~own).all(axis=1)):
        photo = classifier.gallery_.photos[index[row, np.argmax(own[row])]]
        doubts[int(row)] = f"{photo} in the gallery is blurred, and anybody as blurred looks like it"


def _also_near(classifier, descriptors, codes, chosen, apart, doubts):
    """Somebody else would be accepted as well."""
    rows, place = np.nonzero((codes != chosen[:, None]) & (apart <= classifier.threshold)[:, None])
    pairs = np.unique(np.concatenate([np.stack([rows, codes[rows, place]]), _behind(classifier, descriptors, codes, chosen, apart)], axis=1), axis=1)
    away = distances_to(classifier.gallery_, descriptors[pairs[0]], pairs[1], usual=classifier.usual)
    for row, code, distance in sorted(zip(*pairs.tolist(), away.tolist()), key=lambda pair: -pair[2]):
        if distance <= classifier.threshold:
            doubts[row] = f"or {classifier.gallery_.people[code]} ({distance:.2f})"


def _behind(classifier, descriptors, codes, chosen, apart):
    """Who comes next where all that is near is of the person chosen, who has so many photos: rows and people, (2, M)."""
    own = np.bincount(classifier.gallery_.codes)
    rows = np.flatnonzero((apart <= classifier.threshold) & (codes == chosen[:, None]).all(axis=1) & (own[chosen] < len(classifier.gallery_)))
    pairs = np.zeros((2, 0), np.int64)
    for count in np.unique(own[chosen[rows]]):  # whatever comes of their own photos, three of others are among so many
        some = rows[own[chosen[rows]] == count]
        next_ones = classifier.gallery_.codes[Nearest(classifier.gallery_.descriptors).search(descriptors[some], min(len(classifier.gallery_), count + 3))[1]]
        at, place = np.nonzero(next_ones != chosen[some][:, None])
        pairs = np.concatenate([pairs, [some[at], next_ones[at, place]]], axis=1)
    return pairs


def _alike(classifier, chosen, doubts):
    """The gallery's photos of the person look like somebody else's, or like several people's."""
    others = defaultdict(set)
    for pair in classifier.alike_:
        for name, other in (pair, pair[::-1]):
            others[name].add(other)
    people = classifier.gallery_.people
    for row in np.flatnonzero(np.isin(people[chosen], list(others))) if others else ():
        names = sorted(others[str(people[chosen[row]])])
        doubts[int(row)] = f"or {' or '.join(names)}: in the gallery {'the two' if len(names) == 1 else 'they'} look like one person"


def _asked_aside(classifier, descriptors, near, chosen, apart, doubts):
    """Where nobody is near, a photo that was set aside may say whom a face looks most like."""
    gallery, aside = classifier.gallery_, classifier.aside_
    accepted = max(classifier.threshold or 0, usual_threshold(len(gallery.people)) if classifier.dlibs else 0)
    far = np.flatnonzero(apart > accepted)
    distances, found = Nearest(aside.descriptors).search(descriptors[far], 1)
    for row, distance, photo in zip(far.tolist(), distances[:, 0], found[:, 0]):
        code = gallery.code_of(aside.people[aside.codes[photo]])
        if distance < near[row, 0] and code >= 0:
            chosen[row], apart[row] = code, distances_to(gallery, descriptors[[row]], [code], usual=classifier.usual)[0]
            doubts[row] = f"only {aside.photos[photo]}, which was set aside, looks like this"
