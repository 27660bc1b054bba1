"""`python -m TrackDetector find PHOTO ARCHIVE`: the photos of an archive that show a person, the nearest first."""

import argparse
import sys
from dataclasses import replace

import numpy as np

from common.commands.inputs import find_inputs
from common.commands.journal import Journal, settings_mark
from common.commands.run import Answers, attempt, check_kind, say_kept, say_notes
from common.commands.stops import Stop, until_stopped
from common.console import a_path, an_output, counted, prepare_outputs, print_any_name, printable, say, words_beside
from common.photos import PHOTO_SUFFIXES, read_photo
from TrackDetector import detectors
from TrackDetector.commands.answering import BOX
from TrackDetector.validation import usual_threshold

BOX_ORDER = " ".join(BOX)


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m TrackDetector find", description="Find the photos of an archive that show a person.")
    p.add_argument("photo", type=a_path, metavar="PHOTO", help="a photo of the person, or a folder of photos of them: the more, the surer")
    p.add_argument("archive", nargs="+", type=a_path, metavar="ARCHIVE", help="a folder of photos, with the folders below it, or a photo")
    p.add_argument("--threshold", type=float, default=usual_threshold(1), help="distance up to which a face is theirs (default: %(default).2f)")
    detectors.add_options(p, kept="")
    p.add_argument("--out", "--json", dest="out", type=an_output, metavar="OUT", help="write every photo with its distance to a file, .json, .jsonl or .csv; "
                   "stopped at any moment, the same command goes on where it was. Boxes are min_row, min_col, max_row, max_col in pixels")
    return p


def look_for(paths, classifier):
    """Learn one person from photos of them.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        Photos, or folders of photos.
    classifier : Classifier

    Raises
    ------
    ValueError
        If no photo shows a face, or it is not clear whose is meant.
    """
    from TrackDetector.commands.opening import enrol
    from TrackDetector.galleries.building import look_at, photos_of

    wanted = [replace(one, photo=printable(one.file)) for one in photos_of(paths, "the person")]  # what is said of a photo names its file
    seen, skipped, _ = look_at(wanted, classifier)
    for line in skipped:
        say(f"skipped: {line}", sys.stderr)
    if not seen:
        raise ValueError(f"{paths[0]}: expected a photo of the person, or a folder of such photos")
    crowd = max(seen, key=lambda one: len(one.descriptors))
    if len(crowd.descriptors) == 0:
        raise ValueError(f"{paths[0]}: no face was found; name a photo that shows the person's face")
    try:
        enrol(classifier, seen)
    except ValueError:
        if any(len(one.descriptors) == 1 for one in seen):
            raise
        raise ValueError(f"{crowd.photo}: shows {len(crowd.descriptors)} faces, and no other photo says which of them it is; "
                         "cut it so that it shows one face") from None


def nearest_face(photo, classifier):
    """The face of a photo that is most like the person whom a classifier knows.

    Parameters
    ----------
    photo : path
    classifier : Classifier
        Who knows one person.

    Returns
    -------
    dict
        `height`, `width`, `box_order`; `faces`: how many there are; `distance` and `box` of the nearest, None where there is no face.

    Raises
    ------
    PhotoError
        If it cannot be read.
    """
    from TrackDetector.alignment import CROP_SIZE, align
    from TrackDetector.descriptors import input_size
    from TrackDetector.faces import find_faces

    image = read_photo(photo)
    faces = find_faces(image, classifier.detector)
    known = {"height": image.shape[0], "width": image.shape[1], "box_order": BOX_ORDER, "faces": len(faces)}
    if not faces:
        return {**known, "distance": None, "box": None}
    size = input_size(classifier.nn_model)[0] or CROP_SIZE
    apart = classifier.distances(classifier.describe(np.array([align(image, face.landmarks, size) for face in faces])), [classifier.classes_[0]] * len(faces))
    best = int(np.argmin(apart))
    return {**known, "distance": round(float(apart[best]), 4), "box": [round(float(v), 1) for v in faces[best].box]}


def _rows(answer):
    return [{**answer, **dict(zip(BOX, answer.get("box") or ()))}]


ANSWERS = Answers("file", "photos", None, ("file", "height", "width", "faces", "distance", *BOX, "error"), _rows)


def _ask(files, ask, journal, stops, answers):
    """Ask about files one by one; `answers` grows by each with its answer."""
    from tqdm.auto import tqdm

    for file, name in tqdm(files, "photos", disable=len(files) < 20):
        with stops.held():
            answer = attempt(ask, file, name)
            if journal is not None:
                journal.add(file, answer)
            answers.append((str(file), answer))
        say_notes(file, answer)
        if "error" in answer:
            say(f"skipped: {answer['error']}", sys.stderr)


def main(arguments=None):
    """Run the command; returns 0, 1 if a file could not be read, 2 if nothing could be done."""
    options = parser().parse_args(arguments)
    if not 0 <= options.threshold <= 2:
        parser().error(f"--threshold: expected a distance from 0 to 2, got {options.threshold}")
    print_any_name()

    def work(stops):
        from common.device import prepare

        try:
            found = find_inputs(options.archive, PHOTO_SUFFIXES)
            prepare_outputs({"--out": options.out}, None, [options.photo, *(file for file, _ in found.files)])
            check_kind(options.out)
            found.say("photo")
            found.expect_any("photo", PHOTO_SUFFIXES)
            prepare(alone=True)
            from TrackDetector.classifier import Classifier

            classifier = Classifier(**detectors.asked_for(options.detector or detectors.DEFAULT, options.weights))
            look_for([options.photo], classifier)
            return _find(options, found, classifier, stops)
        except BrokenPipeError:  # nobody reads along: no error
            raise
        except (OSError, ValueError) as error:
            say(f"error: {error}", sys.stderr)
            return 2

    with words_beside(options.out):
        return until_stopped(work)


def _find(options, found, classifier, stops):
    mark = settings_mark({"person": classifier.gallery_.descriptors.tolist(), "detector": classifier.looks_by})
    journal = None if options.out is None else Journal(options.out, "file", mark)
    try:
        todo, answers = [each for each in found.files if journal is None or not journal.has(each[0])], []
        try:
            _ask(todo, lambda file, name, check: nearest_face(file, classifier), journal, stops, answers)
        except Stop:
            say_kept(len(found.files) - len(todo) + len(answers), len(found.files), "photo", journal)
            raise
        if journal is not None:
            if len(todo) < len(found.files):
                say(f"note: {len(found.files) - len(todo):,} of {counted(len(found.files), 'photo')} were looked at before, in {journal.path}", sys.stderr)
            asked = {printable(file) for file, _ in found.files}  # the journal may hold answers about others
            answers = [(answer["file"], answer) for answer in journal.answers([file for file, _ in found.files]) if answer["file"] in asked]
            write = replace(ANSWERS, head={"threshold": options.threshold, "box_order": BOX_ORDER}).write(options.out)
            journal.make_whole([file for file, _ in found.files], lambda file, unsorted: write(file, _nearest_first(unsorted)))
    finally:
        if journal is not None:
            journal.close()
    shown = sorted((answer["distance"], file) for file, answer in answers if answer.get("distance") is not None and answer["distance"] <= options.threshold)
    for distance, file in shown:
        say(f"{distance:.3f}  {file}")
    failed = sum("error" in answer for _, answer in answers)
    say(f"{len(shown):,} of {counted(len(answers), 'photo')} show{'s' * (len(shown) == 1)} the person" + (f"; {failed:,} could not be read" if failed else ""),
        sys.stderr)
    return 1 if failed else 0


def _nearest_first(answers):
    return sorted(answers, key=lambda answer: (answer.get("distance") is None, answer.get("distance") or 0, answer["file"]))
