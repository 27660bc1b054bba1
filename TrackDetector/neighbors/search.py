"""The nearest of many descriptors, exactly: FAISS looks for them, and no table of all against all is ever made."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

_SPARE = 8  # more than asked for are fetched, and measured anew with twice the digits: near ties come out in the right order
_BLOCK = 2**20  # candidates that are measured anew at once
_MANY = 200_000  # rows from which on a single probe is worth several threads: reading them takes longer than starting one


_THREADS = max(2, min(8, os.cpu_count() or 2))


@lru_cache(maxsize=1)
def _threads():
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="search")


class Nearest:
    """Answers which rows lie nearest to a probe (Euclidean distance). The rows are not copied, and may lie in a file that is mapped.

    Parameters
    ----------
    rows : ndarray of float32, shape (N, D)

    References
    ----------
    M. Douze et al., "The Faiss library", arXiv:2401.08281, 2024: exhaustive search.

    Examples
    --------
    >>> distances, rows = Nearest(np.array([[0, 0], [3, 4], [1, 0]], np.float32)).search(np.zeros((1, 2)), 2)
    >>> distances.tolist(), rows.tolist()
    ([[0.0, 1.0]], [[0, 2]])
    """

    def __init__(self, rows):
        if np.ndim(rows) != 2 or not len(rows):
            raise ValueError(f"expected descriptors (N, D), N >= 1; got shape {np.shape(rows)}")
        self.rows = rows if rows.dtype == np.float32 and rows.flags.c_contiguous else np.ascontiguousarray(rows, np.float32)

    def search(self, probes, k):
        """Distances (M, k) and row numbers (M, k) of the k nearest to each of M probes (M, D), nearest first.

        Where two lie equally near, the one with the smaller number comes first.

        Raises
        ------
        ValueError
            If the probes have another width or are not finite, or there are fewer than `k` rows.
        """
        probes, k = np.ascontiguousarray(probes, np.float32), int(k)
        if probes.ndim != 2 or probes.shape[1] != self.rows.shape[1]:
            raise ValueError(f"expected descriptors of {self.rows.shape[1]} numbers, got shape {probes.shape}")
        if not np.isfinite(probes).all():
            raise ValueError("a descriptor is not finite: did the network learn with too large a step?")
        if not 1 <= k <= len(self.rows):
            raise ValueError(f"expected k from 1 to {len(self.rows)}, as many as there are descriptors; got {k}")
        step = max(1, _BLOCK // (k + _SPARE))
        parts = [self._search(probes[i : i + step], k) for i in range(0, len(probes), step)]
        if not parts:
            return np.zeros((0, k)), np.zeros((0, k), np.int64)
        return tuple(np.concatenate(part) for part in zip(*parts))

    def _search(self, probes, k):
        found = self._candidates(probes, min(len(self.rows), k + _SPARE))
        distances = np.empty(found.shape)
        for i, probe in enumerate(probes):
            distances[i] = np.linalg.norm(self.rows[found[i]].astype(np.float64) - probe, axis=1)
        order = np.lexsort((found, distances), axis=1)[:, :k]
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(found, order, axis=1)

    def _candidates(self, probes, k):
        import faiss

        if len(self.rows) < _MANY or len(probes) > 1:
            return faiss.knn(probes, self.rows, k)[1]
        # FAISS gives each probe one thread; here one probe is shared by several
        bounds = np.linspace(0, len(self.rows), _THREADS + 1).astype(int)
        jobs = [_threads().submit(faiss.knn, probes, self.rows[start:end], min(k, int(end - start))) for start, end in zip(bounds, bounds[1:])]
        parts = [job.result() for job in jobs]
        distances = np.hstack([near for near, _ in parts])
        found = np.hstack([rows + start for (_, rows), start in zip(parts, bounds)])
        return np.take_along_axis(found, np.argsort(distances, axis=1)[:, :k], axis=1)


def vote(distances, codes):
    """Whom the neighbours vote for, the nearer the weightier (1 / distance); those at distance 0 decide among themselves.

    Parameters
    ----------
    distances : ndarray, shape (M, K)
    codes : ndarray of int, shape (M, K)
        The person of each neighbour, as a number.

    Returns
    -------
    chosen : ndarray of int, shape (M,)
        Of equal votes the smaller number.
    weights : ndarray of float, shape (M, K)
        Of each neighbour; they sum to 1.

    References
    ----------
    S. Dudani, "The distance-weighted k-nearest-neighbor rule", IEEE Trans. Systems, Man and Cybernetics 6, 1976.

    Examples
    --------
    >>> vote(np.array([[1.0, 1.5, 2.0]]), np.array([[7, 4, 4]]))[0].tolist()
    [4]
    """
    same = distances == 0
    weights = np.where(same.any(axis=1, keepdims=True), same, 1 / np.where(same, 1, distances))
    weights /= weights.sum(axis=1, keepdims=True)
    sums = np.stack([(weights * (codes == codes[:, [j]])).sum(axis=1) for j in range(codes.shape[1])], axis=1)
    best = sums >= sums.max(axis=1, keepdims=True) - 1e-12
    return np.where(best, codes, np.iinfo(codes.dtype).max).min(axis=1), weights
