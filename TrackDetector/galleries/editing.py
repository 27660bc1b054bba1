"""A saved gallery changed without looking at a photo: people taken out, two galleries made one, and what is doubtful in one."""

from dataclasses import dataclass, replace

import numpy as np

from TrackDetector.descriptors import FACE_MODEL, LAYER
from TrackDetector.galleries.doubts import ALIKE, Doubt, blurred, crowded, few_photos, shared, twins, unlike
from TrackDetector.galleries.names import whom
from TrackDetector.galleries.storage import load_gallery, save_gallery
from TrackDetector.gallery import Gallery, GalleryError, together
from TrackDetector.validation import usual_threshold


@dataclass
class Saved:
    """A gallery as its file holds it.

    Attributes
    ----------
    gallery : Gallery
    settings : dict
    aside : Gallery or None
        Photos that were set aside.
    """

    gallery: Gallery
    settings: dict
    aside: Gallery | None = None

    @classmethod
    def read(cls, path):
        """From a file, as `storage.load_gallery` does; nothing is mapped, so that the file may be replaced."""
        return cls(*load_gallery(path, mapped=False))

    def write(self, path):
        """Into a file, as it is."""
        save_gallery(path, self.gallery, self.settings, self.aside)

    def compared(self):
        """With the people who look alike named anew, and what is to be said of them: list of `doubts.Doubt`. All photos are compared with all."""
        doubts = self.doubts(ALIKE)
        return replace(self, settings=_with_alike(self.settings, [doubt.people for doubt in doubts])), doubts

    @property
    def people(self):
        """Who is in it, set aside or not: list of str, each once."""
        return list(dict.fromkeys([*self.gallery.people.tolist(), *([] if self.aside is None else self.aside.people.tolist())]))

    @property
    def dlibs(self):
        """Whether dlib's network described the faces."""
        return self.settings.get("model") == FACE_MODEL and self.settings.get("layer") in (None, LAYER)

    def doubts(self, kinds=None):
        """What a person should look at: list of `doubts.Doubt`; of some kinds only, if they are named."""
        ways = {"shared photo": lambda: shared(self.gallery), "twins": lambda: twins(self.gallery, self.dlibs),
                "unlike": lambda: unlike(self.gallery, self.dlibs) + self._set_aside(), "several faces": lambda: crowded(self.gallery),
                "blurred": lambda: blurred(self.gallery), "few photos": lambda: few_photos(self.gallery)}
        return [doubt for kind, find in ways.items() if kinds is None or kind in kinds for doubt in find()]

    def _set_aside(self):
        if self.aside is None:
            return []
        return [Doubt("unlike", (str(person),), (str(photo),), f"{photo}: is set aside, because it is unlike {person}'s other photos", True)
                for person, photo in zip(self.aside.labels, self.aside.photos)]


def _with_alike(settings, pairs):
    """Settings that name these pairs of people as alike."""
    return {name: value for name, value in settings.items() if name != "alike"} | ({"alike": pairs} if pairs else {})


def remove(saved, people):
    """Take people out, with their photos that were set aside; nothing of them stays.

    Parameters
    ----------
    saved : Saved
    people : sequence of str
        As `names.whom` has them.

    Returns
    -------
    Saved

    Raises
    ------
    ValueError
        If one of them is not in it, with the names that are most like theirs; or if nobody would be left.
    """
    people = whom(people, saved.people)
    left = without(saved.gallery, "labels", people)
    if left is None:
        raise ValueError("nobody would be left: delete the file instead")
    settings = _with_alike(saved.settings, [pair for pair in saved.settings.get("alike", ()) if not set(pair) & set(people)])
    settings["threshold"] = threshold_of(settings.get("threshold"), len(saved.gallery.people), len(left.people))
    if isinstance(settings.get("n_neighbors"), int):  # more photos cannot vote than are left
        settings["n_neighbors"] = min(settings["n_neighbors"], len(left))
    return Saved(left, settings, without(saved.aside, "labels", people))


def threshold_of(threshold, before, after):
    """The threshold of a gallery that had so many people `before` and has others `after`: a chosen one stays, the usual one falls as their number grows.

    The usual one of a single person would take strangers for somebody once there are hundreds.
    """
    return usual_threshold(after) if threshold == usual_threshold(before) else threshold


def without(gallery, part, names):
    """A gallery without the rows whose `part`, "labels" or "photos", is one of some names; None if nothing is left, or there was none."""
    if gallery is None:
        return None
    keep = ~np.isin(getattr(gallery, part), names)
    return gallery if keep.all() else gallery.only(keep) if keep.any() else None


def merge(several):
    """Several galleries as one; a person of one name in two of them is one person, and a photo that is in two of them comes once.

    Parameters
    ----------
    several : sequence of (str, Saved)
        With what to call them.

    Returns
    -------
    Saved
        With the settings of the first; with the usual threshold if all had theirs, without one where they differ.

    Raises
    ------
    GalleryError
        If other networks described them.
    """
    (first, one), *others = several
    gallery, settings, aside = one.gallery, dict(one.settings), one.aside
    people = len(set().union(*(part.gallery.people.tolist() for _, part in several)))
    thresholds = [threshold_of(part.settings.get("threshold"), len(part.gallery.people), people) for _, part in several]
    settings["threshold"] = thresholds[0] if all(each == thresholds[0] for each in thresholds) else None
    for name, other in others:
        for setting in ("model", "layer", "flip"):
            if other.settings.get(setting) != settings.get(setting):
                raise GalleryError(f"{name}: was described with {setting} {other.settings.get(setting)!r}, {first} with {settings.get(setting)!r}; "
                                   "build both from the photos with one network")
        if other.gallery.descriptors.shape[1] != gallery.descriptors.shape[1]:
            raise GalleryError(f"{name}: descriptors of {other.gallery.descriptors.shape[1]} numbers, {first} has {gallery.descriptors.shape[1]}")
        gallery = gallery.with_more(other.gallery)
        aside = together(aside, other.aside)
    return Saved(_once(gallery), settings, None if aside is None else _once(aside))


def _once(gallery):
    """Without photos that are in it already: of one person, with one descriptor."""
    keys = np.concatenate([gallery.codes[:, None].view(np.uint8).reshape(len(gallery), -1), np.ascontiguousarray(gallery.descriptors).view(np.uint8)], axis=1)
    first = np.unique(keys, axis=0, return_index=True)[1]
    return gallery if len(first) == len(gallery) else gallery.only(np.sort(first))
