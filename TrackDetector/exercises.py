"""The exercises of TrackDetector: marks, checks, hints, and which function is the answer.

See `RegionDetector.exercises` for how a notebook uses them.
"""

from common.exercises.exercise import Exercise, Score, Task, Unsolved
from TrackDetector.checks import data as on_data
from TrackDetector.checks import faces as on_faces
from TrackDetector.checks import naming as on_naming
from TrackDetector.checks import targets
from TrackDetector.checks.example import EXAMPLE
from TrackDetector.neighbors.names_alone import WithNeighbors

DATA, FACES, CLASSIFIER = "TrackDetector.get_data", "TrackDetector.faces", "TrackDetector.classifier"

EXERCISES = (
    Exercise(
        "load_image_data", "1 load the data", 0.5, on_data.check_load_image_data,
        ("read_labels(dir_name / 'train' / 'y_train.csv') gives a dictionary from file name to label.",
         "read_photo(dir_name / 'train' / 'images' / name) reads a photo as RGB; cv2.imread would give BGR.",
         "Return four dictionaries: train_images, train_labels, test_images, test_labels."),
        f"{DATA}:load_image_data", shared=tuple(f"{DATA}:{n}" for n in ("find_data", "_read_photos", "read_labels")),
        takes=("dir_name",),
    ),
    Exercise(
        "load_video_data", "1 load the data", 0.5, on_data.check_load_video_data,
        ("The training photos lie as before; a clip is a folder test/videos/<id> with frames <k>.jpg.",
         "in_numeric_order((dir_name / 'test' / 'videos' / clip).iterdir()) puts 2 before 10; sorted() would not.",),
        f"{DATA}:load_video_data", (f"{DATA}:_read_clip",),
        shared=tuple(f"{DATA}:{n}" for n in ("find_data", "_read_photos", "read_labels", "_what_lies_in", "_matched", "_read_all")),
        takes=("dir_name",),
    ),
    Exercise(
        "preprocess_imgs", "2 faces", 3, on_faces.check_preprocess_imgs,
        ("For every photo: find_face(image) gives a face with a box and five landmarks, or a guess at the middle (face.found is False).",
         "align(image, face.landmarks, 224) turns it upright and cuts it out.",
         "One crop for every photo, in their order; return the crops and whether a face was found."),
        f"{FACES}:preprocess_imgs", shared=(f"{FACES}:find_face",), picture=targets.crops, seconds=60, takes=("imgs",),
        forms=tuple(f"TrackDetector.checks.naming:{name}" for name in ("crops_alone", "crops_by_name")),
    ),
    Exercise(
        "Classifier", "3 classifier", 2, on_naming.check_classifier,
        ("fit: preprocess_imgs, then get_layer_output(crops, model=nn_model): one descriptor for each face; then KNeighborsClassifier.fit.",
         "The labels are a dictionary: take labels[name] for the names of the photos, not its values as they come.",
         "A clip: the mean of the descriptors of those frames in which a face was found."),
        f"{CLASSIFIER}:Classifier", (f"{CLASSIFIER}:COMBINE", f"{CLASSIFIER}:ENOUGH", "TrackDetector.neighbors.describing:Describer"), uses=("preprocess_imgs",), seconds=120,
    ),
)

SCORES = (
    Score("image_accuracy", "4 photos", "share of test photos with the right name", ((0.90, 1.0), (0.95, 2.0)), ("Classifier",)),
    Score("video_accuracy", "5 clips", "share of clips with the right name", ((0.80, 1.0), (0.85, 2.0)), ("Classifier",)),
)

TASK = Task("TrackDetector", EXERCISES, SCORES)
example = EXAMPLE
exercise, check, hint, solution, target, marks = TASK.exercise, TASK.check, TASK.hint, TASK.solution, TASK.target, TASK.marks


class _Plain(WithNeighbors):
    """A classifier that gives names alone, for the cells that show more."""

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise Unsolved("The exercises are behind you: marks() adds up. What follows chooses a threshold for strangers, and needs the kit's own "
                       f"classifier for that ({name}), which is not in this package; your marks do not need it.")


def cut_faces(preprocess_imgs, photos):
    """Call `preprocess_imgs` as students write it: for dictionaries or for lists, with or without `found`.

    Parameters
    ----------
    preprocess_imgs : callable
    photos : dict of str to ndarray

    Returns
    -------
    crops : ndarray of uint8, shape (N, 224, 224, 3)
    found : ndarray of bool, shape (N,)
    """
    return on_faces.crops_and_found(on_faces.either_form(preprocess_imgs, photos), list(photos))


def with_details(classifier, images, labels, *settings, **more):
    """A classifier that can say how sure it is, and why: the student's own, if it can.

    Otherwise the kit's, fitted to the same photos; where that is not in the package, the student's own names with what
    is near by their own crops.

    Parameters
    ----------
    classifier : object
        With `fit`, `classify_images`, `classify_videos`.
    images, labels
        As for `fit`.
    *settings, **more
        For the kit's classifier; the first is the network, `layer` may be among the others.
    """
    from common.exercises.reference import load
    from TrackDetector.descriptors import get_layer_output

    if all(hasattr(classifier, name) for name in ("identify", "choose_threshold", "crop", "gallery_", "seconds_")):
        return classifier
    kits = load(TASK.by_name["Classifier"].answer)
    if kits is None:
        return _Plain(classifier, images, labels, lambda photos: cut_faces(TASK.current("preprocess_imgs"), photos),
                      lambda crops: get_layer_output(crops, more.get("layer"), settings[0]))
    print("your classifier gives names; the pictures below are by the kit's, which gives distances and neighbours as well")
    return kits(*settings, **more).fit(images, labels)
