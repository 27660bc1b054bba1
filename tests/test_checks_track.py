"""Every check of TrackDetector accepts several right answers and names what is wrong with the wrong ones."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.exercises.exercise import RIGHT, WRONG, Local, judge
from common.photos import read_photo
from TrackDetector import faces, get_data
from TrackDetector.alignment import align
from TrackDetector.checks import faces as checks_faces
from TrackDetector.checks.faces import read_names
from TrackDetector.classifier import Classifier
from TrackDetector.descriptors import get_layer_output
from TrackDetector.exercises import TASK, cut_faces
from TrackDetector.photos import in_numeric_order


def verdict(name, f):
    task = type(TASK)(TASK.name, TASK.exercises, TASK.scores)
    return judge(task.by_name[name], f, Local(task))


def rejected(exercise, f, diagnosis):
    answer = verdict(exercise, f)
    assert answer.status == WRONG and diagnosis in answer.message, answer


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


LOAD_RIGHT = {"reference": get_data.load_image_data, "from 0 to 1": loader(read=lambda p: read_photo(p) / 255.0), "lists": loader(pairs=as_lists),
              "names without suffix": loader(key=lambda n: n[:-4]), "only .jpg": of_suffix(".jpg"), "only .png": of_suffix(".png"),
              "scaled": loader(read=lambda p: cv2.resize(read_photo(p), (50, 50))),
              "header among the labels": loader(pairs=lambda images, labels: (images, {"filename": "class_id", **labels}))}
LOAD_WRONG = {
    "BGR": (loader(read=bgr), "BGR"),
    "training and test swapped": (lambda d: loader()(d)[2:] + loader()(d)[:2], "pictures, there are"),
    "listed in another order": (loader(listed=True), "match pictures and labels by file name"),
    "grey": (loader(read=lambda p: np.repeat(cv2.imread(str(p), 0)[:, :, None], 3, axis=2)), "grey"),
    "cannot be read": (loader(read=lambda p: cv2.imread(str(p) + ".jpg")), "None"),
    "labels under other names": (loader(pairs=lambda i, t: (i, {n[:-4]: x for n, x in t.items()})), "no label under the same name"),
    "training only": (lambda d: photos(d, "train"), "4 answers"),
}


@pytest.mark.parametrize("name", LOAD_RIGHT)
def test_load_image_data_right(name):
    assert str(verdict("load_image_data", LOAD_RIGHT[name])) == "load_image_data: right"


@pytest.mark.parametrize("name", LOAD_WRONG)
def test_load_image_data_wrong(name):
    rejected("load_image_data", *LOAD_WRONG[name])


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


VIDEO_RIGHT = {"reference": get_data.load_video_data, "arrays": clips(one=np.array), "sorted by int": clips(order=lambda ps: sorted(ps, key=lambda p: int(p.stem))),
               "lists": clips(pairs=as_lists), "whole paths": by_paths}
VIDEO_WRONG = {
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
    assert str(verdict("load_video_data", VIDEO_RIGHT[name])) == "load_video_data: right"


@pytest.mark.parametrize("name", VIDEO_WRONG)
def test_load_video_data_wrong(name):
    rejected("load_video_data", *VIDEO_WRONG[name])


def each(one, pack=np.array):
    def f(imgs):
        items = list(imgs.values()) if isinstance(imgs, dict) else list(imgs)
        return pack([one(image) for image in items])
    return f


def aligned(image, size=224):
    return align(image, faces.find_face(image, thorough=False).landmarks, size)


def boxed(image, grow=0.2):
    top, left, bottom, right = faces.find_face(image, thorough=False).box
    more = grow * (bottom - top)
    part = image[max(int(top - more), 0) : int(bottom + more), max(int(left - more), 0) : int(right + more)]
    return cv2.resize(part, (224, 224))


def by_eyes(image):
    face = faces.find_face(image, thorough=False)
    points = face.landmarks[np.argsort(face.landmarks[:4, 1])]
    left, right = points[:2].mean(axis=0), points[2:].mean(axis=0)
    (row, col), away = (left + right) / 2, right - left
    turn = cv2.getRotationMatrix2D((float(col), float(row)), float(np.degrees(np.arctan2(away[0], away[1]))), float(85 / np.hypot(*away)))
    turn[:, 2] += [112 - col, 85 - row]
    return cv2.warpAffine(image, turn, (224, 224))


def only_found(imgs):
    return np.array([aligned(i) for i in imgs if faces.find_face(i, thorough=False).found])


def into_one_array(imgs):
    crop, crops = np.zeros((224, 224, 3), np.uint8), []
    for image in imgs:
        crop[:] = aligned(image)
        crops.append(crop)
    return crops


def wrong_box(image):
    top, left, bottom, right = (int(v) for v in faces.find_face(image, thorough=False).box)
    return cv2.resize(image[left:right, top:bottom] if image[left:right, top:bottom].size else image, (224, 224))


CROP_RIGHT = {"reference": lambda imgs: faces.preprocess_imgs(imgs, thorough=False), "crops alone": each(aligned), "by the eyes": each(by_eyes),
              "from 0 to 1, a list": each(lambda i: aligned(i) / 255.0, list),
              "dictionaries only": lambda imgs: {n: aligned(i) for n, i in imgs.items()}}
CROP_WRONG = {
    "whole photo": (each(lambda i: cv2.resize(i, (224, 224))), "do not just shrink"),
    "not upright": (each(boxed), "turn the face upright"),
    "BGR": (each(lambda i: aligned(i)[:, :, ::-1]), "blue and red are swapped"),
    "150 pixels": (each(lambda i: aligned(i, 150)), "expected crops of shape"),
    "photos without a face left out": (only_found, "keeps its place"),
    "turned on its side": (each(lambda i: aligned(i).transpose(1, 0, 2)), "rows and columns are swapped"),
    "columns for rows": (each(wrong_box), "photo"),
    "backwards": (lambda imgs: each(aligned)(imgs)[::-1], "in the place of photo a.png lies the face of photo e.png"),
    "always the first": (lambda imgs: np.array([aligned(imgs[0])] * len(imgs)), "one and the same"),
    "one array for all": (into_one_array, "one and the same"),
    "two exchanged": (lambda imgs: each(aligned)(imgs)[[0, 1, 3, 2, 4]], "in the place of photo c.png lies the face of photo d.png"),
    "too narrow": (each(lambda i: cv2.resize(aligned(i)[60:150, 70:154], (224, 224))), "photo"),
}


@pytest.mark.parametrize("name", CROP_RIGHT)
def test_preprocess_imgs_right(name):
    assert str(verdict("preprocess_imgs", CROP_RIGHT[name])) == "preprocess_imgs: right"


@pytest.mark.parametrize("name", CROP_WRONG)
def test_preprocess_imgs_wrong(name):
    rejected("preprocess_imgs", *CROP_WRONG[name])


class Plain:
    """A student's classifier: one descriptor a face, the nearest neighbour."""

    refit = by_position = voting_all = peeks = False

    def __init__(self, nn_model):
        self.nn_model = nn_model

    def describe(self, images):
        crops, found = faces.preprocess_imgs(images, thorough=False)
        return get_layer_output(crops, model=self.nn_model), found

    def fit(self, train_imgs, train_labels):
        from sklearn.neighbors import KNeighborsClassifier

        self.taught = train_imgs, train_labels
        labels = list(train_labels.values()) if self.by_position else [train_labels[n] for n in train_imgs]
        self.knn = KNeighborsClassifier(1).fit(self.describe(train_imgs)[0], labels)

    def classify_images(self, test_imgs):
        if self.refit:
            descriptors = [self.describe([image])[0] for image in test_imgs.values()]
            return {n: self.learn_again().predict(d)[0] for n, d in zip(test_imgs, descriptors)}
        if self.peeks:
            return {n: test_labels[n] for n in test_imgs}  # noqa: F821
        return dict(zip(test_imgs, self.knn.predict(self.describe(test_imgs)[0])))

    def learn_again(self):
        return self.knn.fit(self.knn._fit_X, self.knn.classes_[self.knn._y])

    def classify_videos(self, test_videos):
        answers = {}
        for name, frames in test_videos.items():
            descriptors, found = self.describe(frames)
            used = descriptors if self.voting_all or not found.any() else descriptors[found]
            names, votes = np.unique(self.knn.predict(used), return_counts=True)
            answers[name] = names[np.argmax(votes)]
        return answers


def variant(**changes):
    return type("Variant", (Plain,), changes)


class Nearest(Plain):
    """Another one: the nearest mean of each person, answers as lists."""

    def fit(self, train_imgs, train_labels):
        descriptors, _ = self.describe(train_imgs)
        labels = np.array([train_labels[n] for n in train_imgs])
        self.people = np.unique(labels)
        self.means = np.array([descriptors[labels == p].mean(axis=0) for p in self.people])

    def name(self, descriptors):
        return self.people[np.linalg.norm(descriptors[:, None] - self.means[None], axis=2).argmin(axis=1)]

    def classify_images(self, test_imgs):
        return list(self.name(self.describe(test_imgs)[0]))

    def classify_videos(self, test_videos):
        answer = []
        for frames in test_videos.values():
            descriptors, found = self.describe(frames)
            answer.append(self.name(descriptors[found].mean(axis=0, keepdims=True))[0])
        return answer


def keeps_the_old(self, imgs, labels):
    old = getattr(self, "all", ({}, {}))
    self.all = {**old[0], **imgs}, {**old[1], **labels}
    Plain.fit(self, *self.all)


WHO_RIGHT = {"reference": Classifier, "nearest neighbour, votes": Plain, "nearest mean, lists": Nearest}
WHO_WRONG = {
    "frames without a face vote": (variant(voting_all=True), "a frame in which nobody is seen must not vote"),
    "a fit for every photo": (variant(refit=True), "learn once"),
    "looks at the test labels": (variant(peeks=True), "table of test labels"),
    "labels by position": (variant(by_position=True), "classify_images"),
    "always the same": (variant(classify_images=lambda self, imgs: dict.fromkeys(imgs, "p4")), "always answers p4"),
    "keeps the old people": (variant(fit=keeps_the_old), "fit begins anew"),
    "numbers for names": (variant(classify_images=lambda self, imgs: {n: k for k, n in enumerate(imgs)}), "the name of nobody"),
    "answers are lost": (variant(classify_images=lambda self, imgs: dict(list(Plain.classify_images(self, imgs).items())[1:])), "no entry for"),
    "no return": (variant(classify_videos=lambda self, videos: None), "the answer is None"),
}


@pytest.mark.parametrize("name", WHO_RIGHT)
def test_classifier_right(name):
    assert str(verdict("Classifier", WHO_RIGHT[name])) == "Classifier: right"


@pytest.mark.parametrize("name", WHO_WRONG)
def test_classifier_wrong(name):
    rejected("Classifier", *WHO_WRONG[name])


@pytest.mark.parametrize("out", [{"a": np.array(["x"]), "b": "y"}, ["x", "y"], np.array([["x"], ["y"]]), {"b": np.str_("y"), "a": "x"}])
def test_names_of_any_shape(out):
    assert read_names(out, ["a", "b"], "photos") == ["x", "y"]


def test_accuracy_is_measured_on_names_of_any_shape():
    """What the predict of scikit-learn gives for one photo is an array of one name."""
    from types import SimpleNamespace

    from TrackDetector.checks import measured

    items = {"1": None, "2": None}
    classifier = SimpleNamespace(fit=lambda *data: None, classify_images=lambda asked: {n: np.array(["p" + n]) for n in asked},
                                 classify_videos=lambda asked: [["p1"]] * len(asked))
    session = SimpleNamespace(request=lambda op, **more: classifier if op == "call" else None, close=lambda: None)
    grader = SimpleNamespace(task=TASK, seed=1, borrowed={}, verdicts={"Classifier": SimpleNamespace(status=RIGHT)}, open=lambda *args: (session, []))
    answer = measured.measure(grader, SimpleNamespace(defined={"preprocess_imgs"}), None,
                             measured.Fresh((items, {}), (items, {"1": "p1", "2": "p2"}), (items, {"1": "p1", "2": "p2"})))
    assert answer == {"image_accuracy": (1.0, "on 2"), "video_accuracy": (0.5, "on 2")}


def test_enough_variants():
    assert min(map(len, (LOAD_WRONG, VIDEO_WRONG, CROP_WRONG, WHO_WRONG))) >= 5 and min(map(len, (LOAD_RIGHT, VIDEO_RIGHT, CROP_RIGHT, WHO_RIGHT))) >= 3
    assert verdict("load_image_data", get_data.load_image_data).status == RIGHT


@pytest.mark.parametrize("written", ["reference", "for lists, crops alone", "dictionaries of crops", "numbers of 64 bits"])
def test_the_notebook_goes_on_with_every_right_answer(written):
    def for_lists(imgs):
        return [aligned(imgs[k]) for k in range(len(imgs))]

    photos = {f"{k}.png": checks_faces.photo(4 * k, 0) for k in range(2)}
    preprocess = {"reference": lambda imgs: faces.preprocess_imgs(imgs, thorough=False), "for lists, crops alone": for_lists,
                  "dictionaries of crops": CROP_RIGHT["dictionaries only"], "numbers of 64 bits": each(lambda i: aligned(i).astype(np.int64))}[written]
    crops, found = cut_faces(preprocess, photos)
    assert crops.dtype == np.uint8 and found.tolist() == [True, True]
    np.testing.assert_array_equal(crops, [aligned(image) for image in photos.values()])
