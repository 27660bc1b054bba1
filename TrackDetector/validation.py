"""Choosing k, the layer and the threshold without the test photos: part of the training photos asks, the rest answers."""

import numpy as np


def usual_threshold(people):
    """Distance above which a face is a stranger, where there are too few strangers to measure it: of dlib's network.

    The more people are known, the more chances a stranger has to look like one of them, so it falls with their number.
    Galleries of 1 to 30 people were drawn at random from press photos and from the ORL faces: they took about one
    stranger in a hundred for somebody, or fewer, and accepted 0.87 to 0.96 of their own people who had one photo each,
    0.93 to 0.98 of those with three, 0.98 and more of those with seven. The threshold of a large gallery, 0.35, turned
    away twice as many of the people of a small one. Of 220 people with one photo each it took 1.7 in a hundred.

    Parameters
    ----------
    people : int
        In the gallery.

    Returns
    -------
    float

    Examples
    --------
    >>> [round(usual_threshold(people), 3) for people in (1, 5, 79)]
    [0.39, 0.371, 0.338]
    """
    return float(0.39 - 0.012 * np.log(max(1, people)))


def _vote(distances, labels, k):
    """Names that the k nearest give, weighted by 1 / distance, as `Classifier` does: (N,)."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    weights = 1 / np.maximum(np.take_along_axis(distances, order, axis=1), 1e-12)
    names = labels[order]
    sums = [(weights * (names == names[:, [j]])).sum(axis=1) for j in range(k)]
    return names[np.arange(len(names)), np.argmax(sums, axis=0)]


def cross_validate(descriptors, labels, ks=(1, 3, 5, 7), repeats=40, seed=0):
    """Share of right answers for each k, on random halves of the photos of every person.

    Half of each person's photos (at least one) are the gallery and the others ask. People with one
    photo are in the gallery only.

    Parameters
    ----------
    descriptors : ndarray, shape (N, ...)
        Answers of a layer, of any shape; they are flattened.
    labels : sequence of str, length N
    ks : sequence of int
    repeats : int
    seed : int

    Returns
    -------
    ndarray of float, shape (len(ks),)

    Raises
    ------
    ValueError
        If nobody has two photos, or a k is larger than a half of the photos.
    """
    from sklearn.metrics import pairwise_distances

    labels = np.asarray(labels)
    descriptors = np.asarray(descriptors, np.float32).reshape(len(labels), -1)
    people = [np.flatnonzero(labels == person) for person in np.unique(labels)]
    gallery_size = sum(-(-len(p) // 2) for p in people)
    if max(map(len, people)) < 2:
        raise ValueError("cross-validation needs somebody with two photos or more")
    if min(ks) < 1 or max(ks) > gallery_size:
        raise ValueError(f"expected k from 1 to {gallery_size}, the photos in half of the data; got {list(ks)}")
    table = pairwise_distances(descriptors)
    rng, right, asked = np.random.default_rng(seed), np.zeros(len(ks)), 0
    for _ in range(repeats):
        gallery = np.concatenate([rng.permutation(p)[: -(-len(p) // 2)] for p in people])
        probes = np.setdiff1d(np.arange(len(labels)), gallery)
        part = table[np.ix_(probes, gallery)]
        right += [np.sum(_vote(part, labels[gallery], k) == labels[probes]) for k in ks]
        asked += len(probes)
    return right / asked


def pair_distances(descriptors, labels, most=20_000, seed=0):
    """Distances between photos of the same person and of different people.

    Parameters
    ----------
    descriptors : ndarray, shape (N, D)
    labels : sequence of str
    most : int
        Pairs of different people to take, at random.

    Returns
    -------
    same, different : ndarray of float
    """
    from sklearn.metrics import pairwise_distances

    labels, (i, j) = np.asarray(labels), np.triu_indices(len(labels), 1)
    table = pairwise_distances(descriptors)[i, j]
    alike = labels[i] == labels[j]
    different = table[~alike]
    if len(different) > most:
        different = np.random.default_rng(seed).choice(different, most, replace=False)
    return table[alike], different
