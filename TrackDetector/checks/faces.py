"""Checks of `preprocess_imgs` and `Classifier`, on the built-in ORL faces."""

from functools import lru_cache

import numpy as np

from common.exercises.answer_form import one_of, require, short
from common.exercises.exercise import Wrong
from common.identification import as_name

SIDE = 224
PEOPLE = (0, 4, 8, 15, 20, 33)  # numbers in the ORL data
GROUND = (60, 75, 50)
PORTRAIT, FRAME = (220, 230), (190, 200)  # small, as faces are searched for in every one of them


@lru_cache(maxsize=1)
def _faces():
    from common.orl import orl_faces

    return orl_faces()[0]


def photo(person, number, size=(330, 380), center=None, angle=0.0, zoom=2.2, tint=(1.0, 0.85, 0.7)):
    """A photo of a person of the built-in data on plain ground: turned, moved, tinted."""
    import cv2

    face = _faces()[10 * person + number].astype(np.float32)
    height, width = size
    row, col = center or (height / 2, width / 2)
    turn = cv2.getRotationMatrix2D((face.shape[1] / 2, face.shape[0] / 2), angle, zoom)
    turn[:, 2] += [col - face.shape[1] / 2, row - face.shape[0] / 2]
    mask = np.pad(np.ones((face.shape[0] - 8, face.shape[1] - 8), np.float32), 4)
    mask = cv2.warpAffine(cv2.GaussianBlur(mask, (0, 0), 2), turn, (width, height))[..., None]
    shown = cv2.warpAffine(face, turn, (width, height))[..., None] * np.array(tint, np.float32)
    return np.clip(shown * mask + np.array(GROUND, np.float32) * (1 - mask), 0, 255).astype(np.uint8)


def no_face(seed, size=(330, 380)):
    """A photo of nothing: soft stains."""
    import cv2

    noise = np.random.default_rng(seed).normal(0, 1, (8, 9, 3)).astype(np.float32)
    return np.clip(110 + 40 * cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def _crops(value, count):
    if isinstance(value, tuple) and len(value) == 2 and np.ndim(value[1]) == 1 and len(value[1]) == count:
        value = value[0]
    if isinstance(value, dict):
        value = list(value.values())
    require(value is not None, "returned None; is there a `return`?")
    require(hasattr(value, "__len__") and len(value) == count,
            f"{count} photos, but {len(value) if hasattr(value, '__len__') else short(value)} crops: a photo without a face keeps its place, too, "
            "or photos and labels get out of step")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        shapes = sorted({np.shape(v) for v in value}, key=str)
        require(False, f"the crops have different shapes, {', '.join(map(str, shapes[:3]))}: expected ({SIDE}, {SIDE}, 3) for each, also where no face was found")
    require(array.shape == (count, SIDE, SIDE, 3), f"expected crops of shape ({count}, {SIDE}, {SIDE}, 3), got {array.shape}")
    require(np.isfinite(array).all() and array.min() >= -0.01, "the crops hold numbers below 0: expected RGB from 0 to 255")
    return np.clip(array * 255 if array.max() <= 1.001 else array, 0, 255).astype(np.uint8)


def _eyes(crop):
    """Middle of the two eyes in a crop: (left of the picture, right of the picture), or None if there is no face."""
    from TrackDetector.alignment import find_landmarks
    from TrackDetector.detectors import hog_detector

    boxes, scores = hog_detector(0, -0.6)(np.ascontiguousarray(crop))
    if not len(boxes):
        return None
    points = find_landmarks(np.ascontiguousarray(crop), boxes[int(np.argmax(scores))])
    eyes = np.array([points[:2].mean(axis=0), points[2:4].mean(axis=0)])
    return eyes[np.argsort(eyes[:, 1])]


# Green of each photo's face, as a share of its red: by it one knows whose face is in a crop
GREENS = {"a.png": 0.95, "c.png": 0.8, "d.png": 0.65, "e.png": 0.5}


def _whose(crop):
    """The photo that the face in the middle of a crop comes from, by its colour."""
    red, green, _ = crop[SIDE // 3 : -SIDE // 4, SIDE // 3 : -SIDE // 3].reshape(-1, 3).astype(float).mean(axis=0)
    return min(GREENS, key=lambda name: abs(GREENS[name] - green / max(red, 1)))


def check_preprocess_imgs(f, kit):
    """Upright, centred faces of one size, in RGB, one for every photo, in their order."""
    tint = {name: (1.0, green, 0.45) for name, green in GREENS.items()}
    photos = {
        "a.png": photo(PEOPLE[0], 0, (400, 480), (150, 130), zoom=1.5, tint=tint["a.png"]), "b.png": no_face(1),
        "c.png": photo(PEOPLE[1], 0, center=(170, 250), angle=17, tint=tint["c.png"]),
        "d.png": photo(PEOPLE[2], 1, (420, 300), (260, 150), angle=-16, zoom=2.0, tint=tint["d.png"]),
        "e.png": photo(PEOPLE[3], 0, (300, 420), (150, 280), zoom=1.8, tint=tint["e.png"]),
    }
    tilts = {"c.png": 17, "d.png": -16}
    crops = one_of(lambda form=form: _crops(f(form(photos)), len(photos)) for form in (dict, lambda photos: list(photos.values())))
    require(any(not np.array_equal(crop, crops[0]) for crop in crops[1:]), "all crops are one and the same: each photo wants an array of its own, "
                                                                           "and a list that holds one array five times shows what was written into it last")
    for name, crop in zip(photos, crops):
        if name == "b.png":
            continue
        colours = crop.reshape(-1, 3).astype(float)
        lit = colours[colours.max(axis=1) > 90]
        require(len(lit) and lit[:, 0].mean() > lit[:, 2].mean() + 5, f"photo {name}: blue and red are swapped in the crop" if len(lit) and
                lit[:, 2].mean() > lit[:, 0].mean() + 5 else f"photo {name}: the crop has lost its colours or is black; expected RGB from 0 to 255")
        eyes = _eyes(crop)
        if eyes is None:
            turned = _eyes(np.ascontiguousarray(crop.transpose(1, 0, 2))) is not None
            require(False, f"photo {name}: there is no face to be seen in the crop: " + ("rows and columns are swapped in it" if turned else
                    "box [min_row, min_col, max_row, max_col] means image[min_row:max_row, min_col:max_col]"))
        (top, left), (bottom, right) = eyes / SIDE
        wide = np.hypot(right - left, bottom - top)
        require(wide > 0.2, f"photo {name}: the eyes are {wide:.0%} of the crop's width apart, expected about a third: cut out the face, do not just "
                            "shrink the whole photo")
        require(wide < 0.6, f"photo {name}: the eyes are {wide:.0%} of the crop's width apart, expected about a third: part of the face is cut off")
        middle = (left + right) / 2
        require(0.36 < middle < 0.64, f"photo {name}: the middle between the eyes lies at {middle:.0%} of the width, expected about half")
        height = (top + bottom) / 2
        require(0.15 < height < 0.6, f"photo {name}: the eyes lie at {height:.0%} of the height, expected above the middle")
        require(_whose(crop) == name, f"in the place of photo {name} lies the face of photo {_whose(crop)}: one crop for every photo, in their order")
        tilt = np.degrees(np.arctan2(bottom - top, right - left))
        require(abs(tilt) < 9, f"photo {name}: the eyes are tilted by {abs(tilt):.0f} degrees"
                + (f", the head in the photo by {abs(tilts[name])}: turn the face upright by its landmarks (alignment.align)" if name in tilts else ""))


# --- Classifier ---

_fits = []


def watch_fits(classifier):
    """Count from now on how often a nearest-neighbour model of scikit-learn, or the classifier itself, is fitted."""
    from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

    _fits.clear()
    for owner in (KNeighborsClassifier, NearestNeighbors):
        _watch(owner, owner.fit)
    if hasattr(classifier, "fit"):
        _watch(classifier, classifier.fit)


def _watch(owner, fit):
    def counted(*args, **kwargs):
        _fits.append(1)
        return fit(*args, **kwargs)

    counted.before = fit
    try:
        owner.fit = counted
    except AttributeError:
        return


def fits_seen(classifier):
    """How often it was fitted since `watch_fits`; and leave everything as it was."""
    from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

    for owner in (KNeighborsClassifier, NearestNeighbors):
        while hasattr(owner.fit, "before"):
            owner.fit = owner.fit.before
    getattr(classifier, "__dict__", {}).pop("fit", None)
    return len(_fits)


def read_names(out, asked, what):
    """A classifier's answer as one name for each that was asked about: a dictionary, a list, or an array of one name for each."""
    if isinstance(out, dict):
        lost = [n for n in asked if n not in out]
        require(not lost, f"{what}: the answer has no entry for {lost[0]!r}" if lost else "")
        out = [out[n] for n in asked]
    require(hasattr(out, "__len__") and not isinstance(out, str) and len(out) == len(asked),
            f"{what}: {len(asked)} were asked about, the answer is {short(out)}")
    return [as_name(o) for o in out]


def _check_names(names, truth, known, what, lies=None):
    right = np.mean([a == b for a, b in zip(names, truth)])
    if right >= 0.75:
        return
    reason = ""
    if lies and np.mean([a == b for a, b in zip(names, lies)]) > 0.7:
        reason = "it gives the names that a table of test labels says; a classifier may look at the photos only"
    elif not set(names) <= set(known):
        reason = f"it answers {short(next(n for n in names if n not in known))}, which is the name of nobody in the training labels ({', '.join(known[:3])} ...)"
    elif len(set(names)) == 1:
        reason = f"it always answers {names[0]}"
    require(False, f"{what}: {right:.0%} right on easy ones{': ' + reason if reason else ''}", short(truth))


# What a Classifier of the published course needs: a word for the verdict, the network, whether it gets crops instead of photos
_NETWORK, _COURSE_NETWORK = "TrackDetector.descriptors:load_face_model", "TrackDetector.course_files:course_face_model"
_LAYERS = "VGG-Face's layers fc6 and fc7, which this kit's has not: here it is get_layer_output(crops, model=nn_model), with 128 numbers for a face"
_CROPS = "handed crops, as in the published course; here it is handed photos, and calls preprocess_imgs itself"
OF_THE_COURSE = {
    f"Right with a network that has {_LAYERS}.": (_COURSE_NETWORK, False),
    f"Right when it is {_CROPS}.": (_NETWORK, True),
    f"Right when it is {_CROPS}. And with a network that has {_LAYERS}.": (_COURSE_NETWORK, True),
}


def handed(kit, classifier, crops):
    """The classifier, or one that is handed crops of the photos, and of those frames in which there is a face, as the student's own preprocess_imgs makes them."""
    return _HandedCrops(kit, classifier) if crops else classifier


class _HandedCrops:
    def __init__(self, kit, classifier):
        self.classifier, self.preprocess = classifier, kit.other("preprocess_imgs")

    def _crops(self, photos):
        answer = one_of(lambda form=form: self.preprocess(form(photos)) for form in (dict, lambda p: list(p.values())))
        if isinstance(answer, tuple) and len(answer) == 2:
            answer = answer[0]
        return answer if isinstance(answer, dict) else dict(zip(photos, answer))

    def fit(self, images, labels):
        return self.classifier.fit(self._crops(images), labels)

    def classify_images(self, images):
        return self.classifier.classify_images(self._crops(images))

    def classify_videos(self, clips):
        frames = {f"{name}/{k}": frame for name, clip in clips.items() for k, frame in enumerate([f for f in clip if _shows_a_face(f)] or clip)}
        crops = self._crops(frames)
        return self.classifier.classify_videos({name: np.array([crop for k, crop in crops.items() if k.startswith(f"{name}/")]) for name in clips})


def _shows_a_face(frame):
    from TrackDetector.detectors import hog_detector

    return len(hog_detector(1, -0.3)(np.ascontiguousarray(frame))[0]) > 0


def check_classifier(f, kit):
    """Names people in photos and clips; learns once; does not look at test labels; leaves out frames without a face.

    Where notebooks of the published course are graded, one that cannot work with this kit's network and with photos is tried with what that
    course had.
    """
    try:
        return _check_classifier(f, kit, _NETWORK, False)
    except Wrong:
        raise
    except Exception as error:
        if not kit.lenient or getattr(error, "plain", False):
            raise
        faults = [error]
    for said, way in OF_THE_COURSE.items():
        try:
            _check_classifier(f, kit, *way)
            return said
        except Exception as error:
            faults.append(error)
    raise next((fault for fault in faults if isinstance(fault, Wrong)), faults[0])  # Wrong: it has got further than to an exception


def _check_classifier(f, kit, network, crops):
    known = [f"p{p}" for p in PEOPLE]
    rng = np.random.default_rng(kit.seed)
    train = [(f"{rng.integers(1000, 9999)}-{k}.png", f"p{p}", photo(p, n, PORTRAIT, zoom=1.8)) for k, (p, n) in enumerate((p, n) for p in PEOPLE for n in (0, 1, 2))]
    train = [train[k] for k in rng.permutation(len(train))]
    images = {name: image for name, _, image in train}
    labels = {train[k][0]: train[k][1] for k in rng.permutation(len(train))}
    test = {f"{k}.png": (f"p{p}", photo(p, n, PORTRAIT, zoom=1.8)) for k, (p, n) in enumerate((p, n) for n in (4, 6) for p in PEOPLE)}
    truth, asked = [t for t, _ in test.values()], {n: image for n, (_, image) in test.items()}
    lies = {n: known[(known.index(t) + 1) % len(known)] for n, (t, _) in test.items()}
    room = no_face(10, FRAME)  # the same empty room in all clips: whoever it looks like, five frames of it outvote two of a face
    clips = {str(k): [room] * 2 + [photo(p, 5, FRAME, zoom=1.5), photo(p, 7, FRAME, angle=5, zoom=1.5)] + [room] * 3 for k, p in enumerate(PEOPLE)}
    clip_lies = {str(k): known[(k + 1) % len(known)] for k in range(len(PEOPLE))}
    undo = kit.trap(f, {"test_labels": {**lies, **clip_lies}, "video_labels": clip_lies, "y_test": {**lies, **clip_lies}, "test_video_labels": clip_lies})
    try:
        own = f(kit.run(network))
        classifier = handed(kit, own, crops)
        classifier.fit(images, labels)
        kit.run("TrackDetector.checks.faces:watch_fits", own)
        try:
            names = read_names(classifier.classify_images(asked), list(asked), "classify_images")
        finally:
            fits = kit.run("TrackDetector.checks.faces:fits_seen", own)
        _check_names(names, truth, known, "classify_images", list(lies.values()))
        require(fits < len(asked) / 2, f"{fits} fits for {len(asked)} photos: learn once, in fit; classify_images only asks")
        again = read_names(classifier.classify_images(dict(list(asked.items())[:3])), list(asked)[:3], "classify_images")
        require(again == names[:3], "the same photos get other names when they are asked about again, or fewer at a time")
        _check_clips(classifier, clips, known, clip_lies)
        few = [n for n in images if labels[n] in known[:2]]
        classifier.fit({n: images[n] for n in few}, {n: labels[n] for n in few})
        names = read_names(classifier.classify_images(asked), list(asked), "classify_images")
        require(set(names) <= set(known[:2]), "after a second fit with other people it still answers with those of the first: fit begins anew")
    finally:
        undo()


def _check_clips(classifier, clips, known, lies):
    names = read_names(classifier.classify_videos(clips), list(clips), "classify_videos")
    right = sum(a == b for a, b in zip(names, known))
    if right <= 4 and names != list(lies.values()) and set(names) <= set(known):
        # the same clips without the frames that show nobody: are those what leads astray?
        clean = read_names(classifier.classify_videos({n: frames[2:4] for n, frames in clips.items()}), list(clips), "classify_videos")
        require(sum(a == b for a, b in zip(clean, known)) <= right, f"classify_videos: {right} of {len(clips)} clips right, and more when the frames without a "
                                                                      "face are taken out: a frame in which nobody is seen must not vote")
    _check_names(names, known, known, "classify_videos", list(lies.values()))


def crops_alone(args, answer):
    """The reference's answer as many preprocess_imgs give it: without saying where a face was found."""
    return answer[0]


def crops_by_name(args, answer):
    """The reference's answer under the names of the photos, where these came in a dictionary."""
    return dict(zip(args[0], answer[0])) if isinstance(args[0], dict) else list(answer[0])


def crops_and_found(answer, count):
    """What `preprocess_imgs` answers, as the notebook goes on with it: crops alone are right, too.

    Parameters
    ----------
    answer : (array_like, array_like), or array_like or dict of crops
    count : int
        Photos.

    Returns
    -------
    crops : ndarray of uint8, shape (N, 224, 224, 3)
    found : ndarray of bool, shape (N,)
        All True where the answer does not say.
    """
    found = np.asarray(answer[1], bool) if isinstance(answer, tuple) and len(answer) == 2 and np.ndim(answer[1]) == 1 else np.ones(count, bool)
    crops = answer[0] if isinstance(answer, tuple) else answer
    if isinstance(crops, np.ndarray) and crops.dtype == np.uint8 and crops.shape == (count, SIDE, SIDE, 3):
        return crops, found  # as they are: hundreds of them as floats would take gigabytes
    return _crops(answer, count), found
