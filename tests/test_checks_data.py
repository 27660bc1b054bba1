"""The checks of photos and clips accept several right answers and name what is wrong with the wrong ones."""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from coursework import judged, rejected

from common.exercises.exercise import RIGHT
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.photos import read_photo
from TrackDetector import get_data
from TrackDetector.exercises import TASK
from TrackDetector.photos import in_numeric_order


def table(path):
    with open(path, encoding="utf-8") as file:
        return [(row["filename"], row["class_id"]) for row in csv.DictReader(file)]


def photos(folder, part, read=read_photo, key=str, listed=False, pairs=None):
    rows = table(Path(folder) / part / f"y_{part}.csv")
    home = Path(folder) / part / "images"
    if listed:  # names as the folder lists them, labels as the table does
        files = sorted(home.iterdir())
        return {f.name: read(f) for f in files}, {f.name: row[1] for f, row in zip(files, rows)}
    images, labels = {key(n): read(home / n) for n, _ in rows}, {key(n): label for n, label in rows}
    return pairs(images, labels) if pairs else (images, labels)


def loader(**how):
    return lambda folder: (*photos(folder, "train", **how), *photos(folder, "test", **how))


def bgr(path):
    return cv2.imread(str(path))


def of_suffix(suffix):
    """Made for the files of the student's own data: the course's photos are .jpg, those of the built-in people .png."""
    return loader(pairs=lambda images, labels: ({n: i for n, i in images.items() if n.endswith(suffix)}, labels))


def as_lists(images, labels):
    return list(images.values()), list(labels.values())


def with_pandas(dir_name):
    """Tables of pandas, photos of matplotlib and PIL; folders joined by os."""
    import os

    import pandas
    from PIL import Image

    answer = []
    for part in ("train", "test"):
        rows = pandas.read_csv(os.path.join(dir_name, part, f"y_{part}.csv"), dtype=str)
        answer += [{row.filename: np.array(Image.open(os.path.join(dir_name, part, "images", row.filename)).convert("RGB")) for row in rows.itertuples()},
                   dict(zip(rows.filename, rows.class_id))]
    return tuple(answer)


def with_skimage(dir_name):
    """Globbed, in the order of the folder; labels of the table."""
    from skimage.io import imread

    answer = []
    for part in ("train", "test"):
        labels = dict(line.split(",") for line in (dir_name / part / f"y_{part}.csv").read_text().split()[1:])
        answer += [{p.name: imread(p) for p in sorted((dir_name / part / "images").glob("*"))}, labels]
    return answer


def numbered_by_pandas(dir_name):
    import pandas

    train, test = (pandas.read_csv(dir_name / part / f"y_{part}.csv") for part in ("train", "test"))
    photos_of = lambda part, rows: {n: read_photo(dir_name / part / "images" / n) for n in rows.filename}  # noqa: E731
    return photos_of("train", train), dict(zip(train.filename, train.class_id)), photos_of("test", test), dict(zip(test.filename, test.class_id))


def with_numpy(folder):
    """numpy's text for names and labels."""
    rows = {part: np.loadtxt(folder / part / f"y_{part}.csv", dtype=str, delimiter=",", skiprows=1) for part in ("train", "test")}
    train, test = ({name: read_photo(folder / part / "images" / name) for name, _ in rows[part]} for part in rows)
    return train, {name: who for name, who in rows["train"]}, test, {name: who for name, who in rows["test"]}


HEADER = loader(pairs=lambda images, labels: (images, {"filename": "class_id", **labels}))
LOAD_RIGHT = {"numpy": with_numpy, "numbers for names": loader(key=lambda n: int(n.split(".")[0])), "reference": get_data.load_image_data, "from 0 to 1": loader(read=lambda p: read_photo(p) / 255.0), "pandas": with_pandas, "skimage": with_skimage,
              "names without suffix": loader(key=lambda n: n[:-4]), "only .png, as the built-in people's": of_suffix(".png"),
              "OpenCV, turned round": loader(read=lambda p: cv2.imread(str(p))[:, :, ::-1])}
LOAD_OLD = {"lists": loader(pairs=as_lists), "only .jpg": of_suffix(".jpg"), "only .png": of_suffix(".png"), "scaled": loader(read=lambda p: cv2.resize(read_photo(p), (50, 50))),
            "header among the labels": HEADER, "text for the folder": lambda d: loader()(d + "/")}
LOAD_WRONG = {
    "nothing in them": (lambda d: ({}, {}, {}, {}), "training photos: 0 pictures, there are 4 in the folder"),
    "no labels": (loader(pairs=lambda images, labels: (images, {})), "'10.png' has no label under the same name"),
    "other colours": (loader(read=lambda p: cv2.cvtColor(read_photo(p), cv2.COLOR_RGB2HSV)), "HSV or LAB"),
    "the file's name for the label": (loader(pairs=lambda i, t: (i, {n: n for n in t})), "stands in the column class_id"),
    "three colours of every colour": (loader(read=lambda p: np.repeat(read_photo(p)[..., None], 3, axis=3)), "call it for grey pictures alone"),
    "lists": (loader(pairs=as_lists), "expected a dictionary from name to picture"),
    "header among the labels": (HEADER, "it is the header, skip it"),
    "numbers of pandas": (numbered_by_pandas, "pandas.read_csv(path, dtype=str)"),
    "bytes": (loader(pairs=lambda i, t: (i, {n: who.encode() for n, who in t.items()})), "is b'anna', bytes"),
    "numbers for people": (loader(pairs=lambda i, t: (i, {n: sorted(set(t.values())).index(who) for n, who in t.items()})), "int; expected text"),
    "only .jpg": (of_suffix(".jpg"), "has no picture"),
    "scaled": (loader(read=lambda p: cv2.resize(read_photo(p), (50, 50))), "leave its size"),
    "floats up to 255": (loader(read=lambda p: read_photo(p).astype(float)), "expected uint8"),
    "pictures of PIL": (loader(read=lambda p: __import__("PIL.Image", fromlist=["open"]).open(p).convert("RGB")), "np.array(picture)"),
    "text for the folder": (lambda d: loader()(d + "/"), "write dir_name / 'train'"),
    "pictures, pictures, labels, labels": (lambda d: [loader()(d)[k] for k in (0, 2, 1, 3)], "in this order; got pictures, pictures, labels, labels"),
    "labels first": (lambda d: [loader()(d)[k] for k in (1, 0, 3, 2)], "got labels, pictures"),
    "a label too many": (loader(pairs=lambda i, t: (i, {**t, "99.jpg": "anna"})), "has no picture"),
    "BGR": (loader(read=bgr), "BGR"),
    "training and test swapped": (lambda d: loader()(d)[2:] + loader()(d)[:2], "training and test photos are swapped"),
    "listed in another order": (loader(listed=True), "match pictures and labels by file name"),
    "grey": (loader(read=lambda p: np.repeat(cv2.imread(str(p), 0)[:, :, None], 3, axis=2)), "grey"),
    "cannot be read": (loader(read=lambda p: cv2.imread(str(p) + ".jpg")), "None"),
    "labels under other names": (loader(pairs=lambda i, t: (i, {n[:-4]: x for n, x in t.items()})), "no label under the same name"),
    "training only": (lambda d: photos(d, "train"), "4 answers"),
}


@pytest.mark.parametrize("name", LOAD_RIGHT)
def test_load_image_data_right(name):
    assert str(judged(TASK, "load_image_data", LOAD_RIGHT[name])) == "load_image_data: right"


@pytest.mark.parametrize("name", LOAD_OLD)
def test_load_image_data_of_the_published_course(name):
    assert judged(TASK, "load_image_data", LOAD_OLD[name], lenient=True).status == RIGHT


@pytest.mark.parametrize("name", LOAD_WRONG)
def test_load_image_data_wrong(name):
    rejected(TASK, "load_image_data", *LOAD_WRONG[name])


def clips(order=in_numeric_order, read=read_photo, labels=lambda rows: dict(rows), one=lambda frames: frames, pairs=None):
    def f(folder):
        home = Path(folder) / "test" / "videos"
        rows = table(Path(folder) / "test" / "y_test.csv")
        videos = {n: one([read(p) for p in order(list((home / n).iterdir()))]) for n, _ in rows}
        test = pairs(videos, labels(rows)) if pairs else (videos, labels(rows))
        return (*photos(folder, "train", read=read), *test)
    return f


def by_place(order):
    """The clips as the folder lists them, the labels as the table does."""
    def f(folder):
        *train, videos, labels = clips()(folder)
        folders = [p.name for p in order(list((Path(folder) / "test" / "videos").iterdir()))]
        return (*train, {n: videos[n] for n in folders}, dict(zip(folders, labels.values())))
    return f


def by_paths(folder):
    *train, videos, labels = clips()(folder)
    return (*train, *({f"{folder}/test/videos/{n}": value for n, value in part.items()} for part in (videos, labels)))


VIDEO_RIGHT = {"numbers for names": clips(pairs=lambda v, t: ({int(n): f for n, f in v.items()}, {int(n): who for n, who in t.items()})), "reference": get_data.load_video_data, "arrays": clips(one=np.array), "sorted by int": clips(order=lambda ps: sorted(ps, key=lambda p: int(p.stem))),
               "an array of objects": clips(one=lambda frames: np.array([*frames, None], object)[:-1]), "whole paths": by_paths, "tuples": clips(one=tuple), "by counting": clips(order=lambda ps: [ps[0].parent / f"{k}.jpg" for k in range(len(ps))])}
VIDEO_WRONG = {
    "lists": (clips(pairs=as_lists), "expected a dictionary from name to picture"),
    "labels before clips": (lambda d: [clips()(d)[k] for k in (0, 1, 3, 2)], "in this order; got pictures, labels, labels, clips"),
    "photos of the training left out": (lambda d: clips()(d)[2:], "4 answers"),
    "bytes": (clips(pairs=lambda v, t: (v, {n: who.encode() for n, who in t.items()})), "bytes"),
    "one dictionary of frames": (clips(one=lambda frames: dict(enumerate(frames))), "expected a list of frames"),
    "folders sorted as text, labels as in the table": (by_place(sorted), "match clips and labels by name"),
    "folders by number, labels as in the table": (by_place(in_numeric_order), "match clips and labels by name"),
    "string order": (clips(order=sorted), "10 comes before 2"),
    "backwards": (clips(order=lambda ps: in_numeric_order(ps)[::-1]), "sort them by the number"),
    "BGR": (clips(read=bgr), "BGR"),
    "first frame only": (clips(one=lambda frames: frames[:1]), "1 frames"),
    "labels of the other": (clips(labels=lambda rows: {a: y for (a, _), (_, y) in zip(rows, rows[::-1])}), "the label says"),
    "numbers for names": (clips(labels=lambda rows: {int(n): t for n, t in rows}), "no label under the same name"),
}


@pytest.mark.parametrize("name", VIDEO_RIGHT)
def test_load_video_data_right(name):
    assert str(judged(TASK, "load_video_data", VIDEO_RIGHT[name])) == "load_video_data: right"


@pytest.mark.parametrize("name", VIDEO_WRONG)
def test_load_video_data_wrong(name):
    rejected(TASK, "load_video_data", *VIDEO_WRONG[name])


PATHS_AS_KEYS = """
import csv
from pathlib import Path, PurePath
from common.photos import read_photo
def rows_of(dir_name, part):
    with open(Path(dir_name) / part / f"y_{part}.csv") as file:
        return [row for row in csv.reader(file)][1:]
def load_image_data(dir_name):
    answer = []
    for part in ("train", "test"):
        home = Path(dir_name) / part / "images"
        answer += [{KEY: read_photo(home / name) for name, _ in rows_of(dir_name, part)}, {KEY: label for name, label in rows_of(dir_name, part)}]
    return answer
def load_video_data(dir_name):
    home, clips = Path(dir_name) / "train" / "images", Path(dir_name) / "test" / "videos"
    images, labels = {KEY: read_photo(home / name) for name, _ in rows_of(dir_name, "train")}, {KEY: label for name, label in rows_of(dir_name, "train")}
    home = clips
    frames = {KEY: [read_photo(p) for p in sorted((clips / name).iterdir(), key=lambda p: int(p.stem))] for name, _ in rows_of(dir_name, "test")}
    return images, labels, frames, {KEY: label for name, label in rows_of(dir_name, "test")}
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")
@pytest.mark.parametrize("key", ["home / name", "Path(name)", "PurePath(home, name)", "str(home / name)"])
@pytest.mark.parametrize("name", ["load_image_data", "load_video_data"])
def test_paths_may_be_the_keys_where_it_is_graded_as_well(sandbox, name, key):
    text, space = PATHS_AS_KEYS.replace("KEY", key), {}
    exec(text, space)
    here, there = judged(TASK, name, space[name], lenient=True), Grader(TASK, collect([]), sandbox).check(TASK.by_name[name], collect([text]))
    assert here.status == there.status == RIGHT, (here, there)


@pytest.mark.parametrize("table", [lambda folder: folder / "train" / "labels.csv", lambda folder: folder + "/train/labels.csv", lambda folder: folder.joinpath("train", "labels.csv"),
                                   lambda folder: folder.rstrip("/") + "/train/labels.csv"])
@pytest.mark.parametrize("name", ["load_image_data", "load_video_data"])
def test_a_file_that_is_not_there_is_named_and_not_the_folder_in_another_form(name, table):
    """In grading the folder is handed over as text and as path: who works with one of them need not read that the other fails."""
    rejected(TASK, name, lambda dir_name: open(table(dir_name)), "labels.csv", lenient=True)


def test_a_picture_that_is_no_array_is_said_in_grading_as_well():
    """There Pillow's pictures stay in the sandbox, and what comes is no picture."""
    from common.exercises.verdict import Wrong
    from TrackDetector.checks.data import _pixels

    with pytest.raises(Wrong, match="is a object, expected an array"):
        _pixels(object(), "1.png", True)
