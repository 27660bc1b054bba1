"""Which face of a gallery's photo is the person's, and which photos are better set aside."""

import warnings
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from TrackDetector.galleries.doubts import ALIKE, UNLIKE, USUAL, Doubt, apart, apart_of, is_no_name, shared, table_of, twins, unlike_doubt, usual_apart
from TrackDetector.gallery import DIGEST, Gallery
from TrackDetector.neighbors.predictions import unit
from TrackDetector.neighbors.strangers import nearest_of_others

OF_ANOTHER = 0.75  # a photo that is unlike its person's others, and nearer to somebody else's by so much, in parts, shows that person
CLEAR = 0.85  # the face taken must be so much nearer to the person's other photos than the second best, in parts


@dataclass
class Chosen:
    """A gallery, and what was found on the way.

    Attributes
    ----------
    gallery : Gallery
    aside : Gallery or None
        Photos that are unlike their person's others.
    faceless : list of str
        Photos without a face.
    lost : list of str
        People of whom no photo was left.
    doubts : list of Doubt
    looked_at : int
        Photos in all.
    """

    gallery: Gallery
    aside: Gallery | None = None
    faceless: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    doubts: list = field(default_factory=list)
    looked_at: int = 0

    @property
    def alike(self):
        """Who looks like whom: pairs of people. Of two names that share a photo, not if it was left out under one of them."""
        left = set(self.gallery.photos.tolist())
        return [doubt.people for doubt in self.doubts if doubt.kind in ALIKE and left.issuperset(doubt.photos)]


@dataclass
class _Photo:
    """A photo on its way into the gallery: the faces in question, and the number of the one taken; None where it is left out."""

    seen: object
    taken: int | None = None

    @property
    def faces(self):
        return len(self.seen.descriptors)

    @property
    def descriptor(self):
        return self.seen.descriptors[self.taken]


def choose(seen, known=None, dlibs=True, alike=()):
    """Make a gallery of photos that were looked at.

    Parameters
    ----------
    seen : iterable of looking.Seen
    known : Gallery, optional
        Who is known already; their photos stay, and help to tell who is who.
    dlibs : bool
        Whether dlib's network described the faces, so that what was measured of its distances holds.
    alike : sequence of (str, str)
        Who of them was known to look like whom.

    Returns
    -------
    Chosen

    Raises
    ------
    ValueError
        If no photo is left.
    """
    people, doubts, faceless, order = defaultdict(list), [], [], []
    for one in seen:
        order.append(_Photo(one))
        if is_no_name(one.person):
            doubts.append(Doubt("no name", (one.person,), (one.photo,), f"{one.photo}: {one.person!r} is what strangers are called; if it is a "
                                "person, give it another name: left out", True))
        elif not len(one.descriptors):
            faceless.append(one.photo)
        else:
            people[one.person].append(order[-1])
    wanted = {photo.seen.person for photo in order if not is_no_name(photo.seen.person)}
    if not people and known is None:
        raise ValueError(f"no face was found in any of the {len(order)} photos of the gallery" if faceless or not doubts else doubts[0].text)
    for person, photos in people.items():
        doubts += _take_faces(person, photos, _rows(known, person), UNLIKE * USUAL if dlibs else np.inf)
    taken = [photo for photo in order if photo.taken is not None]
    if not taken and known is None:
        raise ValueError("no photo of the gallery is left: " + "; ".join(doubt.text for doubt in doubts[:5]))
    gallery = _gallery(taken, known)
    old = 0 if known is None else len(known)
    doubts += shared(gallery, _to_compare(gallery, old, alike))
    more, out, others = _unlike(gallery, old, dlibs)
    doubts += more
    aside = gallery.only(out & ~others) if (out & ~others).any() else None
    gallery = gallery.only(~out) if out.any() else gallery
    return Chosen(gallery, aside, faceless, sorted(wanted - set(gallery.people.tolist())), doubts + twins(gallery, dlibs, _to_compare(gallery, old, alike)), len(order))


def _to_compare(gallery, old, alike):
    """Photos that may lie under two names, or whose people may have two, where the first `old` were compared with one another before: the new ones, and those of people who were `alike`."""
    codes = [gallery.code_of(name) for pair in alike for name in pair]
    return np.flatnonzero((np.arange(len(gallery)) >= old) | np.isin(gallery.codes, codes))


def _rows(known, person):
    code = -1 if known is None else known.code_of(person)
    return np.zeros((0, 1), np.float32) if code < 0 else known.descriptors[known.rows_of(code)]


def _take_faces(person, photos, known, most):
    """Take the face of each photo that is the person's: the only one, or the one nearest to the other photos, up to `most` away."""
    for photo in photos:
        if photo.faces == 1:
            photo.taken = 0
    crowds, doubts = [photo for photo in photos if photo.taken is None], []
    sure = [photo.seen.descriptors for photo in photos if photo.taken is not None] + [row[None] for row in known]
    for photo in crowds:
        others = sure or [other.seen.descriptors for other in crowds if other is not photo]
        if others:
            # to each of the other photos as near as to the nearest face in it; the nearest three photos count
            near = np.sort(np.stack([table_of(photo.seen.descriptors, other).min(axis=1) for other in others], axis=1), axis=1)[:, :3].mean(axis=1)
            best, second = np.sort(near)[:2]
            if best <= min(CLEAR * second, most):
                photo.taken = int(np.argmin(near))
                continue
        why = "and none of them is surely the person of the other photos" if others else "and no other photo says which of them it is"
        doubts.append(Doubt("several faces", (person,), (photo.seen.photo,), f"{photo.seen.photo}: shows {photo.faces} faces, {why}: left out", True))
    return doubts


def _unlike(gallery, old, dlibs):
    """Photos that are unlike their person's others: the doubts, which of them to leave out (N,), and which of those show somebody else known (N,).

    The first `old` photos stay in any case.
    """
    values, doubts = apart_of(gallery), []
    out, others = np.zeros(len(gallery), bool), np.zeros(len(gallery), bool)
    usual = usual_apart(values, dlibs)
    people = np.unique(gallery.codes[values > UNLIKE * usual]) if usual is not None else ()
    units = unit(gallery.descriptors) if len(people) else None
    for person in people:
        rows = gallery.rows_of(person)
        while len(rows) > 1:
            own = apart(gallery.descriptors[rows])
            worst = int(np.argmax(np.where(rows >= old, own, 0)))
            if own[worst] <= UNLIKE * usual or rows[worst] < old:
                break
            look_like = {row: _looks_like(gallery, units, row) for row in (rows if len(rows) == 2 else rows[[worst]])}
            if len(rows) == 2:  # which of the two? the one that shows somebody else, if one does
                worst = int(np.argmin([look_like[row][0] for row in rows]))
            away, name = look_like[rows[worst]]
            somebody = away <= OF_ANOTHER * own[worst]
            if len(rows) == 2 and (not somebody or rows[worst] < old):
                doubts.append(unlike_doubt(gallery, rows[0], own[0], usual))
                break
            doubts.append(unlike_doubt(gallery, rows[worst], own[worst], usual, name if somebody else None, True))
            out[rows[worst]], others[rows[worst]] = True, somebody
            rows = np.delete(rows, worst)
    return doubts, out, others


def _looks_like(gallery, units, row):
    """How far the nearest three photos of other people are from a photo, and whose the nearest is."""
    for _, distances, found in nearest_of_others(units, gallery.codes, 3, [row]):
        return float(distances.mean()), str(gallery.people[gallery.codes[found[0, 0]]])
    return np.inf, ""


def _gallery(taken, known):
    if not taken:
        return known
    new = Gallery(np.array([photo.descriptor for photo in taken]), [photo.seen.person for photo in taken], [photo.seen.photo for photo in taken],
                  faces=[min(photo.faces, 65535) for photo in taken], sharpness=[photo.seen.sharpness[photo.taken] for photo in taken],
                  digests=np.array([np.frombuffer((photo.seen.digest or bytes(DIGEST)), np.uint8) for photo in taken]))
    return new if known is None else known.with_more(new)


def say(chosen, stacklevel=2):
    """Warn of what was found: once of photos without a face, once of each kind of doubt, and once of people of whom nothing is left."""
    if chosen.faceless:
        warnings.warn(f"no face found in {len(chosen.faceless)} of {chosen.looked_at} photos of the gallery: {', '.join(chosen.faceless[:5])}",
                      stacklevel=stacklevel + 1)
    kinds = defaultdict(list)
    for doubt in chosen.doubts:
        kinds[doubt.kind].append(doubt.text)
    for texts in kinds.values():
        more = f"; and {len(texts) - 5} more, see doubts_" if len(texts) > 5 else ""
        warnings.warn("; ".join(texts[:5]) + more, stacklevel=stacklevel + 1)
    if chosen.lost:
        warnings.warn(f"not in the gallery at all: {', '.join(chosen.lost)}", stacklevel=stacklevel + 1)
