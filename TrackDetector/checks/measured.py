"""Marks for measured numbers, from outside: image and video accuracy."""

from dataclasses import dataclass

import numpy as np

from common.exercises.exercise import RIGHT, Wrong
from common.grading.judging import Remote
from common.grading.session import Ended, Raised
from TrackDetector.checks.naming import OF_THE_COURSE, handed, read_names

PHOTOS, CLIPS, FRAMES = 90, 40, 4


@dataclass(frozen=True)
class Fresh:
    """Photos and clips, with names that say nothing."""

    train: tuple
    test: tuple
    videos: tuple


def _renamed(items, labels, rng, suffix=""):
    order = rng.permutation(len(items))
    names = {old: f"{k}{suffix}" for k, old in zip(order, items)}
    chosen = sorted(items, key=lambda n: int(names[n].removesuffix(suffix) or 0))
    return {names[n]: items[n] for n in chosen}, {names[n]: labels[n] for n in chosen}


def _part(items, labels, rng, most):
    chosen = [list(items)[k] for k in rng.permutation(len(items))[:most]]
    return _renamed({n: items[n] for n in chosen}, labels, rng)


def fresh_data(folder=None, seed=2026, fit=False):
    """A part of the test photos and clips under new names.

    Parameters
    ----------
    folder : path-like, optional
        With ``image_classification`` and ``video_classification`` in it; by default the built-in people.
    seed : int
    fit : bool
        Nothing is fitted in this task beside what `Classifier.fit` does.
    """
    import tempfile
    from pathlib import Path

    from TrackDetector.get_data import load_image_data, load_video_data

    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        home, source = Path(folder or scratch), "folder" if folder else "demo"
        train, train_labels, test, test_labels = load_image_data(home / "image_classification", source, seed, verbose=False)
        _, _, clips, clip_labels = load_video_data(home / "video_classification", source, seed, verbose=False)
    clips = {n: [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, FRAMES).astype(int))] for n, frames in clips.items()}
    return Fresh(_renamed(train, train_labels, rng), _part(test, test_labels, rng, PHOTOS), _part(clips, clip_labels, rng, CLIPS))


def measure(grader, source, submission, data):
    """Values of this task's scores: name to (value or None, message)."""
    if grader.verdicts["Classifier"].status != RIGHT:
        return {score.name: (None, "Classifier is not right, so nothing is measured") for score in grader.task.scores}
    own = {name for name, verdict in grader.verdicts.items() if verdict.status == RIGHT}
    answer = {}
    session, _ = grader.open_as_judged("Classifier", source, 300)
    try:
        remote = Remote(session, grader.task, own, grader.seed)
        said = grader.verdicts["Classifier"].message
        word = max((w for w in OF_THE_COURSE if w in said), key=len, default="")
        network, crops = OF_THE_COURSE.get(word, ("TrackDetector.descriptors:load_face_model", False))
        classifier = handed(remote, remote.function("Classifier")(remote.run(network)), crops)
        classifier.fit(*data.train)
        for name, method, (items, labels) in (("image_accuracy", "classify_images", data.test), ("video_accuracy", "classify_videos", data.videos)):
            names = read_names(getattr(classifier, method)(items), list(items), method, True)
            answer[name] = (float(np.mean([who == labels[n] for who, n in zip(names, items)])), f"on {len(items)}")
    except Wrong as error:
        answer = {score.name: (None, str(error)) for score in grader.task.scores if score.name not in answer} | answer
    except (Ended, Raised) as error:
        reason = f"raises {error.kind}: {error}{error.line}" if isinstance(error, Raised) else f"it {error}"
        answer = {score.name: (None, reason) for score in grader.task.scores if score.name not in answer} | answer
    finally:
        session.close()
    return answer
