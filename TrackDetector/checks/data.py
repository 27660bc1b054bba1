"""Checks of the loaders: `load_image_data` and `load_video_data`."""

import csv
import os
from pathlib import Path

import numpy as np

from common.exercises.answer_form import one_of, parts, require
from common.files import from_root, temporary_folder
from common.photos import PHOTO_SUFFIXES

TRAIN = (("10", "anna"), ("2", "ben"), ("7", "anna"), ("1", "carl"))
TEST = (("5", "carl"), ("31", "ben"), ("4", "anna"))
CLIPS = (("3", "anna"), ("11", "ben"), ("2", "carl"))  # in the order of no sorting
FRAMES = 12
NUMBERS = {"anna": "12", "ben": "3", "carl": "40"}  # class ids that a table's reader may take for numbers
ANSWERS = "train_images, train_labels, test_images, test_labels"
HOME = Path(__file__).resolve().parents[2] / "data" / "Face_Recognition_data"


def colour(number):
    """A colour for each picture, with more red than blue."""
    return np.array([200 - 7 * number, 20 + 9 * number, 10 + 3 * number])


SLOPE = (5, 3)  # how much lighter than its mean a picture is at its top and at its left


def _picture(number, rows=24):
    light = np.add.outer(*(most * np.linspace(1, -1, length) for most, length in zip(SLOPE, (rows, 40))))
    return np.round(colour(number) + light[..., None]).astype(np.uint8)


def _named(rows, numbers):
    """(name, label) of the examples: in the second set the names are others, and the labels are numbers."""
    return [(f"1{name}", NUMBERS[label]) if numbers else (name, label) for name, label in rows]


def _save(path, image):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=98)


def _table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("filename", "class_id"), *rows])


def lay_out_examples(folder, suffix, numbers=False):
    """Write a small data set of pictures of one colour each, lighter at the top left, in the folders of the course, under a new folder.

    Files are written in another order than that of tables and numbers, as some file systems list them as they were written.
    """
    home = Path(folder)
    for kind, tables in (("image_classification", (("train", TRAIN), ("test", TEST))), ("video_classification", (("train", TRAIN),))):
        number = 0
        for part, rows in tables:
            rows = _named(rows, numbers)
            for k, (name, _) in reversed(list(enumerate(rows, number))):
                _save(home / kind / part / "images" / f"{name}{suffix}", _picture(k, 24 + k))
            number += len(rows)
            _table(home / kind / part / f"y_{part}.csv", [(f"{name}{suffix}", label) for name, label in rows])
    clips = _named(CLIPS, numbers)
    for number, (clip, _) in enumerate(clips):
        for frame in sorted(range(FRAMES), key=lambda k: 7 * k % FRAMES):
            _save(home / "video_classification" / "test" / "videos" / clip / f"{frame}.jpg", _picture(frame + 2 * number))
    _table(home / "video_classification" / "test" / "y_test.csv", clips)
    return str(home)


def new_folder(suffix, numbers=False):
    """A folder with the examples that nobody else uses."""
    return lay_out_examples(temporary_folder(), suffix, numbers)


def suffix_in_use():
    """How the photos end that the notebook's next cell will read: those of the user's own data, else of the built-in people."""
    places = [Path(os.environ.get("KIT_DATA", HOME))]
    if os.environ.get("FACE_RECOGNITION_DIR") and os.environ.get("KIT_SOURCE") != "demo":
        places.append(from_root(os.environ["FACE_RECOGNITION_DIR"]))
    photos = [p for home in places for p in (home / "image_classification" / "train" / "images").glob("*.*") if p.suffix.lower() in PHOTO_SUFFIXES]
    return ".jpg" if photos and photos[0].suffix.lower() != ".png" else ".png"


def _on_examples(f, kit, kind, check):
    """Check on photos in folders as those of the notebook's data; labels that look like numbers must stay text.

    In the published course, the folder's name is text and photos end in .jpg; who reads his own data reads right there.
    """
    def one(suffix, as_path, numbers=False):
        folder = f"{kit.run('TrackDetector.checks.data:new_folder', suffix, numbers)}/{kind}"
        check(parts(f(kit.run("pathlib:Path", folder) if as_path else folder), 4, ANSWERS), numbers)

    if kit.lenient:
        one_of(lambda suffix=suffix, as_path=as_path: one(suffix, as_path) for suffix in (".jpg", ".png") for as_path in (False, True))
        return
    one(suffix_in_use(), True)
    one(suffix_in_use(), True, True)


def _pixels(image, name, lenient):
    require(image is not None, f"{name}: the picture is None: is the path right?")
    require(lenient or isinstance(image, np.ndarray), f"{name}: the picture is a {type(image).__name__}, expected an array (height, width, 3): np.array(picture)")
    try:
        array = np.asarray(image, dtype=float)
    except (TypeError, ValueError):  # in grading an object of the student's stays where it is
        require(False, f"{name}: the picture is a {type(image).__name__}, expected an array (height, width, 3): np.array(picture)")
    twice = ": gray2rgb makes three colours of every number, so call it for grey pictures alone, image.ndim == 2" if array.shape[2:] == (3, 3) else ""
    require(array.ndim == 3 and array.shape[2] == 3, f"{name}: expected a picture (height, width, 3), got shape {array.shape}{twice}")
    small = array.max() <= 1
    require(lenient or array.min() >= 0, f"{name}: the pixels are {image.dtype} from {array.min():.3g} to {array.max():.3g}, expected uint8 from 0 to 255: leave them as they are in the file")
    require(lenient or image.dtype == np.uint8 or small and image.dtype.kind == "f", f"{name}: the pixels are {image.dtype} from {array.min():g} to {array.max():g}, expected uint8 "
                                                                                    "from 0 to 255: picture.astype('uint8')")
    return array * 255 if small else array


_EMPTY = object()


def _holds(part):
    """What a dictionary or list holds: its first value."""
    return next(iter(part.values() if isinstance(part, dict) else part), _EMPTY) if isinstance(part, (dict, list, tuple)) else part


def _kind(value):
    if value is _EMPTY:
        return "nothing"
    if isinstance(value, (list, tuple)):
        return "rows of text" if len(value) and isinstance(value[0], str) else "clips"
    return "labels" if isinstance(value, (str, bytes, int, np.integer)) else "clips" if np.ndim(value) == 4 and np.shape(value)[2:] != (3, 3) else "pictures"


def _check_order(answer, third="pictures"):
    """The four answers in their order, pictures (or clips) and labels in turn."""
    first = [_holds(part) for part in answer]
    kinds = [_kind(value) for value in first]
    asked = ["pictures", "labels", third, "labels"]
    # where one is empty, what is missing in it is said below
    require(all(kind in (want, "nothing") or k == 2 and kind == "pictures" for k, (kind, want) in enumerate(zip(kinds, asked))),
            f"expected {', '.join(asked)} in this order; got {', '.join(kinds)}")


def _pairs(images, labels, what, lenient):
    """(name, picture, label) of dictionaries; in the published course also of lists."""
    if isinstance(images, dict):
        require(isinstance(labels, dict), f"{what}: the pictures are a dictionary, the labels {type(labels).__name__}")
        if labels.get("filename") == "class_id":
            require(lenient, f"{what}: the first line of the table, filename,class_id, is among the labels: it is the header, skip it")
            labels = {name: label for name, label in labels.items() if name != "filename"}
        lost = [n for n in images if n not in labels]
        require(not lost, f"{what}: the picture {lost[0]!r} has no label under the same name; the labels' names are like {next(iter(labels), None)!r}" if lost else "")
        lost = [n for n in labels if n not in images]
        require(lenient or not lost, f"{what}: the label of {lost[0]!r} has no picture" if lost else "")
        found = [(str(n), images[n], labels[n]) for n in images]
    else:
        require(lenient, f"{what}: expected a dictionary from name to picture, got {type(images).__name__}: the cells below look them up by name")
        require(len(images) == len(labels), f"{what}: {len(images)} pictures, but {len(labels)} labels")
        found = [(f"number {k}", i, t) for k, (i, t) in enumerate(zip(images, labels))]
    for name, _, label in found:
        how = "decode it, or open the table as text" if isinstance(label, bytes) else "pandas.read_csv(path, dtype=str) and csv leave it text"
        require(lenient or isinstance(label, str), f"{what}: the label of {name!r} is {label!r}, {type(label).__name__}; expected text: {how}")
    return [(name, image, str(label)) for name, image, label in found]


def _why_label(label, truth, what, name):
    """What a label that is not the table's seems to be."""
    if Path(label).stem == name:
        return "that is the name itself; who it is stands in the column class_id"
    if label.strip() == truth:
        return "there is a space or the end of a line in it: label.strip() takes it away"
    if label.strip("'\"") == truth:
        return "the quotation marks do not belong to it"
    if label.lower() == truth.lower():
        return "leave the letters as they are in the table"
    if what == "clips":
        return "match clips and labels by name"
    return "match pictures and labels by file name; the folder lists its files in another order than the table"


def _check_upright(array, name):
    """Pictures are lighter at the top and at the left."""
    (high, wide), flat = np.array(array.shape[:2]) // 2, array.mean(axis=2)
    down, right = flat[:high].mean() < flat[-high:].mean() - 1, flat[:, :wide].mean() < flat[:, -wide:].mean() - 1
    require(not (down and right), f"{name}: the picture is turned by 180 degrees: np.flip(image) turns every axis; image[:, :, ::-1] exchanges the colours alone")
    require(not (down or right), f"{name}: the picture is {'upside down' if down else 'mirrored'}: leave rows and columns as they are in the file")


def _check_colour(image, number, name, lenient, size=None):
    array = _pixels(image, name, lenient)
    require(lenient or size is None or array.shape[:2] == size, f"{name}: the picture is {array.shape[0]} x {array.shape[1]}, in the file it is {size[0]} x {size[1]}: "
            + ("rows and columns are swapped" if array.shape[1::-1] == size else "leave its size, or faces become too small to be found") if size else "")
    mean, want = array.reshape(-1, 3).mean(axis=0), colour(number)
    if np.abs(mean - want).max() > 12:
        other = mean[[0, 2, 1]], mean[[1, 0, 2]], mean[[1, 2, 0]], mean[[2, 0, 1]]
        reason = ("blue and red are swapped: cv2.imread gives BGR, so turn it round with image[:, :, ::-1]" if np.abs(mean[::-1] - want).max() <= 12 else
                  "the colours come in another order than red, green, blue" if any(np.abs(turned - want).max() <= 12 for turned in other) else
                  "the picture is grey" if np.ptp(mean) < 3 else "the picture is lighter or darker than its file: leave the pixels as they are" if np.ptp(mean / want) < 0.3 else
                  "that is another picture, or its colours are not red, green and blue, but HSV or LAB")
        require(False, f"{name}: the picture's mean colour is {mean.round().astype(int).tolist()}, in the file it is {want.tolist()}: {reason}")
    _check_upright(array, name)


def _number(array, among):
    """Which of the examples a picture is: by its height, or, where it was scaled in reading, by its green, which is green in BGR, too."""
    green = round((array[:, :, 1].mean() - 20) / 9)
    return array.shape[0] - 24 if array.shape[0] - 24 in among or green not in among else green


def _check_photos(images, labels, rows, first, what, lenient, numbers=False):
    found = _pairs(images, labels, what, lenient)
    earlier = {name for name, _ in (*TRAIN, *TEST)} if numbers else set()
    rows = _named(rows, numbers)
    others = [name for name, _, _ in found if Path(name).stem in earlier]
    require(not others, f"{what}: {others[0]!r} lay in the folder of an earlier call: begin with new dictionaries in every call, and keep nothing between calls" if others else "")
    other = {name for name, _ in _named(TEST if first == 0 else TRAIN, numbers)}
    require({Path(name).stem for name, _, _ in found} != other, f"{what}: these are the {'test' if first == 0 else 'training'} photos: training and test photos are swapped")
    require(len(found) == len(rows), f"{what}: {len(found)} pictures, there are {len(rows)} in the folder")
    truth = {first + k: (name, label) for k, (name, label) in enumerate(rows)}
    for name, image, label in found:
        array = _pixels(image, name, lenient)
        number = _number(array, truth)
        if isinstance(images, dict):
            by_name = next((k for k, row in truth.items() if row[0] == Path(name).stem), None)
            require(by_name is not None, f"{what}: {name!r} is the name of no picture in this folder; they are called {', '.join(n for n, _ in rows)}"
                    + (" (training and test photos are swapped)" if any(Path(name).stem == n for n, _ in _named((*TRAIN, *TEST), numbers)) else ""))
            require(number == by_name or number not in truth, f"{what}: under the name {name!r} lies another picture: the files are not listed in the "
                                                              "order of the table")
            number = by_name
        require(number in truth, f"{what}: a picture of another folder (training and test photos are swapped?)")
        _check_colour(image, number, name, lenient, (24 + number, 40))
        require(label == truth[number][1], f"{what}: {truth[number][0]} shows {truth[number][1]}, the label says {label!r}: {_why_label(label, truth[number][1], 'pictures', truth[number][0])}")


def check_load_image_data(f, kit):
    """All photos in RGB under their names, with their labels; the folder comes as a path, as in the notebook."""
    def check(answer, numbers):
        _check_order(answer)
        _check_photos(answer[0], answer[1], TRAIN, 0, "training photos", kit.lenient, numbers)
        _check_photos(answer[2], answer[3], TEST, len(TRAIN), "test photos", kit.lenient, numbers)

    _on_examples(f, kit, "image_classification", check)


def check_load_video_data(f, kit):
    """All clips with all frames in their order."""
    def check(answer, numbers):
        _check_order(answer, "clips")
        _check_photos(answer[0], answer[1], TRAIN, 0, "training photos", kit.lenient, numbers)
        _check_clips(answer[2], answer[3], kit.lenient, numbers)

    _on_examples(f, kit, "video_classification", check)


def _check_clips(videos, labels, lenient, numbers):
    truth, earlier = dict(_named(CLIPS, numbers)), {clip for clip, _ in CLIPS} if numbers else set()
    others = [name for name in videos if Path(str(name)).stem in earlier] if isinstance(videos, dict) else []
    require(not others, f"clip {others[0]!r} lay in the folder of an earlier call: begin with new dictionaries in every call, and keep nothing between calls" if others else "")
    require(len(videos) == len(CLIPS), f"{len(videos)} clips, there are {len(CLIPS)} folders in test/videos")
    clips = list(truth)
    for name, frames, label in _pairs(videos, labels, "clips", lenient):
        require(hasattr(frames, "__len__") and not isinstance(frames, dict), f"clip {name}: expected a list of frames, got {type(frames).__name__}")
        require(not hasattr(frames, "ndim") or frames.ndim == 4 or frames.dtype == object, f"clip {name}: expected a list of frames, got one array of shape {np.shape(frames)}")
        require(len(frames) == FRAMES, f"clip {name}: {len(frames)} frames, there are {FRAMES} in its folder")
        # green stays green in BGR
        numbers_seen = [round((_pixels(frame, f"clip {name}", lenient)[:, :, 1].mean() - 20) / 9) for frame in frames]
        clip = next((k for k in range(len(CLIPS)) if sorted(numbers_seen) == list(range(2 * k, 2 * k + FRAMES))), None)
        require(clip is not None, f"clip {name}: its frames are not those of one folder")
        order = [n - 2 * clip for n in numbers_seen]
        require(order == list(range(FRAMES)), f"clip {name}: the frames come in the order {', '.join(map(str, order[:6]))} ...: "
                + ("sorted as text, 10 comes before 2; sort by the number" if order == sorted(range(FRAMES), key=str) else "sort them by the number in their names"))
        if isinstance(videos, dict):
            require(Path(name).stem == clips[clip], f"under the name {name!r} lies clip {clips[clip]}: the folders are not listed in the order of the table")
        require(label == truth[clips[clip]], f"clip {clips[clip]} shows {truth[clips[clip]]}, the label says {label!r}: {_why_label(label, truth[clips[clip]], 'clips', clips[clip])}")
        _check_colour(frames[1], numbers_seen[1], f"clip {name}, frame 1", lenient, (24, 40))
