"""Photos and clips with the names of the people in them, in the dictionaries of the course.

Where they come from, in this order: the folder that is named; a local copy that `FACE_RECOGNITION_DIR`
names; the built-in people. ``source="download"`` fetches the course's own data, ``source="lfw"`` Labeled
Faces in the Wild (for those who are online), ``source="demo"`` asks for the built-in people outright. One
printed line says which it was.
"""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unicodedata import normalize

from common.device import memory_given_back
from common.files import from_root, written_in
from common.photos import PhotoError, read_photo
from TrackDetector.demo import people as demo_people
from TrackDetector.photos import VIDEO_SUFFIXES, in_numeric_order, photos_in, read_video

SOURCES = (None, "folder", "demo", "lfw", "download")
IMAGES, VIDEOS = "image_classification", "video_classification"


def unpack(filename, folder=None):
    """Unpack an archive of the course's data: whole, or not at all.

    Parameters
    ----------
    filename : path-like
        A zip or a tar.
    folder : path-like, optional
        Where to; by default the folder that the archive lies in.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    common.download.ArchiveError, OSError
        If it is damaged, hostile, or there is no room.
    """
    from common import download

    folder = Path(filename).parent if folder is None else Path(folder)
    download.unpack(filename, folder)
    return folder


def _lfw(home, seed):
    """People of LFW with ten photos or more, laid out like the built-in ones; every fourth person is a stranger."""
    import numpy as np
    from sklearn.datasets import fetch_lfw_people

    target = home / "lfw" / "course"
    if not (target / "built-in.txt").is_file():
        online = os.environ.get("FACE_KIT_OFFLINE", "") in ("", "0")
        data = fetch_lfw_people(data_home=home / "lfw", min_faces_per_person=10, color=True, resize=1.0, slice_=None, download_if_missing=online)
        photos = np.round(data.images * (255 if data.images.max() <= 1 else 1)).astype(np.uint8)
        names = [name.replace(" ", "_") for name in data.target_names]
        people = {name: list(photos[data.target == i][:15]) for i, name in enumerate(names) if i % 4}
        strangers = {name: list(photos[data.target == i][:5]) for i, name in enumerate(names) if i % 4 == 0}
        demo_people.lay_out(people, strangers, target, seed, training_photos=7)
    return target


def find_data(dir_name, source=None, seed=0):
    """Find the folder that `load_image_data` or `load_video_data` shall read, and say which it is.

    Parameters
    ----------
    dir_name : path-like
        `.../image_classification` or `.../video_classification`.
    source : {None, "folder", "demo", "lfw", "download"}
        None: what lies in `dir_name`, else what `FACE_RECOGNITION_DIR` names, else the built-in people.
    seed : int
        Chooses the strangers and shapes the clips of the built-in people.

    Returns
    -------
    folder : pathlib.Path
        With `train` and `test` in it.
    line : str
        What it is, for people.

    Raises
    ------
    ValueError
        If there is no such source.
    FileNotFoundError
        If a folder was asked for that is not there or holds something else.
    """
    dir_name, local = Path(dir_name), os.environ.get("FACE_RECOGNITION_DIR")
    if source not in SOURCES:
        raise ValueError(f"there is no source {source!r}; expected one of {', '.join(map(repr, SOURCES))}")
    kind = dir_name.name
    if source in (None, "folder") and (dir_name / "train" / "y_train.csv").is_file():
        return dir_name, f"{kind}: {dir_name.parent.name or dir_name}"
    if source == "folder":
        raise FileNotFoundError(f"expected train/y_train.csv in {dir_name}; {_what_lies_in(dir_name)}")
    if kind not in (IMAGES, VIDEOS):
        raise FileNotFoundError(f"expected a folder named {IMAGES} or {VIDEOS} with train/y_train.csv in it, got {dir_name}; "
                                f"{_what_lies_in(dir_name)}")
    home = dir_name.parent
    if source is None and local:
        local = from_root(local)
        if not (local / kind / "train" / "y_train.csv").is_file():
            raise FileNotFoundError(f"FACE_RECOGNITION_DIR is {local}, but there is no {kind}/train/y_train.csv in it; "
                                    f"{_what_lies_in(local)}. Correct it, or unset it to use the built-in people")
        return local / kind, f"{kind}: the local copy that FACE_RECOGNITION_DIR names ({local.name})"
    if source == "lfw":
        return _lfw(home, seed) / kind, f"{kind}: people of LFW; clips are simulated from stills"
    if source == "download":
        from common.download import fetch_unpacked

        return fetch_unpacked("Face_Recognition_data", home.parent) / kind, f"{kind}: the course's data, downloaded"
    people, strangers = demo_people.orl_people(seed)
    folder = written_in(home, lambda place: demo_people.lay_out(people, strangers, place / f"built-in-{seed}", seed))
    return folder / kind, f"{kind}: the built-in ORL faces ({len(people)} people, {len(strangers)} strangers); clips are simulated from stills"


def _what_lies_in(folder):
    if not folder.is_dir():
        return "there is no such folder"
    names = sorted(p.name for p in folder.iterdir())
    return f"in it: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}" if names else "it is empty"


def read_labels(path):
    """Read a table of labels.

    Parameters
    ----------
    path : path-like
        CSV with the columns `filename` and `class_id`; semicolons and tabs, which spreadsheets put in some countries, will do.

    Returns
    -------
    dict of str to str
        File name (or video id) to label, in the order of the file; an accent that a Mac wrote as a sign of its own is a part of its letter.

    Raises
    ------
    ValueError, FileNotFoundError
        If the file is missing, has other columns, a row without a name or a label, or one name with two labels.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a table filename,class_id")
    import pandas as pd  # it takes a second to import, and names of people are read without a table as well

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        first = next((number for number, line in enumerate(lines) if line.strip()), None)
        if first is None:
            raise ValueError(f"{path}: expected the columns filename,class_id, got nothing")
        mark = next((mark for mark in ",;\t" if mark in lines[first]), ",")
        # as text, "NA" and "" as well, with blank lines kept, so that a line can be named
        table = pd.read_csv(path, sep=mark, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig", skiprows=first,
                            skip_blank_lines=False, index_col=False)
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise ValueError(f"{path}: not a table in UTF-8 text ({error}); save it as CSV in UTF-8") from None
    table.columns = [name.strip() for name in table.columns]
    if not {"filename", "class_id"} <= set(table.columns):
        raise ValueError(f"{path}: expected the columns filename,class_id, got {','.join(table.columns)}")
    labels = {}
    for line, name, label in zip(range(first + 2, first + len(table) + 2), table["filename"].str.strip(), table["class_id"].str.strip().str.normalize("NFC")):
        if not name and not label:
            continue
        if not name or not label:
            raise ValueError(f"{path}, line {line}: expected a file name and a label, got {name!r}, {label!r}")
        if labels.setdefault(name, label) != label:
            raise ValueError(f"{path}, line {line}: {name} is {labels[name]} already, and now {label}")
    return labels


def _some(names):
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _read_all(read, named, what):
    """Read many files in threads; those that cannot be read are left out, counted and named."""
    def attempt(item):
        try:
            return item[0], read(item[1])
        except PhotoError as error:
            return item[0], error

    with ThreadPoolExecutor() as pool:
        answers = dict(pool.map(attempt, named))
    bad = {name: error for name, error in answers.items() if isinstance(error, PhotoError)}
    if bad:
        warnings.warn(f"{len(bad)} of {len(named)} {what} skipped: {'; '.join(map(str, list(bad.values())[:3]))}"
                      f"{'; ...' if len(bad) > 3 else ''}", stacklevel=5)
    return {name: answer for name, answer in answers.items() if name not in bad}


def _matched(labels, files, folder, what):
    """The files that have a label; what has only one of the two is counted and named."""
    # a Mac writes an accent as a letter of its own: one name, and other bytes
    files, known = {normalize("NFC", f.name): f for f in files}, {normalize("NFC", name) for name in labels}
    missing, extra = [n for n in labels if normalize("NFC", n) not in files], [f.name for n, f in files.items() if n not in known]
    for names, fault in ((missing, f"without {what}"), (extra, "without a label")):
        if names:
            warnings.warn(f"{folder}: {len(names)} {'labels' if names is missing else what} {fault} skipped: {_some(names)}", stacklevel=5)
    return [(name, files[normalize("NFC", name)]) for name in labels if normalize("NFC", name) in files]


def _read_photos(folder, labels):
    if not (folder / "images").is_dir():
        raise FileNotFoundError(f"expected the photos in {folder / 'images'}; {_what_lies_in(folder)}")
    files = (folder / "images").iterdir()
    named = _matched(labels, (f for f in files if f.is_file() and not f.name.startswith(".")), folder, "photos")
    images = _read_all(read_photo, named, "photos")
    if not images:
        raise ValueError(f"{folder}: not one photo with a label could be read; expected the file names of the table in images/")
    return images, {name: labels[name] for name in images}


@memory_given_back()
def load_image_data(dir_name="Face_Recognition_data/image_classification", source=None, seed=0, verbose=True):
    """Photos for training and for testing, with the names of the people in them.

    Parameters
    ----------
    dir_name : path-like
        Folder with `train/images`, `train/y_train.csv`, `test/images`, `test/y_test.csv`.
    source, seed
        As in `find_data`.
    verbose : bool
        Print where the data come from.

    Returns
    -------
    train_images : dict of str to ndarray
        File name to photo (H, W, 3), uint8 RGB.
    train_labels : dict of str to str
        File name to name of the person.
    test_images, test_labels : dict
        The same for testing.

    Raises
    ------
    FileNotFoundError, ValueError
        If folders or tables are missing or not what they should be. Photos that cannot be read, have no
        label, and labels that have no photo are skipped with one warning that counts and names them.
    """
    folder, line = find_data(dir_name, source, seed)
    answer = []
    for part in ("train", "test"):
        answer += _read_photos(folder / part, read_labels(folder / part / f"y_{part}.csv"))
    if verbose:
        print(f"{line}; {len(answer[0])} photos to train, {len(answer[2])} to test")
    return tuple(answer)


def _read_clip(path):
    """The frames of a clip: a folder of photos in numeric order, or a video file. Bad frames are left out."""
    if path.is_file():
        return read_video(path)[0]
    frames, bad = [], []
    for file in photos_in(path):
        try:
            frames.append(read_photo(file))
        except PhotoError as error:
            bad.append(str(error))
    if bad and frames:
        warnings.warn(f"clip {path.name}: {len(bad)} of {len(bad) + len(frames)} frames skipped: {bad[0]}", stacklevel=2)
    if not frames:
        raise PhotoError(f"{path}: a clip without a frame that can be read")
    return frames


@memory_given_back()
def load_video_data(dir_name="Face_Recognition_data/video_classification", source=None, seed=0, verbose=True):
    """Photos for training and clips for testing, with the names of the people in them.

    Parameters
    ----------
    dir_name : path-like
        Folder with `train/images`, `train/y_train.csv`, `test/videos/<id>/<k>.jpg` (or `test/videos/<id>.mp4`),
        `test/y_test.csv`.
    source, seed, verbose
        As in `load_image_data`.

    Returns
    -------
    train_images, train_labels : dict
        As in `load_image_data`.
    test_videos : dict of str to list of ndarray
        Video id to its frames (H, W, 3), uint8 RGB, in numeric order: 2 before 10.
    test_labels : dict of str to str
        Video id to name of the person.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_image_data`; a clip without frames or that cannot be decoded is skipped with a warning.
    """
    folder, line = find_data(dir_name, source, seed)
    train_images, train_labels = _read_photos(folder / "train", read_labels(folder / "train" / "y_train.csv"))
    labels, home = read_labels(folder / "test" / "y_test.csv"), folder / "test" / "videos"
    if not home.is_dir():
        raise FileNotFoundError(f"expected the clips in {home}; {_what_lies_in(folder / 'test')}")
    clips = [p.with_suffix("") if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file() else p
             for p in home.iterdir() if not p.name.startswith(".")]
    named = _matched(labels, in_numeric_order(clips), folder / "test", "clips")
    files = {normalize("NFC", p.stem): p for p in home.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()}
    videos = _read_all(_read_clip, [(name, files.get(normalize("NFC", name), path)) for name, path in named], "clips")
    if not videos:
        raise ValueError(f"{home}: not one clip with a label could be read; expected folders of frames, named as in y_test.csv")
    if verbose:
        print(f"{line}; {len(train_images)} photos to train, {len(videos)} clips to test")
    return train_images, train_labels, videos, {name: labels[name] for name in videos}


@memory_given_back()
def load_strangers(dir_name="Face_Recognition_data/image_classification", source=None, seed=0, verbose=True):
    """Photos of people who are in no gallery.

    Parameters
    ----------
    dir_name, source, seed, verbose
        As in `load_image_data`; the photos lie in `unknown/images`. A table `unknown/y_unknown.csv` may say
        who is who; without it every photo is another person.

    Returns
    -------
    images : dict of str to ndarray
        File name to photo; empty where there is no such folder.
    labels : dict of str to str
        File name to name of the person.
    """
    folder, line = find_data(dir_name, source, seed)
    folder = folder / "unknown"
    if not (folder / "images").is_dir():
        return {}, {}
    table = folder / "y_unknown.csv"
    labels = read_labels(table) if table.is_file() else {p.name: p.stem for p in photos_in(folder / "images")}
    images, labels = _read_photos(folder, labels)
    if verbose:
        print(f"{line}; {len(images)} photos of {len(set(labels.values()))} strangers")
    return images, labels
