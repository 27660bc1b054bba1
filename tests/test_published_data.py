"""What the published course's notebooks rest on: boxes in whole numbers, shapes of two numbers, cascades for eyes, votes of every frame. And what is wrong there as well."""

import inspect
import os
import random

import cv2
import numpy as np
import pytest
from coursework import judged, rejected
from test_checks_naming import Plain, variant

from common.exercises.exercise import RIGHT, WRONG
from common.grading.judging import Grader
from common.grading.notebook_source import collect
from common.scores import best_match, iou_score
from RegionDetector import detector
from RegionDetector.checks import measured, patches
from RegionDetector.exercises import TASK as REGION
from TrackDetector.checks import course_files, faces, naming
from TrackDetector.exercises import TASK as TRACK

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork; on Windows the sandbox has a time limit only")


def places(clear=lambda box, faces: all(iou_score(box, face) < 0.1 for face in faces), sides=lambda shape: shape, white=1):
    """Numbers of boxes are places in arrays, and a shape is unpacked to two names."""
    def f(images, true_bboxes, image_shapes, negative_bbox_count=None):
        positive, negative = [], []
        for index, top, left, _, _ in true_bboxes:
            positive.append(images[index][top : top + 32, left : left + 32] / white)
        wanted = len(true_bboxes) if negative_bbox_count is None else negative_bbox_count
        while len(negative) < wanted:
            index = random.randrange(len(images))
            height, width = sides(image_shapes[index])
            row, col = random.randint(0, height - 32), random.randint(0, width - 32)
            if clear([row, col, row + 32, col + 32], true_bboxes[true_bboxes[:, 0] == index, 1:]):
                negative.append(images[index][row : row + 32, col : col + 32] / white)
        return positive, negative
    return f


def free_cells(grow=0):
    """A map of what is taken by faces."""
    def f(image_shape, bbox_size, true_bboxes):
        rows, cols = image_shape
        taken = np.zeros((rows, cols), bool)
        for top, left, bottom, right in true_bboxes:
            taken[top + grow : bottom - grow, left + grow : right - grow] = True
        while True:
            row, col = random.randint(0, rows - bbox_size[0]), random.randint(0, cols - bbox_size[1])
            if not taken[row : row + bbox_size[0], col : col + bbox_size[1]].any():
                return [row, col, row + bbox_size[0], col + bbox_size[1]]
    return f


def by_places(hit=lambda n: n):
    """The faces of every photo in a list, asked for by the number of the photo."""
    def f(pred_bboxes, true_bboxes, decision_function):
        faces_of = [[] for _ in range(1 + max(box[0] for box in [*true_bboxes, *pred_bboxes]))]
        for box in true_bboxes:
            faces_of[box[0]].append(list(box[1:]))
        found, points = 0, []
        for count, k in enumerate(sorted(range(len(pred_bboxes)), key=lambda k: -decision_function[k]), start=1):
            alike = [iou_score(list(pred_bboxes[k][1:]), face) for face in faces_of[pred_bboxes[k][0]]]
            if alike and max(alike) > 0.1:
                faces_of[pred_bboxes[k][0]].pop(int(np.argmax(alike)))
                found = hit(found + 1)
            points.append((found / count, found / len(true_bboxes), decision_function[k]))
        return tuple(zip(*points))
    return f


def in_two_numbers(moved=0):
    def f(fcnn_model, images, image_shapes):
        boxes, decision = detector.get_bboxes_and_decision_function(fcnn_model, images, [(height, width, 3) for height, width in image_shapes])
        return boxes + [0, moved, moved, moved, moved], decision
    return f


def above(least=0):
    def f(fcnn_model, images, image_shapes, threshold, return_decision=True):
        boxes, decision = in_two_numbers()(fcnn_model, images, image_shapes)
        kept = decision >= threshold + least
        return (boxes[kept], decision[kept]) if return_decision else boxes[kept]
    return f


OLD = {
    "get_positive_negative": (places(), places(clear=lambda box, faces: True), "shows part of a face"),
    "gen_negative_bbox": (free_cells(), free_cells(grow=15), "touches the face"),
    "precision_recall_curve": (by_places(), by_places(lambda n: n + n % 2), "find one of the 10 faces"),
    "get_bboxes_and_decision_function": (in_two_numbers(), in_two_numbers(-16), "half a window too far up and left"),
    "detect": (above(), above(0.01), ">= instead of >"),
}


@pytest.mark.parametrize("name", OLD)
def test_whole_numbers_and_shapes_of_two_numbers(name):
    """So `load_dataset` gave them; the reason is told for that form, too."""
    right, wrong, told = OLD[name]
    assert judged(REGION, name, right, lenient=True).status == RIGHT, judged(REGION, name, right, lenient=True)
    rejected(REGION, name, wrong, told, lenient=True)


def test_margin_of_a_shape_of_two_numbers():
    rejected(REGION, "get_positive_negative", places(sides=lambda shape: (max(shape), max(shape))), "black", lenient=True)


def in_tries(image_shape, bbox_size, true_bboxes, tries=200):
    """The stub of the published course has no generator: a fourth parameter is anything."""
    height, width = image_shape[0] - bbox_size[0], image_shape[1] - bbox_size[1]
    if tries > 0:
        row, col = round(random.uniform(0, height)), round(random.uniform(0, width))
        box = [row, col, row + bbox_size[0], col + bbox_size[1]]
        return in_tries(image_shape, bbox_size, true_bboxes, tries - 1) if any(iou_score(box, face) >= 0.1 for face in true_bboxes) else box


def narrow(image_shape, bbox_size, true_bboxes, margin=0):
    row, col = random.randint(margin, min(image_shape[:2]) - bbox_size[0]), random.randint(margin, min(image_shape[:2]) - bbox_size[1])
    return [row, col, row + bbox_size[0], col + bbox_size[1]]


def test_a_fourth_parameter_of_ones_own():
    assert judged(REGION, "gen_negative_bbox", in_tries, lenient=True).status == RIGHT
    rejected(REGION, "gen_negative_bbox", narrow, "large parts of the photo are never drawn", lenient=True)
    rejected(REGION, "gen_negative_bbox", in_tries, "numpy generator")  # and the cells of this notebook hand it a generator


@pytest.mark.parametrize("white, fed", [(1, 255), (255, 1)])
def test_pixels_are_measured_with_the_boxes_that_it_takes(white, fed):
    """A network is handed pixels of the range of its notebook's patches, whatever its boxes are."""
    from types import SimpleNamespace

    remote = SimpleNamespace(own={"get_positive_negative"}, other=lambda name: raising_as_there(places(white=white)))
    assert np.max(measured._as_fed(remote)(np.full((2, 2), 255))) == fed


def raising_as_there(f):
    """What is raised in the sandbox comes as `Raised`."""
    def call(*args):
        try:
            return f(*args)
        except Exception as error:
            raise measured.Raised(type(error).__name__, str(error)) from None
    return call


def test_test_photos_are_found_by_a_detector_that_takes_two_numbers():
    from types import SimpleNamespace

    from RegionDetector.checks.detector import SHAPES, spot_network, spot_photos

    both = [measured._detected(SimpleNamespace(other=lambda name, f=f: raising_as_there(f)), spot_network(), spot_photos(), SHAPES)
            for f in (in_two_numbers(), detector.get_bboxes_and_decision_function)]
    np.testing.assert_array_equal(both[0][0], both[1][0])


def test_neither_form_is_what_this_notebook_has():
    """There the cells go on with fractions."""
    def whole(images, true_bboxes, image_shapes, negative_bbox_count=None, rng=None):
        return places()(images, true_bboxes, image_shapes, negative_bbox_count)

    rejected(REGION, "get_positive_negative", whole, "raises")


# --- TrackDetector ---


def eyes_of(rows):
    return sorted((x + w / 2, y + h / 2) for x, y, w, h in rows)


@pytest.mark.parametrize("number, angle", [(0, 0), (1, 17), (2, -16), (3, 8)])
def test_eyes_where_a_cascade_found_them(number, angle):
    """In the photo, and in the part that the cascade for faces has cut out of it, in grey or colour."""
    image = faces.photo(faces.PEOPLE[number], 0, center=(170, 250), angle=angle)
    (top, left), (bottom, right) = faces._eyes(image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    x, y, w, h = course_files.CascadeClassifier("data/haarcascade_frontalface_default.xml").detectMultiScale(grey, 1.3, 5)[0]
    eye = course_files.CascadeClassifier("haarcascade_eye.xml")
    for found, corner in ((eye.detectMultiScale(grey), (0, 0)), (eye.detectMultiScale(grey[y : y + h, x : x + w]), (x, y)), (eye.detectMultiScale(image[y : y + h, x : x + w]), (x, y))):
        assert np.abs(np.array(eyes_of(found)) + corner - [(left, top), (right, bottom)]).max() < 5
        assert all(8 < side < w / 2 for row in found for side in row[2:])


@pytest.mark.parametrize("name, image", [("haarcascade_eye.xml", faces.no_face(3)), ("haarcascade_smile.xml", faces.photo(faces.PEOPLE[0], 0)), ("haarcascade_eye.xml", np.zeros((5, 4), np.uint8))])
def test_nothing_where_there_are_no_eyes(name, image):
    assert len(course_files.CascadeClassifier(name).detectMultiScale(image)) == 0


def upright(image, turned=1):
    """As many did with OpenCV: a face, its eyes, and scikit-image to turn it, which gives parts of 1; a photo without a face stays in whole numbers."""
    from skimage.transform import rotate

    found = course_files.CascadeClassifier("haarcascade_frontalface_default.xml").detectMultiScale(image)
    if not len(found):
        return cv2.resize(image, (224, 224))
    x, y, w, h = found[0]
    (left, top), (right, bottom) = eyes_of(course_files.CascadeClassifier("haarcascade_eye.xml").detectMultiScale(image[y : y + h, x : x + w]))
    middle, apart = (x + (left + right) / 2, y + (top + bottom) / 2), np.hypot(right - left, bottom - top)
    straight = rotate(image, turned * np.degrees(np.arctan2(bottom - top, right - left)), center=middle)
    row, col = max(int(middle[1] - apart), 0), max(int(middle[0] - 1.3 * apart), 0)
    return cv2.resize(straight[row : int(middle[1] + 1.8 * apart), col : int(middle[0] + 1.3 * apart)], (224, 224))


def test_crops_of_parts_of_1_beside_those_of_whole_numbers():
    """Each by its own range, where the published course is graded; here all have one."""
    assert judged(TRACK, "preprocess_imgs", lambda imgs: [upright(imgs[n]) for n in imgs], lenient=True).status == RIGHT
    rejected(TRACK, "preprocess_imgs", lambda imgs: [upright(imgs[n]) for n in imgs], "the crop of photo 1 of 5 goes from 0 to 1")
    rejected(TRACK, "preprocess_imgs", lambda imgs: [upright(imgs[n], turned=-1) for n in imgs], "turn the face upright", lenient=True)


def test_a_black_crop_is_of_no_range():
    crops = np.array([np.zeros((224, 224, 3)), np.full((224, 224, 3), 200.0)])
    np.testing.assert_array_equal(faces._crops(crops, ["a.png", "b.png"], lenient=False), crops)


class Voting(Plain):
    """Made for the network alone, and every frame votes: the published course left that to its students."""

    voting_all = True

    def __init__(self, nn_model):
        super().__init__(nn_model)


class OneName(Voting):
    def classify_videos(self, test_videos):
        return dict.fromkeys(test_videos, next(iter(self.taught[1].values())))


@pytest.mark.usefixtures("remembered_descriptors")
def test_votes_of_every_frame():
    verdict = judged(TRACK, "Classifier", Voting, lenient=True)
    assert verdict.status == RIGHT and naming.EVERY_FRAME in verdict.message
    rejected(TRACK, "Classifier", OneName, "always answers", lenient=True)
    # who makes it as this notebook does has read in it that such a frame must not vote
    rejected(TRACK, "Classifier", variant(voting_all=True), "a frame in which nobody is seen must not vote", lenient=True)


OF_VGG = """
import numpy as np
from keras.models import Model
class Classifier:
    def __init__(self, nn_model):
        self.net = Model(nn_model.input, nn_model.get_layer('fc7').output)
    def fit(self, train_imgs, train_labels):
        self.X = np.reshape(list(train_labels), newshape=(-1, 1))
    def classify_images(self, test_imgs):
        return dict.fromkeys(test_imgs)
    def classify_videos(self, test_video):
        return dict.fromkeys(test_video)
"""


@posix
@pytest.mark.skipif("newshape" in inspect.signature(np.reshape).parameters, reason="to this NumPy it is no fault")
def test_the_fault_that_is_left_with_the_layers_of_the_published_course(sandbox):
    """That there is no fc7 is none there."""
    verdict = Grader(TRACK, collect([]), sandbox).check(TRACK.by_name["Classifier"], collect([OF_VGG]))
    assert verdict.status == WRONG and "np.reshape calls it shape today" in verdict.message and "line 7 of fit" in verdict.message, verdict


def test_boxes_of_the_check_are_the_same_in_both_forms():
    """Whole numbers move no face by a pixel, so both forms ask for the same patches."""
    (here, _), (there, wide) = patches.HERE, patches.PUBLISHED
    away = np.abs(patches.FACES.astype(here) - patches.FACES.astype(there))
    assert away.max() < 1 and patches.SHAPES[:, :wide].shape[1] == 2
    assert len(best_match(patches.FACES, patches.FACES.astype(there), np.ones(len(patches.FACES)))[0]) == len(patches.FACES)
