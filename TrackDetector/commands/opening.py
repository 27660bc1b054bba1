"""A classifier that knows the people of a folder, or of a gallery saved before."""

import sys
import warnings
from pathlib import Path

from common.photos import PhotoError, read_photo
from TrackDetector.photos import photos_in
from TrackDetector.predictions import UNKNOWN
from TrackDetector.validation import usual_threshold


def read_people(folder):
    """Photos of a folder of people: `folder/<name>/*.jpg`.

    Returns
    -------
    images, labels : dict
        `<name>/<file>` to RGB array, and to name.
    skipped : list of str
        What could not be read, and why.
    """
    images, labels, skipped = {}, {}, []
    for person in sorted(p for p in Path(folder).iterdir() if p.is_dir() and not p.name.startswith(".")):
        if person.name == UNKNOWN:
            skipped.append(f"{person}: {UNKNOWN!r} is what strangers are called; if it is a person, give the folder another name")
            continue
        photos = photos_in(person)
        if not photos:
            skipped.append(f"{person}: no photo in it")
        for photo in photos:
            try:
                images[f"{person.name}/{photo.name}"] = read_photo(photo)
                labels[f"{person.name}/{photo.name}"] = person.name
            except PhotoError as error:
                skipped.append(str(error))
    if not images:
        raise ValueError(f"{folder}: expected one folder a person, named after them, with photos in it; found no photo that can be read"
                         + "".join(f"\n  {line}" for line in skipped[:5]))
    return images, labels, skipped


def open_gallery(path, threshold=None, neighbors=None):
    """A fitted classifier from a folder of people or a saved gallery."""
    from TrackDetector.classifier import Classifier

    if path.is_file():
        settings = {} if neighbors is None else {"n_neighbors": neighbors}
        classifier = Classifier.load(path, **settings)
    elif path.is_dir():
        images, labels, skipped = read_people(path)
        for line in skipped:
            print(f"skipped: {line}", file=sys.stderr)
        with warnings.catch_warnings(record=True) as caught:  # a line for people, not a place in the program
            warnings.simplefilter("always", UserWarning)
            classifier = Classifier(n_neighbors=neighbors).fit(images, labels)
        for warning in caught:
            print(f"note: {warning.message}", file=sys.stderr)
    else:
        raise FileNotFoundError(f"{path}: no such folder or gallery")
    if threshold is not None:
        classifier.threshold = threshold
    elif classifier.threshold is None:
        classifier.threshold = usual_threshold(len(classifier.classes_))
    return classifier
