"""The gallery: descriptors of known people with their names, kept in one file without pickle."""

import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.files import whole_file
from TrackDetector.predictions import unit

FORMAT = "face gallery 1"
_PARTS = ("descriptors", "labels", "photos", "settings")
_MOST_BYTES = 2**31  # two gigabytes hold four million faces


class GalleryError(ValueError):
    """The file is no gallery, or is damaged."""


@dataclass(frozen=True)
class Gallery:
    """Who is known.

    Attributes
    ----------
    descriptors : ndarray of float32, shape (N, D)
    labels : ndarray of str, shape (N,)
        Name of the person.
    photos : ndarray of str, shape (N,)
        File name of the photo.
    """

    descriptors: np.ndarray
    labels: np.ndarray
    photos: np.ndarray

    def __post_init__(self):
        shape = np.shape(self.descriptors)
        if len(shape) != 2 or shape[0] != len(self.labels) or shape[0] != len(self.photos):
            raise GalleryError(f"expected a descriptor (N, D), a label and a photo name each; got descriptors {shape}, "
                               f"{len(self.labels)} labels, {len(self.photos)} photo names")
        if 0 in shape:
            raise GalleryError("the gallery is empty: not one face with a label")
        if not np.isfinite(self.descriptors).all():
            raise GalleryError("a descriptor of the gallery is not finite")

    def __len__(self):
        return len(self.labels)


def save_gallery(path, gallery, settings):
    """Write a gallery and the settings that belong to it; an old file stays until the new one is whole.

    Parameters
    ----------
    path : path-like
        A file name, `.npz`.
    gallery : Gallery
    settings : dict
        What JSON can hold.
    """
    with whole_file(path, "wb") as file:
        np.savez_compressed(
            file, descriptors=np.asarray(gallery.descriptors, np.float32), labels=np.asarray(gallery.labels, str),
            photos=np.asarray(gallery.photos, str), settings=np.array(json.dumps({"format": FORMAT, **settings})),
        )


def load_gallery(path):
    """Read a gallery. Nothing in the file is executed, whoever made it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    gallery : Gallery
    settings : dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    GalleryError
        If it is no gallery, is damaged, or claims to be larger than two gigabytes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; Classifier.save writes a gallery")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
                raise GalleryError(f"{path}: claims to hold more than {_MOST_BYTES >> 30} GB")
        with np.load(path, allow_pickle=False) as parts:
            missing = [name for name in _PARTS if name not in parts]
            if missing:
                raise GalleryError(f"{path}: no {', '.join(missing)} in it; expected a gallery that Classifier.save wrote")
            descriptors, labels, photos, settings = (parts[name] for name in _PARTS)
        if not all(isinstance(part, np.ndarray) for part in (descriptors, labels, photos, settings)):
            raise GalleryError(f"{path}: a part of it is no array")
        if settings.dtype.kind != "U" or labels.dtype.kind != "U" or photos.dtype.kind != "U" or descriptors.dtype.kind != "f":
            raise GalleryError(f"{path}: expected numbers for descriptors and text for the rest")
        settings = json.loads(str(settings))
        if not isinstance(settings, dict) or settings.pop("format", None) != FORMAT:
            raise GalleryError(f"{path}: expected {FORMAT!r}; it was written by another version")
        if labels.ndim != 1 or photos.ndim != 1:
            raise GalleryError(f"{path}: expected one label and one photo name a face, got shapes {labels.shape}, {photos.shape}")
        if np.abs(descriptors).max(initial=0) > 1e6:
            raise GalleryError(f"{path}: the descriptors are beyond all that a network answers")
        [str(text) for text in (*labels, *photos)]  # numbers that stand for no letter are an error
        return Gallery(np.ascontiguousarray(descriptors, np.float32), labels, photos), settings
    except GalleryError as error:
        raise GalleryError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except Exception as error:  # a damaged or hostile file may set off anything in zipfile, zlib, numpy, tokenize or json
        raise GalleryError(f"{path}: cannot be read as a gallery ({type(error).__name__}: {error})") from None


def under_two_names(gallery, most=0.05):
    """People who share a photo in a gallery: one of the two names is wrong. A warning names the first such photo.

    Parameters
    ----------
    gallery : Gallery
    most : float
        Distance between descriptors of length 1 up to which two photos are taken for one, saved anew perhaps.

    Returns
    -------
    set of str
    """
    from sklearn.neighbors import radius_neighbors_graph

    near = radius_neighbors_graph(unit(gallery.descriptors), most).tocoo()
    pairs = [(i, j) for i, j in sorted(zip(near.row.tolist(), near.col.tolist())) if i < j and gallery.labels[i] != gallery.labels[j]]
    for i, j in pairs[:1]:
        warnings.warn(f"{len(pairs)} photos lie under two names, such as {gallery.photos[i]} ({gallery.labels[i]}) and {gallery.photos[j]} "
                      f"({gallery.labels[j]}): these people are left out in choosing a threshold", stacklevel=4)
    return {gallery.labels[k] for pair in pairs for k in pair}
