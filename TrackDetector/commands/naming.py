"""Name every face in one's own photos and films.

`python -m TrackDetector --gallery FOLDER_OF_PEOPLE PHOTO_OR_FILM... [--out OUT] [--draw FOLDER]`
"""

import argparse
import hashlib
import os
import sys
from contextlib import nullcontext
from functools import partial

import numpy as np

from common.commands.cluster import shared_out
from common.commands.inputs import find_inputs
from common.commands.run import Answers, add_options, answer_all, check_outputs, one_by_one
from common.commands.stops import until_stopped
from common.console import a_path, prepare_outputs, print_any_name, say, words_beside
from common.files import remove_folder, temporary_folder
from common.photos import PHOTO_SUFFIXES
from TrackDetector import detectors
from TrackDetector.commands import answering
from TrackDetector.commands.opening import alone, open_gallery, save
from TrackDetector.commands.strangers import GroupedAnswers
from TrackDetector.photos import VIDEO_SUFFIXES


def parser():
    """The arguments of the command."""
    p = argparse.ArgumentParser(prog="python -m TrackDetector", description="Name every face in photos and films.")
    p.add_argument("files", nargs="*", type=a_path, metavar="PHOTO_OR_FILM", help="a photo, a film, or a folder of them and of such folders")
    p.add_argument("--gallery", required=True, type=a_path,
                   help="folder with one folder a person, named after them, full of photos; or a gallery (.npz) saved before")
    p.add_argument("--save-gallery", type=a_path, metavar="FILE", help="keep the gallery as .npz, so that the next run starts at once")
    p.add_argument("--threshold", type=float, help="distance above which a face is unknown (default: the gallery's, or "
                   "0.39 for one person, 0.37 for five, 0.35 for thirty)")
    p.add_argument("--neighbors", type=int, default=None, metavar="K", help="photos that vote (default: 3, or fewer in a small gallery)")
    detectors.add_options(p)
    add_options(p, "write copies with boxes and names: photos as JPEG, films as H.264 with their sound")
    p.add_argument("--every", type=int, default=1, metavar="N", help="look at every N-th frame of a film")
    p.add_argument("--blur", choices=("unknown", "all"), help="in the copies of --draw, make the faces of strangers, and those whose name has a doubt, or all faces unrecognisable, "
                   "instead of boxes and names. A face that is not found is not blurred: look at a copy before you show it")
    p.add_argument("--group-unknown", action="store_true", help="give each stranger a number, the same in all files; they are known when all files are looked "
                   "at, so that OUT ends in .json or .csv")
    p.add_argument("--subtitles", type=a_path, metavar="FOLDER", help="write the names of who is seen in a film as .srt and .vtt")
    p.add_argument("--camera", type=int, metavar="N", help="look into camera N (0 is the first) instead of at files, until Ctrl-C; says who comes and goes")
    return p


def asker(gallery, of_file=None, **settings):
    """A function that answers about one photo or film.

    Parameters
    ----------
    gallery : Classifier or bytes
        With a gallery; or the file that its `save` wrote.
    of_file : (str, str), optional
        Name and weights of the detector that such a file needs beside it.
    **settings
        Of `answering.name_faces`.

    Returns
    -------
    callable
        From (file, name, check) to an answer.
    """
    if isinstance(gallery, bytes):
        from common.device import prepare

        prepare(alone=True)
        from TrackDetector.classifier import Classifier

        folder = temporary_folder()
        (folder / "gallery.npz").write_bytes(gallery)
        gallery = Classifier.load(folder / "gallery.npz", **detectors.asked_for(*of_file or ()))
        remove_folder(folder)  # a worker may live for months, and who is taken out of the gallery is not to stay with it; what is mapped can still be read
    return lambda file, name, check: answering.name_faces(file, gallery, name=name, check=check, **settings)


def _read(options, found):
    """Everything that is read, so that nothing is written over it."""
    gallery = [os.path.join(place, name) for place, _, names in os.walk(options.gallery) for name in names]
    return [*(file for file, _ in found.files), *options.files, options.gallery, *gallery, *([options.weights] if options.weights else ())]


def _mark_of(classifier):
    """What the answers owe to the gallery."""
    known = classifier.gallery_
    mark = hashlib.sha256()
    for part in (known.descriptors, known.people, known.codes, known.photos):
        mark.update(np.ascontiguousarray(part).view(np.uint8).data)
    return {"gallery": mark.hexdigest(), **{name: getattr(classifier, name) for name in ("threshold", "n_neighbors", "layer", "flip", "combine")}, "detector_name": classifier.looks_by}


def _packed(classifier):
    path = temporary_folder() / "gallery.npz"
    classifier.save(path)
    return path.read_bytes()


def main(arguments=None):
    """Run the command; returns 0, 1 if a file could not be read or drawn, 2 if nothing could be done, 128 and more if it was stopped."""
    p = parser()
    options = p.parse_args(arguments)
    if options.every < 1:
        p.error("--every: expected 1 or more")
    if options.neighbors is not None and options.neighbors < 1:
        p.error("--neighbors: expected 1 or more")
    if options.threshold is not None and not 0 <= options.threshold <= 2:
        p.error(f"--threshold: expected a distance from 0 to 2, got {options.threshold}")
    if options.blur and options.draw is None:
        p.error("--blur changes the copies of --draw: name a folder for them")
    if bool(options.files) == (options.camera is not None):
        p.error("name photos, films or folders, or a camera")
    if options.camera is not None and not 0 <= options.camera < 2**31:  # OpenCV ends the program at such numbers
        p.error(f"--camera: expected the number of a camera, 0 for the first, got {options.camera}")
    if options.camera is not None and (options.draw or options.cluster):
        p.error("--camera answers in words, --out and --subtitles; --draw and --cluster are for files")
    if options.group_unknown and (options.camera is not None or options.out is not None and options.out.suffix.lower() in (".jsonl", ".ndjson")):
        p.error("--group-unknown looks at all files before it numbers anybody: name files, and an OUT that is made whole at the end, .json or .csv")
    print_any_name()
    with words_beside(options.out):
        return until_stopped(partial(_work, options))


def _work(options, stops):
    kinds = PHOTO_SUFFIXES | VIDEO_SUFFIXES
    found = find_inputs(options.files, kinds)
    found.say("photo or film")
    try:
        found.expect_any("photo or film", kinds)
        check_outputs(options, _read(options, found), **{"--save-gallery": options.save_gallery})
        prepare_outputs({}, options.subtitles, _read(options, found), "--subtitles")
        if not os.path.exists(options.gallery):
            raise FileNotFoundError(f"{options.gallery}: no such folder or gallery")
        from common.device import prepare

        prepare(alone=True)
        with alone(options.save_gallery, "--save-gallery") if options.save_gallery else nullcontext():
            classifier = open_gallery(options.gallery, options.threshold, options.neighbors, options.detector, options.save_gallery, stops.held, options.weights)
            if options.save_gallery:
                save(classifier, options.save_gallery)
    except (OSError, ValueError) as error:
        say(f"error: {error}", sys.stderr)
        return 2
    head = {"threshold": classifier.threshold, "people": [str(c) for c in classifier.classes_], "box_order": " ".join(answering.BOX)}
    answers = (GroupedAnswers.remembering if options.group_unknown else Answers)("file", "files", answering.lines, answering.COLUMNS, answering.rows, head)
    if options.camera is not None:
        from TrackDetector.commands.camera import watch

        return watch(options, classifier, answers, stops)
    settings = {"every": options.every, "folder": options.draw, "blurred": options.blur, "subtitles": options.subtitles,
                **({"group": True} if options.group_unknown else {})}
    ask = one_by_one(partial(asker, classifier, **settings))
    if options.cluster:
        of_file = {"of_file": (classifier.detector_name, str(options.weights.resolve()))} if options.weights else {}
        ask = shared_out(options.cluster, "TrackDetector.commands.naming", partial(_packed, classifier), **of_file, **settings)
    code = answer_all(found, ask, answers, options, {**_mark_of(classifier), **settings}, stops)
    if options.group_unknown and code < 2:
        answers.say([file for file, _ in found.files])
    return code
