"""Which detector names more people right, at equal false names: dlib's HOG, the kit's own, dlib's CNN; in one run.

    python benchmarks/naming.py [--data FOLDER] [--detectors hog kit] [--weights FILE] [--frames 3] [--strangers 100] [--pairs 24]
                                [--json OUT]

FOLDER is the course's `Face_Recognition_data` (FACE_RECOGNITION_DIR, or beside the project). What is chosen is chosen on the first two tables, from
photos for training alone: of each of the 31 people of the clips half the stills are the gallery, and the others ask, as they are ("photos") and as
clips of a few frames as a hand-held camera makes them ("clips": small, tilted, blurred, dark, saved badly). 100 people who are in no gallery ask as well.
A name is false if a stranger gets it, or one of the 31 gets another's. Each detector also looks at the gallery. The third table is no choice but a
report: films of two people, made of two test clips side by side, with one still of each as the gallery.

`--weights` tries other weights of the kit's network. The default of `--detector` is whichever is ahead at most numbers of false names, and not behind in the
films: `DEFAULT` in TrackDetector/detectors.py; docs/galleries.md says where the other is ahead.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import numpy as np

from common.console import prepare_outputs
from common.files import whole_file

FALSE = (0, 1, 2, 3)  # false names at which the detectors are compared


def shaken(photo, frames, rng):
    """A clip as a hand-held camera makes it of a photo: list of ndarray (H, W, 3) uint8."""
    side, tilt, scale = min(photo.shape[:2]), rng.normal(0, 12), rng.uniform(0.3, 0.8)
    light, blurred, quality = rng.uniform(0.45, 1.2), rng.integers(1, 5), int(rng.integers(25, 70))
    clip = []
    for _ in range(frames):
        matrix = cv2.getRotationMatrix2D((photo.shape[1] / 2, photo.shape[0] / 2), tilt + rng.normal(0, 3), scale)
        matrix[:, 2] += np.array([side, side]) * scale / 2 - np.array(photo.shape[1::-1]) / 2 + rng.normal(0, 0.02 * side, 2)
        frame = cv2.warpAffine(photo, matrix, (round(side * scale),) * 2, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        kernel = np.zeros((5, 5), np.float32)
        kernel[2, 2 - blurred // 2 : 2 - blurred // 2 + blurred] = 1 / blurred
        frame = np.clip(cv2.filter2D(frame, -1, kernel).astype(np.float32) * light + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
        clip.append(cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR))
    return clip


def halves(labels, seed):
    """File names for the gallery and those that ask: half of each person's each."""
    rng, gallery, asking = np.random.default_rng(seed), [], []
    for person in sorted(set(labels.values())):
        own = rng.permutation(sorted(name for name, label in labels.items() if label == person)).tolist()
        gallery += own[: -(-len(own) // 2)]
        asking += own[-(-len(own) // 2) :]
    return gallery, asking


def told(clip, classifier):
    """(name, distance) of each face that is followed through a clip."""
    from TrackDetector.films.tracks import follow

    return [(track.answer.name, float(track.answer.distance)) for track in follow(clip, classifier, progress=False)]


def at_equal_false_names(known, strangers):
    """How many clips are named right where at most so many are named falsely.

    Parameters
    ----------
    known : list of (str, list of (str, float))
        Who is seen in a clip, and what was told.
    strangers : list of list of (str, float)

    Returns
    -------
    list of int
        For each number in `FALSE`.
    """
    right = [min((d for name, d in answers if name == person), default=np.inf) for person, answers in known]
    wrong = [min((d for name, d in answers if name != person), default=np.inf) for person, answers in known]
    wrong = np.sort([*wrong, *(min((d for _, d in answers), default=np.inf) for answers in strangers), *[np.inf] * len(FALSE)])
    return [int(np.sum(np.array(right) < wrong[most])) for most in FALSE]


def beside(one, other):
    """Two frames side by side, the lower one with black below: cut to its height, the other would lose a chin."""
    height = max(len(one), len(other))
    return np.hstack([np.pad(frame, ((0, height - len(frame)), (0, 0), (0, 0))) for frame in (one, other)])


def two_people(videos, truth, images, labels, classifier, pairs, seed):
    """Films of two people: how many of them are named, how many names are false, of how many people."""
    from TrackDetector.films.people import people
    from TrackDetector.films.tracks import follow
    from TrackDetector.validation import usual_threshold

    rng, right, false = np.random.default_rng(seed), 0, 0
    ids = sorted(videos)
    for _ in range(pairs):
        one, other = rng.choice(ids, 2, replace=False)
        while truth[one] == truth[other]:
            other = rng.choice(ids)
        film = [beside(*frames) for frames in zip(videos[one], videos[other])]
        meant = [truth[one], truth[other]]
        photos = {person: rng.choice(sorted(name for name, label in labels.items() if label == person)) for person in meant}
        try:
            classifier.fit({name: images[name] for name in photos.values()}, {name: person for person, name in photos.items()})
        except ValueError:  # both stills show somebody else as well: nobody is known
            continue
        classifier.threshold = usual_threshold(2)
        middle = videos[one][0].shape[1]
        for person in people(follow(film, classifier, progress=False), classifier)[0]:
            if person.answer.label != "unknown":
                left = np.mean([box[1] + box[3] for box in person.boxes]) / 2 < middle
                correct = person.answer.label == meant[0 if left else 1]
                right, false = right + correct, false + (not correct)
    return right, false, 2 * pairs


def measure(detector, data, options):
    """What one detector makes of everything, printed as it comes: dict."""
    from TrackDetector.classifier import Classifier

    (images, labels, videos, truth), strangers = data
    start, rng = time.perf_counter(), np.random.default_rng(options.seed)
    gallery, asking = halves(labels, options.seed)
    classifier = Classifier(detector=detector).fit({name: images[name] for name in gallery}, {name: labels[name] for name in gallery})
    answer = {"asked": len(asking), "strangers": len(strangers)}
    for kind, clip_of in (("photos", lambda photo: [photo]), ("clips", lambda photo: shaken(photo, options.frames, rng))):
        known = [(labels[name], told(clip_of(images[name]), classifier)) for name in asking]
        others = [told(clip_of(photo), classifier) for photo in strangers]
        answer[kind] = row = {"right": at_equal_false_names(known, others), "seen": sum(bool(answers) for _, answers in known)}
        print(f"{detector:9} {kind:10} {row['seen']:4} of {len(asking):<4} {', '.join(map(str, row['right']))}", flush=True)
    answer["two people"] = two_people(videos, truth, images, labels, Classifier(detector=detector), options.pairs, options.seed)
    return answer | {"seconds": round(time.perf_counter() - start)}


def read(folder, options):
    """Photos, labels and clips; and 100 of the people who are in no gallery, the half that tests do not report on."""
    from TrackDetector.get_data import load_strangers, load_video_data

    strangers, names = load_strangers(folder / "image_classification", source="folder", verbose=False)
    people = set(np.random.default_rng(0).permutation(sorted(set(names.values())))[:100].tolist())
    return load_video_data(folder / "video_classification", source="folder", verbose=False), [strangers[n] for n in strangers if names[n] in people][: options.strangers]


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FACE_RECOGNITION_DIR", Path(__file__).resolve().parents[2] / "shared" / "data" / "Face_Recognition_data")))
    parser.add_argument("--detectors", nargs="+", default=["hog", "kit"], choices=("hog", "kit", "cnn"))
    parser.add_argument("--weights", type=Path, help="of the kit's network, instead of those that it carries")
    parser.add_argument("--frames", type=int, default=3, help="of a clip")
    parser.add_argument("--strangers", type=int, default=100, help="how many ask, 100 at most")
    parser.add_argument("--pairs", type=int, default=24, help="films of two people")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    try:
        prepare_outputs({"--json": options.json})
    except ValueError as error:
        parser.error(str(error))
    if options.weights:
        from common.detection import network

        network.WEIGHTS = options.weights
    data, rows = read(options.data, options), {}
    print(f"{'detector':9} {'kind':10} {'seen':>9}   named right at {', '.join(map(str, FALSE))} false names")
    for detector in options.detectors:
        rows[detector] = row = measure(detector, data, options)
        right, false, of = row["two people"]
        print(f"{detector:9} two people {right:4} of {of:<4} named right, {false} false names; {row['seconds']} s in all", flush=True)
    if options.json:
        with whole_file(options.json) as file:
            file.write(json.dumps(rows, indent=1))
    return rows


if __name__ == "__main__":
    main()
