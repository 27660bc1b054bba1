"""Unknown faces in groups: the same stranger in many photos gets one number."""

import numpy as np

from TrackDetector.neighbors.predictions import unit

# Mean distance of two groups, descriptors of length 1, up to which they are one person. Chosen on 420 photos of 140 people (320 of 40 people in
# no gallery, 100 of one each) by the pairwise F; HDBSCAN and connected components reached less there.
SAME = 0.36
_MOST = 5_000  # faces whose distances to one another are all looked at; more of them are parted first
_TIGHTER = 0.02


def group_faces(descriptors, same=SAME):
    """Put faces of people whom nobody knows into groups, one for each person.

    Groups grow as long as two of them lie `same` apart or less, in the mean over all pairs of their faces (average linkage). Faces that no chain
    of near faces connects are never compared.

    Parameters
    ----------
    descriptors : array_like, shape (N, D)
        Of dlib's network; of a track, their mean.
    same : float
        Distance of descriptors of length 1.

    Returns
    -------
    ndarray of int, shape (N,)
        The group of each, numbered from 1 in the order in which they appear.

    References
    ----------
    R. Sokal and C. Michener, "A statistical method for evaluating systematic relationships", Univ. Kansas Science Bulletin 38, 1958.

    Examples
    --------
    >>> group_faces([[1, 0], [0, 1], [0.99, 0.1]]).tolist()
    [1, 2, 1]
    """
    descriptors = np.asarray(descriptors, np.float32)
    if not len(descriptors):
        return np.zeros(0, int)
    units, groups, waiting = unit(descriptors), [], [(np.arange(len(descriptors)), same)]
    while waiting:
        rows, reach = waiting.pop()
        for part in _connected(units[rows], reach):
            if len(part) > _MOST and reach > _TIGHTER:
                waiting.append((rows[part], reach - _TIGHTER))
            else:
                groups += [rows[part][group] for group in _linked(units[rows[part]], same)]
    answer = np.zeros(len(descriptors), int)
    for number, group in enumerate(sorted(groups, key=lambda group: group.min()), 1):
        answer[group] = number
    return answer


def _connected(units, reach):
    """Row numbers of faces that a chain of faces at most `reach` apart connects, part by part."""
    import faiss
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    index = faiss.IndexFlatL2(units.shape[1])
    index.add(units)
    first, _, found = index.range_search(units, float(reach) ** 2 + 1e-6)
    graph = csr_array((np.ones(len(found), bool), found, first), shape=(len(units),) * 2)
    count, part = connected_components(graph, directed=False)
    return np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part, minlength=count))[:-1])


def _linked(units, same):
    """Groups of row numbers by average linkage."""
    from sklearn.cluster import AgglomerativeClustering

    if len(units) == 1:
        return [np.zeros(1, int)]
    group = AgglomerativeClustering(None, distance_threshold=same, linkage="average").fit_predict(units)
    return [np.flatnonzero(group == number) for number in range(group.max() + 1)]
