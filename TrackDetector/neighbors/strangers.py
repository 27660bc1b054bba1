"""The people of a gallery as strangers to one another, and who of them shares a photo."""

import numpy as np

from TrackDetector.neighbors.predictions import unit
from TrackDetector.neighbors.search import Nearest, vote

_NAMES = 5  # under so many names besides its own a photo is looked for
_BLOCK = 2**22  # neighbours that are looked at at once
_AT_ONCE = 2**13  # photos that ask at once: of a million, a minute's work of two cores
_BAR = 20_000  # from so many photos on that ask, a bar shows how far it is
SPREAD = 1.15  # a bad photo may spread its person's others: so many times the usual distance it counts
MOST = 20_000  # photos that ask, of a gallery with more: they say as much as all


def nearest_of_others(descriptors, codes, k, rows=None):
    """The nearest photos of other people, for many photos.

    Parameters
    ----------
    descriptors : ndarray of float32, shape (N, D)
    codes : ndarray of int, shape (N,)
        The person of each, as a number from 0.
    k : int
        How many are wanted; where the others have fewer photos, all of them come.
    rows : ndarray of int, optional
        The photos that ask; by default all.

    Yields
    ------
    rows : ndarray of int, shape (M,)
        Photos that ask.
    distances : ndarray of float, shape (M, K)
        Euclidean, rising; K is at most k.
    found : ndarray of int, shape (M, K)
        The neighbours.
    """
    nearest, own = Nearest(descriptors), np.bincount(codes)
    rows = np.arange(len(codes)) if rows is None else np.asarray(rows)
    rows = rows[own[codes[rows]] < len(codes)]
    rows = rows[np.argsort(own[codes[rows]], kind="stable")]
    while len(rows):
        count = own[codes[rows[0]]]
        if count * 2 + k <= len(codes):  # people with nearly as many photos ask together
            count *= 2
        some = rows[own[codes[rows]] <= count][: max(1, min(_AT_ONCE, _BLOCK // (count + k)))]
        rows = rows[len(some) :]
        wanted = min(k, len(codes) - count)
        # whatever comes of one's own photos, so many of the others' are among the nearest
        distances, found = nearest.search(descriptors[some], wanted + count)
        others = codes[found] != codes[some][:, None]
        keep = np.argsort(~others, axis=1, kind="stable")[:, :wanted]
        yield some, np.take_along_axis(distances, keep, axis=1), np.take_along_axis(found, keep, axis=1)


def distances_to(gallery, descriptors, codes, nearest=3, usual=None):
    """Distances of descriptors of length 1 to people: mean over the `nearest` nearest photos of each person.

    Whose photos are of many kinds comes near to strangers, too, and who has photos of one kind hardly to anybody. With `usual`, what
    comes out is the distance as if the photos of everybody lay equally far apart, the mean of two: from the nearest photos, and from the middle of all.

    Parameters
    ----------
    gallery : Gallery
    descriptors : ndarray, shape (N, D)
    codes : ndarray of int, shape (N,)
        The person to measure to, for each descriptor.
    nearest : int
    usual : float, optional
        How far apart photos of one person usually lie; by default distances are left as they are.

    Returns
    -------
    ndarray of float, shape (N,)
    """
    probes, codes, answers = unit(np.asarray(descriptors, np.float64)), np.asarray(codes), np.empty(len(codes))
    order = np.argsort(codes, kind="stable")
    for asked in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(order) else []:
        photos = unit(gallery.descriptors[gallery.rows_of(codes[asked[0]])].astype(np.float64))
        table = np.linalg.norm(probes[asked][:, None] - photos[None], axis=2) if len(asked) * photos.size < _BLOCK else np.array(
            [np.linalg.norm(photos - probe, axis=1) for probe in probes[asked]])
        count = min(nearest, len(photos))
        near = np.sort(np.partition(table, count - 1, axis=1)[:, :count], axis=1).mean(axis=1)
        answers[asked] = near if usual is None or len(photos) < 2 else _evened(near, probes[asked], photos, usual)
    return answers


def _evened(near, probes, photos, usual):
    """Distances to one person as if the photos lay `usual` apart; `near` (N,) are those to the nearest photos."""
    middle = photos.mean(axis=0)
    share = (len(photos) - 1) / (2 * len(photos))  # photos that lie d apart lie, squared, d * d * share from their middle
    own = min(1 - middle @ middle, (SPREAD * usual) ** 2 * share)
    wanted = min(usual**2 * share, 2 * own)  # photos of one moment say no more than one photo
    away = 2 - 2 * probes @ unit(middle[None])[0]
    return (np.sqrt(np.maximum(0, near**2 - own + wanted)) + np.sqrt(np.maximum(0, away) + wanted)) / 2


def shared_photos(gallery, rows=None, most=0.05):
    """Photos that lie under two names: one of the two names is wrong.

    Parameters
    ----------
    gallery : Gallery
    rows : ndarray of int, optional
        The photos that are compared with all; by default all.
    most : float
        Distance between descriptors of length 1 up to which two photos are taken for one, saved anew perhaps.

    Returns
    -------
    list of (int, int)
        Numbers of two photos with different names, each photo with the nearest of each other name, every pair once.
    """
    if len(gallery.people) < 2:
        return []
    from tqdm.auto import tqdm

    pairs, total = set(), len(gallery) if rows is None else len(rows)
    with tqdm(total=total, desc="photos under two names", disable=total < _BAR) as bar:
        for asking, distances, found in nearest_of_others(unit(gallery.descriptors), gallery.codes, _NAMES, rows):
            for at in np.flatnonzero(distances[:, 0] <= most):
                row, near = int(asking[at]), found[at][distances[at] <= most]
                nearest = near[np.unique(gallery.codes[near], return_index=True)[1]]
                pairs |= {(min(row, other), max(row, other)) for other in nearest.tolist()}
            bar.update(len(asking))
    return sorted(pairs)


def stranger_distances(gallery, k, without=(), most=MOST, seed=0, usual=None):
    """Distances of the gallery's people when each of them is taken for a stranger: named by the photos of the others alone.

    Parameters
    ----------
    gallery : Gallery
    k : int
        Photos that vote.
    without : sequence of int
        People, as numbers, who do not ask.
    most, seed : int
        Of a gallery with more photos, `most` drawn at random ask.
    usual : float, optional
        As in `distances_to`.

    Returns
    -------
    ndarray of float
        One for each photo that asks, in the gallery's order.
    """
    rows = np.flatnonzero(~np.isin(gallery.codes, list(without)))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    answers = np.full(len(gallery), np.nan)
    for some, distances, found in nearest_of_others(gallery.descriptors, gallery.codes, k, rows):
        chosen, _ = vote(distances, gallery.codes[found])
        answers[some] = distances_to(gallery, gallery.descriptors[some], chosen, usual=usual)
    return answers[np.isfinite(answers)]
