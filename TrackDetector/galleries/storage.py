"""A gallery in one file, without pickle: a `.npz` whose descriptors lie as they are, so that a large one is mapped and not read."""

import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from common.files import whole_file
from TrackDetector.gallery import Gallery, GalleryError

FORMAT, FIRST_FORMAT = "face gallery 2", "face gallery 1"
_FIRST = ("descriptors", "labels", "photos", "settings")
_ASIDE = "aside_"
_PARTS = ("descriptors", "people", "codes", "photos", "faces", "sharpness", "digests", "settings")
_KINDS = {"descriptors": "f", "people": "U", "labels": "U", "codes": "i", "photos": "U", "faces": "u", "sharpness": "f", "digests": "u", "settings": "U"}
_MOST_BYTES = 2**31  # of what is unpacked into the memory; what is mapped may be larger
_MAPPED_FROM = 2**26  # bytes of a file; a smaller one is read at once, and may be replaced on Windows while it is in use
_ALIGNED = 64  # where a part begins in the file, so that its numbers can be used where they lie
_PADDING = 0xD935  # the kind of a zip's extra field that means nothing but space


def save_gallery(path, gallery, settings, aside=None):
    """Write a gallery and the settings that belong to it; an old file stays until the new one is whole.

    Parameters
    ----------
    path : path-like
        A file name, `.npz`.
    gallery : Gallery
    settings : dict
        What JSON can hold.
    aside : Gallery, optional
        Photos that were set aside.
    """
    parts = {name: np.asarray(getattr(gallery, name)) for name in _PARTS if name != "settings"}
    if aside is not None:
        parts.update({f"{_ASIDE}{name}": np.asarray(getattr(aside, name)) for name in _PARTS if name != "settings"})
    parts["settings"] = np.array(json.dumps({"format": FORMAT, **settings}))
    with whole_file(path, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # without a date: the same bytes every time
            # the part's head is 30 bytes, its name, 20 bytes for sizes beyond 4 GB, and the space that is wanted: 4 bytes at least
            space = -(file.tell() + 30 + len(info.filename) + 20 + 4) % _ALIGNED
            info.extra = struct.pack("<HH", _PADDING, space) + bytes(space)
            with archive.open(info, "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(part) if part.ndim else part, allow_pickle=False)


def load_gallery(path, mapped=None):
    """Read a gallery. Nothing in the file is executed, whoever made it.

    Parameters
    ----------
    path : path-like
    mapped : bool, optional
        Leave the descriptors and the names of photos in the file, and read what is asked for; by default from 64 MB on.

    Returns
    -------
    gallery : Gallery
    settings : dict
    aside : Gallery or None

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    GalleryError
        If it is no gallery, is damaged, or claims to be larger than two gigabytes when unpacked.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; Classifier.save writes a gallery")
    mapped = path.stat().st_size >= _MAPPED_FROM if mapped is None else mapped
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if sum(info.file_size for info in entries.values() if not _may_be_mapped(info)) > _MOST_BYTES:
                raise GalleryError(f"claims to hold more than {_MOST_BYTES >> 30} GB")
            if sum(info.file_size for info in entries.values() if _may_be_mapped(info)) > path.stat().st_size:
                raise GalleryError("claims to hold more than its own size")
            settings = _settings(_part(path, archive, entries, "settings", False))
            names = _PARTS if settings.pop("format") == FORMAT else _FIRST
            parts, aside = ({name: _part(path, archive, entries, before + name, mapped and name in ("descriptors", "photos"))
                             for name in names if name != "settings"} if before + "photos" in entries or not before else None for before in ("", _ASIDE))
        return _gallery(parts), settings, None if aside is None else _gallery(aside)
    except GalleryError as error:
        raise GalleryError(f"{path}: {error}") from None
    except Exception as error:  # a damaged or hostile file may set off anything in zipfile, zlib, numpy, tokenize or json
        raise GalleryError(f"{path}: cannot be read as a gallery ({type(error).__name__}: {error})") from None


def _may_be_mapped(info):
    return info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1


def _part(path, archive, entries, name, mapped):
    if name not in entries:
        raise GalleryError(f"no {name} in it; expected a gallery that Classifier.save wrote")
    info = entries[name]
    if mapped and _may_be_mapped(info):
        part = _map(path, info)
    else:
        with archive.open(info) as entry:
            part = np.lib.format.read_array(entry, allow_pickle=False)
            if entry.read(1):
                raise GalleryError(f"{name}: more in it than it says")
    if not isinstance(part, np.ndarray) or part.dtype.kind != _KINDS[name.removeprefix(_ASIDE)]:
        raise GalleryError("expected numbers for descriptors and text for the rest" if name in _FIRST else f"{name}: not the kind of numbers that belongs there")
    return part if part.dtype.isnative else part.astype(part.dtype.newbyteorder("="))


def _map(path, info):
    """A part of the zip where it lies in the file; its checksum is compared, as for one that is read."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        head = file.read(30)
        if head[:4] != b"PK\3\4":
            raise GalleryError("a part of it does not begin where the list of parts says")
        start = info.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))
        file.seek(start)
        version = np.lib.format.read_magic(file)
        read_head = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read_head(file)
        offset = file.tell()
    if dtype.hasobject or fortran or not dtype.isnative or offset + int(np.prod(shape)) * dtype.itemsize != start + info.file_size:
        raise GalleryError(f"{info.filename}: its size is not what it says")
    whole = np.memmap(path, np.uint8, "r", start, (info.file_size,))
    if zlib.crc32(whole) != info.CRC:
        raise GalleryError(f"{info.filename}: is damaged (its checksum differs)")
    return np.memmap(path, dtype, "r", offset, shape)


def _settings(part):
    settings = json.loads(str(part))
    if not isinstance(settings, dict) or settings.get("format") not in (FORMAT, FIRST_FORMAT):
        raise GalleryError(f"expected {FORMAT!r}; it was written by another version")
    if "alike" in settings:
        settings["alike"] = [(str(one), str(other)) for one, other in settings["alike"]]
    return settings


def _gallery(parts):
    labels, people = parts.pop("labels", None), parts.get("people")
    for name, part in {"labels": labels, **parts}.items():
        if part is not None and part.ndim != (2 if name in ("descriptors", "digests") else 1):
            raise GalleryError(f"expected one label and one photo name a face, got {name} of shape {part.shape}")
    for texts in (labels, people, parts["photos"]):
        if texts is not None:
            _letters(texts)
    if people is not None:
        codes = parts.pop("codes")
        if not len(people) or not (people[:-1] < people[1:]).all() or not len(codes) or codes.min() < 0 or codes.max() >= len(people):
            raise GalleryError("the people are not in order, or a photo belongs to nobody of them")
        labels = codes
    descriptors = parts["descriptors"]
    if descriptors.dtype != np.float32:
        parts["descriptors"] = descriptors.astype(np.float32)
    gallery = Gallery(labels=labels, **parts)
    if gallery.extent > 1e6:
        raise GalleryError("the descriptors are beyond all that a network answers")
    return gallery


def _letters(texts):
    """Numbers that stand for no letter are an error."""
    if texts.size and texts.dtype.itemsize and texts.view(np.uint32).max() > 0x10FFFF:
        raise GalleryError("a name in it holds what is no letter")
