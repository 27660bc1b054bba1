"""What is doubtful in a gallery: two names for one person, one photo under two names, blurred photos, people with few photos."""

import unicodedata
from dataclasses import dataclass

import numpy as np

from TrackDetector.neighbors.predictions import UNKNOWN, unit
from TrackDetector.neighbors.search import Nearest
from TrackDetector.neighbors.strangers import SPREAD, shared_photos

# What is normal for dlib's network: mean distance of a photo to its person's other photos, descriptors of length 1. Measured on the 632
# training photos of 79 people: half of them up to 0.29, all but three up to 0.42; these three show somebody else, or nearly nobody.
USUAL = 0.29
UNLIKE = 1.5  # times the usual distance: such a photo shows somebody else, or nobody
# Times the distance between photos of one person: nearer, and two names may be one person. Of the 79 people, each parted in two, 96 of 100 are
# caught by one photo a name, all by four; no two people are taken for one.
TWINS = 1.2
BLURRED = 0.012  # sharpness: of the 867 press photos of both training sets 1 in 100 has less
ALIKE = ("twins", "shared photo")  # doubts about two people
FEW = 3  # photos: with fewer, one bad photo cannot be told from the others


@dataclass(frozen=True)
class Doubt:
    """Something about a gallery that a person should look at.

    Attributes
    ----------
    kind : str
        "several faces", "unlike", "no name", "shared photo", "twins", "blurred", "few photos".
    people : tuple of str
    photos : tuple of str
    text : str
        One sentence.
    left_out : bool
        Whether the photo is not in the gallery for that.
    """

    kind: str
    people: tuple
    photos: tuple
    text: str
    left_out: bool = False


def is_no_name(name):
    """Whether a name is that of strangers: "unknown" in any spelling, with a number or without.

    Examples
    --------
    >>> [is_no_name(name) for name in ("Unknown", " un-known_2", "00 UNKNOWN PERSON", "Anne Unknowne", "李明")]
    [True, True, True, False, False]
    """
    letters = "".join(c for c in unicodedata.normalize("NFKC", str(name)).casefold() if c.isalnum())
    while letters and (letters[0].isnumeric() or letters[-1].isnumeric()):  # of any script
        letters = letters[letters[0].isnumeric() : len(letters) - letters[-1].isnumeric()]
    return letters in {UNKNOWN, f"{UNKNOWN}person", f"{UNKNOWN}people", f"{UNKNOWN}face", f"{UNKNOWN}faces", f"{UNKNOWN}s"}


def apart(descriptors, most=500):
    """Mean distance of each of N descriptors to the others, or to `most` of them, unit length; NaN for one alone: (N,)."""
    if len(descriptors) < 2:
        return np.full(len(descriptors), np.nan)
    some = np.unique(np.linspace(0, len(descriptors) - 1, most).astype(int))
    itself = np.isin(np.arange(len(descriptors)), some)
    return table_of(descriptors, descriptors[some]).sum(axis=1) / (len(some) - itself)


def table_of(a, b):
    """Distances of descriptors of length 1, every one of N to every one of M: (N, M)."""
    a, b = unit(np.asarray(a, np.float64)), unit(np.asarray(b, np.float64))
    return np.sqrt(np.maximum(0, (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T))


def usual_apart(values, dlibs):
    """How far a photo usually is from its person's others: what `apart` says of a gallery's photos, or what is known of dlib's network.

    Returns
    -------
    float or None
        None where too few photos have companions, and another network describes them.
    """
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    measured = float(np.median(values)) if len(values) >= 10 else None
    return max(USUAL, measured or 0) if dlibs else measured


def shared(gallery, rows=None):
    """One photo under two names, as `neighbors.strangers.shared_photos` finds it: list of Doubt."""
    doubts = []
    for i, j in shared_photos(gallery, rows):
        (one, other), (first, second) = (gallery.people[gallery.codes[[i, j]]].tolist(), gallery.photos[[i, j]].tolist())
        doubts.append(Doubt("shared photo", (one, other), (first, second),
                            f"{first} ({one}) and {second} ({other}) are one photo under two names: take it away from one of them"))
    return doubts


def twins(gallery, dlibs, photos=None):
    """Two names whose photos lie as near to each other as photos of one person do, one of them with some of the `photos`, numbers (by default any): list of Doubt, the nearest first."""
    if len(gallery.people) < 2:
        return []
    rows = [gallery.rows_of(person) for person in range(len(gallery.people))]
    # a person of many photos is known by fifty of them
    rows = [own[np.linspace(0, len(own) - 1, min(len(own), 50)).astype(int)] for own in rows]
    within = np.array([apart(gallery.descriptors[own]).mean() for own in rows])
    usual = usual_apart(np.concatenate([np.full(len(own), w) for own, w in zip(rows, within)]), dlibs)
    middles = np.array([unit(gallery.descriptors[own]).mean(axis=0) for own in rows], np.float32)
    asking = np.arange(len(rows)) if photos is None else np.unique(gallery.codes[photos])
    found = Nearest(middles).search(middles[asking], min(len(middles), 6))[1]
    pairs = {(min(i, j), max(i, j)) for i, near in zip(asking.tolist(), found.tolist()) for j in near if i != j}
    doubts = []
    for i, j in pairs:
        own = [w for w in (within[i], within[j], usual) if w is not None and np.isfinite(w)]
        own = [min(w, SPREAD * (usual or np.inf)) for w in own]
        between = float(table_of(gallery.descriptors[rows[i]], gallery.descriptors[rows[j]]).mean())
        if own and between <= TWINS * max(own):
            one, other = str(gallery.people[i]), str(gallery.people[j])
            doubts.append((between, Doubt("twins", (one, other), (), f"{one} and {other} look like one person: their photos lie {between:.2f} apart, "
                                          f"photos of one person up to {max(own):.2f}. If they are one, give them one name; if not, do not trust either name")))
    return [doubt for _, doubt in sorted(doubts, key=lambda pair: pair[0])]


def few_photos(gallery):
    """People with so few photos that a bad one among them cannot be told: list of Doubt."""
    counts = np.bincount(gallery.codes, minlength=len(gallery.people))
    return [Doubt("few photos", (str(gallery.people[p]),), (), f"{gallery.people[p]} has {counts[p]} photo{'s' if counts[p] > 1 else ''}: {FEW} or more are surer")
            for p in np.flatnonzero(counts < FEW)]


def blurred(gallery):
    """Photos whose face is not sharp, or was enlarged: list of Doubt, the worst first."""
    rows = np.flatnonzero(gallery.sharpness < BLURRED)
    return [Doubt("blurred", (str(gallery.people[gallery.codes[row]]),), (str(gallery.photos[row]),),
                  f"{gallery.photos[row]}: the face is blurred or small (sharpness {gallery.sharpness[row]:.3f}; 99 of 100 press photos have {BLURRED:g} or more)")
            for row in rows[np.argsort(gallery.sharpness[rows])]]


def crowded(gallery):
    """Photos that show several people: list of Doubt."""
    return [Doubt("several faces", (str(gallery.people[gallery.codes[row]]),), (str(gallery.photos[row]),),
                  f"{gallery.photos[row]}: shows {gallery.faces[row]} faces; the one most like {gallery.people[gallery.codes[row]]}'s other photos was taken")
            for row in np.flatnonzero(gallery.faces > 1)]


def unlike(gallery, dlibs):
    """Photos that are unlike all others of their person: list of Doubt."""
    values = apart_of(gallery)
    usual = usual_apart(values, dlibs)
    return [] if usual is None else [unlike_doubt(gallery, row, values[row], usual) for row in np.flatnonzero(values > UNLIKE * usual)]


def apart_of(gallery):
    """How far each photo is from its person's others: mean distance, NaN for the only one; (N,)."""
    values = np.empty(len(gallery))
    for person in range(len(gallery.people)):
        rows = gallery.rows_of(person)
        values[rows] = apart(gallery.descriptors[rows])
    return values


def unlike_doubt(gallery, row, distance, usual, name=None, left_out=False):
    """What to say of a photo that is unlike its person's others; `name` is whom it looks like instead, if anybody."""
    person, photo, pair = str(gallery.people[gallery.codes[row]]), str(gallery.photos[row]), gallery.rows_of(gallery.codes[row])
    if len(pair) == 2 and not left_out:
        other = str(gallery.photos[pair[pair != row][0]])
        return Doubt("unlike", (person,), (photo, other), f"{photo} and {other}, the two photos of {person}, are unlike (distance {distance:.2f}, usual is "
                     f"{usual:.2f}): one of them may show somebody else, or hardly a face; a third photo would tell")
    end = f"it looks like {name}" if name else "it shows somebody else, or hardly a face"
    return Doubt("unlike", (person, *([name] if name else [])), (photo,), f"{photo}: is unlike {person}'s other photos (distance {distance:.2f}, usual is "
                 f"{usual:.2f}); {end}{'' if not left_out else ': left out' if name else ': set aside'}", left_out)
