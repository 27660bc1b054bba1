"""The gallery: descriptors of known people with their names."""

from functools import cached_property

import numpy as np

DIGEST = 16  # bytes


class GalleryError(ValueError):
    """The file is no gallery, or is damaged."""


class Gallery:
    """Who is known: one descriptor a photo.

    Parameters
    ----------
    descriptors : array_like, shape (N, D)
    labels : sequence of str, length N
        Name of the person; or, where `people` is given, the number of each in it.
    photos : sequence of str, length N
        Name of the photo, such as ``Ann/1.jpg``.
    people : ndarray of str, optional
        Every name once, sorted.
    faces : array_like of int, shape (N,), optional
        How many faces the photo shows; 0 where nobody counted.
    sharpness : array_like of float, shape (N,), optional
        Of the face, as `galleries.looking.sharpness` measures it; NaN where nobody did.
    digests : array_like of uint8, shape (N, 16), optional
        What the photo's file held, so that it is not looked at again; zeros where it was no file.

    Attributes
    ----------
    codes : ndarray of int, shape (N,)
        The number of each photo's person in `people`.
    labels : ndarray of str, shape (N,)
    extent : float
        The greatest absolute number in the descriptors.

    Raises
    ------
    GalleryError
        If there is no photo, or the lengths differ, or a descriptor is not finite.
    """

    def __init__(self, descriptors, labels, photos, people=None, faces=None, sharpness=None, digests=None):
        shape, count = np.shape(descriptors), len(photos)
        if len(shape) != 2 or shape[0] != len(labels) or shape[0] != count:
            raise GalleryError(f"expected a descriptor (N, D), a label and a photo name each; got descriptors {shape}, "
                               f"{len(labels)} labels, {count} photo names")
        if 0 in shape:
            raise GalleryError("the gallery is empty: not one face with a label")
        # of 128 million numbers no table of true and false is made; the least and the greatest of them tell the same
        self.extent = float(max(np.max(descriptors), -np.min(descriptors)))
        if not np.isfinite(self.extent):
            raise GalleryError("a descriptor of the gallery is not finite")
        self.descriptors = descriptors if isinstance(descriptors, np.memmap) else np.ascontiguousarray(descriptors, np.float32)
        self.photos = photos if isinstance(photos, np.ndarray) else np.array(photos, str)
        if people is None:
            self.people, codes = np.unique(np.asarray(labels, str), return_inverse=True)
            labels = codes.ravel()
        else:
            self.people = people
        self.codes = np.asarray(labels, np.int32)
        self.faces = np.zeros(count, np.uint16) if faces is None else np.asarray(faces, np.uint16)
        self.sharpness = np.full(count, np.nan, np.float32) if sharpness is None else np.asarray(sharpness, np.float32)
        self.digests = np.zeros((count, DIGEST), np.uint8) if digests is None else np.asarray(digests, np.uint8)
        if self.faces.shape != (count,) or self.sharpness.shape != (count,) or self.digests.shape != (count, DIGEST):
            raise GalleryError(f"expected counts, sharpness and digests for {count} photos; got {self.faces.shape}, {self.sharpness.shape}, {self.digests.shape}")

    def __len__(self):
        return len(self.photos)

    @cached_property
    def labels(self):
        """Name of the person of each photo, (N,)."""
        return self.people[self.codes]

    @cached_property
    def _of_people(self):
        order = np.argsort(self.codes, kind="stable")
        return order, np.searchsorted(self.codes[order], np.arange(len(self.people) + 1))

    def rows_of(self, person):
        """Row numbers of the photos of one person, a number in `people`."""
        order, first = self._of_people
        return order[first[person] : first[person + 1]]

    def code_of(self, name):
        """The number of a name in `people`; -1 if there is no such person."""
        place = int(np.searchsorted(self.people, name))
        return place if place < len(self.people) and self.people[place] == name else -1

    def only(self, rows):
        """A gallery of some of the photos: their numbers, or a truth value for each."""
        return Gallery(self.descriptors[rows], self.labels[rows], self.photos[rows], faces=self.faces[rows], sharpness=self.sharpness[rows],
                       digests=self.digests[rows])

    def with_more(self, other):
        """This gallery and another one as one."""
        parts = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("descriptors", "labels", "photos", "faces", "sharpness", "digests")}
        return Gallery(**parts)


def together(one, other):
    """Two galleries as one, or the one that there is; None of two Nones."""
    return other if one is None else one if other is None else one.with_more(other)
