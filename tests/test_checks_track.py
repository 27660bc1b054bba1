"""Every check of TrackDetector accepts several right answers and names what is wrong with the wrong ones."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from coursework import judged

from common.exercises.exercise import RIGHT, WRONG
from common.photos import read_photo
from TrackDetector import faces, get_data
from TrackDetector.alignment import align
from TrackDetector.checks import faces as checks_faces
from TrackDetector.checks.naming import read_names
from TrackDetector.classifier import Classifier
from TrackDetector.descriptors import get_layer_output
from TrackDetector.exercises import TASK, cut_faces
from TrackDetector.photos import in_numeric_order


def verdict(name, f, lenient=False):
    return judged(TASK, name, f, lenient)


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


@pytest.mark.parametrize("name", LOAD_OLD)
def test_load_image_data_of_the_published_course(name):
    assert verdict("load_image_data", LOAD_OLD[name], lenient=True).status == RIGHT


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


VIDEO_RIGHT = {"numbers for names": clips(pairs=lambda v, t: ({int(n): f for n, f in v.items()}, {int(n): who for n, who in t.items()})), "reference": get_data.load_video_data, "arrays": clips(one=np.array), "sorted by int": clips(order=lambda ps: sorted(ps, key=lambda p: int(p.stem))),
               "whole paths": by_paths, "tuples": clips(one=tuple), "by counting": clips(order=lambda ps: [ps[0].parent / f"{k}.jpg" for k in range(len(ps))])}
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
    return np.array([aligned(i) for i in imgs.values() if faces.find_face(i, thorough=False).found])


def into_one_array(imgs):
    crop, crops = np.zeros((224, 224, 3), np.uint8), []
    for image in imgs.values():
        crop[:] = aligned(image)
        crops.append(crop)
    return crops


def wrong_box(image):
    top, left, bottom, right = (int(v) for v in faces.find_face(image, thorough=False).box)
    return cv2.resize(image[left:right, top:bottom] if image[left:right, top:bottom].size else image, (224, 224))


def with_found(found):
    def f(imgs):
        items = list(imgs.values()) if isinstance(imgs, dict) else imgs
        return each(aligned)(items), found([faces.find_face(i, thorough=False).found for i in items])
    return f


def draws_on_them(imgs):
    items = list(imgs.values()) if isinstance(imgs, dict) else imgs
    answer = each(aligned)(items)
    for image in items:
        cv2.rectangle(image, (5, 5), (60, 60), (255, 0, 0), 3)
    return answer


def puts_them_back(imgs):
    for name in imgs:
        imgs[name] = aligned(imgs[name])
    return imgs


CROP_RIGHT = {"floats up to 255": each(lambda i: aligned(i).astype(np.float32)), "a list of found": with_found(list), "lists only": lambda imgs: np.stack([aligned(imgs[k]) for k in range(len(imgs))]),
              "reference": lambda imgs: faces.preprocess_imgs(imgs, thorough=False), "crops alone": each(aligned), "by the eyes": each(by_eyes),
              "from 0 to 1, a list": each(lambda i: aligned(i) / 255.0, list),
              "dictionaries only": lambda imgs: {n: aligned(i) for n, i in imgs.items()}}
CROP_WRONG = {
    "found everywhere": (with_found(lambda found: np.ones(len(found), bool)), "found says that a face was found in photo b.png"),
    "found the other way round": (with_found(lambda found: ~np.array(found)), "found says that no face was found"),
    "found of those that were found": (with_found(lambda found: [f for f in found if f]), "found has 4 entries"),
    "draws on the photos": (draws_on_them, "changes `imgs` in place"),
    "puts the crops in their place": (puts_them_back, "changes `imgs` in place"),
    "no return": (lambda imgs: None, "is there a `return`"),
    "whole photo": (each(lambda i: cv2.resize(i, (224, 224))), "do not just shrink"),
    "not upright": (each(boxed), "turn the face upright"),
    "BGR": (each(lambda i: aligned(i)[:, :, ::-1]), "blue and red are swapped"),
    "150 pixels": (each(lambda i: aligned(i, 150)), "expected crops of shape"),
    "photos without a face left out": (only_found, "keeps its place"),
    "turned on its side": (each(lambda i: aligned(i).transpose(1, 0, 2)), "rows and columns are swapped"),
    "columns for rows": (each(wrong_box), "photo"),
    "backwards": (lambda imgs: each(aligned)(imgs)[::-1], "in the place of photo a.png lies the face of photo e.png"),
    "always the first": (lambda imgs: np.array([aligned(list(imgs.values())[0])] * len(imgs)), "one and the same"),
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

    def __init__(self, nn_model, layer=None, n_neighbors=3):
        self.nn_model, self.layer = nn_model, layer

    def describe(self, images):
        crops, found = faces.preprocess_imgs(images, thorough=False)
        return self.flat(get_layer_output(crops, self.layer, self.nn_model)), found

    def flat(self, answers):
        return answers.reshape(len(answers), -1)

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
    """Another one: the nearest mean of each person."""

    def fit(self, train_imgs, train_labels):
        descriptors, _ = self.describe(train_imgs)
        labels = np.array([train_labels[n] for n in train_imgs])
        self.people = np.unique(labels)
        self.means = np.array([descriptors[labels == p].mean(axis=0) for p in self.people])

    def name(self, descriptors):
        return self.people[np.linalg.norm(descriptors[:, None] - self.means[None], axis=2).argmin(axis=1)]

    def classify_images(self, test_imgs):
        return dict(zip(test_imgs, self.name(self.describe(test_imgs)[0]).tolist()))

    def classify_videos(self, test_videos):
        answer = {}
        for name, frames in test_videos.items():
            descriptors, found = self.describe(frames)
            answer[name] = self.name(descriptors[found if found.any() else slice(None)].mean(axis=0, keepdims=True))[0]
        return answer


class ByHand(Plain):
    """Distances by hand, frame by frame and photo by photo; a global to keep things in."""

    axis, unknown, spelled, mean_of_all = 1, None, "unknown", False

    def fit(self, train_imgs, train_labels):
        self.gallery = self.describe(train_imgs)[0]
        self.names = [train_labels[name] for name in train_imgs]

    def who(self, descriptors):
        away = np.sqrt(((descriptors[:, None] - self.gallery[None]) ** 2).sum(axis=2))
        nearest = away.argmin(axis=self.axis)
        if self.unknown is not None:
            most = self.unknown if descriptors.shape[1] == 128 else np.inf  # of the last layer
            return [self.names[k] if row[k] < most else self.spelled for k, row in zip(nearest, away)]
        return [self.names[k] for k in nearest]

    def classify_images(self, test_imgs):
        return dict(zip(test_imgs, self.who(self.describe(test_imgs)[0])))

    def classify_videos(self, test_videos):
        answer = {}
        for name, frames in test_videos.items():
            descriptors, found = self.describe(frames)
            use = descriptors if self.mean_of_all or not found.any() else descriptors[found]
            answer[name] = self.who(use.mean(axis=0, keepdims=True))[0]
        return answer


def by_hand(**changes):
    return type("Variant", (ByHand,), changes)


def as_list_of_names(self, test_imgs):
    return list(Plain.classify_images(self, test_imgs).values())


def no_clip_without_a_face(self, test_videos):
    return {name: self.knn.predict(self.describe(frames)[0][self.describe(frames)[1]].mean(axis=0, keepdims=True))[0] for name, frames in test_videos.items()}


def empties_the_photos(self, test_imgs):
    answer = Plain.classify_images(self, test_imgs)
    for image in test_imgs.values():
        image[:] = 0
    return answer


class Only:
    """Made for the network alone, as in the published course."""

    def __init__(self, nn_model):
        self.inner = Plain(nn_model)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def keeps_the_old(self, imgs, labels):
    old = getattr(self, "all", ({}, {}))
    self.all = {**old[0], **imgs}, {**old[1], **labels}
    Plain.fit(self, *self.all)


class ByLikeness(Plain):
    """Cosines, and votes that weigh as much as they are alike; other names for the data."""

    def __init__(self, nn_model, layer=None, n_neighbors=3):
        super().__init__(nn_model, layer)
        self.k = n_neighbors

    def unit(self, x):
        descriptors, seen = self.describe(x)
        return descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True), seen

    def fit(self, X, y):
        self.gallery, self.people = self.unit(X)[0], [y[name] for name in X]

    def vote(self, descriptor):
        alike, votes = self.gallery @ descriptor, {}
        for j in np.argsort(-alike)[: self.k]:
            votes[self.people[j]] = votes.get(self.people[j], 0) + alike[j]
        return max(votes, key=votes.get)

    def classify_images(self, X):
        return {name: self.vote(descriptor) for name, descriptor in zip(X, self.unit(X)[0])}

    def classify_videos(self, V):
        seen = {name: self.unit(frames) for name, frames in V.items()}
        return {name: self.vote((descriptors[found] if found.any() else descriptors).mean(axis=0)) for name, (descriptors, found) in seen.items()}


class Uniform(Plain):
    """Each of the k nearest has one vote."""

    def __init__(self, nn_model, layer=None, n_neighbors=3):
        super().__init__(nn_model, layer)
        self.k = n_neighbors

    def fit(self, train_imgs, train_labels):
        from sklearn.neighbors import KNeighborsClassifier

        self.knn = KNeighborsClassifier(self.k).fit(self.describe(train_imgs)[0], [train_labels[name] for name in train_imgs])


WHO_RIGHT = {"by likeness": ByLikeness, "uniform votes": Uniform, "reference": Classifier, "nearest neighbour, votes": Plain, "nearest mean": Nearest, "by hand": ByHand, "unknown for the far away": by_hand(unknown=0.55)}
WHO_OLD = {"lists": variant(classify_images=as_list_of_names), "the network alone": Only}
WHO_WRONG = {
    "frames without a face in the mean": (by_hand(mean_of_all=True), "nor count in the mean"),
    "the wrong axis": (by_hand(axis=0), "along the wrong axis"),
    "Unknown in another spelling": (by_hand(unknown=0.55, spelled="Unknown"), "says 'unknown'"),
    "everybody is Unknown": (by_hand(unknown=0.0, spelled="Unknown"), "everybody in these photos is in the training labels"),
    "lists": (WHO_OLD["lists"], "expected a dictionary from each name"),
    "the network alone": (Only, "Keep the parameters of the stub"),
    "a hidden layer is not flattened": (variant(flat=lambda self, answers: answers), "reshape(len(answers), -1)"),
    "no clip without a face": (variant(classify_videos=no_clip_without_a_face), "gets a name, too"),
    "changes the photos": (variant(classify_images=empties_the_photos), "changes the photos"),
    "frames without a face vote": (variant(voting_all=True), "a frame in which nobody is seen must not vote"),
    "a fit for every photo": (variant(refit=True), "learn once"),
    "looks at the test labels": (variant(peeks=True), "table of test labels"),
    "labels by position": (variant(by_position=True), "as if labels were taken by their order"),
    "always the same": (variant(classify_images=lambda self, imgs: dict.fromkeys(imgs, "p4")), "always"),
    "keeps the old people": (variant(fit=keeps_the_old), "fit begins anew"),
    "numbers for names": (variant(classify_images=lambda self, imgs: {n: k for k, n in enumerate(imgs)}), "the name of nobody"),
    "answers are lost": (variant(classify_images=lambda self, imgs: dict(list(Plain.classify_images(self, imgs).items())[1:])), "no entry for"),
    "no return": (variant(classify_videos=lambda self, videos: None), "got None"),
}


@pytest.mark.parametrize("name", WHO_RIGHT)
def test_classifier_right(name):
    assert str(verdict("Classifier", WHO_RIGHT[name])) == "Classifier: right"


@pytest.mark.parametrize("name", WHO_OLD)
def test_classifier_of_the_published_course(name):
    assert verdict("Classifier", WHO_OLD[name], lenient=True).status == RIGHT


@pytest.mark.parametrize("name", WHO_WRONG)
def test_classifier_wrong(name):
    rejected("Classifier", *WHO_WRONG[name])


@pytest.mark.parametrize("out", [{"a": np.array(["x"]), "b": "y"}, ["x", "y"], np.array([["x"], ["y"]]), {"b": np.str_("y"), "a": "x"}])
def test_names_of_any_shape(out):
    assert read_names(out, ["a", "b"], "photos", lenient=True) == ["x", "y"]


def test_accuracy_is_measured_on_names_of_any_shape():
    """What the predict of scikit-learn gives for one photo is an array of one name."""
    from types import SimpleNamespace

    from TrackDetector.checks import measured

    items = {"1": None, "2": None}
    classifier = SimpleNamespace(fit=lambda *data: None, classify_images=lambda asked: {n: np.array(["p" + n]) for n in asked},
                                 classify_videos=lambda asked: [["p1"]] * len(asked))
    session = SimpleNamespace(stand_ins={}, call=lambda *args, **more: classifier, request=lambda op, **more: classifier if op == "call" else None, close=lambda: None)
    grader = SimpleNamespace(task=TASK, seed=1, verdicts={"Classifier": SimpleNamespace(status=RIGHT, message="")}, open_as_judged=lambda *args: (session, []))
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
