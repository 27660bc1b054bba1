"""The check of the classifier accepts several right answers and names what is wrong with the wrong ones."""


import numpy as np
import pytest
from coursework import judged, rejected

from common.exercises.exercise import RIGHT
from TrackDetector import faces
from TrackDetector.checks.naming import read_names
from TrackDetector.classifier import Classifier
from TrackDetector.descriptors import get_layer_output
from TrackDetector.exercises import TASK

pytestmark = pytest.mark.usefixtures("remembered_descriptors")


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
    assert str(judged(TASK, "Classifier", WHO_RIGHT[name])) == "Classifier: right"


@pytest.mark.parametrize("name", WHO_OLD)
def test_classifier_of_the_published_course(name):
    assert judged(TASK, "Classifier", WHO_OLD[name], lenient=True).status == RIGHT


@pytest.mark.parametrize("name", WHO_WRONG)
def test_classifier_wrong(name):
    rejected(TASK, "Classifier", *WHO_WRONG[name])


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
    import test_checks_data as data
    import test_checks_faces as crops

    assert min(map(len, (data.LOAD_WRONG, data.VIDEO_WRONG, crops.CROP_WRONG, WHO_WRONG))) >= 5
    assert min(map(len, (data.LOAD_RIGHT, data.VIDEO_RIGHT, crops.CROP_RIGHT, WHO_RIGHT))) >= 3
