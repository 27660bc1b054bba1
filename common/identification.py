"""How good is a recogniser: accuracy, accepting the right and refusing strangers, confusion.

A recogniser answers with a label and a distance (smaller is surer), and says *unknown* above a threshold.
*Correct accept*: the share of known people who get their own name. *False accept*: the share of
strangers who get any name.
"""

import re
from unicodedata import normalize

import numpy as np

# Invisible characters that come along when a name is copied from a page, a table or Windows' dialogs (soft hyphens, marks of direction, zero widths),
# and spaces that look like the usual one. Joiners, which some scripts need between letters, stay, and so does the wide space of East Asian scripts.
_UNSEEN, _SPACES = "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]", "[\u00a0\u2000-\u200a\u202f\u205f]"


def as_name(answer):
    """A name as text, in one spelling; one that a classifier's `predict` gave in an array of one is taken out of it.

    Bytes, as HDF5 and MATLAB files hold them, spaces at the ends, an accent that is a sign of its own, and what nobody sees make nobody another person.

    Examples
    --------
    >>> as_name(np.array(["Ann"])), as_name(7), as_name(b"Ann "), len(as_name("Jose" + chr(0x301)))
    ('Ann', '7', 'Ann', 4)
    """
    name = np.asarray(answer).item() if isinstance(answer, (np.ndarray, list, tuple)) and np.size(answer) == 1 else answer
    text = normalize("NFC", name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name))
    return re.sub(_SPACES, " ", re.sub(_UNSEEN, "", text)).strip()


def _pairs(predicted, truth):
    if isinstance(predicted, dict) != isinstance(truth, dict):
        raise ValueError("expected two dictionaries or two sequences, got one of each")
    if isinstance(predicted, dict):
        missing = [name for name in truth if name not in predicted]
        if missing:
            raise ValueError(f"{len(missing)} of {len(truth)} have a label but no answer, for example {missing[0]!r}")
        extra = [name for name in predicted if name not in truth]
        if extra:
            raise ValueError(f"{len(extra)} have an answer but no label, for example {extra[0]!r}")
        predicted, truth = [predicted[name] for name in truth], list(truth.values())
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} answers, but {len(truth)} labels")
    if not len(truth):
        raise ValueError("there is nothing to score: no labels")
    return [as_name(p) for p in predicted], [as_name(t) for t in truth]


def accuracy(predicted, truth):
    """Share of right answers.

    Parameters
    ----------
    predicted, truth : dict or sequence
        Answers and labels: both dictionaries with the same keys, or both in the same order.

    Raises
    ------
    ValueError
        If a label has no answer, an answer no label, or there are none.

    Examples
    --------
    >>> accuracy({"1.jpg": "Ann", "2.jpg": "Bob"}, {"2.jpg": "Bob", "1.jpg": "Bob"})
    0.5
    """
    predicted, truth = _pairs(predicted, truth)
    return float(np.mean([p == t for p, t in zip(predicted, truth)]))


def check_test(output, gt):
    """Print and return the share of right answers; the course's name for `accuracy`.

    Parameters
    ----------
    output, gt : dict of str
        Answers and labels by file name or video id. Tables that were read with their first line have a label
        ``class_id`` for ``filename``; as in the published course, it does not count.

    Returns
    -------
    float
    """
    if isinstance(gt, dict) and gt.get("filename") == "class_id" and "filename" not in output:
        gt = {name: label for name, label in gt.items() if name != "filename"}
    share = accuracy(output, gt)
    print(f"Classification accuracy is {share:.4f} ({len(gt) - len(mistakes(output, gt))} of {len(gt)})")
    return share


def mistakes(predicted, truth):
    """Names of the wrong answers: list of (name or index, answer, label)."""
    names = list(truth) if isinstance(truth, dict) else range(len(truth))
    return [(name, p, t) for name, p, t in zip(names, *_pairs(predicted, truth)) if p != t]


def confusion_matrix(predicted, truth):
    """Who is taken for whom.

    Returns
    -------
    labels : list of str
        All labels that occur, sorted.
    counts : ndarray of int, shape (len(labels), len(labels))
        Rows are the truth, columns the answers.
    """
    predicted, truth = _pairs(predicted, truth)
    labels = sorted(set(predicted) | set(truth))
    place = {label: i for i, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, ([place[t] for t in truth], [place[p] for p in predicted]), 1)
    return labels, counts


def _distances(values, what):
    values = np.asarray(values, float).ravel()
    if not len(values):
        raise ValueError(f"expected the distances of {what}, got none")
    if np.isnan(values).any():
        raise ValueError(f"a distance of {what} is NaN")
    return values


def _accepts(known, correct, strangers):
    """What `accept_curve` takes, as arrays."""
    known, strangers, correct = _distances(known, "known people"), _distances(strangers, "strangers"), np.asarray(correct, bool).ravel()
    if len(correct) != len(known):
        raise ValueError(f"{len(known)} distances of known people, but {len(correct)} times right or wrong")
    return known, correct, strangers


def accept_curve(known, correct, strangers):
    """Correct and false accepts at every threshold.

    Parameters
    ----------
    known : array_like, shape (N,)
        Distances of photos of known people.
    correct : array_like of bool, shape (N,)
        Whether the label of each was right; a wrong label is no correct accept at any threshold.
    strangers : array_like, shape (M,)
        Distances of photos of strangers.

    Returns
    -------
    false_accept, correct_accept, thresholds : ndarray of float, shape (K,)
        Accepted is who has a distance <= threshold. Thresholds rise from -inf, where nobody is.

    Examples
    --------
    >>> far, car, thresholds = accept_curve([0.2, 0.4], [True, True], [0.3, 0.9])
    >>> far.tolist(), car.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    known, correct, strangers = _accepts(known, correct, strangers)
    thresholds = np.concatenate([[-np.inf], np.unique(np.concatenate([known, strangers]))])
    right = np.searchsorted(np.sort(known[correct]), thresholds, side="right") / len(known)
    wrong = np.searchsorted(np.sort(strangers), thresholds, side="right") / len(strangers)
    return wrong, right, thresholds


def threshold_at_false_accept(strangers, rate=0.01):
    """The greatest threshold that accepts at most `rate` of the strangers.

    It lies half-way between the last stranger accepted and the first refused, so that the next
    stranger, a hair closer than one seen here, does not decide.

    Parameters
    ----------
    strangers : array_like, shape (M,)
        Distances of strangers, none of whom is used to report the result.
    rate : float
        False accepts allowed, 0 to 1 (exclusive). Below 1 / M, not one stranger is accepted.

    Returns
    -------
    float

    Examples
    --------
    >>> threshold_at_false_accept([0.3, 0.5, 0.6, 0.8], rate=0.25)
    0.4
    """
    strangers = np.sort(_distances(strangers, "strangers"))
    if not 0 <= rate < 1:
        raise ValueError(f"expected a false-accept rate from 0 to 1, for example 0.01; got {rate}")
    allowed = int(np.floor(rate * len(strangers) + 1e-9))
    refused = strangers[allowed]
    if allowed == 0:
        return float(np.nextafter(refused, -np.inf))
    accepted = strangers[allowed - 1]
    return float(min((accepted + refused) / 2, np.nextafter(refused, -np.inf)))  # half-way to infinity, which a clip without frames has, lies at infinity


def accept_rates(known, correct, strangers, threshold):
    """Correct accepts and false accepts at one threshold: two floats between 0 and 1; see `accept_curve`."""
    known, correct, strangers = _accepts(known, correct, strangers)
    accepted = (known <= threshold) & correct
    return float(accepted.mean()), float((strangers <= threshold).mean())


def wilson_interval(hits, trials, z=1.96):
    """95 % interval of a rate that was counted: 1 of 100 may well be 5 of 100.

    Parameters
    ----------
    hits, trials : int
    z : float
        Width in standard deviations; 1.96 for 95 %.

    Returns
    -------
    low, high : float

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Examples
    --------
    >>> [round(v, 3) for v in wilson_interval(1, 100)]
    [0.002, 0.054]
    """
    if trials < 1 or not 0 <= hits <= trials:
        raise ValueError(f"expected 0 <= hits <= trials and at least one trial, got {hits} of {trials}")
    rate, weight = hits / trials, z * z / trials
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * np.sqrt(rate * (1 - rate) / trials + weight / (4 * trials))
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))


def pairwise_f(groups, truth):
    """How well faces were put into groups: F of the pairs that lie together.

    Parameters
    ----------
    groups, truth : sequence, length N
        The group of each face, and who it is.

    Returns
    -------
    f, precision, recall : float
        Precision: the share of pairs in one group that are one person; recall: the share of pairs of one person that are in one group.
        1 where there is no such pair.

    References
    ----------
    C. Manning, P. Raghavan and H. Schuetze, "Introduction to Information Retrieval", 2008, section 16.3.

    Examples
    --------
    >>> pairwise_f([1, 1, 2, 2], ["Ann", "Ann", "Ann", "Bob"])
    (0.4, 0.5, 0.3333333333333333)
    """
    groups, truth = (np.unique(np.asarray([as_name(v) for v in values]), return_inverse=True)[1].ravel() for values in (groups, truth))
    if len(groups) != len(truth):
        raise ValueError(f"{len(groups)} groups, but {len(truth)} labels")

    def pairs(counts):
        return int((counts * (counts - 1) // 2).sum())

    both = np.unique(np.stack([groups, truth]), axis=1, return_counts=True)[1]
    right, made, true = pairs(both), pairs(np.bincount(groups)), pairs(np.bincount(truth))
    precision, recall = right / made if made else 1.0, right / true if true else 1.0
    return (2 * precision * recall / (precision + recall) if precision + recall else 0.0), precision, recall


def rates_by_group(groups, hits):
    """How often something happened in each group, and how sure that is.

    Parameters
    ----------
    groups : dict of str to str
        Photo to group.
    hits : dict of str to bool
        Photo to whether it happened. Photos without a group do not count, nor groups without a photo.

    Returns
    -------
    list of (str, int, int, float, float)
        Group, hits, photos, and the 95 % interval (`wilson_interval`), in the order in which `groups` names them.

    Examples
    --------
    >>> [(group, n, of) for group, n, of, _, _ in rates_by_group({"a": "dark", "b": "dark", "c": "bright"}, {"a": True, "b": False, "c": True})]
    [('dark', 1, 2), ('bright', 1, 1)]
    """
    counts = {}
    for photo, group in groups.items():
        if photo in hits:
            counts.setdefault(group, []).append(bool(hits[photo]))
    return [(group, sum(each), len(each), *wilson_interval(sum(each), len(each))) for group, each in counts.items()]
