"""The data of this task as (images, bboxes, shapes): FDDB, the published archive, or the built-in demo scenes."""

import sys
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

try:
    import common  # noqa: F401
except ModuleNotFoundError:  # a notebook of the published course imports this file by itself, from its folder
    sys.path.append(str(Path(__file__).resolve().parent.parent))

from common.device import memory_given_back
from common.download import DownloadError, fetch_fddb, unpack  # noqa: F401  (unpack: the course's place for it)
from common.files import NOT_TO_WRITE, written_in
from common.photos import PhotoError, photo_shape, read_photo
from RegionDetector.demo.scenes import make_scenes
from RegionDetector.fddb.course_archive import is_published, load_published
from RegionDetector.fddb.course_set import SPLITS, fingerprint, load_split, prepare_fddb, save_split, whole_boxes
from RegionDetector.fddb.reading import find_fddb, read_folds

NAMES = (*SPLITS, "original")
ORIGINALS = 100  # photos that "original" gives; all 1,314 would take long on a laptop
SOURCES = (None, "fddb", "published", "demo")


@memory_given_back()
def load_dataset(path, name, source=None, progress=True):
    """Photos, the boxes of their faces, and the photos' sizes.

    Looks in this order, and says in one line which it took: the published course archive in `path`; FDDB in
    the folder that the environment variable ``FDDB_DIR`` names, or in ``path/fddb``; what was prepared from
    FDDB in `path` before; a download of FDDB to ``path/fddb``; the built-in demo scenes.

    Parameters
    ----------
    path : str or path
        Folder for the data; nothing is written outside it.
    name : {"train", "val", "test", "original"}
        "original": photos that are not in the course set, at their full size.
    source : {None, "fddb", "published", "demo"}
        Ask for one source outright.
    progress : bool
        Show progress bars.

    Returns
    -------
    images : ndarray of uint8, shape (N, 176, 176, 3), or list of arrays (H, W, 3) for "original"
        RGB; the photo at the top left, the rest black.
    bboxes : ndarray of float, shape (M, 5)
        Course boxes ``[image_index, min_row, min_col, max_row, max_col]``.
    shapes : ndarray of int, shape (N, 3)
        (height, width, 3) of each photo.

    Raises
    ------
    ValueError
        If there is no such part, or no such source.
    FileNotFoundError
        If FDDB or the archive is asked for and not there, or is not whole; if the archive, or what was prepared of an FDDB that is gone, holds some of the three parts only.
    """
    if name not in NAMES:
        raise ValueError(f"expected one of {', '.join(NAMES)}; got {name!r}")
    if source not in SOURCES:
        raise ValueError(f"expected a source out of 'fddb', 'published', 'demo' or None; got {source!r}")
    path = Path(path)
    if source == "demo":
        return _demo(path, name, progress)
    archive = next((folder for folder in (path, path / "data") if is_published(folder, name)), None)
    if archive is not None and source in (None, "published"):
        print(f"{name}: the published course archive in {archive}")
        images, bboxes, shapes = load_published(archive, name)
        return (images if name == "original" else np.stack(images)), bboxes, shapes
    there = [split for split in SPLITS if any(is_published(folder, split) for folder in (path, path / "data"))]
    if name in SPLITS and there and source is None:
        raise FileNotFoundError(f"{path} holds {', '.join(there)} of the published course archive, and no {name}: unpack the whole archive, or take it away")
    if source == "published":
        raise FileNotFoundError(f"there is no {name}_bboxes.pkl with {name}_fnames.csv in {path}: unpack the course's data.zip there")
    folder = find_fddb() or (path / "fddb" if (path / "fddb" / "FDDB-folds").is_dir() else None)
    if folder is None:
        prepared = load_split(path / f"fddb-{name}.npz") if name in SPLITS else None
        if prepared is not None:
            print(f"{name}: FDDB as it was prepared in {path}")
            return prepared
        try:
            folder = fetch_fddb(path / "fddb", progress=progress)
        except OSError as error:
            if not isinstance(error, DownloadError) and error.errno not in NOT_TO_WRITE:
                raise
            if source == "fddb":
                raise FileNotFoundError(f"FDDB is not here and cannot be downloaded: {error}") from error
            if name in SPLITS and (left := [split for split in SPLITS if (path / f"fddb-{split}.npz").is_file()]):
                raise FileNotFoundError(f"{path} holds {', '.join(left)} as prepared from FDDB, but fddb-{name}.npz is missing, damaged or something else, and FDDB is "
                                        "not here to make it anew: name its folder in FDDB_DIR, or take these files away to have the demo scenes") from error
            address, why = error.tried[0] if getattr(error, "tried", ()) else ("", (error.strerror or str(error)).splitlines()[0])
            why = " ".join(part for part in (urlsplit(address).hostname, why.split(" (")[0]) if part)
            print(f"{name}: no FDDB here and no download ({why})")
            return _demo(path, name, progress)
    return _fddb(path, folder, name, progress)


def data_name(path="data", source=None):
    """What `load_dataset` takes: "FDDB", "published course archive" or "built-in demo scenes".

    For plots and results cards; call it after `load_dataset`, which may have to download first.
    """
    if source == "demo":
        return "built-in demo scenes"
    path = Path(path)
    if source in (None, "published") and any(is_published(folder, "train") for folder in (path, path / "data")):
        return "published course archive"
    here = (path / "fddb" / "FDDB-folds").is_dir() or (path / "fddb-train.npz").is_file()
    return "FDDB" if find_fddb() or here else "built-in demo scenes"


def _fddb(path, folder, name, progress):
    if name == "original":
        return _originals(folder, progress)
    cached = _kept(path, "fddb", name, lambda: prepare_fddb(folder, progress), lists=fingerprint(folder))
    print(f"{name}: FDDB from {folder}, {len(cached[0]):,} photos with {len(cached[1]):,} faces")
    return cached


def _kept(path, kind, name, make, **notes):
    """A part as it lies in the folder, or else of the parts that are made, all of which are laid there for the next time; where nothing can be laid, aside."""
    made = {}

    def kept(place):
        found = None if made else load_split(place / f"{kind}-{name}.npz", **notes)
        if found is None:
            made.update(made or make())
            for split in made.keys() & SPLITS:
                save_split(place / f"{kind}-{split}.npz", *made[split], **notes)
            found = made[name]
        return found

    return written_in(path, kept)


def _originals(folder, progress):
    """A fixed random choice of the photos that the course set leaves out."""
    left, photos, bad = originals(folder), {}, []
    for i in np.random.default_rng(0).permutation(len(left)):
        try:
            photos[i] = read_photo(left[i].path)
        except PhotoError as error:
            bad.append(error)
        if len(photos) == ORIGINALS:
            break
    if bad:
        warnings.warn(f"{len(bad)} photos could not be read and are left out, the first: {bad[0]}", stacklevel=5)
    if not photos:
        raise ValueError(f"FDDB in {folder} has no photo that can be read and that the course set leaves out")
    images, bboxes = [photos[i] for i in sorted(photos)], []
    for number, i in enumerate(sorted(photos)):
        boxes = whole_boxes(left[i].ellipses, photos[i].shape)
        bboxes.append(np.column_stack([np.full(len(boxes), number), boxes]))
    print(f"original: FDDB from {folder}, {len(images):,} of the {len(left):,} photos that the course set leaves out")
    return images, np.concatenate(bboxes), np.array([image.shape for image in images])


def originals(folder):
    """The photos of FDDB that can be read and are not in the course set, as a list of FddbPhoto."""
    from RegionDetector.fddb.course_set import course_scale

    def left_out(record):
        try:
            shape = photo_shape(record.path)
        except PhotoError:
            return False
        return course_scale(whole_boxes(record.ellipses, shape), shape) is None

    return [record for record in read_folds(folder) if left_out(record)]


def _demo(path, name, progress):
    if name == "original":
        return _enlarged(*_demo(path, "test", progress))
    cached = _kept(path, "demo", name, lambda: {name: make_scenes(name, progress=progress)}, maker=demo_version())
    print(f"{name}: built-in demo scenes, {len(cached[0]):,} pictures with {len(cached[1]):,} faces")
    return cached


def _enlarged(images, bboxes, shapes):
    """Demo scenes without their margin, one to two and a half times as large: faces of 24 to 100 pixels."""
    count = min(ORIGINALS, len(images))
    factors = np.random.default_rng(0).uniform(1, 2.5, count)
    photos = [Image.fromarray(image[: shape[0], : shape[1]]) for image, shape in zip(images[:count], shapes)]
    photos = [np.array(photo.resize([round(side * f) for side in photo.size])) for photo, f in zip(photos, factors)]
    bboxes = bboxes[bboxes[:, 0] < count]
    larger = bboxes[:, 1:] * factors[bboxes[:, 0].astype(int), None]
    print(f"original: {count} of them, enlarged up to two and a half times")
    return photos, np.column_stack([bboxes[:, 0], larger]), np.array([photo.shape for photo in photos])


def demo_version():
    """Changes when the scene maker changes, so that no old scenes are taken from cache."""
    import hashlib
    import inspect

    from RegionDetector.demo import people as demo_people
    from RegionDetector.demo import scenes as demo_scenes

    source = inspect.getsource(demo_scenes) + inspect.getsource(demo_people)
    return hashlib.sha256(source.encode()).hexdigest()
