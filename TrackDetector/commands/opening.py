"""A classifier that knows the people of a folder, or of a gallery saved before."""

import os
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path

from common.console import prepare_outputs, say
from common.files import is_stream, only_one
from TrackDetector import detectors
from TrackDetector.galleries.building import UNFINISHED, look_at, people_in
from TrackDetector.galleries.storage import load_gallery
from TrackDetector.validation import usual_threshold


def open_gallery(path, threshold=None, neighbors=None, detector=None, save=None, hold=nullcontext, weights=None):
    """A fitted classifier from a folder of people or a saved gallery.

    Parameters
    ----------
    path : pathlib.Path
        A folder with one folder a person, named after them, full of photos; or a gallery that was saved.
    threshold : float, optional
        Distance above which a face is unknown; by default the gallery's, or the usual one.
    neighbors : int, optional
        Photos that vote.
    detector : str, optional
        One of `detectors.NAMES`; by default the saved gallery's, or `detectors.DEFAULT` for a folder.
    save : path, optional
        Where the gallery will be saved. What was seen is kept beside it until then, and a second run goes on from there.
    hold : callable
        ``with hold():`` what is inside is finished before a stop.
    weights : path, optional
        YuNet's, or one's own for the kit's network; see `detectors.detector_of_file`.

    Returns
    -------
    Classifier

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder or gallery, or nobody in it can be known.
    """
    from TrackDetector.classifier import Classifier

    path = Path(path)
    kept = load_gallery(path)[1].get("detector", "hog") if weights is not None and path.is_file() else None
    settings = {**({} if neighbors is None else {"n_neighbors": neighbors}), **detectors.asked_for(detector, weights, kept)}
    if path.is_file():
        classifier = Classifier.load(path, **settings)
    elif path.is_dir():
        classifier = Classifier(**{"detector": detectors.DEFAULT, **settings})
        learn_people(path, classifier, save, hold)
    else:
        raise FileNotFoundError(f"{path}: no such folder or gallery")
    if threshold is not None:
        classifier.threshold = threshold
    elif classifier.threshold is None:
        classifier.threshold = usual_threshold(len(classifier.classes_))
    return classifier


def learn_people(folder, classifier, save=None, hold=nullcontext):
    """Learn the people of a folder; what is left out and what is doubtful is said on standard error.

    Raises
    ------
    ValueError
        If there is no photo of anybody.
    """
    wanted, notes = people_in(folder)
    seen, skipped, _ = look_at(wanted, classifier, journal=journal_of(save), hold=hold)
    for line in (*notes, *skipped):
        say(f"skipped: {line}", sys.stderr)
    if not seen:
        raise ValueError(f"{folder}: expected one folder a person, named after them, with photos in it; found no photo that can be read")
    enrol(classifier, seen)
    say_lost(wanted, classifier.classes_)


def enrol(classifier, seen, known=None, aside=None):
    """`Classifier.enrol`, with lines on standard error for what is left out and what is doubtful."""
    with warnings.catch_warnings(record=True) as caught:  # lines for people, not a place in the program
        warnings.simplefilter("always", UserWarning)
        classifier.enrol(seen, known, aside)
    for line in [str(warning.message) for warning in caught if classifier.skipped_][:1] + [doubt.text for doubt in classifier.doubts_]:
        say(f"note: {line}", sys.stderr)


def say_lost(wanted, people):
    """Name those on standard error who should be in a gallery and are not among its `people`: no photo of theirs is left."""
    lost = sorted({one.person for one in wanted}.difference(people.tolist()))
    if lost:
        say(f"note: not in the gallery at all: {', '.join(lost)}", sys.stderr)


def save(classifier, path):
    """Save the gallery; what was kept of its building is not needed any more."""
    classifier.save(path)
    journal_of(path).unlink(missing_ok=True)


def alone(gallery, option="GALLERY"):
    """Hold a gallery from reading it to writing it: of two that change it at once, one would undo what the other has done, and bring back who was taken out.

    Raises
    ------
    ValueError
        If it cannot be written; the message calls it by the `option`.
    """
    place = Path(os.path.realpath(gallery))
    if is_stream(place):
        raise ValueError(f"{option} {gallery}: what is written there is gone at once; expected the name of a file")
    if not place.parent.is_dir():
        return nullcontext()
    prepare_outputs({option: gallery})
    return only_one(place.with_name(f".{place.name}.lock"), f"waiting for another run, which changes {gallery}", tidy=True)


def journal_of(gallery):
    """Where what was seen is kept while a gallery is built; None where it is not saved."""
    return None if gallery is None else Path(f"{gallery}{UNFINISHED}")
