"""Slips in TrackDetector's exercises that look right at first: each is named, and nothing is said of it that is not true."""

import cv2
import numpy as np
import pytest
import test_checks_data as loading
import test_checks_faces as cutting
import test_checks_naming as people
from coursework import judged, rejected

from common.photos import read_photo
from TrackDetector import faces
from TrackDetector.alignment import align
from TrackDetector.exercises import TASK

pytestmark = pytest.mark.usefixtures("remembered_descriptors")

# --- loaders ---


def loaded(read=read_photo, label=lambda who: who):
    def f(dir_name):
        answer = []
        for part in ("train", "test"):
            rows = loading.table(dir_name / part / f"y_{part}.csv")
            answer += [{name: read(dir_name / part / "images" / name) for name, _ in rows}, {name: label(who) for name, who in rows}]
        return tuple(answer)
    return f


def growing(dir_name, photos={}, labels={}, tests={}, test_labels={}):  # noqa: B006
    for kept, new in zip((photos, labels, tests, test_labels), loaded()(dir_name)):
        kept.update(new)
    return photos, labels, tests, test_labels


def growing_clips(dir_name, videos={}, labels={}):  # noqa: B006
    *train, clips, names = loading.clips()(dir_name)
    videos.update(clips)
    labels.update(names)
    return (*train, videos, labels)


PHOTOS = {
    "np.flip": (loaded(lambda p: np.flip(cv2.imread(str(p)))), "turned by 180 degrees"),
    "upside down": (loaded(lambda p: read_photo(p)[::-1]), "upside down"),
    "mirrored": (loaded(lambda p: read_photo(p)[:, ::-1]), "mirrored"),
    "turned over": (loaded(lambda p: read_photo(p).transpose(1, 0, 2)), "rows and columns are swapped"),
    "green and blue": (loaded(lambda p: read_photo(p)[..., [0, 2, 1]]), "another order than red, green, blue"),
    "lighter": (loaded(lambda p: np.clip(read_photo(p) * 1.3, 0, 255).astype(np.uint8)), "lighter or darker than its file"),
    "from -1 to 1": (loaded(lambda p: read_photo(p) / 127.5 - 1), "from -0.984 to 0.6"),
    "the end of the line": (loaded(label=lambda who: who + "\n"), "label.strip()"),
    "a space": (loaded(label=lambda who: " " + who), "label.strip()"),
    "quotation marks": (loaded(label=lambda who: f'"{who}"'), "quotation marks"),
    "capitals": (loaded(label=str.upper), "leave the letters"),
    "labels in tuples": (loaded(label=lambda who: (who,)), "rows of text"),
    "grows from call to call": (growing, "begin with new dictionaries in every call"),
    "test photos first": (lambda dir_name: sum((loaded()(dir_name)[k : k + 2] for k in (2, 0)), ()), "training and test photos are swapped"),
    "paths": (loaded(read=str), "got labels, labels"),
    "a file that is not there": (loaded(read=lambda path: cv2.cvtColor(cv2.imread(f"{path}.jpeg"), cv2.COLOR_BGR2RGB)), "cv2.imread gives None where there is no such file"),
}
CLIPS = {
    "clips first": (lambda dir_name: [loading.clips()(dir_name)[k] for k in (2, 3, 0, 1)], "got clips, labels, pictures, labels"),
    "np.flip": (loading.clips(read=lambda p: np.flip(cv2.imread(str(p)))), "turned by 180 degrees"),
    "grows from call to call": (growing_clips, "begin with new dictionaries in every call"),
    "the mean of a clip": (loading.clips(one=lambda frames: np.mean(frames, axis=0)), "got one array"),
    "every second frame": (loading.clips(one=lambda frames: frames[::2]), "6 frames, there are 12"),
    "the end of the line": (loading.clips(labels=lambda rows: {name: who + "\r" for name, who in rows}), "label.strip()"),
    "an iterator": (loading.clips(one=iter), "expected a list of frames"),
}

# --- crops ---


def kept_by_name():
    kept = {}

    def f(imgs):
        for name, image in imgs.items():
            kept.setdefault(name, cutting.aligned(image))
        return np.array([kept[name] for name in imgs])
    return f


def growing_crops(imgs, crops=[]):  # noqa: B006
    crops += [cutting.aligned(image) for image in imgs.values()]
    return np.array(crops)


def found(imgs):
    return [faces.find_face(image, thorough=False) for image in imgs.values()]


def crops(change):
    return cutting.each(lambda image: change(cutting.aligned(image)))


def landmarks_of_the_whole(image):
    face = faces.find_face(image, thorough=False)
    top, left, bottom, right = np.clip(face.box, 0, None).astype(int)
    return align(image[top:bottom, left:right], face.landmarks, 224)


CROPS = {
    "backwards, found too": (lambda imgs: (crops(lambda crop: crop)(imgs)[::-1], np.array([face.found for face in found(imgs)])[::-1]), "crops and found come in the order of imgs"),
    "mirrored": (crops(lambda crop: crop[:, ::-1]), "mirrored in the crops"),
    "upside down": (crops(lambda crop: crop[::-1]), "the crop is upside down"),
    "on its side": (crops(np.rot90), "it lies on its side"),
    "half as bright": (crops(lambda crop: crop // 2), "much darker than the photo"),
    "green and blue": (crops(lambda crop: crop[..., [0, 2, 1]]), "green and blue are swapped"),
    "True and False": (crops(lambda crop: crop > 100), "hardly other numbers than"),
    "whole numbers of shares": (crops(lambda crop: (crop / 255).astype(np.uint8)), "hardly other numbers than"),
    "landmarks of the whole photo on a piece of it": (cutting.each(landmarks_of_the_whole), "they do not fit a piece of it"),
    "how instead of found": (lambda imgs: (crops(lambda crop: crop)(imgs), [face.how for face in found(imgs)]), "found holds text, such as"),
    "boxes beside them": (lambda imgs: (crops(lambda crop: crop)(imgs), np.array([face.box for face in found(imgs)])), "True or False for each photo"),
    "found first": (lambda imgs: (np.array([face.found for face in found(imgs)]), crops(lambda crop: crop)(imgs)), "return crops, found"),
    "kept by file name": (kept_by_name(), "it gives the earlier crops"),
    "twice as bright": (crops(lambda crop: crop * 2), "In uint8, 200 + 100 is 44"),
    "less the mean": (crops(lambda crop: crop - np.uint8(crop.mean())), "In uint8, 200 + 100 is 44"),
    "sorted by name": (lambda imgs: np.array([cutting.aligned(imgs[name]) for name in sorted(imgs)]), "in the place of photo"),
    "sorted by name, with found": (lambda imgs: tuple(f({name: imgs[name] for name in sorted(imgs)}) for f in (crops(lambda crop: crop), lambda imgs: [face.found for face in found(imgs)])),
                                   "crops and found come in the order of imgs"),
    "a crop for every face": (lambda imgs: np.array([align(image, face.landmarks, 224) for image in imgs.values() for face in faces.find_faces(image) or [faces.find_face(image, thorough=False)]]),
                              "a photo that shows several faces gives one crop"),
    "the last face": (cutting.each(lambda image: align(image, (faces.find_faces(image) or [faces.find_face(image, thorough=False)])[-1].landmarks, 224)), "photo e.png shows two faces"),
    "return in the loop": (lambda imgs: [cutting.aligned(next(iter(imgs.values())))], "does `return` stand after the loop"),
    "grows from call to call": (growing_crops, "begin with a new list in every call"),
}

# --- classifier ---


class FarWeights(people.Plain):
    """The farther, the more it counts."""

    def __init__(self, nn_model, layer=None, n_neighbors=3):
        super().__init__(nn_model, layer)
        self.n_neighbors = n_neighbors

    def fit(self, train_imgs, train_labels):
        from sklearn.neighbors import KNeighborsClassifier

        labels = [train_labels[name] for name in train_imgs]
        self.knn = KNeighborsClassifier(self.n_neighbors, weights=lambda away: away**4).fit(self.describe(train_imgs)[0], labels)


class Farthest(people.ByHand):
    def who(self, descriptors):
        return [self.names[k] for k in np.linalg.norm(descriptors[:, None] - self.gallery[None], axis=2).argmax(axis=1)]


class NextName(people.ByHand):
    def who(self, descriptors):
        order = sorted(set(self.names))
        return [order[(order.index(name) + 1) % len(order)] for name in super().who(descriptors)]


class ByBatch(people.ByHand):
    """Standardised by the photos that are asked about together."""

    def describe(self, images):
        descriptors, seen = super().describe(images)
        return (descriptors - descriptors.mean(axis=0)) / (descriptors.std(axis=0) + 1e-6), seen


class Layerless(people.Plain):
    def __init__(self, nn_model, layer=None, n_neighbors=3):
        super().__init__(nn_model)


class ByName(people.Plain):
    """Answers are kept under the names of the files."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.kept = {}

    def fit(self, train_imgs, train_labels):
        super().fit(train_imgs, train_labels)
        self.kept.clear()

    def classify_images(self, test_imgs):
        self.kept = {**super().classify_images(test_imgs), **self.kept}
        return {name: self.kept[name] for name in test_imgs}


class KnowsTheNames(people.Plain):
    def classify_images(self, test_imgs):
        return {name: self.taught[1].get(name, who) for name, who in super().classify_images(test_imgs).items()}


class Backwards(people.Plain):
    def classify_images(self, test_imgs):
        return dict(zip(test_imgs, list(super().classify_images(test_imgs).values())[::-1]))


class LearnsOn(people.Plain):
    """Takes what it is asked about into its gallery."""

    def fit(self, train_imgs, train_labels):
        super().fit(dict(train_imgs), dict(train_labels))

    def classify_images(self, test_imgs):
        answer = super().classify_images(test_imgs)
        photos, labels = self.taught
        people.Plain.fit(self, {**photos, **{f"x{n}": i for n, i in test_imgs.items()}}, {**labels, **{f"x{n}": who for n, who in answer.items()}})
        return answer


def answers(change):
    return type("Changed", (people.Plain,), {"classify_images": lambda self, test_imgs: {n: change(str(who)) for n, who in people.Plain.classify_images(self, test_imgs).items()}})


def every_frame(self, test_videos):
    return {name: list(self.knn.predict(self.describe(frames)[0])) for name, frames in test_videos.items()}


def one_frame(k):
    return people.variant(classify_videos=lambda self, test_videos: {name: self.knn.predict(self.describe(frames)[0])[k] for name, frames in test_videos.items()})


class Unsorted(people.ByHand):
    """Descriptors as the photos come, labels by the photos' names."""

    def fit(self, train_imgs, train_labels):
        super().fit(train_imgs, train_labels)
        self.names = [train_labels[name] for name in sorted(train_imgs)]


class WithoutFaceless(people.ByHand):
    """Descriptors of the photos with a face, labels of all."""

    def fit(self, train_imgs, train_labels):
        super().fit(train_imgs, train_labels)
        self.gallery = self.gallery[self.describe(train_imgs)[1]]


def none_without_a_face(self, test_videos):
    return {name: people.ByHand.classify_videos(self, {name: frames})[name] if self.describe(frames)[1].any() else None for name, frames in test_videos.items()}


class Unflattened(people.ByHand):
    def who(self, descriptors):
        far = np.linalg.norm(self.gallery[:, None] - descriptors[None], axis=-1)
        return [self.names[np.argmin(far[:, k])] for k in range(len(descriptors))]


PEOPLE = {
    "maps instead of rows, by hand": (type("Maps", (Unflattened,), {"flat": lambda self, answers: answers}), "reshape(len(answers), -1)"),
    "the first frame": (one_frame(0), "a face is in the first frame"),
    "the last frame": (one_frame(-1), "a face is in the last frame"),
    "photos without a face left out, their labels not": (WithoutFaceless, "whoever leaves out its descriptor leaves out its label, too"),
    "None where no face is": (people.by_hand(classify_videos=none_without_a_face), "by the crop of its middle; got 'None'"),
    "clips sorted as text": (people.by_hand(classify_videos=lambda self, clips: dict(zip(sorted(clips), people.ByHand.classify_videos(self, clips).values()))), "classify_videos: 0% right"),
    "labels in another order": (Unsorted, "descriptors and labels stand in different orders"),
    "the farther counts more": (FarWeights, "the nearer a neighbour is, the more it counts"),
    "the farthest": (Farthest, "by the least distance"),
    "the next name": (NextName, "an index is one off"),
    "standardised by those asked together": (ByBatch, "fewer at a time"),
    "layer not used": (Layerless, "layer is not used"),
    "kept by file name": (ByName, "look at the photo, not at what it is called"),
    "knows the training photos' names": (KnowsTheNames, "look at the photo, not at what it is called"),
    "backwards": (Backwards, "under the keys of other photos"),
    "learns from the exam": (LearnsOn, "it must not learn from them"),
    "bytes": (answers(str.encode), "decode it"),
    "with a probability": (answers(lambda who: (who, 0.5)), "one name is asked for"),
    "capitals": (answers(str.upper), "leave the letters of a name"),
    "a name for every frame": (people.variant(classify_videos=every_frame), "the frames of a clip vote"),
}
SLIPS = {"load_image_data": PHOTOS, "load_video_data": CLIPS, "preprocess_imgs": CROPS, "Classifier": PEOPLE}


@pytest.mark.parametrize("exercise, name", [pytest.param(exercise, name, id=f"{exercise}: {name}") for exercise, slips in SLIPS.items() for name in slips])
def test_a_slip_is_named(exercise, name):
    rejected(TASK, exercise, *SLIPS[exercise][name])


@pytest.mark.parametrize("lenient", [False, True])
def test_an_error_of_opencv_is_said_with_the_students_own_line(lenient):
    """It has a `line` as well, a number in OpenCV's code."""
    space = {}
    exec(compile("import cv2\ndef f(dir_name):\n    return cv2.cvtColor(cv2.imread('no.png'), 4)\n", "<cell>", "exec"), space)
    message = judged(TASK, "load_image_data", space["f"], lenient).message
    assert message.startswith("It raises error: OpenCV") and "in function 'cvtColor' (line 3 of f). OpenCV got no picture" in message
