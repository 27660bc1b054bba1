"""Checks of the loaders: `load_image_data` and `load_video_data`."""

import csv
from pathlib import Path

import numpy as np

from common.exercises.answer_form import one_of, parts, require
from common.files import temporary_folder

TRAIN = (("10", "anna"), ("2", "ben"), ("7", "anna"), ("1", "carl"))
TEST = (("5", "carl"), ("31", "ben"), ("4", "anna"))
CLIPS = (("3", "anna"), ("11", "ben"), ("2", "carl"))  # in the order of no sorting
FRAMES = 12


def colour(number):
    """A colour for each picture, with more red than blue."""
    return np.array([200 - 7 * number, 20 + 9 * number, 10 + 3 * number])


def _picture(number, rows=24):
    image = np.zeros((rows, 40, 3), np.uint8)
    image[:] = colour(number)
    return image


def _save(path, image):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=98)


def _table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("filename", "class_id"), *rows])


def lay_out_examples(folder, suffix):
    """Write a small data set of one-coloured pictures in the folders of the course, under a new folder.

    Files are written in another order than that of tables and numbers, as some file systems list them as they were written.
    """
    home = Path(folder)
    for kind, tables in (("image_classification", (("train", TRAIN), ("test", TEST))), ("video_classification", (("train", TRAIN),))):
        number = 0
        for part, rows in tables:
            for k, (name, _) in reversed(list(enumerate(rows, number))):
                _save(home / kind / part / "images" / f"{name}{suffix}", _picture(k, 24 + k))
            number += len(rows)
            _table(home / kind / part / f"y_{part}.csv", [(f"{name}{suffix}", label) for name, label in rows])
    for number, (clip, _) in enumerate(CLIPS):
        for frame in sorted(range(FRAMES), key=lambda k: 7 * k % FRAMES):
            _save(home / "video_classification" / "test" / "videos" / clip / f"{frame}.jpg", _picture(frame + 2 * number))
    _table(home / "video_classification" / "test" / "y_test.csv", CLIPS)
    return str(home)


def new_folder(suffix):
    """A folder with the examples that nobody else uses."""
    return lay_out_examples(temporary_folder(), suffix)


def _on_examples(kit, check):
    """Check on photos as the course's data has them, .jpg, and as the built-in people have them, .png: who reads the files of his own data reads right."""
    one_of(lambda suffix=suffix: check(kit.run("TrackDetector.checks.data:new_folder", suffix)) for suffix in (".jpg", ".png"))


def _pixels(image, name):
    require(image is not None, f"{name}: the picture is None: is the path right?")
    array = np.asarray(image, dtype=float)
    require(array.ndim == 3 and array.shape[2] == 3, f"{name}: expected a picture (height, width, 3), got shape {array.shape}")
    return array * 255 if array.max() <= 1 else array


def _pairs(images, labels, what):
    """(name, picture, label) of dictionaries or lists."""
    if isinstance(images, dict):
        require(isinstance(labels, dict), f"{what}: the pictures are a dictionary, the labels {type(labels).__name__}")
        lost = [n for n in images if n not in labels]
        require(not lost, f"{what}: the picture {lost[0]!r} has no label under the same name; the labels' names are like {next(iter(labels), None)!r}" if lost else "")
        return [(str(n), images[n], str(labels[n])) for n in images]
    require(len(images) == len(labels), f"{what}: {len(images)} pictures, but {len(labels)} labels")
    return [(f"number {k}", i, str(t)) for k, (i, t) in enumerate(zip(images, labels))]


def _check_colour(image, number, name):
    array = _pixels(image, name)
    mean, want = array.reshape(-1, 3).mean(axis=0), colour(number)
    if np.abs(mean - want).max() > 12:
        reason = ("blue and red are swapped: cv2.imread gives BGR, so turn it round with image[:, :, ::-1]" if np.abs(mean[::-1] - want).max() <= 12 else
                  "the picture is grey" if np.ptp(mean) < 3 else "that is another picture")
        require(False, f"{name}: the picture's colour is {mean.round().astype(int).tolist()}, in the file it is {want.tolist()}: {reason}")


def _number(array, among):
    """Which of the examples a picture is: by its height, or, where it was scaled in reading, by its green, which is green in BGR, too."""
    green = round((array[:, :, 1].mean() - 20) / 9)
    return array.shape[0] - 24 if array.shape[0] - 24 in among or green not in among else green


def _check_photos(images, labels, rows, first, what):
    found = _pairs(images, labels, what)
    require(len(found) == len(rows), f"{what}: {len(found)} pictures, there are {len(rows)} in the folder")
    truth = {first + k: (name, label) for k, (name, label) in enumerate(rows)}
    for name, image, label in found:
        array = _pixels(image, name)
        number = _number(array, truth)
        if isinstance(images, dict):
            by_name = next((k for k, row in truth.items() if row[0] == Path(name).stem), None)
            require(by_name is not None, f"{what}: {name!r} is the name of no picture in this folder; they are called {', '.join(n for n, _ in rows)}"
                    + (" (training and test photos are swapped)" if any(Path(name).stem == n for n, _ in (*TRAIN, *TEST)) else ""))
            require(number == by_name or number not in truth, f"{what}: under the name {name!r} lies another picture: the files are not listed in the "
                                                              "order of the table")
            number = by_name
        require(number in truth, f"{what}: a picture of another folder (training and test photos are swapped?)")
        _check_colour(image, number, name)
        require(label == truth[number][1], f"{what}: {truth[number][0]} shows {truth[number][1]}, the label says {label}: "
                                           "match pictures and labels by file name; the folder lists its files in another order than the table")


def check_load_image_data(f, kit):
    """All photos in RGB under their names, with their labels."""
    def check(home):
        answer = parts(f(f"{home}/image_classification"), 4, "train_images, train_labels, test_images, test_labels")
        _check_photos(answer[0], answer[1], TRAIN, 0, "training photos")
        _check_photos(answer[2], answer[3], TEST, len(TRAIN), "test photos")

    _on_examples(kit, check)


def check_load_video_data(f, kit):
    """All clips with all frames in their order."""
    def check(home):
        answer = parts(f(f"{home}/video_classification"), 4, "train_images, train_labels, test_videos, test_labels")
        _check_photos(answer[0], answer[1], TRAIN, 0, "training photos")
        _check_clips(answer[2], answer[3])

    _on_examples(kit, check)


def _check_clips(videos, labels):
    require(len(videos) == len(CLIPS), f"{len(videos)} clips, there are {len(CLIPS)} folders in test/videos")
    for name, frames, label in _pairs(videos, labels, "clips"):
        require(hasattr(frames, "__len__") and len(frames) == FRAMES, f"clip {name}: {len(frames) if hasattr(frames, '__len__') else 'no'} frames, "
                                                                      f"there are {FRAMES} in its folder")
        # green stays green in BGR
        numbers = [round((_pixels(frame, f"clip {name}")[:, :, 1].mean() - 20) / 9) for frame in frames]
        clip = next((k for k in range(len(CLIPS)) if sorted(numbers) == list(range(2 * k, 2 * k + FRAMES))), None)
        require(clip is not None, f"clip {name}: its frames are not those of one folder")
        order = [n - 2 * clip for n in numbers]
        require(order == list(range(FRAMES)), f"clip {name}: the frames come in the order {', '.join(map(str, order[:6]))} ...: "
                + ("sorted as text, 10 comes before 2; sort by the number" if order == sorted(range(FRAMES), key=str) else "sort them by the number in their names"))
        if isinstance(videos, dict):
            require(Path(name).stem == CLIPS[clip][0], f"under the name {name!r} lies clip {CLIPS[clip][0]}: the folders are not listed in the order of the table")
        require(label == CLIPS[clip][1], f"clip {CLIPS[clip][0]} shows {CLIPS[clip][1]}, the label says {label}: match clips and labels by name")
        _check_colour(frames[1], numbers[1], f"clip {name}, frame 1")
